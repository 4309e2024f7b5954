//! New prices for old requests: the record and the sums change together.
//!
//! Used by re-pricing, which lists requests with [`Store::usage_page`], computes what they would
//! have cost and hands that back here. A request that somebody else re-priced meanwhile is left
//! alone.

use super::amount::to_pico;
use super::daily::DailySums;
use super::{Store, StoreError, generation_row};
use crate::money::PicoUsd;

/// Takes the row's lock, and returns it with its old cost.
const TAKE: &str =
    "UPDATE generations SET price_version = $1 WHERE id = $2 AND price_version = $3 RETURNING *";

const SET_COST: &str = "UPDATE generations SET cost_pico_usd = $1, prompt_cost_pico_usd = $2, \
     completion_cost_pico_usd = $3 WHERE id = $4";

/// What one request costs at other prices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repricing {
    /// Id of the request.
    pub id: String,
    /// The version of the prices it was recorded with.
    pub old_version: String,
    /// The version of the prices of the costs below.
    pub new_version: String,
    /// Cost, all parts together.
    pub cost_pico_usd: PicoUsd,
    /// Cost of the prompt, cache reads and writes included.
    pub prompt_cost_pico_usd: PicoUsd,
    /// Cost of the answer.
    pub completion_cost_pico_usd: PicoUsd,
}

impl Store {
    /// Gives requests other costs, all of them or none. Returns how many still had the old
    /// version of prices and were changed.
    pub async fn reprice(&self, repricings: &[Repricing]) -> Result<u64, StoreError> {
        // In one order, so that two of them never wait for each other.
        let mut repricings: Vec<_> = repricings.iter().collect();
        repricings.sort_by_key(|repricing| &repricing.id);
        let mut transaction = self.pool.begin().await?;
        let mut changed = Vec::new();
        for repricing in repricings {
            let row = sqlx::query(TAKE)
                .bind(&repricing.new_version)
                .bind(&repricing.id)
                .bind(&repricing.old_version)
                .fetch_optional(&mut *transaction)
                .await?;
            let Some(row) = row else { continue };
            sqlx::query(SET_COST)
                .bind(to_pico(repricing.cost_pico_usd))
                .bind(to_pico(repricing.prompt_cost_pico_usd))
                .bind(to_pico(repricing.completion_cost_pico_usd))
                .bind(&repricing.id)
                .execute(&mut *transaction)
                .await?;
            changed.push((generation_row::read(&row)?, repricing.cost_pico_usd));
        }
        let mut sums = DailySums::default();
        for (generation, new_cost) in &changed {
            sums.reprice(generation, *new_cost);
        }
        sums.write(&mut transaction, self.dialect).await?;
        transaction.commit().await?;
        Ok(u64::try_from(changed.len()).unwrap_or(u64::MAX))
    }
}
