//! Keys made at run time.
//!
//! Read by `api` and `cli`, loaded whole by `auth`, which watches [`Store::keys_version`]; changed
//! in a [`super::Write`]. Only the hash of a key is here. What a newer version wrote into a row and this one does not
//! know is kept; a row this one cannot judge is left out, so that it opens nothing.

use super::{Store, StoreError};
use crate::config::{BudgetMode, KeyKind, LimitReset, RateLimit};
use crate::money::PicoUsd;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use sqlx::{Any, Row};
use std::fmt;
use std::str::FromStr;

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
    /// Whether what it spends on contracts of the caller's own counts towards the limit.
    pub include_byok_in_limit: bool,
    /// Limits of rate and concurrency.
    pub rate_limit: RateLimit,
    /// Providers it may use; `None` is all of them, empty is none.
    pub allowed_providers: Option<Vec<String>>,
    /// Patterns of models it may use; `None` is all of them, empty is none.
    pub allowed_models: Option<Vec<String>>,
    /// Whether only providers that keep nothing of a request may serve it.
    pub enforce_zdr: bool,
    /// Hash of the management key that made it; `None` if it was made on the command line.
    pub creator_hash: Option<String>,
    /// From when on it opens nothing, Unix milliseconds.
    pub expires_ms: Option<i64>,
    /// When it was made, Unix milliseconds.
    pub created_ms: i64,
    /// When it was last changed, Unix milliseconds.
    pub updated_ms: Option<i64>,
}

/// Where a page of keys begins: after this key, in order of making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMark {
    created_ms: i64,
    hash: String,
}

impl fmt::Display for KeyMark {
    /// Text that a caller may hand back; read again by [`FromStr`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.created_ms, self.hash)
    }
}

impl FromStr for KeyMark {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let unreadable = || StoreError::Unreadable("where a page begins");
        let (created_ms, hash) = text.split_once('.').ok_or_else(unreadable)?;
        let created_ms = created_ms.parse().map_err(|_| unreadable())?;
        Ok(Self { created_ms, hash: hash.to_owned() })
    }
}

/// Which keys to list.
#[derive(Debug, Clone, Default)]
pub struct KeyQuery {
    /// After this key.
    pub after: Option<KeyMark>,
    /// Without this many.
    pub skip: u32,
    /// At most this many.
    pub limit: u32,
    /// Keys that open nothing for now, too.
    pub include_disabled: bool,
}

/// A page of keys, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPage {
    /// The keys.
    pub keys: Vec<KeyRecord>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<KeyMark>,
}

const PAGE: &str = "SELECT * FROM api_keys \
     WHERE (created_ms > $1 OR (created_ms = $1 AND hash > $2)) AND disabled <= $3 \
     ORDER BY created_ms, hash LIMIT $4 OFFSET $5";

impl Store {
    /// All keys, oldest first. Rows this version cannot read are logged and left out.
    pub async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let rows = sqlx::query("SELECT * FROM api_keys ORDER BY created_ms, hash")
            .fetch_all(&self.pool)
            .await?;
        Ok(readable(&rows))
    }

    /// Some of them. Rows this version cannot read are left out, so a page may be short.
    pub async fn keys_page(&self, query: &KeyQuery) -> Result<KeyPage, StoreError> {
        let (created_ms, hash) =
            query.after.as_ref().map_or((i64::MIN, ""), |mark| (mark.created_ms, &mark.hash));
        let mut rows = sqlx::query(PAGE)
            .bind(created_ms)
            .bind(hash)
            .bind(i64::from(query.include_disabled))
            // One more tells whether there is another page.
            .bind(i64::from(query.limit).saturating_add(1))
            .bind(i64::from(query.skip))
            .fetch_all(&self.pool)
            .await?;
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let is_last = rows.len() <= limit;
        rows.truncate(limit);
        let next = match rows.last() {
            Some(row) if !is_last => {
                Some(KeyMark { created_ms: row.try_get("created_ms")?, hash: row.try_get("hash")? })
            }
            _ => None,
        };
        Ok(KeyPage { keys: readable(&rows), next })
    }

    /// The key with this hash.
    pub async fn key(&self, hash: &str) -> Result<Option<KeyRecord>, StoreError> {
        let row = sqlx::query(ONE).bind(hash).fetch_optional(&self.pool).await?;
        row.as_ref().map(read).transpose()
    }

    /// A number that grows with every change of a key, by whichever process.
    pub async fn keys_version(&self) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT value FROM meta WHERE name = 'keys_version'")
            .fetch_one(&self.pool)
            .await?;
        Ok(row.try_get("value")?)
    }
}

fn readable(rows: &[AnyRow]) -> Vec<KeyRecord> {
    let readable = rows.iter().filter_map(|row| match read(row) {
        Ok(key) => Some(key),
        Err(error) => {
            let hash: String = row.try_get("hash").unwrap_or_default();
            tracing::error!(%error, hash, "stored key is not usable");
            None
        }
    });
    readable.collect()
}

/// The key with the hash `$1`.
pub(super) const ONE: &str = "SELECT * FROM api_keys WHERE hash = $1";

/// A statement and its parameters.
pub(super) type Query = sqlx::query::Query<'static, Any, sqlx::any::AnyArguments>;

/// Binds parameters 1 to 15 of the statements that write a whole key. Unknown members of `stored_rate_limit`
/// are kept.
pub(super) fn bind(
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
        .bind(i64::from(key.include_byok_in_limit))
        .bind(Value::Object(rate_limit).to_string())
        .bind(list(&key.allowed_providers)?)
        .bind(list(&key.allowed_models)?)
        .bind(i64::from(key.enforce_zdr))
        .bind(key.expires_ms)
        .bind(key.updated_ms)
        .bind(key.hash.clone()))
}

/// The key of a row.
pub(super) fn read(row: &AnyRow) -> Result<KeyRecord, StoreError> {
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
        include_byok_in_limit: row.try_get::<i64, _>("include_byok_in_limit")? != 0,
        rate_limit: read_rate_limit(&row.try_get::<String, _>("rate_limit_json")?)?,
        allowed_providers: read_list(row.try_get("allowed_providers_json")?)?,
        allowed_models: read_list(row.try_get("allowed_models_json")?)?,
        enforce_zdr: row.try_get::<i64, _>("enforce_zdr")? != 0,
        creator_hash: row.try_get("creator_hash")?,
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
