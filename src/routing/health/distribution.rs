//! Percentiles over a rolling window, from histograms of fixed size.
//!
//! Used by `endpoint` for the time to the first token and for throughput. Buckets grow by a fourth
//! root of two, so a percentile is off by a tenth at most; a ring of slots forgets the past. The
//! size does not depend on the number of calls.

use crate::routing::Percentiles;

/// Buckets of one histogram: from 1 to a million, four for each doubling, and one for what is less.
const BUCKETS: usize = 81;
const PER_DOUBLING: f32 = 4.0;
/// Calls below which nothing is said.
const MIN_CALLS: u64 = 5;
/// The same for the 95th percentile: of fewer calls it would be the slowest one.
const MIN_P95_CALLS: u64 = 20;

/// A ring of histograms, each of `slot_ms`.
#[derive(Debug)]
pub(super) struct Distribution {
    slot_ms: u64,
    slots: Box<[Slot]>,
}

#[derive(Debug, Clone)]
struct Slot {
    number: u64,
    counts: [u32; BUCKETS],
}

impl Distribution {
    /// A window of `slots` slots.
    pub(super) fn new(slots: usize, slot_ms: u64) -> Self {
        let empty = Slot { number: 0, counts: [0; BUCKETS] };
        Self { slot_ms: slot_ms.max(1), slots: vec![empty; slots.max(1)].into() }
    }

    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.slots)
    }

    /// Adds a value.
    pub(super) fn add(&mut self, value: f32, now_ms: u64) {
        let number = now_ms / self.slot_ms;
        let len = u64::try_from(self.slots.len()).unwrap_or(u64::MAX).max(1);
        let index = usize::try_from(number % len).unwrap_or(0);
        let Some(slot) = self.slots.get_mut(index) else { return };
        if slot.number < number {
            *slot = Slot { number, counts: [0; BUCKETS] };
        }
        if slot.number == number
            && let Some(count) = slot.counts.get_mut(bucket_of(value))
        {
            *count = count.saturating_add(1);
        }
    }

    /// The percentiles of the window: the values that so many percent stay below. `None` without
    /// enough values.
    pub(super) fn percentiles(&self, now_ms: u64) -> Option<Percentiles> {
        self.at_shares([50, 75, 90, 99], now_ms)
    }

    /// The same where more is better: the values that so many percent reach.
    pub(super) fn reached(&self, now_ms: u64) -> Option<Percentiles> {
        self.at_shares([50, 25, 10, 1], now_ms)
    }

    /// The value below which 95 of 100 lie; `None` without enough values to name one.
    pub(super) fn p95(&self, now_ms: u64) -> Option<f32> {
        let (counts, total) = self.counts(now_ms);
        (total >= MIN_P95_CALLS).then(|| at_share(&counts, total, 95))
    }

    fn at_shares(&self, percents: [u64; 4], now_ms: u64) -> Option<Percentiles> {
        let (counts, total) = self.counts(now_ms);
        (total >= MIN_CALLS).then(|| {
            let [p50, p75, p90, p99] = percents.map(|percent| at_share(&counts, total, percent));
            Percentiles { p50, p75, p90, p99 }
        })
    }

    /// What the window counted, and how much that is together.
    fn counts(&self, now_ms: u64) -> ([u64; BUCKETS], u64) {
        let last = now_ms / self.slot_ms;
        let len = u64::try_from(self.slots.len()).unwrap_or(u64::MAX);
        let first = (last + 1).saturating_sub(len);
        let mut counts = [0_u64; BUCKETS];
        for slot in self.slots.iter().filter(|slot| (first..=last).contains(&slot.number)) {
            for (sum, count) in counts.iter_mut().zip(&slot.counts) {
                *sum += u64::from(*count);
            }
        }
        (counts, counts.iter().sum())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float out of range becomes the nearest integer, which the bound then catches"
)]
fn bucket_of(value: f32) -> usize {
    if value.is_nan() || value < 1.0 {
        return 0;
    }
    ((value.log2() * PER_DOUBLING) as usize).saturating_add(1).min(BUCKETS - 1)
}

/// The value below which a share of the calls lies, between the bounds of its bucket.
#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 24 bits")]
fn at_share(counts: &[u64; BUCKETS], total: u64, percent: u64) -> f32 {
    let rank = (total * percent).div_ceil(100).max(1);
    let mut below = 0;
    for (bucket, count) in counts.iter().enumerate() {
        if below + count >= rank {
            let (low, high) = bounds(bucket);
            let share = (rank - below) as f32 / *count as f32;
            return low + (high - low) * share;
        }
        below += count;
    }
    0.0
}

#[expect(clippy::cast_precision_loss, reason = "a bucket is a small number")]
fn bounds(bucket: usize) -> (f32, f32) {
    let start = |bucket: usize| ((bucket as f32 - 1.0) / PER_DOUBLING).exp2();
    if bucket == 0 { (0.0, 1.0) } else { (start(bucket), start(bucket + 1)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f32, expected: f32) -> bool {
        (found / expected - 1.0).abs() <= 0.2
    }

    #[test]
    fn percentiles_are_near_the_true_ones() {
        for scale in [1.0, 7.0, 900.0] {
            let mut distribution = Distribution::new(10, 30_000);
            for value in 1_u16..=1000 {
                distribution.add(f32::from(value) * scale, 5);
            }
            let found = distribution.percentiles(5).unwrap();
            let pairs =
                [(found.p50, 500.0), (found.p75, 750.0), (found.p90, 900.0), (found.p99, 990.0)];
            for (found, expected) in pairs {
                assert!(near(found, expected * scale), "{found} for {}", expected * scale);
            }
            let found = distribution.reached(5).unwrap();
            let pairs =
                [(found.p50, 500.0), (found.p75, 250.0), (found.p90, 100.0), (found.p99, 10.0)];
            for (found, expected) in pairs {
                assert!(near(found, expected * scale), "{found} for {}", expected * scale);
            }
        }
    }

    #[test]
    fn the_95th_percentile_takes_twenty_calls() {
        let mut distribution = Distribution::new(10, 30_000);
        for value in 1_u8..=19 {
            distribution.add(f32::from(value) * 10.0, 5);
        }
        assert_eq!(distribution.p95(5), None);
        distribution.add(100_000.0, 5);
        assert!(near(distribution.p95(5).unwrap(), 190.0), "{:?}", distribution.p95(5));
        assert_eq!(distribution.p95(600_000), None, "it is forgotten");
    }

    #[test]
    fn one_value_in_every_range() {
        for value in [0.0, 0.5, 1.0, 3.0, 1e5, 9e5, 1e9, f32::INFINITY, f32::NAN, -4.0] {
            let mut distribution = Distribution::new(2, 10);
            (0..5).for_each(|_| distribution.add(value, 1));
            let found = distribution.percentiles(1).unwrap();
            assert!(found.p50 >= 0.0 && found.p99 <= 1.3e6, "{value}: {found:?}");
            if (1.0..1e6).contains(&value) {
                assert!(near(found.p50, value), "{value}: {found:?}");
            }
        }
    }

    #[test]
    fn old_values_are_forgotten_and_few_say_nothing() {
        let mut distribution = Distribution::new(3, 10);
        (0..5).for_each(|_| distribution.add(100.0, 5));
        assert!(distribution.percentiles(29).is_some());
        assert_eq!(distribution.percentiles(30), None);
        (0..4).for_each(|_| distribution.add(8.0, 31));
        assert_eq!(distribution.percentiles(31), None, "four of a new turn of the ring");
        distribution.add(8.0, 12);
        assert_eq!(distribution.percentiles(31), distribution.percentiles(35));
        distribution.add(8.0, 41);
        assert!(near(distribution.percentiles(41).unwrap().p50, 8.0));
    }
}
