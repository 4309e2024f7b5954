//! What a failed attempt says about the endpoint that made it.
//!
//! Used by `proxy` after each attempt. A caller's mistake says nothing, a rate limit and a refused
//! credential are the key's, and so is no fault of an endpoint that others reach with another key;
//! everything else counts.

use std::time::Duration;

use super::keys::Scope;
use crate::error::{Blame, GatewayError, Kind, Retry};

/// Whom a failure is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The endpoint: it was unreachable, broke off, was late, overloaded or talked nonsense.
    Counts,
    /// Nobody: the caller's mistake or departure, the gateway's own fault, or a kept connection
    /// that had gone stale.
    Neutral,
    /// The key: its rate limit is reached.
    KeyLimited {
        /// How long the provider asks to wait, if it says so.
        wait: Option<Duration>,
    },
    /// The key: it is not accepted, not allowed, or without credit.
    KeyRefused(Scope),
}

/// The verdict on an error of an attempt.
pub fn verdict(error: &GatewayError) -> Verdict {
    match (error.blame, error.retry) {
        (Blame::Client | Blame::Us, _) | (_, Retry::SameEndpoint) => Verdict::Neutral,
        _ if error.kind == Kind::RateLimitExceeded => {
            Verdict::KeyLimited { wait: error.retry_after }
        }
        // What is forbidden is often one model only, which a caller chose.
        (_, Retry::OtherKey) if error.provider_kind == Some(Kind::PermissionDenied) => {
            Verdict::KeyRefused(Scope::Model)
        }
        (_, Retry::OtherKey) => Verdict::KeyRefused(Scope::Key),
        (Blame::Upstream, _) => Verdict::Counts,
    }
}
