//! What the fuzz targets start from: built-in samples of every format and, where it lies beside
//! the project, recorded traffic.

mod samples;

use crate::targets::{CLIENTS, PROVIDERS, binary};
use arouter::formats::ApiFormat;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Larger recordings take too long for what they add.
const MAX_SEED_BYTES: usize = 24 * 1_024;
/// Folders of recordings to begin with, and the format each is in.
const APIS: [(&str, ApiFormat); 8] = [
    ("-chat", ApiFormat::OpenAiChat),
    ("-responses", ApiFormat::OpenAiResponses),
    ("-messages", ApiFormat::Anthropic),
    ("-generate", ApiFormat::Gemini),
    ("-completions", ApiFormat::Completions),
    ("-converse", ApiFormat::Bedrock),
    ("-converse-stream", ApiFormat::Bedrock),
    ("-invoke-with-response-stream", ApiFormat::Bedrock),
];

/// A body to start from.
#[derive(Debug, Clone)]
pub(crate) struct Seed {
    /// The format it is in, as the targets' first decision.
    pub(crate) first_decision: Option<u8>,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    BuiltIn(&'static [u8]),
    Recording { file: PathBuf, target: &'static str },
}

impl Seed {
    pub(crate) fn is_built_in(&self) -> bool {
        matches!(self.place, Place::BuiltIn(_))
    }

    /// The bytes; empty where a recording has none for the target.
    pub(crate) fn body(&self) -> Vec<u8> {
        match &self.place {
            Place::BuiltIn(body) => body.to_vec(),
            Place::Recording { file, target } => recorded(file, target).unwrap_or_default(),
        }
    }
}

/// The seeds of a target.
pub(crate) fn of(target: &str) -> Vec<Seed> {
    let (target, _) = crate::TARGETS.into_iter().find(|(name, _)| *name == target).unwrap();
    let samples = samples::SAMPLES.iter().filter(|(kind, ..)| kinds(target).contains(kind));
    let mut seeds: Vec<Seed> = samples
        .map(|(_, format, body)| Seed {
            first_decision: decision(target, *format),
            place: Place::BuiltIn(body.as_bytes()),
        })
        .collect();
    seeds.extend(recordings(target));
    seeds
}

/// The kinds of samples a target reads.
fn kinds(target: &str) -> &'static [&'static str] {
    match target {
        "requests" => &["request"],
        "answers" => &["answer"],
        "errors" => &["error"],
        "streams" => &["stream", "array", "binary"],
        "sse_frames" => &["stream"],
        "array_frames" => &["array"],
        _ => &["binary"],
    }
}

fn decision(target: &str, format: ApiFormat) -> Option<u8> {
    let formats = if target == "requests" { CLIENTS } else { PROVIDERS };
    let place = formats.iter().position(|&known| known == format)?;
    u8::try_from(place).ok()
}

/// The recordings that may hold something for the target, in a fixed order.
fn recordings(target: &'static str) -> Vec<Seed> {
    let corpus = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/wire/corpus"));
    let mut seeds = Vec::new();
    for folder in sorted(corpus) {
        let name = folder.to_str().unwrap_or_default();
        let Some((_, format)) = APIS.iter().find(|(api, _)| name.ends_with(api)) else { continue };
        let first_decision = decision(target, *format);
        for file in sorted(&folder) {
            let suits = recorded(&file, target).is_some();
            let place = Place::Recording { file, target };
            seeds.extend(suits.then_some(Seed { first_decision, place }));
        }
    }
    seeds
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

/// The part of a recording that a target reads, if it has it.
fn recorded(file: &Path, target: &str) -> Option<Vec<u8>> {
    let recording: Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    let response = &recording["response"];
    if let Some(frames) = response["body_b64"].as_str() {
        let suits = ["streams", "binary_frames"].contains(&target);
        let lines = || binary::to_lines(&STANDARD.decode(frames).unwrap_or_default());
        return suits.then(lines).filter(|lines| !lines.is_empty() && small(lines));
    }
    let failed = response["status"].as_u64() >= Some(400);
    let body = response["body"].as_str().unwrap_or_default();
    let begins = |starts: &[&str]| starts.iter().any(|start| body.starts_with(start));
    let found = match target {
        "requests" => {
            let sent = &recording["request"]["body"];
            return sent.is_object().then(|| sent.to_string().into_bytes()).filter(|s| small(s));
        }
        "errors" => failed,
        "answers" => !failed && begins(&["{"]),
        "streams" => begins(&["data", "event", ":", "\r\n", "["]),
        "sse_frames" => begins(&["data", "event", ":", "\r\n"]),
        "array_frames" => begins(&["["]),
        _ => false,
    };
    found.then(|| body.as_bytes().to_vec()).filter(|body| small(body))
}

fn small(body: &[u8]) -> bool {
    body.len() <= MAX_SEED_BYTES
}
