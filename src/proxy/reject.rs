//! The one place that turns an error into a reply, in the caller's format.

use super::operation::Surface;
use crate::error::{GatewayError, Kind};
use crate::formats::{anthropic, gemini, openai_chat};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use pingora::http::ResponseHeader;

/// A reply to an error.
#[derive(Debug)]
pub struct Reply {
    /// Header, without `Content-Length`.
    pub header: ResponseHeader,
    /// JSON body.
    pub body: Bytes,
}

/// Status of an error on a surface: Anthropic's clients know overload as 529.
pub fn status(kind: Kind, surface: Surface) -> u16 {
    match surface {
        Surface::Anthropic => anthropic::error::status(kind),
        _ => kind.status(),
    }
}

/// The reply to an error, in the words of the surface.
pub fn reply(
    error: &GatewayError,
    surface: Surface,
    request_id: &str,
) -> Result<Reply, GatewayError> {
    let body = match surface {
        Surface::V1 => {
            openai_chat::error::encode(error, openai_chat::error::Dialect::ArouterV1, request_id)
        }
        Surface::ApiV1 => {
            openai_chat::error::encode(error, openai_chat::error::Dialect::OpenRouter, request_id)
        }
        Surface::Anthropic => anthropic::error::encode(error, request_id),
        Surface::Gemini => gemini::error::encode(error, request_id),
    };
    let status = status(error.kind, surface);
    let mut header = header(status, "application/json; charset=utf-8", request_id)?;
    if let Some(wait) = error.retry_after {
        // Rounded up: a client that comes back a moment too early is refused again.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        header.insert_header(RETRY_AFTER, seconds.to_string()).map_err(unwritable)?;
    }
    Ok(Reply { header, body })
}

/// Header fields that every answer of the gateway has.
pub fn header(
    status: u16,
    media_type: &'static str,
    request_id: &str,
) -> Result<ResponseHeader, GatewayError> {
    let mut header = ResponseHeader::build_no_case(status, Some(10)).map_err(unwritable)?;
    header.insert_header(CONTENT_TYPE, media_type).map_err(unwritable)?;
    header.insert_header(CACHE_CONTROL, "no-store").map_err(unwritable)?;
    header.insert_header("x-request-id", request_id).map_err(unwritable)?;
    // Anthropic's SDK reads its request id from this field.
    header.insert_header("request-id", request_id).map_err(unwritable)?;
    Ok(header)
}

fn unwritable(error: impl std::fmt::Display) -> GatewayError {
    GatewayError::internal(format!("response header: {error}"))
}
