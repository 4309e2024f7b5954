//! What waits while a call is open, because blocks of this format cannot interleave.
//!
//! Order is kept. Whoever waits here owns its text; the encoder bounds how much that may be.

use super::answer::{Place, Signature};
use crate::chat::Event;
use std::collections::VecDeque;

/// Most pieces that wait.
const PIECES_MAX: usize = 1_024;

/// A piece of the answer that waits.
#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    Thought { text: String, block: u32 },
    Signature { text: String, place: Place, block: u32 },
    Call(WaitingCall),
}

/// A call that waits, or one that begins.
#[derive(Debug)]
pub(super) struct WaitingCall {
    pub(super) call: u32,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) custom: bool,
    pub(super) arguments: String,
    pub(super) ended: bool,
}

impl WaitingCall {
    /// The call that an event begins.
    pub(super) fn of(event: &Event<'_>) -> Option<Self> {
        let Event::ToolCallStart { call, id, name, custom, .. } = event else { return None };
        Some(Self {
            call: *call,
            id: id.to_string(),
            name: name.to_string(),
            custom: *custom,
            arguments: String::new(),
            ended: false,
        })
    }
}

/// The signature that an event tells.
pub(super) fn signature<'e>(event: &'e Event<'_>) -> Option<Signature<'e>> {
    let Event::ReasoningSignature { data, encrypted, format, id, .. } = event else { return None };
    Some(Signature { data, encrypted: *encrypted, format, id: id.as_deref() })
}

/// Pieces in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pieces: VecDeque<Piece>,
}

impl Waiting {
    pub(super) fn is_full(&self) -> bool {
        self.pieces.len() > PIECES_MAX
    }

    /// Bytes of text that wait.
    pub(super) fn bytes(&self) -> usize {
        let length = |piece: &Piece| match piece {
            Piece::Text(text) | Piece::Thought { text, .. } | Piece::Signature { text, .. } => {
                text.len()
            }
            Piece::Call(call) => call.arguments.len(),
        };
        self.pieces.iter().map(length).sum()
    }

    pub(super) fn pop(&mut self) -> Option<Piece> {
        self.pieces.pop_front()
    }

    /// No call that waits will get more arguments.
    pub(super) fn end_all(&mut self) {
        for piece in &mut self.pieces {
            if let Piece::Call(call) = piece {
                call.ended = true;
            }
        }
    }

    /// Adds what an event says; tells how many bytes of it are kept.
    pub(super) fn push(&mut self, event: &Event<'_>) -> usize {
        match event {
            Event::Text { text, .. } => self.text(text),
            Event::Audio { audio, .. } => self.text(audio.transcript.as_deref().unwrap_or("")),
            Event::Reasoning { text, block, .. } => self.thought(text, *block),
            Event::ReasoningSignature { block, .. } => {
                let Some(signature) = signature(event) else { return 0 };
                let text = signature.text().into_owned();
                let (bytes, place) = (text.len(), signature.place());
                self.pieces.push_back(Piece::Signature { text, place, block: *block });
                bytes
            }
            Event::ToolCallStart { id, name, .. } => {
                self.pieces.extend(WaitingCall::of(event).map(Piece::Call));
                id.len().saturating_add(name.len())
            }
            Event::ToolCallArguments { call, json, .. } => match self.call(*call) {
                Some(waiting) => {
                    waiting.arguments.push_str(json);
                    json.len()
                }
                // The call is over: its block is gone.
                None => 0,
            },
            Event::ToolCallEnd { call, .. } => {
                if let Some(waiting) = self.call(*call) {
                    waiting.ended = true;
                }
                0
            }
            _ => 0,
        }
    }

    fn call(&mut self, number: u32) -> Option<&mut WaitingCall> {
        self.pieces.iter_mut().rev().find_map(|piece| match piece {
            Piece::Call(call) if call.call == number && !call.ended => Some(call),
            _ => None,
        })
    }

    fn text(&mut self, text: &str) -> usize {
        match self.pieces.back_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Text(before)) => before.push_str(text),
            _ => self.pieces.push_back(Piece::Text(text.to_owned())),
        }
        text.len()
    }

    fn thought(&mut self, text: &str, block: u32) -> usize {
        match self.pieces.back_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Thought { text: before, block: at }) if *at == block => {
                before.push_str(text);
            }
            _ => self.pieces.push_back(Piece::Thought { text: text.to_owned(), block }),
        }
        text.len()
    }
}
