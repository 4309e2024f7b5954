//! Reads a streamed answer of Converse: its events become neutral ones.
//!
//! The translator feeds one [`Decoder`] per answer with the name and JSON of each frame. Nova's
//! own streams, which name the event inside the JSON, are read as well. Text borrows from the
//! event's bytes. The counts come after the end of the message, so that the end is told with them;
//! a stream without `messageStop` is truncated, never complete.

#[cfg(test)]
mod tests;

use super::block::{Delta, Source, Start};
use super::error;
use super::response::{Said, finish_reason, invoked_model, tier};
use super::text::{Str, view};
use super::usage::Counts;
use crate::chat::Event;
use crate::chat::message::ReasoningKind;
use crate::chat::response::Citation;
use crate::formats::anthropic::REASONING_FORMAT;
use crate::formats::{StreamDecoder, StreamFault};
use crate::json::Members;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A provider that never closes its blocks is cut off here.
const MAX_OPEN_BLOCKS: usize = 1024;
/// Sources kept per answer; more are left out.
const MAX_CITATIONS: usize = 1024;
/// Longest address and title of a source together; longer ones are left out.
const MAX_SOURCE_BYTES: usize = 8 << 10;

type Sink<'s> = dyn FnMut(Event<'_>) + 's;

/// State of one streamed answer.
#[derive(Debug, Default)]
pub struct Decoder {
    open: Vec<OpenBlock>,
    /// Tool calls begun so far.
    calls: u32,
    /// Characters of answer text so far.
    characters: u64,
    /// Sources so far.
    citations: usize,
    said_anything: bool,
    /// The counts have come.
    counted: bool,
    progress: Progress,
}

/// How far the stream is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    #[default]
    Before,
    Inside,
    /// The message is complete, the counts may still come.
    Stopped,
    Ended,
}

#[derive(Debug)]
struct OpenBlock {
    index: u32,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Text from this character on, and the sources it rests on.
    Text {
        start: u64,
        cited: Vec<Citation<'static>>,
    },
    Call {
        call: u32,
        has_arguments: bool,
    },
    Skipped,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    content_block_index: Option<u32>,
    #[serde(borrow)]
    start: Option<&'a RawValue>,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
    #[serde(borrow)]
    stop_reason: Option<Str<'a>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    service_tier: Option<&'a RawValue>,
    #[serde(borrow)]
    trace: Option<&'a RawValue>,
}

impl Decoder {
    fn start(&mut self, model: Option<Cow<'_, str>>, sink: &mut Sink<'_>) {
        if self.progress == Progress::Before {
            self.progress = Progress::Inside;
            sink(Event::Start { id: None, model });
        }
    }

    fn block_start(
        &mut self,
        event: &Envelope<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<(), StreamFault> {
        let index = event.content_block_index.unwrap_or_default();
        self.block_stop(index, sink);
        match event.start.and_then(Start::read) {
            Some(Start::Call { id, name }) => {
                let call = self.calls;
                self.calls = self.calls.saturating_add(1);
                self.said_anything = true;
                sink(Event::ToolCallStart { choice: 0, call, id, name, custom: false });
                self.open(index, Kind::Call { call, has_arguments: false })
            }
            Some(Start::Skipped) => self.open(index, Kind::Skipped),
            // Beginnings of text are not announced, or tell nothing.
            None => Ok(()),
        }
    }

    fn open(&mut self, index: u32, kind: Kind) -> Result<(), StreamFault> {
        if self.open.len() >= MAX_OPEN_BLOCKS {
            return Err(StreamFault::Malformed("too many open blocks".into()));
        }
        self.open.push(OpenBlock { index, kind });
        Ok(())
    }

    fn delta(&mut self, event: &Envelope<'_>, sink: &mut Sink<'_>) -> Result<(), StreamFault> {
        let Some(delta) = event.delta.and_then(Delta::read) else { return Ok(()) };
        let block = event.content_block_index.unwrap_or_default();
        let position = self.open.iter().rposition(|open| open.index == block);
        let mut kind = position.and_then(|at| self.open.get_mut(at)).map(|open| &mut open.kind);
        let is_open = kind.is_some();
        match (delta, &mut kind) {
            (_, Some(Kind::Skipped)) => return Ok(()),
            (Delta::Text(text), _) => {
                if !is_open {
                    let start = self.characters;
                    self.open(block, Kind::Text { start, cited: Vec::new() })?;
                }
                self.characters = self.characters.saturating_add(text.chars().count() as u64);
                sink(Event::Text { choice: 0, text });
            }
            (Delta::Input(json), Some(Kind::Call { call, has_arguments })) => {
                *has_arguments = true;
                sink(Event::ToolCallArguments { choice: 0, call: *call, json });
            }
            (Delta::Input(_), _) => return Ok(()),
            (Delta::Citation(source), _) => return self.cite(block, source, is_open),
            (Delta::Thought(text), _) => sink(Event::Reasoning {
                choice: 0,
                text,
                kind: ReasoningKind::Text,
                format: REASONING_FORMAT,
                block,
            }),
            (Delta::Signature(data), _) => signature(block, data, false, sink),
            (Delta::Redacted(data), _) => signature(block, data, true, sink),
            (Delta::Image { mime, data }, _) => {
                sink(Event::Image { choice: 0, mime: mime.into(), data });
            }
        }
        self.said_anything = true;
        Ok(())
    }

    /// Notes a source of the block's text, which is told when the block ends.
    fn cite(&mut self, index: u32, source: Source<'_>, is_open: bool) -> Result<(), StreamFault> {
        if !is_open {
            let start = self.characters;
            self.open(index, Kind::Text { start, cited: Vec::new() })?;
        }
        let bytes = source.url.len().saturating_add(source.title.len());
        let open = self.open.iter_mut().rev().find(|open| open.index == index);
        if let Some(Kind::Text { cited, .. }) = open.map(|open| &mut open.kind)
            && self.citations < MAX_CITATIONS
            && bytes <= MAX_SOURCE_BYTES
        {
            self.citations += 1;
            let (url, title) = (source.url.into_owned().into(), source.title.into_owned().into());
            cited.push(Citation { url, title, start: 0, end: 0 });
        }
        Ok(())
    }

    fn block_stop(&mut self, index: u32, sink: &mut Sink<'_>) {
        if let Some(position) = self.open.iter().rposition(|open| open.index == index) {
            let open = self.open.remove(position);
            self.close(open.kind, sink);
        }
    }

    fn close(&self, kind: Kind, sink: &mut Sink<'_>) {
        match kind {
            Kind::Call { call, has_arguments } => {
                if !has_arguments {
                    sink(Event::ToolCallArguments { choice: 0, call, json: "{}".into() });
                }
                sink(Event::ToolCallEnd { choice: 0, call });
            }
            Kind::Text { start, mut cited } if !cited.is_empty() => {
                for citation in &mut cited {
                    (citation.start, citation.end) = (start, self.characters);
                }
                sink(Event::Citations { choice: 0, citations: cited });
            }
            Kind::Text { .. } | Kind::Skipped => {}
        }
    }

    fn message_stop(&mut self, event: &Envelope<'_>, sink: &mut Sink<'_>) {
        if self.progress >= Progress::Stopped {
            return;
        }
        self.progress = Progress::Stopped;
        for open in std::mem::take(&mut self.open) {
            self.close(open.kind, sink);
        }
        let has_calls = self.calls > 0;
        let said = if self.said_anything { Said::Something { has_calls } } else { Said::Nothing };
        let native = event.stop_reason.as_ref().map(|text| Cow::Borrowed(&*text.0));
        let reason = finish_reason(native.as_deref(), said);
        sink(Event::Finish { choice: 0, reason, native });
        if self.counted {
            self.end(sink);
        }
    }

    fn metadata(&mut self, event: &Envelope<'_>, sink: &mut Sink<'_>) {
        if let Some(tier) = event.service_tier.and_then(tier) {
            sink(Event::ServiceTier(tier));
        }
        if let Some(counts) = event.usage.and_then(view::<Counts>) {
            sink(Event::Usage(counts.usage()));
        }
        self.counted = true;
        if self.progress == Progress::Stopped {
            self.end(sink);
        }
    }

    fn end(&mut self, sink: &mut Sink<'_>) {
        if self.progress != Progress::Ended {
            self.progress = Progress::Ended;
            sink(Event::End);
        }
    }
}

fn signature(block: u32, data: Cow<'_, str>, encrypted: bool, sink: &mut Sink<'_>) {
    sink(Event::ReasoningSignature {
        choice: 0,
        data,
        encrypted,
        format: REASONING_FORMAT,
        block,
        id: None,
    });
}

/// The name and JSON of an event that is named inside the JSON, as the only member of interest.
fn named_inside(data: &[u8]) -> Option<(&str, &[u8])> {
    let member = Members::new(data)?.next()?;
    let name = std::str::from_utf8(member.key).ok()?;
    Some((name, data.get(member.value)?))
}

impl StreamDecoder for Decoder {
    fn event(
        &mut self,
        name: Option<&str>,
        data: &[u8],
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), StreamFault> {
        let stated = name.filter(|name| *name != "chunk").map(|name| (name, data));
        let Some((name, data)) = stated.or_else(|| named_inside(data)) else { return Ok(()) };
        if name.ends_with("Exception") {
            return Err(StreamFault::Upstream(error::of_exception(name, data)));
        }
        let known = [
            "messageStart",
            "contentBlockStart",
            "contentBlockDelta",
            "contentBlockStop",
            "messageStop",
            "metadata",
        ];
        let is_late = self.progress == Progress::Stopped && name != "metadata";
        if is_late || self.progress == Progress::Ended || !known.contains(&name) {
            return Ok(());
        }
        let event: Envelope<'_> = serde_json::from_slice(data)
            .map_err(|error| StreamFault::Malformed(format!("{error}").into()))?;
        self.start(event.trace.and_then(invoked_model), sink);
        match name {
            "contentBlockStart" => self.block_start(&event, sink)?,
            "contentBlockDelta" => self.delta(&event, sink)?,
            "contentBlockStop" => {
                self.block_stop(event.content_block_index.unwrap_or_default(), sink);
            }
            "messageStop" => self.message_stop(&event, sink),
            "metadata" => self.metadata(&event, sink),
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, sink: &mut dyn FnMut(Event<'_>)) -> Result<(), StreamFault> {
        if self.progress < Progress::Stopped {
            return Err(StreamFault::Truncated);
        }
        self.end(sink);
        Ok(())
    }
}
