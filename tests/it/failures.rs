//! Providers that fail: before the first content another one answers unseen, or the status says
//! what happened; after it, one error event in the client's format ends the stream.

use super::asks::{
    ALL, ANTHROPIC, Ask, Client, GEMINI, OPENAI, OPENAI_BY_ANTHROPIC, OPENAI_BY_GOOGLE,
};
use super::peer::by_hand;
use super::rig::{Answer, Http, Plan, Rig, free_address, request};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const BOTH: [Http; 2] = [Http::One, Http::Two];
const SHORT_TIMES: &str = "timeouts = { connect_ms = 1500, first_byte_ms = 700, first_token_ms = 700, \
idle_ms = 700, total_ms = 2500 }";

/// Providers that fail here do so all the time, and are asked all the same.
const NO_BREAKER: &str = "[routing.breaker]\nconsecutive_failures = 0";

async fn rig() -> Rig {
    let (server, provider, more) = ("h2c = true", SHORT_TIMES, NO_BREAKER);
    Rig::with(Plan { server, provider, more, ..Plan::default() }).await
}

/// Tells the mock provider what to do for which model.
async fn script(rig: &Rig, rules: Value) {
    let body = rules.to_string().into();
    let answer = request(rig.mock, Http::One, ("PUT", "/__script"), &[], body).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
}

/// Asserts that a stream ends with one error event, in the words of its client.
pub fn assert_one_error(ask: Ask, text: &str, case: &str) {
    let errors = ask.errors(text);
    assert_eq!(errors.len(), 1, "{case}: {text}");
    let mut events = ask.events(text);
    let error = &errors[0];
    if ask.client == Client::Responses {
        // An answer that the gateway itself writes tells the error once more at its end.
        assert!(error["message"].is_string(), "{case}: {text}");
        if let Some(failed) = events.pop_if(|event| event["type"] == "response.failed") {
            assert_eq!(failed["response"]["status"], "failed", "{case}: {text}");
            assert_eq!(failed["response"]["error"]["message"], error["message"], "{case}: {text}");
        }
    } else {
        assert!(error["error"]["message"].is_string(), "{case}: {text}");
    }
    assert_eq!(events.last(), errors.first(), "{case}: the error is not the end: {text}");
    match ask.client {
        Client::Responses => assert!(!text.contains("response.completed"), "{case}: {text}"),
        Client::OpenAi => {
            assert_eq!(error["choices"][0]["finish_reason"], "error", "{case}: {text}");
            assert!(text.ends_with("data: [DONE]\n\n"), "{case}: {text}");
            assert_eq!(text.matches("[DONE]").count(), 1, "{case}: {text}");
        }
        Client::Anthropic => {
            assert!(text.contains("event: error\ndata: "), "{case}: {text}");
            assert!(!text.contains("message_stop"), "{case}: {text}");
        }
        Client::Gemini | Client::GeminiArray => {
            assert!(error["error"]["status"].is_string(), "{case}: {text}");
            assert!(!text.contains("\"STOP\""), "{case}: {text}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_breaks_ends_with_one_error_event() {
    let provider = "timeouts = { idle_ms = 1500 }";
    let rig = Rig::with(Plan { server: "h2c = true", provider, ..Plan::default() }).await;
    let faults = [
        json!({ "reset_after": 2 }),
        json!({ "close_after": 2 }),
        json!({ "end_after": 2 }),
        json!({ "stall_after": 2 }),
        json!({ "error_after": 2 }),
    ];
    let cases = faults.iter().flat_map(|fault| {
        ALL.iter().flat_map(move |ask| BOTH.map(|version| (fault, *ask, version)))
    });
    let all = cases.map(|(fault, ask, version)| {
        let rig = &rig;
        async move {
            let case = format!("{fault} {ask:?} {version:?}");
            let reply = json!({ "events": 4, "event_delay_ms": 5, "fault": fault });
            let mut call = ask.stream(rig, version, &reply).await;
            assert_eq!(call.status, 200, "{case}");
            let id = call.header("x-generation-id").to_owned();
            let text = call.text().await;
            let relayed = ask.stream_text(&text);
            assert!(relayed.starts_with("one two"), "{case}: {text}");
            assert_one_error(ask, &text, &case);
            let record = rig.generation(&id).await;
            assert!(
                record["data"]["native_tokens_completion"].as_u64() >= Some(1),
                "{case}: {record}"
            );
            let cost = record["data"]["total_cost"].as_f64();
            assert!(!ask.is_priced() || cost > Some(0.0), "{case}: {record}");
        }
    });
    futures::future::join_all(all).await;
}

#[tokio::test]
async fn an_event_beyond_the_limit_ends_the_stream() {
    let rig = Rig::start().await;
    for ask in ALL {
        let fault = json!({ "huge_event_bytes": 9 * 1024 * 1024 });
        let reply = json!({ "events": 4, "fault": fault });
        let text = ask.stream(&rig, Http::One, &reply).await.text().await;
        assert!(ask.stream_text(&text).starts_with("one two"), "{ask:?}");
        assert_one_error(ask, &text, "huge");
    }
}

#[tokio::test]
async fn a_malformed_event_ends_a_translated_stream_and_passes_in_an_untranslated_one() {
    let rig = rig().await;
    let reply = json!({ "events": 4, "fault": { "bad_json_after": 2 } });
    for version in BOTH {
        for ask in [OPENAI_BY_ANTHROPIC, OPENAI_BY_GOOGLE] {
            let text = ask.stream(&rig, version, &reply).await.text().await;
            assert!(ask.stream_text(&text).starts_with("one two"), "{text}");
            assert_one_error(ask, &text, "bad JSON");
        }
        for ask in [OPENAI, ANTHROPIC, GEMINI] {
            let text = ask.stream(&rig, version, &reply).await.text().await;
            let text = text.replace("\r\n", "\n");
            assert!(
                text.contains("{\"delta\":{\"content\":\n") && text.contains("four"),
                "{ask:?}: {text}"
            );
        }
    }
}

/// Ways to fail before any content.
fn early_failures() -> Vec<Value> {
    vec![
        json!({ "fault": { "reset_before_header": true } }),
        json!({ "fault": { "close_before_header": true } }),
        json!({ "fault": { "garbage": true } }),
        json!({ "status": 500 }),
        json!({ "status": 503 }),
        json!({ "status": 429, "retry_after": 7 }),
        json!({ "status": 401 }),
        json!({ "status": 403 }),
        json!({ "status": 302, "headers": { "location": "http://127.0.0.1:1/" } }),
        json!({ "status": 204 }),
        json!({ "raw_body": "<html>oops</html>" }),
        json!({ "raw_body": "" }),
        json!({ "raw_body": "{\"error\":{\"message\":\"no\"}}", "content_type": "application/json" }),
        json!({ "delay_ms": 3000 }),
    ]
}

/// The same, for streams alone.
fn early_stream_failures() -> Vec<Value> {
    ["reset_after", "close_after", "end_after", "stall_after", "error_after"]
        .iter()
        .flat_map(|fault| {
            [json!(0), json!("start")].map(|place| json!({ "fault": { *fault: place } }))
        })
        .collect()
}

async fn ask_for_fast(rig: &Rig, stream: bool) -> Answer {
    let body = json!({
        "model": "fast", "stream": stream, "messages": [{ "role": "user", "content": "x" }],
    });
    rig.post("/v1/chat/completions", &body).await
}

#[tokio::test]
async fn a_failure_before_the_first_content_is_not_seen() {
    let rig = rig().await;
    let fine = json!({ "match": { "model": "gemini-2.5-flash" }, "reply": { "text": "rescued" } });
    let both =
        early_failures().into_iter().flat_map(|reply| [(reply.clone(), false), (reply, true)]);
    let streams = early_stream_failures().into_iter().map(|reply| (reply, true));
    for (reply, stream) in both.chain(streams) {
        script(&rig, json!([{ "match": { "model": "gpt-5.4" }, "reply": reply }, fine])).await;
        let answer = ask_for_fast(&rig, stream).await;
        let text = answer.text();
        assert_eq!(answer.status, 200, "{reply} {stream}: {text}");
        assert!(text.contains("rescued") && !text.contains("\"error\""), "{reply}: {text}");
        assert!(!text.contains("gpt-5.4"), "{reply}: {text}");
        assert!(text.contains("\"model\":\"google/gemini-2.5-flash\""), "{reply}: {text}");
        if stream {
            assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
            assert_eq!(text.matches("\"role\":\"assistant\"").count(), 1, "{reply}: {text}");
        }
        let record = rig.generation(answer.header("x-generation-id")).await;
        assert!(record.to_string().contains("gemini-2.5-flash"), "{record}");
    }
}

#[tokio::test]
async fn when_all_fail_the_status_says_why() {
    let rig = rig().await;
    let cases = [
        (json!({ "fault": { "reset_before_header": true } }), 502, 502),
        (json!({ "fault": { "garbage": true } }), 502, 502),
        (json!({ "status": 500 }), 502, 502),
        (json!({ "status": 302 }), 502, 502),
        (json!({ "raw_body": "<html>oops</html>" }), 502, 502),
        (json!({ "status": 503 }), 503, 529),
        (json!({ "status": 400 }), 400, 400),
        (json!({ "delay_ms": 3000 }), 504, 504),
    ];
    let in_streams = [
        (json!({ "fault": { "end_after": "start" } }), 502, 502),
        (json!({ "fault": { "error_after": "start" } }), 503, 529),
        (json!({ "fault": { "stall_after": "start" } }), 504, 504),
        (json!({ "fault": { "stall_after": 0 } }), 504, 504),
    ];
    let all = cases.iter().flat_map(|case| [(case, false), (case, true)]);
    for ((reply, expected, anthropic), stream) in all.chain(in_streams.iter().map(|c| (c, true))) {
        let (rig, reply) = (&rig, &reply);
        let all = ALL.map(|ask| async move {
            let mut call = if stream {
                ask.stream(rig, Http::One, reply).await
            } else {
                ask.whole(rig, Http::Two, reply).await
            };
            let status = call.status;
            let text = call.text().await;
            let expected = if ask.client == Client::Anthropic { anthropic } else { expected };
            assert_eq!(status, *expected, "{reply} {stream} {ask:?}: {text}");
            let body: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
            assert!(body["error"]["message"].is_string(), "{text}");
            assert!(!text.contains("oops"), "the text of a broken provider: {text}");
        });
        futures::future::join_all(all).await;
    }
}

/// The first one to meet it is told what the provider said, and all until it is over what is left
/// of the wait.
#[tokio::test]
async fn a_key_in_trouble_is_never_the_callers_fault() {
    for (reply, expected) in [
        (json!({ "status": 429, "retry_after": 7 }), [429, 429, 429]),
        (json!({ "status": 401 }), [502, 503, 529]),
        (json!({ "status": 403 }), [502, 503, 529]),
    ] {
        for stream in [false, true] {
            let rig = &rig().await;
            let reply = &reply;
            let all = ALL.map(|ask| async move {
                let call = if stream {
                    ask.stream(rig, Http::One, reply).await
                } else {
                    ask.whole(rig, Http::Two, reply).await
                };
                let case = format!("{reply} {stream} {ask:?}");
                assert!(expected.contains(&call.status), "{case}: {}", call.status);
                let wait = call.header("retry-after").parse::<u64>().ok();
                let bounds = if call.status == 429 { 1..=7 } else { 30..=60 };
                assert!(call.status == 502 || bounds.contains(&wait.unwrap()), "{case}: {wait:?}");
            });
            futures::future::join_all(all).await;
            let calls = rig.journal().await.len();
            assert!((4..=18).contains(&calls), "{calls}");
        }
    }
}

#[tokio::test]
async fn a_dead_provider_is_known_at_once() {
    let (upstream, more) = (Some(free_address()), NO_BREAKER);
    let plan = Plan { upstream, provider: SHORT_TIMES, more, ..Plan::default() };
    let rig = Rig::with(plan).await;
    for ask in ALL {
        let started = Instant::now();
        assert_eq!(ask.stream(&rig, Http::One, &json!({})).await.status, 502, "{ask:?}");
        assert_eq!(ask.whole(&rig, Http::One, &json!({})).await.status, 502, "{ask:?}");
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_dead_provider_is_passed_over() {
    let dead = free_address();
    let more = format!(
        "[providers.dead]\nformat = \"openai\"\nbase_url = \"http://{dead}/v1\"\n\
         [models.\"dead/m\"]\nendpoints = [{{ provider = \"dead\" }}, {{ provider = \"openai\" }}]"
    );
    let rig = Rig::with(Plan { more: &more, ..Plan::default() }).await;
    let ask = Ask::openai("dead/m");
    let mut call = ask.whole(&rig, Http::One, &json!({ "text": "rescued" })).await;
    assert_eq!(call.status, 200);
    assert!(call.text().await.contains("rescued"));
}

#[tokio::test]
async fn an_answer_may_not_take_longer_than_allowed() {
    let rig = rig().await;
    let endless = json!({ "events": 100, "event_delay_ms": 50 });
    let trickle = json!({ "text_repeat": 2000, "fault": { "stall_after": 1 } });
    for version in BOTH {
        let started = Instant::now();
        let text = OPENAI.stream(&rig, version, &endless).await.text().await;
        assert_one_error(OPENAI, &text, "total");
        let took = started.elapsed();
        assert!(took > Duration::from_secs(2) && took < Duration::from_secs(4), "{took:?}");

        let started = Instant::now();
        let call = OPENAI.whole(&rig, version, &trickle).await;
        assert_eq!(call.status, 504, "a whole answer that stops half way");
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn an_answer_cut_short_is_not_an_answer() {
    let rig = rig().await;
    for cut in ["right_length", "wrong_length"] {
        for ask in ALL {
            let reply = json!({ "fault": { "truncate_json": cut } });
            let mut call = ask.whole(&rig, Http::One, &reply).await;
            assert_eq!(call.status, 502, "{cut} {ask:?}");
            assert!(call.text().await.contains("\"error\""));
        }
    }
}

#[tokio::test]
async fn signs_of_life_do_not_rule_out_another_provider() {
    let server = "keepalive_comment_s = 1";
    let rig = Rig::with(Plan { server, ..Plan::default() }).await;
    let slow =
        json!({ "match": { "model": "gpt-5.4" }, "reply": { "delay_ms": 1300, "status": 500 } });
    let fine = json!({ "match": { "model": "gemini-2.5-flash" }, "reply": { "text": "rescued" } });
    script(&rig, json!([slow, fine])).await;
    let answer = ask_for_fast(&rig, true).await;
    assert_eq!(answer.status, 200);
    let text = answer.text();
    assert!(text.starts_with(": AROUTER PROCESSING\n\n") && text.contains("rescued"), "{text}");
    assert!(!text.contains("\"error\""), "{text}");

    let reply = json!({ "delay_ms": 1300, "status": 500 });
    script(&rig, json!([{ "reply": reply }])).await;
    let text = ask_for_fast(&rig, true).await.text();
    assert!(text.starts_with(": AROUTER PROCESSING\n\n"), "{text}");
    assert_one_error(OPENAI, &text, "all failed after a sign of life");
}

#[tokio::test]
async fn the_second_key_is_used_when_the_first_is_refused() {
    let upstream = by_hand_mock().await;
    let more = format!(
        "[providers.pool]\nformat = \"openai\"\nbase_url = \"http://{}/v1\"\n\
         keys = [{{ insecure_literal = \"sk-first-0001\" }}, {{ insecure_literal = \"sk-second-0002\" }}]",
        upstream.address
    );
    let rig = Rig::with(Plan { more: &more, ..Plan::default() }).await;
    for stream in [false, true] {
        for _ in 0..4 {
            let ask = Ask::openai("pool/m");
            let reply = json!({});
            let mut call = if stream {
                ask.stream(&rig, Http::One, &reply).await
            } else {
                ask.whole(&rig, Http::One, &reply).await
            };
            let text = call.text().await;
            assert_eq!(call.status, 200, "{text}");
            assert!(text.contains("second"), "{text}");
        }
    }
    let keys = upstream.keys.lock().unwrap().clone();
    assert!(keys.contains(&"sk-first-0001".to_owned()), "the first key was never tried: {keys:?}");
    assert_eq!(keys.iter().filter(|key| *key == "sk-second-0002").count(), 8, "{keys:?}");
}

/// A provider that knows one of two keys; the other gets 401 and 429 in turn.
struct KeyedPeer {
    address: std::net::SocketAddr,
    keys: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
}

async fn by_hand_mock() -> KeyedPeer {
    use super::peer::{OPENAI_ANSWER, Peer, Say};
    let keys = std::sync::Arc::new(std::sync::Mutex::new(Vec::<String>::new()));
    let seen = std::sync::Arc::clone(&keys);
    let peer = Peer::with(move |got| {
        let key = got.headers["authorization"].to_str().unwrap().replace("Bearer ", "");
        let mut seen = seen.lock().unwrap();
        seen.push(key.clone());
        if key == "sk-first-0001" {
            return Say::json("{\"error\":{\"message\":\"no\"}}")
                .status(if seen.len().is_multiple_of(2) { 401 } else { 429 });
        }
        let answer = OPENAI_ANSWER.replace("fine", "second");
        if String::from_utf8_lossy(&got.body).contains("\"stream\":true") {
            let chunk = answer.replace("\"message\"", "\"delta\"");
            return Say::events(format!("data: {chunk}\n\ndata: [DONE]\n\n"));
        }
        Say::json(answer)
    })
    .await;
    KeyedPeer { address: peer.address, keys }
}

#[tokio::test]
async fn a_provider_that_reads_nothing_is_given_up() {
    // It accepts and stays silent; the request waits in the kernel's buffers.
    let address = by_hand(|stream, _| async move {
        tokio::time::sleep(Duration::from_mins(1)).await;
        drop(stream);
    })
    .await;
    let plan = Plan { upstream: Some(address), provider: SHORT_TIMES, ..Plan::default() };
    let rig = Rig::with(plan).await;
    let large = "x".repeat(16 << 20);
    for text in ["small", &large] {
        let started = Instant::now();
        let body = OPENAI.body(false, text);
        let call =
            super::wire::Call::post(rig.gateway, Http::One, &OPENAI.path(false), &body).await;
        assert_eq!(call.status, 504);
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_provider_that_answers_before_it_read_everything_is_heard() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = by_hand(|mut stream, _| async move {
        let mut some = vec![0; 64 * 1024];
        stream.read_exact(&mut some).await.unwrap();
        let body = "{\"error\":{\"message\":\"too large for us\",\"type\":\"invalid_request_error\"}}";
        let head = format!(
            "HTTP/1.1 413 Payload Too Large\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_mins(1)).await;
    })
    .await;
    let provider = "timeouts = { idle_ms = 700 }";
    let rig = Rig::with(Plan { upstream: Some(address), provider, ..Plan::default() }).await;
    for size in [200_000, 16 << 20] {
        let started = Instant::now();
        let body = OPENAI.body(false, &"x".repeat(size));
        let mut call =
            super::wire::Call::post(rig.gateway, Http::One, &OPENAI.path(false), &body).await;
        assert_eq!(call.status, 413, "{size}");
        assert!(call.text().await.contains("too large for us"));
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    }
}
