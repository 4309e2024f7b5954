//! The conversation as chat messages.
//!
//! Every tool result becomes a message of its own. Those hold text only, so what else a result
//! holds follows in a user message behind all results of the turn. Reasoning goes back where the
//! dialect says, and is never turned into visible text.

use super::body::Body;
use super::calls::Call;
use super::parts::{CacheMark, Reader, WirePart};
use crate::chat::message::{Reasoning, ReasoningKind};
use crate::chat::tool::{CacheControl, ToolCall};
use crate::chat::{Message, Part, Request, Role};
use crate::formats::FormatError;
use crate::formats::openai_chat::dialect::{ContentForm, Dialect, Replay};
use crate::formats::openai_chat::names::call_id;
use crate::formats::openai_chat::stream::CALL_SIGNATURE_FORMAT;
use serde::Serialize;
use std::borrow::Cow;

/// Stands between texts that have to become one.
const PARAGRAPH: &str = "\n\n";
/// What a failed tool says that says nothing.
const SILENT_FAILURE: &str = "error";

/// A message.
#[derive(Serialize, Default)]
pub(super) struct WireMessage<'r> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<Cow<'r, str>>,
    content: Option<Content<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasoning_details: Vec<Detail<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<SoundId<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'r>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'r> {
    Text(Cow<'r, str>),
    Parts(Vec<WirePart<'r>>),
}

#[derive(Serialize)]
struct SoundId<'r> {
    id: &'r str,
}

/// An element of `reasoning_details`.
#[derive(Serialize, Default)]
struct Detail<'r> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'r, str>>,
    index: usize,
}

/// Writes the conversation, with an instruction of the gateway's own if there is one.
pub(super) fn write<'r>(
    request: &'r Request<'_>,
    instruction: Option<&'r str>,
    body: &mut Body<'_>,
) -> Result<Vec<WireMessage<'r>>, FormatError> {
    let mut writer = Writer { dialect: body.dialect, messages: Vec::new(), attached: Vec::new() };
    for (at, message) in request.messages.iter().enumerate() {
        writer.message(at, message)?;
    }
    writer.attach();
    if writer.messages.is_empty() {
        return Err(FormatError::field("messages", "`messages` hold nothing to be answered"));
    }
    if let Some(text) = instruction {
        writer.instruct(text);
    }
    if let Some(cache) = request.cache.filter(|_| body.dialect.cache_control) {
        writer.mark_end(cache);
    }
    note_losses(request, body);
    Ok(writer.messages)
}

fn note_losses(request: &Request<'_>, body: &mut Body<'_>) {
    let cached = |part: &Part<'_>| {
        matches!(
            part,
            Part::Text { cache: Some(_), .. }
                | Part::Image { cache: Some(_), .. }
                | Part::File { cache: Some(_), .. }
                | Part::ToolResult { cache: Some(_), .. }
        )
    };
    let mut parts = request.messages.iter().flat_map(|message| &message.parts);
    if !body.dialect.cache_control && (request.cache.is_some() || parts.any(cached)) {
        body.lose("cache_control");
    }
    if !body.dialect.names && request.messages.iter().any(|message| message.name.is_some()) {
        body.lose("name");
    }
}

struct Writer<'r, 'd> {
    dialect: &'d Dialect,
    messages: Vec<WireMessage<'r>>,
    /// Media of the tool results just written.
    attached: Vec<WirePart<'r>>,
}

impl<'r> Writer<'r, '_> {
    fn message(&mut self, at: usize, message: &'r Message<'_>) -> Result<(), FormatError> {
        let reader = Reader { dialect: self.dialect, at };
        let is_result = |part: &&Part<'_>| matches!(part, Part::ToolResult { .. });
        for part in message.parts.iter().filter(is_result) {
            self.result(reader, part)?;
        }
        let name = message.name.as_deref().filter(|_| self.dialect.names);
        let written = match message.role {
            Role::Assistant => Some(self.assistant(reader, &message.parts)?),
            Role::System => self.spoken(reader, "system", &message.parts)?,
            Role::Developer if !self.dialect.developer_role => {
                self.spoken(reader, "system", &message.parts)?
            }
            Role::Developer => self.spoken(reader, "developer", &message.parts)?,
            Role::User | Role::Tool => self.spoken(reader, "user", &message.parts)?,
        };
        if let Some(written) = written {
            self.attach();
            self.messages.push(WireMessage { name, ..written });
        }
        Ok(())
    }

    fn spoken(
        &self,
        reader: Reader<'_>,
        role: &'static str,
        parts: &'r [Part<'_>],
    ) -> Result<Option<WireMessage<'r>>, FormatError> {
        let separator = if role == "user" { None } else { Some(PARAGRAPH) };
        let written = wire_parts(reader, parts)?;
        let content = self.content(written, separator);
        let message = |content| WireMessage { role, content: Some(content), ..Default::default() };
        Ok(content.map(message))
    }

    /// One string where it can be; parts that stay apart need the list form.
    fn content(
        &self,
        parts: Vec<WirePart<'r>>,
        separator: Option<&'static str>,
    ) -> Option<Content<'r>> {
        let only_text = self.dialect.content == ContentForm::Text;
        let separator = separator.or(only_text.then_some(PARAGRAPH));
        let plain = |part: &WirePart<'_>| matches!(part, WirePart::Text { cache_control, .. } if only_text || cache_control.is_none());
        if parts.is_empty() {
            return None;
        }
        if !parts.iter().all(plain) || (parts.len() > 1 && separator.is_none()) {
            return Some(Content::Parts(parts));
        }
        let texts = parts.into_iter().filter_map(|part| match part {
            WirePart::Text { text, .. } => Some(text),
            _ => None,
        });
        let joined = texts.reduce(|joined, text| joined + separator.unwrap_or_default() + text);
        joined.map(Content::Text)
    }

    fn assistant(
        &self,
        reader: Reader<'_>,
        parts: &'r [Part<'_>],
    ) -> Result<WireMessage<'r>, FormatError> {
        let mut message = WireMessage { role: "assistant", ..Default::default() };
        let mut said: Vec<WirePart<'r>> = Vec::new();
        let mut thoughts: Vec<&'r Reasoning<'_>> = Vec::new();
        let mut calls: Vec<&'r ToolCall<'_>> = Vec::new();
        for part in parts {
            match part {
                Part::Reasoning(piece) => thoughts.push(piece),
                Part::ToolCall(call) => calls.push(call),
                Part::Refusal { text } if self.dialect.refusals => {
                    message.refusal.get_or_insert_default().push_str(text);
                }
                Part::SpokenAnswer(sound) if sound.id.is_some() && self.dialect.takes("audio") => {
                    message.audio = sound.id.as_deref().map(|id| SoundId { id });
                }
                part => said.extend(reader.part(part)?),
            }
        }
        message.tool_calls = calls.iter().map(|call| Call::new(call, self.dialect)).collect();
        self.replay(&thoughts, &calls, &mut message, &mut said);
        message.content = self.content(said, Some(""));
        let silent = message.tool_calls.is_empty()
            && message.refusal.is_none()
            && message.audio.is_none()
            && message.content.is_none();
        if silent {
            message.content = Some(Content::Text(Cow::Borrowed("")));
        }
        Ok(message)
    }

    /// Puts earlier reasoning where the provider expects it back.
    fn replay(
        &self,
        thoughts: &[&'r Reasoning<'_>],
        calls: &[&'r ToolCall<'_>],
        message: &mut WireMessage<'r>,
        said: &mut Vec<WirePart<'r>>,
    ) {
        let words: String = thoughts.iter().map(|piece| piece.text.as_ref()).collect();
        let words = Some(words).filter(|words| !words.is_empty());
        match self.dialect.replay {
            Replay::None => {}
            Replay::ReasoningContent => message.reasoning_content = words,
            Replay::Reasoning => message.reasoning = words,
            Replay::ReasoningDetails => {
                message.reasoning_details = details(thoughts, calls, self.dialect);
            }
            Replay::ThinkingParts => {
                if let Some(words) = words {
                    let text = WirePart::Text { text: Cow::Owned(words), cache_control: None };
                    said.insert(0, WirePart::Thinking { thinking: [Box::new(text)] });
                }
            }
        }
    }

    fn result(&mut self, reader: Reader<'_>, part: &'r Part<'_>) -> Result<(), FormatError> {
        let Part::ToolResult { call_id: id, name, parts, is_error, cache } = part else {
            return Ok(());
        };
        let mut texts = Vec::with_capacity(parts.len());
        for part in wire_parts(reader, parts)? {
            let kind = match part {
                WirePart::Text { .. } => {
                    texts.push(part);
                    continue;
                }
                WirePart::ImageUrl { .. } => "image",
                WirePart::InputAudio { .. } => "audio",
                WirePart::VideoUrl { .. } => "video",
                _ => "file",
            };
            self.attached.push(part);
            let text = Cow::Owned(format!("[{kind} {} attached below]", self.attached.len()));
            texts.push(WirePart::Text { text, cache_control: None });
        }
        if texts.is_empty() && *is_error {
            texts.push(reader.text(SILENT_FAILURE, None));
        }
        if let Some(last) = texts.last_mut() {
            mark(last, cache.filter(|_| self.dialect.cache_control));
        }
        let content = self.content(texts, None).unwrap_or(Content::Text(Cow::Borrowed("")));
        self.messages.push(WireMessage {
            role: "tool",
            name: name.as_deref().filter(|_| self.dialect.names),
            tool_call_id: Some(call_id(self.dialect.call_ids, id)),
            content: Some(content),
            ..Default::default()
        });
        Ok(())
    }

    /// Shows the media of the results before, if there were any.
    fn attach(&mut self) {
        if self.attached.is_empty() {
            return;
        }
        let parts = std::mem::take(&mut self.attached);
        let content = Some(Content::Parts(parts));
        self.messages.push(WireMessage { role: "user", content, ..Default::default() });
    }

    /// Adds to the first instructions, since some providers accept only one message of them.
    fn instruct(&mut self, text: &'r str) {
        let leads = |first: &&mut WireMessage<'_>| matches!(first.role, "system" | "developer");
        let first = self.messages.first_mut().filter(leads);
        match first.and_then(|first| first.content.as_mut()) {
            Some(Content::Text(said)) => {
                let said = said.to_mut();
                said.push_str(PARAGRAPH);
                said.push_str(text);
            }
            Some(Content::Parts(parts)) => {
                parts.push(WirePart::Text { text: Cow::Borrowed(text), cache_control: None });
            }
            None => {
                let content = Some(Content::Text(Cow::Borrowed(text)));
                let message = WireMessage { role: "system", content, ..Default::default() };
                self.messages.insert(0, message);
            }
        }
    }

    /// Sets a breakpoint behind everything.
    fn mark_end(&mut self, cache: CacheControl) {
        let Some(last) = self.messages.last_mut() else { return };
        last.content = last.content.take().map(|content| {
            let mut parts = match content {
                Content::Text(text) => vec![WirePart::Text { text, cache_control: None }],
                Content::Parts(parts) => parts,
            };
            if let Some(part) = parts.last_mut() {
                mark(part, Some(cache));
            }
            Content::Parts(parts)
        });
    }
}

fn wire_parts<'r>(
    reader: Reader<'_>,
    parts: &'r [Part<'_>],
) -> Result<Vec<WirePart<'r>>, FormatError> {
    let mut written = Vec::with_capacity(parts.len());
    for part in parts {
        written.extend(reader.part(part)?);
    }
    Ok(written)
}

/// Sets a breakpoint on the part, if it can carry one and has none.
fn mark(part: &mut WirePart<'_>, cache: Option<CacheControl>) {
    if let WirePart::Text { cache_control, .. }
    | WirePart::ImageUrl { cache_control, .. }
    | WirePart::File { cache_control, .. } = part
    {
        *cache_control = cache_control.or(cache.map(CacheMark::from));
    }
}

/// The pieces with all that their makers need to accept them back, Gemini's signatures of tool
/// calls among them.
fn details<'r>(
    thoughts: &[&'r Reasoning<'_>],
    calls: &[&'r ToolCall<'_>],
    dialect: &Dialect,
) -> Vec<Detail<'r>> {
    let thoughts = thoughts.iter().map(|piece| {
        let text = Some(piece.text.as_ref());
        let signature = piece.signature.as_deref();
        let format = piece.format.as_deref();
        let id = piece.id.as_deref().map(Cow::Borrowed);
        let detail = Detail { format, id, ..Detail::default() };
        match piece.kind {
            ReasoningKind::Text => Detail { r#type: "reasoning.text", text, signature, ..detail },
            ReasoningKind::Summary => {
                Detail { r#type: "reasoning.summary", summary: text, ..detail }
            }
            ReasoningKind::Encrypted => {
                Detail { r#type: "reasoning.encrypted", data: signature, ..detail }
            }
        }
    });
    let signed = calls.iter().filter_map(|call| {
        Some(Detail {
            r#type: "reasoning.encrypted",
            data: Some(call.signature.as_deref()?),
            format: Some(CALL_SIGNATURE_FORMAT),
            id: Some(call_id(dialect.call_ids, &call.id)),
            ..Detail::default()
        })
    });
    thoughts.chain(signed).enumerate().map(|(index, detail)| Detail { index, ..detail }).collect()
}
