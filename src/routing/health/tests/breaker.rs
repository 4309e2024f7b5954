//! The breaker's rules, one by one and against a model of them in plain words.

use crate::routing::health::breaker::{Breaker, Change, Passage, Standing, Thresholds};
use proptest::prelude::*;

const RULES: Thresholds =
    Thresholds { consecutive_failures: 5, open_ms: 30_000, max_open_ms: 300_000 };

fn fail(breaker: &Breaker, now_ms: u64) -> Change {
    let passage = breaker.enter(now_ms).unwrap();
    breaker.failed(passage, (now_ms, false), RULES)
}

fn succeed(breaker: &Breaker, now_ms: u64) -> Change {
    let passage = breaker.enter(now_ms).unwrap();
    breaker.succeeded(passage, now_ms)
}

/// Opens it with five failures at a moment.
fn opened_at(now_ms: u64) -> Breaker {
    let breaker = Breaker::default();
    (0..5).for_each(|_| {
        fail(&breaker, now_ms);
    });
    breaker
}

#[test]
fn failures_in_a_row_open_it_and_fewer_do_not() {
    let breaker = Breaker::default();
    for _ in 0..3 {
        (0..4).for_each(|_| assert_eq!(fail(&breaker, 1), Change::None));
        succeed(&breaker, 1);
    }
    (0..4).for_each(|_| assert_eq!(fail(&breaker, 2), Change::None));
    assert_eq!(fail(&breaker, 2), Change::Opened { for_ms: 30_000 });
    assert_eq!(breaker.enter(10_002), Err(20_000));
    assert_eq!(breaker.standing(), Standing::Open { until_ms: 30_002 });
}

#[test]
fn too_large_a_share_opens_it_whatever_came_between() {
    let breaker = Breaker::default();
    let passage = breaker.enter(7).unwrap();
    let change = breaker.failed(passage, (7, true), RULES);
    assert_eq!(change, Change::Opened { for_ms: 30_000 });
}

#[test]
fn one_probe_passes_and_closes_it() {
    let breaker = opened_at(0);
    assert_eq!(breaker.enter(29_999), Err(1));
    let probe = breaker.enter(30_000).unwrap();
    assert_eq!(probe, Passage::Probe { at_ms: 30_000 });
    assert_eq!(breaker.enter(90_000), Err(1_000), "however long it takes");
    assert_eq!(breaker.succeeded(probe, 90_000), Change::Closed);
    assert_eq!(breaker.standing(), Standing::Closed { since_ms: 90_000 });
    (0..4).for_each(|_| assert_eq!(fail(&breaker, 90_001), Change::None));
}

#[test]
fn each_failed_probe_doubles_the_time_up_to_the_bound() {
    let breaker = opened_at(0);
    let mut now_ms = 30_000;
    for for_ms in [60_000, 120_000, 240_000, 300_000, 300_000] {
        assert_eq!(fail(&breaker, now_ms), Change::Opened { for_ms });
        assert_eq!(breaker.enter(now_ms + for_ms - 1), Err(1));
        now_ms += for_ms;
    }
    (0..200).for_each(|_| {
        assert_eq!(fail(&breaker, now_ms), Change::Opened { for_ms: 300_000 });
        now_ms += 300_000;
    });
}

#[test]
fn the_growth_is_forgotten_after_a_time_of_success() {
    for (closed_ms, for_ms) in [(299_999, 60_000), (300_000, 30_000)] {
        let breaker = opened_at(0);
        assert_eq!(succeed(&breaker, 30_000), Change::Closed);
        let again_ms = 30_000 + closed_ms;
        (0..4).for_each(|_| {
            fail(&breaker, again_ms);
        });
        assert_eq!(fail(&breaker, again_ms), Change::Opened { for_ms }, "{closed_ms}");
    }
}

#[test]
fn a_probe_that_says_nothing_is_given_back() {
    let breaker = opened_at(0);
    let probe = breaker.enter(30_000).unwrap();
    breaker.neutral(probe);
    let second = breaker.enter(30_000).unwrap();
    assert!(matches!(second, Passage::Probe { .. }));
    assert_eq!(
        breaker.failed(second, (30_000, false), RULES),
        Change::Opened { for_ms: 60_000 },
        "what was given back did not count"
    );
}

#[test]
fn late_reports_of_an_earlier_phase_change_nothing() {
    let breaker = Breaker::default();
    let early: Vec<Passage> = (0..40).map(|_| breaker.enter(0).unwrap()).collect();
    let (openers, late) = early.split_at(5);
    for passage in openers {
        breaker.failed(*passage, (1, false), RULES);
    }
    let open = breaker.standing();
    breaker.failed(late[0], (20_000, true), RULES);
    breaker.succeeded(late[1], 20_000);
    breaker.neutral(late[2]);
    assert_eq!(breaker.standing(), open);
    let probe = breaker.enter(40_000).unwrap();
    breaker.failed(late[3], (40_000, true), RULES);
    breaker.succeeded(late[4], 40_000);
    assert_eq!(breaker.standing(), Standing::Probing);
    breaker.succeeded(probe, 40_000);
    late[5..].iter().for_each(|passage| {
        assert_eq!(breaker.failed(*passage, (41_000, true), RULES), Change::None);
    });
    assert_eq!(breaker.standing(), Standing::Closed { since_ms: 40_000 });
}

#[test]
fn one_of_many_threads_probes() {
    for _ in 0..50 {
        let breaker = opened_at(0);
        let barrier = std::sync::Barrier::new(16);
        let probes: usize = std::thread::scope(|scope| {
            let ask = || {
                barrier.wait();
                (0..100).filter(|_| breaker.enter(30_000).is_ok()).count()
            };
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(probes, 1);
    }
}

/// What a sequence of events does to it.
#[derive(Debug, Clone, Copy)]
enum Event {
    Enter,
    Succeed(usize),
    Fail(usize),
    Leave(usize),
    Wait(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => Just(Event::Enter),
        1 => any::<usize>().prop_map(Event::Succeed),
        4 => any::<usize>().prop_map(Event::Fail),
        1 => any::<usize>().prop_map(Event::Leave),
        2 => (0_u64..70_000).prop_map(Event::Wait),
    ];
    proptest::collection::vec(event, 0..400)
}

proptest! {
    /// Whatever happens in whatever order: never two probes at a time, never a call while it is
    /// open, never open for longer than the bound, and never stuck.
    #[test]
    fn any_order_of_events_keeps_the_rules(events in events()) {
        let breaker = Breaker::default();
        let (mut now_ms, mut running) = (0_u64, Vec::<Passage>::new());
        for event in events {
            let mut take = |at: usize| {
                (!running.is_empty()).then(|| running.swap_remove(at % running.len()))
            };
            match event {
                Event::Wait(ms) => now_ms += ms,
                Event::Succeed(at) => take(at).into_iter().for_each(|one| {
                    breaker.succeeded(one, now_ms);
                }),
                Event::Fail(at) => take(at).into_iter().for_each(|one| {
                    breaker.failed(one, (now_ms, false), RULES);
                }),
                Event::Leave(at) => take(at).into_iter().for_each(|one| breaker.neutral(one)),
                Event::Enter => {
                    let before = breaker.standing();
                    let entered = breaker.enter(now_ms);
                    match before {
                        Standing::Closed { .. } => prop_assert!(entered.is_ok()),
                        Standing::Probing => prop_assert!(entered.is_err()),
                        Standing::Open { until_ms } => {
                            prop_assert!(until_ms <= now_ms + RULES.max_open_ms);
                            prop_assert_eq!(entered.is_ok(), now_ms >= until_ms);
                        }
                    }
                    running.extend(entered);
                }
            }
            let probes = running.iter().filter(|one| matches!(one, Passage::Probe { .. })).count();
            prop_assert!(probes <= 1);
            prop_assert_eq!(probes == 1, breaker.standing() == Standing::Probing);
        }
    }
}
