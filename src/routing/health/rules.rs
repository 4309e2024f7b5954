//! The settings that all endpoints share and a reload replaces.
//!
//! Used by `endpoint` and `budget`; what they counted so far stays.

use super::breaker::Thresholds;
use crate::config::{BreakerConfig, RoutingConfig};

/// Slots of the window over which the failure rate is watched.
pub(super) const RATE_SLOTS: usize = 30;

/// When an endpoint is left alone, and how many retries a provider gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rules {
    /// When a breaker opens, and for how long.
    pub(super) thresholds: Thresholds,
    /// Whether a breaker opens at all.
    pub(super) opens: bool,
    /// Width of a slot of the window over which the failure rate is watched, in milliseconds.
    pub(super) rate_slot_ms: u64,
    /// Retries a failing provider gets for each thousand requests.
    pub(super) retries_per_thousand: u64,
}

impl Rules {
    /// What the configuration says.
    pub(super) fn new(config: &RoutingConfig) -> Self {
        let BreakerConfig { consecutive_failures, window_s, open_s, max_open_s } = config.breaker;
        let opens = consecutive_failures > 0;
        let slots = u64::try_from(RATE_SLOTS).unwrap_or(1);
        Self {
            thresholds: Thresholds {
                consecutive_failures: if opens { consecutive_failures.into() } else { u64::MAX },
                open_ms: open_s.saturating_mul(1_000),
                max_open_ms: max_open_s.saturating_mul(1_000),
            },
            opens,
            rate_slot_ms: window_s.saturating_mul(1_000).div_ceil(slots).max(1),
            retries_per_thousand: per_thousand(config.retry_budget),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the configuration holds a share between 0 and 1"
)]
fn per_thousand(share: f64) -> u64 {
    (share.clamp(0.0, 1.0) * 1_000.0).round() as u64
}
