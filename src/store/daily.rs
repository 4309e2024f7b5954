//! Sums by key, day, model and provider: what is left of a request when its record is deleted.
//!
//! Written by what adds, abandons and re-prices requests, in the transaction that does so; read
//! by everything that asks what a key or the account has spent.

use super::amount::{split, to_bigint, to_pico};
use super::bulk::{Bulk, Dialect, groups};
use super::{Generation, StoreError};
use crate::money::PicoUsd;
use sqlx::{Any, Transaction};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Milliseconds of a day.
pub(super) const DAY_MS: i64 = 86_400_000;

static ADD: LazyLock<Bulk> = LazyLock::new(|| {
    let sums = ["requests", "prompt_tokens", "completion_tokens", "cached_tokens"];
    let sums = sums.into_iter().chain(["reasoning_tokens"]);
    let sums = sums.map(|sum| format!("{sum} = daily_usage.{sum} + excluded.{sum}, "));
    Bulk::new(
        "INSERT INTO daily_usage (key_hash, day, model, provider, is_byok, requests, \
         prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, cost_micro_usd, \
         cost_rest_pico_usd, last_used_ms) VALUES ",
        13,
        &format!(
            " ON CONFLICT (key_hash, day, model, provider, is_byok) DO UPDATE SET {} \
             cost_micro_usd = daily_usage.cost_micro_usd + excluded.cost_micro_usd \
               + (daily_usage.cost_rest_pico_usd + excluded.cost_rest_pico_usd) / 1000000, \
             cost_rest_pico_usd = \
               (daily_usage.cost_rest_pico_usd + excluded.cost_rest_pico_usd) % 1000000, \
             last_used_ms = CASE WHEN excluded.last_used_ms > daily_usage.last_used_ms \
               THEN excluded.last_used_ms ELSE daily_usage.last_used_ms END",
            sums.collect::<String>()
        ),
    )
});

/// The day of a moment, in days since 1970, UTC.
pub(super) fn day_of(ms: i64) -> i64 {
    ms.div_euclid(DAY_MS)
}

/// One row of `daily_usage`. Rows are written in this order, so that two writers never wait for
/// each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place<'g> {
    key_hash: &'g str,
    day: i64,
    model: &'g str,
    provider: &'g str,
    is_byok: bool,
}

impl<'g> Place<'g> {
    fn of(generation: &'g Generation) -> Self {
        Self {
            key_hash: &generation.key_hash,
            day: day_of(generation.created_ms),
            model: &generation.model,
            provider: &generation.provider,
            is_byok: generation.is_byok,
        }
    }
}

/// What is added to a row.
#[derive(Debug, Default)]
struct Added {
    requests: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    cached_tokens: u64,
    reasoning_tokens: u64,
    cost_pico_usd: i128,
    last_used_ms: i64,
}

/// What a batch adds to the sums.
#[derive(Debug, Default)]
pub(super) struct DailySums<'g>(BTreeMap<Place<'g>, Added>);

impl<'g> DailySums<'g> {
    /// Counts a request that was not there before.
    pub(super) fn add(&mut self, generation: &'g Generation) {
        let added = self.0.entry(Place::of(generation)).or_default();
        let usage = &generation.usage;
        let count = |sum: &mut u64, tokens: Option<u64>| {
            *sum = sum.saturating_add(tokens.unwrap_or(0));
        };
        count(&mut added.requests, Some(1));
        count(&mut added.prompt_tokens, usage.prompt);
        count(&mut added.completion_tokens, usage.completion);
        count(&mut added.cached_tokens, usage.cached);
        count(&mut added.reasoning_tokens, usage.reasoning);
        // As the row keeps it, so that rows and sums agree even there.
        let cost = i128::from(to_pico(generation.cost_pico_usd));
        added.cost_pico_usd = added.cost_pico_usd.saturating_add(cost);
        added.last_used_ms = added.last_used_ms.max(generation.created_ms);
    }

    /// Counts the difference that another cost of a request makes, which is there already.
    pub(super) fn reprice(&mut self, generation: &'g Generation, new_cost: PicoUsd) {
        let added = self.0.entry(Place::of(generation)).or_default();
        let difference =
            i128::from(to_pico(new_cost)) - i128::from(to_pico(generation.cost_pico_usd));
        added.cost_pico_usd = added.cost_pico_usd.saturating_add(difference);
    }

    /// Adds everything to the database.
    pub(super) async fn write(
        self,
        transaction: &mut Transaction<'static, Any>,
        dialect: Dialect,
    ) -> Result<(), StoreError> {
        let rows: Vec<_> = self.0.into_iter().collect();
        for group in groups(&rows) {
            let mut query = ADD.query(dialect, group);
            for (place, added) in group {
                let (micro_usd, rest_pico_usd) = split(PicoUsd::from_pico(added.cost_pico_usd))
                    .ok_or(StoreError::AmountTooLarge)?;
                query = query
                    .bind(place.key_hash)
                    .bind(place.day)
                    .bind(place.model)
                    .bind(place.provider)
                    .bind(i64::from(place.is_byok))
                    .bind(to_bigint(added.requests))
                    .bind(to_bigint(added.prompt_tokens))
                    .bind(to_bigint(added.completion_tokens))
                    .bind(to_bigint(added.cached_tokens))
                    .bind(to_bigint(added.reasoning_tokens))
                    .bind(micro_usd)
                    .bind(rest_pico_usd)
                    .bind(added.last_used_ms);
            }
            query.execute(&mut **transaction).await?;
        }
        Ok(())
    }
}
