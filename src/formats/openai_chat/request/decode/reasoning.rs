//! The ways a client can ask for reasoning: OpenAI's `reasoning_effort`, OpenRouter's `reasoning`
//! object and `include_reasoning`, Anthropic's `thinking`.
//!
//! Each may fill what the ones before left open; the `reasoning` object comes first.

use crate::chat::request::{Effort, ReasoningRequest};
use crate::formats::FormatError;
use crate::formats::openai_chat::tree::Fields;

/// Reads all of them.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Result<ReasoningRequest, FormatError> {
    let mut wanted = ReasoningRequest::default();
    let root = fields.path;
    if let Some(node) = fields.take("reasoning") {
        let mut object = Fields::new(node, root.key("reasoning"))?;
        wanted.effort = effort(&mut object, "effort")?;
        wanted.max_tokens = object.count("max_tokens", 0, u64::MAX)?;
        wanted.enabled = object.boolean("enabled")?;
        wanted.exclude = object.boolean("exclude")?.unwrap_or(false);
    }
    let plain_effort = effort(fields, "reasoning_effort")?;
    wanted.effort = wanted.effort.or(plain_effort);
    thinking(fields, &mut wanted)?;
    if fields.boolean("include_reasoning")? == Some(false) {
        wanted.exclude = true;
    }
    if wanted.effort == Some(Effort::None) {
        wanted.enabled = Some(false);
    }
    Ok(wanted)
}

/// Anthropic's object, which clients of its models also send in OpenAI's format.
fn thinking(fields: &mut Fields<'_, '_>, wanted: &mut ReasoningRequest) -> Result<(), FormatError> {
    let root = fields.path;
    let Some(node) = fields.take("thinking") else { return Ok(()) };
    let mut object = Fields::new(node, root.key("thinking"))?;
    let enabled = match object.required_text("type")?.as_ref() {
        "enabled" | "adaptive" => true,
        "disabled" => false,
        _ => return Err(object.fault("type", "must be `enabled`, `adaptive` or `disabled`")),
    };
    wanted.enabled = wanted.enabled.or(Some(enabled));
    let budget = object.count("budget_tokens", 0, u64::MAX)?;
    wanted.max_tokens = wanted.max_tokens.or(budget);
    Ok(())
}

fn effort(fields: &mut Fields<'_, '_>, key: &str) -> Result<Option<Effort>, FormatError> {
    let Some(word) = fields.text(key)? else { return Ok(None) };
    Ok(Some(match word.as_ref() {
        "none" => Effort::None,
        "minimal" => Effort::Minimal,
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" => Effort::XHigh,
        "max" => Effort::Max,
        _ => {
            let known = "must be one of none, minimal, low, medium, high, xhigh, max";
            return Err(fields.fault(key, known));
        }
    }))
}
