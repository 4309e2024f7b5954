//! Anthropic's Messages format: requests are written, answers, streams and errors are read.
//!
//! `formats` dispatches here and nothing else does. Whatever Anthropic adds to its format (new
//! blocks, events, stop reasons) is skipped without losing its neighbours.

mod block;
pub mod error;
mod family;
pub mod names;
mod raw;
pub mod request;
pub mod response;
pub mod stream;
pub mod usage;

/// Format word of reasoning made by Claude, as it stands in `reasoning_details[].format`.
pub const REASONING_FORMAT: &str = "anthropic-claude-v1";
