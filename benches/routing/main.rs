//! What it costs to decide who is asked: the planner's time, the memory of what it goes by, and the
//! list of what there is to choose from.
//!
//! `cargo bench --bench routing`; a minute. Figures only: nothing here fails for being slow, but a
//! plan of the wrong length ends the run. Tables of 10 to 10,000 models; a request has 1, 5 or 50
//! candidates, which were called before, so that there are figures to go by. Times are
//! processor time of the thread; what is compared takes turns. Memory is what the allocator gave
//! out and did not get back.

#![expect(clippy::print_stdout, reason = "the table is the result")]

mod catalogue;
mod memory;

use std::alloc::System;
use std::collections::HashMap;
use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arouter::auth::ApiKey;
use arouter::catalog::{Abilities, Endpoint, Model, Pricing};
use arouter::clock::Clock;
use arouter::config::{PriceTable, Quantization, RateLimit, RoutingConfig};
use arouter::limits::{Meters, SteadyClock};
use arouter::providers::Provider;
use arouter::proxy::steer::LiveNow;
use arouter::routing::exacto::Board;
use arouter::routing::health::{MAX_ENDPOINTS, Sample};
use arouter::routing::{Ask, Health, Live, Preferences, RoutingTable, Shortlist};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Whatever ends a run.
type Failure = Box<dyn std::error::Error>;

/// Length of one measurement, and how many there are of each.
const SLICE: Duration = Duration::from_millis(40);
const ROUNDS: usize = 9;
/// Numbers of models in a table.
const MODELS: [usize; 4] = [10, 100, 1_000, 10_000];
const PROVIDERS: usize = 50;
/// The aim for one candidate, in nanoseconds.
const PLAN_AIM_NS: f64 = 1_000.0;
/// Numbers of endpoints of the first models; all others have one.
const SIZES: [usize; 3] = [1, 5, 50];
/// Length of every name.
const NAME_BYTES: usize = 12;

/// A request that is planned.
struct Way {
    title: &'static str,
    /// The models it names.
    models: Named,
    wishes: &'static str,
    candidates: usize,
}

#[derive(Debug, Clone, Copy)]
enum Named {
    /// The one with so many endpoints.
    With(usize),
    /// Any of those with one endpoint, at random.
    Any,
}

const NO_WISHES: &str = "{}";
/// Every step of the planner has something to do.
const MANY_WISHES: &str = r#"{"order":["p03","p01"],"ignore":["nobody"],"data_collection":"allow",
"quantizations":["unknown"],"max_price":{"prompt":900,"completion":"900"},
"require_parameters":true,"preferred_max_latency":{"p90":3},"sort":"price"}"#;

const WAYS: [Way; 7] = [
    Way { title: "1", models: Named::With(1), wishes: NO_WISHES, candidates: 1 },
    Way { title: "1, any model", models: Named::Any, wishes: NO_WISHES, candidates: 1 },
    Way { title: "1, all wishes", models: Named::With(1), wishes: MANY_WISHES, candidates: 1 },
    Way { title: "5", models: Named::With(5), wishes: NO_WISHES, candidates: 5 },
    Way { title: "5, all wishes", models: Named::With(5), wishes: MANY_WISHES, candidates: 5 },
    Way { title: "50", models: Named::With(50), wishes: NO_WISHES, candidates: 50 },
    Way { title: "50, all wishes", models: Named::With(50), wishes: MANY_WISHES, candidates: 50 },
];

/// A table of so many models, and what a plan is made with.
struct Bench {
    table: RoutingTable,
    health: Health,
    exacto: Board,
    key: ApiKey,
    /// The names of all models, one after the other, so that reading one costs little: first those
    /// of [`SIZES`], then those with one endpoint.
    names: String,
}

fn main() -> Result<(), Failure> {
    println!("load average and cores: {}", load()?);
    let benches = MODELS.iter().map(|count| Bench::new(*count)).collect::<Result<Vec<_>, _>>()?;
    report_times(&benches)?;
    drop(benches);
    memory::report()?;
    catalogue::report()?;
    println!("\nload average and cores: {}", load()?);
    Ok(())
}

fn load() -> Result<String, Failure> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
    Ok(format!("{load}, {}", std::thread::available_parallelism()?))
}

impl Bench {
    fn new(models: usize) -> Result<Self, Failure> {
        let (providers, key) = configured()?;
        let mut names = String::with_capacity(models * NAME_BYTES);
        for at in 0..models {
            write!(names, "author/{at:05}")?;
        }
        let mut all = Vec::with_capacity(models);
        for (at, endpoints) in (0..models).zip(SIZES.into_iter().chain(std::iter::repeat(1))) {
            all.push(model(name(&names, at), endpoints));
        }
        let health = Health::new(&RoutingConfig::default());
        for model in all.iter().take(MAX_ENDPOINTS / 2) {
            for endpoint in &model.endpoints {
                answer(&health, (&endpoint.provider, &endpoint.upstream_model));
            }
        }
        let defaults = (Some("p00"), None);
        let table = RoutingTable::new(providers, all, HashMap::new(), defaults);
        Ok(Self { table, health, exacto: Board::default(), key, names })
    }

    /// The model that a request names; `at` is drawn anew for each.
    fn named(&self, way: &Way, at: usize) -> &str {
        let models = self.names.len() / NAME_BYTES;
        match way.models {
            Named::With(size) => {
                name(&self.names, SIZES.iter().position(|one| *one == size).unwrap_or(0))
            }
            Named::Any => name(&self.names, SIZES.len() + at % (models - SIZES.len())),
        }
    }

    /// The length of the plan for one request.
    fn plan(&self, name: &str, preferences: &Preferences) -> usize {
        let names = [name];
        let ask = Ask {
            body: b"{}",
            prompt_tokens: 700,
            completion_tokens: 1_000,
            ..Ask::new(&names, preferences)
        };
        let Ok(shortlist) = Shortlist::new(&self.table, &self.key, black_box(&ask)) else {
            return 0;
        };
        let live = LiveNow { health: &self.health, exacto: &self.exacto };
        let basis: (_, &dyn Live) = (&self.table, &live);
        let plan = shortlist.into_plan(basis, &ask, None, &mut rand::rng());
        black_box(&plan).candidates.len()
    }

    /// Processor time of a plan in nanoseconds.
    fn measure(&self, way: &Way) -> Result<f64, Failure> {
        let preferences = preferences(way)?;
        let (started, began_ns) = (Instant::now(), processor_ns().ok_or("no schedstat")?);
        let (mut made, mut at) = (0, 7_919);
        while started.elapsed() < SLICE {
            for _ in 0..64 {
                // Steps by a prime visit all models in no order that a cache could guess.
                at = (at + 64_007) % 1_000_003;
                if self.plan(self.named(way, at), &preferences) != way.candidates {
                    return Err(format!("{}: a plan of another length", way.title).into());
                }
            }
            made += 64;
        }
        Ok((processor_ns().ok_or("no schedstat")? - began_ns) / to_f64(made))
    }

    /// Allocations of a plan.
    fn allocations(&self, way: &Way) -> Result<usize, Failure> {
        let preferences = preferences(way)?;
        self.plan(self.named(way, 0), &preferences);
        let region = Region::new(ALLOCATOR);
        for at in 0..1_000 {
            self.plan(self.named(way, at), &preferences);
        }
        Ok(region.change().allocations / 1_000)
    }
}

fn name(names: &str, at: usize) -> &str {
    names.get(at * NAME_BYTES..(at + 1) * NAME_BYTES).unwrap_or_default()
}

fn preferences(way: &Way) -> Result<Preferences, Failure> {
    Preferences::read(way.wishes.as_bytes()).map_err(|error| error.message.to_string().into())
}

/// Providers and a key as a configuration makes them.
fn configured() -> Result<(Vec<Arc<Provider>>, ApiKey), Failure> {
    let mut text = "version = 1\n[keys.bench]\nsecret = { insecure_literal = \
                    \"lr_live_0123456789abcdef0123456789abcdef0123456789abcdef\" }\n"
        .to_owned();
    for at in 0..PROVIDERS {
        write!(
            text,
            "[providers.p{at:02}]\nformat = \"openai\"\nbase_url = \"http://127.0.0.1:1/v1\"\n\
             keys = [{{ insecure_literal = \"sk-bench-0123456789\" }}]\n"
        )?;
    }
    let nothing = |_: &str| None;
    let loaded = arouter::config::load_text(Path::new("bench.toml"), &text, &nothing)?;
    let (secrets, _) = arouter::config::resolve_secrets(&loaded.config, &nothing);
    let meters = Meters::new(SteadyClock::new(Clock::System));
    let snapshot = arouter::server::build::snapshot(&loaded, &secrets, &meters)?;
    let key = snapshot.file_keys.first().and_then(|record| ApiKey::of(record, &meters));
    Ok((snapshot.routing.providers().to_vec(), key.ok_or("no key")?))
}

/// A model at so many providers.
fn model(id: &str, endpoints: usize) -> Model {
    Model {
        id: id.into(),
        endpoints: (0..endpoints).map(|at| endpoint(id, at)).collect(),
        context_length: None,
        max_completion_tokens: None,
        rate_limit: RateLimit::default(),
        distillable: None,
    }
}

fn endpoint(id: &str, at: usize) -> Endpoint {
    let price = format!("{}.5", 1 + at % 7).parse().ok();
    let table =
        price.map(|price| PriceTable { prompt: price, completion: price, ..PriceTable::default() });
    Endpoint {
        provider: format!("p{at:02}").into(),
        upstream_model: id.into(),
        pricing: table.map(|table| Arc::new(Pricing::new(table))),
        context_length: Some(128_000),
        max_completion_tokens: Some(16_384),
        quantization: Quantization::default(),
        data_policy: None,
        abilities: Abilities::default(),
        parameters: None,
    }
}

/// An endpoint is called often enough to have percentiles.
fn answer(health: &Health, (provider, model): (&str, &str)) {
    let endpoint = health.endpoint(provider, model);
    for call in 0..6 {
        let now_ms = health.now_ms();
        let sample = Sample {
            first_token_ms: Some(300 + 40 * call),
            total_ms: 4_000,
            completion_tokens: Some(300),
        };
        if let Ok(permit) = endpoint.enter(now_ms) {
            permit.succeeded(sample, now_ms);
        }
    }
}

/// Measures everything in turns and prints the medians.
fn report_times(benches: &[Bench]) -> Result<(), Failure> {
    let mut figures = vec![Vec::new(); WAYS.len() * benches.len()];
    for _ in 0..ROUNDS {
        let mut figures = figures.iter_mut();
        for way in &WAYS {
            for bench in benches {
                figures.next().ok_or("no place")?.push(bench.measure(way)?);
            }
        }
    }
    println!("\nprocessor time of a plan, ns, and as much as with 10 models");
    println!("aim for one candidate: {PLAN_AIM_NS:.0}, however many models");
    print!("{:16}{:>12}", "candidates", "allocations");
    for count in MODELS {
        print!("{count:>9} models");
    }
    println!();
    for (way, figures) in WAYS.iter().zip(figures.chunks_mut(benches.len())) {
        let bench = benches.first().ok_or("no table")?;
        print!("{:16}{:>12}", way.title, bench.allocations(way)?);
        let medians: Vec<f64> = figures.iter_mut().map(|rounds| median(rounds)).collect();
        for figure in &medians {
            let ratio = figure / medians.first().unwrap_or(figure);
            print!("{figure:>9.0} ({ratio:.2})");
        }
        println!();
    }
    Ok(())
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
