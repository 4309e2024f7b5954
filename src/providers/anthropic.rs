//! Anthropic: `x-api-key`, and a version header that every request must carry.

use super::{UpstreamCall, Vendor, secret_value};
use crate::formats::ApiFormat;
use crate::secret::Secret;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Speaks `POST {base}/v1/messages`.
#[derive(Debug, Clone, Copy)]
pub struct Anthropic;

const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
pub(super) const BETA: HeaderName = HeaderName::from_static("anthropic-beta");
/// Another name under which clients of gateways send beta flags.
const BETA_ALIAS: &str = "x-anthropic-beta";
/// The version every current client sends, for callers of other formats.
const DEFAULT_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

impl Vendor for Anthropic {
    fn format(&self, _model: &str) -> ApiFormat {
        ApiFormat::Anthropic
    }

    fn path(&self, call: UpstreamCall, _model: &str) -> Option<String> {
        match call {
            UpstreamCall::Chat | UpstreamCall::ChatStream => Some("/v1/messages".into()),
            UpstreamCall::CountTokens => Some("/v1/messages/count_tokens".into()),
            UpstreamCall::ChatArray | UpstreamCall::Embeddings => None,
        }
    }

    fn credential(&self, secret: &Secret) -> Option<(HeaderName, HeaderValue)> {
        Some((HeaderName::from_static("x-api-key"), secret_value(secret.expose())?))
    }

    fn headers(&self, client: &HeaderMap, _model: &str) -> Vec<(HeaderName, HeaderValue)> {
        let version = client.get(VERSION).cloned().unwrap_or(DEFAULT_VERSION);
        let mut headers = vec![(VERSION, version)];
        headers.extend(betas(client).map(|value| (BETA, value.clone())));
        headers
    }
}

/// The beta flags a caller asks for, each a list with commas.
pub(super) fn betas(client: &HeaderMap) -> impl Iterator<Item = &HeaderValue> {
    client.get_all(BETA).iter().chain(client.get_all(BETA_ALIAS))
}
