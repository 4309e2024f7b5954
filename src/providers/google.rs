//! Google's Gemini API: the model is in the path, the key in `x-goog-api-key`.

use super::{UpstreamCall, Vendor, path_segment, secret_value};
use crate::formats::ApiFormat;
use crate::secret::Secret;
use http::{HeaderName, HeaderValue};

/// Speaks `POST {base}/v1beta/models/{model}:generateContent`.
#[derive(Debug, Clone, Copy)]
pub struct Google;

/// What is asked of a model, as the end of its path.
pub(super) fn method(call: UpstreamCall) -> &'static str {
    match call {
        UpstreamCall::Chat => "generateContent",
        UpstreamCall::ChatStream => "streamGenerateContent?alt=sse",
        UpstreamCall::ChatArray => "streamGenerateContent",
        UpstreamCall::Embeddings => "batchEmbedContents",
        UpstreamCall::CountTokens => "countTokens",
    }
}

impl Vendor for Google {
    fn format(&self, _model: &str) -> ApiFormat {
        ApiFormat::Gemini
    }

    fn path(&self, call: UpstreamCall, model: &str) -> Option<String> {
        Some(format!("/v1beta/models/{}:{}", path_segment(model), method(call)))
    }

    fn credential(&self, secret: &Secret) -> Option<(HeaderName, HeaderValue)> {
        Some((HeaderName::from_static("x-goog-api-key"), secret_value(secret.expose())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_name_cannot_leave_its_segment() {
        let path = Google.path(UpstreamCall::Chat, "../../x?key=1#/y");
        assert_eq!(
            path.as_deref(),
            Some("/v1beta/models/..%2F..%2Fx%3Fkey%3D1%23%2Fy:generateContent")
        );
    }
}
