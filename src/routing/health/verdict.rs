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

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(kind: Kind, retry: Retry) -> GatewayError {
        GatewayError::upstream(kind, "x").with_retry(retry)
    }

    /// An answer's kind as `providers::classify` words it.
    fn refused(kind: Kind) -> GatewayError {
        let mut error = upstream(Kind::ProviderUnavailable, Retry::OtherKey);
        error.provider_kind = Some(kind);
        error
    }

    #[test]
    fn table() {
        let wait = Some(Duration::from_secs(5));
        let limited = upstream(Kind::RateLimitExceeded, Retry::OtherKey).with_retry_after(wait);
        let unreachable = || upstream(Kind::ProviderUnavailable, Retry::OtherEndpoint);
        let cases = [
            ("connect, DNS, TLS, broken off, nonsense", unreachable(), Verdict::Counts),
            ("late", upstream(Kind::Timeout, Retry::OtherEndpoint), Verdict::Counts),
            (
                "overloaded",
                upstream(Kind::ProviderOverloaded, Retry::OtherEndpoint),
                Verdict::Counts,
            ),
            ("a stale connection", unreachable().with_retry(Retry::SameEndpoint), Verdict::Neutral),
            ("limited", limited, Verdict::KeyLimited { wait }),
            ("401", refused(Kind::Authentication), Verdict::KeyRefused(Scope::Key)),
            ("402", refused(Kind::PaymentRequired), Verdict::KeyRefused(Scope::Key)),
            ("403", refused(Kind::PermissionDenied), Verdict::KeyRefused(Scope::Model)),
            ("400", GatewayError::client(Kind::InvalidRequest, "x"), Verdict::Neutral),
            ("404", GatewayError::client(Kind::NotFound, "x"), Verdict::Neutral),
            ("too long", GatewayError::client(Kind::ContextLengthExceeded, "x"), Verdict::Neutral),
            ("our limit", GatewayError::client(Kind::RateLimitExceeded, "x"), Verdict::Neutral),
            ("the client left", GatewayError::client(Kind::ClientClosed, "x"), Verdict::Neutral),
            ("our fault", GatewayError::internal("x"), Verdict::Neutral),
        ];
        for (name, error, expected) in cases {
            assert_eq!(verdict(&error), expected, "{name}");
        }
    }
}
