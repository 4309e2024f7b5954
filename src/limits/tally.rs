//! Money spent and money held, in two atomic counters.
//!
//! Used by `budget`. `committed` is what was spent plus everything held by requests that run, so
//! whether an amount still fits is one comparison and taking it one exchange. `spent` only grows,
//! and neither settling nor releasing ever shows more spent than committed. When nothing runs the
//! two are equal. Amounts are pico-USD; both counters stop at 18.4 million USD.

use super::atomic::{AtomicU64, Ordering};

/// Spent and held money, pico-USD.
#[derive(Debug, Default)]
pub(super) struct Tally {
    committed: AtomicU64,
    spent: AtomicU64,
}

/// The amount does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DoesNotFit {
    /// What was spent at that moment.
    pub(super) spent: u64,
    /// It would fit if nothing were held.
    pub(super) held_only: bool,
}

impl Tally {
    /// A tally that begins with money spent before.
    pub(super) fn with_spent(spent: u64) -> Self {
        Self { committed: AtomicU64::new(spent), spent: AtomicU64::new(spent) }
    }

    /// Holds `amount` if spent, held and it together stay within the limit. Nothing fits always,
    /// unless more than the limit is spent.
    pub(super) fn hold(&self, amount: u64, limit: u64) -> Result<(), DoesNotFit> {
        let mut committed = self.committed.load(Ordering::Acquire);
        loop {
            self.room(committed, amount, limit)?;
            match self.committed.compare_exchange_weak(
                committed,
                committed.saturating_add(amount),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Ok(()),
                Err(seen) => committed = seen,
            }
        }
    }

    /// Whether [`Tally::hold`] would succeed now.
    pub(super) fn look(&self, amount: u64, limit: u64) -> Result<(), DoesNotFit> {
        self.room(self.committed.load(Ordering::Acquire), amount, limit)
    }

    fn room(&self, committed: u64, amount: u64, limit: u64) -> Result<(), DoesNotFit> {
        let fits = |used: u64| used.checked_add(amount).is_some_and(|sum| sum <= limit);
        if amount > 0 && fits(committed) {
            return Ok(());
        }
        let spent = self.spent();
        if amount == 0 && spent <= limit {
            return Ok(());
        }
        Err(DoesNotFit { spent, held_only: fits(spent) })
    }

    /// Ends a hold: `cost` is spent, in full even above what was held, the rest is free again.
    pub(super) fn settle(&self, held: u64, cost: u64) {
        if cost <= held {
            add(&self.spent, cost);
            subtract(&self.committed, held - cost);
        } else {
            add(&self.committed, cost - held);
            add(&self.spent, cost);
        }
    }

    /// Raises what was spent to `total`, if it is less; returns by how much.
    pub(super) fn raise_spent_to(&self, total: u64) -> u64 {
        let before = self.spent.fetch_max(total, Ordering::AcqRel);
        let difference = total.saturating_sub(before);
        add(&self.committed, difference);
        difference
    }

    /// What was spent.
    pub(super) fn spent(&self) -> u64 {
        self.spent.load(Ordering::Acquire)
    }

    /// What requests that run hold.
    pub(super) fn held(&self) -> u64 {
        let spent = self.spent();
        self.committed.load(Ordering::Acquire).saturating_sub(spent)
    }
}

/// Adds, stopping at the end of the range.
pub(super) fn add(counter: &AtomicU64, amount: u64) {
    change(counter, |value| value.saturating_add(amount));
}

fn subtract(counter: &AtomicU64, amount: u64) {
    change(counter, |value| value.saturating_sub(amount));
}

fn change(counter: &AtomicU64, next: impl Fn(u64) -> u64) {
    let mut value = counter.load(Ordering::Acquire);
    while next(value) != value {
        let swapped =
            counter.compare_exchange_weak(value, next(value), Ordering::AcqRel, Ordering::Acquire);
        match swapped {
            Ok(_) => return,
            Err(seen) => value = seen,
        }
    }
}
