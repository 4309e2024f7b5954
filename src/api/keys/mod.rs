//! `/api/v1/keys`: making, listing, showing, changing and deleting keys.
//!
//! For management keys. Keys of the store are changed here, in force for the next request; keys of
//! the configuration file and management keys are shown only. A secret is shown once, in the answer
//! that makes it.

mod fields;
pub mod object;
mod page;

use super::call::{Call, Context, Reply, store_failed};
use super::once::Start;
use crate::config::{BudgetMode, KeyKind, LimitReset, RateLimit};
use crate::error::{GatewayError, Kind};
use crate::id;
use crate::store::{KeyRecord, KeySums};
use fields::{KeyFields, Purpose};
use object::{KeyObject, Source};
use serde::Serialize;
use serde_json::json;

pub(super) use page::list;

#[derive(Serialize)]
struct Created<'k> {
    data: KeyObject<'k>,
    key: &'k str,
}

#[derive(Serialize)]
struct One<'k> {
    data: KeyObject<'k>,
}

/// Makes a key.
pub(super) async fn create(context: Context<'_>, call: &Call<'_>) -> Result<Reply, GatewayError> {
    let first = match Start::of(context, call).await? {
        Start::Again(reply) => return Ok(reply),
        Start::First(first) => first,
    };
    let now_ms = context.clock.unix_ms();
    let fields = read(context, call, Purpose::Create { now_ms })?;
    let secret = id::new_regular_key();
    let mut key = KeyRecord {
        label: id::key_label(secret.expose()),
        hash: id::key_hash_hex(secret.expose()),
        creator_hash: Some(context.caller.hash_hex.to_string()),
        created_ms: now_ms,
        ..unlimited()
    };
    fields.apply(&mut key);
    let data = KeyObject::new(&key, &KeySums::default(), Source::Store);
    let reply = Reply::json(201, &Created { data, key: secret.expose() })?;
    let mut running = first.begin().await?;
    running.change.insert_key(&key).await.map_err(store_failed)?;
    let reply = running.commit(reply).await?;
    note(context, "created", &key);
    Ok(reply)
}

/// Shows a key.
pub(super) async fn show(context: Context<'_>, call: &Call<'_>) -> Result<Reply, GatewayError> {
    let hash = hash(call)?;
    let of_file = context.file_keys.iter().find(|key| key.hash == hash);
    let used = used(context, &hash).await?;
    if let Some(key) = of_file {
        return Reply::json(200, &One { data: KeyObject::new(key, &used, Source::File) });
    }
    let key = context.store.key(&hash).await.map_err(store_failed)?.ok_or_else(no_key)?;
    Reply::json(200, &One { data: KeyObject::new(&key, &used, Source::Store) })
}

/// Changes a key: what is not given stays as it is.
pub(super) async fn update(context: Context<'_>, call: &Call<'_>) -> Result<Reply, GatewayError> {
    let first = match Start::of(context, call).await? {
        Start::Again(reply) => return Ok(reply),
        Start::First(first) => first,
    };
    let hash = hash(call)?;
    refuse_file_key(context, &hash)?;
    let fields = read(context, call, Purpose::Change)?;
    let used = used(context, &hash).await?;
    let mut running = first.begin().await?;
    let key = running.change.key(&hash).await.map_err(store_failed)?;
    let mut key = key.ok_or_else(no_key)?;
    refuse_management_key(&key)?;
    fields.apply(&mut key);
    key.updated_ms = Some(context.clock.unix_ms());
    running.change.update_key(&key).await.map_err(store_failed)?;
    let reply = Reply::json(200, &One { data: KeyObject::new(&key, &used, Source::Store) })?;
    let reply = running.commit(reply).await?;
    note(context, "changed", &key);
    Ok(reply)
}

/// Deletes a key; its usage stays.
pub(super) async fn delete(context: Context<'_>, call: &Call<'_>) -> Result<Reply, GatewayError> {
    let first = match Start::of(context, call).await? {
        Start::Again(reply) => return Ok(reply),
        Start::First(first) => first,
    };
    let hash = hash(call)?;
    refuse_file_key(context, &hash)?;
    let mut running = first.begin().await?;
    let key = running.change.key(&hash).await.map_err(store_failed)?;
    let key = key.ok_or_else(no_key)?;
    refuse_management_key(&key)?;
    running.change.delete_key(&hash).await.map_err(store_failed)?;
    let reply = Reply::json(200, &json!({ "data": { "deleted": true }, "deleted": true }))?;
    let reply = running.commit(reply).await?;
    note(context, "deleted", &key);
    Ok(reply)
}

/// A key without limits, hash and time.
fn unlimited() -> KeyRecord {
    KeyRecord {
        hash: String::new(),
        name: String::new(),
        label: String::new(),
        kind: KeyKind::Regular,
        disabled: false,
        limit: None,
        limit_reset: LimitReset::Never,
        budget_mode: BudgetMode::Estimate,
        include_byok_in_limit: false,
        rate_limit: RateLimit::default(),
        allowed_providers: None,
        allowed_models: None,
        enforce_zdr: false,
        creator_hash: None,
        expires_ms: None,
        created_ms: 0,
        updated_ms: None,
    }
}

fn read(
    context: Context<'_>,
    call: &Call<'_>,
    purpose: Purpose,
) -> Result<KeyFields, GatewayError> {
    let is_provider = |name: &str| context.routing.provider(name).is_some();
    let fields = KeyFields::read(&call.body, purpose, is_provider)?;
    let is_taken =
        |name: &str| context.file_keys.iter().any(|key| key.name.eq_ignore_ascii_case(name));
    if fields.name().is_some_and(is_taken) {
        let text = "a key of the configuration file has this name";
        return Err(GatewayError::client(Kind::Conflict, text).with_param("name"));
    }
    Ok(fields)
}

/// What a key has used.
pub(super) async fn used(context: Context<'_>, hash: &str) -> Result<KeySums, GatewayError> {
    context.store.key_sums_of(hash, context.clock.unix_ms()).await.map_err(store_failed)
}

/// The hash in the path, as it is kept.
fn hash(call: &Call<'_>) -> Result<String, GatewayError> {
    let hash = call.route.variable.as_deref().unwrap_or_default().to_ascii_lowercase();
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { Ok(hash) } else { Err(no_key()) }
}

fn refuse_file_key(context: Context<'_>, hash: &str) -> Result<(), GatewayError> {
    match context.file_keys.iter().find(|key| key.hash == hash) {
        None => Ok(()),
        Some(key) => {
            let text = format!(
                "this is a key of the configuration file: change [keys.{}] there",
                key.name
            );
            Err(GatewayError::client(Kind::Conflict, text))
        }
    }
}

/// Who manages is decided by whoever runs the gateway, not by whom a management key was given to.
fn refuse_management_key(key: &KeyRecord) -> Result<(), GatewayError> {
    match key.kind {
        KeyKind::Regular => Ok(()),
        KeyKind::Management => {
            let text = "management keys are changed with `arouter keys` only";
            Err(GatewayError::client(Kind::PermissionDenied, text))
        }
    }
}

fn no_key() -> GatewayError {
    GatewayError::client(Kind::NotFound, "there is no key with this hash")
}

fn note(context: Context<'_>, what: &str, key: &KeyRecord) {
    let (hash, name, by) = (&key.hash, &key.name, &context.caller.name);
    tracing::info!(target: "audit", hash, key = name, by = %by, "key {what}");
}
