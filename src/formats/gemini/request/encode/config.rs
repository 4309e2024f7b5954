//! `generationConfig` and the service tier.

use super::Dropped;
use crate::chat::request::{Effort, ReasoningRequest, ResponseFormat};
use crate::chat::{Part, Request};
use crate::formats::Target;
use crate::formats::gemini::model::{Family, Thinking};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Gemini takes no more stop texts.
const MAX_STOPS: usize = 5;

#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Plain {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    response_modalities: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_resolution: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speech_config: Option<SpeechConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<ThinkingConfig>,
}

/// Everything about how the answer is to be made.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GenerationConfig<'r> {
    #[serde(flatten)]
    plain: Plain,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<&'r RawValue>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ThinkingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    include_thoughts: Option<bool>,
}

/// The settings; `None` when the client set nothing.
pub(super) fn generation<'r>(
    request: &'r Request<'_>,
    target: Target<'_>,
    family: Family,
    dropped: &mut Dropped,
) -> Option<GenerationConfig<'r>> {
    let sampling = &request.sampling;
    let (response_mime_type, response_json_schema) = match &request.response_format {
        ResponseFormat::Text => (None, None),
        ResponseFormat::JsonObject => (Some("application/json"), None),
        ResponseFormat::JsonSchema { schema, description, .. } => {
            if description.is_some() {
                dropped.name("response_format.json_schema.description");
            }
            (Some("application/json"), Some(schema.as_ref()))
        }
    };
    let cap = target.max_output_tokens.unwrap_or(u64::MAX);
    let plain = Plain {
        temperature: sampling.temperature.map(|value| value.clamp(0.0, 2.0)),
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        max_output_tokens: request.max_tokens.map(|tokens| tokens.min(cap)),
        candidate_count: sampling.n.filter(|n| *n != 1),
        seed: seed(sampling.seed, dropped),
        presence_penalty: sampling.presence_penalty,
        frequency_penalty: sampling.frequency_penalty,
        response_logprobs: sampling.logprobs.filter(|wanted| *wanted),
        logprobs: sampling.top_logprobs.filter(|_| sampling.logprobs == Some(true)),
        response_mime_type,
        response_modalities: modalities(request),
        media_resolution: resolution(request, dropped),
        speech_config: speech(request, dropped),
        thinking_config: thinking(request, family, dropped),
    };
    let stop_sequences = stops(request, dropped);
    let nothing =
        plain == Plain::default() && stop_sequences.is_empty() && response_json_schema.is_none();
    (!nothing).then_some(GenerationConfig { plain, stop_sequences, response_json_schema })
}

/// Gemini's seed has 32 bits.
fn seed(seed: Option<i64>, dropped: &mut Dropped) -> Option<i32> {
    let narrow = i32::try_from(seed?).ok();
    if narrow.is_none() {
        dropped.name("seed");
    }
    narrow
}

fn stops<'r>(request: &'r Request<'_>, dropped: &mut Dropped) -> Vec<&'r str> {
    let given = request.stop.iter().map(AsRef::as_ref);
    let mut stops: Vec<&str> = given.filter(|text: &&str| !text.is_empty()).collect();
    if stops.len() > MAX_STOPS {
        dropped.name("stop");
        stops.truncate(MAX_STOPS);
    }
    stops
}

/// Text alone is what a model gives without being asked.
fn modalities(request: &Request<'_>) -> Vec<String> {
    if request.modalities.iter().all(|modality| modality == "text") {
        return Vec::new();
    }
    request.modalities.iter().map(|modality| modality.to_ascii_uppercase()).collect()
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct SpeechConfig {
    voice_config: VoiceConfig,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct VoiceConfig {
    prebuilt_voice_config: Voice,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Voice {
    voice_name: String,
}

/// The voice of a spoken answer. Google gives raw samples, whatever format is asked for.
fn speech(request: &Request<'_>, dropped: &mut Dropped) -> Option<SpeechConfig> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Wanted {
        Name(String),
        Own { id: String },
    }
    #[derive(Deserialize)]
    struct Audio {
        voice: Option<Wanted>,
        format: Option<String>,
    }
    let Ok(audio) = serde_json::from_str::<Audio>(request.audio.as_ref()?.get()) else {
        dropped.name("audio");
        return None;
    };
    if audio.format.is_some_and(|format| format != "pcm16") {
        dropped.name("audio.format");
    }
    let voice_name = match audio.voice? {
        Wanted::Name(name) | Wanted::Own { id: name } => name,
    };
    Some(SpeechConfig { voice_config: VoiceConfig { prebuilt_voice_config: Voice { voice_name } } })
}

/// One resolution holds for all images; where they differ none is set.
fn resolution(request: &Request<'_>, dropped: &mut Dropped) -> Option<&'static str> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let mut wanted: Vec<&str> = parts.flat_map(details).collect();
    wanted.dedup();
    match wanted.as_slice() {
        [] | ["auto"] => None,
        ["low"] => Some("MEDIA_RESOLUTION_LOW"),
        ["high"] => Some("MEDIA_RESOLUTION_HIGH"),
        _ => {
            dropped.name("image_url.detail");
            None
        }
    }
}

/// The resolutions that a part and the parts of a result ask for.
fn details<'r>(part: &'r Part<'_>) -> Vec<&'r str> {
    match part {
        Part::Image { detail, .. } => vec![detail.as_deref().unwrap_or("auto")],
        Part::ToolResult { parts, .. } => parts.iter().flat_map(details).collect(),
        _ => Vec::new(),
    }
}

fn thinking(
    request: &Request<'_>,
    family: Family,
    dropped: &mut Dropped,
) -> Option<ThinkingConfig> {
    let wanted = &request.reasoning;
    let Some(setting) = family.thinking(wanted) else {
        let said = wanted.effort.is_some() || wanted.max_tokens.is_some();
        if said || wanted.enabled == Some(true) {
            dropped.name("reasoning");
        }
        return None;
    };
    let (thinking_budget, thinking_level) = match setting {
        Thinking::Budget(tokens) => (Some(tokens), None),
        Thinking::Level(level) => (None, Some(level)),
    };
    let include_thoughts = (!wanted.exclude && thinks(wanted)).then_some(true);
    Some(ThinkingConfig { thinking_budget, thinking_level, include_thoughts })
}

/// False when the client switched reasoning off.
fn thinks(wanted: &ReasoningRequest) -> bool {
    wanted.enabled != Some(false) && wanted.effort != Some(Effort::None)
}

/// The tier in Gemini's words.
pub(super) fn service_tier(request: &Request<'_>, dropped: &mut Dropped) -> Option<&'static str> {
    match request.service_tier.as_deref()? {
        "auto" => None,
        "default" | "standard" => Some("standard"),
        "flex" => Some("flex"),
        "priority" | "fast" => Some("priority"),
        _ => {
            dropped.name("service_tier");
            None
        }
    }
}
