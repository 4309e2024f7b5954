//! Writes a neutral request in this format.
//!
//! Used by `formats::encode_request` for providers that speak nothing else, or speak this best.
//! Nothing is left with the provider (`store` is false), so that encrypted reasoning is asked for
//! wherever the model may reason. What only tunes and cannot be said is dropped by name.

mod items;
mod tools;

use super::super::write::{member, number};
use crate::chat::Request;
use crate::chat::request::{Effort, ReasoningRequest, ResponseFormat};
use crate::formats::{EncodedRequest, FormatError, Target};
use crate::json::write_string;
use bytes::{BufMut, BytesMut};
use std::borrow::Cow;

/// Names of what was dropped.
type Dropped = Vec<Cow<'static, str>>;

/// Smallest budgets that stand for medium and high effort, in tokens.
const MEDIUM_BUDGET: u64 = 2_048;
const HIGH_BUDGET: u64 = 16_384;

/// Writes the request for the target; the error names the field that cannot be expressed.
pub fn encode(request: &Request<'_>, target: Target<'_>) -> Result<EncodedRequest, FormatError> {
    refuse(request)?;
    let mut dropped: Dropped =
        request.unmapped.iter().map(|name| Cow::Owned(name.to_string())).collect();
    let mut out = BytesMut::with_capacity(1_024);
    member(&mut out, br#"{"model":"#, target.model);
    let written = items::write(request, &mut dropped, &mut out)?;
    tools::write(request, &mut out);
    if let Some(limit) = request.max_tokens {
        out.put_slice(br#","max_output_tokens":"#);
        number(&mut out, limit);
    }
    sampling(request, &mut dropped, &mut out);
    text(request, &mut out);
    let reasons = reasoning(request.reasoning, &mut out);
    let reasons = reasons || (!request.tools.is_empty() && reasons_unasked(target.model));
    include(request, reasons || written.has_reasoning, &mut out);
    labels(request, &mut out);
    out.put_slice(br#","store":false"#);
    if target.stream {
        out.put_slice(br#","stream":true"#);
    }
    out.put_u8(b'}');
    Ok(EncodedRequest { body: out.freeze(), dropped })
}

/// What would change the meaning of the answer.
fn refuse(request: &Request<'_>) -> Result<(), FormatError> {
    if request.sampling.n.is_some_and(|n| n > 1) {
        return Err(FormatError::field("n", "this model gives one answer at a time"));
    }
    if request.modalities.iter().any(|modality| modality != "text") {
        return Err(FormatError::field("modalities", "this model answers in text only"));
    }
    Ok(())
}

fn sampling(request: &Request<'_>, dropped: &mut Dropped, out: &mut BytesMut) {
    let sampling = &request.sampling;
    for (key, value) in [("temperature", sampling.temperature), ("top_p", sampling.top_p)] {
        if let Some(value) = value {
            out.put_slice(b",");
            write_string(out, key);
            out.put_slice(format!(":{value}").as_bytes());
        }
    }
    if sampling.logprobs == Some(true) {
        out.put_slice(br#","top_logprobs":"#);
        number(out, sampling.top_logprobs.unwrap_or(0));
    }
    let lost = [
        ("top_k", sampling.top_k.is_some()),
        ("frequency_penalty", sampling.frequency_penalty.is_some_and(|penalty| penalty != 0.0)),
        ("presence_penalty", sampling.presence_penalty.is_some_and(|penalty| penalty != 0.0)),
        ("seed", sampling.seed.is_some()),
        ("stop", !request.stop.is_empty()),
        ("audio", request.audio.is_some()),
        ("cache_control", request.cache.is_some()),
    ];
    dropped
        .extend(lost.iter().filter(|(_, is_lost)| *is_lost).map(|(name, _)| Cow::Borrowed(*name)));
}

/// The shape and the length of the answer.
fn text(request: &Request<'_>, out: &mut BytesMut) {
    let verbosity = request.verbosity.as_deref();
    if verbosity.is_none() && matches!(request.response_format, ResponseFormat::Text) {
        return;
    }
    out.put_slice(br#","text":{"format":{"type":"#);
    match &request.response_format {
        ResponseFormat::Text => out.put_slice(br#""text""#),
        ResponseFormat::JsonObject => out.put_slice(br#""json_object""#),
        ResponseFormat::JsonSchema { name, description, schema, strict } => {
            member(out, br#""json_schema","name":"#, name);
            if let Some(description) = description {
                member(out, br#","description":"#, description);
            }
            if let Some(strict) = strict {
                out.put_slice(format!(r#","strict":{strict}"#).as_bytes());
            }
            out.put_slice(br#","schema":"#);
            out.put_slice(schema.get().as_bytes());
        }
    }
    out.put_u8(b'}');
    if let Some(verbosity) = verbosity {
        member(out, br#","verbosity":"#, verbosity);
    }
    out.put_u8(b'}');
}

/// Writes what the client wants of reasoning; true when the model shall reason.
fn reasoning(wanted: ReasoningRequest, out: &mut BytesMut) -> bool {
    let off = wanted.enabled == Some(false) || wanted.effort == Some(Effort::None);
    let on = wanted.enabled == Some(true) || wanted.effort.is_some() || wanted.max_tokens.is_some();
    if off {
        out.put_slice(br#","reasoning":{"effort":"none"}"#);
        return false;
    }
    if !on {
        return false;
    }
    out.put_slice(br#","reasoning":{"#);
    let effort = wanted.effort.map(effort_word).or(wanted.max_tokens.map(budget_word));
    if let Some(effort) = effort {
        member(out, br#""effort":"#, effort);
    }
    if !wanted.exclude {
        out.put_slice(if effort.is_some() {
            br#","summary":"auto""#
        } else {
            br#""summary":"auto""#
        });
    }
    out.put_u8(b'}');
    true
}

/// Whether it is one of OpenAI's models that reason without being asked: the o series, and GPT-5
/// and later but for the chat variants. Others refuse to encrypt reasoning that they do not have.
fn reasons_unasked(model: &str) -> bool {
    let name = model.rsplit_once('/').map_or(model, |(_, name)| name);
    let name = name.strip_prefix("openai.").unwrap_or(name);
    let reasons = ["o1", "o3", "o4", "gpt-5", "gpt-6"].iter().any(|start| name.starts_with(start));
    reasons && !name.contains("chat")
}

fn effort_word(effort: Effort) -> &'static str {
    match effort {
        Effort::None => "none",
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::XHigh | Effort::Max => "xhigh",
    }
}

/// The effort that a budget stands for.
fn budget_word(tokens: u64) -> &'static str {
    match tokens {
        0..MEDIUM_BUDGET => "low",
        MEDIUM_BUDGET..HIGH_BUDGET => "medium",
        _ => "high",
    }
}

/// What the answer shall hold besides itself. Without its encrypted form reasoning is lost between
/// the steps of a tool loop.
fn include(request: &Request<'_>, reasons: bool, out: &mut BytesMut) {
    let wanted = [
        ("reasoning.encrypted_content", reasons),
        ("message.output_text.logprobs", request.sampling.logprobs == Some(true)),
    ];
    let mut separator: &[u8] = br#","include":["#;
    for (name, _) in wanted.iter().filter(|(_, is_wanted)| *is_wanted) {
        out.put_slice(separator);
        write_string(out, name);
        separator = b",";
    }
    if separator == b"," {
        out.put_u8(b']');
    }
}

/// Who asks, and how it is to be served.
fn labels(request: &Request<'_>, out: &mut BytesMut) {
    let words = [
        (br#","safety_identifier":"#.as_slice(), request.user.as_deref()),
        (br#","prompt_cache_key":"#, request.prompt_cache_key.as_deref()),
        (br#","service_tier":"#, request.service_tier.as_deref()),
    ];
    for (head, word) in words {
        if let Some(word) = word {
            member(out, head, word);
        }
    }
    if let Some(metadata) = &request.metadata {
        out.put_slice(br#","metadata":"#);
        out.put_slice(metadata.get().as_bytes());
    }
}

#[cfg(test)]
mod tests;
