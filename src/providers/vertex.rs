//! Google Vertex AI: project, location and publisher are in the path, a service account authorises.
//!
//! Made by `server::build`. Gemini models speak Gemini's format; Claude speaks Anthropic's, with
//! the model out of the body and a version in it; the models of others speak OpenAI's at one
//! endpoint. Which it is follows from the model unless the entry fixes a format.

use super::google_token::TokenSource;
use super::{Authorization, BodyEdit, UpstreamCall, Vendor, anthropic, google, path_segment};
use crate::formats::ApiFormat;
use crate::secret::Secret;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The version of Anthropic's API that Vertex speaks.
const ANTHROPIC_VERSION: Bytes = Bytes::from_static(b"\"vertex-2023-10-16\"");

/// One project at one location.
#[derive(Debug)]
pub struct Vertex {
    format: Option<ApiFormat>,
    parent: String,
    tokens: TokenSource,
}

impl Vertex {
    /// A project at a location; without a format each model speaks its maker's.
    pub fn new(
        (project, location): (&str, &str),
        format: Option<ApiFormat>,
        tokens: TokenSource,
    ) -> Self {
        let (project, location) = (path_segment(project), path_segment(location));
        Self { format, parent: format!("/v1/projects/{project}/locations/{location}"), tokens }
    }

    fn anthropic_path(&self, call: UpstreamCall, model: &str) -> Option<String> {
        let (model, action) = match call {
            UpstreamCall::Chat => (bare(model), "rawPredict"),
            UpstreamCall::ChatStream => (bare(model), "streamRawPredict"),
            UpstreamCall::CountTokens => ("count-tokens", "rawPredict"),
            UpstreamCall::ChatArray | UpstreamCall::Embeddings => return None,
        };
        let Self { parent, .. } = self;
        Some(format!("{parent}/publishers/anthropic/models/{}:{action}", path_segment(model)))
    }
}

/// A model without its publisher, which a name may begin with.
fn bare(model: &str) -> &str {
    let prefixes = ["google/", "anthropic/"];
    prefixes.iter().find_map(|prefix| model.strip_prefix(prefix)).unwrap_or(model)
}

impl Vendor for Vertex {
    fn format(&self, model: &str) -> ApiFormat {
        if let Some(format) = self.format {
            return format;
        }
        match model.split_once('/') {
            Some(("anthropic", _)) => ApiFormat::Anthropic,
            None if model.starts_with("claude") => ApiFormat::Anthropic,
            None | Some(("google", _)) => ApiFormat::Gemini,
            Some(_) => ApiFormat::OpenAiChat,
        }
    }

    fn path(&self, call: UpstreamCall, model: &str) -> Option<String> {
        let Self { parent, .. } = self;
        match (self.format(model), call) {
            (ApiFormat::Anthropic, _) => self.anthropic_path(call, model),
            (ApiFormat::Gemini, UpstreamCall::Embeddings) => None,
            (ApiFormat::Gemini, _) => {
                let (model, method) = (path_segment(bare(model)), google::method(call));
                Some(format!("{parent}/publishers/google/models/{model}:{method}"))
            }
            (ApiFormat::OpenAiChat, UpstreamCall::Chat | UpstreamCall::ChatStream) => {
                Some(format!("{parent}/endpoints/openapi/chat/completions"))
            }
            _ => None,
        }
    }

    fn credential(&self, _secret: &Secret) -> Option<(HeaderName, HeaderValue)> {
        None
    }

    fn authorization(&self) -> Authorization<'_> {
        Authorization::Token(&self.tokens)
    }

    fn headers(&self, client: &HeaderMap, model: &str) -> Vec<(HeaderName, HeaderValue)> {
        if self.format(model) != ApiFormat::Anthropic {
            return Vec::new();
        }
        anthropic::betas(client).map(|value| (anthropic::BETA, value.clone())).collect()
    }

    fn body_edit(&self, call: UpstreamCall, model: &str, _client: &HeaderMap) -> BodyEdit {
        match (self.format(model), call) {
            (ApiFormat::Anthropic, UpstreamCall::CountTokens) => {
                BodyEdit { remove: &[], add: vec![("anthropic_version", ANTHROPIC_VERSION)] }
            }
            // Whether it streams is read from the body too.
            (ApiFormat::Anthropic, _) => {
                BodyEdit { remove: &["model"], add: vec![("anthropic_version", ANTHROPIC_VERSION)] }
            }
            _ => BodyEdit::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::google_token::tests::source;

    fn vertex(format: Option<ApiFormat>) -> Vertex {
        Vertex::new(("my-project", "europe-west4"), format, source("http://127.0.0.1:1/token"))
    }

    #[test]
    fn a_model_is_called_in_its_makers_format() {
        use UpstreamCall::{Chat, ChatArray, ChatStream, CountTokens};
        let cases = [
            ("gemini-2.5-flash", Chat, "publishers/google/models/gemini-2.5-flash:generateContent"),
            (
                "google/gemini-2.5-pro",
                ChatStream,
                "publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
            ),
            (
                "gemini-2.5-pro",
                ChatArray,
                "publishers/google/models/gemini-2.5-pro:streamGenerateContent",
            ),
            ("gemini-2.5-pro", CountTokens, "publishers/google/models/gemini-2.5-pro:countTokens"),
            (
                "claude-sonnet-4@20250514",
                Chat,
                "publishers/anthropic/models/claude-sonnet-4@20250514:rawPredict",
            ),
            (
                "anthropic/claude-haiku-4-5",
                ChatStream,
                "publishers/anthropic/models/claude-haiku-4-5:streamRawPredict",
            ),
            (
                "claude-haiku-4-5",
                CountTokens,
                "publishers/anthropic/models/count-tokens:rawPredict",
            ),
            ("meta/llama-4-maverick", Chat, "endpoints/openapi/chat/completions"),
        ];
        for (model, call, expected) in cases {
            let path = vertex(None).path(call, model).unwrap();
            let parent = "/v1/projects/my-project/locations/europe-west4/";
            assert_eq!(path, format!("{parent}{expected}"), "{model}");
        }
        assert_eq!(vertex(None).path(UpstreamCall::Embeddings, "gemini-embedding-001"), None);
        let fixed = vertex(Some(ApiFormat::Anthropic));
        assert!(
            fixed.path(Chat, "my-own").unwrap().ends_with("anthropic/models/my-own:rawPredict")
        );
    }
}
