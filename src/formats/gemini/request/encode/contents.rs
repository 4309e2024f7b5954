//! The conversation as `systemInstruction` and `contents`.
//!
//! Gemini knows two roles and wants the results of a step's calls in one turn, in the order of the
//! calls, right after them. Signatures go back to the part they came with; Gemini 3 refuses a step
//! of the current turn whose first call has none, so a lost one is replaced by the value Google
//! documents for that.

use super::Dropped;
use super::media::{self, FileData, InlineData, Kind, Source};
use crate::chat::Request;
use crate::chat::message::{Message, Part, Reasoning, ReasoningKind, Role};
use crate::chat::tool::ToolCall;
use crate::formats::FormatError;
use crate::formats::gemini::REASONING_FORMAT;
use crate::formats::gemini::json_text::Object;
use crate::formats::gemini::model::Family;
use crate::formats::gemini::names::sent_name;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::HashMap;

pub(super) const LOST_SIGNATURE: &str = "skip_thought_signature_validator";

#[derive(Debug, Serialize)]
pub(super) struct Instruction<'r> {
    parts: Vec<WirePart<'r>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Content<'r> {
    role: &'static str,
    parts: Vec<WirePart<'r>>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct WirePart<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inline_data: Option<InlineData<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_data: Option<FileData<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<FunctionCall<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_response: Option<FunctionResponse<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<&'r str>,
}

#[derive(Debug, Serialize)]
struct FunctionCall<'r> {
    id: &'r str,
    name: Cow<'r, str>,
    args: Object<'r>,
}

#[derive(Debug, Serialize)]
struct FunctionResponse<'r> {
    id: &'r str,
    name: Cow<'r, str>,
    response: Object<'r>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<WirePart<'r>>,
}

/// Instructions that lead the conversation, and the turns.
pub(super) fn conversation<'r>(
    request: &'r Request<'_>,
    family: Family,
    dropped: &mut Dropped,
) -> Result<(Option<Instruction<'r>>, Vec<Content<'r>>), FormatError> {
    let is_system = |message: &Message<'_>| matches!(message.role, Role::System | Role::Developer);
    let leading = request.messages.iter().take_while(|message| is_system(message)).count();
    let mut parts = Vec::new();
    let mut writer = Writer {
        family,
        dropped,
        turn_start: start_of_turn(&request.messages),
        contents: Vec::new(),
        calls: HashMap::new(),
        made_calls: 0,
        results: Vec::new(),
        step_has_call: false,
    };
    for (at, message) in request.messages.iter().enumerate() {
        if message.name.is_some() {
            writer.dropped.name("messages.name");
        }
        if at < leading {
            instruction(message, at, &mut parts)?;
        } else {
            writer.message(message, at)?;
        }
    }
    writer.flush_results();
    let mut contents = writer.contents;
    if contents.is_empty() && request.messages.iter().any(says_nothing) {
        contents.push(Content { role: "user", parts: vec![text_part("")] });
    }
    if contents.is_empty() {
        return Err(FormatError::field("messages", "the conversation has no content to answer"));
    }
    Ok(((!parts.is_empty()).then_some(Instruction { parts }), contents))
}

/// A person who says nothing gets an answer from Gemini all the same.
fn says_nothing(message: &Message<'_>) -> bool {
    let is_text = |part: &Part<'_>| matches!(part, Part::Text { .. });
    message.role == Role::User && message.parts.iter().any(is_text)
}

/// Index of the last message in which the person speaks; later steps belong to the current turn.
fn start_of_turn(messages: &[Message<'_>]) -> usize {
    let speaks = |message: &Message<'_>| {
        message.role == Role::User
            && message.parts.iter().any(|part| !matches!(part, Part::ToolResult { .. }))
    };
    messages.iter().rposition(speaks).unwrap_or(0)
}

/// The texts of a leading message.
fn instruction<'r>(
    message: &'r Message<'_>,
    at: usize,
    parts: &mut Vec<WirePart<'r>>,
) -> Result<(), FormatError> {
    for (position, part) in message.parts.iter().enumerate() {
        match part {
            Part::Text { text, .. } if text.is_empty() => {}
            Part::Text { text, .. } => parts.push(text_part(text)),
            _ => {
                return Err(FormatError::field(param(at, position), "instructions are text only"));
            }
        }
    }
    Ok(())
}

struct Writer<'r, 'd> {
    family: Family,
    dropped: &'d mut Dropped,
    turn_start: usize,
    contents: Vec<Content<'r>>,
    /// Name and position of the calls so far, by id; the newest call of an id counts.
    calls: HashMap<&'r str, (&'r str, usize)>,
    made_calls: usize,
    /// Results of the present run, with the position of their call.
    results: Vec<(usize, FunctionResponse<'r>, Vec<WirePart<'r>>)>,
    step_has_call: bool,
}

impl<'r> Writer<'r, '_> {
    fn message(&mut self, message: &'r Message<'_>, at: usize) -> Result<(), FormatError> {
        for part in &message.parts {
            if let Part::ToolResult { .. } = part {
                self.result(part, at)?;
            }
        }
        let parts = if message.role == Role::Assistant {
            self.flush_results();
            self.model_parts(message, at)?
        } else {
            self.user_parts(message, at)?
        };
        if !parts.is_empty() {
            self.flush_results();
            let role = if message.role == Role::Assistant { "model" } else { "user" };
            self.push(role, parts);
        }
        Ok(())
    }

    /// Appends to the last turn if it is of the same role.
    fn push(&mut self, role: &'static str, parts: Vec<WirePart<'r>>) {
        if role == "user" {
            self.step_has_call = false;
        }
        match self.contents.last_mut() {
            Some(last) if last.role == role => last.parts.extend(parts),
            _ => self.contents.push(Content { role, parts }),
        }
    }

    fn user_parts(
        &mut self,
        message: &'r Message<'_>,
        at: usize,
    ) -> Result<Vec<WirePart<'r>>, FormatError> {
        let mut parts = Vec::new();
        for (position, part) in message.parts.iter().enumerate() {
            parts.extend(self.plain(part, || param(at, position))?);
        }
        Ok(parts)
    }

    fn model_parts(
        &mut self,
        message: &'r Message<'_>,
        at: usize,
    ) -> Result<Vec<WirePart<'r>>, FormatError> {
        let mut parts = Vec::new();
        // A signature that waits for the text it belongs to.
        let mut waiting: Option<&str> = None;
        for (position, part) in message.parts.iter().enumerate() {
            match part {
                Part::ToolCall(call) => parts.push(self.call(call, message, at)),
                Part::Reasoning(reasoning) if is_lone_signature(reasoning) => {
                    let signature = reasoning.signature.as_deref();
                    match parts.last_mut() {
                        Some(last) if is_unsigned(last) => last.thought_signature = signature,
                        _ => parts.extend(replace(&mut waiting, signature).map(empty_signed)),
                    }
                }
                Part::Text { text, .. } if waiting.is_some() => {
                    let thought_signature = waiting.take();
                    parts.push(WirePart { thought_signature, ..text_part(text) });
                }
                other => parts.extend(self.plain(other, || param(at, position))?),
            }
        }
        parts.extend(waiting.map(empty_signed));
        Ok(parts)
    }

    fn call(
        &mut self,
        call: &'r ToolCall<'_>,
        message: &'r Message<'_>,
        at: usize,
    ) -> WirePart<'r> {
        let order = self.made_calls;
        self.made_calls += 1;
        self.calls.insert(&call.id, (&call.name, order));
        let first = !std::mem::replace(&mut self.step_has_call, true);
        let demanded = first && at >= self.turn_start && self.family.demands_signatures();
        let signature = call.signature.as_deref().or_else(|| signature_of(&call.id, message));
        WirePart {
            function_call: Some(FunctionCall {
                id: &call.id,
                name: sent_name(&call.name),
                args: if call.custom {
                    Object::Text("input", Cow::Borrowed(&call.arguments))
                } else {
                    Object::arguments(&call.arguments)
                },
            }),
            thought_signature: signature.or(demanded.then_some(LOST_SIGNATURE)),
            ..WirePart::default()
        }
    }

    /// A part that means the same in every role; nothing for what Gemini cannot take back.
    fn plain(
        &mut self,
        part: &'r Part<'_>,
        param: impl Fn() -> String,
    ) -> Result<Option<WirePart<'r>>, FormatError> {
        Ok(match part {
            Part::Text { text, .. } | Part::Refusal { text } => {
                (!text.is_empty()).then(|| text_part(text))
            }
            Part::Image { source, .. } => {
                Some(media_part(media::source(source, Kind::Image, param)?))
            }
            Part::File { source, filename, citations, .. } => {
                if filename.is_some() {
                    self.dropped.name("file.filename");
                }
                if *citations == Some(true) {
                    self.dropped.name("citations");
                }
                Some(media_part(media::source(source, Kind::File, param)?))
            }
            Part::Video { source } => Some(media_part(media::source(source, Kind::Video, param)?)),
            Part::Audio { data, format } => {
                Some(media_part(Source::Inline(media::audio(data, format))))
            }
            Part::Reasoning(reasoning) => thought(reasoning),
            Part::SpokenAnswer(spoken) => {
                if spoken.transcript.is_none() {
                    self.dropped.name("messages.audio");
                }
                spoken.transcript.as_deref().filter(|text| !text.is_empty()).map(text_part)
            }
            Part::ToolCall(_) | Part::ToolResult { .. } => None,
        })
    }

    fn result(&mut self, part: &'r Part<'_>, at: usize) -> Result<(), FormatError> {
        let Part::ToolResult { call_id, parts, is_error, .. } = part else { return Ok(()) };
        let Some((name, order)) = self.calls.get(call_id.as_ref()).copied() else {
            return Err(FormatError::field(
                format!("messages[{at}].tool_call_id"),
                "the result of a tool call that is not in the conversation",
            ));
        };
        let mut texts: Vec<&'r str> = Vec::new();
        let mut attached = Vec::new();
        for (position, part) in parts.iter().enumerate() {
            if let Part::Text { text, .. } = part {
                texts.push(text);
            } else {
                attached.extend(self.plain(part, || param(at, position))?);
            }
        }
        let text = match texts.as_slice() {
            [one] => Cow::Borrowed(*one),
            several => Cow::Owned(several.concat()),
        };
        let response = if *is_error { Object::Text("error", text) } else { Object::result(text) };
        // Only Gemini 3 takes media inside the result; for others they follow the results.
        let inside = matches!(self.family, Family::Level(_));
        let (parts, after) = if inside { (attached, Vec::new()) } else { (Vec::new(), attached) };
        let response = FunctionResponse { id: call_id, name: sent_name(name), response, parts };
        self.results.push((order, response, after));
        Ok(())
    }

    /// Writes the results of the run in the order of their calls, then what is attached to them.
    fn flush_results(&mut self) {
        let mut results = std::mem::take(&mut self.results);
        results.sort_by_key(|(order, ..)| *order);
        let mut parts = Vec::with_capacity(results.len());
        let mut attached = Vec::new();
        for (_, response, after) in results {
            parts.push(WirePart { function_response: Some(response), ..WirePart::default() });
            attached.extend(after);
        }
        parts.extend(attached);
        if !parts.is_empty() {
            self.push("user", parts);
        }
    }
}

fn replace<'r>(waiting: &mut Option<&'r str>, new: Option<&'r str>) -> Option<&'r str> {
    std::mem::replace(waiting, new)
}

fn param(message: usize, part: usize) -> String {
    format!("messages[{message}].content[{part}]")
}

fn text_part(text: &str) -> WirePart<'_> {
    WirePart { text: Some(text), ..WirePart::default() }
}

fn empty_signed(signature: &str) -> WirePart<'_> {
    WirePart { thought_signature: Some(signature), ..text_part("") }
}

fn media_part(source: Source<'_>) -> WirePart<'_> {
    match source {
        Source::Inline(data) => WirePart { inline_data: Some(data), ..WirePart::default() },
        Source::File(data) => WirePart { file_data: Some(data), ..WirePart::default() },
    }
}

/// Whether a signature that follows belongs to the part: to text, or to a picture.
fn is_unsigned(part: &WirePart<'_>) -> bool {
    (part.text.is_some() || part.inline_data.is_some())
        && part.thought.is_none()
        && part.thought_signature.is_none()
}

fn is_gemini(reasoning: &Reasoning<'_>) -> bool {
    reasoning.format.as_deref() == Some(REASONING_FORMAT)
}

/// A signature of Gemini's that belongs to a text, not to a call.
fn is_lone_signature(reasoning: &Reasoning<'_>) -> bool {
    reasoning.kind == ReasoningKind::Encrypted
        && reasoning.signature.is_some()
        && reasoning.id.is_none()
        && is_gemini(reasoning)
}

/// The signature that came back beside the call instead of in it.
fn signature_of<'r>(call_id: &str, message: &'r Message<'_>) -> Option<&'r str> {
    message.parts.iter().find_map(|part| match part {
        Part::Reasoning(reasoning)
            if is_gemini(reasoning) && reasoning.id.as_deref() == Some(call_id) =>
        {
            reasoning.signature.as_deref()
        }
        _ => None,
    })
}

/// Thoughts of Gemini's own go back; those of other makers are left out, never shown as text.
fn thought<'r>(reasoning: &'r Reasoning<'_>) -> Option<WirePart<'r>> {
    let thought_signature = reasoning.signature.as_deref();
    let says_nothing = reasoning.text.is_empty() && thought_signature.is_none();
    if !is_gemini(reasoning) || reasoning.kind == ReasoningKind::Encrypted || says_nothing {
        return None;
    }
    Some(WirePart { thought: Some(true), thought_signature, ..text_part(&reasoning.text) })
}
