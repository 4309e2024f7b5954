//! Conversations over several requests: what a Gemini client got it sends back, and the maker of
//! the reasoning gets its own again.

use super::{REASONING_FORMAT, request, response, stream};
use crate::chat::message::{Part, Reasoning, ReasoningKind, Role};
use crate::chat::response::Choice;
use crate::chat::tool::ToolCall;
use crate::chat::{Event, FinishReason, Response};
use crate::formats::{AnswerLabel, Framing, StreamEncoder};
use bytes::BytesMut;
use proptest::prelude::*;
use serde_json::{Value, json};

fn label(exclude_reasoning: bool) -> AnswerLabel {
    AnswerLabel {
        id: "gen-1".into(),
        model: Some("m".into()),
        provider: "P".into(),
        created_s: 1,
        include_usage: true,
        exclude_reasoning,
        shape: crate::formats::Shape::Maker,
        charges: None,
    }
}

/// A model's turn: reasoning of a maker, a word, a call.
fn turn(maker: &'static str, kind: ReasoningKind, id: Option<&'static str>) -> Vec<Part<'static>> {
    let text = if kind == ReasoningKind::Encrypted { "" } else { "let me look" };
    vec![
        Part::Reasoning(Reasoning {
            kind,
            text: text.into(),
            signature: Some("c2ln+/==".into()),
            format: Some(maker.into()),
            id: id.map(Into::into),
        }),
        Part::Text { text: "one moment".into(), cache: None },
        Part::ToolCall(ToolCall {
            id: "call_1".into(),
            name: "f".into(),
            arguments: r#"{"z":1.50,"a":9007199254740993}"#.into(),
            custom: false,
            signature: (maker == REASONING_FORMAT).then(|| "own".into()),
        }),
    ]
}

/// The parts a client collects of a whole answer.
fn whole(parts: &[Part<'static>], exclude: bool) -> Vec<String> {
    let choice = Choice {
        index: 0,
        parts: parts.to_vec(),
        finish: FinishReason::ToolCalls,
        native_finish: None,
        citations: Vec::new(),
        logprobs: None,
    };
    let answer = Response { choices: vec![choice], ..Response::default() };
    raw_parts(&response::encode(&answer, &label(exclude)))
}

/// The parts a client collects of a stream in which every text comes in two pieces.
fn streamed(parts: &[Part<'static>], exclude: bool) -> Vec<String> {
    let mut encoder = stream::Encoder::new(label(exclude), Framing::JsonArray);
    let mut out = BytesMut::new();
    for part in parts {
        for event in events_of(part) {
            encoder.event(&event, &mut out);
        }
    }
    encoder.finish(&mut out);
    let events: Vec<&serde_json::value::RawValue> = serde_json::from_slice(&out).unwrap();
    let parts = events.iter().flat_map(|event| raw_parts(event.get().as_bytes()));
    parts.filter(|part| part != r#"{"text":""}"#).collect()
}

fn halves(text: &str) -> [String; 2] {
    let (head, tail) = text.split_at(text.len() / 2);
    [head.to_owned(), tail.to_owned()]
}

fn events_of(part: &Part<'static>) -> Vec<Event<'static>> {
    let mut events = Vec::new();
    match part {
        Part::Text { text, .. } => {
            for half in halves(text) {
                events.push(Event::Text { choice: 0, text: half.into() });
            }
        }
        Part::Reasoning(reasoning) => {
            let format: &'static str = match reasoning.format.as_deref() {
                Some("openai-responses-v1") => "openai-responses-v1",
                Some("anthropic-claude-v1") => "anthropic-claude-v1",
                _ => REASONING_FORMAT,
            };
            for half in halves(&reasoning.text) {
                let (text, kind) = (half.into(), reasoning.kind);
                events.push(Event::Reasoning { choice: 0, text, kind, format, block: 0 });
            }
            events.push(Event::ReasoningSignature {
                choice: 0,
                data: reasoning.signature.clone().unwrap(),
                encrypted: reasoning.kind == ReasoningKind::Encrypted,
                format,
                block: 0,
                id: reasoning.id.clone(),
            });
        }
        Part::ToolCall(call) => {
            if let Some(data) = call.signature.clone() {
                let id = Some(call.id.clone());
                let (format, encrypted) = (REASONING_FORMAT, true);
                events.push(Event::ReasoningSignature {
                    choice: 0,
                    data,
                    encrypted,
                    format,
                    block: 0,
                    id,
                });
            }
            let (id, name) = (call.id.clone(), call.name.clone());
            events.push(Event::ToolCallStart { choice: 0, call: 0, id, name, custom: false });
            for half in halves(&call.arguments) {
                events.push(Event::ToolCallArguments { choice: 0, call: 0, json: half.into() });
            }
            events.push(Event::ToolCallEnd { choice: 0, call: 0 });
        }
        _ => {}
    }
    events
}

fn raw_parts(answer: &[u8]) -> Vec<String> {
    let place = crate::json::find_path(answer, &["candidates"]).unwrap();
    let candidates: Vec<&serde_json::value::RawValue> =
        serde_json::from_slice(&answer[place]).unwrap();
    let candidate = candidates[0].get().as_bytes();
    let place = crate::json::find_path(candidate, &["content", "parts"]).unwrap();
    let parts: Vec<&serde_json::value::RawValue> =
        serde_json::from_slice(&candidate[place]).unwrap();
    parts.iter().map(|part| part.get().to_owned()).collect()
}

/// What the provider of the next request gets to see of the turn.
fn replayed(parts: &[String]) -> Vec<Part<'static>> {
    let result = r#"{"functionResponse":{"id":"call_1","name":"f","response":{"result":"ok"}}}"#;
    let body = format!(
        r#"{{"contents":[{{"parts":[{{"text":"q"}}]}},{{"role":"model","parts":[{}]}},{{"parts":[{result}]}}]}}"#,
        parts.join(",")
    );
    let request = request::decode(Box::leak(body.into_boxed_str()).as_bytes()).unwrap();
    assert_eq!(request.messages.len(), 3);
    assert!(
        matches!(&request.messages[2].parts[0], Part::ToolResult { call_id, .. } if call_id == "call_1")
    );
    let model = request.messages.into_iter().find(|message| message.role == Role::Assistant);
    let mut joined: Vec<Part<'static>> = Vec::new();
    for part in model.unwrap().parts {
        match (joined.last_mut(), part) {
            (Some(Part::Text { text, .. }), Part::Text { text: more, .. }) => {
                text.to_mut().push_str(&more);
            }
            (_, part) => joined.push(part),
        }
    }
    joined
}

#[test]
fn every_makers_reasoning_survives_a_gemini_client() {
    use ReasoningKind::{Encrypted, Summary, Text};
    for (maker, kind, id) in [
        ("anthropic-claude-v1", Text, None),
        ("anthropic-claude-v1", Encrypted, None),
        ("openai-responses-v1", Summary, Some("rs_1")),
        ("openai-responses-v1", Encrypted, Some("rs_1")),
        (REASONING_FORMAT, Text, None),
    ] {
        let given = turn(maker, kind, id);
        for collected in [whole(&given, false), streamed(&given, false)] {
            assert_eq!(
                format!("{:?}", replayed(&collected)),
                format!("{given:?}"),
                "{maker} {kind:?}"
            );
        }
        // Where the text is withheld the signature still comes back.
        let mut withheld = given.clone();
        if let Part::Reasoning(reasoning) = &mut withheld[0] {
            reasoning.text = "".into();
            if maker == REASONING_FORMAT {
                reasoning.kind = Encrypted;
            }
        }
        for collected in [whole(&given, true), streamed(&given, true)] {
            assert!(!collected.concat().contains("look"));
            assert_eq!(
                format!("{:?}", replayed(&collected)),
                format!("{withheld:?}"),
                "{maker} {kind:?}"
            );
        }
    }
}

#[test]
fn signatures_survive_clients_that_read_them_as_bytes() {
    let given = turn("anthropic-claude-v1", ReasoningKind::Text, None);
    let collected: Vec<String> = streamed(&given, false)
        .iter()
        .map(|part| {
            let mut part: Value = serde_json::from_str(part).unwrap();
            if let Some(signature) = part["thoughtSignature"].as_str() {
                let url_safe = signature.replace('+', "-").replace('/', "_");
                part["thought_signature"] = json!(url_safe.trim_end_matches('='));
                part.as_object_mut().unwrap().remove("thoughtSignature");
            }
            part.to_string()
        })
        .collect();
    let Part::Reasoning(reasoning) = &replayed(&collected)[0] else { panic!("no reasoning") };
    assert_eq!(reasoning.signature.as_deref(), Some("c2ln+/=="));
    assert_eq!(reasoning.text, "let me look");
}

/// Any JSON, with Gemini's names among its keys.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z_/:=ü]{0,8}".prop_map(Value::from),
        prop::sample::select(vec!["model", "user", "ANY", "OBJECT", "image/png", "data:"])
            .prop_map(Value::from),
    ];
    let keys = prop::sample::select(vec![
        "contents",
        "parts",
        "role",
        "text",
        "thought",
        "thoughtSignature",
        "functionCall",
        "name",
        "args",
        "functionResponse",
        "response",
        "error",
        "inline_data",
        "mimeType",
        "data",
        "fileData",
        "fileUri",
        "tools",
        "functionDeclarations",
        "parameters",
        "type",
        "nullable",
        "items",
        "generationConfig",
        "responseSchema",
        "thinkingConfig",
        "stopSequences",
        "anyOf",
        "toolConfig",
    ]);
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((keys.clone(), inner), 0..6).prop_map(|members| {
                Value::Object(
                    members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
                )
            }),
        ]
    })
}

/// Any event, whether it makes sense or not.
fn any_event() -> impl Strategy<Value = Event<'static>> {
    let word = || "[a-z\"\\\\ü🦀{}:]{0,6}";
    let place = || (0_u32..3, 0_u32..3);
    let formats = || prop::sample::select(vec![REASONING_FORMAT, "anthropic-claude-v1"]);
    prop_oneof![
        (place(), word()).prop_map(|((choice, _), t)| Event::Text { choice, text: t.into() }),
        (place(), word()).prop_map(|((choice, _), t)| Event::Refusal { choice, text: t.into() }),
        (place(), word(), formats()).prop_map(|((choice, block), t, format)| Event::Reasoning {
            choice,
            text: t.into(),
            kind: ReasoningKind::Text,
            format,
            block
        }),
        (place(), word(), formats(), any::<bool>(), prop::option::of("[ab]")).prop_map(
            |((choice, block), data, format, encrypted, id)| Event::ReasoningSignature {
                choice,
                data: data.into(),
                encrypted,
                format,
                block,
                id: id.map(Into::into)
            }
        ),
        (place(), "[ab]").prop_map(|((choice, call), id)| Event::ToolCallStart {
            choice,
            call,
            id: id.into(),
            name: "f".into(),
            custom: call == 2
        }),
        (place(), word()).prop_map(|((choice, call), t)| Event::ToolCallArguments {
            choice,
            call,
            json: t.into()
        }),
        place().prop_map(|(choice, call)| Event::ToolCallEnd { choice, call }),
        place().prop_map(|(choice, _)| Event::Finish {
            choice,
            reason: FinishReason::ContentFilter,
            native: None
        }),
        Just(Event::Ping),
        Just(Event::End),
    ]
}

proptest! {
    #[test]
    fn any_request_is_read_or_refused(contents in any_json(), rest in any_json()) {
        let mut body = json!({"contents": contents});
        for (key, value) in rest.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        let text = body.to_string();
        if let Ok(request) = request::decode(text.as_bytes()) {
            let target = crate::formats::Target::new("gemini-3-flash");
            if let Ok(written) = request::encode(&request, target) {
                prop_assert!(request::decode(&written.body).is_ok());
            }
        }
    }

    #[test]
    fn any_events_make_a_well_formed_stream(events in prop::collection::vec(any_event(), 0..24)) {
        let mut said = String::new();
        for framing in [Framing::Sse, Framing::JsonArray] {
            let mut encoder = stream::Encoder::new(label(false), framing);
            let mut out = BytesMut::new();
            for event in &events {
                if let (Framing::Sse, Event::Text { text, .. } | Event::Refusal { text, .. }) = (framing, event) {
                    said.push_str(text);
                }
                encoder.event(event, &mut out);
            }
            encoder.finish(&mut out);
            let text = std::str::from_utf8(&out).unwrap();
            let values: Vec<Value> = if framing == Framing::Sse {
                prop_assert!(text.ends_with("\r\n\r\n"));
                let frames = text.trim_end_matches("\r\n\r\n").split("\r\n\r\n");
                frames.map(|frame| serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap()).collect()
            } else {
                serde_json::from_str(text).unwrap()
            };
            let mut read = 0;
            let mut finishes = std::collections::HashMap::new();
            for value in &values {
                let blocked = value["promptFeedback"]["blockReasonMessage"].as_str();
                read += blocked.map_or(0, str::len);
                for candidate in value["candidates"].as_array().into_iter().flatten() {
                    if candidate.get("finishReason").is_some() {
                        *finishes.entry(candidate["index"].as_u64()).or_insert(0) += 1;
                    }
                    for part in candidate["content"]["parts"].as_array().unwrap() {
                        let is_answer = part.get("thought").is_none();
                        read += part["text"].as_str().filter(|_| is_answer).map_or(0, str::len);
                    }
                }
            }
            prop_assert!(finishes.values().all(|count| *count == 1));
            prop_assert_eq!(read, said.len());
        }
    }
}
