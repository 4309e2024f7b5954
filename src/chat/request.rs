//! A chat request in neutral terms.

use super::message::Message;
use super::tool::{CacheControl, Tool, ToolChoice};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What a client asks of a model, whatever format it spoke.
#[derive(Debug, Clone, Default)]
pub struct Request<'a> {
    /// The conversation, system messages included, in order.
    pub messages: Vec<Message<'a>>,
    /// Functions the model may call.
    pub tools: Vec<Tool<'a>>,
    /// How it shall call them; `None` when the client did not say.
    pub tool_choice: Option<ToolChoice<'a>>,
    /// Whether several calls at once are allowed.
    pub parallel_tool_calls: Option<bool>,
    /// Largest number of answer tokens.
    pub max_tokens: Option<u64>,
    /// Sampling and decoding settings.
    pub sampling: Sampling,
    /// Texts that end the answer.
    pub stop: Vec<Cow<'a, str>>,
    /// Shape demanded of the answer.
    pub response_format: ResponseFormat<'a>,
    /// Whether and how much the model shall reason.
    pub reasoning: ReasoningRequest,
    /// End user, for the provider's abuse tracking.
    pub user: Option<Cow<'a, str>>,
    /// `auto`, `default`, `flex`, `priority`, …, in OpenAI's words.
    pub service_tier: Option<Cow<'a, str>>,
    /// How much the model shall write: `low`, `medium`, `high`.
    pub verbosity: Option<Cow<'a, str>>,
    /// The client's own labels of the request: a raw JSON object of strings.
    pub metadata: Option<Cow<'a, RawValue>>,
    /// Key by which the provider finds its prompt cache.
    pub prompt_cache_key: Option<Cow<'a, str>>,
    /// Prompt-cache breakpoint after everything (Anthropic's top-level `cache_control`).
    pub cache: Option<CacheControl>,
    /// Web search by the provider: the client's raw options.
    pub web_search: Option<Cow<'a, RawValue>>,
    /// Output modalities in lower case (`text`, `image`, `audio`); empty = text.
    pub modalities: Vec<Cow<'a, str>>,
    /// Voice and format of a spoken answer: OpenAI's raw `audio` object.
    pub audio: Option<Cow<'a, RawValue>>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Fields of the client's request that have no neutral meaning: every encoder reports them as
    /// dropped.
    pub unmapped: Vec<Cow<'a, str>>,
}

/// Sampling and decoding settings; `None` = the provider's default.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sampling {
    /// 0 to 2, as OpenAI scales it.
    pub temperature: Option<f64>,
    /// Nucleus sampling, 0 to 1.
    pub top_p: Option<f64>,
    /// Number of candidates per token.
    pub top_k: Option<u64>,
    /// Penalty on tokens by their frequency so far, −2 to 2.
    pub frequency_penalty: Option<f64>,
    /// Penalty on tokens that appeared, −2 to 2.
    pub presence_penalty: Option<f64>,
    /// Seed for repeatable sampling.
    pub seed: Option<i64>,
    /// Number of alternative answers.
    pub n: Option<u64>,
    /// Whether log probabilities are wanted.
    pub logprobs: Option<bool>,
    /// Number of alternatives per token with log probabilities.
    pub top_logprobs: Option<u64>,
}

/// Shape demanded of the answer.
#[derive(Debug, Clone, Default)]
pub enum ResponseFormat<'a> {
    /// Free text.
    #[default]
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that fits a schema.
    JsonSchema {
        /// Name of the schema.
        name: Cow<'a, str>,
        /// What the answer is for, for the model.
        description: Option<Cow<'a, str>>,
        /// The JSON Schema.
        schema: Cow<'a, RawValue>,
        /// Whether the provider must enforce it.
        strict: Option<bool>,
    },
}

/// Whether and how much the model shall reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReasoningRequest {
    /// `Some(false)` switches reasoning off, `Some(true)` on; `None` = not said.
    pub enabled: Option<bool>,
    /// How hard to think.
    pub effort: Option<Effort>,
    /// Exact budget in tokens; wins over `effort` where the provider takes budgets.
    pub max_tokens: Option<u64>,
    /// Reason, but do not return the text.
    pub exclude: bool,
}

/// Reasoning effort, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// No reasoning.
    None,
    /// As little as the model allows.
    Minimal,
    /// About a fifth of the answer budget.
    Low,
    /// About half.
    Medium,
    /// About four fifths.
    High,
    /// Nearly all.
    XHigh,
    /// All the provider offers.
    Max,
}
