//! Writes neutral events as a stream of this format.
//!
//! Used by the translator for every upstream of another format. Each piece leaves at once, as an
//! event of the item it belongs to; the last event repeats the finished answer, of which the
//! journal therefore keeps the text. Items follow one another, but calls may be open side by side.
//! The format knows one alternative; others are left out.

mod calls;
mod journal;
mod message;
mod thought;

use super::super::write::{self, Envelope, Ids, Signature, Status};
use crate::chat::event::Event;
use crate::chat::response::Citation;
use crate::chat::{FinishReason, Usage};
use crate::error::GatewayError;
use crate::formats::charge::Charge;
use crate::formats::{AnswerLabel, Framing, StreamEncoder};
use crate::json::{find, write_string};
use bytes::{BufMut, BytesMut};
use calls::{Calls, Start};
use journal::Journal;
use message::{Message, PartKind, Told};
use thought::Thought;

/// Writes one stream.
#[derive(Debug)]
pub struct Encoder {
    label: AnswerLabel,
    model: String,
    journal: Journal,
    began: bool,
    ended: bool,
    open: Open,
    /// The last message that was ended.
    told: Option<Told>,
    calls: Calls,
    /// Encrypted reasoning that came while a message was open: it follows the message, which may
    /// still get its sources.
    pending: Vec<String>,
    /// Characters of text written.
    chars: u64,
    usage: Usage,
    charge: Option<Charge>,
    tier: Option<String>,
    finish: Option<FinishReason>,
}

/// The item that text goes to.
#[derive(Debug)]
enum Open {
    Nothing,
    Message(Message),
    Thought(Thought),
}

impl Encoder {
    /// An encoder for one answer. The format is always framed as server-sent events.
    pub fn new(label: AnswerLabel, _framing: Framing) -> Self {
        let ids = Ids::new(&label, None);
        Self {
            model: label.model.as_deref().unwrap_or_default().to_owned(),
            journal: Journal::new(ids),
            label,
            began: false,
            ended: false,
            open: Open::Nothing,
            told: None,
            calls: Calls::default(),
            pending: Vec::new(),
            chars: 0,
            usage: Usage::default(),
            charge: None,
            tier: None,
            finish: None,
        }
    }

    /// The first events, once.
    fn begin(&mut self, out: &mut BytesMut) {
        if !std::mem::replace(&mut self.began, true) {
            self.answer("response.created", Status::InProgress, out);
            self.answer("response.in_progress", Status::InProgress, out);
        }
    }

    fn start(&mut self, id: Option<&str>, model: Option<&str>, out: &mut BytesMut) {
        if self.began {
            return;
        }
        self.journal.ids = Ids::new(&self.label, id);
        if let (None, Some(model)) = (&self.label.model, model) {
            model.clone_into(&mut self.model);
        }
        self.begin(out);
    }

    /// Writes an event that holds the answer as far as it is known.
    fn answer(&mut self, kind: &str, status: Status<'_>, out: &mut BytesMut) {
        self.settle_told();
        self.journal.begin(kind, out);
        out.put_slice(br#","response":"#);
        let output = self.journal.output();
        let envelope = Envelope {
            id: &self.journal.ids.answer,
            created_s: self.label.created_s,
            model: &self.model,
            usage: Some(&self.usage).filter(|_| !matches!(status, Status::InProgress)),
            charge: self.charge.as_ref(),
            status,
            output: &output,
            tier: self.tier.as_deref(),
        };
        write::envelope(&envelope, out);
        journal::end(out);
    }

    fn close_open(&mut self, status: &'static str, out: &mut BytesMut) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {}
            Open::Message(message) => {
                self.settle_told();
                self.told = Some(message.close(&mut self.journal, status, out));
            }
            Open::Thought(thought) => thought.close(&mut self.journal, out),
        }
        for data in std::mem::take(&mut self.pending) {
            self.write_signature(data, out);
        }
    }

    fn settle_told(&mut self) {
        if let Some(told) = &mut self.told {
            told.settle(&mut self.journal);
        }
    }

    /// Sources of the text that is being written, or of the last one.
    fn cite(&mut self, citations: &[Citation<'_>], out: &mut BytesMut) {
        match (&mut self.open, &mut self.told) {
            (Open::Message(message), _) => message.cite(&mut self.journal, citations, out),
            (_, Some(told)) => told.cite(&mut self.journal, citations, out),
            _ => {}
        }
    }

    /// Writes a reasoning item, the open one or a new one, with its encrypted form.
    fn write_signature(&mut self, data: String, out: &mut BytesMut) {
        if !matches!(self.open, Open::Thought(_)) {
            self.open = Thought::open(&mut self.journal, out).map_or(Open::Nothing, Open::Thought);
        }
        if let Open::Thought(mut thought) = std::mem::replace(&mut self.open, Open::Nothing) {
            thought.sign(data);
            thought.close(&mut self.journal, out);
        }
    }

    fn text(&mut self, kind: PartKind, text: &str, out: &mut BytesMut) {
        if text.is_empty() {
            return;
        }
        if !matches!(self.open, Open::Message(_)) {
            self.close_open("completed", out);
            self.open = Message::open(&mut self.journal, out).map_or(Open::Nothing, Open::Message);
        }
        if let Open::Message(message) = &mut self.open {
            message.piece(&mut self.journal, (kind, self.chars), text, out);
        }
        if kind == PartKind::Text {
            self.chars = self.chars.saturating_add(text.chars().count() as u64);
        }
    }

    /// Makes sure that a reasoning item is open, unless there are too many items.
    fn open_thought(&mut self, out: &mut BytesMut) {
        if !matches!(self.open, Open::Thought(_)) {
            self.close_open("completed", out);
            self.open = Thought::open(&mut self.journal, out).map_or(Open::Nothing, Open::Thought);
        }
    }

    /// Signatures stay even where the text is withheld. One that belongs to something else than
    /// the text before it gets an item of its own; none is followed by more text of its block.
    fn sign(&mut self, signature: &Signature<'_>, out: &mut BytesMut) {
        let data = signature.text().into_owned();
        if !self.journal.has_room(data.len()) {
            return;
        }
        match &self.open {
            Open::Message(_) => return self.pending.push(data),
            Open::Thought(_) if signature.encrypted && !signature.is_own() => {
                self.close_open("completed", out);
            }
            Open::Thought(_) | Open::Nothing => {}
        }
        self.write_signature(data, out);
    }

    fn image(&mut self, mime: &str, data: &str, out: &mut BytesMut) {
        self.close_open("completed", out);
        let data = if self.journal.has_room(data.len()) { data } else { "" };
        let Some(place) = self.journal.next_place("ig") else { return };
        let mut item = BytesMut::new();
        write::image(&place.id, mime, None, &mut item);
        self.journal.added(&place, &item, out);
        item.clear();
        write::image(&place.id, mime, Some(data), &mut item);
        self.journal.done(&place, item, out);
    }

    fn spoken(&mut self, event: &Event<'_>, out: &mut BytesMut) {
        match event {
            Event::Text { text, .. } => self.text(PartKind::Text, text, out),
            Event::Refusal { text, .. } => self.text(PartKind::Refusal, text, out),
            Event::Audio { audio, .. } => {
                self.text(PartKind::Text, audio.transcript.as_deref().unwrap_or_default(), out);
            }
            Event::Reasoning { text, kind, block, .. } => {
                if text.is_empty() || self.label.exclude_reasoning {
                    return;
                }
                self.open_thought(out);
                if let Open::Thought(thought) = &mut self.open {
                    thought.piece(&mut self.journal, (*kind, *block), text, out);
                }
            }
            Event::ReasoningSignature { data, encrypted, format, id, .. } if !data.is_empty() => {
                let (encrypted, id) = (*encrypted, id.as_deref());
                self.sign(&Signature { data, encrypted, format, id }, out);
            }
            Event::Image { mime, data, .. } => self.image(mime, data, out),
            Event::Citations { citations, .. } => self.cite(citations, out),
            Event::Logprobs { json, .. } => {
                let json = json.get().as_bytes();
                let tokens = find(json, "content").and_then(|place| json.get(place));
                let tokens = tokens.and_then(|list| list.strip_prefix(b"[")?.strip_suffix(b"]"));
                if let (Open::Message(message), Some(tokens)) = (&mut self.open, tokens) {
                    message.logprobs(&mut self.journal, tokens);
                }
            }
            Event::ToolCallStart { call, id, name, custom, .. } => {
                self.close_open("completed", out);
                let start = Start { number: *call, id, name, custom: *custom };
                self.calls.start(&mut self.journal, &start, out);
            }
            Event::ToolCallArguments { call, json, .. } => {
                self.calls.arguments(&mut self.journal, *call, json, out);
            }
            Event::ToolCallEnd { call, .. } => self.calls.end(&mut self.journal, *call, out),
            _ => {}
        }
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &Event<'_>, out: &mut BytesMut) {
        if self.ended {
            return;
        }
        match event {
            Event::Start { id, model } => self.start(id.as_deref(), model.as_deref(), out),
            Event::Usage(later) => self.usage.merge(later),
            Event::ServiceTier(tier) => self.tier = Some(tier.to_string()),
            Event::Finish { choice: 0, reason, .. } => self.finish = Some(*reason),
            event if event.choice() == Some(0) => {
                self.begin(out);
                self.spoken(event, out);
            }
            _ => {}
        }
    }

    fn charge(&mut self, charge: Charge) {
        self.charge = Some(charge);
    }

    fn finish(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.begin(out);
        let broken = write::broken_off();
        let status = Status::of(self.finish.unwrap_or(FinishReason::Stop));
        let status = status.unwrap_or(Status::Failed(&broken));
        let (item_status, last) = match status {
            Status::Incomplete(_) => ("incomplete", "response.incomplete"),
            Status::Failed(_) => ("incomplete", "response.failed"),
            Status::InProgress | Status::Completed => ("completed", "response.completed"),
        };
        self.close_open(item_status, out);
        self.calls.end_all(&mut self.journal, item_status, out);
        self.answer(last, status, out);
    }

    fn fail(&mut self, error: &GatewayError, _request_id: &str, out: &mut BytesMut) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.journal.begin("error", out);
        let code = write::error_code(error.kind);
        // The members stand twice: the documents have them flat, the servers send them nested.
        write::member(out, br#","code":"#, code);
        write::member(out, br#","message":"#, &error.message);
        out.put_slice(br#","param":null,"error":{"type":"#);
        write_string(out, error.kind.name());
        write::member(out, br#","code":"#, code);
        write::member(out, br#","message":"#, &error.message);
        out.put_slice(br#","param":null}"#);
        journal::end(out);
        if self.began {
            self.answer("response.failed", Status::Failed(error), out);
        }
    }
}

#[cfg(test)]
mod tests;
