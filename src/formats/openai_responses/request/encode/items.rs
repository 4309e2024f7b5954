//! The conversation: leading instructions, then one item per message, call, result and reasoning.
//!
//! Reasoning is given back only to those who made it, in its encrypted form, and directly before
//! what followed it: OpenAI refuses one that stands alone.

use super::Dropped;
use crate::chat::Request;
use crate::chat::message::{Media, Message, Part, Reasoning, ReasoningKind, Role};
use crate::chat::tool::ToolCall;
use crate::formats::FormatError;
use crate::formats::openai_responses::OWN_FORMATS;
use crate::formats::openai_responses::names::{call_id, tool_name};
use crate::formats::openai_responses::write::{self, ReasoningParts, member, plain_part, push};
use crate::json::write_string;
use bytes::{BufMut, BytesMut};
use std::borrow::Cow;
use std::collections::HashSet;

/// What was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    /// Whether reasoning of an earlier answer is among it.
    pub(super) has_reasoning: bool,
}

/// Writes `instructions` and `input`.
pub(super) fn write(
    request: &Request<'_>,
    dropped: &mut Dropped,
    out: &mut BytesMut,
) -> Result<Written, FormatError> {
    let mut writer = Writer {
        items: BytesMut::with_capacity(1_024),
        custom_calls: HashSet::new(),
        has_reasoning: false,
        loses_cache: false,
        loses_media: false,
    };
    let mut messages = request.messages.as_slice();
    if let Some((first, rest)) = messages.split_first()
        && let Some(text) = instructions(first).filter(|_| !rest.is_empty())
    {
        member(out, br#","instructions":"#, text);
        messages = rest;
    }
    let skipped = request.messages.len() - messages.len();
    for (at, message) in messages.iter().enumerate() {
        writer.message(message, at + skipped)?;
    }
    if writer.items.is_empty() {
        return Err(FormatError::field("messages", "no message with content is left"));
    }
    out.put_slice(br#","input":["#);
    out.put_slice(&writer.items);
    out.put_u8(b']');
    if writer.loses_cache {
        dropped.push(Cow::Borrowed("cache_control"));
    }
    if writer.loses_media {
        dropped.push(Cow::Borrowed("images"));
    }
    Ok(Written { has_reasoning: writer.has_reasoning })
}

/// The text of a leading system message that is nothing but a text.
fn instructions<'m>(message: &'m Message<'_>) -> Option<&'m str> {
    match (message.role, message.parts.as_slice()) {
        (Role::System, [Part::Text { text, cache: None }]) if !text.is_empty() => Some(text),
        _ => None,
    }
}

struct Writer<'m> {
    /// Items, with commas between them.
    items: BytesMut,
    /// Calls of free-form tools: their results are items of another type.
    custom_calls: HashSet<&'m str>,
    has_reasoning: bool,
    loses_cache: bool,
    loses_media: bool,
}

impl<'m> Writer<'m> {
    fn message(&mut self, message: &'m Message<'_>, at: usize) -> Result<(), FormatError> {
        let mut rest = message.parts.as_slice();
        let mut position = 0;
        while let Some(first) = rest.first() {
            let length = match first {
                Part::Reasoning(_) => rest.iter().take_while(|part| is_reasoning(part)).count(),
                part if is_item(part) => 1,
                _ => rest.iter().take_while(|part| !is_item(part)).count(),
            };
            let (run, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            match first {
                Part::Reasoning(_) => {
                    let follows = after.first().is_some_and(|part| {
                        matches!(part, Part::ToolCall(_) | Part::Refusal { .. })
                            || matches!(part, Part::Text { text, .. } if !text.is_empty())
                    });
                    if follows && message.role == Role::Assistant {
                        self.reasoning(run);
                    }
                }
                Part::ToolCall(call) => self.call(call),
                Part::ToolResult { .. } => self.result(first, at, position)?,
                _ => self.spoken(message.role, run, (at, position))?,
            }
            position += length;
            rest = after;
        }
        Ok(())
    }

    /// Writes a run of text and media as a message.
    fn spoken(
        &mut self,
        role: Role,
        run: &[Part<'_>],
        (at, position): (usize, usize),
    ) -> Result<(), FormatError> {
        let word = match role {
            Role::System => "system",
            Role::Developer => "developer",
            Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
        };
        let mut parts = BytesMut::new();
        for (offset, part) in run.iter().enumerate() {
            let param = || format!("messages[{at}].content[{}]", position + offset);
            self.part(role, part, &param, &mut parts)?;
        }
        // OpenAI takes empty messages, but an empty answer says nothing.
        if parts.is_empty() && (role == Role::Assistant || run.len() > 1) {
            return Ok(());
        }
        push(&mut self.items, |out| {
            member(out, br#"{"type":"message","role":"#, word);
            out.put_slice(br#","content":"#);
            if let [Part::Text { text, .. }] = run {
                write_string(out, text);
            } else {
                write::list(&parts, out);
            }
            out.put_u8(b'}');
        });
        Ok(())
    }

    fn part(
        &mut self,
        role: Role,
        part: &Part<'_>,
        param: &dyn Fn() -> String,
        parts: &mut BytesMut,
    ) -> Result<(), FormatError> {
        if role != Role::Assistant {
            return self.given(part, param, parts);
        }
        match part {
            Part::Text { text, .. } if text.is_empty() => {}
            Part::Text { text, .. } => {
                push(parts, |out| plain_part("output_text", "text", text, out));
            }
            Part::Refusal { text } => {
                push(parts, |out| plain_part("refusal", "refusal", text, out));
            }
            Part::SpokenAnswer(piece) => match piece.transcript.as_deref() {
                Some(words) => push(parts, |out| plain_part("output_text", "text", words, out)),
                None => self.loses_media = true,
            },
            // An image that a model made can only be given back by the id under which it is stored.
            _ => self.loses_media = true,
        }
        Ok(())
    }

    /// Writes a part that is not the model's own.
    fn given(
        &mut self,
        part: &Part<'_>,
        param: &dyn Fn() -> String,
        parts: &mut BytesMut,
    ) -> Result<(), FormatError> {
        match part {
            Part::Text { text, cache } => {
                self.loses_cache |= cache.is_some();
                if !text.is_empty() {
                    push(parts, |out| plain_part("input_text", "text", text, out));
                }
            }
            Part::Refusal { text } => {
                push(parts, |out| plain_part("input_text", "text", text, out));
            }
            Part::Image { source, detail, cache } => {
                self.loses_cache |= cache.is_some();
                let keys: [&[u8]; 2] = [br#","image_url":"#, br#","image_url":"#];
                let image = media(source, keys, param)?;
                push(parts, |out| {
                    out.put_slice(br#"{"type":"input_image""#);
                    out.put_slice(&image);
                    if let Some(detail) = detail {
                        member(out, br#","detail":"#, detail);
                    }
                    out.put_u8(b'}');
                });
            }
            Part::File { source, filename, cache, citations: _ } => {
                self.loses_cache |= cache.is_some();
                let keys: [&[u8]; 2] = [br#","file_data":"#, br#","file_url":"#];
                let file = media(source, keys, param)?;
                let name = filename.as_deref().or_else(|| default_name(source));
                push(parts, |out| {
                    out.put_slice(br#"{"type":"input_file""#);
                    if let Some(name) = name {
                        member(out, br#","filename":"#, name);
                    }
                    out.put_slice(&file);
                    out.put_u8(b'}');
                });
            }
            Part::Audio { data, format } => push(parts, |out| {
                member(out, br#"{"type":"input_audio","input_audio":{"data":"#, data);
                member(out, br#","format":"#, format);
                out.put_slice(b"}}");
            }),
            Part::Video { .. } => {
                return Err(FormatError::field(param(), "this model cannot watch video"));
            }
            Part::SpokenAnswer(_)
            | Part::Reasoning(_)
            | Part::ToolCall(_)
            | Part::ToolResult { .. } => {}
        }
        Ok(())
    }

    fn call(&mut self, call: &'m ToolCall<'_>) {
        if call.custom {
            self.custom_calls.insert(&call.id);
        }
        let kind = if call.custom { "custom_tool_call" } else { "function_call" };
        let key: &[u8] = if call.custom { br#","input":"# } else { br#","arguments":"# };
        let words = if call.arguments.is_empty() && !call.custom { "{}" } else { &call.arguments };
        push(&mut self.items, |out| {
            member(out, br#"{"type":"#, kind);
            member(out, br#","call_id":"#, &call_id(&call.id));
            member(out, br#","name":"#, &tool_name(&call.name));
            member(out, key, words);
            out.put_u8(b'}');
        });
    }

    fn result(&mut self, part: &Part<'_>, at: usize, position: usize) -> Result<(), FormatError> {
        let Part::ToolResult { call_id: id, parts, is_error, cache, name: _ } = part else {
            return Ok(());
        };
        self.loses_cache |= cache.is_some();
        let mut written = BytesMut::new();
        for part in parts {
            let param = || format!("messages[{at}].content[{position}]");
            self.given(part, &param, &mut written)?;
        }
        let is_custom = self.custom_calls.contains(id.as_ref());
        push(&mut self.items, |out| {
            let kind = if is_custom { "custom_tool_call_output" } else { "function_call_output" };
            member(out, br#"{"type":"#, kind);
            member(out, br#","call_id":"#, &call_id(id));
            out.put_slice(br#","output":"#);
            match parts.as_slice() {
                [Part::Text { text, .. }] if !text.is_empty() => write_string(out, text),
                _ if !written.is_empty() => write::list(&written, out),
                // Empty content says nothing of a failure, and there is no flag for it.
                _ => write_string(out, if *is_error { "error" } else { "" }),
            }
            out.put_u8(b'}');
        });
        Ok(())
    }

    /// Writes those of the pieces that OpenAI made and can read again.
    fn reasoning(&mut self, run: &[Part<'_>]) {
        let mut parts = ReasoningParts::default();
        for part in run {
            let Part::Reasoning(piece) = part else { continue };
            if !is_own(piece) {
                continue;
            }
            let (list, kind) = match piece.kind {
                ReasoningKind::Summary => (&mut parts.summary, "summary_text"),
                _ => (&mut parts.content, "reasoning_text"),
            };
            if !piece.text.is_empty() {
                push(list, |out| plain_part(kind, "text", &piece.text, out));
            }
            let data = piece.signature.as_deref().filter(|data| !data.is_empty());
            if let Some(data) = data.filter(|_| piece.kind == ReasoningKind::Encrypted) {
                let mut parts = std::mem::take(&mut parts);
                parts.encrypted = Some(data.to_owned());
                self.has_reasoning = true;
                push(&mut self.items, |out| write::reasoning(piece.id.as_deref(), &parts, out));
            }
        }
    }
}

/// Whether a part is an item of its own.
fn is_item(part: &Part<'_>) -> bool {
    is_reasoning(part) || matches!(part, Part::ToolCall(_) | Part::ToolResult { .. })
}

fn is_reasoning(part: &Part<'_>) -> bool {
    matches!(part, Part::Reasoning(_))
}

fn is_own(piece: &Reasoning<'_>) -> bool {
    piece.format.as_deref().is_some_and(|format| OWN_FORMATS.contains(&format))
}

/// Where the bytes are, under the key for inline data or the one for addresses.
fn media(
    source: &Media<'_>,
    [inline, address]: [&[u8]; 2],
    param: &dyn Fn() -> String,
) -> Result<BytesMut, FormatError> {
    let mut out = BytesMut::new();
    match source {
        Media::Base64 { mime, data } => {
            member(&mut out, inline, &format!("data:{mime};base64,{data}"));
        }
        Media::Url(url) if url.starts_with("gs://") => {
            return Err(FormatError::field(param(), "this model cannot read Google's storage"));
        }
        Media::Url(url) => member(&mut out, address, url),
        // Ids are not portable, but those of OpenAI may belong to the provider asked.
        Media::FileId(id) if id.starts_with("file-") => {
            member(&mut out, br#","file_id":"#, id);
        }
        Media::FileId(_) => {
            let complaint = "a file uploaded to another provider cannot be used with this model";
            return Err(FormatError::field(param(), complaint));
        }
    }
    Ok(out)
}

/// Inline files need a name, whose ending tells what they are.
fn default_name(source: &Media<'_>) -> Option<&'static str> {
    let Media::Base64 { mime, .. } = source else { return None };
    Some(match mime.as_ref() {
        "text/plain" => "file.txt",
        "text/markdown" => "file.md",
        "text/csv" => "file.csv",
        "text/html" => "file.html",
        "application/json" => "file.json",
        _ => "file.pdf",
    })
}
