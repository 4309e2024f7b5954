//! Requests in the store: added by the recorder, read by the API and the export.
//!
//! A request is added together with the sums of its key and with how far the journal is applied,
//! in one transaction; one that is there already changes nothing. So the sums of a key are always
//! those of its rows.

use super::{Generation, Outcome, Store, StoreError, from_bigint, to_bigint};
use crate::money::PicoUsd;
use sqlx::any::AnyRow;
use sqlx::query::Query;
use sqlx::{Any, Database, Row, Transaction};
use std::collections::BTreeMap;
use std::sync::LazyLock;

const DAY_MS: i64 = 86_400_000;

const INSERT: &str = "INSERT INTO generations (id, created_ms, key_hash, key_name, operation, \
     requested_model, model, provider, upstream_id, status, outcome, error, streamed, \
     finish_reason, native_finish_reason, prompt_tokens, completion_tokens, usage_json, \
     usage_estimated, cost_pico_usd, prompt_cost_pico_usd, completion_cost_pico_usd, \
     price_version, latency_ms, first_token_ms, attempts, end_user, referer, app_title) VALUES ";
const UNLESS_THERE: &str = " ON CONFLICT (id) DO NOTHING";
/// One row of values. Without numbers, as SQLite looks numbered parameters up one by one.
const ROW: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, \
     ?, ?)";

/// Rows of one statement: most of what a row costs is the statement around it.
const ROWS_AT_ONCE: usize = 32;
static INSERT_ONE: LazyLock<String> = LazyLock::new(|| insert_sql(1));
static INSERT_MANY: LazyLock<String> = LazyLock::new(|| insert_sql(ROWS_AT_ONCE));

fn insert_sql(rows: usize) -> String {
    format!("{INSERT}{}{UNLESS_THERE}", vec![ROW; rows].join(", "))
}

const ADD_TO_KEY: &str = "INSERT INTO key_usage (key_hash, day, requests, prompt_tokens, \
     completion_tokens, cost_whole_usd, cost_rest_pico_usd) VALUES ($1, $2, $3, $4, $5, $6, $7) \
     ON CONFLICT (key_hash, day) DO UPDATE SET \
     requests = key_usage.requests + excluded.requests, \
     prompt_tokens = key_usage.prompt_tokens + excluded.prompt_tokens, \
     completion_tokens = key_usage.completion_tokens + excluded.completion_tokens, \
     cost_whole_usd = key_usage.cost_whole_usd + excluded.cost_whole_usd \
       + (key_usage.cost_rest_pico_usd + excluded.cost_rest_pico_usd) / 1000000000000, \
     cost_rest_pico_usd = \
       (key_usage.cost_rest_pico_usd + excluded.cost_rest_pico_usd) % 1000000000000";

const MARK_APPLIED: &str = "INSERT INTO journal_segments (name, applied_bytes) VALUES ($1, $2) \
     ON CONFLICT (name) DO UPDATE SET applied_bytes = excluded.applied_bytes \
     WHERE excluded.applied_bytes > journal_segments.applied_bytes";

const PAGE: &str = "SELECT * FROM generations WHERE created_ms >= $1 AND created_ms < $2 \
     AND (created_ms > $3 OR (created_ms = $3 AND id > $4)) ORDER BY created_ms, id LIMIT $5";

const KEY_TOTALS: &str = "SELECT key_hash, CAST(SUM(requests) AS BIGINT) AS requests, \
     CAST(SUM(prompt_tokens) AS BIGINT) AS prompt_tokens, \
     CAST(SUM(completion_tokens) AS BIGINT) AS completion_tokens, \
     CAST(SUM(cost_whole_usd) AS BIGINT) AS cost_whole_usd, \
     CAST(SUM(cost_rest_pico_usd) AS BIGINT) AS cost_rest_pico_usd \
     FROM key_usage WHERE day >= $1 GROUP BY key_hash ORDER BY key_hash";

/// Which requests to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct UsageFilter {
    /// Not before this, Unix milliseconds.
    pub from_ms: Option<i64>,
    /// Before this, Unix milliseconds.
    pub to_ms: Option<i64>,
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

/// What the requests of one key add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyTotals {
    /// Hash of the key.
    pub key_hash: String,
    /// Number of requests.
    pub requests: u64,
    /// Prompt tokens.
    pub prompt_tokens: u64,
    /// Completion tokens.
    pub completion_tokens: u64,
    /// Cost.
    pub cost_pico_usd: PicoUsd,
}

impl Store {
    /// Adds requests that are not there yet and notes that the journal's `segment` is applied up
    /// to `applied_bytes`, all or nothing. Returns how many were new.
    pub async fn apply(
        &self,
        generations: &[Generation],
        segment: &str,
        applied_bytes: u64,
    ) -> Result<u64, StoreError> {
        if let Some(added) =
            self.apply_in(ROWS_AT_ONCE, generations, (segment, applied_bytes)).await?
        {
            return Ok(added);
        }
        let added = self.apply_in(1, generations, (segment, applied_bytes)).await?;
        added.ok_or(StoreError::Unreadable("how many rows were added"))
    }

    /// Does it in statements of up to `most_rows` rows; `None` if that does not tell which rows
    /// were there already, and nothing was changed.
    async fn apply_in(
        &self,
        most_rows: usize,
        generations: &[Generation],
        (segment, applied_bytes): (&str, u64),
    ) -> Result<Option<u64>, StoreError> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query(MARK_APPLIED)
            .bind(segment)
            .bind(to_bigint(applied_bytes))
            .execute(&mut *transaction)
            .await?;
        let mut sums: BTreeMap<(&str, i64), Sums> = BTreeMap::new();
        let mut added = 0_u64;
        for group in generations.chunks(most_rows) {
            // There is a statement for full groups, and one for single rows.
            let size = if group.len() == most_rows { most_rows } else { 1 };
            for rows in group.chunks(size) {
                match insert(&mut transaction, rows).await? {
                    0 => continue,
                    all if all == rows.len() => {}
                    _ => {
                        transaction.rollback().await?;
                        return Ok(None);
                    }
                }
                for row in rows {
                    let day = row.created_ms.div_euclid(DAY_MS);
                    sums.entry((row.key_hash.as_str(), day)).or_default().add(row);
                    added = added.saturating_add(1);
                }
            }
        }
        for ((key_hash, day), sums) in sums {
            sums.write(&mut transaction, key_hash, day).await?;
        }
        transaction.commit().await?;
        Ok(Some(added))
    }

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
        filter: UsageFilter,
        mark: Option<&PageMark>,
        limit: u32,
    ) -> Result<Vec<Generation>, StoreError> {
        let (created_ms, id) = mark.map_or((i64::MIN, ""), |mark| (mark.created_ms, &mark.id));
        let rows = sqlx::query(PAGE)
            .bind(filter.from_ms.unwrap_or(i64::MIN))
            .bind(filter.to_ms.unwrap_or(i64::MAX))
            .bind(created_ms)
            .bind(id)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read).collect()
    }

    /// Sums of every key that made requests, from the UTC day of `from_ms` on.
    pub async fn key_totals(&self, from_ms: i64) -> Result<Vec<KeyTotals>, StoreError> {
        let rows =
            sqlx::query(KEY_TOTALS).bind(from_ms.div_euclid(DAY_MS)).fetch_all(&self.pool).await?;
        rows.iter().map(read_totals).collect()
    }

    /// How many bytes of each segment of the journal are applied.
    pub async fn journal_segments(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let rows = sqlx::query("SELECT name, applied_bytes FROM journal_segments")
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| Ok((row.try_get("name")?, from_bigint(row.try_get("applied_bytes")?))))
            .collect()
    }

    /// Forgets a segment that was deleted.
    pub async fn forget_journal_segment(&self, name: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM journal_segments WHERE name = $1")
            .bind(name)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

/// What a batch adds to a key and a day.
#[derive(Default)]
struct Sums {
    requests: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    cost_pico_usd: i128,
}

impl Sums {
    fn add(&mut self, generation: &Generation) {
        let usage = &generation.usage;
        self.requests = self.requests.saturating_add(1);
        self.prompt_tokens = self.prompt_tokens.saturating_add(usage.prompt.unwrap_or(0));
        self.completion_tokens =
            self.completion_tokens.saturating_add(usage.completion.unwrap_or(0));
        let cost = i128::from(to_pico(generation.cost_pico_usd));
        self.cost_pico_usd = self.cost_pico_usd.saturating_add(cost);
    }

    async fn write(
        &self,
        transaction: &mut Transaction<'_, Any>,
        key_hash: &str,
        day: i64,
    ) -> Result<(), StoreError> {
        let whole_usd = self.cost_pico_usd.div_euclid(PicoUsd::PER_USD);
        let rest_pico_usd = self.cost_pico_usd.rem_euclid(PicoUsd::PER_USD);
        sqlx::query(ADD_TO_KEY)
            .bind(key_hash)
            .bind(day)
            .bind(to_bigint(self.requests))
            .bind(to_bigint(self.prompt_tokens))
            .bind(to_bigint(self.completion_tokens))
            .bind(i64::try_from(whole_usd).unwrap_or(i64::MAX))
            .bind(i64::try_from(rest_pico_usd).unwrap_or(0))
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }
}

/// Adds one row, or [`ROWS_AT_ONCE`], and returns how many were not there already.
async fn insert(
    transaction: &mut Transaction<'_, Any>,
    rows: &[Generation],
) -> Result<usize, StoreError> {
    let sql = if rows.len() == 1 { &INSERT_ONE } else { &INSERT_MANY };
    let mut query = sqlx::query(sql.as_str());
    for row in rows {
        query = bind(query, row)?;
    }
    let result = query.execute(&mut **transaction).await?;
    Ok(usize::try_from(result.rows_affected()).unwrap_or(usize::MAX))
}

type InsertQuery<'q> = Query<'q, Any, <Any as Database>::Arguments>;

/// Binds the values of one row, in the order of [`INSERT`].
fn bind<'q>(query: InsertQuery<'q>, g: &'q Generation) -> Result<InsertQuery<'q>, StoreError> {
    let usage_json =
        serde_json::to_string(&g.usage).map_err(|_| StoreError::Unreadable("token counts"))?;
    Ok(query
        .bind(&g.id)
        .bind(g.created_ms)
        .bind(&g.key_hash)
        .bind(&g.key_name)
        .bind(&g.operation)
        .bind(&g.requested_model)
        .bind(&g.model)
        .bind(&g.provider)
        .bind(g.upstream_id.as_deref())
        .bind(i64::from(g.status))
        .bind(g.outcome.name())
        .bind(g.error.as_deref())
        .bind(i64::from(g.streamed))
        .bind(g.finish_reason.as_deref())
        .bind(g.native_finish_reason.as_deref())
        .bind(g.usage.prompt.map(to_bigint))
        .bind(g.usage.completion.map(to_bigint))
        .bind(usage_json)
        .bind(i64::from(g.usage_estimated))
        .bind(to_pico(g.cost_pico_usd))
        .bind(to_pico(g.prompt_cost_pico_usd))
        .bind(to_pico(g.completion_cost_pico_usd))
        .bind(&g.price_version)
        .bind(to_bigint(g.latency_ms))
        .bind(g.first_token_ms.map(to_bigint))
        .bind(i64::from(g.attempts))
        .bind(g.user.as_deref())
        .bind(g.referer.as_deref())
        .bind(g.app_title.as_deref()))
}

fn read(row: &AnyRow) -> Result<Generation, StoreError> {
    let outcome: String = row.try_get("outcome")?;
    let usage_json: String = row.try_get("usage_json")?;
    Ok(Generation {
        id: row.try_get("id")?,
        created_ms: row.try_get("created_ms")?,
        key_hash: row.try_get("key_hash")?,
        key_name: row.try_get("key_name")?,
        operation: row.try_get("operation")?,
        requested_model: row.try_get("requested_model")?,
        model: row.try_get("model")?,
        provider: row.try_get("provider")?,
        upstream_id: row.try_get("upstream_id")?,
        status: u16::try_from(row.try_get::<i64, _>("status")?).unwrap_or(0),
        outcome: Outcome::from_name(&outcome).ok_or(StoreError::Unreadable("an outcome"))?,
        error: row.try_get("error")?,
        streamed: row.try_get::<i64, _>("streamed")? != 0,
        finish_reason: row.try_get("finish_reason")?,
        native_finish_reason: row.try_get("native_finish_reason")?,
        usage: serde_json::from_str(&usage_json)
            .map_err(|_| StoreError::Unreadable("token counts"))?,
        usage_estimated: row.try_get::<i64, _>("usage_estimated")? != 0,
        cost_pico_usd: from_pico(row.try_get("cost_pico_usd")?),
        prompt_cost_pico_usd: from_pico(row.try_get("prompt_cost_pico_usd")?),
        completion_cost_pico_usd: from_pico(row.try_get("completion_cost_pico_usd")?),
        price_version: row.try_get("price_version")?,
        is_byok: false,
        service_tier: None,
        latency_ms: from_bigint(row.try_get("latency_ms")?),
        first_token_ms: row.try_get::<Option<i64>, _>("first_token_ms")?.map(from_bigint),
        attempts: u32::try_from(row.try_get::<i64, _>("attempts")?).unwrap_or(0),
        user: row.try_get("end_user")?,
        referer: row.try_get("referer")?,
        app_title: row.try_get("app_title")?,
    })
}

fn read_totals(row: &AnyRow) -> Result<KeyTotals, StoreError> {
    let whole_usd: i64 = row.try_get("cost_whole_usd")?;
    let rest_pico_usd: i64 = row.try_get("cost_rest_pico_usd")?;
    let cost = i128::from(whole_usd).saturating_mul(PicoUsd::PER_USD);
    Ok(KeyTotals {
        key_hash: row.try_get("key_hash")?,
        requests: from_bigint(row.try_get("requests")?),
        prompt_tokens: from_bigint(row.try_get("prompt_tokens")?),
        completion_tokens: from_bigint(row.try_get("completion_tokens")?),
        cost_pico_usd: PicoUsd::from_pico(cost.saturating_add(i128::from(rest_pico_usd))),
    })
}

/// A cost as a row keeps it: nine million dollars at most, far above any one request.
fn to_pico(cost: PicoUsd) -> i64 {
    i64::try_from(cost.pico()).unwrap_or(i64::MAX)
}

fn from_pico(cost: i64) -> PicoUsd {
    PicoUsd::from_pico(i128::from(cost))
}
