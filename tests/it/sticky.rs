//! Where the next request goes, after what earlier answers showed: the conversation's cache
//! (sticky routing) and calls of tools (Auto Exacto).
//!
//! Every model has a cheap endpoint that speaks OpenAI's format and a dear one that speaks
//! Anthropic's: without a reason the cheap one is asked, so that the path at the provider tells.

use crate::rig::{Answer, Http, KEY, Plan, Rig, request};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const MODELS: &str = r#"
[models."a/cached"]
endpoints = [
  { provider = "openai", upstream_model = "m", price = { prompt = "0.01", completion = "0.01", cache_read = "0.001" } },
  { provider = "anthropic", upstream_model = "m", price = { prompt = "10", completion = "10", cache_read = "1" } },
]
[models."a/uncached"]
endpoints = [
  { provider = "openai", upstream_model = "u", price = { prompt = "0.01", completion = "0.01" } },
  { provider = "anthropic", upstream_model = "u", price = { prompt = "10", completion = "10" } },
]
[keys.second]
secret = { insecure_literal = "lr_live_1123456789abcdef0123456789abcdef0123456789abcdef" }
"#;
const SECOND_KEY: &str = "lr_live_1123456789abcdef0123456789abcdef0123456789abcdef";

const CHEAP: &str = "/v1/chat/completions";
const DEAR: &str = "/v1/messages";

async fn rig() -> Rig {
    Rig::with(Plan { more: MODELS, ..Plan::default() }).await
}

async fn script(rig: &Rig, rules: Value) {
    let body = json!({ "rules": rules }).to_string();
    let answer = request(rig.mock, Http::One, ("PUT", "/__script"), &[], body.into()).await;
    assert!((200..300).contains(&answer.status), "{}", answer.text());
}

/// The cheap endpoint fails, answers of the other one come from its cache as far as said.
async fn only_the_dear_one_answers(rig: &Rig, cached: u64) {
    script(
        rig,
        json!([
            { "match": { "path": "*/chat/completions" }, "reply": { "error": "overloaded" } },
            { "reply": { "tokens": { "prompt": 100, "cached": cached } } },
        ]),
    )
    .await;
}

/// Where a request went that was answered.
async fn asked(rig: &Rig, key: &str, body: &Value) -> String {
    let auth = format!("Bearer {key}");
    let headers = [("authorization", auth.as_str()), ("content-type", "application/json")];
    let answer = rig.send("POST", "/v1/chat/completions", &headers, body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    rig.last().await["path"].as_str().unwrap().to_owned()
}

/// A turn of a conversation that begins with `opening`.
fn turn(model: &str, opening: &str, number: usize) -> Value {
    let mut messages = vec![
        json!({ "role": "system", "content": "be brief" }),
        json!({ "role": "user", "content": opening }),
    ];
    for later in 0..number {
        messages.push(json!({ "role": "assistant", "content": format!("answer {later}") }));
        messages.push(json!({ "role": "user", "content": format!("question {later}") }));
    }
    json!({ "model": model, "stream": number % 2 == 1, "messages": messages })
}

fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

/// One conversation: what stands in its requests, how much of its first answer was cached, and
/// where its later turns go.
struct Conversation {
    model: &'static str,
    opening: &'static str,
    member: (&'static str, Value),
    cached: u64,
    later: &'static str,
}

#[tokio::test]
async fn a_conversation_stays_where_its_prompt_is_cached() {
    let rig = rig().await;
    let conversation = |opening, member, cached, later| Conversation {
        model: "a/cached",
        opening,
        member,
        cached,
        later,
    };
    let nothing = || ("user", json!("someone"));
    let conversations = [
        conversation("named", ("session_id", json!("s-1")), 0, DEAR),
        conversation("hit", nothing(), 50, DEAR),
        conversation("no hit", nothing(), 0, CHEAP),
        conversation("key and hit", ("prompt_cache_key", json!("k-1")), 50, DEAR),
        conversation("key and no hit", ("prompt_cache_key", json!("k-2")), 0, CHEAP),
        Conversation {
            model: "a/uncached",
            ..conversation("a cache that saves nothing", ("session_id", json!("s-2")), 50, CHEAP)
        },
    ];
    for case in &conversations {
        let body = |number| {
            let (name, value) = &case.member;
            with(turn(case.model, case.opening, number), name, value.clone())
        };
        // More successes than failures: the cheap endpoint counts as well.
        for _ in 0..2 {
            assert_eq!(asked(&rig, KEY, &turn(case.model, "another", 0)).await, CHEAP);
        }
        only_the_dear_one_answers(&rig, case.cached).await;
        assert_eq!(asked(&rig, KEY, &body(0)).await, DEAR, "{}", case.opening);
        script(&rig, json!([])).await;
        for number in 1..4 {
            assert_eq!(asked(&rig, KEY, &body(number)).await, case.later, "{}", case.opening);
        }
    }
    // Whose conversation it is, and which, matters; an order of one's own matters more.
    let named = |session: &str| with(turn("a/cached", "x", 1), "session_id", json!(session));
    assert_eq!(asked(&rig, KEY, &named("s-1")).await, DEAR);
    assert_eq!(asked(&rig, SECOND_KEY, &named("s-1")).await, CHEAP);
    assert_eq!(asked(&rig, KEY, &named("s-9")).await, CHEAP);
    let ordered = with(named("s-1"), "provider", json!({ "order": ["openai"] }));
    assert_eq!(asked(&rig, KEY, &ordered).await, CHEAP);
}

#[tokio::test]
async fn a_session_in_the_header_moves_on_when_its_endpoint_fails() {
    let rig = rig().await;
    let auth = format!("Bearer {KEY}");
    let headers = [("authorization", auth.as_str()), ("x-session-id", "h-1")];
    let ask = async |number| {
        let body = turn("a/cached", "hello", number).to_string();
        let answer = rig.send("POST", "/v1/chat/completions", &headers, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        rig.last().await["path"].as_str().unwrap().to_owned()
    };
    only_the_dear_one_answers(&rig, 0).await;
    assert_eq!(ask(0).await, DEAR);
    script(&rig, json!([])).await;
    assert_eq!(ask(1).await, DEAR);
    let failing =
        json!([{ "match": { "path": "*/messages" }, "reply": { "error": "overloaded" } }]);
    script(&rig, failing).await;
    assert_eq!(ask(2).await, CHEAP);
    script(&rig, json!([])).await;
    assert_eq!(ask(3).await, CHEAP);
}

fn with_tools(number: usize) -> Value {
    let parameters = json!({ "type": "object", "required": ["city"] });
    let tools = json!([{ "type": "function", "function": { "name": "weather", "parameters": parameters } }]);
    let body = turn("a/cached", &format!("weather {number}"), 0);
    with(with(body, "tools", tools), "stream", json!(number.is_multiple_of(2)))
}

async fn metrics(rig: &Rig) -> Answer {
    request(rig.admin, Http::One, ("GET", "/metrics"), &[], bytes::Bytes::new()).await
}

/// Waits until the metrics hold a line.
async fn until_counted(rig: &Rig, line: &str) {
    let started = Instant::now();
    while !metrics(rig).await.text().contains(line) {
        assert!(started.elapsed() < Duration::from_secs(20), "{}", metrics(rig).await.text());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_endpoint_that_calls_tools_badly_is_asked_last() {
    let rig = rig().await;
    let call =
        |arguments: Value| json!({ "tools": [{ "name": "weather", "arguments": arguments }] });
    script(
        &rig,
        json!([
            { "match": { "path": "*/chat/completions", "nth": [1, 2] }, "reply": call(json!("{\"ci")) },
            { "match": { "path": "*/chat/completions" }, "reply": call(json!({ "town": "Rome" })) },
            { "reply": call(json!({ "city": "Rome" })) },
        ]),
    )
    .await;
    for number in 0..20 {
        assert_eq!(asked(&rig, KEY, &with_tools(number)).await, CHEAP, "{number}");
    }
    let series = |outcome, provider, calls| {
        format!(
            "arouter_tool_calls_total{{outcome=\"{outcome}\",provider=\"{provider}\"}} {calls}\n"
        )
    };
    until_counted(&rig, &series("schema_mismatch", "openai", 18)).await;
    until_counted(&rig, &series("invalid_json", "openai", 2)).await;
    assert_eq!(asked(&rig, KEY, &with_tools(0)).await, DEAR);
    until_counted(&rig, &series("valid", "anthropic", 1)).await;
    // Who has no tools, or wants it cheap, does not care.
    assert_eq!(asked(&rig, KEY, &turn("a/cached", "plain", 0)).await, CHEAP);
    let cheap = with(with_tools(0), "provider", json!({ "sort": "price" }));
    assert_eq!(asked(&rig, KEY, &cheap).await, CHEAP);
}
