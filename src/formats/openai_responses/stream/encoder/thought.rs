//! A reasoning item that is being written: summaries, the reasoning itself, its signature.

use super::journal::{Journal, Place, end};
use crate::chat::message::ReasoningKind;
use crate::formats::openai_responses::write::{self, ReasoningParts, member, number};
use bytes::{BufMut, BytesMut};

/// An open reasoning item.
#[derive(Debug)]
pub(super) struct Thought {
    place: Place,
    parts: ReasoningParts,
    summaries: u64,
    contents: u64,
    part: Option<OpenPart>,
}

/// The part that is going on.
#[derive(Debug)]
struct OpenPart {
    shape: &'static Shape,
    /// Block that the part stands for.
    block: u32,
    index: u64,
    text: String,
}

/// How a kind of reasoning is spelled.
#[derive(Debug)]
struct Shape {
    part: &'static str,
    /// Member that counts the parts.
    index: &'static [u8],
    added: &'static str,
    delta: &'static str,
    done: &'static str,
    part_done: &'static str,
    is_summary: bool,
}

static SUMMARY: Shape = Shape {
    part: "summary_text",
    index: br#","summary_index":"#,
    added: "response.reasoning_summary_part.added",
    delta: "response.reasoning_summary_text.delta",
    done: "response.reasoning_summary_text.done",
    part_done: "response.reasoning_summary_part.done",
    is_summary: true,
};

static TEXT: Shape = Shape {
    part: "reasoning_text",
    index: br#","content_index":"#,
    added: "response.content_part.added",
    delta: "response.reasoning_text.delta",
    done: "response.reasoning_text.done",
    part_done: "response.content_part.done",
    is_summary: false,
};

impl Thought {
    /// Announces a reasoning item; `None` when there are too many items.
    pub(super) fn open(journal: &mut Journal, out: &mut BytesMut) -> Option<Self> {
        let place = journal.next_place("rs")?;
        let parts = ReasoningParts::default();
        let mut item = BytesMut::new();
        write::reasoning(Some(&place.id), &parts, &mut item);
        journal.added(&place, &item, out);
        Some(Self { place, parts, summaries: 0, contents: 0, part: None })
    }

    /// Writes a piece of reasoning; another block is another part.
    pub(super) fn piece(
        &mut self,
        journal: &mut Journal,
        (kind, block): (ReasoningKind, u32),
        text: &str,
        out: &mut BytesMut,
    ) {
        let shape = if kind == ReasoningKind::Summary { &SUMMARY } else { &TEXT };
        let goes_on =
            |part: &OpenPart| part.block == block && part.shape.is_summary == shape.is_summary;
        if !self.part.as_ref().is_some_and(goes_on) {
            self.close_part(journal, out);
            let counter = if shape.is_summary { &mut self.summaries } else { &mut self.contents };
            let part = OpenPart { shape, block, index: *counter, text: String::new() };
            *counter += 1;
            part.event(shape.added, &self.place, journal, out);
            part.end_with_part(out);
            self.part = Some(part);
        }
        let Some(part) = &mut self.part else { return };
        journal.keep(&mut part.text, text);
        part.event(shape.delta, &self.place, journal, out);
        member(out, br#","delta":"#, text);
        end(out);
    }

    fn close_part(&mut self, journal: &mut Journal, out: &mut BytesMut) {
        let Some(part) = self.part.take() else { return };
        part.event(part.shape.done, &self.place, journal, out);
        member(out, br#","text":"#, &part.text);
        end(out);
        part.event(part.shape.part_done, &self.place, journal, out);
        part.end_with_part(out);
        let parts = &mut self.parts;
        let list = if part.shape.is_summary { &mut parts.summary } else { &mut parts.content };
        write::push(list, |out| part.write(out));
    }

    /// Takes what the maker needs to go on; it is written when the item ends.
    pub(super) fn sign(&mut self, data: String) {
        self.parts.encrypted = Some(data);
    }

    /// Ends the item.
    pub(super) fn close(mut self, journal: &mut Journal, out: &mut BytesMut) {
        self.close_part(journal, out);
        let mut item = BytesMut::new();
        write::reasoning(Some(&self.place.id), &self.parts, &mut item);
        journal.done(&self.place, item, out);
    }
}

impl OpenPart {
    fn event(&self, kind: &str, place: &Place, journal: &mut Journal, out: &mut BytesMut) {
        journal.begin_at(kind, place, out);
        out.put_slice(self.shape.index);
        number(out, self.index);
    }

    fn end_with_part(&self, out: &mut BytesMut) {
        out.put_slice(br#","part":"#);
        self.write(out);
        end(out);
    }

    fn write(&self, out: &mut BytesMut) {
        write::plain_part(self.shape.part, "text", &self.text, out);
    }
}
