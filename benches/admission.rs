//! What it costs to let a request in and to settle it: find the key of a secret, take its rates,
//! reserve its money and the account's, and give back what was not used.
//!
//! `cargo bench --bench admission`; a few seconds. Figures only: nothing here fails for being slow.
//! Keys with every kind of limit, 10 to 100,000 of them; 1 to 8 threads, each on keys
//! taken at random, or all on one key, which is the worst there is.

#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::alloc::System;
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use arouter::clock::Clock;
use arouter::config::{BudgetMode, LimitReset, RateLimit};
use arouter::limits::{Ask, KeyMeter, KeyPolicy, Meters, Payer, SteadyClock, Terms};
use arouter::money::PicoUsd;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Whatever ends a run.
type Failure = Box<dyn std::error::Error>;

/// Length of one measurement, and how many there are of each.
const SLICE: Duration = Duration::from_millis(60);
const ROUNDS: usize = 7;
/// Numbers of keys and of threads.
const KEYS: [usize; 3] = [10, 1_000, 100_000];
const THREADS: [usize; 4] = [1, 2, 4, 8];
/// Far above what is taken, so that the work is always the same.
const PLENTY: u64 = 1 << 35;

/// Keys as the gateway holds them: counters by the hash of the secret.
struct Keys {
    meters: Meters,
    by_hash: HashMap<[u8; 32], Arc<KeyMeter>>,
    secrets: Vec<(String, Arc<KeyMeter>)>,
}

/// How a request comes by its counters.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// They are at hand.
    Ready,
    /// The secret is hashed and the key looked for.
    BySecret,
    /// They are at hand, and the same for all.
    OneKey,
}

fn main() -> Result<(), Failure> {
    let cores = std::thread::available_parallelism()?.get();
    println!("processor time of a request, ns; {cores} cores");
    println!(
        "{:>8}{:>9}{:>16}{:>16}{:>16}",
        "keys", "threads", "admit, settle", "from secret", "all on one key"
    );
    for count in KEYS {
        let keys = Keys::new(count);
        for threads in THREADS {
            let [ready, by_secret, one_key] =
                [Way::Ready, Way::BySecret, Way::OneKey].map(|way| keys.measure(threads, way));
            // Threads that share a core share its time.
            let busy = to_f64(threads.min(cores));
            let [ready, by_secret, one_key] = [ready? * busy, by_secret? * busy, one_key? * busy];
            println!("{count:>8}{threads:>9}{ready:>16.0}{by_secret:>16.0}{one_key:>16.0}");
        }
    }
    println!("counters of a key: {} bytes", bytes_of_a_key());
    println!("allocations of a request: {}", allocations_of_a_request()?);
    Ok(())
}

/// Memory of the counters and their place in the table, of 100,000 keys.
fn bytes_of_a_key() -> usize {
    let count = 100_000;
    let meters = Meters::new(SteadyClock::new(Clock::System));
    let region = Region::new(ALLOCATOR);
    for index in 0..count {
        meters.key(&arouter::id::key_hash(&secret(index)), LimitReset::Monthly);
    }
    let used = region.change();
    used.bytes_allocated.saturating_sub(used.bytes_deallocated) / count
}

/// Allocations, once the thread has made its first request.
fn allocations_of_a_request() -> Result<usize, Failure> {
    let keys = Keys::new(10);
    keys.request(0, Way::BySecret).ok_or("refused")?;
    let region = Region::new(ALLOCATOR);
    for index in 0..1_000 {
        keys.request(index % 10, Way::BySecret).ok_or("refused")?;
    }
    Ok(region.change().allocations / 1_000)
}

fn secret(index: usize) -> String {
    format!("lr_live_{index:048x}")
}

impl Keys {
    fn new(count: usize) -> Self {
        let meters = Meters::new(SteadyClock::new(Clock::System));
        meters.account().set_terms(Terms::Prepaid);
        meters.account().top_up(PicoUsd::from_pico(i128::from(u64::MAX)));
        let hashed = |secret: &str| arouter::id::key_hash(secret);
        let secrets: Vec<_> = (0..count)
            .map(secret)
            .map(|secret| {
                let meter = meters.key(&hashed(&secret), LimitReset::Monthly);
                (secret, meter)
            })
            .collect();
        let by_hash =
            secrets.iter().map(|(secret, meter)| (hashed(secret), Arc::clone(meter))).collect();
        Self { meters, by_hash, secrets }
    }

    /// Wall time of a request in nanoseconds, the median of the rounds, while so many threads make
    /// requests.
    fn measure(&self, threads: usize, way: Way) -> Result<f64, Failure> {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let barrier = Barrier::new(threads);
            let started = Instant::now();
            let made = std::thread::scope(|scope| {
                let workers: Vec<_> = (0..threads)
                    .map(|thread| {
                        let barrier = &barrier;
                        scope.spawn(move || {
                            barrier.wait();
                            self.work(thread, way)
                        })
                    })
                    .collect();
                workers
                    .into_iter()
                    .map(|worker| worker.join().ok().flatten())
                    .sum::<Option<usize>>()
            });
            let made = made.ok_or("a request was refused")?;
            rounds.push(started.elapsed().as_secs_f64() * 1e9 / to_f64(made));
        }
        rounds.sort_unstable_by(f64::total_cmp);
        Ok(rounds.get(ROUNDS / 2).copied().unwrap_or(f64::NAN))
    }

    /// Makes requests for the length of a measurement; how many.
    fn work(&self, thread: usize, way: Way) -> Option<usize> {
        let started = Instant::now();
        let (mut made, mut index) = (0, thread * 7_919);
        while started.elapsed() < SLICE {
            for _ in 0..64 {
                // Steps by a prime visit all keys in no order that a cache could guess.
                index = (index + 64_007) % self.secrets.len();
                self.request(index, way)?;
            }
            made += 64;
        }
        Some(made)
    }

    /// One request; `None` if it was refused.
    fn request(&self, index: usize, way: Way) -> Option<()> {
        match way {
            Way::Ready => self.admit(&self.secrets.get(index)?.1),
            Way::OneKey => self.admit(&self.secrets.first()?.1),
            Way::BySecret => {
                let hash = arouter::id::key_hash(&self.secrets.get(index)?.0);
                self.admit(self.by_hash.get(&hash)?)
            }
        }
    }

    fn admit(&self, meter: &KeyMeter) -> Option<()> {
        let policy = KeyPolicy {
            rate_limit: RateLimit {
                requests_per_minute: Some(PLENTY),
                requests_per_day: Some(PLENTY),
                tokens_per_minute: Some(PLENTY),
                concurrent: Some(PLENTY),
            },
            limit: Some(PicoUsd::from_pico(i128::from(u64::MAX))),
            limit_reset: LimitReset::Monthly,
            budget_mode: BudgetMode::Estimate,
            include_byok_in_limit: false,
        };
        let ask = Ask {
            tokens_estimate: 20,
            hold: PicoUsd::from_pico(500),
            payer: Payer::Account,
            is_free_variant: false,
            model: None,
        };
        let admitted = self.meters.admit(meter, black_box(&policy), black_box(&ask)).ok()?;
        black_box(admitted.standing());
        admitted.settle(15, PicoUsd::from_pico(300), Payer::Account);
        Some(())
    }
}

fn to_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::NAN, f64::from)
}
