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
pub(in crate::formats) mod tree;
pub(in crate::formats) mod usage;

/// Reads a `usage` object; what cannot be read counts as not reported.
pub fn usage_of(json: &[u8]) -> crate::chat::Usage {
    tree::Node::parse(json).map(|node| usage::read(&node)).unwrap_or_default()
}
