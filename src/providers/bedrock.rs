//! Amazon Bedrock: the model is in the path, requests are signed, streams come in binary frames.
//!
//! Made by `server::build`. Models are called through Converse, or, where the entry says
//! `format = "anthropic"`, through invoke with the body of Anthropic's own API, which keeps
//! everything an Anthropic client says. With keys (Bedrock API keys) nothing is signed.

use super::sigv4::Signer;
use super::{Authorization, BodyEdit, UpstreamCall, Vendor, anthropic, bearer, path_segment};
use crate::formats::{ApiFormat, Framing};
use crate::json::string_literal;
use crate::secret::Secret;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The version of Anthropic's API that invoke speaks.
const ANTHROPIC_VERSION: Bytes = Bytes::from_static(b"\"bedrock-2023-05-31\"");

/// The service's name in signatures.
pub const SERVICE: &str = "bedrock";

/// Bedrock in one region.
#[derive(Debug)]
pub struct Bedrock {
    format: ApiFormat,
    signer: Option<Signer>,
}

impl Bedrock {
    /// Bedrock through Converse, or through invoke for Anthropic's format; `None` signs nothing.
    pub fn new(format: ApiFormat, signer: Option<Signer>) -> Self {
        Self { format, signer }
    }

    fn invokes(&self) -> bool {
        self.format == ApiFormat::Anthropic
    }
}

impl Vendor for Bedrock {
    fn format(&self, _model: &str) -> ApiFormat {
        self.format
    }

    fn error_format(&self, _model: &str) -> ApiFormat {
        ApiFormat::Bedrock
    }

    fn path(&self, call: UpstreamCall, model: &str) -> Option<String> {
        let action = match (call, self.invokes()) {
            (UpstreamCall::Chat, false) => "converse",
            (UpstreamCall::ChatStream, false) => "converse-stream",
            (UpstreamCall::Chat, true) => "invoke",
            (UpstreamCall::ChatStream, true) => "invoke-with-response-stream",
            (UpstreamCall::ChatArray | UpstreamCall::Embeddings | UpstreamCall::CountTokens, _) => {
                return None;
            }
        };
        Some(format!("/model/{}/{action}", path_segment(model)))
    }

    fn credential(&self, secret: &Secret) -> Option<(HeaderName, HeaderValue)> {
        Some((AUTHORIZATION, bearer(secret.expose())?))
    }

    fn authorization(&self) -> Authorization<'_> {
        self.signer.as_ref().map_or(Authorization::Key, Authorization::Signature)
    }

    fn body_edit(&self, _call: UpstreamCall, _model: &str, client: &HeaderMap) -> BodyEdit {
        if !self.invokes() {
            return BodyEdit::default();
        }
        let mut add = vec![("anthropic_version", ANTHROPIC_VERSION)];
        let flags: Vec<Bytes> = anthropic::betas(client)
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .map(|flag| string_literal(flag.trim()))
            .collect();
        if !flags.is_empty() {
            let list = [b"[".as_slice(), &flags.join(&b','), b"]"].concat();
            add.push(("anthropic_beta", list.into()));
        }
        BodyEdit { remove: &["model", "stream"], add }
    }

    fn stream_framing(&self) -> Framing {
        Framing::EventStream
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        use UpstreamCall::{Chat, ChatStream, CountTokens};
        let model = "us.amazon.nova-micro-v1:0";
        for (format, call, expected) in [
            (ApiFormat::Bedrock, Chat, Some("/model/us.amazon.nova-micro-v1%3A0/converse")),
            (
                ApiFormat::Bedrock,
                ChatStream,
                Some("/model/us.amazon.nova-micro-v1%3A0/converse-stream"),
            ),
            (ApiFormat::Anthropic, Chat, Some("/model/us.amazon.nova-micro-v1%3A0/invoke")),
            (
                ApiFormat::Anthropic,
                ChatStream,
                Some("/model/us.amazon.nova-micro-v1%3A0/invoke-with-response-stream"),
            ),
            (ApiFormat::Bedrock, CountTokens, None),
        ] {
            let path = Bedrock::new(format, None).path(call, model);
            assert_eq!(path.as_deref(), expected, "{format:?} {call:?}");
        }
        let arn = "arn:aws:bedrock:us-east-1:1:inference-profile/x";
        let path = Bedrock::new(ApiFormat::Bedrock, None).path(Chat, arn);
        assert!(
            path.unwrap().contains("/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fx/")
        );
    }

    #[test]
    fn beta_flags_move_from_the_header_into_the_body() {
        let mut client = HeaderMap::new();
        client.append("anthropic-beta", HeaderValue::from_static("a-1, b\"2"));
        client.append("anthropic-beta", HeaderValue::from_static("c-3"));
        let vendor = Bedrock::new(ApiFormat::Anthropic, None);
        let edit = vendor.body_edit(UpstreamCall::Chat, "m", &client);
        let body = Bytes::from_static(br#"{"model":"m","stream":true,"max_tokens":1}"#);
        let expected = r#"{"max_tokens":1,"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["a-1","b\"2","c-3"]}"#;
        assert_eq!(edit.apply(body.into()).unwrap().to_bytes(), expected);
        let converse = Bedrock::new(ApiFormat::Bedrock, None);
        assert_eq!(converse.body_edit(UpstreamCall::Chat, "m", &client), BodyEdit::default());
    }
}
