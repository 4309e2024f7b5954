//! What a delta holds besides tool calls: text, reasoning, pictures, sound.

use super::Sink;
use crate::chat::event::Event;
use crate::chat::message::{Reasoning, ReasoningKind};
use crate::formats::openai_chat::reasoning_details;
use crate::formats::openai_chat::response::audio;
use crate::formats::tree::Node;
use std::borrow::Cow;

/// Maker of reasoning that does not say.
const UNKNOWN_FORMAT: &str = "unknown";

/// The known makers, so that events can carry the word without a copy.
const FORMATS: [&str; 5] = [
    "anthropic-claude-v1",
    "google-gemini-v1",
    "openai-responses-v1",
    "azure-openai-responses-v1",
    "xai-responses-v1",
];

/// Reads everything but the tool calls.
pub(super) fn read(choice: u32, delta: &mut Node<'_>, sink: &mut Sink<'_>) {
    reasoning(choice, delta, sink);
    content(choice, delta.take("content"), sink);
    let refusal = delta.take("refusal").and_then(Node::into_text);
    if let Some(text) = refusal.filter(|text| !text.is_empty()) {
        sink(Event::Refusal { choice, text });
    }
    if let Some(audio) = delta.take("audio").and_then(audio) {
        sink(Event::Audio { choice, audio });
    }
    images(choice, delta.take("images"), sink);
}

/// Reasoning under any of its names; the typed pieces are preferred, since they carry signatures.
fn reasoning(choice: u32, delta: &mut Node<'_>, sink: &mut Sink<'_>) {
    let details = delta.take("reasoning_details").map(Node::into_items).unwrap_or_default();
    let plain = delta.take("reasoning_content").or_else(|| delta.take("reasoning"));
    let mut any = false;
    for (at, mut item) in details.into_iter().enumerate() {
        let index = item.get("index").and_then(Node::as_count).unwrap_or(at as u64);
        let Some(piece) = reasoning_details::piece(&mut item) else { continue };
        any |= !piece.text.is_empty();
        reasoning_piece(choice, u32::try_from(index).unwrap_or(0), piece, sink);
    }
    if let Some(text) = plain.and_then(Node::into_text).filter(|_| !any) {
        plain_reasoning(choice, text, sink);
    }
}

/// Reasoning without anything but its text.
pub(super) fn plain_reasoning(choice: u32, text: Cow<'_, str>, sink: &mut Sink<'_>) {
    if !text.is_empty() {
        let kind = ReasoningKind::Text;
        sink(Event::Reasoning { choice, text, kind, format: UNKNOWN_FORMAT, block: 0 });
    }
}

fn reasoning_piece(choice: u32, block: u32, piece: Reasoning<'_>, sink: &mut Sink<'_>) {
    let stated = piece.format.as_deref();
    let format = FORMATS.into_iter().find(|known| Some(*known) == stated).unwrap_or(UNKNOWN_FORMAT);
    let encrypted = piece.kind == ReasoningKind::Encrypted;
    if !piece.text.is_empty() {
        sink(Event::Reasoning { choice, text: piece.text, kind: piece.kind, format, block });
    }
    if let Some(data) = piece.signature.filter(|data| !data.is_empty()) {
        let id = piece.id;
        sink(Event::ReasoningSignature { choice, data, encrypted, format, block, id });
    }
}

/// A string, Mistral's list of text and thinking parts, or Cloudflare's object.
fn content(choice: u32, node: Option<Node<'_>>, sink: &mut Sink<'_>) {
    let say = |text: Cow<'_, str>, sink: &mut Sink<'_>| {
        if !text.is_empty() {
            sink(Event::Text { choice, text });
        }
    };
    match node {
        Some(Node::Text(text)) => say(text, sink),
        Some(Node::Array(items)) => {
            for mut item in items {
                for mut thought in item.take("thinking").map(Node::into_items).unwrap_or_default() {
                    if let Some(text) = thought.take("text").and_then(Node::into_text) {
                        plain_reasoning(choice, text, sink);
                    }
                }
                if let Some(text) = item.take("text").and_then(Node::into_text) {
                    say(text, sink);
                }
            }
        }
        Some(object @ Node::Object(_)) => {
            if let Some(json) = object.into_raw() {
                say(Cow::Borrowed(json.get()), sink);
            }
        }
        _ => {}
    }
}

/// Images as `data:` URIs; others have no bytes to relay.
fn images(choice: u32, node: Option<Node<'_>>, sink: &mut Sink<'_>) {
    for mut item in node.map(Node::into_items).unwrap_or_default() {
        let url = item.take("image_url").and_then(|mut image| image.take("url"));
        let Some(url) = url.and_then(Node::into_text) else { continue };
        let parts = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
        if let Some((mime, data)) = parts {
            sink(Event::Image { choice, mime: Cow::Borrowed(mime), data: Cow::Borrowed(data) });
        }
    }
}
