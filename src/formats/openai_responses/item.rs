//! The items an answer consists of, read one by one.
//!
//! Shared by the whole-answer decoder and the stream decoder, so that an item means the same in
//! both. Items and content of unknown types are skipped without losing their neighbours.

use super::REASONING_FORMAT;
use super::object::{Object, elements};
use crate::chat::FinishReason;
use crate::chat::message::{Reasoning, ReasoningKind};
use crate::chat::response::Citation;
use crate::chat::tool::ToolCall;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// First characters of base64 images, for answers that do not name the type.
const IMAGE_SIGNATURES: [(&str, &str); 3] =
    [("/9j/", "image/jpeg"), ("UklGR", "image/webp"), ("R0lGOD", "image/gif")];
/// Makers of reasoning that an answer may name.
const FORMATS: [&str; 5] = [
    REASONING_FORMAT,
    "azure-openai-responses-v1",
    "xai-responses-v1",
    "anthropic-claude-v1",
    "google-gemini-v1",
];

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Message,
    Reasoning,
    /// A call of a function, with JSON arguments.
    Function,
    /// A call of a free-form tool.
    Custom,
    /// A search that the provider made.
    WebSearch,
    Image,
    /// Anything else: nothing the neutral model could say.
    Other,
}

impl Kind {
    /// The kind of an item.
    pub(super) fn of(item: &Object<'_>) -> Self {
        match item.text("type").as_deref() {
            Some("message") => Self::Message,
            Some("reasoning") => Self::Reasoning,
            Some("function_call") => Self::Function,
            Some("custom_tool_call") => Self::Custom,
            Some("web_search_call") => Self::WebSearch,
            Some("image_generation_call") => Self::Image,
            _ => Self::Other,
        }
    }

    /// Whether it is a call that the client has to answer.
    pub(super) fn is_call(self) -> bool {
        matches!(self, Self::Function | Self::Custom)
    }
}

/// A piece of a message.
#[derive(Debug)]
pub(super) enum Content<'a> {
    Text { text: Cow<'a, str>, annotations: Vec<Object<'a>>, logprobs: Option<&'a RawValue> },
    Refusal(Cow<'a, str>),
}

/// The pieces of a message.
pub(super) fn contents<'a>(message: &Object<'a>) -> Vec<Content<'a>> {
    message.objects("content").iter().filter_map(content).collect()
}

fn content<'a>(piece: &Object<'a>) -> Option<Content<'a>> {
    match piece.text("type")?.as_ref() {
        "output_text" | "text" => Some(Content::Text {
            text: piece.text("text")?,
            annotations: piece.objects("annotations"),
            logprobs: piece.raw("logprobs").filter(|list| has_elements(list)),
        }),
        "refusal" => piece.text("refusal").map(Content::Refusal),
        _ => None,
    }
}

/// Whether an array holds anything.
pub(super) fn has_elements(list: &RawValue) -> bool {
    let inner = list.get().strip_prefix('[').map(str::trim_start);
    inner.is_some_and(|rest| !rest.starts_with(']'))
}

/// The web page an annotation names. `base` is where its text begins among the whole answer's.
pub(super) fn citation<'a>(annotation: &Object<'a>, base: u64) -> Option<Citation<'a>> {
    if annotation.text("type")? != "url_citation" {
        return None;
    }
    let place = |key: &str| annotation.count(key).unwrap_or(0).saturating_add(base);
    let (start, end) = (place("start_index"), place("end_index"));
    Some(Citation {
        url: annotation.text("url")?,
        title: annotation.text("title").unwrap_or_default(),
        start,
        end: end.max(start),
    })
}

/// The reasoning of an item: summaries, the text itself, and what its maker needs to go on.
pub(super) fn reasoning<'a>(item: &Object<'a>) -> Vec<Reasoning<'a>> {
    let maker = item.word("format").unwrap_or(Cow::Borrowed(REASONING_FORMAT));
    let id = item.word("id");
    let piece = |kind, text, signature| Reasoning {
        kind,
        text,
        signature,
        format: Some(maker.clone()),
        id: id.clone(),
    };
    let mut pieces = Vec::new();
    for (member, kind) in [("summary", ReasoningKind::Summary), ("content", ReasoningKind::Text)] {
        for element in item.raw(member).and_then(elements).unwrap_or_default() {
            let text = super::object::text(element)
                .or_else(|| Object::read(element)?.text("text"))
                .filter(|text| !text.is_empty());
            pieces.extend(text.map(|text| piece(kind, text, None)));
        }
    }
    if let Some(data) = item.word("encrypted_content") {
        pieces.push(piece(ReasoningKind::Encrypted, Cow::Borrowed(""), Some(data)));
    }
    pieces
}

/// The maker of a reasoning item, as events name it.
pub(super) fn maker(item: &Object<'_>) -> &'static str {
    match item.word("format") {
        None => REASONING_FORMAT,
        Some(word) => FORMATS.into_iter().find(|known| **known == *word).unwrap_or("unknown"),
    }
}

/// A tool call. Its `id` is what the result has to name, not the id of the item; only imitators
/// leave it out.
pub(super) fn call<'a>(item: &Object<'a>, kind: Kind, index: u64) -> Option<ToolCall<'a>> {
    let custom = kind == Kind::Custom;
    let arguments =
        arguments(item, kind).filter(|text| custom || !matches!(text.trim(), "" | "null"));
    Some(ToolCall {
        id: call_id(item, index),
        name: item.word("name")?,
        arguments: arguments.unwrap_or(Cow::Borrowed(if custom { "" } else { "{}" })),
        custom,
        signature: None,
    })
}

/// The id that the result of a call has to name.
pub(super) fn call_id<'a>(item: &Object<'a>, index: u64) -> Cow<'a, str> {
    let stated = item.word("call_id").or_else(|| item.word("id"));
    stated.unwrap_or_else(|| Cow::Owned(format!("call_{index}")))
}

/// The text a call passes to its tool, as it stands.
pub(super) fn arguments<'a>(item: &Object<'a>, kind: Kind) -> Option<Cow<'a, str>> {
    let member = if kind == Kind::Custom { "input" } else { "arguments" };
    let value = item.raw(member)?;
    super::object::text(value).or_else(|| value.get().starts_with('{').then(|| value.get().into()))
}

/// MIME type and base64 text of an image the model made.
pub(super) fn image<'a>(item: &Object<'a>) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
    let data = item.word("result")?;
    let mime = match item.word("output_format").as_deref() {
        Some("jpeg" | "jpg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("png") => "image/png",
        _ => IMAGE_SIGNATURES
            .iter()
            .find(|(start, _)| data.starts_with(start))
            .map_or("image/png", |(_, mime)| mime),
    };
    Some((Cow::Borrowed(mime), data))
}

/// Whether a search item stands for a search: opening a page of its results is none.
pub(super) fn is_search(item: &Object<'_>) -> bool {
    let action = item.object("action").and_then(|action| action.text("type"));
    action.is_none_or(|word| word == "search")
}

/// Why an answer ended, and the provider's word for it.
pub(super) fn finish<'a>(
    answer: &Object<'a>,
    called: bool,
) -> (FinishReason, Option<Cow<'a, str>>) {
    let status = answer.word("status");
    let cause = answer.object("incomplete_details").and_then(|details| details.word("reason"));
    let reason = match (status.as_deref(), cause.as_deref()) {
        (Some("failed" | "cancelled"), _) => FinishReason::Error,
        (_, Some("content_filter")) => FinishReason::ContentFilter,
        (_, Some(_)) | (Some("incomplete"), None) => FinishReason::Length,
        _ if called => FinishReason::ToolCalls,
        _ => FinishReason::Stop,
    };
    (reason, cause.or(status))
}
