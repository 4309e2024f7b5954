//! Reads a whole answer of Converse; Nova's own answers have the same shape.
//!
//! Called by `formats::answer`; the stream reader shares the stop reasons. Blocks keep their order,
//! because a client that sends them back must send them so.

#[cfg(test)]
mod tests;

use super::block::{Block, Source};
use super::text::{Str, filled, view};
use super::usage::Counts;
use crate::chat::message::{Part, Reasoning, ReasoningKind};
use crate::chat::response::{Choice, Citation, FinishReason, Response};
use crate::chat::tool::ToolCall;
use crate::formats::FormatError;
use crate::formats::anthropic::REASONING_FORMAT;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(borrow)]
    output: Option<Output<'a>>,
    #[serde(borrow)]
    stop_reason: Option<Str<'a>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    service_tier: Option<&'a RawValue>,
    #[serde(borrow)]
    trace: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Output<'a> {
    #[serde(borrow)]
    message: Option<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<Vec<&'a RawValue>>,
}

/// Reads the answer; the error says that the body is no Converse answer.
pub fn decode(body: &[u8]) -> Result<Response<'_>, FormatError> {
    let answer: Answer<'_> = serde_json::from_slice(body)
        .map_err(|error| FormatError::whole(format!("the answer is malformed: {error}")))?;
    let Some(message) = answer.output.and_then(|output| output.message) else {
        return Err(FormatError::whole("the answer holds no message"));
    };
    let content = message.content.unwrap_or_default();
    let mut choice = Choice {
        index: 0,
        parts: Vec::with_capacity(content.len()),
        finish: FinishReason::Stop,
        native_finish: answer.stop_reason.map(|text| text.0),
        citations: Vec::new(),
        logprobs: None,
    };
    let mut characters = 0;
    for block in content.into_iter().filter_map(Block::read) {
        add(block, &mut characters, &mut choice);
    }
    let has_calls = choice.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let said = if choice.parts.is_empty() { Said::Nothing } else { Said::Something { has_calls } };
    choice.finish = finish_reason(choice.native_finish.as_deref(), said);
    Ok(Response {
        id: None,
        model: answer.trace.and_then(invoked_model),
        choices: vec![choice],
        usage: answer.usage.and_then(view::<Counts>).unwrap_or_default().usage(),
        service_tier: answer.service_tier.and_then(tier),
    })
}

/// Adds one block; `characters` counts the text so far.
fn add<'a>(block: Block<'a>, characters: &mut u64, choice: &mut Choice<'a>) {
    match block {
        Block::Text(text) => add_text(text, characters, choice),
        Block::Thought { text, signature } => {
            let format = signature.is_some().then_some(Cow::Borrowed(REASONING_FORMAT));
            let kind = ReasoningKind::Text;
            choice.parts.push(Part::Reasoning(Reasoning {
                kind,
                text,
                signature,
                format,
                id: None,
            }));
        }
        Block::Redacted(data) => choice.parts.push(Part::Reasoning(Reasoning {
            kind: ReasoningKind::Encrypted,
            text: Cow::Borrowed(""),
            signature: Some(data),
            format: Some(Cow::Borrowed(REASONING_FORMAT)),
            id: None,
        })),
        Block::Call { id, name, input } => {
            let arguments = input.map_or("{}", RawValue::get).into();
            let call = ToolCall { id, name, arguments, custom: false, signature: None };
            choice.parts.push(Part::ToolCall(call));
        }
        Block::Image { mime, data } => choice.parts.push(Part::Image {
            source: crate::chat::message::Media::Base64 { mime: mime.into(), data },
            detail: None,
            cache: None,
        }),
        Block::Cited { texts, sources } => {
            let start = *characters;
            for text in texts {
                add_text(text, characters, choice);
            }
            choice
                .citations
                .extend(sources.into_iter().map(|source| source.at(start, *characters)));
        }
    }
}

fn add_text<'a>(text: Cow<'a, str>, characters: &mut u64, choice: &mut Choice<'a>) {
    if !text.is_empty() {
        *characters = characters.saturating_add(text.chars().count() as u64);
        choice.parts.push(Part::Text { text, cache: None });
    }
}

impl<'a> Source<'a> {
    /// The citation of the characters from `start` to before `end` of the joined text.
    pub(super) fn at(self, start: u64, end: u64) -> Citation<'a> {
        Citation { url: self.url, title: self.title, start, end }
    }
}

/// What an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Nothing,
    Something { has_calls: bool },
}

/// Why an answer ended, from Bedrock's word and from what it holds.
pub(super) fn finish_reason(stop_reason: Option<&str>, said: Said) -> FinishReason {
    match stop_reason {
        Some("max_tokens" | "model_context_window_exceeded") => FinishReason::Length,
        Some("guardrail_intervened" | "content_filtered" | "refusal") => {
            FinishReason::ContentFilter
        }
        Some("malformed_model_output" | "malformed_tool_use") if said == Said::Nothing => {
            FinishReason::Error
        }
        _ if said == (Said::Something { has_calls: true }) => FinishReason::ToolCalls,
        _ => FinishReason::Stop,
    }
}

/// The tier that served the request.
pub(super) fn tier(json: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Tier<'a> {
        #[serde(borrow)]
        r#type: Option<Str<'a>>,
    }
    filled(view::<Tier<'_>>(json)?.r#type)
}

/// The model that a prompt router chose, the only case in which an answer names its model.
pub(super) fn invoked_model(json: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Trace<'a> {
        #[serde(borrow)]
        prompt_router: Option<Router<'a>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Router<'a> {
        #[serde(borrow)]
        invoked_model_id: Option<Str<'a>>,
    }
    filled(view::<Trace<'_>>(json)?.prompt_router?.invoked_model_id)
}
