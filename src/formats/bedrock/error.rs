//! Reads Bedrock's error answers.

use crate::formats::UpstreamFailure;

/// Reads an error body.
pub fn decode(status: u16, body: &[u8]) -> UpstreamFailure {
    crate::formats::openai_chat::error::decode(status, body)
}
