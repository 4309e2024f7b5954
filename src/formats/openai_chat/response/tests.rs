//! Tests of whole answers written and read.

use super::*;
use crate::chat::Usage;
use crate::formats::gemini::recordings;
use serde_json::{Value, json};
use std::sync::Arc;

fn label() -> AnswerLabel {
    AnswerLabel {
        id: Arc::from("gen-1-abc"),
        model: Some(Arc::from("acme/model")),
        provider: Arc::from("Acme"),
        created_s: 7,
        include_usage: true,
        exclude_reasoning: false,
        shape: crate::formats::Shape::Maker,
        charges: None,
    }
}

fn answer(parts: Vec<Part<'_>>, finish: FinishReason) -> Response<'_> {
    let choice = Choice {
        index: 0,
        parts,
        finish,
        native_finish: Some("end_turn".into()),
        citations: Vec::new(),
        logprobs: None,
    };
    Response { choices: vec![choice], ..Response::default() }
}

fn text(text: &str) -> Part<'_> {
    Part::Text { text: text.into(), cache: None }
}

fn message(response: &Response<'_>, label: &AnswerLabel) -> Value {
    let written: Value = serde_json::from_slice(&encode(response, label)).unwrap();
    written["choices"][0]["message"].clone()
}

#[test]
fn a_plain_answer_says_no_more_than_it_must() {
    let mut response = answer(vec![text("Par"), text("is.")], FinishReason::Stop);
    response.usage =
        Usage { prompt: Some(5), completion: Some(2), cached: Some(4), ..Usage::default() };
    assert_eq!(
        encode(&response, &label()),
        r#"{"id":"gen-1-abc","object":"chat.completion","created":7,"model":"acme/model","provider":"Acme","system_fingerprint":null,"choices":[{"index":0,"finish_reason":"stop","native_finish_reason":"end_turn","message":{"role":"assistant","content":"Paris."}}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}"#
    );
}

#[test]
fn everything_an_answer_can_hold_is_written() {
    let call = ToolCall {
        custom: false,
        id: "c1".into(),
        name: "f".into(),
        arguments: "{\"a\":1}".into(),
        signature: Some("G".into()),
    };
    let thought = Reasoning {
        kind: ReasoningKind::Text,
        text: "Hm.".into(),
        signature: Some("S".into()),
        format: Some("anthropic-claude-v1".into()),
        id: None,
    };
    let image = Media::Base64 { mime: "image/png".into(), data: "iVBO".into() };
    let mut response = answer(
        vec![
            Part::Reasoning(thought),
            Part::Image { source: image, detail: None, cache: None },
            Part::ToolCall(call),
        ],
        FinishReason::Stop,
    );
    response.choices[0].citations.push(Citation {
        url: "https://a".into(),
        title: "A".into(),
        start: 0,
        end: 3,
    });
    let written: Value = serde_json::from_slice(&encode(&response, &label())).unwrap();
    assert_eq!(written["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(
        written["choices"][0]["message"],
        json!({
            "role": "assistant", "content": null, "reasoning": "Hm.", "reasoning_content": "Hm.",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "Hm.", "signature": "S", "id": null, "format": "anthropic-claude-v1", "index": 0},
                {"type": "reasoning.encrypted", "data": "G", "id": "c1", "format": "google-gemini-v1", "index": 1}],
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}],
            "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}],
            "annotations": [{"type": "url_citation", "url_citation": {"url": "https://a", "title": "A", "start_index": 0, "end_index": 3}}],
        })
    );
    let quiet = AnswerLabel { exclude_reasoning: true, ..label() };
    let message = message(&response, &quiet);
    assert!(message.get("reasoning").is_none());
    let signatures = json!([
        {"type": "reasoning.text", "signature": "S", "id": null, "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.encrypted", "data": "G", "id": "c1", "format": "google-gemini-v1", "index": 1}]);
    assert_eq!(message["reasoning_details"], signatures, "needed to go on");
}

#[test]
fn content_is_null_only_beside_calls_or_a_refusal() {
    let content = |parts| message(&answer(parts, FinishReason::Stop), &label())["content"].clone();
    assert_eq!(content(vec![]), "");
    assert_eq!(content(vec![Part::Refusal { text: "no".into() }]), Value::Null);
    let refused = message(
        &answer(vec![Part::Refusal { text: "no".into() }], FinishReason::ContentFilter),
        &label(),
    );
    assert_eq!(refused["refusal"], "no");
}

#[test]
fn text_that_is_no_base64_cannot_break_out() {
    let image = Media::Base64 { mime: "image/png".into(), data: "\",\"x\":\"\n".into() };
    let part = Part::Image { source: image, detail: None, cache: None };
    let message = message(&answer(vec![part], FinishReason::Stop), &label());
    assert_eq!(message["images"][0]["image_url"]["url"], "data:image/png;base64,\",\"x\":\"\n");
}

#[test]
fn imitators_are_read() {
    let body = br#"{"choices":[{"message":{"role":"assistant","content":[
        {"type":"thinking","thinking":[{"type":"text","text":"T"}]},{"type":"text","text":"A"}],
        "tool_calls":[{"id":"","function":{"name":"f","arguments":null}},{"function":{"name":"g","arguments":{"a":1}}}]},
        "finish_reason":"stop"}],"usage":null}"#;
    let response = decode(body).unwrap();
    let choice = &response.choices[0];
    assert_eq!(choice.finish, FinishReason::ToolCalls);
    assert!(matches!(&choice.parts[0], Part::Reasoning(piece) if piece.text == "T"));
    assert!(matches!(&choice.parts[1], Part::Text { text, .. } if text == "A"));
    let Part::ToolCall(first) = &choice.parts[2] else { panic!() };
    let Part::ToolCall(second) = &choice.parts[3] else { panic!() };
    assert!(!first.id.is_empty() && first.id != second.id);
    assert_eq!((first.arguments.as_ref(), second.arguments.as_ref()), ("{}", r#"{"a":1}"#));
    assert!(decode(b"[]").is_err() && decode(b"oops").is_err());
}

#[test]
fn what_only_some_answers_hold_is_read_and_written() {
    let body = br#"{"id":"x","model":"m","service_tier":"flex","search_results":[{"title":"T","url":"https://s"}],
        "choices":[{"index":0,"finish_reason":"stop","logprobs":{"content":[{"token":"a","logprob":-0.10}],"refusal":null},
        "message":{"role":"assistant","content":null,"refusal":"","audio":{"id":"a1","data":"AA==","transcript":"Hi","expires_at":9},
        "reasoning":"R","reasoning_details":[{"type":"reasoning.encrypted","data":"E","format":"openai-responses-v1","id":"rs_1"}],
        "tool_calls":[{"id":"c","type":"custom","custom":{"name":"f","input":"null"}}]}}]}"#;
    let written: Value = serde_json::from_slice(&encode(&decode(body).unwrap(), &label())).unwrap();
    assert_eq!(written["service_tier"], "flex");
    let choice = &written["choices"][0];
    assert_eq!(choice["logprobs"]["content"][0]["logprob"].to_string(), "-0.1");
    assert_eq!(
        choice["message"],
        json!({
            "role": "assistant", "content": null, "reasoning": "R", "reasoning_content": "R", "reasoning_content": "R",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "R", "id": null, "format": "unknown", "index": 0},
                {"type": "reasoning.encrypted", "data": "E", "id": "rs_1", "format": "openai-responses-v1", "index": 1}],
            "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "f", "input": "null"}}],
            "audio": {"id": "a1", "data": "AA==", "transcript": "Hi", "expires_at": 9},
            "annotations": [{"type": "url_citation", "url_citation": {"url": "https://s", "title": "T", "start_index": 0, "end_index": 0}}],
        })
    );
    for none in ["null", r#"{"content":null,"refusal":null}"#, r#"{"content":[]}"#] {
        let body = format!(r#"{{"choices":[{{"logprobs":{none},"message":{{"content":"x"}}}}]}}"#);
        assert!(decode(body.as_bytes()).unwrap().choices[0].logprobs.is_none(), "{none}");
    }
    let object = br#"{"choices":[{"message":{"content":{"b":1,"a":[true]}}}]}"#;
    let parts = &decode(object).unwrap().choices[0].parts;
    assert!(matches!(&parts[0], Part::Text { text, .. } if text == r#"{"b":1,"a":[true]}"#));
}

#[test]
fn an_answer_has_alternatives_counted_from_0() {
    let read = |choices: &str| {
        let body = format!(r#"{{"choices":{choices}}}"#);
        let response = decode(body.as_bytes()).ok()?;
        let text = |choice: &Choice<'_>| match choice.parts.first() {
            Some(Part::Text { text, .. }) => text.to_string(),
            _ => String::new(),
        };
        Some(response.choices.iter().map(|c| (c.index, text(c), c.finish)).collect::<Vec<_>>())
    };
    let said = |at: &str, text: &str| {
        format!(r#"{{"index":{at},"finish_reason":"stop","message":{{"content":"{text}"}}}}"#)
    };
    let stop = |at, text: &str| (at, text.to_owned(), FinishReason::Stop);
    assert_eq!(read("[]"), None);
    assert_eq!(read("null"), None);
    assert_eq!(read(&format!("[{}]", said("5", "a"))), Some(vec![stop(0, "a")]));
    for (one, two) in [("1", "0"), ("0", "0"), ("-1", "{}"), ("4294967296", "null")] {
        let (first, second) = if one == "1" { ("b", "a") } else { ("a", "b") };
        let list = format!("[{},{}]", said(one, first), said(two, second));
        assert_eq!(read(&list), Some(vec![stop(0, "a"), stop(1, "b")]), "{one} {two}");
    }
    let filtered = r#"[{"index":0,"finish_reason":"content_filter","content_filter_results":{}}]"#;
    let filtered = read(filtered);
    assert_eq!(filtered, Some(vec![(0, String::new(), FinishReason::ContentFilter)]));
}

#[test]
fn members_that_were_left_empty_are_no_calls() {
    let body = br#"{"choices":[{"finish_reason":"","message":{"content":"a",
        "function_call":{"arguments":"","name":""},
        "tool_calls":[{"id":"c","type":"function","custom":{"input":"","name":""},
            "function":{"arguments":"{}","name":"f"}}]}},
        {"finish_reason":"","message":{"content":"a","function_call":{"arguments":"","name":""}}}]}"#;
    let response = decode(body).unwrap();
    let calls = |at: usize| {
        let parts = response.choices[at].parts.iter();
        parts
            .filter(|part| matches!(part, Part::ToolCall(call) if call.name == "f" && !call.custom))
            .count()
    };
    assert_eq!((calls(0), response.choices[0].parts.len()), (1, 2));
    assert_eq!((calls(1), response.choices[1].parts.len()), (0, 1));
    assert_eq!(response.choices[1].finish, FinishReason::Stop);
}

#[test]
fn tiers_are_those_that_openais_clients_know() {
    for (tier, shown) in
        [("flex", "flex"), ("fast", "fast"), ("standard", "default"), ("on_demand", "default")]
    {
        let mut response = answer(vec![text("a")], FinishReason::Stop);
        response.service_tier = Some(tier.into());
        let written: Value = serde_json::from_slice(&encode(&response, &label())).unwrap();
        assert_eq!(written["service_tier"], shown);
        let written = crate::formats::openai_responses::response::encode(&response, &label());
        let written: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(written["service_tier"], shown);
    }
}

#[test]
fn sound_without_an_id_gets_what_clients_count_on() {
    let sound = AudioPiece { data: Some("AA==".into()), ..AudioPiece::default() };
    let message = message(&answer(vec![Part::SpokenAnswer(sound)], FinishReason::Stop), &label());
    let whole = json!({"id": "audio_gen-1-abc", "data": "AA==", "transcript": "", "expires_at": 7});
    assert_eq!((&message["content"], &message["audio"]), (&Value::Null, &whole));
}

#[test]
fn recorded_answers_survive_reading_and_writing() {
    let mut seen = 0;
    for folder in [
        "openai-chat",
        "openrouter-chat",
        "deepseek-chat",
        "groq-chat",
        "mistral-chat",
        "azure-chat",
    ] {
        for recording in recordings::load(folder) {
            let Ok(original) = serde_json::from_str::<Value>(&recording.body) else { continue };
            if recording.status != 200 || !original["choices"].is_array() {
                continue;
            }
            seen += 1;
            let written = encode(&decode(recording.body.as_bytes()).unwrap(), &label());
            let written: Value = serde_json::from_slice(&written).unwrap();
            let pairs = original["choices"].as_array().unwrap().iter();
            for (before, after) in pairs.zip(written["choices"].as_array().unwrap()) {
                let (before, after) = (&before["message"], &after["message"]);
                if let Some(content) = before["content"].as_str() {
                    assert_eq!(
                        after["content"].as_str().unwrap_or_default(),
                        content,
                        "{}",
                        recording.id
                    );
                }
                let calls = |message: &Value| -> Vec<(Value, Value)> {
                    let calls = message["tool_calls"].as_array().into_iter().flatten();
                    calls
                        .map(|call| (call["function"]["name"].clone(), call["id"].clone()))
                        .collect()
                };
                if before.get("function_call").is_none() {
                    assert_eq!(calls(before), calls(after), "{}", recording.id);
                }
            }
            if let Some(prompt) = original["usage"]["prompt_tokens"].as_u64() {
                let audio = original["usage"]["prompt_tokens_details"]["audio_tokens"]
                    .as_u64()
                    .unwrap_or(0);
                let read = written["usage"]["prompt_tokens"].as_u64().unwrap();
                assert!(read == prompt || read == prompt + audio, "{}", recording.id);
            }
        }
    }
    println!("{seen} answers");
}
