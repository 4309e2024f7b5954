//! `contents` and `systemInstruction` as messages.
//!
//! Consecutive contents of one role are one message. Results of calls become messages of their
//! own before what else the person says in the same turn, as every format wants them right after
//! the calls.

use super::calls::Calls;
use super::fields::{Fields, Path, begins, items, text_of};
use super::parts::{Piece, Reader};
use super::{Unmapped, clip};
use crate::chat::message::{Message, Part, Role};
use crate::formats::FormatError;
use serde_json::value::RawValue;

/// Reads the conversation; `detail` is the resolution of images that state none.
pub(super) fn read<'a>(
    fields: &mut Fields<'a, '_>,
    detail: Option<&'static str>,
    unmapped: &mut Unmapped<'a>,
) -> Result<Vec<Message<'a>>, FormatError> {
    let root = fields.path;
    let mut messages = Vec::new();
    if let Some(raw) = fields.take("systemInstruction") {
        let parts = instruction(raw, root.key("systemInstruction"))?;
        if !parts.is_empty() {
            messages.push(Message { role: Role::System, name: None, parts });
        }
    }
    let Some(raw) = fields.take("contents") else {
        return Err(fields.fault("contents", "is missing"));
    };
    let path = root.key("contents");
    let mut turns = Turns { messages, calls: Calls::default(), detail, unmapped };
    for (at, content) in items(raw).into_iter().enumerate() {
        turns.content(content, path.index(at))?;
    }
    Ok(turns.messages)
}

/// The texts of the instruction: a content, its parts alone, or a bare string.
fn instruction<'a>(raw: &'a RawValue, path: Path<'_>) -> Result<Vec<Part<'a>>, FormatError> {
    if !begins(raw, '{') {
        return texts(raw, path);
    }
    let mut content = Fields::new(raw, path)?;
    match content.take("parts") {
        Some(parts) => texts(parts, path.key("parts")),
        None if content.take("text").is_some() => texts(raw, path),
        None => Ok(Vec::new()),
    }
}

fn texts<'a>(raw: &'a RawValue, path: Path<'_>) -> Result<Vec<Part<'a>>, FormatError> {
    let mut parts = Vec::new();
    for (at, item) in items(raw).into_iter().enumerate() {
        let here = path.index(at);
        let text = match text_of(item) {
            Some(text) => text,
            None => match Fields::new(item, here)?.text("text")? {
                Some(text) => text,
                None => return Err(here.fault("must be text: instructions are text only")),
            },
        };
        if !text.is_empty() {
            parts.push(Part::Text { text, cache: None });
        }
    }
    Ok(parts)
}

struct Turns<'a, 'u> {
    messages: Vec<Message<'a>>,
    calls: Calls<'a>,
    detail: Option<&'static str>,
    unmapped: &'u mut Unmapped<'a>,
}

impl<'a> Turns<'a, '_> {
    fn content(&mut self, raw: &'a RawValue, path: Path<'_>) -> Result<(), FormatError> {
        if let Some(text) = text_of(raw) {
            self.append(Role::User, vec![Part::Text { text, cache: None }]);
            return Ok(());
        }
        let mut content = Fields::new(raw, path)?;
        let role = role(&mut content)?;
        if role == Role::Assistant {
            self.calls.next_step();
        }
        let parts = content.take("parts").map(items).unwrap_or_default();
        self.unmapped.rest("contents", content);
        let list = path.key("parts");
        let Self { calls, detail, unmapped, .. } = self;
        let mut reader = Reader::new(role, *detail, calls, unmapped);
        for (at, part) in parts.iter().enumerate() {
            reader.part(part, list.index(at))?;
        }
        let mut pieces = reader.pieces;
        let is_text = |part: &&RawValue| part.get().contains("\"text\"");
        if pieces.is_empty() && role == Role::User && parts.iter().any(is_text) {
            // Saying nothing is a turn as well.
            pieces.push(Piece::Said(Part::Text { text: "".into(), cache: None }));
        }
        self.add(role, pieces);
        Ok(())
    }

    fn add(&mut self, role: Role, pieces: Vec<Piece<'a>>) {
        let mut said = Vec::with_capacity(pieces.len());
        for piece in pieces {
            match piece {
                Piece::Said(part) => said.push(part),
                Piece::Result(result) => self.result(result),
            }
        }
        self.append(role, said);
    }

    /// A result stands before what the person says in the same turn.
    fn result(&mut self, result: Part<'a>) {
        let message = Message { role: Role::Tool, name: None, parts: vec![result] };
        let end = self.messages.len();
        let speaks = self.messages.last().is_some_and(|last| last.role == Role::User);
        self.messages.insert(end.saturating_sub(usize::from(speaks)), message);
    }

    fn append(&mut self, role: Role, parts: Vec<Part<'a>>) {
        if parts.is_empty() {
            return;
        }
        match self.messages.last_mut() {
            Some(last) if last.role == role => last.parts.extend(parts),
            _ => self.messages.push(Message { role, name: None, parts }),
        }
    }
}

/// Who speaks; a content without a role is the person's, `function` is an old word for results.
fn role(content: &mut Fields<'_, '_>) -> Result<Role, FormatError> {
    let Some(word) = content.text("role")? else { return Ok(Role::User) };
    match word.to_ascii_lowercase().as_str() {
        "" | "user" | "function" | "tool" => Ok(Role::User),
        "model" => Ok(Role::Assistant),
        _ => {
            let complaint = format!("must be `user` or `model`, not `{}`", clip(&word));
            Err(content.fault("role", &complaint))
        }
    }
}
