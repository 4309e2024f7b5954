//! What the store says, read with plain SQL beside the gateway.

use crate::rig::Rig;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions, Row as _};
use std::time::{Duration, Instant};

/// One stored request.
#[derive(Debug)]
pub struct Row {
    pub id: String,
    pub outcome: String,
    pub operation: String,
    pub model: String,
    pub provider: String,
    pub upstream_id: Option<String>,
    pub prompt: Option<i64>,
    pub completion: Option<i64>,
    pub cost_pico_usd: i64,
    pub is_estimated: bool,
}

/// Everything of the ledger.
#[derive(Debug)]
pub struct Ledger {
    /// The requests, in order of time.
    pub rows: Vec<Row>,
    /// Number of requests that are open.
    pub open: i64,
    /// Number of requests in the sums.
    pub summed_requests: i64,
    /// Cost in the sums.
    pub summed_cost_pico_usd: i128,
}

impl Ledger {
    /// Reads it at once.
    pub async fn read(rig: &Rig) -> Self {
        let mut store = connect(rig).await;
        let rows = sqlx::query("SELECT * FROM generations ORDER BY created_ms, id");
        let rows = rows.fetch_all(&mut store).await.unwrap().iter().map(row).collect();
        let sums = "SELECT COALESCE(SUM(requests), 0), COALESCE(SUM(cost_micro_usd), 0), \
                    COALESCE(SUM(cost_rest_pico_usd), 0) FROM daily_usage";
        let sums = sqlx::query(sums).fetch_one(&mut store).await.unwrap();
        let open = sqlx::query("SELECT COUNT(*) FROM open_requests");
        Self {
            rows,
            open: open.fetch_one(&mut store).await.unwrap().get(0),
            summed_requests: sums.get(0),
            summed_cost_pico_usd: i128::from(sums.get::<i64, _>(1)) * 1_000_000
                + i128::from(sums.get::<i64, _>(2)),
        }
    }

    /// Reads it when it has this many rows; fails after the limit.
    pub async fn with_rows(rig: &Rig, count: usize, limit: Duration) -> Self {
        let started = Instant::now();
        loop {
            let ledger = Self::read(rig).await;
            if ledger.rows.len() >= count {
                return ledger;
            }
            assert!(started.elapsed() < limit, "{} of {count} rows", ledger.rows.len());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asserts that the sums are those of the rows.
    pub fn assert_conserved(&self) {
        let cost: i128 = self.rows.iter().map(|row| i128::from(row.cost_pico_usd)).sum();
        let count = i64::try_from(self.rows.len()).unwrap();
        assert_eq!((self.summed_requests, self.summed_cost_pico_usd), (count, cost));
    }

    /// Number of rows that ended so.
    pub fn count(&self, outcome: &str) -> usize {
        self.rows.iter().filter(|row| row.outcome == outcome).count()
    }
}

/// A connection of its own to the gateway's store.
pub async fn connect(rig: &Rig) -> SqliteConnection {
    let path = rig.folder.path().join("arouter.db");
    let wait = Duration::from_secs(20);
    SqliteConnectOptions::new().filename(path).busy_timeout(wait).connect().await.unwrap()
}

fn row(row: &SqliteRow) -> Row {
    Row {
        id: row.get("id"),
        outcome: row.get("outcome"),
        operation: row.get("operation"),
        model: row.get("model"),
        provider: row.get("provider"),
        upstream_id: row.get("upstream_id"),
        prompt: row.get("prompt_tokens"),
        completion: row.get("completion_tokens"),
        cost_pico_usd: row.get("cost_pico_usd"),
        is_estimated: row.get::<i64, _>("usage_estimated") != 0,
    }
}
