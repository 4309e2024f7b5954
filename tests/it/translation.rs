//! What translation may not do: lose something in silence, or show a provider what another signed.
//!
//! The gateway and the mock are real; what the provider got is the judge.

use crate::rig::{Plan, Rig};
use arouter::formats::carried::Carried;
use serde_json::{Value, json};

const CLAUDE: &str = "anthropic/claude-sonnet-4.5";

fn asking(model: &str) -> Value {
    let messages = [json!({ "role": "user", "content": "hi" })];
    json!({ "model": model, "messages": messages, "seed": 7, "x_unheard_of": 1 })
}

fn strictly(mut body: Value) -> Value {
    body["provider"] = json!({ "require_parameters": true });
    body
}

#[tokio::test]
async fn what_is_left_out_is_named_and_counted() {
    let rig = Rig::start().await;
    let answer = rig.post("/v1/chat/completions", &asking(CLAUDE)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut named: Vec<&str> = answer.header("x-arouter-dropped").split(',').collect();
    named.sort_unstable();
    assert_eq!(named, ["seed", "x_unheard_of"]);
    let count = async |name: &str| {
        let labels = format!("{{parameter=\"{name}\",provider=\"anthropic\"}}");
        rig.metric(&format!("arouter_dropped_parameters_total{labels}")).await
    };
    assert!((count("seed").await - 1.0).abs() < 0.1);
    // A client's own words are no label.
    assert!((count("other").await - 1.0).abs() < 0.1);
    assert!(count("x_unheard_of").await < 0.1);
    let kept = rig.post("/v1/chat/completions", &asking("openai/gpt-5.4")).await;
    assert_eq!((kept.status, kept.header("x-arouter-dropped")), (200, ""));
}

#[tokio::test]
async fn a_forbidden_loss_goes_to_the_next_endpoint_or_is_refused() {
    let more = "[models.\"team/m\"]\nendpoints = [{ provider = \"anthropic\" }, { provider = \"openai\" }]";
    let rig = Rig::with(Plan { more, ..Plan::default() }).await;
    let refused = rig.post("/v1/chat/completions", &strictly(asking(CLAUDE))).await;
    assert_eq!(refused.status, 404, "{}", refused.text());
    assert_eq!(refused.json()["error"]["param"], "provider.require_parameters");
    assert!(rig.journal().await.is_empty(), "the provider was asked");
    let answer = rig.post("/v1/chat/completions", &strictly(asking("team/m"))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let journal = rig.journal().await;
    assert_eq!(journal.len(), 1);
    assert_eq!(journal[0]["format"], "openai");
}

fn signed_turns() -> (Value, String) {
    let foreign = Carried {
        format: "google-gemini-v1".into(),
        id: String::new(),
        encrypted: false,
        data: "c2lnbmVk".into(),
    };
    let packed = foreign.pack();
    let thought = json!({ "type": "thinking", "thinking": "hm", "signature": packed });
    let body = json!({
        "model": "claude-sonnet-4-5", "max_tokens": 20, "messages": [
            { "role": "user", "content": "hi" },
            { "role": "assistant", "content": [thought, { "type": "text", "text": "hello" }] },
            { "role": "user", "content": "go on" },
        ],
    });
    (body, packed)
}

#[tokio::test]
async fn a_foreign_signature_never_reaches_a_provider_of_the_clients_own_format() {
    let rig = Rig::start().await;
    let (body, packed) = signed_turns();
    let answer = rig.post("/v1/messages", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = rig.last().await["body"].as_str().unwrap().to_owned();
    assert!(sent.contains("hello") && sent.contains("go on"), "{sent}");
    assert!(!sent.contains(&packed) && !sent.contains("c2lnbmVk"), "{sent}");
    // A count cannot be asked for either, so that it is estimated.
    let before = rig.journal().await.len();
    let counted = rig.post("/v1/messages/count_tokens", &body).await;
    assert_eq!(counted.status, 200, "{}", counted.text());
    assert!(counted.json()["input_tokens"].as_u64() > Some(0));
    assert_eq!(rig.journal().await.len(), before);
}

#[tokio::test]
async fn a_foreign_signature_comes_back_to_its_maker() {
    let rig = Rig::start().await;
    let (mut body, packed) = signed_turns();
    body["model"] = json!("google/gemini-2.5-flash");
    assert_eq!(rig.post("/v1/messages", &body).await.status, 200);
    let sent = rig.last().await["body"].as_str().unwrap().to_owned();
    assert!(
        sent.contains("\"thoughtSignature\":\"c2lnbmVk\"") && !sent.contains(&packed),
        "{sent}"
    );
}
