//! OpenAI's Responses format: the request, answer, stream and errors of `/v1/responses`.
//!
//! Stateless: the whole conversation is in every request, and nothing is stored.

pub mod request;
pub mod response;
pub mod stream;

/// Format word of reasoning made by OpenAI's models, as it stands in `reasoning_details[].format`.
pub const REASONING_FORMAT: &str = "openai-responses-v1";
