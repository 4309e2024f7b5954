//! `GET /v1/key`: the key that asks, with its limit and what it has used.

use super::call::{Context, Reply, store_failed};
use super::keys::object::{LimitMembers, UsedMembers};
use super::keys::used;
use super::moment::Moment;
use crate::config::{KeyKind, RateLimit};
use crate::error::{GatewayError, Kind};
use crate::store::KeyRecord;
use serde::Serialize;

#[derive(Serialize)]
struct Reading<'k> {
    data: CurrentKey<'k>,
}

/// What a key may know of itself. What this gateway does not have is null.
#[derive(Serialize)]
struct CurrentKey<'k> {
    label: &'k str,
    name: &'k str,
    hash: &'k str,
    #[serde(flatten)]
    limit: LimitMembers,
    #[serde(flatten)]
    used: UsedMembers,
    is_free_tier: bool,
    is_management_key: bool,
    is_provisioning_key: bool,
    allowed_providers: Option<&'k [String]>,
    allowed_models: Option<&'k [String]>,
    expires_at: Option<Moment>,
    rate_limit: Rate,
    creator_user_id: Option<&'k str>,
    organization_id: Option<&'k str>,
    workspace_id: Option<&'k str>,
}

/// The older members beside those of this gateway.
#[derive(Serialize)]
struct Rate {
    requests: i64,
    interval: &'static str,
    note: &'static str,
    #[serde(flatten)]
    limits: RateLimit,
}

impl Rate {
    fn new(limits: RateLimit) -> Self {
        let requests = limits
            .requests_per_minute
            .map_or(-1, |requests| i64::try_from(requests).unwrap_or(i64::MAX));
        let note = "requests per interval; -1 is without a limit";
        Self { requests, interval: "1m", note, limits }
    }
}

/// The answer to the key that asks.
pub(super) async fn answer(context: Context<'_>) -> Result<Reply, GatewayError> {
    let hash = &*context.caller.hash_hex;
    let used = used(context, hash).await?;
    let stored;
    let of_file = context.file_keys.iter().find(|key| key.hash == *hash);
    let key: &KeyRecord = if let Some(key) = of_file {
        key
    } else {
        stored = context.store.key(hash).await.map_err(store_failed)?.ok_or_else(gone)?;
        &stored
    };
    let is_management_key = key.kind == KeyKind::Management;
    Reply::json(
        200,
        &Reading {
            data: CurrentKey {
                label: &key.label,
                name: &key.name,
                hash: &key.hash,
                limit: LimitMembers::new(key, &used),
                used: UsedMembers::new(&used),
                is_free_tier: false,
                is_management_key,
                is_provisioning_key: is_management_key,
                allowed_providers: key.allowed_providers.as_deref(),
                allowed_models: key.allowed_models.as_deref(),
                expires_at: key.expires_ms.map(Moment),
                rate_limit: Rate::new(key.rate_limit),
                creator_user_id: None,
                organization_id: None,
                workspace_id: None,
            },
        },
    )
}

/// It was deleted since the request was let in.
fn gone() -> GatewayError {
    GatewayError::client(Kind::Authentication, "invalid api key")
}
