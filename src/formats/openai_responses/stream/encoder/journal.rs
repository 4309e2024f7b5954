//! The events of one stream in order, and the finished items that its last event repeats.
//!
//! Used by every part of the stream encoder. The format's last event holds the whole answer, so
//! that its text is kept: up to [`MAX_KEPT_BYTES`]. Beyond that the pieces still pass, but the
//! finished items and the last event hold only what was kept, the beginning.

use crate::formats::openai_responses::write::{Ids, number};
use crate::json::write_string;
use bytes::{BufMut, Bytes, BytesMut};

/// Most bytes of text that are kept of one answer.
pub(super) const MAX_KEPT_BYTES: usize = 16 << 20;
/// Most items of one answer; later ones are not written.
const MAX_ITEMS: usize = 4_096;

/// The state that all items share.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) ids: Ids,
    sequence: u64,
    /// Finished items by position.
    items: Vec<Option<Bytes>>,
    /// Bytes that may still be kept.
    room: usize,
}

/// An item's position and id.
#[derive(Debug)]
pub(super) struct Place {
    index: usize,
    pub(super) id: String,
}

impl Journal {
    pub(super) fn new(ids: Ids) -> Self {
        Self { ids, sequence: 0, items: Vec::new(), room: MAX_KEPT_BYTES }
    }

    /// The place of the next item; `None` beyond the limit.
    pub(super) fn next_place(&mut self, prefix: &str) -> Option<Place> {
        let index = self.items.len();
        if index >= MAX_ITEMS {
            return None;
        }
        self.items.push(None);
        let id = self.ids.item(prefix, u32::try_from(index).unwrap_or(u32::MAX));
        Some(Place { index, id })
    }

    /// Begins an event: its name, and its JSON up to a member that has to follow.
    pub(super) fn begin(&mut self, kind: &str, out: &mut BytesMut) {
        out.reserve(kind.len() * 2 + 192);
        for part in ["event: ", kind, "\ndata: {\"type\":\"", kind, "\",\"sequence_number\":"] {
            out.put_slice(part.as_bytes());
        }
        number(out, self.sequence);
        self.sequence += 1;
    }

    /// [`Self::begin`] for an event of an item.
    pub(super) fn begin_at(&mut self, kind: &str, place: &Place, out: &mut BytesMut) {
        self.begin(kind, out);
        out.put_slice(br#","item_id":"#);
        write_string(out, &place.id);
        write_index(place, out);
    }

    /// Announces an item.
    pub(super) fn added(&mut self, place: &Place, item: &[u8], out: &mut BytesMut) {
        self.whole_item("response.output_item.added", place, item, out);
    }

    /// Ends an item and keeps it for the last event.
    pub(super) fn done(&mut self, place: &Place, item: BytesMut, out: &mut BytesMut) {
        self.whole_item("response.output_item.done", place, &item, out);
        self.revise(place, item);
    }

    /// Keeps another version of an item that was ended, for the last event.
    pub(super) fn revise(&mut self, place: &Place, item: BytesMut) {
        if let Some(slot) = self.items.get_mut(place.index) {
            *slot = Some(item.freeze());
        }
    }

    fn whole_item(&mut self, kind: &str, place: &Place, item: &[u8], out: &mut BytesMut) {
        self.begin(kind, out);
        write_index(place, out);
        out.put_slice(br#","item":"#);
        out.put_slice(item);
        end(out);
    }

    /// Keeps text for the finished item, as long as there is room; once there is none, no later
    /// piece is kept, so that what is kept is the beginning.
    pub(super) fn keep(&mut self, kept: &mut String, text: &str) {
        if self.has_room(text.len()) {
            kept.push_str(text);
        }
    }

    /// Takes room for so many bytes.
    pub(super) fn has_room(&mut self, bytes: usize) -> bool {
        let left = self.room.checked_sub(bytes);
        self.room = left.unwrap_or(0);
        left.is_some()
    }

    /// The finished items, with commas between them.
    pub(super) fn output(&self) -> BytesMut {
        let mut output = BytesMut::new();
        for item in self.items.iter().flatten() {
            if !output.is_empty() {
                output.put_u8(b',');
            }
            output.put_slice(item);
        }
        output
    }
}

fn write_index(place: &Place, out: &mut BytesMut) {
    out.put_slice(br#","output_index":"#);
    number(out, place.index as u64);
}

/// Ends an event.
pub(super) fn end(out: &mut BytesMut) {
    out.put_slice(b"}\n\n");
}
