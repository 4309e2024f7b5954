//! How fast an endpoint answers: time to the first token and throughput, over 5 and 30 minutes.
//!
//! Used by `endpoint`, which makes one when the first answer came. The planner reads percentiles
//! that are at most a second old, so that reading costs a few loads.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::distribution::Distribution;
use super::endpoint::Sample;
use crate::routing::Percentiles;

/// Slots of the windows: one more than fills them, since the last one is not over.
const FINE: (usize, u64) = (11, 30_000);
const COARSE: (usize, u64) = (7, 300_000);
/// Weight of the newest call in the moving average.
const EWMA_WEIGHT: f32 = 0.1;
/// Answers with fewer tokens say nothing of the throughput.
const MIN_TOKENS: u64 = 8;
/// How long percentiles are kept for the planner.
const KEPT_MS: u64 = 1_000;

/// Percentiles of the latency and of the throughput.
pub(super) type Both = (Option<Percentiles>, Option<Percentiles>);

/// The two kinds of answers: the one is waited for until its first content, the other until its
/// end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A stream.
    Stream,
    /// A whole answer.
    Whole,
}

/// The distributions.
#[derive(Debug)]
pub(super) struct Speed {
    latency_5m: Distribution,
    latency_30m: Distribution,
    throughput_5m: Distribution,
    throughput_30m: Distribution,
    /// Times of whole answers, of an endpoint that gives some.
    whole_5m: Option<Distribution>,
    latency_ewma_ms: Option<f32>,
}

impl Default for Speed {
    fn default() -> Self {
        let of = |(slots, slot_ms)| Distribution::new(slots, slot_ms);
        Self {
            latency_5m: of(FINE),
            latency_30m: of(COARSE),
            throughput_5m: of(FINE),
            throughput_30m: of(COARSE),
            whole_5m: None,
            latency_ewma_ms: None,
        }
    }
}

impl Speed {
    /// Adds an answer.
    pub(super) fn add(&mut self, sample: Sample, now_ms: u64) {
        let (answer, silence_ms) = match sample.first_token_ms {
            Some(first_token_ms) => (Answer::Stream, first_token_ms),
            None => (Answer::Whole, sample.total_ms),
        };
        self.add_silence(answer, silence_ms, now_ms);
        if let Some(per_second) = throughput(sample) {
            self.throughput_5m.add(per_second, now_ms);
            self.throughput_30m.add(per_second, now_ms);
        }
    }

    /// Adds how long an endpoint said nothing, or the least that it would have.
    pub(super) fn add_silence(&mut self, answer: Answer, silence_ms: u64, now_ms: u64) {
        let silence_ms = approximate(silence_ms);
        match answer {
            Answer::Stream => {
                self.latency_5m.add(silence_ms, now_ms);
                self.latency_30m.add(silence_ms, now_ms);
                let before = self.latency_ewma_ms.unwrap_or(silence_ms);
                self.latency_ewma_ms = Some(before + (silence_ms - before) * EWMA_WEIGHT);
            }
            Answer::Whole => {
                let (slots, slot_ms) = FINE;
                let whole = self.whole_5m.get_or_insert_with(|| Distribution::new(slots, slot_ms));
                whole.add(silence_ms, now_ms);
            }
        }
    }

    /// How long 95 of 100 answers of the last 5 minutes kept callers waiting, in milliseconds.
    pub(super) fn silence_p95_ms(&self, answer: Answer, now_ms: u64) -> Option<f32> {
        match answer {
            Answer::Stream => self.latency_5m.p95(now_ms),
            Answer::Whole => self.whole_5m.as_ref()?.p95(now_ms),
        }
    }

    /// What the planner goes by, of the last 5 minutes: the latency that so many percent of the
    /// calls stay below, and the throughput that so many percent reach.
    pub(super) fn last_5m(&self, now_ms: u64) -> Both {
        (self.latency_5m.percentiles(now_ms), self.throughput_5m.reached(now_ms))
    }

    /// What the catalogue shows, of the last 30 minutes: percentiles of both.
    pub(super) fn last_30m(&self, now_ms: u64) -> Both {
        (self.latency_30m.percentiles(now_ms), self.throughput_30m.percentiles(now_ms))
    }

    /// What it takes, in bytes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let windows =
            [&self.latency_5m, &self.latency_30m, &self.throughput_5m, &self.throughput_30m];
        let windows = windows.into_iter().chain(&self.whole_5m);
        size_of::<Self>() + windows.map(Distribution::heap_bytes).sum::<usize>()
    }

    /// Moving average of the time to the first token.
    pub(super) fn latency_ewma_ms(&self) -> Option<f32> {
        self.latency_ewma_ms
    }
}

/// Tokens per second from the first token on; of a whole answer, from its begin.
fn throughput(sample: Sample) -> Option<f32> {
    let tokens = sample.completion_tokens.filter(|tokens| *tokens >= MIN_TOKENS)?;
    let spent_ms = sample.total_ms.saturating_sub(sample.first_token_ms.unwrap_or(0)).max(1);
    Some(approximate(tokens) * 1_000.0 / approximate(spent_ms))
}

#[expect(clippy::cast_precision_loss, reason = "statistics need no more than 24 bits")]
fn approximate(count: u64) -> f32 {
    count as f32
}

/// Percentiles of a moment ago. Readers that meet a writer may see some of each of two moments.
#[derive(Debug, Default)]
pub(super) struct Cached {
    /// When they were made, plus one; 0 = never.
    made_ms: AtomicU64,
    latency: Kept,
    throughput: Kept,
}

impl Cached {
    /// The kept percentiles, made anew by one of the readers once they are too old.
    pub(super) fn get(&self, now_ms: u64, make: impl FnOnce() -> Both) -> Both {
        let made_ms = self.made_ms.load(Ordering::Acquire);
        let fresh = made_ms > 0 && now_ms.saturating_sub(made_ms - 1) < KEPT_MS;
        if !fresh {
            let (latency, throughput) = make();
            self.latency.set(latency);
            self.throughput.set(throughput);
            self.made_ms.store(now_ms + 1, Ordering::Release);
        }
        (self.latency.get(), self.throughput.get())
    }
}

/// Percentiles as bits; a quantile that is no number stands for none at all.
#[derive(Debug)]
struct Kept([AtomicU32; 4]);

impl Default for Kept {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU32::new(f32::NAN.to_bits())))
    }
}

impl Kept {
    fn set(&self, percentiles: Option<Percentiles>) {
        let all = percentiles.map_or([f32::NAN; 4], |of| [of.p50, of.p75, of.p90, of.p99]);
        for (kept, value) in self.0.iter().zip(all) {
            kept.store(value.to_bits(), Ordering::Relaxed);
        }
    }

    fn get(&self) -> Option<Percentiles> {
        let [p50, p75, p90, p99] =
            self.0.each_ref().map(|kept| f32::from_bits(kept.load(Ordering::Relaxed)));
        let whole = [p50, p75, p90, p99].iter().all(|value| value.is_finite());
        whole.then_some(Percentiles { p50, p75, p90, p99 })
    }
}
