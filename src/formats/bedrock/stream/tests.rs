//! Tests of the stream reader, on single events and on recordings where present.

use super::*;
use crate::chat::FinishReason;
use crate::error::Kind as ErrorKind;
use crate::formats::bedrock::event_stream::{self, tests as frames};
use crate::formats::bedrock::recordings;
use crate::formats::{AnswerLabel, ApiFormat, Framing, translator::Translator};
use bytes::Bytes;
use std::sync::Arc;

/// What the events say, one line each.
fn lines(events: &[(&str, &str)]) -> Vec<String> {
    let mut decoder = Decoder::default();
    let mut lines = Vec::new();
    for (name, data) in events {
        let mut sink = |event: Event<'_>| lines.push(line(&event));
        if let Err(fault) = decoder.event(Some(name), data.as_bytes(), &mut sink) {
            lines.push(format!("fault {fault}"));
        }
    }
    let finished = decoder.finish(&mut |event| lines.push(line(&event)));
    if let Err(fault) = finished {
        lines.push(format!("fault {fault}"));
    }
    lines
}

fn line(event: &Event<'_>) -> String {
    match event {
        Event::Start { .. } => "start".into(),
        Event::Text { text, .. } => format!("text {text}"),
        Event::Reasoning { text, block, .. } => format!("thought {block} {text}"),
        Event::ReasoningSignature { data, encrypted, block, .. } => {
            format!("signature {block} {data} {encrypted}")
        }
        Event::ToolCallStart { call, id, name, .. } => format!("call {call} {id} {name}"),
        Event::ToolCallArguments { call, json, .. } => format!("json {call} {json}"),
        Event::ToolCallEnd { call, .. } => format!("called {call}"),
        Event::Image { mime, data, .. } => format!("image {mime} {data}"),
        Event::Citations { citations, .. } => {
            let all = citations.iter().map(|c| format!("{} {}..{}", c.url, c.start, c.end));
            all.collect::<Vec<_>>().join(",")
        }
        Event::Finish { reason, native, .. } => format!("finish {} {native:?}", reason.as_str()),
        Event::ServiceTier(tier) => format!("tier {tier}"),
        Event::Usage(usage) => format!("usage {:?} {:?}", usage.prompt, usage.completion),
        Event::End => "end".into(),
        other => format!("{other:?}"),
    }
}

const ALL_KINDS: &[(&str, &str)] = &[
    ("messageStart", r#"{"role":"assistant","p":"abc"}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}}}"#),
    (
        "contentBlockDelta",
        r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"s"}}}"#,
    ),
    ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
    (
        "contentBlockDelta",
        r#"{"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"cmVk"}}}"#,
    ),
    ("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"text":"a\nb"}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"text":""}}"#),
    (
        "contentBlockDelta",
        r#"{"contentBlockIndex":2,"delta":{"citation":{"title":"t","location":{"web":{"url":"https://x"}}}}}"#,
    ),
    ("contentBlockStop", r#"{"contentBlockIndex":2}"#),
    (
        "contentBlockStart",
        r#"{"contentBlockIndex":3,"start":{"toolUse":{"name":"f","toolUseId":"t1"}}}"#,
    ),
    ("contentBlockDelta", r#"{"contentBlockIndex":3,"delta":{"toolUse":{"input":""}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":3,"delta":{"toolUse":{"input":"{\"a\":"}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":3,"delta":{"toolUse":{"input":"1e0}"}}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":3}"#),
    (
        "contentBlockStart",
        r#"{"contentBlockIndex":4,"start":{"toolUse":{"name":"g","toolUseId":"t2"}}}"#,
    ),
    (
        "contentBlockStart",
        r#"{"contentBlockIndex":5,"start":{"toolUse":{"name":"grounding","toolUseId":"s","type":"server_tool_use"}}}"#,
    ),
    ("contentBlockDelta", r#"{"contentBlockIndex":5,"delta":{"toolUse":{"input":"x"}}}"#),
    (
        "contentBlockDelta",
        r#"{"contentBlockIndex":6,"delta":{"image":{"source":{"bytes":"AAAA"}}}}"#,
    ),
    ("contentBlockDelta", r#"{"contentBlockIndex":7,"delta":{"somethingNew":{"x":1}}}"#),
    ("somethingNew", "not even json"),
    ("messageStop", r#"{"stopReason":"tool_use"}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":7,"delta":{"text":"late"}}"#),
    (
        "metadata",
        r#"{"usage":{"inputTokens":3,"outputTokens":4,"cacheReadInputTokens":5},"metrics":{"latencyMs":1},"serviceTier":{"type":"flex"}}"#,
    ),
    ("metadata", r#"{"usage":{"inputTokens":9,"outputTokens":9}}"#),
];

#[test]
fn an_answer_of_all_kinds() {
    let expected = [
        "start",
        "thought 0 hm",
        "signature 0 s false",
        "signature 1 cmVk true",
        "text a\nb",
        "https://x 0..3",
        "call 0 t1 f",
        "json 0 {\"a\":",
        "json 0 1e0}",
        "called 0",
        "call 1 t2 g",
        "image image/png AAAA",
        "json 1 {}",
        "called 1",
        "finish tool_calls Some(\"tool_use\")",
        "tier flex",
        "usage Some(8) Some(4)",
        "end",
    ];
    assert_eq!(lines(ALL_KINDS), expected);
}

#[test]
fn ends_in_every_form() {
    let stop = ("messageStop", r#"{"stopReason":"end_turn"}"#);
    let counts = ("metadata", r#"{"usage":{"inputTokens":3,"outputTokens":4}}"#);
    let finish = "finish stop Some(\"end_turn\")";
    let usage = "usage Some(3) Some(4)";
    assert_eq!(lines(&[stop, counts]), ["start", finish, usage, "end"]);
    assert_eq!(lines(&[counts, stop]), ["start", usage, finish, "end"]);
    assert_eq!(lines(&[stop]), ["start", finish, "end"]);
    let missing = "fault the stream ended before the answer was complete";
    assert_eq!(lines(&[counts]), ["start", usage, missing]);
    assert_eq!(lines(&[]), [missing]);
}

#[test]
fn exceptions_and_nonsense_are_faults() {
    let mut decoder = Decoder::default();
    let mut read = |name, data: &[u8]| decoder.event(name, data, &mut |_| ());
    for (name, data) in [
        (Some("throttlingException"), r#"{"message":"slow down"}"#),
        (None, r#"{"throttlingException":{"message":"slow down"}}"#),
    ] {
        match read(name, data.as_bytes()) {
            Err(StreamFault::Upstream(failure)) => {
                assert_eq!(failure.kind, ErrorKind::RateLimitExceeded);
                assert_eq!(failure.message.as_deref(), Some("slow down"));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(read(Some("metadata"), b"{"), Err(StreamFault::Malformed(_))));
    assert!(read(None, b"{").is_ok() && read(None, b"").is_ok());
}

#[test]
fn open_blocks_are_bounded() {
    let mut decoder = Decoder::default();
    let fault = (0..5000).find_map(|index| {
        let data =
            format!(r#"{{"contentBlockIndex":{index},"start":{{"toolUse":{{"name":"f"}}}}}}"#);
        decoder.event(Some("contentBlockStart"), data.as_bytes(), &mut |_| ()).err()
    });
    assert!(matches!(fault, Some(StreamFault::Malformed(_))));
    assert!(decoder.open.len() <= MAX_OPEN_BLOCKS);
}

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

#[test]
fn sources_are_bounded() {
    let mut decoder = Decoder::default();
    let mut told = 0;
    for at in 0..3000 {
        let title = "t".repeat(if at % 2 == 0 { 10 } else { 9000 });
        let data = format!(
            r#"{{"contentBlockIndex":{},"delta":{{"citation":{{"title":"{title}","location":{{"web":{{"url":"https://x"}}}}}}}}}}"#,
            at / 100
        );
        decoder.event(Some("contentBlockDelta"), data.as_bytes(), &mut |_| ()).unwrap();
    }
    let stop = br#"{"stopReason":"end_turn"}"#;
    let mut sink = |event: Event<'_>| {
        if let Event::Citations { citations, .. } = event {
            told += citations.len();
            assert!(citations.iter().all(|source| source.title.len() == 10));
        }
    };
    decoder.event(Some("messageStop"), stop, &mut sink).unwrap();
    assert_eq!(told, MAX_CITATIONS);
}

/// The frames' payloads and what the stream says, read without the code under test.
fn said(body: &[u8]) -> (String, String, Vec<(String, String)>, u64) {
    let mut reader = event_stream::Frames::default();
    reader.push(Bytes::copy_from_slice(body));
    let (mut text, mut stop, mut calls, mut output) = (String::new(), String::new(), Vec::new(), 0);
    while let Some(frame) = reader.next().unwrap() {
        let json: serde_json::Value = serde_json::from_slice(&frame.payload).unwrap();
        text += json["delta"]["text"].as_str().unwrap_or_default();
        stop += json["stopReason"].as_str().unwrap_or_default();
        if let Some(name) = json["start"]["toolUse"]["name"].as_str() {
            calls.push((name.to_owned(), String::new()));
        }
        if let Some(input) = json["delta"]["toolUse"]["input"].as_str() {
            calls.last_mut().unwrap().1 += input;
        }
        output = json["usage"]["outputTokens"].as_u64().unwrap_or(output);
    }
    (text, stop, calls, output)
}

#[test]
fn recorded_streams_say_the_same_in_every_client_format() {
    for recording in recordings::load("bedrock-converse-stream") {
        if recording.status != 200 {
            continue;
        }
        let (text, stop, calls, output) = said(&recording.body);
        for client in [
            ApiFormat::OpenAiChat,
            ApiFormat::OpenAiResponses,
            ApiFormat::Anthropic,
            ApiFormat::Gemini,
            ApiFormat::Completions,
        ] {
            let mut whole = None;
            for size in [usize::MAX, 1, 7, 64, 1000] {
                let mut relay =
                    Translator::new(ApiFormat::Bedrock, client, Framing::Sse, label()).unwrap();
                let mut sent = Vec::new();
                for chunk in recording.body.chunks(size) {
                    sent.extend_from_slice(&relay.push(Bytes::copy_from_slice(chunk)).unwrap());
                }
                sent.extend_from_slice(&relay.finish().unwrap());
                let observed = relay.observed();
                assert!(observed.ended && observed.saw_content, "{}", recording.id);
                assert_eq!(observed.usage.completion, Some(output), "{}", recording.id);
                assert_eq!(observed.native_finish.as_deref(), Some(stop.as_str()));
                let bytes: usize = text.len()
                    + calls.iter().map(|(name, json)| name.len() + json.len()).sum::<usize>();
                assert_eq!(observed.content_bytes, bytes as u64, "{}", recording.id);
                let first = whole.get_or_insert_with(|| mask_ids(&sent));
                assert_eq!(&mask_ids(&sent), first, "{} {client:?} by {size}", recording.id);
            }
        }
    }
}

/// Ids that a client's format makes up anew for every answer.
fn mask_ids(sent: &[u8]) -> String {
    let text = String::from_utf8(sent.to_vec()).unwrap();
    let pieces = text.split('"').map(|piece| {
        let is_made = ["msg_", "resp_", "rs_", "fc_", "call_", "chatcmpl-", "cmpl-"]
            .iter()
            .any(|prefix| piece.starts_with(prefix));
        if is_made && piece.len() > 12 { "id" } else { piece }
    });
    pieces.collect::<Vec<_>>().join("\"")
}

#[test]
fn novas_own_streams_are_read() {
    for recording in recordings::load("bedrock-invoke-with-response-stream") {
        if recording.status != 200 || !recording.id.contains("nova") {
            continue;
        }
        let mut decoder = Decoder::default();
        let (mut text, mut seen) = (String::new(), Vec::new());
        let mut reader = event_stream::Frames::default();
        reader.push(Bytes::from(recording.body));
        while let Some(frame) = reader.next().unwrap() {
            let json: serde_json::Value = serde_json::from_slice(&frame.payload).unwrap();
            let bytes = base64::Engine::decode(
                &base64::engine::general_purpose::STANDARD,
                json["bytes"].as_str().unwrap(),
            );
            decoder
                .event(None, &bytes.unwrap(), &mut |event| {
                    if let Event::Text { text: piece, .. } = &event {
                        text.push_str(piece);
                    }
                    seen.push(line(&event));
                })
                .unwrap();
        }
        decoder.finish(&mut |_| ()).unwrap();
        assert!(!text.is_empty() && seen.last().is_some_and(|last| last == "end"), "{seen:?}");
        assert!(seen.iter().any(|line| line.starts_with("usage Some")), "{seen:?}");
        assert_eq!(seen.iter().filter(|line| line.starts_with("finish ")).count(), 1);
    }
}

#[test]
fn the_reason_follows_the_word_and_the_content() {
    let cases = [
        ("end_turn", FinishReason::Stop, FinishReason::ToolCalls),
        ("stop_sequence", FinishReason::Stop, FinishReason::ToolCalls),
        ("tool_use", FinishReason::Stop, FinishReason::ToolCalls),
        ("max_tokens", FinishReason::Length, FinishReason::Length),
        ("model_context_window_exceeded", FinishReason::Length, FinishReason::Length),
        ("guardrail_intervened", FinishReason::ContentFilter, FinishReason::ContentFilter),
        ("content_filtered", FinishReason::ContentFilter, FinishReason::ContentFilter),
        ("malformed_tool_use", FinishReason::Stop, FinishReason::ToolCalls),
        ("something_new", FinishReason::Stop, FinishReason::ToolCalls),
    ];
    for (word, with_text, with_calls) in cases {
        let said = |has_calls| Said::Something { has_calls };
        assert_eq!(finish_reason(Some(word), said(false)), with_text, "{word}");
        assert_eq!(finish_reason(Some(word), said(true)), with_calls, "{word}");
    }
    assert_eq!(finish_reason(Some("malformed_model_output"), Said::Nothing), FinishReason::Error);
    assert_eq!(finish_reason(None, Said::Nothing), FinishReason::Stop);
}

#[test]
fn frames_reach_the_decoder_by_name() {
    let stream = [
        frames::event("initial-response", b"{}"),
        frames::event("messageStart", br#"{"role":"assistant"}"#),
        frames::event("contentBlockDelta", br#"{"contentBlockIndex":0,"delta":{"text":"hi"}}"#),
        frames::event("messageStop", br#"{"stopReason":"end_turn"}"#),
    ]
    .concat();
    let new = || {
        Translator::new(ApiFormat::Bedrock, ApiFormat::OpenAiChat, Framing::Sse, label()).unwrap()
    };
    let mut relay = new();
    let sent = relay.push(Bytes::from(stream.clone())).unwrap();
    assert!(std::str::from_utf8(&sent).unwrap().contains("\"hi\""));
    assert!(std::str::from_utf8(&relay.finish().unwrap()).unwrap().ends_with("data: [DONE]\n\n"));
    let mut torn = new();
    torn.push(Bytes::from(stream).slice(..200)).unwrap();
    assert!(matches!(torn.finish(), Err(StreamFault::Truncated)));
}
