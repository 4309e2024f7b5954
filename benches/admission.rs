//! What limits and their ledger cost a request: prove whose secret it is, take its rates, reserve
//! its money and the account's, settle; and the two records in the journal.
//!
//! `cargo bench --bench admission`; half a minute. Figures only: nothing here fails for being slow.
//! Keys with every kind of limit, 10 to 100,000 of them, in the configuration file or the store;
//! 1 to 8 threads, each on keys taken at random, or all on one key, which is the worst there is.
//! Times are processor time of the threads, so that a busy machine counts as little as it can;
//! what is compared takes turns. Rows that the store takes a second are `--bench store`'s.

#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::alloc::System;
use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use arouter::auth::api_key::hash_hex;
use arouter::auth::{ApiKey, Authenticator, Credential, KeyBook, KeyTable};
use arouter::clock::Clock;
use arouter::config::{BudgetMode, KeyKind, LimitReset, RateLimit};
use arouter::limits::{Ask, Meters, Payer, SteadyClock, Terms};
use arouter::money::PicoUsd;
use arouter::store::{Generation, KeyRecord, Store};
use arouter::usage::Journal;
use serde_json::json;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Whatever ends a run.
type Failure = Box<dyn std::error::Error>;

/// Length of one measurement, and how many there are of each.
const SLICE: Duration = Duration::from_millis(40);
const ROUNDS: usize = 7;
/// Numbers of keys and of threads.
const KEYS: [usize; 3] = [10, 1_000, 100_000];
const THREADS: [usize; 4] = [1, 2, 4, 8];
/// Requests that are written to the journal in one measurement.
const RECORDS: usize = 4_000;
/// Far above what is taken, so that the work is always the same.
const PLENTY: u64 = 1 << 35;
/// The aims, in nanoseconds and bytes.
const REQUEST_AIM_NS: f64 = 2_000.0;
const RECORD_AIM_NS: f64 = 5_000.0;
const KEY_AIM_BYTES: usize = 1_024;

/// Keys as the gateway holds them.
struct Keys {
    meters: Arc<Meters>,
    authenticator: Arc<Authenticator>,
    /// The same keys as if they were the configuration file's.
    of_file: KeyTable,
    /// No keys: all are the store's.
    nothing: KeyTable,
    credentials: Vec<Credential>,
    found: Vec<Arc<ApiKey>>,
}

/// A part of the way of a request.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// The secret is hashed and found among the keys of the file.
    OfFile,
    /// The secret is hashed and found among the keys of the store.
    OfStore,
    /// The key is at hand: only its limits.
    Limits,
    /// All of it, for keys of the store.
    Whole,
    /// All of it, and the same key for all.
    OneKey,
}

const WAYS: [(Way, &str); 5] = [
    (Way::OfFile, "file key"),
    (Way::OfStore, "stored key"),
    (Way::Limits, "limits"),
    (Way::Whole, "whole"),
    (Way::OneKey, "whole, one key"),
];

fn main() -> Result<(), Failure> {
    println!("load average and cores: {}", load()?);
    println!("\nprocessor time of a request, ns; aim for the whole: {REQUEST_AIM_NS:.0}");
    print!("{:>8}{:>9}", "keys", "threads");
    for (_, title) in WAYS {
        print!("{title:>16}");
    }
    println!();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut bytes = 0;
    for count in KEYS {
        let (keys, used) = runtime.block_on(Keys::new(count))?;
        keys.report(count)?;
        bytes = used / count;
        if count == KEYS[0] {
            println!("{:>17}{:>16}", "allocations", keys.allocations()?);
        }
    }
    println!("\nmemory of a key, bytes{bytes:>12}   aim {KEY_AIM_BYTES}");
    report_journal()?;
    println!("\nload average and cores: {}", load()?);
    Ok(())
}

fn load() -> Result<String, Failure> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
    Ok(format!("{load}, {}", std::thread::available_parallelism()?))
}

impl Keys {
    /// So many keys of the store, and the memory they take.
    async fn new(count: usize) -> Result<(Self, usize), Failure> {
        let meters = Arc::new(Meters::new(SteadyClock::new(Clock::System)));
        meters.account().set_terms(Terms::Prepaid);
        meters.account().grant(PicoUsd::from_pico(i128::from(u64::MAX)));
        let authenticator = Arc::new(Authenticator::new(Arc::clone(&meters)));
        let store = Store::open("memory:").await?;
        let mut write = store.begin_write().await?;
        for index in 0..count {
            write.insert_key(&record(index)).await?;
        }
        write.commit().await?;
        let book = KeyBook::new(store, Arc::clone(&authenticator), Arc::clone(&meters));
        let region = Region::new(ALLOCATOR);
        book.follow().await?;
        let used = region.change();
        let used = used.bytes_allocated.saturating_sub(used.bytes_deallocated);
        let credentials = (0..count).map(credential).collect::<Result<Vec<_>, _>>()?;
        let nothing = KeyTable::default();
        let found = credentials
            .iter()
            .map(|credential| authenticator.identify(&nothing, Some(credential)))
            .collect::<Result<Vec<_>, _>>()?;
        let of_file = KeyTable::new(found.iter().map(|key| ApiKey::clone(key)));
        Ok((Self { meters, authenticator, of_file, nothing, credentials, found }, used))
    }

    /// Measures everything in turns and prints the medians.
    fn report(&self, count: usize) -> Result<(), Failure> {
        let mut figures = vec![Vec::new(); THREADS.len() * WAYS.len()];
        for _ in 0..ROUNDS {
            let mut figures = figures.iter_mut();
            for threads in THREADS {
                for (way, _) in WAYS {
                    let figure = self.measure(threads, way)?;
                    figures.next().ok_or("no place")?.push(figure);
                }
            }
        }
        for (threads, figures) in THREADS.iter().zip(figures.chunks_mut(WAYS.len())) {
            print!("{count:>8}{threads:>9}");
            for rounds in figures.iter_mut() {
                print!("{:>16.0}", median(rounds));
            }
            println!();
        }
        Ok(())
    }

    /// Processor time of a request in nanoseconds while so many threads make requests.
    fn measure(&self, threads: usize, way: Way) -> Result<f64, Failure> {
        let barrier = Barrier::new(threads);
        let worked: Option<Vec<(usize, f64)>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|thread| {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        self.work(thread, way)
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().ok().flatten()).collect()
        });
        let worked = worked.ok_or("a request was refused")?;
        let made: usize = worked.iter().map(|(made, _)| made).sum();
        Ok(worked.iter().map(|(_, took_ns)| took_ns).sum::<f64>() / to_f64(made))
    }

    /// Makes requests for the length of a measurement: how many, and the processor time they took.
    fn work(&self, thread: usize, way: Way) -> Option<(usize, f64)> {
        let (started, began_ns) = (Instant::now(), processor_ns()?);
        let (mut made, mut index) = (0, thread * 7_919);
        while started.elapsed() < SLICE {
            for _ in 0..64 {
                // Steps by a prime visit all keys in no order that a cache could guess.
                index = (index + 64_007) % self.found.len();
                self.request(index, way)?;
            }
            made += 64;
        }
        Some((made, processor_ns()? - began_ns))
    }

    /// One request, or a part of it; `None` if it was refused.
    fn request(&self, index: usize, way: Way) -> Option<()> {
        let find = |table, index: usize| {
            self.authenticator.identify(table, self.credentials.get(index)).ok()
        };
        match way {
            Way::OfFile => black_box(find(&self.of_file, index)).map(drop),
            Way::OfStore => black_box(find(&self.nothing, index)).map(drop),
            Way::Limits => self.admit(self.found.get(index)?),
            Way::Whole => {
                let key = find(&self.nothing, index)?;
                self.admit(&key)
            }
            Way::OneKey => {
                let key = find(&self.nothing, 0)?;
                self.admit(&key)
            }
        }
    }

    fn admit(&self, key: &ApiKey) -> Option<()> {
        let ask = Ask {
            tokens_estimate: 20,
            hold: PicoUsd::from_pico(500),
            payer: Payer::Account,
            is_free_variant: false,
            model: None,
        };
        let admitted = self.meters.admit(&key.meter, &key.policy, black_box(&ask)).ok()?;
        black_box(admitted.standing());
        admitted.settle(15, PicoUsd::from_pico(300), Payer::Account);
        Some(())
    }

    /// Allocations of a request, once the thread has made its first.
    fn allocations(&self) -> Result<usize, Failure> {
        self.request(0, Way::Whole).ok_or("refused")?;
        let region = Region::new(ALLOCATOR);
        for index in 0..1_000 {
            self.request(index % self.found.len(), Way::Whole).ok_or("refused")?;
        }
        Ok(region.change().allocations / 1_000)
    }
}

/// A key of the store with every kind of limit.
fn record(index: usize) -> KeyRecord {
    KeyRecord {
        hash: hash_hex(&arouter::id::key_hash(&secret(index))),
        name: format!("key-{index}"),
        label: "lr_live_000…000".to_owned(),
        kind: KeyKind::Regular,
        disabled: false,
        limit: Some(PicoUsd::from_pico(i128::from(u64::MAX))),
        limit_reset: LimitReset::Monthly,
        budget_mode: BudgetMode::Estimate,
        include_byok_in_limit: false,
        rate_limit: RateLimit {
            requests_per_minute: Some(PLENTY),
            requests_per_day: Some(PLENTY),
            tokens_per_minute: Some(PLENTY),
            concurrent: Some(PLENTY),
        },
        allowed_providers: None,
        allowed_models: None,
        enforce_zdr: false,
        creator_hash: None,
        expires_ms: Some(i64::MAX),
        created_ms: 0,
        updated_ms: None,
    }
}

fn secret(index: usize) -> String {
    format!("lr_live_{index:048x}")
}

fn credential(index: usize) -> Result<Credential, Failure> {
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", format!("Bearer {}", secret(index)).parse()?);
    Ok(Credential::find(&headers, None)?.ok_or("no credential")?)
}

/// Measures the two records of a request, synced as often as the recorder does it, which is beside
/// the requests.
fn report_journal() -> Result<(), Failure> {
    let dir = std::env::temp_dir().join(format!("arouter-admission-{}", std::process::id()));
    let journal = Journal::open(&dir, 1)?;
    let record: Generation = serde_json::from_value(json!({
        "id": "gen-1790000000-00000000000000000000abcd", "created_ms": 1_790_000_000_000_i64,
        "key_hash": "0".repeat(64), "key_name": "production", "operation": "chat",
        "requested_model": "gpt-5.4", "model": "openai/gpt-5.4", "provider": "openai",
        "upstream_id": "chatcmpl-0123456789", "status": 200, "outcome": "complete",
        "streamed": true, "finish_reason": "stop", "native_finish_reason": "stop",
        "usage": { "prompt": 1200, "completion": 340 }, "usage_estimated": false,
        "cost_pico_usd": "0.0064", "prompt_cost_pico_usd": "0.003",
        "completion_cost_pico_usd": "0.0034", "price_version": "1", "latency_ms": 1240,
        "first_token_ms": 310, "attempts": 1,
    }))?;
    let mut figures = vec![Vec::new(); 4];
    for _ in 0..ROUNDS {
        let [open, append] = [Journal::open_request, Journal::append];
        for (at, write) in [open, append].into_iter().enumerate() {
            let (started, began_ns) = (Instant::now(), processor_ns().ok_or("no schedstat")?);
            for _ in 0..RECORDS {
                write(&journal, black_box(&record))?;
            }
            let took_ns = [
                processor_ns().ok_or("no schedstat")? - began_ns,
                started.elapsed().as_secs_f64() * 1e9,
            ];
            for (figures, took_ns) in figures.iter_mut().skip(2 * at).zip(took_ns) {
                figures.push(took_ns / to_f64(RECORDS));
            }
            journal.sync()?;
        }
    }
    println!("\n{:22}{:>16}{:>16}   aim {RECORD_AIM_NS:.0}", "journal, ns", "processor", "passed");
    for (title, figures) in
        ["before it is sent", "when it has ended"].iter().zip(figures.chunks_mut(2))
    {
        print!("{title:22}");
        for rounds in figures.iter_mut() {
            print!("{:>16.0}", median(rounds));
        }
        println!();
    }
    drop(journal);
    Ok(std::fs::remove_dir_all(&dir)?)
}

/// Processor time of this thread so far, in nanoseconds.
fn processor_ns() -> Option<f64> {
    // The count is brought up to date when the scheduler looks.
    std::thread::yield_now();
    let counts = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    counts.split(' ').next()?.parse().ok()
}

fn median(rounds: &mut [f64]) -> f64 {
    rounds.sort_unstable_by(f64::total_cmp);
    rounds.get(rounds.len() / 2).copied().unwrap_or(f64::NAN)
}

fn to_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::NAN, f64::from)
}
