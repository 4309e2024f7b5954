//! Tests of relaying whole answers, on recordings where present.

use super::*;
use crate::error::Kind;
use crate::formats::gemini::recordings;
use serde_json::Value;
use std::sync::Arc;

fn label() -> AnswerLabel {
    AnswerLabel {
        id: Arc::from("gen-1-abc"),
        model: Some(Arc::from("acme/model")),
        provider: Arc::from("Acme"),
        created_s: 1,
        include_usage: true,
        exclude_reasoning: false,
        shape: crate::formats::Shape::Maker,
        charges: None,
    }
}

fn same(format: ApiFormat, body: &str) -> Result<Answer, StreamFault> {
    relay(format, format, Bytes::from(body.to_owned()), &label())
}

#[test]
fn only_id_and_model_change_on_the_way() {
    let body = r#"{ "id" : "chatcmpl-1", "x":1.50, "choices":[{"index":0,"message":{"content":"Hi","id":"inner"},"finish_reason":"stop"}], "model":"m-2024", "usage":{"prompt_tokens":3,"completion_tokens":1} }"#;
    let answer = same(ApiFormat::OpenAiChat, body).unwrap();
    let expected = body.replace("chatcmpl-1", "gen-1-abc").replace("m-2024", "acme/model");
    assert_eq!(answer.body, expected);
    let observed = answer.observed;
    assert_eq!(
        (observed.usage.prompt, observed.upstream_id.as_deref()),
        (Some(3), Some("chatcmpl-1"))
    );
    assert!(observed.saw_content && observed.ended && observed.finish.is_some());
    assert_eq!(observed.content_bytes, 2);
}

#[test]
fn native_answers_keep_their_id() {
    let body = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":1}}"#;
    let answer = same(ApiFormat::Anthropic, body).unwrap();
    assert_eq!(answer.body, body.replace("claude-x", "acme/model"));
    let quiet = AnswerLabel { model: None, ..label() };
    let bytes = Bytes::from_static(body.as_bytes());
    let answer = relay(ApiFormat::Anthropic, ApiFormat::Anthropic, bytes.clone(), &quiet).unwrap();
    assert_eq!(answer.body.as_ptr(), bytes.as_ptr());
}

#[test]
fn a_success_that_is_none_is_a_fault() {
    for body in ["", "oops", "[]", "<html>", "{\"choices\":"] {
        let fault = same(ApiFormat::OpenAiChat, body).unwrap_err();
        assert!(matches!(fault, StreamFault::Malformed(_)), "{body}: {fault}");
    }
    for body in [
        r#"{"error":{"message":"x","code":429}}"#,
        r#"{"id":"a","error":{"message":"x","code":"rate_limit_exceeded"}}"#,
    ] {
        let StreamFault::Upstream(failure) = same(ApiFormat::OpenAiChat, body).unwrap_err() else {
            panic!()
        };
        assert_eq!(failure.kind, Kind::RateLimitExceeded);
    }
    assert!(same(ApiFormat::OpenAiChat, r#"{"error":null,"choices":[{"message":{}}]}"#).is_ok());
    let refused =
        relay(ApiFormat::OpenAiChat, ApiFormat::Bedrock, Bytes::from_static(b"{}"), &label());
    assert!(refused.is_err());
}

#[test]
fn recorded_native_answers_say_the_same_in_openai() {
    let mut seen = 0;
    for recording in recordings::load("anthropic-messages") {
        let Ok(original) = serde_json::from_str::<Value>(&recording.body) else { continue };
        if recording.status != 200 || original["type"] != "message" {
            continue;
        }
        seen += 1;
        let body = Bytes::from(recording.body.clone());
        let answer = relay(ApiFormat::Anthropic, ApiFormat::OpenAiChat, body, &label()).unwrap();
        let written: Value = serde_json::from_slice(&answer.body).unwrap();
        let message = &written["choices"][0]["message"];
        let blocks = original["content"].as_array().unwrap();
        let text: String = blocks
            .iter()
            .filter(|b| b["type"] == "text")
            .filter_map(|b| b["text"].as_str())
            .collect();
        assert_eq!(message["content"].as_str().unwrap_or_default(), text, "{}", recording.id);
        let calls = blocks
            .iter()
            .filter(|b| b["type"] == "tool_use")
            .map(|b| (b["name"].clone(), b["input"].clone()));
        let written_calls = message["tool_calls"].as_array().into_iter().flatten().map(|call| {
            let arguments = call["function"]["arguments"].as_str().unwrap();
            (call["function"]["name"].clone(), serde_json::from_str(arguments).unwrap())
        });
        assert_eq!(
            written_calls.collect::<Vec<(Value, Value)>>(),
            calls.collect::<Vec<_>>(),
            "{}",
            recording.id
        );
        let count = |key: &str| original["usage"][key].as_u64().unwrap_or(0);
        let prompt = count("input_tokens")
            + count("cache_read_input_tokens")
            + count("cache_creation_input_tokens");
        assert_eq!(written["usage"]["prompt_tokens"], prompt, "{}", recording.id);
        assert_eq!(
            written["usage"]["completion_tokens"],
            count("output_tokens"),
            "{}",
            recording.id
        );
    }
    println!("{seen} answers");
}
