//! Answers made here: the health check, the models lists, the record of a request.

use super::operation::Operation;
use super::state::{Services, Snapshot};
use crate::api;
use crate::auth::{ApiKey, KeyKind};
use crate::error::{GatewayError, Kind};
use bytes::Bytes;
use serde_json::Value;

/// The answer to a health check.
pub fn health() -> Bytes {
    Bytes::from_static(b"{\"status\":\"ok\"}")
}

/// The answer to a request for what the gateway itself knows; `None` for all other operations.
pub async fn answer(
    (services, snapshot): (&Services, &Snapshot),
    key: &ApiKey,
    operation: &Operation,
    query: Option<&str>,
) -> Option<Result<Bytes, GatewayError>> {
    let routing = &snapshot.routing;
    let found = match operation {
        Operation::Models(None) => Ok(api::models::list(routing, key)),
        Operation::Models(Some(id)) => {
            api::models::one(routing, key, id).ok_or_else(|| no_model(id))
        }
        Operation::GeminiModels(None) => Ok(api::models::gemini_list(routing, key)),
        Operation::GeminiModels(Some(id)) => {
            api::models::gemini_one(routing, key, id).ok_or_else(|| no_model(id))
        }
        Operation::Generation => return Some(generation(services, key, query).await),
        _ => return None,
    };
    Some(found.map(|value| json_bytes(&value)))
}

fn json_bytes(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

fn no_model(id: &str) -> GatewayError {
    let mut error = GatewayError::client(Kind::NotFound, format!("model '{id}' is not known"))
        .with_param("model");
    error.provider_code = Some("model_not_found".into());
    error
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
