//! How long a start takes that finds a full journal: 100,000 records of a process that died.
//!
//! `cargo bench --bench recovery`. The journal and an SQLite store are files; every commit is
//! synced, as in operation. Checked: every request is stored, and the open ones are abandoned.

#![expect(clippy::print_stdout, reason = "the figures are the result")]

use arouter::store::{Generation, Store};
use arouter::usage::{Journal, Outcome, Recorder};
use serde_json::json;
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Requests of the dead process; each has a record of its beginning.
const REQUESTS: u64 = 50_025;
/// How many of them were running when it died.
const OPEN: u64 = 50;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::temp_dir().join(format!("arouter-recovery-{}", std::process::id()));
    let folder = dir.join("journal");
    let writing = Instant::now();
    let journal = Journal::open(&folder, 1)?;
    for number in 0..REQUESTS {
        journal.open_request(&generation(number, Outcome::Abandoned)?)?;
        if number >= OPEN {
            journal.append(&generation(number, Outcome::Complete)?)?;
        }
    }
    let written = writing.elapsed();
    drop(journal);

    let store = Store::open(&format!("sqlite://{}", dir.join("bench.db").display())).await?;
    let recorder = Recorder::new(Arc::new(Journal::open(&folder, 2)?), store.clone());
    let started = Instant::now();
    let found = recorder.recover().await?;
    let took = started.elapsed();
    assert_eq!((found.applied, found.abandoned), (REQUESTS - OPEN, OPEN), "not what was written");
    println!("100,000 records written in {written:.2?}, recovered in {took:.2?}: {found:?}");
    store.close().await;
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

fn generation(number: u64, outcome: Outcome) -> Result<Generation, serde_json::Error> {
    serde_json::from_value(json!({
        "id": format!("gen-1790000000-{number:024x}"),
        "created_ms": 1_790_000_000_000_i64,
        "key_hash": format!("{:064x}", number % 50),
        "key_name": "production",
        "operation": "chat",
        "requested_model": "gpt-5.4",
        "model": "openai/gpt-5.4",
        "provider": "openai",
        "upstream_id": format!("chatcmpl-{number}"),
        "status": 200,
        "outcome": outcome,
        "streamed": true,
        "finish_reason": "stop",
        "native_finish_reason": "stop",
        "usage": { "prompt": 1200, "completion": 340 },
        "usage_estimated": false,
        "cost_pico_usd": "0.0064",
        "prompt_cost_pico_usd": "0.003",
        "completion_cost_pico_usd": "0.0034",
        "price_version": "1",
        "latency_ms": 1240,
        "first_token_ms": 310,
        "attempts": 1,
    }))
}
