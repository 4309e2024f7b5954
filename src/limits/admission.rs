//! The one gate of a request: rates of key, model and free variants, budget of the key, balance of
//! the account.
//!
//! Used by `proxy` on every route that costs something. All or nothing: a refused request has
//! consumed nothing anywhere. Everything is looked at before anything is taken, and what was taken
//! belongs to the [`Admission`], which gives it back however the request ends.

use std::sync::Arc;

use super::budget::{Refused, Reservation};
use super::meter::{KeyMeter, Meters};
use super::rates::{RateHold, RateKind, RateMeter, RateRefusal, closer};
use super::window::Standing;
use crate::config::{BudgetMode, LimitReset, RateLimit};
use crate::money::PicoUsd;

/// Wait that is named when only running requests stand in the way, in seconds.
const RUNNING_RETRY_S: u64 = 1;

/// What a key may use and spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPolicy {
    /// Requests and tokens.
    pub rate_limit: RateLimit,
    /// Most it may spend in a period; `None`: not limited.
    pub limit: Option<PicoUsd>,
    /// What ends a period; given to [`Meters::key`].
    pub limit_reset: LimitReset,
    /// Whether the caller holds an estimate or the most a request can cost.
    pub budget_mode: BudgetMode,
    /// Whether requests on somebody else's provider key count towards `limit`.
    pub include_byok_in_limit: bool,
}

/// Who pays the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payer {
    /// The account.
    Account,
    /// The owner of the provider's key: never charged to the account, and to the budget of the
    /// gateway's key only if that is asked for.
    Byok,
}

/// What a request wants.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Tokens it may need, prompt and completion.
    pub tokens_estimate: u64,
    /// Money to hold for it.
    pub hold: PicoUsd,
    /// Who pays; the account, if that is not certain yet.
    pub payer: Payer,
    /// A free variant of a model.
    pub is_free_variant: bool,
    /// Counters and limits of the model, if it has limits.
    pub model: Option<(&'a Arc<RateMeter>, RateLimit)>,
}

/// Why a request is not let in. Nothing was consumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A rate limit is reached.
    Rate {
        /// Whose limit.
        whose: Subject,
        /// Which limit.
        what: RateKind,
        /// How it stands.
        standing: Standing,
        /// Seconds until the window ends.
        retry_after_s: u64,
    },
    /// As many requests run as may.
    Concurrent {
        /// Whose limit.
        whose: Subject,
        /// Most that may run at once.
        limit: u64,
    },
    /// The key's limit leaves no room.
    KeyBudget {
        /// The limit.
        limit: PicoUsd,
        /// What was spent in the period.
        spent: PicoUsd,
        /// Only requests that still run stand in the way.
        held_only: bool,
        /// When the period ends, Unix seconds; `None`: never.
        reset_s: Option<u64>,
    },
    /// The account's balance leaves no room.
    AccountBudget {
        /// Credits less spending; below zero is a debt.
        balance: PicoUsd,
        /// Only requests that still run stand in the way.
        held_only: bool,
    },
}

/// What a rate limit belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The key.
    Key,
    /// The model.
    Model,
    /// The free variants, for all keys together.
    FreeVariants,
}

impl Refusal {
    /// Seconds after which another try may succeed by itself; `None` if only a higher limit, more
    /// credits or a new period help.
    pub fn retry_after_s(&self) -> Option<u64> {
        match *self {
            Self::Rate { retry_after_s, .. } => Some(retry_after_s),
            Self::Concurrent { .. } => Some(RUNNING_RETRY_S),
            Self::KeyBudget { held_only, .. } | Self::AccountBudget { held_only, .. } => {
                held_only.then_some(RUNNING_RETRY_S)
            }
        }
    }

    fn of_rate(whose: Subject, refusal: RateRefusal, now_s: u64) -> Self {
        match refusal {
            RateRefusal::Window { what, standing } => {
                let retry_after_s = standing.reset_s.saturating_sub(now_s).max(1);
                Self::Rate { whose, what, standing, retry_after_s }
            }
            RateRefusal::Concurrent { limit } => Self::Concurrent { whose, limit },
        }
    }
}

/// A request that was let in, with all it holds. Dropped, it is over and cost nothing; it stays
/// counted as a request.
#[derive(Debug)]
#[must_use = "dropping an admission ends the request"]
pub struct Admission {
    rates: Rates,
    key: Reservation,
    account: Reservation,
    include_byok_in_limit: bool,
}

impl Admission {
    /// Ends the request: exactly `cost` is spent, `tokens_used` replaces the estimate.
    pub fn settle(self, tokens_used: u64, cost: PicoUsd, payer: Payer) {
        let of_key = charged_to_key(cost, payer, self.include_byok_in_limit);
        // The account first: nobody may see the key's money spent and the account's still there.
        self.account.settle(charged_to_account(cost, payer));
        self.key.settle(of_key);
        self.rates.settle(tokens_used);
    }

    /// Money held of the key's budget.
    pub fn held(&self) -> PicoUsd {
        self.key.held()
    }

    /// Ends a request that in the end was not tried: not even the request is counted.
    pub fn undo(self) {
        self.rates.undo();
    }

    /// How the limit closest to exhaustion stood after this request; `None` if none applies.
    pub fn standing(&self) -> Option<Standing> {
        self.rates.iter().fold(None, |closest, hold| closer(closest, hold.standing()))
    }
}

impl Meters {
    /// Lets a request in, or says what stands in its way.
    pub fn admit(
        &self,
        key: &KeyMeter,
        policy: &KeyPolicy,
        ask: &Ask<'_>,
    ) -> Result<Admission, Refusal> {
        let now_s = self.now_s();
        let subjects = self.subjects(key, policy, ask);
        for (whose, meter, limit) in subjects.iter().flatten() {
            meter
                .look(limit, ask.tokens_estimate, now_s)
                .map_err(|refusal| Refusal::of_rate(*whose, refusal, now_s))?;
        }
        let reserved = self.reserve((key, policy), (ask.hold, ask.payer), now_s)?;
        Ok(Admission {
            rates: Rates::enter(subjects, ask.tokens_estimate, now_s)?,
            key: reserved.0,
            account: reserved.1,
            include_byok_in_limit: policy.include_byok_in_limit,
        })
    }

    /// Lets one more call go out for a request that was let in: it holds money of its own, and
    /// takes no place in any rate.
    pub fn admit_again(
        &self,
        key: &KeyMeter,
        policy: &KeyPolicy,
        (hold, payer): (PicoUsd, Payer),
    ) -> Result<Admission, Refusal> {
        let reserved = self.reserve((key, policy), (hold, payer), self.now_s())?;
        Ok(Admission {
            rates: Rates::default(),
            key: reserved.0,
            account: reserved.1,
            include_byok_in_limit: policy.include_byok_in_limit,
        })
    }

    /// Holds money of the key and of the account.
    fn reserve(
        &self,
        (key, policy): (&KeyMeter, &KeyPolicy),
        (hold, payer): (PicoUsd, Payer),
        now_s: u64,
    ) -> Result<(Reservation, Reservation), Refusal> {
        let of_account = charged_to_account(hold, payer);
        self.account().look(of_account).map_err(|refused| self.account_refusal(refused))?;
        let of_key = charged_to_key(hold, payer, policy.include_byok_in_limit);
        let of_key = key
            .spend
            .reserve(of_key, policy.limit, now_s)
            .map_err(|refused| key_refusal(key, policy, refused, now_s))?;
        let of_account =
            self.account().reserve(of_account).map_err(|refused| self.account_refusal(refused))?;
        Ok((of_key, of_account))
    }

    fn subjects<'a>(
        &'a self,
        key: &'a KeyMeter,
        policy: &KeyPolicy,
        ask: &Ask<'a>,
    ) -> [Option<RateSubject<'a>>; 3] {
        let free = || (Subject::FreeVariants, self.free(), self.account().free_limit());
        [
            Some((Subject::Key, &key.rates, policy.rate_limit)),
            ask.model.map(|(meter, limit)| (Subject::Model, meter, limit)),
            ask.is_free_variant.then(free),
        ]
    }

    fn account_refusal(&self, refused: Refused) -> Refusal {
        let balance = self.account().granted().saturating_sub(refused.spent);
        Refusal::AccountBudget { balance, held_only: refused.held_only }
    }
}

fn key_refusal(key: &KeyMeter, policy: &KeyPolicy, refused: Refused, now_s: u64) -> Refusal {
    Refusal::KeyBudget {
        limit: policy.limit.unwrap_or(PicoUsd::from_pico(i128::from(u64::MAX))),
        spent: refused.spent,
        held_only: refused.held_only,
        reset_s: key.spend.span(now_s).reset_s(),
    }
}

fn charged_to_account(amount: PicoUsd, payer: Payer) -> PicoUsd {
    if payer == Payer::Byok { PicoUsd::ZERO } else { amount }
}

fn charged_to_key(amount: PicoUsd, payer: Payer, include_byok: bool) -> PicoUsd {
    if payer == Payer::Byok && !include_byok { PicoUsd::ZERO } else { amount }
}

type RateSubject<'a> = (Subject, &'a Arc<RateMeter>, RateLimit);

/// The holds of a request: of its key, of its model, of the free variants.
#[derive(Debug, Default)]
struct Rates([Option<RateHold>; 3]);

impl Rates {
    fn enter(
        subjects: [Option<RateSubject<'_>>; 3],
        tokens_estimate: u64,
        now_s: u64,
    ) -> Result<Self, Refusal> {
        let mut rates = Self::default();
        for (slot, subject) in rates.0.iter_mut().zip(subjects) {
            let Some((whose, meter, limit)) = subject else { continue };
            match meter.enter(&limit, tokens_estimate, now_s) {
                Ok(hold) => *slot = Some(hold),
                Err(refusal) => {
                    rates.undo();
                    return Err(Refusal::of_rate(whose, refusal, now_s));
                }
            }
        }
        Ok(rates)
    }

    fn iter(&self) -> impl Iterator<Item = &RateHold> {
        self.0.iter().flatten()
    }

    fn settle(self, tokens_used: u64) {
        self.0.into_iter().flatten().for_each(|hold| hold.settle(tokens_used));
    }

    fn undo(self) {
        self.0.into_iter().flatten().for_each(RateHold::undo);
    }
}
