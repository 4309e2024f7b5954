//! Scripts, the order of the instructions, and the mock's own pages.

use serde_json::{Value, json};

use super::rig::{OPENAI, Rig};
use crate::mock::Options;
use crate::mock::script::Script;

async fn text_of(rig: &Rig, model: &str, headers: &str, prompt: &str) -> (u16, String) {
    let body = json!({"model": model, "messages": [{"role": "user", "content": prompt}]});
    let reply = rig.send("POST", "/v1/chat/completions", headers, &body.to_string()).await;
    let text = reply.json().pointer("/choices/0/message/content").cloned().unwrap_or_default();
    (reply.status, text.as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn rules_match_by_model_count_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("script.toml");
    let script = r#"
        [[rules]]
        match = { model = "gpt-*", nth = [1, 3] }
        reply = { error = "rate_limit" }
        [[rules]]
        match = { model = "gpt-*", key = "1234" }
        reply = { text = "known key" }
        [[rules]]
        match = { path = "*/chat/completions" }
        reply = { text = "by path" }
    "#;
    std::fs::write(&path, script).unwrap();
    let rig = Rig::with(Options { script: Some(path), ..Options::default() }).await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(text_of(&rig, "gpt-4", OPENAI, "x").await.0);
    }
    assert_eq!(seen, [429, 200, 429, 200]);
    assert_eq!(text_of(&rig, "gpt-4", OPENAI, "x").await.1, "known key");
    assert_eq!(text_of(&rig, "gpt-4", "authorization: Bearer other\r\n", "x").await.1, "by path");
    assert_eq!(text_of(&rig, "o3", OPENAI, "x").await.1, "by path");
}

#[tokio::test]
async fn header_wins_over_directive_wins_over_script() {
    let rig = Rig::start().await;
    let script = json!([{"reply": {"text": "script"}}]).to_string();
    assert_eq!(rig.send("PUT", "/__script", "", &script).await.status, 204);
    assert_eq!(text_of(&rig, "m", OPENAI, "x").await.1, "script");
    let prompt = r#"x [[mock {"text": "a ]] b"}]]"#;
    assert_eq!(text_of(&rig, "m", OPENAI, prompt).await.1, "a ]] b");
    let headers = format!("{OPENAI}x-mock: {{\"text\": \"header\"}}\r\n");
    assert_eq!(text_of(&rig, "m", &headers, prompt).await.1, "header");
}

#[tokio::test]
async fn a_script_with_a_mistake_is_refused() {
    for script in
        ["[[rules]]\nmatch = { modle = \"x\" }", r#"[{"reply": {"fault": "no_such"}}]"#, "{"]
    {
        assert!(Script::parse(script).is_err(), "{script}");
    }
    let rig = Rig::start().await;
    assert_eq!(rig.send("PUT", "/__script", "", "{").await.status, 400);
    for prompt in ["[[mock {\"text\": \"x\"}", "[[mock {]]", "[[mock tools"] {
        assert_eq!(text_of(&rig, "m", OPENAI, prompt).await.0, 400, "{prompt}");
    }
}

#[tokio::test]
async fn journal_pages_and_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal");
    let rig = Rig::with(Options { journal: Some(file.clone()), ..Options::default() }).await;
    for _ in 0..3 {
        text_of(&rig, "m", OPENAI, "x").await;
    }
    let entries = rig.send("GET", "/__journal?since=1", "", "").await.json();
    assert_eq!(entries.as_array().unwrap().len(), 2);
    assert_eq!(entries[0]["seq"], 2);
    assert_eq!(rig.send("DELETE", "/__journal", "", "").await.status, 204);
    assert_eq!(rig.send("GET", "/__journal", "", "").await.json(), json!([]));
    let text = std::fs::read_to_string(file).unwrap();
    let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[2]["model"], "m");
}

#[tokio::test]
async fn other_paths_are_echoed_and_the_last_request_is_kept() {
    let rig = Rig::start().await;
    assert_eq!(rig.send("GET", "/__last", "", "").await.status, 404);
    let headers = "X-Twice: a\r\nx-twice: b\r\n";
    let reply = rig.send("PATCH", "/v9/some/thing?q=1&r", headers, "abc").await;
    let echo = reply.json();
    assert_eq!(
        (&echo["method"], &echo["path"], &echo["query"]),
        (&json!("PATCH"), &json!("/v9/some/thing"), &json!("q=1&r"))
    );
    assert_eq!(echo["sha256"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!((&echo["body_len"], &echo["body"]), (&json!(3), &json!("abc")));
    let headers = echo["headers"].as_array().unwrap();
    assert_eq!(headers.iter().filter(|h| h[0] == "x-twice").count(), 2);
    let last = rig.send("GET", "/__last", "", "").await.json();
    assert_eq!(last, echo);
    assert_eq!(rig.entry().await.format, "echo");
    let large = "y".repeat(70_000);
    let echo = rig.send("POST", "/upload", "", &large).await.json();
    assert_eq!((&echo["body_len"], &echo["body"]), (&json!(70_000), &Value::Null));
    let status = rig.send("POST", "/upload", "x-mock: {\"status\": 418}\r\n", "").await.status;
    assert_eq!(status, 418);
    assert_eq!(rig.send("GET", "/healthz", "", "").await.status, 200);
}
