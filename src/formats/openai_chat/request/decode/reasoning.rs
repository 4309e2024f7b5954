//! The ways a client can ask for reasoning: OpenAI's `reasoning_effort`, OpenRouter's `reasoning`
//! object and `include_reasoning`, Anthropic's `thinking`.
//!
//! Each may fill what the ones before left open; the `reasoning` object comes first.

use crate::chat::request::{Effort, ReasoningRequest};
use crate::formats::FormatError;
use crate::formats::path::Path;
use crate::formats::tree::{Fields, Node};

/// Reads all of them.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Result<ReasoningRequest, FormatError> {
    let mut wanted = ReasoningRequest::default();
    let root = fields.path;
    if let Some(node) = fields.take("reasoning") {
        let mut object = Fields::new(node, root.key("reasoning"))?;
        let here = object.path;
        let stated = object.take("effort").map(|node| effort_of(node, &here.key("effort")));
        wanted.effort = stated.transpose()?;
        wanted.max_tokens = object.count("max_tokens", 0, u64::MAX)?;
        wanted.enabled = object.boolean("enabled")?;
        wanted.exclude = object.boolean("exclude")?.unwrap_or(false);
    }
    let plain = fields.take("reasoning_effort");
    if matches!(&plain, Some(Node::Text(word)) if word == "default") {
        // Groq's word for models that only switch reasoning on.
        wanted.enabled = wanted.enabled.or(Some(true));
    } else if let Some(node) = plain {
        let plain = effort_of(node, &root.key("reasoning_effort"))?;
        wanted.effort = wanted.effort.or(Some(plain));
    }
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
    let enabled = match object.text("type")?.as_deref() {
        // Z.ai's object may say something else altogether.
        None => None,
        Some("enabled" | "adaptive" | "auto") => Some(true),
        Some("disabled") => Some(false),
        Some(_) => return Err(object.fault("type", "must be `enabled`, `adaptive` or `disabled`")),
    };
    wanted.enabled = wanted.enabled.or(enabled);
    let budget = object.count("budget_tokens", 0, u64::MAX)?;
    wanted.max_tokens = wanted.max_tokens.or(budget);
    Ok(())
}

fn effort_of(node: Node<'_>, path: &Path<'_>) -> Result<Effort, FormatError> {
    let Some(word) = node.into_text() else { return Err(path.fault("must be a string")) };
    Ok(match word.as_ref() {
        "none" => Effort::None,
        "minimal" => Effort::Minimal,
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" => Effort::XHigh,
        "max" => Effort::Max,
        _ => {
            return Err(path.fault("must be one of none, minimal, low, medium, high, xhigh, max"));
        }
    })
}
