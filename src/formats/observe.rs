//! What an answer says about itself, gathered while it passes.
//!
//! Translated and passed-through answers, streamed or whole, are all observed through neutral
//! terms here, so that a usage record means the same whichever way the answer took.

use super::Observed;
use crate::chat::event::Event;
use crate::chat::{Part, Response};

/// Notes one event of a stream.
pub(super) fn event(observed: &mut Observed, event: &Event<'_>) {
    match event {
        Event::Start { id, model } => {
            observed.upstream_id = id.as_ref().map(ToString::to_string);
            observed.upstream_model = model.as_ref().map(ToString::to_string);
        }
        Event::Text { text, .. } | Event::Refusal { text, .. } | Event::Reasoning { text, .. } => {
            content(observed, text.len());
        }
        Event::ReasoningSignature { encrypted, .. } => observed.saw_content |= *encrypted,
        Event::ToolCallStart { name, .. } => content(observed, name.len()),
        Event::ToolCallArguments { json, .. } => content(observed, json.len()),
        Event::Image { .. } | Event::Audio { .. } => observed.saw_content = true,
        Event::Finish { choice, reason, native } => {
            if *choice == 0 || observed.finish.is_none() {
                observed.finish = Some(*reason);
                observed.native_finish = native.as_ref().map(ToString::to_string);
            }
        }
        Event::ServiceTier(tier) => observed.service_tier = Some(tier.to_string()),
        Event::Usage(usage) => {
            observed.usage.merge(usage);
            // Some say zero until the end.
            if usage.completion.is_some_and(|tokens| tokens > 0) {
                observed.counted_bytes = observed.content_bytes;
            }
        }
        Event::End => observed.ended = true,
        Event::ToolCallEnd { .. }
        | Event::Logprobs { .. }
        | Event::Citations { .. }
        | Event::Ping
        | Event::Error(_) => {}
    }
}

/// Notes one event of a stream that the client sees as it is.
pub(super) fn passed(observed: &mut Observed, passing: &Event<'_>) {
    event(observed, passing);
    call(observed, passing);
}

/// Gathers the calls of tools, if that is wanted, as the client sees them.
pub(super) fn call(observed: &mut Observed, event: &Event<'_>) {
    if let Some(calls) = &mut observed.tool_calls {
        calls.event(event);
    }
}

/// Notes content of so many bytes.
pub(super) fn content(observed: &mut Observed, bytes: usize) {
    observed.saw_content |= bytes > 0;
    observed.content_bytes = observed.content_bytes.saturating_add(bytes as u64);
}

/// Notes a whole answer.
pub(super) fn response(response: &Response<'_>) -> Observed {
    let first = response.choices.iter().min_by_key(|choice| choice.index);
    let mut observed = Observed {
        usage: response.usage,
        finish: first.map(|choice| choice.finish),
        native_finish: first
            .and_then(|choice| choice.native_finish.as_ref())
            .map(ToString::to_string),
        upstream_id: response.id.as_ref().map(ToString::to_string),
        upstream_model: response.model.as_ref().map(ToString::to_string),
        service_tier: response.service_tier.as_ref().map(ToString::to_string),
        ended: true,
        ..Observed::default()
    };
    for part in response.choices.iter().flat_map(|choice| &choice.parts) {
        match part {
            Part::Text { text, .. } | Part::Refusal { text } => content(&mut observed, text.len()),
            Part::Reasoning(piece) => {
                content(&mut observed, piece.text.len());
                observed.saw_content |= piece.signature.is_some();
            }
            Part::ToolCall(call) => {
                content(&mut observed, call.name.len().saturating_add(call.arguments.len()));
            }
            _ => observed.saw_content = true,
        }
    }
    observed
}
