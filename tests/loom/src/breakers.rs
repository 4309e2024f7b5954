//! The breaker: one probe at a time, and its end is what counts.

use crate::breaker::{Breaker, Change, Passage, Standing, Thresholds};
use crate::together;

const RULES: Thresholds = Thresholds { consecutive_failures: 2, open_ms: 10, max_open_ms: 100 };

fn fail(breaker: &Breaker, passage: Passage, now_ms: u64) -> Change {
    breaker.failed(passage, (now_ms, false), RULES)
}

/// Open until 10.
fn open() -> Breaker {
    let breaker = Breaker::default();
    (0..2).for_each(|_| {
        fail(&breaker, Passage::Normal { at_ms: 0 }, 0);
    });
    breaker
}

#[test]
fn of_two_calls_one_is_the_probe() {
    let failing = |breaker: &Breaker| {
        if let Ok(probe) = breaker.enter(10) {
            assert_eq!(probe, Passage::Probe { at_ms: 10 });
            assert_eq!(breaker.standing(), Standing::Probing);
            assert_eq!(fail(breaker, probe, 10), Change::Opened { for_ms: 20 });
        }
    };
    // Had both passed, the second would have opened it for 40.
    together(open, [failing, failing], |breaker| {
        assert_eq!(breaker.standing(), Standing::Open { until_ms: 30 });
    });
}

#[test]
fn a_probe_that_is_given_back_is_the_next_ones() {
    together(
        open,
        [
            |breaker: &Breaker| {
                if let Ok(probe) = breaker.enter(10) {
                    breaker.neutral(probe);
                }
            },
            |breaker| {
                if let Ok(probe) = breaker.enter(10) {
                    assert_eq!(breaker.succeeded(probe, 11), Change::Closed);
                }
            },
        ],
        |breaker| match breaker.standing() {
            Standing::Closed { since_ms } => assert_eq!(since_ms, 11),
            Standing::Open { until_ms } => assert_eq!(until_ms, 10),
            Standing::Probing => panic!("the probe is lost"),
        },
    );
}

#[test]
fn failures_in_a_row_are_all_counted() {
    let failing = |breaker: &Breaker| {
        fail(breaker, Passage::Normal { at_ms: 0 }, 0);
    };
    together(Breaker::default, [failing, failing], |breaker| {
        assert_eq!(breaker.standing(), Standing::Open { until_ms: 10 });
    });
}

#[test]
fn what_was_sent_before_it_opened_does_not_disturb_the_probe() {
    together(
        open,
        [
            |breaker: &Breaker| {
                let probe = breaker.enter(10).unwrap();
                assert_eq!(breaker.succeeded(probe, 11), Change::Closed);
            },
            |breaker| {
                fail(breaker, Passage::Normal { at_ms: 0 }, 11);
                breaker.succeeded(Passage::Normal { at_ms: 0 }, 11);
                fail(breaker, Passage::Normal { at_ms: 0 }, 11);
            },
        ],
        |breaker| assert_eq!(breaker.standing(), Standing::Closed { since_ms: 11 }),
    );
}
