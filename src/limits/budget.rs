//! Spending against a limit, exact under concurrency: reserve, then settle or release.
//!
//! Used by `meter`. A [`Reservation`] belongs to the period it was made in and gives back on drop
//! what it still holds, so no exit of a request can leak money. A limit is a number of the caller:
//! counters stay when it changes. Amounts below zero count as zero, and counters stop at 18.4
//! million USD a period.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::period::PeriodSpan;
use super::tally::{DoesNotFit, Tally};
use crate::config::LimitReset;
use crate::money::PicoUsd;

/// What is spent and held in the present period of a limit.
#[derive(Debug)]
pub struct Budget {
    present: ArcSwap<Period>,
}

#[derive(Debug)]
struct Period {
    span: PeriodSpan,
    tally: Tally,
}

/// The limit leaves no room for a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// What was spent in the period.
    pub spent: PicoUsd,
    /// Only requests that still run stand in the way.
    pub held_only: bool,
}

impl Budget {
    /// A budget of which nothing is spent.
    pub fn new(reset: LimitReset, now_s: u64) -> Self {
        Self { present: ArcSwap::from_pointee(Period::new(PeriodSpan::at(reset, now_s), 0)) }
    }

    /// Holds `amount`; without a limit always. A limit that is reached refuses even nothing.
    pub fn reserve(
        &self,
        amount: PicoUsd,
        limit: Option<PicoUsd>,
        now_s: u64,
    ) -> Result<Reservation, Refused> {
        let period = self.period(now_s);
        if let Some(limit) = limit
            && period.tally.spent() >= counted(limit)
        {
            return Err(Refused { spent: uncounted(period.tally.spent()), held_only: false });
        }
        Reservation::make(period, counted(amount), limit.map_or(u64::MAX, counted))
    }

    /// What was spent in the period of this moment.
    pub fn spent(&self, now_s: u64) -> PicoUsd {
        let present = self.present.load();
        let spent = if present.span.serves(now_s) { present.tally.spent() } else { 0 };
        uncounted(spent)
    }

    /// What requests that run hold of the present period.
    pub fn held(&self) -> PicoUsd {
        uncounted(self.present.load().tally.held())
    }

    /// The period of this moment.
    pub fn span(&self, now_s: u64) -> PeriodSpan {
        self.period(now_s).span
    }

    /// Changes what ends a period. What the present one spent is kept if the new one includes it;
    /// the rest the caller tells by [`Budget::raise_spent_to`]. Requests that run settle in the
    /// period they began in.
    pub fn set_reset(&self, reset: LimitReset, now_s: u64) {
        if self.present.load().span.reset != reset {
            self.move_to(PeriodSpan::at(reset, now_s));
        }
    }

    /// Raises what was spent in a period to `total`, if it is less; returns by how much. For the
    /// start and for what other processes spent. A period that is over is left alone.
    pub fn raise_spent_to(&self, total: PicoUsd, span: PeriodSpan) -> PicoUsd {
        let present = self.present.load_full();
        if present.span.reset != span.reset || span.start_s < present.span.start_s {
            return PicoUsd::ZERO;
        }
        let period = if present.span == span { present } else { self.move_to(span) };
        uncounted(period.tally.raise_spent_to(counted(total)))
    }

    fn period(&self, now_s: u64) -> Arc<Period> {
        let present = self.present.load();
        if present.span.serves(now_s) {
            return Arc::clone(&present);
        }
        let span = PeriodSpan::at(present.span.reset, now_s);
        drop(present);
        self.move_to(span)
    }

    /// Opens a period, unless another thread has done it.
    fn move_to(&self, span: PeriodSpan) -> Arc<Period> {
        self.present.rcu(|present| {
            if present.span == span {
                return Arc::clone(present);
            }
            // A wider period begins with what the narrower one spent. A period before the present
            // one means a clock put back for good: its spending is not forgotten.
            let is_earlier =
                span.reset == present.span.reset && span.start_s < present.span.start_s;
            let keeps = span.includes(&present.span) || is_earlier;
            Arc::new(Period::new(span, if keeps { present.tally.spent() } else { 0 }))
        });
        self.present.load_full()
    }
}

impl Period {
    fn new(span: PeriodSpan, spent: u64) -> Self {
        Self { span, tally: Tally::with_spent(spent) }
    }
}

/// Money held for a request; dropped, it is free again.
#[derive(Debug)]
#[must_use = "dropping a reservation releases it"]
pub struct Reservation {
    period: Arc<Period>,
    held: u64,
}

impl Reservation {
    fn make(period: Arc<Period>, amount: u64, limit: u64) -> Result<Self, Refused> {
        period.tally.hold(amount, limit)?;
        Ok(Self { period, held: amount })
    }

    /// Spends exactly `cost`, more or less than was held, and frees the rest.
    pub fn settle(mut self, cost: PicoUsd) {
        let held = std::mem::take(&mut self.held);
        self.period.tally.settle(held, counted(cost));
    }

    /// What it holds.
    pub fn held(&self) -> PicoUsd {
        uncounted(self.held)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.period.tally.settle(self.held, 0);
    }
}

/// Spending over the whole life of something, against a limit that moves: the account's balance.
#[derive(Debug)]
pub(super) struct Lifetime(Arc<Period>);

impl Default for Lifetime {
    fn default() -> Self {
        Self(Arc::new(Period::new(PeriodSpan::at(LimitReset::Never, 0), 0)))
    }
}

impl Lifetime {
    /// Holds `amount`; nothing at all fits until more than the limit is spent.
    pub(super) fn reserve(
        &self,
        amount: PicoUsd,
        limit: Option<PicoUsd>,
    ) -> Result<Reservation, Refused> {
        Reservation::make(Arc::clone(&self.0), counted(amount), limit.map_or(u64::MAX, counted))
    }

    /// Whether [`Lifetime::reserve`] would succeed now.
    pub(super) fn look(&self, amount: PicoUsd, limit: Option<PicoUsd>) -> Result<(), Refused> {
        Ok(self.0.tally.look(counted(amount), limit.map_or(u64::MAX, counted))?)
    }

    /// Raises what was spent to `total`, if it is less; returns by how much.
    pub(super) fn raise_spent_to(&self, total: PicoUsd) -> PicoUsd {
        uncounted(self.0.tally.raise_spent_to(counted(total)))
    }

    /// What was spent.
    pub(super) fn spent(&self) -> PicoUsd {
        uncounted(self.0.tally.spent())
    }

    /// What requests that run hold.
    pub(super) fn held(&self) -> PicoUsd {
        uncounted(self.0.tally.held())
    }
}

impl From<DoesNotFit> for Refused {
    fn from(refused: DoesNotFit) -> Self {
        Self { spent: uncounted(refused.spent), held_only: refused.held_only }
    }
}

/// An amount as the counters hold it.
pub(super) fn counted(amount: PicoUsd) -> u64 {
    u64::try_from(amount.pico().max(0)).unwrap_or(u64::MAX)
}

/// An amount as the rest of the gateway knows it.
pub(super) fn uncounted(pico_usd: u64) -> PicoUsd {
    PicoUsd::from_pico(i128::from(pico_usd))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_second_finds_the_period_open() {
        let budget = Budget::new(LimitReset::Daily, 0);
        let next = PeriodSpan::at(LimitReset::Daily, 86_400);
        assert!(Arc::ptr_eq(&budget.move_to(next), &budget.move_to(next)));
    }
}
