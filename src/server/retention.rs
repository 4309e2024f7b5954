//! Deletes records of requests that are older than the operator keeps them, and answers that are
//! remembered for repeated calls longer than such calls may come.
//!
//! Run by [`super::recording`]. Small steps with pauses between them: a step holds the database's
//! lock for a few milliseconds, so that the recorder is never held up. Sums by day stay.

use crate::store::{Store, StoreError};
use std::time::Duration;

const DAY_MS: i64 = 86_400_000;
/// How often there is a look for what became too old.
const EVERY: Duration = Duration::from_mins(10);
/// Records deleted in one step.
const STEP: u32 = 200;
/// Between two steps.
const PAUSE: Duration = Duration::from_millis(100);

/// Deletes for ever what becomes too old. `now_ms` tells the time; 0 days are for ever.
pub(super) async fn run(store: &Store, retention_days: u32, now_ms: impl Fn() -> i64) {
    loop {
        match sweep(store, retention_days, now_ms()).await {
            Ok(0) => {}
            Ok(deleted) => tracing::info!(deleted, "records past their retention are deleted"),
            Err(error) => tracing::warn!(%error, "old records could not be deleted, later again"),
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Deletes everything that is too old at `now_ms`; returns how many records of requests those were.
async fn sweep(store: &Store, retention_days: u32, now_ms: i64) -> Result<u64, StoreError> {
    store.forget_answers_before(now_ms.saturating_sub(DAY_MS)).await?;
    if retention_days == 0 {
        return Ok(0);
    }
    let before_ms = now_ms.saturating_sub(i64::from(retention_days).saturating_mul(DAY_MS));
    let mut deleted = 0_u64;
    loop {
        let step = store.delete_generations_before(before_ms, STEP).await?;
        deleted = deleted.saturating_add(step);
        if step < u64::from(STEP) {
            return Ok(deleted);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Generation, RememberedAnswer, UsageFilter};

    const NOW_MS: i64 = 1_790_000_000_123;

    async fn store() -> Store {
        let store = Store::open("memory:").await.unwrap();
        let rows: Vec<_> = (0..1000_i64)
            .map(|at| {
                let mut row = Generation::example(&format!("gen-{at}"));
                row.created_ms = NOW_MS - 90 * DAY_MS - 500 + at;
                row
            })
            .collect();
        store.settle_for_test(&rows).await;
        store
    }

    #[tokio::test]
    async fn what_is_too_old_goes_and_its_sums_stay() {
        let store = store().await;
        let before = store.usage_summary(&UsageFilter::default()).await.unwrap();
        assert_eq!(before.total.requests, 1000);
        assert_eq!(sweep(&store, 90, NOW_MS).await.unwrap(), 500);
        assert_eq!(sweep(&store, 90, NOW_MS).await.unwrap(), 0);
        let left = store.usage_page(&UsageFilter::default(), None, 2000).await.unwrap();
        assert_eq!(left.len(), 500);
        assert_eq!(left[0].created_ms, NOW_MS - 90 * DAY_MS);
        assert_eq!(store.usage_summary(&UsageFilter::default()).await.unwrap(), before);
    }

    #[tokio::test]
    async fn zero_days_are_for_ever() {
        let store = store().await;
        assert_eq!(sweep(&store, 0, i64::MAX).await.unwrap(), 0);
        let left = store.usage_page(&UsageFilter::default(), None, 2000).await.unwrap();
        assert_eq!(left.len(), 1000);
    }

    #[tokio::test]
    async fn remembered_answers_live_for_a_day() {
        let store = store().await;
        let answer = |created_ms| RememberedAnswer {
            request_hash: "h".to_owned(),
            status: 201,
            sealed_body: Vec::new(),
            created_ms,
        };
        for (name, age_ms) in [("old", DAY_MS + 1), ("young", DAY_MS)] {
            let mut write = store.begin_write().await.unwrap();
            write.remember_answer("s", name, &answer(NOW_MS - age_ms)).await.unwrap();
            write.commit().await.unwrap();
        }
        sweep(&store, 0, NOW_MS).await.unwrap();
        assert_eq!(store.find_answer("s", "old").await.unwrap(), None);
        assert!(store.find_answer("s", "young").await.unwrap().is_some());
    }
}
