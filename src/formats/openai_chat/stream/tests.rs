//! Tests of chunks written and read.

use super::*;
use crate::chat::event::Event;
use crate::chat::response::Citation;
use crate::chat::{FinishReason, Usage};
use crate::error::{GatewayError, Kind};
use crate::formats::gemini::recordings;
use crate::formats::{AnswerLabel, StreamDecoder as _, StreamEncoder as _, StreamFault};
use crate::sse;
use bytes::BytesMut;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const HEAD: &str = r#"data: {"id":"gen-1","object":"chat.completion.chunk","created":7,"model":"acme/m","provider":"Acme","#;

fn label() -> AnswerLabel {
    AnswerLabel {
        id: Arc::from("gen-1"),
        model: Some(Arc::from("acme/m")),
        provider: Arc::from("Acme"),
        created_s: 7,
        include_usage: true,
        exclude_reasoning: false,
        shape: crate::formats::Shape::Maker,
        charges: None,
    }
}

/// Text of a stream after `HEAD` and without the common ending, one chunk a line.
fn encode(label: AnswerLabel, events: &[Event<'_>]) -> Vec<String> {
    let mut encoder = Encoder::new(label);
    let mut out = BytesMut::new();
    for event in events {
        encoder.event(event, &mut out);
    }
    encoder.finish(&mut out);
    encoder.finish(&mut out);
    let text = String::from_utf8(out.to_vec()).unwrap();
    let chunks = text.strip_suffix("\n\n").unwrap().split("\n\n");
    let end = r#"},"finish_reason":null,"native_finish_reason":null}]}"#;
    let shorten = |chunk: &str| {
        let chunk = chunk.strip_prefix(HEAD).unwrap_or(chunk);
        chunk.strip_suffix(end).unwrap_or(chunk).to_owned()
    };
    chunks.map(shorten).collect()
}

fn events() -> Vec<Event<'static>> {
    let (choice, call) = (0, 0);
    vec![
        Event::Start { id: Some("msg".into()), model: Some("claude".into()) },
        Event::Ping,
        Event::Reasoning {
            choice,
            text: "Hm".into(),
            kind: crate::chat::message::ReasoningKind::Text,
            format: "anthropic-claude-v1",
            block: 0,
        },
        Event::ReasoningSignature {
            choice,
            data: "S".into(),
            encrypted: false,
            format: "anthropic-claude-v1",
            block: 0,
            id: None,
        },
        Event::Text { choice, text: "He said \"é\"\n".into() },
        Event::Text { choice, text: "".into() },
        Event::Citations {
            choice,
            citations: vec![Citation { url: "u".into(), title: "t".into(), start: 0, end: 2 }],
        },
        Event::ToolCallStart { choice, call, id: "c1".into(), name: "f".into(), custom: false },
        Event::ReasoningSignature {
            choice,
            data: "G".into(),
            encrypted: true,
            format: "google-gemini-v1",
            block: 1,
            id: Some("c1".into()),
        },
        Event::ToolCallArguments { choice, call, json: "{\"a\":".into() },
        Event::ToolCallArguments { choice, call, json: "1}".into() },
        Event::ToolCallEnd { choice, call },
        Event::ToolCallStart { choice, call: 1, id: "c2".into(), name: "g".into(), custom: false },
        Event::ToolCallEnd { choice, call: 1 },
        Event::Image { choice, mime: "image/png".into(), data: "iVBO".into() },
        Event::Finish { choice, reason: FinishReason::Stop, native: Some("tool_use".into()) },
        Event::Usage(Usage { prompt: Some(9), completion: Some(1), ..Usage::default() }),
        Event::Usage(Usage { completion: Some(4), ..Usage::default() }),
        Event::End,
    ]
}

#[test]
fn a_stream_is_written_chunk_by_chunk() {
    let expected = [
        r#""choices":[{"index":0,"delta":{"role":"assistant","content":"""#,
        r#""choices":[{"index":0,"delta":{"reasoning":"Hm","reasoning_content":"Hm","reasoning_details":[{"type":"reasoning.text","text":"Hm","format":"anthropic-claude-v1","index":0}]"#,
        r#""choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","signature":"S","format":"anthropic-claude-v1","index":0}]"#,
        r#""choices":[{"index":0,"delta":{"content":"He said \"é\"\n""#,
        r#""choices":[{"index":0,"delta":{"annotations":[{"index":0,"type":"url_citation","url_citation":{"url":"u","title":"t","start_index":0,"end_index":2}}]"#,
        r#""choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]"#,
        r#""choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"G","id":"c1","format":"google-gemini-v1","index":1}]"#,
        r#""choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]"#,
        r#""choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]"#,
        r#""choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"c2","type":"function","function":{"name":"g","arguments":""}}]"#,
        r#""choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]"#,
        r#""choices":[{"index":0,"delta":{"images":[{"index":0,"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO"}}]"#,
        r#""choices":[{"index":0,"delta":{},"finish_reason":"tool_calls","native_finish_reason":"tool_use"}]}"#,
        r#""choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}"#,
        "data: [DONE]",
    ];
    assert_eq!(encode(label(), &events()), expected);
}

#[test]
fn reasoning_and_usage_are_withheld_on_demand() {
    let quiet = AnswerLabel { exclude_reasoning: true, include_usage: false, ..label() };
    let chunks = encode(quiet, &events()).join("\n");
    assert!(!chunks.contains("Hm") && !chunks.contains("usage"));
    for signature in ["\"signature\":\"S\"", "\"data\":\"G\""] {
        assert!(chunks.contains(signature), "needed to go on");
    }
}

#[test]
fn alternatives_are_kept_apart() {
    let chunks = encode(
        label(),
        &[
            Event::Text { choice: 0, text: "a".into() },
            Event::Text { choice: 1, text: "b".into() },
            Event::Finish { choice: 1, reason: FinishReason::Length, native: None },
            Event::Finish { choice: 0, reason: FinishReason::Stop, native: None },
        ],
    );
    let expected = [
        r#""choices":[{"index":0,"delta":{"role":"assistant","content":"a""#,
        r#""choices":[{"index":1,"delta":{"role":"assistant","content":"b""#,
        r#""choices":[{"index":0,"delta":{},"finish_reason":"stop","native_finish_reason":null}]}"#,
        r#""choices":[{"index":1,"delta":{},"finish_reason":"length","native_finish_reason":null}]}"#,
    ];
    assert_eq!(chunks[..4], expected);
}

#[test]
fn an_error_ends_the_stream() {
    let mut encoder = Encoder::new(AnswerLabel { model: None, ..label() });
    let mut out = BytesMut::new();
    encoder.event(&Event::Start { id: None, model: Some("claude".into()) }, &mut out);
    out.clear();
    let error = GatewayError::upstream(Kind::ProviderUnavailable, "the provider broke off");
    encoder.fail(&error, "req-1", &mut out);
    encoder.fail(&error, "req-1", &mut out);
    encoder.finish(&mut out);
    let head = HEAD.replace("acme/m", "claude");
    let expected = format!(
        "{head}{}",
        "\"error\":{\"code\":502,\"message\":\"the provider broke off\",\"metadata\":{\"error_type\":\"provider_unavailable\",\"provider_name\":\"Acme\"}},\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}]}\n\ndata: [DONE]\n\n"
    );
    assert_eq!(out, expected.as_bytes());
}

#[test]
fn text_costs_no_allocation_of_its_own() {
    let mut encoder = Encoder::new(label());
    let mut out = BytesMut::with_capacity(4_096);
    encoder.event(&Event::Text { choice: 0, text: "warm".into() }, &mut out);
    let (start, capacity) = (out.as_ptr(), out.capacity());
    encoder.event(&Event::Text { choice: 0, text: "piece".into() }, &mut out);
    assert_eq!((out.as_ptr(), out.capacity()), (start, capacity));
}

/// Decodes a body and gives the events in short form.
fn decode(body: &str) -> Result<Vec<String>, StreamFault> {
    let mut decoder = Decoder::new();
    let mut seen = Vec::new();
    let mut sink = |event: Event<'_>| seen.push(short(&event));
    for data in body.lines().filter(|line| !line.is_empty()) {
        decoder.event(None, data.as_bytes(), &mut sink)?;
    }
    decoder.finish(&mut sink)?;
    Ok(seen)
}

fn short(event: &Event<'_>) -> String {
    match event {
        Event::Start { id, model } => format!("start {id:?} {model:?}"),
        Event::Text { choice, text } => format!("text{choice} {text}"),
        Event::Refusal { text, .. } => format!("refusal {text}"),
        Event::Reasoning { text, format, .. } => format!("reasoning {text} {format}"),
        Event::ReasoningSignature { data, encrypted, id: call_id, .. } => {
            format!("signature {data} {encrypted} {call_id:?}")
        }
        Event::ToolCallStart { call, id, name, .. } => format!("call {call} {id} {name}"),
        Event::ToolCallArguments { call, json, .. } => format!("json {call} {json}"),
        Event::ToolCallEnd { call, .. } => format!("end {call}"),
        Event::Image { mime, data, .. } => format!("image {mime} {data}"),
        Event::Citations { citations, .. } => format!("citations {}", citations.len()),
        Event::Finish { choice, reason, native } => {
            format!("finish{choice} {} {}", reason.as_str(), native.as_deref().unwrap_or_default())
        }
        Event::Usage(usage) => format!("usage {:?} {:?}", usage.prompt, usage.completion),
        Event::Audio { .. } | Event::Logprobs { .. } | Event::ServiceTier(_) => {
            format!("{event:?}")
        }
        Event::Ping => "ping".to_owned(),
        Event::Error(error) => format!("error {}", error.message),
        Event::End => "end".to_owned(),
    }
}

#[test]
fn the_habits_of_imitators_are_read() {
    let azure = r#"{"choices":[],"id":"","model":"","prompt_filter_results":[]}"#;
    let body = [
        azure,
        r#"{"id":"x","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
        r#"{"id":"y","model":"m","choices":[{"index":0,"delta":{"content":null,"reasoning_content":"R"}}]}"#,
        r#"{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"T"}]},{"type":"text","text":"A"}]}}]}"#,
        r#"{"choices":[{"delta":{"reasoning":"D","reasoning_details":[{"type":"reasoning.text","text":"D","signature":"S","format":"anthropic-claude-v1"}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"","function":{"arguments":"{"}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}},{"index":3,"function":{"name":"g","arguments":"null"}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"","function":{"name":"f","arguments":"}"}}]}}]}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#,
        "[DONE]",
        r#"{"choices":[{"delta":{"content":"late"}}]}"#,
    ];
    let expected = [
        "start Some(\"x\") Some(\"m\")",
        "reasoning R unknown",
        "reasoning T unknown",
        "text0 A",
        "reasoning D anthropic-claude-v1",
        "signature S false None",
        "call 0 c f",
        "json 0 {",
        "call 1 call_0_3 g",
        "json 0 }",
        "usage Some(3) Some(2)",
        "end 0",
        "end 1",
        "finish0 tool_calls stop",
        "end",
    ];
    assert_eq!(decode(&body.join("\n")).unwrap(), expected);
}

#[test]
fn ends_and_errors_are_told_apart() {
    let finish = r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#;
    assert_eq!(decode(finish).unwrap().last().unwrap(), "end");
    let open = r#"{"choices":[{"delta":{"content":"x"}}]}"#;
    assert!(matches!(decode(open), Err(StreamFault::Truncated)));
    assert!(matches!(decode("{\"choices\":"), Err(StreamFault::Malformed(_))));
    let error = r#"{"error":{"message":"x","code":503},"choices":[]}"#;
    let Err(StreamFault::Upstream(failure)) = decode(error) else { panic!() };
    assert_eq!(failure.kind, Kind::ProviderOverloaded);
}

#[test]
fn a_finish_is_told_once_and_last() {
    let chunk = |delta: &str, finish: &str| {
        format!(r#"{{"choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#)
    };
    let call = r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}]}"#;
    let body = [
        chunk(r#"{"content":"x"}"#, "\"\""),
        chunk("{}", "\"stop\""),
        chunk(call, "null"),
        chunk("{}", "\"length\""),
    ];
    let expected = ["start None None", "text0 x", "call 0 c f", "json 0 {}"];
    let end = ["end 0", "finish0 tool_calls stop", "end"];
    assert_eq!(decode(&body.join("\n")).unwrap(), [&expected[..], &end[..]].concat());
    let unstated = [chunk(r#"{"content":"x"}"#, "null"), "[DONE]".to_owned()].join("\n");
    assert_eq!(decode(&unstated).unwrap().last().unwrap(), "end");
    assert!(decode(&unstated).unwrap().contains(&"finish0 stop ".to_owned()));
}

#[test]
fn calls_without_an_index_are_told_apart_by_their_ids() {
    let chunk = |calls: &str| format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{calls}]}}}}]}}"#);
    let call = |id: &str, arguments: &str| {
        format!(r#"{{"id":"{id}","function":{{"name":"f","arguments":"{arguments}"}}}}"#)
    };
    let body = [
        chunk(&[call("a", "1"), call("b", "2")].join(",")),
        chunk(&call("c", "3")),
        chunk(&call("a", "4")),
        chunk(r#"{"index":7,"id":"d","function":{"name":"g","arguments":"[1,"}}"#),
        chunk(r#"{"index":7,"function":{"arguments":"null"}}"#),
        "[DONE]".to_owned(),
    ];
    let seen = decode(&body.join("\n")).unwrap();
    let begun: Vec<_> = seen.iter().filter(|line| line.starts_with("call")).collect();
    assert_eq!(begun, ["call 0 a f", "call 1 b f", "call 2 c f", "call 3 d g"]);
    let arguments: Vec<_> = seen.iter().filter(|line| line.starts_with("json")).collect();
    let expected = ["json 0 1", "json 1 2", "json 2 3", "json 0 4", "json 3 [1,", "json 3 null"];
    assert_eq!(arguments, expected);
}

/// What only some answers hold, as a provider writes it and as a client gets it.
#[test]
fn free_form_calls_sound_and_what_stands_beside_the_text() {
    let body = [
        r#"{"id":"x","model":"m","service_tier":"default","choices":[{"index":0,"delta":{"content":"A"},"logprobs":{"content":[{"token":"A","logprob":-0.10}]}}]}"#,
        r#"{"service_tier":"default","choices":[{"index":0,"delta":{"content":"B"},"logprobs":{"content":[],"refusal":null}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":{"a": 1}}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.summary","summary":"S","format":"openai-responses-v1","index":2},{"type":"reasoning.encrypted","data":"E","format":"openai-responses-v1","id":"rs_1","index":3}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"custom","custom":{"name":"f","input":""}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"custom":{"input":"null"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"d","type":"custom","custom":{"name":"g"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"audio":{"id":"a1","transcript":"Hi"}}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"audio":{"data":"AA==","expires_at":9}}}]}"#,
        r#"{"citations":["https://c"],"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        "[DONE]",
    ];
    let (mut decoder, mut encoder) = (Decoder::new(), Encoder::new(label()));
    let mut out = BytesMut::new();
    for data in body {
        let mut sink = |event: Event<'_>| encoder.event(&event, &mut out);
        decoder.event(None, data.as_bytes(), &mut sink).unwrap();
    }
    encoder.finish(&mut out);
    let text = String::from_utf8(out.to_vec()).unwrap();
    let written: Vec<_> = text.split("\n\n").filter_map(|chunk| chunk.strip_prefix(HEAD)).collect();
    let open = r#"},"finish_reason":null,"native_finish_reason":null}]}"#;
    let expected = [
        r#""role":"assistant","content":"""#,
        r#""content":"A""#,
        r#"},"logprobs":{"content":[{"token":"A","logprob":-0.10}]"#,
        r#""content":"B""#,
        r#""content":"{\"a\":1}""#,
        r#""reasoning":"S","reasoning_content":"S","reasoning_details":[{"type":"reasoning.summary","summary":"S","format":"openai-responses-v1","index":2}]"#,
        r#""reasoning_details":[{"type":"reasoning.encrypted","data":"E","id":"rs_1","format":"openai-responses-v1","index":3}]"#,
        r#""tool_calls":[{"index":0,"id":"c","type":"custom","custom":{"name":"f","input":""}}]"#,
        r#""tool_calls":[{"index":0,"custom":{"input":"null"}}]"#,
        r#""tool_calls":[{"index":1,"id":"d","type":"custom","custom":{"name":"g","input":""}}]"#,
        r#""audio":{"id":"a1","transcript":"Hi"}"#,
        r#""audio":{"data":"AA==","expires_at":9}"#,
        r#""annotations":[{"index":0,"type":"url_citation","url_citation":{"url":"https://c","title":"","start_index":0,"end_index":0}}]"#,
    ];
    let begin = r#""choices":[{"index":0,"delta":{"#;
    for (chunk, expected) in written.iter().zip(expected) {
        assert_eq!(*chunk, format!("{begin}{expected}{open}"));
    }
    assert_eq!(
        written[expected.len()],
        r#""service_tier":"default","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls","native_finish_reason":"stop"}]}"#
    );
}

/// Name and arguments of calls by their index.
type Calls = BTreeMap<u64, (String, String)>;
/// What a stream says per alternative: text and calls; and the usage.
type Said = (BTreeMap<u64, (String, Calls)>, Value);

fn said(body: &str) -> Said {
    let mut choices: BTreeMap<u64, (String, Calls)> = BTreeMap::new();
    let mut usage = json!(null);
    let data = body.lines().filter_map(|line| line.strip_prefix("data:"));
    for chunk in data.filter_map(|data| serde_json::from_str::<Value>(data).ok()) {
        for choice in chunk["choices"].as_array().into_iter().flatten() {
            let slot = choices.entry(choice["index"].as_u64().unwrap_or(0)).or_default();
            slot.0 += choice["delta"]["content"].as_str().unwrap_or_default();
            let calls = choice["delta"]["tool_calls"].as_array().into_iter().flatten();
            for (at, call) in calls.enumerate() {
                let index = call["index"].as_u64().unwrap_or(at as u64);
                let entry = slot.1.entry(index).or_default();
                let name = call["function"]["name"].as_str().unwrap_or_default();
                if entry.0.is_empty() {
                    entry.0 += name;
                }
                let json = call["function"]["arguments"].as_str().unwrap_or_default();
                entry.1 += if json == "null" { "" } else { json };
            }
        }
        if chunk["usage"]["prompt_tokens"].is_number() {
            usage = chunk["usage"]["prompt_tokens"].clone();
        }
    }
    for call in choices.values_mut().flat_map(|(_, calls)| calls.values_mut()) {
        if call.1.is_empty() {
            call.1 += "{}";
        }
    }
    choices.retain(|_, (text, calls)| !text.is_empty() || !calls.is_empty());
    (choices, usage)
}

#[test]
fn recorded_streams_survive_reading_and_writing() {
    let mut seen = 0;
    for folder in [
        "openai-chat",
        "openrouter-chat",
        "deepseek-chat",
        "groq-chat",
        "azure-chat",
        "xai-chat",
        "alibaba-chat",
        "copilot-chat",
    ] {
        for recording in recordings::load(folder).into_iter().filter(|r| r.body.contains("data:")) {
            let (mut decoder, mut encoder) = (Decoder::new(), Encoder::new(label()));
            let mut out = BytesMut::new();
            let mut frames = sse::Frames::new();
            frames.push(recording.body.clone().into());
            let mut outcome = Ok(());
            while let Some(frame) = frames.next().unwrap() {
                let Some(event) = sse::parse(&frame) else { continue };
                outcome = outcome.and_then(|()| {
                    let mut sink = |event: Event<'_>| encoder.event(&event, &mut out);
                    decoder.event(event.name.as_deref(), &event.data, &mut sink)
                });
            }
            let ended = outcome.and_then(|()| {
                decoder.finish(&mut |event: Event<'_>| encoder.event(&event, &mut out))
            });
            if ended.is_err() {
                continue;
            }
            encoder.finish(&mut out);
            let before = said(&recording.body);
            let mut after = said(std::str::from_utf8(&out).unwrap());
            if before.1.is_null() {
                after.1 = Value::Null;
            }
            // Sparse indices are counted through, so that only the order is comparable.
            let ordered = |(choices, usage): Said| -> Vec<Value> {
                let list = choices
                    .into_values()
                    .map(|(text, calls)| json!([text, calls.into_values().collect::<Vec<_>>()]));
                list.chain([usage]).collect()
            };
            assert_eq!(ordered(after), ordered(before), "{}", recording.id);
            seen += 1;
        }
    }
    println!("{seen} streams");
}

#[test]
fn list_elements_are_counted_for_each_alternative() {
    let source =
        |url: &'static str| Citation { url: url.into(), title: "".into(), start: 0, end: 0 };
    let cited = |choice, citations| Event::Citations { choice, citations };
    let image = |choice| Event::Image { choice, mime: "image/png".into(), data: "AA".into() };
    let events = [
        cited(0, vec![source("a"), source("b")]),
        cited(1, vec![source("a")]),
        image(0),
        cited(0, vec![source("c")]),
        image(0),
    ];
    let indices: Vec<Vec<u32>> = encode(label(), &events)
        .iter()
        .filter_map(|chunk| chunk.split_once("[{\"index\":").map(|(_, rest)| rest))
        .filter_map(|rest| rest.split_once("[{").map(|(_, list)| list))
        .map(|list| {
            let numbers = list.split("\"index\":").skip(1);
            numbers.map(|rest| rest.chars().next().unwrap().to_digit(10).unwrap()).collect()
        })
        .collect();
    assert_eq!(indices, [vec![0, 1], vec![0], vec![0], vec![2], vec![1]]);
}

#[test]
fn the_member_that_is_filled_says_what_a_call_is() {
    let chunk = |call: &str| {
        format!(r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":0,{call}}}]}}}}]}}"#)
    };
    for (call, custom) in [
        (
            r#""id":"c","function":{"name":"f","arguments":"{}"},"custom":{"name":"","input":""}"#,
            false,
        ),
        (
            r#""id":"c","function":{"name":"","arguments":""},"custom":{"name":"f","input":"x"}"#,
            true,
        ),
        (r#""id":"c","custom":{"name":"f","input":""}"#, true),
    ] {
        let mut seen = None;
        let mut sink = |event: Event<'_>| {
            if let Event::ToolCallStart { name, custom, .. } = event {
                seen = Some((name.into_owned(), custom));
            }
        };
        Decoder::new().event(None, chunk(call).as_bytes(), &mut sink).unwrap();
        assert_eq!(seen, Some(("f".to_owned(), custom)), "{call}");
    }
}
