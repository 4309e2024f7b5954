//! A request as a row of `generations`: written and read column by column.
//!
//! Used by what adds requests and by all that lists them.

use super::amount::{from_bigint, from_pico, to_bigint, to_pico};
use super::bulk::{Bulk, BulkQuery, Dialect};
use super::generation::FailedAttempt;
use super::{Generation, Outcome, StoreError};
use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};
use std::collections::HashSet;
use std::sync::LazyLock;

static INSERT: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "INSERT INTO generations (id, created_ms, key_hash, key_name, operation, \
         requested_model, model, provider, upstream_id, status, outcome, error, streamed, \
         finish_reason, native_finish_reason, prompt_tokens, completion_tokens, cached_tokens, \
         reasoning_tokens, usage_json, usage_estimated, cost_pico_usd, prompt_cost_pico_usd, \
         completion_cost_pico_usd, price_version, is_byok, service_tier, latency_ms, \
         first_token_ms, attempts, failed_attempts, end_user, referer, app_title, \
         app_categories, session_id, user_agent) VALUES ",
        37,
        " ON CONFLICT (id) DO NOTHING RETURNING id",
    )
});

/// Adds one of the groups of a batch; returns the ids that were not there already.
pub(super) async fn insert(
    transaction: &mut Transaction<'static, Any>,
    dialect: Dialect,
    group: &[&Generation],
) -> Result<HashSet<String>, StoreError> {
    let mut query = INSERT.query(dialect, group);
    for row in group {
        query = bind(query, row)?;
    }
    let added = query.fetch_all(&mut **transaction).await?;
    added.iter().map(|row| Ok(row.try_get("id")?)).collect()
}

/// Binds the values of one row, in the order of [`INSERT`].
fn bind<'q>(query: BulkQuery<'q>, g: &'q Generation) -> Result<BulkQuery<'q>, StoreError> {
    let usage_json =
        serde_json::to_string(&g.usage).map_err(|_| StoreError::Unreadable("token counts"))?;
    let failed_attempts = (!g.failed_attempts.is_empty())
        .then(|| serde_json::to_string(&g.failed_attempts))
        .transpose()
        .map_err(|_| StoreError::Unreadable("attempts"))?;
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
        .bind(g.usage.cached.map(to_bigint))
        .bind(g.usage.reasoning.map(to_bigint))
        .bind(usage_json)
        .bind(i64::from(g.usage_estimated))
        .bind(to_pico(g.cost_pico_usd))
        .bind(to_pico(g.prompt_cost_pico_usd))
        .bind(to_pico(g.completion_cost_pico_usd))
        .bind(&g.price_version)
        .bind(i64::from(g.is_byok))
        .bind(g.service_tier.as_deref())
        .bind(to_bigint(g.latency_ms))
        .bind(g.first_token_ms.map(to_bigint))
        .bind(i64::from(g.attempts))
        .bind(failed_attempts)
        .bind(g.user.as_deref())
        .bind(g.referer.as_deref())
        .bind(g.app_title.as_deref())
        .bind(g.app_categories.as_deref())
        .bind(g.session_id.as_deref())
        .bind(g.user_agent.as_deref()))
}

fn failed_attempts(json: Option<String>) -> Result<Vec<FailedAttempt>, StoreError> {
    let Some(json) = json else { return Ok(Vec::new()) };
    serde_json::from_str(&json).map_err(|_| StoreError::Unreadable("attempts"))
}

/// The request of a row with all columns.
pub(super) fn read(row: &AnyRow) -> Result<Generation, StoreError> {
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
        is_byok: row.try_get::<i64, _>("is_byok")? != 0,
        service_tier: row.try_get("service_tier")?,
        latency_ms: from_bigint(row.try_get("latency_ms")?),
        first_token_ms: row.try_get::<Option<i64>, _>("first_token_ms")?.map(from_bigint),
        attempts: u32::try_from(row.try_get::<i64, _>("attempts")?).unwrap_or(0),
        failed_attempts: failed_attempts(row.try_get("failed_attempts")?)?,
        user: row.try_get("end_user")?,
        referer: row.try_get("referer")?,
        app_title: row.try_get("app_title")?,
        app_categories: row.try_get("app_categories")?,
        session_id: row.try_get("session_id")?,
        user_agent: row.try_get("user_agent")?,
    })
}
