//! A scriptable LLM provider that speaks the OpenAI (chat and Responses), Anthropic and Google
//! formats on one port.
//!
//! `arouter mock`, the demo and every end-to-end test talk to it instead of a paid account. What it
//! answers is chosen per request (`x-mock` header, `[[mock …]]` in the prompt, script file,
//! defaults; see `docs/mock.md`), and its [`Journal`] says what a provider would have billed, which
//! makes it the judge of the gateway's own records.
//!
//! Reading order: [`server`] accepts, `handle` walks one request, `script` chooses the reply,
//! `answer` resolves it, `openai`/`responses`/`anthropic`/`google` word it, `body` sends it.
//!
//! Invariant: every request that reached a provider route leaves exactly one journal entry, also
//! when the client went away in the middle.

mod server;

mod admin;
mod cloud;
mod echo;
mod handle;
mod received;
mod reply_writer;
mod route;
mod ws_echo;

mod directive;
mod prompt;
mod script;
mod tool_arguments;

mod answer;
mod anthropic;
mod bedrock;
mod embeddings;
mod google;
mod model_list;
mod openai;
mod provider_error;
mod responses;

mod body;
mod fault_io;
mod journal;
mod stream_plan;

#[cfg(test)]
mod tests;

pub use journal::{Entry, Journal};
pub use server::{Mock, Options};

/// The wire formats the mock speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mock) enum Format {
    /// OpenAI chat completions and embeddings.
    OpenAi,
    /// OpenAI Responses.
    Responses,
    /// Anthropic Messages.
    Anthropic,
    /// Google generateContent.
    Google,
    /// Amazon Bedrock's Converse.
    Bedrock,
}

impl Format {
    /// The name used in the journal.
    fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Responses => "responses",
            Self::Anthropic => "anthropic",
            Self::Google => "google",
            Self::Bedrock => "bedrock",
        }
    }
}
