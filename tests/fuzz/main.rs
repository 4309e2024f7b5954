//! A bounded run of the fuzz targets: recorded traffic and built-in samples, mutated by a seeded
//! generator, the same each time.
//!
//! `cargo test --test fuzz_smoke`; the real thing is `make fuzz`. A failure names the target and
//! the iteration and leaves its input in a file. `ITERATION=<n>` in the environment tries that
//! iteration alone, `ITERATIONS=<n>` as many instead of the usual number.

#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "all of this crate is tests, and a test that goes wrong panics"
)]

#[path = "../../fuzz/src/lib.rs"]
mod targets;

mod mutate;
mod seeds;

use seeds::Seed;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use targets::{Random, TARGETS};

/// Tries a target on its seeds as they are, then on mutations of them.
fn smoke(name: &str, iterations: u64) {
    let (_, run) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let seeds = seeds::of(name);
    assert!(!seeds.is_empty(), "no seeds for {name}");
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let first = number("ITERATION");
    let last = first.map(|at| at + 1).or(number("ITERATIONS")).unwrap_or(iterations);
    for iteration in first.unwrap_or(0)..last {
        let input = input(&seeds, iteration);
        if catch_unwind(AssertUnwindSafe(|| run(&input))).is_err() {
            let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{iteration}"));
            std::fs::write(&file, &input).unwrap();
            panic!("{name} fails at ITERATION={iteration}; its input is in {}", file.display());
        }
    }
}

/// The input of an iteration, which depends on the seeds and its number alone.
fn input(seeds: &[Seed], iteration: u64) -> Vec<u8> {
    let mut random = Random::new(iteration ^ 0x0A07_E12A);
    let seed = &seeds[random.below(seeds.len())];
    let mut decisions = random.next().to_le_bytes();
    if let Some(first) = seed.first_decision {
        decisions[0] = first;
    }
    let mut body = seed.body();
    // One in eight stays as it is, so that good input is tried as well.
    if random.below(8) > 0 {
        let other = seeds[random.below(seeds.len())].body();
        mutate::some(&mut body, &other, &mut random);
    }
    [&decisions, body.as_slice()].concat()
}

#[test]
fn requests() {
    smoke("requests", 2_000);
}

#[test]
fn answers() {
    smoke("answers", 4_000);
}

#[test]
fn streams() {
    smoke("streams", 1_500);
}

#[test]
fn errors() {
    smoke("errors", 4_000);
}

#[test]
fn sse_frames() {
    smoke("sse_frames", 2_000);
}

#[test]
fn array_frames() {
    smoke("array_frames", 2_000);
}

#[test]
fn binary_frames() {
    smoke("binary_frames", 1_000);
}

/// Every target on every built-in seed, for every format of the other side.
#[test]
fn seeds_as_they_are() {
    for (name, run) in TARGETS {
        for seed in seeds::of(name).iter().filter(|seed| seed.is_built_in()) {
            for other in 0..5 {
                let first = seed.first_decision.unwrap_or(other);
                run(&[&[first, other, 0, 0, 0, 0, 0, other], seed.body().as_slice()].concat());
            }
        }
    }
}

/// Writes the seeds as the corpora of `cargo fuzz`; `make fuzz` calls it.
#[test]
#[ignore = "it writes files"]
fn write_corpora() {
    for (name, _) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for (at, seed) in seeds::of(name).iter().enumerate() {
            let other = u8::try_from(at % 5).unwrap();
            let first = seed.first_decision.unwrap_or(other);
            let input = [&[first, other, 0, 0, 0, 0, 0, other], seed.body().as_slice()].concat();
            std::fs::write(folder.join(format!("seed-{at}")), input).unwrap();
        }
        eprintln!("{name}: {}", folder.display());
    }
}
