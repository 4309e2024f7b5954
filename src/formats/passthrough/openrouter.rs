//! Answers in OpenAI's formats that pass, as OpenRouter's clients can read them.
//!
//! Used below `/api/v1` by the tap and by the relay of whole answers. Those clients check every
//! answer: a null where they know only absence, or a member that a compatible provider leaves out,
//! is an exception there. So nulls of that kind go, what is missing is said (as null, where nobody
//! knows), and reasoning is found under OpenRouter's name. No value is changed that says something,
//! and whatever is no object of the expected kind stays as it is.

use crate::formats::AnswerLabel;
use crate::json::{Members, elements, find, string_literal};
use std::borrow::Cow;

const NULL: &[u8] = b"null";

/// The members of a message that may be null.
const NULLABLE: [&[u8]; 3] = [b"content", b"refusal", b"reasoning"];

/// What every object of the Responses format has, and what stands for it where it is missing.
const RESPONSE_MEMBERS: [(&str, &[u8]); 12] = [
    ("completed_at", NULL),
    ("error", NULL),
    ("incomplete_details", NULL),
    ("instructions", NULL),
    ("metadata", NULL),
    ("frequency_penalty", NULL),
    ("presence_penalty", NULL),
    ("temperature", NULL),
    ("top_p", NULL),
    ("parallel_tool_calls", b"true"),
    ("tool_choice", br#""auto""#),
    ("tools", b"[]"),
];

/// The same of its usage.
const RESPONSE_USAGE: [(&str, &[u8]); 2] = [
    ("input_tokens_details", br#"{"cached_tokens":0}"#),
    ("output_tokens_details", br#"{"reasoning_tokens":0}"#),
];

/// A piece of JSON: the provider's own, or one that was written anew.
type Text<'a> = Cow<'a, [u8]>;

/// Whether an answer comes in one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Whole,
    Chunk,
}

/// What the gateway says of a chat answer.
#[derive(Debug)]
pub(in crate::formats) struct Words {
    id: Vec<u8>,
    model: Option<Vec<u8>>,
    provider: Vec<u8>,
    created: Vec<u8>,
}

impl Words {
    /// For one answer.
    pub(in crate::formats) fn new(label: &AnswerLabel) -> Self {
        Self {
            id: string_literal(&label.id).to_vec(),
            model: label.model.as_deref().map(|model| string_literal(model).to_vec()),
            provider: string_literal(&label.provider).to_vec(),
            created: label.created_s.to_string().into_bytes(),
        }
    }

    /// A whole chat answer; `None` for anything but an object.
    pub(in crate::formats) fn whole(&self, answer: &[u8]) -> Option<Vec<u8>> {
        self.chat(answer, Kind::Whole)
    }

    /// A chunk of a chat answer; `None` for anything but an object.
    pub(in crate::formats) fn chunk(&self, chunk: &[u8]) -> Option<Vec<u8>> {
        self.chat(chunk, Kind::Chunk)
    }

    fn chat(&self, text: &[u8], kind: Kind) -> Option<Vec<u8>> {
        let object: &[u8] = match kind {
            Kind::Whole => br#""chat.completion""#,
            Kind::Chunk => br#""chat.completion.chunk""#,
        };
        let mut missing: Vec<(&str, &[u8])> = vec![
            ("id", &self.id),
            ("object", object),
            ("created", &self.created),
            ("provider", &self.provider),
            ("choices", b"[]"),
        ];
        missing.extend(self.model.as_deref().map(|model| ("model", model)));
        if kind == Kind::Whole {
            missing.push(("system_fingerprint", NULL));
        }
        rewritten(text, &missing, |key, value| match key {
            b"id" => Some(Cow::Borrowed(&*self.id)),
            b"model" => Some(Cow::Borrowed(self.model.as_deref().unwrap_or(value))),
            b"provider" => Some(Cow::Borrowed(&*self.provider)),
            b"object" => Some(Cow::Borrowed(object)),
            b"choices" => Some(each(value, |at, choice| self::choice(choice, at, kind))),
            b"usage" if value != NULL => Some(usage(value)),
            b"usage" | b"error" if value == NULL => None,
            b"system_fingerprint" if value == NULL && kind == Kind::Chunk => None,
            _ => Some(Cow::Borrowed(value)),
        })
    }
}

/// An alternative of a chat answer.
fn choice(text: &[u8], at: usize, kind: Kind) -> Option<Vec<u8>> {
    let position = at.to_string();
    let finish = find(text, "finish_reason").and_then(|place| text.get(place)).unwrap_or(NULL);
    let mut missing: Vec<(&str, &[u8])> = vec![
        ("index", position.as_bytes()),
        ("finish_reason", NULL),
        ("native_finish_reason", finish),
    ];
    if kind == Kind::Chunk {
        missing.push(("delta", b"{}"));
    }
    rewritten(text, &missing, |key, value| match key {
        b"message" | b"delta" => Some(or_same(value, message(value, kind))),
        _ => Some(Cow::Borrowed(value)),
    })
}

/// A message, or a piece of one.
fn message(text: &[u8], kind: Kind) -> Option<Vec<u8>> {
    let said = |name: &str| find(text, name).and_then(|place| text.get(place));
    let thought = said("reasoning_content").filter(|value| value.first() == Some(&b'"'));
    let missing: Vec<(&str, &[u8])> =
        thought.map(|value| ("reasoning", value)).into_iter().collect();
    rewritten(text, &missing, |key, value| match key {
        b"reasoning" if value == NULL => Some(Cow::Borrowed(thought.unwrap_or(value))),
        b"tool_calls" if value != NULL => Some(each(value, |at, call| tool_call(call, at, kind))),
        _ if value == NULL && !NULLABLE.contains(&key) => None,
        _ => Some(Cow::Borrowed(value)),
    })
}

/// A tool call, or a piece of one.
fn tool_call(text: &[u8], at: usize, kind: Kind) -> Option<Vec<u8>> {
    let position = at.to_string();
    let missing: (&str, &[u8]) = match kind {
        Kind::Whole => ("type", br#""function""#),
        Kind::Chunk => ("index", position.as_bytes()),
    };
    rewritten(text, &[missing], |key, value| match key {
        b"function" => Some(or_same(value, without_nulls(value))),
        _ => Some(Cow::Borrowed(value)).filter(|_| value != NULL),
    })
}

fn usage(text: &[u8]) -> Text<'_> {
    let usage = rewritten(text, &[], |key, value| match key {
        b"prompt_tokens_details" => Some(or_same(value, without_nulls(value))),
        _ => Some(Cow::Borrowed(value)),
    });
    or_same(text, usage)
}

/// An answer in the Responses format; `None` for anything but an object.
pub(in crate::formats) fn response(text: &[u8]) -> Option<Vec<u8>> {
    rewritten(text, &RESPONSE_MEMBERS, |key, value| match key {
        b"usage" => Some(or_same(
            value,
            rewritten(value, &RESPONSE_USAGE, |_, value| Some(Cow::Borrowed(value))),
        )),
        _ => Some(Cow::Borrowed(value)),
    })
}

/// An event of the Responses format; `None` for one that has no answer in it.
pub(in crate::formats) fn response_event(text: &[u8]) -> Option<Vec<u8>> {
    find(text, "response")?;
    rewritten(text, &[], |key, value| match key {
        b"response" => Some(or_same(value, response(value))),
        _ => Some(Cow::Borrowed(value)),
    })
}

fn without_nulls(text: &[u8]) -> Option<Vec<u8>> {
    rewritten(text, &[], |_, value| Some(Cow::Borrowed(value)).filter(|_| value != NULL))
}

fn or_same(text: &[u8], other: Option<Vec<u8>>) -> Text<'_> {
    other.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The elements of an array, each written anew.
fn each(text: &[u8], mut write: impl FnMut(usize, &[u8]) -> Option<Vec<u8>>) -> Text<'_> {
    let Some(places) = elements(text) else { return Cow::Borrowed(text) };
    let mut out = vec![b'['];
    for (at, place) in places.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let element = text.get(place).unwrap_or_default();
        out.extend_from_slice(&or_same(element, write(at, element)));
    }
    out.push(b']');
    Cow::Owned(out)
}

/// An object whose members `rule` keeps, leaves out or writes over, with those of `missing` that it
/// lacks behind them. `None` for what is no whole object.
fn rewritten<'a>(
    text: &'a [u8],
    missing: &[(&str, &[u8])],
    rule: impl Fn(&[u8], &'a [u8]) -> Option<Text<'a>>,
) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() + 128);
    let mut write = |key: &[u8], value: &[u8]| {
        out.extend_from_slice(if out.is_empty() { b"{\"" } else { b",\"" });
        out.extend_from_slice(key);
        out.extend_from_slice(b"\":");
        out.extend_from_slice(value);
    };
    let mut lacking = missing.to_vec();
    let mut members = Members::new(text)?;
    for member in &mut members {
        if let Some(value) = rule(member.key, text.get(member.value)?) {
            lacking.retain(|(name, _)| name.as_bytes() != member.key);
            write(member.key, &value);
        }
    }
    for (name, value) in lacking {
        write(name.as_bytes(), value);
    }
    if members.is_broken() {
        return None;
    }
    if out.is_empty() {
        out.push(b'{');
    }
    out.push(b'}');
    Some(out)
}

#[cfg(test)]
mod tests;
