//! `reasoning_details`: reasoning in pieces that carry what their maker needs to accept them back.
//!
//! Read from requests, answers and stream chunks alike. Clients that collect the pieces of a
//! stream often send them back uncombined; pieces of one block are joined here.

use crate::chat::message::{Reasoning, ReasoningKind};
use crate::formats::tree::Node;
use std::borrow::Cow;

/// The format word of Gemini's signatures.
const GOOGLE: &str = "google-gemini-v1";

/// Reads all pieces; those of unknown types are skipped.
pub(super) fn read(items: Vec<Node<'_>>) -> Vec<Reasoning<'_>> {
    let mut pieces: Vec<Reasoning<'_>> = Vec::with_capacity(items.len());
    let mut last_block = None;
    for mut item in items {
        let block = item.get("index").and_then(Node::as_count);
        let Some(piece) = piece(&mut item) else { continue };
        match pieces.last_mut() {
            Some(last) if block.is_some() && block == last_block && last.continues_with(&piece) => {
                last.text.to_mut().push_str(&piece.text);
                last.signature = piece.signature;
                last.format = last.format.take().or(piece.format);
            }
            _ => pieces.push(piece),
        }
        last_block = block;
    }
    pieces
}

/// Reads one piece.
pub(super) fn piece<'a>(item: &mut Node<'a>) -> Option<Reasoning<'a>> {
    let text = |node: Option<Node<'a>>| node.and_then(Node::into_text);
    let kind = match item.get("type")?.as_str()? {
        "reasoning.text" => ReasoningKind::Text,
        "reasoning.summary" => ReasoningKind::Summary,
        "reasoning.encrypted" => ReasoningKind::Encrypted,
        _ => return None,
    };
    let (words, signature) = match kind {
        ReasoningKind::Text => (text(item.take("text")), text(item.take("signature"))),
        ReasoningKind::Summary => (text(item.take("summary")), None),
        ReasoningKind::Encrypted => (None, text(item.take("data"))),
    };
    Some(Reasoning {
        kind,
        text: words.unwrap_or(Cow::Borrowed("")),
        signature,
        format: text(item.take("format")),
        id: text(item.take("id")),
    })
}

impl<'a> Reasoning<'a> {
    /// Reasoning of which only the words are known.
    pub(super) fn plain(text: Cow<'a, str>) -> Self {
        Self { kind: ReasoningKind::Text, text, signature: None, format: None, id: None }
    }

    /// Whether this is Gemini's signature of the given tool call.
    pub(super) fn signs_call(&self, call_id: &str) -> bool {
        self.kind == ReasoningKind::Encrypted
            && self.format.as_deref() == Some(GOOGLE)
            && self.id.as_deref() == Some(call_id)
    }

    /// Whether `next` is a later piece of the same block.
    fn continues_with(&self, next: &Self) -> bool {
        self.kind == next.kind && self.kind != ReasoningKind::Encrypted && self.signature.is_none()
    }
}
