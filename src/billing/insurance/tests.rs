//! Every way an answer can end, with what is charged for it.

use super::*;
use FinishReason::{ContentFilter, Error, Length, Stop, ToolCalls};
use Outcome::{Abandoned, Cancelled, Complete, Failed, Partial};

/// Bytes of the prompt in every case: two tokens, if they have to be estimated.
const PROMPT_BYTES: u64 = 8;

/// What was seen: counts of the two sides, and why the answer ended in two words.
fn seen(counts: [Option<u64>; 2], finish: Option<(FinishReason, &str)>) -> Observed {
    let [prompt, completion] = counts;
    Observed {
        usage: Usage { prompt, completion, ..Usage::default() },
        finish: finish.map(|(reason, _)| reason),
        native_finish: finish.map(|(_, word)| word.to_owned()).filter(|word| word != "-"),
        ended: finish.is_some(),
        ..Observed::default()
    }
}

/// The same with so many bytes of content, of which the first ones are in the count.
fn with_content(observed: Observed, content_bytes: u64, counted_bytes: u64) -> Observed {
    Observed { saw_content: true, content_bytes, counted_bytes, ..observed }
}

fn begun(observed: Observed) -> Observed {
    Observed { upstream_id: Some("x".into()), ..observed }
}

/// Tokens charged for, and whether one of the numbers is an estimate; `None` for a free answer.
fn charged(outcome: Outcome, observed: &Observed) -> Option<(u64, u64, bool)> {
    let bill = Bill::of(outcome, observed, PROMPT_BYTES);
    let counts = (bill.usage.prompt.unwrap_or(0), bill.usage.completion.unwrap_or(0));
    (!bill.is_free).then_some((counts.0, counts.1, bill.is_estimated))
}

/// An ending: its name, how the request ended, what was seen, what is charged.
type Ending = (&'static str, Outcome, Observed, Option<(u64, u64, bool)>);

fn check(endings: &[Ending]) {
    for (what, outcome, observed, expected) in endings {
        assert_eq!(charged(*outcome, observed), *expected, "{what}");
    }
}

#[test]
fn what_the_insurance_covers_is_free() {
    let none = [None, None];
    let zero = [Some(10), Some(0)];
    let some = [Some(10), Some(5)];
    let torn = |counts| seen(counts, None);
    check(&[
        ("an ordinary answer", Complete, seen(some, Some((Stop, "stop"))), Some((10, 5, false))),
        ("empty without a reason", Complete, seen(zero, None), None),
        ("empty, the reason is missing", Complete, seen(zero, Some((Stop, "-"))), None),
        ("empty, the reason is blank", Complete, seen(zero, Some((Stop, ""))), None),
        ("empty for an error", Complete, seen(zero, Some((Error, "error"))), None),
        ("withheld whole", Complete, seen(zero, Some((ContentFilter, "SAFETY"))), None),
        (
            "withheld, not counted",
            Complete,
            seen([Some(10), None], Some((ContentFilter, "x"))),
            None,
        ),
        ("nothing said at all", Complete, seen(none, None), None),
        ("refused or unreachable", Failed, torn(none), None),
        ("failed before the first token", Failed, begun(torn([Some(10), Some(1)])), None),
        ("timed out before the first token", Partial, begun(torn(none)), None),
        ("cut off by a crash, unseen", Abandoned, torn(none), None),
    ]);
}

#[test]
fn what_it_does_not_cover_is_charged() {
    let zero = [Some(10), Some(0)];
    let some = [Some(10), Some(5)];
    check(&[
        (
            "max_tokens too small",
            Complete,
            seen(zero, Some((Length, "length"))),
            Some((10, 0, false)),
        ),
        ("nothing to say", Complete, seen(zero, Some((Stop, "stop"))), Some((10, 0, false))),
        ("an empty call", Complete, seen(zero, Some((ToolCalls, "x"))), Some((10, 0, false))),
        ("only hidden thoughts", Complete, seen(some, None), Some((10, 5, false))),
        (
            "withheld after thoughts",
            Complete,
            seen(some, Some((ContentFilter, "x"))),
            Some((10, 5, false)),
        ),
        (
            "failed in the middle",
            Complete,
            with_content(seen(some, Some((Error, "x"))), 40, 40),
            Some((10, 5, false)),
        ),
    ]);
}

#[test]
fn counts_are_the_providers_where_it_counts() {
    let none = [None, None];
    let zero = [Some(10), Some(0)];
    let some = [Some(10), Some(5)];
    let torn = |counts| seen(counts, None);
    check(&[
        (
            "zero is zero",
            Complete,
            with_content(seen([Some(0), Some(0)], Some((Stop, "stop"))), 400, 0),
            Some((0, 0, false)),
        ),
        (
            "nothing counted",
            Complete,
            with_content(seen(none, Some((Stop, "stop"))), 21, 0),
            Some((2, 6, true)),
        ),
        (
            "no completion",
            Complete,
            with_content(seen([Some(10), None], Some((Stop, "stop"))), 40, 0),
            Some((10, 10, true)),
        ),
        ("vectors", Complete, with_content(seen(zero, None), 0, 0), Some((10, 0, false))),
        // Answers that broke off.
        ("broken after tokens", Partial, with_content(torn(none), 40, 0), Some((2, 10, true))),
        (
            "broken, counted at the start",
            Partial,
            with_content(torn([Some(10), Some(1)]), 40, 0),
            Some((10, 11, true)),
        ),
        (
            "broken, counted on the way",
            Partial,
            with_content(torn(some), 40, 32),
            Some((10, 7, true)),
        ),
        (
            "broken after the last count",
            Partial,
            with_content(torn(some), 40, 40),
            Some((10, 5, false)),
        ),
        ("cut off by a crash", Abandoned, with_content(torn(none), 40, 0), Some((2, 10, true))),
        // Clients that left.
        ("left before a byte came", Cancelled, torn(none), None),
        ("left before the first token", Cancelled, begun(torn(none)), Some((2, 0, true))),
        ("left, the prompt was counted", Cancelled, torn([Some(10), None]), Some((10, 0, false))),
        ("left after tokens", Cancelled, with_content(torn(none), 40, 0), Some((2, 10, true))),
        (
            "left, read to its end",
            Cancelled,
            with_content(seen(some, Some((Stop, "stop"))), 400, 0),
            Some((10, 5, false)),
        ),
        ("left, the end was empty", Cancelled, seen(zero, Some((Error, "error"))), None),
        (
            "left, max_tokens too small",
            Cancelled,
            seen(zero, Some((Length, "x"))),
            Some((10, 0, false)),
        ),
    ]);
}

#[test]
fn a_free_answer_costs_nothing_although_its_tokens_are_known() {
    let table = crate::config::PriceTable {
        prompt: "1000000".parse().unwrap(),
        request: Some("1".parse().unwrap()),
        ..crate::config::PriceTable::default()
    };
    let pricing = Pricing::new(table);
    let told = Bill::of(Complete, &seen([Some(10), Some(0)], None), PROMPT_BYTES);
    assert_eq!((told.usage.prompt, told.cost(Some(&pricing), None)), (Some(10), Cost::default()));
    let failed = Bill::of(Failed, &seen([Some(10), Some(0)], None), PROMPT_BYTES);
    assert_eq!(
        (failed.usage, failed.cost(Some(&pricing), None)),
        (Usage::default(), Cost::default())
    );
    let paid = Bill::of(Complete, &seen([Some(10), Some(1)], None), PROMPT_BYTES);
    assert_eq!(paid.cost(Some(&pricing), None).total.to_string(), "11");
    assert_eq!(paid.cost(None, None), Cost::default());
}
