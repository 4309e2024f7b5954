//! A small call beside the requests of callers: one request, one bounded answer, one time limit.
//!
//! Used by `providers` to fetch tokens over the gateway's own connector, with the same rules for
//! addresses and certificates as every other connection. The connection is not kept.

use super::{ResolveError, Upstream};
use bytes::{Bytes, BytesMut};
use pingora::BError;
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use pingora::protocols::http::client::HttpSession;
use std::time::Duration;

/// Largest answer that is read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
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
    /// The answer makes no sense or is too large.
    #[error("the answer makes no sense")]
    Nonsense,
    /// It took too long.
    #[error("no answer within {0:?}")]
    Late(Duration),
}

/// Sends a request and reads the answer: its status and its body.
pub async fn call(
    connector: &Connector,
    upstream: &Upstream,
    (header, body): (RequestHeader, Bytes),
    limit: Duration,
) -> Result<(u16, Bytes), SideCallError> {
    let calling = async {
        let peer = upstream.peer().await?;
        let (mut session, _reused) = connector.get_http_session(&peer).await?;
        let answer = exchange(&mut session, header, body).await;
        session.shutdown().await;
        answer
    };
    tokio::time::timeout(limit, calling).await.unwrap_or(Err(SideCallError::Late(limit)))
}

async fn exchange(
    session: &mut HttpSession,
    header: RequestHeader,
    body: Bytes,
) -> Result<(u16, Bytes), SideCallError> {
    session.write_request_header(Box::new(header)).await?;
    session.write_request_body(body, false).await?;
    session.finish_request_body().await?;
    let status = read_status(session).await?;
    let mut answer = BytesMut::new();
    while let Some(piece) = session.read_response_body().await? {
        if answer.len().saturating_add(piece.len()) > MAX_ANSWER_BYTES {
            return Err(SideCallError::Nonsense);
        }
        answer.extend_from_slice(&piece);
    }
    Ok((status, answer.freeze()))
}

async fn read_status(session: &mut HttpSession) -> Result<u16, SideCallError> {
    for _ in 0..=MAX_INFORMATIONAL {
        session.read_response_header().await?;
        match session.response_header().map(|header| header.status.as_u16()) {
            Some(101) | None => break,
            Some(100..=199) => {}
            Some(status) => return Ok(status),
        }
    }
    Err(SideCallError::Nonsense)
}
