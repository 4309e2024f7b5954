//! What events become, in good and bad order.

mod property;

use super::super::tests::{events as split, hear};
use super::*;
use crate::chat::event::AudioPiece;
use crate::chat::message::ReasoningKind;
use crate::formats::carried::Carried;
use serde_json::{Value, json};

pub(super) fn label() -> AnswerLabel {
    AnswerLabel {
        id: "gen-1".into(),
        model: None,
        provider: "P".into(),
        created_s: 1,
        include_usage: false,
        exclude_reasoning: false,
        shape: crate::formats::Shape::Maker,
        charges: None,
    }
}

/// The events of a stream; panics where it is not what every client of the format relies on.
pub(super) fn checked(out: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(out).unwrap();
    let events: Vec<Value> = split(text)
        .into_iter()
        .map(|(name, data)| {
            let value: Value = serde_json::from_str(&data).unwrap();
            assert_eq!(value["type"].as_str(), name.as_deref());
            value
        })
        .collect();
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds.first(), Some(&"message_start"));
    assert_eq!(kinds.get(1), Some(&"ping"));
    for once in ["message_start", "message_delta", "message_stop"] {
        assert_eq!(kinds.iter().filter(|kind| **kind == once).count(), 1, "{once}");
    }
    assert_eq!(&kinds[kinds.len() - 2..], ["message_delta", "message_stop"]);
    check_blocks(&events);
    events
}

fn check_blocks(events: &[Value]) {
    let (mut next, mut open, mut filled) = (0, None::<String>, false);
    for event in events {
        let kind = event["type"].as_str().unwrap();
        if kind.starts_with("content_block") {
            assert_eq!(event["index"], next, "{event}");
        }
        match kind {
            "content_block_start" => {
                assert_eq!(open, None, "{event}");
                let block = event["content_block"]["type"].as_str().unwrap();
                (open, filled) = (Some(block.to_owned()), block != "text");
            }
            "content_block_delta" => {
                let delta = event["delta"]["type"].as_str().unwrap();
                let fits = match open.as_deref() {
                    Some("text") => matches!(delta, "text_delta" | "citations_delta"),
                    Some("thinking") => matches!(delta, "thinking_delta" | "signature_delta"),
                    Some("tool_use") => delta == "input_json_delta",
                    _ => false,
                };
                assert!(fits, "{open:?} {event}");
                filled |= delta == "text_delta" && event["delta"]["text"] != "";
            }
            "content_block_stop" => {
                assert!(filled, "an empty text block");
                assert!(open.take().is_some(), "{event}");
                next += 1;
            }
            _ => assert!(open.is_none() || kind == "ping", "{kind} inside a block"),
        }
    }
}

fn written_for(label: AnswerLabel, events: &[Event<'_>]) -> Vec<u8> {
    let mut encoder = Encoder::new(label, Framing::Sse);
    let mut out = BytesMut::new();
    for event in events {
        encoder.event(event, &mut out);
    }
    encoder.finish(&mut out);
    encoder.finish(&mut out);
    encoder.event(&text("late"), &mut out);
    out.to_vec()
}

/// The blocks in short: type, then everything its deltas said.
fn blocks_for(label: AnswerLabel, told: &[Event<'_>]) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    for event in checked(&written_for(label, told)) {
        let block = &event["content_block"];
        if block.is_object() {
            let words = ["name", "data"].iter().filter_map(|key| block[*key].as_str());
            let words: Vec<&str> = words.collect();
            blocks.push(format!("{}:{}", block["type"].as_str().unwrap(), words.join(" ")));
        }
        let delta = &event["delta"];
        let said = ["text", "thinking", "partial_json"].iter().find_map(|key| delta[*key].as_str());
        let signed = delta["signature"].as_str().map(|text| format!("<{}>", unpacked(text)));
        let cited = delta["citation"]["url"].as_str().map(|url| format!("[{url}]"));
        if let Some(block) = blocks.last_mut() {
            let said = said.map(str::to_owned).or(signed).or(cited);
            block.push_str(&said.unwrap_or_default());
        }
    }
    blocks
}

fn blocks(told: &[Event<'_>]) -> Vec<String> {
    blocks_for(label(), told)
}

fn unpacked(text: &str) -> String {
    match Carried::unpack(text) {
        Some(carried) => format!("{}|{}|{}", carried.format, carried.id, carried.data),
        None => text.to_owned(),
    }
}

fn text(text: &str) -> Event<'_> {
    Event::Text { choice: 0, text: text.into() }
}

fn start() -> Event<'static> {
    Event::Start { id: Some("msg_9".into()), model: Some("m".into()) }
}

fn thought(text: &'static str, block: u32) -> Event<'static> {
    let (choice, kind) = (0, ReasoningKind::Text);
    Event::Reasoning { choice, text: text.into(), kind, format: "unknown", block }
}

fn signed(
    data: &'static str,
    encrypted: bool,
    format: &'static str,
    id: Option<&'static str>,
) -> Event<'static> {
    let (data, id) = (data.into(), id.map(Into::into));
    Event::ReasoningSignature { choice: 0, data, encrypted, format, block: 0, id }
}

fn call(call: u32, name: &'static str) -> Event<'static> {
    let id = format!("call_{call}").into();
    Event::ToolCallStart { choice: 0, call, id, name: name.into(), custom: false }
}

fn arguments(call: u32, json: &str) -> Event<'_> {
    Event::ToolCallArguments { choice: 0, call, json: json.into() }
}

fn over(call: u32) -> Event<'static> {
    Event::ToolCallEnd { choice: 0, call }
}

fn finish(reason: FinishReason, native: &'static str) -> Event<'static> {
    Event::Finish { choice: 0, reason, native: Some(native.into()) }
}

fn cited(url: &'static str) -> Event<'static> {
    let citation = Citation { url: url.into(), title: "".into(), start: 0, end: 1 };
    Event::Citations { choice: 0, citations: vec![citation] }
}

#[test]
fn the_least_stream_byte_by_byte() {
    let usage = Usage { prompt: Some(5), cached: Some(2), ..Usage::default() };
    let told = [start(), Event::Usage(usage), text("Hi"), finish(FinishReason::Stop, "stop")];
    let expected = concat!(
        "event: message_start\n",
        r#"data: {"type":"message_start","message":{"id":"msg_9","type":"message","role":"assistant","#,
        r#""model":"m","content":[],"stop_reason":null,"stop_sequence":null,"#,
        r#""usage":{"input_tokens":3,"cache_read_input_tokens":2,"output_tokens":0}}}"#,
        "\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n",
        "event: content_block_start\n",
        r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        "\n\nevent: content_block_delta\n",
        r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#,
        "\n\nevent: content_block_stop\n",
        r#"data: {"type":"content_block_stop","index":0}"#,
        "\n\nevent: message_delta\n",
        r#"data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"#,
        r#""usage":{"input_tokens":3,"cache_read_input_tokens":2,"output_tokens":0}}"#,
        "\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    );
    assert_eq!(String::from_utf8(written_for(label(), &told)).unwrap(), expected);
}

#[test]
fn the_start_waits_for_the_usage_of_the_same_event_and_for_no_other() {
    let mut encoder = Encoder::new(label(), Framing::Sse);
    let mut out = BytesMut::new();
    encoder.settle(&mut out);
    assert!(out.is_empty(), "nobody began yet");
    encoder.event(&start(), &mut out);
    assert!(out.is_empty());
    encoder.settle(&mut out);
    let begun = out.len();
    assert!(begun > 0);
    encoder.settle(&mut out);
    assert_eq!(out.len(), begun);

    // Usage stands at the end of a provider's first event, behind its text.
    let mut encoder = Encoder::new(label(), Framing::Sse);
    let mut out = BytesMut::new();
    let usage = Usage { prompt: Some(5), ..Usage::default() };
    for event in [start(), text("a"), Event::Usage(usage), text("b")] {
        encoder.event(&event, &mut out);
        assert!(out.is_empty());
    }
    encoder.settle(&mut out);
    let begun = out.clone();
    encoder.event(&text("c"), &mut out);
    assert!(out.len() > begun.len(), "later events pass at once");
    encoder.finish(&mut out);
    assert_eq!(checked(&out)[0]["message"]["usage"]["input_tokens"], 5);
    let told = String::from_utf8(begun.to_vec()).unwrap();
    assert!(told.contains(r#""text":"a""#) && told.contains(r#""text":"b""#), "{told}");
}

#[test]
fn blocks_change_with_what_is_said() {
    let told = [
        start(),
        thought("a", 0),
        thought("b", 0),
        thought("c", 1),
        text("x"),
        text(""),
        thought("", 2),
        text("y"),
        Event::Ping,
        call(0, "f"),
        arguments(0, "{\"a\""),
        arguments(0, ":1}"),
        over(0),
        text("z"),
    ];
    let expected = ["thinking:ab", "thinking:c", "text:xy", r#"tool_use:f{"a":1}"#, "text:z"];
    assert_eq!(blocks(&told), expected);
}

#[test]
fn arguments_are_objects() {
    let cases: [(&[&str], &str); 9] = [
        (&[], ""),
        (&[""], ""),
        (&["null"], ""),
        (&[" ", "{}"], "{}"),
        (&["{\"a\":", "12345678901234567890}"], r#"{"a":12345678901234567890}"#),
        (&["[1,", "2]"], r#"{"value":[1,2]}"#),
        (&["7"], r#"{"value":7}"#),
        (&["\"\""], ""),
        (&["so", "rry"], r#"{"__raw_arguments":"sorry"}"#),
    ];
    for (pieces, expected) in cases {
        let mut told = vec![call(0, "f")];
        told.extend(pieces.iter().map(|piece| arguments(0, piece)));
        assert_eq!(blocks(&told), [format!("tool_use:f{expected}")], "{pieces:?}");
        told.push(over(0));
        assert_eq!(blocks(&told), [format!("tool_use:f{expected}")], "{pieces:?}");
    }
    let custom =
        Event::ToolCallStart { choice: 0, call: 0, id: "c".into(), name: "f".into(), custom: true };
    let told = [custom, arguments(0, "say "), arguments(0, "\"hi\"")];
    assert_eq!(blocks(&told), [r#"tool_use:f{"input":"say \"hi\""}"#]);
}

#[test]
fn calls_that_interleave_are_written_one_after_another() {
    let told = [
        call(0, "a"),
        call(1, "b"),
        arguments(1, "{\"b\":"),
        arguments(0, "{\"a\":"),
        text("t"),
        text("u"),
        call(2, "c"),
        arguments(1, "1}"),
        arguments(2, "{"),
        arguments(0, "0}"),
        over(1),
        over(0),
        arguments(0, "late"),
        arguments(2, "}"),
        over(2),
    ];
    let expected = [r#"tool_use:a{"a":0}"#, r#"tool_use:b{"b":1}"#, "text:tu", "tool_use:c{}"];
    assert_eq!(blocks(&told), expected);
    // The same without any end: the finish closes what is open.
    let open: Vec<Event<'_>> =
        told.into_iter().filter(|event| !matches!(event, Event::ToolCallEnd { .. })).collect();
    let expected = [r#"tool_use:a{"a":0}late"#, r#"tool_use:b{"b":1}"#, "text:tu", "tool_use:c{}"];
    assert_eq!(blocks(&open), expected);
}

#[test]
fn what_waits_is_bounded() {
    let mut encoder = Encoder::new(label(), Framing::Sse);
    let mut out = BytesMut::new();
    let megabyte = "x".repeat(1 << 20);
    encoder.event(&call(0, "a"), &mut out);
    encoder.event(&call(1, "b"), &mut out);
    encoder.settle(&mut out);
    for _ in 0..20 {
        encoder.event(&arguments(1, &megabyte), &mut out);
    }
    let told = String::from_utf8(out.to_vec()).unwrap();
    assert_eq!(told.matches("event: error").count(), 1);
    assert!(told.ends_with("}\n\n") && told.len() < 2_000);
    let before = out.len();
    encoder.event(&text("x"), &mut out);
    encoder.finish(&mut out);
    assert_eq!(out.len(), before, "nothing follows an error");

    // What was written is not counted for ever.
    let mut encoder = Encoder::new(label(), Framing::Sse);
    for _ in 0..20 {
        let mut out = BytesMut::new();
        for event in [call(0, "a"), call(1, "b"), arguments(1, &megabyte), over(1), over(0)] {
            encoder.event(&event, &mut out);
        }
        encoder.settle(&mut out);
        assert!(out.len() > megabyte.len());
    }
}

#[test]
fn signatures_stand_where_a_client_keeps_them() {
    const CLAUDE: &str = "anthropic-claude-v1";
    const GOOGLE: &str = "google-gemini-v1";
    let told = [
        thought("a", 0),
        signed("S", false, CLAUDE, None),
        thought("b", 0),
        signed("F", false, "xai-responses-v1", None),
        signed("D", true, CLAUDE, None),
        text("t"),
        signed("E", true, "openai-responses-v1", Some("rs_1")),
        signed("G", true, GOOGLE, Some("call_0")),
        call(0, "f"),
        signed("H", true, GOOGLE, Some("call:1")),
        call(1, "g"),
        over(0),
    ];
    let expected = [
        "thinking:a<S>".to_owned(),
        "thinking:b<xai-responses-v1||F>".into(),
        "redacted_thinking:D".into(),
        "text:t".into(),
        format!("redacted_thinking:{}", packed("openai-responses-v1", "rs_1", "E")),
        "thinking:<google-gemini-v1|call_0|G>".into(),
        "tool_use:f".into(),
        "thinking:<google-gemini-v1|call:1|H>".into(),
        "tool_use:g".into(),
    ];
    assert_eq!(blocks(&told), expected);
    let withheld = AnswerLabel { exclude_reasoning: true, ..label() };
    let kept = blocks_for(withheld, &told);
    assert_eq!(kept[..2], ["thinking:<S>", "thinking:<xai-responses-v1||F>"]);
    assert_eq!(kept[2..], expected[2..]);
}

fn packed(format: &str, id: &str, data: &str) -> String {
    let (format, id, data) = (format.into(), id.into(), data.into());
    Carried { format, id, encrypted: true, data }.pack()
}

#[test]
fn sources_belong_to_the_text_they_came_with() {
    let told = [cited("u1"), text("a"), text("b"), cited("u2"), cited("u3"), text("c")];
    assert_eq!(blocks(&told), ["text:[u1]ab[u2][u3]", "text:c"]);
    assert!(blocks(&[cited("u1")]).is_empty());
    // Reasoning to keep stands behind the text, so that sources of the text may follow it.
    let kept = || signed("D", true, "anthropic-claude-v1", None);
    let told = [text("a"), kept(), cited("u1"), text("b"), kept(), text("c")];
    let kept = "redacted_thinking:D";
    assert_eq!(blocks(&told), ["text:a[u1]", kept, "text:b", kept, "text:c"]);
}

/// The members of `message_delta`.
fn ending(told: &[Event<'_>]) -> Value {
    let events = checked(&written_for(label(), told));
    let delta = events.iter().find(|event| event["type"] == "message_delta").unwrap();
    delta["delta"].clone()
}

#[test]
fn stop_reasons() {
    use FinishReason::{ContentFilter, Error, Length, Stop, ToolCalls};
    let cases = [
        (Stop, "stop", "end_turn"),
        (Stop, "stop_sequence", "stop_sequence"),
        (Stop, "pause_turn", "pause_turn"),
        (Error, "network_error", "end_turn"),
        (ToolCalls, "tool_calls", "end_turn"),
        (Length, "length", "max_tokens"),
        (Length, "model_context_window_exceeded", "model_context_window_exceeded"),
        (ContentFilter, "content_filter", "refusal"),
    ];
    for (reason, native, expected) in cases {
        let told = [text("x"), finish(reason, native), finish(Length, "later")];
        assert_eq!(ending(&told)["stop_reason"], expected, "{reason:?} {native}");
    }
    let told = [call(0, "f"), over(0), finish(Stop, "stop")];
    assert_eq!(ending(&told)["stop_reason"], "tool_use");
    assert_eq!(ending(&[])["stop_reason"], "end_turn");
}

#[test]
fn a_refusal_is_text_and_a_withheld_answer_has_a_reason() {
    let refusal = || Event::Refusal { choice: 0, text: "No.".into() };
    let told = [text("Well. "), refusal(), finish(FinishReason::Stop, "stop")];
    assert_eq!(blocks(&told), ["text:Well. No."]);
    assert_eq!(ending(&told)["stop_reason"], "refusal");
    let told = [refusal(), finish(FinishReason::ContentFilter, "SAFETY")];
    assert!(blocks(&told).is_empty());
    let expected = json!({"stop_reason":"refusal","stop_sequence":null,
        "stop_details":{"type":"refusal","category":null,"explanation":"No."}});
    assert_eq!(ending(&told), expected);
}

#[test]
fn other_alternatives_pictures_and_sound_are_left_out() {
    let spoken = AudioPiece { transcript: Some("said".into()), ..AudioPiece::default() };
    let told = [
        Event::Text { choice: 1, text: "other".into() },
        Event::Image { choice: 0, mime: "image/png".into(), data: "AA".into() },
        Event::Audio { choice: 0, audio: spoken },
        Event::Finish { choice: 1, reason: FinishReason::Length, native: None },
    ];
    assert_eq!(blocks(&told), ["text:said"]);
    assert_eq!(ending(&told)["stop_reason"], "end_turn");
}

#[test]
fn usage_is_told_when_it_is_known() {
    let usage = Usage {
        prompt: Some(100),
        completion: Some(7),
        cached: Some(10),
        cache_write_5m: Some(20),
        cache_write_1h: Some(30),
        reasoning: Some(4),
        web_searches: Some(2),
        ..Usage::default()
    };
    let tier = Event::ServiceTier("default".into());
    let mut encoder = Encoder::new(label(), Framing::Sse);
    let mut out = BytesMut::new();
    for event in [start(), text("x"), Event::Usage(usage), tier] {
        encoder.event(&event, &mut out);
        encoder.settle(&mut out);
    }
    encoder.finish(&mut out);
    let events = checked(&out);
    assert_eq!(events[0]["message"]["usage"], json!({"input_tokens":0,"output_tokens":0}));
    let delta = events.iter().find(|event| event["type"] == "message_delta").unwrap();
    let expected = json!({"input_tokens":40,"cache_creation_input_tokens":50,
        "cache_read_input_tokens":10,"output_tokens":7,
        "cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":30},
        "output_tokens_details":{"thinking_tokens":4},"server_tool_use":{"web_search_requests":2,"web_fetch_requests":0},
        "service_tier":"standard"});
    assert_eq!(delta["usage"], expected);
    let (heard, _) = hear(&split(std::str::from_utf8(&out).unwrap()));
    assert_eq!((heard.usage.prompt, heard.cache_write), (Some(100), 50));
}

#[test]
fn an_error_is_the_last_word() {
    let error = GatewayError::upstream(Kind::ProviderOverloaded, "busy");
    let mut encoder = Encoder::new(label(), Framing::Sse);
    let mut out = BytesMut::new();
    encoder.event(&text("x"), &mut out);
    encoder.settle(&mut out);
    let before = out.len();
    encoder.fail(&error, "req-1", &mut out);
    let told = std::str::from_utf8(&out[before..]).unwrap();
    assert!(told.starts_with(
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\""
    ));
    let before = out.len();
    encoder.fail(&error, "req-1", &mut out);
    encoder.finish(&mut out);
    encoder.event(&text("x"), &mut out);
    encoder.settle(&mut out);
    assert_eq!(out.len(), before);
}
