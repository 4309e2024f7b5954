//! One alternative of a streamed answer: its parts in order, an open function call, its end.
//!
//! Blocks are counted over all kinds of content; a block ends where another kind begins.

use super::Sink;
use crate::chat::event::AudioPiece;
use crate::chat::message::ReasoningKind;
use crate::chat::{Event, FinishReason};
use crate::formats::StreamFault;
use crate::formats::gemini::REASONING_FORMAT;
use crate::formats::gemini::answer::{Blob, Candidate, FunctionCall, Part, Text, Written};
use crate::formats::gemini::finish::{Block, Seen, reason, word};
use crate::formats::gemini::grounding::TextMap;
use crate::formats::gemini::json_text::compact;
use crate::formats::gemini::names::Renamed;
use crate::formats::gemini::partial_args::{Arguments, BadPiece, Piece};
use crate::formats::gemini::response::new_call_id;
use std::borrow::Cow;

/// Largest buffer that is kept between events, in bytes.
const MAX_KEPT_BYTES: usize = 64 * 1_024;

/// State of one alternative.
#[derive(Debug, Default)]
pub(super) struct Choice {
    index: u32,
    calls: u32,
    /// The call whose arguments still arrive in pieces.
    open: Option<(u32, Arguments)>,
    end: Option<Ending>,
    seen: Seen,
    text: TextMap,
    block: Option<(u32, Kind)>,
    /// For text that is written with escapes.
    buffer: String,
}

/// What is known about the end.
#[derive(Debug)]
enum Ending {
    /// The provider's word and its explanation.
    Word(String, Option<String>),
    /// The prompt was blocked for this reason.
    Blocked(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Reasoning,
    /// A call, an image or a signature of its own: never continued by the next part.
    Single,
}

impl Choice {
    pub(super) fn new(index: u32) -> Self {
        Self { index, ..Self::default() }
    }

    /// Whether a finish reason was seen.
    pub(super) fn ended(&self) -> bool {
        self.end.is_some()
    }

    /// Takes the newest parts.
    pub(super) fn candidate(
        &mut self,
        candidate: Candidate<'_, Written<'_>>,
        renamed: &Renamed,
        sink: &mut Sink<'_>,
    ) -> Result<(), StreamFault> {
        let parts = candidate.content.and_then(|content| content.parts).unwrap_or_default();
        for part in parts {
            self.part(part, renamed, sink)?;
        }
        let logprobs = candidate.logprobs_result.and_then(|chosen| chosen.in_openai_shape());
        if let Some(json) = logprobs {
            sink(Event::Logprobs { choice: self.index, json: Cow::Owned(json) });
        }
        let mut citations = candidate
            .grounding_metadata
            .map(|metadata| metadata.citations(&self.text))
            .unwrap_or_default();
        if let Some(recited) = candidate.citation_metadata {
            citations.extend(recited.citations(&self.text));
        }
        if !citations.is_empty() {
            sink(Event::Citations { choice: self.index, citations });
        }
        if let Some(reason) = &candidate.finish_reason {
            self.remember_end(word(reason), candidate.finish_message);
        }
        Ok(())
    }

    /// The prompt was refused: nothing else will come.
    pub(super) fn blocked(&mut self, block: Block<'_>, sink: &mut Sink<'_>) {
        if matches!(self.end, Some(Ending::Blocked(_))) {
            return;
        }
        self.seen.content = true;
        self.end = Some(Ending::Blocked(block.reason.into_owned()));
        sink(Event::Refusal { choice: self.index, text: block.message });
    }

    /// The stream is over: closes what is open and tells why the alternative ended.
    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) -> Result<(), StreamFault> {
        self.close_call(sink)?;
        let choice = self.index;
        let (reason, native) = match self.end.take() {
            None => return Err(StreamFault::Truncated),
            Some(Ending::Blocked(native)) => (FinishReason::ContentFilter, native),
            Some(Ending::Word(native, message)) => {
                let reason = reason(&native, self.seen);
                if let Some(text) = message
                    && reason == FinishReason::ContentFilter
                    && !self.seen.content
                {
                    sink(Event::Refusal { choice, text: text.into() });
                }
                (reason, native)
            }
        };
        sink(Event::Finish { choice, reason, native: Some(native.into()) });
        Ok(())
    }

    /// The last word wins, but "unspecified" never replaces another.
    fn remember_end(&mut self, word: Cow<'_, str>, message: Option<Text<'_>>) {
        let says_nothing = word.is_empty() || word == "FINISH_REASON_UNSPECIFIED";
        if word.is_empty() || (says_nothing && self.end.is_some()) {
            return;
        }
        let message = message.map(|text| text.0).filter(|text| !text.is_empty());
        // Some hosts repeat it in every event.
        if message.is_none()
            && matches!(&self.end, Some(Ending::Word(known, None)) if *known == word)
        {
            return;
        }
        let message = message.map(Cow::into_owned);
        self.end = Some(Ending::Word(word.into_owned(), message));
    }

    fn part(
        &mut self,
        mut part: Part<'_, Written<'_>>,
        renamed: &Renamed,
        sink: &mut Sink<'_>,
    ) -> Result<(), StreamFault> {
        let signature = part.take_signature();
        if let Some(call) = part.function_call {
            return self.function_call(*call, signature, renamed, sink);
        }
        self.close_call(sink)?;
        let thought = part.thought.unwrap_or(false);
        if let Some(code) = part.fenced() {
            // Its signature is of no use: the code travels as text.
            self.text(code.into(), sink);
        } else if let Some(text) = part.text {
            let kind = if thought { Kind::Reasoning } else { Kind::Text };
            self.said(kind, text, signature, sink)?;
        } else if let Some(blob) = part.inline_data.filter(|_| !thought) {
            self.blob(*blob, sink);
            if let Some(data) = signature {
                self.encrypted(data, None, sink);
            }
        }
        Ok(())
    }

    /// Begins a block unless the present one is of this kind; tells its position.
    fn enter(&mut self, kind: Kind) -> u32 {
        let block = match self.block {
            None => 0,
            Some((block, open)) if open == kind && kind != Kind::Single => block,
            Some((block, _)) => block.saturating_add(1),
        };
        self.block = Some((block, kind));
        block
    }

    fn said(
        &mut self,
        kind: Kind,
        text: Written<'_>,
        signature: Option<Cow<'_, str>>,
        sink: &mut Sink<'_>,
    ) -> Result<(), StreamFault> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let text = text.read(&mut buffer).map(Cow::Borrowed);
        let text = text.ok_or(StreamFault::Malformed(Cow::Borrowed("a text has a bad escape")))?;
        match (kind, signature) {
            (Kind::Reasoning, signature) => self.reasoning(text, signature, sink),
            (_, None) => self.text(text, sink),
            (_, Some(data)) => {
                self.text(text, sink);
                self.encrypted(data, None, sink);
            }
        }
        if buffer.capacity() <= MAX_KEPT_BYTES {
            self.buffer = buffer;
        }
        Ok(())
    }

    fn text(&mut self, text: Cow<'_, str>, sink: &mut Sink<'_>) {
        if text.is_empty() {
            return;
        }
        self.enter(Kind::Text);
        self.seen.content = true;
        self.text.push(&text);
        sink(Event::Text { choice: self.index, text });
    }

    fn reasoning(
        &mut self,
        text: Cow<'_, str>,
        signature: Option<Cow<'_, str>>,
        sink: &mut Sink<'_>,
    ) {
        if text.is_empty() && signature.is_none() {
            return;
        }
        let (choice, format) = (self.index, REASONING_FORMAT);
        let block = self.enter(Kind::Reasoning);
        let encrypted = text.is_empty();
        if !encrypted {
            self.seen.content = true;
            sink(Event::Reasoning { choice, text, kind: ReasoningKind::Text, format, block });
        }
        if let Some(data) = signature {
            let call_id = None;
            sink(Event::ReasoningSignature { choice, data, encrypted, format, block, id: call_id });
        }
    }

    fn encrypted(
        &mut self,
        data: Cow<'_, str>,
        call_id: Option<Cow<'_, str>>,
        sink: &mut Sink<'_>,
    ) {
        let block = self.enter(Kind::Single);
        sink(Event::ReasoningSignature {
            choice: self.index,
            data,
            encrypted: true,
            format: REASONING_FORMAT,
            block,
            id: call_id,
        });
    }

    fn blob(&mut self, blob: Blob<'_>, sink: &mut Sink<'_>) {
        let (Some(Text(mime)), Some(Text(data))) = (blob.mime_type, blob.data) else { return };
        let choice = self.index;
        let event = if mime.starts_with("image/") {
            Event::Image { choice, mime, data }
        } else if let Some(format) = mime.strip_prefix("audio/") {
            // What follows the name ("L16;codec=pcm;rate=24000") says how to play it.
            let format = Some(Cow::Owned(format.to_owned()));
            Event::Audio {
                choice,
                audio: AudioPiece { format, data: Some(data), ..AudioPiece::default() },
            }
        } else {
            return;
        };
        self.enter(Kind::Single);
        self.seen.content = true;
        sink(event);
    }

    fn function_call(
        &mut self,
        call: FunctionCall<'_>,
        signature: Option<Cow<'_, str>>,
        renamed: &Renamed,
        sink: &mut Sink<'_>,
    ) -> Result<(), StreamFault> {
        let FunctionCall { id, name, args, partial_args, will_continue } = call;
        if let Some(Text(name)) = name.filter(|name| !name.0.is_empty()) {
            self.close_call(sink)?;
            let id = id.map(|id| id.0).filter(|id| !id.is_empty());
            let id = id.unwrap_or_else(|| new_call_id().into());
            if let Some(data) = signature {
                self.encrypted(data, Some(Cow::Borrowed(&id)), sink);
            }
            let name = renamed.original(&name).map(Cow::Borrowed).unwrap_or(name);
            self.begin_call(id, name, sink);
        }
        let Some((call, arguments)) = &mut self.open else { return Ok(()) };
        if let Some(args) = args {
            let (choice, call) = (self.index, *call);
            self.open = None;
            sink(Event::ToolCallArguments { choice, call, json: compact(args.get()) });
            sink(Event::ToolCallEnd { choice, call });
            return Ok(());
        }
        push_all(arguments, partial_args.as_deref()).map_err(malformed)?;
        if will_continue == Some(true) { Ok(()) } else { self.close_call(sink) }
    }

    fn begin_call(&mut self, id: Cow<'_, str>, name: Cow<'_, str>, sink: &mut Sink<'_>) {
        self.enter(Kind::Single);
        self.seen = Seen { calls: true, content: true };
        let (choice, call) = (self.index, self.calls);
        self.calls = self.calls.saturating_add(1);
        self.open = Some((call, Arguments::default()));
        sink(Event::ToolCallStart { choice, call, id, name, custom: false });
    }

    fn close_call(&mut self, sink: &mut Sink<'_>) -> Result<(), StreamFault> {
        if let Some((call, arguments)) = self.open.take() {
            let choice = self.index;
            let json = arguments.finish().map_err(malformed)?.into();
            sink(Event::ToolCallArguments { choice, call, json });
            sink(Event::ToolCallEnd { choice, call });
        }
        Ok(())
    }
}

fn push_all(arguments: &mut Arguments, pieces: Option<&[Piece<'_>]>) -> Result<(), BadPiece> {
    pieces.unwrap_or_default().iter().try_for_each(|piece| arguments.push(piece))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn malformed(error: BadPiece) -> StreamFault {
    StreamFault::Malformed(error.to_string().into())
}
