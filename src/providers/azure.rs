//! Azure OpenAI: the deployment is in the path, the key in `api-key`.
//!
//! Made by `server::build`. Without an API version the version-less `/openai/v1` paths are called,
//! which are OpenAI's own; an address that ends in `/models` is the endpoint for models of all
//! makers, which take the model from the body.

use super::{UpstreamCall, Vendor, path_segment, secret_value};
use crate::formats::ApiFormat;
use crate::secret::Secret;
use http::{HeaderName, HeaderValue};

/// API versions of the version-less paths, which go into their query.
const UNVERSIONED: [&str; 3] = ["v1", "preview", "latest"];

/// One resource of Azure OpenAI.
#[derive(Debug, Clone)]
pub struct Azure {
    format: ApiFormat,
    api_version: Option<String>,
    paths: Paths,
}

/// Where a resource has its models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paths {
    /// `/openai/v1/chat/completions`.
    Unversioned,
    /// `/openai/deployments/{model}/chat/completions`.
    Deployments,
    /// `/models/chat/completions`.
    Models,
}

impl Azure {
    /// A resource that speaks `format` (chat or responses); `base_path` is the path of its address.
    pub fn new(format: ApiFormat, api_version: Option<&str>, base_path: &str) -> Self {
        let paths = match api_version {
            Some(_) if base_path.ends_with("/models") => Paths::Models,
            Some(version) if !UNVERSIONED.contains(&version) => Paths::Deployments,
            _ => Paths::Unversioned,
        };
        Self { format, api_version: api_version.map(str::to_owned), paths }
    }

    /// The part of an address's path that calls do not repeat: people write it with `/openai`,
    /// with `/openai/v1` and without.
    pub fn base_path(base_path: &str) -> &str {
        let shortened = base_path.strip_suffix("/v1").unwrap_or(base_path);
        match shortened.strip_suffix("/openai") {
            Some(before) => before,
            None => base_path,
        }
    }
}

impl Vendor for Azure {
    fn format(&self, _model: &str) -> ApiFormat {
        self.format
    }

    fn path(&self, call: UpstreamCall, model: &str) -> Option<String> {
        let operation = match (call, self.format) {
            (UpstreamCall::Chat | UpstreamCall::ChatStream, ApiFormat::OpenAiResponses) => {
                "responses"
            }
            (UpstreamCall::Chat | UpstreamCall::ChatStream, _) => "chat/completions",
            (UpstreamCall::Embeddings, _) => "embeddings",
            (UpstreamCall::ChatArray | UpstreamCall::CountTokens, _) => return None,
        };
        let mut path = match self.paths {
            Paths::Unversioned => format!("/openai/v1/{operation}"),
            Paths::Models => format!("/{operation}"),
            // Responses were never below a deployment.
            Paths::Deployments if operation == "responses" => "/openai/responses".to_owned(),
            Paths::Deployments => {
                format!("/openai/deployments/{}/{operation}", path_segment(model))
            }
        };
        if let Some(version) = &self.api_version {
            path.extend(["?api-version=", &path_segment(version)]);
        }
        Some(path)
    }

    fn credential(&self, secret: &Secret) -> Option<(HeaderName, HeaderValue)> {
        Some((HeaderName::from_static("api-key"), secret_value(secret.expose())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        use UpstreamCall::{Chat, CountTokens, Embeddings};
        let (chat, responses) = (ApiFormat::OpenAiChat, ApiFormat::OpenAiResponses);
        let dated = Some("2024-10-21");
        let cases = [
            (chat, None, "", Chat, Some("/openai/v1/chat/completions")),
            (responses, None, "/openai/v1", Chat, Some("/openai/v1/responses")),
            (
                chat,
                Some("preview"),
                "",
                Chat,
                Some("/openai/v1/chat/completions?api-version=preview"),
            ),
            (
                chat,
                dated,
                "",
                Chat,
                Some("/openai/deployments/a%2Fb/chat/completions?api-version=2024-10-21"),
            ),
            (
                chat,
                dated,
                "",
                Embeddings,
                Some("/openai/deployments/a%2Fb/embeddings?api-version=2024-10-21"),
            ),
            (responses, dated, "", Chat, Some("/openai/responses?api-version=2024-10-21")),
            (chat, dated, "/models", Chat, Some("/chat/completions?api-version=2024-10-21")),
            (chat, None, "", CountTokens, None),
        ];
        for (format, version, base, call, expected) in cases {
            let path = Azure::new(format, version, base).path(call, "a/b");
            assert_eq!(path.as_deref(), expected, "{format:?} {version:?} {base} {call:?}");
        }
    }

    #[test]
    fn an_address_may_be_written_with_the_path_of_the_api() {
        for (written, base) in [
            ("", ""),
            ("/openai", ""),
            ("/openai/v1", ""),
            ("/gateway/openai/v1", "/gateway"),
            ("/models", "/models"),
            ("/v1", "/v1"),
        ] {
            assert_eq!(Azure::base_path(written), base, "{written}");
        }
    }
}
