//! OpenAI's chat format: the request, answer, stream and errors of `/v1/chat/completions`.
//!
//! Most providers besides Anthropic and Google speak it with habits of their own, so everything
//! that reads an upstream here takes what it understands and skips the rest.

pub mod dialect;
pub mod error;
pub mod names;
pub mod request;
pub mod response;
pub mod stream;

mod reasoning_details;
#[cfg(test)]
mod recordings;
pub(in crate::formats) mod usage;

use crate::formats::tree::Node;

/// Members whose value is kept as text by [`Node`].
pub(in crate::formats) const RAW_KEYS: [&str; 5] =
    ["parameters", "schema", "arguments", "web_search_options", "logprobs"];

/// Reads a `usage` object; what cannot be read counts as not reported.
pub fn usage_of(json: &[u8]) -> crate::chat::Usage {
    Node::parse(json, &RAW_KEYS).map(|node| usage::read(&node)).unwrap_or_default()
}
