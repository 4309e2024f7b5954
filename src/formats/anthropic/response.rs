//! Reads a whole answer.
//!
//! Called by `formats::answer`; the stream decoder shares the stop reasons and sources. Blocks keep
//! their order, because a client that sends them back must send them so.

mod encode;
#[cfg(test)]
mod tests;

pub use encode::encode;

use super::REASONING_FORMAT;
use super::block::{self, Block};
use super::raw::{self, Str};
use super::usage::Counts;
use crate::chat::message::{Part, Reasoning, ReasoningKind};
use crate::chat::response::{Choice, Citation, FinishReason, Response};
use crate::chat::tool::ToolCall;
use crate::formats::FormatError;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<Str<'a>>,
    #[serde(borrow)]
    model: Option<Str<'a>>,
    #[serde(borrow)]
    content: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    stop_reason: Option<Str<'a>>,
    #[serde(borrow)]
    stop_details: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct TextSources<'a> {
    #[serde(borrow)]
    citations: Option<Vec<&'a RawValue>>,
}

/// Reads the answer; the error says that the body is no Anthropic message.
pub fn decode(body: &[u8]) -> Result<Response<'_>, FormatError> {
    let message: Message<'_> = serde_json::from_slice(body)
        .map_err(|error| FormatError::whole(format!("the answer is malformed: {error}")))?;
    let Some(content) = message.content else {
        return Err(FormatError::whole("the answer is no message: it has no content"));
    };
    let mut choice = Choice {
        index: 0,
        parts: Vec::with_capacity(content.len()),
        finish: FinishReason::Stop,
        native_finish: message.stop_reason.map(|text| text.0),
        citations: Vec::new(),
        logprobs: None,
    };
    let mut text_chars = 0;
    for json in content {
        text_chars = read_block(json, text_chars, &mut choice);
    }
    let has_calls = choice.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    choice.finish = finish_reason(choice.native_finish.as_deref(), has_calls);
    if choice.finish == FinishReason::ContentFilter {
        let explanation = message.stop_details.and_then(block::explanation);
        choice.parts.extend(explanation.map(|text| Part::Refusal { text: text.into() }));
    }
    Ok(Response {
        id: message.id.map(|text| text.0),
        model: message.model.map(|text| text.0),
        choices: vec![choice],
        usage: message.usage.and_then(raw::view::<Counts>).unwrap_or_default().usage(),
        service_tier: message.usage.and_then(service_tier),
    })
}

/// The tier that a `usage` object names, in OpenAI's words where it has one.
pub(super) fn service_tier(usage: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Tier<'a> {
        #[serde(borrow)]
        service_tier: Option<Str<'a>>,
    }
    let tier = raw::view::<Tier<'_>>(usage)?.service_tier?.0;
    Some(if tier == "standard" { Cow::Borrowed("default") } else { tier })
}

/// Adds one block; takes and returns the number of characters of text so far.
fn read_block<'a>(json: &'a RawValue, text_chars: u64, choice: &mut Choice<'a>) -> u64 {
    let part = match Block::read(json) {
        Some(Block::Text { text }) => {
            let end = text_chars.saturating_add(text.chars().count() as u64);
            let sources = raw::view::<TextSources<'_>>(json).and_then(|block| block.citations);
            let cited = sources.into_iter().flatten().filter_map(Cited::read);
            choice.citations.extend(cited.map(|source| source.at(text_chars, end)));
            if !text.is_empty() {
                choice.parts.push(Part::Text { text, cache: None });
            }
            return end;
        }
        Some(Block::Thinking { thinking, signature }) => {
            reasoning(ReasoningKind::Text, thinking, signature)
        }
        Some(Block::Redacted { data }) => reasoning(ReasoningKind::Encrypted, "".into(), data),
        Some(Block::ToolUse { id, name, input }) => {
            let arguments = input.map_or("{}", RawValue::get).into();
            Part::ToolCall(ToolCall { id, name, arguments, signature: None, custom: false })
        }
        None => return text_chars,
    };
    choice.parts.push(part);
    text_chars
}

fn reasoning<'a>(kind: ReasoningKind, text: Cow<'a, str>, signature: Cow<'a, str>) -> Part<'a> {
    Part::Reasoning(Reasoning {
        kind,
        text,
        signature: Some(signature).filter(|signature| !signature.is_empty()),
        format: Some(REASONING_FORMAT.into()),
        id: None,
    })
}

/// Why an answer ended, from Anthropic's word and from whether it calls client tools.
pub(super) fn finish_reason(stop_reason: Option<&str>, has_calls: bool) -> FinishReason {
    match stop_reason {
        Some("max_tokens" | "model_context_window_exceeded") => FinishReason::Length,
        Some("refusal") => FinishReason::ContentFilter,
        _ if has_calls => FinishReason::ToolCalls,
        _ => FinishReason::Stop,
    }
}

/// A web source cited by a text block; sources without an address have no neutral form.
#[derive(Debug)]
pub(super) struct Cited {
    url: String,
    title: String,
}

impl Cited {
    /// Reads a citation.
    pub(super) fn read(json: &RawValue) -> Option<Self> {
        #[derive(Deserialize)]
        struct Source {
            url: Option<String>,
            title: Option<String>,
        }
        let source = raw::view::<Source>(json)?;
        Some(Self { url: source.url?, title: source.title.unwrap_or_default() })
    }

    /// Bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        self.url.len().saturating_add(self.title.len())
    }

    /// The citation of the characters from `start` to before `end` of the joined text.
    pub(super) fn at(self, start: u64, end: u64) -> Citation<'static> {
        Citation { url: self.url.into(), title: self.title.into(), start, end }
    }
}
