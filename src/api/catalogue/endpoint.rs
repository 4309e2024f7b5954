//! A model at one provider: OpenRouter's object with ARouter's fields, and how it is doing now.

use super::face::{Facts, parameter_names};
use super::pricing::PricingObject;
use crate::catalog::Parameter;
use crate::formats::ApiFormat;
use crate::routing::health::{EndpointStats, Health};
use crate::routing::{Candidate, EndpointView, Gate, Live, Percentiles};
use serde::Serialize;
use std::collections::BTreeMap;

/// OpenRouter's words for how an endpoint is doing: it answers.
const FINE: i8 = 0;
/// It had an outage just now, or is about to be tried again.
const SHAKY: i8 = -1;
/// It is left alone.
const DOWN: i8 = -2;

/// An endpoint as lists show it.
#[expect(clippy::struct_excessive_bools, reason = "each is a member of the object")]
#[derive(Debug, Serialize)]
pub(super) struct EndpointObject<'a> {
    name: String,
    model: &'a str,
    model_id: &'a str,
    model_name: &'a str,
    provider_id: &'a str,
    provider_name: &'a str,
    tag: String,
    /// 0 = not known.
    context_length: u64,
    max_completion_tokens: Option<u64>,
    max_prompt_tokens: Option<u64>,
    pricing: PricingObject,
    quantization: &'static str,
    is_zdr: bool,
    supported_parameters: Vec<&'static str>,
    supports_implicit_caching: bool,
    supports_tool_choice: ToolChoice,
    supports_voice_cloning: bool,
    supports_diarization: bool,
    native_tools: BTreeMap<&'static str, u8>,
    service_tier: Option<&'static str>,
    status: i8,
    uptime_last_5m: Option<f32>,
    uptime_last_30m: Option<f32>,
    uptime_last_1d: Option<f32>,
    latency_last_30m: Option<Stats>,
    throughput_last_30m: Option<Stats>,
}

/// Which values of `tool_choice` can be used.
#[expect(clippy::struct_excessive_bools, reason = "each is a member of the object")]
#[derive(Debug, Serialize)]
struct ToolChoice {
    auto: bool,
    function: bool,
    none: bool,
    required: bool,
}

#[derive(Debug, Serialize)]
struct Stats {
    p50: f32,
    p75: f32,
    p90: f32,
    p99: f32,
}

impl From<Percentiles> for Stats {
    fn from(of: Percentiles) -> Self {
        Self { p50: of.p50, p75: of.p75, p90: of.p90, p99: of.p99 }
    }
}

impl<'a> EndpointObject<'a> {
    /// The endpoint of the model of that id and title.
    pub(super) fn of(
        (id, title): (&'a str, &'a str),
        served: &'a Candidate,
        health: &Health,
    ) -> Self {
        let provider = &served.provider;
        let stats = health.stats(&provider.slug, &served.upstream_model).unwrap_or_default();
        let view = Live::endpoint(health, &provider.slug, &served.upstream_model);
        Self { status: status(&view), ..Self::still((id, title), served, stats) }
    }

    fn still((id, title): (&'a str, &'a str), served: &'a Candidate, stats: EndpointStats) -> Self {
        let provider = &served.provider;
        let chooses = served.parameters.contains(Parameter::ToolChoice);
        Self {
            name: format!("{} | {id}", provider.display_name),
            model: id,
            model_id: id,
            model_name: title,
            provider_id: &provider.slug,
            provider_name: &provider.display_name,
            tag: tag(served),
            context_length: served.context_length.unwrap_or(0),
            max_completion_tokens: served.max_completion_tokens,
            max_prompt_tokens: None,
            pricing: PricingObject::of(served.pricing.as_deref()),
            quantization: served.quantization.name(),
            is_zdr: served.data_policy.zdr,
            supported_parameters: parameter_names(served.parameters),
            supports_implicit_caching: caches_by_itself(served),
            supports_tool_choice: ToolChoice {
                auto: chooses,
                function: chooses,
                none: chooses,
                required: chooses,
            },
            supports_voice_cloning: false,
            supports_diarization: false,
            native_tools: BTreeMap::new(),
            service_tier: None,
            status: FINE,
            uptime_last_5m: stats.uptime_last_5m,
            uptime_last_30m: stats.uptime_last_30m,
            uptime_last_1d: stats.uptime_last_1d,
            latency_last_30m: stats.latency_last_30m.map(Stats::from),
            throughput_last_30m: stats.throughput_last_30m.map(Stats::from),
        }
    }
}

fn status(view: &EndpointView) -> i8 {
    match view.gate {
        Gate::Open { .. } => DOWN,
        Gate::HalfOpen => SHAKY,
        Gate::Closed if view.recent_outage => SHAKY,
        Gate::Closed => FINE,
    }
}

/// What names the endpoint in a request's `provider.order`: the provider, and how exact it is.
fn tag(served: &Candidate) -> String {
    let slug = &served.provider.slug;
    match served.quantization.name() {
        "unknown" => slug.to_string(),
        quantization => format!("{slug}/{quantization}"),
    }
}

/// Whether cached prompts are cheaper without being marked. Anthropic's must be.
fn caches_by_itself(served: &Candidate) -> bool {
    let marked = matches!(served.format(), ApiFormat::Anthropic | ApiFormat::Bedrock);
    let table = served.pricing.as_ref().map(|pricing| &pricing.table);
    !marked && table.and_then(|table| table.cache_read).is_some()
}

/// A model with its endpoints, in OpenRouter's wrapper.
#[derive(Debug, Serialize)]
pub(super) struct ModelEndpoints<'a> {
    /// The model.
    pub(super) id: &'a str,
    /// What people call it.
    pub(super) name: &'a str,
    /// When it was made, Unix seconds; 0 = not known.
    pub(super) created: u64,
    /// Nothing is known to say.
    pub(super) description: &'static str,
    /// What it reads and writes.
    pub(super) architecture: super::face::Architecture,
    /// Who serves it.
    pub(super) endpoints: Vec<EndpointObject<'a>>,
}

impl<'a> ModelEndpoints<'a> {
    /// A model with these endpoints.
    pub(super) fn of(
        (id, name): (&'a str, &'a str),
        facts: &Facts,
        endpoints: Vec<EndpointObject<'a>>,
    ) -> Self {
        let architecture = super::face::Architecture::of(facts);
        Self { id, name, created: facts.created_s, description: "", architecture, endpoints }
    }
}
