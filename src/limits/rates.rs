//! Requests, tokens and requests at once of one subject: a key, a model, the free variants.
//!
//! Used by `admission`. Entering is all or nothing and a refused request consumes nothing. Every
//! limit is looked at before any is taken, so that a request that will be refused does not stand
//! in the way of another even for a moment. A request that was let in stays counted; its tokens
//! are an estimate until it settles.

use std::sync::Arc;

use super::running::Running;
use super::window::{DAY_S, MINUTE_S, Standing, Window};
use crate::config::RateLimit;

/// Counters of one subject. The limits are the caller's, so counters stay when they change.
#[derive(Debug, Default)]
pub struct RateMeter {
    minute: Window<MINUTE_S>,
    day: Window<DAY_S>,
    tokens: Window<MINUTE_S>,
    running: Running,
}

/// A limit that has a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateKind {
    /// Requests in a minute.
    RequestsPerMinute,
    /// Requests in a day.
    RequestsPerDay,
    /// Prompt and completion tokens in a minute.
    TokensPerMinute,
}

impl RateKind {
    /// The setting that limits it.
    pub fn setting(self) -> &'static str {
        match self {
            Self::RequestsPerMinute => "requests_per_minute",
            Self::RequestsPerDay => "requests_per_day",
            Self::TokensPerMinute => "tokens_per_minute",
        }
    }

    /// What is limited, for a message: `requests per minute`.
    pub fn name(self) -> &'static str {
        match self {
            Self::RequestsPerMinute => "requests per minute",
            Self::RequestsPerDay => "requests per day",
            Self::TokensPerMinute => "tokens per minute",
        }
    }
}

/// Why a request may not enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateRefusal {
    /// A window is exhausted, or what is left of it is too little.
    Window {
        /// Which limit.
        what: RateKind,
        /// How it stands.
        standing: Standing,
    },
    /// As many requests run as may.
    Concurrent {
        /// Most that may run at once.
        limit: u64,
    },
}

impl RateMeter {
    /// Lets a request in that is thought to need `tokens_estimate` tokens. An estimate above the
    /// limit is held as the limit, so that an empty window always admits one request.
    pub fn enter(
        self: &Arc<Self>,
        limit: &RateLimit,
        tokens_estimate: u64,
        now_s: u64,
    ) -> Result<RateHold, RateRefusal> {
        self.look(limit, tokens_estimate, now_s)?;
        if !self.running.enter(limit.concurrent) {
            return Err(RateRefusal::Concurrent { limit: limit.concurrent.unwrap_or(0) });
        }
        let mut hold = RateHold {
            meter: Arc::clone(self),
            minute: None,
            day: None,
            tokens: None,
            standing: None,
        };
        match hold.take_all(limit, tokens_estimate, now_s) {
            Ok(()) => Ok(hold),
            Err(refusal) => {
                hold.undo();
                Err(refusal)
            }
        }
    }

    /// Whether a request would be let in now.
    pub fn look(
        &self,
        limit: &RateLimit,
        tokens_estimate: u64,
        now_s: u64,
    ) -> Result<(), RateRefusal> {
        use RateKind::{RequestsPerDay, RequestsPerMinute, TokensPerMinute};
        if let Some(limit) = limit.requests_per_minute {
            enough(RequestsPerMinute, self.minute.standing(limit, now_s), 1)?;
        }
        if let Some(limit) = limit.requests_per_day {
            enough(RequestsPerDay, self.day.standing(limit, now_s), 1)?;
        }
        if let Some(limit) = limit.tokens_per_minute {
            let needed = tokens_held(tokens_estimate, limit);
            enough(TokensPerMinute, self.tokens.standing(limit, now_s), needed)?;
        }
        match limit.concurrent {
            Some(limit) if self.running.count() >= limit => Err(RateRefusal::Concurrent { limit }),
            _ => Ok(()),
        }
    }

    /// How the window closest to exhaustion stands; `None` if no window is limited.
    pub fn standing(&self, limit: &RateLimit, now_s: u64) -> Option<Standing> {
        let minute = limit.requests_per_minute.map(|limit| self.minute.standing(limit, now_s));
        let day = limit.requests_per_day.map(|limit| self.day.standing(limit, now_s));
        let tokens = limit.tokens_per_minute.map(|limit| self.tokens.standing(limit, now_s));
        closer(closer(minute, day), tokens)
    }

    /// How many requests run.
    pub fn running(&self) -> u64 {
        self.running.count()
    }
}

/// The one closer to exhaustion.
pub(super) fn closer(one: Option<Standing>, other: Option<Standing>) -> Option<Standing> {
    match (one, other) {
        (Some(one), Some(other)) if other.is_closer_than(&one) => Some(other),
        (Some(one), _) => Some(one),
        (None, other) => other,
    }
}

fn enough(what: RateKind, standing: Standing, needed: u64) -> Result<(), RateRefusal> {
    if standing.remaining >= needed { Ok(()) } else { Err(RateRefusal::Window { what, standing }) }
}

/// Tokens held for an estimate: never more than an empty window has, and never none, so that a
/// limit of nothing lets nothing in.
fn tokens_held(estimate: u64, limit: u64) -> u64 {
    estimate.min(limit.min(super::window::MAX_COUNT)).max(1)
}

/// A request that was let in. Dropped, it leaves its place and gives its tokens back.
#[derive(Debug)]
#[must_use = "dropping a hold ends the request"]
pub struct RateHold {
    meter: Arc<RateMeter>,
    /// Numbers of the windows the request was counted in.
    minute: Option<u64>,
    day: Option<u64>,
    tokens: Option<TokensHeld>,
    standing: Option<Standing>,
}

#[derive(Debug, Clone, Copy)]
struct TokensHeld {
    number: u64,
    held: u64,
}

impl RateHold {
    fn take_all(
        &mut self,
        limit: &RateLimit,
        tokens_estimate: u64,
        now_s: u64,
    ) -> Result<(), RateRefusal> {
        let refused = |what| move |standing| RateRefusal::Window { what, standing };
        if let Some(limit) = limit.requests_per_minute {
            let taken = self.meter.minute.take(1, limit, now_s);
            let taken = taken.map_err(refused(RateKind::RequestsPerMinute))?;
            self.minute = Some(taken.number);
            self.standing = closer(self.standing, Some(taken.standing));
        }
        if let Some(limit) = limit.requests_per_day {
            let taken = self.meter.day.take(1, limit, now_s);
            let taken = taken.map_err(refused(RateKind::RequestsPerDay))?;
            self.day = Some(taken.number);
            self.standing = closer(self.standing, Some(taken.standing));
        }
        if let Some(limit) = limit.tokens_per_minute {
            let held = tokens_held(tokens_estimate, limit);
            let taken = self.meter.tokens.take(held, limit, now_s);
            let taken = taken.map_err(refused(RateKind::TokensPerMinute))?;
            self.tokens = Some(TokensHeld { number: taken.number, held });
            self.standing = closer(self.standing, Some(taken.standing));
        }
        Ok(())
    }

    /// Ends the request: `tokens_used` replaces the estimate in the window it was held in.
    pub fn settle(mut self, tokens_used: u64) {
        if let Some(TokensHeld { number, held }) = self.tokens.take() {
            self.meter.tokens.correct(held, tokens_used, number);
        }
    }

    /// Ends the request as if it had never entered.
    pub fn undo(self) {
        if let Some(number) = self.minute {
            self.meter.minute.give_back(1, number);
        }
        if let Some(number) = self.day {
            self.meter.day.give_back(1, number);
        }
    }

    /// How the window closest to exhaustion stood after this request; `None` if none is limited.
    pub fn standing(&self) -> Option<Standing> {
        self.standing
    }
}

impl Drop for RateHold {
    fn drop(&mut self) {
        if let Some(TokensHeld { number, held }) = self.tokens {
            self.meter.tokens.give_back(held, number);
        }
        self.meter.running.leave();
    }
}
