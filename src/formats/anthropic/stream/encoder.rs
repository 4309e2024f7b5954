//! Writes neutral events as an Anthropic stream.
//!
//! Used by the translator for every upstream of another format. Invariants of what is written, in
//! whatever order events come: one `message_start`, blocks with indices 0..n−1 that never overlap
//! and are all closed, no empty text block, one `message_delta`, one `message_stop`, or an error
//! event and nothing after it. Pictures, sound and log probabilities have no place in this format;
//! what was spoken is written as text.

mod frames;
mod waiting;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests;

use super::super::answer::{self, CITATIONS_MAX, Place, Said, Unstated};
use super::super::{error, input};
use crate::chat::response::Citation;
use crate::chat::{Event, FinishReason, Usage};
use crate::error::{GatewayError, Kind};
use crate::formats::{AnswerLabel, Framing, StreamEncoder};
use bytes::{BufMut, BytesMut};
use std::borrow::Cow;
use waiting::{Piece, Waiting, WaitingCall};

/// Most text that is kept back: calls that came interleaved, refusals.
const HELD_BYTES_MAX: usize = 8 << 20;

/// Most of the provider's first event that waits for its usage.
const FIRST_BYTES_MAX: usize = 64 << 10;

/// Writes one stream.
#[derive(Debug)]
pub struct Encoder {
    label: AnswerLabel,
    /// The provider's id and name of the model, once it began to answer.
    start: Option<(Option<String>, Option<String>)>,
    begun: bool,
    /// What the provider's first event says: it is written behind `message_start`, which tells the
    /// usage that stands at the end of that event.
    first: BytesMut,
    ended: bool,
    /// Index of the open block, or of the next one.
    index: u32,
    open: Open,
    /// What came while a call was open that is not over yet.
    waiting: Waiting,
    /// At least the bytes that are kept back.
    held_bytes: usize,
    /// Reasoning for the client to keep that came with the open text block: it is written behind
    /// the block, for which sources may still come.
    behind: Vec<String>,
    /// Sources that came before the text they belong to.
    sources: Vec<(String, String)>,
    cited: usize,
    said: Said,
    refusal: String,
    finish: Option<(FinishReason, Option<String>)>,
    usage: Usage,
    tier: Option<String>,
}

/// The block being written.
#[derive(Debug, PartialEq, Eq)]
enum Open {
    None,
    Text {
        /// Sources were told: more text is another block.
        cited: bool,
    },
    Thinking {
        /// The reasoning it belongs to.
        block: u32,
        /// The signature was written: more text is another block.
        signed: bool,
    },
    Call {
        call: u32,
        arguments: Arguments,
    },
}

/// What becomes of the arguments of the open call.
#[derive(Debug, PartialEq, Eq)]
enum Arguments {
    /// None came yet.
    None,
    /// They are an object and pass as they come.
    Passing,
    /// They are no object, and wrapped into one when they are whole.
    Held(String),
    /// The text of a free-form tool.
    FreeText(String),
}

impl Encoder {
    /// An encoder for one answer; this format has one framing only.
    pub fn new(label: AnswerLabel, _framing: Framing) -> Self {
        Self {
            label,
            start: None,
            begun: false,
            first: BytesMut::new(),
            ended: false,
            index: 0,
            open: Open::None,
            waiting: Waiting::default(),
            held_bytes: 0,
            behind: Vec::new(),
            sources: Vec::new(),
            cited: 0,
            said: Said::Other,
            refusal: String::new(),
            finish: None,
            usage: Usage::default(),
            tier: None,
        }
    }

    /// Writes `message_start`, with the counts known by now.
    fn begin(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let (id, model) = self.start.take().unwrap_or_default();
        let id = answer::message_id(id.as_deref(), &self.label);
        let model = self.label.model.as_deref().or(model.as_deref());
        frames::message_start(&id, model.unwrap_or_default(), out);
        let tier = self.tier.as_deref();
        answer::write_usage(&self.usage, tier, Unstated::Zero, out);
        out.put_slice(b"}}\n\n");
        out.put_slice(frames::PING);
        out.put_slice(&std::mem::take(&mut self.first));
    }

    fn close(&mut self, out: &mut BytesMut) {
        match std::mem::replace(&mut self.open, Open::None) {
            Open::None => return,
            Open::Call { arguments: Arguments::Held(text), .. } => {
                let object = input::object(&text, false);
                if object.get() != "{}" {
                    frames::delta(self.index, frames::INPUT_JSON, object.get(), out);
                }
            }
            Open::Call { arguments: Arguments::FreeText(text), .. } => {
                let object = input::free_text(&text);
                frames::delta(self.index, frames::INPUT_JSON, object.get(), out);
            }
            Open::Text { .. } | Open::Thinking { .. } | Open::Call { .. } => {}
        }
        self.stop(out);
        for data in std::mem::take(&mut self.behind) {
            self.redacted(&data, out);
        }
    }

    fn stop(&mut self, out: &mut BytesMut) {
        frames::block_stop(self.index, out);
        self.index = self.index.saturating_add(1);
    }

    fn redacted(&mut self, data: &str, out: &mut BytesMut) {
        frames::redacted_start(self.index, data, out);
        self.stop(out);
    }

    fn text(&mut self, text: &str, out: &mut BytesMut) {
        if text.is_empty() {
            return;
        }
        if self.open != (Open::Text { cited: false }) || !self.behind.is_empty() {
            self.close(out);
            frames::text_start(self.index, out);
            self.open = Open::Text { cited: false };
            for (url, title) in self.sources.drain(..) {
                frames::citation(self.index, &url, &title, out);
            }
        }
        frames::delta(self.index, frames::TEXT, text, out);
    }

    fn citations(&mut self, citations: &[Citation<'_>], out: &mut BytesMut) {
        let room = CITATIONS_MAX.saturating_sub(self.cited);
        for source in citations.iter().take(room) {
            self.cited += 1;
            if matches!(self.open, Open::Text { .. }) {
                frames::citation(self.index, &source.url, &source.title, out);
                self.open = Open::Text { cited: true };
            } else {
                self.hold(source.url.len().saturating_add(source.title.len()));
                self.sources.push((source.url.to_string(), source.title.to_string()));
            }
        }
    }

    fn thought(&mut self, text: &str, block: u32, out: &mut BytesMut) {
        if text.is_empty() {
            return;
        }
        let wanted = Open::Thinking { block, signed: false };
        if self.open != wanted {
            self.close(out);
            frames::thinking_start(self.index, out);
            self.open = wanted;
        }
        frames::delta(self.index, frames::THINKING, text, out);
    }

    fn signature(&mut self, text: &str, place: Place, block: u32, out: &mut BytesMut) {
        if place == Place::Redacted {
            if matches!(self.open, Open::Text { .. }) {
                self.hold(text.len());
                return self.behind.push(text.to_owned());
            }
            self.close(out);
            return self.redacted(text, out);
        }
        if place == Place::BeforeCall || self.open != (Open::Thinking { block, signed: false }) {
            self.close(out);
            frames::thinking_start(self.index, out);
        }
        frames::delta(self.index, frames::SIGNATURE, text, out);
        self.open = Open::Thinking { block, signed: true };
        if place == Place::BeforeCall {
            self.close(out);
        }
    }

    fn call_start(&mut self, call: &WaitingCall, out: &mut BytesMut) {
        self.close(out);
        self.said = Said::Calls;
        frames::tool_start(self.index, &call.id, &call.name, out);
        let arguments =
            if call.custom { Arguments::FreeText(String::new()) } else { Arguments::None };
        self.open = Open::Call { call: call.call, arguments };
    }

    /// Writes or keeps a piece of the open call's arguments.
    fn arguments(&mut self, json: &str, out: &mut BytesMut) {
        let Open::Call { arguments, .. } = &mut self.open else { return };
        match arguments {
            Arguments::Passing => frames::delta(self.index, frames::INPUT_JSON, json, out),
            Arguments::Held(text) | Arguments::FreeText(text) => {
                text.push_str(json);
                self.hold(json.len());
            }
            Arguments::None => match json.trim_start().chars().next() {
                None => {}
                Some('{') => {
                    *arguments = Arguments::Passing;
                    frames::delta(self.index, frames::INPUT_JSON, json, out);
                }
                Some(_) => {
                    *arguments = Arguments::Held(json.to_owned());
                    self.hold(json.len());
                }
            },
        }
    }

    /// Closes the open call and writes what waited for its end, up to the next call that is not
    /// over.
    fn end_call(&mut self, out: &mut BytesMut) {
        self.close(out);
        while let Some(piece) = self.waiting.pop() {
            match piece {
                Piece::Text(text) => self.text(&text, out),
                Piece::Thought { text, block } => self.thought(&text, block, out),
                Piece::Signature { text, place, block } => {
                    self.signature(&text, place, block, out);
                }
                Piece::Call(call) => {
                    self.call_start(&call, out);
                    if !call.arguments.is_empty() {
                        self.arguments(&call.arguments, out);
                    }
                    if !call.ended {
                        return;
                    }
                    self.close(out);
                }
            }
        }
    }

    fn hold(&mut self, bytes: usize) {
        self.held_bytes = self.held_bytes.saturating_add(bytes);
    }

    /// Writes an event of the answer's content, or lets it wait.
    fn said(&mut self, event: &Event<'_>, out: &mut BytesMut) {
        match self.open {
            Open::Call { call, .. } => self.within_call(call, event, out),
            _ => self.content(event, out),
        }
    }

    fn content(&mut self, event: &Event<'_>, out: &mut BytesMut) {
        match event {
            Event::Text { text, .. } => self.text(text, out),
            Event::Audio { audio, .. } => {
                self.text(audio.transcript.as_deref().unwrap_or_default(), out);
            }
            Event::Refusal { text, .. } => {
                self.refusal.push_str(text);
                self.hold(text.len());
            }
            Event::Reasoning { text, block, .. } if !self.label.exclude_reasoning => {
                self.thought(text, *block, out);
            }
            Event::ReasoningSignature { block, .. } => {
                if let Some(signature) = waiting::signature(event) {
                    self.signature(&signature.text(), signature.place(), *block, out);
                }
            }
            Event::ToolCallStart { .. } => {
                if let Some(call) = WaitingCall::of(event) {
                    self.call_start(&call, out);
                }
            }
            Event::Citations { citations, .. } => self.citations(citations, out),
            _ => {}
        }
    }

    /// Handles an event while a call is open: its own pieces pass, all else waits for its end.
    fn within_call(&mut self, open: u32, event: &Event<'_>, out: &mut BytesMut) {
        match event {
            Event::ToolCallArguments { call, json, .. } if *call == open => {
                self.arguments(json, out);
            }
            Event::ToolCallEnd { call, .. } if *call == open => self.end_call(out),
            Event::Reasoning { .. } if self.label.exclude_reasoning => {}
            Event::Refusal { .. } | Event::Citations { .. } => self.content(event, out),
            other => {
                let bytes = self.waiting.push(other);
                self.hold(bytes);
            }
        }
    }

    fn count_held(&self) -> usize {
        let sources = self.sources.iter().map(|(url, title)| url.len() + title.len());
        let behind = self.behind.iter().map(String::len);
        let arguments = match &self.open {
            Open::Call { arguments: Arguments::Held(text) | Arguments::FreeText(text), .. } => {
                text.len()
            }
            _ => 0,
        };
        let others = [arguments, self.refusal.len(), self.waiting.bytes()];
        sources.chain(behind).chain(others).fold(0, usize::saturating_add)
    }

    /// What is written by now is taken off the count only when it matters.
    fn too_much_waits(&mut self) -> bool {
        if self.held_bytes > HELD_BYTES_MAX {
            self.held_bytes = self.count_held();
        }
        self.held_bytes > HELD_BYTES_MAX || self.waiting.is_full()
    }

    /// Writes all that was kept back.
    fn complete(&mut self, out: &mut BytesMut) {
        self.waiting.end_all();
        while matches!(self.open, Open::Call { .. }) {
            self.end_call(out);
        }
        let withheld = matches!(self.finish, Some((FinishReason::ContentFilter, _)));
        if !withheld && !self.refusal.is_empty() {
            let refusal = std::mem::take(&mut self.refusal);
            self.text(&refusal, out);
            if self.said == Said::Other {
                self.said = Said::Refusal;
            }
        }
        self.close(out);
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &Event<'_>, out: &mut BytesMut) {
        if self.ended || event.choice().is_some_and(|choice| choice != 0) {
            return;
        }
        match event {
            Event::Start { id, model } => {
                let owned = |text: &Cow<'_, str>| text.to_string();
                self.start = Some((id.as_ref().map(owned), model.as_ref().map(owned)));
            }
            Event::Usage(later) => self.usage.merge(later),
            Event::ServiceTier(tier) => self.tier = Some(tier.to_string()),
            Event::Finish { reason, native, .. } => {
                let native = native.as_ref().map(ToString::to_string);
                self.finish.get_or_insert((*reason, native));
            }
            Event::Ping if self.begun => out.put_slice(frames::PING),
            // A sign of life before the answer is the caller's to give.
            Event::Ping
            | Event::Error(_)
            | Event::End
            | Event::Logprobs { .. }
            | Event::Image { .. } => {}
            content => {
                if self.begun {
                    self.said(content, out);
                } else {
                    let mut first = std::mem::take(&mut self.first);
                    self.said(content, &mut first);
                    self.first = first;
                }
                if self.first.len() > FIRST_BYTES_MAX {
                    self.begin(out);
                }
                if self.too_much_waits() {
                    let complaint = "the answer cannot be told in the order of this format";
                    let error = GatewayError::upstream(Kind::ProviderUnavailable, complaint);
                    let id = self.label.id.clone();
                    self.fail(&error, &id, out);
                }
            }
        }
    }

    fn settle(&mut self, out: &mut BytesMut) {
        let has_begun = self.start.is_some() || !self.first.is_empty();
        if has_begun && !self.ended {
            self.begin(out);
        }
    }

    fn finish(&mut self, out: &mut BytesMut) {
        if self.ended {
            return;
        }
        self.begin(out);
        self.complete(out);
        self.ended = true;
        let (finish, native) = match &self.finish {
            Some((finish, native)) => (*finish, native.as_deref()),
            None => (FinishReason::Stop, None),
        };
        out.put_slice(frames::MESSAGE_DELTA);
        // What is still there of a refusal is the provider's reason to withhold the answer.
        let explanation = Some(self.refusal.as_str()).filter(|text| !text.is_empty());
        answer::write_stop(answer::stop_reason(finish, native, self.said), explanation, out);
        out.put_slice(br#"},"usage":"#);
        let tier = self.tier.as_deref();
        answer::write_usage(&self.usage, tier, Unstated::InputLeftOut, out);
        out.put_slice(b"}\n\n");
        out.put_slice(frames::MESSAGE_STOP);
    }

    fn fail(&mut self, error: &GatewayError, request_id: &str, out: &mut BytesMut) {
        if !std::mem::replace(&mut self.ended, true) {
            if !self.first.is_empty() {
                self.begin(out);
            }
            error::stream_error(error, request_id, out);
        }
    }
}
