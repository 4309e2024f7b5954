//! Phase 5: the record of a request is closed, once.
//!
//! The guard is made when a caller is known and lives on the stack of the exchange. Whatever ends
//! the request, it settles with what was counted by then: by a call, or by being dropped. The
//! journal is written before the caller gets the last byte.

use super::limit::Holds;
use super::state::Services;
use crate::auth::ApiKey;
use crate::billing::Bill;
use crate::chat::Usage;
use crate::error::{GatewayError, Kind};
use crate::formats::Observed;
use crate::limits::{Payer, Standing};
use crate::money::PicoUsd;
use crate::routing::Candidate;
use crate::routing::health::{Answer, Permit, Sample};
use crate::store::generation::{FailedAttempt, recorded};
use crate::usage::{Generation, Outcome};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the record of a second call for a request is kept under.
const HEDGE: &str = "hedge";

/// The open record of one request.
pub struct UsageGuard {
    services: Arc<Services>,
    record: Generation,
    candidate: Option<Arc<Candidate>>,
    prompt_bytes: u64,
    observed: Observed,
    started: Instant,
    /// When the present attempt began.
    attempt_started: Instant,
    /// When the present attempt's first content came.
    attempt_first_token_ms: Option<u64>,
    /// Leave for the present attempt.
    permit: Option<Permit>,
    holds: Holds,
    may_be_lost: bool,
    /// Whether the key has a spending limit.
    is_limited: bool,
    stage: Stage,
}

/// How far a record has come; it never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Nothing was sent to a provider.
    New,
    /// The journal knows that the request is under way.
    Opened,
    /// The journal has its end.
    Settled,
}

/// What is known when a record is opened.
pub struct Opening<'a> {
    /// `gen-…`.
    pub id: &'a str,
    /// When the request arrived.
    pub started: Instant,
    /// The same in Unix milliseconds.
    pub created_ms: i64,
    /// Who asked.
    pub key: &'a ApiKey,
    /// What was asked for.
    pub operation: &'static str,
    /// Model as the client named it.
    pub requested_model: &'a str,
    /// Whether it is served even if it cannot be recorded.
    pub may_be_lost: bool,
}

impl UsageGuard {
    /// Opens the record of a request.
    pub fn open(services: Arc<Services>, opening: &Opening<'_>) -> Self {
        let record = Generation {
            id: opening.id.to_owned(),
            created_ms: opening.created_ms,
            key_hash: opening.key.hash_hex.to_string(),
            key_name: opening.key.name.to_string(),
            operation: opening.operation.to_owned(),
            requested_model: opening.requested_model.to_owned(),
            model: String::new(),
            provider: String::new(),
            upstream_id: None,
            status: 0,
            outcome: Outcome::Failed,
            error: None,
            streamed: false,
            finish_reason: None,
            native_finish_reason: None,
            usage: Usage::default(),
            usage_estimated: false,
            cost_pico_usd: PicoUsd::ZERO,
            prompt_cost_pico_usd: PicoUsd::ZERO,
            completion_cost_pico_usd: PicoUsd::ZERO,
            price_version: String::new(),
            is_byok: false,
            service_tier: None,
            latency_ms: 0,
            first_token_ms: None,
            attempts: 0,
            failed_attempts: Vec::new(),
            user: None,
            referer: None,
            app_title: None,
            app_categories: None,
            session_id: None,
            user_agent: None,
        };
        Self {
            services,
            record,
            candidate: None,
            prompt_bytes: 0,
            observed: Observed::default(),
            started: opening.started,
            attempt_started: opening.started,
            attempt_first_token_ms: None,
            permit: None,
            holds: Holds::default(),
            may_be_lost: opening.may_be_lost,
            is_limited: opening.key.policy.limit.is_some(),
            stage: Stage::New,
        }
    }

    /// The record, to fill in what the request says about itself.
    pub fn record_mut(&mut self) -> &mut Generation {
        &mut self.record
    }

    /// The record as it stands.
    pub fn record(&self) -> &Generation {
        &self.record
    }

    /// What the request holds of limits.
    pub fn holds(&mut self) -> &mut Holds {
        &mut self.holds
    }

    /// How the limit closest to exhaustion stands.
    pub fn standing(&self) -> Option<Standing> {
        self.holds.standing()
    }

    /// What lives as long as the process.
    pub fn services(&self) -> &Arc<Services> {
        &self.services
    }

    /// Whether the model that answered is named by the configuration.
    pub fn model_is_configured(&self) -> bool {
        self.candidate.as_ref().is_some_and(|candidate| candidate.configured)
    }

    /// Notes the size of the prompt, to estimate tokens that nobody reports.
    pub fn note_prompt_bytes(&mut self, bytes: usize) {
        self.prompt_bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    }

    /// Notes that an attempt begins at this endpoint, with the endpoint's leave if it gives any.
    pub fn note_attempt(&mut self, candidate: &Arc<Candidate>, permit: Option<Permit>) {
        self.record.attempts = self.record.attempts.saturating_add(1);
        // What the endpoint before it said is not what this one is paid for.
        self.observed = Observed::default();
        self.candidate = Some(Arc::clone(candidate));
        self.attempt_started = Instant::now();
        self.attempt_first_token_ms = None;
        self.permit = permit;
    }

    /// Ends the attempt: its leave, for what came of it to be noted.
    pub fn take_permit(&mut self) -> Option<Permit> {
        self.permit.take()
    }

    /// What the attempt took, as the health of its endpoint wants to know it.
    pub fn sample(&self) -> Sample {
        Sample {
            first_token_ms: self.attempt_first_token_ms.filter(|_| self.record.streamed),
            total_ms: elapsed_ms(self.attempt_started),
            completion_tokens: self.record.usage.completion,
        }
    }

    /// The record of another call for the same request, made besides the present one: its id says
    /// to which it belongs.
    #[must_use]
    pub fn besides(
        &mut self,
        candidate: &Arc<Candidate>,
        permit: Option<Permit>,
        holds: Holds,
    ) -> Self {
        self.record.attempts = self.record.attempts.saturating_add(1);
        let record = Generation {
            id: format!("{}-hedge", self.record.id),
            operation: HEDGE.to_owned(),
            created_ms: self.services.clock.unix_ms(),
            attempts: 0,
            failed_attempts: Vec::new(),
            first_token_ms: None,
            ..self.record.clone()
        };
        let mut other = Self {
            services: Arc::clone(&self.services),
            record,
            candidate: None,
            prompt_bytes: self.prompt_bytes,
            observed: Observed::default(),
            started: Instant::now(),
            attempt_started: Instant::now(),
            attempt_first_token_ms: None,
            permit: None,
            holds,
            may_be_lost: self.may_be_lost,
            is_limited: self.is_limited,
            stage: Stage::New,
        };
        other.note_attempt(candidate, permit);
        other
    }

    /// The call of the other record becomes the one of this, and the other way round: what was
    /// answered belongs to the request, the other call to itself.
    pub fn swap_calls(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.candidate, &mut other.candidate);
        std::mem::swap(&mut self.attempt_started, &mut other.attempt_started);
        std::mem::swap(&mut self.attempt_first_token_ms, &mut other.attempt_first_token_ms);
        std::mem::swap(&mut self.permit, &mut other.permit);
    }

    /// Another endpoint answered first: this one was silent for so long already.
    pub fn note_outpaced(&mut self) {
        let answer = if self.record.streamed { Answer::Stream } else { Answer::Whole };
        if let Some(permit) = self.permit.take() {
            let health = &self.services.health;
            permit.outpaced(answer, elapsed_ms(self.attempt_started), health.now_ms());
        }
    }

    /// Notes that the attempt failed before the caller got a byte of its answer.
    pub fn note_failed_attempt(&mut self, error: &GatewayError) {
        let Some(candidate) = &self.candidate else { return };
        self.record.failed_attempts.push(FailedAttempt {
            provider: candidate.provider.slug.to_string(),
            model: candidate.canonical.to_string(),
            status: error.kind.status(),
            error: error.kind.name().to_owned(),
            latency_ms: elapsed_ms(self.attempt_started),
        });
    }

    /// Notes what was seen of the answer so far.
    pub fn observe(&mut self, observed: &Observed) {
        self.observed.clone_from(observed);
    }

    /// Notes that the first content came now.
    pub fn note_first_token(&mut self) {
        if self.record.first_token_ms.is_none() {
            self.record.first_token_ms = Some(elapsed_ms(self.started));
        }
        if self.attempt_first_token_ms.is_none() {
            self.attempt_first_token_ms = Some(elapsed_ms(self.attempt_started));
            if let Some(permit) = &mut self.permit {
                permit.first_content(self.services.health.now_ms());
            }
        }
    }

    /// Notes which endpoint it was that answered, where only the answer tells.
    pub fn note_answered_by(&mut self, candidate: Arc<Candidate>) {
        self.candidate = Some(candidate);
    }

    /// Writes to the journal that the request is about to be sent, with what will be kept of it
    /// if the process dies: the prompt, estimated, at the price of the noted endpoint. Only the
    /// first call does so. After an error the request must not be sent.
    pub fn open_record(&mut self) -> Result<(), GatewayError> {
        if self.stage >= Stage::Opened {
            return Ok(());
        }
        self.stage = Stage::Opened;
        match self.services.journal.open_request(&self.abandoned()) {
            Err(error) if !self.may_be_lost => {
                let text = "usage cannot be recorded at the moment";
                let refused = GatewayError::client(Kind::ProviderOverloaded, text);
                Err(refused.with_detail(error.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// The record of the request if nothing more is heard of it.
    fn abandoned(&self) -> Generation {
        let mut record = self.record.clone();
        record.outcome = Outcome::Abandoned;
        name_endpoint(&mut record, self.candidate.as_deref());
        charge(&mut record, &Bill::of_prompt(self.prompt_bytes), self.candidate.as_deref());
        record
    }

    /// Writes the record to the journal. The first call counts, later ones do nothing.
    pub fn settle(&mut self, outcome: Outcome, status: u16, error: Option<Kind>) {
        if std::mem::replace(&mut self.stage, Stage::Settled) == Stage::Settled {
            return;
        }
        self.fill_in_answer(outcome, status, error);
        self.fill_in_cost(outcome);
        self.count();
        let started = Instant::now();
        let appended = self.services.journal.append(&self.record);
        self.services.metrics.observe_overhead("settle", started.elapsed());
        if let Err(error) = appended {
            tracing::error!(generation = self.record.id, %error, "usage record could not be written");
            self.services.metrics.usage_records_lost.inc();
        }
        self.release();
    }

    /// Limits learn what the request used, and what it held is free again.
    fn release(&mut self) {
        let cost = self.record.cost_pico_usd;
        let overshoot = cost.saturating_sub(self.holds.money());
        if self.is_limited && overshoot > PicoUsd::ZERO {
            self.services.metrics.count_overshoot(overshoot);
        }
        let payer = if self.record.is_byok { Payer::Byok } else { Payer::Account };
        self.holds.settle(self.record.usage.total(), cost, payer);
    }

    fn fill_in_answer(&mut self, outcome: Outcome, status: u16, error: Option<Kind>) {
        let record = &mut self.record;
        record.outcome = outcome;
        record.status = status;
        record.error = error.map(|kind| kind.name().to_owned());
        record.latency_ms = elapsed_ms(self.started);
        record.upstream_id = self.observed.upstream_id.as_deref().map(recorded);
        record.service_tier = self.observed.service_tier.as_deref().map(recorded);
        record.finish_reason = self.observed.finish.map(|reason| reason.as_str().to_owned());
        record.native_finish_reason = self.observed.native_finish.as_deref().map(recorded);
        name_endpoint(record, self.candidate.as_deref());
    }

    fn fill_in_cost(&mut self, outcome: Outcome) {
        let bill = Bill::of(outcome, &self.observed, self.prompt_bytes);
        charge(&mut self.record, &bill, self.candidate.as_deref());
    }

    fn count(&self) {
        let metrics = &self.services.metrics;
        let usage = &self.record.usage;
        metrics.count_tokens("prompt", usage.prompt);
        metrics.count_tokens("completion", usage.completion);
        metrics.count_tokens("cached", usage.cached);
        metrics.count_tokens("reasoning", usage.reasoning);
        metrics.count_cost(self.record.cost_pico_usd);
        if self.record.outcome == Outcome::Complete && self.record.cost_pico_usd == PicoUsd::ZERO {
            metrics.zero_cost_requests.inc();
        }
        // A whole answer has no first token: its latency would drown those of the streams.
        if let Some(first_token_ms) = self.record.first_token_ms.filter(|_| self.record.streamed) {
            metrics.observe_first_token(first_token_ms);
            if self.record.outcome == Outcome::Complete {
                let generating = self.record.latency_ms.saturating_sub(first_token_ms);
                let tokens = usage.completion.unwrap_or(0);
                metrics.observe_output_tokens(tokens, Duration::from_millis(generating));
            }
        }
        if self.record.outcome == Outcome::Cancelled {
            metrics.client_cancelled.inc();
        }
    }

    /// Hands the open record on to a task that outlives the request; this guard is done.
    #[must_use]
    pub fn detach(&mut self) -> Self {
        let detached = Self {
            services: Arc::clone(&self.services),
            record: self.record.clone(),
            candidate: self.candidate.clone(),
            prompt_bytes: self.prompt_bytes,
            observed: self.observed.clone(),
            started: self.started,
            attempt_started: self.attempt_started,
            attempt_first_token_ms: self.attempt_first_token_ms,
            // What a caller does not wait for says nothing about the endpoint.
            permit: None,
            holds: std::mem::take(&mut self.holds),
            may_be_lost: self.may_be_lost,
            is_limited: self.is_limited,
            stage: self.stage,
        };
        self.stage = Stage::Settled;
        detached
    }

    /// How the request ended, seen from an error.
    pub fn fail(&mut self, error: &GatewayError) {
        let is_refusal = matches!(error.kind, Kind::RateLimitExceeded | Kind::PaymentRequired);
        if is_refusal && self.stage == Stage::New {
            // A limit of ours: nothing was sent and nothing is recorded, whoever keeps trying.
            self.stage = Stage::Settled;
            self.holds.undo();
            return;
        }
        let outcome = match error.kind {
            Kind::ClientClosed => Outcome::Cancelled,
            _ if self.observed.saw_content => Outcome::Partial,
            _ => Outcome::Failed,
        };
        self.settle(outcome, error.kind.status(), Some(error.kind));
    }
}

impl Drop for UsageGuard {
    fn drop(&mut self) {
        let outcome = if self.observed.saw_content { Outcome::Partial } else { Outcome::Failed };
        self.settle(outcome, Kind::Server.status(), Some(Kind::Server));
    }
}

fn name_endpoint(record: &mut Generation, candidate: Option<&Candidate>) {
    if let Some(candidate) = candidate {
        record.model = candidate.canonical.to_string();
        record.provider = candidate.provider.slug.to_string();
        record.is_byok = candidate.provider.byok;
    }
}

fn charge(record: &mut Generation, bill: &Bill, candidate: Option<&Candidate>) {
    let pricing = candidate.and_then(|candidate| candidate.pricing.as_deref());
    record.usage = bill.usage;
    record.usage_estimated = bill.is_estimated;
    let cost = bill.cost(pricing, record.service_tier.as_deref());
    record.cost_pico_usd = cost.total;
    record.prompt_cost_pico_usd = cost.prompt;
    record.completion_cost_pico_usd = cost.completion;
    if let Some(pricing) = pricing.filter(|_| !bill.is_free) {
        record.price_version.clone_from(&pricing.version);
    }
}

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
