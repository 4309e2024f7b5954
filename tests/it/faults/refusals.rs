//! Providers that say no in proper words: how long they ask to wait, u27, and what they do not take,
//! u30.

use crate::peer::{Peer, Say};
use crate::rig::{Answer, Http, Plan, Rig, request};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

/// A moment as HTTP writes it, so many seconds from now.
fn date(from_now_s: i64) -> String {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let at = now.checked_add_signed(from_now_s).unwrap();
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(at))
}

/// What the provider says, and what the client is told to wait, in seconds at least and at most.
fn waits() -> Vec<(&'static str, String, [u64; 2])> {
    let after = "retry-after";
    vec![
        (after, "5".to_owned(), [5, 5]),
        (after, "1.5".to_owned(), [1, 2]),
        (after, "0".to_owned(), [0, 1]),
        (after, "-3".to_owned(), [0, 1]),
        (after, "1000000000".to_owned(), [60, 60]),
        (after, "99999999999999999999999999".to_owned(), [60, 60]),
        (after, "soon".to_owned(), [1, 1]),
        (after, String::new(), [1, 1]),
        (after, date(30), [10, 30]),
        (after, date(-30), [0, 1]),
        (after, date(1_000_000), [60, 60]),
        ("retry-after-ms", "2500".to_owned(), [2, 3]),
        ("retry-after-ms", "lots".to_owned(), [1, 1]),
    ]
}

async fn ask(rig: &Rig, models: &[&str], stream: bool) -> Answer {
    let messages = json!([{ "role": "user", "content": "hi" }]);
    let body = json!({ "models": models, "messages": messages, "stream": stream });
    rig.post("/v1/chat/completions", &body).await
}

/// The wait that an answer tells; nothing is no wait.
fn told(answer: &Answer) -> u64 {
    let text = answer.header("retry-after");
    if text.is_empty() { 0 } else { text.parse().unwrap_or_else(|_| panic!("{text}")) }
}

#[tokio::test]
async fn waits_of_every_notation_reach_the_client_within_bounds() {
    let waits = waits();
    let said = waits.clone();
    let peer = Peer::with(move |got| {
        let body = String::from_utf8_lossy(&got.body);
        let (_, number) = body.split_once("wait-").unwrap();
        let number: usize = number.split('"').next().unwrap().parse().unwrap();
        let (name, value, _) = &said[number];
        Say::json("{\"error\":{\"message\":\"slow down\"}}").status(429).header(name, value)
    })
    .await;
    let second = format!(
        "[providers.second]\nformat = \"openai\"\nbase_url = \"http://{}/v1\"\n",
        peer.address
    );
    let plan = Plan { upstream: Some(peer.address), more: &second, ..Plan::default() };
    let rig = Rig::with(plan).await;
    for (number, (name, value, [least, most])) in waits.iter().enumerate() {
        let model = format!("openai/wait-{number}");
        // The second answer comes without the provider, which is left alone.
        for stream in [false, true] {
            let answer = ask(&rig, &[&model], stream).await;
            let case = format!("{name}: {value}: {}, {}", answer.status, told(&answer));
            let expected: &[u16] = if stream { &[429, 503] } else { &[429] };
            assert!(expected.contains(&answer.status), "{case}");
            let least = if stream { least.saturating_sub(1) } else { *least };
            assert!((least..=*most).contains(&told(&answer)), "{case}");
        }
    }
    // Of several waits the client is told the shortest.
    let (long, short) = ("openai/wait-8", "second/wait-0");
    for models in [[long, short], [short, long]] {
        let answer = ask(&rig, &models, false).await;
        assert!(matches!(answer.status, 429 | 503), "{}", answer.text());
        assert!((4..=5).contains(&told(&answer)), "{models:?}: {}", told(&answer));
    }
}

async fn script(rig: &Rig, rules: Value) {
    let body = rules.to_string().into();
    let answer = request(rig.mock, Http::One, ("PUT", "/__script"), &[], body).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
}

#[tokio::test]
async fn what_one_model_does_not_take_goes_to_the_next_if_that_is_allowed() {
    let off = "[routing]\nfallback_on_context_length = false\nfallback_on_content_policy = false\n";
    let cases = [
        ("context_length", "context_length_exceeded"),
        ("content_filter", "content_policy_violation"),
    ];
    for more in ["", off] {
        let rig = Rig::with(Plan { more, ..Plan::default() }).await;
        for (error, kind) in cases {
            let refused = json!({ "match": { "model": "gpt-5.4" }, "reply": { "error": error } });
            script(&rig, json!([refused])).await;
            for stream in [false, true] {
                let case = format!("{error}, {more:?}, stream {stream}");
                let before = rig.journal().await.len();
                let alone = ask(&rig, &["openai/gpt-5.4"], stream).await;
                assert_eq!(alone.status, 400, "{case}: {}", alone.text());
                assert_eq!(alone.json()["error"]["code"], kind, "{case}: {}", alone.text());
                let record = rig.generation(alone.header("x-generation-id")).await;
                assert_eq!(record["data"]["total_cost"], 0, "{case}: {record}");
                let both = ask(&rig, &["openai/gpt-5.4", "google/gemini-2.5-flash"], stream).await;
                let expected = if more.is_empty() { 200 } else { 400 };
                assert_eq!(both.status, expected, "{case}: {}", both.text());
                let calls = rig.journal().await.len() - before;
                assert_eq!(calls, if more.is_empty() { 3 } else { 2 }, "{case}");
            }
        }
        // A caller's mistake says nothing about the provider, however often it is made.
        for _ in 0..10 {
            assert_eq!(ask(&rig, &["openai/gpt-5.4"], false).await.status, 400);
        }
    }
}

#[tokio::test]
async fn a_mistake_of_the_caller_is_told_at_once() {
    let rig = Rig::start().await;
    for (error, status) in [("invalid_request", 400), ("not_found", 404), ("too_large", 413)] {
        let refused = json!({ "match": { "model": "gpt-5.4" }, "reply": { "error": error } });
        script(&rig, json!([refused])).await;
        let before = rig.journal().await.len();
        let answer = ask(&rig, &["openai/gpt-5.4", "google/gemini-2.5-flash"], false).await;
        let calls = rig.journal().await.len() - before;
        println!("{error}: {} after {calls} calls", answer.status);
        assert_eq!((answer.status, calls), (status, 1), "{error}: {}", answer.text());
    }
}
