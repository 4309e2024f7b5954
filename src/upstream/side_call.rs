//! A small call beside the requests of callers: one request, one bounded answer, one time limit.
//!
//! Used by `providers` for tokens and by `proxy::media` for files, over the gateway's own connector,
//! with the same rules for addresses and certificates as every other connection. The connection is
//! not kept.

use super::{ResolveError, Upstream};
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use pingora::BError;
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use pingora::protocols::http::client::HttpSession;
use std::time::Duration;

/// Informational answers that are swallowed before the real one must come.
const MAX_INFORMATIONAL: usize = 8;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SideCallError {
    /// The name has no usable address.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The connection could not be made, or broke.
    #[error("{0}")]
    Broken(#[from] BError),
    /// The answer makes no sense.
    #[error("the answer makes no sense")]
    Nonsense,
    /// The answer is larger than the bound.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// It took too long.
    #[error("no answer within {0:?}")]
    Late(Duration),
}

/// Bounds of one call.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Largest body of the answer.
    pub max_bytes: usize,
    /// Time for everything.
    pub time: Duration,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// Status, not informational.
    pub status: u16,
    /// Header.
    pub headers: HeaderMap,
    /// Body, whole.
    pub body: Bytes,
}

/// Sends a request and reads the answer.
pub async fn call(
    connector: &Connector,
    upstream: &Upstream,
    (header, body): (RequestHeader, Bytes),
    bounds: Bounds,
) -> Result<Answer, SideCallError> {
    let calling = async {
        let peer = upstream.peer().await?;
        let (mut session, _reused) = connector.get_http_session(&peer).await?;
        let answer = exchange(&mut session, (header, body), bounds.max_bytes).await;
        session.shutdown().await;
        answer
    };
    tokio::time::timeout(bounds.time, calling)
        .await
        .unwrap_or(Err(SideCallError::Late(bounds.time)))
}

async fn exchange(
    session: &mut HttpSession,
    (header, body): (RequestHeader, Bytes),
    max_bytes: usize,
) -> Result<Answer, SideCallError> {
    session.write_request_header(Box::new(header)).await?;
    if !body.is_empty() {
        session.write_request_body(body, false).await?;
    }
    session.finish_request_body().await?;
    let (status, headers) = read_header(session).await?;
    let mut answer = BytesMut::new();
    while let Some(piece) = session.read_response_body().await? {
        if answer.len().saturating_add(piece.len()) > max_bytes {
            return Err(SideCallError::TooLarge(max_bytes));
        }
        answer.extend_from_slice(&piece);
    }
    Ok(Answer { status, headers, body: answer.freeze() })
}

async fn read_header(session: &mut HttpSession) -> Result<(u16, HeaderMap), SideCallError> {
    for _ in 0..=MAX_INFORMATIONAL {
        session.read_response_header().await?;
        let Some(header) = session.response_header() else { break };
        match header.status.as_u16() {
            101 => break,
            100..=199 => {}
            status => return Ok((status, header.headers.clone())),
        }
    }
    Err(SideCallError::Nonsense)
}
