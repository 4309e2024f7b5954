//! Requests in this format: read from clients, written for providers.

mod decode;
pub mod encode;

pub use decode::decode;
pub use encode::encode;
pub(super) use encode::wraps;
