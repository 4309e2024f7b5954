//! Anthropic's Messages format, read and written: requests, answers, streams and errors.
//!
//! `formats` dispatches here and nothing else does. Whatever Anthropic adds to its format (new
//! blocks, events, stop reasons) is skipped without losing its neighbours.

mod answer;
mod block;
pub mod error;
mod family;
mod input;
pub mod names;
mod raw;
pub mod request;
pub mod response;
pub mod stream;
pub mod usage;

/// Format word of reasoning made by Claude, as it stands in `reasoning_details[].format`.
pub const REASONING_FORMAT: &str = "anthropic-claude-v1";
/// Maker of the signatures that belong to single tool calls.
const CALL_SIGNATURE_FORMAT: &str = "google-gemini-v1";
