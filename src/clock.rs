//! Wall-clock time, injectable so that tests can move it.
//!
//! Wall time names windows and stored moments only; every duration is measured with
//! `std::time::Instant`, so a clock that jumps never makes a latency negative.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Source of wall-clock time.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// A clock that a test sets, in Unix milliseconds.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// Milliseconds since the Unix epoch; 0 if the machine's clock stands before it.
    pub fn unix_ms(&self) -> i64 {
        match self {
            Self::System => system_unix_ms(),
            Self::Manual(now_ms) => now_ms.load(Ordering::Relaxed),
        }
    }

    /// Seconds since the Unix epoch.
    pub fn unix_s(&self) -> u64 {
        u64::try_from(self.unix_ms() / 1000).unwrap_or(0)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
fn system_unix_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
