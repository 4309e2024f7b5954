//! What the planner wants to know of an endpoint at this moment.
//!
//! `health` answers; tests answer from tables. The planner reads it once per candidate and changes
//! nothing by reading.

use super::exacto::Standing;

/// Answers for each endpoint.
pub trait Live {
    /// How an endpoint is doing: a provider's slug and its own name of the model. An endpoint that
    /// was never called is fine.
    fn endpoint(&self, provider: &str, upstream_model: &str) -> EndpointView;

    /// How good an endpoint is at calling tools, for the order of requests that offer some. `view`
    /// is what [`Live::endpoint`] said of it.
    fn tool_standing(&self, _endpoint: (&str, &str), view: &EndpointView) -> Standing {
        Standing::of(view)
    }
}

/// How one endpoint is doing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EndpointView {
    /// Whether it may be called.
    pub gate: Gate,
    /// Whether it had a significant outage within the last 30 seconds.
    pub recent_outage: bool,
    /// Time to the first token in milliseconds that so many percent of the calls stay below, over
    /// five minutes; `None` without enough calls.
    pub latency_ms: Option<Percentiles>,
    /// Completion tokens per second that so many percent of the calls reach, over five minutes, so
    /// that `p99` is the least; `None` without enough calls.
    pub throughput_tps: Option<Percentiles>,
    /// How its tool calls turn out; `None` without enough of them.
    pub tool_errors: Option<ToolErrors>,
}

/// Whether an endpoint may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Gate {
    /// It answers.
    #[default]
    Closed,
    /// One call may find out whether it answers again.
    HalfOpen,
    /// It failed too often and is left alone for this long.
    Open {
        /// Until it may be tried again, in milliseconds.
        retry_in_ms: u64,
    },
}

/// A distribution by its percentiles.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Percentiles {
    /// Half of the calls.
    pub p50: f32,
    /// Three quarters.
    pub p75: f32,
    /// Nine of ten.
    pub p90: f32,
    /// All but one in a hundred.
    pub p99: f32,
}

/// Requests that ended in tool calls, and those of them with a call that was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ToolErrors {
    /// Requests that ended in tool calls.
    pub requests: u32,
    /// Those with a call that is no JSON, names no tool, or does not fit the tool's schema.
    pub errors: u32,
}
