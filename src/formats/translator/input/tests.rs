//! Tests of streams in binary frames: events of other makers' formats inside Bedrock's frames.

use crate::error::Kind;
use crate::formats::bedrock::event_stream::tests as frames;
use crate::formats::bedrock::recordings;
use crate::formats::translator::Translator;
use crate::formats::{AnswerLabel, ApiFormat, Framing, Observed, StreamFault};
use crate::sse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
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

fn wrapped(json: &[u8]) -> Vec<u8> {
    let payload = format!("{{\"bytes\":\"{}\",\"p\":\"abcdef\"}}", STANDARD.encode(json));
    frames::event("chunk", payload.as_bytes())
}

/// The data of each server-sent event.
fn events(body: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = sse::Frames::new();
    // Some recordings lack the last blank line.
    frames.push(Bytes::from([body, b"\n\n"].concat()));
    let mut events = Vec::new();
    while let Some(frame) = frames.next().unwrap() {
        events.extend(sse::parse(&frame).map(|event| event.data.into_owned()));
    }
    events
}

fn relayed(
    client: ApiFormat,
    framing: Framing,
    body: &[u8],
    size: usize,
) -> Result<(Vec<u8>, Observed), StreamFault> {
    let relay = Translator::new(ApiFormat::Anthropic, client, Framing::Sse, label()).unwrap();
    let mut relay = relay.with_upstream_framing(framing);
    let mut sent = Vec::new();
    for chunk in body.chunks(size) {
        sent.extend_from_slice(&relay.push(Bytes::copy_from_slice(chunk))?);
    }
    sent.extend_from_slice(&relay.finish()?);
    Ok((sent, relay.observed().clone()))
}

/// Recorded streams of Anthropic's that are whole.
fn anthropic_streams() -> Vec<(String, Vec<u8>)> {
    let streams = recordings::load("anthropic-messages").into_iter();
    let whole = |body: &[u8]| {
        let text = String::from_utf8_lossy(body);
        text.matches("event: message_start").count() == 1
            && text.contains("event: message_stop")
            && !text.contains("event: error")
    };
    streams.filter(|r| r.status == 200 && whole(&r.body)).map(|r| (r.id, r.body)).collect()
}

#[test]
fn wrapped_events_mean_what_plain_ones_mean() {
    for (id, body) in anthropic_streams() {
        let binary: Vec<u8> = events(&body).iter().flat_map(|event| wrapped(event)).collect();
        let plain = relayed(ApiFormat::OpenAiChat, Framing::Sse, &body, usize::MAX).unwrap();
        for size in [usize::MAX, 1000, 7] {
            let read = relayed(ApiFormat::OpenAiChat, Framing::EventStream, &binary, size).unwrap();
            assert_eq!(read.0, plain.0, "{id} by {size}");
            assert_eq!(format!("{:?}", read.1), format!("{:?}", plain.1), "{id} by {size}");
        }
    }
}

#[test]
fn wrapped_events_reach_an_anthropic_client_unchanged_but_for_the_model() {
    for (id, body) in anthropic_streams() {
        let given = events(&body);
        let binary: Vec<u8> = given.iter().flat_map(|event| wrapped(event)).collect();
        for size in [usize::MAX, 7] {
            let (sent, observed) =
                relayed(ApiFormat::Anthropic, Framing::EventStream, &binary, size).unwrap();
            assert!(observed.ended && observed.usage.completion.is_some(), "{id}");
            let got = events(&sent);
            // What a provider sends after its own end goes nowhere.
            assert!(got.len() <= given.len() && !got.is_empty(), "{id}");
            for (got, given) in got.iter().zip(&given) {
                let mut expected: Value = serde_json::from_slice(given).unwrap();
                if expected["message"]["model"].is_string() {
                    expected["message"]["model"] = "acme/model".into();
                } else {
                    assert_eq!(got, given, "{id}");
                }
                assert_eq!(serde_json::from_slice::<Value>(got).unwrap(), expected, "{id}");
                let name = expected["type"].as_str().unwrap();
                let line = format!("event: {name}\ndata: ");
                assert!(String::from_utf8_lossy(&sent).contains(&line), "{id}");
            }
        }
    }
}

const START: &str =
    r#"{"type":"message_start","message":{"id":"m","model":"x","usage":{"input_tokens":3}}}"#;
const STOP: &str = r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{}}"#;

#[test]
fn exceptions_are_the_providers_errors() {
    let exception = frames::frame(
        &[(":exception-type", "throttlingException"), (":message-type", "exception")],
        b"{\"message\":\"slow down\"}",
    );
    let error = frames::frame(
        &[
            (":message-type", "error"),
            (":error-code", "InternalFailure"),
            (":error-message", "broken"),
        ],
        b"",
    );
    for (upstream, client) in [
        (ApiFormat::Bedrock, ApiFormat::OpenAiChat),
        (ApiFormat::Anthropic, ApiFormat::OpenAiChat),
        (ApiFormat::Anthropic, ApiFormat::Anthropic),
    ] {
        for (frame, kind, message) in [
            (&exception, Kind::RateLimitExceeded, "slow down"),
            (&error, Kind::ProviderUnavailable, "broken"),
        ] {
            let relay = Translator::new(upstream, client, Framing::Sse, label()).unwrap();
            let mut relay = relay.with_upstream_framing(Framing::EventStream);
            match relay.push(Bytes::from(frame.clone())) {
                Err(StreamFault::Upstream(failure)) => {
                    assert_eq!(failure.kind, kind);
                    assert_eq!(failure.message.as_deref(), Some(message));
                }
                other => panic!("{other:?}"),
            }
        }
    }
    let ended = [wrapped(START.as_bytes()), wrapped(STOP.as_bytes()), exception].concat();
    let late = relayed(ApiFormat::Anthropic, Framing::EventStream, &ended, usize::MAX);
    assert!(late.is_ok_and(|(_, observed)| observed.ended));
}

#[test]
fn frames_without_an_event_are_faults_or_nothing() {
    for payload in ["", "{}", "{\"bytes\":1}", "{\"bytes\":\"*\"}", "[]"] {
        let frame = frames::event("chunk", payload.as_bytes());
        let read = relayed(ApiFormat::OpenAiChat, Framing::EventStream, &frame, usize::MAX);
        assert!(matches!(read, Err(StreamFault::Malformed(_))), "{payload}");
    }
    let other = frames::event("initial-response", b"{}");
    let stream = [other, wrapped(START.as_bytes()), wrapped(STOP.as_bytes())].concat();
    assert!(relayed(ApiFormat::OpenAiChat, Framing::EventStream, &stream, 5).is_ok());
    let torn = stream.split_at(stream.len() - 1).0;
    for client in [ApiFormat::OpenAiChat, ApiFormat::Anthropic] {
        let read = relayed(client, Framing::EventStream, torn, usize::MAX);
        assert!(matches!(read, Err(StreamFault::Truncated)));
    }
}
