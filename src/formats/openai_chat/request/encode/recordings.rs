//! Recorded chat requests of all providers: read, written for OpenAI or a provider that keeps
//! more, and read again, they say the same.

use super::encode;
use crate::chat::request::{Effort, ReasoningRequest};
use crate::chat::{Message, Part, Request, Role};
use crate::formats::Target;
use crate::formats::openai_chat::dialect::{CallIds, Dialect, OPENAI};
use crate::formats::openai_chat::names::call_id;
use crate::formats::openai_chat::request::decode;
use serde_json::Value;
use std::borrow::Cow;
use std::path::Path;

/// Bodies of recorded requests that were answered, with the id of the recording.
fn requests() -> Vec<(String, String)> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/wire/corpus");
    let Ok(folders) = std::fs::read_dir(corpus) else { return Vec::new() };
    let folders = folders.map(|folder| folder.unwrap().path());
    let chat = folders.filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.ends_with("-chat") && !name.contains("native")
    });
    let mut found = Vec::new();
    for entry in chat.flat_map(|folder| std::fs::read_dir(folder).unwrap()) {
        let recording = std::fs::read(entry.unwrap().path()).unwrap();
        let recording: Value = serde_json::from_slice(&recording).unwrap();
        let body = &recording["request"]["body"];
        let elided = !recording["request"]["elided_base64_lengths"].is_null();
        if recording["response"]["status"] == 200 && body.is_object() && !elided {
            found.push((recording["id"].as_str().unwrap().to_owned(), body.to_string()));
        }
    }
    found
}

/// What a request says, without what has no place in OpenAI's format or several spellings.
fn meaning(mut request: Request<'_>, dialect: &Dialect) -> String {
    request.unmapped.clear();
    request.modalities.retain(|modality| modality != "text");
    request.sampling.top_k = request.sampling.top_k.filter(|_| dialect.top_k);
    if request.tools.is_empty() {
        (request.tool_choice, request.parallel_tool_calls) = (None, None);
    }
    for tool in &mut request.tools {
        tool.cache = tool.cache.filter(|_| dialect.cache_control);
    }
    request.reasoning = wish(request.reasoning, dialect);
    for message in &mut request.messages {
        plain(message, dialect);
    }
    format!("{request:#?}")
}

/// One spelling for every wish about reasoning.
fn wish(mut wanted: ReasoningRequest, dialect: &Dialect) -> ReasoningRequest {
    let off = ReasoningRequest {
        enabled: Some(false),
        effort: Some(Effort::None),
        ..ReasoningRequest::default()
    };
    if wanted.enabled == Some(false) {
        return ReasoningRequest { exclude: wanted.exclude, ..off };
    }
    if wanted.effort.is_some() || wanted.max_tokens.is_some() || *dialect == *OPENAI {
        wanted.enabled = None;
    }
    if *dialect == *OPENAI {
        wanted.exclude = false;
        wanted.effort = wanted.effort.map(|effort| effort.min(Effort::XHigh));
        if let Some(budget) = wanted.max_tokens.take() {
            wanted.effort = wanted.effort.or(Some(match budget {
                ..2_048 => Effort::Low,
                2_048..16_384 => Effort::Medium,
                _ => Effort::High,
            }));
        }
    }
    wanted
}

fn plain(message: &mut Message<'_>, dialect: &Dialect) {
    let separator = match message.role {
        Role::System | Role::Developer => Some("\n\n"),
        Role::Assistant => Some(""),
        Role::User | Role::Tool => None,
    };
    let mut parts: Vec<Part<'_>> = Vec::new();
    for mut part in std::mem::take(&mut message.parts) {
        match &mut part {
            Part::Reasoning(_) if *dialect == *OPENAI => continue,
            Part::Text { text, .. } if text.is_empty() => continue,
            Part::Text { cache, .. } | Part::Image { cache, .. } if !dialect.cache_control => {
                *cache = None;
            }
            Part::ToolCall(call) => {
                call.id = Cow::Owned(call_id(CallIds::Short, &call.id).into_owned());
                call.signature = call.signature.take().filter(|_| *dialect != *OPENAI);
            }
            Part::ToolResult { call_id: id, parts, cache, .. } => {
                *id = Cow::Owned(call_id(CallIds::Short, id).into_owned());
                *cache = cache.filter(|_| dialect.cache_control);
                parts.retain(|part| !matches!(part, Part::Text { text, .. } if text.is_empty()));
            }
            Part::File { filename, .. } => *filename = None,
            _ => {}
        }
        match (parts.last_mut(), &part, separator) {
            (
                Some(Part::Text { text: before, cache: None }),
                Part::Text { text, cache: None },
                Some(separator),
            ) => *before = Cow::Owned(format!("{before}{separator}{text}")),
            _ => parts.push(part),
        }
    }
    message.parts = parts;
}

fn shows_media(part: &Part<'_>) -> bool {
    let Part::ToolResult { parts, .. } = part else { return false };
    parts.iter().any(|part| !matches!(part, Part::Text { .. }))
}

fn survive(dialect: &Dialect) -> (usize, Vec<String>) {
    let (mut same, mut refused) = (0, Vec::new());
    for (id, body) in requests() {
        let request = match decode(body.as_bytes()) {
            Ok(request) => request,
            Err(error) => {
                refused.push(format!("{id}: {error}"));
                continue;
            }
        };
        if request.messages.iter().flat_map(|message| &message.parts).any(shows_media) {
            refused.push(format!("{id}: pictures of tool results move to a message of their own"));
            continue;
        }
        let target = Target { stream: request.stream, dialect, ..Target::new("m") };
        let encoded = match encode(&request, target) {
            Ok(encoded) => encoded,
            Err(error) => {
                refused.push(format!("{id}: {error}"));
                continue;
            }
        };
        let again = decode(&encoded.body).unwrap_or_else(|error| panic!("{id}: {error}"));
        let (again, before) = (meaning(again, dialect), meaning(request, dialect));
        let differ = again.lines().zip(before.lines()).find(|(after, before)| after != before);
        assert_eq!(differ, None, "{id}");
        assert_eq!(again.len(), before.len(), "{id}");
        same += 1;
    }
    (same, refused)
}

/// Whatever is refused has a reason in this list.
const REASONS: [&str; 4] = [
    "tools are not supported for this model",
    "pictures of tool results move",
    "the address of a file; this model needs its bytes",
    "uploaded to another provider",
];

fn expect_few_refusals((same, refused): (usize, Vec<String>)) {
    println!("{same} the same, refused: {refused:#?}");
    let unexpected = |refusal: &&String| !REASONS.iter().any(|reason| refusal.contains(reason));
    assert_eq!(refused.iter().find(unexpected), None);
    assert!(same == 0 || refused.len() * 20 < same, "{} of {same}", refused.len());
}

#[test]
fn recorded_requests_survive_writing_for_openai() {
    expect_few_refusals(survive(&OPENAI));
}

#[test]
fn recorded_requests_survive_whole_where_everything_is_kept() {
    let dialect: Dialect = toml::from_str(
        r#"replay = "reasoning_details"
        reasoning = "object"
        cache_control = true
        top_k = true
        files = "inline_or_url"
        efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]"#,
    )
    .unwrap();
    expect_few_refusals(survive(&dialect));
}
