//! OpenAI streams that pass through: `id` and `model` written over, ordinary chunks recognised.
//!
//! The chunks of a stream begin alike, so that what precedes the first difference is remembered
//! together with its rewritten form; most chunks are then one comparison and two copies.

use super::openrouter::Words;
use super::tap::{Piece, Reading};
use crate::formats::translator::output::Output;
use crate::formats::{AnswerLabel, Shape};
use crate::json::{Members, find, string_literal};
use bytes::Bytes;
use memchr::memmem::Finder;
use std::ops::Range;
use std::sync::LazyLock;

/// Longest beginning that is remembered, in bytes.
const MAX_BEGINNING_BYTES: usize = 1_024;

/// Writes the gateway's words into the chunks of one stream.
#[derive(Debug)]
pub(in crate::formats) struct Relabel {
    id: Bytes,
    model: Option<Bytes>,
    include_usage: bool,
    /// For clients that want more written over.
    openrouter: Option<Words>,
    /// Beginning of the last chunk up to the end of `id` and `model`, as it came.
    before: Vec<u8>,
    /// The same with both written over.
    after: Vec<u8>,
}

impl Relabel {
    /// For one answer.
    pub(in crate::formats) fn new(label: &AnswerLabel, shape: Shape) -> Self {
        Self {
            id: string_literal(&label.id),
            model: label.model.as_deref().map(string_literal),
            include_usage: label.include_usage,
            openrouter: (shape == Shape::OpenRouter).then(|| Words::new(label)),
            before: Vec::new(),
            after: Vec::new(),
        }
    }

    /// Forwards a chunk, or swallows it if it only brings usage the client did not ask for.
    pub(in crate::formats) fn forward(&mut self, piece: &Piece<'_>, out: &mut Output) {
        if !self.include_usage && is_usage_chunk(piece.data()) {
            return;
        }
        if let Some(written) = self.openrouter.as_ref().and_then(|words| words.chunk(piece.data()))
        {
            return piece.forward_with(&written, out);
        }
        if let Some(rest) = piece.frame.strip_prefix(self.before.as_slice())
            && !self.before.is_empty()
        {
            let buffer = out.buffer();
            buffer.reserve(self.after.len() + rest.len());
            buffer.extend_from_slice(&self.after);
            buffer.extend_from_slice(rest);
            return;
        }
        self.forward_new(piece, out);
    }

    /// A chunk with another beginning than the last.
    fn forward_new(&mut self, piece: &Piece<'_>, out: &mut Output) {
        let data = piece.data();
        let mut edits: Vec<(Range<usize>, &Bytes)> = Vec::with_capacity(2);
        let wanted = if self.model.is_some() { 2 } else { 1 };
        for member in Members::new(data).into_iter().flatten() {
            let word = match member.key {
                b"id" => Some(&self.id),
                b"model" => self.model.as_ref(),
                _ => None,
            };
            if let Some(word) = word
                && data.get(member.value.start) == Some(&b'"')
            {
                edits.push((member.value, word));
            }
            if edits.len() == wanted {
                break;
            }
        }
        let Some((last, _)) = edits.last() else { return out.forward(piece.frame) };
        let end = piece.data.start + last.end;
        let complete = edits.len() == wanted;
        let mut rewritten = Vec::with_capacity(piece.frame.len() + 64);
        let mut from = 0;
        for (place, word) in &edits {
            let place = piece.data.start + place.start..piece.data.start + place.end;
            rewritten.extend_from_slice(piece.frame.get(from..place.start).unwrap_or_default());
            rewritten.extend_from_slice(word);
            from = place.end;
        }
        let buffer = out.buffer();
        buffer.extend_from_slice(&rewritten);
        buffer.extend_from_slice(piece.frame.get(end..).unwrap_or_default());
        if complete && end <= MAX_BEGINNING_BYTES {
            self.before.clear();
            self.before.extend_from_slice(piece.frame.get(..end).unwrap_or_default());
            self.after = rewritten;
        }
    }
}

/// Whether a chunk has usage but no alternative.
fn is_usage_chunk(data: &[u8]) -> bool {
    let [usage, ..] = &KEYS.telling;
    if !has_value(data, usage) {
        return false;
    }
    let bare = |value: Range<usize>| {
        let inner = data.get(value).and_then(|list| list.strip_prefix(b"["));
        inner.is_some_and(|inner| inner.trim_ascii_start().first() == Some(&b']'))
    };
    let has_usage = find(data, "usage").is_some_and(|value| data.get(value.start) == Some(&b'{'));
    has_usage && find(data, "choices").is_some_and(bare)
}

/// Searches for the keys that tell what a chunk is, prepared once.
struct Keys {
    telling: [Finder<'static>; 3],
    content: Finder<'static>,
    name: Finder<'static>,
    /// Other members whose text counts.
    texts: [Finder<'static>; 4],
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    telling: ["\"usage\"", "\"finish_reason\"", "\"error\""].map(Finder::new),
    content: Finder::new("\"content\""),
    name: Finder::new("\"name\""),
    texts: ["\"reasoning_content\"", "\"reasoning\"", "\"arguments\"", "\"refusal\""]
        .map(Finder::new),
});

/// How a chunk is to be read; everything that is not plainly content goes to the decoder.
pub(in crate::formats) fn reading(data: &[u8]) -> Reading {
    let keys = &*KEYS;
    if keys.telling.iter().any(|key| has_value(data, key)) {
        return Reading::Whole;
    }
    let content = text_bytes(data, &keys.content);
    if content > 0 {
        return Reading::Content(content);
    }
    if keys.name.find(data).is_some() {
        return Reading::Whole;
    }
    let bytes = keys.texts.iter().map(|key| text_bytes(data, key)).find(|&bytes| bytes > 0);
    bytes.map_or(Reading::Whole, Reading::Content)
}

/// What follows `key` and a colon, wherever that first stands in the chunk.
///
/// Quotes inside strings are escaped, so that a key found with its quotes is a key, or a string of
/// just this word, which no colon follows.
fn value_after<'d>(data: &'d [u8], key: &Finder<'_>) -> Option<&'d [u8]> {
    let mut rest = data;
    while let Some(at) = key.find(rest) {
        rest = rest.get(at + key.needle().len()..)?;
        if let Some(value) = rest.trim_ascii_start().strip_prefix(b":") {
            return Some(value.trim_ascii_start());
        }
    }
    None
}

/// Whether `key` has a value besides null.
fn has_value(data: &[u8], key: &Finder<'_>) -> bool {
    value_after(data, key).is_some_and(|value| !value.starts_with(b"null"))
}

/// Length of the string after `key`, escapes counted as they are written; 0 without one.
pub(super) fn text_bytes(data: &[u8], key: &Finder<'_>) -> usize {
    let Some(text) = value_after(data, key).and_then(|value| value.strip_prefix(b"\"")) else {
        return 0;
    };
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b'"', b'\\', text.get(at..).unwrap_or_default()) {
        at += found;
        if text.get(at) == Some(&b'"') {
            return at;
        }
        at += 2;
    }
    text.len()
}
