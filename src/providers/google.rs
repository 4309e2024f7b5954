//! Google's Gemini API: the model is in the path, the key in `x-goog-api-key`.

use super::{UpstreamCall, Vendor, secret_value};
use crate::formats::ApiFormat;
use crate::secret::Secret;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Speaks `POST {base}/v1beta/models/{model}:generateContent`.
#[derive(Debug, Clone, Copy)]
pub struct Google;

impl Vendor for Google {
    fn format(&self) -> ApiFormat {
        ApiFormat::Gemini
    }

    fn path(&self, call: UpstreamCall, model: &str) -> Option<String> {
        let (action, query) = match call {
            UpstreamCall::Chat => ("generateContent", ""),
            UpstreamCall::ChatStream => ("streamGenerateContent", "?alt=sse"),
            UpstreamCall::ChatArray => ("streamGenerateContent", ""),
            UpstreamCall::Embeddings => ("batchEmbedContents", ""),
            UpstreamCall::CountTokens => ("countTokens", ""),
        };
        Some(format!("/v1beta/models/{}:{action}{query}", path_segment(model)))
    }

    fn credential(&self, secret: &Secret) -> Option<(HeaderName, HeaderValue)> {
        Some((HeaderName::from_static("x-goog-api-key"), secret_value(secret.expose())?))
    }

    fn headers(&self, _client: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
        Vec::new()
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
