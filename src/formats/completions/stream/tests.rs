//! Tests of legacy streams: chunks, ends and errors, and streams translated from chat recordings.

use super::*;
use crate::chat::message::ReasoningKind;
use crate::error::Kind;
use crate::formats::ApiFormat;
use crate::formats::translator::Translator;
use bytes::Bytes;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::sync::Arc;

fn label(include_usage: bool) -> AnswerLabel {
    AnswerLabel {
        id: Arc::from("gen-1-abc"),
        model: None,
        provider: Arc::from("Acme"),
        created_s: 7,
        include_usage,
        exclude_reasoning: false,
        shape: crate::formats::Shape::Maker,
        charges: None,
    }
}

fn text(choice: u32, text: &str) -> Event<'_> {
    Event::Text { choice, text: Cow::Borrowed(text) }
}

fn finish(choice: u32, reason: FinishReason) -> Event<'static> {
    Event::Finish { choice, reason, native: Some(Cow::Borrowed("word")) }
}

/// The chunks of a well-formed stream, without the end marker.
fn chunks(sent: &[u8]) -> Vec<Value> {
    let sent = std::str::from_utf8(sent).unwrap();
    let body = sent.strip_suffix("data: [DONE]\n\n").expect(sent);
    body.split_terminator("\n\n")
        .map(|frame| serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap())
        .collect()
}

fn written(include_usage: bool, events: &[Event<'_>]) -> Vec<Value> {
    let (mut encoder, mut out) =
        (Encoder::new(label(include_usage), Framing::Sse), BytesMut::new());
    for event in events {
        encoder.event(event, &mut out);
    }
    encoder.finish(&mut out);
    encoder.finish(&mut out);
    encoder.fail(&GatewayError::client(Kind::Server, "late"), "req", &mut out);
    chunks(&out)
}

#[test]
fn text_finish_usage_and_end_are_written_in_order() {
    let by_token = |token: &str| {
        let json = format!(r#"{{"content":[{{"token":"{token}","logprob":-1.50}}]}}"#);
        Event::Logprobs { choice: 0, json: Cow::Owned(RawValue::from_string(json).unwrap()) }
    };
    let usage = Usage { prompt: Some(3), completion: Some(2), ..Usage::default() };
    let sent = written(
        true,
        &[
            Event::Start { id: Some(Cow::Borrowed("up")), model: Some(Cow::Borrowed("m-1")) },
            text(0, "üb"),
            by_token("üb"),
            text(0, ""),
            finish(0, FinishReason::Length),
            Event::Usage(usage),
            text(1, "x"),
            by_token("er"),
            Event::End,
        ],
    );
    let chunk = |choices: Value| {
        json!({"id": "gen-1-abc", "object": "text_completion", "created": 7, "model": "m-1",
            "provider": "Acme", "choices": choices})
    };
    let piece = |text: &str, index: u32, logprobs: Value| {
        chunk(json!([{"text": text, "index": index, "logprobs": logprobs, "finish_reason": null}]))
    };
    let tokens = |token: &str, offset: u32| {
        json!({"tokens": [token], "token_logprobs": [-1.5], "top_logprobs": null,
            "text_offset": [offset]})
    };
    let end = |index: u32, reason: &str, native: Value| {
        chunk(json!([{"text": "", "index": index, "logprobs": null, "finish_reason": reason,
            "native_finish_reason": native}]))
    };
    let mut usage = chunk(json!([]));
    usage["usage"] = sent.last().unwrap()["usage"].clone();
    assert_eq!(
        sent,
        [
            piece("üb", 0, Value::Null),
            piece("", 0, tokens("üb", 0)),
            piece("x", 1, Value::Null),
            piece("", 0, tokens("er", 2)),
            end(0, "length", json!("word")),
            end(1, "stop", Value::Null),
            usage,
        ]
    );
    assert_eq!(sent[6]["usage"]["total_tokens"], 5);
}

#[test]
fn an_answer_of_other_things_is_an_empty_text() {
    let (id, name) = (Cow::Borrowed("c"), Cow::Borrowed("f"));
    let sent = written(
        false,
        &[
            Event::Reasoning {
                choice: 0,
                text: Cow::Borrowed("hm"),
                kind: ReasoningKind::Text,
                format: "x",
                block: 0,
            },
            Event::ToolCallStart { choice: 0, call: 0, id, name, custom: false },
            Event::ToolCallArguments { choice: 0, call: 0, json: Cow::Borrowed("{}") },
            Event::ToolCallEnd { choice: 0, call: 0 },
            finish(0, FinishReason::ToolCalls),
        ],
    );
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["choices"][0]["text"], "");
    assert_eq!(sent[0]["choices"][0]["finish_reason"], "stop");
    assert_eq!(written(false, &[])[0]["choices"][0]["finish_reason"], "stop");
    assert_eq!(
        written(false, &[Event::Refusal { choice: 0, text: Cow::Borrowed("No.") }]).len(),
        2
    );
}

#[test]
fn an_error_ends_the_stream() {
    let (mut encoder, mut out) = (Encoder::new(label(true), Framing::Sse), BytesMut::new());
    encoder.event(&text(0, "a"), &mut out);
    let error = GatewayError::client(Kind::RateLimitExceeded, "slow \"down\"");
    encoder.fail(&error, "req", &mut out);
    encoder.finish(&mut out);
    let sent = chunks(&out);
    assert_eq!(sent.len(), 2);
    assert_eq!(
        sent[1]["error"],
        json!({"code": 429, "message": "slow \"down\"", "metadata":
            {"error_type": "rate_limit_exceeded", "provider_name": "Acme"}})
    );
    assert_eq!(
        sent[1]["choices"],
        json!([{"text": "", "index": 0, "logprobs": null, "finish_reason": "error"}])
    );
}

#[test]
fn alternatives_beyond_the_limit_are_left_out() {
    let events: Vec<_> = (0..1_000).map(|choice| text(choice, "x")).collect();
    let sent = written(false, &events);
    assert_eq!(sent.len(), 2 * MAX_CHOICES);
}

/// Recorded streams of chat models arrive as the text that a chat client would get.
#[test]
fn recorded_streams_keep_their_text() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/wire/corpus");
    let mut seen = 0;
    for (folder, format) in [
        ("openai-chat", ApiFormat::OpenAiChat),
        ("anthropic-messages", ApiFormat::Anthropic),
        ("google-generate", ApiFormat::Gemini),
    ] {
        let Ok(files) = std::fs::read_dir(format!("{corpus}/{folder}")) else { return };
        for file in files {
            let recording: Value =
                serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
            let body = recording["response"]["body"].as_str().unwrap_or_default();
            let is_stream = body.starts_with("data: {") || body.starts_with("event: message_start");
            if !is_stream {
                continue;
            }
            let Some(sent) = relayed(format, ApiFormat::Completions, body) else { continue };
            let said: String =
                sent.iter().map(|chunk| word(&chunk["choices"][0]["text"])).collect();
            let chat = relayed(format, ApiFormat::OpenAiChat, body).unwrap();
            let deltas = chat.iter().map(|chunk| &chunk["choices"][0]["delta"]);
            let expected: String = deltas
                .flat_map(|delta| [word(&delta["content"]), word(&delta["refusal"])])
                .collect();
            assert_eq!(said, expected, "{}", recording["id"]);
            seen += usize::from(!said.is_empty());
        }
    }
    assert!(seen > 100, "{seen}");
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The chunks of a whole stream; nothing if the recording ends in an error.
fn relayed(upstream: ApiFormat, client: ApiFormat, body: &str) -> Option<Vec<Value>> {
    let mut relay = Translator::new(upstream, client, Framing::Sse, label(true)).unwrap();
    let mut sent = relay.push(Bytes::from(body.to_owned())).ok()?.to_vec();
    sent.extend_from_slice(&relay.finish().ok()?);
    // A recording of the client's own format keeps its form.
    Some(if upstream == client { untouched(&sent) } else { chunks(&sent) })
}

/// The chunks of a stream as recorded, however it is separated.
fn untouched(sent: &[u8]) -> Vec<Value> {
    let lines = std::str::from_utf8(sent).unwrap().lines();
    let data = lines.filter_map(|line| line.strip_prefix("data:"));
    data.filter_map(|data| serde_json::from_str(data).ok()).collect()
}
