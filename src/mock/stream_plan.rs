//! From the events of a format to the bytes of a stream, faults included.
//!
//! The format modules list [`Item`]s without framing; [`assemble`] cuts the list where a fault
//! wants it, frames what remains and says how the stream ends. `body` sends the result.
//!
//! Invariant: without faults every item is sent once, in order, and the stream ends cleanly.

use bytes::Bytes;

use super::bedrock;
use super::script::{After, Fault};

/// What an event is to the faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Opens the stream, before any content.
    Start,
    /// Text, reasoning or tool arguments: what is counted.
    Content,
    /// Opens or closes a part between contents.
    Glue,
    /// Finish reason and usage.
    Finish,
    /// The sign that the stream is complete.
    Done,
}

/// One event without its framing.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) kind: Kind,
    /// Anthropic's event name.
    pub(super) event: Option<&'static str>,
    pub(super) data: String,
}

impl Item {
    /// An event without a name.
    pub(super) fn data(kind: Kind, data: String) -> Self {
        Self { kind, event: None, data }
    }
}

/// How events are set in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Server-sent events, lines ended by LF.
    Sse,
    /// Server-sent events, lines ended by CRLF.
    SseCrlf,
    /// One JSON array, an element per event.
    JsonArray,
    /// Binary frames with checksums.
    Binary,
}

/// How a stream ends once its pieces are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The HTTP body is complete.
    Clean,
    /// RST.
    Reset,
    /// FIN without the end of the HTTP body.
    Close,
    /// Silence until the client leaves.
    Stall,
}

/// Bytes to send together.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    /// Counts as a content event.
    pub(super) content: bool,
}

/// A stream ready to send.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) pieces: Vec<Piece>,
    pub(super) ending: Ending,
    /// Content events of the stream had there been no fault.
    pub(super) planned_events: u64,
}

/// Frames the items and applies the faults. `error` is the provider's event for `error_after`.
pub(super) fn assemble(
    mut items: Vec<Item>,
    framing: Framing,
    fault: &Fault,
    error: Option<Item>,
) -> Plan {
    let planned_events = items.iter().filter(|item| item.kind == Kind::Content).count() as u64;
    if let Some(after) = fault.bad_json_after {
        let at = position(&items, after);
        let event = items.get(at.saturating_sub(1)).and_then(|item| item.event);
        let data = r#"{"id":"broken","choices":[{"delta":{"content":"#.to_owned();
        items.insert(at, Item { kind: Kind::Glue, event, data });
    }
    if fault.end_without_done {
        items.retain(|item| item.kind != Kind::Done);
    }
    let ending = cut(&mut items, fault);
    let mut whole = ending == Ending::Clean && fault.end_after.is_none();
    if let (Some(after), Some(error)) = (fault.error_after, error) {
        items.truncate(position(&items, after));
        items.push(error);
        whole = true;
    }
    let pieces = frame_all(&items, framing, whole && !fault.end_without_done);
    Plan { pieces, ending, planned_events }
}

/// Removes what a fault keeps from being sent and names the end.
fn cut(items: &mut Vec<Item>, fault: &Fault) -> Ending {
    let faults = [
        (fault.end_after, Ending::Clean),
        (fault.reset_after, Ending::Reset),
        (fault.close_after, Ending::Close),
        (fault.stall_after, Ending::Stall),
    ];
    let mut ending = Ending::Clean;
    for (after, kind) in faults {
        if let Some(after) = after {
            items.truncate(position(items, after));
            ending = kind;
        }
    }
    ending
}

/// The index behind the given place; the end of the list if it lies beyond.
fn position(items: &[Item], after: After) -> usize {
    match after {
        After::Events(0) => 0,
        After::Events(count) => items
            .iter()
            .enumerate()
            .filter(|(_, item)| item.kind == Kind::Content)
            .nth(count - 1)
            .map_or(items.len(), |(at, _)| at + 1),
        After::Named(_) => {
            items.iter().position(|item| item.kind != Kind::Start).unwrap_or(items.len())
        }
    }
}

fn frame_all(items: &[Item], framing: Framing, close_array: bool) -> Vec<Piece> {
    let mut pieces: Vec<_> = items
        .iter()
        .enumerate()
        .map(|(at, item)| Piece {
            bytes: frame(item, framing, at == 0),
            content: item.kind == Kind::Content,
        })
        .collect();
    if framing == Framing::JsonArray && close_array {
        pieces.push(Piece { bytes: Bytes::from_static(b"\n]\n"), content: false });
    }
    pieces
}

fn frame(item: &Item, framing: Framing, first: bool) -> Bytes {
    let newline = match framing {
        Framing::Sse => "\n",
        Framing::SseCrlf => "\r\n",
        Framing::Binary => return bedrock::frame(item),
        Framing::JsonArray => {
            let before = if first { "[" } else { "\n,\r\n" };
            return Bytes::from([before, &item.data].concat());
        }
    };
    let event = item.event.map(|name| ["event: ", name, newline].concat());
    let event = event.as_deref().unwrap_or_default();
    Bytes::from([event, "data: ", &item.data, newline, newline].concat())
}
