//! Requests in this format: read from clients, written for providers.

pub mod decode;
mod encode;

pub(crate) use decode::GATEWAY_FIELDS;
pub use decode::decode;
pub use encode::encode;
