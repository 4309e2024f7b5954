//! How to talk to one vendor: where its endpoints are, how it wants to be authorised, and what
//! its errors mean.
//!
//! A provider entry of the configuration names a wire format; the vendor of that format knows the
//! rest. A vendor with its own paths or signing is one file here ([`azure`], [`bedrock`],
//! [`vertex`]), made by `server::build` from what the entry says.

pub mod anthropic;
pub mod google;
pub mod key_pool;
pub mod known;
pub mod openai_compatible;
pub mod provider;
pub mod retry_after;

pub mod azure;
pub mod bedrock;
pub mod vertex;

pub mod body_edit;
pub mod google_account;
pub mod google_token;
pub mod sigv4;

pub use body_edit::BodyEdit;
pub use key_pool::{KeyPool, ProviderKey};
pub use provider::{Provider, Timeouts};
pub use retry_after::retry_after;

use crate::error::{Blame, GatewayError, Kind, Retry};
use crate::formats::{ApiFormat, Framing, UpstreamFailure};
use crate::secret::Secret;
use google_token::TokenSource;
use http::{HeaderMap, HeaderName, HeaderValue};
use sigv4::Signer;
use std::sync::Arc;
use std::time::Duration;

/// What is asked of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UpstreamCall {
    /// A chat answer, whole.
    Chat,
    /// A chat answer, streamed as server-sent events.
    ChatStream,
    /// A chat answer, streamed as a JSON array (Gemini only).
    ChatArray,
    /// Embeddings.
    Embeddings,
    /// The number of tokens a request has.
    CountTokens,
}

/// Everything that differs between vendors.
pub trait Vendor: Send + Sync {
    /// Wire format in which it serves a model; for an empty name the one that is its own.
    fn format(&self, model: &str) -> ApiFormat;

    /// Format of its error answers, which a cloud words itself.
    fn error_format(&self, model: &str) -> ApiFormat {
        self.format(model)
    }

    /// Path and query of a call below the provider's base path; `None` if it has no such call.
    fn path(&self, call: UpstreamCall, model: &str) -> Option<String>;

    /// The header that carries one of the provider's keys.
    fn credential(&self, secret: &Secret) -> Option<(HeaderName, HeaderValue)>;

    /// How requests are authorised.
    fn authorization(&self) -> Authorization<'_> {
        Authorization::Key
    }

    /// Headers every request needs; `client` are the caller's, from which some are passed on.
    fn headers(&self, _client: &HeaderMap, _model: &str) -> Vec<(HeaderName, HeaderValue)> {
        Vec::new()
    }

    /// What the body says differently from the format's own.
    fn body_edit(&self, _call: UpstreamCall, _model: &str, _client: &HeaderMap) -> BodyEdit {
        BodyEdit::default()
    }

    /// How the events of a streamed answer are told apart.
    fn stream_framing(&self) -> Framing {
        Framing::Sse
    }
}

/// How requests are authorised.
#[derive(Debug, Clone, Copy)]
pub enum Authorization<'a> {
    /// By one of the provider's keys, if it has any.
    Key,
    /// By a token that is fetched and renewed.
    Token(&'a TokenSource),
    /// By a signature over the whole request.
    Signature(&'a Signer),
}

/// The vendor that speaks a format at its own address.
pub fn vendor(format: ApiFormat) -> Arc<dyn Vendor> {
    match format {
        ApiFormat::OpenAiChat | ApiFormat::Completions | ApiFormat::Bedrock => {
            Arc::new(openai_compatible::OpenAiCompatible)
        }
        ApiFormat::OpenAiResponses => Arc::new(openai_compatible::OpenAiResponses),
        ApiFormat::Anthropic => Arc::new(anthropic::Anthropic),
        ApiFormat::Gemini => Arc::new(google::Google),
    }
}

/// A model name as part of a path: whatever could end the segment or start a query is escaped, so
/// that a name never reaches another endpoint of the provider.
fn path_segment(model: &str) -> String {
    use std::fmt::Write;
    let mut segment = String::with_capacity(model.len());
    for byte in model.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'@') {
            segment.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(segment, "%{byte:02X}").unwrap_or_default();
        }
    }
    segment
}

/// A secret as the value of `Authorization`.
fn bearer(secret: &str) -> Option<HeaderValue> {
    secret_value(&format!("Bearer {secret}"))
}

/// A key as a header value that is never printed.
fn secret_value(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Longest message of a provider that is shown to a caller, in characters.
const MAX_PROVIDER_MESSAGE_CHARS: usize = 1000;
/// Longest wait a provider can ask for; more is a mistake or an attack.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(1);

/// What a provider's error answer means for the caller and for failover.
///
/// The provider's refusal of *our* key is not the caller's fault and never shows as 401; its 5xx
/// texts are hidden, its 4xx texts are the caller's to read.
pub fn classify(failure: UpstreamFailure, retry_after: Option<Duration>) -> GatewayError {
    let wait = retry_after.or(failure.retry_after).map(|wait| wait.min(MAX_RETRY_AFTER));
    let provider_text = failure.message.as_deref().map(shortened);
    let detail = provider_text.clone().unwrap_or_default();
    let mut error = match failure.kind {
        Kind::Authentication | Kind::PermissionDenied | Kind::PaymentRequired => {
            GatewayError::upstream(Kind::ProviderUnavailable, "the provider refused the request")
                .with_retry(Retry::OtherKey)
        }
        Kind::RateLimitExceeded => {
            GatewayError::upstream(failure.kind, "the provider's rate limit is exceeded")
                .with_retry(Retry::OtherKey)
                .with_retry_after(wait)
        }
        Kind::ProviderOverloaded => {
            GatewayError::upstream(failure.kind, "the provider is overloaded")
                .with_retry_after(wait)
        }
        Kind::Server | Kind::ProviderUnavailable => {
            GatewayError::upstream(Kind::ProviderUnavailable, "upstream request failed")
        }
        Kind::Timeout | Kind::RequestTimeout => {
            GatewayError::upstream(Kind::Timeout, "the provider timed out")
        }
        kind => {
            let text = provider_text.unwrap_or_else(|| "the provider rejected the request".into());
            let is_the_models =
                matches!(kind, Kind::ContextLengthExceeded | Kind::ContentPolicyViolation);
            let mut error = GatewayError::client(kind, text);
            error.blame = Blame::Client;
            error.retry = if is_the_models { Retry::OtherModel } else { Retry::Never };
            error
        }
    };
    error.provider_kind = Some(failure.kind);
    error.provider_code = failure.code.map(Into::into);
    error.with_detail(detail)
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_PROVIDER_MESSAGE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_key_refused_is_not_the_callers_fault() {
        for kind in [Kind::Authentication, Kind::PermissionDenied, Kind::PaymentRequired] {
            let failure = UpstreamFailure {
                kind,
                code: None,
                message: Some("bad key sk-secret".into()),
                retry_after: None,
            };
            let error = classify(failure, None);
            assert_eq!(error.kind, Kind::ProviderUnavailable);
            assert_eq!(error.retry, Retry::OtherKey);
            assert!(!error.message.contains("sk-secret"));
        }
    }
}
