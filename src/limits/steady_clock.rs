//! Wall-clock time for windows and periods, guarded by monotonic time.
//!
//! Used by `Meters`. The machine's clock is believed while it agrees with the time that has
//! passed: corrections up to [`FOLLOWED_MS`] are followed at once. A larger jump, forward or
//! backward, is ignored until it has lasted [`ADOPTED_AFTER_S`]; until then time goes on as if
//! nothing had happened. So a clock that is set wrong and put right again changes nothing, and one
//! that was wrong before is believed a few minutes after it was set. What a backward step means for
//! a window that has begun is decided by the window, which never reopens.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Instant;

use crate::clock::Clock;

/// Largest correction that is followed at once, in milliseconds.
const FOLLOWED_MS: i64 = 2_000;
/// Corrections that are not written down, so that most calls only read; slow drift exceeds it and
/// never adds up to a jump.
const SLACK_MS: i64 = 50;
/// How long a jump has to last before it is taken for the truth, in seconds.
const ADOPTED_AFTER_S: u64 = 300;

/// Source of time that only passes.
#[derive(Debug, Clone)]
pub enum Monotonic {
    /// The machine's monotonic clock, counted from this moment.
    System(Instant),
    /// One that a test moves, in milliseconds.
    Manual(Arc<AtomicI64>),
}

impl Monotonic {
    fn elapsed_ms(&self) -> i64 {
        match self {
            Self::System(start) => i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX),
            Self::Manual(now_ms) => now_ms.load(Ordering::Relaxed),
        }
    }
}

/// Wall-clock time that does not jump.
#[derive(Debug)]
pub struct SteadyClock {
    wall: Clock,
    monotonic: Monotonic,
    /// Unix milliseconds at the zero of the monotonic clock, as far as is believed.
    offset_ms: AtomicI64,
    /// The jump that is watched: [`Jump`] packed, 0 for none.
    jump: AtomicU64,
}

/// A disagreement of the two clocks: since when (monotonic seconds) and by how much.
#[derive(Clone, Copy)]
struct Jump {
    since_s: u32,
    by_s: i32,
}

impl SteadyClock {
    /// A steady clock on the machine's monotonic time.
    pub fn new(wall: Clock) -> Self {
        Self::with_monotonic(wall, Monotonic::System(Instant::now()))
    }

    /// A steady clock whose two sources are given; for tests.
    pub fn with_monotonic(wall: Clock, monotonic: Monotonic) -> Self {
        let offset_ms = AtomicI64::new(wall.unix_ms().saturating_sub(monotonic.elapsed_ms()));
        Self { wall, monotonic, offset_ms, jump: AtomicU64::new(0) }
    }

    /// Seconds since the Unix epoch.
    pub fn unix_s(&self) -> u64 {
        u64::try_from(self.unix_ms() / 1000).unwrap_or(0)
    }

    /// Milliseconds since the Unix epoch.
    pub fn unix_ms(&self) -> i64 {
        let elapsed_ms = self.monotonic.elapsed_ms();
        let wall_ms = self.wall.unix_ms();
        let offset_ms = self.offset_ms.load(Ordering::Acquire);
        let expected_ms = offset_ms.saturating_add(elapsed_ms);
        let ahead_ms = wall_ms.saturating_sub(expected_ms);
        if ahead_ms.saturating_abs() > FOLLOWED_MS {
            return if self.has_lasted(ahead_ms, elapsed_ms) {
                self.adopt(offset_ms, ahead_ms);
                wall_ms
            } else {
                expected_ms
            };
        }
        if self.jump.load(Ordering::Relaxed) != 0 {
            self.jump.store(0, Ordering::Relaxed);
        }
        if ahead_ms.saturating_abs() > SLACK_MS {
            self.adopt(offset_ms, ahead_ms);
        }
        wall_ms
    }

    /// Whether the clocks have disagreed by this much for long enough; begins to watch if not.
    fn has_lasted(&self, ahead_ms: i64, elapsed_ms: i64) -> bool {
        let seen = Jump {
            since_s: u32::try_from(elapsed_ms / 1000).unwrap_or(u32::MAX),
            by_s: clamped(ahead_ms / 1000),
        };
        match Jump::unpack(self.jump.load(Ordering::Relaxed)) {
            Some(watched) if watched.is_same_as(seen) => {
                u64::from(seen.since_s.saturating_sub(watched.since_s)) >= ADOPTED_AFTER_S
            }
            _ => {
                self.jump.store(seen.pack(), Ordering::Relaxed);
                false
            }
        }
    }

    /// Believes the wall clock; of several threads one does it.
    fn adopt(&self, offset_ms: i64, ahead_ms: i64) {
        let believed = offset_ms.saturating_add(ahead_ms);
        let swapped = self.offset_ms.compare_exchange(
            offset_ms,
            believed,
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        if swapped.is_ok() {
            self.jump.store(0, Ordering::Relaxed);
        }
    }
}

impl Jump {
    fn pack(self) -> u64 {
        (u64::from(self.since_s) << 32) | u64::from(self.by_s.cast_unsigned())
    }

    /// A jump is never 0: it is more than [`FOLLOWED_MS`].
    fn unpack(word: u64) -> Option<Self> {
        let since_s = u32::try_from(word >> 32).unwrap_or(u32::MAX);
        let by_s = u32::try_from(word & u64::from(u32::MAX)).unwrap_or(u32::MAX).cast_signed();
        (word != 0).then_some(Self { since_s, by_s })
    }

    fn is_same_as(self, other: Self) -> bool {
        i64::from(self.by_s).abs_diff(i64::from(other.by_s)) <= FOLLOWED_MS.unsigned_abs() / 1000
    }
}

fn clamped(seconds: i64) -> i32 {
    i32::try_from(seconds).unwrap_or(if seconds < 0 { i32::MIN } else { i32::MAX })
}
