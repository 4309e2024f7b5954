//! The account that all keys draw on: credits granted against everything ever spent.
//!
//! Used by `admission` and by whoever books credits. A postpaid account is counted but not
//! checked. A balance below zero refuses everything, also what costs nothing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::budget::{Lifetime, Refused, Reservation, counted, uncounted};
use crate::config::RateLimit;
use crate::money::PicoUsd;

/// Requests to free variants in a minute, for all keys together.
const FREE_REQUESTS_PER_MINUTE: u64 = 20;
/// Requests to free variants in a day, for all keys together.
const FREE_REQUESTS_PER_DAY: u64 = 50;
/// The same once [`FREE_UNLOCK`] was granted, and for a postpaid account.
const FREE_REQUESTS_PER_DAY_UNLOCKED: u64 = 1_000;
/// Credits that raise the limit of free variants: 5 USD.
const FREE_UNLOCK: PicoUsd = PicoUsd::from_pico(5 * PicoUsd::PER_USD);

/// How an account pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terms {
    /// From credits granted before.
    Prepaid,
    /// Afterwards: the balance is not checked.
    Postpaid,
}

/// Balance of the account.
#[derive(Debug, Default)]
pub struct AccountMeter {
    spend: Lifetime,
    granted: AtomicU64,
    is_prepaid: AtomicBool,
}

impl AccountMeter {
    /// Says how the account pays; postpaid until it is said.
    pub fn set_terms(&self, terms: Terms) {
        self.is_prepaid.store(terms == Terms::Prepaid, Ordering::Release);
    }

    /// How the account pays.
    pub fn terms(&self) -> Terms {
        if self.is_prepaid.load(Ordering::Acquire) { Terms::Prepaid } else { Terms::Postpaid }
    }

    /// Adds credits, or takes some back if `amount` is below zero; effective for the next request.
    pub fn grant(&self, amount: PicoUsd) {
        let change = |granted| Some(counted(uncounted(granted).saturating_add(amount)));
        let _changed = self.granted.fetch_update(Ordering::AcqRel, Ordering::Acquire, change);
    }

    /// Says what credits there are in all. For the start and for credits that another process
    /// booked; nobody may grant any meanwhile.
    pub fn set_granted(&self, total: PicoUsd) {
        self.granted.store(counted(total), Ordering::Release);
    }

    /// Raises what was ever spent to `total`, if it is less; returns by how much.
    pub fn raise_spent_to(&self, total: PicoUsd) -> PicoUsd {
        self.spend.raise_spent_to(total)
    }

    /// Credits granted.
    pub fn granted(&self) -> PicoUsd {
        uncounted(self.granted.load(Ordering::Acquire))
    }

    /// Money ever spent.
    pub fn spent(&self) -> PicoUsd {
        self.spend.spent()
    }

    /// Money held by requests that run.
    pub fn held(&self) -> PicoUsd {
        self.spend.held()
    }

    /// Credits less spending; below zero is a debt.
    pub fn balance(&self) -> PicoUsd {
        self.granted().saturating_sub(self.spent())
    }

    /// Holds an amount.
    pub fn reserve(&self, amount: PicoUsd) -> Result<Reservation, Refused> {
        self.spend.reserve(amount, self.limit())
    }

    /// Whether an amount could be held now.
    pub fn look(&self, amount: PicoUsd) -> Result<(), Refused> {
        self.spend.look(amount, self.limit())
    }

    /// Limits of the free variants, for all keys together.
    pub fn free_limit(&self) -> RateLimit {
        let is_unlocked = self.terms() == Terms::Postpaid || self.granted() >= FREE_UNLOCK;
        let per_day =
            if is_unlocked { FREE_REQUESTS_PER_DAY_UNLOCKED } else { FREE_REQUESTS_PER_DAY };
        RateLimit {
            requests_per_minute: Some(FREE_REQUESTS_PER_MINUTE),
            requests_per_day: Some(per_day),
            ..RateLimit::default()
        }
    }

    fn limit(&self) -> Option<PicoUsd> {
        (self.terms() == Terms::Prepaid).then(|| self.granted())
    }
}
