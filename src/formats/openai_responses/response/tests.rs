//! Whole answers there and back, beyond what recordings show.

use super::*;
use crate::chat::message::{Media, Part, Reasoning, ReasoningKind};
use crate::chat::response::{Choice, Citation};
use crate::chat::tool::ToolCall;
use crate::chat::{FinishReason, Response, Usage};
use crate::error::Kind;
use crate::formats::carried::Carried;
use crate::formats::openai_responses::corpus::label;
use crate::formats::openai_responses::heard::Heard;
use crate::formats::{AnswerLabel, ApiFormat, StreamFault, answer};
use bytes::Bytes;
use serde_json::{Value, json};

fn piece(kind: ReasoningKind, text: &str, signature: Option<&str>, format: &str) -> Part<'static> {
    Part::Reasoning(Reasoning {
        kind,
        text: text.to_owned().into(),
        signature: signature.map(|data| data.to_owned().into()),
        format: Some(format.to_owned().into()),
        id: None,
    })
}

fn text(text: &str) -> Part<'static> {
    Part::Text { text: text.to_owned().into(), cache: None }
}

fn answer_of(parts: Vec<Part<'static>>) -> Response<'static> {
    let citation =
        |url: &'static str, start, end| Citation { url: url.into(), title: "".into(), start, end };
    let first = Choice {
        index: 0,
        parts,
        finish: FinishReason::Stop,
        native_finish: None,
        citations: vec![citation("u", 0, 2), citation("v", 3, 4), citation("w", 90, 91)],
        logprobs: None,
    };
    let other = Choice { index: 1, parts: vec![text("other")], ..first.clone() };
    let usage = Usage { prompt: Some(2), completion: Some(1), ..Usage::default() };
    Response { id: Some("msg_1".into()), choices: vec![other, first], usage, ..Response::default() }
}

fn written(parts: Vec<Part<'static>>, label: &AnswerLabel) -> Value {
    serde_json::from_slice(&encode(&answer_of(parts), label)).unwrap()
}

#[test]
fn parts_become_items() {
    let call = ToolCall {
        id: "c1".into(),
        name: "f".into(),
        arguments: "".into(),
        custom: false,
        signature: Some("G".into()),
    };
    let custom = ToolCall {
        custom: true,
        arguments: "x".into(),
        signature: None,
        id: "c2".into(),
        ..call.clone()
    };
    let image = Media::Base64 { mime: "image/webp".into(), data: "UklGR".into() };
    let body = written(
        vec![
            piece(ReasoningKind::Text, "t", Some("S"), "anthropic-claude-v1"),
            piece(ReasoningKind::Summary, "s1", None, "openai-responses-v1"),
            piece(ReasoningKind::Summary, "s2", None, "openai-responses-v1"),
            piece(ReasoningKind::Encrypted, "", Some("E"), "openai-responses-v1"),
            text("a"),
            text("bé"),
            Part::Refusal { text: "no".into() },
            Part::ToolCall(call),
            Part::ToolCall(custom),
            text("c"),
            Part::Image { source: image, detail: None, cache: None },
        ],
        &label(),
    );
    let note = |url: &str, start: u64, end: u64| json!({"type": "url_citation", "start_index": start, "end_index": end, "url": url, "title": ""});
    let part = |text: &str, notes: Value| json!({"type": "output_text", "text": text, "annotations": notes, "logprobs": []});
    let message = |id: &str, content: Value| json!({"id": id, "type": "message", "status": "completed", "role": "assistant", "content": content});
    let pack = |format: &str, id: &str, encrypted, data: &str| {
        Carried { format: format.into(), id: id.into(), encrypted, data: data.into() }.pack()
    };
    let expected = json!([
        {"type": "reasoning", "id": "rs_1abc00", "summary": [], "content": [{"type": "reasoning_text", "text": "t"}],
            "encrypted_content": pack("anthropic-claude-v1", "", false, "S")},
        {"type": "reasoning", "id": "rs_1abc01", "encrypted_content": "E",
            "summary": [{"type": "summary_text", "text": "s1"}, {"type": "summary_text", "text": "s2"}]},
        message("msg_1abc02", json!([part("abé", json!([note("u", 0, 2)])), {"type": "refusal", "refusal": "no"}])),
        {"type": "reasoning", "id": "rs_1abc03", "summary": [], "encrypted_content": pack("google-gemini-v1", "c1", true, "G")},
        {"id": "fc_1abc04", "type": "function_call", "status": "completed", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"id": "ctc_1abc05", "type": "custom_tool_call", "status": "completed", "call_id": "c2", "name": "f", "input": "x"},
        message("msg_1abc06", json!([part("c", json!([note("v", 0, 1), note("w", 87, 88)]))])),
        {"id": "ig_1abc07", "type": "image_generation_call", "status": "completed", "output_format": "webp", "result": "UklGR"},
    ]);
    assert_eq!(body["output"], expected);
    let head =
        ["id", "object", "created_at", "status", "model", "store"].map(|key| body[key].clone());
    assert_eq!(json!(head), json!(["resp_1abc", "response", 1, "completed", "acme/model", false]));
    assert_eq!(body["usage"]["total_tokens"], 3);
}

#[test]
fn withheld_reasoning_leaves_its_signature() {
    let label = AnswerLabel { exclude_reasoning: true, ..label() };
    let parts = vec![
        piece(ReasoningKind::Text, "secret", Some("S"), "anthropic-claude-v1"),
        piece(ReasoningKind::Text, "secret", None, "unknown"),
        text("a"),
    ];
    let body = written(parts, &label);
    assert!(!body.to_string().contains("secret"));
    assert_eq!(body["output"].as_array().unwrap().len(), 2);
    assert!(body["output"][0]["encrypted_content"].is_string());
}

#[test]
fn log_probabilities_come_back() {
    let body = br#"{"status":"completed","output":[{"type":"message","content":[
        {"type":"output_text","text":"ab","annotations":[],"logprobs":[{"token":"a","logprob":-0.10}]},
        {"type":"output_text","text":"c","logprobs":[{"token":"c","logprob":0}]}]}]}"#;
    let read = decode(body).unwrap();
    let logprobs = read.choices[0].logprobs.as_deref().unwrap().get();
    assert_eq!(
        logprobs,
        r#"{"content":[{"token":"a","logprob":-0.10},{"token":"c","logprob":0}]}"#
    );
    let written = encode(&read, &label());
    let again = decode(&written).unwrap();
    assert_eq!(again.choices[0].logprobs.as_deref().unwrap().get(), logprobs);
    assert_eq!(Heard::whole(&again).text, "abc");
}

#[test]
fn what_is_no_answer_is_a_fault() {
    let relay = |body: &str| {
        let own = ApiFormat::OpenAiResponses;
        answer::relay(own, ApiFormat::OpenAiChat, Bytes::from(body.to_owned()), &label())
    };
    let failed =
        r#"{"status":"failed","error":{"code":"rate_limit_exceeded","message":"m"},"output":[]}"#;
    let Err(StreamFault::Upstream(failure)) = relay(failed) else { panic!() };
    assert_eq!((failure.kind, failure.message.as_deref()), (Kind::RateLimitExceeded, Some("m")));
    for body in [
        r#"{"status":"failed","error":null,"output":[]}"#,
        r#"{"status":"cancelled","output":[]}"#,
        r#"{"detail":"odd"}"#,
        r#"{"output":null}"#,
        "[]",
        "<html>",
    ] {
        assert!(matches!(relay(body), Err(StreamFault::Malformed(_))), "{body}");
    }
}

#[test]
fn ends_of_every_kind() {
    let cases = [
        (r#""status":"completed""#, FinishReason::Stop, "completed"),
        (
            r#""status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}"#,
            FinishReason::Length,
            "max_output_tokens",
        ),
        (
            r#""status":"incomplete","incomplete_details":{"reason":"content_filter"}"#,
            FinishReason::ContentFilter,
            "content_filter",
        ),
        (r#""status":"incomplete","incomplete_details":null"#, FinishReason::Length, "incomplete"),
        (r#""status":"curious""#, FinishReason::Stop, "curious"),
    ];
    for (members, finish, native) in cases {
        let body = format!(r#"{{{members},"output":[]}}"#);
        let read = decode(body.as_bytes()).unwrap();
        assert_eq!(
            (read.choices[0].finish, read.choices[0].native_finish.as_deref()),
            (finish, Some(native))
        );
    }
}
