//! Settings of a request: those all models share, those of one maker, labels and tier.
//!
//! Used by the request encoder. A setting that the model does not take is named, never sent:
//! Bedrock refuses fields it does not know.

use super::Dropped;
use super::maker::Maker;
use super::turns::Conversation;
use super::wire::{Inference, Tier};
use crate::chat::Request;
use crate::chat::request::{Effort, ReasoningRequest};
use crate::formats::Target;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Most labels of one request.
const MAX_LABELS: usize = 16;
/// Longest key and value of a label.
const MAX_LABEL_BYTES: usize = 256;

/// The settings as written.
#[derive(Debug)]
pub(super) struct Settings<'a> {
    pub(super) inference: Inference<'a>,
    /// What only this maker's models take.
    pub(super) own: Map<String, Value>,
    /// Whether a tool call may be demanded.
    pub(super) takes_force: bool,
}

/// Writes the settings of the request.
pub(super) fn encode<'a>(
    request: &'a Request<'_>,
    maker: Maker,
    target: Target<'_>,
    conversation: &Conversation<'_>,
    dropped: &mut Dropped,
) -> Settings<'a> {
    let mut settings = if let Maker::Claude { hosted, .. } = maker {
        let lost = conversation.lost_thinking;
        let plan = hosted.settings(request, target.max_output_tokens, lost, dropped);
        let mut settings = Settings::of(plan.sampling.temperature, plan.sampling.top_p);
        settings.inference.max_tokens = plan.max_tokens;
        settings.takes_force = plan.takes_force;
        if let Ok(Value::Object(own)) = serde_json::to_value(&plan.own) {
            settings.own = own;
        }
        settings
    } else {
        let sampling = request.sampling;
        let mut settings = Settings::of(sampling.temperature, sampling.top_p);
        settings.inference.max_tokens = request.max_tokens;
        settings.top_k(sampling.top_k, maker, dropped);
        settings.reasoning(request.reasoning, maker, dropped);
        settings
    };
    let written = request.stop.iter().map(AsRef::as_ref);
    let stops: Vec<&str> = written.filter(|stop: &&str| !stop.trim().is_empty()).collect();
    if stops.len() < request.stop.len() {
        dropped.push("stop".into());
    }
    settings.inference.stop_sequences = stops;
    settings
}

impl Settings<'_> {
    fn of(temperature: Option<f64>, top_p: Option<f64>) -> Self {
        let inference = Inference {
            temperature: temperature.map(|t| t.clamp(0.0, 1.0)),
            top_p: top_p.map(|p| p.clamp(0.0, 1.0)),
            ..Inference::default()
        };
        Self { inference, own: Map::new(), takes_force: true }
    }

    fn top_k(&mut self, top_k: Option<u64>, maker: Maker, dropped: &mut Dropped) {
        let Some(top_k) = top_k else { return };
        let (name, value) = match maker {
            Maker::Nova { .. } => ("inferenceConfig", json!({"topK": top_k})),
            Maker::Cohere => ("k", json!(top_k)),
            Maker::Mistral { .. } => ("top_k", json!(top_k)),
            _ => return dropped.push("top_k".into()),
        };
        self.own.insert(name.to_owned(), value);
    }

    fn reasoning(&mut self, wish: ReasoningRequest, maker: Maker, dropped: &mut Dropped) {
        let Some(effort) = effort(wish) else { return };
        match maker {
            Maker::Nova { reasons: true } => {
                let config = match effort {
                    Effort::None => json!({"type": "disabled"}),
                    effort => {
                        let word = self.nova_effort(effort);
                        json!({"type": "enabled", "maxReasoningEffort": word})
                    }
                };
                self.own.insert("reasoningConfig".to_owned(), config);
            }
            Maker::GptOss => {
                self.own.insert("reasoning_effort".to_owned(), json!(word(effort)));
            }
            _ if effort != Effort::None => dropped.push("reasoning".into()),
            _ => {}
        }
    }

    /// Nova refuses high effort together with a limit or sampling settings.
    fn nova_effort(&self, effort: Effort) -> &'static str {
        let set = &self.inference;
        let is_free = set.max_tokens.is_none() && set.temperature.is_none() && set.top_p.is_none();
        match word(effort) {
            "high" if !is_free => "medium",
            word => word,
        }
    }
}

/// How hard to think; `None` when the client did not say.
fn effort(wish: ReasoningRequest) -> Option<Effort> {
    if wish.enabled == Some(false) {
        return Some(Effort::None);
    }
    let by_budget = wish.max_tokens.map(|budget| match budget {
        0 => Effort::None,
        1..2_048 => Effort::Low,
        2_048..16_384 => Effort::Medium,
        _ => Effort::High,
    });
    wish.effort.or(by_budget).or(wish.enabled.map(|_| Effort::Medium))
}

fn word(effort: Effort) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::XHigh | Effort::Max => "high",
    }
}

/// The client's labels that Bedrock takes.
pub(super) fn metadata(
    labels: Option<&RawValue>,
    dropped: &mut Dropped,
) -> BTreeMap<String, String> {
    let Some(labels) = labels else { return BTreeMap::new() };
    let Ok(all) = serde_json::from_str::<Map<String, Value>>(labels.get()) else {
        dropped.push("metadata".into());
        return BTreeMap::new();
    };
    let count = all.len();
    let kept: BTreeMap<String, String> = all
        .into_iter()
        .filter_map(|(key, value)| match value {
            Value::String(value) => Some((key, value)),
            _ => None,
        })
        .filter(|(key, value)| !key.is_empty() && is_label(key) && is_label(value))
        .take(MAX_LABELS)
        .collect();
    if kept.len() < count {
        dropped.push("metadata".into());
    }
    kept
}

fn is_label(text: &str) -> bool {
    let fits =
        |c: char| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || ":_@$#=/+,-.".contains(c);
    text.len() <= MAX_LABEL_BYTES && text.chars().all(fits)
}

/// The tier in Bedrock's words; `auto` is the model's default.
pub(super) fn service_tier(wish: Option<&str>, dropped: &mut Dropped) -> Option<Tier> {
    let r#type = match wish? {
        "auto" => return None,
        "default" | "standard" | "standard_only" => "default",
        "flex" => "flex",
        "priority" | "fast" => "priority",
        "reserved" => "reserved",
        _ => {
            dropped.push("service_tier".into());
            return None;
        }
    };
    Some(Tier { r#type })
}
