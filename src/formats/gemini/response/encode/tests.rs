//! Whole answers for Gemini's clients, and recorded ones of every format.

use super::*;
use crate::chat::Usage;
use crate::chat::event::AudioPiece;
use crate::chat::response::Citation;
use crate::formats::gemini::recordings;
use crate::formats::{ApiFormat, decode_response};
use serde_json::{Value, json};

fn label(exclude_reasoning: bool) -> AnswerLabel {
    AnswerLabel {
        id: "gen-1".into(),
        model: None,
        provider: "Provider".into(),
        created_s: 1,
        include_usage: true,
        exclude_reasoning,
        shape: crate::formats::Shape::Maker,
        charges: None,
    }
}

fn choice(parts: Vec<Part<'_>>) -> Choice<'_> {
    Choice {
        index: 0,
        parts,
        finish: FinishReason::Stop,
        native_finish: None,
        citations: Vec::new(),
        logprobs: None,
    }
}

fn answer(choice: Choice<'_>) -> Response<'_> {
    Response { choices: vec![choice], ..Response::default() }
}

fn value(response: &Response<'_>, exclude: bool) -> Value {
    serde_json::from_slice(&encode(response, &label(exclude))).unwrap()
}

fn parts(parts: Vec<Part<'_>>, exclude: bool) -> Value {
    value(&answer(choice(parts)), exclude)["candidates"][0]["content"]["parts"].take()
}

fn text(text: &str) -> Part<'_> {
    Part::Text { text: text.into(), cache: None }
}

fn reasoning<'a>(
    kind: ReasoningKind,
    text: &'a str,
    maker: &'a str,
    id: Option<&'a str>,
) -> Part<'a> {
    Part::Reasoning(Reasoning {
        kind,
        text: text.into(),
        signature: Some("S".into()),
        format: Some(maker.into()),
        id: id.map(Into::into),
    })
}

fn call<'a>(id: &'a str, arguments: &'a str, signature: Option<&'a str>) -> Part<'a> {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "f".into(),
        arguments: arguments.into(),
        custom: false,
        signature: signature.map(Into::into),
    })
}

fn packed(maker: &'static str, encrypted: bool, id: Option<&'static str>) -> String {
    let id = id.map(Into::into);
    let signature = Signature { data: "S".into(), format: maker.into(), id, encrypted };
    signature.written().into_owned()
}

#[test]
fn the_whole_answer() {
    let response = Response {
        id: Some("up-1".into()),
        model: Some("claude".into()),
        choices: vec![choice(vec![
            text("hi"),
            call("c", r#"{"b":1.50,"a":9007199254740993}"#, None),
        ])],
        usage: Usage { prompt: Some(3), completion: Some(2), ..Usage::default() },
        service_tier: Some("default".into()),
    };
    assert_eq!(
        encode(&response, &label(false)),
        concat!(
            r#"{"candidates":[{"content":{"parts":[{"text":"hi"},{"functionCall":{"id":"c","name":"f","#,
            r#""args":{"b":1.50,"a":9007199254740993}}}],"role":"model"},"finishReason":"STOP","index":0}],"#,
            r#""usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5,"#,
            r#""serviceTier":"standard"},"modelVersion":"claude","responseId":"up-1"}"#,
        )
    );
    let named = AnswerLabel { model: Some("shown".into()), ..label(false) };
    let empty = Response { choices: vec![choice(Vec::new())], ..Response::default() };
    let written: Value = serde_json::from_slice(&encode(&empty, &named)).unwrap();
    assert_eq!(written["modelVersion"], "shown");
    assert_eq!(written["responseId"], "gen-1");
    assert_eq!(written["candidates"][0]["content"]["parts"], json!([{"text": ""}]));
    assert_eq!(written.get("usageMetadata"), None);
}

#[test]
fn arguments_that_are_no_object() {
    for (arguments, expected) in [
        ("", json!({})),
        ("null", json!({})),
        ("5", json!({"value": 5})),
        ("{\"cut", json!({"__raw_arguments": "{\"cut"})),
    ] {
        assert_eq!(
            parts(vec![call("c", arguments, None)], false)[0]["functionCall"]["args"],
            expected
        );
    }
    let Part::ToolCall(plain) = call("c", "any text", None) else { panic!("no call") };
    let custom = Part::ToolCall(ToolCall { custom: true, ..plain });
    assert_eq!(parts(vec![custom], false)[0]["functionCall"]["args"], json!({"input": "any text"}));
}

#[test]
fn signatures_of_every_maker() {
    use ReasoningKind::{Encrypted, Summary, Text};
    let (own, claude, openai) = (REASONING_FORMAT, "anthropic-claude-v1", "openai-responses-v1");
    let f = |signature: &str| json!({"functionCall": {"id": "c", "name": "f", "args": {}}, "thoughtSignature": signature});
    let thought = |text: &str, signature: &str| json!({"text": text, "thought": true, "thoughtSignature": signature});
    for (exclude, given, expected) in [
        (false, vec![reasoning(Text, "hm", own, None)], json!([thought("hm", "S")])),
        (true, vec![reasoning(Text, "hm", own, None)], json!([thought("", "S")])),
        (
            false,
            vec![
                text("a"),
                reasoning(Encrypted, "", own, None),
                reasoning(Encrypted, "", own, None),
            ],
            json!([{"text": "a", "thoughtSignature": "S"}, {"text": "", "thoughtSignature": "S"}]),
        ),
        (false, vec![call("c", "", Some("T"))], json!([f("T")])),
        (
            false,
            vec![reasoning(Encrypted, "", own, Some("c")), call("c", "", None)],
            json!([f("S")]),
        ),
        (
            false,
            vec![reasoning(Text, "hm", claude, None), call("c", "", Some("T"))],
            json!([thought("hm", &packed(claude, false, None)), f("T")]),
        ),
        (
            true,
            vec![reasoning(Text, "hm", claude, None), call("c", "", None)],
            json!([f(&packed(claude, false, None))]),
        ),
        (
            false,
            vec![
                reasoning(Encrypted, "", claude, None),
                reasoning(Encrypted, "", openai, Some("rs_1")),
                text("a"),
            ],
            json!([thought("", &packed(claude, true, None)),
                {"text": "a", "thoughtSignature": packed(openai, true, Some("rs_1"))}]),
        ),
        (
            false,
            vec![reasoning(Summary, "hm", openai, Some("rs_1"))],
            json!([thought("hm", &packed(openai, false, Some("rs_1")))]),
        ),
    ] {
        let given_text = format!("{given:?}");
        assert_eq!(parts(given, exclude), expected, "{given_text}");
    }
}

#[test]
fn media_and_refusals() {
    let image = |source| Part::Image { source, detail: None, cache: None };
    let base64 = Media::Base64 { mime: "image/webp".into(), data: "AA==".into() };
    let spoken = AudioPiece {
        format: Some("mp3".into()),
        data: Some("AA==".into()),
        transcript: Some("hi".into()),
        ..AudioPiece::default()
    };
    let inline = |mime: &str| json!({"inlineData": {"mimeType": mime, "data": "AA=="}});
    let given = vec![
        image(base64),
        image(Media::Url("https://a/b.gif".into())),
        Part::Audio { data: "AA==".into(), format: "L16;rate=8000".into() },
        Part::SpokenAnswer(spoken),
        Part::Refusal { text: "no".into() },
    ];
    assert_eq!(
        parts(given, false),
        json!([inline("image/webp"),
            {"fileData": {"mimeType": "image/gif", "fileUri": "https://a/b.gif"}},
            inline("audio/L16;rate=8000"), inline("audio/mp3"), {"text": "hi"}, {"text": "no"}])
    );
    let refused = Choice {
        finish: FinishReason::ContentFilter,
        native_finish: Some("PROHIBITED_CONTENT".into()),
        ..choice(vec![Part::Refusal { text: "no".into() }])
    };
    let mut written = value(&answer(refused), false);
    written["responseId"].take();
    assert_eq!(
        written,
        json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT", "blockReasonMessage": "no"},
            "responseId": null})
    );
}

#[test]
fn sources_point_into_the_bytes() {
    let citation = |start, end| Citation { url: "u".into(), title: "t".into(), start, end };
    let cited = Choice {
        citations: vec![citation(0, 0), citation(2, 3)],
        ..choice(vec![text("äö"), text("ü!")])
    };
    let written = value(&answer(cited), false);
    assert_eq!(
        written["candidates"][0]["groundingMetadata"],
        json!({"groundingChunks": [{"web": {"uri": "u", "title": "t"}}],
            "groundingSupports": [{"segment": {"startIndex": 4, "endIndex": 6}, "groundingChunkIndices": [0]}]})
    );
}

/// An answer without what has no way back: the provider's word for a missing end, the count of
/// searches, the place of sources that support no text.
fn comparable(mut response: Response<'_>) -> String {
    response.usage.web_searches = None;
    for choice in &mut response.choices {
        choice.native_finish = None;
        if choice.citations.iter().any(|one| one.end > 0) {
            choice.citations.retain(|one| one.end > one.start);
        }
    }
    format!("{response:#?}")
}

#[test]
fn recorded_answers_come_back_the_same() {
    let mut answers = 0;
    for recording in recordings::answers().iter().filter(|recording| recording.status == 200) {
        let events = recording.events();
        let [event] = events.as_slice() else { continue };
        let Ok(before) = super::super::decode(event.as_bytes()) else { continue };
        let body = encode(&before, &label(false));
        let mut after = super::super::decode(&body).unwrap();
        if before.id.is_none() {
            // An answer without an id gets one.
            assert!(after.id.take().is_some());
        }
        assert_eq!(comparable(before.clone()), comparable(after), "{}", recording.id);
        answers += 1;
    }
    assert!(recordings::answers().is_empty() || answers > 100, "{answers}");
}

#[test]
fn recorded_answers_of_others_can_be_read() {
    let mut answers = 0;
    for (folder, format) in [
        ("openai-chat", ApiFormat::OpenAiChat),
        ("openrouter-chat", ApiFormat::OpenAiChat),
        ("anthropic-messages", ApiFormat::Anthropic),
    ] {
        for recording in recordings::load(folder).iter().filter(|one| one.status == 200) {
            let Ok(before) = decode_response(format, recording.body.as_bytes()) else { continue };
            let body = encode(&before, &label(false));
            let after = super::super::decode(&body).unwrap();
            let said = |response: &Response<'_>| {
                let parts = response.choices.iter().flat_map(|choice| &choice.parts);
                let pieces = parts.filter_map(|part| match part {
                    Part::Text { text, .. } | Part::Refusal { text } => Some(text.to_string()),
                    Part::ToolCall(call) => Some(format!("{} {}", call.id, call.name)),
                    Part::Reasoning(reasoning) => Some(reasoning.text.to_string()),
                    Part::SpokenAnswer(sound) => sound.transcript.as_deref().map(str::to_owned),
                    _ => None,
                });
                pieces.collect::<String>()
            };
            assert_eq!(said(&before), said(&after), "{}", recording.id);
            assert_eq!(before.usage.total(), after.usage.total(), "{}", recording.id);
            answers += 1;
        }
    }
    assert!(recordings::answers().is_empty() || answers > 200, "{answers}");
}
