//! Anthropic's errors: a provider's are read, the gateway's are written for Anthropic clients.
//!
//! Reading is used by `formats::decode_error` and the stream decoder, writing by `proxy` for
//! `/v1/messages`. A written error carries only the gateway's own message, never the provider's.

#[cfg(test)]
mod tests;

use super::raw::{self, Str};
use crate::error::{GatewayError, Kind};
use crate::formats::UpstreamFailure;
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Characters of a body that is no JSON kept as its message.
const MESSAGE_CHARS_MAX: usize = 500;

#[derive(Default, Deserialize)]
struct ErrorBody<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    /// Bedrock has it outside.
    #[serde(borrow)]
    message: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct ErrorFields<'a> {
    #[serde(borrow)]
    r#type: Option<Str<'a>>,
    #[serde(borrow)]
    message: Option<Str<'a>>,
}

/// Reads an error answer.
pub fn decode(status: u16, body: &[u8]) -> UpstreamFailure {
    let Ok(parsed) = serde_json::from_slice::<ErrorBody<'_>>(body) else {
        let text: String = String::from_utf8_lossy(body).chars().take(MESSAGE_CHARS_MAX).collect();
        let message = Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        return UpstreamFailure { kind: of_status(status), code: None, message, retry_after: None };
    };
    let mut fields = parsed.error.and_then(raw::view::<ErrorFields<'_>>).unwrap_or_default();
    // Some hosts write the error as a bare text, or only a message.
    let bare = parsed.error.or(parsed.message).and_then(raw::view::<Str<'_>>);
    fields.message = fields.message.or(bare);
    let message = fields.message.map(|text| text.0.into_owned());
    let code = fields.r#type.map(|text| text.0.into_owned());
    let kind = kind(status, code.as_deref(), message.as_deref().unwrap_or_default());
    UpstreamFailure { kind, code, message, retry_after: None }
}

/// Reads an `error` event of a stream, which has no status.
pub(super) fn decode_event(data: &[u8]) -> UpstreamFailure {
    decode(502, data)
}

fn kind(status: u16, error_type: Option<&str>, message: &str) -> Kind {
    match error_type {
        Some("invalid_request_error") => of_message(message).unwrap_or(of_request(status)),
        Some("authentication_error") => Kind::Authentication,
        Some("billing_error") => Kind::PaymentRequired,
        Some("permission_error") => Kind::PermissionDenied,
        Some("not_found_error") => Kind::NotFound,
        Some("request_too_large") => Kind::PayloadTooLarge,
        Some("rate_limit_error") => Kind::RateLimitExceeded,
        Some("timeout_error") => Kind::Timeout,
        Some("overloaded_error") => Kind::ProviderOverloaded,
        Some("api_error") => Kind::ProviderUnavailable,
        _ => of_message(message).unwrap_or(of_status(status)),
    }
}

/// Meanings that Anthropic tells only by the message.
fn of_message(message: &str) -> Option<Kind> {
    let message = message.to_ascii_lowercase();
    let known = [
        ("prompt is too long", Kind::ContextLengthExceeded),
        ("exceed context limit", Kind::ContextLengthExceeded),
        ("input is too long", Kind::ContextLengthExceeded),
        ("credit balance is too low", Kind::PaymentRequired),
        ("content filtering policy", Kind::ContentPolicyViolation),
    ];
    known.iter().find(|(words, _)| message.contains(words)).map(|(_, kind)| *kind)
}

/// An invalid request keeps the finer statuses; in a stream there is none.
fn of_request(status: u16) -> Kind {
    match of_status(status) {
        kind @ (Kind::Conflict | Kind::PayloadTooLarge | Kind::Unprocessable) => kind,
        _ => Kind::InvalidRequest,
    }
}

fn of_status(status: u16) -> Kind {
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
        400..500 => Kind::InvalidRequest,
        _ => Kind::ProviderUnavailable,
    }
}

/// HTTP status of an error for Anthropic clients, which know 529 as overloaded.
pub fn status(kind: Kind) -> u16 {
    match kind {
        Kind::ProviderOverloaded => 529,
        other => other.status(),
    }
}

/// Anthropic's word for a kind of error.
pub fn error_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Authentication => "authentication_error",
        Kind::PaymentRequired => "billing_error",
        Kind::PermissionDenied => "permission_error",
        Kind::NotFound => "not_found_error",
        Kind::PayloadTooLarge => "request_too_large",
        Kind::RateLimitExceeded => "rate_limit_error",
        Kind::RequestTimeout | Kind::Timeout => "timeout_error",
        Kind::ProviderOverloaded => "overloaded_error",
        Kind::Server | Kind::ProviderUnavailable | Kind::ClientClosed => "api_error",
        Kind::InvalidRequest
        | Kind::ContextLengthExceeded
        | Kind::ContentPolicyViolation
        | Kind::MethodNotAllowed
        | Kind::Conflict
        | Kind::HeaderTooLarge
        | Kind::UnsupportedMediaType
        | Kind::ExpectationFailed
        | Kind::Unprocessable => "invalid_request_error",
    }
}

#[derive(Serialize)]
struct Reply<'a> {
    r#type: &'static str,
    error: ReplyError<'a>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct ReplyError<'a> {
    r#type: &'static str,
    message: &'a str,
    error_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Box<RawValue>>,
}

/// The body of an error reply to an Anthropic client.
pub fn encode(error: &GatewayError, request_id: &str) -> Bytes {
    let reply = Reply {
        r#type: "error",
        error: ReplyError {
            r#type: error_type(error.kind),
            message: &error.message,
            error_type: error.kind.name(),
            metadata: metadata(error),
        },
        request_id,
    };
    // Three strings always serialise.
    serde_json::to_vec(&reply).unwrap_or_default().into()
}

fn metadata(error: &GatewayError) -> Option<Box<RawValue>> {
    let members: Vec<String> =
        error.facts().iter().map(|(name, fact)| format!("\"{name}\":{fact}")).collect();
    let object = format!("{{{}}}", members.join(","));
    RawValue::from_string(object).ok().filter(|_| !members.is_empty())
}

/// Appends the error as the last event of an Anthropic client's stream.
pub fn stream_error(error: &GatewayError, request_id: &str, out: &mut BytesMut) {
    out.extend_from_slice(b"event: error\ndata: ");
    out.extend_from_slice(&encode(error, request_id));
    out.extend_from_slice(b"\n\n");
}
