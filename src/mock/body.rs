//! The response body: sends the pieces of a plan at their times and breaks where it says so.
//!
//! Built by `handle`, polled by hyper. It carries the journal entry, so a client that leaves
//! drops the body and thereby closes the entry.
//!
//! Invariant: the entry is recorded before the last byte is handed to hyper, so a client that has
//! read the whole answer finds it in the journal.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::fault_io::{Break, FaultCell};
use super::journal::OpenEntry;
use super::script::Reply;
use super::stream_plan::{Ending, Piece, Plan};

/// Rest before the connection breaks, so that what was sent before reaches the client.
const BREAK_REST: Duration = Duration::from_millis(100);

/// Pauses of a stream.
#[derive(Debug, Default, Clone, Copy)]
struct Pace {
    first_ms: u64,
    each_ms: u64,
    /// Bytes per write; 0 for whole pieces.
    chunk_bytes: usize,
}

/// A body with a plan.
#[expect(clippy::struct_excessive_bools, reason = "four independent marks of one position")]
pub(super) struct MockBody {
    pieces: std::vec::IntoIter<Piece>,
    current: Bytes,
    current_is_content: bool,
    pace: Pace,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Nothing was sent yet.
    fresh: bool,
    /// Let hyper flush before the next chunk.
    pause: bool,
    ending: Ending,
    breaking: bool,
    cell: Arc<FaultCell>,
    entry: Option<OpenEntry>,
    /// Bytes left, when they are known beforehand.
    exact: Option<u64>,
}

/// The body failed on purpose.
#[derive(Debug, thiserror::Error)]
#[error("scripted break")]
pub(super) struct ScriptedBreak;

impl MockBody {
    /// A body known as a whole; its entry is finished when the last byte leaves.
    pub(super) fn whole(bytes: Bytes, entry: Option<OpenEntry>) -> Self {
        let mut body = Self::empty(entry);
        body.exact = Some(bytes.len() as u64);
        if bytes.is_empty() {
            body.finish();
        }
        body.current = bytes;
        body
    }

    /// A stream.
    pub(super) fn stream(
        plan: Plan,
        reply: &Reply,
        cell: Arc<FaultCell>,
        mut entry: OpenEntry,
    ) -> Self {
        entry.planned_events(plan.planned_events);
        let pace = Pace {
            first_ms: reply.first_token_delay_ms,
            each_ms: reply.event_delay_ms,
            chunk_bytes: reply.fault.slow_body_chunk.unwrap_or(0),
        };
        let ending = plan.ending;
        let pieces = plan.pieces.into_iter();
        Self { pieces, pace, ending, cell, ..Self::empty(Some(entry)) }
    }

    fn empty(entry: Option<OpenEntry>) -> Self {
        Self {
            pieces: Vec::new().into_iter(),
            current: Bytes::new(),
            current_is_content: false,
            pace: Pace::default(),
            sleep: None,
            fresh: true,
            pause: false,
            ending: Ending::Clean,
            breaking: false,
            cell: Arc::default(),
            entry,
            exact: None,
        }
    }

    fn finish(&mut self) {
        if let Some(entry) = self.entry.take() {
            entry.finish();
        }
    }

    /// Takes the next piece, with the pause it waits for. `false` when none is left.
    fn advance(&mut self) -> bool {
        let Some(piece) = self.pieces.next() else { return false };
        let wait_ms = match (self.fresh, piece.content) {
            (true, _) => self.pace.first_ms,
            (false, true) => self.pace.each_ms,
            (false, false) => 0,
        };
        self.fresh = false;
        self.current = piece.bytes;
        self.current_is_content = piece.content;
        if wait_ms > 0 {
            self.sleep = Some(Box::pin(sleep(Duration::from_millis(wait_ms))));
        }
        true
    }

    /// The next chunk of the current piece.
    fn take_chunk(&mut self) -> Bytes {
        if std::mem::take(&mut self.current_is_content)
            && let Some(entry) = &mut self.entry
        {
            entry.event_sent();
        }
        let chunk = match self.pace.chunk_bytes {
            0 => std::mem::take(&mut self.current),
            size => self.current.split_to(size.min(self.current.len())),
        };
        self.pause = self.pace.chunk_bytes > 0;
        if let Some(exact) = &mut self.exact {
            *exact = exact.saturating_sub(chunk.len() as u64);
        }
        let last = self.current.is_empty() && self.pieces.as_slice().is_empty();
        if last && self.ending == Ending::Clean {
            self.finish();
        }
        chunk
    }

    /// What happens behind the last piece.
    fn poll_ending(&mut self) -> Poll<Option<Result<Frame<Bytes>, ScriptedBreak>>> {
        let (fault, name) = match self.ending {
            Ending::Clean => {
                self.finish();
                return Poll::Ready(None);
            }
            Ending::Stall => return Poll::Pending,
            Ending::Reset => (Break::Reset, "reset"),
            Ending::Close => (Break::Close, "close"),
        };
        self.cell.set(fault);
        if let Some(entry) = self.entry.take() {
            entry.fault(name);
        }
        Poll::Ready(Some(Err(ScriptedBreak)))
    }
}

impl Body for MockBody {
    type Data = Bytes;
    type Error = ScriptedBreak;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let body = &mut *self;
        loop {
            if let Some(sleep) = &mut body.sleep {
                ready!(sleep.as_mut().poll(cx));
                body.sleep = None;
            }
            if std::mem::take(&mut body.pause) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !body.current.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(body.take_chunk()))));
            }
            if body.advance() {
                continue;
            }
            let breaks = matches!(body.ending, Ending::Reset | Ending::Close);
            if breaks && !std::mem::replace(&mut body.breaking, true) {
                body.sleep = Some(Box::pin(sleep(BREAK_REST)));
                continue;
            }
            return body.poll_ending();
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.exact.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// A body of a page that leaves no journal entry.
pub(super) fn plain(bytes: impl Into<Bytes>) -> MockBody {
    MockBody::whole(bytes.into(), None)
}

/// The error type of the service, which never fails: faults travel through the body and the cell.
pub(super) type Never = Infallible;
