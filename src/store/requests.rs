//! Requests in the store, looked up, listed and, when they are old enough, deleted.
//!
//! Used by the API, the export and the retention. Lists are in order of time and stable under
//! writes: a page begins after the last request of the one before.

use super::amount::from_bigint;
use super::generation_row::read;
use super::{Generation, Store, StoreError};
use sqlx::Row;
use sqlx::any::AnyRow;

const PAGE: &str = "SELECT * FROM generations WHERE created_ms >= $1 AND created_ms < $2 \
     AND (created_ms > $3 OR (created_ms = $3 AND id > $4)) \
     AND ($5 IS NULL OR key_hash = $5) AND ($6 IS NULL OR model = $6) \
     AND ($7 IS NULL OR provider = $7) AND ($8 IS NULL OR end_user = $8) \
     ORDER BY created_ms, id LIMIT $9";

const ASKED_SINCE: &str = "SELECT key_hash, model, CAST(COUNT(*) AS BIGINT) AS requests, \
     CAST(SUM(COALESCE(prompt_tokens, 0) + COALESCE(completion_tokens, 0)) AS BIGINT) AS tokens \
     FROM generations WHERE created_ms >= $1 AND attempts > 0 GROUP BY key_hash, model";

const OF_USER: &str = "SELECT * FROM generations WHERE key_hash = $1 AND end_user = $2 \
     ORDER BY created_ms DESC, id DESC LIMIT $3";

const DELETE_OLD: &str = "DELETE FROM generations WHERE id IN (SELECT id FROM generations \
     WHERE created_ms < $1 ORDER BY created_ms, id LIMIT $2)";

/// Which requests to list or to sum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageFilter {
    /// Not before this, Unix milliseconds.
    pub from_ms: Option<i64>,
    /// Before this, Unix milliseconds.
    pub to_ms: Option<i64>,
    /// Of this key only.
    pub key_hash: Option<String>,
    /// Answered by this model only.
    pub model: Option<String>,
    /// Answered by this provider only.
    pub provider: Option<String>,
    /// For this end user only.
    pub end_user: Option<String>,
}

/// The last request of a page; the next page starts after it.
#[derive(Debug, Clone)]
pub struct PageMark {
    created_ms: i64,
    id: String,
}

impl PageMark {
    /// After `generation`.
    pub fn after(generation: &Generation) -> Self {
        Self { created_ms: generation.created_ms, id: generation.id.clone() }
    }
}

/// What one key asked of one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Hash of the key.
    pub key_hash: String,
    /// Canonical model.
    pub model: String,
    /// Number of requests.
    pub requests: u64,
    /// Prompt and completion tokens.
    pub tokens: u64,
}

impl Store {
    /// The request called `id`.
    pub async fn generation(&self, id: &str) -> Result<Option<Generation>, StoreError> {
        let row = sqlx::query("SELECT * FROM generations WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Up to `limit` requests in order of time, from the one after `mark` on. Stable under writes.
    pub async fn usage_page(
        &self,
        filter: &UsageFilter,
        mark: Option<&PageMark>,
        limit: u32,
    ) -> Result<Vec<Generation>, StoreError> {
        let (created_ms, id) = mark.map_or((i64::MIN, ""), |mark| (mark.created_ms, &mark.id));
        let rows = sqlx::query(PAGE)
            .bind(filter.from_ms.unwrap_or(i64::MIN))
            .bind(filter.to_ms.unwrap_or(i64::MAX))
            .bind(created_ms)
            .bind(id)
            .bind(filter.key_hash.as_deref())
            .bind(filter.model.as_deref())
            .bind(filter.provider.as_deref())
            .bind(filter.end_user.as_deref())
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read).collect()
    }

    /// What every key asked of every model from `from_ms` on. What was refused before it was sent
    /// is left out, as limits do not count it.
    pub async fn asked_since(&self, from_ms: i64) -> Result<Vec<Asked>, StoreError> {
        let rows = sqlx::query(ASKED_SINCE).bind(from_ms).fetch_all(&self.pool).await?;
        let read = |row: &AnyRow| {
            Ok(Asked {
                key_hash: row.try_get("key_hash")?,
                model: row.try_get("model")?,
                requests: from_bigint(row.try_get("requests")?),
                tokens: from_bigint(row.try_get("tokens")?),
            })
        };
        rows.iter().map(read).collect()
    }

    /// The last `limit` requests that a key made for an end user, newest first.
    pub async fn usage_records_of_user(
        &self,
        key_hash: &str,
        end_user: &str,
        limit: u32,
    ) -> Result<Vec<Generation>, StoreError> {
        let rows = sqlx::query(OF_USER)
            .bind(key_hash)
            .bind(end_user)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read).collect()
    }

    /// Deletes up to `at_most` of the oldest requests from before `before_ms` and returns how many
    /// those were. The sums by day stay as they are.
    pub async fn delete_generations_before(
        &self,
        before_ms: i64,
        at_most: u32,
    ) -> Result<u64, StoreError> {
        let deleted = sqlx::query(DELETE_OLD)
            .bind(before_ms)
            .bind(i64::from(at_most))
            .execute(&self.pool)
            .await?;
        Ok(deleted.rows_affected())
    }
}
