//! Tool calls that are being written; several may be open at once.

use super::journal::{Journal, Place, end};
use crate::formats::openai_responses::write::{self, member};
use bytes::BytesMut;

/// The open calls of an answer.
#[derive(Debug, Default)]
pub(super) struct Calls {
    open: Vec<Call>,
}

/// An open call.
#[derive(Debug)]
struct Call {
    /// Number among the answer's calls.
    number: u32,
    place: Place,
    /// What the result has to name.
    answered_by: String,
    name: String,
    custom: bool,
    text: String,
    /// Whether any argument text was written.
    has_text: bool,
}

/// What a call is announced with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start<'e> {
    pub(super) number: u32,
    pub(super) id: &'e str,
    pub(super) name: &'e str,
    pub(super) custom: bool,
}

impl Calls {
    /// Announces a call.
    pub(super) fn start(&mut self, journal: &mut Journal, start: &Start<'_>, out: &mut BytesMut) {
        self.end(journal, start.number, out);
        let room = start.id.len().saturating_add(start.name.len());
        if !journal.has_room(room) {
            return;
        }
        let Some(place) = journal.next_place(write::call_prefix(start.custom)) else { return };
        let call = Call {
            number: start.number,
            place,
            answered_by: start.id.to_owned(),
            name: start.name.to_owned(),
            custom: start.custom,
            text: String::new(),
            has_text: false,
        };
        let item = call.item("in_progress");
        journal.added(&call.place, &item, out);
        self.open.push(call);
    }

    /// Writes a piece of a call's arguments.
    pub(super) fn arguments(
        &mut self,
        journal: &mut Journal,
        number: u32,
        text: &str,
        out: &mut BytesMut,
    ) {
        if text.is_empty() {
            return;
        }
        if let Some(call) = self.open.iter_mut().find(|call| call.number == number) {
            call.arguments(journal, text, out);
        }
    }

    /// Ends a call, if it is open.
    pub(super) fn end(&mut self, journal: &mut Journal, number: u32, out: &mut BytesMut) {
        if let Some(at) = self.open.iter().position(|call| call.number == number) {
            self.open.remove(at).close(journal, "completed", out);
        }
    }

    /// Ends all calls that are still open.
    pub(super) fn end_all(&mut self, journal: &mut Journal, status: &str, out: &mut BytesMut) {
        for call in std::mem::take(&mut self.open) {
            call.close(journal, status, out);
        }
    }
}

impl Call {
    fn item(&self, status: &str) -> BytesMut {
        let mut item = BytesMut::new();
        let call = write::Call {
            id: &self.place.id,
            answered_by: &self.answered_by,
            name: &self.name,
            text: &self.text,
            custom: self.custom,
        };
        write::call(&call, status, &mut item);
        item
    }

    fn arguments(&mut self, journal: &mut Journal, text: &str, out: &mut BytesMut) {
        self.has_text = true;
        journal.keep(&mut self.text, text);
        let event = if self.custom {
            "response.custom_tool_call_input.delta"
        } else {
            "response.function_call_arguments.delta"
        };
        journal.begin_at(event, &self.place, out);
        member(out, br#","delta":"#, text);
        end(out);
    }

    /// A function whose arguments never came takes none, which is an empty object.
    fn close(mut self, journal: &mut Journal, status: &str, out: &mut BytesMut) {
        if !self.has_text && !self.custom {
            self.arguments(journal, "{}", out);
        }
        if self.custom {
            journal.begin_at("response.custom_tool_call_input.done", &self.place, out);
            member(out, br#","input":"#, &self.text);
        } else {
            journal.begin_at("response.function_call_arguments.done", &self.place, out);
            member(out, br#","name":"#, &self.name);
            member(out, br#","arguments":"#, &self.text);
        }
        end(out);
        let item = self.item(status);
        journal.done(&self.place, item, out);
    }
}
