//! Whole answers, rule by rule, and the recorded ones against the stream's reading of them.

use super::*;
use crate::formats::gemini::recordings;
use crate::formats::gemini::stream::Decoder;
use crate::formats::{StreamDecoder, gemini::names::Renamed};
use serde_json::{Value, json};

fn decoded(body: &str) -> Response<'_> {
    decode(body.as_bytes()).unwrap()
}

fn first_text(response: &Response<'_>) -> String {
    let text = response.choices[0].parts.iter().filter_map(|part| match part {
        Part::Text { text, .. } => Some(text.as_ref()),
        _ => None,
    });
    text.collect()
}

#[test]
fn parts_keep_their_order() {
    let body = json!({"responseId": "r", "modelVersion": "m", "candidates": [{"finishReason": "STOP",
        "content": {"parts": [
            {"text": "hm", "thought": true},
            {"text": "a", "thoughtSignature": "s"},
            {"functionCall": {"id": "x", "name": "f", "args": {"k": [1, 2]}}, "thought_signature": "t"},
            {"functionCall": {"name": "g"}},
            {"text": ""},
            {"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "BB"}},
            {"inlineData": {"mimeType": "image/png", "data": "AA"}, "thoughtSignature": "u"},
        ]}}]})
    .to_string();
    let response = decoded(&body);
    let choice = &response.choices[0];
    assert_eq!((response.id.as_deref(), response.model.as_deref()), (Some("r"), Some("m")));
    assert_eq!(choice.finish, FinishReason::ToolCalls);
    assert_eq!(choice.native_finish.as_deref(), Some("STOP"));
    assert_eq!(choice.parts.len(), 8);
    assert!(
        matches!(&choice.parts[0], Part::Reasoning(r) if r.text == "hm" && r.kind == ReasoningKind::Text)
    );
    assert!(matches!(&choice.parts[1], Part::Text { text, .. } if text == "a"));
    assert!(matches!(&choice.parts[2], Part::Reasoning(r) if r.kind == ReasoningKind::Encrypted
        && r.signature.as_deref() == Some("s") && r.format.as_deref() == Some(REASONING_FORMAT)));
    let Part::ToolCall(first) = &choice.parts[3] else { panic!() };
    assert_eq!((&*first.id, &*first.arguments), ("x", r#"{"k":[1,2]}"#));
    assert_eq!(first.signature.as_deref(), Some("t"));
    let Part::ToolCall(second) = &choice.parts[4] else { panic!() };
    assert_eq!((&*second.name, &*second.arguments), ("g", "{}"));
    assert!(second.id.starts_with("call_"));
    assert!(matches!(&choice.parts[5], Part::Audio { format, .. } if format == "L16;rate=24000"));
    assert!(matches!(&choice.parts[6], Part::Image { .. }));
    assert!(matches!(&choice.parts[7], Part::Reasoning(r) if r.signature.as_deref() == Some("u")));
    let label = label();
    let written: Value = serde_json::from_slice(&super::encode(&decoded(&body), &label)).unwrap();
    let image = &written["candidates"][0]["content"]["parts"][5];
    assert_eq!(
        (&image["inlineData"]["data"], &image["thoughtSignature"]),
        (&json!("AA"), &json!("u"))
    );
}

#[test]
fn a_signed_picture_comes_back_signed() {
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "draw"}]},
        {"role": "model", "parts": [
            {"text": "here"},
            {"inlineData": {"mimeType": "image/png", "data": "aGk="}, "thoughtSignature": "u"}]},
        {"role": "user", "parts": [{"text": "bigger"}]}]})
    .to_string();
    let request = crate::formats::gemini::request::decode(body.as_bytes()).unwrap();
    let target = crate::formats::Target::new("gemini-3-pro-image");
    let sent = crate::formats::gemini::request::encode(&request, target).unwrap().body;
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    let parts = sent["contents"][1]["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[1]["thoughtSignature"], "u");
    assert_eq!(parts[1]["inlineData"]["data"], "aGk=");
}

fn label() -> crate::formats::AnswerLabel {
    crate::formats::AnswerLabel {
        id: "gen-1".into(),
        model: None,
        provider: "P".into(),
        created_s: 1,
        include_usage: true,
        exclude_reasoning: false,
        shape: crate::formats::Shape::Maker,
        charges: None,
    }
}

#[test]
fn blocked_failed_and_empty() {
    let blocked = decoded(
        r#"{"promptFeedback":{"blockReason":"SAFETY","blockReasonMessage":"no"},"usageMetadata":{"promptTokenCount":4,"totalTokenCount":4}}"#,
    );
    let choice = &blocked.choices[0];
    assert!(matches!(&choice.parts[..], [Part::Refusal { text }] if text == "no"));
    assert_eq!(choice.finish, FinishReason::ContentFilter);
    assert_eq!((blocked.usage.prompt, blocked.usage.completion), (Some(4), Some(0)));
    let filtered =
        decoded(r#"{"candidates":[{"finishReason":"MODEL_ARMOR","finishMessage":"hate"}]}"#);
    assert!(matches!(&filtered.choices[0].parts[..], [Part::Refusal { text }] if text == "hate"));
    let spent = decoded(r#"{"candidates":[{"finishReason":"MAX_TOKENS","content":{}}]}"#);
    assert_eq!(spent.choices[0].finish, FinishReason::Length);
    assert!(spent.choices[0].parts.is_empty());
    for bad in ["", "{}", "[]", "[{},{}]", "<html>", r#"{"error":{"code":503,"message":"x"}}"#] {
        assert!(decode(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn alternatives_tiers_and_one_element_lists() {
    let response = decoded(
        r#"[{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":1},
        {"content":{"parts":[{"text":"b"}]},"finish_reason":2}],"usageMetadata":{"serviceTier":"standard"}}]"#,
    );
    let ends: Vec<_> = response.choices.iter().map(|c| (c.index, c.finish)).collect();
    assert_eq!(ends, [(0, FinishReason::Stop), (1, FinishReason::Length)]);
    assert_eq!(response.service_tier.as_deref(), Some("default"));
    assert_eq!(response.choices[0].native_finish.as_deref(), Some("STOP"));
}

#[test]
fn names_are_restored() {
    let sent = crate::formats::gemini::names::sent_name("9x").into_owned();
    let body = json!({"candidates": [{"content": {"parts": [{"functionCall": {"name": sent}}]}}]});
    let body = body.to_string();
    let mut response = decoded(&body);
    let name = "9x".into();
    let tool = crate::chat::tool::Tool {
        custom: None,
        name,
        description: None,
        parameters: None,
        strict: None,
        cache: None,
    };
    let request = crate::chat::Request { tools: vec![tool], ..crate::chat::Request::default() };
    Renamed::of(&request).restore(&mut response);
    assert!(matches!(&response.choices[0].parts[0], Part::ToolCall(call) if call.name == "9x"));
}

#[test]
fn recorded_answers_read_like_the_json_says() {
    for recording in recordings::answers().iter().filter(|recording| recording.status == 200) {
        let events = recording.events();
        let [event] = events.as_slice() else { continue };
        let value: Value = serde_json::from_str(event).unwrap();
        let response = decode(event.as_bytes()).unwrap();
        let parts = value["candidates"][0]["content"]["parts"].as_array();
        let visible = parts.into_iter().flatten().filter(|part| part["thought"] != true);
        let has_code = event.contains("executableCode");
        let text: String = visible.filter_map(|part| part["text"].as_str()).collect();
        assert!(has_code || first_text(&response) == text, "{}", recording.id);
        // Offsets of sources count characters: the cited words must be found there.
        let characters: Vec<char> = first_text(&response).chars().collect();
        let supports = value["candidates"][0]["groundingMetadata"]["groundingSupports"].as_array();
        let cited = supports.into_iter().flatten().flat_map(|support| {
            let count = support["groundingChunkIndices"].as_array().map_or(0, Vec::len);
            std::iter::repeat_n(support["segment"]["text"].as_str().unwrap(), count)
        });
        for (citation, words) in response.choices[0].citations.iter().zip(cited) {
            let range =
                usize::try_from(citation.start).unwrap()..usize::try_from(citation.end).unwrap();
            assert_eq!(characters[range].iter().collect::<String>(), words, "{}", recording.id);
        }
        let mut finish = None;
        let mut decoder = Decoder::default();
        let mut sink = |event: crate::chat::Event<'_>| {
            if let crate::chat::Event::Finish { reason, .. } = event {
                finish = Some(reason);
            }
        };
        decoder.event(None, event.as_bytes(), &mut sink).unwrap();
        if decoder.finish(&mut sink).is_ok() {
            assert_eq!(finish, Some(response.choices[0].finish), "{}", recording.id);
        }
    }
}
