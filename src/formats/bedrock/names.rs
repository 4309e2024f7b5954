//! Tool names and call ids in the alphabet that Bedrock accepts.
//!
//! Used by the request encoder and by `formats::tool_names`, which shows the client its own names
//! again. Names and ids share one rule: 1 to 64 of `[A-Za-z0-9_-]`, as Anthropic has it for ids.

use crate::formats::anthropic;
use std::borrow::Cow;

/// The function name as Bedrock sees it; unchanged when it fits.
pub fn tool_name(original: &str) -> Cow<'_, str> {
    anthropic::names::call_id(original)
}

/// The call id as Bedrock sees it; unchanged when it fits.
pub fn call_id(original: &str) -> Cow<'_, str> {
    anthropic::names::call_id(original)
}
