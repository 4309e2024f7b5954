//! Amazon Bedrock's Converse format: a provider format only.

pub mod error;
pub mod request;
pub mod response;
pub mod stream;
