//! Reads the chunks of OpenAI and the many providers that imitate it.
//!
//! Whatever a chunk holds that is not understood is skipped. Usage is passed on as it comes, the
//! last word counts; a finish only the first time, at the end. The end is `[DONE]`, or the close of
//! the stream after a finish reason.

mod calls;
mod delta;
mod plain;

use super::super::response::{annotations, finish_reason, logprobs, sources};
use super::super::{error, usage};
use crate::chat::FinishReason;
use crate::chat::event::Event;
use crate::chat::response::Citation;
use crate::formats::openai_chat::RAW_KEYS;
use crate::formats::tree::Node;
use crate::formats::{StreamDecoder, StreamFault};
use crate::json::as_str_in;
use calls::Calls;
use plain::{Said, Thing};
use std::borrow::Cow;

/// Most alternatives that are followed.
const MAX_CHOICES: usize = 128;
/// Largest buffer that is kept between chunks, in bytes.
const MAX_KEPT_BYTES: usize = 64 * 1_024;
/// Where events go.
type Sink<'s> = dyn FnMut(Event<'_>) + 's;

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Decoder {
    started: bool,
    ended: bool,
    tier_sent: bool,
    choices: Vec<Choice>,
    calls: Calls,
    /// Buffer for text that is written with escapes.
    scratch: String,
}

/// An alternative being received.
#[derive(Debug)]
struct Choice {
    index: u32,
    cited: bool,
    /// Why it ended, and the provider's word for it; told at the end of the stream, because some
    /// providers repeat it and some go on after it.
    finish: Option<(FinishReason, Option<String>)>,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads an ordinary chunk; false when it is none, and nothing was told of it.
    fn plain(&mut self, json: &[u8], sink: &mut Sink<'_>) -> bool {
        let read = self.started.then(|| plain::read(json)).flatten();
        let Some(said) = read else { return false };
        let mut scratch = std::mem::take(&mut self.scratch);
        let told =
            as_str_in(said.text, &mut scratch).is_some_and(|text| self.say(&said, text, sink));
        if scratch.capacity() <= MAX_KEPT_BYTES {
            self.scratch = scratch;
        }
        told
    }

    fn say(&mut self, said: &Said<'_>, text: &str, sink: &mut Sink<'_>) -> bool {
        let (choice, text) = (said.choice, Cow::Borrowed(text));
        let begins_call = |index| !self.calls.is_announced(choice, index);
        if matches!(said.thing, Thing::Arguments(index) if begins_call(index))
            || (said.has_tier && !self.tier_sent)
        {
            return false;
        }
        if self.slot(choice).is_none() || text.is_empty() {
            return true;
        }
        match said.thing {
            Thing::Text => sink(Event::Text { choice, text }),
            Thing::Refusal => sink(Event::Refusal { choice, text }),
            Thing::Reasoning => delta::plain_reasoning(choice, text, sink),
            Thing::Arguments(index) => self.calls.more(choice, index, &text, sink),
        }
        true
    }

    /// Reads a chunk of any kind.
    fn whole(
        &mut self,
        name: Option<&str>,
        json: &[u8],
        sink: &mut Sink<'_>,
    ) -> Result<(), StreamFault> {
        let chunk = Node::parse(json, &RAW_KEYS)
            .map_err(|error| StreamFault::Malformed(Cow::Owned(error.to_string())))?;
        if name == Some("error") {
            return Err(StreamFault::Upstream(error::read(200, &chunk)));
        }
        self.chunk(chunk, sink)
    }

    fn chunk(&mut self, mut chunk: Node<'_>, sink: &mut Sink<'_>) -> Result<(), StreamFault> {
        if chunk.get("error").is_some() {
            return Err(StreamFault::Upstream(error::read(200, &chunk)));
        }
        self.start(&mut chunk, sink);
        let choices = chunk.take("choices").map(Node::into_items).unwrap_or_default();
        let finishes = choices.iter().any(|choice| choice.get("finish_reason").is_some());
        // They are repeated in every chunk; the last ones are the whole.
        let sources = if finishes { sources(&mut chunk) } else { Vec::new() };
        for (position, choice) in choices.into_iter().enumerate() {
            self.choice(position, choice, &sources, sink);
        }
        let groq = || chunk.get("x_groq")?.get("usage");
        if let Some(found) = chunk.get("usage").or_else(groq) {
            sink(Event::Usage(usage::read(found)));
        }
        Ok(())
    }

    /// Azure's first chunk has an empty id and model; the start waits for one that names them.
    fn start(&mut self, chunk: &mut Node<'_>, sink: &mut Sink<'_>) {
        let filled = |text: &Cow<'_, str>| !text.is_empty();
        if !self.started {
            let id = chunk.take("id").and_then(Node::into_text).filter(filled);
            let model = chunk.take("model").and_then(Node::into_text).filter(filled);
            let speaks =
                matches!(chunk.get("choices"), Some(Node::Array(items)) if !items.is_empty());
            if !speaks && (id.is_none() || model.is_none()) {
                return;
            }
            self.started = true;
            sink(Event::Start { id, model });
        }
        if !self.tier_sent
            && let Some(tier) = chunk.take("service_tier").and_then(Node::into_text).filter(filled)
        {
            self.tier_sent = true;
            sink(Event::ServiceTier(tier));
        }
    }

    fn choice(
        &mut self,
        position: usize,
        mut node: Node<'_>,
        sources: &[Citation<'_>],
        sink: &mut Sink<'_>,
    ) {
        let stated = node.get("index").and_then(Node::as_count);
        let Ok(index) = u32::try_from(stated.unwrap_or(position as u64)) else { return };
        let Some(at) = self.slot(index) else { return };
        let mut citations = Vec::new();
        if let Some(mut delta) = node.take("delta").or_else(|| node.take("message")) {
            delta::read(index, &mut delta, sink);
            citations = annotations(delta.take("annotations"));
            let calls = delta.take("tool_calls").map(Node::into_items).unwrap_or_default();
            for (at, call) in calls.into_iter().enumerate() {
                self.calls.piece(index, at, call, sink);
            }
            if let Some(call) = delta.take("function_call") {
                let wrapped = Node::Object(vec![(Cow::Borrowed("function"), call)]);
                self.calls.piece(index, 0, wrapped, sink);
            }
        }
        if let Some(json) = logprobs(node.take("logprobs").as_ref()) {
            sink(Event::Logprobs { choice: index, json });
        }
        let Some(choice) = self.choices.get_mut(at) else { return };
        if citations.is_empty() && !choice.cited {
            citations = sources.to_vec();
        }
        if !citations.is_empty() {
            choice.cited = true;
            sink(Event::Citations { choice: index, citations });
        }
        self.end_choice(at, &mut node);
    }

    /// Where the state of an alternative is; `None` beyond the limit.
    fn slot(&mut self, index: u32) -> Option<usize> {
        if let Some(at) = self.choices.iter().position(|choice| choice.index == index) {
            return Some(at);
        }
        if self.choices.len() >= MAX_CHOICES {
            return None;
        }
        self.choices.push(Choice { index, cited: false, finish: None });
        Some(self.choices.len() - 1)
    }

    /// The first word counts; some providers write an empty one until then.
    fn end_choice(&mut self, at: usize, node: &mut Node<'_>) {
        let word = node.take("finish_reason").and_then(Node::into_text);
        let Some(native) = word.filter(|word| !word.is_empty()) else { return };
        let stated = node.take("native_finish_reason").and_then(Node::into_text);
        let reason = finish_reason(&native);
        if let Some(choice) = self.choices.get_mut(at) {
            let finish = (reason, Some(stated.unwrap_or(native).into_owned()));
            choice.finish.get_or_insert(finish);
        }
    }

    /// The provider's end; alternatives whose finish was never stated end by it.
    fn end(&mut self, sink: &mut Sink<'_>) {
        self.ended = true;
        for choice in &mut self.choices {
            let index = choice.index;
            self.calls.close(index, sink);
            let (reason, native) = choice.finish.take().unwrap_or((FinishReason::Stop, None));
            let reason = match reason {
                FinishReason::Stop if self.calls.any(index) => FinishReason::ToolCalls,
                reason => reason,
            };
            sink(Event::Finish { choice: index, reason, native: native.map(Cow::Owned) });
        }
        sink(Event::End);
    }
}

impl StreamDecoder for Decoder {
    fn event(
        &mut self,
        name: Option<&str>,
        data: &[u8],
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), StreamFault> {
        let text = data.trim_ascii();
        if self.ended || text.is_empty() {
            return Ok(());
        }
        if text == b"[DONE]" {
            self.end(sink);
            return Ok(());
        }
        if name != Some("error") && self.plain(text, sink) {
            return Ok(());
        }
        self.whole(name, text, sink)
    }

    fn stated_finish(&self) -> Option<(FinishReason, Option<&str>)> {
        let stated = |choice: &&Choice| choice.finish.is_some();
        let first = self.choices.iter().filter(stated).min_by_key(|choice| choice.index)?;
        let (reason, native) = first.finish.as_ref()?;
        Some((*reason, native.as_deref()))
    }

    fn finish(&mut self, sink: &mut dyn FnMut(Event<'_>)) -> Result<(), StreamFault> {
        if self.ended {
            return Ok(());
        }
        if !self.choices.iter().any(|choice| choice.finish.is_some()) {
            return Err(StreamFault::Truncated);
        }
        self.end(sink);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
