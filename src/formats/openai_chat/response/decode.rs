//! Reads a provider's whole answer in OpenAI's format, tolerant of what imitators leave out.

use super::super::tree::Node;
use super::super::{reasoning_details, usage};
use crate::chat::message::{Media, Reasoning};
use crate::chat::response::{Choice, Citation};
use crate::chat::tool::ToolCall;
use crate::chat::{FinishReason, Part, Response};
use crate::formats::FormatError;
use std::borrow::Cow;

/// Reads the body of an answer.
pub fn decode(body: &[u8]) -> Result<Response<'_>, FormatError> {
    let mut node = Node::parse(body)
        .map_err(|error| FormatError::whole(format!("the answer is not valid JSON: {error}")))?;
    if !matches!(node, Node::Object(_)) {
        return Err(FormatError::whole("the answer is not a JSON object"));
    }
    let choices = node.take("choices").map(Node::into_items).unwrap_or_default();
    let usage = node.get("usage").map(usage::read).unwrap_or_default();
    Ok(Response {
        id: node.take("id").and_then(Node::into_text),
        model: node.take("model").and_then(Node::into_text),
        choices: choices.into_iter().enumerate().filter_map(choice).collect(),
        usage,
        service_tier: node.take("service_tier").and_then(Node::into_text).filter(|t| !t.is_empty()),
    })
}

fn choice((position, mut node): (usize, Node<'_>)) -> Option<Choice<'_>> {
    let stated = node.get("index").and_then(Node::as_count);
    let index = u32::try_from(stated.unwrap_or(position as u64)).ok()?;
    let mut message = node.take("message")?;
    let citations = annotations(message.take("annotations"));
    let parts = parts(&mut message);
    let word = node.take("finish_reason").and_then(Node::into_text);
    let called = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let finish = match word.as_deref().map_or(FinishReason::Stop, finish_reason) {
        FinishReason::Stop if called => FinishReason::ToolCalls,
        reason => reason,
    };
    let native = node.take("native_finish_reason").and_then(Node::into_text);
    Some(Choice { index, parts, finish, native_finish: native.or(word), citations, logprobs: None })
}

fn parts<'a>(message: &mut Node<'a>) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    let plain = message.take("reasoning_content").or_else(|| message.take("reasoning"));
    let details = message.take("reasoning_details").map(Node::into_items).unwrap_or_default();
    let pieces = reasoning_details::read(details);
    let calls = tool_calls(message, &pieces);
    let plain = plain.and_then(Node::into_text).filter(|text| !text.is_empty());
    if pieces.is_empty() {
        parts.extend(plain.map(|text| Part::Reasoning(Reasoning::plain(text))));
    }
    let signs_call = |piece: &Reasoning<'_>| calls.iter().any(|call| piece.signs_call(&call.id));
    parts.extend(pieces.into_iter().filter(|piece| !signs_call(piece)).map(Part::Reasoning));
    content(message.take("content"), &mut parts);
    if let Some(text) = message.take("refusal").and_then(Node::into_text) {
        parts.push(Part::Refusal { text });
    }
    parts.extend(
        message
            .take("images")
            .map(Node::into_items)
            .unwrap_or_default()
            .into_iter()
            .filter_map(image),
    );
    parts.extend(calls.into_iter().map(Part::ToolCall));
    parts
}

fn content<'a>(node: Option<Node<'a>>, parts: &mut Vec<Part<'a>>) {
    match node {
        Some(Node::Text(text)) if !text.is_empty() => parts.push(Part::Text { text, cache: None }),
        Some(Node::Array(items)) => {
            for mut item in items {
                for mut thought in item.take("thinking").map(Node::into_items).unwrap_or_default() {
                    let text = thought.take("text").and_then(Node::into_text);
                    parts.extend(text.map(|text| Part::Reasoning(Reasoning::plain(text))));
                }
                let text = item.take("text").and_then(Node::into_text);
                parts.extend(text.map(|text| Part::Text { text, cache: None }));
            }
        }
        _ => {}
    }
}

fn image(mut item: Node<'_>) -> Option<Part<'_>> {
    let url = item.take("image_url")?.take("url")?.into_text()?;
    let split = |url: &str| {
        let (mime, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
        Some((mime.to_owned(), data.to_owned()))
    };
    let source = match split(&url) {
        Some((mime, data)) => Media::Base64 { mime: mime.into(), data: data.into() },
        None => Media::Url(url),
    };
    Some(Part::Image { source, detail: None, cache: None })
}

fn tool_calls<'a>(message: &mut Node<'a>, pieces: &[Reasoning<'a>]) -> Vec<ToolCall<'a>> {
    let mut items = message.take("tool_calls").map(Node::into_items).unwrap_or_default();
    if let Some(older) = message.take("function_call") {
        items.push(Node::Object(vec![(Cow::Borrowed("function"), older)]));
    }
    items
        .into_iter()
        .enumerate()
        .filter_map(|(at, mut item)| {
            let id = item.take("id").and_then(Node::into_text).filter(|id| !id.is_empty());
            let id = id.unwrap_or_else(|| Cow::Owned(format!("call_{at}")));
            let mut function = item.take("function")?;
            let name = function.take("name")?.into_text()?;
            let arguments = function.take("arguments").and_then(Node::into_json_text);
            let arguments = arguments.filter(|json| !matches!(json.trim(), "" | "null"));
            let signature = pieces.iter().find(|piece| piece.signs_call(&id));
            Some(ToolCall {
                name,
                arguments: arguments.unwrap_or(Cow::Borrowed("{}")),
                signature: signature.and_then(|piece| piece.signature.clone()),
                custom: false,
                id,
            })
        })
        .collect()
}

/// The cited web pages among the annotations.
pub(in super::super) fn annotations(node: Option<Node<'_>>) -> Vec<Citation<'_>> {
    node.map(Node::into_items).unwrap_or_default().into_iter().filter_map(citation).collect()
}

fn citation(mut item: Node<'_>) -> Option<Citation<'_>> {
    let mut cited = item.take("url_citation")?;
    Some(Citation {
        url: cited.take("url")?.into_text()?,
        title: cited.take("title").and_then(Node::into_text).unwrap_or_default(),
        start: cited.get("start_index").and_then(Node::as_count).unwrap_or(0),
        end: cited.get("end_index").and_then(Node::as_count).unwrap_or(0),
    })
}

/// The neutral meaning of a finish word, OpenAI's or an imitator's.
pub(in super::super) fn finish_reason(word: &str) -> FinishReason {
    match word {
        "length" | "model_length" | "max_tokens" | "MAX_TOKENS" | "max_output_tokens" => {
            FinishReason::Length
        }
        "tool_calls" | "function_call" | "tool_use" | "TOOL_CALL" => FinishReason::ToolCalls,
        "content_filter" | "content_filtered" | "guardrail_intervened" | "refusal" | "SAFETY" => {
            FinishReason::ContentFilter
        }
        "error" | "network_error" => FinishReason::Error,
        _ => FinishReason::Stop,
    }
}
