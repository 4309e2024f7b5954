//! Settings besides the conversation and the tools: reasoning, the shape of the answer, who asks.

use super::fields::{Fields, Path};
use crate::chat;
use crate::chat::request::{Effort, ReasoningRequest, ResponseFormat};
use crate::formats::FormatError;
use crate::formats::openai_responses::object::text as text_of;
use std::borrow::Cow;

/// Additions to the answer that are made anyway, or that belong to tools which are refused.
const INCLUDED: [&str; 5] = [
    "reasoning.encrypted_content",
    "message.input_image.image_url",
    "code_interpreter_call.outputs",
    "file_search_call.results",
    "computer_call_output.output.image_url",
];

/// Reads `reasoning`. Whoever wants a summary wants the model to reason.
pub(super) fn reasoning(fields: &mut Fields<'_, '_>) -> Result<ReasoningRequest, FormatError> {
    let mut wanted = ReasoningRequest::default();
    let Some(raw) = fields.take("reasoning") else { return Ok(wanted) };
    let mut object = Fields::new(raw, Path::Root.key("reasoning"))?;
    wanted.effort = effort(&mut object)?;
    wanted.max_tokens = object.count("max_tokens", 0)?;
    wanted.enabled = object.boolean("enabled")?;
    wanted.exclude = object.boolean("exclude")?.unwrap_or(false);
    let summary = object.text("summary")?.or(object.text("generate_summary")?);
    if summary.is_some() && wanted.effort.is_none() && wanted.max_tokens.is_none() {
        wanted.enabled = wanted.enabled.or(Some(true));
    }
    if wanted.effort == Some(Effort::None) {
        wanted.enabled = Some(false);
    }
    Ok(wanted)
}

fn effort(object: &mut Fields<'_, '_>) -> Result<Option<Effort>, FormatError> {
    let Some(word) = object.text("effort")? else { return Ok(None) };
    Ok(Some(match word.as_ref() {
        "none" => Effort::None,
        "minimal" => Effort::Minimal,
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" => Effort::XHigh,
        "max" => Effort::Max,
        _ => {
            let known = "must be one of none, minimal, low, medium, high, xhigh, max";
            return Err(object.fault("effort", known));
        }
    }))
}

/// Reads `text`: the shape and the length of the answer.
pub(super) fn text<'a>(
    fields: &mut Fields<'a, '_>,
    request: &mut chat::Request<'a>,
) -> Result<(), FormatError> {
    let Some(raw) = fields.take("text") else { return Ok(()) };
    let here = Path::Root.key("text");
    let mut object = Fields::new(raw, here)?;
    request.verbosity = object.text("verbosity")?;
    if let Some(raw) = object.take("format") {
        request.response_format = format(&mut Fields::new(raw, here.key("format"))?)?;
    }
    Ok(())
}

fn format<'a>(format: &mut Fields<'a, '_>) -> Result<ResponseFormat<'a>, FormatError> {
    match format.required_text("type")?.as_ref() {
        "text" => Ok(ResponseFormat::Text),
        "json_object" => Ok(ResponseFormat::JsonObject),
        "json_schema" => {
            let Some(schema) = format.raw_object("schema")? else {
                return Err(format.fault("schema", "is missing"));
            };
            Ok(ResponseFormat::JsonSchema {
                name: format.text("name")?.unwrap_or(Cow::Borrowed("response")),
                description: format.text("description")?,
                schema: Cow::Borrowed(schema),
                strict: format.boolean("strict")?,
            })
        }
        _ => Err(format.fault("type", "must be one of text, json_object, json_schema")),
    }
}

/// `safety_identifier` is the newer name and wins.
pub(super) fn user<'a>(fields: &mut Fields<'a, '_>) -> Result<Option<Cow<'a, str>>, FormatError> {
    let older = fields.text("user")?;
    Ok(fields.text("safety_identifier")?.or(older))
}

/// Reads `modalities`, an addition of OpenRouter.
pub(super) fn modalities<'a>(
    fields: &mut Fields<'a, '_>,
) -> Result<Vec<Cow<'a, str>>, FormatError> {
    let names = fields.array("modalities")?.unwrap_or_default();
    let path = Path::Root.key("modalities");
    let name = |(at, raw)| text_of(raw).ok_or_else(|| path.index(at).fault("must be a string"));
    names.into_iter().enumerate().map(name).collect()
}

/// Reads `include`. Log probabilities are only sent when they are named here.
pub(super) fn include(
    fields: &mut Fields<'_, '_>,
    request: &mut chat::Request<'_>,
) -> Result<(), FormatError> {
    let mut is_lost = false;
    for raw in fields.array("include")?.unwrap_or_default() {
        match text_of(raw).as_deref() {
            Some("message.output_text.logprobs") => request.sampling.logprobs = Some(true),
            Some(word) if INCLUDED.contains(&word) => {}
            _ => is_lost = true,
        }
    }
    if request.sampling.logprobs.is_none() {
        request.sampling.top_logprobs = None;
    }
    if is_lost {
        request.unmapped.push(Cow::Borrowed("include"));
    }
    Ok(())
}
