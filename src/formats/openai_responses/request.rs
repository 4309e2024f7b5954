//! Requests in this format: read from clients, written for providers.

mod decode;
mod encode;

pub use decode::decode;
pub use encode::encode;
