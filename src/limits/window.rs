//! Fixed windows of UTC: how much was taken in the present minute or day.
//!
//! Used by `rates`. A window is one atomic word holding its number and its count, so a reader
//! never sees the count of one window under the number of another, and taking is all or nothing.
//! A window that was left is not opened again: an earlier moment counts in the window that was
//! reached. Only when the clock was put back by two windows or more does the window follow it,
//! and then it takes its count along.

use super::atomic::{AtomicU64, Ordering};

/// Bits of the word that hold the count; the rest is the number of the window since 1970, which
/// reaches the year 2480 in minutes.
const COUNT_BITS: u32 = 36;
/// Largest count, and largest limit that is told apart from a larger one: 68 thousand million.
pub(super) const MAX_COUNT: u64 = (1 << COUNT_BITS) - 1;
const MAX_NUMBER: u64 = u64::MAX >> COUNT_BITS;

/// Seconds of a minute.
pub(super) const MINUTE_S: u64 = 60;
/// Seconds of a day.
pub(super) const DAY_S: u64 = 86_400;

/// A limit and what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Most that may be taken in the window.
    pub limit: u64,
    /// What may still be taken.
    pub remaining: u64,
    /// When the window ends, Unix seconds.
    pub reset_s: u64,
}

impl Standing {
    /// Whether a smaller share of this limit is left than of the other; of equal shares the one
    /// that allows fewer is closer.
    pub fn is_closer_than(&self, other: &Self) -> bool {
        let share =
            |of: &Self, base: &Self| u128::from(of.remaining) * u128::from(base.limit.max(1));
        (share(self, other), self.remaining) < (share(other, self), other.remaining)
    }
}

/// What was taken: needed to give it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    /// The window it was taken in.
    pub(super) number: u64,
    /// How the window stands after it.
    pub(super) standing: Standing,
}

/// The count of a fixed window of `SPAN_S` seconds.
#[derive(Debug, Default)]
pub(super) struct Window<const SPAN_S: u64>(AtomicU64);

impl<const SPAN_S: u64> Window<SPAN_S> {
    /// Takes `amount` if the limit leaves room for all of it; takes nothing otherwise.
    pub(super) fn take(&self, amount: u64, limit: u64, now_s: u64) -> Result<Taken, Standing> {
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            let present = State::at(word, Self::number(now_s));
            let standing = Self::standing_of(present, limit);
            if amount > standing.remaining {
                return Err(standing);
            }
            let next = State { count: present.count + amount, ..present };
            match self.0.compare_exchange_weak(
                word,
                next.pack(),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => {
                    let remaining = standing.remaining - amount;
                    let standing = Standing { remaining, ..standing };
                    return Ok(Taken { number: next.number, standing });
                }
                Err(seen) => word = seen,
            }
        }
    }

    /// Raises the count of the present window to `count`, if it is less. For the start.
    pub(super) fn raise_to(&self, count: u64, now_s: u64) {
        let raise = |word| {
            let present = State::at(word, Self::number(now_s));
            Some(State { count: present.count.max(count.min(MAX_COUNT)), ..present }.pack())
        };
        // The closure never declines.
        let _raised = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, raise);
    }

    /// Gives back what was taken in window `number`; nothing once that window is over.
    pub(super) fn give_back(&self, amount: u64, number: u64) {
        self.correct(amount, 0, number);
    }

    /// Replaces `taken` by what was really used, in window `number` only. The limit is not asked:
    /// what was used was used.
    pub(super) fn correct(&self, taken: u64, used: u64, number: u64) {
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            let present = State::unpack(word);
            if present.number != number {
                return;
            }
            let count = present.count.saturating_sub(taken).saturating_add(used).min(MAX_COUNT);
            let next = State { count, ..present };
            match self.0.compare_exchange_weak(
                word,
                next.pack(),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return,
                Err(seen) => word = seen,
            }
        }
    }

    /// How the window stands under a limit.
    pub(super) fn standing(&self, limit: u64, now_s: u64) -> Standing {
        let word = self.0.load(Ordering::Acquire);
        Self::standing_of(State::at(word, Self::number(now_s)), limit)
    }

    fn standing_of(state: State, limit: u64) -> Standing {
        Standing {
            limit,
            remaining: limit.min(MAX_COUNT).saturating_sub(state.count),
            reset_s: (state.number + 1).saturating_mul(SPAN_S),
        }
    }

    fn number(now_s: u64) -> u64 {
        (now_s / SPAN_S.max(1)).min(MAX_NUMBER)
    }
}

/// The word of a window taken apart.
#[derive(Clone, Copy)]
struct State {
    number: u64,
    count: u64,
}

impl State {
    /// The state at window `now`, given the word as it was left.
    fn at(word: u64, now: u64) -> Self {
        let left = Self::unpack(word);
        if now > left.number {
            Self { number: now, count: 0 }
        } else if now + 1 >= left.number {
            // This window, or the next: a request that read the clock just before others did.
            left
        } else {
            Self { number: now, ..left }
        }
    }

    fn unpack(word: u64) -> Self {
        Self { number: word >> COUNT_BITS, count: word & MAX_COUNT }
    }

    fn pack(self) -> u64 {
        (self.number << COUNT_BITS) | self.count
    }
}
