//! The stream of OpenAI's format: chunks written for clients, chunks read from providers.

mod decoder;
mod encoder;

pub use decoder::Decoder;
pub use encoder::Encoder;

/// Maker of the signatures that belong to tool calls.
pub(super) const CALL_SIGNATURE_FORMAT: &str = "google-gemini-v1";

#[cfg(test)]
mod tests;
