//! Properties of every pair of formats in every framing: whatever a provider sends, nothing panics,
//! what leaves does not depend on how the bytes came, and the client's stream has a proper end.

use super::Translator;
use crate::error::{GatewayError, Kind};
use crate::formats::bedrock::event_stream::tests as frames;
use crate::formats::{AnswerLabel, ApiFormat, Framing};
use crate::sse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;
use std::sync::Arc;

/// An event's name, where the format has such, and its data.
type Sample = (&'static str, &'static str);

const CHAT: &[Sample] = &[
    (
        "",
        r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"a\u00e9"}}]}"#,
    ),
    ("", r#"{"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}"#),
    (
        "",
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{\"a\""}}]}}]}"#,
    ),
    (
        "",
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":":1}"}}]}}]}"#,
    ),
    (
        "",
        r#"{"choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"refusal":"no"},"finish_reason":"stop"}]}"#,
    ),
    ("", r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#),
    ("", r#"{"error":{"message":"busy","code":503}}"#),
    ("", "[DONE]"),
    ("", "{"),
];

const RESPONSES: &[Sample] = &[
    ("response.created", r#"{"type":"response.created","response":{"id":"r","model":"m"}}"#),
    (
        "response.output_item.added",
        r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"i","type":"message","role":"assistant","content":[]}}"#,
    ),
    (
        "response.output_text.delta",
        r#"{"type":"response.output_text.delta","item_id":"i","output_index":0,"content_index":0,"delta":"a"}"#,
    ),
    (
        "response.output_item.added",
        r#"{"type":"response.output_item.added","output_index":1,"item":{"id":"j","type":"function_call","call_id":"t","name":"f","arguments":""}}"#,
    ),
    (
        "response.function_call_arguments.delta",
        r#"{"type":"response.function_call_arguments.delta","item_id":"j","output_index":1,"delta":"{"}"#,
    ),
    (
        "response.output_item.done",
        r#"{"type":"response.output_item.done","output_index":1,"item":{"id":"j","type":"function_call","call_id":"t","name":"f","arguments":"{}"}}"#,
    ),
    (
        "response.reasoning_summary_text.delta",
        r#"{"type":"response.reasoning_summary_text.delta","output_index":2,"summary_index":0,"delta":"hm"}"#,
    ),
    (
        "response.completed",
        r#"{"type":"response.completed","response":{"id":"r","status":"completed","output":[],"usage":{"input_tokens":3,"output_tokens":4}}}"#,
    ),
    (
        "response.failed",
        r#"{"type":"response.failed","response":{"error":{"code":"server_error","message":"busy"}}}"#,
    ),
    ("error", r#"{"type":"error","message":"busy"}"#),
    ("", "{"),
];

const ANTHROPIC: &[Sample] = &[
    (
        "message_start",
        r#"{"type":"message_start","message":{"id":"m","model":"x","usage":{"input_tokens":3}}}"#,
    ),
    (
        "content_block_start",
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
    ),
    (
        "content_block_delta",
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
    ),
    (
        "content_block_delta",
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}"#,
    ),
    (
        "content_block_start",
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
    ),
    (
        "content_block_delta",
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}"#,
    ),
    ("content_block_stop", r#"{"type":"content_block_stop","index":1}"#),
    (
        "content_block_delta",
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"a"}}"#,
    ),
    (
        "message_delta",
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":4}}"#,
    ),
    ("message_stop", r#"{"type":"message_stop"}"#),
    ("error", r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#),
    ("", "{"),
];

const GEMINI: &[Sample] = &[
    (
        "",
        r#"{"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"}}],"responseId":"r","modelVersion":"m"}"#,
    ),
    (
        "",
        r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"","thoughtSignature":"s"}]}}]}"#,
    ),
    (
        "",
        r#"{"candidates":[{"content":{"parts":[{"functionCall":{"id":"t","name":"f","args":{"a":1}},"thoughtSignature":"s"}]}}]}"#,
    ),
    (
        "",
        r#"{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]},"index":1}]}"#,
    ),
    (
        "",
        r#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4}}"#,
    ),
    ("", r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#),
    ("", r#"{"error":{"code":503,"status":"UNAVAILABLE","message":"busy"}}"#),
    ("", "[]"),
];

const BEDROCK: &[Sample] = &[
    ("messageStart", r#"{"role":"assistant"}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"a"}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":1,"delta":{"reasoningContent":{"text":"hm"}}}"#),
    (
        "contentBlockDelta",
        r#"{"contentBlockIndex":1,"delta":{"reasoningContent":{"signature":"s"}}}"#,
    ),
    (
        "contentBlockStart",
        r#"{"contentBlockIndex":2,"start":{"toolUse":{"name":"f","toolUseId":"t"}}}"#,
    ),
    ("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"toolUse":{"input":"{"}}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":2}"#),
    ("messageStop", r#"{"stopReason":"end_turn"}"#),
    ("metadata", r#"{"usage":{"inputTokens":3,"outputTokens":4}}"#),
    ("throttlingException", r#"{"message":"busy"}"#),
    ("metadata", "{"),
];

/// Events of a format; in no order and in any number they are still to end well.
fn samples(format: ApiFormat) -> &'static [Sample] {
    match format {
        ApiFormat::OpenAiChat | ApiFormat::Completions => CHAT,
        ApiFormat::OpenAiResponses => RESPONSES,
        ApiFormat::Anthropic => ANTHROPIC,
        ApiFormat::Gemini => GEMINI,
        ApiFormat::Bedrock => BEDROCK,
    }
}

/// What a provider sends next.
#[derive(Debug, Clone)]
enum Sent {
    /// A sample, by its place modulo their number.
    Sample(usize),
    /// Anything as an event's data.
    Data(String),
    /// Anything at all.
    Bytes(Vec<u8>),
}

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![
        20 => any::<usize>().prop_map(Sent::Sample),
        1 => "\\PC{0,30}".prop_map(Sent::Data),
        1 => proptest::collection::vec(any::<u8>(), 0..30).prop_map(Sent::Bytes),
    ]
}

/// The bytes of a stream in a framing.
fn stream(format: ApiFormat, framing: Framing, all: &[Sent]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (position, sent) in all.iter().enumerate() {
        let (name, data) = match sent {
            Sent::Sample(at) => {
                let samples = samples(format);
                samples[at % samples.len()]
            }
            Sent::Data(data) => ("", data.as_str()),
            Sent::Bytes(raw) => {
                bytes.extend_from_slice(raw);
                continue;
            }
        };
        match (framing, format) {
            (Framing::Sse, _) if name.is_empty() => {
                bytes.extend_from_slice(format!("data: {data}\n\n").as_bytes());
            }
            (Framing::Sse, _) => {
                bytes.extend_from_slice(format!("event: {name}\ndata: {data}\n\n").as_bytes());
            }
            (Framing::JsonArray, _) => {
                bytes.push(if position == 0 { b'[' } else { b',' });
                bytes.extend_from_slice(data.as_bytes());
            }
            (Framing::EventStream, ApiFormat::Bedrock) => {
                bytes.extend_from_slice(&frames::event(name, data.as_bytes()));
            }
            (Framing::EventStream, _) => {
                let payload = format!("{{\"bytes\":\"{}\"}}", STANDARD.encode(data));
                bytes.extend_from_slice(&frames::event("chunk", payload.as_bytes()));
            }
        }
    }
    if framing == Framing::JsonArray {
        bytes.push(b']');
    }
    bytes
}

/// Formats of the provider and the client, and their framings.
#[derive(Debug, Clone, Copy)]
struct Pair {
    upstream: ApiFormat,
    from: Framing,
    client: ApiFormat,
    to: Framing,
}

fn pairs() -> Vec<Pair> {
    let upstreams = [
        (ApiFormat::OpenAiChat, Framing::Sse),
        (ApiFormat::OpenAiResponses, Framing::Sse),
        (ApiFormat::Anthropic, Framing::Sse),
        (ApiFormat::Anthropic, Framing::EventStream),
        (ApiFormat::Gemini, Framing::Sse),
        (ApiFormat::Gemini, Framing::JsonArray),
        (ApiFormat::Bedrock, Framing::EventStream),
    ];
    let clients = [
        (ApiFormat::OpenAiChat, Framing::Sse),
        (ApiFormat::OpenAiResponses, Framing::Sse),
        (ApiFormat::Anthropic, Framing::Sse),
        (ApiFormat::Gemini, Framing::Sse),
        (ApiFormat::Gemini, Framing::JsonArray),
        (ApiFormat::Completions, Framing::Sse),
    ];
    let all = upstreams.into_iter().flat_map(|(upstream, from)| {
        clients.map(|(client, to)| Pair { upstream, from, client, to })
    });
    // A stream that passes through keeps its framing.
    let fits = |pair: &Pair| {
        pair.upstream != pair.client || pair.from == pair.to || pair.from == Framing::EventStream
    };
    all.filter(fits).collect()
}

impl Pair {
    fn translator(self) -> Translator {
        let label = AnswerLabel {
            id: Arc::from("gen-1-abc"),
            model: Some(Arc::from("acme/model")),
            provider: Arc::from("Acme"),
            created_s: 1,
            include_usage: true,
            exclude_reasoning: false,
            shape: crate::formats::Shape::Maker,
            charges: None,
        };
        let new = Translator::new(self.upstream, self.client, self.to, label).unwrap();
        new.with_upstream_framing(self.from)
    }

    /// Everything the client gets, and the fault, if there was one.
    fn relay<'c>(self, chunks: impl Iterator<Item = &'c [u8]>) -> (Vec<u8>, Option<String>) {
        let mut relay = self.translator();
        let mut got = Vec::new();
        let pushed = chunks
            .map(Bytes::copy_from_slice)
            .try_for_each(|chunk| relay.push(chunk).map(|bytes| got.extend_from_slice(&bytes)));
        let ended = pushed.and_then(|()| relay.finish().map(|last| got.extend_from_slice(&last)));
        let fault = ended.err().map(|fault| fault.to_string());
        if fault.is_some() {
            got.extend_from_slice(&relay.take_output());
            let error = GatewayError::upstream(Kind::ProviderUnavailable, "the provider failed");
            got.extend_from_slice(&relay.fail(&error, "req-1"));
        }
        (got, fault)
    }
}

/// Why the client's stream has no proper end; what passes through is the provider's own otherwise.
fn improper(pair: Pair, got: &[u8]) -> Option<String> {
    if pair.to == Framing::JsonArray {
        let passes = pair.upstream == pair.client;
        let is_whole = serde_json::from_slice::<Vec<Value>>(got).is_ok();
        return (!passes && !is_whole).then(|| "no whole array".to_owned());
    }
    let mut splitter = sse::Frames::new();
    splitter.push(Bytes::copy_from_slice(got));
    let mut data = Vec::new();
    while let Some(frame) = splitter.next().unwrap() {
        data.extend(sse::parse(&frame).map(|event| event.data.into_owned()));
    }
    if splitter.finish().is_some() {
        return Some("a torn event".to_owned());
    }
    let Some(last) = data.last() else { return Some("nothing was sent".to_owned()) };
    let json: Value = serde_json::from_slice(last).unwrap_or_default();
    let kind = json["type"].as_str().unwrap_or_default();
    let is_proper = match pair.client {
        ApiFormat::OpenAiChat | ApiFormat::Completions => {
            last == b"[DONE]" && data.iter().filter(|data| *data == b"[DONE]").count() == 1
        }
        ApiFormat::OpenAiResponses => {
            let ends = ["response.completed", "response.incomplete", "response.failed", "error"];
            ends.contains(&kind)
        }
        ApiFormat::Anthropic => matches!(kind, "message_stop" | "error"),
        ApiFormat::Gemini => {
            json.get("error").is_some()
                || json["candidates"][0]["finishReason"].is_string()
                || json["promptFeedback"]["blockReason"].is_string()
        }
        ApiFormat::Bedrock => false,
    };
    (!is_proper).then(|| format!("ends with {}", String::from_utf8_lossy(last)))
}

/// Ids that the gateway makes up are not the same twice.
fn masked(got: &[u8]) -> String {
    let text = String::from_utf8_lossy(got);
    let made = ["msg_", "resp_", "rs_", "fc_", "ctc_", "call_", "cmpl-", "toolu_"];
    let is_made = |piece: &str| made.iter().any(|prefix| piece.starts_with(prefix));
    let pieces: Vec<&str> = text.split('"').collect();
    let masked = pieces.iter().enumerate().map(|(at, piece)| {
        let is_response_id = at.checked_sub(2).is_some_and(|key| pieces[key] == "responseId");
        if is_response_id || is_made(piece) { "id" } else { piece }
    });
    masked.collect::<Vec<_>>().join("\"")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_stream_ends_well(
        all in proptest::collection::vec(sent(), 0..12),
        size in 1usize..200,
    ) {
        for pair in pairs() {
            let bytes = stream(pair.upstream, pair.from, &all);
            let (whole, fault) = pair.relay(std::iter::once(bytes.as_slice()));
            let (pieces, fault_of_pieces) = pair.relay(bytes.chunks(size));
            prop_assert_eq!(&fault, &fault_of_pieces, "{:?}", pair);
            prop_assert!(masked(&whole) == masked(&pieces), "{:?} by {}", pair, size);
            let passes = pair.upstream == pair.client;
            if !passes || fault.is_some() {
                let improper = improper(pair, &whole);
                let text = String::from_utf8_lossy(&whole);
                prop_assert_eq!(improper, None, "{:?} {:?}: {}", pair, fault, text);
            }
        }
    }
}
