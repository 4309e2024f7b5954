//! Reads a provider's whole answer in OpenAI's format, tolerant of what imitators leave out.

use super::super::{reasoning_details, usage};
use crate::chat::event::AudioPiece;
use crate::chat::message::{Media, Reasoning};
use crate::chat::response::{Choice, Citation};
use crate::chat::tool::ToolCall;
use crate::chat::{FinishReason, Part, Response};
use crate::formats::FormatError;
use crate::formats::openai_chat::RAW_KEYS;
use crate::formats::tree::Node;
use crate::json::find;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Reads the body of an answer.
pub fn decode(body: &[u8]) -> Result<Response<'_>, FormatError> {
    let mut node = Node::parse(body, &RAW_KEYS)
        .map_err(|error| FormatError::whole(format!("the answer is not valid JSON: {error}")))?;
    if !matches!(node, Node::Object(_)) {
        return Err(FormatError::whole("the answer is not a JSON object"));
    }
    let sources = sources(&mut node);
    let mut choices = choices(node.take("choices"));
    // Another provider may have an answer.
    if choices.is_empty() {
        return Err(FormatError::whole("the provider sent no answer"));
    }
    for choice in choices.iter_mut().filter(|choice| choice.citations.is_empty()) {
        choice.citations.clone_from(&sources);
    }
    let usage = node.get("usage").map(usage::read).unwrap_or_default();
    Ok(Response {
        id: node.take("id").and_then(Node::into_text),
        model: node.take("model").and_then(Node::into_text),
        choices,
        usage,
        service_tier: node.take("service_tier").and_then(Node::into_text).filter(|t| !t.is_empty()),
    })
}

/// The alternatives in the order of their indices, counted from 0 whatever the provider counts from.
fn choices(node: Option<Node<'_>>) -> Vec<Choice<'_>> {
    let items = node.map(Node::into_items).unwrap_or_default();
    let mut choices: Vec<Choice<'_>> = items.into_iter().enumerate().filter_map(choice).collect();
    Choice::renumber(&mut choices);
    choices
}

/// Azure leaves the message out when all of it was filtered.
fn choice((position, mut node): (usize, Node<'_>)) -> Option<Choice<'_>> {
    let stated = node.get("index").and_then(Node::as_count);
    let stated = stated.and_then(|index| u32::try_from(index).ok());
    let index = stated.or_else(|| u32::try_from(position).ok())?;
    let message = node.take("message");
    let mut message = match message {
        Some(message) => message,
        None => node.get("finish_reason").map(|_| Node::default())?,
    };
    let citations = annotations(message.take("annotations"));
    let parts = parts(&mut message);
    let word = node.take("finish_reason").and_then(Node::into_text);
    let called = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let finish = match word.as_deref().map_or(FinishReason::Stop, finish_reason) {
        FinishReason::Stop if called => FinishReason::ToolCalls,
        reason => reason,
    };
    let native_finish = node.take("native_finish_reason").and_then(Node::into_text).or(word);
    let logprobs = logprobs(node.take("logprobs").as_ref());
    Some(Choice { index, parts, finish, native_finish, citations, logprobs })
}

fn parts<'a>(message: &mut Node<'a>) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    let plain = message.take("reasoning_content").or_else(|| message.take("reasoning"));
    let details = message.take("reasoning_details").map(Node::into_items).unwrap_or_default();
    let pieces = reasoning_details::read(details);
    let calls = tool_calls(message, &pieces);
    let plain = plain.and_then(Node::into_text).filter(|text| !text.is_empty());
    if pieces.iter().all(|piece| piece.text.is_empty()) {
        parts.extend(plain.map(|text| Part::Reasoning(Reasoning::plain(text))));
    }
    let signs_call = |piece: &Reasoning<'_>| calls.iter().any(|call| piece.signs_call(&call.id));
    parts.extend(pieces.into_iter().filter(|piece| !signs_call(piece)).map(Part::Reasoning));
    content(message.take("content"), &mut parts);
    let refusal = message.take("refusal").and_then(Node::into_text);
    let refusal = refusal.filter(|text| !text.is_empty());
    parts.extend(refusal.map(|text| Part::Refusal { text }));
    parts.extend(message.take("audio").and_then(audio).map(Part::SpokenAnswer));
    let images = message.take("images").map(Node::into_items).unwrap_or_default();
    parts.extend(images.into_iter().filter_map(image));
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
        Some(object @ Node::Object(_)) => parts.extend(json_text(object)),
        _ => {}
    }
}

/// Cloudflare sends structured output as the object itself.
fn json_text(object: Node<'_>) -> Option<Part<'_>> {
    let text = Cow::Owned(object.into_raw()?.get().to_owned());
    Some(Part::Text { text, cache: None })
}

/// A sound or a piece of it; `None` when nothing is stated.
pub(in super::super) fn audio(mut node: Node<'_>) -> Option<AudioPiece<'_>> {
    let expires_at_s = node.get("expires_at").and_then(Node::as_count);
    let mut text = |key| node.take(key).and_then(Node::into_text).filter(|text| !text.is_empty());
    let (id, data) = (text("id"), text("data"));
    let (transcript, format) = (text("transcript"), text("format"));
    let stated = id.is_some() || data.is_some() || transcript.is_some();
    stated.then_some(AudioPiece { format, data, transcript, id, expires_at_s })
}

/// Log probabilities, unless the object says in one of many ways that there are none.
pub(in super::super) fn logprobs<'a>(node: Option<&Node<'a>>) -> Option<Cow<'a, RawValue>> {
    let Some(&Node::Raw(raw)) = node else { return None };
    let json = raw.get().as_bytes();
    let lists = ["content", "refusal"].into_iter().filter_map(|key| json.get(find(json, key)?));
    let mut inner = lists.filter_map(|list| list.strip_prefix(b"[")?.strip_suffix(b"]"));
    inner.any(|items| !items.trim_ascii().is_empty()).then_some(Cow::Borrowed(raw))
}

/// Perplexity names the sources of all alternatives beside them, in a newer and an older way.
pub(in super::super) fn sources<'a>(node: &mut Node<'a>) -> Vec<Citation<'a>> {
    let cited = |url: Node<'a>, title: Option<Node<'a>>| {
        let title = title.and_then(Node::into_text).unwrap_or_default();
        Some(Citation { url: url.into_text()?, title, start: 0, end: 0 })
    };
    let results = node.take("search_results").map(Node::into_items).unwrap_or_default();
    let named =
        results.into_iter().filter_map(|mut item| cited(item.take("url")?, item.take("title")));
    let named: Vec<_> = named.collect();
    if !named.is_empty() {
        return named;
    }
    let plain = node.take("citations").map(Node::into_items).unwrap_or_default();
    plain.into_iter().filter_map(|url| cited(url, None)).collect()
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
            if let Some((name, mut custom)) = named(item.take("custom")) {
                let arguments = custom.take("input").and_then(Node::into_text).unwrap_or_default();
                return Some(ToolCall { id, name, arguments, signature: None, custom: true });
            }
            let (name, mut function) = named(item.take("function"))?;
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

/// What is called, and its name. Some providers write every member there is and leave those they
/// do not mean empty.
fn named(node: Option<Node<'_>>) -> Option<(Cow<'_, str>, Node<'_>)> {
    let mut node = node?;
    let name = node.take("name")?.into_text().filter(|name| !name.is_empty())?;
    Some((name, node))
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
