//! What `request_filter` does: gate, route, identify, then one of three ways to an answer; and
//! what every request leaves behind, its access line.

use super::admit;
use super::attribution;
use super::context::RequestContext;
use super::downstream::{Downstream, End};
use super::entry;
use super::exchange::{Exchange, metadata};
use super::limit;
use super::local;
use super::manage;
use super::operation::{Operation, RouteMiss, Surface, plain_path};
use super::raw::RawCall;
use super::reject::{self, Reply};
use super::settle::{Opening, UsageGuard};
use super::state::{Services, Snapshot};
use crate::auth::ApiKey;
use crate::error::{GatewayError, Kind};
use crate::formats::annotate::{self, Member};
use crate::limits::Terms;
use crate::providers::Provider;
use crate::store::Generation;
use bytes::Bytes;
use http::header::ALLOW;
use pingora::http::ResponseHeader;
use pingora::protocols::http::v1::server::HttpSession as Http1;
use pingora::proxy::Session;
use std::sync::Arc;

/// A request as it is looked at here: the parts of its header, out of Pingora's hands.
struct Asked {
    operation: Operation,
    headers: http::HeaderMap,
    query: Option<String>,
}

/// Serves the request. False sends it on into Pingora's proxy pump.
pub(super) async fn serve(
    services: &Arc<Services>,
    session: &mut Session,
    context: &mut RequestContext,
) -> bool {
    let snapshot = services.snapshot.load_full();
    context.snapshot = Some(Arc::clone(&snapshot));
    let header = session.req_header();
    context.surface = Surface::of(&plain_path(&header.method, header.uri.path(), &header.headers));
    let asked = match ask(session, &snapshot) {
        Ok(asked) => asked,
        Err(refused) => {
            write_reply(session, context, *refused).await;
            return true;
        }
    };
    context.operation = asked.operation.name();
    if asked.operation == Operation::Health {
        answer_locally(session, context, local::health()).await;
        return true;
    }
    let query = asked.query.as_deref();
    let key = match admit::identify(services, &snapshot, &asked.headers, query) {
        Ok(key) => key,
        Err(error) => {
            reject(session, context, &error).await;
            return true;
        }
    };
    context.key_name = Some(Arc::clone(&key.name));
    if let Operation::Api(route) = &asked.operation {
        let mut client = Downstream::new(session);
        let from = (&asked.headers, query, context.request_id.as_str());
        let call = manage::answer((services, &snapshot), &mut client, (&key, route), from);
        match Box::pin(call).await {
            Ok((header, body)) => write_answer(session, context, header, body).await,
            Err(error) => reject(session, context, &error).await,
        }
        return true;
    }
    let root = if context.surface == Surface::ApiV1 { "/api/v1" } else { "/v1" };
    let local = local::answer((services, &snapshot), &key, &asked.operation, (query, root));
    match Box::pin(local).await {
        Some(Ok(body)) => answer_locally(session, context, body).await,
        Some(Err(error)) => reject(session, context, &error).await,
        None => {
            let infer = infer(services, session, context, (&snapshot, &key, &asked));
            return Box::pin(infer).await;
        }
    }
    true
}

/// Gate and route. What is refused here comes with its reply, because some have extra headers.
fn ask(session: &mut Session, snapshot: &Snapshot) -> Result<Asked, Box<Refused>> {
    let raw = session.as_ref().as_http1().map(Http1::get_headers_raw_bytes);
    let header = session.req_header();
    entry::gate(header, raw.as_deref(), snapshot.settings.max_header_bytes)
        .map_err(Refused::closing)?;
    let query = header.uri.query();
    let alt = query.and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("alt=")));
    let path = plain_path(&header.method, header.uri.path(), &header.headers);
    let operation = Operation::of(&header.method, &path, alt).map_err(no_such_route)?;
    let is_raw = matches!(operation, Operation::Raw { .. });
    if entry::asks_for_upgrade(&header.headers) && !(is_raw && entry::is_websocket(header)) {
        let text = "the connection cannot be upgraded on this route";
        return Err(Refused::closing(GatewayError::client(Kind::InvalidRequest, text)));
    }
    Ok(Asked { operation, query: query.map(str::to_owned), headers: header.headers.clone() })
}

/// A request that is not served, and how its connection goes on.
struct Refused {
    error: GatewayError,
    allow: Option<&'static str>,
    close: bool,
}

impl Refused {
    fn closing(error: GatewayError) -> Box<Self> {
        Box::new(Self { error, allow: None, close: true })
    }
}

fn no_such_route(miss: RouteMiss) -> Box<Refused> {
    let (error, allow) = match miss {
        RouteMiss::NotFound => {
            (GatewayError::client(Kind::NotFound, "there is no such route"), None)
        }
        RouteMiss::MethodNotAllowed(allowed) => {
            let text = format!("this route takes {allowed} requests only");
            (GatewayError::client(Kind::MethodNotAllowed, text), Some(allowed))
        }
        RouteMiss::Ambiguous => {
            let text = "the path has segments that are not allowed";
            (GatewayError::client(Kind::InvalidRequest, text), None)
        }
    };
    Box::new(Refused { error, allow, close: false })
}

async fn infer(
    services: &Arc<Services>,
    session: &mut Session,
    context: &mut RequestContext,
    (snapshot, key, asked): (&Arc<Snapshot>, &Arc<ApiKey>, &Asked),
) -> bool {
    if let Err(error) = may_infer((services, snapshot), key) {
        reject(session, context, &error).await;
        return true;
    }
    let id = crate::id::generation_id(services.clock.unix_ms() / 1000);
    let mut guard = UsageGuard::open(
        Arc::clone(services),
        &Opening {
            id: &id,
            started: context.started,
            created_ms: context.created_ms,
            key,
            operation: context.operation,
            requested_model: "",
            may_be_lost: may_be_lost((services, snapshot), key),
        },
    );
    guard.holds().look_at(services, key);
    attribution::note(guard.record_mut(), &asked.headers);
    context.access.generation_id = Some(id);
    if let Operation::Raw { provider, path } = &asked.operation {
        let admitted = admit_raw((snapshot, key), provider, path, &mut guard);
        context.access.standing = guard.standing();
        return match admitted {
            Ok((found, picked)) => {
                let target = (path.as_str(), asked.query.as_deref());
                context.raw = Some(RawCall::new((&found, picked), snapshot, target, guard));
                if let Err(gone) = Downstream::new(session).answer_expectation().await {
                    tracing::debug!(error = %gone, "the client left before it sent its body");
                }
                false
            }
            Err(error) => {
                guard.fail(&error);
                reject(session, context, &error).await;
                true
            }
        };
    }
    Box::pin(exchange(services, session, context, (snapshot, key, asked, guard))).await;
    true
}

/// Whether what the key asks for could be recorded, or need not be.
fn may_infer(
    (services, snapshot): (&Services, &Snapshot),
    key: &ApiKey,
) -> Result<(), GatewayError> {
    admit::require_regular(key)?;
    if services.journal.is_healthy() || may_be_lost((services, snapshot), key) {
        Ok(())
    } else {
        let text = "usage cannot be recorded at the moment";
        Err(GatewayError::client(Kind::ProviderOverloaded, text))
    }
}

/// Whether the operator would rather lose records than refuse requests. Those that somebody's
/// budget depends on are never lost.
fn may_be_lost((services, snapshot): (&Services, &Snapshot), key: &ApiKey) -> bool {
    snapshot.settings.serves_unrecorded
        && key.policy.limit.is_none()
        && services.meters.account().terms() == Terms::Postpaid
}

fn admit_raw(
    (snapshot, key): (&Snapshot, &ApiKey),
    provider: &str,
    path: &str,
    guard: &mut UsageGuard,
) -> Result<(Arc<Provider>, Option<usize>), GatewayError> {
    let found = snapshot
        .routing
        .provider(provider)
        .ok_or_else(|| GatewayError::client(Kind::NotFound, "there is no such route"))?;
    let picked = RawCall::admit(found, key, path, guard)?;
    Ok((Arc::clone(found), picked))
}

/// Admits the request, runs the exchange, and answers if that failed.
async fn exchange(
    services: &Arc<Services>,
    session: &mut Session,
    context: &mut RequestContext,
    (snapshot, key, asked, mut guard): (&Arc<Snapshot>, &Arc<ApiKey>, &Asked, UsageGuard),
) {
    let mut client = Downstream::new(session);
    let admission = (&asked.operation, &asked.headers);
    let admitted = admit::admit((snapshot, key), (&mut client, &mut guard), admission).await;
    let admitted = match admitted {
        Ok(admitted) => admit::Admitted { shape: context.surface.shape(), ..admitted },
        Err(error) => {
            finish_record(&mut guard, context, Some(&error));
            return reject(session, context, &error).await;
        }
    };
    let request_id = context.request_id.clone();
    let mut exchange = Exchange::new((services, &snapshot.settings), (&admitted, key), &request_id);
    if metadata::is_asked_for(&asked.headers) {
        exchange = exchange.with_metadata();
    }
    let ended = exchange.run(&mut client, &mut guard).await;
    let error = ended.err().map(|broken| broken.error);
    let unfinished = client.is_committed() && !client.is_finished();
    if let Some(error) = &error
        && unfinished
        && error.kind != Kind::ClientClosed
    {
        // Only keep-alives went out so far: the caller gets the error as an event.
        guard.fail(error);
        let event = exchange.error_event(error);
        if client.write(event, End::Yes).await.is_err() {
            tracing::debug!(request_id, "the client left before the error event");
        }
    }
    let committed = client.is_committed();
    context.access.metadata = error.as_ref().and_then(|_| exchange.metadata(guard.record(), None));
    finish_record(&mut guard, context, error.as_ref());
    match error {
        Some(error) if !committed && error.kind != Kind::ClientClosed => {
            reject(session, context, &error).await;
        }
        _ => {}
    }
}

fn finish_record(
    guard: &mut UsageGuard,
    context: &mut RequestContext,
    error: Option<&GatewayError>,
) {
    if let Some(error) = error {
        guard.fail(error);
        context.access.error = Some(error.kind);
        context.access.error_detail.clone_from(&error.detail);
    }
    context.access.standing = guard.standing();
    let record = guard.record();
    let access = &mut context.access;
    let model = if record.model.is_empty() { &record.requested_model } else { &record.model };
    access.model = Some(model.as_str().into());
    access.model_is_configured = guard.model_is_configured();
    access.provider = (!record.provider.is_empty()).then(|| record.provider.as_str().into());
    access.attempts = record.attempts;
    access.failed_attempts = failed_attempts(record);
    access.tokens = record.usage.prompt.zip(record.usage.completion);
}

/// The attempts that failed, for the access line: `provider:error`, in order.
fn failed_attempts(record: &Generation) -> Option<String> {
    let failed = record.failed_attempts.iter();
    let words: Vec<String> =
        failed.map(|attempt| format!("{}:{}", attempt.provider, attempt.error)).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Answers with an error in the caller's format.
pub(super) async fn reject(
    session: &mut Session,
    context: &mut RequestContext,
    error: &GatewayError,
) {
    let refused = Refused { error: error.clone(), allow: None, close: false };
    write_reply(session, context, refused).await;
}

async fn write_reply(session: &mut Session, context: &mut RequestContext, refused: Refused) {
    context.access.error = Some(refused.error.kind);
    context.access.error_detail.clone_from(&refused.error.detail);
    if refused.close {
        session.downstream_session.set_keepalive(None);
    }
    let reply = reject::reply(&refused.error, context.surface, &context.request_id);
    let written = match reply {
        Ok(Reply { mut header, body }) => {
            if let Some(allowed) = refused.allow
                && let Err(error) = header.insert_header(ALLOW, allowed)
            {
                tracing::error!(%error, "the Allow header could not be written");
            }
            if let Err(error) = add_ids(&mut header, context) {
                tracing::error!(%error, "the generation id could not be written");
            }
            let body = match &context.access.metadata {
                Some(value) => annotate::whole(body, Member { name: metadata::MEMBER, value }),
                None => body,
            };
            Downstream::new(session).answer(header, body).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = written {
        tracing::debug!(request_id = context.request_id, %error, "the error reply could not be written");
    }
}

async fn answer_locally(session: &mut Session, context: &mut RequestContext, body: Bytes) {
    match reject::header(200, "application/json", &context.request_id) {
        Ok(header) => write_answer(session, context, header, body).await,
        Err(error) => context.access.error = Some(error.kind),
    }
}

async fn write_answer(
    session: &mut Session,
    context: &mut RequestContext,
    header: ResponseHeader,
    body: Bytes,
) {
    if let Err(error) = Downstream::new(session).answer(header, body).await {
        context.access.error = Some(error.kind);
    }
}

/// Adds the ids of the request to the header of an answer.
pub(super) fn add_ids(
    header: &mut ResponseHeader,
    context: &RequestContext,
) -> Result<(), GatewayError> {
    let bad = |error: pingora::BError| GatewayError::internal(format!("response header: {error}"));
    header.insert_header("x-request-id", &context.request_id).map_err(bad)?;
    if let Some(id) = &context.access.generation_id {
        header.insert_header("x-generation-id", id).map_err(bad)?;
    }
    let access = &context.access;
    if let Some(provider) = access.provider.as_deref().filter(|_| access.attempts > 0) {
        header.insert_header("x-arouter-provider", provider).map_err(bad)?;
        header.insert_header("x-arouter-attempts", access.attempts.to_string()).map_err(bad)?;
    }
    limit::show(context.access.standing, header)
}

/// Counts the request and writes its access line.
pub(super) fn log(services: &Services, session: &Session, context: &RequestContext) {
    let status = match context.access.error {
        Some(Kind::ClientClosed) => Kind::ClientClosed.status(),
        _ => session.response_written().map_or(0, |header| header.status.as_u16()),
    };
    let access = &context.access;
    let model = access.model.as_deref().filter(|_| access.model_is_configured).unwrap_or("other");
    services.metrics.count_request(
        (context.operation, access.provider.as_deref().unwrap_or("none"), model),
        status,
        context.started.elapsed(),
    );
    let header = session.req_header();
    tracing::info!(
        target: "access",
        request_id = context.request_id,
        generation_id = access.generation_id.as_deref(),
        method = header.method.as_str(),
        path = header.uri.path(),
        operation = context.operation,
        status,
        key = context.key_name.as_deref(),
        model = access.model.as_deref(),
        provider = access.provider.as_deref(),
        attempts = access.attempts,
        failed_attempts = access.failed_attempts,
        prompt_tokens = access.tokens.map(|(prompt, _)| prompt),
        completion_tokens = access.tokens.map(|(_, completion)| completion),
        error = access.error.map(Kind::name),
        detail = access.error_detail.as_deref(),
        latency_ms = u64::try_from(context.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "request"
    );
}
