//! Management calls: from a request to [`api::call`] and back.
//!
//! The key is identified before a byte of the body is read; one of the wrong kind is refused here,
//! for every route alike.

use super::downstream::Downstream;
use super::reject;
use super::state::{Services, Snapshot};
use crate::api;
use crate::api::query::Query;
use crate::auth::{ApiKey, Credential};
use crate::error::{GatewayError, Kind};
use bytes::Bytes;
use http::HeaderMap;
use pingora::http::ResponseHeader;

/// Longest `Idempotency-Key`.
const MAX_IDEMPOTENCY_KEY_BYTES: usize = 255;

/// Answers a call; the header and the body to send.
pub async fn answer(
    (services, snapshot): (&Services, &Snapshot),
    client: &mut Downstream<'_>,
    (key, route): (&ApiKey, &api::Route),
    (headers, query, request_id): (&HeaderMap, Option<&str>, &str),
) -> Result<(ResponseHeader, Bytes), GatewayError> {
    route.admit(key)?;
    let credential = Credential::find(headers, query)?;
    let query = Query::parse(query)?;
    let idempotency_key = idempotency_key(headers)?;
    let body = client.read_body(api::call::MAX_BODY_BYTES, snapshot.settings.body_timeout).await?;
    let context = api::Context {
        store: &services.store,
        key_book: &services.key_book,
        file_keys: &snapshot.file_keys,
        routing: &snapshot.routing,
        clock: &services.clock,
        caller: key,
        token: credential.as_ref().map_or("", Credential::token),
    };
    let call = api::Call { route, query, body, idempotency_key };
    let reply = api::call::answer(context, &call).await?;
    let mut header = reject::header(reply.status, reply.media_type, request_id)?;
    for (name, value) in reply.headers {
        header
            .insert_header(name, value)
            .map_err(|error| GatewayError::internal(format!("response header: {error}")))?;
    }
    Ok((header, reply.body))
}

/// The header that makes a repetition of a change known as one.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, GatewayError> {
    let mut given = headers.get_all("idempotency-key").iter();
    let Some(first) = given.next() else { return Ok(None) };
    let text = first.to_str().unwrap_or_default();
    let is_good = (1..=MAX_IDEMPOTENCY_KEY_BYTES).contains(&text.len());
    if is_good && given.next().is_none() {
        return Ok(Some(text));
    }
    let text = format!(
        "Idempotency-Key must be one text of 1 to {MAX_IDEMPOTENCY_KEY_BYTES} visible characters"
    );
    Err(GatewayError::client(Kind::InvalidRequest, text).with_param("Idempotency-Key"))
}
