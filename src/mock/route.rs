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
    /// Generate an answer; the model name is in the path for Google only.
    Generate { format: Format, model: Option<String>, stream: Option<GoogleStream> },
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

/// Whether and how Google streams: the path says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GoogleStream {
    /// `generateContent`: no stream.
    No,
    /// `streamGenerateContent`: SSE with `alt=sse`, else one JSON array.
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
        google(path).unwrap_or(Route::Echo)
    }
}

fn google(path: &str) -> Option<Route> {
    let (_, rest) = path.rsplit_once("/models/")?;
    let (model, verb) = rest.rsplit_once(':')?;
    let (format, model) = (Format::Google, Some(model.to_owned()));
    let route = match verb {
        "generateContent" => Route::Generate { format, model, stream: Some(GoogleStream::No) },
        "streamGenerateContent" => {
            Route::Generate { format, model, stream: Some(GoogleStream::Yes) }
        }
        "countTokens" => Route::CountTokens { format, model },
        "embedContent" => Route::Embed { format, model, batch: false },
        "batchEmbedContents" => Route::Embed { format, model, batch: true },
        _ => return None,
    };
    Some(route)
}
