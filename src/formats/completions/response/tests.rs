//! Tests of whole legacy answers: their members, and that what a chat answer says is in them.

use super::*;
use crate::chat::FinishReason;
use crate::chat::message::{Reasoning, ReasoningKind};
use crate::chat::tool::ToolCall;
use crate::formats::{ApiFormat, decode_response, encode_response};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::sync::Arc;

fn label() -> AnswerLabel {
    AnswerLabel {
        id: Arc::from("gen-1-abc"),
        model: Some(Arc::from("acme/model")),
        provider: Arc::from("Acme"),
        created_s: 7,
        include_usage: true,
        exclude_reasoning: false,
        shape: crate::formats::Shape::Maker,
        charges: None,
    }
}

fn text(text: &str) -> Part<'_> {
    Part::Text { text: Cow::Borrowed(text), cache: None }
}

fn choice(parts: Vec<Part<'_>>, finish: FinishReason) -> Choice<'_> {
    let (citations, logprobs) = (Vec::new(), None);
    Choice { index: 0, parts, finish, native_finish: None, citations, logprobs }
}

fn encoded(choices: Vec<Choice<'_>>) -> Value {
    let response = Response { choices, ..Response::default() };
    let body = encode_response(ApiFormat::Completions, &response, &label()).unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn a_chat_answer_becomes_a_completion() {
    let chat = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "up",
        "choices": [
            {"index": 0, "finish_reason": "stop",
             "message": {"role": "assistant", "content": "\"4\"\n", "reasoning": "2 and 2"},
             "logprobs": {"content": [
                {"token": "\"4", "bytes": [34, 52], "logprob": -0.250, "top_logprobs": [
                    {"token": "\"4", "logprob": -0.250, "bytes": null},
                    {"token": "\"5", "logprob": -9.75, "bytes": null},
                    {"token": "\"5", "logprob": -9.80, "bytes": null}]},
                {"token": "ü", "bytes": null, "logprob": null, "top_logprobs": []},
                {"token": "\n", "bytes": [10], "logprob": -0, "top_logprobs": []}]}},
            {"index": 1, "finish_reason": "length", "message": {"role": "assistant", "content": "5"}},
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
    });
    let body = chat.to_string();
    let mut response = decode_response(ApiFormat::OpenAiChat, body.as_bytes()).unwrap();
    let by_token = chat["choices"][0]["logprobs"].to_string();
    // Set here too, so that this test is about writing alone.
    response.choices[0].logprobs = Some(Cow::Owned(RawValue::from_string(by_token).unwrap()));
    let body = encode(&response, &label());
    let sent: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        sent,
        json!({
            "id": "gen-1-abc", "object": "text_completion", "created": 7, "model": "acme/model",
            "provider": "Acme",
            "choices": [
                {"text": "\"4\"\n", "index": 0, "finish_reason": "stop",
                 "native_finish_reason": "stop",
                 "logprobs": {
                    "tokens": ["\"4", "ü", "\n"], "token_logprobs": [-0.25, null, 0],
                    "top_logprobs": [{"\"4": -0.25, "\"5": -9.75}, {}, {}],
                    "text_offset": [0, 2, 3]}},
                {"text": "5", "index": 1, "logprobs": null, "finish_reason": "length",
                 "native_finish_reason": "length"},
            ],
            "usage": sent["usage"],
        })
    );
    assert_eq!(sent["usage"]["prompt_tokens"], 9);
    assert_eq!(sent["usage"]["completion_tokens"], 2);
    assert_eq!(sent["usage"]["total_tokens"], 11);
    let twice = std::str::from_utf8(&body).unwrap().matches("\"\\\"5\"").count();
    assert_eq!(twice, 1, "a member occurs twice");
}

#[test]
fn what_has_no_place_is_left_out_and_a_refusal_is_text() {
    let call = ToolCall {
        id: Cow::Borrowed("c"),
        name: Cow::Borrowed("f"),
        arguments: Cow::Borrowed("{}"),
        custom: false,
        signature: None,
    };
    let thought = Reasoning {
        kind: ReasoningKind::Text,
        text: Cow::Borrowed("hm"),
        signature: None,
        format: None,
        id: None,
    };
    let refusal = Part::Refusal { text: Cow::Borrowed("No.") };
    for (parts, finish, said, word) in [
        (vec![], FinishReason::Stop, "", "stop"),
        (vec![text("a"), text("b")], FinishReason::Length, "ab", "length"),
        (
            vec![Part::Reasoning(thought), text("a"), Part::ToolCall(call)],
            FinishReason::ToolCalls,
            "a",
            "stop",
        ),
        (vec![refusal], FinishReason::ContentFilter, "No.", "content_filter"),
        (vec![text("a")], FinishReason::Error, "a", "error"),
    ] {
        let sent = encoded(vec![choice(parts, finish)]);
        assert_eq!(sent["choices"][0]["text"], said);
        assert_eq!(sent["choices"][0]["finish_reason"], word);
        assert_eq!(sent["choices"][0].as_object().unwrap().len(), 5);
    }
}

#[test]
fn log_probabilities_without_sense_are_null_and_numbers_stay_as_written() {
    for (by_token, expected) in [
        (r#"{"content":null}"#, "null"),
        (r#"{"content":[]}"#, "null"),
        ("[1]", "null"),
        (
            r#"{"content":[{"token":"a","logprob":{}}]}"#,
            r#"{"tokens":["a"],"token_logprobs":[null],"top_logprobs":null,"text_offset":[0]}"#,
        ),
        (r#"{"content":[{"logprob":1}]}"#, "null"),
        (
            r#"{"content":[{"token":"a","logprob":-1e400}],"refusal":[{"token":"b","logprob":-2.50}]}"#,
            r#"{"tokens":["a","b"],"token_logprobs":[-1e400,-2.50],"top_logprobs":null,"text_offset":[0,1]}"#,
        ),
    ] {
        let raw = RawValue::from_string(by_token.to_owned()).unwrap();
        let mut out = BytesMut::new();
        logprobs::write(&raw, &mut 0, &mut out);
        assert_eq!(out, expected, "{by_token}");
    }
}
