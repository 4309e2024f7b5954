//! The data plane's listeners: connections are counted, and a request's header must be complete
//! in time.
//!
//! Pingora limits each read of a header, not their sum, and waits for the first bytes of a
//! cleartext HTTP/2 connection without any limit; both are bounded here, around its own app.

use crate::proxy::{Gateway, HeaderSeen};
use async_trait::async_trait;
use pingora::apps::http_app::HttpServer;
use pingora::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream, ServerApp};
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::H2Options;
use pingora::proxy::HttpProxy;
use pingora::server::ShutdownWatch;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Bytes of HTTP/2's connection preface.
const H2_PREFACE_BYTES: usize = 24;
/// Idle time of a kept HTTP/1 connection, during which no header is awaited.
const KEPT_IDLE: Duration = Duration::from_mins(1);
/// Idle time of an HTTP/2 connection.
const H2_IDLE: Duration = Duration::from_mins(1);
/// Requests served on one HTTP/1 connection.
const MAX_REQUESTS_PER_CONNECTION: u32 = 10_000;

/// The listener's side of the gateway: one per process.
pub struct Edge {
    http: Arc<TimedHttp>,
    connections: Semaphore,
    header_timeout: Duration,
    h2c: bool,
}

/// Limits of the listeners.
#[derive(Debug, Clone, Copy)]
pub struct EdgeLimits {
    /// Connections open at once.
    pub max_connections: usize,
    /// Time for a whole request header.
    pub header_timeout: Duration,
    /// Whether cleartext HTTP/2 is spoken.
    pub h2c: bool,
}

impl Edge {
    /// Puts the limits around Pingora's proxy.
    pub fn new(mut proxy: HttpProxy<Gateway>, limits: EdgeLimits) -> Self {
        let mut options = HttpServerOptions::default();
        options.h2c = limits.h2c;
        options.keepalive_request_limit = Some(MAX_REQUESTS_PER_CONNECTION);
        options.h2_idle_timeout = Some(H2_IDLE);
        proxy.server_options = Some(options);
        proxy.h2_options = Some(h2_options());
        let http = TimedHttp { proxy: Arc::new(proxy), header_timeout: limits.header_timeout };
        Self {
            http: Arc::new(http),
            connections: Semaphore::new(limits.max_connections),
            header_timeout: limits.header_timeout,
            h2c: limits.h2c,
        }
    }
}

/// A header list is decompressed before it can be judged: small limits keep a few kilobytes from
/// becoming hundreds of megabytes.
fn h2_options() -> H2Options {
    let mut options = H2Options::default();
    options
        .max_header_list_size(16 * 1024)
        .max_concurrent_streams(100)
        .max_concurrent_reset_streams(20)
        .max_pending_accept_reset_streams(20);
    options
}

#[async_trait]
impl ServerApp for Edge {
    async fn process_new(
        self: &Arc<Self>,
        mut stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        // A connection beyond the limit waits as long as a header may take, then it is closed.
        let waiting = tokio::time::timeout(self.header_timeout, self.connections.acquire());
        let _counted = waiting.await.ok()?.ok()?;
        if self.h2c && stream.get_ssl_digest().is_none() {
            let mut preface = [0; H2_PREFACE_BYTES];
            let peek = stream.try_peek(&mut preface);
            tokio::time::timeout(self.header_timeout, peek).await.ok()?.ok()?;
        }
        self.http.process_new(stream, shutdown).await
    }

    async fn cleanup(&self) {
        self.http.http_cleanup().await;
    }
}

/// Pingora's proxy with a deadline for the whole header of each request.
struct TimedHttp {
    proxy: Arc<HttpProxy<Gateway>>,
    header_timeout: Duration,
}

#[async_trait]
impl HttpServerApp for TimedHttp {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        if session.is_http2() {
            return self.proxy.process_new_http(session, shutdown).await;
        }
        // A kept connection may be idle first. Which of the two this is shows in the context that
        // the previous request left.
        let kept = session.take_connection_user_context().is_some();
        let deadline = if kept { KEPT_IDLE + self.header_timeout } else { self.header_timeout };
        let seen = Arc::new(HeaderSeen::default());
        session.set_connection_user_context(Some(Box::new(Arc::clone(&seen))));
        let mut serving = self.proxy.process_new_http(session, shutdown);
        tokio::select! {
            biased;
            served = &mut serving => return served,
            () = tokio::time::sleep(deadline) => {}
        }
        if seen.is_set() { serving.await } else { None }
    }

    fn h2_options(&self) -> Option<H2Options> {
        self.proxy.h2_options()
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        self.proxy.server_options()
    }

    async fn http_cleanup(&self) {
        self.proxy.http_cleanup().await;
    }
}

/// The app of the admin listener.
pub type AdminServer = HttpServer<super::admin::Admin>;
