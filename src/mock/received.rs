//! A request as it arrived, whole, with the credential it presents.
//!
//! Built once per request by `handle`; kept for `GET /__last`.
//!
//! Invariant: nothing is altered or left out.

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use tokio::time::Instant;

use super::Format;

/// One request with its whole body.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Arrival, unix milliseconds.
    pub(super) at_ms: i64,
    pub(super) started: Instant,
}

impl Received {
    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A query parameter, not percent-decoded.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let pairs = self.uri.query()?.split('&');
        pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, v)| v)
    }

    /// The credential, in the places where the given provider looks for it.
    pub(super) fn credential(&self, format: Format) -> Option<&str> {
        let found = match format {
            Format::Bedrock => self.bearer().or_else(|| self.access_key_id()),
            Format::OpenAi | Format::Responses => self.bearer().or_else(|| self.header("api-key")),
            Format::Anthropic => self.header("x-api-key").or_else(|| self.bearer()),
            Format::Google => self
                .header("x-goog-api-key")
                .or_else(|| self.query("key"))
                .or_else(|| self.bearer()),
        };
        found.filter(|credential| !credential.is_empty())
    }

    /// The credential, wherever it is.
    pub(super) fn any_credential(&self) -> Option<&str> {
        [Format::OpenAi, Format::Anthropic, Format::Google, Format::Bedrock]
            .into_iter()
            .find_map(|format| self.credential(format))
    }

    /// The last four characters of the credential.
    pub(super) fn key_suffix(&self) -> String {
        let key = self.any_credential().unwrap_or_default();
        let start = key.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
        key.get(start..).unwrap_or_default().to_owned()
    }

    fn access_key_id(&self) -> Option<&str> {
        let (_, rest) = self.header("authorization")?.split_once("Credential=")?;
        rest.split('/').next()
    }

    /// The bearer token.
    pub(super) fn bearer(&self) -> Option<&str> {
        let value = self.header("authorization")?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }
}
