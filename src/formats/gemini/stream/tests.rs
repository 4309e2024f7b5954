//! Streams, event by event, and the recorded ones against an independent reading.

use super::*;
use crate::chat::FinishReason;
use crate::error::Kind;
use crate::formats::gemini::recordings;
use serde_json::{Value, json};

/// What came out, folded per alternative.
#[derive(Debug, Default, PartialEq)]
struct Told {
    text: String,
    reasoning: String,
    calls: Vec<(String, Value)>,
    ids: Vec<String>,
    signatures: Vec<(String, Option<String>)>,
    images: usize,
    sound: String,
    logprobs: String,
    refusal: String,
    citations: Vec<(u64, u64)>,
    finish: Vec<(FinishReason, String)>,
}

#[derive(Debug, Default)]
struct Log {
    choices: Vec<Told>,
    order: Vec<&'static str>,
    start: Vec<(Option<String>, Option<String>)>,
    usage: Usage,
    tiers: Vec<String>,
}

impl Log {
    fn take(&mut self, event: Event<'_>) {
        self.order.push(match &event {
            Event::Start { .. } => "start",
            Event::Text { .. } => "text",
            Event::Reasoning { .. } => "reasoning",
            Event::ReasoningSignature { .. } => "signature",
            Event::ToolCallStart { .. } => "call",
            Event::ToolCallArguments { .. } => "arguments",
            Event::ToolCallEnd { .. } => "call end",
            Event::Finish { .. } => "finish",
            Event::Usage(_) => "usage",
            Event::End => "end",
            _ => "other",
        });
        match event {
            Event::Start { id, model } => {
                self.start.push((id.map(Into::into), model.map(Into::into)));
            }
            Event::Usage(usage) => self.usage.merge(&usage),
            Event::Text { choice, text } => self.at(choice).text.push_str(&text),
            Event::Reasoning { choice, text, .. } => self.at(choice).reasoning.push_str(&text),
            Event::Refusal { choice, text } => self.at(choice).refusal.push_str(&text),
            Event::Image { choice, .. } => self.at(choice).images += 1,
            Event::Citations { choice, citations } => {
                self.at(choice).citations.extend(citations.iter().map(|c| (c.start, c.end)));
            }
            Event::ReasoningSignature { choice, data, id: call_id, .. } => {
                self.at(choice).signatures.push((data.into(), call_id.map(Into::into)));
            }
            Event::ToolCallStart { choice, call, id, name, .. } => {
                let told = self.at(choice);
                assert_eq!(told.calls.len(), call as usize);
                told.calls.push((name.into(), Value::Null));
                told.ids.push(id.into());
            }
            Event::ToolCallArguments { choice, call, json } => {
                self.at(choice).calls[call as usize].1 = serde_json::from_str(&json).unwrap();
            }
            Event::Finish { choice, reason, native } => {
                self.at(choice).finish.push((reason, native.unwrap().into()));
            }
            Event::Audio { choice, audio } => {
                let format = audio.format.unwrap_or_default();
                let data = audio.data.unwrap_or_default();
                self.at(choice).sound += &[&format, ",", &data, ";"].concat();
            }
            Event::Logprobs { choice, json } => self.at(choice).logprobs += json.get(),
            Event::ServiceTier(tier) => self.tiers.push(tier.into()),
            Event::ToolCallEnd { .. } | Event::End => {}
            other => panic!("unexpected {other:?}"),
        }
    }

    fn at(&mut self, choice: u32) -> &mut Told {
        let index = choice as usize;
        while self.choices.len() <= index {
            self.choices.push(Told::default());
        }
        &mut self.choices[index]
    }
}

fn run(events: &[impl AsRef<str>]) -> (Log, Result<(), StreamFault>) {
    let mut decoder = Decoder::default();
    let mut log = Log::default();
    for event in events {
        if let Err(fault) =
            decoder.event(None, event.as_ref().as_bytes(), &mut |event| log.take(event))
        {
            return (log, Err(fault));
        }
    }
    let end = decoder.finish(&mut |event| log.take(event));
    (log, end)
}

fn parts(parts: &Value) -> String {
    json!({"candidates": [{"content": {"parts": parts}}]}).to_string()
}

const STOP: &str = r#"{"candidates":[{"finishReason":"STOP"}]}"#;

#[test]
fn text_borrows_from_the_event() {
    let data = parts(&json!([{"text": "plain"}]));
    let mut borrowed = 0;
    let mut sink = |event: Event<'_>| {
        if let Event::Text { text, .. } = event {
            borrowed += usize::from(matches!(text, std::borrow::Cow::Borrowed(_)));
        }
    };
    Decoder::default().event(None, data.as_bytes(), &mut sink).unwrap();
    assert_eq!(borrowed, 1);
}

#[test]
fn order_of_events() {
    let (log, end) = run(&[
        json!({"responseId": "r", "modelVersion": "m", "candidates": [{"content": {"parts": [
            {"text": "hm", "thought": true, "thoughtSignature": "s1"}]}}],
            "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3}})
        .to_string(),
        parts(
            &json!([{"text": "a"}, {"functionCall": {"name": "f", "args": {"b": 1}}, "thoughtSignature": "s2"}]),
        ),
        json!({"candidates": [{"finishReason": "STOP"}], "response_id": "r",
            "usage_metadata": {"promptTokenCount": 3, "candidatesTokenCount": 5}})
        .to_string(),
    ]);
    end.unwrap();
    assert_eq!(
        log.order,
        [
            "start",
            "reasoning",
            "signature",
            "usage",
            "text",
            "signature",
            "call",
            "arguments",
            "call end",
            "usage",
            "finish",
            "end"
        ]
    );
    assert_eq!(log.start, [(Some("r".to_owned()), Some("m".to_owned()))]);
    let told = &log.choices[0];
    assert_eq!(told.signatures[0], ("s1".to_owned(), None));
    assert_eq!(told.signatures[1], ("s2".to_owned(), Some(told.ids[0].clone())));
    assert!(told.ids[0].starts_with("call_") && told.ids[0].len() == 29);
    assert_eq!(told.finish, [(FinishReason::ToolCalls, "STOP".to_owned())]);
    assert_eq!((log.usage.prompt, log.usage.completion), (Some(3), Some(5)));
}

#[test]
fn blocks_change_with_the_kind() {
    let mut decoder = Decoder::default();
    let mut blocks = Vec::new();
    for part in [
        json!([{"text": "1", "thought": true}]),
        json!([{"text": "2", "thought": true, "thoughtSignature": "s"}]),
        json!([{"text": "a"}, {"text": "b"}]),
        json!([{"text": "3", "thought": true}]),
        json!([{"text": "", "thoughtSignature": "t"}]),
    ] {
        let mut sink = |event: Event<'_>| match event {
            Event::Reasoning { block, .. } => blocks.push((block, false)),
            Event::ReasoningSignature { block, encrypted, .. } => blocks.push((block, encrypted)),
            _ => {}
        };
        decoder.event(None, parts(&part).as_bytes(), &mut sink).unwrap();
    }
    assert_eq!(blocks, [(0, false), (0, false), (0, false), (2, false), (3, true)]);
}

#[test]
fn streamed_arguments_are_put_together() {
    let piece = |value: Value| parts(&json!([{"functionCall": value}]));
    let open = piece(json!({"name": "f", "willContinue": true}));
    let half = piece(
        json!({"partialArgs": [{"jsonPath": "$.a", "stringValue": "x", "willContinue": true}], "willContinue": true}),
    );
    for closing in [
        vec![piece(json!({}))],
        vec![parts(&json!([{"text": ""}]))],
        vec![piece(json!({"name": "g"}))],
        vec![],
    ] {
        let mut events = vec![open.clone(), half.clone(), half.clone()];
        events.extend(closing);
        events.push(STOP.to_owned());
        let (log, end) = run(&events);
        end.unwrap();
        assert_eq!(log.choices[0].calls[0], ("f".to_owned(), json!({"a": "xx"})));
        assert_eq!(
            log.order.iter().filter(|name| **name == "call end").count(),
            log.choices[0].calls.len()
        );
    }
}

#[test]
fn names_come_back_in_the_clients_form() {
    use crate::chat::tool::Tool;
    let name = "2nd".into();
    let tool =
        Tool { name, description: None, parameters: None, strict: None, cache: None, custom: None };
    let request = crate::chat::Request { tools: vec![tool], ..crate::chat::Request::default() };
    let mut decoder = Decoder::new(Renamed::of(&request));
    let sent = crate::formats::gemini::names::sent_name("2nd").into_owned();
    let mut log = Log::default();
    let data = parts(&json!([{"functionCall": {"name": sent}}]));
    decoder.event(None, data.as_bytes(), &mut |event| log.take(event)).unwrap();
    assert_eq!(log.choices[0].calls, [("2nd".to_owned(), json!({}))]);
}

#[test]
fn code_images_alternatives_and_odd_parts() {
    let (log, end) = run(&[
        json!({"candidates": [
            {"index": 1, "content": {"parts": [{"text": "b"}]}, "finish_reason": 2},
            {"content": {"parts": [
                {"executableCode": {"language": "PYTHON", "code": "print(1)\n"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}},
                {"inline_data": {"mime_type": "image/png", "data": "AA"}},
                {"inlineData": {"mimeType": "image/png", "data": "AA"}, "thought": true},
                {"toolCall": {"id": "x"}}, {}, {"text": null}]}},
        ]})
        .to_string(),
        format!("[{}]", json!({"candidates": [{"index": 0, "finishReason": "STOP"}]})),
        String::new(),
    ]);
    // The second candidate of the first event has no index: its position counts.
    end.unwrap();
    assert_eq!(log.choices[1].text, "b\n```python\nprint(1)\n```\n\n```\n1\n```\n");
    assert_eq!(log.choices[1].images, 1);
}

#[test]
fn sound_probabilities_and_the_tier() {
    let event = |tier: &str| {
        json!({"candidates": [{"finishReason": "STOP", "content": {"parts": [
            {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": "AA=="}}]},
            "logprobsResult": {"chosenCandidates": [{"token": "a", "logProbability": -1}]}}],
            "usageMetadata": {"trafficType": tier, "totalTokenCount": 1}})
        .to_string()
    };
    let (log, end) = run(&[event("ON_DEMAND_PRIORITY"), event("ON_DEMAND_PRIORITY"), event("x")]);
    end.unwrap();
    let told = &log.choices[0];
    assert_eq!(told.sound, "L16;codec=pcm;rate=24000,AA==;".repeat(3));
    assert!(told.logprobs.starts_with(r#"{"content":[{"token":"a","logprob":-1.0"#));
    assert_eq!(log.tiers, ["priority"]);
}

#[test]
fn the_end_needs_a_reason() {
    let hello = parts(&json!([{"text": "a"}]));
    assert!(matches!(run(&[hello.as_str()]).1, Err(StreamFault::Truncated)));
    assert!(matches!(run(&[""; 0]).1, Err(StreamFault::Truncated)));
    // One of two alternatives without a reason: nothing of the end is told.
    let one_of_two = r#"{"candidates":[{"finishReason":"STOP"},{"content":{}}]}"#;
    let (log, end) = run(&[one_of_two]);
    assert!(matches!(end, Err(StreamFault::Truncated)));
    assert_eq!(log.order, ["start"]);
    let early = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}"#;
    let last =
        r#"{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"MAX_TOKENS"}]}"#;
    let unspecified = r#"{"candidates":[{"finishReason":"FINISH_REASON_UNSPECIFIED"}]}"#;
    let (log, end) = run(&[early, last, unspecified]);
    end.unwrap();
    assert_eq!(log.choices[0].finish, [(FinishReason::Length, "MAX_TOKENS".to_owned())]);
    assert_eq!(log.choices[0].text, "ab");
}

#[test]
fn refused_prompts_and_answers() {
    let blocked = r#"{"promptFeedback":{"blockReason":"OTHER"}}"#;
    let (log, end) = run(&[blocked, blocked]);
    end.unwrap();
    assert_eq!(log.choices[0].refusal, "Blocked: OTHER");
    assert_eq!(log.choices[0].finish, [(FinishReason::ContentFilter, "OTHER".to_owned())]);
    let (log, end) = run(&[r#"{"candidates":[{"finishReason":"SAFETY","finishMessage":"no"}]}"#]);
    end.unwrap();
    assert_eq!(log.choices[0].refusal, "no");
}

#[test]
fn faults() {
    let hello = parts(&json!([{"text": "a"}]));
    let error = r#"{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}"#;
    let Err(StreamFault::Upstream(failure)) = run(&[hello.as_str(), error]).1 else {
        panic!("no failure");
    };
    assert_eq!(
        (failure.kind, failure.message.as_deref()),
        (Kind::ProviderOverloaded, Some("busy"))
    );
    for nonsense in
        ["{", "text", "5", r#"{"candidates":5}"#, "[{}", r#"{"candidates":[{"index":99}]}"#]
    {
        let fault = run(&[nonsense]).1;
        assert!(matches!(fault, Err(StreamFault::Malformed(_))), "{nonsense}: {fault:?}");
    }
}

/// Reads the recorded events without any code of this module.
fn expected(events: &[Value]) -> (Told, Value) {
    let mut told = Told::default();
    let mut usage = Value::Null;
    let mut open = false;
    for event in events {
        if event["usageMetadata"]["totalTokenCount"].is_u64() {
            usage = event["usageMetadata"].clone();
        }
        let candidate = &event["candidates"][0];
        for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
            let text = part["text"].as_str().unwrap_or_default();
            if part["thought"] == true {
                told.reasoning.push_str(text);
            } else {
                told.text.push_str(text);
            }
            if let Some(code) = part["executableCode"]["code"].as_str() {
                told.text += &["\n```python\n", code.trim_end_matches('\n'), "\n```\n"].concat();
            }
            if let Some(result) = part.get("codeExecutionResult") {
                let output = result["output"].as_str().unwrap_or_default();
                told.text += &["\n```\n", output.trim_end_matches('\n'), "\n```\n"].concat();
            }
            if let Some(name) = part["functionCall"]["name"].as_str() {
                let args = part["functionCall"].get("args").cloned().unwrap_or(json!({}));
                told.calls.push((name.to_owned(), args));
                open = part["functionCall"]["willContinue"] == true;
            }
            let pieces = part["functionCall"]["partialArgs"].as_array();
            for piece in pieces.into_iter().flatten().filter(|_| open) {
                let pointer = piece["jsonPath"].as_str().unwrap();
                let pointer =
                    pointer.replacen('$', "", 1).replace(['.', '['], "/").replace(']', "");
                append(&mut told.calls.last_mut().unwrap().1, &pointer, piece);
            }
        }
    }
    (told, usage)
}

/// Appends a text piece at a JSON pointer, making what is missing on the way.
fn append(mut node: &mut Value, pointer: &str, piece: &Value) {
    for step in pointer.split('/').skip(1) {
        if let Ok(index) = step.parse::<usize>() {
            if !node.is_array() {
                *node = json!([]);
            }
            let list = node.as_array_mut().unwrap();
            if list.len() <= index {
                list.push(Value::Null);
            }
            node = &mut list[index];
        } else {
            if !node.is_object() {
                *node = json!({});
            }
            node = node.as_object_mut().unwrap().entry(step).or_insert(Value::Null);
        }
    }
    let so_far = node.as_str().unwrap_or_default().to_owned();
    *node = json!(so_far + piece["stringValue"].as_str().unwrap());
}

#[test]
fn recorded_streams_read_like_an_independent_reader() {
    let mut streams = 0;
    for recording in recordings::answers().iter().filter(|recording| recording.status == 200) {
        let events = recording.events();
        let values: Vec<Value> = events.iter().map(|e| serde_json::from_str(e).unwrap()).collect();
        if values.iter().all(|value| value.get("candidates").is_none()) {
            continue;
        }
        let (log, end) = run(&events);
        let ended = values.iter().any(|value| !value["candidates"][0]["finishReason"].is_null());
        assert_eq!(end.is_ok(), ended, "{}", recording.id);
        let (told, usage) = expected(&values);
        let empty = Told::default();
        let choice = log.choices.first().unwrap_or(&empty);
        assert_eq!(choice.text, told.text, "{}", recording.id);
        assert_eq!(choice.reasoning, told.reasoning, "{}", recording.id);
        assert_eq!(choice.calls, told.calls, "{}", recording.id);
        assert_eq!(choice.finish.len(), usize::from(ended), "{}", recording.id);
        let count = |key: &str| usage[key].as_u64().unwrap_or(0);
        let prompt = count("promptTokenCount") + count("toolUsePromptTokenCount");
        let total = count("totalTokenCount");
        if !usage.is_null() {
            assert_eq!(log.usage.prompt.unwrap_or(0), prompt, "{}", recording.id);
            assert_eq!(log.usage.total(), total, "{}", recording.id);
            assert_eq!(log.usage.reasoning, Some(count("thoughtsTokenCount")), "{}", recording.id);
            assert_eq!(log.usage.cached, Some(count("cachedContentTokenCount")));
        }
        for (start, end) in &choice.citations {
            assert!(start <= end && *end <= choice.text.chars().count() as u64);
        }
        streams += 1;
    }
    assert!(streams == 0 || streams > 200, "{streams}");
}

#[test]
fn text_with_escapes_is_not_copied_for_each_event() {
    let mut decoder = Decoder::default();
    let mut told = Vec::new();
    for part in [r#""text":"\"a\"\n""#, r#""thought":true,"text":"\n""#] {
        let json = format!(r#"{{"candidates":[{{"content":{{"parts":[{{{part}}}]}}}}]}}"#);
        let mut sink = |event: Event<'_>| {
            if let Event::Text { text, .. } | Event::Reasoning { text, .. } = event {
                assert!(matches!(text, Cow::Borrowed(_)), "{text}");
                told.push(text.into_owned());
            }
        };
        decoder.event(None, json.as_bytes(), &mut sink).unwrap();
    }
    assert_eq!(told, ["\"a\"\n", "\n"]);
    let bad = br#"{"candidates":[{"content":{"parts":[{"text":"\ud800"}]}}]}"#;
    let fault = decoder.event(None, bad, &mut |_| ()).unwrap_err();
    assert!(matches!(fault, StreamFault::Malformed(_)));
    let number = br#"{"candidates":[{"content":{"parts":[{"text":1}]}}]}"#;
    assert!(matches!(decoder.event(None, number, &mut |_| ()), Err(StreamFault::Malformed(_))));
}

#[test]
fn lists_of_several_keep_their_order_and_repeated_ends_are_one() {
    let both = |text: &str| {
        json!({"candidates": [
            {"index": 0, "content": {"parts": [{"text": text}, {"text": "2"}, {"text": "3"}]}, "finishReason": "STOP"},
            {"index": 1, "content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"},
            {"index": 2, "content": {"parts": []}, "finishReason": "MAX_TOKENS"}]})
    };
    let (log, end) = run(&[both("1"), both("4")].map(|event| event.to_string()));
    end.unwrap();
    let texts: Vec<&str> = log.choices.iter().map(|told| told.text.as_str()).collect();
    assert_eq!(texts, ["123423", "xx", ""]);
    assert_eq!(log.choices[0].finish, [(FinishReason::Stop, "STOP".to_owned())]);
    assert_eq!(log.choices[2].finish, [(FinishReason::Length, "MAX_TOKENS".to_owned())]);
}
