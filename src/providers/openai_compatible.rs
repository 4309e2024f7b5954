//! Every provider that speaks OpenAI's chat format; they differ by configuration only.

use super::{UpstreamCall, Vendor, bearer};
use crate::formats::ApiFormat;
use crate::secret::Secret;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};

/// Speaks `POST {base}/chat/completions` with a bearer token.
#[derive(Debug, Clone, Copy)]
pub struct OpenAiCompatible;

impl Vendor for OpenAiCompatible {
    fn format(&self, _model: &str) -> ApiFormat {
        ApiFormat::OpenAiChat
    }

    fn path(&self, call: UpstreamCall, _model: &str) -> Option<String> {
        match call {
            UpstreamCall::Chat | UpstreamCall::ChatStream => Some("/chat/completions".into()),
            UpstreamCall::Embeddings => Some("/embeddings".into()),
            UpstreamCall::ChatArray | UpstreamCall::CountTokens => None,
        }
    }

    fn credential(&self, secret: &Secret) -> Option<(HeaderName, HeaderValue)> {
        Some((AUTHORIZATION, bearer(secret.expose())?))
    }
}

/// Speaks `POST {base}/responses` with a bearer token.
#[derive(Debug, Clone, Copy)]
pub struct OpenAiResponses;

impl Vendor for OpenAiResponses {
    fn format(&self, _model: &str) -> ApiFormat {
        ApiFormat::OpenAiResponses
    }

    fn path(&self, call: UpstreamCall, model: &str) -> Option<String> {
        match call {
            UpstreamCall::Chat | UpstreamCall::ChatStream => Some("/responses".into()),
            other => OpenAiCompatible.path(other, model),
        }
    }

    fn credential(&self, secret: &Secret) -> Option<(HeaderName, HeaderValue)> {
        OpenAiCompatible.credential(secret)
    }
}
