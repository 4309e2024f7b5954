//! Money: what is held and spent adds up, and no two holds share the same money.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::tally::Tally;
use crate::together;

/// A tally and how many holds it admitted. The count is outside the model: it orders nothing.
#[derive(Default)]
struct Purse {
    tally: Tally,
    admitted: AtomicU64,
}

impl Purse {
    fn hold(&self, amount: u64, limit: u64) -> bool {
        let held = self.tally.hold(amount, limit).is_ok();
        self.admitted.fetch_add(u64::from(held), Ordering::SeqCst);
        held
    }

    fn admitted(&self) -> u64 {
        self.admitted.load(Ordering::SeqCst)
    }

    fn assert(&self, spent: u64, held: u64) {
        assert_eq!((self.tally.spent(), self.tally.held()), (spent, held));
    }
}

#[test]
fn money_for_one_is_held_by_one() {
    let hold = |purse: &Purse| {
        purse.hold(6, 10);
        assert!(purse.tally.held() <= 10, "seen at any moment");
    };
    together(Purse::default, [hold, hold], |purse| {
        assert_eq!(purse.admitted(), 1);
        purse.assert(0, 6);
    });
}

#[test]
fn money_for_two_is_held_by_two() {
    let hold = |purse: &Purse| assert!(purse.hold(5, 10));
    together(Purse::default, [hold, hold], |purse| purse.assert(0, 10));
}

#[test]
fn settling_and_holding_never_exceed_the_limit() {
    let holding = || {
        let purse = Purse::default();
        assert!(purse.hold(6, 10));
        purse
    };
    // Settled below what was held: 4 of the 6 come free, so 8 fit after it and not before.
    together(
        holding,
        [
            |purse: &Purse| purse.tally.settle(6, 2),
            |purse| {
                purse.hold(8, 10);
                assert!(purse.tally.held() <= 10, "seen at any moment");
            },
        ],
        |purse| purse.assert(2, (purse.admitted() - 1) * 8),
    );
    // Settled above: 4 fit only before it.
    together(
        holding,
        [
            |purse: &Purse| purse.tally.settle(6, 9),
            |purse| {
                purse.hold(4, 10);
            },
        ],
        |purse| purse.assert(9, (purse.admitted() - 1) * 4),
    );
}

#[test]
fn released_money_is_free_and_idle_money_is_never_refused() {
    together(
        || {
            let purse = Purse::default();
            assert!(purse.hold(6, 10));
            purse
        },
        [|purse: &Purse| purse.tally.settle(6, 0), |purse| assert!(purse.hold(4, 10))],
        |purse| {
            purse.assert(0, 4);
            assert!(purse.hold(6, 10));
        },
    );
}

#[test]
fn two_settlements_add_up() {
    together(
        || {
            let purse = Purse::default();
            assert!(purse.hold(5, 20) && purse.hold(5, 20));
            purse
        },
        [|purse: &Purse| purse.tally.settle(5, 7), |purse| purse.tally.settle(5, 1)],
        |purse| purse.assert(8, 0),
    );
}

#[test]
fn who_has_seen_the_limit_spent_holds_nothing() {
    // 5 held of a limit of 8, and 9 spent in the end.
    together(
        || {
            let purse = Purse::default();
            assert!(purse.hold(5, 8));
            purse
        },
        [
            |purse: &Purse| purse.tally.settle(5, 9),
            |purse| {
                let seen = purse.tally.spent();
                assert!(!purse.hold(1, 8) || seen <= 8);
            },
        ],
        |purse| purse.assert(9, purse.admitted() - 1),
    );
}

#[test]
fn what_others_spent_is_raised_once() {
    let raise = |purse: &Purse| {
        purse.admitted.fetch_add(purse.tally.raise_spent_to(7), Ordering::SeqCst);
    };
    together(Purse::default, [raise, raise], |purse| {
        assert_eq!(purse.admitted(), 7);
        purse.assert(7, 0);
    });
    together(
        || {
            let purse = Purse::default();
            assert!(purse.hold(5, 20));
            purse
        },
        [
            |purse: &Purse| purse.tally.settle(5, 3),
            |purse| {
                purse.tally.raise_spent_to(10);
            },
        ],
        |purse| {
            let spent = purse.tally.spent();
            assert!(spent == 10 || spent == 13);
            purse.assert(spent, 0);
        },
    );
}
