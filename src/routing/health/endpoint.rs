//! What is known of one endpoint: a provider's model.
//!
//! Used by `proxy`, which asks for a permit before each attempt and ends it with what came of the
//! attempt, and by the planner and the catalogue, which read. A permit that is dropped without a
//! word says nothing and holds nothing up. Sizes do not depend on the number of calls.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::breaker::{Breaker, Change, Passage, Standing};
use super::budget::RetryBudget;
use super::rules::{RATE_SLOTS, Rules};
use super::speed::{Answer, Cached, Speed};
use super::tally::{Pair, Tally};
use crate::error::Kind;
use crate::routing::{EndpointView, Gate, Percentiles, ToolErrors};

/// Calls in the window from which the share of failures counts.
const MIN_RATE_CALLS: u64 = 20;
/// Failures within the outage window that make an outage, if more than half of the calls failed.
const MIN_OUTAGE_FAILURES: u64 = 3;
/// Requests with tool calls below which nothing is said of them.
const MIN_TOOL_REQUESTS: u64 = 10;
/// What a call is told to wait while another one probes.
const PROBE_WAIT_MS: u64 = 1_000;
/// Last use is noted no more often than this.
const USE_NOTED_MS: u64 = 1_000;

/// Slots of 3 s: the outage window of 30 s.
const OUTAGE: (usize, u64) = (10, 3_000);
/// Slots of a minute: uptime of 5 and 30 minutes.
const HALF_HOUR: (usize, u64) = (30, 60_000);
/// Slots of half an hour: uptime of a day.
const DAY: (usize, u64) = (48, 1_800_000);
/// Slots of a minute: tool calls of five minutes.
const TOOLS: (usize, u64) = (5, 60_000);

const GOOD: Pair = Pair { first: 1, second: 0 };
const BAD: Pair = Pair { first: 0, second: 1 };

/// Refused: the endpoint is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryIn {
    /// Until it may be tried again, in milliseconds.
    pub ms: u64,
}

/// What an answer took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sample {
    /// From the attempt's begin to the first content, in milliseconds; `None` for a whole answer.
    pub first_token_ms: Option<u64>,
    /// From the attempt's begin to the end, in milliseconds.
    pub total_ms: u64,
    /// Tokens of the answer, as far as they are known.
    pub completion_tokens: Option<u64>,
}

/// Numbers for the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EndpointStats {
    /// Percentage of the calls that were answered, 0 to 100, over 5 minutes; `None` without any.
    pub uptime_last_5m: Option<f32>,
    /// The same over 30 minutes.
    pub uptime_last_30m: Option<f32>,
    /// The same over a day.
    pub uptime_last_1d: Option<f32>,
    /// Time to the first token in milliseconds, over 30 minutes; `None` without enough calls.
    pub latency_last_30m: Option<Percentiles>,
    /// Completion tokens per second, over 30 minutes; `None` without enough calls.
    pub throughput_last_30m: Option<Percentiles>,
    /// Moving average of the time to the first token, in milliseconds.
    pub latency_ewma_ms: Option<f32>,
}

/// What is known of one endpoint.
#[derive(Debug)]
pub struct EndpointHealth {
    provider: Arc<str>,
    model: Box<str>,
    rules: Arc<ArcSwap<Rules>>,
    budget: Arc<RetryBudget>,
    breaker: Breaker,
    used_ms: AtomicU64,
    rate: Tally<RATE_SLOTS>,
    outage: Tally<{ OUTAGE.0 }>,
    half_hour: Tally<{ HALF_HOUR.0 }>,
    day: Tally<{ DAY.0 }>,
    tools: Tally<{ TOOLS.0 }>,
    speed: Mutex<Option<Box<Speed>>>,
    cached: Cached,
}

impl EndpointHealth {
    pub(super) fn new(
        (provider, model): (Arc<str>, &str),
        rules: Arc<ArcSwap<Rules>>,
        budget: Arc<RetryBudget>,
        now_ms: u64,
    ) -> Self {
        Self {
            provider,
            model: model.into(),
            rules,
            budget,
            breaker: Breaker::default(),
            used_ms: AtomicU64::new(now_ms),
            rate: Tally::default(),
            outage: Tally::default(),
            half_hour: Tally::default(),
            day: Tally::default(),
            tools: Tally::default(),
            speed: Mutex::new(None),
            cached: Cached::default(),
        }
    }

    /// Slug of the provider.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The provider's name of the model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Asks to call the endpoint.
    pub fn enter(self: &Arc<Self>, now_ms: u64) -> Result<Permit, RetryIn> {
        self.note_use(now_ms);
        match self.breaker.enter(now_ms) {
            Ok(passage) => Ok(Permit { endpoint: Arc::clone(self), passage: Some(passage) }),
            Err(ms) => Err(RetryIn { ms }),
        }
    }

    /// Whether it may be called; reading changes nothing.
    pub fn gate(&self, now_ms: u64) -> Gate {
        match self.breaker.standing() {
            Standing::Closed { .. } => Gate::Closed,
            Standing::Open { until_ms } if until_ms > now_ms => {
                Gate::Open { retry_in_ms: until_ms - now_ms }
            }
            Standing::Open { .. } => Gate::HalfOpen,
            Standing::Probing => Gate::Open { retry_in_ms: PROBE_WAIT_MS },
        }
    }

    /// An answer ended in tool calls; `errored` says that one of them was wrong: no JSON, a tool
    /// that was not offered, or arguments that do not fit its schema.
    pub fn note_tool_calls(&self, outcome: ToolOutcome, now_ms: u64) {
        let pair = match outcome {
            ToolOutcome::Fine => GOOD,
            ToolOutcome::Wrong => BAD,
        };
        self.tools.add(pair, (now_ms, TOOLS.1));
    }

    /// What the planner wants to know.
    pub fn view(&self, now_ms: u64) -> EndpointView {
        let outage = self.outage.total((now_ms, OUTAGE.1));
        let tools = self.tools.total((now_ms, TOOLS.1));
        let (latency_ms, throughput_tps) = self
            .cached
            .get(now_ms, || self.with_speed(|speed| speed.last_5m(now_ms)).unwrap_or_default());
        EndpointView {
            gate: self.gate(now_ms),
            recent_outage: outage.second >= MIN_OUTAGE_FAILURES && outage.second > outage.first,
            latency_ms,
            throughput_tps,
            tool_errors: (tools.total() >= MIN_TOOL_REQUESTS).then(|| ToolErrors {
                requests: u32::try_from(tools.total()).unwrap_or(u32::MAX),
                errors: u32::try_from(tools.second).unwrap_or(u32::MAX),
            }),
        }
    }

    /// What the catalogue shows.
    pub fn stats(&self, now_ms: u64) -> EndpointStats {
        let five = self.half_hour.sum((5, 0), (now_ms, HALF_HOUR.1));
        let half_hour = self.half_hour.total((now_ms, HALF_HOUR.1));
        let day = self.day.total((now_ms, DAY.1));
        let speed = self.with_speed(|speed| (speed.last_30m(now_ms), speed.latency_ewma_ms()));
        let ((latency_last_30m, throughput_last_30m), latency_ewma_ms) = speed.unwrap_or_default();
        EndpointStats {
            uptime_last_5m: uptime(five),
            uptime_last_30m: uptime(half_hour),
            uptime_last_1d: uptime(day),
            latency_last_30m,
            throughput_last_30m,
            latency_ewma_ms,
        }
    }

    /// How long 95 of 100 answers of the last 5 minutes kept callers waiting for their first
    /// content, in milliseconds; `None` without enough of them.
    pub fn silence_p95_ms(&self, answer: Answer, now_ms: u64) -> Option<f32> {
        self.with_speed(|speed| speed.silence_p95_ms(answer, now_ms)).flatten()
    }

    pub(super) fn used_ms(&self) -> u64 {
        self.used_ms.load(Ordering::Relaxed)
    }

    fn note_use(&self, now_ms: u64) {
        if now_ms.saturating_sub(self.used_ms()) >= USE_NOTED_MS {
            self.used_ms.store(now_ms, Ordering::Relaxed);
        }
    }

    fn with_speed<T>(&self, read: impl FnOnce(&Speed) -> T) -> Option<T> {
        self.speed.lock().unwrap_or_else(PoisonError::into_inner).as_deref().map(read)
    }

    fn count(&self, outcome: Pair, now_ms: u64) {
        self.rate.add(outcome, (now_ms, self.rules.load().rate_slot_ms));
        self.outage.add(outcome, (now_ms, OUTAGE.1));
        self.half_hour.add(outcome, (now_ms, HALF_HOUR.1));
        self.day.add(outcome, (now_ms, DAY.1));
        self.budget.note_outcome(outcome, now_ms);
    }

    fn succeeded(&self, passage: Passage, sample: Sample, now_ms: u64) {
        self.count(GOOD, now_ms);
        self.speed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_default()
            .add(sample, now_ms);
        let change = self.breaker.succeeded(passage, now_ms);
        self.tell(change, "answered");
    }

    fn failed(&self, passage: Passage, kind: Kind, now_ms: u64) {
        self.count(BAD, now_ms);
        let rules = **self.rules.load();
        let too_many = rules.opens && self.fails_too_often(&rules, now_ms);
        let change = self.breaker.failed(passage, (now_ms, too_many), rules.thresholds);
        self.tell(change, kind.name());
    }

    /// Whether more than half of enough calls failed since it was last closed.
    fn fails_too_often(&self, rules: &Rules, now_ms: u64) -> bool {
        let Standing::Closed { since_ms } = self.breaker.standing() else { return false };
        let calls = self.rate.sum((RATE_SLOTS, since_ms), (now_ms, rules.rate_slot_ms));
        calls.total() >= MIN_RATE_CALLS && calls.second > calls.first
    }

    fn tell(&self, change: Change, reason: &'static str) {
        let (provider, model) = (&*self.provider, &*self.model);
        match change {
            Change::None => {}
            Change::Closed => tracing::info!(provider, model, "endpoint answers again"),
            Change::Opened { for_ms } => {
                tracing::warn!(provider, model, for_ms, reason, "endpoint is left alone");
            }
        }
    }
}

/// Whether the tool calls of an answer can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolOutcome {
    /// All of them.
    Fine,
    /// At least one cannot.
    Wrong,
}

/// Leave for one call. Dropped without a word it says nothing about the endpoint.
#[derive(Debug)]
pub struct Permit {
    endpoint: Arc<EndpointHealth>,
    passage: Option<Passage>,
}

impl Permit {
    /// Whether the call finds out if the endpoint answers again.
    pub fn is_probe(&self) -> bool {
        matches!(self.passage, Some(Passage::Probe { .. }))
    }

    /// The endpoint that is called.
    pub fn endpoint(&self) -> &Arc<EndpointHealth> {
        &self.endpoint
    }

    /// The first content came: a probe that gets so far has found out, however long the rest
    /// takes.
    pub fn first_content(&mut self, now_ms: u64) {
        if let Some(passage @ Passage::Probe { .. }) = self.passage {
            let change = self.endpoint.breaker.succeeded(passage, now_ms);
            self.endpoint.tell(change, "answered");
            self.passage = Some(Passage::Normal { at_ms: now_ms });
        }
    }

    /// The answer is complete.
    pub fn succeeded(mut self, sample: Sample, now_ms: u64) {
        if let Some(passage) = self.passage.take() {
            self.endpoint.succeeded(passage, sample, now_ms);
        }
    }

    /// The endpoint failed, in a way that counts ([`super::verdict`]).
    pub fn failed(mut self, kind: Kind, now_ms: u64) {
        if let Some(passage) = self.passage.take() {
            self.endpoint.failed(passage, kind, now_ms);
        }
    }

    /// Another endpoint answered first, after this one had said nothing for so long: it would have
    /// taken longer. Left out, the slow answers would be missing among those that are known.
    pub fn outpaced(self, answer: Answer, silence_ms: u64, now_ms: u64) {
        let mut speed = self.endpoint.speed.lock().unwrap_or_else(PoisonError::into_inner);
        speed.get_or_insert_default().add_silence(answer, silence_ms, now_ms);
        drop(speed);
        self.neutral();
    }

    /// The call says nothing about the endpoint: the caller left or was wrong, or the key was.
    pub fn neutral(self) {
        drop(self);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(passage) = self.passage.take() {
            self.endpoint.breaker.neutral(passage);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a percentage needs no more than 24 bits")]
fn uptime(calls: Pair) -> Option<f32> {
    (calls.total() > 0).then(|| calls.first as f32 * 100.0 / calls.total() as f32)
}

#[cfg(test)]
mod tests;
