//! The client's side of one request: reading its body, writing the answer, noticing that it left.
//!
//! Nothing is written twice: the header is committed once, and after that only body bytes follow.
//! An early answer drains what the client is still sending, because an HTTP/2 client that is
//! answered before its body was read sees a broken stream instead of the answer.

use crate::error::{Blame, GatewayError, Kind, Retry};
use bytes::{Bytes, BytesMut};
use http::Version;
use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;
use pingora::proxy::Session;
use std::time::{Duration, Instant};

/// Bytes of an unread body that are read before an early answer.
const DRAIN_BEFORE_BYTES: usize = 64 * 1024;
/// Bytes of an unread body that are read after an early answer.
const DRAIN_AFTER_BYTES: usize = 64 * 1024 * 1024;
/// Time for draining before, and after, an early answer.
const DRAIN_BEFORE: Duration = Duration::from_millis(500);
const DRAIN_AFTER: Duration = Duration::from_secs(5);
/// Slowest upload that is tolerated after the grace time, in bytes per second.
const MIN_UPLOAD_RATE: u64 = 1024;
/// Longest upload, however steady.
const MAX_UPLOAD: Duration = Duration::from_mins(10);
/// First allocation for a body without a declared length.
const INITIAL_BODY_CAPACITY: usize = 16 * 1024;

/// The client of one request.
pub struct Downstream<'s> {
    session: &'s mut ServerSession,
    committed: bool,
    finished: bool,
    left: bool,
}

impl<'s> Downstream<'s> {
    /// The client behind a session.
    pub fn new(session: &'s mut Session) -> Self {
        Self {
            session: &mut session.downstream_session,
            committed: false,
            finished: false,
            left: false,
        }
    }

    /// Whether the header went out.
    pub fn is_committed(&self) -> bool {
        self.committed
    }

    /// Whether the last byte went out.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// The error of a client that was seen to go away.
    pub fn departure(&self) -> Option<GatewayError> {
        self.left.then(|| client_gone("it was seen to leave before"))
    }

    /// Reads the whole request body, at most `max_bytes`, refusing one that comes too slowly. The
    /// connection ends with a body that was not read to its end: what follows on it is in doubt.
    pub async fn read_body(
        &mut self,
        max_bytes: usize,
        grace: Duration,
    ) -> Result<Bytes, GatewayError> {
        let read = self.read_pieces(max_bytes, grace).await;
        if read.is_err() {
            self.session.set_keepalive(None);
        }
        read
    }

    async fn read_pieces(
        &mut self,
        max_bytes: usize,
        grace: Duration,
    ) -> Result<Bytes, GatewayError> {
        let declared = self.declared_length();
        if declared.is_some_and(|length| length > max_bytes) {
            return Err(too_large(max_bytes));
        }
        self.answer_expectation().await?;
        let started = Instant::now();
        let Some(first) = self.next_piece(started, 0, grace).await? else {
            return Ok(Bytes::new());
        };
        if declared == Some(first.len()) {
            // The usual small body: the one piece is kept as it is.
            return match self.next_piece(started, first.len(), grace).await? {
                None => Ok(first),
                Some(_) => Err(broken_body()),
            };
        }
        let capacity = declared.unwrap_or(INITIAL_BODY_CAPACITY).min(max_bytes);
        let mut body = BytesMut::with_capacity(capacity);
        let mut piece = first;
        loop {
            if body.len().saturating_add(piece.len()) > max_bytes {
                return Err(too_large(max_bytes));
            }
            body.extend_from_slice(&piece);
            match self.next_piece(started, body.len(), grace).await? {
                Some(next) => piece = next,
                None => return Ok(body.freeze()),
            }
        }
    }

    fn declared_length(&self) -> Option<usize> {
        self.session.req_header().headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    /// Tells a client that waits for it to send its body.
    pub async fn answer_expectation(&mut self) -> Result<(), GatewayError> {
        if self.session.req_header().headers.contains_key(EXPECT) {
            // Pingora takes any header before the body's end for an early answer, after which
            // the connection ends.
            let keepalive = self.session.get_keepalive();
            self.session.write_continue_response().await.map_err(client_gone)?;
            self.session.set_keepalive(keepalive);
        }
        Ok(())
    }

    async fn next_piece(
        &mut self,
        started: Instant,
        read_bytes: usize,
        grace: Duration,
    ) -> Result<Option<Bytes>, GatewayError> {
        let earned_s = u64::try_from(read_bytes).unwrap_or(u64::MAX) / MIN_UPLOAD_RATE;
        let allowed = grace.saturating_add(Duration::from_secs(earned_s)).min(MAX_UPLOAD);
        let left = allowed.saturating_sub(started.elapsed());
        match tokio::time::timeout(left, self.session.read_request_body()).await {
            Ok(read) => read.map_err(|error| broken_body().with_detail(error.to_string())),
            Err(_) => {
                Err(GatewayError::client(Kind::RequestTimeout, "the request body came too slowly"))
            }
        }
    }

    /// Sends the header of the answer.
    pub async fn write_header(&mut self, mut header: ResponseHeader) -> Result<(), GatewayError> {
        self.committed = true;
        let version = self.session.req_header().version;
        if version == Version::HTTP_11 && !header.headers.contains_key(CONTENT_LENGTH) {
            header.insert_header(TRANSFER_ENCODING, "chunked").map_err(unwritable)?;
        }
        self.session.write_response_header(Box::new(header)).await.map_err(client_gone)
    }

    /// Sends body bytes; with `End::Yes` they are the last ones.
    pub async fn write(&mut self, bytes: Bytes, end: End) -> Result<(), GatewayError> {
        let is_last = end == End::Yes;
        self.finished |= is_last;
        self.session.write_response_body(bytes, is_last).await.map_err(client_gone)
    }

    /// Sends a whole answer, draining what the client is still sending.
    pub async fn answer(
        &mut self,
        mut header: ResponseHeader,
        body: Bytes,
    ) -> Result<(), GatewayError> {
        let awaited = self.session.req_header().headers.contains_key(EXPECT);
        if awaited && !self.session.is_body_done() {
            // The client waits for a go-ahead it will not get; its connection cannot be reused.
            self.session.set_keepalive(None);
        } else {
            self.drain(DRAIN_BEFORE_BYTES, DRAIN_BEFORE).await;
        }
        let head_only = self.session.req_header().method == http::Method::HEAD;
        header.insert_header(CONTENT_LENGTH, body.len()).map_err(unwritable)?;
        let drained = self.session.is_body_done();
        self.write_header(header).await?;
        self.write(if head_only { Bytes::new() } else { body }, End::Yes).await?;
        if !drained && !awaited {
            self.drain(DRAIN_AFTER_BYTES, DRAIN_AFTER).await;
        }
        Ok(())
    }

    async fn drain(&mut self, max_bytes: usize, max_time: Duration) {
        let session = &mut *self.session;
        let read = async {
            let mut left = max_bytes;
            while let Ok(Some(piece)) = session.read_request_body().await {
                left = left.saturating_sub(piece.len());
                if left == 0 {
                    break;
                }
            }
        };
        // Whether it finished or ran out of time, the answer is sent.
        let _finished = tokio::time::timeout(max_time, read).await;
    }

    /// Waits until the client goes away. Only after the body was read.
    pub async fn gone(&mut self) -> GatewayError {
        loop {
            match self.session.read_body_or_idle(true).await {
                Ok(_) => {}
                Err(error) => {
                    self.left = true;
                    return client_gone(error);
                }
            }
        }
    }
}

/// Whether more body bytes follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// More may follow.
    No,
    /// These are the last ones.
    Yes,
}

fn too_large(max_bytes: usize) -> GatewayError {
    GatewayError::client(
        Kind::PayloadTooLarge,
        format!("the request body is larger than the limit of {max_bytes} bytes"),
    )
}

fn broken_body() -> GatewayError {
    GatewayError::client(Kind::InvalidRequest, "the request body is incomplete or broken")
}

fn unwritable(error: impl std::fmt::Display) -> GatewayError {
    GatewayError::internal(format!("response header: {error}"))
}

/// The client closed its connection, or it broke.
pub fn client_gone(error: impl std::fmt::Display) -> GatewayError {
    let mut gone = GatewayError::client(Kind::ClientClosed, "the client closed the connection");
    gone.blame = Blame::Client;
    gone.with_retry(Retry::Never).with_detail(error.to_string())
}
