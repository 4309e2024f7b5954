//! The conversation in Anthropic's order: system apart, roles alternating, tool results first.
//!
//! Used by the request encoder. Invariants of what is built: the first turn is the user's, no turn
//! repeats the role before it, no text block is blank, and only the last assistant turn may be
//! without content.

use super::media::Told;
use super::thinking::Replay;
use super::wire::{Block, Role, Turn};
use super::{Dropped, cache_mark, media};
use crate::chat;
use crate::chat::message::{Part, Reasoning, ReasoningKind};
use crate::chat::tool::{CacheControl, ToolCall};
use crate::formats::FormatError;
use crate::formats::anthropic::family::{self, Ability, Family};
use crate::formats::anthropic::{REASONING_FORMAT, input, names};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Opens a conversation that the model began; Anthropic wants the user first.
const OPENING: &str = ".";

/// The conversation as written.
#[derive(Debug)]
pub(super) struct Conversation<'a> {
    pub(super) system: Vec<Block<'a>>,
    pub(super) turns: Vec<Turn<'a>>,
    pub(super) replay: Replay,
}

/// Writes the messages; `wrapped` names the functions whose arguments travel as `{"input": …}`.
pub(super) fn encode<'a>(
    request: &'a chat::Request<'_>,
    family: Family,
    wrapped: &[&str],
    dropped: &mut Dropped,
) -> Result<Conversation<'a>, FormatError> {
    let mut writer = Writer { family, wrapped, dropped, system: Vec::new(), turns: Vec::new() };
    let messages = &request.messages;
    for (index, message) in messages.iter().enumerate() {
        let cursor = Cursor { index, is_last: index + 1 == messages.len() };
        match message.role {
            chat::Role::System | chat::Role::Developer => writer.instructions(message),
            chat::Role::User | chat::Role::Tool => writer.user(message, cursor)?,
            chat::Role::Assistant => writer.assistant(message, cursor)?,
        }
    }
    writer.finish()
}

/// Where the writer stands in the client's messages.
#[derive(Clone, Copy)]
struct Cursor {
    index: usize,
    is_last: bool,
}

struct Writer<'a, 'w> {
    family: Family,
    wrapped: &'w [&'w str],
    dropped: &'w mut Dropped,
    system: Vec<Block<'a>>,
    turns: Vec<Turn<'a>>,
}

impl<'a> Writer<'a, '_> {
    fn instructions(&mut self, message: &'a chat::Message<'_>) {
        let texts = message.parts.iter().filter_map(|part| match part {
            Part::Text { text, cache } => text_block(text, *cache),
            _ => None,
        });
        if self.turns.is_empty() {
            self.system.extend(texts);
            return;
        }
        // Anthropic takes late instructions only between the user's turn and the answer to it;
        // `append` moves them into the user's turn should more of the user follow.
        let after_user = self.turns.last().is_some_and(|turn| turn.role != Role::Assistant);
        let blocks: Vec<_> = texts.collect();
        if self.family.can(Ability::LateSystem) && after_user {
            self.append(Role::System, blocks);
        } else {
            let marked = blocks.into_iter().map(marked_instruction).collect();
            self.append(Role::User, marked);
        }
    }

    fn user(&mut self, message: &'a chat::Message<'_>, cursor: Cursor) -> Result<(), FormatError> {
        let mut blocks = Vec::with_capacity(message.parts.len());
        for (position, part) in message.parts.iter().enumerate() {
            blocks.extend(self.user_block(part, cursor, position)?);
        }
        self.append(Role::User, blocks);
        Ok(())
    }

    fn user_block(
        &mut self,
        part: &'a Part<'_>,
        cursor: Cursor,
        position: usize,
    ) -> Result<Option<Block<'a>>, FormatError> {
        let param = || format!("messages[{}].content[{position}]", cursor.index);
        Ok(match part {
            Part::Text { text, cache } => text_block(text, *cache),
            Part::Refusal { text } => text_block(text, None),
            Part::Image { source, detail, cache } => {
                if detail.as_deref().is_some_and(|detail| detail != "auto") {
                    self.dropped.push("detail".into());
                }
                Some(media::image(source, *cache, param)?)
            }
            Part::File { source, filename, cache, citations } => {
                let told = Told { title: filename.as_deref(), citations: *citations };
                Some(media::document(source, &told, *cache, param)?)
            }
            Part::Audio { .. } => {
                return Err(FormatError::field(param(), "this model cannot hear audio"));
            }
            Part::Video { .. } => {
                return Err(FormatError::field(param(), "this model cannot watch video"));
            }
            Part::ToolResult { call_id, parts, is_error, cache, .. } => {
                let mut content = Vec::with_capacity(parts.len());
                for part in parts {
                    if !matches!(part, Part::ToolResult { .. }) {
                        content.extend(self.user_block(part, cursor, position)?);
                    }
                }
                Some(Block::ToolResult {
                    tool_use_id: names::call_id(call_id),
                    content,
                    is_error: *is_error,
                    cache_control: cache_mark(*cache),
                })
            }
            // Of what the model said before, the words are left.
            Part::SpokenAnswer(audio) => {
                if audio.transcript.is_none() {
                    self.dropped.push("audio".into());
                }
                text_block(audio.transcript.as_deref().unwrap_or_default(), None)
            }
            Part::Reasoning(_) | Part::ToolCall(_) => None,
        })
    }

    fn assistant(
        &mut self,
        message: &'a chat::Message<'_>,
        cursor: Cursor,
    ) -> Result<(), FormatError> {
        let mut blocks = Vec::with_capacity(message.parts.len());
        let mut unsigned: Option<&'a str> = None;
        for (position, part) in message.parts.iter().enumerate() {
            match part {
                Part::Reasoning(reasoning) => {
                    blocks.extend(self.reasoning(reasoning, &mut unsigned));
                }
                Part::ToolCall(call) => blocks.push(Block::ToolUse {
                    id: names::call_id(&call.id),
                    name: names::tool_name(&call.name),
                    input: self.arguments(call),
                }),
                Part::Image { .. } | Part::File { .. } => self.dropped.push("images".into()),
                other => blocks.extend(self.user_block(other, cursor, position)?),
            }
        }
        if !blocks.first().is_some_and(Block::is_reasoning) {
            blocks.sort_by_key(|block| !block.is_reasoning());
        }
        let after_other = self.turns.last().is_some_and(|turn| turn.role != Role::Assistant);
        if cursor.is_last && blocks.is_empty() && after_other {
            self.turns.push(Turn { role: Role::Assistant, content: blocks });
        } else {
            self.append(Role::Assistant, blocks);
        }
        Ok(())
    }

    fn arguments(&self, call: &'a ToolCall<'_>) -> Cow<'a, RawValue> {
        if call.custom {
            return input::free_text(&call.arguments);
        }
        input::object(&call.arguments, self.wrapped.contains(&&*call.name))
    }

    /// A reasoning block that Claude itself made. A stream's client may hand back the text and its
    /// signature as two pieces; `unsigned` keeps the text until the signature comes.
    fn reasoning(
        &self,
        piece: &'a Reasoning<'_>,
        unsigned: &mut Option<&'a str>,
    ) -> Option<Block<'a>> {
        let is_ours = piece.format.as_deref() == Some(REASONING_FORMAT);
        if !is_ours || self.family.thinking == family::Thinking::Unsupported {
            return None;
        }
        let signature = piece.signature.as_deref().filter(|signature| !signature.is_empty());
        match (piece.kind, signature) {
            (ReasoningKind::Text, Some(signature)) => {
                let before = unsigned.take().filter(|_| piece.text.is_empty());
                let thinking = Cow::Borrowed(before.unwrap_or(&piece.text));
                Some(Block::Thinking { thinking, signature })
            }
            (ReasoningKind::Text, None) => {
                *unsigned = Some(&piece.text);
                None
            }
            (ReasoningKind::Encrypted, Some(data)) => Some(Block::RedactedThinking { data }),
            _ => None,
        }
    }

    /// Adds to the last turn of the same role, or begins one.
    fn append(&mut self, role: Role, blocks: Vec<Block<'a>>) {
        if blocks.is_empty() {
            return;
        }
        let late = |turn: &mut Turn<'_>| role == Role::User && turn.role == Role::System;
        if let Some(instructions) = self.turns.pop_if(late) {
            let marked = instructions.content.into_iter().map(marked_instruction).collect();
            self.append(Role::User, marked);
        }
        match self.turns.last_mut().filter(|turn| turn.role == role) {
            Some(turn) => turn.content.extend(blocks),
            None => self.turns.push(Turn { role, content: blocks }),
        }
    }

    fn finish(mut self) -> Result<Conversation<'a>, FormatError> {
        if self.turns.is_empty() {
            return Err(FormatError::field("messages", "no message with content is left"));
        }
        if self.turns.first().is_some_and(|turn| turn.role != Role::User) {
            let opening = text_block(OPENING, None).into_iter().collect();
            self.turns.insert(0, Turn { role: Role::User, content: opening });
        }
        order_results(&mut self.turns);
        let replay = replay(&self.turns);
        trim_prefill(&mut self.turns);
        Ok(Conversation { system: self.system, turns: self.turns, replay })
    }
}

/// Instructions in the user's turn, told apart from the user's own words.
fn marked_instruction(block: Block<'_>) -> Block<'_> {
    match block {
        Block::Text { text, cache_control } => {
            Block::Text { text: format!("System: {text}").into(), cache_control }
        }
        other => other,
    }
}

fn text_block(text: &str, cache: Option<CacheControl>) -> Option<Block<'_>> {
    if text.trim().is_empty() {
        return None;
    }
    Some(Block::Text { text: Cow::Borrowed(text), cache_control: cache_mark(cache) })
}

/// Puts the tool results of each user turn first, in the order of the calls before it.
fn order_results(turns: &mut [Turn<'_>]) {
    let mut calls: Vec<String> = Vec::new();
    for turn in turns {
        match turn.role {
            Role::System => {}
            Role::User => {
                turn.content.sort_by_cached_key(|block| match block {
                    Block::ToolResult { tool_use_id, .. } => {
                        calls.iter().position(|id| id == tool_use_id).unwrap_or(calls.len())
                    }
                    _ => usize::MAX,
                });
                calls.clear();
            }
            Role::Assistant => {
                calls.extend(turn.content.iter().filter_map(|block| match block {
                    Block::ToolUse { id, .. } => Some(id.to_string()),
                    _ => None,
                }));
            }
        }
    }
}

/// Whether a tool loop is open whose thinking the client did not send back.
fn replay(turns: &[Turn<'_>]) -> Replay {
    let mut late = turns.iter().rev().filter(|turn| turn.role != Role::System);
    let (Some(last), Some(before)) = (late.next(), late.next()) else { return Replay::Free };
    let answers = last.content.iter().any(|block| matches!(block, Block::ToolResult { .. }));
    let thought = before.content.first().is_some_and(Block::is_reasoning);
    if answers && !thought { Replay::LostThinking } else { Replay::Free }
}

/// The beginning of an answer that the client wrote must not end in white space.
fn trim_prefill(turns: &mut [Turn<'_>]) {
    let Some(last) = turns.last_mut().filter(|turn| turn.role == Role::Assistant) else { return };
    // Thinking in front of a prefill is refused while thinking is off, and useless otherwise.
    let has_calls = last.content.iter().any(|block| matches!(block, Block::ToolUse { .. }));
    if !has_calls {
        last.content.retain(|block| !block.is_reasoning());
    }
    if let Some(Block::Text { text, .. }) = last.content.last_mut() {
        let kept = text.trim_end().len();
        match text {
            Cow::Borrowed(borrowed) => *borrowed = borrowed.trim_end(),
            Cow::Owned(owned) => owned.truncate(kept),
        }
    }
}
