//! `[providers.<name>]`: the services requests go to.
//!
//! Read by `providers`, `upstream` and `routing` when a snapshot is built. Credentials are only
//! referenced here; [`super::resolve_secrets`] reads them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::base_url::BaseUrl;
use super::secret_ref::ProviderKey;

/// One provider: an account at a service that serves models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    /// The wire format the provider speaks: `openai`, `responses`, `anthropic`
    /// or `gemini`.
    pub format: ProviderFormat,
    /// Where its API starts, like `https://api.openai.com/v1`. A loopback address may be written
    /// literally; other private addresses need `private_network`.
    pub base_url: BaseUrl,
    /// Pool of credentials, used in turn. Empty: none is sent. If none can be read, the provider is
    /// disabled with a warning.
    #[serde(default)]
    pub keys: Vec<ProviderKey>,
    /// Other names a request may use for this provider.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// How long each step of a request may take.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// Whether the provider stops working, and charging, when the connection is closed. Otherwise
    /// an abandoned stream is read to its end to learn its real usage.
    #[serde(default = "yes")]
    pub honours_cancel: bool,
    /// What the provider does with prompts; matched against the caller's data policy. Not
    /// enforced by this version.
    #[serde(default)]
    pub data_policy: DataPolicy,
    /// Whether a missing credential is an error instead of a warning.
    #[serde(default)]
    pub required: bool,
    /// HTTP version: `auto` (negotiated over TLS, HTTP/1.1 without), `never`, or `always` (without
    /// TLS: HTTP/2 with prior knowledge).
    #[serde(default)]
    pub http2: Http2,
    /// Certificate authority in PEM, trusted for this provider in addition to the public ones.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub ca_file: Option<PathBuf>,
    /// Headers added to every request, such as `OpenAI-Organization`. Never credentials.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Whether the provider may live on a private or loopback address.
    #[serde(default)]
    pub private_network: bool,
}

/// The wire format a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderFormat {
    /// OpenAI's API and everything compatible with it.
    Openai,
    /// OpenAI's Responses API.
    Responses,
    /// Anthropic's Messages API.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
}

/// How the HTTP version towards a provider is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Http2 {
    /// Negotiated over TLS, HTTP/1.1 over plain TCP.
    #[default]
    Auto,
    /// Always HTTP/1.1.
    Never,
    /// Always HTTP/2; with prior knowledge over plain TCP.
    Always,
}

/// How long each step of a request may take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// Connecting, TLS included.
    pub connect_ms: u64,
    /// From the end of the request to the first byte of the answer.
    pub first_byte_ms: u64,
    /// From the end of the request to the first token of a stream.
    pub first_token_ms: u64,
    /// Between two pieces of an answer.
    pub idle_ms: u64,
    /// The whole request.
    pub total_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect_ms: 2_000,
            first_byte_ms: 60_000,
            first_token_ms: 60_000,
            idle_ms: 60_000,
            total_ms: 600_000,
        }
    }
}

/// What a provider does with prompts and answers, as its contract says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DataPolicy {
    /// Zero data retention is agreed.
    pub zdr: bool,
    /// Prompts may be used for training.
    pub trains: bool,
    /// Days prompts are kept; omitted: unknown.
    pub retains_days: Option<u32>,
}

fn yes() -> bool {
    true
}
