//! Writes a whole answer as an Anthropic message.
//!
//! Called by `formats::answer`. Parts keep their order. The format has no place for pictures, sound
//! and log probabilities in an answer: they are left out, but what was spoken is written as text.

use super::super::answer::{
    self, CITATIONS_MAX, Place, Said, Signature, Unstated, stop_reason, write_citation, write_usage,
};
use super::super::{CALL_SIGNATURE_FORMAT, input};
use crate::chat::message::{Part, Reasoning, ReasoningKind};
use crate::chat::response::{Choice, Citation};
use crate::chat::tool::ToolCall;
use crate::chat::{FinishReason, Response};
use crate::formats::AnswerLabel;
use crate::json::write_string;
use bytes::{BufMut, Bytes, BytesMut};

#[cfg(test)]
mod tests;

/// Writes the answer under the gateway's label; of several alternatives the first.
pub fn encode(response: &Response<'_>, label: &AnswerLabel) -> Bytes {
    let choice = response.choices.iter().min_by_key(|choice| choice.index);
    let mut out = BytesMut::with_capacity(1_024);
    out.put_slice(br#"{"id":"#);
    write_string(&mut out, &answer::message_id(response.id.as_deref(), label));
    out.put_slice(br#","type":"message","role":"assistant","model":"#);
    let model = label.model.as_deref().or(response.model.as_deref());
    write_string(&mut out, model.unwrap_or_default());
    out.put_slice(br#","content":["#);
    let mut writer = Writer::new(choice, label, &mut out);
    for part in choice.into_iter().flat_map(|choice| &choice.parts) {
        writer.part(part);
    }
    let (said, explanation) = (writer.said, writer.explanation);
    out.put_slice(b"],");
    let finish = choice.map_or(FinishReason::Stop, |choice| choice.finish);
    let native = choice.and_then(|choice| choice.native_finish.as_deref());
    let explanation = Some(explanation.as_str()).filter(|text| !text.is_empty());
    answer::write_stop(stop_reason(finish, native, said), explanation, &mut out);
    out.put_slice(br#","usage":"#);
    let tier = response.service_tier.as_deref();
    write_usage(&response.usage, tier, Unstated::Zero, &mut out);
    out.put_u8(b'}');
    out.freeze()
}

struct Writer<'r, 'o> {
    out: &'o mut BytesMut,
    citations: &'r [Citation<'r>],
    finish: FinishReason,
    exclude_reasoning: bool,
    /// Blocks written so far.
    blocks: usize,
    /// Characters of text written so far, counted only where sources refer to them.
    chars: u64,
    /// Characters of all text.
    chars_total: u64,
    cited: usize,
    said: Said,
    /// The provider's words on why it withheld the answer.
    explanation: String,
}

impl<'r, 'o> Writer<'r, 'o> {
    fn new(choice: Option<&'r Choice<'r>>, label: &AnswerLabel, out: &'o mut BytesMut) -> Self {
        let citations = choice.map_or(&[][..], |choice| &choice.citations);
        let parts = choice.filter(|_| !citations.is_empty()).map_or(&[][..], |c| &c.parts);
        let chars = parts.iter().map(|part| match part {
            Part::Text { text, .. } => text.chars().count() as u64,
            _ => 0,
        });
        Self {
            out,
            citations,
            finish: choice.map_or(FinishReason::Stop, |choice| choice.finish),
            exclude_reasoning: label.exclude_reasoning,
            blocks: 0,
            chars: 0,
            chars_total: chars.sum(),
            cited: 0,
            said: Said::Other,
            explanation: String::new(),
        }
    }

    fn part(&mut self, part: &Part<'_>) {
        match part {
            Part::Text { text, .. } => self.text(text),
            // A provider's reason to withhold the answer is no part of it; a model's refusal is.
            Part::Refusal { text } if self.finish == FinishReason::ContentFilter => {
                self.explanation.push_str(text);
            }
            Part::Refusal { text } => {
                self.refused();
                self.plain(text);
            }
            Part::Reasoning(piece) => self.reasoning(piece),
            Part::ToolCall(call) => self.call(call),
            Part::SpokenAnswer(audio) => {
                self.plain(audio.transcript.as_deref().unwrap_or_default());
            }
            Part::Image { .. }
            | Part::File { .. }
            | Part::Audio { .. }
            | Part::Video { .. }
            | Part::ToolResult { .. } => {}
        }
    }

    fn refused(&mut self) {
        if self.said == Said::Other {
            self.said = Said::Refusal;
        }
    }

    fn open(&mut self, start: &[u8]) {
        if self.blocks > 0 {
            self.out.put_u8(b',');
        }
        self.blocks += 1;
        self.out.put_slice(start);
    }

    fn plain(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.open(br#"{"type":"text","text":"#);
        write_string(self.out, text);
        self.out.put_u8(b'}');
    }

    /// Text is cut where sources begin and end, because here a source belongs to a whole block.
    fn text(&mut self, text: &str) {
        if self.citations.is_empty() {
            return self.plain(text);
        }
        let start = self.chars;
        let end = start.saturating_add(text.chars().count() as u64);
        let edges = self.citations.iter().flat_map(|source| [source.start, source.end]);
        let mut edges: Vec<u64> = edges.filter(|edge| (start..end).contains(edge)).collect();
        edges.push(end);
        edges.sort_unstable();
        edges.dedup();
        let mut rest = text;
        for edge in edges {
            let length = usize::try_from(edge - self.chars).unwrap_or(usize::MAX);
            let cut = rest.char_indices().nth(length).map_or(rest.len(), |(at, _)| at);
            let (piece, after) = rest.split_at_checked(cut).unwrap_or((rest, ""));
            rest = after;
            self.cited_piece(piece, self.chars, edge);
            self.chars = edge;
        }
    }

    fn cited_piece(&mut self, piece: &str, start: u64, end: u64) {
        if piece.is_empty() {
            return;
        }
        self.open(br#"{"type":"text","text":"#);
        write_string(self.out, piece);
        let is_last = end == self.chars_total;
        let covers = |source: &&Citation<'_>| {
            let nowhere = source.start >= source.end || source.start >= self.chars_total;
            (source.start < end && source.end > start) || (nowhere && is_last)
        };
        let room = CITATIONS_MAX.saturating_sub(self.cited);
        let mut separator: &[u8] = br#","citations":["#;
        let before = self.cited;
        for source in self.citations.iter().filter(covers).take(room) {
            self.out.put_slice(std::mem::replace(&mut separator, b","));
            write_citation(&source.url, &source.title, self.out);
            self.cited += 1;
        }
        self.out.put_slice(if self.cited > before { b"]}" } else { b"}" });
    }

    fn reasoning(&mut self, piece: &Reasoning<'_>) {
        let (format, id) = (piece.format.as_deref(), piece.id.as_deref());
        let data = piece.signature.as_deref();
        let signature = data.map(|data| Signature::of(piece.kind, data, format, id));
        let text = if self.exclude_reasoning { "" } else { piece.text.as_ref() };
        match signature {
            Some(signature) if signature.place() == Place::Redacted => {
                self.open(br#"{"type":"redacted_thinking","data":"#);
                write_string(self.out, &signature.text());
                self.out.put_u8(b'}');
            }
            Some(signature) => self.thinking(text, &signature.text()),
            None if text.is_empty() => {}
            None => self.thinking(text, ""),
        }
    }

    fn thinking(&mut self, text: &str, signature: &str) {
        self.open(br#"{"type":"thinking","thinking":"#);
        write_string(self.out, text);
        self.out.put_slice(br#","signature":"#);
        write_string(self.out, signature);
        self.out.put_u8(b'}');
    }

    fn call(&mut self, call: &ToolCall<'_>) {
        let is_cut = self.finish == FinishReason::Length && !call.custom;
        if is_cut && !input::is_whole(&call.arguments) {
            return;
        }
        if let Some(data) = &call.signature {
            let kind = ReasoningKind::Encrypted;
            let signature = Signature::of(kind, data, Some(CALL_SIGNATURE_FORMAT), Some(&call.id));
            self.thinking("", &signature.text());
        }
        self.said = Said::Calls;
        self.open(br#"{"type":"tool_use","id":"#);
        write_string(self.out, &call.id);
        self.out.put_slice(br#","name":"#);
        write_string(self.out, &call.name);
        self.out.put_slice(br#","input":"#);
        let arguments = if call.custom {
            input::free_text(&call.arguments)
        } else {
            input::object(&call.arguments, false)
        };
        self.out.put_slice(arguments.get().as_bytes());
        self.out.put_u8(b'}');
    }
}
