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
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Complete, Self::Partial, Self::Cancelled, Self::Failed];

    /// The name it is kept under.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// The outcome kept under `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
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
    /// From arrival to the end of the answer.
    pub latency_ms: u64,
    /// From arrival to the first content event or the whole answer.
    pub first_token_ms: Option<u64>,
    /// Number of upstream attempts.
    pub attempts: u32,
    /// End user named by the client.
    pub user: Option<String>,
    /// `HTTP-Referer` of the client, for app attribution.
    pub referer: Option<String>,
    /// `X-Title` of the client.
    pub app_title: Option<String>,
}
