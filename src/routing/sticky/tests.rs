//! When a conversation stays, for how long, and how much room the table takes.

use super::*;
use std::borrow::Cow;

const ALICE: [u8; 32] = [1; 32];
const BOB: [u8; 32] = [2; 32];

fn kept(provider: &str) -> Kept {
    Kept { provider: provider.into(), upstream_model: "m".into(), model: "a/m".into() }
}

fn named(name: &str) -> Conversation<'_> {
    Conversation::Named(Cow::Borrowed(name))
}

fn unnamed(name: &str) -> Conversation<'_> {
    Conversation::CacheKey(Cow::Borrowed(name))
}

#[test]
fn a_named_conversation_stays_after_any_success_another_after_a_hit() {
    let (sticky, now) = (StickyTable::default(), Instant::now());
    let cases = [
        (named("a"), 0, true),
        (named("b"), 7, true),
        (unnamed("a"), 0, false),
        (unnamed("b"), 7, true),
    ];
    for (conversation, cached, stays) in cases {
        let key = sticky.key_of(&ALICE, "m", &conversation);
        assert_eq!(sticky.choice(&key, now), None);
        sticky.note(&key, kept("p"), cached, now);
        assert_eq!(sticky.choice(&key, now), stays.then(|| kept("p")), "{conversation:?} {cached}");
    }
}

#[test]
fn accounts_models_and_conversations_are_apart() {
    let (sticky, now) = (StickyTable::default(), Instant::now());
    let key = sticky.key_of(&ALICE, "m", &named("a"));
    sticky.note(&key, kept("p"), 0, now);
    let others = [
        sticky.key_of(&BOB, "m", &named("a")),
        sticky.key_of(&ALICE, "n", &named("a")),
        sticky.key_of(&ALICE, "m", &named("b")),
        sticky.key_of(&ALICE, "m", &unnamed("a")),
    ];
    assert!(others.iter().all(|other| sticky.choice(other, now).is_none()));
    assert!(sticky.choice(&sticky.key_of(&ALICE, "m", &named("a")), now).is_some());
}

#[test]
fn ten_idle_minutes_end_it_and_only_a_success_refreshes_it() {
    let (sticky, start) = (StickyTable::default(), Instant::now());
    let at = |minutes| start + Duration::from_mins(minutes);
    let key = sticky.key_of(&ALICE, "m", &unnamed("a"));
    sticky.note(&key, kept("p"), 1, start);
    // Looking, as a request that then fails does, keeps nothing alive.
    assert!((1..10).all(|minute| sticky.choice(&key, at(minute)).is_some()));
    assert_eq!(sticky.choice(&key, at(10)), None);
    // A success at the same endpoint does, with or without a hit.
    sticky.note(&key, kept("p"), 0, at(9));
    assert_eq!(sticky.choice(&key, at(18)), Some(kept("p")));
    assert_eq!(sticky.choice(&key, at(19)), None);
    // Once it ran out, it takes a hit again.
    sticky.note(&key, kept("p"), 0, at(30));
    assert_eq!(sticky.choice(&key, at(30)), None);
}

#[test]
fn it_moves_to_the_endpoint_that_answered_instead() {
    let (sticky, now) = (StickyTable::default(), Instant::now());
    let key = sticky.key_of(&ALICE, "m", &named("a"));
    sticky.note(&key, kept("p"), 0, now);
    sticky.note(&key, kept("q"), 0, now);
    assert_eq!(sticky.choice(&key, now), Some(kept("q")));
    let key = sticky.key_of(&ALICE, "m", &unnamed("a"));
    sticky.note(&key, kept("p"), 9, now);
    sticky.note(&key, kept("q"), 0, now);
    assert_eq!(sticky.choice(&key, now), Some(kept("p")), "nothing is cached there yet");
    sticky.note(&key, kept("q"), 9, now);
    assert_eq!(sticky.choice(&key, now), Some(kept("q")));
}

#[test]
fn the_table_is_bounded() {
    let (sticky, now) = (StickyTable::default(), Instant::now());
    assert!(sticky.is_empty());
    for number in 0..MAX_ENTRIES + 5_000 {
        let key = sticky.key_of(&ALICE, "m", &named(&number.to_string()));
        sticky.note(&key, kept("p"), 0, now);
    }
    assert!((1..=MAX_ENTRIES).contains(&sticky.len()), "{}", sticky.len());
}
