//! Rates on the real process: requests and tokens of keys, models and free variants are counted
//! exactly under load and through restarts, and every answer tells how the limits stand.

mod shown;

use crate::rig::{Answer, Http, Plan, Rig};
use crate::spender::{MANAGER, MODEL, Spender, ask, ask_of, reason};
use crate::wire::{Call, sized};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

/// Models with limits of their own.
const MODELS: &str = r#"
[models."openai/few"]
endpoints = [{ provider = "openai", price = { prompt = "2.5", completion = "10" } }]
rate_limit = { requests_per_minute = 3 }
[models."anthropic/single"]
endpoints = [{ provider = "anthropic", upstream_model = "claude-sonnet-4-5", price = { prompt = "3", completion = "15" } }]
rate_limit = { concurrent = 1 }
[models."openai/gpt-5.4:free"]
endpoints = [{ provider = "openai", upstream_model = "gpt-5.4", price = { prompt = "0", completion = "0" } }]
"#;

async fn rig() -> Rig {
    Rig::with(Plan { more: &format!("{MANAGER}{MODELS}"), ..Plan::default() }).await
}

async fn limited(rig: &Rig, rate_limit: Value) -> Spender {
    Spender::make(rig, json!({ "rate_limit": rate_limit })).await
}

fn unix_s() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// Waits for the next window of this length unless the present one lasts so many seconds more.
async fn wait_for_room(window_s: u64, needed_s: u64) {
    let left_s = window_s - unix_s() % window_s;
    if left_s < needed_s {
        tokio::time::sleep(Duration::from_secs(left_s)).await;
    }
}

async fn minute_with_room() {
    wait_for_room(60, 10).await;
}

fn number(answer: &Answer, name: &str) -> u64 {
    let value = answer.header(name);
    value.parse().unwrap_or_else(|_| panic!("{name}: {value:?} {}", answer.text()))
}

/// Asserts how the limits stand by an answer: limit, remaining, end of the window.
fn assert_standing(what: &str, answer: &Answer, limit: u64, remaining: u64, window_s: u64) {
    let found = ["x-ratelimit-limit", "x-ratelimit-remaining"].map(|name| number(answer, name));
    assert_eq!(found, [limit, remaining], "{what}: {}", answer.text());
    let reset_s = number(answer, "x-ratelimit-reset");
    let now_s = unix_s();
    assert!(
        reset_s.is_multiple_of(window_s) && reset_s + 2 >= now_s && reset_s <= now_s + window_s,
        "{what}"
    );
}

/// Asserts that an answer is the refusal of this limit.
fn assert_refused(what: &str, answer: &Answer, window: &str) {
    assert_eq!(answer.status, 429, "{what}: {}", answer.text());
    assert_eq!(reason(answer), "rate_limit_exceeded", "{what}: {}", answer.text());
    let metadata = &answer.json()["error"]["metadata"];
    assert_eq!(metadata["window"], window, "{what}: {}", answer.text());
    let wait_s = number(answer, "retry-after");
    let left_s = if window.ends_with("day") { 86_400 } else { 60 };
    assert!((1..=left_s).contains(&wait_s), "{what}: {wait_s}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hundred_at_once_exactly_fifty_pass() {
    let rig = rig().await;
    let key = limited(&rig, json!({ "requests_per_minute": 50 })).await;
    let body = ask(false, &json!({}));
    minute_with_room().await;
    let answers = key.chat_at_once(&rig, 200, &body).await;
    let (passed, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(passed.len(), 50);
    let mut remaining: Vec<u64> =
        passed.iter().map(|answer| number(answer, "x-ratelimit-remaining")).collect();
    remaining.sort_unstable();
    assert_eq!(remaining, (0..50).collect::<Vec<u64>>(), "each took a place of its own");
    for answer in &refused {
        assert_refused("minute", answer, "requests_per_minute");
        assert_standing("minute", answer, 50, 0, 60);
    }
    key.wait_for_spent(&rig, 50 * crate::spender::COST).await;
    assert_eq!(rig.journal().await.len(), 50);
    let ledger = crate::ledger::Ledger::with_rows(&rig, 50, Duration::from_secs(10)).await;
    assert_eq!((ledger.rows.len(), ledger.open), (50, 0), "a refused request left a row");
}

#[tokio::test]
async fn a_refused_request_takes_nothing_from_any_window() {
    let rig = rig().await;
    let key = limited(&rig, json!({ "requests_per_minute": 2, "requests_per_day": 5 })).await;
    let body = ask(false, &json!({}));
    minute_with_room().await;
    for _ in 0..2 {
        assert_eq!(key.chat(&rig, &body).await.status, 200);
    }
    for _ in 0..10 {
        assert_refused("minute", &key.chat(&rig, &body).await, "requests_per_minute");
    }
    let more = json!({ "requests_per_minute": 100, "requests_per_day": 5 });
    key.change(&rig, json!({ "rate_limit": more })).await;
    for remaining in (0..3).rev() {
        let answer = key.chat(&rig, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_standing("day", &answer, 5, remaining, 86_400);
    }
    let refused = key.chat(&rig, &body).await;
    assert_refused("day", &refused, "requests_per_day");
    assert_standing("day", &refused, 5, 0, 86_400);
    // Those that the money refuses are none either.
    let broke = json!({ "limit": 0, "rate_limit": { "requests_per_minute": 7 } });
    let broke = Spender::make(&rig, broke).await;
    for _ in 0..10 {
        let refused = broke.chat(&rig, &body).await;
        assert_eq!(refused.status, 402, "{}", refused.text());
        assert_standing("no money", &refused, 7, 7, 60);
    }
    broke.change(&rig, json!({ "limit": null })).await;
    let answer = broke.chat(&rig, &body).await;
    assert_standing("money", &answer, 7, 6, 60);
}

#[tokio::test]
async fn tokens_are_counted_as_the_provider_counts_them() {
    let rig = rig().await;
    let key = limited(&rig, json!({ "tokens_per_minute": 3_000 })).await;
    let body = ask(false, &json!({}));
    minute_with_room().await;
    // 1100 tokens each, of which some 150 are expected before.
    for _ in 0..2 {
        assert_eq!(key.chat(&rig, &body).await.status, 200);
    }
    let answer = key.chat(&rig, &body).await;
    assert_eq!((answer.status, number(&answer, "x-ratelimit-limit")), (200, 3_000));
    assert!((500..800).contains(&number(&answer, "x-ratelimit-remaining")), "{answer:?}");
    let refused = key.chat(&rig, &body).await;
    assert_refused("tokens", &refused, "tokens_per_minute");
    // What fails costs no tokens.
    let key = limited(&rig, json!({ "tokens_per_minute": 400 })).await;
    for _ in 0..10 {
        let answer = key.chat(&rig, &ask(false, &json!({ "status": 400 }))).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
    assert_eq!(key.chat(&rig, &body).await.status, 200);
}

#[tokio::test]
async fn as_many_run_at_once_as_may() {
    let rig = rig().await;
    let key = limited(&rig, json!({ "concurrent": 2 })).await;
    let slow = ask(true, &json!({ "events": 10, "event_delay_ms": 80 }));
    let headers = [("x-api-key", key.secret.as_str())];
    let target = ("POST", "/api/v1/chat/completions");
    let start =
        async || Call::send(rig.gateway, Http::One, target, &headers, sized(slow.clone())).await;
    let quick = ask(false, &json!({}));
    let (mut one, other) = (start().await, start().await);
    assert_eq!((one.status, other.status), (200, 200));
    for _ in 0..3 {
        let refused = key.chat(&rig, &quick).await;
        assert_refused("concurrent", &refused, "concurrent");
        assert_eq!(refused.header("retry-after"), "1");
    }
    // A client that leaves makes room, and so does a stream that ends.
    other.leave();
    let started = std::time::Instant::now();
    while key.chat(&rig, &quick).await.status != 200 {
        assert!(started.elapsed() < Duration::from_secs(5), "no room");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(one.text().await.contains("[DONE]"));
    let answers = key.chat_at_once(&rig, 2, &quick).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
}

#[tokio::test]
async fn a_model_that_is_asked_too_much_gives_way_to_the_next() {
    let rig = rig().await;
    let keys = [limited(&rig, json!({})).await, limited(&rig, json!({})).await];
    let body = ask_of("openai/few", false, &json!({}));
    minute_with_room().await;
    for number in 0..3 {
        let answer = keys[number % 2].chat(&rig, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    for key in &keys {
        let refused = key.chat(&rig, &body).await;
        assert_refused("model", &refused, "requests_per_minute");
        assert_standing("model", &refused, 3, 0, 60);
        assert!(refused.text().contains("this model"), "{}", refused.text());
        // Another model is not concerned.
        assert_eq!(key.chat(&rig, &ask(false, &json!({}))).await.status, 200);
    }
    let mut listed: Value = serde_json::from_str(&body).unwrap();
    listed["models"] = json!(["openai/few", MODEL]);
    let answer = keys[0].chat(&rig, &listed.to_string()).await;
    assert_eq!((answer.status, &answer.json()["model"]), (200, &json!(MODEL)));
    assert_eq!(rig.journal().await.len(), 6, "a refused model was asked");
    // One at a time: the second goes to the other model while the first runs.
    let mut slow: Value = serde_json::from_str(&ask_of(
        "anthropic/single",
        true,
        &json!({ "events": 10, "event_delay_ms": 80 }),
    ))
    .unwrap();
    let mut running = {
        let headers = [("x-api-key", keys[0].secret.as_str())];
        let target = ("POST", "/api/v1/chat/completions");
        Call::send(rig.gateway, Http::One, target, &headers, sized(slow.to_string())).await
    };
    let single = ask_of("anthropic/single", false, &json!({}));
    assert_refused("single", &keys[1].chat(&rig, &single).await, "concurrent");
    slow["models"] = json!(["anthropic/single", MODEL]);
    slow["stream"] = json!(false);
    let answer = keys[1].chat(&rig, &slow.to_string()).await;
    assert_eq!((answer.status, &answer.json()["model"]), (200, &json!(MODEL)));
    assert!(running.text().await.contains("[DONE]"));
    assert_eq!(keys[1].chat(&rig, &single).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn free_variants_have_twenty_requests_a_minute_for_all_keys_together() {
    let mut rig = rig().await;
    let (one, other) = (limited(&rig, json!({})).await, limited(&rig, json!({})).await);
    let body = ask_of("openai/gpt-5.4:free", false, &json!({}));
    wait_for_room(60, 15).await;
    let (ours, theirs) = futures::future::join(
        one.chat_at_once(&rig, 20, &body),
        other.chat_at_once(&rig, 20, &body),
    )
    .await;
    let passed = ours.iter().chain(&theirs).filter(|answer| answer.status == 200).count();
    assert_eq!(passed, 20);
    crate::ledger::Ledger::with_rows(&rig, 20, Duration::from_secs(5)).await;
    for _ in 0..2 {
        let refused = one.chat(&rig, &body).await;
        assert_refused("free", &refused, "requests_per_minute");
        assert_standing("free", &refused, 20, 0, 60);
        assert_eq!(one.chat(&rig, &ask(false, &json!({}))).await.status, 200);
        rig.crash_and_restart().await;
    }
}

#[tokio::test]
async fn a_restart_opens_no_new_day() {
    let mut rig = rig().await;
    let key = limited(&rig, json!({ "requests_per_day": 6 })).await;
    let body = ask(false, &json!({}));
    wait_for_room(86_400, 30).await;
    let mut remaining = 6;
    for graceful in [false, true, false] {
        for _ in 0..2 {
            remaining -= 1;
            let answer = key.chat(&rig, &body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_standing("day", &answer, 6, remaining, 86_400);
        }
        if graceful {
            rig.signal("TERM");
            rig.wait_for_exit(Duration::from_secs(20)).await;
        }
        rig.crash_and_restart().await;
    }
    let refused = key.chat(&rig, &body).await;
    assert_refused("day", &refused, "requests_per_day");
}
