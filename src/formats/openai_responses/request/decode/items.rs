//! The conversation: `input`, a string or a list of items.
//!
//! Neighbouring items of the model (reasoning, text, calls) are one turn, in their order, because
//! providers of other formats demand them back as one message. Calls of tools that the provider ran
//! itself are skipped: what came of them is in the text that follows.

use super::content;
use super::fields::{Fields, Path};
use super::tools;
use crate::chat::message::{Message, Part, Reasoning, ReasoningKind, Role};
use crate::chat::tool::{Tool, ToolCall};
use crate::formats::FormatError;
use crate::formats::carried::Carried;
use crate::formats::openai_responses::item;
use crate::formats::openai_responses::object::{Object, elements, text};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Steps of the provider's own tools in earlier turns.
const SKIPPED: [&str; 9] = [
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "image_generation_call",
    "mcp_list_tools",
    "mcp_call",
    "mcp_approval_request",
    "tool_search_call",
    "x_search_call",
];

/// The conversation, and what else stands in it.
#[derive(Debug, Default)]
pub(super) struct Conversation<'a> {
    pub(super) messages: Vec<Message<'a>>,
    /// Tools declared on the way.
    pub(super) tools: Vec<Tool<'a>>,
    /// Whether the last item was a message of the model: another one begins a new turn.
    said: bool,
}

impl<'a> Conversation<'a> {
    /// Reads `input`.
    pub(super) fn read(&mut self, raw: Option<&'a RawValue>) -> Result<(), FormatError> {
        let path = Path::Root.key("input");
        let Some(raw) = raw else { return Err(path.fault("is missing")) };
        if let Some(text) = text(raw) {
            self.say(Role::User, vec![Part::Text { text, cache: None }]);
            return Ok(());
        }
        let Some(items) = elements(raw) else {
            return Err(path.fault("must be a string or an array of items"));
        };
        if items.is_empty() {
            return Err(path.fault("must hold at least one item"));
        }
        for (at, item) in items.into_iter().enumerate() {
            self.item(item, path.index(at))?;
        }
        Ok(())
    }

    /// Adds a message that is not the model's.
    pub(super) fn say(&mut self, role: Role, parts: Vec<Part<'a>>) {
        self.messages.push(Message { role, name: None, parts });
        self.said = false;
    }

    fn item(&mut self, raw: &'a RawValue, path: Path<'_>) -> Result<(), FormatError> {
        let mut fields = Fields::new(raw, path)?;
        let kind = fields.text("type")?.unwrap_or(Cow::Borrowed("message"));
        match kind.as_ref() {
            "message" => self.message(&mut fields),
            "reasoning" => {
                let pieces = reasoning(&Object::read(raw).unwrap_or_default());
                if !pieces.is_empty() {
                    self.reply(pieces.into_iter().map(Part::Reasoning));
                }
                Ok(())
            }
            "function_call" | "custom_tool_call" => self.call(&mut fields, kind.as_ref()),
            "function_call_output" | "custom_tool_call_output" => self.result(&mut fields),
            "additional_tools" => {
                self.tools.extend(tools::functions(&mut fields)?);
                Ok(())
            }
            "item_reference" => {
                Err(path
                    .fault("refers to a stored item, but nothing is stored here; send the item"))
            }
            kind if SKIPPED.contains(&kind) => Ok(()),
            _ => Err(fields.fault("type", "is not an item this model can be given")),
        }
    }

    fn message(&mut self, fields: &mut Fields<'a, '_>) -> Result<(), FormatError> {
        let here = fields.path;
        let role = match fields.required_text("role")?.as_ref() {
            "user" => Role::User,
            "system" => Role::System,
            "developer" => Role::Developer,
            "assistant" => Role::Assistant,
            _ => {
                let known = "must be one of user, assistant, system, developer";
                return Err(fields.fault("role", known));
            }
        };
        let Some(raw) = fields.take("content") else {
            return Err(fields.fault("content", "is missing"));
        };
        let mut parts = content::read(Some(raw), here.key("content"))?;
        if role != Role::Assistant {
            self.say(role, parts);
            return Ok(());
        }
        // An empty answer before a call says nothing, and some providers refuse it.
        parts.retain(|part| !matches!(part, Part::Text { text, .. } if text.is_empty()));
        if parts.is_empty() {
            return Ok(());
        }
        if std::mem::replace(&mut self.said, false) {
            self.messages.push(Message { role, name: None, parts });
        } else {
            self.reply(parts);
        }
        self.said = true;
        Ok(())
    }

    /// Adds to the model's turn that is going on, or begins one.
    fn reply(&mut self, parts: impl IntoIterator<Item = Part<'a>>) {
        self.said = false;
        match self.messages.last_mut() {
            Some(last) if last.role == Role::Assistant => last.parts.extend(parts),
            _ => {
                let parts = parts.into_iter().collect();
                self.messages.push(Message { role: Role::Assistant, name: None, parts });
            }
        }
    }

    fn call(&mut self, fields: &mut Fields<'a, '_>, kind: &str) -> Result<(), FormatError> {
        let custom = kind == "custom_tool_call";
        let id = fields.required_name("call_id")?;
        let name = fields.required_name("name")?;
        let key = if custom { "input" } else { "arguments" };
        let words = match fields.take(key) {
            None => Cow::Borrowed(""),
            Some(raw) => match text(raw) {
                Some(text) => text,
                None if !custom && raw.get().starts_with('{') => Cow::Borrowed(raw.get()),
                None => return Err(fields.fault(key, "must be a string")),
            },
        };
        let is_empty = !custom && matches!(words.trim(), "" | "null");
        let arguments = if is_empty { Cow::Borrowed("{}") } else { words };
        let turn = self.messages.last_mut().filter(|last| last.role == Role::Assistant);
        let signature = turn.and_then(|turn| take_signature(&mut turn.parts, &id));
        self.reply([Part::ToolCall(ToolCall { id, name, arguments, custom, signature })]);
        Ok(())
    }

    fn result(&mut self, fields: &mut Fields<'a, '_>) -> Result<(), FormatError> {
        let here = fields.path;
        let call_id = fields.required_name("call_id")?;
        let name = fields.text("name")?;
        let parts = content::read(fields.take("output"), here.key("output"))?;
        let cache = content::cache_control(fields)?;
        let result = Part::ToolResult { call_id, name, parts, is_error: false, cache };
        self.say(Role::Tool, vec![result]);
        Ok(())
    }
}

/// Takes the signature of a call out of the reasoning before it, where the answer's encoder had to
/// put it.
fn take_signature<'a>(parts: &mut Vec<Part<'a>>, call_id: &str) -> Option<Cow<'a, str>> {
    let at = parts.iter().rposition(|part| {
        matches!(part, Part::Reasoning(Reasoning { kind: ReasoningKind::Encrypted, id, .. })
            if id.as_deref() == Some(call_id))
    })?;
    match parts.remove(at) {
        Part::Reasoning(piece) => piece.signature,
        _ => None,
    }
}

/// Reasoning of an earlier answer: OpenAI's own, or what was packed for another maker.
fn reasoning<'a>(object: &Object<'a>) -> Vec<Reasoning<'a>> {
    let mut pieces = item::reasoning(object);
    let packed = pieces.last().filter(|last| last.kind == ReasoningKind::Encrypted);
    let Some(carried) = packed.and_then(|last| Carried::unpack(last.signature.as_deref()?)) else {
        return pieces;
    };
    pieces.pop();
    let id = Some(carried.id).filter(|id| !id.is_empty()).map(Cow::Owned);
    let format = Some(Cow::Owned(carried.format));
    let signature = Some(Cow::Owned(carried.data));
    for piece in &mut pieces {
        piece.format.clone_from(&format);
        piece.id.clone_from(&id);
    }
    if carried.encrypted {
        let (kind, text) = (ReasoningKind::Encrypted, Cow::Borrowed(""));
        pieces.push(Reasoning { kind, text, signature, format, id });
        return pieces;
    }
    // The text that was signed; a client that keeps summaries only has lost it.
    let text = pieces.into_iter().map(|piece| piece.text).reduce(|joined, text| joined + text);
    let (kind, text) = (ReasoningKind::Text, text.unwrap_or_default());
    vec![Reasoning { kind, text, signature, format, id }]
}
