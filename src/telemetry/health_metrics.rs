//! Metrics of the health of endpoints and of providers' keys.
//!
//! Part of `Metrics`. The health counts for itself; what it counted is brought here when the
//! metrics are read. Labels are names of the configuration.

use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

/// The series.
#[derive(Debug)]
pub struct HealthMetrics {
    endpoints: IntGaugeVec,
    refused_keys: IntGaugeVec,
    cooldowns: IntCounterVec,
    ejections: IntCounterVec,
    denied_retries: IntCounterVec,
    hedges: IntCounterVec,
}

/// What was counted of one provider since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProviderCounts {
    /// Times a key was left alone for a rate limit.
    pub cooldowns: u64,
    /// Times a key was refused.
    pub ejections: u64,
    /// Keys that are refused at the moment.
    pub refused_keys: u64,
    /// Retries that the budget did not allow.
    pub denied_retries: u64,
}

/// Whether an endpoint may be called, as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointState {
    /// It is.
    Closed = 0,
    /// One call finds out.
    HalfOpen = 1,
    /// It is left alone.
    Open = 2,
}

impl HealthMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauges = |name, help, labels: &[&str]| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone())).map(|()| gauges)
        };
        let counters = |name, help| {
            let counters = IntCounterVec::new(Opts::new(name, help), &["provider"])?;
            registry.register(Box::new(counters.clone())).map(|()| counters)
        };
        let hedges = IntCounterVec::new(
            Opts::new(
                "arouter_hedges_total",
                "Second calls for requests whose first was silent, by provider asked and result: \
                 won, lost, rescued, failed or cancelled.",
            ),
            &["provider", "result"],
        )?;
        registry.register(Box::new(hedges.clone()))?;
        Ok(Self {
            hedges,
            endpoints: gauges(
                "arouter_endpoint_state",
                "Configured endpoints that were called: 0 closed, 1 half-open, 2 left alone.",
                &["provider", "model"],
            )?,
            refused_keys: gauges(
                "arouter_provider_keys_refused",
                "Keys that their provider refuses at the moment, for all or for one model.",
                &["provider"],
            )?,
            cooldowns: counters(
                "arouter_provider_key_cooldowns_total",
                "Times a key of a provider was left alone for a rate limit.",
            )?,
            ejections: counters(
                "arouter_provider_key_ejections_total",
                "Times a key was refused by its provider.",
            )?,
            denied_retries: counters(
                "arouter_retries_denied_total",
                "Retries that a failing provider did not get.",
            )?,
        })
    }

    /// Counts a second call that was made for a request; `result` says what came of it.
    pub fn count_hedge(&self, provider: &str, result: &'static str) {
        self.hedges.with_label_values(&[provider, result]).inc();
    }

    /// Forgets the states of endpoints: those that are set next are all there are.
    pub fn reset_endpoints(&self) {
        self.endpoints.reset();
    }

    /// Sets the state of an endpoint.
    pub fn set_endpoint(&self, provider: &str, model: &str, state: EndpointState) {
        self.endpoints.with_label_values(&[provider, model]).set(state as i64);
    }

    /// Brings the counters of a provider up to what was counted.
    pub fn set_provider(&self, provider: &str, counts: ProviderCounts) {
        let raise = |counters: &IntCounterVec, counted: u64| {
            let counter = counters.with_label_values(&[provider]);
            counter.inc_by(counted.saturating_sub(counter.get()));
        };
        raise(&self.cooldowns, counts.cooldowns);
        raise(&self.ejections, counts.ejections);
        raise(&self.denied_retries, counts.denied_retries);
        let refused = i64::try_from(counts.refused_keys).unwrap_or(i64::MAX);
        self.refused_keys.with_label_values(&[provider]).set(refused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::{Encoder, TextEncoder};

    #[test]
    fn what_was_counted_is_shown_and_not_added() {
        let registry = Registry::new();
        let metrics = HealthMetrics::new(&registry).unwrap();
        let counts =
            ProviderCounts { cooldowns: 3, ejections: 2, refused_keys: 1, denied_retries: 4 };
        for _ in 0..2 {
            metrics.reset_endpoints();
            metrics.set_endpoint("p", "m", EndpointState::Open);
            metrics.set_provider("p", counts);
        }
        metrics.reset_endpoints();
        metrics.set_endpoint("p", "n", EndpointState::HalfOpen);
        metrics.set_provider("p", ProviderCounts { refused_keys: 0, ..counts });
        let mut text = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            r#"arouter_endpoint_state{model="n",provider="p"} 1"#,
            r#"arouter_provider_key_cooldowns_total{provider="p"} 3"#,
            r#"arouter_provider_key_ejections_total{provider="p"} 2"#,
            r#"arouter_provider_keys_refused{provider="p"} 0"#,
            r#"arouter_retries_denied_total{provider="p"} 4"#,
        ];
        assert_eq!(lines, expected);
    }
}
