//! Bytes on their way to the client, copied only when something in them changes.
//!
//! Pieces of the chunk that just came in and follow one another are handed on as one slice of it;
//! with the first byte of another origin everything is gathered in a buffer.

use bytes::{Bytes, BytesMut};
use std::ops::Range;

/// What is to be sent.
#[derive(Debug, Default)]
pub(in crate::formats) struct Output {
    /// The chunk that came in last.
    source: Bytes,
    /// The part of it that is to be sent, after everything in `gathered`.
    run: Range<usize>,
    gathered: BytesMut,
}

impl Output {
    /// A new chunk came in; what is still unsent of the last one is gathered.
    pub(in crate::formats) fn begin(&mut self, chunk: &Bytes) {
        self.gather();
        self.source = chunk.clone();
    }

    /// Sends a piece of the input as it is.
    pub(in crate::formats) fn forward(&mut self, piece: &Bytes) {
        match self.place(piece) {
            Some(place) if self.run.is_empty() && self.gathered.is_empty() => self.run = place,
            Some(place) if place.start == self.run.end && self.gathered.is_empty() => {
                self.run.end = place.end;
            }
            _ => self.buffer().extend_from_slice(piece),
        }
    }

    /// The buffer, for bytes of another origin.
    pub(in crate::formats) fn buffer(&mut self) -> &mut BytesMut {
        self.gather();
        &mut self.gathered
    }

    /// Takes everything.
    pub(in crate::formats) fn take(&mut self) -> Bytes {
        let run = std::mem::take(&mut self.run);
        let source = std::mem::take(&mut self.source);
        if self.gathered.is_empty() {
            return if run.is_empty() { Bytes::new() } else { source.slice(run) };
        }
        self.gathered.split().freeze()
    }

    /// Completes a last CR LF of which only the first half has come: nothing will follow.
    pub(in crate::formats) fn end_line(&mut self) {
        let last = match self.run.end.checked_sub(1) {
            Some(at) if !self.run.is_empty() => self.source.get(at),
            _ => self.gathered.last(),
        };
        if last == Some(&b'\r') {
            self.buffer().extend_from_slice(b"\n");
        }
    }

    /// Ends an event that is to be sent without its blank line, so that another one may follow.
    pub(in crate::formats) fn end_event(&mut self) {
        self.gather();
        let sent = &self.gathered;
        let is_ended = ["\n\n", "\r\r", "\n\r\n"].iter().any(|end| sent.ends_with(end.as_bytes()));
        if !sent.is_empty() && !is_ended {
            let line_ended = matches!(sent.last(), Some(b'\n' | b'\r'));
            self.gathered.extend_from_slice(if line_ended { b"\n" } else { b"\n\n" });
        }
    }

    fn gather(&mut self) {
        let run = std::mem::take(&mut self.run);
        self.gathered.extend_from_slice(self.source.get(run).unwrap_or_default());
    }

    /// Where in the source the piece lies, if it is a part of it.
    fn place(&self, piece: &Bytes) -> Option<Range<usize>> {
        let start = piece.as_ptr().addr().checked_sub(self.source.as_ptr().addr())?;
        let end = start.checked_add(piece.len())?;
        (end <= self.source.len()).then_some(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjacent_pieces_stay_a_slice_of_the_chunk() {
        let chunk = Bytes::from_static(b"one two three");
        let mut out = Output::default();
        out.begin(&chunk);
        out.forward(&chunk.slice(0..4));
        out.forward(&chunk.slice(4..8));
        let sent = out.take();
        assert_eq!(sent, "one two ");
        assert_eq!(sent.as_ptr(), chunk.as_ptr());
    }

    #[test]
    fn gaps_and_additions_are_gathered_in_order() {
        let chunk = Bytes::from_static(b"one two three");
        let mut out = Output::default();
        out.begin(&chunk);
        out.forward(&Bytes::from_static(b"zero "));
        out.forward(&chunk.slice(0..4));
        out.forward(&chunk.slice(8..13));
        out.buffer().extend_from_slice(b" four");
        assert_eq!(out.take(), "zero one three four");
        out.begin(&chunk);
        out.forward(&chunk.slice(0..4));
        out.forward(&chunk.slice(8..13));
        assert_eq!(out.take(), "one three");
        assert!(out.take().is_empty());
    }

    #[test]
    fn an_event_is_ended_once() {
        for (sent, expected) in [
            ("", ""),
            ("\0", "\0\n\n"),
            ("data: x", "data: x\n\n"),
            ("data: x\r\n", "data: x\r\n\n"),
            ("data: x\n\n", "data: x\n\n"),
            ("data: x\r\n\r\n", "data: x\r\n\r\n"),
        ] {
            let chunk = Bytes::from_static(sent.as_bytes());
            let mut out = Output::default();
            out.begin(&chunk);
            out.forward(&chunk);
            out.end_event();
            assert_eq!(out.take(), expected);
        }
    }

    #[test]
    fn what_was_not_taken_survives_the_next_chunk() {
        let (first, second) = (Bytes::from_static(b"one"), Bytes::from_static(b"two"));
        let mut out = Output::default();
        out.begin(&first);
        out.forward(&first);
        out.begin(&second);
        out.forward(&second);
        assert_eq!(out.take(), "onetwo");
    }
}
