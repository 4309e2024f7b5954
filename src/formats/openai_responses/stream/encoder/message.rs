//! A message item that is being written: its text and refusals, piece by piece.
//!
//! Sources may come after its end, with a later item already open: they are told as what they are,
//! and the last event shows them in their place.

use super::journal::{Journal, Place, end};
use crate::chat::response::Citation;
use crate::formats::openai_responses::write::{self, TextPart, member, number};
use bytes::{BufMut, BytesMut};

/// An open message.
#[derive(Debug)]
pub(super) struct Message {
    place: Place,
    /// Finished parts, with commas between them.
    parts: BytesMut,
    /// Position of the part that is going on.
    index: u64,
    part: Option<OpenPart>,
}

/// The part that is going on.
#[derive(Debug)]
struct OpenPart {
    kind: PartKind,
    content: TextPart,
    /// Where the text begins among the whole answer's.
    base: u64,
    annotations: u64,
}

/// What a part of a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PartKind {
    Text,
    Refusal,
}

impl Message {
    /// Announces a message; `None` when there are too many items.
    pub(super) fn open(journal: &mut Journal, out: &mut BytesMut) -> Option<Self> {
        let place = journal.next_place("msg")?;
        let mut item = BytesMut::new();
        write::message(&place.id, "in_progress", b"", &mut item);
        journal.added(&place, &item, out);
        Some(Self { place, parts: BytesMut::new(), index: 0, part: None })
    }

    /// Writes a piece of text or of a refusal. `base` counts the answer's characters before it.
    pub(super) fn piece(
        &mut self,
        journal: &mut Journal,
        (kind, base): (PartKind, u64),
        text: &str,
        out: &mut BytesMut,
    ) {
        if self.part.as_ref().is_some_and(|part| part.kind != kind) {
            self.close_part(journal, out);
        }
        if self.part.is_none() {
            self.begin_part(journal, out, kind);
        }
        let Some(part) = &mut self.part else { return };
        if part.content.text.is_empty() {
            part.base = base;
        }
        journal.keep(&mut part.content.text, text);
        let (event, tail): (&str, &[u8]) = match kind {
            PartKind::Text => ("response.output_text.delta", br#","logprobs":[]"#),
            PartKind::Refusal => ("response.refusal.delta", b""),
        };
        journal.begin_at(event, &self.place, out);
        write_part_index(self.index, out);
        member(out, br#","delta":"#, text);
        out.put_slice(tail);
        end(out);
    }

    fn begin_part(&mut self, journal: &mut Journal, out: &mut BytesMut, kind: PartKind) {
        let part = OpenPart { kind, content: TextPart::default(), base: 0, annotations: 0 };
        journal.begin_at("response.content_part.added", &self.place, out);
        write_part_index(self.index, out);
        out.put_slice(br#","part":"#);
        part.write(out);
        end(out);
        self.part = Some(part);
    }

    /// Writes the sources of the text that is going on.
    pub(super) fn cite(
        &mut self,
        journal: &mut Journal,
        citations: &[Citation<'_>],
        out: &mut BytesMut,
    ) {
        let Some(part) = self.part.as_mut().filter(|part| part.kind == PartKind::Text) else {
            return;
        };
        for citation in citations {
            let mut note = BytesMut::new();
            write::annotation(citation, part.base, &mut note);
            if !journal.has_room(note.len()) {
                return;
            }
            journal.begin_at("response.output_text.annotation.added", &self.place, out);
            write_part_index(self.index, out);
            out.put_slice(br#","annotation_index":"#);
            number(out, part.annotations);
            out.put_slice(br#","annotation":"#);
            out.put_slice(&note);
            end(out);
            part.annotations += 1;
            write::push(&mut part.content.annotations, |list| list.put_slice(&note));
        }
    }

    /// Keeps log probabilities for the finished part.
    pub(super) fn logprobs(&mut self, journal: &mut Journal, tokens: &[u8]) {
        let Some(part) = &mut self.part else { return };
        if !tokens.is_empty() && journal.has_room(tokens.len()) {
            write::push(&mut part.content.logprobs, |list| list.put_slice(tokens));
        }
    }

    /// Ends the part that is going on; it stays, in case sources still come for it.
    fn end_part(&self, journal: &mut Journal, out: &mut BytesMut) {
        let Some(part) = &self.part else { return };
        let (event, key): (&str, &[u8]) = match part.kind {
            PartKind::Text => ("response.output_text.done", br#","text":"#),
            PartKind::Refusal => ("response.refusal.done", br#","refusal":"#),
        };
        journal.begin_at(event, &self.place, out);
        write_part_index(self.index, out);
        member(out, key, &part.content.text);
        if part.kind == PartKind::Text {
            out.put_slice(br#","logprobs":["#);
            out.put_slice(&part.content.logprobs);
            out.put_u8(b']');
        }
        end(out);
        journal.begin_at("response.content_part.done", &self.place, out);
        write_part_index(self.index, out);
        out.put_slice(br#","part":"#);
        part.write(out);
        end(out);
    }

    fn close_part(&mut self, journal: &mut Journal, out: &mut BytesMut) {
        self.end_part(journal, out);
        if let Some(part) = self.part.take() {
            write::push(&mut self.parts, |list| part.write(list));
            self.index += 1;
        }
    }

    fn item(&self, status: &str) -> BytesMut {
        let mut parts = self.parts.clone();
        if let Some(part) = &self.part {
            write::push(&mut parts, |list| part.write(list));
        }
        let mut item = BytesMut::new();
        write::message(&self.place.id, status, &parts, &mut item);
        item
    }

    /// Ends the message.
    pub(super) fn close(
        self,
        journal: &mut Journal,
        status: &'static str,
        out: &mut BytesMut,
    ) -> Told {
        self.end_part(journal, out);
        let item = self.item(status);
        journal.done(&self.place, item, out);
        Told { message: self, status, revised: false }
    }
}

/// A message that was ended.
#[derive(Debug)]
pub(super) struct Told {
    message: Message,
    status: &'static str,
    /// Whether sources came since.
    revised: bool,
}

impl Told {
    /// Writes sources that came late.
    pub(super) fn cite(
        &mut self,
        journal: &mut Journal,
        citations: &[Citation<'_>],
        out: &mut BytesMut,
    ) {
        self.message.cite(journal, citations, out);
        self.revised = true;
    }

    /// Puts the message as it is by now into the finished answer.
    pub(super) fn settle(&mut self, journal: &mut Journal) {
        if std::mem::replace(&mut self.revised, false) {
            journal.revise(&self.message.place, self.message.item(self.status));
        }
    }
}

impl OpenPart {
    fn write(&self, out: &mut BytesMut) {
        match self.kind {
            PartKind::Text => write::text_part(&self.content, out),
            PartKind::Refusal => {
                write::plain_part("refusal", "refusal", &self.content.text, out);
            }
        }
    }
}

fn write_part_index(index: u64, out: &mut BytesMut) {
    out.put_slice(br#","content_index":"#);
    number(out, index);
}
