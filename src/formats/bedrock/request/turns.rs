//! The conversation in Bedrock's order: instructions apart, turns alternating, results first.
//!
//! Used by the request encoder. Invariants of what is built: the first turn is the user's, no turn
//! repeats the role before it, none is empty, no text is blank, a document is never alone, its name
//! is its own, and a cache point always has something before it.

use super::Dropped;
use super::maker::Maker;
use super::media::{self, About, DocumentNames};
use super::wire::{Block, Reasoning, Role, Turn};
use crate::chat;
use crate::chat::message::{Part, ReasoningKind};
use crate::chat::tool::{CacheControl, ToolCall};
use crate::formats::FormatError;
use crate::formats::anthropic::REASONING_FORMAT;
use crate::formats::anthropic::request::encode::hosted::{self, LostThinking};
use crate::formats::bedrock::names;
use std::borrow::Cow;

/// Opens a conversation that the model began, and keeps a document company.
const OPENING: &str = ".";
/// What a tool said that said nothing.
const NO_OUTPUT: &str = "(no output)";

/// The conversation as written.
#[derive(Debug)]
pub(super) struct Conversation<'a> {
    pub(super) system: Vec<Block<'a>>,
    pub(super) turns: Vec<Turn<'a>>,
    /// Names of the functions it calls, as Bedrock sees them.
    pub(super) called: Vec<String>,
    pub(super) lost_thinking: LostThinking,
}

/// Writes the messages.
pub(super) fn encode<'a>(
    request: &'a chat::Request<'_>,
    maker: Maker,
    dropped: &mut Dropped,
) -> Result<Conversation<'a>, FormatError> {
    let tools = request.tools.iter();
    let wrapped = tools.filter(|tool| super::is_wrapped(tool)).map(|tool| &*tool.name).collect();
    let mut writer = Writer {
        maker,
        wrapped,
        dropped,
        documents: DocumentNames::default(),
        system: Vec::new(),
        turns: Vec::new(),
    };
    for (index, message) in request.messages.iter().enumerate() {
        match message.role {
            chat::Role::System | chat::Role::Developer => writer.instructions(message),
            chat::Role::User | chat::Role::Tool => writer.user(message, index)?,
            chat::Role::Assistant => writer.assistant(message, index)?,
        }
    }
    writer.finish(request.cache)
}

struct Writer<'a, 'w> {
    maker: Maker,
    /// Names of the functions whose arguments travel as `{"input": …}`.
    wrapped: Vec<&'a str>,
    dropped: &'w mut Dropped,
    documents: DocumentNames,
    system: Vec<Block<'a>>,
    turns: Vec<Turn<'a>>,
}

impl<'a> Writer<'a, '_> {
    fn instructions(&mut self, message: &'a chat::Message<'_>) {
        for part in &message.parts {
            let Part::Text { text, cache } = part else { continue };
            if text.trim().is_empty() {
                continue;
            }
            let mut blocks = if self.turns.is_empty() {
                vec![Block::Text(Cow::Borrowed(text))]
            } else {
                vec![Block::Text(Cow::Owned(format!("System: {text}")))]
            };
            self.mark(&mut blocks, *cache);
            if self.turns.is_empty() {
                self.system.extend(blocks);
            } else {
                self.append(Role::User, blocks);
            }
        }
    }

    fn user(&mut self, message: &'a chat::Message<'_>, index: usize) -> Result<(), FormatError> {
        let mut blocks = Vec::with_capacity(message.parts.len());
        for (position, part) in message.parts.iter().enumerate() {
            let param = || format!("messages[{index}].content[{position}]");
            self.part(part, &param, &mut blocks)?;
        }
        self.append(Role::User, blocks);
        Ok(())
    }

    /// Adds what becomes of a part, with its cache point.
    fn part(
        &mut self,
        part: &'a Part<'_>,
        param: &dyn Fn() -> String,
        blocks: &mut Vec<Block<'a>>,
    ) -> Result<(), FormatError> {
        let cache = match part {
            Part::Text { text, cache } => {
                blocks.extend(text_block(text));
                *cache
            }
            Part::Refusal { text } => {
                blocks.extend(text_block(text));
                None
            }
            Part::SpokenAnswer(piece) => {
                blocks.extend(piece.transcript.as_deref().and_then(text_block));
                None
            }
            Part::ToolResult { call_id, parts, is_error, cache, .. } => {
                let content = self.result(parts, param)?;
                let status = is_error.then_some("error");
                blocks.push(Block::ToolResult {
                    tool_use_id: names::call_id(call_id),
                    content,
                    status,
                });
                *cache
            }
            Part::Reasoning(_) | Part::ToolCall(_) => None,
            media => return self.media(media, param, blocks),
        };
        self.mark(blocks, cache);
        Ok(())
    }

    fn media(
        &mut self,
        part: &'a Part<'_>,
        param: &dyn Fn() -> String,
        blocks: &mut Vec<Block<'a>>,
    ) -> Result<(), FormatError> {
        let (block, cache) = match part {
            Part::Image { source, detail, cache } => {
                if detail.as_deref().is_some_and(|detail| detail != "auto") {
                    self.dropped.push("detail".into());
                }
                (media::image(source, param)?, *cache)
            }
            Part::File { source, filename, citations, cache } => {
                let is_cited = *citations == Some(true) && self.maker.cites();
                let about = About { filename: filename.as_deref(), is_cited };
                (media::document(source, about, &mut self.documents, param)?, *cache)
            }
            Part::Audio { data, format } if self.maker.may_perceive() => {
                (media::audio(data, format, param)?, None)
            }
            Part::Video { source } if self.maker.may_perceive() => {
                (media::video(source, param)?, None)
            }
            _ => {
                let message = "this model takes text, pictures and documents only";
                return Err(FormatError::field(param(), message));
            }
        };
        blocks.push(block);
        self.mark(blocks, cache);
        Ok(())
    }

    fn result(
        &mut self,
        parts: &'a [Part<'_>],
        param: &dyn Fn() -> String,
    ) -> Result<Vec<Block<'a>>, FormatError> {
        let mut content = Vec::with_capacity(parts.len().max(1));
        for part in parts.iter().filter(|part| !matches!(part, Part::ToolResult { .. })) {
            self.part(part, param, &mut content)?;
        }
        content.retain(|block| !matches!(block, Block::CachePoint(_)));
        if content.is_empty() {
            content.push(Block::Text(Cow::Borrowed(NO_OUTPUT)));
        }
        Ok(content)
    }

    fn assistant(
        &mut self,
        message: &'a chat::Message<'_>,
        index: usize,
    ) -> Result<(), FormatError> {
        let mut blocks = Vec::with_capacity(message.parts.len());
        let mut unsigned: Option<&'a str> = None;
        for (position, part) in message.parts.iter().enumerate() {
            let param = || format!("messages[{index}].content[{position}]");
            match part {
                Part::Reasoning(piece) if self.maker.replays_reasoning() => {
                    blocks.extend(reasoning(piece, &mut unsigned));
                }
                Part::ToolCall(call) => blocks.push(self.call(call)),
                Part::Image { .. }
                | Part::File { .. }
                | Part::Audio { .. }
                | Part::Video { .. } => {
                    self.dropped.push("images".into());
                }
                other => self.part(other, &param, &mut blocks)?,
            }
        }
        if !blocks.first().is_some_and(is_reasoning) {
            blocks.sort_by_key(|block| !is_reasoning(block));
        }
        self.append(Role::Assistant, blocks);
        Ok(())
    }

    fn call(&self, call: &'a ToolCall<'_>) -> Block<'a> {
        let input = if call.custom {
            hosted::free_text(&call.arguments)
        } else {
            hosted::arguments(&call.arguments, self.wrapped.contains(&&*call.name))
        };
        let (tool_use_id, name) = (names::call_id(&call.id), names::tool_name(&call.name));
        Block::ToolUse { tool_use_id, name, input }
    }

    /// Adds a cache point after the last block, or before it where none may follow.
    fn mark(&mut self, blocks: &mut Vec<Block<'a>>, wish: Option<CacheControl>) {
        let Some(wish) = wish else { return };
        let Some(point) = self.maker.cache_point(wish) else {
            return self.dropped.push("cache_control".into());
        };
        let is_closed = matches!(blocks.last(), Some(Block::Document { .. } | Block::Video { .. }));
        let place = if is_closed { blocks.len() - 1 } else { blocks.len() };
        blocks.insert(place, Block::CachePoint(point));
    }

    /// Adds to the last turn of the same role, or begins one.
    fn append(&mut self, role: Role, blocks: Vec<Block<'a>>) {
        if !blocks.iter().any(is_content) {
            return;
        }
        match self.turns.last_mut().filter(|turn| turn.role == role) {
            Some(turn) => turn.content.extend(blocks),
            None => self.turns.push(Turn { role, content: blocks }),
        }
    }

    fn finish(mut self, cache: Option<CacheControl>) -> Result<Conversation<'a>, FormatError> {
        if self.turns.is_empty() {
            return Err(FormatError::field("messages", "no message with content is left"));
        }
        if self.turns.first().is_some_and(|turn| turn.role != Role::User) {
            let content = vec![Block::Text(Cow::Borrowed(OPENING))];
            self.turns.insert(0, Turn { role: Role::User, content });
        }
        order_results(&mut self.turns);
        self.turns.iter_mut().for_each(accompany);
        if cache.is_some()
            && let Some(mut last) = self.turns.pop()
        {
            self.mark(&mut last.content, cache);
            self.turns.push(last);
        }
        tidy_cache_points(&mut self.system);
        self.turns.iter_mut().for_each(|turn| tidy_cache_points(&mut turn.content));
        let (lost_thinking, called) = (lost_thinking(&self.turns), called(&self.turns));
        trim_prefill(&mut self.turns);
        Ok(Conversation { system: self.system, turns: self.turns, called, lost_thinking })
    }
}

/// A piece of reasoning that Claude itself made. A stream's client may hand back the text and its
/// signature as two pieces; `unsigned` keeps the text until the signature comes.
fn reasoning<'a>(
    piece: &'a chat::message::Reasoning<'_>,
    unsigned: &mut Option<&'a str>,
) -> Option<Block<'a>> {
    if piece.format.as_deref() != Some(REASONING_FORMAT) {
        return None;
    }
    let signature = piece.signature.as_deref().filter(|signature| !signature.is_empty());
    let written = match (piece.kind, signature) {
        (ReasoningKind::Text, Some(signature)) => {
            let before = unsigned.take().filter(|_| piece.text.is_empty());
            let text = Cow::Borrowed(before.unwrap_or(&piece.text));
            Reasoning::ReasoningText { text, signature }
        }
        (ReasoningKind::Text, None) => {
            *unsigned = Some(&piece.text);
            return None;
        }
        (ReasoningKind::Encrypted, Some(data)) => Reasoning::RedactedContent(data),
        _ => return None,
    };
    Some(Block::ReasoningContent(written))
}

fn text_block(text: &str) -> Option<Block<'_>> {
    (!text.trim().is_empty()).then_some(Block::Text(Cow::Borrowed(text)))
}

fn is_reasoning(block: &Block<'_>) -> bool {
    matches!(block, Block::ReasoningContent(_))
}

/// Whether a block says something by itself.
fn is_content(block: &Block<'_>) -> bool {
    !matches!(block, Block::CachePoint(_) | Block::ReasoningContent(_))
}

/// Puts the tool results of each user turn first, in the order of the calls before it.
fn order_results(turns: &mut [Turn<'_>]) {
    let mut calls: Vec<String> = Vec::new();
    for turn in turns {
        match turn.role {
            Role::User => {
                turn.content.sort_by_cached_key(|block| match block {
                    Block::ToolResult { tool_use_id, .. } => {
                        calls.iter().position(|id| id == tool_use_id).unwrap_or(calls.len())
                    }
                    _ => usize::MAX,
                });
                calls.clear();
            }
            Role::Assistant => calls.extend(turn.content.iter().filter_map(|block| match block {
                Block::ToolUse { tool_use_id, .. } => Some(tool_use_id.to_string()),
                _ => None,
            })),
        }
    }
}

/// Bedrock refuses a document without a text in the same turn.
fn accompany(turn: &mut Turn<'_>) {
    let is_document = |block: &Block<'_>| matches!(block, Block::Document { .. });
    let has_text = turn.content.iter().any(|block| matches!(block, Block::Text(_)));
    if let Some(place) = turn.content.iter().position(is_document).filter(|_| !has_text) {
        turn.content.insert(place, Block::Text(Cow::Borrowed(OPENING)));
    }
}

/// Leaves one cache point of several in a row, and none before everything.
fn tidy_cache_points(blocks: &mut Vec<Block<'_>>) {
    let is_point = |block: &Block<'_>| matches!(block, Block::CachePoint(_));
    blocks.dedup_by(|later, earlier| is_point(later) && is_point(earlier));
    if blocks.first().is_some_and(is_point) {
        blocks.remove(0);
    }
}

/// Whether a tool loop is open whose thinking the client did not send back.
fn lost_thinking(turns: &[Turn<'_>]) -> LostThinking {
    let [.., before, last] = turns else { return LostThinking::No };
    let answers = last.content.iter().any(|block| matches!(block, Block::ToolResult { .. }));
    let thought = before.content.first().is_some_and(is_reasoning);
    if answers && !thought { LostThinking::Yes } else { LostThinking::No }
}

fn called(turns: &[Turn<'_>]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for block in turns.iter().flat_map(|turn| &turn.content) {
        if let Block::ToolUse { name, .. } = block
            && !names.iter().any(|known| known == name)
        {
            names.push(name.to_string());
        }
    }
    names
}

/// The beginning of an answer that the client wrote must not end in white space.
fn trim_prefill(turns: &mut [Turn<'_>]) {
    let Some(last) = turns.last_mut().filter(|turn| turn.role == Role::Assistant) else { return };
    let has_calls = last.content.iter().any(|block| matches!(block, Block::ToolUse { .. }));
    if !has_calls {
        last.content.retain(|block| !is_reasoning(block));
    }
    if let Some(Block::Text(text)) = last.content.last_mut() {
        let kept = text.trim_end().len();
        match text {
            Cow::Borrowed(borrowed) => *borrowed = borrowed.trim_end(),
            Cow::Owned(owned) => owned.truncate(kept),
        }
    }
}
