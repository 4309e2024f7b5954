//! Writes a neutral request as an Anthropic Messages body.
//!
//! Called through `formats::encode_request`. What Anthropic cannot express is either named in
//! `dropped` or refused before anything is sent, when leaving it out would change the answer's
//! meaning (several alternatives, sound, video, other providers' file ids).

pub(in crate::formats) mod hosted;
mod media;
mod schema;
mod thinking;
mod tools;
mod turns;
mod wire;

#[cfg(test)]
mod tests;

use super::super::family::{Ability, Family};
use crate::chat::Request;
use crate::chat::request::ResponseFormat;
use crate::chat::tool::CacheControl;
use crate::formats::lost::{Dropped, lost_fields, refuse_impossible};
use crate::formats::{EncodedRequest, FormatError, Target};
pub(in crate::formats::anthropic) use schema::wraps;
use std::borrow::Cow;
use wire::{Block, Body, CacheMark, Format, Metadata, OutputConfig};

/// Used when neither the client nor the catalogue limits the answer: Anthropic demands a limit.
const FALLBACK_MAX_TOKENS: u64 = 4096;
const JSON_ONLY: &str = "Respond with one JSON object and nothing else.";

/// Writes the request for the target; the error names the field that cannot be expressed.
pub fn encode(request: &Request<'_>, target: Target<'_>) -> Result<EncodedRequest, FormatError> {
    refuse_impossible(request)?;
    let family = Family::of(target.model);
    let mut dropped = lost_fields(request, &[("metadata", request.metadata.is_some())]);

    let toolbox = tools::encode(request, family, &mut dropped)?;
    let mut conversation = turns::encode(request, family, &toolbox.wrapped, &mut dropped)?;
    let mut output_config = OutputConfig::default();
    answer_shape(&request.response_format, family, &mut conversation.system, &mut output_config);

    let limit = request.max_tokens.or(target.max_output_tokens).unwrap_or(FALLBACK_MAX_TOKENS);
    let plan = thinking::plan(request.reasoning, family, limit, conversation.replay);
    output_config.effort = plan.effort;
    if plan.dropped {
        dropped.push("reasoning".into());
    }
    let sampling = thinking::sampling(request.sampling, family, plan.thinking, &mut dropped);
    let tool_choice = tools::without_force(toolbox.choice, plan.thinking, &mut dropped);

    let body = Body {
        model: target.model,
        max_tokens: plan.max_tokens,
        system: conversation.system,
        messages: conversation.turns,
        tools: toolbox.tools,
        tool_choice,
        thinking: plan.thinking,
        output_config,
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        stop_sequences: stop_sequences(request, &mut dropped),
        cache_control: cache_mark(request.cache),
        metadata: request.user.as_deref().map(|user_id| Metadata { user_id }),
        service_tier: request.service_tier.as_deref().map(service_tier),
        stream: target.stream,
    };
    let body = serde_json::to_vec(&body)
        .map_err(|error| FormatError::whole(format!("the request cannot be written: {error}")))?;
    dropped.sort_unstable();
    dropped.dedup();
    Ok(EncodedRequest { body: body.into(), dropped })
}

/// Writes the demanded shape into the output settings, or into the instructions where the model
/// has no setting for it.
fn answer_shape<'a>(
    format: &'a ResponseFormat<'_>,
    family: Family,
    system: &mut Vec<Block<'a>>,
    output: &mut OutputConfig<'a>,
) {
    let sentence = match format {
        ResponseFormat::Text => return,
        ResponseFormat::JsonObject => Cow::Borrowed(JSON_ONLY),
        ResponseFormat::JsonSchema { schema, description, .. } => {
            let schema = schema::described(schema, description.as_deref());
            if family.can(Ability::StructuredOutput) {
                let schema = Cow::Owned(schema::closed(&schema).into_owned());
                output.format = Some(Format { r#type: "json_schema", schema });
                return;
            }
            Cow::Owned(format!("{JSON_ONLY} It must fit this JSON Schema: {}", schema.get()))
        }
    };
    system.push(Block::Text { text: sentence, cache_control: None });
}

fn stop_sequences<'a>(request: &'a Request<'_>, dropped: &mut Dropped) -> Vec<&'a str> {
    let kept: Vec<&str> = request
        .stop
        .iter()
        .map(AsRef::as_ref)
        .filter(|stop: &&str| !stop.trim().is_empty())
        .collect();
    if kept.len() < request.stop.len() {
        dropped.push("stop".into());
    }
    kept
}

fn service_tier(tier: &str) -> &'static str {
    match tier {
        "default" | "standard" | "standard_only" => "standard_only",
        _ => "auto",
    }
}

fn cache_mark(cache: Option<CacheControl>) -> Option<CacheMark> {
    let ttl = match cache? {
        CacheControl::Default => None,
        CacheControl::FiveMinutes => Some("5m"),
        CacheControl::OneHour => Some("1h"),
    };
    Some(CacheMark { r#type: "ephemeral", ttl })
}
