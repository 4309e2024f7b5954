//! Budgets: exact under concurrency, across periods, and whatever becomes of a reservation.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::at;
use crate::config::LimitReset;
use crate::limits::budget::{Budget, Lifetime, Refused, Reservation};
use crate::limits::tally::Tally;
use crate::money::PicoUsd;

const NOON: &str = "2024-02-29T12:00:00Z";

fn pico(amount: u64) -> PicoUsd {
    PicoUsd::from_pico(i128::from(amount))
}

fn budget() -> Budget {
    Budget::new(LimitReset::Daily, at(NOON))
}

fn reserve(budget: &Budget, amount: u64, limit: u64) -> Result<Reservation, Refused> {
    budget.reserve(pico(amount), Some(pico(limit)), at(NOON))
}

#[test]
fn a_reservation_settles_exactly_or_is_free_again() {
    let budget = budget();
    let one = reserve(&budget, 60, 100).unwrap();
    assert_eq!((budget.held(), budget.spent(at(NOON))), (pico(60), pico(0)));
    let refused = Refused { spent: pico(0), held_only: true };
    assert_eq!(reserve(&budget, 41, 100).unwrap_err(), refused);
    let two = reserve(&budget, 40, 100).unwrap();
    one.settle(pico(10));
    assert_eq!((budget.held(), budget.spent(at(NOON))), (pico(40), pico(10)));
    drop(two);
    assert_eq!((budget.held(), budget.spent(at(NOON))), (pico(0), pico(10)));
    let refused = Refused { spent: pico(10), held_only: false };
    assert_eq!(reserve(&budget, 91, 100).unwrap_err(), refused);
    // A cost above what was held is spent in full.
    reserve(&budget, 90, 100).unwrap().settle(pico(95));
    assert_eq!((budget.held(), budget.spent(at(NOON))), (pico(0), pico(105)));
}

#[test]
fn a_limit_that_is_reached_refuses_even_nothing() {
    let budget = budget();
    drop(reserve(&budget, 0, 1).unwrap());
    let held = reserve(&budget, 5, 5).unwrap();
    drop(reserve(&budget, 0, 5).unwrap());
    held.settle(pico(5));
    let refused = Refused { spent: pico(5), held_only: false };
    assert_eq!(reserve(&budget, 0, 5).unwrap_err(), refused);
    assert_eq!(reserve(&budget, 0, 4).unwrap_err(), refused);
    drop(reserve(&budget, 0, 6).unwrap());
    drop(budget.reserve(pico(7), None, at(NOON)).unwrap());
    assert!(reserve(&Budget::new(LimitReset::Never, 0), 0, 0).is_err());
}

#[test]
fn a_period_that_is_over_settles_apart() {
    let budget = budget();
    let midnight = at("2024-03-01T00:00:00Z");
    let late = reserve(&budget, 80, 100).unwrap();
    reserve(&budget, 20, 100).unwrap().settle(pico(20));
    assert_eq!(budget.spent(midnight - 1), pico(20));
    assert_eq!(budget.spent(midnight), pico(0));
    assert!(budget.reserve(pico(1), Some(pico(100)), midnight - 1).is_err());
    let next = budget.reserve(pico(100), Some(pico(100)), midnight).unwrap();
    late.settle(pico(80));
    assert_eq!((budget.held(), budget.spent(midnight)), (pico(100), pico(0)));
    // A request that read the clock before midnight counts where the others are.
    assert!(budget.reserve(pico(1), Some(pico(100)), midnight - 1).is_err());
    next.settle(pico(30));
    assert_eq!(budget.spent(midnight - 1), pico(30));
}

#[test]
fn a_clock_put_back_for_good_keeps_what_was_spent() {
    let budget = budget();
    reserve(&budget, 100, 100).unwrap().settle(pico(100));
    for back in ["2024-02-28T00:00:00Z", "2024-02-27T23:00:00Z", "2023-02-28T12:00:00Z"] {
        assert!(budget.reserve(pico(1), Some(pico(100)), at(back)).is_err(), "{back}");
    }
    let now = at("2023-03-01T00:00:00Z");
    assert!(budget.reserve(pico(100), Some(pico(100)), now).is_ok());
}

#[test]
fn what_others_spent_is_added_once() {
    let budget = budget();
    let held = reserve(&budget, 50, 100).unwrap();
    let today = budget.span(at(NOON));
    assert_eq!(budget.raise_spent_to(pico(30), today), pico(30));
    assert_eq!(budget.raise_spent_to(pico(30), today), pico(0));
    assert_eq!(budget.raise_spent_to(pico(20), today), pico(0));
    assert_eq!((budget.held(), budget.spent(at(NOON))), (pico(50), pico(30)));
    assert!(reserve(&budget, 21, 100).is_err());
    held.settle(pico(40));
    assert_eq!(budget.raise_spent_to(pico(71), today), pico(1));
    // Of tomorrow opens tomorrow; of yesterday is too late.
    let tomorrow = at("2024-03-01T00:00:00Z");
    let span = crate::limits::PeriodSpan::at(LimitReset::Daily, tomorrow);
    assert_eq!(budget.raise_spent_to(pico(5), span), pico(5));
    assert_eq!(budget.raise_spent_to(pico(500), today), pico(0));
    assert_eq!(budget.spent(tomorrow), pico(5));
}

#[test]
fn another_reset_keeps_what_it_includes() {
    use LimitReset::{Daily, Monthly, Never, Weekly};
    // A Thursday of a week that lies in two months.
    for (before, after, kept) in [
        (Daily, Weekly, 9),
        (Daily, Monthly, 9),
        (Weekly, Never, 9),
        (Monthly, Never, 9),
        (Weekly, Monthly, 0),
        (Monthly, Daily, 0),
        (Never, Daily, 0),
        (Daily, Daily, 9),
    ] {
        let budget = Budget::new(before, at(NOON));
        reserve(&budget, 9, 10).unwrap().settle(pico(9));
        budget.set_reset(after, at(NOON));
        assert_eq!(budget.spent(at(NOON)), pico(kept), "{before:?} {after:?}");
        assert_eq!(budget.span(at(NOON)).reset, after);
    }
}

#[test]
fn counters_stop_at_the_end_of_their_range() {
    let budget = budget();
    let all = reserve(&budget, u64::MAX - 1, u64::MAX).unwrap();
    assert!(reserve(&budget, 2, u64::MAX).is_err());
    all.settle(PicoUsd::from_pico(i128::MAX));
    assert_eq!(budget.spent(at(NOON)), pico(u64::MAX));
    budget.reserve(PicoUsd::from_pico(-5), None, at(NOON)).unwrap().settle(pico(5));
    assert_eq!(budget.spent(at(NOON)), pico(u64::MAX));
    assert!(reserve(&budget, 0, u64::MAX).is_err());
}

/// A limit for 100 and 500 who want it: exactly 100 get it, 200 times.
#[test]
fn exactly_what_the_limit_pays_for_is_admitted() {
    const THREADS: usize = 4;
    for round in 0..200 {
        let budget = Budget::new(LimitReset::Never, 0);
        let barrier = Barrier::new(THREADS);
        let admitted = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    barrier.wait();
                    let mut held = Vec::new();
                    for _ in 0..500 / THREADS {
                        held.extend(budget.reserve(pico(7), Some(pico(706)), 0).ok());
                    }
                    let count = u64::try_from(held.len()).unwrap();
                    admitted.fetch_add(count, Ordering::Relaxed);
                    barrier.wait();
                    for one in held {
                        one.settle(pico(7));
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), 100, "round {round}");
        assert_eq!((budget.held(), budget.spent(0)), (pico(0), pico(700)));
    }
}

/// Money for as many as there are threads: none is ever refused, however they interleave.
#[test]
fn nobody_is_refused_while_there_is_money() {
    let purse = Lifetime::default();
    let rounds = 20_000;
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let purse = &purse;
            scope.spawn(move || {
                for round in 0..rounds {
                    // Nothing is spent, so what is idle is at least a quarter at any moment.
                    let held = purse.reserve(pico(25 - thread), Some(pico(100)));
                    let held = held.unwrap_or_else(|refused| panic!("{refused:?} in {round}"));
                    if round % 2 == 0 { held.settle(pico(0)) } else { drop(held) }
                }
            });
        }
    });
    assert_eq!((purse.held(), purse.spent()), (pico(0), pico(0)));
}

/// Threads across midnight open one new period, not one each.
#[test]
fn a_new_period_is_opened_once() {
    let midnight = at("2024-03-01T00:00:00Z");
    for _ in 0..1_000 {
        let budget = budget();
        let barrier = Barrier::new(4);
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                let (budget, barrier) = (&budget, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    let now_s = midnight + thread % 2;
                    let held = budget.reserve(pico(3), Some(pico(100)), now_s).unwrap();
                    barrier.wait();
                    assert_eq!(budget.held(), pico(12));
                    barrier.wait();
                    held.settle(pico(2));
                });
            }
        });
        assert_eq!((budget.held(), budget.spent(midnight)), (pico(0), pico(8)));
    }
}

/// What becomes of a reservation.
#[derive(Debug, Clone, Copy)]
enum End {
    Settled(u64),
    Dropped,
    Open,
    Raised(u64),
}

fn ends() -> impl Strategy<Value = Vec<(u64, End)>> {
    let end = prop_oneof![
        (0u64..200).prop_map(End::Settled),
        Just(End::Dropped),
        Just(End::Open),
        (0u64..2_000).prop_map(End::Raised),
    ];
    prop::collection::vec((0u64..100, end), 0..100)
}

proptest! {
    #[test]
    fn any_mix_of_ends_leaves_only_what_was_settled(steps in ends(), limit in 0u64..2_000) {
        let budget = budget();
        let (mut open, mut spent, mut held) = (Vec::new(), 0, 0);
        for (amount, end) in steps {
            if let End::Raised(total) = end {
                budget.raise_spent_to(pico(total), budget.span(at(NOON)));
                spent = spent.max(total);
                continue;
            }
            let reserved = reserve(&budget, amount, limit);
            let fits = spent < limit && (amount == 0 || spent + held + amount <= limit);
            prop_assert_eq!(reserved.is_ok(), fits);
            let reserved = match reserved {
                Ok(reserved) => reserved,
                Err(refused) => {
                    prop_assert_eq!(refused.spent, pico(spent));
                    prop_assert_eq!(refused.held_only, spent < limit && spent + amount <= limit);
                    continue;
                }
            };
            match end {
                End::Settled(cost) => {
                    reserved.settle(pico(cost));
                    spent += cost;
                }
                End::Dropped => drop(reserved),
                End::Open | End::Raised(_) => {
                    held += amount;
                    open.push(reserved);
                }
            }
            prop_assert_eq!((budget.held(), budget.spent(at(NOON))), (pico(held), pico(spent)));
        }
        drop(open);
        prop_assert_eq!((budget.held(), budget.spent(at(NOON))), (pico(0), pico(spent)));
    }

    #[test]
    fn looking_says_what_holding_does(spent in 0u64..9, held in 0u64..9, amount in 0u64..9, limit in 0u64..20) {
        let tally = Tally::with_spent(spent);
        tally.hold(held, u64::MAX).unwrap();
        let looked = tally.look(amount, limit);
        prop_assert_eq!(looked, tally.hold(amount, limit));
    }
}
