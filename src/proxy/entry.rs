//! The gate before everything: a request whose framing or header could be read in two ways goes
//! no further.
//!
//! Pingora parses the header; what it tolerates and the gateway does not is refused here, before
//! the route is looked at, and the connection is closed, because its next bytes cannot be trusted.

use super::operation::MAX_TARGET_BYTES;
use crate::error::{GatewayError, Kind};
use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, Method, Version};
use pingora::http::RequestHeader;
use pingora::proxy::Session;
use std::time::Duration;

/// Most header fields of a request.
const MAX_FIELDS: usize = 100;
/// Idle time of a kept connection, in seconds.
const KEEPALIVE_S: u64 = 60;
/// Longest pause between two pieces of a body.
const READ_TIMEOUT: Duration = Duration::from_mins(1);
/// Longest time a write may be stuck because the client does not read.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time the rest of an unread body is read after an answer.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest request id that is taken over from a client.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// Sets the limits of one request's connection.
pub fn set_limits(session: &mut Session, closing: bool) {
    let header = session.req_header();
    let keep = !closing && may_be_kept(header.version, &header.headers);
    // Where a chunked body ends is a matter of reading its chunks: what follows it in the same
    // bytes is not taken for a request.
    let is_chunked = header.headers.contains_key(TRANSFER_ENCODING);
    let downstream = &mut session.downstream_session;
    downstream.set_keepalive(keep.then_some(KEEPALIVE_S));
    downstream.set_read_timeout(Some(READ_TIMEOUT));
    downstream.set_write_timeout(Some(WRITE_TIMEOUT));
    downstream.set_total_drain_timeout(Some(DRAIN_TIMEOUT));
    downstream.set_pipelining_enabled(!is_chunked);
}

/// A client of HTTP/1.0 waits for the end of the connection unless it says otherwise.
fn may_be_kept(version: Version, headers: &HeaderMap) -> bool {
    let asks = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"keep-alive");
    version > Version::HTTP_10 || headers.get(CONNECTION).is_some_and(asks)
}

/// The client's request id, if it is fit to be echoed; else a new one.
pub fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    let fit = |id: &&str| {
        !id.is_empty()
            && id.len() <= MAX_REQUEST_ID_BYTES
            && id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    given.filter(fit).map_or_else(crate::id::request_id, str::to_owned)
}

/// Refuses what could be read in two ways. `raw` is the header as it came, for HTTP/1.
pub fn gate(
    header: &RequestHeader,
    raw: Option<&[u8]>,
    max_header_bytes: usize,
) -> Result<(), GatewayError> {
    if matches!(header.method, Method::CONNECT | Method::TRACE) {
        return Err(GatewayError::client(Kind::MethodNotAllowed, "the method is not allowed"));
    }
    size(header, max_header_bytes)?;
    if header.version <= Version::HTTP_11 {
        framing(&header.headers, raw)?;
    }
    host(header)?;
    expectation(&header.headers)?;
    let encoding = header.headers.get(CONTENT_ENCODING);
    if encoding.is_some_and(|value| value != "identity") {
        let text = "request bodies must not be compressed";
        return Err(GatewayError::client(Kind::UnsupportedMediaType, text));
    }
    Ok(())
}

fn size(header: &RequestHeader, max_header_bytes: usize) -> Result<(), GatewayError> {
    let target = header.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > MAX_TARGET_BYTES {
        return Err(GatewayError::client(Kind::HeaderTooLarge, "the request target is too long"));
    }
    let fields = header.headers.iter();
    let bytes: usize = fields.map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if header.headers.len() > MAX_FIELDS || bytes > max_header_bytes {
        return Err(GatewayError::client(Kind::HeaderTooLarge, "the request header is too large"));
    }
    Ok(())
}

fn framing(headers: &HeaderMap, raw: Option<&[u8]>) -> Result<(), GatewayError> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let coding = codings.next();
    // Pingora takes the length out of such a header, so the bytes that came are looked at as well.
    let has_length =
        || headers.contains_key(CONTENT_LENGTH) || raw.is_some_and(has_raw_content_length);
    if coding.is_some() && has_length() {
        return Err(bad("Content-Length and Transfer-Encoding must not be combined"));
    }
    let is_chunked = coding.is_none_or(|value| value.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if !is_chunked || codings.next().is_some() {
        return Err(bad("the only transfer coding accepted is a single 'chunked'"));
    }
    if raw.is_some_and(has_bare_line_feed) {
        return Err(bad("header lines must end with CR LF"));
    }
    Ok(())
}

fn has_raw_content_length(raw: &[u8]) -> bool {
    raw.split(|byte| *byte == b'\n').any(|line| {
        line.split_at_checked(CONTENT_LENGTH.as_str().len())
            .is_some_and(|(name, _)| name.eq_ignore_ascii_case(CONTENT_LENGTH.as_str().as_bytes()))
    })
}

fn has_bare_line_feed(raw: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', raw).any(|at| {
        at.checked_sub(1).and_then(|before| raw.get(before)).is_none_or(|byte| *byte != b'\r')
    })
}

fn host(header: &RequestHeader) -> Result<(), GatewayError> {
    let mut hosts = header.headers.get_all(HOST).iter();
    let first = hosts.next();
    if hosts.next().is_some() {
        return Err(bad("there must be one Host field"));
    }
    let authority = header.uri.authority().map(http::uri::Authority::as_str);
    match (first.and_then(|value| value.to_str().ok()), authority) {
        (None, None) => Err(bad("the Host field is missing")),
        (Some(host), Some(authority)) if !host.eq_ignore_ascii_case(authority) => {
            Err(bad("the request target names another host than the Host field"))
        }
        _ => Ok(()),
    }
}

fn expectation(headers: &HeaderMap) -> Result<(), GatewayError> {
    let known = headers
        .get_all(EXPECT)
        .iter()
        .all(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    if known {
        Ok(())
    } else {
        Err(GatewayError::client(Kind::ExpectationFailed, "the expectation is not supported"))
    }
}

/// Whether the client asks to upgrade the connection, which only a raw WebSocket call may.
pub fn asks_for_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE)
}

/// Whether the upgrade is one to WebSocket and nothing else: behind any other protocol, requests
/// would reach the provider that nobody looked at.
pub fn is_websocket(header: &RequestHeader) -> bool {
    let mut protocols = header.headers.get_all(UPGRADE).iter();
    let is_first =
        protocols.next().is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(b"websocket"));
    is_first && protocols.next().is_none() && header.method == Method::GET
}

fn bad(text: &'static str) -> GatewayError {
    GatewayError::client(Kind::InvalidRequest, text)
}

/// Takes what only the gateway may see out of a request's header: every credential, cookies, and
/// what proxies before it added.
pub fn strip_private(header: &mut RequestHeader) {
    for name in PRIVATE {
        header.remove_header(*name);
    }
    let forwarded: Vec<HeaderName> = header
        .headers
        .keys()
        .filter(|name| PRIVATE_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix)))
        .cloned()
        .collect();
    for name in forwarded {
        header.remove_header(&name);
    }
}

const PRIVATE: &[&str] = &[
    "authorization",
    "x-api-key",
    "x-goog-api-key",
    "api-key",
    "cookie",
    "forwarded",
    "via",
    "x-real-ip",
    "x-request-id",
    "http-referer",
    "referer",
    "x-title",
    "x-session-id",
    "idempotency-key",
    "payment-signature",
    "sign-in-with-x",
    "expect",
];
const PRIVATE_PREFIXES: &[&str] = &["proxy-", "x-forwarded-", "x-openrouter-", "x-arouter-"];

#[cfg(test)]
#[path = "entry/tests.rs"]
mod tests;
