//! Requests running at once.
//!
//! Used by `rates`, whose holds leave exactly once for every time they entered. Requests are
//! counted whether limited or not, so that a limit set later counts those that run already.

use std::sync::atomic::{AtomicU64, Ordering};

/// A count of running requests.
#[derive(Debug, Default)]
pub(super) struct Running(AtomicU64);

impl Running {
    /// Enters unless `limit` requests run already; tells whether it did.
    #[must_use]
    pub(super) fn enter(&self, limit: Option<u64>) -> bool {
        let Some(limit) = limit else {
            self.0.fetch_add(1, Ordering::AcqRel);
            return true;
        };
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| {
                (count < limit).then(|| count + 1)
            })
            .is_ok()
    }

    /// Leaves; once for every [`Running::enter`] that let in.
    pub(super) fn leave(&self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }

    /// How many run.
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}
