//! Tests of reading chat requests.

mod spellings;

use super::*;
use crate::chat::message::{Media, Reasoning, ReasoningKind};
use crate::chat::request::Effort;
use crate::chat::tool::{CacheControl, ToolChoice};
use crate::chat::{Part, Request, Role};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::path::Path as FilePath;

fn message(body: &str) -> String {
    format!(r#"{{"model":"m","messages":[{body}]}}"#)
}

/// A request of one user message and the given further members.
fn with(members: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"Hi"}}],{members}}}"#)
}

fn param(body: &str) -> String {
    let error = decode(body.as_bytes()).expect_err(body);
    let param = error.param.unwrap_or_default().into_owned();
    assert!(param.is_empty() || error.message.contains(&param), "{}", error.message);
    param
}

fn assert_faults(cases: &[(&str, &str)]) {
    for (body, expected) in cases {
        assert_eq!(param(body), *expected, "{body}");
    }
}

#[test]
fn faults_of_messages_name_their_field() {
    assert_faults(&[
        ("{", ""),
        ("[]", ""),
        (r#"{"model":"m"}"#, "messages"),
        (r#"{"messages":null}"#, "messages"),
        (r#"{"messages":[]}"#, "messages"),
        (r#"{"messages":"hi"}"#, "messages"),
        (r#"{"messages":["hi"]}"#, "messages[0]"),
        (&message(r#"{"content":"x"}"#), "messages[0].role"),
        (&message(r#"{"role":"robot","content":"x"}"#), "messages[0].role"),
        (&message(r#"{"role":"user"}"#), "messages[0].content"),
        (&message(r#"{"role":"user","content":null}"#), "messages[0].content"),
        (&message(r#"{"role":"user","content":7}"#), "messages[0].content"),
        (&message(r#"{"role":"user","content":"x","name":1}"#), "messages[0].name"),
        (
            &message(r#"{"role":"user","content":"x"},{"role":"user","content":[{"text":"x"}]}"#),
            "messages[1].content[0].type",
        ),
        (
            &message(r#"{"role":"user","content":[{"type":"hologram"}]}"#),
            "messages[0].content[0].type",
        ),
        (&message(r#"{"role":"user","content":[{"type":"text"}]}"#), "messages[0].content[0].text"),
        (
            &message(r#"{"role":"user","content":[{"type":"image_url"}]}"#),
            "messages[0].content[0].image_url",
        ),
        (
            &message(r#"{"role":"user","content":[{"type":"image_url","image_url":{}}]}"#),
            "messages[0].content[0].image_url.url",
        ),
        (
            &message(
                r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"cat.png"}}]}"#,
            ),
            "messages[0].content[0].image_url.url",
        ),
        (
            &message(
                r#"{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA"}}]}"#,
            ),
            "messages[0].content[0].input_audio.format",
        ),
        (
            &message(r#"{"role":"user","content":[{"type":"file","file":{}}]}"#),
            "messages[0].content[0].file.file_data",
        ),
        (
            &message(
                r#"{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"2h"}}]}"#,
            ),
            "messages[0].content[0].cache_control.ttl",
        ),
    ]);
}

#[test]
fn faults_of_calls_and_settings_name_their_field() {
    assert_faults(&[
        (&message(r#"{"role":"tool","content":"x"}"#), "messages[0].tool_call_id"),
        (
            &message(r#"{"role":"tool","tool_call_id":"","content":"x"}"#),
            "messages[0].tool_call_id",
        ),
        (&message(r#"{"role":"function","name":"f","content":"x"}"#), "messages[0].name"),
        (
            &message(r#"{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}"#),
            "messages[0].tool_calls[0].id",
        ),
        (
            &message(r#"{"role":"assistant","tool_calls":[{"id":"1","function":{}}]}"#),
            "messages[0].tool_calls[0].function.name",
        ),
        (&message(r#"{"role":"assistant","tool_calls":{}}"#), "messages[0].tool_calls"),
        (&with(r#""max_tokens":0"#), "max_tokens"),
        (&with(r#""max_tokens":"9""#), "max_tokens"),
        (&with(r#""max_completion_tokens":1.5"#), "max_completion_tokens"),
        (&with(r#""temperature":2.1"#), "temperature"),
        (&with(r#""temperature":"hot""#), "temperature"),
        (&with(r#""top_p":-0.1"#), "top_p"),
        (&with(r#""presence_penalty":3"#), "presence_penalty"),
        (&with(r#""n":0"#), "n"),
        (&with(r#""top_logprobs":21"#), "top_logprobs"),
        (&with(r#""seed":1.5"#), "seed"),
        (&with(r#""stop":[1]"#), "stop[0]"),
        (&with(r#""stop":{}"#), "stop"),
        (&with(r#""stream":"yes""#), "stream"),
    ]);
}

#[test]
fn faults_of_tools_and_formats_name_their_field() {
    assert_faults(&[
        (&with(r#""tools":{}"#), "tools"),
        (&with(r#""tools":[{"type":"web_search"}]"#), "tools[0].type"),
        (&with(r#""tools":[{"type":"function"}]"#), "tools[0].function"),
        (
            &with(r#""tools":[{"type":"function","function":{"name":""}}]"#),
            "tools[0].function.name",
        ),
        (
            &with(r#""tools":[{"type":"function","function":{"name":"f","parameters":[]}}]"#),
            "tools[0].function.parameters",
        ),
        (&with(r#""tool_choice":"always""#), "tool_choice"),
        (&with(r#""tool_choice":{"type":"function"}"#), "tool_choice.function"),
        (&with(r#""response_format":{"type":"grammar"}"#), "response_format.type"),
        (&with(r#""response_format":{"type":"json_schema"}"#), "response_format.json_schema"),
        (&with(r#""reasoning":{"effort":"extreme"}"#), "reasoning.effort"),
        (&with(r#""reasoning_effort":1"#), "reasoning_effort"),
        (&with(r#""thinking":{"type":"maybe"}"#), "thinking.type"),
        (&with(r#""modalities":[1]"#), "modalities[0]"),
    ]);
}

#[test]
fn settings_are_read() {
    let body = with(
        r#""max_tokens":10,"max_completion_tokens":20,"temperature":1,"top_p":0.5,"top_k":40,
        "frequency_penalty":-1,"presence_penalty":0.5,"seed":-7,"n":1,"logprobs":true,
        "top_logprobs":3,"stop":"END","user":"u","safety_identifier":"s","service_tier":"flex",
        "stream":true,"modalities":["Text"],"parallel_tool_calls":false,
        "web_search_options":{"search_context_size":"low"}"#,
    );
    let request = decode(body.as_bytes()).unwrap();
    assert_eq!(request.max_tokens, Some(20));
    let sampling = request.sampling;
    assert_eq!(
        (sampling.temperature, sampling.top_p, sampling.top_k),
        (Some(1.0), Some(0.5), Some(40))
    );
    assert_eq!((sampling.seed, sampling.n, sampling.top_logprobs), (Some(-7), Some(1), Some(3)));
    assert_eq!(request.stop, ["END"]);
    assert_eq!(request.user.as_deref(), Some("s"));
    assert_eq!(request.modalities, ["text"]);
    assert_eq!(request.parallel_tool_calls, Some(false));
    assert!(request.stream && request.unmapped.is_empty());
    assert_eq!(request.web_search.unwrap().get(), r#"{"search_context_size":"low"}"#);
}

#[test]
fn null_is_absent_everywhere() {
    let nulls = [
        "max_tokens",
        "temperature",
        "stop",
        "tools",
        "tool_choice",
        "response_format",
        "reasoning",
        "stream",
        "seed",
        "user",
        "logit_bias",
        "functions",
        "web_search_options",
        "store",
    ];
    let members: Vec<String> = nulls.iter().map(|name| format!("\"{name}\":null")).collect();
    let body = with(&members.join(","));
    let request = decode(body.as_bytes()).unwrap();
    assert!(
        request.unmapped.is_empty() && request.tools.is_empty() && request.tool_choice.is_none()
    );
}

#[test]
fn a_call_is_what_has_a_name_in_it() {
    let calls = |call: &str| {
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"assistant","tool_calls":[{{"id":"c",{call}}}]}}]}}"#
        );
        let request = decode(body.as_bytes()).map_err(|error| error.param.unwrap())?;
        let Part::ToolCall(call) = &request.messages[0].parts[0] else { panic!() };
        Ok::<_, Cow<'_, str>>((call.name.to_string(), call.arguments.to_string(), call.custom))
    };
    let function = r#""function":{"name":"f","arguments":"{\"a\":1}"}"#;
    let read = Ok(("f".to_owned(), "{\"a\":1}".to_owned(), false));
    assert_eq!(calls(&format!(r#""custom":{{"name":"","input":""}},{function}"#)), read);
    let both = r#""custom":{"name":"g","input":"x"},"function":{"name":"","arguments":""}"#;
    assert_eq!(calls(both), Ok(("g".to_owned(), "x".to_owned(), true)));
    let nameless = calls(r#""custom":{"name":"","input":""}"#);
    assert_eq!(nameless, Err("messages[0].tool_calls[0].custom.name".into()));
}

#[test]
fn what_has_no_meaning_is_named_and_what_the_gateway_uses_is_not() {
    let body = with(
        r#""logit_bias":{},"verbosity":"low","metadata":{"a":"b"},"prompt_cache_key":"k","x_custom":1,"store":true,"provider":{},
        "models":["a"],"session_id":"s","stream_options":{"include_usage":true},"usage":{"include":true}"#,
    );
    let request = decode(body.as_bytes()).unwrap();
    assert_eq!(request.unmapped, ["logit_bias", "x_custom", "store"]);
    assert!(decode(with(r#""":1"#).as_bytes()).unwrap().unmapped.is_empty(), "it has no name");
    assert_eq!(request.metadata.as_deref().map(RawValue::get), Some(r#"{"a":"b"}"#));
    assert_eq!(request.verbosity.as_deref(), Some("low"));
    assert_eq!(request.prompt_cache_key.as_deref(), Some("k"));
    assert!(decode(with(r#""store":false"#).as_bytes()).unwrap().unmapped.is_empty());
}

#[test]
fn text_is_borrowed_and_raw_json_survives() {
    let body = with(
        r#""tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"z":1.50,"a":12345678901234567890123}}}],
        "response_format":{"type":"json_schema","json_schema":{"name":"n","strict":false,"schema":{"b":1e2,"a":[ ]}}}"#,
    );
    let request = decode(body.as_bytes()).unwrap();
    let Part::Text { text, .. } = &request.messages[0].parts[0] else { panic!() };
    assert!(matches!(text, Cow::Borrowed("Hi")));
    let parameters = request.tools[0].parameters.as_ref().unwrap();
    assert_eq!(parameters.get(), r#"{"z":1.50,"a":12345678901234567890123}"#);
    let ResponseFormat::JsonSchema { name, schema, strict, .. } = &request.response_format else {
        panic!()
    };
    assert_eq!((name.as_ref(), schema.get(), *strict), ("n", r#"{"b":1e2,"a":[ ]}"#, Some(false)));
}

#[test]
fn of_a_repeated_key_the_last_one_counts() {
    let body = message(r#"{"role":"user","role":"system","content":"a"}"#);
    assert_eq!(decode(body.as_bytes()).unwrap().messages[0].role, Role::System);
}

#[test]
fn media_is_located() {
    let media = |url: &str| {
        let body = message(&format!(
            r#"{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"{url}"}}}}]}}"#
        ));
        let request = decode(body.as_bytes()).unwrap();
        let Part::Image { source, .. } = &request.messages[0].parts[0] else { panic!() };
        match source {
            Media::Base64 { mime, data } => format!("{mime} {data}"),
            Media::Url(url) => url.to_string(),
            Media::FileId(_) => panic!(),
        }
    };
    assert_eq!(media("https://a.b/c.png"), "https://a.b/c.png");
    assert_eq!(media("data:image/png;base64,iVBORw0KGgoAAA"), "image/png iVBORw0KGgoAAA");
    assert_eq!(media("data:image/jpeg;base64,iVBORw0KGgoAAA"), "image/png iVBORw0KGgoAAA");
    assert_eq!(media("DATA:IMAGE/GIF;charset=x;BASE64,R0lGODlh"), "image/gif R0lGODlh");
    assert_eq!(media("data:;base64,/9j/4AAQ"), "image/jpeg /9j/4AAQ");
    assert_eq!(media(r"data:image/png;base64,iVBORw0K\nGgo AAA"), "image/png iVBORw0KGgoAAA");
    assert_eq!(
        media("data:image/webp;base64,UklGRhAgMABXRUJQVlA4IA=="),
        "image/webp UklGRhAgMABXRUJQVlA4IA=="
    );
    assert_eq!(media("data:text/plain,a%20b"), "text/plain YSBi");
}

#[test]
fn parts_of_every_kind_are_read() {
    let body = message(
        r#"{"role":"system","content":[{"type":"text","text":"S","cache_control":{"type":"ephemeral","ttl":"1h"}}]},
        {"role":"user","name":"ann","content":["plain",
            {"type":"input_audio","input_audio":{"data":"QUJD","format":"wav"}},
            {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0x"}},
            {"type":"file","file":{"file_data":"JVBERi0x"}},
            {"type":"file","file":{"file_id":"file-1"}},
            {"type":"video_url","video_url":{"url":"https://v"}},
            {"type":"image_url","image_url":"https://i"}]}"#,
    );
    let request = decode(body.as_bytes()).unwrap();
    let Part::Text { cache, .. } = request.messages[0].parts[0] else { panic!() };
    assert_eq!(cache, Some(CacheControl::OneHour));
    let user = &request.messages[1];
    assert_eq!(user.name.as_deref(), Some("ann"));
    let pdf = Media::Base64 { mime: "application/pdf".into(), data: "JVBERi0x".into() };
    assert!(matches!(&user.parts[0], Part::Text { text, .. } if text == "plain"));
    assert!(
        matches!(&user.parts[1], Part::Audio { data, format } if data == "QUJD" && format == "wav")
    );
    assert!(
        matches!(&user.parts[2], Part::File { source, filename: Some(name), .. } if *source == pdf && name == "a.pdf")
    );
    assert!(matches!(&user.parts[3], Part::File { source, .. } if *source == pdf));
    assert!(
        matches!(&user.parts[4], Part::File { source: Media::FileId(id), .. } if id == "file-1")
    );
    assert!(matches!(&user.parts[5], Part::Video { source: Media::Url(_) }));
    assert!(matches!(&user.parts[6], Part::Image { source: Media::Url(_), .. }));
}

#[test]
fn a_tool_loop_is_read() {
    let body = message(
        r#"{"role":"assistant","content":null,"tool_calls":[
            {"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\": 1.50}"}},
            {"id":"c2","function":{"name":"g","arguments":""}},
            {"id":"c3","function":{"name":"h","arguments":"null"}},
            {"id":"c4","function":{"name":"i","arguments":{"b":2}},"extra_content":{"google":{"thought_signature":"sig"}}}]},
        {"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"R","cache_control":{"type":"ephemeral"}}]}"#,
    );
    let request = decode(body.as_bytes()).unwrap();
    let arguments: Vec<_> = request.messages[0]
        .parts
        .iter()
        .map(|part| match part {
            Part::ToolCall(call) => (call.id.as_ref(), call.arguments.as_ref()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        arguments,
        [("c1", r#"{"a": 1.50}"#), ("c2", "{}"), ("c3", "{}"), ("c4", r#"{"b":2}"#)]
    );
    assert!(
        matches!(&request.messages[0].parts[3], Part::ToolCall(call) if call.signature.as_deref() == Some("sig"))
    );
    let Part::ToolResult { call_id, parts, cache, .. } = &request.messages[1].parts[0] else {
        panic!()
    };
    assert_eq!(
        (call_id.as_ref(), *cache, request.messages[1].role),
        ("c1", Some(CacheControl::Default), Role::Tool)
    );
    assert!(matches!(&parts[0], Part::Text { text, cache: None } if text == "R"));
}

#[test]
fn the_older_function_form_is_read() {
    let body = r#"{"messages":[{"role":"user","content":"x"},
        {"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
        {"role":"function","name":"f","content":"R"}],
        "functions":[{"name":"f","description":"d","parameters":{"type":"object"}}],"function_call":{"name":"f"}}"#;
    let request = decode(body.as_bytes()).unwrap();
    let Part::ToolCall(call) = &request.messages[1].parts[0] else { panic!() };
    let Part::ToolResult { call_id, name, .. } = &request.messages[2].parts[0] else { panic!() };
    assert_eq!((call_id, name.as_deref()), (&call.id, Some("f")));
    assert_eq!(request.tool_choice, Some(ToolChoice::Named("f".into())));
    assert_eq!(request.tools[0].description.as_deref(), Some("d"));
}

#[test]
fn tool_choices_are_read() {
    let choice = |json: &str| {
        let body = with(&format!(r#""tool_choice":{json}"#));
        format!("{:?}", decode(body.as_bytes()).unwrap().tool_choice.unwrap())
    };
    assert_eq!(choice(r#""any""#), "Required");
    assert_eq!(choice(r#"{"type":"function","function":{"name":"f"}}"#), r#"Named("f")"#);
    assert_eq!(choice(r#"{"type":"function","name":"f"}"#), r#"Named("f")"#);
    assert_eq!(
        choice(
            r#"{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"f"}}]}}"#
        ),
        r#"Allowed { names: ["f"], required: true }"#
    );
}

#[test]
fn reasoning_is_asked_for_in_many_ways() {
    let wanted = |members: &str| decode(with(members).as_bytes()).unwrap().reasoning;
    assert_eq!(wanted(r#""reasoning_effort":"low""#).effort, Some(Effort::Low));
    let both = wanted(r#""reasoning_effort":"low","reasoning":{"effort":"high","exclude":true}"#);
    assert_eq!((both.effort, both.exclude), (Some(Effort::High), true));
    assert_eq!(wanted(r#""reasoning":{"effort":"none"}"#).enabled, Some(false));
    let budget = wanted(r#""thinking":{"type":"enabled","budget_tokens":2048}"#);
    assert_eq!((budget.enabled, budget.max_tokens), (Some(true), Some(2048)));
    assert_eq!(wanted(r#""thinking":{"type":"disabled"}"#).enabled, Some(false));
    assert!(wanted(r#""include_reasoning":false"#).exclude);
}

#[test]
fn reasoning_shown_earlier_is_read_first_and_joined() {
    let body = message(
        r#"{"role":"assistant","content":"A","reasoning":"ignored","reasoning_details":[
            {"type":"reasoning.text","text":"Let","index":0,"format":"anthropic-claude-v1"},
            {"type":"reasoning.text","text":" me","index":0},
            {"type":"reasoning.text","signature":"S","index":0},
            {"type":"reasoning.encrypted","data":"E","index":1,"format":"anthropic-claude-v1"},
            {"type":"reasoning.encrypted","data":"G","format":"google-gemini-v1","id":"c1"},
            {"type":"reasoning.future","x":1}],
        "tool_calls":[{"id":"c1","function":{"name":"f","arguments":"{}"}}]},
        {"role":"assistant","content":"B","reasoning_content":"R"}"#,
    );
    let request = decode(body.as_bytes()).unwrap();
    let parts = &request.messages[0].parts;
    let Part::Reasoning(first) = &parts[0] else { panic!() };
    assert_eq!((first.text.as_ref(), first.signature.as_deref()), ("Let me", Some("S")));
    assert_eq!(first.format.as_deref(), Some("anthropic-claude-v1"));
    let Part::Reasoning(second) = &parts[1] else { panic!() };
    assert_eq!((second.kind, second.signature.as_deref()), (ReasoningKind::Encrypted, Some("E")));
    assert!(matches!(&parts[2], Part::Text { text, .. } if text == "A"));
    assert!(matches!(&parts[3], Part::ToolCall(call) if call.signature.as_deref() == Some("G")));
    assert_eq!(parts.len(), 4);
    let plain = Reasoning::plain("R".into());
    assert!(matches!(&request.messages[1].parts[0], Part::Reasoning(piece) if *piece == plain));
}

/// Text of all messages, as the decoded request has it.
fn texts(request: &Request<'_>) -> Vec<String> {
    let text = |part: &Part<'_>| match part {
        Part::Text { text, .. } => Some(text.to_string()),
        _ => None,
    };
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    parts
        .flat_map(|part| match part {
            Part::ToolResult { parts, .. } => parts.iter().filter_map(text).collect(),
            part => text(part).into_iter().collect::<Vec<_>>(),
        })
        .collect()
}

#[test]
fn recorded_requests_are_read_whole() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/wire/corpus/openai-chat");
    let Ok(entries) = std::fs::read_dir(FilePath::new(folder)) else { return };
    let mut seen = 0;
    for entry in entries {
        let recording: Value =
            serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
        let (request, id) = (&recording["request"]["body"], &recording["id"]);
        if recording["response"]["status"] != 200 || !request["messages"].is_array() {
            continue;
        }
        let custom = json!(request["tools"]).to_string().contains("\"custom\"");
        if custom || request["messages"].to_string().contains("elided") {
            continue;
        }
        let body = request.to_string();
        let decoded = decode(body.as_bytes()).unwrap_or_else(|error| panic!("{id}: {error}"));
        seen += 1;
        let content = request["messages"].as_array().unwrap().iter().map(|m| &m["content"]);
        let expected: Vec<String> = content
            .flat_map(|content| match content {
                Value::String(text) => vec![text.clone()],
                Value::Array(parts) => parts
                    .iter()
                    .filter_map(|part| part["text"].as_str().map(str::to_owned))
                    .collect(),
                _ => Vec::new(),
            })
            .collect();
        assert_eq!(texts(&decoded), expected, "{id}");
        assert_eq!(
            decoded.tools.len(),
            request["tools"].as_array().or(request["functions"].as_array()).map_or(0, Vec::len),
            "{id}"
        );
    }
    println!("{seen} requests");
    assert!(seen > 100, "{seen}");
}
