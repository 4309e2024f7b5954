//! Models that the gateway chooses, on the real process: the answer names the chosen one, and its
//! metadata say why.

use crate::rig::{Answer, KEY, Plan, Rig};
use serde_json::{Value, json};

const MODELS: &str = r#"
[models."openai/best"]
context_length = 100000
endpoints = [{ provider = "openai", price = { prompt = "10", completion = "10" } }]
[models."anthropic/good"]
endpoints = [{ provider = "anthropic", price = { prompt = "2", completion = "2" } }]
[models."openai/small"]
context_length = 2000
endpoints = [{ provider = "openai", price = { prompt = "0.1", completion = "0.1" } }]
[models."google/gift"]
endpoints = [{ provider = "google", price = { prompt = "0", completion = "0" } }]
"#;

async fn ask(rig: &Rig, members: Value) -> Answer {
    let mut body = json!({
        "model": "auto", "messages": [{ "role": "user", "content": "hello" }], "max_tokens": 50,
    });
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    let auth = format!("Bearer {KEY}");
    let headers = [("authorization", auth.as_str()), ("x-openrouter-metadata", "enabled")];
    rig.send("POST", "/v1/chat/completions", &headers, body.to_string()).await
}

fn plugin(members: Value) -> Value {
    let mut entry = members;
    entry["id"] = json!("auto-router");
    json!([entry])
}

#[tokio::test]
async fn the_choice_follows_the_request() {
    let rig = Rig::with(Plan { more: MODELS, ..Plan::default() }).await;
    let long = "word ".repeat(2_000);
    let cases = [
        (json!({}), "openai/small"),
        (json!({ "model": "openrouter/auto" }), "openai/small"),
        (json!({ "plugins": plugin(json!({ "cost_quality_tradeoff": 0 })) }), "openai/best"),
        (json!({ "plugins": plugin(json!({ "cost_quality_tradeoff": 10 })) }), "google/gift"),
        (
            json!({ "plugins": plugin(json!({ "allowed_models": ["anthropic/*"] })) }),
            "anthropic/good",
        ),
        (
            json!({ "plugins": plugin(json!({ "excluded_models": ["google/*", "openai/small"] })) }),
            "anthropic/good",
        ),
        (json!({ "messages": [{ "role": "user", "content": long }] }), "anthropic/good"),
        (json!({ "model": "openrouter/free" }), "google/gift"),
        (json!({ "model": "openai/best" }), "openai/best"),
    ];
    for (members, expected) in cases {
        let answer = ask(&rig, members.clone()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let body = answer.json();
        assert_eq!(body["model"], expected, "{members:.200} {body}");
        let requested = members["model"].as_str().unwrap_or("auto");
        let told = &body["openrouter_metadata"];
        assert_eq!(told["requested"], requested, "{told}");
        if requested == "openai/best" {
            assert_eq!((&told["pipeline"], &told["strategy"]), (&Value::Null, &json!("direct")));
            continue;
        }
        assert_eq!(told["strategy"], if requested == "openrouter/free" { "free" } else { "auto" });
        let step = &told["pipeline"][0];
        assert_eq!((&step["type"], &step["name"]), (&json!("plugin"), &json!("auto-router")));
        assert_eq!(step["data"]["model"], expected, "{step}");
        assert!(!step["data"]["reasons"].as_array().unwrap().is_empty(), "{step}");
    }
}

#[tokio::test]
async fn it_falls_back_streams_and_refuses() {
    let rig = Rig::with(Plan { more: MODELS, ..Plan::default() }).await;
    let failing = json!({
        "plugins": plugin(json!({ "allowed_models": ["openai/small", "anthropic/good"] })),
        "messages": [{ "role": "user", "content": "[[mock {\"fault\":\"reset_before_header\"}]]" }],
    });
    let answer = ask(&rig, failing).await;
    assert!(answer.status >= 500, "{}", answer.text());
    let paths: Vec<Value> = rig.journal().await.iter().map(|entry| entry["path"].clone()).collect();
    assert!(paths.contains(&json!("/v1/messages")), "{paths:?}");
    assert!(paths.contains(&json!("/v1/chat/completions")), "{paths:?}");

    let streamed = ask(&rig, json!({ "stream": true })).await;
    assert!(streamed.text().contains(r#""model":"openai/small""#), "{}", streamed.text());
    let native = json!({
        "model": "auto", "max_tokens": 9, "messages": [{ "role": "user", "content": "hello" }],
    });
    let native = rig.post("/v1/messages", &native).await;
    assert_eq!(native.json()["model"], "openai/small", "{}", native.text());

    for (members, status) in [
        (json!({ "plugins": plugin(json!({ "allowed_models": ["nobody/*"] })) }), 404),
        (json!({ "plugins": plugin(json!({ "cost_quality_tradeoff": 11 })) }), 400),
    ] {
        let answer = ask(&rig, members).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}

#[tokio::test]
async fn the_operator_says_which_models_and_in_what_order() {
    let more = format!("[routing.auto]\nmodels = [\"openai/small\", \"openai/best\"]\n{MODELS}");
    let rig = Rig::with(Plan { more: &more, ..Plan::default() }).await;
    // The better one is the cheaper one, too: whatever the balance.
    for tradeoff in [0, 10] {
        let members = json!({ "plugins": plugin(json!({ "cost_quality_tradeoff": tradeoff })) });
        assert_eq!(ask(&rig, members).await.json()["model"], "openai/small");
    }
    let members = json!({ "plugins": plugin(json!({ "allowed_models": ["google/*"] })) });
    assert_eq!(ask(&rig, members).await.status, 404);
}

#[tokio::test]
async fn an_alias_of_that_name_is_what_the_operator_made_of_it() {
    let more = format!("{MODELS}\n[aliases]\nauto = [\"anthropic/good\"]\n");
    let rig = Rig::with(Plan { more: &more, ..Plan::default() }).await;
    let body = ask(&rig, json!({})).await.json();
    assert_eq!(body["model"], "anthropic/good");
    assert_eq!(body["openrouter_metadata"]["pipeline"], Value::Null);
}
