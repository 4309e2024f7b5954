//! How endpoints, providers and keys are doing, as long as the process lives.
//!
//! `proxy` asks before each attempt and tells what came of it; the planner reads through
//! [`Live`]; the catalogue and the metrics read too. Everything is found by name, so that a reload
//! of the configuration keeps it. Pure: the moment is handed in, in milliseconds since the health
//! was made ([`Health::now_ms`]); no lock is held longer than a lookup or an addition. Bounded:
//! at most [`MAX_ENDPOINTS`] endpoints of about 1 KiB, and 12 to 16 KiB more once they answered.
//!
//! An attempt: `health.endpoint(slug, model).enter(now)` gives a permit and
//! `health.provider(slug).keys.pick(…)` a key, or they say how long to wait; `note_request` for the
//! first attempt of a request, `may_retry` before each further one; then `note_answered` or
//! `note_failed` of the provider. A permit that is dropped says nothing.

mod atomic;
mod breaker;
mod budget;
mod distribution;
mod endpoint;
mod keys;
mod rules;
mod speed;
mod tally;
#[cfg(test)]
mod tests;
mod verdict;

pub use budget::RetryBudget;
pub use endpoint::{EndpointHealth, EndpointStats, Permit, RetryIn, Sample, ToolOutcome};
pub use keys::{Keys, NoKey, Scope};
pub use speed::Answer;
pub use verdict::{Verdict, verdict};

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use arc_swap::ArcSwap;
use dashmap::DashMap;

use super::live::{EndpointView, Gate, Live};
use crate::config::RoutingConfig;
use crate::error::GatewayError;
use crate::providers::ProviderKey;
use crate::telemetry::health_metrics::{EndpointState, HealthMetrics, ProviderCounts};
use rules::Rules;

/// Most endpoints that are known at a time. Beyond it those that were not called for longest are
/// forgotten.
pub const MAX_ENDPOINTS: usize = 4_096;
/// How many are forgotten at a time, so that many new names cost little each.
const FORGOTTEN_AT_ONCE: usize = MAX_ENDPOINTS / 8;
/// Providers are those of the configuration; beyond this number nothing of them is kept.
const MAX_PROVIDERS: usize = 1_024;

type Named = HashMap<Box<str>, HashSet<Box<str>>>;

/// The health of everything that is called.
#[derive(Debug)]
pub struct Health {
    started: Instant,
    rules: Arc<ArcSwap<Rules>>,
    /// Endpoints that the configuration names, by provider.
    named: ArcSwap<Named>,
    providers: DashMap<Box<str>, Arc<ProviderHealth>>,
}

/// The health of one provider.
#[derive(Debug)]
pub struct ProviderHealth {
    slug: Arc<str>,
    /// How many retries it gets.
    budget: Arc<RetryBudget>,
    /// Its keys.
    pub keys: Keys,
    rules: Arc<ArcSwap<Rules>>,
    endpoints: RwLock<HashMap<Box<str>, Arc<EndpointHealth>>>,
}

impl Health {
    /// Nothing is known yet.
    pub fn new(config: &RoutingConfig) -> Self {
        Self {
            started: Instant::now(),
            rules: Arc::new(ArcSwap::from_pointee(Rules::new(config))),
            named: ArcSwap::default(),
            providers: DashMap::new(),
        }
    }

    /// Other thresholds from now on; what is known stays. `named` are the endpoints that the
    /// configuration names, which alone may label a metric: providers' slugs and their own names
    /// of models.
    pub fn configure(
        &self,
        config: &RoutingConfig,
        named: impl IntoIterator<Item = (Box<str>, Box<str>)>,
    ) {
        self.rules.store(Arc::new(Rules::new(config)));
        let mut by_provider = Named::new();
        for (provider, model) in named {
            by_provider.entry(provider).or_default().insert(model);
        }
        self.named.store(Arc::new(by_provider));
    }

    /// Milliseconds since this was made, by a clock that only passes.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The health of a provider, by its slug.
    pub fn provider(&self, slug: &str) -> Arc<ProviderHealth> {
        if let Some(found) = self.providers.get(slug) {
            return Arc::clone(&found);
        }
        let fresh = || Arc::new(ProviderHealth::new(slug, Arc::clone(&self.rules)));
        if self.providers.len() >= MAX_PROVIDERS {
            return fresh();
        }
        Arc::clone(&self.providers.entry(slug.into()).or_insert_with(fresh))
    }

    /// The health of an endpoint: a provider's slug and its own name of the model.
    pub fn endpoint(&self, provider: &str, upstream_model: &str) -> Arc<EndpointHealth> {
        let found = self.provider(provider);
        if let Some(endpoint) = found.find(upstream_model) {
            return endpoint;
        }
        if self.endpoint_count() >= MAX_ENDPOINTS {
            self.forget_some();
        }
        found.make(upstream_model, self.now_ms())
    }

    /// What the catalogue shows of an endpoint; `None` if it was never called.
    pub fn stats(&self, provider: &str, upstream_model: &str) -> Option<EndpointStats> {
        let endpoint = self.providers.get(provider)?.find(upstream_model)?;
        Some(endpoint.stats(self.now_ms()))
    }

    /// Brings what was counted to the metrics.
    pub fn show(&self, metrics: &HealthMetrics) {
        let (now_ms, named) = (self.now_ms(), self.named.load());
        metrics.reset_endpoints();
        for provider in &self.providers {
            metrics.set_provider(&provider.slug, provider.counts());
            for model in named.get(provider.key()).into_iter().flatten() {
                if let Some(endpoint) = provider.find(model) {
                    let state = state_of(endpoint.gate(now_ms));
                    metrics.set_endpoint(&provider.slug, model, state);
                }
            }
        }
    }

    /// Number of endpoints that are known.
    pub fn endpoint_count(&self) -> usize {
        self.providers.iter().map(|provider| provider.len()).sum()
    }

    /// Forgets those that were not called for longest.
    fn forget_some(&self) {
        let mut uses: Vec<u64> =
            self.providers.iter().flat_map(|provider| provider.uses()).collect();
        let last = FORGOTTEN_AT_ONCE.min(uses.len()).saturating_sub(1);
        if uses.len() <= last {
            return;
        }
        let (_, used_ms, _) = uses.select_nth_unstable(last);
        let oldest_kept_ms = *used_ms;
        for provider in &self.providers {
            provider.forget_used_until(oldest_kept_ms);
        }
    }
}

impl Live for Health {
    fn endpoint(&self, provider: &str, upstream_model: &str) -> EndpointView {
        let found = self.providers.get(provider).and_then(|found| found.find(upstream_model));
        found.map_or_else(EndpointView::default, |endpoint| endpoint.view(self.now_ms()))
    }
}

fn state_of(gate: Gate) -> EndpointState {
    match gate {
        Gate::Closed => EndpointState::Closed,
        Gate::HalfOpen => EndpointState::HalfOpen,
        Gate::Open { .. } => EndpointState::Open,
    }
}

impl ProviderHealth {
    fn new(slug: &str, rules: Arc<ArcSwap<Rules>>) -> Self {
        Self {
            slug: slug.into(),
            budget: Arc::default(),
            keys: Keys::new(slug),
            rules,
            endpoints: RwLock::default(),
        }
    }

    /// A request goes to the provider as its first choice.
    pub fn note_request(&self, now_ms: u64) {
        self.budget.note_request(now_ms);
    }

    /// Whether a request that failed elsewhere may go to the provider, or a second time to it;
    /// counts it if so.
    pub fn may_retry(&self, now_ms: u64) -> bool {
        self.budget.may_retry(self.rules.load().retries_per_thousand, now_ms)
    }

    /// An attempt was answered, with this key if the provider has any.
    pub fn note_answered(
        &self,
        (permit, key): (Permit, Option<&ProviderKey>),
        sample: Sample,
        now_ms: u64,
    ) {
        self.keys.note_works((key, permit.endpoint().model()), now_ms);
        permit.succeeded(sample, now_ms);
    }

    /// An attempt failed: its error is held against the endpoint, against the key, or nobody
    /// ([`verdict()`]).
    pub fn note_failed(
        &self,
        (permit, key): (Permit, Option<&ProviderKey>),
        error: &GatewayError,
        now_ms: u64,
    ) {
        let name = (key, permit.endpoint().model());
        match verdict(error) {
            Verdict::Neutral => {}
            Verdict::KeyLimited { wait } => self.keys.note_limited(name, wait, now_ms),
            Verdict::KeyRefused(scope) => self.keys.note_refused(name, scope, now_ms),
            Verdict::Counts => return permit.failed(error.kind, now_ms),
        }
        permit.neutral();
    }

    fn counts(&self) -> ProviderCounts {
        let (cooldowns, ejections) = self.keys.counts();
        let refused_keys = u64::try_from(self.keys.refused()).unwrap_or(u64::MAX);
        let denied_retries = self.budget.denied();
        ProviderCounts { cooldowns, ejections, refused_keys, denied_retries }
    }

    fn find(&self, model: &str) -> Option<Arc<EndpointHealth>> {
        self.endpoints.read().unwrap_or_else(PoisonError::into_inner).get(model).cloned()
    }

    fn make(&self, model: &str, now_ms: u64) -> Arc<EndpointHealth> {
        let mut endpoints = self.endpoints.write().unwrap_or_else(PoisonError::into_inner);
        let made = endpoints.entry(model.into()).or_insert_with(|| {
            let name = (Arc::clone(&self.slug), model);
            let budget = Arc::clone(&self.budget);
            Arc::new(EndpointHealth::new(name, Arc::clone(&self.rules), budget, now_ms))
        });
        Arc::clone(made)
    }

    fn len(&self) -> usize {
        self.endpoints.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn uses(&self) -> Vec<u64> {
        let endpoints = self.endpoints.read().unwrap_or_else(PoisonError::into_inner);
        endpoints.values().map(|endpoint| endpoint.used_ms()).collect()
    }

    fn forget_used_until(&self, used_ms: u64) {
        let mut endpoints = self.endpoints.write().unwrap_or_else(PoisonError::into_inner);
        endpoints.retain(|_, endpoint| endpoint.used_ms() > used_ms);
    }
}
