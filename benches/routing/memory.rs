//! The memory of what the planner goes by, each part filled to its bound.

use std::time::Instant;

use arouter::config::RoutingConfig;
use arouter::formats::ApiFormat;
use arouter::json::Head;
use arouter::routing::conversation::Turn;
use arouter::routing::exacto::Board;
use arouter::routing::health::{MAX_ENDPOINTS, Sample, ToolOutcome};
use arouter::routing::sticky::MAX_ENTRIES;
use arouter::routing::{Health, Kept, Live, StickyTable};
use stats_alloc::Region;

use crate::{ALLOCATOR, Failure, PROVIDERS, answer, to_f64};

/// Models of one provider that are limited at a time, at most.
const TROUBLES: usize = 1_024;
/// Endpoints whose standing is kept, at most.
const STANDINGS: usize = 10_000;

/// Fills everything to its bound and prints what one entry takes and what all of them do.
pub(crate) fn report() -> Result<(), Failure> {
    println!("\n{:34}{:>10}{:>12}{:>10}", "memory", "entries", "bytes each", "MiB");
    let health = Health::new(&RoutingConfig::default());
    let names: Vec<(String, String)> = (0..MAX_ENDPOINTS)
        .map(|at| (format!("p{:02}", at % PROVIDERS), format!("author/model-{at:05}")))
        .collect();
    let called = bytes_of(|| {
        for (provider, model) in &names {
            health.endpoint(provider, model).note_tool_calls(ToolOutcome::Fine, 1);
        }
    });
    let answered = bytes_of(|| {
        for (provider, model) in &names {
            answer(&health, (provider, model));
        }
    });
    row("endpoint that was called", health.endpoint_count(), called);
    row("endpoint that answered", health.endpoint_count(), called + answered);
    let whole = bytes_of(|| {
        for (provider, model) in &names {
            let now_ms = health.now_ms();
            if let Ok(permit) = health.endpoint(provider, model).enter(now_ms) {
                permit.succeeded(Sample { total_ms: 4_000, ..Sample::default() }, now_ms);
            }
        }
    });
    row("the same, whole answers as well", health.endpoint_count(), called + answered + whole);
    let keys = &health.provider("p00").keys;
    let troubles = bytes_of(|| {
        for (_, model) in names.iter().cycle().take(2 * TROUBLES) {
            keys.note_limited((None, model), None, 1);
        }
    });
    row("limited key and model, a provider", TROUBLES, troubles);
    report_standings(&health, &names)?;
    report_sticky()
}

/// Standings of tool calls.
fn report_standings(health: &Health, names: &[(String, String)]) -> Result<(), Failure> {
    let (provider, model) = names.first().ok_or("no endpoint")?;
    let endpoint = health.endpoint(provider, model);
    let now_ms = health.now_ms();
    (0..30).for_each(|_| endpoint.note_tool_calls(ToolOutcome::Fine, now_ms));
    let view = Live::endpoint(health, provider, model);
    let board = Board::default();
    let now = Instant::now();
    let bytes = bytes_of(|| {
        for at in 0..2 * STANDINGS {
            board.standing((provider, &format!("m-{at}")), &view, now);
        }
    });
    row("standing of tool calls", STANDINGS, bytes);
    Ok(())
}

/// Conversations, twice as many as are kept.
fn report_sticky() -> Result<(), Failure> {
    let sticky = StickyTable::default();
    let kept =
        Kept { provider: "p00".into(), upstream_model: "m".into(), model: "author/m".into() };
    let headers = http::HeaderMap::new();
    let mut failure = None;
    let note = |at: u64| -> Result<(), Failure> {
        let body = format!(r#"{{"model":"m","session_id":"session-{at}"}}"#);
        let head = Head::scan(body.as_bytes()).map_err(|_| "a broken body")?;
        let client = ApiFormat::OpenAiChat;
        let turn = Turn { client, headers: &headers, body: body.as_bytes(), head: &head };
        let key = sticky.key(&[7; 32], "m", &turn).ok_or("no conversation")?;
        sticky.note(&key, kept.clone(), 0, Instant::now());
        Ok(())
    };
    let bytes = bytes_of(|| {
        for at in 0..2 * MAX_ENTRIES {
            failure = note(at).err();
            if failure.is_some() {
                return;
            }
        }
        sticky.len();
    });
    if let Some(failure) = failure {
        return Err(failure);
    }
    row("conversation", usize::try_from(sticky.len())?, bytes);
    Ok(())
}

/// What is allocated and not given back.
fn bytes_of(work: impl FnOnce()) -> usize {
    let region = Region::new(ALLOCATOR);
    work();
    let change = region.change();
    change.bytes_allocated.saturating_sub(change.bytes_deallocated)
}

fn row(title: &str, entries: usize, bytes: usize) {
    let each = bytes / entries.max(1);
    println!("{title:34}{entries:>10}{each:>12}{:>10.1}", to_f64(bytes) / f64::from(1 << 20));
}
