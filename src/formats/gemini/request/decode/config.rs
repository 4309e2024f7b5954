//! `generationConfig` and `safetySettings`: how the answer is to be made.

use super::fields::{Fields, Path, begins, text_of};
use super::parts::resolution;
use super::{Unmapped, clip, schema};
use crate::chat::Request;
use crate::chat::request::{Effort, ReasoningRequest, ResponseFormat};
use crate::formats::FormatError;
use serde_json::value::{RawValue, to_raw_value};
use std::borrow::Cow;

/// Most alternatives a client may ask for.
const MAX_ALTERNATIVES: u64 = 128;
/// Names of a JSON Schema for the answer; the first that is set counts.
const JSON_SCHEMAS: [&str; 2] = ["responseJsonSchema", "_responseJsonSchema"];

/// Reads the settings into the request; gives the resolution of images that state none.
pub(super) fn read<'a>(
    fields: &mut Fields<'a, '_>,
    request: &mut Request<'a>,
    unmapped: &mut Unmapped<'a>,
) -> Result<Option<&'static str>, FormatError> {
    if fields.take("safetySettings").is_some_and(|settings| settings.get() != "[]") {
        unmapped.name("safetySettings");
    }
    request.reasoning.exclude = true;
    let root = fields.path;
    let Some(raw) = fields.take("generationConfig") else { return Ok(None) };
    let mut config = Fields::new(raw, root.key("generationConfig"))?;
    sampling(&mut config, request)?;
    request.max_tokens = config.count("maxOutputTokens", 1, u64::MAX)?;
    request.stop = config.texts("stopSequences")?;
    request.response_format = response_format(&mut config)?;
    request.modalities = modalities(&mut config)?;
    request.audio = speech(&mut config, unmapped)?;
    if let Some(raw) = config.take("thinkingConfig") {
        let parent = config.path;
        let mut thinking = Fields::new(raw, parent.key("thinkingConfig"))?;
        request.reasoning = reasoning(&mut thinking)?;
        unmapped.rest("generationConfig.thinkingConfig", thinking);
    }
    let detail = resolution(config.take("mediaResolution"));
    unmapped.rest("generationConfig", config);
    Ok(detail)
}

fn sampling(config: &mut Fields<'_, '_>, request: &mut Request<'_>) -> Result<(), FormatError> {
    let sampling = &mut request.sampling;
    sampling.temperature = config.number("temperature", 0.0, 2.0)?;
    sampling.top_p = config.number("topP", 0.0, 1.0)?;
    sampling.top_k = config.count("topK", 0, u64::MAX)?;
    sampling.frequency_penalty = config.number("frequencyPenalty", -2.0, 2.0)?;
    sampling.presence_penalty = config.number("presencePenalty", -2.0, 2.0)?;
    sampling.seed = config.integer("seed")?;
    let alternatives = config.count("candidateCount", 1, MAX_ALTERNATIVES)?;
    sampling.n = alternatives.filter(|n| *n != 1);
    sampling.logprobs = config.boolean("responseLogprobs")?.filter(|wanted| *wanted);
    let top = config.count("logprobs", 0, 20)?;
    sampling.top_logprobs = top.filter(|_| sampling.logprobs.is_some());
    Ok(())
}

fn response_format<'a>(config: &mut Fields<'a, '_>) -> Result<ResponseFormat<'a>, FormatError> {
    let mime = config.text("responseMimeType")?.unwrap_or_default();
    let path = config.path;
    let mut found: Option<Cow<'a, RawValue>> = None;
    for name in JSON_SCHEMAS {
        if let Some(raw) = config.take(name) {
            if !begins(raw, '{') {
                return Err(path.key(name).fault("must be an object"));
            }
            found.get_or_insert(Cow::Borrowed(raw));
        }
    }
    if let Some(raw) = config.take("responseSchema") {
        let converted = schema::to_json_schema(raw, path.key("responseSchema"))?;
        found.get_or_insert(Cow::Owned(converted));
    }
    match mime.to_ascii_lowercase().as_str() {
        "" | "application/json" | "text/x.enum" | "text/plain" => {}
        _ => {
            let complaint = format!("`{}` is not supported for this model", clip(&mime));
            return Err(config.fault("responseMimeType", &complaint));
        }
    }
    Ok(match found {
        Some(schema) => {
            let name = Cow::Borrowed("response");
            ResponseFormat::JsonSchema { name, description: None, schema, strict: None }
        }
        None if mime.eq_ignore_ascii_case("application/json") => ResponseFormat::JsonObject,
        None => ResponseFormat::Text,
    })
}

/// In lower case; text alone is what every model gives without being asked.
fn modalities<'a>(config: &mut Fields<'a, '_>) -> Result<Vec<Cow<'a, str>>, FormatError> {
    let mut names = config.texts("responseModalities")?;
    for name in &mut names {
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            name.to_mut().make_ascii_lowercase();
        }
    }
    names.retain(|name| !name.is_empty() && name != "modality_unspecified");
    if names.iter().all(|name| name == "text") {
        names.clear();
    }
    Ok(names)
}

/// The voice as OpenAI's `audio` object; Google gives sound as raw samples.
fn speech<'a>(
    config: &mut Fields<'a, '_>,
    unmapped: &mut Unmapped<'a>,
) -> Result<Option<Cow<'a, RawValue>>, FormatError> {
    let parent = config.path;
    let path = parent.key("speechConfig");
    let Some(raw) = config.take("speechConfig") else { return Ok(None) };
    let mut speech = Fields::new(raw, path)?;
    let voice = match speech.take("voiceConfig") {
        None => None,
        Some(raw) => voice(raw, path.key("voiceConfig"))?,
    };
    unmapped.rest("generationConfig.speechConfig", speech);
    let Some(voice) = voice else { return Ok(None) };
    let audio = Audio { voice: &voice, format: "pcm16" };
    Ok(to_raw_value(&audio).ok().map(Cow::Owned))
}

#[derive(serde::Serialize)]
struct Audio<'v> {
    voice: &'v str,
    format: &'static str,
}

fn voice<'a>(raw: &'a RawValue, path: Path<'_>) -> Result<Option<Cow<'a, str>>, FormatError> {
    let mut config = Fields::new(raw, path)?;
    let Some(raw) = config.take("prebuiltVoiceConfig") else { return Ok(None) };
    Fields::new(raw, path.key("prebuiltVoiceConfig"))?.text("voiceName")
}

/// Thoughts are shown only to those who ask.
fn reasoning(thinking: &mut Fields<'_, '_>) -> Result<ReasoningRequest, FormatError> {
    let exclude = thinking.boolean("includeThoughts")? != Some(true);
    let mut wanted = ReasoningRequest { exclude, ..ReasoningRequest::default() };
    match thinking.integer("thinkingBudget")? {
        None => {}
        Some(0) => (wanted.enabled, wanted.effort) = (Some(false), Some(Effort::None)),
        Some(budget) => {
            wanted.max_tokens = u64::try_from(budget).ok();
            // A negative budget leaves it to the model.
            wanted.effort = Some(wanted.max_tokens.map_or(Effort::Medium, effort_of));
            wanted.enabled = wanted.max_tokens.is_none().then_some(true);
        }
    }
    if let Some(raw) = thinking.take("thinkingLevel") {
        let word = text_of(raw).unwrap_or_default().to_ascii_lowercase();
        let level = match word.as_str() {
            "minimal" => Some(Effort::Minimal),
            "low" => Some(Effort::Low),
            "medium" => Some(Effort::Medium),
            "high" => Some(Effort::High),
            "" | "thinking_level_unspecified" => None,
            _ => {
                let complaint = "must be one of MINIMAL, LOW, MEDIUM, HIGH";
                return Err(thinking.fault("thinkingLevel", complaint));
            }
        };
        wanted.effort = level.or(wanted.effort);
    }
    Ok(wanted)
}

fn effort_of(budget: u64) -> Effort {
    match budget {
        0..2048 => Effort::Low,
        2048..16_384 => Effort::Medium,
        _ => Effort::High,
    }
}
