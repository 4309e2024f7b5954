//! Streams as clients see them: at once, kept alive, complete, the same however they were cut.

use super::asks::{ALL, Ask, Client, OPENAI, OPENAI_BY_ANTHROPIC, OPENAI_BY_GOOGLE, told};
use super::peer::{Peer, Say};
use super::rig::{Http, Plan, Rig};
use super::wire::Call;
use serde_json::{Value, json};
use std::time::Duration;

const BOTH: [Http; 2] = [Http::One, Http::Two];

async fn rig(server: &str, provider: &str) -> Rig {
    let server = format!("h2c = true\n{server}");
    Rig::with(Plan { server: &server, provider, ..Plan::default() }).await
}

/// When each piece with content came, and the whole text.
async fn paced(ask: Ask, rig: &Rig, version: Http, reply: &Value) -> (Vec<Duration>, String) {
    let mut call = ask.stream(rig, version, reply).await;
    assert_eq!(call.status, 200, "{ask:?}");
    let (mut times, mut text) = (Vec::new(), String::new());
    while let Some((after, piece)) = call.next().await.unwrap() {
        let piece = String::from_utf8_lossy(&piece).into_owned();
        let has_word =
            ["one", "two", "three", "four", "five", "six"].iter().any(|word| piece.contains(word));
        // This format tells the whole text once more at its end.
        let is_new = ask.client != Client::Responses || piece.contains("output_text.delta");
        if has_word && is_new {
            times.push(after);
        }
        text.push_str(&piece);
    }
    (times, text)
}

async fn every_event_comes_at_once(provider: &str) {
    let rig = rig("", provider).await;
    let reply = json!({ "events": 6, "event_delay_ms": 150 });
    let asks = ALL.iter().flat_map(|ask| BOTH.map(|version| (*ask, version)));
    let all = asks.map(|(ask, version)| {
        let (rig, reply) = (&rig, &reply);
        async move {
            let (times, text) = paced(ask, rig, version, reply).await;
            assert_eq!(ask.stream_text(&text), "one two three four five six", "{ask:?}");
            assert_eq!(times.len(), 6, "{ask:?} {version:?}: {times:?}");
            let first = times[0];
            for (at, time) in times.iter().enumerate() {
                let due = Duration::from_millis(150) * u32::try_from(at).unwrap();
                let late = (*time - first).abs_diff(due);
                assert!(late < Duration::from_millis(130), "{ask:?} {version:?} {at}: {times:?}");
            }
        }
    });
    futures::future::join_all(all).await;
}

#[tokio::test]
async fn every_event_comes_at_once_over_http1() {
    every_event_comes_at_once("").await;
}

#[tokio::test]
async fn every_event_comes_at_once_over_http2() {
    every_event_comes_at_once("http2 = \"always\"").await;
}

#[tokio::test]
async fn a_silent_provider_does_not_silence_the_gateway() {
    let rig = rig("keepalive_comment_s = 1", "").await;
    let silences = [
        ("before the header", json!({ "delay_ms": 2500 })),
        ("before the first event", json!({ "first_token_delay_ms": 2500 })),
        ("between events", json!({ "events": 2, "event_delay_ms": 2500 })),
    ];
    let cases = silences.iter().flat_map(|silence| {
        ALL.iter().flat_map(move |ask| BOTH.map(|version| (silence, *ask, version)))
    });
    let all = cases.map(|((place, reply), ask, version)| {
        let rig = &rig;
        async move {
            let mut call = ask.stream(rig, version, reply).await;
            let (header_after, text) = (call.header_after, call.text().await);
            let mark = match ask.client {
                Client::OpenAi | Client::Responses => ": AROUTER PROCESSING\n\n",
                Client::Anthropic => "event: ping\ndata: {\"type\": \"ping\"}\n\n",
                Client::Gemini | Client::GeminiArray => {
                    assert!(!text.contains("PROCESSING") && !text.contains("ping"), "{text}");
                    assert!(text.starts_with("data: ") || text.starts_with('['), "{text}");
                    return;
                }
            };
            let signs = text.matches(mark).count();
            assert!((2..=6).contains(&signs), "{place}, {ask:?}, {version:?}: {text}");
            let early = header_after < Duration::from_millis(2200);
            assert!(early, "{place}, {ask:?}: the header came after {header_after:?}");
            assert!(!ask.stream_text(&text).is_empty());
        }
    });
    futures::future::join_all(all).await;
}

#[tokio::test]
async fn openai_clients_get_usage_and_done_from_every_provider() {
    let rig = rig("", "").await;
    let reply = json!({ "text": "hi", "tokens": { "prompt": 21, "completion": 7 } });
    for ask in [OPENAI, OPENAI_BY_ANTHROPIC, OPENAI_BY_GOOGLE] {
        for version in BOTH {
            let mut call = ask.stream(&rig, version, &reply).await;
            let text = call.text().await;
            assert!(text.ends_with("data: [DONE]\n\n"), "{ask:?}: {text}");
            let events = ask.events(&text);
            let last = events.last().unwrap();
            assert_eq!(last["usage"]["prompt_tokens"], 21, "{ask:?}: {text}");
            assert_eq!(last["usage"]["completion_tokens"], 7, "{ask:?}: {text}");
            let finish = |event: &&Value| event["choices"][0]["finish_reason"] == "stop";
            assert_eq!(events.iter().filter(finish).count(), 1, "{ask:?}: {text}");
            assert_eq!(call.header("cache-control"), "no-store");
            let record = rig.generation(call.header("x-generation-id")).await;
            assert_eq!(record["data"]["native_tokens_prompt"], 21, "{record}");
            assert_eq!(record["data"]["native_tokens_completion"], 7, "{record}");
        }
    }
}

#[tokio::test]
async fn usage_is_left_out_for_clients_that_did_not_ask() {
    let rig = rig("stream_usage = \"on_request\"", "").await;
    for ask in [OPENAI, OPENAI_BY_ANTHROPIC, OPENAI_BY_GOOGLE] {
        let plain = ask.body(true, &told(&json!({ "text": "hi" })));
        let asked = plain.replacen('{', "{\"stream_options\":{\"include_usage\":true},", 1);
        for (body, expected) in [(plain, false), (asked, true)] {
            let mut call = Call::post(rig.gateway, Http::One, &ask.path(true), &body).await;
            let text = call.text().await;
            assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
            let told = ask.events(&text).iter().any(|event| event["usage"].is_object());
            assert_eq!(told, expected, "{ask:?}: {text}");
        }
    }
}

/// Removes ids and times, wherever they stand.
fn forget_names(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for name in ["id", "item_id", "created", "created_at", "responseId"] {
                members.remove(name);
            }
            members.values_mut().for_each(forget_names);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_names),
        _ => {}
    }
}

/// A stream without what differs from answer to answer.
fn comparable(ask: Ask, text: &str) -> Vec<Value> {
    let mut events = ask.events(text);
    events.iter_mut().for_each(forget_names);
    events
}

#[tokio::test]
async fn a_stream_cut_anywhere_is_the_same_stream() {
    let rig = rig("", "").await;
    let base = json!({ "text": "caf\u{e9} \u{1f600} one two", "events": 4, "tokens": { "prompt": 9, "completion": 5 } });
    let cuts = [
        json!({ "slow_body_chunk": 1 }),
        json!({ "slow_body_chunk": 7 }),
        json!({ "crlf": true }),
        json!({ "slow_body_chunk": 1, "crlf": true }),
        json!({ "slow_body_chunk": 5, "crlf": false }),
    ];
    for ask in ALL {
        let whole = ask.stream(&rig, Http::One, &base).await.text().await;
        assert_eq!(ask.stream_text(&whole), "caf\u{e9} \u{1f600} one two", "{ask:?}");
        for cut in &cuts {
            let mut reply = base.clone();
            reply["fault"] = cut.clone();
            let text = ask.stream(&rig, Http::Two, &reply).await.text().await;
            assert_eq!(comparable(ask, &text), comparable(ask, &whole), "{ask:?} {cut}");
            assert_eq!(text.contains("[DONE]"), ask.client == Client::OpenAi);
        }
    }
}

#[tokio::test]
async fn nothing_follows_the_end_of_a_stream() {
    let chunk = r#"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}"#;
    let peer = Peer::saying(Say::events(format!("{chunk}\n\ndata: [DONE]\n\n{chunk}\n\n"))).await;
    let rig = Rig::with(Plan { upstream: Some(peer.address), ..Plan::default() }).await;
    let text = OPENAI.stream(&rig, Http::One, &json!({})).await.text().await;
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    assert_eq!(text.matches("\"content\":\"a\"").count(), 1, "{text}");
}
