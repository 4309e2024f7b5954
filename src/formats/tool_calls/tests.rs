//! Calls are gathered the same, whichever way an answer takes.

use super::*;
use crate::chat::event::Event;
use crate::formats::answer::Calls;
use crate::formats::tool_names::ToolNames;
use crate::formats::translator::Translator;
use crate::formats::{AnswerLabel, ApiFormat, Framing, Shape, answer};
use bytes::Bytes;
use serde_json::{Value, json};
use std::borrow::Cow;

fn label() -> AnswerLabel {
    AnswerLabel {
        id: "gen-1".into(),
        model: Some("m".into()),
        provider: "P".into(),
        created_s: 1,
        include_usage: true,
        exclude_reasoning: false,
        shape: Shape::Maker,
        charges: None,
    }
}

/// A chat answer with two calls at once, whose arguments come in pieces and in turns.
fn openai_stream() -> String {
    let delta = |calls: Value| json!({ "id": "x", "model": "m", "choices": [{ "index": 0, "delta": { "tool_calls": calls } }] });
    let chunks = [
        delta(json!([{ "index": 0, "id": "a", "type": "function",
            "function": { "name": "weather", "arguments": "" } }])),
        delta(json!([{ "index": 0, "function": { "arguments": "{\"city\":" } }])),
        delta(json!([{ "index": 1, "id": "b", "type": "function",
            "function": { "name": "time", "arguments": "{" } }])),
        delta(json!([{ "index": 0, "function": { "arguments": "\"R\\u00f6m\"}" } }])),
        delta(json!([{ "index": 1, "function": { "arguments": "}" } }])),
        json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "tool_calls" }] }),
    ];
    let events: Vec<String> = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    events.concat() + "data: [DONE]\n\n"
}

/// The same of Anthropic's.
fn anthropic_stream() -> String {
    let start = |index, name: &str| {
        json!({ "type": "content_block_start", "index": index,
            "content_block": { "type": "tool_use", "id": name, "name": name, "input": {} } })
    };
    let delta = |index, json: &str| {
        json!({ "type": "content_block_delta", "index": index,
            "delta": { "type": "input_json_delta", "partial_json": json } })
    };
    let events = [
        json!({ "type": "message_start", "message": { "id": "x", "type": "message",
            "role": "assistant", "model": "m", "content": [], "usage": { "input_tokens": 1, "output_tokens": 1 } } }),
        start(0, "weather"),
        delta(0, "{\"city\":"),
        delta(0, "\"R\\u00f6m\"}"),
        json!({ "type": "content_block_stop", "index": 0 }),
        start(1, "time"),
        delta(1, "{}"),
        json!({ "type": "content_block_stop", "index": 1 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use" }, "usage": { "output_tokens": 9 } }),
        json!({ "type": "message_stop" }),
    ];
    let named =
        |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    events.iter().map(named).collect()
}

fn told(calls: Option<Box<GatheredCalls>>) -> Vec<(String, String)> {
    let calls = calls.unwrap().into_calls().unwrap();
    calls.into_iter().map(|call| (call.name, call.arguments)).collect()
}

#[test]
fn streams_that_pass_and_streams_that_are_translated() {
    use ApiFormat::{Anthropic, OpenAiChat, OpenAiResponses};
    let expected = [("weather", "{\"city\":\"R\\u00f6m\"}"), ("time", "{}")];
    let expected = expected.map(|(name, arguments)| (name.to_owned(), arguments.to_owned()));
    let streams = [(OpenAiChat, openai_stream()), (Anthropic, anthropic_stream())];
    for (upstream, stream) in &streams {
        for client in [OpenAiChat, Anthropic, OpenAiResponses] {
            for piece in [1, 7, stream.len()] {
                let label = label();
                let new =
                    || Translator::new(*upstream, client, Framing::Sse, label.clone()).unwrap();
                let (mut gathering, mut plain) = (new().with_tool_calls(), new());
                for bytes in stream.as_bytes().chunks(piece) {
                    let bytes = Bytes::copy_from_slice(bytes);
                    let passed = gathering.push(bytes.clone()).unwrap();
                    assert_eq!(passed, plain.push(bytes).unwrap(), "the client sees the same");
                }
                gathering.finish().unwrap();
                assert_eq!(told(gathering.take_tool_calls()), expected, "{upstream:?} {client:?}");
                assert!(gathering.take_tool_calls().is_none() && plain.take_tool_calls().is_none());
            }
        }
    }
}

#[test]
fn whole_answers() {
    use ApiFormat::{Anthropic, OpenAiChat};
    let body = json!({ "id": "x", "object": "chat.completion", "model": "m", "choices": [{
        "index": 0, "finish_reason": "tool_calls", "message": { "role": "assistant", "content": null,
            "tool_calls": [{ "id": "a", "type": "function",
                "function": { "name": "f", "arguments": "not json" } }] } }] });
    let plain = json!({ "id": "x", "model": "m", "choices": [{
        "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": "hi" } }] });
    for client in [OpenAiChat, Anthropic] {
        let relay = |body: &Value| {
            let body = Bytes::from(body.to_string());
            let how = (&ToolNames::default(), Calls::Gathered);
            answer::relay_renamed((OpenAiChat, client), body, &label(), how).unwrap().observed
        };
        let calls = told(relay(&body).tool_calls);
        assert_eq!(calls, [("f".to_owned(), "not json".to_owned())], "{client:?}");
        assert!(relay(&plain).tool_calls.is_none());
    }
}

#[test]
fn too_much_is_not_judged_by_a_part() {
    let arguments = |text: &str| {
        let json = Cow::Owned(text.to_owned());
        Event::ToolCallArguments { choice: 0, call: 0, json }
    };
    let start = |call| Event::ToolCallStart {
        choice: 0,
        call,
        id: "i".into(),
        name: "f".into(),
        custom: false,
    };
    let mut gathered = GatheredCalls::default();
    assert!(gathered.is_empty());
    gathered.event(&start(0));
    gathered.event(&arguments(&"x".repeat(MAX_CALL_BYTES - 1)));
    assert_eq!(gathered.clone().into_calls().map(|calls| calls.len()), Some(1));
    gathered.event(&arguments("x"));
    gathered.event(&start(1));
    assert!(!gathered.is_empty());
    assert_eq!((gathered.count(), gathered.into_calls()), (1, None));
    let mut many = GatheredCalls::default();
    (0..u32::try_from(MAX_CALLS).unwrap()).for_each(|call| many.event(&start(call)));
    assert_eq!(many.clone().into_calls().map(|calls| calls.len()), Some(MAX_CALLS));
    many.event(&start(1_000));
    assert_eq!(many.into_calls(), None);
}
