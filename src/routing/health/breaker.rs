//! When an endpoint is left alone: a circuit breaker in one atomic word.
//!
//! Used by `endpoint`. Closed, every call passes; open, none does until a moment; then exactly one
//! call passes as a probe, and its end closes the breaker or opens it for twice as long. Only the
//! probe leaves the probing phase, so that what calls of an earlier phase report late changes
//! nothing. Time is in milliseconds of a clock that only passes.

use super::atomic::{AtomicU64, Ordering};

/// What a call that is refused because another one is probing is told to wait.
const PROBE_WAIT_MS: u64 = 1_000;
/// Bits of the word: phase, failures in a row, times opened, moment.
const STREAK_BITS: u32 = 16;
const GROWTH_BITS: u32 = 6;
const AT_BITS: u32 = 40;
const MAX_STREAK: u64 = (1 << STREAK_BITS) - 1;
const MAX_GROWTH: u64 = (1 << GROWTH_BITS) - 1;
const MAX_AT: u64 = (1 << AT_BITS) - 1;

/// When it opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Thresholds {
    /// Failures in a row that open it.
    pub(super) consecutive_failures: u64,
    /// How long it first stays open, in milliseconds.
    pub(super) open_ms: u64,
    /// Longest time it stays open, in milliseconds. Once it was closed for as long, it begins
    /// again with the first.
    pub(super) max_open_ms: u64,
}

impl Thresholds {
    /// How long it stays open the next time, after it was opened `growth` times.
    fn open_for_ms(self, growth: u64) -> u64 {
        let doubled = 1_u64.checked_shl(u32::try_from(growth).unwrap_or(u32::MAX));
        let grown = self.open_ms.saturating_mul(doubled.unwrap_or(u64::MAX));
        grown.min(self.max_open_ms.max(self.open_ms))
    }
}

/// As what a call passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    /// As one of many.
    Normal {
        /// When.
        at_ms: u64,
    },
    /// As the one that finds out whether the endpoint answers again.
    Probe {
        /// When.
        at_ms: u64,
    },
}

/// What the report of a call changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing that matters to others.
    None,
    /// It opened for this long.
    Opened {
        /// In milliseconds.
        for_ms: u64,
    },
    /// It closed.
    Closed,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Calls pass, since this moment.
    Closed {
        /// In milliseconds.
        since_ms: u64,
    },
    /// No call passes until this moment; then one does.
    Open {
        /// In milliseconds.
        until_ms: u64,
    },
    /// One call is on its way to find out.
    Probing,
}

/// A circuit breaker; closed at first.
#[derive(Debug, Default)]
pub(super) struct Breaker(AtomicU64);

impl Breaker {
    /// Lets a call pass, or says how many milliseconds it has to wait.
    pub(super) fn enter(&self, now_ms: u64) -> Result<Passage, u64> {
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            let state = State::unpack(word);
            match state.phase {
                Phase::Closed => return Ok(Passage::Normal { at_ms: now_ms }),
                Phase::Probing => return Err(PROBE_WAIT_MS),
                Phase::Open if now_ms < state.at_ms => return Err(state.at_ms - now_ms),
                Phase::Open => {}
            }
            let probing = State { phase: Phase::Probing, at_ms: now_ms, ..state };
            match self.swap(word, probing) {
                Ok(()) => return Ok(Passage::Probe { at_ms: now_ms }),
                Err(seen) => word = seen,
            }
        }
    }

    /// A call was answered.
    pub(super) fn succeeded(&self, passage: Passage, now_ms: u64) -> Change {
        match passage {
            Passage::Probe { .. } => {
                let closed =
                    |state| State { phase: Phase::Closed, streak: 0, at_ms: now_ms, ..state };
                self.leave_probing(closed, Change::Closed)
            }
            Passage::Normal { .. } => {
                self.end_streak();
                Change::None
            }
        }
    }

    /// A call failed. `too_many` says that of the calls since it closed too large a share did.
    pub(super) fn failed(
        &self,
        passage: Passage,
        (now_ms, too_many): (u64, bool),
        thresholds: Thresholds,
    ) -> Change {
        match passage {
            Passage::Probe { .. } => {
                let growth = State::unpack(self.0.load(Ordering::Acquire)).growth;
                let for_ms = thresholds.open_for_ms(growth);
                let opened = |_| State::opened(growth + 1, now_ms + for_ms);
                self.leave_probing(opened, Change::Opened { for_ms })
            }
            Passage::Normal { at_ms } => self.count_failure(at_ms, (now_ms, too_many), thresholds),
        }
    }

    /// A call ended without a word about the endpoint: a probe is given back, at once.
    pub(super) fn neutral(&self, passage: Passage) {
        if let Passage::Probe { at_ms } = passage {
            let given_back = |state| State { phase: Phase::Open, at_ms, ..state };
            self.leave_probing(given_back, Change::None);
        }
    }

    /// Where it stands.
    pub(super) fn standing(&self) -> Standing {
        let state = State::unpack(self.0.load(Ordering::Acquire));
        match state.phase {
            Phase::Closed => Standing::Closed { since_ms: state.at_ms },
            Phase::Open => Standing::Open { until_ms: state.at_ms },
            Phase::Probing => Standing::Probing,
        }
    }

    fn count_failure(
        &self,
        entered_ms: u64,
        (now_ms, too_many): (u64, bool),
        thresholds: Thresholds,
    ) -> Change {
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            let state = State::unpack(word);
            // What was sent before it opened says nothing about the endpoint as it is since.
            if state.phase != Phase::Closed || entered_ms < state.at_ms {
                return Change::None;
            }
            let streak = state.streak + 1;
            let opens = too_many || streak >= thresholds.consecutive_failures;
            let recovered = now_ms.saturating_sub(state.at_ms) >= thresholds.max_open_ms;
            let growth = if recovered { 0 } else { state.growth };
            let for_ms = thresholds.open_for_ms(growth);
            let (next, change) = if opens {
                (State::opened(growth + 1, now_ms + for_ms), Change::Opened { for_ms })
            } else {
                (State { streak, ..state }, Change::None)
            };
            match self.swap(word, next) {
                Ok(()) => return change,
                Err(seen) => word = seen,
            }
        }
    }

    fn end_streak(&self) {
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            let state = State::unpack(word);
            if state.phase != Phase::Closed || state.streak == 0 {
                return;
            }
            match self.swap(word, State { streak: 0, ..state }) {
                Ok(()) => return,
                Err(seen) => word = seen,
            }
        }
    }

    /// The one probe ends the phase; nobody else changes the word meanwhile.
    fn leave_probing(&self, next: impl Fn(State) -> State, change: Change) -> Change {
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            let state = State::unpack(word);
            if state.phase != Phase::Probing {
                return Change::None;
            }
            match self.swap(word, next(state)) {
                Ok(()) => return change,
                Err(seen) => word = seen,
            }
        }
    }

    fn swap(&self, word: u64, next: State) -> Result<(), u64> {
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        self.0.compare_exchange_weak(word, next.pack(), success, failure).map(|_| ())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Closed,
    Open,
    Probing,
}

/// The word taken apart.
#[derive(Clone, Copy)]
struct State {
    phase: Phase,
    /// Failures in a row while closed.
    streak: u64,
    /// Times it opened without a long enough time of success between.
    growth: u64,
    /// Closed: since when. Open: until when. Probing: since when.
    at_ms: u64,
}

impl State {
    fn opened(growth: u64, until_ms: u64) -> Self {
        Self { phase: Phase::Open, streak: 0, growth, at_ms: until_ms }
    }

    fn unpack(word: u64) -> Self {
        let phase = match word >> (STREAK_BITS + GROWTH_BITS + AT_BITS) {
            0 => Phase::Closed,
            1 => Phase::Open,
            _ => Phase::Probing,
        };
        Self {
            phase,
            streak: (word >> (GROWTH_BITS + AT_BITS)) & MAX_STREAK,
            growth: (word >> AT_BITS) & MAX_GROWTH,
            at_ms: word & MAX_AT,
        }
    }

    fn pack(self) -> u64 {
        let phase = match self.phase {
            Phase::Closed => 0_u64,
            Phase::Open => 1,
            Phase::Probing => 2,
        };
        phase << (STREAK_BITS + GROWTH_BITS + AT_BITS)
            | self.streak.min(MAX_STREAK) << (GROWTH_BITS + AT_BITS)
            | self.growth.min(MAX_GROWTH) << AT_BITS
            | self.at_ms.min(MAX_AT)
    }
}
