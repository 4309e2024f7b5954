//! Counts of instructions: a guard that a busy machine does not disturb.
//!
//! Each piece of work runs under callgrind in a process of its own, twice and with different
//! numbers of calls, so that the start of the process drops out. Counts depend on the compiler and
//! on the processor's features; they are compared only where both are the recorded ones.

use super::works::{self, Work};
use super::{Failure, black_box};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

/// Asks a process of this program to do one piece of work: its number, and how often.
pub(super) const CASE: &str = "--case";
/// Where the counts are recorded.
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/translate.counts.toml");
/// Part of a count by which it may grow.
const TOLERANCE: f64 = 0.03;
/// Calls of the two runs that are compared.
const CALLS: [u64; 2] = [1, 4];

/// The work of one process.
pub(super) fn run_case(given: &[String]) -> Result<(), Failure> {
    let [number, calls] = given else { return Err("a number and a count are needed".into()) };
    let plan = works::plans().into_iter().nth(number.parse()?).ok_or("no such work")?;
    let work = plan.work()?;
    for _ in 0..calls.parse::<u64>()? {
        black_box(work.ours()?);
    }
    Ok(())
}

/// Counts everything; then records the counts or compares them with the recorded ones.
pub(super) fn run(works: &[Work], bless: bool) -> Result<(), Failure> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("valgrind is not installed: no instructions are counted");
        return Ok(());
    }
    let machine = Machine::this()?;
    let recorded = std::fs::read_to_string(RECORDED).unwrap_or_default();
    let recorded: toml::Table = recorded.parse()?;
    if !bless && !machine.is_recorded(&recorded) {
        println!("the counts are of another compiler or processor: nothing is compared");
        return Ok(());
    }
    let mut counts = BTreeMap::new();
    for (number, work) in works.iter().enumerate() {
        let [few, many] = [instructions(number, CALLS[0])?, instructions(number, CALLS[1])?];
        let calls = (CALLS[1] - CALLS[0]) * u64::try_from(work.units)?;
        let count = many.saturating_sub(few) / calls;
        println!("{:46}{count:>14}", work.title);
        counts.insert(work.title.as_str(), count);
    }
    if bless { machine.record(&counts) } else { compare(&counts, &recorded) }
}

/// Instructions of a process that does the work so often, its start included.
fn instructions(number: usize, calls: u64) -> Result<u64, Failure> {
    let out = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args([CASE, &number.to_string(), &calls.to_string()])
        .output()?;
    let told = String::from_utf8_lossy(&out.stderr);
    if !out.status.success() {
        return Err(format!("valgrind: {told}").into());
    }
    let count = told.lines().find_map(|line| line.split("Collected :").nth(1));
    Ok(count.ok_or("valgrind told no count")?.trim().parse()?)
}

/// What counts depend on.
struct Machine {
    rustc: String,
    features: String,
}

impl Machine {
    fn this() -> Result<Self, Failure> {
        let rustc = Command::new("rustc").arg("--version").output()?;
        let mut features = vec![std::env::consts::ARCH];
        #[cfg(target_arch = "x86_64")]
        for (name, found) in [
            ("sse4.2", std::is_x86_feature_detected!("sse4.2")),
            ("avx2", std::is_x86_feature_detected!("avx2")),
            ("avx512f", std::is_x86_feature_detected!("avx512f")),
        ] {
            features.extend(found.then_some(name));
        }
        let rustc = String::from_utf8(rustc.stdout)?.trim().to_owned();
        Ok(Self { rustc, features: features.join(" ") })
    }

    fn is_recorded(&self, recorded: &toml::Table) -> bool {
        let same =
            |key: &str, value: &str| recorded.get(key).and_then(toml::Value::as_str) == Some(value);
        same("rustc", &self.rustc) && same("features", &self.features)
    }

    fn record(&self, counts: &BTreeMap<&str, u64>) -> Result<(), Failure> {
        let mut text = format!(
            "# Instructions per operation, written by `cargo bench --bench translate -- --bless`.\n\
             rustc = \"{}\"\nfeatures = \"{}\"\n\n[counts]\n",
            self.rustc, self.features
        );
        for (title, count) in counts {
            writeln!(text, "\"{title}\" = {count}")?;
        }
        std::fs::write(RECORDED, text)?;
        println!("written to {RECORDED}");
        Ok(())
    }
}

/// Complains of every count that has grown.
fn compare(counts: &BTreeMap<&str, u64>, recorded: &toml::Table) -> Result<(), Failure> {
    let before = recorded.get("counts").and_then(toml::Value::as_table);
    let mut grown = String::new();
    for (title, &count) in counts {
        let Some(known) = before.and_then(|known| known.get(*title)?.as_integer()) else {
            writeln!(grown, "{title}: not recorded")?;
            continue;
        };
        let growth = to_f64(count)? / to_f64(u64::try_from(known)?)? - 1.0;
        if growth > TOLERANCE {
            writeln!(grown, "{title}: {known} before, {count} now ({:+.1} %)", growth * 100.0)?;
        }
    }
    if grown.is_empty() { Ok(()) } else { Err(format!("more instructions:\n{grown}").into()) }
}

fn to_f64(count: u64) -> Result<f64, Failure> {
    Ok(f64::from(u32::try_from(count)?))
}
