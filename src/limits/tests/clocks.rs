//! The steady clock, periods, and windows at their edges.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;

use super::at;
use crate::clock::Clock;
use crate::config::LimitReset;
use crate::limits::period::PeriodSpan;
use crate::limits::steady_clock::{Monotonic, SteadyClock};
use crate::limits::window::{DAY_S, MAX_COUNT, MINUTE_S, Standing, Window};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A steady clock whose two sources are in the test's hands.
struct Hands {
    wall: Arc<AtomicI64>,
    monotonic: Arc<AtomicI64>,
    clock: SteadyClock,
}

impl Hands {
    fn at(moment: &str) -> Self {
        let wall = Arc::new(AtomicI64::new(i64::try_from(at(moment)).unwrap() * 1000));
        let monotonic = Arc::new(AtomicI64::new(77_123));
        let clock = SteadyClock::with_monotonic(
            Clock::Manual(Arc::clone(&wall)),
            Monotonic::Manual(Arc::clone(&monotonic)),
        );
        Self { wall, monotonic, clock }
    }

    fn pass(&self, ms: i64) -> &Self {
        self.monotonic.fetch_add(ms, Ordering::Relaxed);
        self.jump(ms)
    }

    fn jump(&self, ms: i64) -> &Self {
        self.wall.fetch_add(ms, Ordering::Relaxed);
        self
    }

    fn wall_ms(&self) -> i64 {
        self.wall.load(Ordering::Relaxed)
    }
}

#[test]
fn time_passes_and_small_corrections_are_followed() {
    let hands = Hands::at("2026-03-01T12:00:00Z");
    for step in [0, 1, 999, 1_500, 2_000, -1, -1_999, -2_000, 2_000, 2_000, -2_000] {
        hands.pass(10_000).jump(step);
        assert_eq!(hands.clock.unix_ms(), hands.wall_ms(), "{step}");
    }
    // Slow drift never adds up to a jump.
    for _ in 0..1_000 {
        hands.pass(1_000).jump(30);
        assert_eq!(hands.clock.unix_ms(), hands.wall_ms());
    }
}

#[test]
fn a_jump_that_is_taken_back_changes_nothing() {
    for jump in [HOUR_MS, -HOUR_MS, DAY_MS, -DAY_MS, 2_001, -2_001] {
        let hands = Hands::at("2026-03-01T00:00:10Z");
        hands.clock.unix_ms();
        hands.jump(jump);
        let mut last = 0;
        for _ in 0..299 {
            let now = hands.pass(1_000).clock.unix_ms();
            assert_eq!(now, hands.wall_ms() - jump);
            assert!(now > last);
            last = now;
        }
        hands.pass(1_000).jump(-jump);
        assert_eq!(hands.clock.unix_ms(), hands.wall_ms());
        // The watch begins anew with the next jump.
        hands.jump(jump).pass(1_000).clock.unix_ms();
        hands.pass(1_000);
        assert_eq!(hands.clock.unix_ms(), hands.wall_ms() - jump);
    }
}

#[test]
fn a_jump_that_lasts_is_adopted_after_five_minutes() {
    for jump in [HOUR_MS, -HOUR_MS, DAY_MS, -DAY_MS, 40 * 365 * DAY_MS, -40 * 365 * DAY_MS] {
        let hands = Hands::at("2026-02-28T23:50:00Z");
        hands.jump(jump).clock.unix_ms();
        hands.pass(299_000);
        assert_eq!(hands.clock.unix_ms(), hands.wall_ms() - jump, "{jump}");
        hands.pass(2_000);
        assert_eq!(hands.clock.unix_ms(), hands.wall_ms(), "{jump}");
        hands.pass(1_000);
        assert_eq!(hands.clock.unix_ms(), hands.wall_ms(), "{jump}");
    }
}

#[test]
fn another_jump_starts_the_wait_again() {
    let hands = Hands::at("2026-03-01T12:00:00Z");
    hands.jump(HOUR_MS).clock.unix_ms();
    hands.pass(200_000).jump(HOUR_MS).clock.unix_ms();
    hands.pass(200_000);
    assert_eq!(hands.clock.unix_ms(), hands.wall_ms() - 2 * HOUR_MS);
    hands.pass(101_000);
    assert_eq!(hands.clock.unix_ms(), hands.wall_ms());
}

#[test]
fn a_spent_day_stays_spent_whatever_the_clock_does() {
    for jump in [HOUR_MS, -HOUR_MS, DAY_MS, -DAY_MS] {
        let hands = Hands::at("2024-02-29T12:00:00Z");
        let window = Window::<DAY_S>::default();
        assert!(window.take(50, 50, hands.clock.unix_s()).is_ok());
        hands.jump(jump);
        // Until the jump is believed, and after it if it goes back.
        let seconds = if jump < 0 { 1_000 } else { 299 };
        for _ in 0..seconds {
            let taken = window.take(1, 50, hands.pass(1_000).clock.unix_s());
            assert!(taken.is_err(), "{jump}");
        }
    }
}

#[test]
fn periods_begin_at_midnight_monday_and_the_first() {
    use LimitReset::{Daily, Monthly, Never, Weekly};
    for (reset, now, start, end) in [
        (Daily, "2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
        (Daily, "2024-02-29T23:59:59Z", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
        (Daily, "2026-12-31T23:59:59Z", "2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z"),
        (Weekly, "2026-11-22T23:59:59Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"),
        (Weekly, "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"),
        (Weekly, "2024-03-01T12:00:00Z", "2024-02-26T00:00:00Z", "2024-03-04T00:00:00Z"),
        (Monthly, "2024-02-29T23:59:59Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
        (Monthly, "2025-02-28T23:59:59Z", "2025-02-01T00:00:00Z", "2025-03-01T00:00:00Z"),
        (Monthly, "2025-03-01T00:00:00Z", "2025-03-01T00:00:00Z", "2025-04-01T00:00:00Z"),
        (Monthly, "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
    ] {
        let span = PeriodSpan::at(reset, at(now));
        assert_eq!((span.start_s, span.end_s), (at(start), at(end)), "{reset:?} {now}");
        assert_eq!(span.reset_s(), Some(at(end)));
    }
    let never = PeriodSpan::at(Never, at("2026-01-01T00:00:00Z"));
    assert_eq!((never.start_s, never.reset_s()), (0, None));
}

#[test]
fn a_window_ends_on_its_second() {
    let window = Window::<MINUTE_S>::default();
    let last = at("2024-02-29T23:59:59Z");
    let taken = window.take(2, 2, last).unwrap();
    assert_eq!(taken.standing, Standing { limit: 2, remaining: 0, reset_s: last + 1 });
    assert_eq!(window.take(1, 2, last), Err(taken.standing));
    assert_eq!(window.standing(2, last + 1).remaining, 2);
    assert_eq!(window.take(1, 2, last + 1).unwrap().standing.reset_s, last + 61);
    // What was taken before is not given back to the window after.
    window.give_back(2, taken.number);
    window.correct(2, 1_000, taken.number);
    assert_eq!(window.standing(2, last + 1).remaining, 1);
}

#[test]
fn a_request_that_read_the_clock_early_counts_in_the_window_reached() {
    let window = Window::<MINUTE_S>::default();
    window.take(1, 2, 120).unwrap();
    let late = window.take(1, 2, 119).unwrap();
    assert_eq!(late.standing, Standing { limit: 2, remaining: 0, reset_s: 180 });
    assert!(window.take(1, 2, 120).is_err());
}

#[test]
fn a_clock_put_back_takes_the_count_along() {
    let window = Window::<MINUTE_S>::default();
    window.take(2, 2, 3_600).unwrap();
    let standing = Standing { limit: 2, remaining: 0, reset_s: 60 };
    assert_eq!(window.take(1, 2, 0), Err(standing));
    assert_eq!(window.take(1, 3, 0).unwrap().standing.reset_s, 60);
    assert_eq!(window.take(1, 2, 60).unwrap().standing.remaining, 1);
}

#[test]
fn a_window_holds_its_largest_count() {
    let window = Window::<MINUTE_S>::default();
    let taken = window.take(MAX_COUNT, u64::MAX, 60).unwrap();
    assert_eq!(taken.standing.remaining, 0);
    window.correct(0, u64::MAX, taken.number);
    assert_eq!(window.standing(u64::MAX, 60), taken.standing);
    assert_eq!(window.standing(5, u64::MAX).remaining, 5);
}

#[test]
fn the_closest_standing_has_the_smallest_share_left() {
    let standing = |limit, remaining| Standing { limit, remaining, reset_s: 0 };
    for (closer, other) in [
        ((100, 1), (10, 1)),
        ((10, 0), (5, 1)),
        ((60, 60), (1_000, 1_000)),
        ((0, 0), (7, 7)),
        ((u64::MAX, 1), (u64::MAX, 2)),
    ] {
        let (closer, other) = (standing(closer.0, closer.1), standing(other.0, other.1));
        assert!(closer.is_closer_than(&other), "{closer:?} {other:?}");
        assert!(!other.is_closer_than(&closer), "{closer:?} {other:?}");
    }
    assert!(!standing(5, 5).is_closer_than(&standing(5, 5)));
}

proptest! {
    #[test]
    fn every_second_lies_in_its_period(now_s in 0u64..253_000_000_000) {
        for reset in
            [LimitReset::Daily, LimitReset::Weekly, LimitReset::Monthly, LimitReset::Never]
        {
            let span = PeriodSpan::at(reset, now_s);
            prop_assert!(span.start_s <= now_s && now_s < span.end_s);
            prop_assert_eq!(PeriodSpan::at(reset, span.start_s), span);
            if let Some(end_s) = span.reset_s() {
                prop_assert_eq!(PeriodSpan::at(reset, end_s - 1), span);
                prop_assert_eq!(PeriodSpan::at(reset, end_s).start_s, end_s);
            }
        }
    }

    /// Against a map of counts by window, as long as time does not go back.
    #[test]
    fn a_window_counts_like_a_table(
        limit in 0u64..20,
        steps in prop::collection::vec((0u64..40, 0u64..12), 1..200),
    ) {
        let window = Window::<MINUTE_S>::default();
        let mut counts = std::collections::BTreeMap::<u64, u64>::new();
        let mut now_s = 0;
        for (pause_s, amount) in steps {
            now_s += pause_s;
            let count = counts.entry(now_s / 60).or_default();
            let fits = *count + amount <= limit;
            prop_assert_eq!(window.take(amount, limit, now_s).is_ok(), fits);
            *count += if fits { amount } else { 0 };
            prop_assert_eq!(window.standing(limit, now_s).remaining, limit - *count);
        }
    }
}
