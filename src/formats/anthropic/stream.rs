//! Reads a streamed answer: Anthropic's events become neutral ones.
//!
//! The translator feeds one [`Decoder`] per answer. Text borrows from the event's bytes. Unknown
//! events, blocks and deltas are skipped; an answer without `message_stop` is reported as
//! truncated, never as complete.

mod encoder;
mod wire;

pub use encoder::Encoder;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests;

use super::block::{self, Block};
use super::raw::{self, Str};
use super::response::{Cited, finish_reason, service_tier};
use super::usage::Counts;
use super::{REASONING_FORMAT, error};
use crate::chat::message::ReasoningKind;
use crate::chat::{Event, FinishReason};
use crate::formats::{StreamDecoder, StreamFault};
use serde_json::value::RawValue;
use std::borrow::Cow;
use wire::{Delta, Envelope, MessageDelta, MessageStart};

/// A provider that never closes its blocks is cut off here.
const OPEN_BLOCKS_MAX: usize = 1024;
/// Sources kept per text block; more are left out.
const CITATIONS_MAX: usize = 1024;

/// Most bytes of sources that wait for the end of their text; more are left out.
const CITED_BYTES_MAX: usize = 1 << 20;

type Sink<'s> = dyn FnMut(Event<'_>) + 's;

/// State of one streamed answer.
#[derive(Debug, Default)]
pub struct Decoder {
    counts: Counts,
    open: Vec<OpenBlock>,
    /// Tool calls begun so far.
    calls: u32,
    /// Characters of answer text so far.
    text_chars: u64,
    /// Bytes of the sources that wait.
    cited_bytes: usize,
    stop_reason: Option<String>,
    /// The provider's words on a refusal.
    explanation: Option<String>,
    ended: bool,
}

#[derive(Debug)]
struct OpenBlock {
    index: u32,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Text {
        start: u64,
        cited: Vec<Cited>,
    },
    Thinking,
    Call {
        call: u32,
        arguments: Arguments,
    },
    /// Server tools, whole blocks and whatever is new.
    Skipped,
}

/// What is known of a call's arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arguments {
    None,
    Partial,
    /// Given at once when the block began.
    Whole,
}

impl Decoder {
    /// A decoder for one answer.
    pub fn new() -> Self {
        Self::default()
    }

    fn message_start(&mut self, message: Option<&RawValue>, sink: &mut Sink<'_>) {
        let start = message.and_then(raw::view::<MessageStart<'_>>).unwrap_or_default();
        sink(Event::Start {
            id: start.id.map(|text| text.0),
            model: start.model.map(|text| text.0),
        });
        self.count(start.usage, sink);
    }

    fn count(&mut self, usage: Option<&RawValue>, sink: &mut Sink<'_>) {
        if let Some(counts) = usage.and_then(raw::view::<Counts>) {
            self.counts.merge(counts);
            sink(Event::Usage(self.counts.usage()));
        }
        if let Some(tier) = usage.and_then(service_tier) {
            sink(Event::ServiceTier(tier));
        }
    }

    fn block_start(
        &mut self,
        index: u32,
        block: Option<&RawValue>,
        sink: &mut Sink<'_>,
    ) -> Result<(), StreamFault> {
        self.block_stop(index, sink);
        if self.open.len() >= OPEN_BLOCKS_MAX {
            return Err(StreamFault::Malformed("too many open blocks".into()));
        }
        let kind = match block.and_then(Block::read) {
            Some(Block::Text { text }) => {
                let start = self.text_chars;
                self.text(text, sink);
                Kind::Text { start, cited: Vec::new() }
            }
            Some(Block::Thinking { thinking, signature }) => {
                reasoning(index, thinking, sink);
                self::signature(index, signature, sink);
                Kind::Thinking
            }
            Some(Block::Redacted { data }) => {
                sink(Event::ReasoningSignature {
                    choice: 0,
                    data,
                    encrypted: true,
                    format: REASONING_FORMAT,
                    block: index,
                    id: None,
                });
                Kind::Skipped
            }
            Some(Block::ToolUse { id, name, input }) => self.call_start(id, name, input, sink),
            None => Kind::Skipped,
        };
        self.open.push(OpenBlock { index, kind });
        Ok(())
    }

    fn call_start(
        &mut self,
        id: Cow<'_, str>,
        name: Cow<'_, str>,
        input: Option<&RawValue>,
        sink: &mut Sink<'_>,
    ) -> Kind {
        let call = self.calls;
        self.calls = self.calls.saturating_add(1);
        sink(Event::ToolCallStart { choice: 0, call, id, name, custom: false });
        let Some(input) = input.filter(|input| raw::is_filled_object(input)) else {
            return Kind::Call { call, arguments: Arguments::None };
        };
        sink(Event::ToolCallArguments { choice: 0, call, json: input.get().into() });
        Kind::Call { call, arguments: Arguments::Whole }
    }

    fn text(&mut self, text: Cow<'_, str>, sink: &mut Sink<'_>) {
        if !text.is_empty() {
            self.text_chars = self.text_chars.saturating_add(text.chars().count() as u64);
            sink(Event::Text { choice: 0, text });
        }
    }

    fn delta(&mut self, index: u32, delta: &RawValue, sink: &mut Sink<'_>) {
        let position = self.open.iter().rposition(|block| block.index == index);
        let mut kind = position.and_then(|at| self.open.get_mut(at)).map(|block| &mut block.kind);
        if matches!(kind, Some(Kind::Skipped)) {
            return;
        }
        match (Delta::read(delta), &mut kind) {
            (Some(Delta::Text(text)), _) => self.text(text, sink),
            (Some(Delta::Thinking(text)), _) => reasoning(index, text, sink),
            (Some(Delta::Signature(data)), _) => signature(index, data, sink),
            (Some(Delta::InputJson(json)), Some(Kind::Call { call, arguments }))
                if !json.is_empty() && *arguments != Arguments::Whole =>
            {
                *arguments = Arguments::Partial;
                sink(Event::ToolCallArguments { choice: 0, call: *call, json });
            }
            (Some(Delta::Citation(source)), Some(Kind::Text { cited, .. }))
                if cited.len() < CITATIONS_MAX =>
            {
                let bytes = |source: &Cited| self.cited_bytes.saturating_add(source.bytes());
                let source = Cited::read(source).filter(|s| bytes(s) <= CITED_BYTES_MAX);
                self.cited_bytes = source.as_ref().map_or(self.cited_bytes, bytes);
                cited.extend(source);
            }
            _ => {}
        }
    }

    fn block_stop(&mut self, index: u32, sink: &mut Sink<'_>) {
        let Some(position) = self.open.iter().rposition(|block| block.index == index) else {
            return;
        };
        let block = self.open.remove(position);
        self.close(block.kind, sink);
    }

    fn close(&mut self, kind: Kind, sink: &mut Sink<'_>) {
        match kind {
            Kind::Call { call, arguments } => {
                if arguments == Arguments::None {
                    sink(Event::ToolCallArguments { choice: 0, call, json: "{}".into() });
                }
                sink(Event::ToolCallEnd { choice: 0, call });
            }
            Kind::Text { start, cited } if !cited.is_empty() => {
                let end = self.text_chars;
                let told: usize = cited.iter().map(Cited::bytes).sum();
                self.cited_bytes = self.cited_bytes.saturating_sub(told);
                let citations = cited.into_iter().map(|source| source.at(start, end)).collect();
                sink(Event::Citations { choice: 0, citations });
            }
            Kind::Text { .. } | Kind::Thinking | Kind::Skipped => {}
        }
    }

    fn message_delta(&mut self, event: &Envelope<'_>, sink: &mut Sink<'_>) {
        let delta = event.delta.and_then(raw::view::<MessageDelta<'_>>).unwrap_or_default();
        if let Some(Str(reason)) = delta.stop_reason {
            self.stop_reason = Some(reason.into_owned());
        }
        let explanation = delta.stop_details.and_then(block::explanation);
        self.explanation = explanation.or(self.explanation.take());
        self.count(event.usage, sink);
    }

    fn message_stop(&mut self, sink: &mut Sink<'_>) {
        if self.ended {
            return;
        }
        self.ended = true;
        for block in std::mem::take(&mut self.open) {
            self.close(block.kind, sink);
        }
        let reason = finish_reason(self.stop_reason.as_deref(), self.calls > 0);
        if let Some(text) =
            self.explanation.take().filter(|_| reason == FinishReason::ContentFilter)
        {
            sink(Event::Refusal { choice: 0, text: text.into() });
        }
        let native = self.stop_reason.take().map(Cow::Owned);
        sink(Event::Finish { choice: 0, reason, native });
        sink(Event::End);
    }
}

fn reasoning(block: u32, text: Cow<'_, str>, sink: &mut Sink<'_>) {
    if !text.is_empty() {
        let kind = ReasoningKind::Text;
        sink(Event::Reasoning { choice: 0, text, kind, format: REASONING_FORMAT, block });
    }
}

fn signature(block: u32, data: Cow<'_, str>, sink: &mut Sink<'_>) {
    if !data.is_empty() {
        sink(Event::ReasoningSignature {
            choice: 0,
            data,
            encrypted: false,
            format: REASONING_FORMAT,
            block,
            id: None,
        });
    }
}

impl StreamDecoder for Decoder {
    fn event(
        &mut self,
        name: Option<&str>,
        data: &[u8],
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), StreamFault> {
        if data.trim_ascii().is_empty() || data.trim_ascii() == b"[DONE]" {
            return Ok(());
        }
        let event: Envelope<'_> = serde_json::from_slice(data)
            .map_err(|error| StreamFault::Malformed(format!("{error}").into()))?;
        let kind = event.r#type.as_ref().map(Str::as_str).or(name).unwrap_or_default();
        if kind == "error" {
            return Err(StreamFault::Upstream(error::decode_event(data)));
        }
        if self.ended {
            return Ok(());
        }
        let index = event.index.unwrap_or_default();
        match kind {
            "message_start" => self.message_start(event.message, sink),
            "content_block_start" => self.block_start(index, event.content_block, sink)?,
            "content_block_delta" => {
                if let Some(delta) = event.delta {
                    self.delta(index, delta, sink);
                }
            }
            "content_block_stop" => self.block_stop(index, sink),
            "message_delta" => self.message_delta(&event, sink),
            "message_stop" => self.message_stop(sink),
            "ping" => sink(Event::Ping),
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, _sink: &mut dyn FnMut(Event<'_>)) -> Result<(), StreamFault> {
        if self.ended { Ok(()) } else { Err(StreamFault::Truncated) }
    }
}
