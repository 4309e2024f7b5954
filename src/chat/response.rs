//! A whole answer in neutral terms.

use super::message::Part;
use super::usage::Usage;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What a model answered.
#[derive(Debug, Clone, Default)]
pub struct Response<'a> {
    /// The provider's identifier of the answer.
    pub id: Option<Cow<'a, str>>,
    /// The model that answered, in the provider's words.
    pub model: Option<Cow<'a, str>>,
    /// Alternatives; one unless `n` was asked for.
    pub choices: Vec<Choice<'a>>,
    /// Token counts.
    pub usage: Usage,
    /// Tier that served the request.
    pub service_tier: Option<Cow<'a, str>>,
}

/// One alternative of an answer.
#[derive(Debug, Clone)]
pub struct Choice<'a> {
    /// Position among the alternatives.
    pub index: u32,
    /// What the model said, in order: text, reasoning, tool calls, images.
    pub parts: Vec<Part<'a>>,
    /// Why it ended.
    pub finish: FinishReason,
    /// The provider's own word for it.
    pub native_finish: Option<Cow<'a, str>>,
    /// Sources the text cites.
    pub citations: Vec<Citation<'a>>,
    /// Log probabilities in OpenAI's shape.
    pub logprobs: Option<Cow<'a, RawValue>>,
}

impl Choice<'_> {
    /// Sorts alternatives by the indices their provider states, and counts them from 0: clients of
    /// formats without alternatives get the first.
    pub fn renumber(choices: &mut [Self]) {
        choices.sort_by_key(|choice| choice.index);
        for (choice, position) in choices.iter_mut().zip(0..) {
            choice.index = position;
        }
    }
}

/// A source cited by the answer; offsets count characters of the joined text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Citation<'a> {
    /// Address of the source.
    pub url: Cow<'a, str>,
    /// Its title.
    pub title: Cow<'a, str>,
    /// First character of the text that rests on it.
    pub start: u64,
    /// One past the last character.
    pub end: u64,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// The model was done, or met a stop text.
    Stop,
    /// The token limit was reached.
    Length,
    /// The model waits for tool results.
    ToolCalls,
    /// The provider withheld (part of) the answer.
    ContentFilter,
    /// The provider failed while answering.
    Error,
}

impl FinishReason {
    /// OpenAI's word, which the gateway uses everywhere it shows a reason.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Error => "error",
        }
    }
}
