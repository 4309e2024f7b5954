//! The TCP stream under one connection, with a switch that breaks it.
//!
//! A handler cannot reach the socket below hyper, so it sets the shared [`FaultCell`] and the next
//! write obeys: nothing more of the response leaves the machine. Used by `server` and `body`.
//!
//! Invariant: an unset cell costs one relaxed load per write and changes nothing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What a server answers that does not speak HTTP at all.
const GARBAGE: &[u8] = b"\x16\x03\x01\x02garbage, not HTTP\r\n\r\n\x00\xff\xfe";

/// How the connection shall break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Break {
    /// RST: the peer sees "connection reset".
    Reset = 1,
    /// FIN: the peer sees the end of the stream.
    Close = 2,
    /// Bytes that are not HTTP, then FIN.
    Garbage = 3,
}

/// The switch shared by the handlers of one connection and its stream.
#[derive(Debug, Default)]
pub(super) struct FaultCell(AtomicU8);

impl FaultCell {
    /// Breaks the connection at its next write or when it is dropped.
    pub(super) fn set(&self, fault: Break) {
        self.0.store(fault as u8, Ordering::Relaxed);
    }

    fn get(&self) -> Option<Break> {
        match self.0.load(Ordering::Relaxed) {
            1 => Some(Break::Reset),
            2 => Some(Break::Close),
            3 => Some(Break::Garbage),
            _ => None,
        }
    }
}

/// A `TcpStream` that obeys a [`FaultCell`].
pub(super) struct FaultIo {
    stream: TcpStream,
    cell: Arc<FaultCell>,
}

impl FaultIo {
    pub(super) fn new(stream: TcpStream, cell: Arc<FaultCell>) -> Self {
        Self { stream, cell }
    }

    /// Ready with an error once the cell is set; `Ok` when the write may go on.
    fn poll_fault(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(fault) = self.cell.get() else { return Poll::Ready(Ok(())) };
        if fault == Break::Garbage {
            ready!(Pin::new(&mut self.stream).poll_write(cx, GARBAGE))?;
            self.cell.set(Break::Close);
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, "scripted fault")))
    }
}

impl Drop for FaultIo {
    fn drop(&mut self) {
        if self.cell.get() == Some(Break::Reset) {
            self.stream.set_zero_linger().ok();
        }
    }
}

impl AsyncRead for FaultIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for FaultIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_fault(cx))?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_fault(cx))?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.cell.get() == Some(Break::Reset) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
