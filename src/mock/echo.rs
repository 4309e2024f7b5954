//! A request told back as JSON: the answer on every path no provider knows, and `GET /__last`.
//!
//! It shows a test of the raw provider proxy exactly what arrived. Used by `handle` and `admin`.
//!
//! Invariant: headers keep their order and repetitions; the digest covers the whole body.

use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::received::Received;

/// Longest body that is told back as text on an echoed path.
pub(super) const ECHO_TEXT_BYTES_MAX: usize = 64 * 1024;

#[derive(Serialize)]
struct Echo<'a> {
    method: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    headers: Vec<(&'a str, String)>,
    body_len: usize,
    sha256: String,
    body: Option<String>,
}

/// The request as JSON, with its body as text (invalid UTF-8 replaced) up to the given size.
pub(super) fn describe(received: &Received, text_bytes_max: usize) -> Vec<u8> {
    let text = || String::from_utf8_lossy(&received.body).into_owned();
    let headers = received.headers.iter();
    let echo = Echo {
        method: received.method.as_str(),
        path: received.uri.path(),
        query: received.uri.query(),
        headers: headers
            .map(|(name, value)| {
                (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect(),
        body_len: received.body.len(),
        sha256: hex(&Sha256::digest(&received.body)),
        body: (received.body.len() <= text_bytes_max).then(text),
    };
    serde_json::to_vec(&echo).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(hex, "{byte:02x}").ok();
    }
    hex
}
