//! In whose words a limit is told: each client gets the error it knows, and every answer, good or
//! bad, says how the limit closest to exhaustion stands.

use super::{assert_standing, limited, minute_with_room, number, rig};
use crate::asks::{ANTHROPIC, Ask, GEMINI, OPENAI, told};
use crate::rig::Answer;
use crate::spender::Spender;
use serde_json::json;

#[tokio::test]
async fn a_refusal_is_in_the_words_of_the_client() {
    let rig = rig().await;
    let key = limited(&rig, json!({ "requests_per_minute": 0 })).await;
    let text = told(&json!({}));
    let broke = Spender::make(&rig, json!({ "limit": 0 })).await;
    let cases = [
        ("/v1/chat/completions".to_owned(), OPENAI),
        ("/api/v1/chat/completions".to_owned(), OPENAI),
        ("/v1/messages".to_owned(), ANTHROPIC),
        (GEMINI.path(false), GEMINI),
        (GEMINI.path(true), GEMINI),
        ("/openai/v1/chat/completions".to_owned(), OPENAI),
    ];
    for (path, ask) in &cases {
        for stream in [false, true] {
            let body = ask.body(stream, &text);
            let refused = key.post(&rig, path, &body).await;
            let what = format!("{path}: {}", refused.text());
            assert_eq!(refused.status, 429, "{what}");
            assert!((1..=60).contains(&number(&refused, "retry-after")), "{what}");
            let no_money = broke.post(&rig, path, &body).await;
            assert_eq!(no_money.status, 402, "{path}: {}", no_money.text());
            for (answer, words) in [
                (&refused, ["rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED"]),
                (&no_money, ["payment_required", "billing_error", ""]),
            ] {
                assert_words(path, answer, words);
            }
        }
    }
}

fn assert_words(path: &str, answer: &Answer, [openai, anthropic, gemini]: [&str; 3]) {
    let (text, body) = (answer.text(), answer.json());
    let error = &body["error"];
    assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{path}: {text}");
    if path.starts_with("/api/") {
        assert_eq!(error["code"], answer.status, "{path}: {text}");
        assert!(error["metadata"]["reason"].is_string(), "{path}: {text}");
    } else if path.ends_with("/messages") {
        assert_eq!(body["type"], "error", "{path}: {text}");
        assert_eq!(error["type"], anthropic, "{path}: {text}");
    } else if path.starts_with("/v1beta/") {
        assert_eq!(error["code"], answer.status, "{path}: {text}");
        assert!(gemini.is_empty() || error["status"] == gemini, "{path}: {text}");
    } else {
        let words = [&error["code"], &error["type"]];
        assert!(words.iter().any(|word| **word == openai), "{path}: {text}");
    }
}

#[tokio::test]
async fn every_answer_of_a_limited_key_says_how_its_limit_stands() {
    let rig = rig().await;
    let all = json!({ "requests_per_minute": 40, "requests_per_day": 1_000_000, "concurrent": 50 });
    let key = limited(&rig, all).await;
    minute_with_room().await;
    let mut remaining = 40;
    let text = told(&json!({}));
    let bad = told(&json!({ "status": 400 }));
    let failed = told(&json!({ "status": 503 }));
    let count = r#"{"model":"claude-sonnet-4-5","messages":[{"role":"user","content":"hi"}]}"#;
    let foreign = r#"{"model":"openai/gpt-5.4","messages":[{"role":"user","content":"hi"}]}"#;
    let chat = |ask: Ask, stream: bool, text: &str| (ask.path(stream), ask.body(stream, text));
    let openai = "/v1/chat/completions".to_owned();
    let raw = "/openai/v1/chat/completions".to_owned();
    let tokens = "/v1/messages/count_tokens".to_owned();
    // Those with `true` are counted.
    let cases = [
        (chat(OPENAI, false, &text), 200, true),
        (chat(OPENAI, true, &text), 200, true),
        (chat(ANTHROPIC, false, &text), 200, true),
        (chat(ANTHROPIC, true, &text), 200, true),
        (chat(GEMINI, false, &text), 200, true),
        (chat(GEMINI, true, &text), 200, true),
        (chat(OPENAI, false, &bad), 400, true),
        (chat(OPENAI, true, &failed), 503, true),
        ((raw.clone(), OPENAI.body(false, &text)), 200, true),
        ((raw.clone(), OPENAI.body(true, &text)), 200, true),
        ((raw, OPENAI.body(false, &bad)), 400, true),
        ((tokens.clone(), count.to_owned()), 200, true),
        ((tokens, foreign.to_owned()), 200, true),
        ((openai.clone(), "{".to_owned()), 400, false),
        ((openai.clone(), "{}".to_owned()), 400, false),
        ((openai, r#"{"model":"none/such","messages":[{}]}"#.to_owned()), 400, false),
    ];
    for ((path, body), status, counts) in cases {
        let answer = key.post(&rig, &path, &body).await;
        let what = format!("{path} {body}: {}", answer.text());
        assert_eq!(answer.status, status, "{what}");
        remaining -= u64::from(counts);
        assert_standing(&what, &answer, 40, remaining, 60);
    }
    // No limit, nothing to tell.
    let unlimited = Spender::make(&rig, json!({})).await;
    let answer = unlimited.post(&rig, "/v1/chat/completions", &OPENAI.body(false, &text)).await;
    assert_eq!(answer.status, 200);
    assert!(!answer.headers.contains_key("x-ratelimit-limit"));
}
