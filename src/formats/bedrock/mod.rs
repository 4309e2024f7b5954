//! Amazon Bedrock's Converse format: requests are written, answers, streams and errors are read.
//!
//! A provider format only. Streams come as binary frames, which [`event_stream`] takes apart; the
//! models of Anthropic behind `invoke-with-response-stream` send theirs in the same frames. The
//! answers name neither themselves nor their model.

pub mod error;
pub mod event_stream;
pub mod names;
pub mod request;
pub mod response;
pub mod stream;
pub mod usage;

mod block;
mod text;

#[cfg(test)]
pub(in crate::formats) mod recordings;
