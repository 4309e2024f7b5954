//! Whole answers on their way to the client.
//!
//! Used by the proxy for every answer that is not a stream. An answer of the client's own format
//! keeps its bytes but for the id, the model and the cost; others are read and written anew. A success that
//! is none (no JSON, or an error object under status 200) is a fault, so that another provider
//! can be tried.

use super::charge::Sides;
use super::passthrough::openrouter;
use super::tool_calls::GatheredCalls;
use super::tool_names::ToolNames;
use super::{
    AnswerLabel, ApiFormat, FormatError, Observed, Shape, StreamFault, decode_error,
    decode_response, encode_response, observe,
};
use crate::chat::{Response, Usage};
use crate::json::{Members, find, string_literal};
use bytes::{Bytes, BytesMut};
use std::ops::Range;

/// An answer as the client gets it, and what was learned of it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The body to send.
    pub body: Bytes,
    /// What it says about itself.
    pub observed: Observed,
}

/// Whether an answer's calls of tools are kept to be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calls {
    /// They are passed on, and that is all.
    Ignored,
    /// They are.
    Gathered,
}

impl Answer {
    /// An answer that is passed on unread.
    pub fn opaque(body: Bytes) -> Self {
        Self { body, observed: Observed { ended: true, ..Observed::default() } }
    }

    /// An answer of which only the usage is known.
    pub fn counted(body: Bytes, usage: Usage) -> Self {
        Self { body, observed: Observed::counted(usage) }
    }
}

/// Relays the body of a successful answer.
pub fn relay(
    upstream: ApiFormat,
    client: ApiFormat,
    body: Bytes,
    label: &AnswerLabel,
) -> Result<Answer, StreamFault> {
    relay_renamed((upstream, client), body, label, (&ToolNames::default(), Calls::Ignored))
}

/// [`relay`] from the first format of `formats` to the second, for a request of which some
/// function names had to be changed.
pub fn relay_renamed(
    formats: (ApiFormat, ApiFormat),
    body: Bytes,
    label: &AnswerLabel,
    (names, calls): (&ToolNames, Calls),
) -> Result<Answer, StreamFault> {
    let (upstream, client) = formats;
    refuse_error(upstream, &body)?;
    let mut response = decode_response(upstream, &body).map_err(malformed)?;
    if upstream == client {
        let observed = seen(&response, calls);
        drop(response);
        let body = relabelled(client, body, (label, &observed));
        let body = shaped(client, body, label);
        return Ok(Answer { body, observed });
    }
    names.restore(&mut response);
    // What is observed and what is charged for is the same answer.
    let observed = seen(&response, calls);
    let body = encode_response(client, &response, label).map_err(malformed)?;
    Ok(Answer { body, observed })
}

/// What a whole answer says of itself, its calls of tools among it where they are wanted.
fn seen(response: &Response<'_>, calls: Calls) -> Observed {
    if calls == Calls::Ignored {
        return observe::response(response);
    }
    let calls = GatheredCalls::of(response);
    let tool_calls = (!calls.is_empty()).then(|| Box::new(calls));
    Observed { tool_calls, ..observe::response(response) }
}

fn malformed(error: FormatError) -> StreamFault {
    StreamFault::Malformed(error.message)
}

/// Some providers answer errors with status 200.
fn refuse_error(format: ApiFormat, body: &[u8]) -> Result<(), StreamFault> {
    let value = find(body, "error").and_then(|place| body.get(place));
    match value.and_then(<[u8]>::first) {
        Some(b'{' | b'"') => Err(StreamFault::Upstream(decode_error(format, 200, body))),
        _ => Ok(()),
    }
}

/// The same answer as OpenRouter's clients can read it, where the caller is one.
fn shaped(format: ApiFormat, body: Bytes, label: &AnswerLabel) -> Bytes {
    let written = match (label.shape, format) {
        (Shape::OpenRouter, ApiFormat::OpenAiChat) => openrouter::Words::new(label).whole(&body),
        (Shape::OpenRouter, ApiFormat::OpenAiResponses) => openrouter::response(&body),
        _ => None,
    };
    written.map_or(body, Bytes::from)
}

/// The same answer under the gateway's id and the client's name of the model, with its cost.
fn relabelled(
    format: ApiFormat,
    body: Bytes,
    (label, observed): (&AnswerLabel, &Observed),
) -> Bytes {
    let sides = match format {
        ApiFormat::OpenAiChat | ApiFormat::Completions => Some(Sides::Chat),
        ApiFormat::OpenAiResponses => Some(Sides::Responses),
        ApiFormat::Anthropic | ApiFormat::Gemini | ApiFormat::Bedrock => None,
    };
    let told_in = |usage: Range<usize>| {
        label.charge(observed)?.told_in(body.get(usage).unwrap_or_default(), sides?)
    };
    let id = (format == ApiFormat::OpenAiChat).then_some(label.id.as_ref());
    let model_key: &[u8] = if format == ApiFormat::Gemini { b"modelVersion" } else { b"model" };
    let mut edits: Vec<(Range<usize>, Bytes)> = Vec::with_capacity(3);
    for member in Members::new(&body).into_iter().flatten() {
        let word = match member.key {
            b"usage" => {
                let told = told_in(member.value.clone());
                edits.extend(told.map(|usage| (member.value, usage)));
                continue;
            }
            b"id" => id,
            key if key == model_key => label.model.as_deref(),
            _ => None,
        };
        let is_text = body.get(member.value.start) == Some(&b'"');
        edits.extend(word.filter(|_| is_text).map(|word| (member.value, string_literal(word))));
    }
    if edits.is_empty() {
        return body;
    }
    let mut written = BytesMut::with_capacity(body.len() + 512);
    let mut from = 0;
    for (place, word) in edits {
        written.extend_from_slice(body.get(from..place.start).unwrap_or_default());
        written.extend_from_slice(&word);
        from = place.end;
    }
    written.extend_from_slice(body.get(from..).unwrap_or_default());
    written.freeze()
}

#[cfg(test)]
mod tests;
