//! The data plane's listeners: connections are counted, and a request's header must be complete
//! in time.
//!
//! Pingora limits each read of a header, not their sum, and waits for the preface and the first
//! request of an HTTP/2 connection without any limit; both are bounded here, around its own app.

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
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Idle time of a kept HTTP/1 connection, during which no header is awaited.
const KEPT_IDLE: Duration = Duration::from_mins(1);
/// Idle time of an HTTP/2 connection.
const H2_IDLE: Duration = Duration::from_mins(1);
/// Requests served on one HTTP/1 connection.
const MAX_REQUESTS_PER_CONNECTION: u32 = 10_000;

/// Time in which connections accepted just before a shutdown may still send their request.
const LAST_REQUESTS: Duration = Duration::from_millis(200);

/// Connections of clients: how many are open, and how many may be.
#[derive(Debug)]
pub struct Connections {
    free: Semaphore,
    limit: usize,
}

impl Connections {
    /// None open, at most `limit`.
    pub fn new(limit: usize) -> Self {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Self { free: Semaphore::new(limit), limit }
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.limit.saturating_sub(self.free.available_permits())
    }
}

/// The listener's side of the gateway: one per process.
pub struct Edge {
    proxy: Arc<HttpProxy<Gateway>>,
    connections: Arc<Connections>,
    header_timeout: Duration,
}

/// Limits of the listeners.
#[derive(Debug)]
pub struct EdgeLimits {
    /// Connections open at once.
    pub connections: Arc<Connections>,
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
        // Pingora counts how often a connection is used again.
        options.keepalive_request_limit = Some(MAX_REQUESTS_PER_CONNECTION.saturating_sub(1));
        options.h2_idle_timeout = Some(H2_IDLE);
        proxy.server_options = Some(options);
        proxy.h2_options = Some(h2_options());
        Self {
            proxy: Arc::new(proxy),
            connections: limits.connections,
            header_timeout: limits.header_timeout,
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
        stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        // A connection beyond the limit waits as long as a header may take, then it is closed.
        let free = self.connections.free.acquire();
        let _counted = tokio::time::timeout(self.header_timeout, free).await.ok()?.ok()?;
        let http = Arc::new(TimedHttp {
            proxy: Arc::clone(&self.proxy),
            header_timeout: self.header_timeout,
            reached: AtomicBool::new(false),
        });
        let mut serving = http.process_new(stream, shutdown);
        tokio::select! {
            biased;
            served = &mut serving => return served,
            () = tokio::time::sleep(self.header_timeout) => {}
        }
        if http.reached.load(Ordering::Acquire) { serving.await } else { None }
    }

    async fn cleanup(&self) {
        tokio::time::sleep(LAST_REQUESTS).await;
        self.proxy.http_cleanup().await;
    }
}

/// Pingora's proxy for one connection, with a deadline for the whole header of each request.
struct TimedHttp {
    proxy: Arc<HttpProxy<Gateway>>,
    header_timeout: Duration,
    /// Whether the connection got as far as a request: on HTTP/2 its header is read then, on
    /// HTTP/1 it is about to be.
    reached: AtomicBool,
}

#[async_trait]
impl HttpServerApp for TimedHttp {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        self.reached.store(true, Ordering::Release);
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
