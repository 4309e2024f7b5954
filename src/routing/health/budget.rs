//! How many retries a failing provider gets.
//!
//! Used by `proxy` before it sends a request to a provider that is not the first choice. A
//! provider that answers gets every retry: those are what keeps clients from seeing another one's
//! failure. One that fails itself gets a share of its requests, so that many failing providers are
//! not asked for much more than clients ask.

use std::sync::atomic::{AtomicU64, Ordering};

use super::tally::{Pair, Tally};

/// Window over which requests, retries and outcomes are counted: ten slots.
const SLOTS: usize = 10;
const SLOT_MS: u64 = 3_000;
/// Retries that are always free in a window, so that a lone request can go on.
const FREE_RETRIES: u64 = 3;
/// A provider fails when at least so many of its calls did, and more than one in
/// [`FAILING_ONE_IN`].
const MIN_FAILURES: u64 = 3;
const FAILING_ONE_IN: u64 = 10;

/// The retries of one provider.
#[derive(Debug, Default)]
pub struct RetryBudget {
    /// Requests for which the provider was the first choice, and retries.
    calls: Tally<SLOTS>,
    /// Calls that were answered, and calls that failed.
    outcomes: Tally<SLOTS>,
    denied: AtomicU64,
}

impl RetryBudget {
    /// A request goes to the provider as its first choice.
    pub fn note_request(&self, now_ms: u64) {
        self.calls.add(Pair { first: 1, second: 0 }, (now_ms, SLOT_MS));
    }

    /// A call ended; what says nothing about the provider is not noted.
    pub(super) fn note_outcome(&self, outcome: Pair, now_ms: u64) {
        self.outcomes.add(outcome, (now_ms, SLOT_MS));
    }

    /// Whether a request that failed elsewhere may go to the provider; counts it if so. Threads
    /// that ask in the same instant may exceed the budget by their number.
    pub(super) fn may_retry(&self, retries_per_thousand: u64, now_ms: u64) -> bool {
        let at = (now_ms, SLOT_MS);
        let calls = self.calls.total(at);
        let earned = calls.first.saturating_mul(retries_per_thousand) / 1_000;
        if self.is_failing(now_ms) && calls.second >= earned.saturating_add(FREE_RETRIES) {
            self.denied.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        self.calls.add(Pair { first: 0, second: 1 }, at);
        true
    }

    /// Retries that were not allowed, since the start.
    pub fn denied(&self) -> u64 {
        self.denied.load(Ordering::Relaxed)
    }

    fn is_failing(&self, now_ms: u64) -> bool {
        let outcomes = self.outcomes.total((now_ms, SLOT_MS));
        outcomes.second >= MIN_FAILURES && outcomes.second * FAILING_ONE_IN > outcomes.total()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Pair = Pair { first: 1, second: 0 };
    const BAD: Pair = Pair { first: 0, second: 1 };

    fn granted(budget: &RetryBudget, asked: usize, now_ms: u64) -> usize {
        (0..asked).filter(|_| budget.may_retry(200, now_ms)).count()
    }

    #[test]
    fn a_provider_that_answers_gets_every_retry() {
        let budget = RetryBudget::default();
        assert_eq!(granted(&budget, 1_000, 5), 1_000);
        (0..18).for_each(|_| budget.note_outcome(GOOD, 5));
        (0..2).for_each(|_| budget.note_outcome(BAD, 5));
        assert_eq!(granted(&budget, 1_000, 5), 1_000, "one in ten fails");
    }

    #[test]
    fn one_that_fails_gets_a_share_of_its_requests() {
        let budget = RetryBudget::default();
        (0..3).for_each(|_| budget.note_outcome(BAD, 5));
        assert_eq!(granted(&budget, 10, 5), 3, "those that are free");
        assert_eq!(budget.denied(), 7);
        (0..100).for_each(|_| budget.note_request(5));
        assert_eq!(granted(&budget, 100, 5), 20);
        assert_eq!(granted(&budget, 100, 29_000), 0);
        assert_eq!(granted(&budget, 100, 30_000), 100, "it is forgotten that it failed");
    }
}
