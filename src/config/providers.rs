//! `[providers.<name>]`: the services requests go to.
//!
//! Read by `providers`, `upstream` and `routing` when a snapshot is built. Credentials are only
//! referenced here; [`super::resolve_secrets`] reads them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::base_url::BaseUrl;
use super::secret_ref::{ProviderKey, SecretRef};

/// One provider: an account at a service that serves models. A provider named as a known one
/// (`openai`, `groq`, … see docs/providers.md) has what is not written here from there.
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderConfig {
    /// The wire format the provider speaks. Omitted: as known by name or by `kind`; with `vertex`
    /// that of each model's maker.
    pub format: Option<ProviderFormat>,
    /// Where its API starts, like `https://api.openai.com/v1`. A loopback address may be written
    /// literally; other private addresses need `private_network`. Omitted: as known by name, or
    /// the cloud's own address in `region`.
    pub base_url: Option<BaseUrl>,
    /// Pool of credentials, used in turn. `[]`: none is sent. Omitted: the environment variable
    /// known by the provider's name, if it is set. If none can be read, the provider is disabled
    /// with a warning.
    pub keys: Option<Vec<ProviderKey>>,
    /// How it is reached and authorised: `standard` (an API key, at the paths of the format),
    /// `azure` (Azure OpenAI), `bedrock` (Amazon Bedrock) or `vertex` (Google Vertex AI). Omitted:
    /// as known by name; `bedrock` with the format of that name; else `standard`.
    pub kind: Option<ProviderKind>,
    /// How an OpenAI-compatible provider differs from OpenAI: the name of a known provider.
    /// Omitted: the provider's own name, if that is known; else like OpenAI.
    pub dialect: Option<String>,
    /// `azure`: the API version, such as `2024-10-21`. Omitted: the version-less `/openai/v1` paths.
    pub api_version: Option<String>,
    /// `bedrock`, `vertex`: the region, such as `eu-central-1` or `europe-west4`. Omitted:
    /// `$AWS_REGION` or `$AWS_DEFAULT_REGION`; `$GOOGLE_CLOUD_LOCATION` or `global`.
    pub region: Option<String>,
    /// `vertex`: the project. Omitted: `$GOOGLE_CLOUD_PROJECT`, or that of the service account.
    pub project: Option<String>,
    /// `vertex`: the JSON file of a service account. Omitted: the file that
    /// `$GOOGLE_APPLICATION_CREDENTIALS` names.
    pub credentials: Option<SecretRef>,
    /// `bedrock`: the id of the access key. Without it and without `keys`:
    /// `$AWS_BEARER_TOKEN_BEDROCK`, or `$AWS_ACCESS_KEY_ID`, `$AWS_SECRET_ACCESS_KEY` and
    /// `$AWS_SESSION_TOKEN`.
    pub access_key_id: Option<SecretRef>,
    /// `bedrock`: the secret access key.
    pub secret_access_key: Option<SecretRef>,
    /// `bedrock`: the session token of a temporary access key.
    pub session_token: Option<SecretRef>,
    /// Other names a request may use for this provider.
    pub aliases: Vec<String>,
    /// How long each step of a request may take.
    pub timeouts: Timeouts,
    /// Whether the provider stops working, and charging, when the connection is closed. Otherwise
    /// an abandoned stream is read to its end to learn its real usage.
    pub honours_cancel: bool,
    /// What the provider does with prompts; matched against the caller's data policy.
    pub data_policy: DataPolicy,
    /// Whether its credentials belong to the callers' own contract with the provider: the cost is
    /// recorded, but neither the account nor, by default, a key's limit is charged.
    pub byok: bool,
    /// Whether a missing credential is an error instead of a warning.
    pub required: bool,
    /// HTTP version: `auto` (negotiated over TLS, HTTP/1.1 without), `never`, or `always` (without
    /// TLS: HTTP/2 with prior knowledge).
    pub http2: Http2,
    /// Certificate authority in PEM, trusted for this provider in addition to the public ones.
    #[schemars(with = "Option<String>")]
    pub ca_file: Option<PathBuf>,
    /// Headers added to every request, such as `OpenAI-Organization`. Never credentials.
    pub headers: BTreeMap<String, String>,
    /// Whether the provider may live on a private or loopback address.
    pub private_network: bool,
}

impl Default for ProviderConfig {
    fn default() -> Self {
        Self {
            format: None,
            base_url: None,
            keys: None,
            kind: None,
            dialect: None,
            api_version: None,
            region: None,
            project: None,
            credentials: None,
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            aliases: Vec::new(),
            timeouts: Timeouts::default(),
            honours_cancel: true,
            data_policy: DataPolicy::default(),
            byok: false,
            required: false,
            http2: Http2::default(),
            ca_file: None,
            headers: BTreeMap::new(),
            private_network: false,
        }
    }
}

/// The wire format a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderFormat {
    /// OpenAI's chat API and everything compatible with it.
    Openai,
    /// OpenAI's Responses API.
    Responses,
    /// Anthropic's Messages API.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
    /// Amazon Bedrock's Converse API.
    Bedrock,
}

/// How a provider is reached and authorised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// By an API key, at the paths that go with the format.
    #[default]
    Standard,
    /// Azure OpenAI: deployments in the path.
    Azure,
    /// Amazon Bedrock: signed requests.
    Bedrock,
    /// Google Vertex AI: a service account.
    Vertex,
}

impl ProviderConfig {
    /// The credentials of the pool, if it has any.
    pub fn pool(&self) -> &[ProviderKey] {
        self.keys.as_deref().unwrap_or_default()
    }

    /// How it is reached and authorised, when that is settled.
    pub fn kind(&self) -> ProviderKind {
        self.kind.unwrap_or_default()
    }

    /// The secrets of its own besides the pool, by key: those that are written or taken from the
    /// environment.
    pub fn account_secrets(&self) -> impl Iterator<Item = (&'static str, &SecretRef)> {
        let secrets = [
            ("credentials", &self.credentials),
            ("access_key_id", &self.access_key_id),
            ("secret_access_key", &self.secret_access_key),
            ("session_token", &self.session_token),
        ];
        secrets.into_iter().filter_map(|(key, reference)| Some((key, reference.as_ref()?)))
    }

    /// The same, to be changed.
    pub(super) fn account_secrets_mut(
        &mut self,
    ) -> impl Iterator<Item = (&'static str, &mut SecretRef)> {
        let secrets = [
            ("credentials", &mut self.credentials),
            ("access_key_id", &mut self.access_key_id),
            ("secret_access_key", &mut self.secret_access_key),
            ("session_token", &mut self.session_token),
        ];
        secrets.into_iter().filter_map(|(key, reference)| Some((key, reference.as_mut()?)))
    }

    /// The secrets without which it cannot be called, of those in [`Self::account_secrets`].
    pub fn needed_secrets(&self) -> &'static [&'static str] {
        match self.kind() {
            ProviderKind::Vertex => &["credentials"],
            ProviderKind::Bedrock if self.pool().is_empty() => {
                &["access_key_id", "secret_access_key"]
            }
            ProviderKind::Bedrock | ProviderKind::Standard | ProviderKind::Azure => &[],
        }
    }
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
    /// Connecting; TLS gets as long again.
    pub connect_ms: u64,
    /// From the end of the request to the first byte of the answer; omitted: a minute for a stream, `total_ms` for a whole answer, whose first byte often comes with its last.
    pub first_byte_ms: Option<u64>,
    /// From the first byte of a stream to its first token.
    pub first_token_ms: u64,
    /// Between two pieces of an answer.
    pub idle_ms: u64,
    /// The whole request, over all attempts; no attempt begins or goes on after it.
    pub total_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect_ms: 2_000,
            first_byte_ms: None,
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
    /// Days prompts are kept; omitted: unknown, which counts as kept.
    pub retains_days: Option<u32>,
}

impl DataPolicy {
    /// Whether prompts may be stored or learned from. What is not known counts as stored.
    pub fn may_store(self) -> bool {
        self.trains || !(self.zdr || self.retains_days == Some(0))
    }
}
