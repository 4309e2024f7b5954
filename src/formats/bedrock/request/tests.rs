//! Tests of the request encoder: tables of OpenAI chat requests and what they become.

mod recorded;

use super::*;
use crate::formats::{ApiFormat, decode_request};
use serde_json::{Value, json};

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const NOVA: &str = "us.amazon.nova-2-lite-v1:0";
const LLAMA: &str = "meta.llama3-70b-instruct-v1:0";
const PNG: &str = "iVBORw0KGgoAAAANSUhEUg==";

fn written(model: &str, chat: &Value) -> Result<(Value, Vec<String>), FormatError> {
    let body = chat.to_string();
    let request = decode_request(ApiFormat::OpenAiChat, body.as_bytes()).unwrap();
    let encoded = encode(&request, Target::new(model))?;
    let dropped = encoded.dropped.iter().map(ToString::to_string).collect();
    Ok((serde_json::from_slice(&encoded.body).unwrap(), dropped))
}

fn body(model: &str, chat: &Value) -> Value {
    written(model, chat).unwrap().0
}

fn messages(model: &str, messages: &Value) -> Value {
    body(model, &json!({"model": "m", "messages": messages}))["messages"].clone()
}

/// A request with one short message and these members besides.
fn asking(members: &Value) -> Value {
    let mut chat = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    for (key, value) in members.as_object().unwrap() {
        chat[key] = value.clone();
    }
    chat
}

#[test]
fn turns_alternate_and_results_come_first() {
    let chat = json!([
        {"role": "system", "content": "be kind"},
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "", "tool_calls": [
            {"id": "c.1", "type": "function", "function": {"name": "f", "arguments": "{\"n\":12345678901234567890}"}},
            {"id": "c2", "type": "function", "function": {"name": "g.h", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "c2", "content": ""},
        {"role": "tool", "tool_call_id": "c.1", "content": "one"},
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": " "},
    ]);
    let whole = body(CLAUDE, &json!({"model": "m", "messages": chat}));
    assert_eq!(whole["system"], json!([{"text": "be kind"}]));
    let turns = whole["messages"].as_array().unwrap();
    let roles: Vec<&str> = turns.iter().map(|turn| turn["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant", "user"]);
    assert_eq!(turns[0]["content"], json!([{"text": "."}]));
    assert_eq!(turns[2]["content"], json!([{"text": "a"}, {"text": "b"}]));
    let calls = turns[3]["content"].as_array().unwrap();
    assert_eq!(calls[0]["toolUse"]["input"].to_string(), r#"{"n":12345678901234567890}"#);
    assert_eq!(calls[1]["toolUse"]["input"], json!({}));
    let (first, second) = (&calls[0]["toolUse"], &calls[1]["toolUse"]);
    assert_eq!(
        turns[4]["content"],
        json!([
            {"toolResult": {"toolUseId": first["toolUseId"], "content": [{"text": "one"}]}},
            {"toolResult": {"toolUseId": "c2", "content": [{"text": "(no output)"}]}},
            {"text": "System: be brief"},
        ])
    );
    assert!(first["toolUseId"].as_str().unwrap().starts_with("c_1_"));
    let declared = whole["toolConfig"]["tools"].as_array().unwrap();
    let names: Vec<&Value> = declared.iter().map(|tool| &tool["toolSpec"]["name"]).collect();
    assert_eq!(names, [&json!("f"), &second["name"]]);
}

#[test]
fn media_become_bytes_with_a_format() {
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let file = |name: &str, data: &str| json!({"type": "file", "file": {"filename": name, "file_data": data}});
    let content = json!([
        image(&format!("data:image/jpeg;base64,{PNG}")),
        file("Q3/report_v1.final.pdf", "data:application/pdf;base64,JVBERi0xLjcgMDAwMDAw"),
        file("report v1 final.md", "data:text/markdown;base64,IyBoaQ=="),
        file("", "data:application/json;base64,e30="),
    ]);
    let turns = messages(CLAUDE, &json!([{"role": "user", "content": content}]));
    let document = |format: &str, name: &str, bytes: &str| json!({"document": {"format": format, "name": name, "source": {"bytes": bytes}}});
    assert_eq!(
        turns[0]["content"],
        json!([
            {"image": {"format": "png", "source": {"bytes": PNG}}},
            {"text": "."},
            document("pdf", "report v1 final", "JVBERi0xLjcgMDAwMDAw"),
            document("md", "report v1 final (2)", "IyBoaQ=="),
            document("txt", "Document", "e30="),
        ])
    );
    for (model, part, told) in [
        (CLAUDE, image("https://x/y.png"), "bytes"),
        (CLAUDE, image("data:image/tiff;base64,AAAA"), "images only"),
        (CLAUDE, file("x.zip", "data:application/zip;base64,UEsDBAAAAAAA"), "cannot read"),
        (
            CLAUDE,
            json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
            "only",
        ),
    ] {
        let chat = json!({"model": "m", "messages": [{"role": "user", "content": [part]}]});
        let error = written(model, &chat).unwrap_err();
        assert!(error.message.contains(told), "{error}");
        assert_eq!(error.param.as_deref(), Some("messages[0].content[0]"));
    }
    let sound = json!([{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]);
    let turns = messages(NOVA, &json!([{"role": "user", "content": sound}]));
    assert_eq!(
        turns[0]["content"][0],
        json!({"audio": {"format": "wav", "source": {"bytes": "AAAA"}}})
    );
    assert!(needs_bytes("https://x/y") && !needs_bytes("s3://bucket/key.png"));
}

#[test]
fn cache_points_stand_where_they_may() {
    let mark = json!({"type": "ephemeral"});
    let hour = json!({"type": "ephemeral", "ttl": "1h"});
    let text =
        |text: &str, mark: &Value| json!({"type": "text", "text": text, "cache_control": mark});
    let chat = json!([
        {"role": "system", "content": [text("rules", &hour)]},
        {"role": "user", "content": [text(" ", &mark), text("a", &mark), text("b", &Value::Null)]},
    ]);
    let claude = body(CLAUDE, &json!({"model": "m", "messages": chat}));
    let point = json!({"cachePoint": {"type": "default"}});
    let long = json!({"cachePoint": {"type": "default", "ttl": "1h"}});
    assert_eq!(claude["system"], json!([{"text": "rules"}, long]));
    assert_eq!(claude["messages"][0]["content"], json!([{"text": "a"}, point, {"text": "b"}]));
    let (llama, dropped) = written(LLAMA, &json!({"model": "m", "messages": chat})).unwrap();
    assert!(!llama.to_string().contains("cachePoint"));
    assert_eq!(dropped, ["cache_control"]);
}

/// Model, members of the request, what they become, and what is dropped.
fn settings() -> Vec<(&'static str, Value, Value, Vec<&'static str>)> {
    vec![
        (
            CLAUDE,
            json!({"max_tokens": 9, "temperature": 1.5, "stop": ["a", " "]}),
            json!({"inferenceConfig": {"maxTokens": 9, "temperature": 1.0, "stopSequences": ["a"]}}),
            vec!["stop"],
        ),
        (
            CLAUDE,
            json!({"top_k": 5}),
            json!({"additionalModelRequestFields": {"top_k": 5}}),
            vec![],
        ),
        (
            CLAUDE,
            json!({"reasoning_effort": "low", "max_tokens": 10_000}),
            json!({"inferenceConfig": {"maxTokens": 10_000},
            "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 2_000}}}),
            vec![],
        ),
        (
            "anthropic.claude-opus-4-6-v1",
            json!({"reasoning_effort": "high"}),
            json!({"additionalModelRequestFields": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}}),
            vec![],
        ),
        (
            NOVA,
            json!({"top_k": 5}),
            json!({"additionalModelRequestFields": {"inferenceConfig": {"topK": 5}}}),
            vec![],
        ),
        (
            NOVA,
            json!({"reasoning_effort": "high"}),
            json!({"additionalModelRequestFields": {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}}),
            vec![],
        ),
        (
            NOVA,
            json!({"reasoning_effort": "high", "temperature": 0.5}),
            json!({"inferenceConfig": {"temperature": 0.5},
            "additionalModelRequestFields": {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}}}),
            vec![],
        ),
        (
            "openai.gpt-oss-120b-1:0",
            json!({"reasoning_effort": "medium"}),
            json!({"additionalModelRequestFields": {"reasoning_effort": "medium"}}),
            vec![],
        ),
        (
            LLAMA,
            json!({"reasoning_effort": "medium", "top_k": 3, "seed": 1, "user": "u"}),
            json!({}),
            vec!["reasoning", "seed", "top_k", "user"],
        ),
        (
            LLAMA,
            json!({"service_tier": "priority"}),
            json!({"serviceTier": {"type": "priority"}}),
            vec![],
        ),
        (LLAMA, json!({"service_tier": "auto"}), json!({}), vec![]),
    ]
}

#[test]
fn settings_by_maker() {
    for (model, members, expected, named) in settings() {
        let (mut sent, dropped) = written(model, &asking(&members)).unwrap();
        sent.as_object_mut().unwrap().remove("messages");
        assert_eq!(sent, expected, "{model} {members}");
        assert_eq!(dropped, named, "{model} {members}");
    }
}

#[test]
fn labels_within_the_alphabet_are_sent() {
    let read = |text: &str| {
        let mut dropped = Dropped::new();
        let raw = serde_json::value::RawValue::from_string(text.to_owned()).unwrap();
        let labels = settings::metadata(Some(&raw), &mut dropped);
        (labels.into_iter().collect::<Vec<_>>(), !dropped.is_empty())
    };
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        read(r#"{"a":"x y","b":"k:v/1"}"#),
        (vec![pair("a", "x y"), pair("b", "k:v/1")], false)
    );
    for text in [r#"{"a":"x","b":1}"#, r#"{"a":"x","":"y"}"#, "{\"a\":\"x\",\"b\":\"\u{1f600}\"}"] {
        assert_eq!(read(text), (vec![pair("a", "x")], true), "{text}");
    }
    let many = (0..20).map(|n| format!("\"k{n}\":\"v\"")).collect::<Vec<_>>().join(",");
    assert_eq!(read(&format!("{{{many}}}")).0.len(), 16);
}

#[test]
fn what_changes_the_answer_is_refused() {
    for (members, param) in [
        (json!({"n": 2}), "n"),
        (
            json!({"modalities": ["text", "audio"], "audio": {"voice": "v", "format": "mp3"}}),
            "modalities",
        ),
        (json!({"web_search_options": {}}), "web_search_options"),
        (json!({"tool_choice": "required"}), "tool_choice"),
    ] {
        let refused = written(CLAUDE, &asking(&members)).map(|(body, _)| body);
        assert_eq!(refused.unwrap_err().param.as_deref(), Some(param), "{members}");
    }
    let empty = json!({"model": "m", "messages": [{"role": "user", "content": ""}]});
    assert_eq!(written(CLAUDE, &empty).unwrap_err().param.as_deref(), Some("messages"));
}

#[test]
fn tools_and_the_choice_among_them() {
    let tool = |name: &str, schema: Value| json!({"type": "function", "function": {"name": name, "description": "d", "parameters": schema}});
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false, "title": "t"});
    let tools = json!([tool("f", schema.clone()), tool("g.h", json!({"type": "string"}))]);
    let config = |model: &str, members: Value| {
        let mut all = json!({"tools": tools});
        for (key, value) in members.as_object().unwrap() {
            all[key] = value.clone();
        }
        let (sent, dropped) = written(model, &asking(&all)).unwrap();
        (sent["toolConfig"].clone(), dropped)
    };
    let (sent, _) = config(CLAUDE, json!({}));
    assert_eq!(
        sent["tools"][0],
        json!({"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": schema}}})
    );
    let wrapped = json!({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]});
    assert_eq!(sent["tools"][1]["toolSpec"]["inputSchema"]["json"], wrapped);
    assert_eq!(sent.get("toolChoice"), None);
    let (sent, _) = config(NOVA, json!({}));
    let pruned = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    assert_eq!(sent["tools"][0]["toolSpec"]["inputSchema"]["json"], pruned);
    let named = json!({"type": "function", "function": {"name": "f"}});
    for (choice, expected) in [
        (json!("auto"), Value::Null),
        (json!("required"), json!({"any": {}})),
        (named.clone(), json!({"tool": {"name": "f"}})),
    ] {
        assert_eq!(config(CLAUDE, json!({"tool_choice": choice})).0["toolChoice"], expected);
    }
    assert_eq!(config(CLAUDE, json!({"tool_choice": "none"})), (Value::Null, vec![]));
    let (sent, dropped) = config(CLAUDE, json!({"tool_choice": named, "reasoning_effort": "low"}));
    assert_eq!(
        (&sent["toolChoice"], dropped),
        (&json!({"auto": {}}), vec!["tool_choice".to_owned()])
    );
}

#[test]
fn shapes_of_the_answer() {
    let schema = json!({"type": "object", "properties": {}});
    let format = json!({"response_format": {"type": "json_schema", "json_schema": {"name": "my shape", "schema": schema}}});
    let claude = body(CLAUDE, &asking(&format));
    let told = &claude["outputConfig"]["textFormat"];
    assert_eq!(told["type"], "json_schema");
    let text = told["structure"]["jsonSchema"]["schema"].as_str().unwrap();
    let closed: Value = serde_json::from_str(text).unwrap();
    assert_eq!(closed["additionalProperties"], false);
    let llama = body(LLAMA, &asking(&format));
    assert_eq!(llama.get("outputConfig"), None);
    assert!(llama["system"][0]["text"].as_str().unwrap().ends_with(&schema.to_string()));
    let any = body(CLAUDE, &asking(&json!({"response_format": {"type": "json_object"}})));
    assert_eq!(any["system"], json!([{"text": JSON_ONLY}]));
}

#[test]
fn only_claude_gets_its_reasoning_back() {
    let details = json!([
        {"type": "reasoning.text", "text": "hm", "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.text", "signature": "s", "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.encrypted", "data": "cmVk", "format": "anthropic-claude-v1", "index": 1},
        {"type": "reasoning.encrypted", "data": "x", "format": "openai-responses-v1", "index": 2},
    ]);
    let chat = json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b", "reasoning_details": details},
        {"role": "user", "content": "c"},
    ]);
    assert_eq!(
        messages(CLAUDE, &chat)[1]["content"],
        json!([
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
            {"reasoningContent": {"redactedContent": "cmVk"}},
            {"text": "b"},
        ])
    );
    assert_eq!(messages(NOVA, &chat)[1]["content"], json!([{"text": "b"}]));
}
