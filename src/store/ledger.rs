//! The ledger: entries of the journal become rows and sums, exactly once.
//!
//! Used by the recorder of `usage`. A request is added together with the sums of its day and with
//! how far the journal is applied, in one transaction; one that is there already changes nothing.
//! So the sums are always those of the rows that were ever added, and an open request is in the
//! table of open ones exactly as long as nothing is known of its end.

use super::amount::{from_bigint, to_bigint};
use super::bulk::{Bulk, Dialect, groups};
use super::daily::DailySums;
use super::{Entry, Generation, Store, StoreError, generation_row};
use sqlx::{Any, Row, Transaction};
use std::collections::HashSet;
use std::sync::LazyLock;

const MARK_APPLIED: &str = "INSERT INTO journal_segments (name, applied_bytes) VALUES ($1, $2) \
     ON CONFLICT (name) DO UPDATE SET applied_bytes = excluded.applied_bytes \
     WHERE excluded.applied_bytes > journal_segments.applied_bytes";

/// All rows are found by their ids. PostgreSQL keeps the plan that it made while a table was empty,
/// and would go through all that was ever open.
const BY_INDEX: &str = "SELECT set_config('enable_seqscan', 'off', true), \
     set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)";

/// A journal that is applied a second time also has the beginnings of requests whose end the store
/// knows.
static OPEN: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "WITH opened (id, process, record_json) AS (VALUES ",
        3,
        ") INSERT INTO open_requests (id, process, record_json) \
         SELECT id, process, record_json FROM opened \
         WHERE NOT EXISTS (SELECT 1 FROM generations WHERE generations.id = opened.id) \
         ON CONFLICT (id) DO NOTHING",
    )
});

static CLOSE: LazyLock<Bulk> =
    LazyLock::new(|| Bulk::new("DELETE FROM open_requests WHERE id IN (", 1, ")"));

impl Store {
    /// Applies entries that `process` wrote, which the journal's `segment` holds up to
    /// `applied_bytes`: all of them, or none. Returns how many settled requests were new.
    pub async fn apply(
        &self,
        entries: &[Entry],
        process: &str,
        segment: &str,
        applied_bytes: u64,
    ) -> Result<u64, StoreError> {
        let batch = Batch::of(entries);
        let mut transaction = self.pool.begin().await?;
        if self.dialect == Dialect::Postgres {
            sqlx::query(BY_INDEX).execute(&mut *transaction).await?;
        }
        sqlx::query(MARK_APPLIED)
            .bind(segment)
            .bind(to_bigint(applied_bytes))
            .execute(&mut *transaction)
            .await?;
        let added = post(&mut transaction, self.dialect, &batch.settled).await?;
        open(&mut transaction, self.dialect, (process, &batch.opened)).await?;
        for group in groups(&batch.settled) {
            let mut query = CLOSE.query(self.dialect, group);
            for generation in group {
                query = query.bind(&generation.id);
            }
            query.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(added)
    }

    /// The processes that have requests open, dead and living ones.
    pub async fn processes_with_open_requests(&self) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query("SELECT DISTINCT process FROM open_requests ORDER BY process")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| Ok(row.try_get("process")?)).collect()
    }

    /// Settles every open request of a process that is dead, as its record says. Returns how many
    /// were new. To be called only after the whole journal of the process is applied.
    pub async fn abandon(&self, process: &str) -> Result<u64, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let rows =
            sqlx::query("DELETE FROM open_requests WHERE process = $1 RETURNING record_json")
                .bind(process)
                .fetch_all(&mut *transaction)
                .await?;
        let abandoned = rows.iter().map(|row| {
            let json: String = row.try_get("record_json")?;
            serde_json::from_str(&json).map_err(|_| StoreError::Unreadable("an open request"))
        });
        let abandoned: Vec<Generation> = abandoned.collect::<Result<_, StoreError>>()?;
        let abandoned: Vec<&Generation> = abandoned.iter().collect();
        let added = post(&mut transaction, self.dialect, &abandoned).await?;
        transaction.commit().await?;
        Ok(added)
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

/// What a list of entries comes to: each request once, as far as it got.
struct Batch<'e> {
    settled: Vec<&'e Generation>,
    opened: Vec<&'e Generation>,
}

impl<'e> Batch<'e> {
    fn of(entries: &'e [Entry]) -> Self {
        let mut seen = HashSet::with_capacity(entries.len());
        let mut once = |generation: &'e Generation| seen.insert(generation.id.as_str());
        // The settled ones first, so that what is left is open at the end of the batch.
        let settled = entries.iter().filter_map(|entry| match entry {
            Entry::Settle(generation) => Some(generation),
            Entry::Open(_) => None,
        });
        let settled = settled.filter(|generation| once(generation)).collect();
        let opened = entries.iter().filter_map(|entry| match entry {
            Entry::Open(generation) => Some(generation),
            Entry::Settle(_) => None,
        });
        Self { settled, opened: opened.filter(|generation| once(generation)).collect() }
    }
}

/// Adds requests, and the new ones of them to the sums. Returns how many were new.
async fn post(
    transaction: &mut Transaction<'static, Any>,
    dialect: Dialect,
    generations: &[&Generation],
) -> Result<u64, StoreError> {
    let mut sums = DailySums::default();
    let mut added = 0_u64;
    for group in groups(generations) {
        let new = generation_row::insert(transaction, dialect, group).await?;
        for generation in group.iter().filter(|generation| new.contains(&generation.id)) {
            sums.add(generation);
            added = added.saturating_add(1);
        }
    }
    sums.write(transaction, dialect).await?;
    Ok(added)
}

async fn open(
    transaction: &mut Transaction<'static, Any>,
    dialect: Dialect,
    (process, generations): (&str, &[&Generation]),
) -> Result<(), StoreError> {
    for group in groups(generations) {
        let mut query = OPEN.query(dialect, group);
        for generation in group {
            let json = serde_json::to_string(generation)
                .map_err(|_| StoreError::Unreadable("an open request"))?;
            query = query.bind(&generation.id).bind(process).bind(json);
        }
        query.execute(&mut **transaction).await?;
    }
    Ok(())
}
