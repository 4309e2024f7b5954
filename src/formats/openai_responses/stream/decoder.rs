//! Reads a stream of this format.
//!
//! Events are told by the type in their JSON, because some providers write no event names; items
//! are told by their position, because some change the ids on the way. Text that came in pieces is
//! not taken again from the finished item; what came in no pieces is. The end is the event with the
//! finished answer; a failed one is a fault.

mod items;

use super::super::item;
use super::super::object::Object;
use super::super::usage;
use super::wire::Wire;
use crate::chat::Event;
use crate::chat::message::ReasoningKind;
use crate::formats::openai_chat::error;
use crate::formats::{StreamDecoder, StreamFault};
use items::Items;
use std::borrow::Cow;

/// Where events go.
type Sink<'s> = dyn FnMut(Event<'_>) + 's;

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Decoder {
    started: bool,
    ended: bool,
    items: Items,
}

impl Decoder {
    fn wire(&mut self, wire: &Wire<'_>, sink: &mut Sink<'_>) {
        let place = (wire.output_index, wire.part);
        match wire.kind.as_ref() {
            "response.created" | "response.in_progress" | "response.queued" => {
                let response = Object::parse(wire.response).unwrap_or_default();
                self.start(Some(&response), sink);
                return;
            }
            "response.completed" | "response.incomplete" | "response.done" => {
                return self.complete(wire.response, sink);
            }
            _ => {}
        }
        let text = wire.delta.as_deref().unwrap_or_default();
        if text.is_empty() && wire.item.is_empty() && wire.annotation.is_empty() {
            return;
        }
        self.start(None, sink);
        match wire.kind.as_ref() {
            "response.output_text.delta" => {
                self.items.text(place, text, sink);
                items::tell_logprobs(wire.logprobs, sink);
            }
            "response.refusal.delta" => self.items.refusal(place, text, sink),
            "response.reasoning_summary_text.delta" | "response.reasoning_summary.delta" => {
                self.items.reasoning(place, text, ReasoningKind::Summary, sink);
            }
            "response.reasoning_text.delta" | "response.reasoning.delta" => {
                self.items.reasoning(place, text, ReasoningKind::Text, sink);
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.items.arguments(wire.output_index, text, sink);
            }
            "response.output_text.annotation.added" => {
                if let Ok(annotation) = Object::parse(wire.annotation) {
                    self.items.annotation(wire.output_index, &annotation, sink);
                }
            }
            "response.output_item.added" => {
                if let Ok(item) = Object::parse(wire.item) {
                    self.items.added(wire.output_index, &item, sink);
                }
            }
            "response.output_item.done" => {
                if let Ok(item) = Object::parse(wire.item) {
                    self.items.done(wire.output_index, &item, sink);
                }
            }
            _ => {}
        }
    }

    fn start(&mut self, response: Option<&Object<'_>>, sink: &mut Sink<'_>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let word = |key: &str| response.and_then(|response| response.word(key));
        sink(Event::Start { id: word("id"), model: word("model") });
    }

    /// The finished answer: what no event told is taken from it.
    fn complete(&mut self, response: &[u8], sink: &mut Sink<'_>) {
        self.ended = true;
        let answer = Object::parse(response).unwrap_or_default();
        self.start(Some(&answer), sink);
        self.items.complete(&answer, sink);
        let mut usage = answer.object("usage").as_ref().map(usage::read).unwrap_or_default();
        usage.web_searches = usage.web_searches.or(self.items.searches());
        sink(Event::Usage(usage));
        if let Some(tier) = answer.word("service_tier") {
            sink(Event::ServiceTier(tier));
        }
        let (reason, native) = item::finish(&answer, self.items.called());
        sink(Event::Finish { choice: 0, reason, native });
        sink(Event::End);
    }
}

/// The error an event reports, if it does.
fn fault(name: Option<&str>, wire: &Wire<'_>, data: &[u8]) -> Option<StreamFault> {
    let failed = || {
        let answer = Object::parse(wire.response).ok()?;
        let is_failed = matches!(answer.text("status").as_deref(), Some("failed" | "cancelled"));
        (is_failed || answer.raw("error").is_some()).then_some(wire.response)
    };
    let told = match wire.kind.as_ref() {
        "error" | "response.error" => Some(data),
        "response.failed" | "response.cancelled" => Some(wire.response),
        "response.completed" | "response.incomplete" | "response.done" => failed(),
        "" if wire.has_error || name == Some("error") => Some(data),
        _ => None,
    };
    Some(StreamFault::Upstream(error::decode(200, told?)))
}

impl StreamDecoder for Decoder {
    fn event(
        &mut self,
        name: Option<&str>,
        data: &[u8],
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), StreamFault> {
        let data = data.trim_ascii();
        if self.ended || data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        let Some(wire) = Wire::read(data) else {
            return Err(StreamFault::Malformed(Cow::Borrowed("an event is no JSON object")));
        };
        if let Some(fault) = fault(name, &wire, data) {
            return Err(fault);
        }
        self.wire(&wire, sink);
        Ok(())
    }

    fn finish(&mut self, _sink: &mut dyn FnMut(Event<'_>)) -> Result<(), StreamFault> {
        if self.ended { Ok(()) } else { Err(StreamFault::Truncated) }
    }
}

#[cfg(test)]
mod tests;
