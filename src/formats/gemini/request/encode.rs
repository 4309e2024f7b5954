//! Writes a neutral request as the body of `generateContent`.
//!
//! What changes the meaning of the answer and cannot be said is refused before anything is sent;
//! what only tunes it is left out and named in `dropped`. The model and whether to stream are in
//! the path, which the provider's module makes.

mod config;
mod contents;
mod media;
mod tools;

pub(in crate::formats::gemini) use tools::is_empty_schema;

use super::super::model::Family;
use crate::chat::{Part, Request};
use crate::formats::{EncodedRequest, FormatError, Target};
use bytes::Bytes;
use serde::Serialize;
use std::borrow::Cow;

/// Names of the client's fields that are left out, each once.
#[derive(Debug, Default)]
struct Dropped(Vec<Cow<'static, str>>);

impl Dropped {
    fn name(&mut self, field: impl Into<Cow<'static, str>>) {
        let field = field.into();
        if !self.0.contains(&field) {
            self.0.push(field);
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<contents::Instruction<'r>>,
    contents: Vec<contents::Content<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<tools::Entry<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<tools::Config<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_config: Option<config::GenerationConfig<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
}

/// Writes the request for the target's model.
pub fn encode(request: &Request<'_>, target: Target<'_>) -> Result<EncodedRequest, FormatError> {
    let family = Family::of(target.model);
    let mut dropped = Dropped::default();
    for field in &request.unmapped {
        dropped.name(field.clone().into_owned());
    }
    name_unsayable(request, &mut dropped);
    let (system_instruction, contents) = contents::conversation(request, family, &mut dropped)?;
    let (tools, tool_config) = tools::tools(request, &mut dropped)?;
    let body = Body {
        system_instruction,
        contents,
        tools,
        tool_config,
        generation_config: config::generation(request, target, family, &mut dropped),
        service_tier: config::service_tier(request, &mut dropped),
    };
    let body = serde_json::to_vec(&body)
        .map_err(|_| FormatError::whole("the request cannot be written for this provider"))?;
    Ok(EncodedRequest { body: Bytes::from(body), dropped: dropped.0 })
}

/// What Gemini has no field for and the answer does not depend on.
fn name_unsayable(request: &Request<'_>, dropped: &mut Dropped) {
    let mut parts = request.messages.iter().flat_map(|message| &message.parts);
    let marked = request.cache.is_some()
        || request.tools.iter().any(|tool| tool.cache.is_some())
        || parts.any(is_marked);
    for (said, name) in [
        (request.user.is_some(), "user"),
        (request.metadata.is_some(), "metadata"),
        (request.verbosity.is_some(), "verbosity"),
        (request.prompt_cache_key.is_some(), "prompt_cache_key"),
        (marked, "cache_control"),
    ] {
        if said {
            dropped.name(name);
        }
    }
}

/// Whether a part has a breakpoint of the prompt cache; Gemini finds its cache by itself.
fn is_marked(part: &Part<'_>) -> bool {
    match part {
        Part::Text { cache, .. } | Part::Image { cache, .. } | Part::File { cache, .. } => {
            cache.is_some()
        }
        Part::ToolResult { cache, parts, .. } => cache.is_some() || parts.iter().any(is_marked),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
