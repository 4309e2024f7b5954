//! OpenAI's Responses format: the request, answer, stream and errors of `/v1/responses`.
//!
//! Stateless: the whole conversation is in every request, and nothing is stored. Errors have
//! OpenAI's usual shape, so that `openai_chat::error` reads them.

mod item;
mod names;
mod object;
pub mod request;
pub mod response;
pub mod stream;
mod usage;
mod write;

#[cfg(test)]
mod accumulate;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod heard;
#[cfg(test)]
pub(super) mod recordings;

pub use names::tool_name;

/// Format word of reasoning made by OpenAI's models, as it stands in `reasoning_details[].format`.
pub const REASONING_FORMAT: &str = "openai-responses-v1";

/// Makers whose encrypted reasoning is written as it is: those that answer in this format.
const OWN_FORMATS: [&str; 3] = [REASONING_FORMAT, "azure-openai-responses-v1", "xai-responses-v1"];

/// Reads a `usage` object; what cannot be read counts as not reported.
pub fn usage_of(json: &[u8]) -> crate::chat::Usage {
    object::Object::parse(json).map(|object| usage::read(&object)).unwrap_or_default()
}
