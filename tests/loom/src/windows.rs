//! Windows: takes add up, and what belongs to one window never reaches the next.

use crate::together;
use crate::window::Window;

type Minute = Window<60>;

fn left(window: &Minute, limit: u64, now_s: u64) -> u64 {
    window.standing(limit, now_s).remaining
}

#[test]
fn room_for_one_is_taken_by_one() {
    let take = |window: &Minute| {
        if window.take(2, 3, 60).is_err() {
            assert_eq!(left(window, 3, 60), 1);
        }
    };
    together(Minute::default, [take, take], |window| assert_eq!(left(window, 3, 60), 1));
}

#[test]
fn room_for_two_is_taken_by_two() {
    let take = |window: &Minute| assert!(window.take(2, 4, 60).is_ok());
    together(Minute::default, [take, take], |window| assert_eq!(left(window, 4, 60), 0));
}

#[test]
fn a_take_meets_the_next_window() {
    let full = || {
        let window = Minute::default();
        window.take(3, 3, 60).unwrap();
        window
    };
    // Of the two of the new minute neither is lost, and the one that read the clock before counts
    // where it arrives: in the old window, which is full, or in the new one.
    together(
        full,
        [
            |window: &Minute| {
                if let Ok(taken) = window.take(1, 3, 119) {
                    assert_eq!(taken.number, 2);
                }
            },
            |window| assert!(window.take(1, 3, 120).is_ok()),
        ],
        |window| assert!([1, 2].contains(&left(window, 3, 120))),
    );
    let take = |window: &Minute| assert!(window.take(1, 2, 120).is_ok());
    together(full, [take, take], |window| assert_eq!(left(window, 2, 120), 0));
}

#[test]
fn what_is_given_back_late_is_given_to_nobody() {
    together(
        || {
            let window = Minute::default();
            window.take(3, 3, 60).unwrap();
            window
        },
        [
            |window: &Minute| window.give_back(3, 1),
            |window| assert!(window.take(2, 3, 120).is_ok()),
        ],
        |window| assert_eq!(left(window, 3, 120), 1),
    );
}

#[test]
fn a_correction_and_a_take_both_count() {
    together(
        || {
            let window = Minute::default();
            window.take(4, 10, 60).unwrap();
            window
        },
        [
            |window: &Minute| window.correct(4, 5, 1),
            |window| assert!(window.take(3, 10, 60).is_ok()),
        ],
        |window| assert_eq!(left(window, 10, 60), 2),
    );
}
