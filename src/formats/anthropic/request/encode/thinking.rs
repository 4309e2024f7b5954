//! How hard the model shall think, and which sampling settings go with that.
//!
//! Used by the request encoder. Holds the budget arithmetic: a budget is at least 1,024 tokens and
//! always smaller than the answer's limit.

use super::Dropped;
use super::wire::Thinking;
use crate::chat::request::{Effort, ReasoningRequest, Sampling};
use crate::formats::anthropic::family::{self, Ability, Family, SamplingRule};

const BUDGET_MIN: u64 = 1024;
const BUDGET_MAX: u64 = 128_000;
/// Smallest `top_p` that goes together with thinking.
const THINKING_TOP_P_MIN: f64 = 0.95;

/// What the conversation demands of thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replay {
    /// Thinking may be on or off.
    Free,
    /// A tool loop is open whose call came without its thinking: the model refuses to think on.
    LostThinking,
}

/// The settings that follow from the client's wish.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) thinking: Option<Thinking>,
    pub(super) effort: Option<&'static str>,
    pub(super) max_tokens: u64,
    /// Whether the wish could not be fulfilled.
    pub(super) dropped: bool,
}

/// Decides on thinking for an answer of at most `limit` tokens.
pub(super) fn plan(wish: ReasoningRequest, family: Family, limit: u64, replay: Replay) -> Plan {
    let mut plan = Plan { thinking: None, effort: None, max_tokens: limit, dropped: false };
    let off = wish.enabled == Some(false) || wish.effort == Some(Effort::None);
    let on = wish.enabled == Some(true) || wish.effort.is_some() || wish.max_tokens.is_some();
    match family.thinking {
        _ if !off && !on => {}
        family::Thinking::Unsupported => plan.dropped = !off,
        _ if off => plan.thinking = Some(Thinking::Disabled),
        family::Thinking::Budget if replay == Replay::LostThinking => plan.dropped = true,
        family::Thinking::Budget => {
            let (budget, max_tokens) = budget(wish, limit);
            plan.thinking = Some(Thinking::Enabled { budget_tokens: budget });
            plan.max_tokens = max_tokens;
        }
        family::Thinking::Adaptive => {
            // Others show it unasked, and the gateway withholds it where it is unwanted.
            let word = if wish.exclude { "omitted" } else { "summarized" };
            let display = family.can(Ability::HidesThinking).then_some(word);
            plan.thinking = Some(Thinking::Adaptive { display });
            plan.effort = Some(effort_word(effort(wish), family));
        }
    }
    plan
}

/// The budget and the answer's limit, in tokens.
fn budget(wish: ReasoningRequest, limit: u64) -> (u64, u64) {
    let wanted = wish.max_tokens.unwrap_or_else(|| {
        limit.saturating_mul(percent(wish.effort.unwrap_or(Effort::Medium))) / 100
    });
    let budget = wanted.clamp(BUDGET_MIN, BUDGET_MAX);
    if budget < limit {
        (budget, limit)
    } else if limit > BUDGET_MIN {
        (limit - 1, limit)
    } else {
        (budget, budget.saturating_add(limit))
    }
}

fn percent(effort: Effort) -> u64 {
    match effort {
        Effort::None => 0,
        Effort::Minimal => 10,
        Effort::Low => 20,
        Effort::Medium => 50,
        Effort::High => 80,
        Effort::XHigh | Effort::Max => 95,
    }
}

fn effort(wish: ReasoningRequest) -> Effort {
    match (wish.effort, wish.max_tokens) {
        (Some(effort), _) => effort,
        (None, Some(0..4_000)) => Effort::Low,
        (None, Some(16_000..)) => Effort::High,
        (None, _) => Effort::Medium,
    }
}

fn effort_word(effort: Effort, family: Family) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::XHigh if family.can(Ability::XHigh) => "xhigh",
        Effort::XHigh | Effort::Max => "max",
    }
}

/// The sampling settings that the model accepts; the others are named as dropped.
pub(super) fn sampling(
    wish: Sampling,
    family: Family,
    thinking: Option<Thinking>,
    dropped: &mut Dropped,
) -> Sampling {
    let thinks = !matches!(thinking, None | Some(Thinking::Disabled));
    let fixed = family.sampling == SamplingRule::Neither;
    let mut kept = wish;
    kept.temperature =
        wish.temperature.map(|t| t.clamp(0.0, 1.0)).filter(|t| !fixed && (!thinks || *t >= 1.0));
    let alone = kept.temperature.is_none() || family.sampling == SamplingRule::Both;
    kept.top_p = wish.top_p.filter(|p| !fixed && alone && (!thinks || *p >= THINKING_TOP_P_MIN));
    kept.top_k = wish.top_k.filter(|_| !fixed && !thinks);
    let lost = [
        ("temperature", wish.temperature.is_some() && kept.temperature.is_none()),
        ("top_p", wish.top_p.is_some() && kept.top_p.is_none()),
        ("top_k", wish.top_k.is_some() && kept.top_k.is_none()),
    ];
    dropped.extend(lost.into_iter().filter(|(_, is_lost)| *is_lost).map(|(name, _)| name.into()));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(effort: Option<Effort>, max_tokens: Option<u64>) -> ReasoningRequest {
        ReasoningRequest { effort, max_tokens, ..ReasoningRequest::default() }
    }

    #[test]
    fn budgets_stay_below_the_limit() {
        let cases = [
            (wish(Some(Effort::Low), None), 10_000, (2_000, 10_000)),
            (wish(Some(Effort::Minimal), None), 64_000, (6_400, 64_000)),
            (wish(Some(Effort::Medium), None), 8_000, (4_000, 8_000)),
            (wish(Some(Effort::High), None), 8_000, (6_400, 8_000)),
            (wish(Some(Effort::Max), None), 8_000, (7_600, 8_000)),
            (wish(Some(Effort::High), None), 1_000_000, (128_000, 1_000_000)),
            (wish(Some(Effort::Low), None), 1_025, (1_024, 1_025)),
            (wish(Some(Effort::Low), None), 1_024, (1_024, 2_048)),
            (wish(Some(Effort::Low), None), 100, (1_024, 1_124)),
            (wish(None, Some(3_000)), 8_000, (3_000, 8_000)),
            (wish(None, Some(1)), 8_000, (1_024, 8_000)),
            (wish(None, Some(9_000)), 8_000, (7_999, 8_000)),
            (wish(Some(Effort::Low), Some(5_000)), 8_000, (5_000, 8_000)),
        ];
        for (wish, limit, expected) in cases {
            assert_eq!(budget(wish, limit), expected, "{wish:?} {limit}");
        }
    }

    #[test]
    fn adaptive_models_get_an_effort() {
        let cases = [
            ("claude-opus-4-6", wish(Some(Effort::XHigh), None), "max", None),
            ("claude-opus-4-7", wish(Some(Effort::XHigh), None), "xhigh", Some("summarized")),
            ("claude-sonnet-4-6", wish(Some(Effort::Minimal), None), "low", None),
            ("claude-sonnet-4-6", wish(None, Some(3_999)), "low", None),
            ("claude-sonnet-4-6", wish(None, Some(15_999)), "medium", None),
            ("claude-sonnet-4-6", wish(None, Some(16_000)), "high", None),
            ("claude-sonnet-5", wish(Some(Effort::Max), None), "max", Some("summarized")),
        ];
        for (model, wish, word, display) in cases {
            let plan = plan(wish, Family::of(model), 8_000, Replay::LostThinking);
            assert_eq!(plan.effort, Some(word), "{model} {wish:?}");
            assert_eq!(plan.thinking, Some(Thinking::Adaptive { display }));
        }
    }

    #[test]
    fn off_is_said_only_to_models_that_think() {
        let off = ReasoningRequest { enabled: Some(false), ..ReasoningRequest::default() };
        for wish in [off, wish(Some(Effort::None), None)] {
            let thinks = plan(wish, Family::of("claude-sonnet-4-5"), 100, Replay::Free);
            assert_eq!((thinks.thinking, thinks.dropped), (Some(Thinking::Disabled), false));
            let old = plan(wish, Family::of("claude-3-haiku-20240307"), 100, Replay::Free);
            assert_eq!((old.thinking, old.dropped), (None, false));
        }
        let old = plan(wish(Some(Effort::Low), None), Family::of("claude-2.1"), 100, Replay::Free);
        assert_eq!((old.thinking, old.dropped), (None, true));
    }
}
