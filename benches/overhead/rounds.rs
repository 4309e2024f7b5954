//! The rounds: every shape, every subject, one after the other, again and again.
//!
//! The order of the subjects turns with each round, so that none always follows the same other.
//! Latencies are also taken without a proxy, to know what a proxy adds.

use std::net::SocketAddr;
use std::time::Duration;

use crate::args::Args;
use crate::gate::Gates;
use crate::load::{self, Found, Target};
use crate::payload::{Shape, Via};
use crate::report::Row;
use crate::subjects::Subject;
use crate::{Failure, aim};

/// The figures of one subject and one shape, by round.
#[derive(Debug, Default, Clone)]
struct Figures {
    cpu_us: Vec<f64>,
    per_second: Vec<f64>,
    p50_us: Vec<f64>,
    p99_us: Vec<f64>,
}

/// A benchmark under way.
#[derive(Debug)]
pub(crate) struct Bench<'b> {
    args: &'b Args,
    upstream: SocketAddr,
    subjects: &'b [Subject],
    gates: Gates,
    /// By shape, then by subject.
    figures: Vec<Vec<Figures>>,
    answers: u64,
    wrong: Vec<String>,
}

impl<'b> Bench<'b> {
    /// Nothing measured yet.
    pub(crate) fn new(
        args: &'b Args,
        upstream: SocketAddr,
        subjects: &'b [Subject],
        gates: Gates,
    ) -> Self {
        let figures = vec![vec![Figures::default(); subjects.len()]; args.shapes.len()];
        Self { args, upstream, subjects, gates, figures, answers: 0, wrong: Vec::new() }
    }

    /// Measures all rounds.
    pub(crate) fn run(&mut self) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        for round in 0..self.args.rounds {
            for index in 0..self.args.shapes.len() {
                runtime.block_on(self.round(index, round));
            }
        }
        Ok(())
    }

    async fn round(&mut self, index: usize, round: usize) {
        let Some(&shape) = self.args.shapes.get(index) else { return };
        let direct = self.direct(shape).await;
        let count = self.subjects.len();
        for turn in 0..count {
            let which = (turn + round) % count;
            let Some(subject) = self.subjects.get(which) else { continue };
            let (found, cpu) = self.measure(subject, shape).await;
            self.answers += u64::from(found.done);
            if let Some(text) = &found.wrong {
                self.wrong.push(format!("{}, {}: {text}", subject.name, shape.title()));
            }
            let figures = self.figures.get_mut(index).and_then(|row| row.get_mut(which));
            if let Some(figures) = figures {
                figures.add(shape, cpu, (&found, &direct));
            }
        }
    }

    /// Asks the upstream without a proxy, where latencies are compared.
    async fn direct(&self, shape: Shape) -> Found {
        if shape != Shape::Chat1 {
            return Found::default();
        }
        let target = Target { address: self.upstream, via: Via::Plain, shape };
        load::measure(target, &self.gates, self.args.window, || {}).await
    }

    async fn measure(&self, subject: &Subject, shape: Shape) -> (Found, Duration) {
        let target = Target { address: subject.address(shape), via: subject.via, shape };
        let mut before = Duration::ZERO;
        let at_start = || before = subject.cpu();
        let found = load::measure(target, &self.gates, self.args.window, at_start).await;
        (found, subject.cpu_when_quiet().saturating_sub(before))
    }

    /// Answers that were right.
    pub(crate) fn answers(&self) -> u64 {
        self.answers
    }

    /// Fails if an answer was wrong.
    pub(crate) fn verdict(&self) -> Result<(), Failure> {
        if self.wrong.is_empty() { Ok(()) } else { Err(self.wrong.join("\n").into()) }
    }

    /// The figures as rows of the table.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let pairs = self.args.shapes.iter().zip(&self.figures);
        pairs.flat_map(|(&shape, figures)| rows_of(shape, figures)).collect()
    }
}

impl Figures {
    fn add(&mut self, shape: Shape, cpu: Duration, (found, direct): (&Found, &Found)) {
        let units = f64::from(found.done) * f64::from(u16::try_from(shape.units()).unwrap_or(1));
        self.cpu_us.push(cpu.as_secs_f64() * 1e6 / units);
        self.per_second.push(units / found.took.as_secs_f64());
        self.p50_us.push(found.percentile_us(50) - direct.percentile_us(50));
        self.p99_us.push(found.percentile_us(99) - direct.percentile_us(99));
    }
}

fn rows_of(shape: Shape, figures: &[Figures]) -> Vec<Row> {
    let unit = if shape.is_stream() { "event" } else { "request" };
    let row = |what: &str, pick: fn(&Figures) -> &Vec<f64>, aim: Option<f64>| Row {
        title: format!("{}: {what}", shape.title()),
        values: figures.iter().map(|figures| pick(figures).clone()).collect(),
        has_ratio: true,
        aim,
    };
    let mut rows = Vec::new();
    if shape == Shape::Chat1 {
        rows.push(row("added p50, µs", |figures| &figures.p50_us, None));
        rows.push(row("added p99, µs", |figures| &figures.p99_us, None));
    }
    rows.push(row(&format!("CPU µs/{unit}"), |figures| &figures.cpu_us, Some(aim(shape))));
    rows.push(row(&format!("{unit}s/s"), |figures| &figures.per_second, None));
    rows
}
