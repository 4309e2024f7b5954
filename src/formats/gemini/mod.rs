//! Gemini's `generateContent`: requests, answers, streams and errors, read and written.
//!
//! `names` is the one piece of state that spans request and answer: function names that had to be
//! changed for Gemini. Everything else is a pure function of the bytes at hand.

pub mod array;
pub mod error;
pub mod names;
pub mod request;
pub mod response;
pub mod stream;
pub mod usage;

mod answer;
mod finish;
mod grounding;
mod json_text;
mod logprobs;
mod media_type;
mod model;
mod partial_args;
mod parts;
mod signature;

pub use media_type::needs_bytes;

/// Mark of Gemini's reasoning and signatures: only Gemini accepts them back.
pub const REASONING_FORMAT: &str = "google-gemini-v1";

#[cfg(test)]
mod loops;
#[cfg(test)]
pub(in crate::formats) mod recordings;
