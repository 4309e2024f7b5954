//! Prometheus metrics. Names follow the conventions of the field: base units, `_total` for
//! counters, bounded labels.
//!
//! The series of one route are resolved once and kept, so that a request costs no label hashing
//! but one map read. Labels come from tables (routes, configured providers and models), never from
//! what a client sent.

use super::health_metrics::HealthMetrics;
use super::parameters::PARAMETERS;
use crate::error::TimeLimit;
use crate::money::PicoUsd;
use dashmap::DashMap;
use prometheus::{
    Counter, Encoder, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, Opts, Registry, TextEncoder,
};
use std::sync::Arc;
use std::time::Duration;

/// Buckets of request durations, in seconds: doubling from 10 ms.
const DURATION_BUCKETS: &[f64] = &[
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84,
    327.68, 655.36,
];
/// Buckets of the time to the first token, in seconds.
const FIRST_TOKEN_BUCKETS: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    20.0, 40.0, 80.0,
];
/// Buckets of the time between output tokens, in seconds.
const PER_OUTPUT_TOKEN_BUCKETS: &[f64] =
    &[0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5];
/// Buckets of the gateway's own work, in seconds.
const OVERHEAD_BUCKETS: &[f64] = &[
    0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
];
/// Routes whose series are kept; configured models times operations stay far below.
const MAX_KEPT_SERIES: usize = 10_000;

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    series: DashMap<SeriesKey, Arc<Series>>,
    requests: IntCounterVec,
    durations: HistogramVec,
    first_token: Histogram,
    per_output_token: Histogram,
    overhead: HistogramVec,
    failovers: IntCounterVec,
    attempts: IntCounterVec,
    timeouts: IntCounterVec,
    tokens: IntCounterVec,
    auth_failures: IntCounterVec,
    refusals: IntCounterVec,
    dropped_parameters: IntCounterVec,
    tool_calls: IntCounterVec,
    reloads: IntCounterVec,
    cost_usd: Counter,
    config_info: prometheus::IntGaugeVec,
    last_reload_success: Gauge,
    /// How endpoints and keys are doing.
    pub health: HealthMetrics,
    /// Requests being served.
    pub requests_in_flight: IntGauge,
    /// Requests whose client left before the end.
    pub client_cancelled: IntCounter,
    /// Complete answers that cost nothing, which usually means a missing price.
    pub zero_cost_requests: IntCounter,
    overshoot_usd: Counter,
    counter_drift_usd: Counter,
    /// Usage records that could not be written to the journal.
    pub usage_records_lost: IntCounter,
    /// Bytes of the journal that are not in the store yet.
    pub usage_journal_lag_bytes: IntGauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SeriesKey {
    operation: &'static str,
    provider: Box<str>,
    model: Box<str>,
}

/// The series of one operation, provider and model.
#[derive(Debug)]
struct Series {
    by_class: [IntCounter; 5],
    duration: Histogram,
}

impl Metrics {
    /// Registers every metric. Fails only on a programming mistake in a name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let make = Maker(Registry::new());
        let metrics = Self {
            health: HealthMetrics::new(&make.0)?,
            series: DashMap::new(),
            requests: requests(&make)?,
            durations: durations()?,
            first_token: first_token()?,
            per_output_token: per_output_token()?,
            overhead: overhead()?,
            failovers: failovers(&make)?,
            attempts: attempts(&make)?,
            timeouts: timeouts(&make)?,
            tokens: make.counters("arouter_tokens_total", "Tokens, by kind.", &["type"])?,
            auth_failures: make.counters(
                "arouter_auth_failures_total",
                "Requests refused for their credential.",
                &["reason"],
            )?,
            refusals: make.counters(
                "arouter_refusals_total",
                "Requests that a limit refused, by the limit.",
                &["reason"],
            )?,
            dropped_parameters: make.counters(
                "arouter_dropped_parameters_total",
                "Parameters of requests that the provider's format cannot express.",
                &["provider", "parameter"],
            )?,
            tool_calls: make.counters(
                "arouter_tool_calls_total",
                "Calls of tools in answers of models with several endpoints, by what they are.",
                &["provider", "outcome"],
            )?,
            reloads: make.counters(
                "arouter_config_reloads_total",
                "Reloads of the configuration, by result.",
                &["result"],
            )?,
            cost_usd: make.amount("arouter_cost_usd_total", "Cost of all answers in USD.")?,
            config_info: config_info()?,
            last_reload_success: Gauge::new(
                "arouter_config_last_reload_success_timestamp_seconds",
                "When the configuration in force was loaded.",
            )?,
            requests_in_flight: make
                .gauge("arouter_requests_in_flight", "Requests being served.")?,
            client_cancelled: make.counter(
                "arouter_client_cancelled_total",
                "Requests whose client left before the end.",
            )?,
            zero_cost_requests: make.counter(
                "arouter_zero_cost_requests_total",
                "Complete answers that cost nothing.",
            )?,
            overshoot_usd: make.amount(
                "arouter_budget_overshoot_usd_total",
                "Money that requests of keys with a limit cost above what was held for them.",
            )?,
            counter_drift_usd: make.amount(
                "arouter_counter_drift_usd_total",
                "Spending that the store knew of and the counters did not.",
            )?,
            usage_records_lost: make.counter(
                "arouter_usage_events_dropped_total",
                "Usage records that could not be written.",
            )?,
            usage_journal_lag_bytes: make.gauge(
                "arouter_usage_queue_length",
                "Bytes of the usage journal that are not in the store yet.",
            )?,
            registry: make.0,
        };
        metrics.register_rest()?;
        metrics.start_at_zero();
        Ok(metrics)
    }

    fn register_rest(&self) -> Result<(), prometheus::Error> {
        self.registry.register(Box::new(self.durations.clone()))?;
        self.registry.register(Box::new(self.first_token.clone()))?;
        self.registry.register(Box::new(self.per_output_token.clone()))?;
        self.registry.register(Box::new(self.overhead.clone()))?;
        self.registry.register(Box::new(self.config_info.clone()))?;
        self.registry.register(Box::new(self.last_reload_success.clone()))?;
        let build = prometheus::IntGaugeVec::new(
            Opts::new("arouter_build_info", "Version of the gateway."),
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        self.registry.register(Box::new(build))?;
        let process = prometheus::process_collector::ProcessCollector::for_self();
        self.registry.register(Box::new(process))
    }

    /// Series whose labels are known beforehand exist from the start, so that a first event shows
    /// as an increase.
    fn start_at_zero(&self) {
        for kind in ["prompt", "completion", "cached", "reasoning"] {
            self.tokens.with_label_values(&[kind]);
        }
        for reason in ["missing", "invalid"] {
            self.auth_failures.with_label_values(&[reason]);
        }
        for result in ["success", "failure"] {
            self.reloads.with_label_values(&[result]);
        }
    }

    /// Counts an answered request. `route` is operation, provider, model.
    pub fn count_request(
        &self,
        route: (&'static str, &str, &str),
        status: u16,
        duration: Duration,
    ) {
        let series = self.series_of(route);
        let class = usize::from(status / 100).saturating_sub(1);
        if let Some(counter) = series.by_class.get(class) {
            counter.inc();
        }
        series.duration.observe(duration.as_secs_f64());
    }

    fn series_of(&self, (operation, provider, model): (&'static str, &str, &str)) -> Arc<Series> {
        let key = SeriesKey { operation, provider: provider.into(), model: model.into() };
        if let Some(series) = self.series.get(&key) {
            return Arc::clone(&series);
        }
        let series = Arc::new(Series {
            by_class: ["1xx", "2xx", "3xx", "4xx", "5xx"]
                .map(|class| self.requests.with_label_values(&[operation, provider, model, class])),
            duration: self.durations.with_label_values(&[operation, provider, model]),
        });
        if self.series.len() < MAX_KEPT_SERIES {
            self.series.insert(key, Arc::clone(&series));
        }
        series
    }

    /// Counts an upstream attempt; `outcome` is `ok` or an error kind.
    pub fn count_attempt(&self, provider: &str, outcome: &'static str) {
        self.attempts.with_label_values(&[provider, outcome]).inc();
    }

    /// Counts a time limit that a provider missed.
    pub fn count_timeout(&self, provider: &str, limit: TimeLimit) {
        self.timeouts.with_label_values(&[provider, limit.name()]).inc();
    }

    /// Counts tokens of one kind.
    pub fn count_tokens(&self, kind: &'static str, tokens: Option<u64>) {
        if let Some(tokens) = tokens.filter(|tokens| *tokens > 0) {
            self.tokens.with_label_values(&[kind]).inc_by(tokens);
        }
    }

    /// Adds to the total cost. The metric is for graphs; the ledger is exact.
    pub fn count_cost(&self, cost: PicoUsd) {
        add_usd(&self.cost_usd, cost);
    }

    /// Counts what a request cost above what was held for it.
    pub fn count_overshoot(&self, overshoot: PicoUsd) {
        add_usd(&self.overshoot_usd, overshoot);
    }

    /// Counts spending that the counters had missed.
    pub fn count_drift(&self, drift: PicoUsd) {
        add_usd(&self.counter_drift_usd, drift);
    }

    /// Observes the time to the first token.
    pub fn observe_first_token(&self, first_token_ms: u64) {
        self.first_token.observe(Duration::from_millis(first_token_ms).as_secs_f64());
    }

    /// Observes the time between output tokens after the first.
    pub fn observe_output_tokens(&self, tokens: u64, generating: Duration) {
        if let Some(gaps) = tokens.checked_sub(1).filter(|gaps| *gaps > 0) {
            #[expect(clippy::cast_precision_loss, reason = "an average needs no more precision")]
            self.per_output_token.observe(generating.as_secs_f64() / gaps as f64);
        }
    }

    /// Observes the gateway's own work in a phase of a request.
    pub fn observe_overhead(&self, phase: &'static str, spent: Duration) {
        self.overhead.with_label_values(&[phase]).observe(spent.as_secs_f64());
    }

    /// Counts a request that goes on to another endpoint.
    pub fn count_failover(&self, from: &str, to: &str, reason: &'static str) {
        self.failovers.with_label_values(&[from, to, reason]).inc();
    }

    /// Counts a request that a limit refused.
    pub fn count_refusal(&self, reason: &'static str) {
        self.refusals.with_label_values(&[reason]).inc();
    }

    /// Counts calls of tools; `outcome` is a verdict, or `skipped` for those that were not judged.
    pub fn count_tool_calls(&self, provider: &str, outcome: &'static str, calls: usize) {
        let calls = u64::try_from(calls).unwrap_or(u64::MAX);
        self.tool_calls.with_label_values(&[provider, outcome]).inc_by(calls);
    }

    /// Counts a refused credential.
    pub fn count_auth_failure(&self, reason: &'static str) {
        self.auth_failures.with_label_values(&[reason]).inc();
    }

    /// Counts a parameter that was left out. Names that are none of the known ones share a series.
    pub fn count_dropped_parameter(&self, provider: &str, parameter: &str) {
        let known = PARAMETERS.iter().find(|known| **known == parameter);
        let parameter = known.copied().unwrap_or("other");
        self.dropped_parameters.with_label_values(&[provider, parameter]).inc();
    }

    /// Notes a reload that succeeded at a moment.
    pub fn note_reload(&self, hash: &str, unix_ms: i64) {
        self.reloads.with_label_values(&["success"]).inc();
        self.note_config(hash, unix_ms);
    }

    /// Notes which configuration is in force.
    pub fn note_config(&self, hash: &str, unix_ms: i64) {
        self.config_info.reset();
        self.config_info.with_label_values(&[hash]).set(1);
        #[expect(clippy::cast_precision_loss, reason = "seconds fit 53 bits")]
        self.last_reload_success.set(unix_ms as f64 / 1000.0);
    }

    /// Notes a reload that failed.
    pub fn note_failed_reload(&self) {
        self.reloads.with_label_values(&["failure"]).inc();
    }

    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

/// Adds an amount; a graph needs no more digits than a float has, the records have all.
fn add_usd(counter: &Counter, amount: PicoUsd) {
    #[expect(clippy::cast_precision_loss, reason = "a graph needs no more than 53 bits")]
    let usd = amount.pico() as f64 / PicoUsd::PER_USD as f64;
    if usd > 0.0 {
        counter.inc_by(usd);
    }
}

/// Makes and registers metrics.
struct Maker(Registry);

impl Maker {
    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, prometheus::Error> {
        let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(counters.clone()))?;
        Ok(counters)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        let counter = IntCounter::new(name, help)?;
        self.0.register(Box::new(counter.clone()))?;
        Ok(counter)
    }

    fn amount(&self, name: &str, help: &str) -> Result<Counter, prometheus::Error> {
        let amount = Counter::new(name, help)?;
        self.0.register(Box::new(amount.clone()))?;
        Ok(amount)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        let gauge = IntGauge::new(name, help)?;
        self.0.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }
}

fn requests(make: &Maker) -> Result<IntCounterVec, prometheus::Error> {
    make.counters(
        "arouter_requests_total",
        "Requests answered, by route and class of status.",
        &["operation", "provider", "model", "status_class"],
    )
}

fn failovers(make: &Maker) -> Result<IntCounterVec, prometheus::Error> {
    make.counters(
        "arouter_failovers_total",
        "Requests that went on to another endpoint, by reason.",
        &["from", "to", "reason"],
    )
}

fn attempts(make: &Maker) -> Result<IntCounterVec, prometheus::Error> {
    make.counters(
        "arouter_upstream_attempts_total",
        "Upstream attempts, by provider and outcome.",
        &["provider", "outcome"],
    )
}

fn timeouts(make: &Maker) -> Result<IntCounterVec, prometheus::Error> {
    make.counters(
        "arouter_upstream_timeouts_total",
        "Time limits that providers missed, by provider and limit.",
        &["provider", "limit"],
    )
}

fn config_info() -> Result<prometheus::IntGaugeVec, prometheus::Error> {
    prometheus::IntGaugeVec::new(
        Opts::new("arouter_config_info", "Hash of the configuration in force."),
        &["hash"],
    )
}

fn durations() -> Result<HistogramVec, prometheus::Error> {
    let options = HistogramOpts::new(
        "arouter_request_duration_seconds",
        "From the request's header to the end of its answer.",
    );
    HistogramVec::new(
        options.buckets(DURATION_BUCKETS.to_vec()),
        &["operation", "provider", "model"],
    )
}

fn first_token() -> Result<Histogram, prometheus::Error> {
    let options = HistogramOpts::new(
        "arouter_time_to_first_token_seconds",
        "From the request's header to the first content.",
    );
    Histogram::with_opts(options.buckets(FIRST_TOKEN_BUCKETS.to_vec()))
}

fn per_output_token() -> Result<Histogram, prometheus::Error> {
    let options = HistogramOpts::new(
        "arouter_time_per_output_token_seconds",
        "Mean time between output tokens of a streamed answer.",
    );
    Histogram::with_opts(options.buckets(PER_OUTPUT_TOKEN_BUCKETS.to_vec()))
}

fn overhead() -> Result<HistogramVec, prometheus::Error> {
    let options = HistogramOpts::new(
        "arouter_overhead_seconds",
        "The gateway's own work on a request, waiting excluded, by phase.",
    );
    HistogramVec::new(options.buckets(OVERHEAD_BUCKETS.to_vec()), &["phase"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_appear_in_the_text() {
        let metrics = Metrics::new().unwrap();
        metrics.count_request(("chat", "openai", "other"), 200, Duration::from_millis(5));
        metrics.count_request(("chat", "openai", "other"), 429, Duration::from_millis(5));
        metrics.count_tokens("prompt", Some(7));
        metrics.count_cost(PicoUsd::from_pico(PicoUsd::PER_USD / 2));
        metrics.note_config("abc", 1_000);
        let text = String::from_utf8(metrics.render().unwrap()).unwrap();
        let lines = [
            r#"arouter_requests_total{model="other",operation="chat",provider="openai",status_class="2xx"} 1"#,
            r#"arouter_requests_total{model="other",operation="chat",provider="openai",status_class="4xx"} 1"#,
            r#"arouter_tokens_total{type="prompt"} 7"#,
            "arouter_cost_usd_total 0.5",
            r#"arouter_config_info{hash="abc"} 1"#,
        ];
        for line in lines {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
