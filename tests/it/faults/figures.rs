//! The promises in figures: how many requests fail, how many calls are wasted, and how soon it is
//! known. The mock provider's journal is the judge.

use crate::rig::{Connection, Http, Plan, Rig, free_address, request};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Requests while one of three providers is in trouble.
const REQUESTS: usize = 10_000;
const CLIENTS: usize = 48;

/// A provider that is known at the mock by its key.
fn provider(name: &str, base: &str) -> String {
    format!(
        "[providers.{name}]\nformat = \"openai\"\nbase_url = \"http://{base}/v1\"\n\
         keys = [{{ insecure_literal = \"sk-of-{name}\" }}]\n\
         timeouts = {{ connect_ms = 300, first_byte_ms = 300, first_token_ms = 300 }}\n"
    )
}

/// Three providers of one model, the first of which is at `first`.
fn three(first: &str) -> String {
    [
        &provider("troubled", first),
        &provider("second", "MOCK_ADDRESS"),
        &provider("third", "MOCK_ADDRESS"),
        "[models.\"any/model\"]\nendpoints = [{ provider = \"troubled\" }, \
         { provider = \"second\" }, { provider = \"third\" }]\n",
    ]
    .concat()
}

async fn script(rig: &Rig, rules: Value) {
    let body = rules.to_string().into();
    let answer = request(rig.mock, Http::One, ("PUT", "/__script"), &[], body).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
}

/// Calls that came to the mock with this key.
async fn calls(rig: &Rig, name: &str) -> usize {
    let journal = rig.journal().await;
    let suffix = &format!("sk-of-{name}")[format!("sk-of-{name}").len() - 4..];
    journal.iter().filter(|entry| entry["key_suffix"] == suffix).count()
}

fn body(model: &str, stream: bool) -> String {
    let messages = json!([{ "role": "user", "content": "hi" }]);
    json!({ "model": model, "messages": messages, "stream": stream }).to_string()
}

/// What a client got.
#[derive(Debug)]
struct Got {
    status: u16,
    took: Duration,
    retry_after: String,
    /// What is wrong with it.
    wrong: Option<String>,
}

async fn ask(connection: &mut Connection, model: &str, stream: bool) -> Got {
    let started = Instant::now();
    let answer = connection.authorized("POST", "/v1/chat/completions", body(model, stream)).await;
    let text = answer.text();
    let whole = if stream { text.ends_with("data: [DONE]\n\n") } else { text.contains("\"stop\"") };
    let right = answer.status == 200 && whole && !text.contains("\"error\"");
    Got {
        status: answer.status,
        took: started.elapsed(),
        retry_after: answer.header("retry-after").to_owned(),
        wrong: (!right).then(|| format!("{}: {text}", answer.status)),
    }
}

/// Asks so often over so many connections, streams and whole answers in turn.
async fn ask_many(rig: &Rig, model: &'static str, count: usize, clients: usize) -> Vec<Got> {
    let left = Arc::new(AtomicUsize::new(count));
    let clients = (0..clients).map(|_| {
        let (left, gateway) = (Arc::clone(&left), rig.gateway);
        tokio::spawn(async move {
            let mut connection = Connection::open(gateway, Http::One).await;
            let mut got = Vec::new();
            let take = |left: usize| left.checked_sub(1);
            while let Ok(number) = left.fetch_update(Ordering::AcqRel, Ordering::Acquire, take) {
                got.push(ask(&mut connection, model, number.is_multiple_of(2)).await);
            }
            got
        })
    });
    let got = futures::future::join_all(clients).await;
    let got: Vec<Got> = got.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(got.len(), count);
    got
}

/// Ten thousand requests of which none fails; `wasted` is told how many calls went to the
/// provider in trouble.
async fn nobody_notices(trouble: &str, rig: &Rig) -> usize {
    let started = Instant::now();
    let got = ask_many(rig, "any/model", REQUESTS, CLIENTS).await;
    let wrong: Vec<&String> = got.iter().filter_map(|got| got.wrong.as_ref()).collect();
    let slowest = got.iter().map(|got| got.took).max().unwrap();
    let wasted = calls(rig, "troubled").await;
    eprintln!(
        "{trouble}: {} of {REQUESTS} failed, {wasted} calls wasted, slowest {slowest:?}, {:?} in all",
        wrong.len(),
        started.elapsed()
    );
    assert!(wrong.is_empty(), "{trouble}: {} failed, like {}", wrong.len(), wrong[0]);
    wasted
}

#[tokio::test]
async fn one_of_three_is_dead() {
    let dead = free_address().to_string();
    let rig = Rig::with(Plan { more: &three(&dead), ..Plan::default() }).await;
    nobody_notices("dead", &rig).await;
}

#[tokio::test]
async fn one_of_three_is_silent() {
    let rig = Rig::with(Plan { more: &three("MOCK_ADDRESS"), ..Plan::default() }).await;
    let silent = json!({ "match": { "key": "troubled" }, "reply": { "delay_ms": 20_000 } });
    script(&rig, json!([silent])).await;
    // Each client may find out for itself once; after that it is known.
    let wasted = nobody_notices("silent", &rig).await;
    assert!(wasted <= 2 * CLIENTS, "{wasted}");
}

#[tokio::test]
async fn one_of_three_is_limited() {
    let rig = Rig::with(Plan { more: &three("MOCK_ADDRESS"), ..Plan::default() }).await;
    let reply = json!({ "status": 429, "retry_after": 60 });
    script(&rig, json!([{ "match": { "key": "troubled" }, "reply": reply }])).await;
    let started = Instant::now();
    let wasted = nobody_notices("limited", &rig).await;
    // Those that were under way when it was known, again after the minute that was asked for.
    let minutes = usize::try_from(started.elapsed().as_secs() / 60).unwrap();
    assert!(wasted <= CLIENTS * (1 + minutes), "{wasted}");
}

/// Calls that all providers got for so many requests, all of which failed.
async fn amplified(rig: &Rig, count: usize) -> usize {
    let before = rig.journal().await.len();
    let got = ask_many(rig, "any/model", count, 16).await;
    let served = got.iter().filter(|got| got.status == 200).count();
    assert_eq!(served, 0);
    rig.journal().await.len() - before
}

#[tokio::test]
async fn when_all_fail_they_are_not_asked_more_than_before() {
    for reply in [json!({ "status": 500 }), json!({ "fault": "reset_before_header" })] {
        let rig = Rig::with(Plan { more: &three("MOCK_ADDRESS"), ..Plan::default() }).await;
        script(&rig, json!([{ "reply": reply }])).await;
        let first = amplified(&rig, 300).await;
        let calls = amplified(&rig, 2000).await;
        println!("{reply}: {first} calls for 300 requests, then {calls} for 2000");
        assert!(first * 10 <= 300 * 13, "{reply}: {first} calls at first");
        assert!(calls * 10 <= 2000 * 13, "{reply}: {calls} calls");
    }
}

const ONE: &str = "[routing.breaker]\nopen_s = 2\n[models.\"one/model\"]\n\
                   endpoints = [{ provider = \"only\" }]\n";

#[tokio::test]
async fn a_breaker_opens_soon_and_closes_on_one_good_call() {
    let more = provider("only", "MOCK_ADDRESS") + ONE;
    let rig = Rig::with(Plan { more: &more, ..Plan::default() }).await;
    let mut connection = Connection::open(rig.gateway, Http::One).await;
    assert_eq!(ask(&mut connection, "one/model", false).await.status, 200);
    script(&rig, json!([{ "reply": { "status": 500 } }])).await;
    let started = Instant::now();
    while ask(&mut connection, "one/model", false).await.status != 503 {
        assert!(started.elapsed() < Duration::from_secs(1), "still asked after a second");
    }
    let opened = Instant::now();
    let before = rig.journal().await.len();
    println!("open after {:?} and {before} calls", started.elapsed());
    let mut refused = Vec::new();
    for number in 0..40 {
        let got = ask(&mut connection, "one/model", number % 2 == 0).await;
        assert_eq!(got.status, 503);
        let wait: u64 = got.retry_after.parse().unwrap_or_else(|_| panic!("{got:?}"));
        assert!((1..=3).contains(&wait), "{got:?}");
        refused.push(got.took);
    }
    refused.sort_unstable();
    println!("refused in {:?}, at most {:?}", refused[20], refused[39]);
    assert!(refused[20] < Duration::from_millis(50), "{refused:?}");
    assert_eq!(rig.journal().await.len(), before, "an open breaker lets nothing through");

    // One call finds out, the others are not let through meanwhile; then all are.
    script(&rig, json!([{ "match": { "nth": [1] }, "reply": { "delay_ms": 200 } }])).await;
    let mut served = 0;
    while served == 0 {
        assert!(opened.elapsed() < Duration::from_secs(5), "still open");
        let got = ask_many(&rig, "one/model", 8, 8).await;
        served = got.iter().filter(|got| got.status == 200).count();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("closed after {:?}", opened.elapsed());
    assert_eq!(served, 1, "requests that went through a half-open breaker");
    assert_eq!(rig.journal().await.len(), before + 1);
    let got = ask_many(&rig, "one/model", 100, 8).await;
    assert!(got.iter().all(|got| got.wrong.is_none()), "{got:?}");
}

/// A provider with three keys, and what they are known by.
fn pool() -> String {
    let keys = ["1111", "2222", "3333"];
    let keys = keys.map(|key| format!("{{ insecure_literal = \"sk-pool-{key}\" }}")).join(", ");
    format!(
        "[providers.pool]\nformat = \"openai\"\nbase_url = \"http://MOCK_ADDRESS/v1\"\n\
         keys = [{keys}]\n[models.\"pool/model\"]\nendpoints = [{{ provider = \"pool\" }}]\n"
    )
}

async fn calls_with_key(rig: &Rig, suffix: &str) -> usize {
    let journal = rig.journal().await;
    journal.iter().filter(|entry| entry["key_suffix"] == suffix).count()
}

#[tokio::test]
async fn a_bad_key_wastes_one_call_and_no_client_sees_it() {
    let limited = json!({ "status": 429, "retry_after": 60 });
    let replies =
        [json!({ "status": 401 }), json!({ "status": 403 }), json!({ "status": 402 }), limited];
    for reply in replies {
        let rig = Rig::with(Plan { more: &pool(), ..Plan::default() }).await;
        script(&rig, json!([{ "match": { "key": "2222" }, "reply": reply }])).await;
        for number in 0..60 {
            let mut connection = Connection::open(rig.gateway, Http::One).await;
            let got = ask(&mut connection, "pool/model", number % 2 == 0).await;
            assert!(got.wrong.is_none(), "{reply}: {got:?}");
        }
        let got = ask_many(&rig, "pool/model", 400, 16).await;
        assert!(got.iter().all(|got| got.wrong.is_none()), "{reply}");
        let wasted = calls_with_key(&rig, "2222").await;
        assert_eq!(wasted, 1, "{reply}: calls with the bad key");
        for good in ["1111", "3333"] {
            assert!(calls_with_key(&rig, good).await >= 150, "{reply}: {good}");
        }
    }
}

#[tokio::test]
async fn when_all_keys_are_bad_the_client_is_not_blamed() {
    for status in [401, 403, 402] {
        let rig = Rig::with(Plan { more: &pool(), ..Plan::default() }).await;
        script(&rig, json!([{ "reply": { "status": status } }])).await;
        let got = ask_many(&rig, "pool/model", 100, 4).await;
        let wrong = got.iter().find(|got| !matches!(got.status, 502 | 503));
        assert!(wrong.is_none(), "{status}: {wrong:?}");
        let calls = rig.journal().await.len();
        assert!(calls <= 3 * 4, "{status}: {calls} calls for 100 requests");
    }
}
