//! What the hooks of one request share, and nothing else: the state of an exchange lives on the
//! stack of `exchange.rs`.

use super::operation::Surface;
use super::raw::RawCall;
use super::state::Snapshot;
use crate::error::Kind;
use crate::limits::Standing;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Instant;

/// Shared by the hooks of one request; also the material of its access line.
#[derive(Debug)]
pub struct RequestContext {
    /// When the request's header was read.
    pub started: Instant,
    /// The same in Unix milliseconds.
    pub created_ms: i64,
    /// Echoed as `X-Request-Id`.
    pub request_id: String,
    /// The configuration this request sees.
    pub snapshot: Option<Arc<Snapshot>>,
    /// In whose words errors are written.
    pub surface: Surface,
    /// What is asked for, for metrics and logs.
    pub operation: &'static str,
    /// Name of the key that asked.
    pub key_name: Option<Arc<str>>,
    /// What is known of the answer, for the access line.
    pub access: Access,
    /// State of a raw provider call.
    pub raw: Option<RawCall>,
    /// Counts the request as in flight until it ends.
    pub in_flight: Option<InFlight>,
}

/// What is known of the answer.
#[derive(Debug, Default)]
pub struct Access {
    /// `gen-…` of an inference request.
    pub generation_id: Option<String>,
    /// Canonical model, or what the client asked for.
    pub model: Option<Arc<str>>,
    /// True when the model may label a metric.
    pub model_is_configured: bool,
    /// Provider that answered last.
    pub provider: Option<Arc<str>>,
    /// Why it failed, if it did.
    pub error: Option<Kind>,
    /// Detail of the failure, for the log only.
    pub error_detail: Option<String>,
    /// How the rate limit closest to exhaustion stands.
    pub standing: Option<Standing>,
    /// Upstream attempts.
    pub attempts: u32,
    /// Those that failed, as `provider:error`, in order.
    pub failed_attempts: Option<String>,
    /// What an error reply says of the request's way, if the caller wants to know.
    pub metadata: Option<Bytes>,
    /// Prompt and completion tokens.
    pub tokens: Option<(u64, u64)>,
}

/// Counts a request as running for as long as it lives.
#[derive(Debug)]
pub struct InFlight(prometheus::IntGauge);

impl InFlight {
    /// Counts one more.
    pub fn enter(gauge: &prometheus::IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}
