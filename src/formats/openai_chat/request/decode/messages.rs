//! The conversation: roles, tool calls and their results, reasoning shown earlier.
//!
//! Parts of an assistant's turn keep the order in which providers demand them back: reasoning,
//! text, tool calls.

use super::content;
use crate::chat::event::AudioPiece;
use crate::chat::message::Reasoning;
use crate::chat::tool::{CacheControl, ToolCall};
use crate::chat::{Message, Part, Role};
use crate::formats::FormatError;
use crate::formats::openai_chat::reasoning_details;
use crate::formats::path::Path;
use crate::formats::tree::{Fields, Node};
use std::borrow::Cow;

/// Reads `messages`.
pub(super) fn read(node: Option<Node<'_>>) -> Result<Vec<Message<'_>>, FormatError> {
    let path = Path::Root.key("messages");
    let items = match node {
        None => return Err(path.fault("is missing")),
        Some(Node::Array(items)) if items.is_empty() => {
            return Err(path.fault("must hold at least one message"));
        }
        Some(Node::Array(items)) => items,
        Some(_) => return Err(path.fault("must be an array")),
    };
    let mut reader = Reader::default();
    items
        .into_iter()
        .enumerate()
        .map(|(at, item)| reader.message(at, Fields::new(item, path.index(at))?))
        .collect()
}

/// What a message needs to know of the ones before it.
#[derive(Default)]
struct Reader<'a> {
    /// Calls of the older, single-call form: function name and the id made up for the call.
    older_calls: Vec<(Cow<'a, str>, String)>,
}

impl<'a> Reader<'a> {
    fn message(
        &mut self,
        at: usize,
        mut fields: Fields<'a, '_>,
    ) -> Result<Message<'a>, FormatError> {
        let role = fields.required_text("role")?;
        match role.as_ref() {
            "system" => spoken(Role::System, &mut fields),
            "developer" => spoken(Role::Developer, &mut fields),
            "user" => spoken(Role::User, &mut fields),
            "assistant" => self.assistant(at, &mut fields),
            "tool" => tool_result(&mut fields),
            "function" => self.function_result(&mut fields),
            _ => Err(fields.fault(
                "role",
                "must be one of system, developer, user, assistant, tool, function",
            )),
        }
    }

    fn assistant(
        &mut self,
        at: usize,
        fields: &mut Fields<'a, '_>,
    ) -> Result<Message<'a>, FormatError> {
        let here = fields.path;
        let name = fields.text("name")?;
        let mut calls = tool_calls(fields)?;
        // Some providers put an empty one beside every answer, which clients send back.
        if let Some(node) = fields.take("function_call").filter(names_a_function) {
            let id = format!("call_{at}");
            let call = function(node, here.key("function_call"), Cow::Owned(id.clone()))?;
            self.older_calls.push((call.name.clone(), id));
            calls.push(call);
        }
        let mut parts = reasoning(fields, &mut calls)?;
        parts.extend(content::read(fields.take("content"), here.key("content"))?);
        parts.extend(spoken_answer(fields)?);
        if let Some(text) = fields.text("refusal")?.filter(|text| !text.is_empty()) {
            parts.push(Part::Refusal { text });
        }
        parts.extend(calls.into_iter().map(Part::ToolCall));
        Ok(Message { role: Role::Assistant, name, parts })
    }

    /// The older form names the function instead of the call.
    fn function_result(&mut self, fields: &mut Fields<'a, '_>) -> Result<Message<'a>, FormatError> {
        let name = fields.required_name("name")?;
        let found = self.older_calls.iter().rev().find(|(called, _)| *called == name);
        let Some((_, call_id)) = found else {
            return Err(fields.fault("name", "answers no function call of an earlier message"));
        };
        let call_id = Cow::Owned(call_id.clone());
        result_of(call_id, Some(name), fields)
    }
}

/// Whether an older call says which function it calls.
fn names_a_function(call: &Node<'_>) -> bool {
    call.get("name").and_then(Node::as_str).is_none_or(|name| !name.is_empty())
        && !matches!(call, Node::Object(members) if members.is_empty())
}

/// Sound of an earlier answer, which OpenAI keeps under an id for a while.
fn spoken_answer<'a>(fields: &mut Fields<'a, '_>) -> Result<Option<Part<'a>>, FormatError> {
    let here = fields.path;
    let is_left_empty = |node: &Node<'_>| node.get("id").and_then(Node::as_str) == Some("");
    let Some(node) = fields.take("audio").filter(|node| !is_left_empty(node)) else {
        return Ok(None);
    };
    let mut sound = Fields::new(node, here.key("audio"))?;
    let id = Some(sound.required_name("id")?);
    let transcript = sound.text("transcript")?;
    Ok(Some(Part::SpokenAnswer(AudioPiece { transcript, id, ..AudioPiece::default() })))
}

/// A message of text and media that has to say something.
fn spoken<'a>(role: Role, fields: &mut Fields<'a, '_>) -> Result<Message<'a>, FormatError> {
    let here = fields.path;
    let name = fields.text("name")?;
    let Some(node) = fields.take("content") else {
        return Err(fields.fault("content", "is missing"));
    };
    Ok(Message { role, name, parts: content::read(Some(node), here.key("content"))? })
}

fn tool_result<'a>(fields: &mut Fields<'a, '_>) -> Result<Message<'a>, FormatError> {
    let call_id = fields.required_name("tool_call_id")?;
    let name = fields.text("name")?;
    result_of(call_id, name, fields)
}

fn result_of<'a>(
    call_id: Cow<'a, str>,
    name: Option<Cow<'a, str>>,
    fields: &mut Fields<'a, '_>,
) -> Result<Message<'a>, FormatError> {
    let here = fields.path;
    let mut parts = content::read(fields.take("content"), here.key("content"))?;
    let cache = content::cache_control(fields)?.or(lift_cache(&mut parts));
    let result = Part::ToolResult { call_id, name, parts, is_error: false, cache };
    Ok(Message { role: Role::Tool, name: None, parts: vec![result] })
}

/// Moves the breakpoint of the parts to the whole result, where every provider accepts it.
fn lift_cache(parts: &mut [Part<'_>]) -> Option<CacheControl> {
    let mut last = None;
    for part in parts {
        if let Part::Text { cache, .. } | Part::Image { cache, .. } | Part::File { cache, .. } =
            part
        {
            last = cache.take().or(last);
        }
    }
    last
}

fn tool_calls<'a>(fields: &mut Fields<'a, '_>) -> Result<Vec<ToolCall<'a>>, FormatError> {
    let parent = fields.path;
    let list = parent.key("tool_calls");
    let items = fields.array("tool_calls")?.unwrap_or_default();
    items
        .into_iter()
        .enumerate()
        .map(|(at, item)| {
            let here = list.index(at);
            let mut call = Fields::new(item, here)?;
            let id = call.required_name("id")?;
            let (function_node, custom_node) = (call.take("function"), call.take("custom"));
            let node = match (function_node, custom_node) {
                (Some(node), Some(empty)) if is_left_empty(&empty) => node,
                (_, Some(node)) => return custom(node, here.key("custom"), id),
                (Some(node), None) => node,
                (None, None) => return Err(call.fault("function", "is missing")),
            };
            let mut read = function(node, here.key("function"), id)?;
            read.signature = google_signature(&mut call);
            Ok(read)
        })
        .collect()
}

/// Some providers write every member a call can have, those not meant without a name, and clients
/// send them back so.
fn is_left_empty(node: &Node<'_>) -> bool {
    node.get("name").and_then(Node::as_str) == Some("")
}

/// A call of a free-form tool, whose input is any text.
fn custom<'a>(
    node: Node<'a>,
    path: Path<'_>,
    id: Cow<'a, str>,
) -> Result<ToolCall<'a>, FormatError> {
    let mut custom = Fields::new(node, path)?;
    let name = custom.required_name("name")?;
    let arguments = custom.text("input")?.unwrap_or_default();
    Ok(ToolCall { id, name, arguments, signature: None, custom: true })
}

fn function<'a>(
    node: Node<'a>,
    path: Path<'_>,
    id: Cow<'a, str>,
) -> Result<ToolCall<'a>, FormatError> {
    let mut function = Fields::new(node, path)?;
    let name = function.required_name("name")?;
    let arguments = match function.take("arguments") {
        None => Cow::Borrowed(""),
        Some(node) => node
            .into_json_text()
            .ok_or_else(|| function.fault("arguments", "must be a string of JSON"))?,
    };
    // Providers write a call without arguments in four ways; all mean an empty object.
    let arguments =
        if matches!(arguments.trim(), "" | "null") { Cow::Borrowed("{}") } else { arguments };
    Ok(ToolCall { id, name, arguments, signature: None, custom: false })
}

/// The signature as Google's own OpenAI layer carries it:
/// `extra_content.google.thought_signature`.
fn google_signature<'a>(call: &mut Fields<'a, '_>) -> Option<Cow<'a, str>> {
    call.take("extra_content")?.take("google")?.take("thought_signature")?.into_text()
}

/// Reasoning of an earlier answer. A signature that belongs to a tool call goes to the call.
fn reasoning<'a>(
    fields: &mut Fields<'a, '_>,
    calls: &mut [ToolCall<'a>],
) -> Result<Vec<Part<'a>>, FormatError> {
    let plain = fields.text("reasoning")?;
    let plain = fields.text("reasoning_content")?.or(plain);
    let details = fields.array("reasoning_details")?.unwrap_or_default();
    let pieces = reasoning_details::read(details);
    let mut parts = Vec::with_capacity(pieces.len() + 1);
    if pieces.iter().all(|piece| piece.text.is_empty()) {
        let text = plain.filter(|text| !text.is_empty());
        parts.extend(text.map(|text| Part::Reasoning(Reasoning::plain(text))));
    }
    for piece in pieces {
        match calls.iter_mut().find(|call| piece.signs_call(&call.id)) {
            Some(call) => call.signature = piece.signature,
            None => parts.push(Part::Reasoning(piece)),
        }
    }
    Ok(parts)
}
