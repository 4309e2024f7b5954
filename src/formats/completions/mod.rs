//! OpenAI's legacy completions: a client format only, answered by any chat model.

pub mod request;
pub mod response;
pub mod stream;
