//! Which provider route a path means; the base prefix before it is free.
//!
//! Matching by suffix lets a test point the gateway's `base_url` at the mock with or without
//! `/v1`, or with a prefix that tells two providers apart. Called by `handle`.
//!
//! Invariant: every path has a route; what no provider knows is echoed.

use http::{HeaderMap, Method};

use super::Format;

/// What a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// Generate an answer; the model name is in the path for Google and in clouds.
    Generate { format: Format, model: Option<String>, stream: Option<PathStream> },
    /// Count the tokens of a prompt.
    CountTokens { format: Format, model: Option<String> },
    /// Embed texts.
    Embed { format: Format, model: Option<String>, batch: bool },
    /// List the models.
    Models(Format),
    /// One of the mock's own pages.
    Own(Own),
    /// WebSocket echo.
    WsEcho,
    /// Anything else.
    Echo,
}

/// Whether the answer is streamed, where the path says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathStream {
    /// No.
    No,
    /// At Google as events with `alt=sse`, else as one JSON array; at Bedrock in binary frames.
    Yes,
}

/// The mock's own pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    Health,
    ReadJournal,
    ClearJournal,
    Last,
    SetScript,
    Token,
}

impl Route {
    /// The route of a method and path.
    pub(super) fn of(method: &Method, path: &str, headers: &HeaderMap) -> Self {
        if let Some(own) = own(method, path) {
            return Self::Own(own);
        }
        if path.ends_with("/ws-echo") {
            return Self::WsEcho;
        }
        match *method {
            Method::POST => post(path),
            Method::GET if path.ends_with("/v1beta/models") => Self::Models(Format::Google),
            Method::GET if path.ends_with("/models") => {
                let anthropic = headers.contains_key("anthropic-version");
                Self::Models(if anthropic { Format::Anthropic } else { Format::OpenAi })
            }
            _ => Self::Echo,
        }
    }

    /// The format spoken on this route, if a provider's.
    pub(super) fn format(&self) -> Option<Format> {
        match self {
            Self::Generate { format, .. }
            | Self::CountTokens { format, .. }
            | Self::Embed { format, .. }
            | Self::Models(format) => Some(*format),
            Self::Own(_) | Self::WsEcho | Self::Echo => None,
        }
    }
}

fn own(method: &Method, path: &str) -> Option<Own> {
    match (method.as_str(), path) {
        ("GET", "/healthz") => Some(Own::Health),
        ("GET", "/__journal") => Some(Own::ReadJournal),
        ("DELETE", "/__journal") => Some(Own::ClearJournal),
        ("GET", "/__last") => Some(Own::Last),
        ("PUT", "/__script") => Some(Own::SetScript),
        ("POST", "/token") => Some(Own::Token),
        _ => None,
    }
}

fn post(path: &str) -> Route {
    let plain = |format| Route::Generate { format, model: None, stream: None };
    if path.ends_with("/chat/completions") {
        plain(Format::OpenAi)
    } else if path.ends_with("/responses") {
        plain(Format::Responses)
    } else if path.ends_with("/embeddings") {
        Route::Embed { format: Format::OpenAi, model: None, batch: false }
    } else if path.ends_with("/messages") {
        plain(Format::Anthropic)
    } else if path.ends_with("/messages/count_tokens") {
        Route::CountTokens { format: Format::Anthropic, model: None }
    } else {
        google(path).or_else(|| bedrock(path)).unwrap_or(Route::Echo)
    }
}

fn bedrock(path: &str) -> Option<Route> {
    let (_, rest) = path.rsplit_once("/model/")?;
    let (model, action) = rest.split_once('/')?;
    let model = Some(model.replace("%3A", ":"));
    let (format, stream) = match action {
        "converse" => (Format::Bedrock, PathStream::No),
        "converse-stream" => (Format::Bedrock, PathStream::Yes),
        "invoke" => (Format::Anthropic, PathStream::No),
        "invoke-with-response-stream" => (Format::Anthropic, PathStream::Yes),
        _ => return None,
    };
    Some(Route::Generate { format, model, stream: Some(stream) })
}

fn google(path: &str) -> Option<Route> {
    let (_, rest) = path.rsplit_once("/models/")?;
    let (model, verb) = rest.rsplit_once(':')?;
    let (format, model) = (Format::Google, Some(model.to_owned()));
    let route = match verb {
        "rawPredict" if rest.starts_with("count-tokens:") => {
            Route::CountTokens { format: Format::Anthropic, model: None }
        }
        "rawPredict" | "streamRawPredict" => {
            Route::Generate { format: Format::Anthropic, model, stream: None }
        }
        "generateContent" => Route::Generate { format, model, stream: Some(PathStream::No) },
        "streamGenerateContent" => Route::Generate { format, model, stream: Some(PathStream::Yes) },
        "countTokens" => Route::CountTokens { format, model },
        "embedContent" => Route::Embed { format, model, batch: false },
        "batchEmbedContents" => Route::Embed { format, model, batch: true },
        _ => return None,
    };
    Some(route)
}
