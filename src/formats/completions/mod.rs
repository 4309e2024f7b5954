//! OpenAI's legacy completions: a client format only, answered by any chat model.
//!
//! The prompt becomes one message of the user. What such an answer has no place for (tool calls,
//! reasoning, images) is left out of it; a refusal is text.

pub mod request;
pub mod response;
pub mod stream;

mod logprobs;

use crate::chat::FinishReason;

/// The legacy answer's word for the reason; it has none for tool calls.
fn finish_word(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::ToolCalls => FinishReason::Stop.as_str(),
        other => other.as_str(),
    }
}
