//! Recorded requests: each is read, or refused for a reason by design, and what was read is the
//! same after it was written for Anthropic and read again.
//!
//! The recordings are read from the folder beside the project when it is there.

use super::*;
use crate::chat::Part;
use crate::chat::request::Request;
use crate::formats::Target;
use crate::formats::anthropic::request::encode;
use serde_json::Value;
use std::path::Path as File;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/wire/corpus");
const FOLDERS: [&str; 4] =
    ["anthropic-messages", "vertex-messages", "local-messages", "bedrock-invoke"];

/// Bodies of requests that were answered well, by name.
fn requests() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        let Ok(entries) = std::fs::read_dir(File::new(CORPUS).join(folder)) else { continue };
        for entry in entries.flatten() {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let recording: Value = serde_json::from_str(&text).unwrap();
            let body = &recording["request"]["body"];
            // Bedrock takes the formats of many makers.
            let foreign = folder == "bedrock-invoke" && body.get("anthropic_version").is_none();
            if recording["response"]["status"] == 200 && body.is_object() && !foreign {
                found.push((recording["id"].as_str().unwrap().to_owned(), body.to_string()));
            }
        }
    }
    found.sort();
    assert!(found.is_empty() || found.len() > 150, "{} requests", found.len());
    found
}

/// What other providers have not.
fn is_refused_by_design(body: &Value, param: &str) -> bool {
    let kind = |at: usize| body["tools"][at]["type"].as_str().unwrap_or("custom").to_owned();
    if let Some(at) = param.strip_prefix("tools[").and_then(|rest| rest.strip_suffix(']')) {
        let kind = kind(at.parse().unwrap());
        return kind != "custom" && !kind.starts_with("web_search_");
    }
    UNPORTABLE.contains(&param)
}

/// The request in words, apart from what one writing changes for good: an effort alone lets newer
/// models think, a budget becomes an effort for them; blank text and `strict: false` say nothing.
fn words(request: &Request<'_>) -> String {
    let mut wish = request.reasoning;
    wish.enabled = wish.enabled.or(wish.effort.map(|_| true));
    if wish.enabled == Some(true) {
        (wish.effort, wish.max_tokens) = (None, None);
    }
    let mut plain = Request { reasoning: wish, unmapped: Vec::new(), ..request.clone() };
    for tool in &mut plain.tools {
        tool.strict = tool.strict.filter(|strict| *strict);
    }
    let is_blank =
        |part: &Part<'_>| matches!(part, Part::Text { text, .. } if text.trim().is_empty());
    for message in &mut plain.messages {
        message.parts.retain(|part| !is_blank(part));
    }
    format!("{plain:#?}")
}

#[test]
fn recorded_requests_are_read_and_stay_the_same() {
    let mut refused = 0;
    let mut differing = Vec::new();
    for (name, text) in requests() {
        let body: Value = serde_json::from_str(&text).unwrap();
        let first = match decode(text.as_bytes()) {
            Ok(request) => request,
            Err(error) => {
                let param = error.param.clone().unwrap_or_default();
                assert!(is_refused_by_design(&body, &param), "{name}: {error}");
                refused += 1;
                continue;
            }
        };
        // Some hosts have the model in the path; a name that is no Claude has the widest rules.
        let model = body["model"].as_str().unwrap_or("in the path");
        let target = Target { stream: first.stream, ..Target::new(model) };
        let written = match encode(&first, target) {
            Ok(encoded) => encoded.body,
            Err(error) => {
                // Files are known to the provider that took them in.
                assert!(text.contains("file_id"), "{name}: {error}");
                refused += 1;
                continue;
            }
        };
        let second = decode(&written).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (first, second) = (words(&first), words(&second));
        let differs = first.lines().zip(second.lines()).find(|(before, after)| before != after);
        differing.extend(differs.map(|lines| (name, lines.0.to_owned(), lines.1.to_owned())));
    }
    assert!(differing.is_empty(), "{differing:#?}");
    assert!(refused < 40, "{refused} refused");
}
