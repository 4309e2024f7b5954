//! Management calls: from a request to [`api::call`] and back.
//!
//! The key is identified before a byte of the body is read; one of the wrong kind is refused here,
//! for every route alike.

use super::downstream::Downstream;
use super::reject;
use super::state::{Services, Snapshot};
use crate::api;
use crate::api::query::Query;
use crate::auth::ApiKey;
use crate::error::GatewayError;
use bytes::Bytes;
use pingora::http::ResponseHeader;

/// Answers a call; the header and the body to send.
pub async fn answer(
    (services, snapshot): (&Services, &Snapshot),
    client: &mut Downstream<'_>,
    (key, route): (&ApiKey, &api::Route),
    (query, request_id): (Option<&str>, &str),
) -> Result<(ResponseHeader, Bytes), GatewayError> {
    route.admit(key)?;
    let query = Query::parse(query)?;
    let body = client.read_body(api::call::MAX_BODY_BYTES, snapshot.settings.body_timeout).await?;
    let context = api::Context {
        store: &services.store,
        file_keys: &snapshot.keys,
        clock: &services.clock,
        caller: key,
    };
    let reply = api::call::answer(context, api::Call { route, query, body }).await?;
    let mut header = reject::header(reply.status, reply.media_type, request_id)?;
    for (name, value) in reply.headers {
        header
            .insert_header(name, value)
            .map_err(|error| GatewayError::internal(format!("response header: {error}")))?;
    }
    Ok((header, reply.body))
}
