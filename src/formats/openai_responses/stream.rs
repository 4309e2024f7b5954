//! Streams in this format: read from providers, written for clients.

mod decoder;
mod encoder;
mod wire;

pub use decoder::Decoder;
pub use encoder::Encoder;
