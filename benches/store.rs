//! How many requests a second the ledger takes, on SQLite and on PostgreSQL.
//!
//! `cargo bench --bench store`; half a minute. SQLite writes to a file and syncs every commit, as
//! in operation. The PostgreSQL server is a private one on the same machine that does not sync.
//! Batches are those of the recorder. Every run is checked: the store must hold what was put in.

#![expect(clippy::print_stdout, reason = "the table is the result")]

#[expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the server of the tests, where they are allowed"
)]
#[path = "../tests/it/postgres_server.rs"]
mod postgres_server;

use std::time::{Duration, Instant};

use arouter::chat::Usage;
use arouter::money::PicoUsd;
use arouter::store::{Bucket, Entry, Generation, GroupKey, Outcome, Store, UsageFilter};

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Whatever ends a run.
type Failure = Box<dyn std::error::Error>;

/// Requests of one run, and entries of one transaction.
const REQUESTS: usize = 40_000;
const BATCH: usize = 512;
/// How the requests are spread.
const KEYS: usize = 50;
const MODELS: usize = 8;
const DAY_MS: usize = 86_400_000;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    println!("{REQUESTS} requests of {KEYS} keys and {MODELS} models, {BATCH} entries at a time");
    for database in ["SQLite", "PostgreSQL"] {
        for (title, entries) in [
            ("ends only", ends()),
            ("beginnings and ends, together", short_requests()),
            ("beginnings and ends, 2000 entries apart", long_requests()),
        ] {
            let dir = std::env::temp_dir().join(format!("arouter-bench-{}", std::process::id()));
            let url = match database {
                "SQLite" => format!("sqlite://{}", dir.join("bench.db").display()),
                _ => postgres_server::new_database().await,
            };
            let store = Store::open(&url).await?;
            let took = apply(&store, &entries).await?;
            let rate = f64::from(u32::try_from(REQUESTS)?) / took.as_secs_f64();
            println!("{database:12}{title:42}{rate:>8.0} requests/s");
            if title == "ends only" {
                read(&store, database).await?;
            }
            store.close().await;
            if dir.exists() {
                std::fs::remove_dir_all(&dir)?;
            }
        }
    }
    Ok(())
}

/// Applies all entries and checks the sums.
async fn apply(store: &Store, entries: &[Entry]) -> Result<Duration, Failure> {
    let began = Instant::now();
    let mut applied_bytes = 0;
    for batch in entries.chunks(BATCH) {
        applied_bytes += 1;
        store.apply(batch, "bench", "segment", applied_bytes).await?;
    }
    let took = began.elapsed();
    let requests: u64 = store.key_totals(0).await?.iter().map(|key| key.requests).sum();
    let open = store.processes_with_open_requests().await?;
    if requests != u64::try_from(REQUESTS)? || !open.is_empty() {
        return Err(format!("{requests} requests, {open:?} open").into());
    }
    Ok(took)
}

/// What the questions take that the API asks.
async fn read(store: &Store, database: &str) -> Result<(), Failure> {
    let all = UsageFilter::default();
    let now_ms = i64::try_from(30 * DAY_MS)?;
    let began = Instant::now();
    store.key_sums(now_ms).await?;
    let sums = began.elapsed();
    let began = Instant::now();
    store.usage_summary(&all).await?;
    let summary = began.elapsed();
    let began = Instant::now();
    store.usage_grouped(&all, GroupKey::User, Bucket::Day).await?;
    let users = began.elapsed();
    let began = Instant::now();
    store.transactions(100, None).await?;
    let transactions = began.elapsed();
    println!(
        "{database:12}sums of all keys {sums:.1?}, summary {summary:.1?}, users by day {users:.1?}, \
         transactions {transactions:.1?}"
    );
    Ok(())
}

fn ends() -> Vec<Entry> {
    (0..REQUESTS).map(|at| Entry::Settle(generation(at))).collect()
}

fn short_requests() -> Vec<Entry> {
    (0..REQUESTS)
        .flat_map(|at| [Entry::Open(generation(at)), Entry::Settle(generation(at))])
        .collect()
}

/// A thousand requests are always open.
fn long_requests() -> Vec<Entry> {
    let mut entries = Vec::with_capacity(2 * REQUESTS);
    for at in 0..REQUESTS + 1000 {
        if at < REQUESTS {
            entries.push(Entry::Open(generation(at)));
        }
        if let Some(ended) = at.checked_sub(1000) {
            entries.push(Entry::Settle(generation(ended)));
        }
    }
    entries
}

/// A request of one of thirty days, in order of time.
fn generation(at: usize) -> Generation {
    let created_ms = i64::try_from(at * (30 * DAY_MS / REQUESTS)).unwrap_or(0);
    let model = at % MODELS;
    Generation {
        id: format!("gen-{}-{:016x}", created_ms / 1000, scattered(at)),
        created_ms,
        key_hash: format!("{:064x}", scattered(at % KEYS)),
        key_name: format!("key-{}", at % KEYS),
        operation: "chat".to_owned(),
        requested_model: format!("model-{model}"),
        model: format!("provider-{}/model-{model}", model % 3),
        provider: format!("provider-{}", model % 3),
        upstream_id: Some(format!("chatcmpl-{:024x}", scattered(at))),
        status: 200,
        outcome: Outcome::Complete,
        error: None,
        streamed: true,
        finish_reason: Some("stop".to_owned()),
        native_finish_reason: Some("stop".to_owned()),
        usage: Usage {
            prompt: Some(1400),
            completion: Some(260),
            cached: Some(1024),
            ..Usage::default()
        },
        usage_estimated: false,
        cost_pico_usd: PicoUsd::from_pico(4_321_000_123),
        prompt_cost_pico_usd: PicoUsd::from_pico(1_321_000_123),
        completion_cost_pico_usd: PicoUsd::from_pico(3_000_000_000),
        price_version: "2026-11-01".to_owned(),
        is_byok: false,
        service_tier: None,
        latency_ms: 1240,
        first_token_ms: Some(310),
        attempts: 1,
        user: at.is_multiple_of(4).then(|| format!("user-{}", at % 1000)),
        referer: None,
        app_title: None,
        app_categories: None,
        session_id: None,
        user_agent: None,
        failed_attempts: Vec::new(),
    }
}

/// Ids and hashes come in no order.
fn scattered(at: usize) -> u64 {
    u64::try_from(at).unwrap_or(0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
