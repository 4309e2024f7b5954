//! Which conversation a request belongs to, told cheaply.
//!
//! Used by `sticky`. A client may name its conversation; of one that does not, the first turns are
//! looked at, which every later request of the conversation repeats. Only what stays the same from
//! turn to turn is hashed: marks for a provider's cache move on and are left out, and a text counts
//! the same alone and as the only part of a list. The body must have passed [`Head`]; of a long one
//! only the beginning is walked, and of long texts only both ends are read.

use crate::formats::ApiFormat;
use crate::json::{Elements, Head, Members, as_str, find};
use http::HeaderMap;
use std::borrow::Cow;
use std::hash::Hasher;

/// Longest name of a conversation that is looked at, in characters.
pub const MAX_SESSION_CHARS: usize = 256;
/// Most bytes read at either end of one text.
const END_BYTES: usize = 2 * 1024;
/// Most parts of one message that are looked at.
const MAX_PARTS: usize = 16;
/// Most messages before the first one of the client that are looked at.
const MAX_OPENING_MESSAGES: usize = 16;

/// A request, as far as its conversation can be told from it.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    /// The caller's format.
    pub client: ApiFormat,
    /// Header fields of the request.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
    /// Where its members are.
    pub head: &'a Head,
}

/// What a conversation is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conversation<'a> {
    /// The client named it.
    Named(Cow<'a, str>),
    /// The client named the part of the provider's cache that it uses.
    CacheKey(Cow<'a, str>),
    /// By its first turns.
    Opening(Opening<'a>),
}

/// The first turns of a conversation, in the client's JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening<'a> {
    /// The instructions: the content of the first system or developer message.
    pub instructions: Option<&'a [u8]>,
    /// The content of the first message that is no instruction.
    pub message: &'a [u8],
}

impl<'a> Turn<'a> {
    /// The conversation; `None` if nothing tells it from others.
    pub fn conversation(&self) -> Option<Conversation<'a>> {
        if let Some(name) = self.text("session_id").or_else(|| self.header("x-session-id")) {
            return Some(Conversation::Named(name));
        }
        if let Some(key) = self.text("prompt_cache_key") {
            return Some(Conversation::CacheKey(key));
        }
        self.opening().map(Conversation::Opening)
    }

    fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        cut(as_str(self.head.raw(self.body, name)?)?)
    }

    fn header(&self, name: &str) -> Option<Cow<'a, str>> {
        let value = std::str::from_utf8(self.headers.get(name)?.as_bytes()).ok()?;
        cut(Cow::Borrowed(value.trim()))
    }

    fn opening(&self) -> Option<Opening<'a>> {
        let member = |name| self.head.raw(self.body, name).filter(|raw| *raw != b"null");
        match self.client {
            ApiFormat::OpenAiChat => first_turns(member("messages")?, None),
            ApiFormat::Anthropic => first_turns(member("messages")?, member("system")),
            ApiFormat::OpenAiResponses => {
                let (input, instructions) = (member("input")?, member("instructions"));
                if input.starts_with(b"\"") {
                    return Some(Opening { instructions, message: input });
                }
                first_turns(input, instructions)
            }
            ApiFormat::Gemini => {
                let instruction =
                    member("systemInstruction").or_else(|| member("system_instruction"));
                first_turns(member("contents")?, instruction.map(content))
            }
            // A plain prompt is the whole conversation, and another one at each turn.
            ApiFormat::Completions | ApiFormat::Bedrock => None,
        }
    }
}

/// Not empty, and not longer than allowed.
fn cut(name: Cow<'_, str>) -> Option<Cow<'_, str>> {
    if name.is_empty() {
        return None;
    }
    match name.char_indices().nth(MAX_SESSION_CHARS) {
        None => Some(name),
        Some((end, _)) => Some(Cow::Owned(name.get(..end)?.to_owned())),
    }
}

/// The first instruction, unless it is known, and the first message that is none.
fn first_turns<'a>(messages: &'a [u8], stated: Option<&'a [u8]>) -> Option<Opening<'a>> {
    let mut instructions = stated;
    for place in Elements::new(messages)?.take(MAX_OPENING_MESSAGES) {
        let message = messages.get(place)?;
        let role = find(message, "role").and_then(|place| as_str(message.get(place)?));
        if matches!(role.as_deref(), Some("system" | "developer")) {
            instructions = instructions.or_else(|| Some(content(message)));
        } else {
            return Some(Opening { instructions, message: content(message) });
        }
    }
    None
}

/// What a message says; of an item that is no message, all of it.
fn content(message: &[u8]) -> &[u8] {
    let place = find(message, "content").or_else(|| find(message, "parts"));
    place.and_then(|place| message.get(place)).unwrap_or(message)
}

impl Conversation<'_> {
    /// Whether the client named the conversation itself.
    pub fn is_named(&self) -> bool {
        matches!(self, Self::Named(_))
    }

    /// Hashes what the conversation is known by.
    pub fn hash_into(&self, hasher: &mut impl Hasher) {
        match self {
            Self::Named(name) => tagged(hasher, 1, name.as_bytes()),
            Self::CacheKey(key) => tagged(hasher, 2, key.as_bytes()),
            Self::Opening(opening) => {
                tagged(hasher, 3, &[]);
                parts(opening.instructions.unwrap_or_default(), hasher);
                tagged(hasher, 4, &[]);
                parts(opening.message, hasher);
            }
        }
    }
}

/// The parts of a content: a text, a list of parts, or a single one.
fn parts(content: &[u8], hasher: &mut impl Hasher) {
    let Some(list) = Elements::new(content) else { return part(content, hasher) };
    for place in list.take(MAX_PARTS) {
        part(content.get(place).unwrap_or_default(), hasher);
    }
}

fn part(json: &[u8], hasher: &mut impl Hasher) {
    let Some(members) = Members::new(json) else { return text(json, hasher) };
    if let Some(said) = find(json, "text").and_then(|place| json.get(place)) {
        return text(said, hasher);
    }
    for member in members.take(MAX_PARTS).filter(|member| member.key != b"cache_control") {
        text(member.key, hasher);
        text(json.get(member.value).unwrap_or_default(), hasher);
    }
}

fn text(bytes: &[u8], hasher: &mut impl Hasher) {
    tagged(hasher, 5, bytes);
}

/// Both ends of a text and its length, after a mark that keeps neighbours apart.
fn tagged(hasher: &mut impl Hasher, tag: u8, bytes: &[u8]) {
    hasher.write_u8(tag);
    hasher.write_usize(bytes.len());
    let end = bytes.len().saturating_sub(END_BYTES).max(END_BYTES);
    hasher.write(bytes.get(..END_BYTES).unwrap_or(bytes));
    hasher.write(bytes.get(end..).unwrap_or_default());
}

#[cfg(test)]
mod tests;
