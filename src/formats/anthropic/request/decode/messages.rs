//! The conversation: `system` and `messages`, in their order.
//!
//! A user's turn that answers tool calls becomes one message per result and one for what the user
//! says besides. What a provider's own tools did in earlier turns is left out: the text after it
//! tells what came of it.

use super::Lost;
use super::{blocks, thoughts};
use crate::chat::Message;
use crate::chat::message::{Part, Role};
use crate::chat::tool::{CacheControl, ToolCall};
use crate::formats::FormatError;
use crate::formats::path::Path;
use crate::formats::tree::{Fields, Node};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Blocks that only the provider that wrote them can read.
const PROVIDERS_OWN: [&str; 5] =
    ["server_tool_use", "mcp_tool_use", "container_upload", "fallback", "tool_reference"];

/// How many parts before a call may take its breakpoint.
const MARK_REACH: usize = 64;

/// Reads the instructions and the turns.
pub(super) fn read<'a>(
    root: &mut Fields<'a, '_>,
    lost: &mut Lost<'a>,
) -> Result<Vec<Message<'a>>, FormatError> {
    let path = root.path;
    let mut messages = Vec::new();
    let system = blocks::read(root.take("system"), path.key("system"), lost)?;
    push(&mut messages, Role::System, system);
    let Some(turns) = root.array("messages")? else {
        return Err(root.fault("messages", "is missing"));
    };
    if turns.is_empty() {
        return Err(root.fault("messages", "must not be empty"));
    }
    let turns_path = path.key("messages");
    for (at, turn) in turns.into_iter().enumerate() {
        message(Fields::new(turn, turns_path.index(at))?, &mut messages, lost)?;
    }
    Ok(messages)
}

fn message<'a>(
    mut turn: Fields<'a, '_>,
    messages: &mut Vec<Message<'a>>,
    lost: &mut Lost<'a>,
) -> Result<(), FormatError> {
    let role = turn.required_text("role")?;
    let path = turn.path;
    let Some(content) = turn.take("content") else {
        return Err(turn.fault("content", "is missing"));
    };
    let here = path.key("content");
    match role.as_ref() {
        "user" => user(blocks::read(Some(content), here, lost)?, messages),
        "assistant" => {
            let parts = assistant(content, here, lost)?;
            push(messages, Role::Assistant, parts);
        }
        "system" => push(messages, Role::System, blocks::read(Some(content), here, lost)?),
        _ => return Err(turn.fault("role", "must be one of user, assistant, system")),
    }
    lost.extend(turn.rest());
    Ok(())
}

/// Adds what a role says; turns of one role in a row are one, as they are for the provider.
fn push<'a>(messages: &mut Vec<Message<'a>>, role: Role, mut parts: Vec<Part<'a>>) {
    parts.retain(|part| !matches!(part, Part::Text { text, .. } if text.is_empty()));
    if parts.is_empty() {
        return;
    }
    match messages.last_mut().filter(|last| last.role == role) {
        Some(last) => last.parts.extend(parts),
        None => messages.push(Message { role, name: None, parts }),
    }
}

/// Results first, as Anthropic demands them, one message each; also those of a second turn in a row.
fn user<'a>(parts: Vec<Part<'a>>, messages: &mut Vec<Message<'a>>) {
    let (results, said): (Vec<_>, Vec<_>) =
        parts.into_iter().partition(|part| matches!(part, Part::ToolResult { .. }));
    let before = messages.pop_if(|last| last.role == Role::User && !results.is_empty());
    for result in results {
        messages.push(Message { role: Role::Tool, name: None, parts: vec![result] });
    }
    messages.extend(before);
    push(messages, Role::User, said);
}

fn assistant<'a>(
    content: Node<'a>,
    path: Path<'_>,
    lost: &mut Lost<'a>,
) -> Result<Vec<Part<'a>>, FormatError> {
    let Node::Array(items) = content else {
        return blocks::read(Some(content), path, lost);
    };
    let mut parts = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        let mut block = Fields::new(item, path.index(at))?;
        let kind = block.required_text("type")?;
        match kind.as_ref() {
            "thinking" => {
                let text = block.text("thinking")?.unwrap_or_default();
                let signature = block.text("signature")?.filter(|signed| !signed.is_empty());
                parts.push(thoughts::thinking(text, signature));
                lost.extend(block.rest());
            }
            "redacted_thinking" => {
                parts.push(thoughts::redacted(block.required_text("data")?));
                lost.extend(block.rest());
            }
            "tool_use" => tool_use(block, &mut parts, lost)?,
            // The provider's summary of turns that the client may have left out since.
            "compaction" => {
                let text = block.text("content")?.filter(|text| !text.is_empty());
                parts.extend(text.map(|text| Part::Text { text, cache: None }));
            }
            own if own.ends_with("_tool_result") || PROVIDERS_OWN.contains(&own) => {
                lost.push(kind);
            }
            kind => blocks::read_block(kind, block, &mut parts, lost)?,
        }
    }
    Ok(thoughts::sign_calls(parts))
}

fn tool_use<'a>(
    mut block: Fields<'a, '_>,
    parts: &mut Vec<Part<'a>>,
    lost: &mut Lost<'a>,
) -> Result<(), FormatError> {
    let id = block.required_name("id")?;
    let name = block.required_name("name")?;
    let arguments = Cow::Borrowed(block.raw_object("input")?.map_or("{}", RawValue::get));
    if let Some(mark) = blocks::cache_control(&mut block)? {
        mark_before(parts, mark, lost);
    }
    parts.push(Part::ToolCall(ToolCall { id, name, arguments, custom: false, signature: None }));
    lost.extend(block.rest());
    Ok(())
}

/// A call has no place for a breakpoint: the part before it takes it, so that at least all up to
/// there is cached.
fn mark_before(parts: &mut [Part<'_>], mark: CacheControl, lost: &mut Lost<'_>) {
    let place = parts.iter_mut().rev().take(MARK_REACH).find_map(|part| match part {
        Part::Text { cache, .. } | Part::Image { cache, .. } | Part::File { cache, .. } => {
            Some(cache)
        }
        _ => None,
    });
    match place {
        Some(cache) => *cache = Some(mark),
        None => lost.push(Cow::Borrowed("cache_control")),
    }
}
