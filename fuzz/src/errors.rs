//! Error answers of providers: read without harm, bounded, and told to every client in its form.

use super::{PROVIDERS, assert_bounded, parts, pick};
use arouter::error::{GatewayError, Kind};
use arouter::formats::gemini::array::Place;
use arouter::formats::{anthropic, decode_error, gemini, openai_chat};
use bytes::BytesMut;
use serde_json::Value;

/// Longest message and code that are kept, in characters.
const MAX_MESSAGE_CHARACTERS: usize = 8_192;

/// One error answer.
pub fn run(data: &[u8]) {
    let Some((decisions, body)) = parts(data) else { return };
    let provider = pick(PROVIDERS, decisions[0]);
    let status = 200 + u16::from_le_bytes([decisions[1], decisions[2]]) % 400;
    let failure = decode_error(provider, status, body);
    assert!((400..600).contains(&failure.kind.status()), "{failure:?}");
    assert_ne!(failure.kind, Kind::ClientClosed);
    for text in [&failure.message, &failure.code].into_iter().flatten() {
        assert!(text.chars().count() <= MAX_MESSAGE_CHARACTERS, "{} characters", text.len());
    }
    let message = failure.message.unwrap_or_default();
    let mut error = GatewayError::upstream(failure.kind, message)
        .with_retry_after(failure.retry_after)
        .with_param(String::from_utf8_lossy(body).into_owned());
    error.provider_code = failure.code.map(Into::into);
    told(&error, body.len());
}

/// Every client's form of the error is JSON, also inside a stream.
fn told(error: &GatewayError, read: usize) {
    let request_id = "req-\"1\"";
    let mut replies = vec![
        openai_chat::error::encode(error, openai_chat::error::Dialect::ArouterV1, request_id),
        openai_chat::error::encode(error, openai_chat::error::Dialect::OpenRouter, request_id),
        anthropic::error::encode(error, request_id),
        gemini::error::encode(error, request_id),
    ];
    let mut array = BytesMut::from("[{}");
    gemini::error::append_array(error, request_id, Place::AfterElement, &mut array);
    replies.push(array.freeze());
    for reply in &replies {
        assert_bounded(reply.len(), read);
        let reply: Value = serde_json::from_slice(reply).unwrap();
        assert!(reply.is_array() || reply["error"]["message"].is_string(), "{reply}");
    }
    let mut stream = BytesMut::new();
    anthropic::error::stream_error(error, request_id, &mut stream);
    gemini::error::append_sse(error, request_id, &mut stream);
    let lines = std::str::from_utf8(&stream).unwrap().lines();
    let data: Vec<&str> = lines.filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(data.len(), 2, "a line break got into an event");
    for event in data {
        serde_json::from_str::<Value>(event).unwrap();
    }
}
