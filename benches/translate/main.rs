//! What translating between formats costs: events, requests and whole answers of every pair of
//! formats, against serde_json parsing the same bytes.
//!
//! `cargo bench --bench translate`; a minute, one core. The two take turns, so that the ratios
//! hold on a busy machine; nothing is claimed in nanoseconds. `--counts` counts instructions under
//! valgrind instead and compares them with `translate.counts.toml`, `--bless` rewrites that file.
//! Every piece of work is done once and checked before it is measured. A text event in the middle of
//! a stream must not allocate, in no pair of formats; a run in which one does fails.

#![expect(clippy::print_stdout, reason = "the tables are the result")]

#[expect(dead_code, reason = "most of it is for the overhead benchmark")]
#[path = "../overhead/payload.rs"]
mod payload;

mod counts;
mod works;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::hint::black_box;
use std::time::{Duration, Instant};
use works::Work;

/// Counts what is allocated; never jemalloc, so that counts of instructions repeat.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Whatever ends a run.
type Failure = Box<dyn std::error::Error>;

/// Length of one measurement, and how many there are of each.
const SLICE: Duration = Duration::from_millis(12);
const ROUNDS: usize = 7;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    if let Some(at) = arguments.iter().position(|argument| argument == counts::CASE) {
        return counts::run_case(arguments.get(at + 1..).unwrap_or_default());
    }
    let works = works::checked()?;
    if has("--counts") || has("--bless") {
        return counts::run(&works, has("--bless"));
    }
    println!("{:46}{:>12}{:>12}{:>8}", "", "ours, ns", "serde, ns", "ratio");
    for work in &works {
        report(work)?;
    }
    println!("\n{:46}{:>14}{:>18}", "one stream", "allocs/event", "peak state, bytes");
    let mut wasteful = Vec::new();
    for work in works.iter().filter(|work| work.is_stream()) {
        if memory(work)? > 0 {
            wasteful.push(work.title.as_str());
        }
    }
    if wasteful.is_empty() { Ok(()) } else { Err(format!("allocates: {wasteful:?}").into()) }
}

/// Measures both ways in turns and prints the medians.
fn report(work: &Work) -> Result<(), Failure> {
    let (mut ours, mut serde, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let one = nanoseconds(&|| work.ours())? / to_f64(work.units);
        let other = nanoseconds(&|| work.serde())? / to_f64(work.units);
        ours.push(one);
        serde.push(other);
        ratios.push(one / other);
    }
    let (ours, serde, ratio) = (median(ours), median(serde), median(ratios));
    println!("{:46}{ours:>12.0}{serde:>12.0}{ratio:>8.2}", work.title);
    Ok(())
}

/// Prints the allocations of a text event in the middle of a stream, and the most that a stream
/// holds; gives the former.
fn memory(work: &Work) -> Result<usize, Failure> {
    let mut relay = work.relay()?;
    let before = ALLOCATOR.stats();
    let (mut per_event, mut peak) = (Vec::new(), 0);
    for event in work.events() {
        let start = ALLOCATOR.stats().allocations;
        let start_again = ALLOCATOR.stats().reallocations;
        let sent = relay.push(event.clone()).map_err(|fault| fault.to_string())?;
        let now = ALLOCATOR.stats();
        per_event.push(now.allocations - start + now.reallocations - start_again);
        drop(black_box(sent));
        let now = ALLOCATOR.stats();
        let held = (now.bytes_allocated - before.bytes_allocated)
            .saturating_sub(now.bytes_deallocated - before.bytes_deallocated);
        peak = peak.max(held);
    }
    per_event.sort_unstable();
    let usual = per_event.get(per_event.len() / 2).copied().unwrap_or_default();
    println!("{:46}{usual:>14}{peak:>18}", work.title);
    Ok(usual)
}

/// Time of one call.
fn nanoseconds(way: &dyn Fn() -> Result<usize, Failure>) -> Result<f64, Failure> {
    let started = Instant::now();
    let mut calls = 0;
    while started.elapsed() < SLICE {
        black_box(way()?);
        calls += 1;
    }
    Ok(started.elapsed().as_secs_f64() * 1e9 / to_f64(calls))
}

fn to_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::NAN, f64::from)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
