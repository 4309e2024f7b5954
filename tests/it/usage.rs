//! The record of every kind of request: the tokens are the provider's, the cost is exact, and a
//! delivered answer is recorded whatever happens to the process.

use crate::rig::{Answer, KEY, Plan, Rig};
use arouter::store::Store;
use serde_json::{Value, json};
use std::time::Duration;

/// Prices of the rig's models in pico-USD per token: prompt, completion, cache read, cache write.
pub fn prices(model: &str) -> [u64; 4] {
    match model {
        "openai/gpt-5.4" => [2_500_000, 10_000_000, 250_000, 2_500_000],
        "anthropic/claude-sonnet-4.5" => [3_000_000, 15_000_000, 300_000, 3_750_000],
        "google/gemini-2.5-flash" => [300_000, 2_500_000, 300_000, 300_000],
        other => panic!("no price for {other}"),
    }
}

/// An amount in USD, as it is written, in pico-USD.
fn pico(usd: &str) -> u64 {
    let (whole, fraction) = usd.split_once('.').unwrap_or((usd, ""));
    assert!(fraction.len() <= 12, "{usd}");
    let digits = format!("{whole}{fraction:0<12}");
    digits.parse().unwrap_or_else(|error| panic!("{error}: {usd}"))
}

/// The text of the record of a request, once it is there.
async fn record_text(rig: &Rig, id: &str) -> String {
    rig.generation(id).await;
    rig.get(&format!("/api/v1/generation?id={id}")).await.text()
}

/// A number in the text of a record, with all its digits.
fn number<'t>(text: &'t str, name: &str) -> &'t str {
    let (_, rest) = text.split_once(&format!("\"{name}\":")).unwrap_or_else(|| panic!("{text}"));
    rest.split([',', '}']).next().unwrap()
}

/// A surface: its name, path of plain and streamed calls, canonical model.
struct Surface {
    name: &'static str,
    plain: &'static str,
    streamed: &'static str,
    model: &'static str,
}

const SURFACES: &[Surface] = &[
    Surface {
        name: "chat",
        plain: "/v1/chat/completions",
        streamed: "/v1/chat/completions",
        model: "openai/gpt-5.4",
    },
    Surface {
        name: "chat at Anthropic",
        plain: "/v1/chat/completions",
        streamed: "/api/v1/chat/completions",
        model: "anthropic/claude-sonnet-4.5",
    },
    Surface {
        name: "chat at Google",
        plain: "/v1/chat/completions",
        streamed: "/v1/chat/completions",
        model: "google/gemini-2.5-flash",
    },
    Surface {
        name: "messages",
        plain: "/v1/messages",
        streamed: "/v1/messages",
        model: "anthropic/claude-sonnet-4.5",
    },
    Surface {
        name: "generateContent",
        plain: "/v1beta/models/gemini-2.5-flash:generateContent",
        streamed: "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        model: "google/gemini-2.5-flash",
    },
];

impl Surface {
    async fn call(&self, rig: &Rig, stream: bool, reply: &Value) -> Answer {
        let text = format!("[[mock {reply}]]");
        let body = if self.plain.starts_with("/v1beta/") {
            json!({ "contents": [{ "role": "user", "parts": [{ "text": text }] }] })
        } else {
            json!({
                "model": self.model, "stream": stream, "max_tokens": 4000,
                "messages": [{ "role": "user", "content": text }],
            })
        };
        rig.post(if stream { self.streamed } else { self.plain }, &body).await
    }
}

/// What one record must say, from what the provider wrote into its journal.
fn check(what: &str, text: &str, entry: &Value, model: &str) {
    let count = |name: &str| entry[name].as_u64().unwrap();
    let [prompt, completion, cached, reasoning] =
        ["prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens"].map(count);
    let written = count("cache_write_5m_tokens");
    let record: Value = serde_json::from_str(text).unwrap();
    let usage = &record["usage"];
    assert_eq!(usage["prompt_tokens"], prompt, "{what}: {text} {entry}");
    assert_eq!(usage["completion_tokens"], completion, "{what}: {text} {entry}");
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], cached, "{what}: {text}");
    assert_eq!(usage["prompt_tokens_details"]["cache_write_tokens"], written, "{what}: {text}");
    let thought = &usage["completion_tokens_details"]["reasoning_tokens"];
    assert_eq!(thought, &json!(reasoning), "{what}: {text}");
    assert_eq!(record["model"], model, "{what}");
    assert_eq!(record["data"]["usage_estimated"], false, "{what}");
    assert_eq!(record["data"]["outcome"], "complete", "{what}");
    let [prompt_price, completion_price, read_price, write_price] = prices(model);
    let cost = (prompt - cached - written) * prompt_price
        + cached * read_price
        + written * write_price
        + completion * completion_price;
    assert_eq!(pico(number(text, "total_cost")), cost, "{what}: {text}");
    assert_eq!(pico(number(text, "cost")), cost, "{what}: {text}");
}

#[tokio::test]
async fn tokens_are_the_providers_and_the_cost_is_exact() {
    let rig = Rig::start().await;
    for surface in SURFACES {
        let anthropic = surface.model.starts_with("anthropic");
        let openai = surface.model.starts_with("openai");
        let mut replies = vec![
            json!({}),
            json!({ "tokens": { "prompt": 1_234_567, "completion": 76_543 } }),
            json!({ "tokens": { "prompt": 1000, "completion": 77, "cached": 640 } }),
            json!({ "tokens": { "prompt": 1, "completion": 1 } }),
        ];
        if anthropic {
            replies.push(json!({ "tokens": { "prompt": 900, "completion": 5, "cached": 100, "cache_write_5m": 300 } }));
        } else {
            replies.push(json!({ "tokens": { "prompt": 30, "completion": 50, "reasoning": 20 } }));
        }
        for reply in replies {
            for stream in [false, true] {
                let what = format!("{} {reply}, stream {stream}", surface.name);
                let answer = surface.call(&rig, stream, &reply).await;
                assert_eq!(answer.status, 200, "{what}: {}", answer.text());
                let journal = rig.journal().await;
                let text = record_text(&rig, answer.header("x-generation-id")).await;
                check(&what, &text, journal.last().unwrap(), surface.model);
                let record: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(record["data"]["streamed"], stream, "{what}");
                assert!(!openai || record["data"]["upstream_id"].is_string(), "{what}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn embeddings_and_raw_calls_are_recorded_too() {
    let rig = Rig::start().await;
    let body = json!({ "model": "openai/gpt-5.4", "input": ["one two", "three"] });
    let answer = rig.post("/v1/embeddings", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let journal = rig.journal().await;
    let record = rig.generation(answer.header("x-generation-id")).await;
    assert_eq!(record["usage"]["prompt_tokens"], journal.last().unwrap()["prompt_tokens"]);
    assert_eq!(record["data"]["api_type"], "embeddings");
    let body = json!({ "model": "gpt-5.4", "messages": [{ "role": "user", "content": "hi" }] });
    let answer = rig.post("/openai/v1/chat/completions", &body).await;
    let journal = rig.journal().await;
    let record = rig.generation(answer.header("x-generation-id")).await;
    let last = journal.last().unwrap();
    assert_eq!(record["usage"]["prompt_tokens"], last["prompt_tokens"], "{record}");
    assert_eq!(record["usage"]["completion_tokens"], last["completion_tokens"], "{record}");
}

#[tokio::test]
async fn what_the_provider_does_not_count_is_estimated_and_marked() {
    let rig = Rig::start().await;
    for surface in SURFACES {
        for stream in [false, true] {
            let what = format!("{}, stream {stream}", surface.name);
            let reply = json!({ "omit_usage": true, "text": "x".repeat(400) });
            let answer = surface.call(&rig, stream, &reply).await;
            let record = rig.generation(answer.header("x-generation-id")).await;
            assert_eq!(record["data"]["usage_estimated"], true, "{what}: {record}");
            let completion = record["usage"]["completion_tokens"].as_u64().unwrap();
            assert!((80..=140).contains(&completion), "{what}: {record}");
            assert!(record["usage"]["prompt_tokens"].as_u64().unwrap() > 0, "{what}: {record}");
            assert!(record["data"]["total_cost"].as_f64().unwrap() > 0.0, "{what}: {record}");

            let answer = surface.call(&rig, stream, &json!({ "usage_zero": true })).await;
            let record = rig.generation(answer.header("x-generation-id")).await;
            let zero = (&json!(0), &json!(0), &json!(false));
            let found = (
                &record["usage"]["total_tokens"],
                &record["data"]["total_cost"],
                &record["data"]["usage_estimated"],
            );
            assert_eq!(found, zero, "{what}: {record}");
        }
    }
}

#[tokio::test]
async fn what_failed_costs_nothing_and_what_broke_costs_what_was_seen() {
    // So many failures would close the endpoints.
    let more = "[routing.breaker]\nconsecutive_failures = 0\n";
    let rig = Rig::with(Plan { more, ..Plan::default() }).await;
    for surface in SURFACES {
        for (reply, status) in [
            (json!({ "status": 500 }), 502),
            (json!({ "status": 400 }), 400),
            (json!({ "fault": "reset_before_header" }), 502),
            (json!({ "fault": { "close_after": 0 } }), 502),
        ] {
            let stream = reply["fault"].is_object();
            let answer = surface.call(&rig, stream, &reply).await;
            let what = format!("{} {reply}", surface.name);
            assert_eq!(answer.status, status, "{what}: {}", answer.text());
            let record = rig.generation(answer.header("x-generation-id")).await;
            assert_eq!(record["data"]["outcome"], "failed", "{what}: {record}");
            assert_eq!(record["usage"]["total_tokens"], 0, "{what}: {record}");
            assert_eq!(record["data"]["total_cost"], 0, "{what}: {record}");
            assert!(record["data"]["error"].is_string(), "{what}: {record}");
        }
        let reply =
            json!({ "text": "abcd ".repeat(40), "events": 10, "fault": { "reset_after": 5 } });
        let answer = surface.call(&rig, true, &reply).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let record = rig.generation(answer.header("x-generation-id")).await;
        assert_eq!(record["data"]["outcome"], "partial", "{}: {record}", surface.name);
        let completion = record["usage"]["completion_tokens"].as_u64().unwrap();
        assert!((10..=45).contains(&completion), "{}: {record}", surface.name);
        assert!(record["data"]["total_cost"].as_f64().unwrap() > 0.0, "{record}");
    }
}

#[tokio::test]
async fn a_record_is_for_the_key_that_made_it() {
    let more = "[keys.other]\nsecret = { insecure_literal = \"other-key\" }";
    let rig = Rig::with(Plan { more, ..Plan::default() }).await;
    let answer = SURFACES[0].call(&rig, false, &json!({})).await;
    let id = answer.header("x-generation-id");
    assert_eq!(answer.json()["id"], id);
    rig.generation(id).await;
    for path in ["/api/v1/generation", "/v1/generation"] {
        let with = async |key: &str, id: &str| {
            rig.send("GET", &format!("{path}?id={id}"), &[("x-api-key", key)], "").await
        };
        assert_eq!(with(KEY, id).await.status, 200, "{path}");
        let foreign = with("other-key", id).await;
        let unknown = with("other-key", "gen-1-000000000000000000000000").await;
        assert_eq!((foreign.status, unknown.status), (404, 404), "{path}");
        let message = |answer: &Answer| answer.json()["error"]["message"].clone();
        assert_eq!(message(&foreign), message(&unknown));
    }
}

/// What the gateway reported while a request has the attributes of a caller.
#[tokio::test]
async fn a_record_keeps_what_the_caller_said_of_itself() {
    let rig = Rig::start().await;
    let auth = format!("Bearer {KEY}");
    let headers = [
        ("authorization", auth.as_str()),
        ("http-referer", "https://app.example"),
        ("x-title", "App"),
    ];
    let body = json!({
        "model": "gpt-5.4", "user": "u".repeat(1000),
        "messages": [{ "role": "user", "content": "hi" }],
    });
    let answer = rig.send("POST", "/v1/chat/completions", &headers, body.to_string()).await;
    let record = rig.generation(answer.header("x-generation-id")).await;
    assert_eq!(record["data"]["http_referer"], "https://app.example");
    assert_eq!(record["data"]["external_user"], "u".repeat(256));
}

/// Delivered means recorded: the process is killed as soon as the last byte is there.
#[tokio::test]
async fn a_delivered_answer_survives_a_crash() {
    let mut rig = Rig::start().await;
    let mut ids = Vec::new();
    for round in 0..30 {
        let surface = &SURFACES[round % SURFACES.len()];
        let answer = surface.call(&rig, round.is_multiple_of(2), &json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        ids.push(answer.header("x-generation-id").to_owned());
        rig.crash_and_restart().await;
    }
    for id in &ids {
        assert_eq!(rig.generation(id).await["data"]["outcome"], "complete", "{id}");
    }
    rig.signal("TERM");
    rig.wait_for_exit(Duration::from_secs(5)).await;
    let url = format!("sqlite://{}", rig.folder.path().join("arouter.db").display());
    let store = Store::open(&url).await.unwrap();
    let totals = store.key_totals(0).await.unwrap();
    let requests: u64 = totals.iter().map(|total| total.requests).sum();
    assert_eq!(requests, 30, "each once");
    store.close().await;
}
