//! The spine: the life of a request.
//!
//! Reading order: [`entry`], [`operation`], `serve`, [`admit`] (with [`demand`] and
//! [`limit`]), [`exchange`], [`encode`] (with
//! [`media`]), [`dispatch`] (with [`authorize`]), [`failover`], [`respond`], [`settle`]; beside them
//! [`raw`], [`local`], [`manage`] and [`reject`].
//!
//! | hook of Pingora | what it does here |
//! |---|---|
//! | `early_request_filter` | [`entry`]: limits, request id |
//! | `request_filter` | [`entry`] gate, [`operation`], [`admit`], then [`exchange`] (chat, embeddings), [`local`] (models, health), [`manage`] (keys, money) or on to the pump ([`raw`]) |
//! | `upstream_peer`, `upstream_request_filter`, `upstream_response_filter`, `response_body_filter`, `fail_to_proxy` | [`raw`] only |
//! | `logging` | metrics and the access line |
//!
//! Chat runs inside `request_filter` with Pingora's own HTTP client, because a fallback must see
//! the error body or the first event, and a silent provider must not silence the gateway. Every
//! route but the health check passes [`admit::identify`].

pub mod admit;
mod ask;
pub mod attribution;
pub mod authorize;
pub mod auto_route;
pub mod context;
pub mod demand;
pub mod detach;
pub mod dispatch;
pub mod downstream;
pub mod encode;
pub mod entry;
pub mod exchange;
pub mod failover;
pub mod judge;
pub mod keep_alive;
pub mod limit;
pub mod local;
pub mod manage;
pub mod media;
pub mod opening;
pub mod operation;
pub mod raw;
pub mod raw_tap;
pub mod reject;
pub mod respond;
mod serve;
pub mod settle;
pub mod state;
pub mod steer;
pub mod stream_clock;
pub mod tariff;
pub mod tool_judge;

use crate::error::{GatewayError, Kind};
use async_trait::async_trait;
use bytes::Bytes;
use context::{Access, InFlight, RequestContext};
use operation::Surface;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::proxy::{FailToProxy, ProxyHttp, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{BError, Error, ErrorSource, ErrorType, Result};
use state::Services;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The gateway as Pingora sees it.
#[derive(Debug)]
pub struct Gateway {
    services: Arc<Services>,
}

/// Set once the header of a request was read; the listener's deadline waits for it.
#[derive(Debug, Default)]
pub struct HeaderSeen(AtomicBool);

impl HeaderSeen {
    /// Whether the header was read.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Gateway {
    /// A gateway over these services.
    pub fn new(services: Arc<Services>) -> Self {
        Self { services }
    }
}

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = RequestContext;

    fn new_ctx(&self) -> RequestContext {
        RequestContext {
            started: Instant::now(),
            // The time that limits go by: a record counts in the window and day it was let in.
            created_ms: self.services.meters.now_ms(),
            request_id: String::new(),
            snapshot: None,
            surface: Surface::V1,
            operation: "none",
            key_name: None,
            access: Access::default(),
            raw: None,
            in_flight: None,
        }
    }

    /// No module of Pingora touches a body: what passes is measured byte by byte.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    /// What is left here tells the listener that the next request comes on a kept connection.
    fn persist_connection_context(
        &self,
        _session: &Session,
        _context: &RequestContext,
    ) -> Option<Box<dyn Any + Send + Sync>> {
        Some(Box::new(Arc::new(HeaderSeen::default())))
    }

    /// Called with what the listener left, once the header was read.
    fn on_connection_reuse(
        &self,
        _session: &mut Session,
        _context: &mut RequestContext,
        previous: Box<dyn Any + Send + Sync>,
    ) {
        if let Ok(seen) = previous.downcast::<Arc<HeaderSeen>>() {
            seen.0.store(true, Ordering::Release);
        }
    }

    async fn early_request_filter(
        &self,
        session: &mut Session,
        context: &mut RequestContext,
    ) -> Result<()> {
        entry::set_limits(session, self.services.closes_connections());
        context.request_id = entry::request_id(&session.req_header().headers);
        context.in_flight = Some(InFlight::enter(&self.services.metrics.requests_in_flight));
        Ok(())
    }

    async fn request_filter(
        &self,
        session: &mut Session,
        context: &mut RequestContext,
    ) -> Result<bool> {
        // Boxed: the exchange's state would be copied about in every future around it.
        Ok(Box::pin(serve::serve(&self.services, session, context)).await)
    }

    async fn upstream_peer(
        &self,
        _session: &mut Session,
        context: &mut RequestContext,
    ) -> Result<Box<HttpPeer>> {
        let raw = context.raw.as_mut().ok_or_else(no_raw_call)?;
        raw.peer(&self.services.connector).await.map(Box::new).map_err(|error| refuse(&error))
    }

    async fn upstream_request_filter(
        &self,
        _session: &mut Session,
        header: &mut RequestHeader,
        context: &mut RequestContext,
    ) -> Result<()> {
        let raw = context.raw.as_ref().ok_or_else(no_raw_call)?;
        raw.rewrite_request(header).map_err(|error| refuse(&error))
    }

    async fn upstream_response_filter(
        &self,
        _session: &mut Session,
        header: &mut ResponseHeader,
        context: &mut RequestContext,
    ) -> Result<()> {
        let raw = context.raw.as_mut().ok_or_else(no_raw_call)?;
        raw.filter_response(header).map_err(|error| refuse(&error))?;
        serve::add_ids(header, context).map_err(|error| refuse(&error))
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        context: &mut RequestContext,
    ) -> Result<Option<Duration>> {
        if let Some(raw) = context.raw.as_mut() {
            raw.watch(body, end_of_stream);
        }
        Ok(None)
    }

    /// A kept connection that the provider closed meanwhile carried nothing, so that the request
    /// may go out again whatever its method, if all of it is still at hand.
    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        mut error: BError,
        _context: &mut RequestContext,
        client_reused: bool,
    ) -> BError {
        if session.as_ref().retry_buffer_truncated() {
            error.set_retry(false);
        } else {
            error.retry.decide_reuse(client_reused);
        }
        error
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        context: &mut RequestContext,
    ) -> FailToProxy {
        let gateway_error = raw_failure(error).with_detail(error.etype().as_str());
        context.access.error = Some(gateway_error.kind);
        context.access.error_detail.clone_from(&gateway_error.detail);
        let committed = session.response_written().is_some();
        if !committed && gateway_error.kind != Kind::ClientClosed {
            serve::reject(session, context, &gateway_error).await;
        }
        FailToProxy { error_code: gateway_error.kind.status(), can_reuse_downstream: false }
    }

    async fn logging(
        &self,
        session: &mut Session,
        error: Option<&Error>,
        context: &mut RequestContext,
    ) {
        if let Some(mut raw) = context.raw.take() {
            raw.close(error.map(raw_failure).as_ref(), context);
        }
        serve::log(&self.services, session, context);
    }

    /// Pingora would print the whole target, with the key that Gemini's clients put into it.
    fn request_summary(&self, session: &Session, _context: &RequestContext) -> String {
        let header = session.req_header();
        format!("{} {}", header.method, header.uri.path())
    }

    fn suppress_error_log(
        &self,
        _session: &Session,
        _context: &RequestContext,
        _error: &Error,
    ) -> bool {
        // The access line says it, without the parts that must not be logged.
        true
    }
}

#[expect(clippy::unnecessary_box_returns, reason = "this is the error type of every hook")]
fn no_raw_call() -> BError {
    Error::explain(ErrorType::InternalError, "a request without a raw call reached the pump")
}

/// An error of ours as Pingora's, for the hooks that must return one.
#[expect(clippy::unnecessary_box_returns, reason = "this is the error type of every hook")]
fn refuse(error: &GatewayError) -> BError {
    let mut converted =
        Error::explain(ErrorType::HTTPStatus(error.kind.status()), error.message.to_string());
    converted.as_up();
    converted
}

/// What an error of the pump means for the caller.
fn raw_failure(error: &Error) -> GatewayError {
    if *error.esource() == ErrorSource::Downstream {
        return downstream::client_gone(error.etype().as_str());
    }
    let timed_out = matches!(
        error.etype(),
        ErrorType::ConnectTimedout
            | ErrorType::ReadTimedout
            | ErrorType::WriteTimedout
            | ErrorType::TLSHandshakeTimedout
    );
    let (kind, text) = if timed_out {
        (Kind::Timeout, "the provider did not answer in time")
    } else {
        (Kind::ProviderUnavailable, "upstream request failed")
    };
    GatewayError::upstream(kind, text)
}
