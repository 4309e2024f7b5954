//! What a client says of itself, its app and its session: recorded with the request, and told to
//! no provider, whatever way the request takes.

use crate::rig::{KEY, Rig};
use serde_json::{Value, json};

/// What a client says of itself is recorded, and no provider is told.
#[tokio::test]
async fn apps_are_recorded_and_stay_here() {
    const SAID: [(&str, &str); 6] = [
        ("http-referer", "https://said-app.example"),
        ("referer", "https://said-page.example"),
        ("x-title", "said-title"),
        ("x-openrouter-title", "said-title-2"),
        ("x-openrouter-categories", "said-category"),
        ("x-session-id", "said-session"),
    ];
    let rig = Rig::start().await;
    let turns = json!([{ "role": "user", "content": "hi" }]);
    let chat = |model: &str| json!({ "model": model, "max_tokens": 9, "messages": turns });
    let gemini = json!({ "contents": [{ "role": "user", "parts": [{ "text": "hi" }] }] });
    for (path, body) in [
        ("/v1/chat/completions", chat("gpt-5.4")),
        ("/v1/chat/completions", chat("anthropic/claude-sonnet-4.5")),
        ("/api/v1/chat/completions", chat("google/gemini-2.5-flash")),
        ("/v1/messages", chat("claude-sonnet-4-5")),
        ("/v1beta/models/gemini-2.5-flash:generateContent", gemini),
        ("/v1/embeddings", json!({ "model": "gpt-5.4", "input": "hi" })),
        ("/openai/v1/chat/completions", chat("gpt-5.4")),
    ] {
        let headers = [&[("x-api-key", KEY), ("user-agent", "client/1")][..], &SAID].concat();
        let answer = rig.send("POST", path, &headers, body.to_string()).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let last = rig.last().await.to_string();
        assert!(!last.contains("said-"), "{path}: {last}");
        let record = rig.generation(answer.header("x-generation-id")).await;
        for (member, said) in [
            ("http_referer", "https://said-app.example"),
            ("origin", "https://said-app.example"),
            ("app_title", "said-title"),
            ("app_categories", "said-category"),
            ("session_id", "said-session"),
            ("user_agent", "client/1"),
        ] {
            assert_eq!(record["data"][member], said, "{path}: {record}");
        }
    }
    let mut body = chat("gpt-5.4");
    body["session_id"] = json!("s".repeat(300));
    let headers = [("x-api-key", KEY), ("x-session-id", "of-the-header")];
    let answer = rig.send("POST", "/v1/chat/completions", &headers, body.to_string()).await;
    let record = rig.generation(answer.header("x-generation-id")).await;
    assert_eq!(record["data"]["session_id"], "s".repeat(256));
    let none: Value = record["data"]["app_title"].clone();
    assert_eq!(none, Value::Null);
}
