//! Tests of answers that pass, as OpenRouter's clients can read them.

use super::*;
use serde_json::{Value, json};
use std::sync::Arc;

fn words() -> Words {
    Words::new(&AnswerLabel {
        id: Arc::from("gen-1"),
        model: Some(Arc::from("acme/m")),
        provider: Arc::from("Acme \"1\""),
        created_s: 7,
        include_usage: true,
        exclude_reasoning: false,
        shape: crate::formats::Shape::OpenRouter,
        charges: None,
    })
}

fn read(text: Option<Vec<u8>>) -> Value {
    serde_json::from_slice(&text.unwrap()).unwrap()
}

fn chunk(text: &str) -> Value {
    read(words().chunk(text.as_bytes()))
}

fn whole(text: &str) -> Value {
    read(words().whole(text.as_bytes()))
}

#[test]
fn a_chunk_loses_nulls_that_clients_refuse() {
    let text = r#"{"id":"c","object":"chat.completion.chunk","created":3,"model":"m","system_fingerprint":null,"service_tier":null,
        "choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":null,"audio":null},"logprobs":null,"finish_reason":null}],"usage":null, "x":1.50}"#;
    let expected = json!({"id": "gen-1", "object": "chat.completion.chunk", "created": 3, "model": "acme/m",
        "service_tier": null, "provider": "Acme \"1\"", "x": 1.50,
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": null}, "logprobs": null,
            "finish_reason": null, "native_finish_reason": null}]});
    assert_eq!(chunk(text), expected);
    let written = words().chunk(text.as_bytes()).unwrap();
    assert!(
        String::from_utf8(written).unwrap().contains(r#""x":1.50"#),
        "numbers keep their digits"
    );
}

#[test]
fn a_chunk_that_says_little_is_completed() {
    // Azure's first chunk, and one of its filter's.
    let first =
        r#"{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{}]}"#;
    let expected = json!({"choices": [], "created": 0, "id": "gen-1", "model": "acme/m",
        "object": "chat.completion.chunk", "prompt_filter_results": [{}], "provider": "Acme \"1\""});
    assert_eq!(chunk(first), expected);
    let bare = chunk(r#"{"choices":[{"content_filter_offsets":{}},{"delta":{}}]}"#);
    assert_eq!(bare["created"], 7);
    assert_eq!(
        bare["choices"],
        json!([
            {"content_filter_offsets": {}, "index": 0, "finish_reason": null,
                "native_finish_reason": null, "delta": {}},
            {"delta": {}, "index": 1, "finish_reason": null, "native_finish_reason": null},
        ])
    );
}

#[test]
fn pieces_of_tool_calls_have_an_index_and_no_nulls() {
    let text = r#"{"choices":[{"index":0,"finish_reason":"tool_calls","delta":{"tool_calls":[
        {"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":null}"}},
        {"index":1,"id":null,"type":null,"function":{"name":null,"arguments":"}"}}]}}]}"#;
    let chunk = chunk(text);
    let choice = &chunk["choices"][0];
    assert_eq!(choice["native_finish_reason"], "tool_calls");
    assert_eq!(
        choice["delta"]["tool_calls"],
        json!([
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":null}"}, "index": 0},
            {"index": 1, "function": {"arguments": "}"}},
        ])
    );
}

#[test]
fn reasoning_is_found_under_openrouters_name() {
    for (delta, expected) in [
        (json!({"reasoning_content": "hm"}), json!("hm")),
        (json!({"reasoning_content": "hm", "reasoning": null}), json!("hm")),
        (json!({"reasoning_content": "hm", "reasoning": "own"}), json!("own")),
        (json!({"reasoning_content": null, "content": "x"}), Value::Null),
    ] {
        let chunk = chunk(&json!({"choices": [{"delta": delta}]}).to_string());
        assert_eq!(chunk["choices"][0]["delta"]["reasoning"], expected, "{delta}");
    }
}

#[test]
fn a_whole_answer_has_all_that_clients_ask_for() {
    let text = r#"{"id":"c","created":3,"model":"m","provider":"its own","choices":[{"finish_reason":"stop","message":{"role":"assistant","content":"Hi","audio":null,"function_call":null,"refusal":null,
        "tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}}],
        "usage":{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":null,"audio_tokens":0},"completion_tokens_details":null}}"#;
    let expected = json!({"id": "gen-1", "created": 3, "model": "acme/m", "provider": "Acme \"1\"",
        "object": "chat.completion", "system_fingerprint": null,
        "choices": [{"index": 0, "finish_reason": "stop", "native_finish_reason": "stop",
            "message": {"role": "assistant", "content": "Hi", "refusal": null,
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}}],
        "usage": {"prompt_tokens": 1, "prompt_tokens_details": {"audio_tokens": 0}, "completion_tokens_details": null}});
    assert_eq!(whole(text), expected);
    assert_eq!(whole(r#"{"system_fingerprint":"fp"}"#)["system_fingerprint"], "fp");
    assert_eq!(whole(r#"{"system_fingerprint":null}"#)["system_fingerprint"], Value::Null);
}

#[test]
fn a_response_has_all_that_clients_ask_for() {
    let mut full =
        json!({"id": "resp_1", "top_p": 0.5, "usage": {"input_tokens": 1}, "tools": [{}]});
    let written = read(response(full.to_string().as_bytes()));
    assert_eq!((&written["top_p"], &written["tools"]), (&json!(0.5), &json!([{}])));
    assert_eq!(written["tool_choice"], "auto");
    for (name, _) in RESPONSE_MEMBERS {
        assert!(written.get(name).is_some(), "{name}");
    }
    assert_eq!(written["usage"]["input_tokens_details"]["cached_tokens"], 0);
    full["usage"] = Value::Null;
    let event = json!({"type": "response.created", "response": full}).to_string();
    let event = read(response_event(event.as_bytes()));
    assert_eq!(event["response"]["completed_at"], Value::Null);
    assert!(event["response"].as_object().unwrap().contains_key("completed_at"));
    assert_eq!(event["response"]["usage"], Value::Null);
    assert_eq!(response_event(br#"{"type":"response.output_text.delta","delta":"x"}"#), None);
}

#[test]
fn what_is_no_object_stays_as_it_is() {
    for text in ["", "[DONE]", "[]", "{", "{\"id\":", "null", "{\"a\":1,}x"] {
        assert_eq!(words().chunk(text.as_bytes()), None, "{text}");
    }
    let odd = chunk(r#"{"choices":{"a":1},"usage":7}"#);
    assert_eq!((&odd["choices"], &odd["usage"]), (&json!({"a": 1}), &json!(7)));
    let odd = chunk(r#"{"choices":[3,{"delta":"x"}]}"#);
    assert_eq!((&odd["choices"][0], &odd["choices"][1]["delta"]), (&json!(3), &json!("x")));
    assert_eq!(without_nulls(br#"{ "a" : null }"#).unwrap(), b"{}");
}
