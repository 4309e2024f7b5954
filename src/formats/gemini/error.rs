//! Google's error shape: read from a provider, written for Gemini's clients.
//!
//! `read` also serves error objects inside streams. What is written holds the gateway's own words
//! only, with the canonical error type in `details`.

use super::array::Place;
use crate::error::{GatewayError, Kind};
use crate::formats::UpstreamFailure;
use bytes::{BufMut, Bytes, BytesMut};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::time::Duration;

/// Longest message taken from a body that is not Google's JSON, in characters.
const MAX_RAW_MESSAGE_CHARS: usize = 500;
/// Waits beyond this are not believed.
const MAX_RETRY_S: f64 = 86_400.0;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    error: &'a RawValue,
}

#[derive(Default, Deserialize)]
struct Report {
    code: Option<serde_json::Value>,
    message: Option<String>,
    status: Option<String>,
    details: Option<Vec<Detail>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    reason: Option<serde_json::Value>,
    retry_delay: Option<serde_json::Value>,
}

/// Reads an error answer; a body that is no error of Google's is judged by the status alone.
pub fn decode(status: u16, body: &[u8]) -> UpstreamFailure {
    let body = body.trim_ascii();
    let envelope = if body.first() == Some(&b'[') {
        serde_json::from_slice::<Vec<Envelope<'_>>>(body).ok().and_then(|mut list| list.pop())
    } else {
        serde_json::from_slice::<Envelope<'_>>(body).ok()
    };
    match envelope {
        Some(envelope) => read_with(Some(status), envelope.error),
        None => UpstreamFailure {
            kind: kind_of_status(status),
            code: None,
            message: raw_message(body),
            retry_after: None,
        },
    }
}

/// Reads the value of an `error` member.
pub(super) fn read(error: &RawValue) -> UpstreamFailure {
    read_with(None, error)
}

fn read_with(http_status: Option<u16>, error: &RawValue) -> UpstreamFailure {
    // Some hosts in front of Gemini send the message alone.
    let report = serde_json::from_str::<Report>(error.get()).unwrap_or_else(|_| Report {
        message: serde_json::from_str::<String>(error.get()).ok(),
        ..Report::default()
    });
    let code = report.code.as_ref().and_then(serde_json::Value::as_u64);
    let code = code.and_then(|code| u16::try_from(code).ok());
    let details = report.details.unwrap_or_default();
    let reason = details.iter().find_map(|detail| detail.reason.as_ref()?.as_str());
    let message = report.message.as_deref().unwrap_or_default();
    let by_number = http_status.or(code).map_or(Kind::ProviderUnavailable, kind_of_status);
    let kind = special_case(message, reason)
        .or_else(|| kind_of_word(report.status.as_deref()?))
        .unwrap_or(by_number);
    UpstreamFailure {
        kind,
        code: reason.map(str::to_owned).or(report.status),
        retry_after: details.iter().find_map(|detail| delay(detail.retry_delay.as_ref()?)),
        message: report.message,
    }
}

/// Cases that Google files under a word of wider meaning.
fn special_case(message: &str, reason: Option<&str>) -> Option<Kind> {
    if matches!(reason, Some("API_KEY_INVALID" | "API_KEY_EXPIRED" | "ACCESS_TOKEN_EXPIRED"))
        || message.starts_with("API key not valid")
        || message.starts_with("API key expired")
    {
        return Some(Kind::Authentication);
    }
    let too_long =
        message.contains("token count") && message.contains("exceeds the maximum number of tokens");
    too_long.then_some(Kind::ContextLengthExceeded)
}

fn kind_of_word(word: &str) -> Option<Kind> {
    Some(match word {
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" => Kind::InvalidRequest,
        "UNAUTHENTICATED" => Kind::Authentication,
        "PERMISSION_DENIED" => Kind::PermissionDenied,
        "NOT_FOUND" => Kind::NotFound,
        "RESOURCE_EXHAUSTED" => Kind::RateLimitExceeded,
        "ABORTED" | "ALREADY_EXISTS" => Kind::Conflict,
        "UNAVAILABLE" => Kind::ProviderOverloaded,
        "DEADLINE_EXCEEDED" => Kind::Timeout,
        "INTERNAL" | "UNKNOWN" | "DATA_LOSS" | "UNIMPLEMENTED" | "CANCELLED" => {
            Kind::ProviderUnavailable
        }
        _ => return None,
    })
}

fn kind_of_status(status: u16) -> Kind {
    match status {
        401 => Kind::Authentication,
        402 => Kind::PaymentRequired,
        403 => Kind::PermissionDenied,
        404 => Kind::NotFound,
        408 | 504 | 524 => Kind::Timeout,
        409 => Kind::Conflict,
        413 => Kind::PayloadTooLarge,
        422 => Kind::Unprocessable,
        429 => Kind::RateLimitExceeded,
        503 | 529 => Kind::ProviderOverloaded,
        400..=499 => Kind::InvalidRequest,
        _ => Kind::ProviderUnavailable,
    }
}

/// `"34s"`, `"0.5s"`, or `{"seconds":34,"nanos":0}`.
fn delay(value: &serde_json::Value) -> Option<Duration> {
    let seconds = match value {
        serde_json::Value::String(text) => text.strip_suffix('s')?.parse::<f64>().ok()?,
        other => other.get("seconds")?.as_f64()?,
    };
    let believable = (0.0..=MAX_RETRY_S).contains(&seconds);
    believable.then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
}

fn raw_message(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let message: String = text.chars().take(MAX_RAW_MESSAGE_CHARS).collect();
    (!message.is_empty()).then_some(message)
}

/// Google's status word for a kind.
fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::InvalidRequest
        | Kind::ContextLengthExceeded
        | Kind::ContentPolicyViolation
        | Kind::MethodNotAllowed
        | Kind::PayloadTooLarge
        | Kind::HeaderTooLarge
        | Kind::UnsupportedMediaType
        | Kind::ExpectationFailed
        | Kind::Unprocessable => "INVALID_ARGUMENT",
        Kind::Authentication => "UNAUTHENTICATED",
        Kind::PaymentRequired | Kind::RateLimitExceeded => "RESOURCE_EXHAUSTED",
        Kind::PermissionDenied => "PERMISSION_DENIED",
        Kind::NotFound => "NOT_FOUND",
        Kind::RequestTimeout | Kind::Timeout => "DEADLINE_EXCEEDED",
        Kind::Conflict => "ABORTED",
        Kind::ClientClosed => "CANCELLED",
        Kind::Server | Kind::ProviderUnavailable => "INTERNAL",
        Kind::ProviderOverloaded => "UNAVAILABLE",
    }
}

/// The error body for a client that speaks Gemini's format.
pub fn encode(error: &GatewayError, request_id: &str) -> Bytes {
    let mut metadata = json!({ "error_type": error.kind.name() });
    for (key, value) in
        [("param", error.param.as_deref()), ("provider_code", error.provider_code.as_deref())]
    {
        if let (Some(value), Some(members)) = (value, metadata.as_object_mut()) {
            members.insert(key.to_owned(), value.into());
        }
    }
    for (name, fact) in error.facts() {
        if let (Ok(value), Some(members)) =
            (serde_json::from_str(&fact.to_string()), metadata.as_object_mut())
        {
            members.insert((*name).to_owned(), value);
        }
    }
    let mut details = vec![
        json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": error.kind.name().to_uppercase(),
            "domain": "arouter",
            "metadata": metadata,
        }),
        json!({ "@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": request_id }),
    ];
    if let Some(wait) = error.retry_after {
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{}s", wait.as_secs_f64().ceil()),
        }));
    }
    let body = json!({ "error": {
        "code": error.kind.status(),
        "message": error.message,
        "status": word(error.kind),
        "details": details,
    }});
    Bytes::from(body.to_string())
}

/// Appends the error as the last event of a server-sent stream.
pub fn append_sse(error: &GatewayError, request_id: &str, out: &mut BytesMut) {
    out.put_slice(b"data: ");
    out.put_slice(&encode(error, request_id));
    out.put_slice(b"\r\n\r\n");
}

/// Appends the error as the last element of an array of which the client has seen as much as
/// `place` says, and closes the array; nothing when it is closed already.
pub fn append_array(error: &GatewayError, request_id: &str, place: Place, out: &mut BytesMut) {
    let before: &[u8] = match place {
        Place::Closed => return,
        Place::Outside => b"[",
        Place::BeforeElement => b"",
        Place::AfterElement => b",\r\n",
    };
    out.put_slice(before);
    out.put_slice(&encode(error, request_id));
    out.put_slice(b"\r\n]\r\n");
}

#[cfg(test)]
mod tests;
