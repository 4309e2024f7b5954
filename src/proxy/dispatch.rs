//! Phase 2: one attempt. The request in the provider's format goes out over Pingora's connector,
//! and the header of the answer comes back.
//!
//! Headers are built from an allow-list; nothing of the caller's header is copied but what the
//! vendor asks for. The provider's key is added last.

use super::authorize::authorize;
use crate::error::{GatewayError, Kind, Retry, TimeLimit};
use crate::providers::google_token::Token;
use crate::providers::{Provider, ProviderKey};
use crate::upstream::{Inflate, InflateError};
use bytes::{Bytes, BytesMut};
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use pingora::connectors::http::Connector;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::client::HttpSession;
use pingora::upstreams::peer::{HttpPeer, Peer};
use pingora::{BError, ErrorType, RetryType};
use std::sync::Arc;
use std::time::Duration;

/// Informational answers that are swallowed before the real one must come.
const MAX_INFORMATIONAL: usize = 8;
/// Fields and bytes of an answer's header that are accepted.
const MAX_RESPONSE_FIELDS: usize = 100;
const MAX_RESPONSE_HEADER_BYTES: usize = 64 * 1024;
/// Pieces a body is written in, so that a large one does not block the stream's other users.
const WRITE_PIECE_BYTES: usize = 64 * 1024;
/// Bytes and time spent on reading an answer to its end, to keep the connection.
const MAX_DRAIN_BYTES: usize = 64 * 1024;
const MAX_DRAIN: Duration = Duration::from_millis(200);
/// Largest error answer that is read.
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// Longest time a piece of the body waits to be taken by a provider that does not read.
const MAX_WRITE_STALL: Duration = Duration::from_secs(10);
/// Time to read an error answer.
const ERROR_READ_TIMEOUT: Duration = Duration::from_secs(5);

/// A request ready to be sent to a provider.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// To whom.
    pub provider: Arc<Provider>,
    /// With which of its keys; `None` for a provider without keys.
    pub key: Option<usize>,
    /// Path and query, base path included.
    pub target: String,
    /// Media type that is asked for.
    pub accept: &'static str,
    /// Headers the vendor wants.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body in pieces.
    pub body: Vec<Bytes>,
    /// Length of all pieces.
    pub body_len: usize,
    /// From the end of the request until the header of the answer.
    pub first_byte: Duration,
    /// Unix time in seconds, for a signature.
    pub at_s: u64,
}

impl Outgoing {
    /// The key it goes out with.
    pub fn key(&self) -> Option<&ProviderKey> {
        self.provider.keys.get(self.key?)
    }
}

/// Which connections may carry a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// One that is kept open, if there is one.
    Kept,
    /// A new one: a kept one turned out to be dead, and the others may be as well.
    New,
}

/// An answer whose header was read and whose body was not.
pub struct UpstreamAnswer {
    session: HttpSession,
    peer: HttpPeer,
    /// Whether the whole request was sent; else the connection carries nothing more.
    sent_whole: bool,
    /// Whether it says in two ways where it ends: then the connection carries nothing more either.
    has_two_lengths: bool,
    /// What inflates the body; `None` if it is not compressed, an error if nothing can.
    coding: Result<Option<Box<Inflate>>, InflateError>,
    /// The token that authorised the request, if it was one.
    pub token: Option<Arc<Token>>,
    /// Status of the answer, 200 to 599.
    pub status: u16,
}

impl UpstreamAnswer {
    /// Header of the answer.
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.session.response_header().map(|header| &header.headers)
    }

    /// Whether the body can be read: it is not compressed, or in a way that is known.
    pub fn check_coding(&self) -> Result<(), GatewayError> {
        self.coding.as_ref().map(|_| ()).map_err(|error| unreadable(*error))
    }

    /// The next piece of the body, inflated; `None` at its end.
    pub async fn read(&mut self) -> Result<Option<Bytes>, GatewayError> {
        let inflate = match &mut self.coding {
            Ok(None) => return read_piece(&mut self.session).await,
            Ok(Some(inflate)) => inflate,
            Err(error) => return Err(unreadable(*error)),
        };
        inflate.check().map_err(unreadable)?;
        loop {
            let Some(piece) = read_piece(&mut self.session).await? else {
                return inflate.finish().map(|()| None).map_err(unreadable);
            };
            let inflated = inflate.push(&piece).map_err(unreadable)?;
            if !inflated.is_empty() {
                return Ok(Some(inflated));
            }
        }
    }

    /// The next piece of the body, which must come within `idle`.
    async fn read_within(&mut self, idle: Duration) -> Result<Option<Bytes>, GatewayError> {
        let read = tokio::time::timeout(idle, self.read()).await;
        read.unwrap_or_else(|_| Err(GatewayError::late(TimeLimit::Idle)))
    }

    /// Reads the rest of a whole answer, at most `max_bytes`, with at most `idle` between pieces.
    pub async fn read_all(
        &mut self,
        max_bytes: usize,
        idle: Duration,
    ) -> Result<Bytes, GatewayError> {
        let Some(first) = self.read_within(idle).await? else { return Ok(Bytes::new()) };
        let Some(second) = self.read_within(idle).await? else { return Ok(first) };
        let mut body = BytesMut::with_capacity(first.len().saturating_add(second.len()));
        let mut piece = Some(first);
        let mut next = Some(second);
        while let Some(bytes) = piece.take() {
            if body.len().saturating_add(bytes.len()) > max_bytes {
                let text = "the provider's answer is larger than the limit";
                return Err(GatewayError::upstream(Kind::ProviderUnavailable, text));
            }
            body.extend_from_slice(&bytes);
            piece = match next.take() {
                Some(bytes) => Some(bytes),
                None => self.read_within(idle).await?,
            };
        }
        Ok(body.freeze())
    }

    /// Reads an error answer, cut at a bound: its text is only looked at. What cannot be inflated
    /// is left out.
    pub async fn read_error(&mut self) -> Bytes {
        let mut body = BytesMut::new();
        let read = async {
            while let Ok(Some(piece)) = self.read().await {
                body.extend_from_slice(&piece);
                if body.len() >= MAX_ERROR_BYTES {
                    break;
                }
            }
        };
        // What came in time is all there is to judge by.
        let _finished = tokio::time::timeout(ERROR_READ_TIMEOUT, read).await;
        body.truncate(MAX_ERROR_BYTES);
        body.freeze()
    }

    /// Gives the connection back if its answer is read to the end, else closes it.
    pub async fn release(mut self, connector: &Connector) {
        let drain = async {
            let mut left = MAX_DRAIN_BYTES;
            while let Ok(Some(piece)) = self.session.read_response_body().await {
                left = left.saturating_sub(piece.len());
                if left == 0 {
                    return false;
                }
            }
            true
        };
        let drained = tokio::time::timeout(MAX_DRAIN, drain).await.unwrap_or(false);
        let is_clear = self.sent_whole && !self.has_two_lengths && self.session.response_done();
        if !drained || !is_clear {
            self.abandon().await;
            return;
        }
        if let HttpSession::H1(h1) = &mut self.session {
            h1.respect_keepalive();
        }
        let idle = self.peer.idle_timeout();
        connector.release_http_session(self.session, &self.peer, idle).await;
    }

    /// Stops the answer: the provider sees the connection or stream end at once.
    pub async fn abandon(mut self) {
        self.session.shutdown().await;
    }
}

/// Sends the request and waits for the header of the answer.
pub async fn send(
    connector: &Connector,
    outgoing: &Outgoing,
    connection: Connection,
) -> Result<UpstreamAnswer, GatewayError> {
    let peer = outgoing.provider.upstream.peer().await.map_err(|error| {
        GatewayError::upstream(Kind::ProviderUnavailable, "the provider could not be reached")
            .with_detail(error.to_string())
    })?;
    let mut header = request_header(outgoing)?;
    let token = authorize(connector, outgoing, &mut header).await?;
    let (mut session, is_reused) =
        connect(connector, &peer, connection).await.map_err(|error| unreachable_peer(&error))?;
    let patience = outgoing.provider.timeouts.idle.min(MAX_WRITE_STALL);
    session.set_write_timeout(Some(patience));
    match exchange_header(&mut session, header, (outgoing, patience)).await {
        Ok((status, sent_whole)) => {
            let (coding, has_two_lengths) = (coding_of(&session), has_two_lengths(&session));
            let answer = UpstreamAnswer {
                session,
                peer,
                sent_whole,
                has_two_lengths,
                coding,
                token,
                status,
            };
            Ok(answer)
        }
        Err(failure) => {
            session.shutdown().await;
            Err(failure.judge(&session, is_reused))
        }
    }
}

async fn connect(
    connector: &Connector,
    peer: &HttpPeer,
    connection: Connection,
) -> Result<(HttpSession, bool), BError> {
    match connection {
        Connection::Kept => connector.get_http_session(peer).await,
        Connection::New => {
            if peer.options.alpn.get_max_http_version() == 2 {
                // A dead HTTP/2 connection is known to be dead: what is left, or new, is shared.
                let found = connector.get_http_session(peer).await?;
                if !matches!(found, (HttpSession::H1(_), true)) {
                    return Ok(found);
                }
            }
            // No connection is kept under a key that nobody used before. An HTTP/2 connection of
            // one stream is not remembered under that key either.
            let mut unknown = peer.clone();
            unknown.group_key = rand::random();
            unknown.options.max_h2_streams = 1;
            connector.get_http_session(&unknown).await
        }
    }
}

/// Why no header came.
enum Failure {
    /// The connection or the stream broke.
    Broken(BError),
    /// The answer makes no sense.
    Nonsense(&'static str),
    /// None came in time.
    Late,
}

impl Failure {
    fn judge(self, session: &HttpSession, reused: bool) -> GatewayError {
        let error = match self {
            Self::Nonsense(text) => return nonsense(text),
            Self::Late => return GatewayError::late(TimeLimit::FirstByte),
            Self::Broken(error) => error,
        };
        // A kept HTTP/1 connection that the provider closed meanwhile carried nothing, and a
        // stream that it refused was not looked at: the same request may go out again, whatever
        // its method. An HTTP/2 connection is nearly always an old one, which says nothing.
        let untouched = match error.retry {
            RetryType::Decided(retry) => retry,
            RetryType::ReusedOnly => reused,
        };
        let stale = reused && matches!(session, HttpSession::H1(_));
        let failed = broken(&error);
        let again = (untouched || stale) && failed.kind != Kind::Timeout;
        failed.with_retry(if again { Retry::SameEndpoint } else { Retry::OtherEndpoint })
    }
}

/// Sends the request and reads the status of the answer; says too whether all of it was sent.
async fn exchange_header(
    session: &mut HttpSession,
    header: RequestHeader,
    (outgoing, patience): (&Outgoing, Duration),
) -> Result<(u16, bool), Failure> {
    session.write_request_header(Box::new(header)).await.map_err(Failure::Broken)?;
    // A provider may answer, and close, before it read the whole body: its answer counts, and if
    // there is none, why it stopped reading.
    let written = write_body(session, &outgoing.body).await;
    let sent_whole = written.is_ok();
    let limit = if sent_whole { outgoing.first_byte } else { outgoing.first_byte.min(patience) };
    let read = tokio::time::timeout(limit, read_header(session)).await;
    match (written, read.unwrap_or(Err(Failure::Late))) {
        (Err(error), Err(_)) if matches!(session, HttpSession::H1(_)) => {
            Err(Failure::Broken(error))
        }
        (_, read) => read.map(|status| (status, sent_whole)),
    }
}

async fn write_body(session: &mut HttpSession, body: &[Bytes]) -> Result<(), BError> {
    for piece in body {
        let mut rest = piece.clone();
        while !rest.is_empty() {
            let part = rest.split_to(rest.len().min(WRITE_PIECE_BYTES));
            session.write_request_body(part, false).await?;
        }
    }
    session.finish_request_body().await
}

async fn read_header(session: &mut HttpSession) -> Result<u16, Failure> {
    for _ in 0..=MAX_INFORMATIONAL {
        session.read_response_header().await.map_err(Failure::Broken)?;
        let Some(header) = session.response_header() else { break };
        match header.status.as_u16() {
            101 => return Err(Failure::Nonsense("the provider switched protocols unasked")),
            100..=199 => {}
            200..=599 => return within_bounds(header),
            _ => break,
        }
    }
    Err(Failure::Nonsense("the provider's answer has no usable status"))
}

async fn read_piece(session: &mut HttpSession) -> Result<Option<Bytes>, GatewayError> {
    session.read_response_body().await.map_err(|error| broken(&error))
}

fn coding_of(session: &HttpSession) -> Result<Option<Box<Inflate>>, InflateError> {
    let Some(header) = session.response_header() else { return Ok(None) };
    Ok(Inflate::for_header(&header.headers)?.map(Box::new))
}

/// Whether an answer has both a length and chunks. Somebody on the way may have believed the other
/// one, so that what follows on the connection is in doubt (RFC 9112, 6.3). Pingora believes the
/// chunks and takes the length out, which therefore is looked for in the bytes.
fn has_two_lengths(session: &HttpSession) -> bool {
    let HttpSession::H1(h1) = session else { return false };
    let is_chunked =
        h1.resp_header().is_some_and(|header| header.headers.contains_key(TRANSFER_ENCODING));
    let length = CONTENT_LENGTH.as_str().as_bytes();
    let names_it = |line: &[u8]| {
        line.get(..length.len()).is_some_and(|name| name.eq_ignore_ascii_case(length))
    };
    is_chunked && h1.get_headers_raw_bytes().split(|byte| *byte == b'\n').any(names_it)
}

fn within_bounds(header: &ResponseHeader) -> Result<u16, Failure> {
    let bytes: usize =
        header.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if header.headers.len() > MAX_RESPONSE_FIELDS || bytes > MAX_RESPONSE_HEADER_BYTES {
        return Err(Failure::Nonsense("the header of the provider's answer is too large"));
    }
    Ok(header.status.as_u16())
}

fn request_header(outgoing: &Outgoing) -> Result<RequestHeader, GatewayError> {
    let bad = |error: BError| GatewayError::internal(format!("upstream header: {error}"));
    let mut header =
        RequestHeader::build_no_case("POST", outgoing.target.as_bytes(), Some(16)).map_err(bad)?;
    let provider = &outgoing.provider;
    header.insert_header(HOST, &provider.authority).map_err(bad)?;
    header.insert_header(CONTENT_TYPE, "application/json").map_err(bad)?;
    header.insert_header(CONTENT_LENGTH, outgoing.body_len).map_err(bad)?;
    header.insert_header(ACCEPT, outgoing.accept).map_err(bad)?;
    header.insert_header(ACCEPT_ENCODING, "identity").map_err(bad)?;
    header
        .insert_header(USER_AGENT, concat!("arouter/", env!("CARGO_PKG_VERSION")))
        .map_err(bad)?;
    for (name, value) in outgoing.headers.iter().chain(&provider.extra_headers) {
        header.append_header(name.clone(), value).map_err(bad)?;
    }
    Ok(header)
}

fn unreachable_peer(error: &BError) -> GatewayError {
    let timed_out =
        matches!(error.etype(), ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout);
    let failed = if timed_out {
        GatewayError::late(TimeLimit::Connect)
    } else {
        let text = "the provider could not be reached";
        GatewayError::upstream(Kind::ProviderUnavailable, text)
    };
    // A kept HTTP/2 connection may be found to be ending only when a stream is opened on it.
    let ending = *error.etype() == ErrorType::H2Error;
    let retry = if ending { Retry::SameEndpoint } else { Retry::OtherEndpoint };
    failed.with_retry(retry).with_detail(error.to_string())
}

fn broken(error: &BError) -> GatewayError {
    let stalled = matches!(error.etype(), ErrorType::WriteTimedout | ErrorType::ReadTimedout);
    let failed = if stalled {
        let mut late = GatewayError::late(TimeLimit::Idle);
        late.message = "the connection to the provider stalled".into();
        late
    } else {
        let text = "the connection to the provider broke";
        GatewayError::upstream(Kind::ProviderUnavailable, text)
    };
    failed.with_detail(error.to_string())
}

fn nonsense(text: &'static str) -> GatewayError {
    GatewayError::upstream(Kind::ProviderUnavailable, text)
}

fn unreadable(error: InflateError) -> GatewayError {
    nonsense("the provider's answer could not be read").with_detail(error.to_string())
}
