//! The record of one request: who asked, who answered, what it took and what it cost.
//!
//! Made once, in `proxy/settle.rs`; written to the journal before the last byte of the answer is
//! released, then copied to the store. Never holds prompt or answer text. It lives here, below
//! `usage` that fills it, because the store keeps it.

use crate::chat::Usage;
use crate::money::PicoUsd;
use serde::{Deserialize, Serialize};

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The whole answer was relayed.
    Complete,
    /// The answer broke off after some of it was relayed.
    Partial,
    /// The client left before the end.
    Cancelled,
    /// No answer: the reply was an error.
    Failed,
    /// The process ended while the request ran; what it used is an estimate.
    Abandoned,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 5] =
        [Self::Complete, Self::Partial, Self::Cancelled, Self::Failed, Self::Abandoned];

    /// The name it is kept under.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }

    /// The outcome kept under `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

/// An attempt at a request that had no answer for the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedAttempt {
    /// Slug of the provider that was asked.
    pub provider: String,
    /// Canonical model (`provider/model`).
    pub model: String,
    /// Status that the caller would have got for it.
    pub status: u16,
    /// Canonical error type.
    pub error: String,
    /// How long it took.
    pub latency_ms: u64,
}

/// One request, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    /// `gen-…`.
    pub id: String,
    /// When the request arrived, Unix milliseconds.
    pub created_ms: i64,
    /// Hash of the key that asked (SHA-256, hex).
    pub key_hash: String,
    /// Name of that key.
    pub key_name: String,
    /// Route of the request: `chat`, `messages`, `generate_content`, `embeddings`, `raw`, ….
    pub operation: String,
    /// Model as the client named it; empty for raw requests whose model is not known.
    pub requested_model: String,
    /// Canonical model that answered (`provider/model`).
    pub model: String,
    /// Slug of the provider that answered; empty if none was reached.
    pub provider: String,
    /// The provider's id of the answer.
    pub upstream_id: Option<String>,
    /// HTTP status sent to the client.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// Canonical error type, if it failed.
    pub error: Option<String>,
    /// Whether a streamed answer was asked for.
    pub streamed: bool,
    /// Why the answer ended.
    pub finish_reason: Option<String>,
    /// The provider's word for it.
    pub native_finish_reason: Option<String>,
    /// Token counts.
    pub usage: Usage,
    /// True when the provider reported no counts and the gateway estimated them.
    pub usage_estimated: bool,
    /// Cost, all parts together.
    pub cost_pico_usd: PicoUsd,
    /// Cost of the prompt, cache reads and writes included.
    pub prompt_cost_pico_usd: PicoUsd,
    /// Cost of the answer.
    pub completion_cost_pico_usd: PicoUsd,
    /// Identifies the price that was used; empty if no price is known.
    pub price_version: String,
    /// Whether the provider was called on a contract of the caller's own.
    #[serde(default)]
    pub is_byok: bool,
    /// The tier the provider served it in, in the provider's word.
    #[serde(default)]
    pub service_tier: Option<String>,
    /// From arrival to the end of the answer.
    pub latency_ms: u64,
    /// From arrival to the first content event or the whole answer.
    pub first_token_ms: Option<u64>,
    /// Number of upstream attempts.
    pub attempts: u32,
    /// Those of them that failed before the caller got a byte, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_attempts: Vec<FailedAttempt>,
    /// End user named by the client.
    pub user: Option<String>,
    /// `HTTP-Referer` of the client, for app attribution.
    pub referer: Option<String>,
    /// `X-Title` of the client.
    pub app_title: Option<String>,
    /// `X-OpenRouter-Categories` of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_categories: Option<String>,
    /// Session named by the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// `User-Agent` of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// Longest text of a client that is kept in a record, in characters.
const MAX_RECORDED_CHARS: usize = 256;

/// A text of a client as records keep it: cut after 256 characters, and without NUL, which
/// PostgreSQL does not take. Who looks a text up has to do the same with it.
pub fn recorded(text: &str) -> String {
    text.chars().filter(|&char| char != '\0').take(MAX_RECORDED_CHARS).collect()
}

/// One entry of the journal, as the store applies it.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A request is about to be sent to a provider. The record is what will be kept of it if
    /// nothing more is ever heard: its outcome is [`Outcome::Abandoned`].
    Open(Generation),
    /// A request has ended; replaces what was opened under the same id.
    Settle(Generation),
}

#[cfg(test)]
impl crate::store::Store {
    /// Adds settled requests.
    pub(crate) async fn settle_for_test(&self, generations: &[Generation]) {
        let entries: Vec<Entry> = generations.iter().cloned().map(Entry::Settle).collect();
        self.apply(&entries, "test", "test", 0).await.unwrap();
    }
}

#[cfg(test)]
impl Generation {
    /// A complete request for tests.
    pub(crate) fn example(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            created_ms: 1_790_000_000_123,
            key_hash: "9f86d0".to_owned(),
            key_name: "demo".to_owned(),
            operation: "chat".to_owned(),
            requested_model: "claude".to_owned(),
            model: "anthropic/claude-sonnet-4.6".to_owned(),
            provider: "anthropic".to_owned(),
            upstream_id: Some("msg_1".to_owned()),
            status: 200,
            outcome: Outcome::Complete,
            error: None,
            streamed: true,
            finish_reason: Some("stop".to_owned()),
            native_finish_reason: Some("end_turn".to_owned()),
            usage: Usage {
                prompt: Some(14),
                completion: Some(6),
                cached: Some(4),
                ..Usage::default()
            },
            usage_estimated: false,
            cost_pico_usd: PicoUsd::from_pico(132_000_000),
            prompt_cost_pico_usd: PicoUsd::from_pico(42_000_000),
            completion_cost_pico_usd: PicoUsd::from_pico(90_000_000),
            price_version: "1".to_owned(),
            is_byok: false,
            service_tier: None,
            latency_ms: 1240,
            first_token_ms: Some(310),
            attempts: 1,
            failed_attempts: Vec::new(),
            user: Some("end user, \"quoted\"".to_owned()),
            referer: None,
            app_title: None,
            app_categories: None,
            session_id: None,
            user_agent: None,
        }
    }
}
