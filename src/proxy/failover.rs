//! Phase 3: what to do after an attempt failed. A pure decision; nothing is sent here.

use crate::error::{GatewayError, Retry};

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The same endpoint and key, on a fresh connection.
    SameEndpoint,
    /// The same endpoint with another of its keys.
    OtherKey,
    /// The next candidate of the plan.
    OtherEndpoint,
    /// The error goes to the caller.
    GiveUp,
}

/// What was tried so far.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each named")]
#[derive(Debug, Clone, Copy)]
pub struct Tried {
    /// Attempts made.
    pub attempts: usize,
    /// Attempts allowed.
    pub max_attempts: usize,
    /// Whether a stale connection was already replaced at this endpoint.
    pub replaced_stale: bool,
    /// Whether the endpoint has a key that was not tried.
    pub other_key: bool,
    /// Whether the plan has another candidate.
    pub other_endpoint: bool,
    /// Whether the caller got a byte of an answer, or does not want one any more.
    pub relayed: bool,
}

/// Decides. Nothing is tried again once the caller got a byte of an answer.
pub fn decide(error: &GatewayError, tried: Tried) -> Next {
    if tried.relayed || tried.attempts >= tried.max_attempts {
        return Next::GiveUp;
    }
    let endpoint = if tried.other_endpoint { Next::OtherEndpoint } else { Next::GiveUp };
    match error.retry {
        Retry::Never => Next::GiveUp,
        Retry::SameEndpoint if !tried.replaced_stale => Next::SameEndpoint,
        Retry::OtherKey if tried.other_key => Next::OtherKey,
        Retry::SameEndpoint | Retry::OtherKey | Retry::OtherEndpoint => endpoint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    const FRESH: Tried = Tried {
        attempts: 1,
        max_attempts: 5,
        replaced_stale: false,
        other_key: true,
        other_endpoint: true,
        relayed: false,
    };

    #[test]
    fn table() {
        let cases = [
            (Retry::Never, FRESH, Next::GiveUp),
            (Retry::SameEndpoint, FRESH, Next::SameEndpoint),
            (Retry::SameEndpoint, Tried { replaced_stale: true, ..FRESH }, Next::OtherEndpoint),
            (Retry::OtherKey, FRESH, Next::OtherKey),
            (Retry::OtherKey, Tried { other_key: false, ..FRESH }, Next::OtherEndpoint),
            (Retry::OtherEndpoint, FRESH, Next::OtherEndpoint),
            (Retry::OtherEndpoint, Tried { other_endpoint: false, ..FRESH }, Next::GiveUp),
            (Retry::OtherEndpoint, Tried { attempts: 5, ..FRESH }, Next::GiveUp),
            (Retry::OtherEndpoint, Tried { relayed: true, ..FRESH }, Next::GiveUp),
            (Retry::SameEndpoint, Tried { relayed: true, ..FRESH }, Next::GiveUp),
        ];
        for (retry, tried, expected) in cases {
            let error = GatewayError::upstream(Kind::ProviderUnavailable, "x").with_retry(retry);
            assert_eq!(decide(&error, tried), expected, "{retry:?} {tried:?}");
        }
    }
}
