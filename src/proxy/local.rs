//! Answers made here: the health check, the catalogue, the record of a request.

use super::operation::Operation;
use super::state::{Services, Snapshot};
use crate::api::{self, catalogue};
use crate::auth::{ApiKey, KeyKind};
use crate::error::{GatewayError, Kind};
use bytes::Bytes;

/// The answer to a health check.
pub fn health() -> Bytes {
    Bytes::from_static(b"{\"status\":\"ok\"}")
}

/// The answer to a request for what the gateway itself knows; `None` for all other operations.
/// `root` is what its path begins with, `/v1` or `/api/v1`.
pub async fn answer(
    (services, snapshot): (&Services, &Snapshot),
    key: &ApiKey,
    operation: &Operation,
    (query, root): (Option<&str>, &str),
) -> Option<Result<Bytes, GatewayError>> {
    match operation {
        Operation::Catalogue(lookup) => {
            let view = catalogue::View {
                catalogue: &snapshot.catalogue,
                routing: &snapshot.routing,
                key,
                health: &services.health,
                now_s: services.clock.unix_s(),
                root,
            };
            Some(catalogue::answer(view, lookup, query).await)
        }
        Operation::Generation => Some(generation(services, key, query).await),
        _ => None,
    }
}

/// A record is shown to the key that made the request and to management keys, and to no other.
async fn generation(
    services: &Services,
    key: &ApiKey,
    query: Option<&str>,
) -> Result<Bytes, GatewayError> {
    let id = query
        .unwrap_or_default()
        .split('&')
        .find_map(|pair| pair.strip_prefix("id="))
        .filter(|id| !id.is_empty())
        .ok_or_else(|| {
            GatewayError::client(Kind::InvalidRequest, "the query parameter id is missing")
                .with_param("id")
        })?;
    let found = services
        .store
        .generation(id)
        .await
        .map_err(|error| GatewayError::internal(format!("store: {error}")))?;
    match found {
        Some(record) if key.kind == KeyKind::Management || *record.key_hash == *key.hash_hex => {
            Ok(api::generation::to_json(&record))
        }
        _ => Err(GatewayError::client(Kind::NotFound, "there is no generation with this id")),
    }
}
