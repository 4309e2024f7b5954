//! Requests as providers get them, compared member by member.

use super::*;
use crate::formats::openai_chat;
use crate::formats::openai_responses::request::decode;
use serde_json::{Value, json};

/// What a request of the chat format becomes.
fn sent(chat: &Value) -> (Value, Vec<String>) {
    let text = chat.to_string();
    let request = openai_chat::request::decode(text.as_bytes()).unwrap();
    let encoded = encode(&request, Target { stream: true, ..Target::new("m") }).unwrap();
    let body = serde_json::from_slice(&encoded.body).unwrap();
    (body, encoded.dropped.iter().map(ToString::to_string).collect())
}

/// What a request of this format becomes.
fn again(own: &Value) -> Value {
    let text = own.to_string();
    let encoded = encode(&decode(text.as_bytes()).unwrap(), Target::new("m")).unwrap();
    serde_json::from_slice(&encoded.body).unwrap()
}

#[test]
fn a_chat_request_says_the_same() {
    let (body, dropped) = sent(&json!({
        "model": "x", "stream": true, "max_tokens": 50, "temperature": 0.2, "seed": 1, "stop": "end", "logit_bias": {"1": 2},
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "What?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo", "detail": "low"}}]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"n\":1.0}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "out"},
            {"role": "developer", "content": "Still brief."}],
        "tools": [{"type": "function", "function": {"name": "f", "description": "d"}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
        "reasoning_effort": "low", "user": "u", "service_tier": "flex"}));
    let expected = json!({
        "model": "m", "instructions": "Be brief.",
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What?"},
                {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo", "detail": "low"}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"n\":1.0}"},
            {"type": "function_call_output", "call_id": "c1", "output": "out"},
            {"type": "message", "role": "developer", "content": "Still brief."}],
        "tools": [{"type": "function", "name": "f", "description": "d", "strict": false,
            "parameters": {"type": "object", "properties": {}}}],
        "tool_choice": {"type": "function", "name": "f"},
        "max_output_tokens": 50, "temperature": 0.2,
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
        "reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"],
        "safety_identifier": "u", "service_tier": "flex", "store": false, "stream": true});
    assert_eq!(body, expected);
    assert_eq!(dropped, ["logit_bias", "seed", "stop"]);
}

#[test]
fn reasoning_goes_back_to_its_makers_before_its_follower_only() {
    let own = |id: &str| json!({"type": "reasoning", "id": id, "encrypted_content": "E", "summary": [{"type": "summary_text", "text": "s"}]});
    let foreign = json!({"type": "reasoning", "format": "google-gemini-v1", "id": "g", "encrypted_content": "G", "summary": []});
    let unsigned = json!({"type": "reasoning", "id": "rs_3", "summary": [{"type": "summary_text", "text": "s"}]});
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let user = json!({"type": "message", "role": "user", "content": "u"});
    let said = json!({"type": "message", "role": "assistant", "content": "a"});
    let cases = [
        (vec![&user, &call], vec![&user, &call], false),
        (vec![&user, &foreign, &unsigned, &call], vec![&user, &call], false),
    ];
    for (input, expected, included) in cases {
        let body = again(&json!({ "input": input }));
        assert_eq!(body["input"], json!(expected));
        assert_eq!(body.get("include").is_some(), included);
    }
    let (first, second) = (own("rs_1"), own("rs_2"));
    let body = again(&json!({"input": [user, first, second, call, user, said, first, user]}));
    assert_eq!(body["input"], json!([user, first, second, call, user, said, user]));
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
}

#[test]
fn free_form_tools_and_their_results_stay_so() {
    let own = json!({
        "input": [
            {"type": "message", "role": "user", "content": "u"},
            {"type": "custom_tool_call", "call_id": "c", "name": "g", "input": "1 + 1"},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "2"}],
        "tools": [{"type": "custom", "name": "g", "format": {"type": "text"}},
            {"type": "web_search", "search_context_size": "low", "user_location": {"type": "approximate", "city": "Rome"}}],
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom", "name": "g"}]},
        "parallel_tool_calls": true, "store": false, "model": "m"});
    assert_eq!(again(&own), own);
}

#[test]
fn odd_settings() {
    let reasoning =
        |wanted: Value| again(&json!({"input": "u", "reasoning": wanted}))["reasoning"].clone();
    assert_eq!(reasoning(json!({"enabled": false})), json!({"effort": "none"}));
    assert_eq!(
        reasoning(json!({"max_tokens": 2048})),
        json!({"effort": "medium", "summary": "auto"})
    );
    assert_eq!(reasoning(json!({"summary": "auto"})), json!({"summary": "auto"}));
    assert_eq!(reasoning(json!({"enabled": true, "exclude": true})), json!({}));
    let idle = again(&json!({"input": "u", "tool_choice": "auto", "parallel_tool_calls": true}));
    assert_eq!(
        idle,
        json!({"model": "m", "store": false, "input": [{"type": "message", "role": "user", "content": "u"}]})
    );
    let logprobs = again(
        &json!({"input": "u", "top_logprobs": 2, "include": ["message.output_text.logprobs"]}),
    );
    assert_eq!(
        (&logprobs["top_logprobs"], &logprobs["include"]),
        (&json!(2), &json!(["message.output_text.logprobs"]))
    );
}

#[test]
fn models_that_always_reason_keep_it_through_a_tool_loop() {
    let text = r#"{"input":"u","tools":[{"type":"function","name":"f"}]}"#;
    let request = decode(text.as_bytes()).unwrap();
    let cases = [
        ("gpt-5-mini", true),
        ("openai.gpt-5.5", true),
        ("o4-mini", true),
        ("gpt-5-chat-latest", false),
        ("gpt-4o", false),
    ];
    for (model, expected) in cases {
        let body = encode(&request, Target::new(model)).unwrap().body;
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body.get("include").is_some(), expected, "{model}");
    }
}

#[test]
fn what_changes_the_answer_is_refused() {
    let user =
        |part: Value| json!([{"role": "user", "content": [{"type": "text", "text": "u"}, part]}]);
    let cases = [
        (json!({"n": 2, "messages": [{"role": "user", "content": "u"}]}), "n"),
        (
            json!({"modalities": ["text", "audio"], "messages": [{"role": "user", "content": "u"}]}),
            "modalities",
        ),
        (
            json!({"messages": user(json!({"type": "video_url", "video_url": {"url": "https://x/v.mp4"}}))}),
            "messages[0].content[1]",
        ),
        (
            json!({"messages": user(json!({"type": "file", "file": {"file_id": "files/abc"}}))}),
            "messages[0].content[1]",
        ),
    ];
    for (chat, param) in cases {
        let text = chat.to_string();
        let request = openai_chat::request::decode(text.as_bytes()).unwrap();
        let error = encode(&request, Target::new("m")).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param));
    }
}
