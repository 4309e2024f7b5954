//! How the answer is to come about: thinking, effort and the shape of the answer.
//!
//! `thinking` says whether and how long, `output_config` how hard and in which shape; the older
//! `output_format` says the shape alone.

use super::Lost;
use super::shape;
use crate::chat::Request;
use crate::chat::request::{Effort, ReasoningRequest};
use crate::formats::FormatError;
use crate::formats::tree::Fields;
use std::borrow::Cow;

/// Reads all of it into the request.
pub(super) fn read<'a>(
    fields: &mut Fields<'a, '_>,
    request: &mut Request<'a>,
    lost: &mut Lost<'a>,
) -> Result<(), FormatError> {
    request.reasoning = thinking(fields)?;
    let root = fields.path;
    if let Some(node) = fields.take("output_format") {
        request.response_format = shape::read(node, fields, "output_format")?;
    }
    let Some(node) = fields.take("output_config") else { return Ok(()) };
    let mut config = Fields::new(node, root.key("output_config"))?;
    let effort = effort(&mut config)?;
    if request.reasoning.enabled == Some(false) {
        // Effort without thinking has no word of its own elsewhere, where it would switch it on.
        lost.extend(effort.map(|_| Cow::Borrowed("output_config.effort")));
    } else {
        request.reasoning.effort = effort;
    }
    if let Some(node) = config.take("format") {
        request.response_format = shape::read(node, &config, "format")?;
    }
    lost.extend(config.rest());
    Ok(())
}

fn thinking(fields: &mut Fields<'_, '_>) -> Result<ReasoningRequest, FormatError> {
    let mut wanted = ReasoningRequest::default();
    let root = fields.path;
    let Some(node) = fields.take("thinking") else { return Ok(wanted) };
    let mut object = Fields::new(node, root.key("thinking"))?;
    wanted.enabled = Some(match object.required_text("type")?.as_ref() {
        "enabled" | "adaptive" => true,
        "disabled" => false,
        _ => return Err(object.fault("type", "must be one of enabled, adaptive, disabled")),
    });
    if wanted.enabled == Some(true) {
        wanted.max_tokens = object.plain_count("budget_tokens", 0)?;
        wanted.exclude = object.text("display")?.as_deref() == Some("omitted");
    }
    Ok(wanted)
}

fn effort(config: &mut Fields<'_, '_>) -> Result<Option<Effort>, FormatError> {
    let Some(word) = config.text("effort")? else { return Ok(None) };
    Ok(Some(match word.as_ref() {
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" => Effort::XHigh,
        "max" => Effort::Max,
        _ => {
            return Err(config.fault("effort", "must be one of low, medium, high, xhigh, max"));
        }
    }))
}
