//! No way to a provider leads around the limits: neither a route of the gateway nor a provider's
//! own API.

use super::rig;
use crate::rig::Answer;
use crate::spender::{COST, Spender, ask, pico, reason, usd};
use arouter::proxy::operation;
use serde_json::{Value, json};

/// A body that would be served at this path.
fn body(path: &str) -> Value {
    let message = json!([{ "role": "user", "content": "hi" }]);
    if path.contains(":generateContent") || path.contains("v1beta") {
        json!({ "contents": [{ "role": "user", "parts": [{ "text": "hi" }] }] })
    } else if path.contains("/messages") {
        json!({ "model": "claude-sonnet-4-5", "max_tokens": 5, "messages": message })
    } else if path.ends_with("/responses") || path.ends_with("/embeddings") {
        json!({ "model": "openai/gpt-5.4", "input": "hi" })
    } else if path.ends_with("/v1/completions") {
        json!({ "model": "openai/gpt-5.4", "prompt": "hi" })
    } else {
        json!({ "model": "gpt-5.4", "messages": message })
    }
}

/// Whether it is the gateway itself that answers: management, lists of models, records.
fn is_local(method: &str, path: &str) -> bool {
    method != "POST" || path.ends_with("/keys") || path.ends_with("/credits")
}

#[tokio::test]
async fn with_its_budget_used_up_a_key_reaches_no_provider_on_any_route() {
    let rig = rig().await;
    let key = Spender::make(&rig, json!({ "limit": usd(COST) })).await;
    let rich = Spender::make(&rig, json!({})).await;
    let mut routes: Vec<(String, String)> = operation::samples()
        .into_iter()
        .map(|(method, path)| (method.to_owned(), path))
        .filter(|(method, path)| !is_local(method, path))
        .collect();
    assert!(routes.len() >= 15, "{routes:?}");
    for (method, path) in [
        ("GET", "/openai/v1/models"),
        ("PUT", "/openai/v1/files/x"),
        ("DELETE", "/openai/v1/files/x"),
        ("POST", "/responses/v1/responses"),
        ("POST", "/anthropic/v1/messages"),
        ("POST", "/google/v1beta/models/gemini-2.5-flash:generateContent"),
        ("POST", "/v1/models/gemini-2.5-flash:generateContent"),
        ("POST", "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"),
    ] {
        routes.push((method.to_owned(), path.to_owned()));
    }
    let call = async |key: &Spender, (method, path): &(String, String)| -> Answer {
        let headers = [("x-api-key", key.secret.as_str()), ("content-type", "application/json")];
        rig.send(method, path, &headers, body(path).to_string()).await
    };
    // With money every one of these is let in, so that it is the money that counts below.
    for route in &routes {
        let answer = call(&rich, route).await;
        assert!(![401, 402, 403, 405].contains(&answer.status), "{route:?}: {}", answer.text());
    }
    assert_eq!(key.chat(&rig, &ask(false, &json!({}))).await.status, 200);
    let served = rig.journal().await.len();
    for route in &routes {
        let answer = call(&key, route).await;
        assert_eq!(answer.status, 402, "{route:?}: {}", answer.text());
    }
    let upgrade = [
        ("x-api-key", key.secret.as_str()),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    assert_eq!(rig.send("GET", "/openai/v1/realtime", &upgrade, "").await.status, 402);
    assert_eq!(rig.journal().await.len(), served, "a provider was reached");
    key.wait_for_spent(&rig, COST).await;
}

#[tokio::test]
async fn a_raw_call_costs_what_the_model_of_its_answer_costs() {
    let rig = rig().await;
    let key = Spender::make(&rig, json!({ "limit": usd(2 * COST) })).await;
    let path = "/openai/v1/chat/completions";
    for stream in [false, true] {
        let mut body: Value = serde_json::from_str(&ask(stream, &json!({}))).unwrap();
        body["model"] = json!("gpt-5.4");
        body["stream_options"] =
            if stream { json!({ "include_usage": true }) } else { Value::Null };
        let answer = key.post(&rig, path, &body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let record = key.record(&rig, answer.header("x-generation-id")).await;
        assert_eq!(pico(&record, "total_cost"), COST, "{record}");
        assert!(record.contains(r#""model":"openai/gpt-5.4""#), "{record}");
    }
    let refused = key.post(&rig, path, &ask(false, &json!({}))).await;
    assert_eq!(refused.status, 402, "{}", refused.text());
    let refused = key.chat(&rig, &ask(false, &json!({}))).await;
    assert_eq!((refused.status, &*reason(&refused)), (402, "credit_limit_exceeded"));
    assert_eq!(pico(&refused.text(), "used_usd"), 2 * COST);
    key.wait_for_spent(&rig, 2 * COST).await;
}

#[tokio::test]
async fn a_strict_limit_allows_no_call_whose_price_nobody_knows() {
    let rig = rig().await;
    let strict = json!({ "limit": usd(1_000 * COST), "budget_mode": "strict" });
    let strict = Spender::make(&rig, strict).await;
    let unlimited = Spender::make(&rig, json!({ "budget_mode": "strict" })).await;
    let mut body: Value = serde_json::from_str(&ask(false, &json!({}))).unwrap();
    body["model"] = json!("gpt-5.4");
    let path = "/openai/v1/chat/completions";
    assert_eq!(strict.post(&rig, path, &body.to_string()).await.status, 403);
    assert_eq!(strict.chat(&rig, &ask(false, &json!({}))).await.status, 200);
    assert_eq!(unlimited.post(&rig, path, &body.to_string()).await.status, 200);
}
