//! Requests in every form, and every complaint by the name of its field.

use super::*;
use crate::chat::message::{Media, Reasoning, ReasoningKind};
use crate::chat::request::{Effort, ResponseFormat};
use crate::chat::tool::ToolChoice;
use crate::formats::carried::Carried;
use serde_json::{Value, json};

/// Decodes a request with these members beside an ordinary input.
fn with(members: &Value) -> chat::Request<'static> {
    let mut body = json!({"model": "m", "input": "Hi"});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let text = Box::leak(body.to_string().into_boxed_str());
    decode(text.as_bytes()).unwrap()
}

fn conversation(input: &Value) -> Vec<crate::chat::Message<'static>> {
    with(&json!({ "input": input })).messages
}

/// Role and parts of each message, in short.
fn told(input: &Value) -> Vec<String> {
    let message = |message: &crate::chat::Message<'_>| {
        let parts: Vec<String> = message.parts.iter().map(short).collect();
        format!("{:?}: {}", message.role, parts.join(", "))
    };
    conversation(input).iter().map(message).collect()
}

fn short(part: &Part<'_>) -> String {
    match part {
        Part::Text { text, .. } => text.to_string(),
        Part::Image { source: Media::Url(url), detail, .. } => format!("image {url} {detail:?}"),
        Part::Image { source: Media::Base64 { mime, data }, .. } => format!("image {mime} {data}"),
        Part::Image { source: Media::FileId(id), .. } => format!("image {id}"),
        Part::File { source, filename, .. } => format!("file {filename:?} {source:?}"),
        Part::Audio { data, format } => format!("{format} {data}"),
        Part::Refusal { text } => format!("refusal {text}"),
        Part::Reasoning(piece) => {
            let signature = piece.signature.as_deref().unwrap_or("-");
            let id = piece.id.as_deref().unwrap_or("-");
            format!(
                "{:?} {:?} {signature} {id} {}",
                piece.kind,
                piece.text,
                piece.format.as_deref().unwrap()
            )
        }
        Part::ToolCall(call) => {
            let mark = if call.custom { "custom" } else { "call" };
            let signature = call.signature.as_deref().unwrap_or("-");
            format!("{mark} {} {}({}) {signature}", call.id, call.name, call.arguments)
        }
        Part::ToolResult { call_id, parts, .. } => {
            let parts: Vec<String> = parts.iter().map(short).collect();
            format!("result {call_id} [{}]", parts.join("; "))
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn items_become_turns() {
    let cases = [
        (json!("Hi"), vec!["User: Hi"]),
        (json!([{"role": "user", "content": "Hi"}]), vec!["User: Hi"]),
        (
            json!([
                {"type": "message", "role": "developer", "content": "d"},
                {"role": "user", "content": [
                    {"type": "input_text", "text": "t"},
                    {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"},
                    {"type": "input_image", "image_url": {"url": "data:image/jpeg;base64,iVBORw0KGgo"}},
                    {"type": "input_image", "file_id": "file-1"},
                    {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "wav"}},
                    {"type": "input_file", "filename": "a.pdf", "file_url": "https://x/a.pdf"}]},
            ]),
            vec![
                "Developer: d",
                "User: t, image https://x/y.png Some(\"low\"), image image/png iVBORw0KGgo, image file-1, wav QQ==, file Some(\"a.pdf\") Url(\"https://x/a.pdf\")",
            ],
        ),
        (
            json!([
                {"type": "reasoning", "id": "rs_1", "encrypted_content": "E",
                    "summary": [{"type": "summary_text", "text": "s"}],
                    "content": [{"type": "reasoning_text", "text": "r"}]},
                {"type": "web_search_call", "id": "ws_1", "status": "completed"},
                {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "content": [
                    {"type": "output_text", "text": "o", "annotations": []}, {"type": "refusal", "refusal": "no"}]},
                {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{\"a\":1.0}"},
                {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "x y"},
                {"type": "function_call_output", "call_id": "c1", "output": "out"},
                {"type": "custom_tool_call_output", "call_id": "c2", "output": [
                    {"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "https://x/i.png"}]},
                {"role": "assistant", "content": "one"},
                {"role": "assistant", "content": "two"},
            ]),
            vec![
                "Assistant: Summary \"s\" - rs_1 openai-responses-v1, Text \"r\" - rs_1 openai-responses-v1, Encrypted \"\" E rs_1 openai-responses-v1, o, refusal no, call c1 f({\"a\":1.0}) -, custom c2 g(x y) -",
                "Tool: result c1 [out]",
                "Tool: result c2 [a; image https://x/i.png None]",
                "Assistant: one",
                "Assistant: two",
            ],
        ),
        (
            json!([{"type": "function_call", "call_id": "c", "name": "f", "arguments": ""},
                {"type": "reasoning", "id": "rs_1", "summary": []}, {"role": "assistant", "content": ""},
                {"type": "function_call", "call_id": "d", "name": "f", "arguments": {"k": 1}}]),
            vec!["Assistant: call c f({}) -, call d f({\"k\":1}) -"],
        ),
    ];
    for (input, expected) in cases {
        assert_eq!(told(&input), expected);
    }
}

#[test]
fn packed_signatures_go_back_to_their_makers() {
    let pack = |format: &str, id: &str, encrypted| {
        let carried = Carried { format: format.into(), id: id.into(), encrypted, data: "S".into() };
        carried.pack()
    };
    let text = json!([{"type": "reasoning_text", "text": "think"}]);
    let item = |packed: String, content: &Value| json!({"type": "reasoning", "id": "rs_9", "summary": [], "content": content, "encrypted_content": packed});
    let claude = "anthropic-claude-v1";
    let call = json!({"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"});
    let none = json!([]);
    let cases = [
        (
            vec![item(pack(claude, "", false), &text)],
            "Assistant: Text \"think\" S - anthropic-claude-v1",
        ),
        (
            vec![item(pack(claude, "", true), &none)],
            "Assistant: Encrypted \"\" S - anthropic-claude-v1",
        ),
        (
            vec![item(pack("google-gemini-v1", "c1", true), &none), call.clone()],
            "Assistant: call c1 f({}) S",
        ),
        (
            vec![item(pack("google-gemini-v1", "c2", true), &none), call],
            "Assistant: Encrypted \"\" S c2 google-gemini-v1, call c1 f({}) -",
        ),
    ];
    for (input, expected) in cases {
        assert_eq!(told(&Value::Array(input)), [expected]);
    }
    let messages = conversation(
        &json!([{"type": "reasoning", "format": "xai-responses-v1", "encrypted_content": "X"}]),
    );
    let [Part::Reasoning(Reasoning { kind: ReasoningKind::Encrypted, format, .. })] =
        messages[0].parts.as_slice()
    else {
        panic!()
    };
    assert_eq!(format.as_deref(), Some("xai-responses-v1"));
}

#[test]
fn settings() {
    let request = with(&json!({
        "instructions": "Be brief.", "max_output_tokens": 99, "temperature": 0.5, "top_p": 1, "stream": true,
        "user": "u", "safety_identifier": "s", "service_tier": "flex", "prompt_cache_key": "k",
        "metadata": {"a": "b"}, "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "n", "strict": true, "schema": {"b": 1, "a": 2.0}}},
        "reasoning": {"effort": "xhigh", "summary": "auto"}, "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "top_logprobs": 3, "store": true, "truncation": "auto", "max_tool_calls": 2, "seed": null, "frequency_penalty": 1.5,
        "previous_response_id": null, "background": false, "stream_options": {"include_obfuscation": false},
    }));
    assert_eq!(request.messages[0].role, Role::System);
    assert_eq!((request.max_tokens, request.stream), (Some(99), true));
    assert_eq!((request.sampling.temperature, request.sampling.top_p), (Some(0.5), Some(1.0)));
    assert_eq!((request.sampling.logprobs, request.sampling.top_logprobs), (Some(true), Some(3)));
    assert_eq!(request.sampling.frequency_penalty, Some(1.5));
    assert_eq!(request.reasoning.effort, Some(Effort::XHigh));
    let words =
        [&request.user, &request.service_tier, &request.prompt_cache_key, &request.verbosity];
    assert_eq!(words.map(|word| word.as_deref().unwrap()), ["s", "flex", "k", "low"]);
    assert_eq!(request.metadata.unwrap().get(), r#"{"a":"b"}"#);
    let ResponseFormat::JsonSchema { name, schema, strict, .. } = request.response_format else {
        panic!()
    };
    assert_eq!((name.as_ref(), schema.get(), strict), ("n", r#"{"a":2.0,"b":1}"#, Some(true)));
    assert_eq!(request.unmapped, ["store", "truncation", "max_tool_calls"]);
    let quiet = with(&json!({"top_logprobs": 2, "include": ["web_search_call.action.sources"]}));
    assert_eq!((quiet.sampling.top_logprobs, quiet.unmapped), (None, vec!["include".into()]));
    let cases = [
        (json!({"summary": "auto"}), (Some(true), None, None)),
        (json!({"effort": "none"}), (Some(false), Some(Effort::None), None)),
        (json!({"enabled": true, "max_tokens": 5000}), (Some(true), None, Some(5000))),
    ];
    for (reasoning, expected) in cases {
        let read = with(&json!({ "reasoning": reasoning })).reasoning;
        assert_eq!((read.enabled, read.effort, read.max_tokens), expected);
    }
}

#[test]
fn tools_and_choices() {
    let request = with(&json!({"tools": [
        {"type": "function", "name": "f", "parameters": {"z": 1, "b": {}}, "strict": false, "description": null},
        {"type": "function", "name": "g", "parameters": null, "strict": true},
        {"type": "custom", "name": "c", "format": {"type": "text"}},
        {"type": "web_search_preview", "search_context_size": "low", "user_location": {"type": "approximate", "city": "Rome"}}],
        "parallel_tool_calls": false}));
    let [f, g, c] = request.tools.as_slice() else { panic!() };
    assert_eq!((f.parameters.as_deref().unwrap().get(), f.strict), (r#"{"b":{},"z":1}"#, None));
    assert_eq!((g.parameters.is_none(), g.strict), (true, Some(true)));
    assert_eq!(c.custom.as_ref().unwrap().format.as_deref().unwrap().get(), r#"{"type":"text"}"#);
    let search = r#"{"search_context_size":"low","user_location":{"type":"approximate","approximate":{"city":"Rome"}}}"#;
    assert_eq!(request.web_search.unwrap().get(), search);
    assert_eq!(request.parallel_tool_calls, Some(false));
    let named = |name: &'static str| ToolChoice::Named(name.into());
    let cases = [
        (json!("auto"), ToolChoice::Auto),
        (json!("none"), ToolChoice::None),
        (json!("required"), ToolChoice::Required),
        (json!({"type": "function", "name": "f"}), named("f")),
        (json!({"type": "custom", "name": "c"}), named("c")),
        (
            json!({"type": "allowed_tools", "mode": "required", "tools": [
                {"type": "function", "name": "f"}, {"type": "web_search"}, {"type": "custom", "name": "c"}]}),
            ToolChoice::Allowed { names: vec!["f".into(), "c".into()], required: true },
        ),
    ];
    for (choice, expected) in cases {
        assert_eq!(with(&json!({ "tool_choice": choice })).tool_choice, Some(expected));
    }
}

#[test]
fn complaints_name_the_field() {
    let cases = [
        (json!({"input": null}), "input"),
        (json!({"input": []}), "input"),
        (json!({"input": 7}), "input"),
        (json!({"input": [{"type": "item_reference", "id": "x"}]}), "input[0]"),
        (json!({"input": [{"type": "computer_call_output"}]}), "input[0].type"),
        (json!({"input": [{"role": "owner", "content": "x"}]}), "input[0].role"),
        (
            json!({"input": [{"role": "user", "content": [{"type": "hologram"}]}]}),
            "input[0].content[0].type",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "ftp://x"}]}]}),
            "input[0].content[0].image_url",
        ),
        (
            json!({"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}),
            "input[0].call_id",
        ),
        (json!({"previous_response_id": "r"}), "previous_response_id"),
        (json!({"conversation": {"id": "c"}}), "conversation"),
        (json!({"prompt": {"id": "p"}}), "prompt"),
        (json!({"background": true}), "background"),
        (json!({"tools": [{"type": "web_search"}, {"type": "file_search"}]}), "tools[1]"),
        (json!({"tools": [{"type": "function"}]}), "tools[0].name"),
        (json!({"tool_choice": {"type": "mcp"}}), "tool_choice.type"),
        (
            json!({"tool_choice": {"type": "allowed_tools", "tools": [{}]}}),
            "tool_choice.tools[0].name",
        ),
        (json!({"temperature": 3}), "temperature"),
        (json!({"max_output_tokens": -1}), "max_output_tokens"),
        (json!({"stream": "yes"}), "stream"),
        (json!({"reasoning": {"effort": "huge"}}), "reasoning.effort"),
        (json!({"text": {"format": {"type": "xml"}}}), "text.format.type"),
        (json!({"metadata": []}), "metadata"),
    ];
    for (members, param) in cases {
        let mut body = json!({"model": "m", "input": "Hi"});
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let error = decode(body.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{}", error.message);
        assert!(error.message.contains(&format!("`{param}`")), "{}", error.message);
    }
    for broken in ["", "[]", "{\"input\":", "nonsense"] {
        assert_eq!(decode(broken.as_bytes()).unwrap_err().param, None);
    }
}
