//! How a provider is asked to reason, in the form its dialect names.
//!
//! Effort words are moved to the nearest one the model knows; switching reasoning off becomes the
//! least word where there is no `none`.

use super::body::Body;
use crate::chat::request::{Effort, ReasoningRequest};
use crate::formats::FormatError;
use crate::formats::openai_chat::dialect::ReasoningForm;
use serde::Serialize;

/// The words of all efforts, from least to most.
const WORDS: [(&str, Effort); 7] = [
    ("none", Effort::None),
    ("minimal", Effort::Minimal),
    ("low", Effort::Low),
    ("medium", Effort::Medium),
    ("high", Effort::High),
    ("xhigh", Effort::XHigh),
    ("max", Effort::Max),
];

/// Budgets below these many tokens are little and middling effort.
const LOW_BELOW_TOKENS: u64 = 2_048;
const MEDIUM_BELOW_TOKENS: u64 = 16_384;

/// OpenRouter's object.
#[derive(Serialize)]
struct Object {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    exclude: bool,
}

#[derive(Serialize)]
struct Switch {
    r#type: &'static str,
}

/// The two names under which open models' templates know the switch.
#[derive(Serialize)]
struct TemplateArguments {
    enable_thinking: bool,
    thinking: bool,
}

/// Writes what the client asked for.
pub(super) fn write(wanted: ReasoningRequest, body: &mut Body<'_>) -> Result<(), FormatError> {
    let form = body.dialect.reasoning;
    let Some(on) = switched(wanted) else {
        return match form {
            ReasoningForm::Object if wanted.exclude => body.put("reasoning", &object(wanted, body)),
            _ => Ok(()),
        };
    };
    if form == ReasoningForm::None || !body.takes("reasoning_effort") {
        if on {
            body.lose("reasoning_effort");
        }
        return Ok(());
    }
    let switch = Switch { r#type: if on { "enabled" } else { "disabled" } };
    match form {
        ReasoningForm::None => Ok(()),
        ReasoningForm::Effort => effort(wanted, body),
        ReasoningForm::Object => body.put("reasoning", &object(wanted, body)),
        ReasoningForm::Switch => body.put("thinking", &switch),
        ReasoningForm::SwitchAndEffort => {
            body.put("thinking", &switch)?;
            if on { effort(wanted, body) } else { Ok(()) }
        }
        ReasoningForm::Budget => {
            body.put("enable_thinking", &on)?;
            body.put_some("thinking_budget", wanted.max_tokens.filter(|_| on).as_ref())
        }
        ReasoningForm::Template => {
            let arguments = TemplateArguments { enable_thinking: on, thinking: on };
            body.put("chat_template_kwargs", &arguments)?;
            if on { effort(wanted, body) } else { Ok(()) }
        }
    }
}

/// Whether reasoning is wanted; `None` when the client left it open.
fn switched(wanted: ReasoningRequest) -> Option<bool> {
    let off = wanted.enabled == Some(false)
        || wanted.effort == Some(Effort::None)
        || wanted.max_tokens == Some(0);
    let said = off || wanted.enabled.is_some() || wanted.effort.is_some();
    (said || wanted.max_tokens.is_some()).then_some(!off)
}

fn effort(wanted: ReasoningRequest, body: &mut Body<'_>) -> Result<(), FormatError> {
    let word = effort_wanted(wanted).and_then(|effort| nearest(effort, body));
    body.put_some("reasoning_effort", word.as_ref())
}

/// How hard to think: a word, or the word nearest to a budget.
fn effort_wanted(wanted: ReasoningRequest) -> Option<Effort> {
    if switched(wanted) == Some(false) {
        return Some(Effort::None);
    }
    wanted.effort.or_else(|| {
        wanted.max_tokens.map(|budget| match budget {
            ..LOW_BELOW_TOKENS => Effort::Low,
            LOW_BELOW_TOKENS..MEDIUM_BELOW_TOKENS => Effort::Medium,
            _ => Effort::High,
        })
    })
}

/// The model's word that comes nearest; of two equally near ones the lesser.
fn nearest(wanted: Effort, body: &Body<'_>) -> Option<String> {
    let words = body.dialect.efforts_of(body.model);
    let thinks = |word: &str| wanted == Effort::None || rank_of(word) > 0;
    let candidates = words.iter().filter(|word| thinks(word));
    let least = candidates.min_by_key(|word| rank_of(word).abs_diff(rank(wanted)))?;
    Some(least.clone())
}

fn rank(effort: Effort) -> usize {
    WORDS.iter().position(|(_, known)| *known == effort).unwrap_or_default()
}

/// Rank of a provider's word; one that only switches reasoning on stands in the middle.
fn rank_of(word: &str) -> usize {
    let known = WORDS.iter().position(|(known, _)| *known == word);
    known.unwrap_or_else(|| rank(Effort::Medium))
}

/// A budget and an effort exclude each other there; the budget is the more exact wish.
fn object(wanted: ReasoningRequest, body: &Body<'_>) -> Object {
    let max_tokens = wanted.max_tokens.filter(|&budget| budget > 0);
    let effort = match max_tokens {
        Some(_) => None,
        None => wanted.effort.and_then(|effort| nearest(effort, body)),
    };
    let said = max_tokens.is_some() || effort.is_some();
    let enabled = switched(wanted).filter(|_| !said);
    Object { effort, max_tokens, enabled, exclude: wanted.exclude }
}
