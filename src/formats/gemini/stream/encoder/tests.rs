//! What a Gemini client gets, event by event, and recorded streams of all formats.

use super::*;
use crate::chat::response::Citation;
use crate::error::Kind;
use crate::formats::StreamDecoder;
use crate::formats::gemini::array::{ArrayFrames, Piece};
use crate::formats::gemini::stream::Decoder;
use crate::sse::{self, Frames};
use serde_json::{Value, json};

mod corpus;

fn label(exclude_reasoning: bool) -> AnswerLabel {
    AnswerLabel {
        id: "gen-1".into(),
        model: Some("shown".into()),
        provider: "Provider".into(),
        created_s: 1,
        include_usage: true,
        exclude_reasoning,
        shape: crate::formats::Shape::Maker,
        charges: None,
    }
}

/// The events of a written stream, checked for their framing.
fn values(framing: Framing, bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    if framing == Framing::JsonArray {
        let whole: Vec<Value> = serde_json::from_str(text).unwrap();
        let mut frames = ArrayFrames::default();
        frames.push(bytes.to_vec().into());
        let mut elements = 0;
        while let Some(piece) = frames.next().unwrap() {
            elements += usize::from(matches!(piece, Piece::Element(_)));
        }
        assert!(frames.finish() && elements == whole.len());
        return whole;
    }
    let mut frames = Frames::new();
    frames.push(bytes.to_vec().into());
    let mut found = Vec::new();
    while let Some(frame) = frames.next().unwrap() {
        assert!(frame.ends_with(b"\r\n\r\n"));
        found.push(serde_json::from_slice(&sse::parse(&frame).unwrap().data).unwrap());
    }
    assert_eq!(frames.finish(), None);
    found
}

fn written(events: &[Event<'_>], exclude: bool) -> Vec<Value> {
    let mut both = [Framing::Sse, Framing::JsonArray].map(|framing| {
        let mut encoder = Encoder::new(label(exclude), framing);
        let mut out = BytesMut::new();
        for event in events {
            encoder.event(event, &mut out);
        }
        encoder.finish(&mut out);
        encoder.finish(&mut out);
        values(framing, &out)
    });
    for value in both.iter_mut().flatten() {
        let id = value["responseId"].take();
        assert!(!id.as_str().unwrap().is_empty());
        assert_eq!(value["modelVersion"].take(), "shown");
    }
    let [sse, array] = both;
    assert_eq!(sse, array);
    sse
}

/// The parts of all events.
fn parts_of(values: &[Value]) -> Vec<Value> {
    let parts =
        values.iter().filter_map(|value| value["candidates"][0]["content"]["parts"].as_array());
    parts.flatten().cloned().collect()
}

fn start() -> Event<'static> {
    Event::Start { id: Some("up".into()), model: Some("other".into()) }
}

fn text(text: &'static str) -> Event<'static> {
    Event::Text { choice: 0, text: text.into() }
}

fn thought(text: &'static str) -> Event<'static> {
    let kind = crate::chat::message::ReasoningKind::Text;
    Event::Reasoning { choice: 0, text: text.into(), kind, format: "anthropic-claude-v1", block: 0 }
}

fn signed(
    data: &'static str,
    format: &'static str,
    encrypted: bool,
    id: Option<&'static str>,
) -> Event<'static> {
    let id = id.map(Into::into);
    Event::ReasoningSignature { choice: 0, data: data.into(), encrypted, format, block: 0, id }
}

fn call_events(call: u32, id: &'static str, json: &'static str) -> [Event<'static>; 3] {
    [
        Event::ToolCallStart { choice: 0, call, id: id.into(), name: "f".into(), custom: false },
        Event::ToolCallArguments { choice: 0, call, json: json.into() },
        Event::ToolCallEnd { choice: 0, call },
    ]
}

fn finish_event(reason: FinishReason) -> Event<'static> {
    Event::Finish { choice: 0, reason, native: None }
}

#[test]
fn the_very_bytes() {
    let mut encoder = Encoder::new(label(false), Framing::Sse);
    let mut out = BytesMut::new();
    encoder.event(&start(), &mut out);
    encoder.event(&text("a\n\"ü"), &mut out);
    let names = r#","modelVersion":"shown","responseId":"up"}"#;
    let first = format!(
        "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"a\\n\\\"ü\"}}],\"role\":\"model\"}},\"index\":0}}]{names}\r\n\r\n"
    );
    assert_eq!(out, first.as_bytes());
    out.clear();
    encoder.event(
        &Event::Usage(Usage { prompt: Some(3), completion: Some(2), ..Usage::default() }),
        &mut out,
    );
    encoder.event(&finish_event(FinishReason::Length), &mut out);
    assert!(out.is_empty());
    encoder.finish(&mut out);
    let last = format!(
        "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"\"}}],\"role\":\"model\"}},\"index\":0,\"finishReason\":\"MAX_TOKENS\"}}],\"usageMetadata\":{{\"promptTokenCount\":3,\"candidatesTokenCount\":2,\"totalTokenCount\":5}}{names}\r\n\r\n"
    );
    assert_eq!(out, last.as_bytes());
}

#[test]
fn thoughts_and_signatures() {
    let claude = "anthropic-claude-v1";
    let google = "google-gemini-v1";
    let packed = |encrypted: bool| {
        let carried = Signature { data: "S".into(), format: claude.into(), id: None, encrypted };
        carried.written().into_owned()
    };
    let mut events = vec![start(), thought("hm"), signed("S", claude, false, None), text("a")];
    events.push(signed("g", google, true, Some("c1")));
    events.extend(call_events(0, "c1", "{\n \"a\": 1.50}"));
    events.push(signed("S", claude, true, None));
    events.push(finish_event(FinishReason::ToolCalls));
    let call = json!({"functionCall": {"id": "c1", "name": "f", "args": {"a": 1.50}}, "thoughtSignature": "g"});
    let tail = json!({"text": "", "thought": true, "thoughtSignature": packed(true)});
    let signed_text = json!({"text": "a", "thoughtSignature": packed(false)});
    let shown = written(&events, false);
    assert_eq!(
        parts_of(&shown),
        [json!({"text": "hm", "thought": true}), signed_text.clone(), call.clone(), tail.clone()]
    );
    assert_eq!(parts_of(&written(&events, true)), [signed_text, call, tail]);
    assert_eq!(shown.last().unwrap()["candidates"][0]["finishReason"], "STOP");
    // Gemini's own stand by themselves, those of lost calls with the id.
    let lost = Signature {
        data: "g".into(),
        format: google.into(),
        id: Some("c9".into()),
        encrypted: true,
    };
    let events =
        [text("a"), signed("g", google, true, None), signed("g", google, true, Some("c9"))];
    let parts = parts_of(&written(&events, false));
    assert_eq!(parts[1], json!({"text": "", "thoughtSignature": "g"}));
    assert_eq!(parts[2], json!({"text": "", "thoughtSignature": lost.written()}));
}

#[test]
fn calls_are_whole_whatever_the_order() {
    let args = |json: &'static str| {
        let mut events = call_events(0, "c", json).to_vec();
        events.pop();
        parts_of(&written(&events, false))[0]["functionCall"]["args"].clone()
    };
    for (json, expected) in [
        ("", json!({})),
        ("null", json!({})),
        ("[1]", json!({"value": [1]})),
        ("{\"a\":", json!({"__raw_arguments": "{\"a\":"})),
    ] {
        assert_eq!(args(json), expected);
    }
    // Two at once, one begun twice, pieces of unknown ones.
    let mut events: Vec<Event<'_>> = Vec::new();
    let [start_0, args_0, end_0] = call_events(0, "a", "{\"n\":0}");
    let [start_1, args_1, end_1] = call_events(1, "b", "{\"n\":1}");
    events.extend([args_1.clone(), start_0.clone(), start_1, args_0, args_1, end_1.clone(), end_1]);
    events.extend([start_0, end_0.clone(), end_0]);
    let ids: Vec<Value> = parts_of(&written(&events, false))
        .iter()
        .filter_map(|part| part.get("functionCall"))
        .map(|call| json!([call["id"], call["args"]]))
        .collect();
    assert_eq!(ids, [json!(["b", {"n": 1}]), json!(["a", {"n": 0}]), json!(["a", {}])]);
    let free = [
        Event::ToolCallStart { choice: 0, call: 0, id: "c".into(), name: "f".into(), custom: true },
        Event::ToolCallArguments { choice: 0, call: 0, json: "plain \"text\"".into() },
    ];
    let call = &parts_of(&written(&free, false))[0]["functionCall"];
    assert_eq!(call["args"], json!({"input": "plain \"text\""}));
}

#[test]
fn alternatives_sources_and_usage_end_together() {
    let citation = |start, end| Citation { url: "https://a".into(), title: "A".into(), start, end };
    let asked = Usage { prompt: Some(9), completion: Some(1), ..Usage::default() };
    let told = Usage { completion: Some(8), reasoning: Some(3), ..Usage::default() };
    let events = [
        start(),
        Event::Text { choice: 1, text: "b".into() },
        text("größe ü"),
        Event::Citations {
            choice: 0,
            citations: vec![citation(0, 5), citation(0, 5), citation(6, 7)],
        },
        Event::Finish { choice: 1, reason: FinishReason::Length, native: None },
        finish_event(FinishReason::Stop),
        Event::ServiceTier("flex".into()),
        Event::Usage(asked),
        Event::Usage(told),
        Event::End,
    ];
    let values = written(&events, false);
    assert_eq!(values.len(), 3);
    assert_eq!(values[0]["candidates"][0]["index"], 1);
    let last = values.last().unwrap();
    let words = last["candidates"].as_array().unwrap().iter();
    let words: Vec<Value> = words.map(|one| json!([one["index"], one["finishReason"]])).collect();
    assert_eq!(words, [json!([1, "MAX_TOKENS"]), json!([0, "STOP"])]);
    assert_eq!(
        last["candidates"][1]["groundingMetadata"],
        json!({"groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}], "groundingSupports": [
            {"segment": {"startIndex": 0, "endIndex": 7}, "groundingChunkIndices": [0]},
            {"segment": {"startIndex": 8, "endIndex": 10}, "groundingChunkIndices": [0]}]})
    );
    assert_eq!(
        last["usageMetadata"],
        json!({"promptTokenCount": 9, "candidatesTokenCount": 5, "thoughtsTokenCount": 3,
            "totalTokenCount": 17, "serviceTier": "flex"})
    );
}

#[test]
fn refusals_alone_are_blocked_prompts() {
    let no = |text: &'static str| Event::Refusal { choice: 0, text: text.into() };
    let events = [no("I "), no("won't"), finish_event(FinishReason::ContentFilter)];
    let blocked = written(&events, false);
    assert_eq!(
        blocked,
        [json!({"promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "I won't"},
            "modelVersion": null, "responseId": null})]
    );
    let events = [no("I "), no("won't"), finish_event(FinishReason::Stop)];
    assert_eq!(parts_of(&written(&events, false))[0], json!({"text": "I won't"}));
    let events = [no("no"), text("but"), no("no"), finish_event(FinishReason::ContentFilter)];
    let mut encoder = Encoder::new(label(false), Framing::Sse);
    let mut out = BytesMut::new();
    for event in &events[..3] {
        encoder.event(event, &mut out);
    }
    assert!(out.ends_with(b"\r\n\r\n") && values(Framing::Sse, &out).len() == 3, "nothing waits");
    let said = parts_of(&written(&events, false));
    assert_eq!(said[..3], [json!({"text": "no"}), json!({"text": "but"}), json!({"text": "no"})]);
}

#[test]
fn sound_pictures_and_probabilities() {
    let piece =
        |format: Option<&'static str>, data: &'static str, words: &'static str| Event::Audio {
            choice: 0,
            audio: AudioPiece {
                format: format.map(Into::into),
                data: Some(data.into()),
                transcript: Some(words.into()),
                ..AudioPiece::default()
            },
        };
    let events = [
        piece(Some("wav"), "AA==", ""),
        piece(None, "BB==", "hi"),
        Event::Image { choice: 0, mime: "image/png".into(), data: "CC==".into() },
        Event::Logprobs {
            choice: 0,
            json: std::borrow::Cow::Borrowed(
                serde_json::from_str(r#"{"content":[{"token":"a","logprob":-0.5}]}"#).unwrap(),
            ),
        },
    ];
    let values = written(&events, false);
    let inline = |mime: &str, data: &str| json!({"inlineData": {"mimeType": mime, "data": data}});
    assert_eq!(
        parts_of(&values)[..4],
        [
            inline("audio/wav", "AA=="),
            inline("audio/wav", "BB=="),
            json!({"text": "hi"}),
            inline("image/png", "CC==")
        ]
    );
    let probable = values.iter().find_map(|value| value["candidates"][0].get("logprobsResult"));
    assert_eq!(
        probable.unwrap()["chosenCandidates"],
        json!([{"token": "a", "logProbability": -0.5}])
    );
}

#[test]
fn silence_and_failure_are_well_formed() {
    let values_of_nothing = written(&[], false);
    assert_eq!(values_of_nothing.len(), 1);
    assert_eq!(values_of_nothing[0]["candidates"][0]["finishReason"], "STOP");
    let error = GatewayError::client(Kind::ProviderOverloaded, "busy");
    for framing in [Framing::Sse, Framing::JsonArray] {
        for said in [vec![], vec![text("a")], vec![start(), text("a"), text("b")]] {
            let mut encoder = Encoder::new(label(false), framing);
            let mut out = BytesMut::new();
            for event in &said {
                encoder.event(event, &mut out);
            }
            encoder.fail(&error, "req-1", &mut out);
            let length = out.len();
            encoder.event(&text("late"), &mut out);
            encoder.fail(&error, "req-1", &mut out);
            encoder.finish(&mut out);
            assert_eq!(out.len(), length);
            let values = values(framing, &out);
            let last = values.last().unwrap();
            assert_eq!(last["error"]["status"], "UNAVAILABLE");
            assert_eq!(
                values.len(),
                1 + said.iter().filter(|e| matches!(e, Event::Text { .. })).count()
            );
        }
    }
}

#[test]
fn limits_hold() {
    let mut encoder = Encoder::new(label(false), Framing::Sse);
    let mut out = BytesMut::new();
    for choice in 0..1_000 {
        encoder.event(&Event::Text { choice, text: "x".into() }, &mut out);
    }
    assert_eq!(encoder.choices.len(), MAX_CHOICES);
    let megabyte = "9".repeat(1024 * 1024);
    let [begin, _, end] = call_events(0, "c", "");
    encoder.event(&begin, &mut out);
    out.clear();
    for _ in 0..40 {
        let json = megabyte.as_str().into();
        encoder.event(&Event::ToolCallArguments { choice: 0, call: 0, json }, &mut out);
    }
    encoder.event(&end, &mut out);
    assert!(out.len() < 17 * 1024 * 1024, "{}", out.len());
    assert_eq!(encoder.room, held::MAX_HELD_BYTES);
    out.clear();
    for choice in 0..100 {
        for data in [&megabyte, &megabyte] {
            let (data, id) = (data.as_str().into(), None);
            let (format, block, encrypted) = ("anthropic-claude-v1", 0, true);
            let event = Event::ReasoningSignature { choice, data, encrypted, format, block, id };
            encoder.event(&event, &mut out);
        }
    }
    let held = encoder.choices.iter().map(|choice| choice.waiting.len()).sum::<usize>();
    assert_eq!(held, 16);
}
