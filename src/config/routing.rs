//! `[routing]`: how many attempts a request gets and when an endpoint is left alone.
//!
//! Read by `routing` and `proxy::failover`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Fallback and circuit breaking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RoutingConfig {
    /// Most attempts made for one request, over all keys, endpoints and models.
    pub max_attempts: u32,
    /// Retries that a failing provider gets, as a share of its requests, from 0 to 1. One that answers gets all.
    pub retry_budget: f64,
    /// Whether a request with several models goes on to the next when the prompt is too long.
    pub fallback_on_context_length: bool,
    /// Whether a request with several models goes on to the next when one refuses the content.
    pub fallback_on_content_policy: bool,
    /// When an endpoint is left alone, and for how long.
    pub breaker: BreakerConfig,
    /// Models for requests that leave the choice to the gateway.
    pub auto: AutoConfig,
    /// What requests for a model or an alias wish of their providers, by the name that callers ask
    /// for: written as a request writes `provider`, whose own members count more.
    pub presets: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
    /// Models and aliases of which a second endpoint is asked when the first one is silent for
    /// longer than usual, by the name that callers ask for.
    pub hedge: BTreeMap<String, HedgeConfig>,
}

impl Default for RoutingConfig {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            retry_budget: 0.2,
            fallback_on_context_length: true,
            fallback_on_content_policy: true,
            breaker: BreakerConfig::default(),
            auto: AutoConfig::default(),
            presets: BTreeMap::new(),
            hedge: BTreeMap::new(),
        }
    }
}

/// The auto router, which serves the model `auto`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AutoConfig {
    /// Models it may choose, the best one first; omitted: all of `[models]`, the dearest first.
    pub models: Vec<String>,
}

/// When a second endpoint is asked, which costs a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HedgeConfig {
    /// Least silence, in milliseconds, however fast the endpoint usually is.
    pub min_silence_ms: u64,
    /// Most requests of 100 for which a second endpoint is asked.
    pub max_percent: u32,
}

impl Default for HedgeConfig {
    fn default() -> Self {
        Self { min_silence_ms: 200, max_percent: 10 }
    }
}

/// When an endpoint (a model of a provider) is left alone: the circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerConfig {
    /// Failures in a row after which an endpoint is left alone; 0: it never is. So it is
    /// too when more than half of at least 20 calls in the window failed.
    pub consecutive_failures: u32,
    /// Window over which the failure rate is watched, in seconds.
    pub window_s: u64,
    /// How long it is first left alone, in seconds; doubled each time that the one call which then tries it fails.
    pub open_s: u64,
    /// Longest time it is left alone, in seconds. After as long without trouble the times begin anew.
    pub max_open_s: u64,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { consecutive_failures: 5, window_s: 30, open_s: 30, max_open_s: 300 }
    }
}
