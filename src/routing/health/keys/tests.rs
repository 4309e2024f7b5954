//! Keys that are limited, refused and accepted again.

use super::*;
use http::{HeaderName, HeaderValue};

fn key(value: &'static str) -> ProviderKey {
    ProviderKey {
        name: HeaderName::from_static("x-api-key"),
        value: HeaderValue::from_static(value),
        weight: 1,
        models: None,
    }
}

fn pool(values: &[&'static str]) -> KeyPool {
    KeyPool::new(values.iter().map(|value| key(value)).collect())
}

/// The key that is picked for model `m`, by its value; or the wait.
fn picked<'p>(keys: &Keys, pool: &'p KeyPool, now_ms: u64) -> Result<&'p str, Option<u64>> {
    match keys.pick(pool, ("m", &[]), now_ms) {
        Ok(picked) => Ok(picked.map_or("", |(_, key)| key.value.to_str().unwrap())),
        Err(none) => Err(none.retry_in_ms),
    }
}

fn limit(keys: &Keys, key: Option<&ProviderKey>, seconds: u64) {
    keys.note_limited((key, "m"), Some(Duration::from_secs(seconds)), 0);
}

#[test]
fn a_limited_key_waits_as_long_as_is_asked_within_a_minute() {
    // What is asked, and for how long the key is left alone.
    let secs = |seconds| Some(Duration::from_secs(seconds));
    let cases = [
        (secs(5), 5_000),
        (secs(0), 0),
        (secs(1), 1_000),
        (secs(60), 60_000),
        (secs(1_000_000_000), 60_000),
        (Some(Duration::from_millis(250)), 250),
        (None, 1_000),
    ];
    for (asked, expected_ms) in cases {
        let (keys, pool) = (Keys::new("p"), pool(&["a"]));
        keys.note_limited((pool.get(0), "m"), asked, 100);
        if expected_ms > 0 {
            assert_eq!(picked(&keys, &pool, 100), Err(Some(expected_ms)), "{asked:?}");
            assert_eq!(picked(&keys, &pool, 99 + expected_ms), Err(Some(1)), "{asked:?}");
        }
        assert_eq!(picked(&keys, &pool, 100 + expected_ms), Ok("a"), "{asked:?}");
        let other = keys.pick(&pool, ("other", &[]), 100);
        assert!(other.is_ok(), "the limit is the model's");
    }
}

#[test]
fn without_a_hint_the_wait_doubles_each_time_it_is_over() {
    let (keys, pool) = (Keys::new("p"), pool(&["a"]));
    let limited = |now_ms| keys.note_limited((pool.get(0), "m"), None, now_ms);
    let mut now_ms = 0;
    for wait_ms in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
        // Many calls that were on their way count as one.
        (0..50).for_each(|_| limited(now_ms));
        assert_eq!(picked(&keys, &pool, now_ms), Err(Some(wait_ms)));
        now_ms += wait_ms;
    }
    assert_eq!(picked(&keys, &pool, now_ms), Ok("a"));
    keys.note_works((pool.get(0), "m"), now_ms);
    limited(now_ms);
    assert_eq!(picked(&keys, &pool, now_ms), Err(Some(1_000)), "it began anew");
    assert_eq!(keys.counts(), (9, 0));
}

#[test]
fn the_others_are_used_meanwhile_and_the_smallest_wait_is_told() {
    let (keys, pool) = (Keys::new("p"), pool(&["a", "b", "c"]));
    limit(&keys, pool.get(0), 30);
    limit(&keys, pool.get(1), 10);
    (0..10).for_each(|_| assert_eq!(picked(&keys, &pool, 0), Ok("c")));
    limit(&keys, pool.get(2), 20);
    assert_eq!(picked(&keys, &pool, 1_000), Err(Some(9_000)));
    assert_eq!(picked(&keys, &pool, 10_000), Ok("b"));
    let tried = keys.pick(&pool, ("m", &[1]), 10_000);
    assert_eq!(tried.unwrap_err(), NoKey { retry_in_ms: Some(10_000), is_limited: true });
    let fresh = Keys::new("p").pick(&pool, ("m", &[0, 1, 2]), 0);
    assert_eq!(fresh.unwrap_err(), NoKey { retry_in_ms: None, is_limited: false });
}

#[test]
fn a_refused_key_is_left_alone_longer_each_time_and_tried_by_one() {
    let (keys, pool) = (Keys::new("p"), pool(&["a"]));
    let refused = |now_ms| keys.note_refused((pool.get(0), "m"), Scope::Key, now_ms);
    let mut now_ms = 0;
    for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
        // Many calls that were on their way count as one.
        (0..50).for_each(|_| refused(now_ms));
        let wait_ms = minutes * 60_000;
        assert_eq!(picked(&keys, &pool, now_ms), Err(Some(wait_ms)));
        assert!(keys.pick(&pool, ("other", &[]), now_ms).is_err(), "for every model");
        now_ms += wait_ms;
        assert_eq!(picked(&keys, &pool, now_ms), Ok("a"));
        assert_eq!(picked(&keys, &pool, now_ms), Err(Some(PROBE_MS)), "one finds out");
        now_ms += 1_000;
    }
    assert_eq!((keys.counts(), keys.refused()), ((0, 8), 1));
    assert_eq!(picked(&keys, &pool, now_ms + PROBE_MS), Ok("a"), "the first was never heard of");
    keys.note_works((pool.get(0), "m"), now_ms + PROBE_MS);
    (0..5).for_each(|_| assert_eq!(picked(&keys, &pool, now_ms + PROBE_MS), Ok("a")));
    assert_eq!(keys.refused(), 0);
    refused(now_ms);
    assert_eq!(picked(&keys, &pool, now_ms), Err(Some(60_000)), "it began anew");
}

#[test]
fn what_was_sent_before_the_trouble_does_not_end_it() {
    let (keys, pool) = (Keys::new("p"), pool(&["a"]));
    keys.note_refused((pool.get(0), "m"), Scope::Key, 0);
    limit(&keys, pool.get(0), 20);
    keys.note_works((pool.get(0), "m"), 1_000);
    assert_eq!(picked(&keys, &pool, 1_000), Err(Some(59_000)));
}

#[test]
fn it_is_told_whether_limits_alone_are_in_the_way() {
    let (keys, pool) = (Keys::new("p"), pool(&["a", "b"]));
    let is_limited = || keys.pick(&pool, ("m", &[]), 1).unwrap_err().is_limited;
    limit(&keys, pool.get(0), 5);
    limit(&keys, pool.get(1), 5);
    assert!(is_limited());
    keys.note_refused((pool.get(1), "m"), Scope::Key, 0);
    assert!(!is_limited());
}

#[test]
fn what_is_forbidden_is_one_model() {
    let (keys, pool) = (Keys::new("p"), pool(&["a"]));
    keys.note_refused((pool.get(0), "m"), Scope::Model, 0);
    assert!(picked(&keys, &pool, 0).is_err());
    assert!(keys.pick(&pool, ("other", &[]), 0).is_ok());
}

#[test]
fn keys_are_known_after_a_reload_and_new_ones_are_fine() {
    let keys = Keys::new("p");
    keys.note_refused((pool(&["a"]).get(0), "m"), Scope::Key, 0);
    let reloaded = pool(&["b", "a"]);
    (0..4).for_each(|_| assert_eq!(picked(&keys, &reloaded, 1), Ok("b")));
    assert_eq!(picked(&keys, &pool(&["c"]), 1), Ok("c"));
}

#[test]
fn a_provider_without_keys_waits_too() {
    let (keys, none) = (Keys::new("p"), pool(&[]));
    assert_eq!(picked(&keys, &none, 0), Ok(""));
    limit(&keys, None, 5);
    assert_eq!(picked(&keys, &none, 0), Err(Some(5_000)));
    assert_eq!(picked(&keys, &none, 5_000), Ok(""));
    keys.note_refused((None, "m"), Scope::Key, 5_000);
    assert_eq!(picked(&keys, &none, 5_000), Err(Some(60_000)));
    assert_eq!(picked(&keys, &none, 65_000), Ok(""));
    assert_eq!(picked(&keys, &none, 65_000), Err(Some(PROBE_MS)));
}

#[test]
fn many_threads_waste_one_call_on_a_refused_key() {
    let (keys, pool) = (Keys::new("p"), pool(&["a", "b"]));
    keys.note_refused((pool.get(0), "m"), Scope::Key, 0);
    let barrier = std::sync::Barrier::new(16);
    let wasted: usize = std::thread::scope(|scope| {
        let ask = || {
            barrier.wait();
            (0..200).filter(|_| picked(&keys, &pool, 60_000) == Ok("a")).count()
        };
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(wasted, 1);
}

#[test]
fn what_is_known_is_bounded() {
    let (keys, pool) = (Keys::new("p"), pool(&["a"]));
    for index in 0..5_000_u64 {
        let model = format!("m{index}");
        keys.note_limited((pool.get(0), &model), Some(Duration::from_secs(10)), index);
        assert!(keys.troubles.lock().unwrap().len() <= MAX_TROUBLES);
    }
    let last = keys.pick(&pool, ("m4999", &[]), 5_000);
    assert_eq!(last.unwrap_err(), NoKey { retry_in_ms: Some(9_999), is_limited: true });
}
