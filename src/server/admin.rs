//! The admin listener: metrics, readiness, reload. Never on the data port.

use super::reload::Reloader;
use crate::proxy::state::Services;
use async_trait::async_trait;
use http::{Method, Response, StatusCode};
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;
use serde_json::{Value, json};
use std::sync::Arc;

/// Answers operators.
#[derive(Debug)]
pub struct Admin {
    services: Arc<Services>,
    reloader: Arc<Reloader>,
}

impl Admin {
    /// An admin endpoint over these services.
    pub fn new(services: Arc<Services>, reloader: Arc<Reloader>) -> Self {
        Self { services, reloader }
    }

    fn metrics(&self) -> Response<Vec<u8>> {
        let lag = self.services.recorder.lag_bytes();
        self.services.metrics.usage_journal_lag_bytes.set(i64::try_from(lag).unwrap_or(i64::MAX));
        self.services.health.show(&self.services.metrics.health);
        match self.services.metrics.render() {
            Ok(text) => response(StatusCode::OK, "text/plain; version=0.0.4", text),
            Err(error) => failure(&error.to_string()),
        }
    }

    fn readiness(&self, verbose: bool) -> Response<Vec<u8>> {
        let draining = self.services.is_draining();
        let recording = self.services.journal.is_healthy();
        let ready = !draining && recording;
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let mut state = json!({ "ready": ready });
        if verbose {
            state = json!({
                "ready": ready,
                "draining": draining,
                "usage_recording": recording,
                "config": self.reloader.status(),
            });
        }
        json_response(status, &state)
    }

    async fn reload(&self) -> Response<Vec<u8>> {
        let outcome = self.reloader.reload().await;
        let status =
            if outcome.error.is_none() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
        json_response(status, &json!(outcome))
    }
}

#[async_trait]
impl ServeHttp for Admin {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let header = session.req_header();
        let verbose = header
            .uri
            .query()
            .is_some_and(|query| query.split('&').any(|pair| pair.starts_with("verbose")));
        match (&header.method, header.uri.path()) {
            (&Method::GET, "/metrics") => self.metrics(),
            (&Method::GET, "/healthz") => json_response(StatusCode::OK, &json!({ "status": "ok" })),
            (&Method::GET, "/readyz") => self.readiness(verbose),
            (&Method::GET, "/api/v1/config") => {
                json_response(StatusCode::OK, &json!(self.reloader.status()))
            }
            (&Method::POST, "/api/v1/config/reload") => self.reload().await,
            _ => {
                let error = json!({ "error": { "message": "there is no such route" } });
                json_response(StatusCode::NOT_FOUND, &error)
            }
        }
    }
}

fn json_response(status: StatusCode, value: &Value) -> Response<Vec<u8>> {
    response(status, "application/json", value.to_string().into_bytes())
}

fn failure(detail: &str) -> Response<Vec<u8>> {
    tracing::error!(detail, "the admin listener could not answer");
    let error = json!({ "error": { "message": "internal server error" } });
    json_response(StatusCode::INTERNAL_SERVER_ERROR, &error)
}

fn response(status: StatusCode, media_type: &'static str, body: Vec<u8>) -> Response<Vec<u8>> {
    let length = body.len();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(media_type));
    headers.insert(http::header::CONTENT_LENGTH, http::HeaderValue::from(length));
    response
}
