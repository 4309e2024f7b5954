//! Two counts over a rolling window, in slots of atomic words.
//!
//! Used for outcomes, tool calls and retries. A slot holds its number with its counts, so that a
//! reader never sees the counts of another turn of the ring. A window of `SLOTS` slots reaches
//! back between `SLOTS - 1` and `SLOTS` of their widths. Counts stop at a million a slot.

use std::sync::atomic::{AtomicU64, Ordering};

const COUNT_BITS: u32 = 20;
const MAX_COUNT: u64 = (1 << COUNT_BITS) - 1;
/// Numbers begin again after half a year of seconds; only their distance matters.
const NUMBERS: u64 = u64::MAX >> (2 * COUNT_BITS);

/// Two counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Pair {
    /// What went well, or everything.
    pub(super) first: u64,
    /// What went wrong.
    pub(super) second: u64,
}

impl Pair {
    /// Both together.
    pub(super) fn total(self) -> u64 {
        self.first.saturating_add(self.second)
    }
}

/// The ring. A slot that was never used holds no counts, whatever its number.
#[derive(Debug)]
pub(super) struct Tally<const SLOTS: usize>([AtomicU64; SLOTS]);

impl<const SLOTS: usize> Default for Tally<SLOTS> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl<const SLOTS: usize> Tally<SLOTS> {
    /// Adds to the slot of a moment. A moment that the window has left is not counted.
    pub(super) fn add(&self, pair: Pair, (now_ms, slot_ms): (u64, u64)) {
        let number = number(now_ms, slot_ms);
        let Some(slot) = self.slot(number) else { return };
        let add = |word| {
            let (held, counts) = unpack(word);
            if held == number & NUMBERS {
                return Some(pack(number, counts.first + pair.first, counts.second + pair.second));
            }
            let is_late = word != 0 && distance(held, number) <= Self::REACH;
            (!is_late).then(|| pack(number, pair.first, pair.second))
        };
        // Declined only for a moment that the window has left.
        let _added = slot.fetch_update(Ordering::AcqRel, Ordering::Acquire, add);
    }

    /// Counts of the last `slots` slots, of those that began at `since_ms` or later.
    pub(super) fn sum(
        &self,
        (slots, since_ms): (usize, u64),
        (now_ms, slot_ms): (u64, u64),
    ) -> Pair {
        let last = number(now_ms, slot_ms);
        let begun = (last + 1).saturating_sub(since_ms.div_ceil(slot_ms.max(1)));
        let reach = u64::try_from(slots).unwrap_or(u64::MAX).min(Self::REACH).min(begun);
        let mut sum = Pair::default();
        for word in &self.0 {
            let (number, counts) = unpack(word.load(Ordering::Acquire));
            if distance(last, number) < reach {
                sum.first += counts.first;
                sum.second += counts.second;
            }
        }
        sum
    }

    /// Counts of the whole window.
    pub(super) fn total(&self, at: (u64, u64)) -> Pair {
        self.sum((SLOTS, 0), at)
    }

    const REACH: u64 = SLOTS as u64;

    fn slot(&self, number: u64) -> Option<&AtomicU64> {
        let index = number.checked_rem(Self::REACH)?;
        self.0.get(usize::try_from(index).ok()?)
    }
}

fn number(now_ms: u64, slot_ms: u64) -> u64 {
    now_ms / slot_ms.max(1)
}

/// How many slots `number` lies before `last`.
fn distance(last: u64, number: u64) -> u64 {
    last.wrapping_sub(number) & NUMBERS
}

fn unpack(word: u64) -> (u64, Pair) {
    let counts = Pair { first: (word >> COUNT_BITS) & MAX_COUNT, second: word & MAX_COUNT };
    (word >> (2 * COUNT_BITS), counts)
}

fn pack(number: u64, first: u64, second: u64) -> u64 {
    ((number & NUMBERS) << (2 * COUNT_BITS))
        | (first.min(MAX_COUNT) << COUNT_BITS)
        | second.min(MAX_COUNT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT_MS: u64 = 1_000;

    fn add(tally: &Tally<5>, now_ms: u64, first: u64, second: u64) {
        tally.add(Pair { first, second }, (now_ms, SLOT_MS));
    }

    fn total(tally: &Tally<5>, now_ms: u64) -> (u64, u64) {
        let pair = tally.total((now_ms, SLOT_MS));
        (pair.first, pair.second)
    }

    #[test]
    fn counts_leave_with_their_slot() {
        let tally = Tally::default();
        add(&tally, 0, 1, 0);
        add(&tally, 1_500, 2, 1);
        assert_eq!(total(&tally, 4_999), (3, 1));
        assert_eq!(total(&tally, 5_000), (2, 1));
        assert_eq!(total(&tally, 6_000), (0, 0));
        add(&tally, 6_100, 0, 4);
        assert_eq!(total(&tally, 6_100), (0, 4));
        add(&tally, 1_000, 9, 9);
        assert_eq!(total(&tally, 6_100), (0, 4), "a moment that is over");
    }

    #[test]
    fn a_part_of_the_window() {
        let tally = Tally::<5>::default();
        for second in 0..5 {
            add(&tally, second * SLOT_MS, 1, 0);
        }
        let at = (4_500, SLOT_MS);
        assert_eq!(tally.sum((2, 0), at).first, 2);
        assert_eq!(tally.sum((5, 2_001), at).first, 2, "slots that began at 3 and 4 s");
        assert_eq!(tally.sum((5, 2_000), at).first, 3);
    }

    #[test]
    fn counts_stop_at_their_bound_and_do_not_spill() {
        let tally = Tally::default();
        add(&tally, 1, MAX_COUNT, MAX_COUNT);
        add(&tally, 1, 5, 5);
        assert_eq!(total(&tally, 1), (MAX_COUNT, MAX_COUNT));
    }

    #[test]
    fn another_width_and_numbers_that_begin_again_are_taken() {
        let tally = Tally::<5>::default();
        add(&tally, 100_000_000, 1, 0);
        let wide = (100_000_000, 60_000);
        tally.add(Pair { first: 3, second: 0 }, wide);
        assert_eq!(tally.total(wide).first, 3);
        let end = (NUMBERS + 1) * SLOT_MS;
        let tally = Tally::default();
        add(&tally, end - 1, 1, 0);
        add(&tally, end, 1, 0);
        assert_eq!(total(&tally, end + 4_000), (1, 0));
        assert_eq!(total(&tally, end), (2, 0));
    }

    #[test]
    fn nothing_is_lost_among_threads() {
        let tally = Tally::<5>::default();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..10_000).for_each(|at| add(&tally, at / 10, 1, 1)));
            }
        });
        assert_eq!(total(&tally, 999), (80_000, 80_000));
    }
}
