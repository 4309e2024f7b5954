//! Cuts a byte stream into server-sent events; used on every streamed provider answer.
//!
//! The frames, one after the other, are the stream (less a byte order mark at its start): nothing
//! is dropped or rewritten. Every byte is looked at once and copied at most once, and only when
//! its event spans chunks; what is held is bounded by [`MAX_EVENT_BYTES`] plus what was pushed.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr2;
use thiserror::Error;

/// The size at which one event is refused.
pub const MAX_EVENT_BYTES: usize = 8 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// One event exceeds [`MAX_EVENT_BYTES`]; the stream cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a streamed event exceeds {MAX_EVENT_BYTES} bytes")]
pub struct EventTooLarge;

/// The splitter of one stream.
///
/// A frame ends with the line terminator of the first blank line (LF, CR LF or CR). A CR that is
/// the last byte pushed ends its frame at once; should an LF follow, it comes as a frame of its
/// own, which, like every frame without data, [`super::parse`] reads as no event.
#[derive(Debug, Default)]
pub struct Frames {
    /// Pushed, in order, and not yet cut; the scan is in the first.
    chunks: VecDeque<Bytes>,
    /// How much of the first chunk has been looked at.
    scanned: usize,
    /// The begun event's bytes from chunks before the first.
    begun: BytesMut,
    line: Line,
    /// The last byte looked at was CR: an LF right after it belongs to the same terminator.
    after_cr: bool,
    started: bool,
    failed: bool,
}

/// What the scan has seen of the current line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Line {
    #[default]
    Empty,
    Filled,
}

impl Frames {
    /// At the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.chunks.push_back(chunk);
        }
    }

    /// The next whole event with its blank line, a slice of the pushed chunk when it lies inside
    /// one; `None` until more is pushed. After an error every call gives the error again.
    #[expect(clippy::should_implement_trait, reason = "an iterator that ends does not go on")]
    pub fn next(&mut self) -> Result<Option<Bytes>, EventTooLarge> {
        self.cut(Self::scan_event)
    }

    /// All whole events pushed so far as one slice, without a copy unless they span chunks.
    pub fn take_complete(&mut self) -> Result<Option<Bytes>, EventTooLarge> {
        let mut complete = Bytes::new();
        loop {
            match self.cut(Self::scan_events) {
                Ok(Some(more)) => complete = join(complete, more),
                // What was complete before the fault still counts; the fault is found again.
                Err(fault) if complete.is_empty() => return Err(fault),
                Ok(None) | Err(_) => break,
            }
        }
        Ok((!complete.is_empty()).then_some(complete))
    }

    /// At the end of the stream: what follows the last event taken, if anything does.
    pub fn finish(&mut self) -> Option<Bytes> {
        let mut tail = self.begun.split().freeze();
        for chunk in std::mem::take(&mut self.chunks) {
            tail = join(tail, chunk);
        }
        self.scanned = 0;
        let tail = self.without_mark(tail);
        (!tail.is_empty()).then_some(tail)
    }

    /// Releases up to the end `scan` finds, setting aside chunks in which it finds none.
    fn cut(
        &mut self,
        scan: fn(&mut Self, &[u8]) -> Result<Option<usize>, EventTooLarge>,
    ) -> Result<Option<Bytes>, EventTooLarge> {
        if self.failed {
            return Err(EventTooLarge);
        }
        while let Some(mut chunk) = self.chunks.pop_front() {
            let Ok(end) = scan(self, &chunk) else {
                self.failed = true;
                return Err(EventTooLarge);
            };
            let Some(end) = end else {
                self.begun.extend_from_slice(&chunk);
                self.scanned = 0;
                continue;
            };
            let frame = chunk.split_to(end.min(chunk.len()));
            self.scanned = self.scanned.saturating_sub(end);
            self.push_front(chunk);
            let frame = join(std::mem::take(&mut self.begun).freeze(), frame);
            return Ok(Some(self.without_mark(frame)));
        }
        Ok(None)
    }

    fn push_front(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.chunks.push_front(chunk);
        }
    }

    /// The end of the current event in `chunk`.
    fn scan_event(&mut self, chunk: &[u8]) -> Result<Option<usize>, EventTooLarge> {
        let end = self.blank_line_end(chunk);
        let size = self.begun.len() + end.unwrap_or(chunk.len());
        if size > MAX_EVENT_BYTES { Err(EventTooLarge) } else { Ok(end) }
    }

    /// The end of the last event that ends in `chunk`.
    fn scan_events(&mut self, chunk: &[u8]) -> Result<Option<usize>, EventTooLarge> {
        let mut last = self.scan_event(chunk)?;
        while let Some(start) = last {
            let end = self.blank_line_end(chunk);
            // Too large an event is refused once it is the first: those before it still count.
            if end.is_none_or(|end| end - start > MAX_EVENT_BYTES) {
                break;
            }
            last = end;
        }
        Ok(last)
    }

    /// Scans on in `chunk` to the end of the next blank line.
    fn blank_line_end(&mut self, chunk: &[u8]) -> Option<usize> {
        loop {
            let rest = chunk.get(self.scanned..).filter(|rest| !rest.is_empty())?;
            if std::mem::take(&mut self.after_cr) && rest.starts_with(b"\n") {
                self.scanned += 1;
                // Its frame has been released already: the LF makes one of its own.
                if self.scanned == 1 && self.begun.is_empty() {
                    return Some(self.scanned);
                }
                continue;
            }
            let Some(length) = memchr2(b'\n', b'\r', rest) else {
                self.scanned = chunk.len();
                self.line = Line::Filled;
                return None;
            };
            let blank = length == 0 && self.line == Line::Empty;
            self.line = Line::Empty;
            self.scanned += length + 1;
            if rest.get(length) == Some(&b'\r') {
                let has_lf = rest.get(length + 1) == Some(&b'\n');
                self.scanned += usize::from(has_lf);
                self.after_cr = self.scanned == chunk.len() && !has_lf;
            }
            if blank {
                return Some(self.scanned);
            }
        }
    }

    /// `frame` without the byte order mark, if it is the first.
    fn without_mark(&mut self, mut frame: Bytes) -> Bytes {
        if !std::mem::replace(&mut self.started, true) && frame.starts_with(BYTE_ORDER_MARK) {
            frame.advance(BYTE_ORDER_MARK.len());
        }
        frame
    }
}

/// Both in one, copying only when both hold something.
fn join(first: Bytes, second: Bytes) -> Bytes {
    if first.is_empty() {
        return second;
    }
    if second.is_empty() {
        return first;
    }
    let mut both = BytesMut::from(first);
    both.extend_from_slice(&second);
    both.freeze()
}

#[cfg(test)]
mod tests;
