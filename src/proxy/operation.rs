//! What a request asks for, from its method and path: the route table of the data plane, with that
//! of management in [`api::routes`].
//!
//! Reserved paths win over provider names. A path is looked at as it stands: a path that would
//! mean something else after decoding or normalising is refused, never repaired.

use crate::api;
use crate::formats::{ApiFormat, Shape};
use crate::providers::UpstreamCall;
use http::{HeaderMap, Method};
use std::borrow::Cow;

/// Longest request target, in bytes.
pub const MAX_TARGET_BYTES: usize = 8 * 1024;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Is the process alive; the only route without a key.
    Health,
    /// A chat answer whose model and streaming wish are in the body.
    Chat(ApiFormat),
    /// A call of Gemini's API, whose model and kind are in the path.
    Gemini {
        /// Model of the path, without `models/`.
        model: String,
        /// What is asked of it.
        call: UpstreamCall,
    },
    /// Count the tokens of an Anthropic request.
    CountTokens,
    /// Embeddings in OpenAI's format.
    Embeddings,
    /// All models, or one.
    Models(Option<String>),
    /// All models, or one, in Gemini's shape.
    GeminiModels(Option<String>),
    /// The record of a request.
    Generation,
    /// Management: keys, money, usage.
    Api(api::Route),
    /// A provider's own API.
    Raw {
        /// First segment of the path.
        provider: String,
        /// The rest, with its leading slash.
        path: String,
    },
}

impl Operation {
    /// Name in records and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Chat(ApiFormat::OpenAiChat) => "chat",
            Self::Chat(ApiFormat::OpenAiResponses) => "responses",
            Self::Chat(ApiFormat::Completions) => "completions",
            Self::Chat(ApiFormat::Anthropic) => "messages",
            Self::Chat(ApiFormat::Gemini | ApiFormat::Bedrock) | Self::Gemini { .. } => {
                "generate_content"
            }
            Self::CountTokens => "count_tokens",
            Self::Embeddings => "embeddings",
            Self::Models(_) | Self::GeminiModels(_) => "models",
            Self::Generation => "generation",
            Self::Api(route) => route.handler.name(),
            Self::Raw { .. } => "raw",
        }
    }
}

/// In whose words the gateway's own errors are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// `/v1/…`: OpenAI's envelope.
    V1,
    /// `/api/v1/…`: OpenRouter's envelope.
    ApiV1,
    /// `/v1/messages…`: Anthropic's envelope.
    Anthropic,
    /// `/v1beta/…`: Google's envelope.
    Gemini,
}

impl Surface {
    /// The surface a path belongs to, known even when the path leads nowhere.
    pub fn of(path: &str) -> Self {
        if path.starts_with("/v1/messages") || path.starts_with("/api/v1/messages") {
            Self::Anthropic
        } else if path.starts_with("/v1beta/") {
            Self::Gemini
        } else if path.starts_with("/api/") {
            Self::ApiV1
        } else {
            Self::V1
        }
    }

    /// Whose members the answers of OpenAI's formats have here.
    pub fn shape(self) -> Shape {
        match self {
            Self::ApiV1 => Shape::OpenRouter,
            Self::V1 | Self::Anthropic | Self::Gemini => Shape::Maker,
        }
    }
}

/// Why a path leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteMiss {
    /// No such path.
    NotFound,
    /// The path exists for this method only.
    MethodNotAllowed(&'static str),
    /// The path could be read in two ways.
    Ambiguous,
}

/// A route with a fixed path below `/v1` and `/api/v1`.
struct Fixed {
    method: &'static str,
    path: &'static str,
    operation: Operation,
}

const fn fixed(method: &'static str, path: &'static str, operation: Operation) -> Fixed {
    Fixed { method, path, operation }
}

const FIXED: &[Fixed] = &[
    fixed("POST", "/chat/completions", Operation::Chat(ApiFormat::OpenAiChat)),
    fixed("POST", "/responses", Operation::Chat(ApiFormat::OpenAiResponses)),
    fixed("POST", "/completions", Operation::Chat(ApiFormat::Completions)),
    fixed("POST", "/messages", Operation::Chat(ApiFormat::Anthropic)),
    fixed("POST", "/messages/count_tokens", Operation::CountTokens),
    fixed("POST", "/embeddings", Operation::Embeddings),
    fixed("GET", "/models", Operation::Models(None)),
    fixed("GET", "/generation", Operation::Generation),
];

/// Paths that are followed by the name of a model.
const MODEL_PATHS: &[&str] = &["/v1/models/", "/api/v1/models/", "/v1beta/models/"];

/// What can be asked of a model in Gemini's API.
const GEMINI_VERBS: &[&str] = &["generateContent", "streamGenerateContent", "countTokens"];

/// First segments that are never a provider.
const RESERVED: &[&str] = &["v1", "v1beta", "api", "healthz", "metrics", "readyz", "admin"];

/// The path that says what is meant. Google's SDKs call the stable `/v1/models…` by default, which
/// is OpenAI's list of models too: the verb in the path or Google's own credential tells them apart.
pub fn plain_path<'p>(method: &Method, path: &'p str, headers: &HeaderMap) -> Cow<'p, str> {
    let Some(rest) = path.strip_prefix("/v1/models") else { return Cow::Borrowed(path) };
    let verb = rest.rsplit_once(':').map(|(_, verb)| verb);
    let calls = method == Method::POST && verb.is_some_and(|verb| GEMINI_VERBS.contains(&verb));
    if calls || headers.contains_key("x-goog-api-key") {
        Cow::Owned(format!("/v1beta/models{rest}"))
    } else {
        Cow::Borrowed(path)
    }
}

impl Operation {
    /// The operation of a request. `query_alt` is the value of the query parameter `alt`.
    pub fn of(method: &Method, path: &str, query_alt: Option<&str>) -> Result<Self, RouteMiss> {
        if path == "/healthz" {
            return allow(method, "GET", Self::Health);
        }
        if path == "/" {
            return Err(RouteMiss::NotFound);
        }
        if !is_plain(path) {
            return Err(RouteMiss::Ambiguous);
        }
        let versioned = path.strip_prefix("/api/v1").or_else(|| path.strip_prefix("/v1"));
        let found = match versioned {
            Some(rest) if rest.starts_with('/') => below_v1(method, rest),
            _ => Err(RouteMiss::NotFound),
        };
        if found != Err(RouteMiss::NotFound) {
            return found;
        }
        match api::routes::find(method.as_str(), path) {
            Ok(route) => return Ok(Self::Api(route)),
            Err(api::routes::Miss::MethodNotAllowed(allowed)) => {
                return Err(RouteMiss::MethodNotAllowed(allowed));
            }
            Err(api::routes::Miss::NotFound) => {}
        }
        if let Some(rest) = path.strip_prefix("/v1beta/models") {
            return below_v1beta(method, rest, query_alt);
        }
        raw(path)
    }
}

fn allow(method: &Method, allowed: &'static str, found: Operation) -> Result<Operation, RouteMiss> {
    let get_for_head = method == Method::HEAD && allowed == "GET";
    if method.as_str() == allowed || get_for_head {
        Ok(found)
    } else {
        Err(RouteMiss::MethodNotAllowed(allowed))
    }
}

fn below_v1(method: &Method, rest: &str) -> Result<Operation, RouteMiss> {
    if let Some(route) = FIXED.iter().find(|route| route.path == rest) {
        return allow(method, route.method, route.operation.clone());
    }
    match rest.strip_prefix("/models/") {
        Some(id) if !id.is_empty() => {
            allow(method, "GET", Operation::Models(Some(decode_segment(id)?)))
        }
        _ => Err(RouteMiss::NotFound),
    }
}

fn below_v1beta(
    method: &Method,
    rest: &str,
    query_alt: Option<&str>,
) -> Result<Operation, RouteMiss> {
    let Some(name) = rest.strip_prefix('/') else {
        return if rest.is_empty() {
            allow(method, "GET", Operation::GeminiModels(None))
        } else {
            Err(RouteMiss::NotFound)
        };
    };
    let Some((model, action)) = name.rsplit_once(':') else {
        return allow(method, "GET", Operation::GeminiModels(Some(decode_segment(name)?)));
    };
    let call = match (action, query_alt) {
        ("generateContent", _) => UpstreamCall::Chat,
        ("streamGenerateContent", Some("sse")) => UpstreamCall::ChatStream,
        ("streamGenerateContent", _) => UpstreamCall::ChatArray,
        ("countTokens", _) => UpstreamCall::CountTokens,
        _ => return Err(RouteMiss::NotFound),
    };
    allow(method, "POST", Operation::Gemini { model: decode_segment(model)?, call })
}

fn raw(path: &str) -> Result<Operation, RouteMiss> {
    let Some((provider, rest)) = path.strip_prefix('/').and_then(|path| path.split_once('/'))
    else {
        return Err(RouteMiss::NotFound);
    };
    if provider.is_empty() || rest.is_empty() || RESERVED.contains(&provider) {
        return Err(RouteMiss::NotFound);
    }
    Ok(Operation::Raw { provider: provider.to_owned(), path: format!("/{rest}") })
}

/// Whether a path means the same to every server: no dot segments, no empty segments, no
/// backslash, no control bytes, no escape that hides one of these or a slash of another level.
/// Only the name of a model may hold an encoded slash; SDKs write `/v1/models/openai%2Fgpt-5`.
fn is_plain(path: &str) -> bool {
    if path == "/" {
        return true;
    }
    let Some(inner) = path.strip_prefix('/') else { return false };
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let model = MODEL_PATHS.iter().find_map(|prefix| path.strip_prefix(prefix));
    inner.split('/').all(|segment| is_plain_segment(segment, model == Some(segment)))
}

fn is_plain_segment(segment: &str, names_model: bool) -> bool {
    let Some(decoded) = decode_once(segment) else { return false };
    let hidden_slash = decoded.contains(&b'/') && !segment.contains(':') && !names_model;
    !matches!(decoded.as_slice(), b"" | b"." | b"..")
        && !hidden_slash
        && !decoded.iter().any(|byte| byte.is_ascii_control() || *byte == b'\\')
        && !decoded.contains(&b'%')
        && !decoded.split(|byte| *byte == b'/').any(|part| matches!(part, b"" | b"." | b".."))
}

/// Percent-decodes once; `None` for a broken escape.
fn decode_once(segment: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            decoded.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    Some(decoded)
}

fn decode_segment(segment: &str) -> Result<String, RouteMiss> {
    decode_once(segment)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .map(|text| text.strip_prefix("models/").map(str::to_owned).unwrap_or(text))
        .ok_or(RouteMiss::Ambiguous)
}

/// Method and path of one request per route but the health check: what the documentation lists and
/// what tests walk.
pub fn samples() -> Vec<(&'static str, String)> {
    let mut samples: Vec<(&'static str, String)> = Vec::new();
    for route in FIXED {
        for prefix in ["/v1", "/api/v1"] {
            samples.push((route.method, format!("{prefix}{}", route.path)));
        }
    }
    samples.push(("GET", "/v1/models/openai/gpt-5".into()));
    samples.push(("GET", "/v1beta/models".into()));
    samples.push(("GET", "/v1beta/models/gemini-2.5-flash".into()));
    for action in ["generateContent", "streamGenerateContent", "countTokens"] {
        samples.push(("POST", format!("/v1beta/models/gemini-2.5-flash:{action}")));
    }
    samples.push(("POST", "/openai/v1/chat/completions".into()));
    samples.extend(api::routes::samples().into_iter().map(|(method, path, _)| (method, path)));
    samples
}

#[cfg(test)]
#[path = "operation/tests.rs"]
mod tests;
