//! Keys made at run time.
//!
//! Changed by `api` and `cli`, loaded whole by `auth`, which watches [`Store::keys_version`].
//! Only the hash of a key is here. What a newer version wrote into a row and this one does not
//! know is kept; a row this one cannot judge is left out, so that it opens nothing.

use super::{Store, StoreError};
use crate::config::{BudgetMode, KeyKind, LimitReset, RateLimit};
use crate::money::PicoUsd;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};

/// A key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyRecord {
    /// SHA-256 of the key, 64 lower-case hex digits; its public name.
    pub hash: String,
    /// Name given by its maker.
    pub name: String,
    /// What may be shown of the key: `lr_live_9f8…a1b`.
    pub label: String,
    /// What it may do.
    pub kind: KeyKind,
    /// True if it opens nothing for now.
    pub disabled: bool,
    /// How much it may spend per period; `None` is unlimited.
    pub limit: Option<PicoUsd>,
    /// When a period ends.
    pub limit_reset: LimitReset,
    /// Whether the limit may be overshot by requests in flight.
    pub budget_mode: BudgetMode,
    /// Limits of rate and concurrency.
    pub rate_limit: RateLimit,
    /// Providers it may use; `None` is all of them, empty is none.
    pub allowed_providers: Option<Vec<String>>,
    /// Patterns of models it may use; `None` is all of them, empty is none.
    pub allowed_models: Option<Vec<String>>,
    /// From when on it opens nothing, Unix milliseconds.
    pub expires_ms: Option<i64>,
    /// When it was made, Unix milliseconds.
    pub created_ms: i64,
    /// When it was last changed, Unix milliseconds.
    pub updated_ms: Option<i64>,
}

const INSERT: &str = "INSERT INTO api_keys (name, label, kind, disabled, limit_pico_usd, \
     limit_reset, budget_mode, rate_limit_json, allowed_providers_json, allowed_models_json, \
     expires_ms, updated_ms, hash, created_ms) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
     ON CONFLICT (hash) DO NOTHING";

const UPDATE: &str = "UPDATE api_keys SET name = $1, label = $2, kind = $3, disabled = $4, \
     limit_pico_usd = $5, limit_reset = $6, budget_mode = $7, rate_limit_json = $8, \
     allowed_providers_json = $9, allowed_models_json = $10, expires_ms = $11, updated_ms = $12 \
     WHERE hash = $13";

impl Store {
    /// All keys, oldest first. Rows this version cannot read are logged and left out.
    pub async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let rows = sqlx::query("SELECT * FROM api_keys ORDER BY created_ms, hash")
            .fetch_all(&self.pool)
            .await?;
        let readable = rows.iter().filter_map(|row| match read(row) {
            Ok(key) => Some(key),
            Err(error) => {
                let hash: String = row.try_get("hash").unwrap_or_default();
                tracing::error!(%error, hash, "stored key is not usable");
                None
            }
        });
        Ok(readable.collect())
    }

    /// Adds a key.
    pub async fn insert_key(&self, key: &KeyRecord) -> Result<(), StoreError> {
        let mut transaction = self.begin_key_change().await?;
        let added = bind(INSERT, key, &Map::new())?
            .bind(key.created_ms)
            .execute(&mut *transaction)
            .await?
            .rows_affected();
        if added == 0 {
            return Err(StoreError::KeyExists);
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Replaces everything but the hash and the time of making; false if there is no such key.
    pub async fn update_key(&self, key: &KeyRecord) -> Result<bool, StoreError> {
        let mut transaction = self.begin_key_change().await?;
        let stored = sqlx::query("SELECT rate_limit_json FROM api_keys WHERE hash = $1")
            .bind(&key.hash)
            .fetch_optional(&mut *transaction)
            .await?;
        let Some(stored) = stored else { return Ok(false) };
        let stored: String = stored.try_get("rate_limit_json")?;
        let stored: Map<String, Value> = serde_json::from_str(&stored).unwrap_or_default();
        bind(UPDATE, key, &stored)?.execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Gives a key another secret; its policy and all its usage go with it. False if there is no
    /// such key. Requests still running under the old one stay with the old hash.
    pub async fn rotate_key(&self, old_hash: &str, key: &KeyRecord) -> Result<bool, StoreError> {
        let mut transaction = self.begin_key_change().await?;
        let changed = sqlx::query(
            "UPDATE api_keys SET hash = $1, label = $2, updated_ms = $3 WHERE hash = $4",
        )
        .bind(&key.hash)
        .bind(&key.label)
        .bind(key.updated_ms)
        .bind(old_hash)
        .execute(&mut *transaction)
        .await?;
        if changed.rows_affected() == 0 {
            return Ok(false);
        }
        for statement in [
            "UPDATE key_usage SET key_hash = $1 WHERE key_hash = $2",
            "UPDATE generations SET key_hash = $1 WHERE key_hash = $2",
        ] {
            sqlx::query(statement)
                .bind(&key.hash)
                .bind(old_hash)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Deletes a key; false if there is no such key. Its usage stays.
    pub async fn delete_key(&self, hash: &str) -> Result<bool, StoreError> {
        let mut transaction = self.begin_key_change().await?;
        let deleted = sqlx::query("DELETE FROM api_keys WHERE hash = $1")
            .bind(hash)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(deleted.rows_affected() > 0)
    }

    /// A number that grows with every change of a key, by whichever process.
    pub async fn keys_version(&self) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT value FROM meta WHERE name = 'keys_version'")
            .fetch_one(&self.pool)
            .await?;
        Ok(row.try_get("value")?)
    }

    async fn begin_key_change(&self) -> Result<Transaction<'static, Any>, StoreError> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("UPDATE meta SET value = value + 1 WHERE name = 'keys_version'")
            .execute(&mut *transaction)
            .await?;
        Ok(transaction)
    }
}

type Query = sqlx::query::Query<'static, Any, sqlx::any::AnyArguments>;

/// Binds parameters 1 to 13 of `INSERT` and `UPDATE`. Unknown members of `stored_rate_limit`
/// are kept.
fn bind(
    statement: &'static str,
    key: &KeyRecord,
    stored_rate_limit: &Map<String, Value>,
) -> Result<Query, StoreError> {
    let mut rate_limit = stored_rate_limit.clone();
    if let Value::Object(known) = to_value(&key.rate_limit)? {
        rate_limit.extend(known);
    }
    let list = |list: &Option<Vec<String>>| list.as_ref().map(to_json).transpose();
    Ok(sqlx::query(statement)
        .bind(key.name.clone())
        .bind(key.label.clone())
        .bind(word(&key.kind)?)
        .bind(i64::from(key.disabled))
        .bind(key.limit.map(|limit| limit.pico().to_string()))
        .bind(word(&key.limit_reset)?)
        .bind(word(&key.budget_mode)?)
        .bind(Value::Object(rate_limit).to_string())
        .bind(list(&key.allowed_providers)?)
        .bind(list(&key.allowed_models)?)
        .bind(key.expires_ms)
        .bind(key.updated_ms)
        .bind(key.hash.clone()))
}

fn read(row: &AnyRow) -> Result<KeyRecord, StoreError> {
    let limit: Option<String> = row.try_get("limit_pico_usd")?;
    let limit = limit.map(|pico| pico.parse().map(PicoUsd::from_pico)).transpose();
    Ok(KeyRecord {
        hash: row.try_get("hash")?,
        name: row.try_get("name")?,
        label: row.try_get("label")?,
        kind: from_word(&row.try_get::<String, _>("kind")?)?,
        disabled: row.try_get::<i64, _>("disabled")? != 0,
        limit: limit.map_err(|_| StoreError::Unreadable("a key's limit"))?,
        limit_reset: from_word(&row.try_get::<String, _>("limit_reset")?)?,
        budget_mode: from_word(&row.try_get::<String, _>("budget_mode")?)?,
        rate_limit: read_rate_limit(&row.try_get::<String, _>("rate_limit_json")?)?,
        allowed_providers: read_list(row.try_get("allowed_providers_json")?)?,
        allowed_models: read_list(row.try_get("allowed_models_json")?)?,
        expires_ms: row.try_get("expires_ms")?,
        created_ms: row.try_get("created_ms")?,
        updated_ms: row.try_get("updated_ms")?,
    })
}

/// The members this version knows; configuration refuses others, the store does not.
fn read_rate_limit(json: &str) -> Result<RateLimit, StoreError> {
    let unreadable = || StoreError::Unreadable("a key's rate limit");
    let stored: Map<String, Value> = serde_json::from_str(json).map_err(|_| unreadable())?;
    let number = |name: &str| match stored.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(unreadable),
    };
    Ok(RateLimit {
        requests_per_minute: number("requests_per_minute")?,
        requests_per_day: number("requests_per_day")?,
        tokens_per_minute: number("tokens_per_minute")?,
        concurrent: number("concurrent")?,
    })
}

fn read_list(json: Option<String>) -> Result<Option<Vec<String>>, StoreError> {
    json.map(|json| serde_json::from_str(&json))
        .transpose()
        .map_err(|_| StoreError::Unreadable("a key's allow-list"))
}

/// The name an enum without data is written by.
fn word<T: Serialize>(value: &T) -> Result<String, StoreError> {
    match to_value(value)? {
        Value::String(word) => Ok(word),
        _ => Err(StoreError::Unreadable("a key's kind")),
    }
}

fn from_word<T: DeserializeOwned>(word: &str) -> Result<T, StoreError> {
    serde_json::from_value(Value::String(word.to_owned()))
        .map_err(|_| StoreError::Unreadable("a key's kind"))
}

fn to_value<T: Serialize>(value: &T) -> Result<Value, StoreError> {
    serde_json::to_value(value).map_err(|_| StoreError::Unreadable("a key"))
}

fn to_json(list: &Vec<String>) -> Result<String, StoreError> {
    Ok(to_value(list)?.to_string())
}
