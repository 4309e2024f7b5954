//! Counts per format pair, the list of failures, and the work spread over the machine's cores.

use crate::recordings::{self, Recording};
use arouter::formats::ApiFormat;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What became of one check on one recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    /// Refused by name, where the table says so.
    Refused,
    Failed(String),
}

impl Verdict {
    /// Passed when there is nothing to complain of.
    pub fn of(complaints: &[String]) -> Self {
        if complaints.is_empty() { Self::Passed } else { Self::Failed(complaints.join("; ")) }
    }
}

#[derive(Debug, Default)]
struct Row {
    tried: usize,
    passed: usize,
    refused: usize,
}

/// Results of one kind of check.
#[derive(Debug, Default)]
pub struct Report {
    rows: Mutex<BTreeMap<String, Row>>,
    failures: Mutex<Vec<String>>,
}

impl Report {
    pub fn note(&self, pair: &str, id: &str, verdict: &Verdict) {
        let mut rows = self.rows.lock().unwrap();
        let row = rows.entry(pair.to_owned()).or_default();
        row.tried += 1;
        match verdict {
            Verdict::Passed => row.passed += 1,
            Verdict::Refused => row.refused += 1,
            Verdict::Failed(why) => {
                let why: String = why.chars().take(600).collect();
                self.failures.lock().unwrap().push(format!("{pair} | {id} | {why}"));
            }
        }
    }

    /// Prints the table; a failure, or nothing tried where recordings are, fails the test.
    pub fn close(self, title: &str) {
        let rows = self.rows.into_inner().unwrap();
        let mut failures = self.failures.into_inner().unwrap();
        failures.sort();
        let mut text =
            format!("\n{title}\n{:46} {:>6} {:>6} {:>7}\n", "", "tried", "passed", "refused");
        let mut sum = (0, 0, 0);
        for (pair, row) in &rows {
            let Row { tried, passed, refused } = row;
            writeln!(text, "{pair:46} {tried:>6} {passed:>6} {refused:>7}").unwrap();
            sum = (sum.0 + tried, sum.1 + passed, sum.2 + refused);
        }
        writeln!(text, "{:46} {:>6} {:>6} {:>7}", "all", sum.0, sum.1, sum.2).unwrap();
        for failure in &failures {
            writeln!(text, "FAILED {failure}").unwrap();
        }
        println!("{text}");
        assert!(failures.is_empty(), "{title}: {} of {} failed", failures.len(), sum.0);
        assert!(sum.0 > 0 || recordings::all().is_empty(), "{title}: nothing was tried");
    }
}

/// Runs `work` on every recording that is not broken, on all cores; a panic is a failure.
pub fn each(report: &Report, work: impl Fn(&Report, &Recording) + Sync) {
    let next = AtomicUsize::new(0);
    let recordings = recordings::all();
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(recording) = recordings.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if recording.broken.is_some() {
                        continue;
                    }
                    let run = || work(report, recording);
                    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err() {
                        let verdict = Verdict::Failed("it panicked".to_owned());
                        report.note("panic", &recording.id, &verdict);
                    }
                }
            });
        }
    });
}

pub fn name(format: ApiFormat) -> &'static str {
    match format {
        ApiFormat::OpenAiChat => "chat",
        ApiFormat::OpenAiResponses => "responses",
        ApiFormat::Anthropic => "messages",
        ApiFormat::Gemini => "generate",
        ApiFormat::Completions => "completions",
        ApiFormat::Bedrock => "converse",
    }
}

pub fn pair(from: ApiFormat, to: ApiFormat) -> String {
    format!("{:11} -> {}", name(from), name(to))
}
