//! Rates of one subject.

use std::sync::{Arc, Barrier};

use proptest::prelude::*;

use crate::config::RateLimit;
use crate::limits::rates::{RateKind, RateMeter, RateRefusal};
use crate::limits::window::Standing;

fn limit(per_minute: u64, per_day: u64, tokens: u64, concurrent: u64) -> RateLimit {
    RateLimit {
        requests_per_minute: Some(per_minute),
        requests_per_day: Some(per_day),
        tokens_per_minute: Some(tokens),
        concurrent: Some(concurrent),
    }
}

/// What is left of each window, and how many run.
fn left(meter: &RateMeter, of: RateLimit, now_s: u64) -> (u64, u64, u64, u64) {
    let one = |only: RateLimit| meter.standing(&only, now_s).map_or(0, |found| found.remaining);
    let none = RateLimit::default();
    (
        one(RateLimit { requests_per_minute: of.requests_per_minute, ..none }),
        one(RateLimit { requests_per_day: of.requests_per_day, ..none }),
        one(RateLimit { tokens_per_minute: of.tokens_per_minute, ..none }),
        meter.running(),
    )
}

#[test]
fn a_refused_request_consumes_nothing() {
    let cases = [
        (limit(2, 9, 90, 9), Some(RateKind::RequestsPerMinute)),
        (limit(9, 2, 90, 9), Some(RateKind::RequestsPerDay)),
        (limit(9, 9, 29, 9), Some(RateKind::TokensPerMinute)),
        (limit(9, 9, 90, 2), None),
    ];
    for (limit, what) in cases {
        let meter = Arc::<RateMeter>::default();
        let held: Vec<_> = (0..2).map(|_| meter.enter(&limit, 10, 100).unwrap()).collect();
        let before = left(&meter, limit, 100);
        assert_eq!(before.3, 2);
        match (meter.enter(&limit, 10, 100).unwrap_err(), what) {
            (RateRefusal::Window { what, .. }, expected) => assert_eq!(Some(what), expected),
            (refusal, None) => assert_eq!(refusal, RateRefusal::Concurrent { limit: 2 }),
            (refusal, _) => panic!("{refusal:?}"),
        }
        assert_eq!(left(&meter, limit, 100), before, "{what:?}");
        drop(held);
        assert_eq!(meter.running(), 0);
    }
}

/// Threads that race for the last place: who finds it taken gives back what it took before.
#[test]
fn losing_a_race_consumes_nothing() {
    for round in 0..100 {
        let meter = Arc::<RateMeter>::default();
        let limit = limit(1_000, 1_000, 100, 1_000);
        let barrier = Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    barrier.wait();
                    for _ in 0..40 {
                        if let Ok(hold) = meter.enter(&limit, 1, 0) {
                            hold.settle(1);
                        }
                    }
                });
            }
        });
        assert_eq!(left(&meter, limit, 0), (900, 900, 0, 0), "round {round}");
    }
}

#[test]
fn requests_stay_counted_and_tokens_are_corrected() {
    let limit = limit(5, 6, 100, 3);
    let meter = Arc::<RateMeter>::default();
    let settled = meter.enter(&limit, 40, 0).unwrap();
    let dropped = meter.enter(&limit, 40, 0).unwrap();
    let undone = meter.enter(&limit, 20, 0).unwrap();
    assert_eq!(left(&meter, limit, 0), (2, 3, 0, 3));
    settled.settle(55);
    drop(dropped);
    undone.undo();
    assert_eq!(left(&meter, limit, 0), (3, 4, 45, 0));
    // Used beyond the limit is used; the next minute does not pay for it.
    meter.enter(&limit, 1, 0).unwrap().settle(1_000);
    assert_eq!(left(&meter, limit, 0), (2, 3, 0, 0));
    let late = meter.enter(&limit, 30, 60).unwrap();
    assert_eq!(left(&meter, limit, 120), (5, 2, 100, 1));
    drop(meter.enter(&limit, 1, 120).unwrap());
    late.settle(90);
    assert_eq!(left(&meter, limit, 120), (4, 1, 100, 0));
}

#[test]
fn an_empty_window_admits_one_of_any_size() {
    let limit = RateLimit { tokens_per_minute: Some(100), ..RateLimit::default() };
    let meter = Arc::<RateMeter>::default();
    let large = meter.enter(&limit, u64::MAX, 0).unwrap();
    let standing = Standing { limit: 100, remaining: 0, reset_s: 60 };
    let what = RateKind::TokensPerMinute;
    assert_eq!(meter.enter(&limit, 0, 0).unwrap_err(), RateRefusal::Window { what, standing });
    drop(large);
    assert!(meter.enter(&limit, 100, 0).is_ok());
    for none in [limit_of_nothing(0), limit_of_nothing(1), limit_of_nothing(2), limit_of_nothing(3)]
    {
        assert!(meter.enter(&none, 0, 0).is_err(), "{none:?}");
    }
}

fn limit_of_nothing(index: usize) -> RateLimit {
    let zero = |at: usize| (at == index).then_some(0);
    RateLimit {
        requests_per_minute: zero(0),
        requests_per_day: zero(1),
        tokens_per_minute: zero(2),
        concurrent: zero(3),
    }
}

#[test]
fn the_standing_is_of_the_window_closest_to_its_end() {
    let meter = Arc::<RateMeter>::default();
    let none = RateLimit { concurrent: Some(1), ..RateLimit::default() };
    assert_eq!(meter.enter(&none, 1, 0).unwrap().standing(), None);
    assert_eq!(meter.standing(&none, 0), None);
    let limit = limit(10, 100, 1_000, 9);
    let hold = meter.enter(&limit, 10, 0).unwrap();
    let minute = Standing { limit: 10, remaining: 9, reset_s: 60 };
    assert_eq!((hold.standing(), meter.standing(&limit, 0)), (Some(minute), Some(minute)));
    let hold = meter.enter(&limit, 900, 0).unwrap();
    let tokens = Standing { limit: 1_000, remaining: 90, reset_s: 60 };
    assert_eq!(hold.standing(), Some(tokens));
    let day = Standing { limit: 100, remaining: 98, reset_s: 86_400 };
    assert_eq!(meter.standing(&limit, 60), Some(day));
}

proptest! {
    /// In any order of beginnings and ends, the windows hold what is counted and what runs.
    #[test]
    fn any_mix_of_ends_is_counted(
        steps in prop::collection::vec((0u64..50, 0u8..4, 0u64..80), 0..80),
    ) {
        let limit = limit(30, 40, 500, 8);
        let meter = Arc::<RateMeter>::default();
        let (mut open, mut requests, mut tokens) = (Vec::new(), 0, 0);
        for (estimate, end, used) in steps {
            let held = estimate.max(1);
            let fits = requests < 30 && open.len() < 8 && tokens + held <= 500;
            let entered = meter.enter(&limit, estimate, 59);
            prop_assert_eq!(entered.is_ok(), fits);
            let Ok(hold) = entered else { continue };
            match end {
                0 => drop(hold),
                1 => hold.undo(),
                2 => hold.settle(used),
                _ => open.push(hold),
            }
            requests += u64::from(end != 1);
            tokens += match end { 2 => used, 3 => held, _ => 0 };
            let running = u64::try_from(open.len()).unwrap();
            prop_assert_eq!(
                left(&meter, limit, 59),
                (30 - requests, 40 - requests, 500u64.saturating_sub(tokens), running)
            );
        }
    }
}
