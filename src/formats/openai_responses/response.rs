//! Whole answers in this format: read from providers, written for clients.

mod decode;
mod encode;

pub use decode::decode;
pub use encode::encode;

#[cfg(test)]
mod tests;
