//! The parts of one content.
//!
//! Signatures go to the call they stand on, or become reasoning: one of Gemini's own on a text
//! follows that text, one of another maker stands before its part, where its maker put it. Thoughts
//! that a stream cut to pieces are joined, and signed by the signature that follows them.

use super::Unmapped;
use super::calls::Calls;
use super::fields::{Fields, Path, begins, text_of};
use super::media;
use crate::chat::message::{Part, Reasoning, ReasoningKind, Role};
use crate::chat::tool::ToolCall;
use crate::formats::FormatError;
use crate::formats::gemini::answer;
use crate::formats::gemini::json_text::compact;
use crate::formats::gemini::signature::{Signature, kind_of};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Keys under which clients put a result that is only a text.
const RESULT_KEYS: [&str; 4] = ["result", "output", "return_value", "content"];
/// Members of a part that say how to read it.
const HINTS: [&str; 2] = ["videoMetadata", "partMetadata"];
/// Calls of Google's own tools and their results: what they led to stands in the texts.
const SERVER_SIDE: [&str; 2] = ["toolCall", "toolResponse"];

/// What a part became.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    /// Something the speaker said.
    Said(Part<'a>),
    /// The result of a call.
    Result(Part<'a>),
}

/// Reads the parts of one content in order.
#[derive(Debug)]
pub(super) struct Reader<'a, 'r> {
    role: Role,
    detail: Option<&'static str>,
    calls: &'r mut Calls<'a>,
    unmapped: &'r mut Unmapped<'a>,
    pub(super) pieces: Vec<Piece<'a>>,
}

impl<'a, 'r> Reader<'a, 'r> {
    pub(super) fn new(
        role: Role,
        detail: Option<&'static str>,
        calls: &'r mut Calls<'a>,
        unmapped: &'r mut Unmapped<'a>,
    ) -> Self {
        Self { role, detail, calls, unmapped, pieces: Vec::new() }
    }

    /// Reads the next part.
    pub(super) fn part(&mut self, raw: &'a RawValue, path: Path<'_>) -> Result<(), FormatError> {
        if let Some(text) = text_of(raw) {
            self.text(text, None);
            return Ok(());
        }
        let mut fields = Fields::new(raw, path)?;
        let is_model = self.role == Role::Assistant;
        let thought = fields.boolean("thought")? == Some(true) && is_model;
        let signature = fields.text("thoughtSignature")?.filter(|text| !text.is_empty());
        let signature = signature.filter(|_| is_model);
        for hint in HINTS {
            if fields.take(hint).is_some() {
                self.unmapped.name(format!("contents.parts.{hint}"));
            }
        }
        let detail = resolution(fields.take("mediaResolution")).or(self.detail);
        if let Some(call) = fields.take("functionCall") {
            let signature = signature.map(|text| Signature::read(text, true));
            self.function_call(Fields::new(call, path.key("functionCall"))?, signature)?;
        } else if let Some(response) = fields.take("functionResponse") {
            self.function_response(Fields::new(response, path.key("functionResponse"))?)?;
        } else if let Some(text) = fields.text("text")? {
            if thought {
                self.thought(text, signature);
            } else {
                self.text(text, signature.map(|text| Signature::read(text, true)));
            }
        } else {
            let signature = signature.map(|text| Signature::read(text, true));
            self.other(raw, &mut fields, (detail, signature))?;
        }
        self.unmapped.rest("contents.parts", fields);
        Ok(())
    }

    fn say(&mut self, part: Part<'a>) {
        self.pieces.push(Piece::Said(part));
    }

    fn text(&mut self, text: Cow<'a, str>, signature: Option<Signature<'a>>) {
        let (before, after) = match signature {
            Some(signature) if signature.is_own() => (None, Some(signature)),
            other => (other, None),
        };
        if let Some(signature) = before {
            self.sign(signature);
        }
        if !text.is_empty() {
            self.say(Part::Text { text, cache: None });
        }
        if let Some(signature) = after {
            self.say(Part::Reasoning(signature.into_reasoning()));
        }
    }

    fn thought(&mut self, text: Cow<'a, str>, signature: Option<Cow<'a, str>>) {
        if !text.is_empty() {
            match self.unsigned_thought() {
                Some(open) => open.text.to_mut().push_str(&text),
                None => self.say(Part::Reasoning(Reasoning {
                    kind: ReasoningKind::Text,
                    text,
                    signature: None,
                    // Without a signature nobody can tell who made it.
                    format: None,
                    id: None,
                })),
            }
        }
        if let Some(signature) = signature {
            let readable = self.unsigned_thought().is_some();
            self.sign(Signature::read(signature, !readable));
        }
    }

    /// The thought before this part, while nothing signed it.
    fn unsigned_thought(&mut self) -> Option<&mut Reasoning<'a>> {
        match self.pieces.last_mut() {
            Some(Piece::Said(Part::Reasoning(last))) if last.signature.is_none() => Some(last),
            _ => None,
        }
    }

    /// A signature of the thought before it, or of one that cannot be read.
    fn sign(&mut self, signature: Signature<'a>) {
        match self.unsigned_thought() {
            Some(open) if !signature.encrypted => {
                open.kind = kind_of(&signature.format);
                open.signature = Some(signature.data);
                open.format = Some(signature.format);
                open.id = signature.id;
            }
            _ => self.say(Part::Reasoning(signature.into_reasoning())),
        }
    }

    fn function_call(
        &mut self,
        mut call: Fields<'a, '_>,
        signature: Option<Signature<'a>>,
    ) -> Result<(), FormatError> {
        if self.role != Role::Assistant {
            return Err(call.path.fault("belongs into a content of the model"));
        }
        let name = call.required_text("name")?;
        let id = call.text("id")?.filter(|id| !id.is_empty());
        let arguments = match call.take("args") {
            None => Cow::Borrowed("{}"),
            Some(args) if begins(args, '{') => compact(args.get()),
            Some(_) => return Err(call.fault("args", "must be an object")),
        };
        self.unmapped.rest("contents.parts.functionCall", call);
        let signature = match signature {
            Some(own) if own.is_own() && own.id.is_none() => Some(own.data),
            Some(foreign) => {
                self.sign(foreign);
                None
            }
            None => None,
        };
        let id = self.calls.make(id, &name);
        self.say(Part::ToolCall(ToolCall { id, name, arguments, custom: false, signature }));
        Ok(())
    }

    fn function_response(&mut self, mut fields: Fields<'a, '_>) -> Result<(), FormatError> {
        if self.role == Role::Assistant {
            return Err(fields.path.fault("belongs into a content of the user"));
        }
        let name = fields.text("name")?.filter(|name| !name.is_empty());
        let id = fields.text("id")?.filter(|id| !id.is_empty());
        let answered = self.calls.answer(id.as_deref(), name.as_deref());
        let Some((call_id, call_name)) = answered else {
            let complaint = "is the result of a function call that is not in the conversation";
            return Err(fields.path.fault(complaint));
        };
        let (text, is_error) = result(&mut fields)?;
        let mut parts: Vec<Part<'a>> = Vec::new();
        parts.extend(text.map(|text| Part::Text { text, cache: None }));
        if let Some(raw) = fields.take("parts") {
            let parent = fields.path;
            parts.extend(self.attached(raw, parent.key("parts"))?);
        }
        self.unmapped.rest("contents.parts.functionResponse", fields);
        let name = Some(call_name);
        let result = Part::ToolResult { call_id, name, parts, is_error, cache: None };
        self.pieces.push(Piece::Result(result));
        Ok(())
    }

    /// Media that belong to a result.
    fn attached(
        &mut self,
        raw: &'a RawValue,
        path: Path<'_>,
    ) -> Result<Vec<Part<'a>>, FormatError> {
        let mut reader = Reader::new(Role::User, self.detail, self.calls, self.unmapped);
        for (at, part) in super::fields::items(raw).into_iter().enumerate() {
            reader.part(part, path.index(at))?;
        }
        let said = |piece| match piece {
            Piece::Said(part) => Some(part),
            Piece::Result(_) => None,
        };
        Ok(reader.pieces.into_iter().filter_map(said).collect())
    }

    /// A part that is neither text nor about a call.
    fn other(
        &mut self,
        raw: &'a RawValue,
        fields: &mut Fields<'a, '_>,
        manner: (Option<&'static str>, Option<Signature<'a>>),
    ) -> Result<(), FormatError> {
        // Gemini's own stands behind what it signs, as in an answer.
        let (detail, signature) = manner;
        let (after, before) = match signature {
            Some(signature) if signature.is_own() => (Some(signature), None),
            other => (None, other),
        };
        if let Some(signature) = before {
            self.sign(signature);
        }
        let path = fields.path;
        if let Some(blob) = fields.take("inlineData") {
            let blob = Fields::new(blob, path.key("inlineData"))?;
            let part = media::inline(blob, detail, self.unmapped)?;
            self.say(part);
        } else if let Some(file) = fields.take("fileData") {
            let file = Fields::new(file, path.key("fileData"))?;
            let part = media::file(file, detail, self.unmapped)?;
            self.say(part);
        } else if fields.take("executableCode").or(fields.take("codeExecutionResult")).is_some() {
            let read = serde_json::from_str::<answer::Part<'_>>(raw.get()).ok();
            let text = read.and_then(|part| part.fenced());
            let text = text.ok_or_else(|| path.fault("is not readable"))?;
            self.say(Part::Text { text: text.into(), cache: None });
        } else if let Some(name) = SERVER_SIDE.iter().find(|name| fields.take(name).is_some()) {
            self.unmapped.name(format!("contents.parts.{name}"));
        } else if !fields.is_empty() {
            return Err(path.fault("is of a kind that is not supported for this model"));
        }
        if let Some(signature) = after {
            self.say(Part::Reasoning(signature.into_reasoning()));
        }
        Ok(())
    }
}

/// The text of a result, and whether it tells of a failure.
fn result<'a>(fields: &mut Fields<'a, '_>) -> Result<(Option<Cow<'a, str>>, bool), FormatError> {
    let Some(raw) = fields.take("response") else { return Ok((None, false)) };
    if let Some(text) = text_of(raw) {
        return Ok((Some(text).filter(|text| !text.is_empty()), false));
    }
    let parent = fields.path;
    let response = Fields::new(raw, parent.key("response"))?;
    let says = |value: &RawValue| !matches!(value.get(), "false" | "\"\"");
    let is_error = response.find("error").is_some_and(says);
    let only = response
        .only()
        .filter(|(key, _)| RESULT_KEYS.contains(key) || (is_error && *key == "error"));
    let text = match only.and_then(|(_, value)| text_of(value)) {
        Some(text) => text,
        None => compact(raw.get()),
    };
    Ok((Some(text).filter(|text| !text.is_empty()), is_error))
}

/// OpenAI's word for a resolution, a word or an object around it.
pub(super) fn resolution(raw: Option<&RawValue>) -> Option<&'static str> {
    let raw = raw?.get();
    if raw.contains("_LOW") {
        Some("low")
    } else if raw.contains("HIGH") {
        Some("high")
    } else {
        None
    }
}
