//! What a caller is told of a provider that is not asked because of how it is doing.
//!
//! Used by the exchange and by raw calls. Every refusal says how long to wait, if that helps.

use crate::error::{GatewayError, Kind};
use crate::routing::health::NoKey;
use std::time::Duration;

/// The endpoint failed too often.
pub(in crate::proxy) fn left_alone(wait_ms: u64) -> GatewayError {
    let text = "the provider fails too often and is left alone for a while";
    GatewayError::upstream(Kind::ProviderOverloaded, text)
        .with_retry_after(Some(Duration::from_millis(wait_ms)))
}

/// The provider fails, and enough requests were tried a second time at it.
pub(super) fn no_retry() -> GatewayError {
    let text = "the provider gets no more retries at the moment";
    GatewayError::upstream(Kind::ProviderOverloaded, text)
}

/// No key of the provider may be used for the model, at the moment or at all.
pub(in crate::proxy) fn no_key(none: NoKey) -> GatewayError {
    let Some(wait_ms) = none.retry_in_ms else {
        let text = "no key of the provider may be used for this model";
        return GatewayError::upstream(Kind::ProviderUnavailable, text);
    };
    let (kind, text) = if none.is_limited {
        (Kind::RateLimitExceeded, "the provider's rate limit is exceeded")
    } else {
        (Kind::ProviderOverloaded, "no key of the provider can be used at the moment")
    };
    GatewayError::upstream(kind, text).with_retry_after(Some(Duration::from_millis(wait_ms)))
}
