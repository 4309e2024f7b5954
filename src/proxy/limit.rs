//! The last step of phase 1: a request takes its place in every limit, or is told which one is
//! reached.
//!
//! Called by `admit`, `raw` and, for limits of a model, before each attempt. What is taken lives in
//! the [`UsageGuard`](super::settle::UsageGuard) and is given back however the request ends; a
//! refused request has consumed nothing.

use super::demand::Demand;
use super::state::Services;
use crate::auth::ApiKey;
use crate::config::RateLimit;
use crate::error::{Fact, GatewayError, Kind, Retry};
use crate::limits::{
    Admission, Ask, Payer, RateHold, RateKind, RateRefusal, Refusal, Standing, Subject,
};
use crate::money::PicoUsd;
use crate::routing::Candidate;
use pingora::http::ResponseHeader;
use std::sync::Arc;
use std::time::Duration;

/// Ending of a model's name that is free of charge.
const FREE_VARIANT: &str = ":free";
/// Wait that is named when only running requests stand in the way.
const RUNNING_RETRY: Duration = Duration::from_secs(1);

/// Tells the caller how the limit closest to exhaustion stands.
pub fn show(standing: Option<Standing>, header: &mut ResponseHeader) -> Result<(), GatewayError> {
    let Some(standing) = standing else { return Ok(()) };
    for (name, number) in [
        ("x-ratelimit-limit", standing.limit),
        ("x-ratelimit-remaining", standing.remaining),
        ("x-ratelimit-reset", standing.reset_s),
    ] {
        header
            .insert_header(name, number.to_string())
            .map_err(|error| GatewayError::internal(format!("response header: {error}")))?;
    }
    Ok(())
}

/// A request that is not let in.
struct Refused {
    /// What the caller is told.
    error: GatewayError,
    /// How the limit stands that was reached.
    standing: Option<Standing>,
}

/// What a running request holds of limits. Dropped, all of it is free again.
#[derive(Debug, Default)]
pub struct Holds {
    admission: Option<Admission>,
    /// The model that is tried, and its place in what may be asked of it.
    model: Option<(Arc<str>, RateHold)>,
    tokens_estimate: u64,
    standing: Option<Standing>,
}

impl Holds {
    /// How the limit closest to exhaustion stood when this request was let in.
    pub fn standing(&self) -> Option<Standing> {
        self.standing
    }

    /// Notes how the key's limits stand before the request takes its place in them, for an answer
    /// that comes without that.
    pub fn look_at(&mut self, services: &Services, key: &ApiKey) {
        let now_s = services.meters.now_s();
        self.standing = key.meter.rates.standing(&key.policy.rate_limit, now_s);
    }

    /// Lets a request of this key in that may go to these endpoints.
    pub fn reserve(
        &mut self,
        services: &Services,
        key: &ApiKey,
        (demand, candidates): (&Demand, &[Arc<Candidate>]),
    ) -> Result<(), GatewayError> {
        self.tokens_estimate = demand.probable_tokens();
        let admission = reserve(services, key, (demand, candidates));
        let admission = admission.map_err(|refused| self.refuse(*refused))?;
        self.standing = admission.standing();
        self.admission = Some(admission);
        Ok(())
    }

    /// What a second call for the same request holds, of money alone; `None` if there is not
    /// enough of it.
    pub fn again(
        services: &Services,
        key: &ApiKey,
        (demand, candidate): (&Demand, &Arc<Candidate>),
    ) -> Option<Self> {
        let hold = demand.hold(key.policy.budget_mode, std::slice::from_ref(candidate));
        let payer = if candidate.provider.byok { Payer::Byok } else { Payer::Account };
        let admission = services.meters.admit_again(&key.meter, &key.policy, (hold, payer)).ok()?;
        Some(Self { admission: Some(admission), ..Self::default() })
    }

    /// Takes a place at the candidate's model, once; the place at the one before is given up.
    pub fn enter_model(
        &mut self,
        services: &Services,
        candidate: &Candidate,
    ) -> Result<(), GatewayError> {
        let is_limited = candidate.rate_limit != RateLimit::default();
        if self.model.as_ref().is_some_and(|(name, _)| *name == candidate.canonical) {
            return Ok(());
        }
        self.model = None;
        if is_limited {
            let entered = enter_model(services, candidate, self.tokens_estimate);
            let hold = entered.map_err(|refused| self.refuse(*refused))?;
            self.note_standing(hold.standing());
            self.model = Some((Arc::clone(&candidate.canonical), hold));
        }
        Ok(())
    }

    /// The request has ended, with this use and cost.
    pub fn settle(&mut self, tokens_used: u64, cost: PicoUsd, payer: Payer) {
        if let Some(admission) = self.admission.take() {
            admission.settle(tokens_used, cost, payer);
        }
        if let Some((_, hold)) = self.model.take() {
            hold.settle(tokens_used);
        }
    }

    /// The request was refused before it was sent: it was none.
    pub fn undo(&mut self) {
        if let Some(admission) = self.admission.take() {
            admission.undo();
        }
    }

    /// Money held of the key's budget.
    pub fn money(&self) -> PicoUsd {
        self.admission.as_ref().map(Admission::held).unwrap_or_default()
    }

    fn refuse(&mut self, refused: Refused) -> GatewayError {
        self.note_standing(refused.standing);
        refused.error
    }

    fn note_standing(&mut self, other: Option<Standing>) {
        let is_closer =
            |other: &Standing| self.standing.is_none_or(|own| other.is_closer_than(&own));
        if let Some(other) = other.filter(is_closer) {
            self.standing = Some(other);
        }
    }
}

/// Lets a request of this key in that may go to these endpoints.
fn reserve(
    services: &Services,
    key: &ApiKey,
    (demand, candidates): (&Demand, &[Arc<Candidate>]),
) -> Result<Admission, Box<Refused>> {
    let is_byok = |candidate: &Arc<Candidate>| candidate.provider.byok;
    let free = candidates.first().is_some_and(|first| first.canonical.ends_with(FREE_VARIANT));
    let ask = Ask {
        tokens_estimate: demand.probable_tokens(),
        hold: demand.hold(key.policy.budget_mode, candidates),
        payer: if candidates.iter().all(is_byok) { Payer::Byok } else { Payer::Account },
        is_free_variant: free,
        model: None,
    };
    services.meters.admit(&key.meter, &key.policy, &ask).map_err(|refusal| {
        services.metrics.count_refusal(reason(&refusal));
        Box::new(refused(&refusal))
    })
}

/// Takes a place in what all callers together may ask of a model. Refused, the request may still
/// go to another model.
fn enter_model(
    services: &Services,
    candidate: &Candidate,
    tokens_estimate: u64,
) -> Result<RateHold, Box<Refused>> {
    let meters = &services.meters;
    let (meter, now_s) = (meters.model(&candidate.canonical), meters.now_s());
    meter.enter(&candidate.rate_limit, tokens_estimate, now_s).map_err(|refusal| {
        services.metrics.count_refusal("model_rate_limit");
        let mut refused = match refusal {
            RateRefusal::Window { what, standing } => {
                let wait_s = standing.reset_s.saturating_sub(now_s).max(1);
                rate_refused((Subject::Model, what), standing, wait_s)
            }
            RateRefusal::Concurrent { limit } => running(Subject::Model, limit),
        };
        refused.error.retry = Retry::OtherEndpoint;
        Box::new(refused)
    })
}

fn refused(refusal: &Refusal) -> Refused {
    let error = match *refusal {
        Refusal::Rate { whose, what, standing, retry_after_s } => {
            return rate_refused((whose, what), standing, retry_after_s);
        }
        Refusal::Concurrent { whose, limit } => return running(whose, limit),
        Refusal::KeyBudget { limit, spent, held_only, .. } => {
            let text = "Credit limit exceeded for this API key.";
            GatewayError::client(Kind::PaymentRequired, text)
                .with_fact("reason", Fact::Word(budget_reason("credit_limit_exceeded", held_only)))
                .with_fact("limit_usd", Fact::Usd(limit))
                .with_fact("used_usd", Fact::Usd(spent))
        }
        Refusal::AccountBudget { balance, held_only } => {
            let text = "Insufficient credits: the account's balance does not cover this request.";
            GatewayError::client(Kind::PaymentRequired, text)
                .with_fact("reason", Fact::Word(budget_reason("insufficient_credits", held_only)))
                .with_fact("balance_usd", Fact::Usd(balance))
        }
    };
    let wait = refusal.retry_after_s().map(Duration::from_secs);
    Refused { error: error.with_retry_after(wait), standing: None }
}

/// Money that running requests hold comes back, in whole or in part, when they end.
fn budget_reason(reached: &'static str, held_only: bool) -> &'static str {
    if held_only { "in_flight_budget_exhausted" } else { reached }
}

fn rate_refused(
    (whose, what): (Subject, RateKind),
    standing: Standing,
    retry_after_s: u64,
) -> Refused {
    let limit = standing.limit;
    let text = format!("rate limit exceeded: {limit} {} for {}", what.name(), owner(whose));
    let error = GatewayError::client(Kind::RateLimitExceeded, text)
        .with_fact("reason", Fact::Word("rate_limit_exceeded"))
        .with_fact("limit", Fact::Count(limit))
        .with_fact("window", Fact::Word(what.setting()))
        .with_retry_after(Some(Duration::from_secs(retry_after_s)));
    Refused { error, standing: Some(standing) }
}

fn running(whose: Subject, limit: u64) -> Refused {
    let text = format!("rate limit exceeded: {limit} requests at once for {}", owner(whose));
    let error = GatewayError::client(Kind::RateLimitExceeded, text)
        .with_fact("reason", Fact::Word("rate_limit_exceeded"))
        .with_fact("limit", Fact::Count(limit))
        .with_fact("window", Fact::Word("concurrent"))
        .with_retry_after(Some(RUNNING_RETRY));
    Refused { error, standing: None }
}

fn owner(whose: Subject) -> &'static str {
    match whose {
        Subject::Key => "this API key",
        Subject::Model => "this model",
        Subject::FreeVariants => "free models",
    }
}

/// A bounded word for the metric.
fn reason(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Rate { whose: Subject::FreeVariants, .. } => "free_variant",
        Refusal::Rate { what, .. } => what.setting(),
        Refusal::Concurrent { .. } => "concurrent",
        Refusal::KeyBudget { .. } => "key_budget",
        Refusal::AccountBudget { .. } => "account_budget",
    }
}
