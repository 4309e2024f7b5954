//! The recordings: real traffic of providers, one file each.
//!
//! They are read from `../shared/wire/corpus`, or from the folder in `AROUTER_CORPUS`. Nothing is
//! keyed on a recording's id but the list of those that are broken themselves.

use arouter::formats::ApiFormat;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// One recorded exchange of a core format.
#[derive(Debug)]
pub struct Recording {
    pub id: String,
    pub format: ApiFormat,
    /// Claude behind Amazon's own route: the body is Anthropic's without model and stream.
    pub is_invoke: bool,
    /// As its client spelled numbers and ordered keys.
    pub request: Option<String>,
    pub status: u16,
    pub body: Vec<u8>,
    pub shape: Shape,
    /// Why the recording itself is broken.
    pub broken: Option<&'static str>,
}

/// How the body of the answer is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One JSON object.
    Whole,
    Sse,
    /// One JSON array of events.
    Array,
    /// Amazon's binary frames.
    Frames,
    /// Nothing, or no JSON.
    Other,
}

#[derive(Deserialize)]
struct File {
    id: String,
    api: String,
    request: Option<Request>,
    response: Response,
}

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    body: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Response {
    status: Option<u16>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    body_b64: Option<String>,
}

/// All recordings of the core formats, read once.
pub fn all() -> &'static [Recording] {
    static ALL: LazyLock<Vec<Recording>> = LazyLock::new(load);
    &ALL
}

/// The folder of the recordings, if there is one.
pub fn folder() -> PathBuf {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/wire/corpus");
    std::env::var_os("AROUTER_CORPUS").map_or_else(|| PathBuf::from(beside), PathBuf::from)
}

fn load() -> Vec<Recording> {
    let mut paths = Vec::new();
    find(&folder(), &mut paths);
    paths.sort();
    paths.iter().filter_map(|path| read(path)).collect()
}

fn find(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
}

fn read(path: &Path) -> Option<Recording> {
    let text = std::fs::read_to_string(path).unwrap();
    let file: File = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{} is no recording: {error}", path.display()));
    let request_path = file.request.as_ref().and_then(|r| r.path.clone()).unwrap_or_default();
    let raw = file.request.and_then(|request| request.body);
    let request = raw.map(|raw| raw.get().to_owned()).filter(|raw| raw.starts_with('{'));
    let format = format_of(&file.api, &request_path, request.as_deref())?;
    let body = match (file.response.body, file.response.body_b64) {
        (_, Some(base64)) => STANDARD.decode(base64).unwrap(),
        (body, None) => body.unwrap_or_default().into_bytes(),
    };
    let broken = BROKEN.iter().find(|(id, _)| *id == file.id).map(|(_, reason)| *reason);
    Some(Recording {
        shape: shape_of(&body),
        is_invoke: file.api.starts_with("invoke"),
        status: file.response.status.unwrap_or(200),
        id: file.id,
        format,
        request,
        body,
        broken,
    })
}

/// The format of an API by its name; Amazon's own route carries other makers' formats as well.
fn format_of(api: &str, path: &str, request: Option<&str>) -> Option<ApiFormat> {
    Some(match api {
        "chat" => ApiFormat::OpenAiChat,
        "responses" => ApiFormat::OpenAiResponses,
        "messages" => ApiFormat::Anthropic,
        "generate" => ApiFormat::Gemini,
        "completions" => ApiFormat::Completions,
        "converse" | "converse-stream" => ApiFormat::Bedrock,
        "invoke" | "invoke-with-response-stream"
            if path.contains("anthropic.")
                && request.is_none_or(|request| request.contains("\"messages\"")) =>
        {
            ApiFormat::Anthropic
        }
        _ => return None,
    })
}

fn shape_of(body: &[u8]) -> Shape {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let first_line = text.lines().next().unwrap_or_default();
    let is_field =
        ["data:", "event:", "id:", ":", "retry:"].iter().any(|field| first_line.starts_with(field));
    match text.chars().next() {
        Some('{') => Shape::Whole,
        Some('[') => Shape::Array,
        _ if is_field => Shape::Sse,
        Some(_) if body.first() == Some(&0) => Shape::Frames,
        _ => Shape::Other,
    }
}

/// Recordings that no reader can use, and why.
const BROKEN: &[(&str, &str)] = &[
    ("anthropic-messages/0478-anthropic-tool-search-regex-1", TWO_IN_ONE),
    ("azure-responses/0036-azure-reasoning-encrypted-content-1", TWO_IN_ONE),
];

const TWO_IN_ONE: &str = "its recorder wrote the streams of two answers into one body";

#[test]
fn broken_recordings_are_named() {
    let broken = all().iter().filter(|recording| recording.broken.is_some());
    println!("\n{} recordings of the core formats in {}", all().len(), folder().display());
    for recording in broken {
        println!("broken: {}: {}", recording.id, recording.broken.unwrap_or_default());
    }
}
