//! Requests as clients write them, field by field, and all recorded ones.

use super::*;
use crate::chat::message::{Media, Message, Part, Reasoning};
use crate::formats::gemini::recordings;
use crate::formats::gemini::signature::Signature;
use crate::formats::{Target, gemini};
use serde_json::{Value, json};

mod corpus;
mod settings;

fn error(body: &Value) -> FormatError {
    decode(body.to_string().as_bytes()).unwrap_err()
}

/// What a body means, as debug text of the part that `of` picks.
fn meaning<T: std::fmt::Debug>(body: &Value, of: impl Fn(&Request<'_>) -> T) -> T {
    of(&decode(body.to_string().as_bytes()).unwrap())
}

fn said(parts: &Value) -> Value {
    json!({"contents": [{"role": "model", "parts": parts}]})
}

/// The messages in short: role and parts.
fn short(messages: &[Message<'_>]) -> String {
    let lines = messages.iter().map(|message| {
        let parts: Vec<String> = message.parts.iter().map(short_part).collect();
        format!("{:?}: {}", message.role, parts.join(" | "))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn short_part(part: &Part<'_>) -> String {
    let media = |source: &Media<'_>| match source {
        Media::Base64 { mime, data } => format!("{mime},{data}"),
        Media::Url(url) => url.to_string(),
        Media::FileId(id) => format!("id {id}"),
    };
    match part {
        Part::Text { text, .. } => text.to_string(),
        Part::Image { source, detail, .. } => {
            format!("image {} {}", media(source), detail.as_deref().unwrap_or("-"))
        }
        Part::File { source, filename, .. } => {
            format!("file {} {}", media(source), filename.as_deref().unwrap_or("-"))
        }
        Part::Video { source } => format!("video {}", media(source)),
        Part::Audio { data, format } => format!("audio {format},{data}"),
        Part::Reasoning(Reasoning { kind, text, signature, format, id }) => {
            let format = format.as_deref().unwrap_or("-");
            format!("<{kind:?} {text} {signature:?} {format} {id:?}>")
        }
        Part::ToolCall(call) => {
            format!("{}({}) {:?}", call.name, call.arguments, call.signature)
        }
        Part::ToolResult { name, parts, is_error, .. } => {
            let parts: Vec<String> = parts.iter().map(short_part).collect();
            let mark = if *is_error { "!" } else { "" };
            format!("{}{mark} -> {}", name.as_deref().unwrap_or("?"), parts.join(" + "))
        }
        other => format!("{other:?}"),
    }
}

fn conversation(body: &Value) -> String {
    meaning(body, |request| short(&request.messages))
}

#[test]
fn contents_in_every_form() {
    for (contents, expected) in [
        (json!("hi"), "User: hi"),
        (json!({"parts": {"text": "hi"}}), "User: hi"),
        (json!(["a", {"role": "USER", "parts": ["b", {"text": ""}, {}]}]), "User: a | b"),
        (
            json!([{"role": "user", "parts": [{"text": "a", "thought": false}]},
                {"role": "MODEL", "parts": [{"text": "b"}]}, {"role": "model", "parts": [{"text": "c"}]},
                {"role": "model", "parts": []}, {"parts": null}, null]),
            "User: a\nAssistant: b | c",
        ),
        // Google answers a person who says nothing.
        (json!([{"parts": [{"text": ""}]}]), "User: "),
    ] {
        assert_eq!(conversation(&json!({"contents": contents})), expected, "{contents}");
    }
    for system in [
        json!("be brief"),
        json!({"role": "user", "parts": [{"text": "be brief"}, {"text": ""}]}),
        json!({"text": "be brief"}),
        json!(["be brief"]),
    ] {
        for name in ["systemInstruction", "system_instruction"] {
            let body = json!({"contents": "x", name: system});
            assert_eq!(conversation(&body), "System: be brief\nUser: x");
        }
    }
}

#[test]
fn nulls_are_absent() {
    let body = json!({
        "contents": [{"role": null, "parts": [{"text": "x", "thought": null, "thoughtSignature": null}]}],
        "systemInstruction": null, "tools": null, "toolConfig": null, "safetySettings": null,
        "generationConfig": null, "cachedContent": null, "labels": null, "serviceTier": null,
        "unknown": null,
    });
    let request = decode(body.to_string().as_bytes()).map(|request| request.unmapped.len());
    assert_eq!(request.unwrap(), 0);
    let tools = json!({"contents": "x", "tools": [{"codeExecution": null, "googleSearch": null,
        "functionDeclarations": [{"name": "f", "description": null, "parameters": null}]}]});
    assert_eq!(
        meaning(&tools, |request| (request.tools.len(), request.web_search.is_none())),
        (1, true)
    );
}

#[test]
fn calls_and_results_match_by_id_else_in_order() {
    let call = |id: Value, name: &str, n: u32| json!({"functionCall": {"id": id, "name": name, "args": {"n": n}}});
    let result = |id: Value, name: &str, text: &str| json!({"function_response": {"id": id, "name": name, "response": {"result": text}}});
    let body = json!({"contents": [
        {"role": "model", "parts": [call(Value::Null, "f", 1), call(json!("x"), "g", 2), call(json!(""), "f", 3)]},
        {"role": "user", "parts": [{"text": "so:"}]},
        {"role": "function", "parts": [result(Value::Null, "f", "one"), result(json!("x"), "g", "two"),
            result(Value::Null, "f", "three")]},
    ]});
    assert_eq!(
        conversation(&body),
        "Assistant: f({\"n\":1}) None | g({\"n\":2}) None | f({\"n\":3}) None\n\
         Tool: f -> one\nTool: g -> two\nTool: f -> three\nUser: so:"
    );
    let text = body.to_string();
    let request = decode(text.as_bytes()).unwrap();
    let ids = |call: bool| -> Vec<String> {
        let parts = request.messages.iter().flat_map(|message| &message.parts);
        let ids = parts.filter_map(|part| match part {
            Part::ToolCall(made) if call => Some(made.id.to_string()),
            Part::ToolResult { call_id, .. } if !call => Some(call_id.to_string()),
            _ => None,
        });
        ids.collect()
    };
    assert_eq!(ids(true), ids(false));
    assert_eq!(ids(true)[1], "x");
    assert_ne!(ids(true)[0], ids(true)[2]);
}

#[test]
fn results_say_what_they_are() {
    for (response, expected) in [
        (json!({"result": "sunny"}), "f -> sunny"),
        (json!({"output": "sunny"}), "f -> sunny"),
        (json!({"return_value": "a"}), "f -> a"),
        (json!({"content": ""}), "f -> "),
        (json!({"result": 5}), "f -> {\"result\":5}"),
        (json!({"a": 1}), "f -> {\"a\":1}"),
        (json!({"error": "boom"}), "f! -> boom"),
        (json!({"error": {"code": 1}}), "f! -> {\"error\":{\"code\":1}}"),
        (json!({"error": "boom", "at": 1}), "f! -> {\"at\":1,\"error\":\"boom\"}"),
        (json!({"error": null, "at": 1}), "f -> {\"at\":1,\"error\":null}"),
        (json!({"error": false}), "f -> {\"error\":false}"),
        (json!({}), "f -> {}"),
        (json!("plain"), "f -> plain"),
        (Value::Null, "f -> "),
    ] {
        let body = json!({"contents": [
            {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
            {"parts": [{"functionResponse": {"name": "f", "response": response,
                "parts": [{"inline_data": {"mime_type": "image/png", "data": "-_8"}}]}}]},
        ]});
        let expected = format!("Assistant: f({{}}) None\nTool: {expected}");
        let separator = if expected.ends_with("-> ") { "" } else { " + " };
        assert_eq!(conversation(&body), expected + separator + "image image/png,+/8= -");
    }
}

#[test]
fn arguments_keep_numbers_and_order() {
    let body = r#"{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f",
        "args":{ "z": 9007199254740993, "a": [1.50, "x y"] }}}]}]}"#;
    let arguments = match &decode(body.as_bytes()).unwrap().messages[0].parts[0] {
        Part::ToolCall(call) => call.arguments.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(arguments, r#"{"z":9007199254740993,"a":[1.50,"x y"]}"#);
}

#[test]
fn media_by_type_and_place() {
    let config = json!({"mediaResolution": "MEDIA_RESOLUTION_LOW"});
    for (part, expected) in [
        (
            json!({"inlineData": {"mimeType": "image/PNG", "data": "AA-_"}}),
            "image image/png,AA+/ low",
        ),
        (
            json!({"inline_data": {"mime_type": "image/png", "data": "AA=="},
                "media_resolution": {"level": "MEDIA_RESOLUTION_HIGH"}}),
            "image image/png,AA== high",
        ),
        (json!({"inlineData": {"mimeType": "audio/mpeg", "data": "AA=="}}), "audio mp3,AA=="),
        (json!({"inlineData": {"mimeType": "audio/x-wav", "data": "AA=="}}), "audio wav,AA=="),
        (json!({"inlineData": {"mimeType": "video/mp4", "data": "AA=="}}), "video video/mp4,AA=="),
        (
            json!({"inlineData": {"mimeType": "application/pdf", "data": "AA==", "displayName": "a.pdf"}}),
            "file application/pdf,AA== a.pdf",
        ),
        (json!({"inlineData": {"data": "iVBORw0KGgo="}}), "image image/png,iVBORw0KGgo= low"),
        (
            json!({"fileData": {"fileUri": "gs://b/a", "mimeType": "image/webp"}}),
            "image id gs://b/a low",
        ),
        (
            json!({"file_data": {"file_uri": "https://x.org/a.PDF?b"}}),
            "file https://x.org/a.PDF?b -",
        ),
        (json!({"fileData": {"fileUri": "https://youtu.be/x"}}), "video https://youtu.be/x"),
        (
            json!({"executableCode": {"language": "PYTHON", "code": "print(1)\n"}}),
            "\n```python\nprint(1)\n```\n",
        ),
        (
            json!({"code_execution_result": {"outcome": "OUTCOME_OK", "output": "1"}}),
            "\n```\n1\n```\n",
        ),
    ] {
        let body = json!({"contents": [{"parts": [part]}], "generationConfig": config});
        assert_eq!(conversation(&body), format!("User: {expected}"), "{part}");
    }
}

#[test]
fn signatures_go_where_they_belong() {
    let foreign = |format: &str, encrypted: bool, id: Option<&str>| {
        let signature = Signature {
            data: "S".into(),
            format: format.to_owned().into(),
            id: id.map(|id| id.to_owned().into()),
            encrypted,
        };
        signature.written().into_owned()
    };
    let claude = foreign("anthropic-claude-v1", false, None);
    let redacted = foreign("anthropic-claude-v1", true, None);
    let openai = foreign("openai-responses-v1", false, Some("rs_1"));
    let own = "google-gemini-v1";
    for (parts, expected) in [
        (
            json!([{"text": "a", "thought": true}, {"text": "b", "thought": true, "thoughtSignature": "g"}]),
            format!("<Text ab Some(\"g\") {own} None>"),
        ),
        (
            json!([{"text": "x", "thought_signature": "g"}, {"functionCall": {"name": "f"}, "thoughtSignature": "h"}]),
            format!("x | <Encrypted  Some(\"g\") {own} None> | f({{}}) Some(\"h\")"),
        ),
        (
            json!([{"text": "a", "thought": true}, {"text": "b", "thought": true},
                {"functionCall": {"name": "f"}, "thoughtSignature": claude}]),
            "<Text ab Some(\"S\") anthropic-claude-v1 None> | f({}) None".to_owned(),
        ),
        (
            json!([{"text": "", "thought": true, "thoughtSignature": redacted}, {"text": "x", "thoughtSignature": claude}]),
            "<Encrypted  Some(\"S\") anthropic-claude-v1 None> | <Text  Some(\"S\") anthropic-claude-v1 None> | x".to_owned(),
        ),
        (
            json!([{"text": "a", "thought": true, "thoughtSignature": openai}]),
            "<Summary a Some(\"S\") openai-responses-v1 Some(\"rs_1\")>".to_owned(),
        ),
        (json!([{"text": "a", "thought": true}]), "<Text a None - None>".to_owned()),
    ] {
        assert_eq!(conversation(&said(&parts)), format!("Assistant: {expected}"));
    }
    // Signatures of the person mean nothing.
    let body =
        json!({"contents": [{"parts": [{"text": "a", "thought": true, "thoughtSignature": "g"}]}]});
    assert_eq!(conversation(&body), "User: a");
}

#[test]
fn complaints_name_googles_fields() {
    let part = |part: Value| json!({"contents": [{"parts": [part]}]});
    let config = |config: Value| json!({"contents": "x", "generationConfig": config});
    for (body, param) in [
        (json!({}), "contents"),
        (json!({"contents": [5]}), "contents[0]"),
        (json!({"contents": [{"role": "system", "parts": []}]}), "contents[0].role"),
        (part(json!({"text": 5})), "contents[0].parts[0].text"),
        (
            part(json!({"inline_data": {"mime_type": "image/png"}})),
            "contents[0].parts[0].inlineData.data",
        ),
        (part(json!({"inlineData": {"data": "AAAA"}})), "contents[0].parts[0].inlineData.mimeType"),
        (part(json!({"fileData": {}})), "contents[0].parts[0].fileData.fileUri"),
        (part(json!({"hologram": {}})), "contents[0].parts[0]"),
        (part(json!({"functionCall": {"name": "f"}})), "contents[0].parts[0].functionCall"),
        (part(json!({"functionResponse": {"name": "f"}})), "contents[0].parts[0].functionResponse"),
        (said(&json!([{"function_call": {}}])), "contents[0].parts[0].functionCall.name"),
        (
            said(&json!([{"functionCall": {"name": "f", "args": []}}])),
            "contents[0].parts[0].functionCall.args",
        ),
        (json!({"contents": "x", "cached_content": "c"}), "cachedContent"),
        (json!({"contents": "x", "tools": [{}, {"code_execution": {}}]}), "tools[1]"),
        (json!({"contents": "x", "tools": [{"urlContext": {}}]}), "tools[0]"),
        (
            json!({"contents": "x", "tools": [{"functionDeclarations": [{}]}]}),
            "tools[0].functionDeclarations[0].name",
        ),
        (
            json!({"contents": "x", "tools": [{"functionDeclarations": [{"name": "f", "parameters": 5}]}]}),
            "tools[0].functionDeclarations[0].parameters",
        ),
        (
            json!({"contents": "x", "toolConfig": {"functionCallingConfig": {"mode": "SOME"}}}),
            "toolConfig.functionCallingConfig.mode",
        ),
        (json!({"contents": "x", "labels": "a"}), "labels"),
        (
            json!({"contents": "x", "systemInstruction": {"parts": [{"inlineData": {}}]}}),
            "systemInstruction.parts[0]",
        ),
        (config(json!({"temperature": 3})), "generationConfig.temperature"),
        (config(json!({"topK": 1.5})), "generationConfig.topK"),
        (config(json!({"max_output_tokens": 0})), "generationConfig.maxOutputTokens"),
        (config(json!({"stopSequences": [1]})), "generationConfig.stopSequences[0]"),
        (
            config(json!({"responseMimeType": "application/xml"})),
            "generationConfig.responseMimeType",
        ),
        (config(json!({"responseSchema": []})), "generationConfig.responseSchema"),
        (
            config(json!({"thinkingConfig": {"thinkingLevel": "HUGE"}})),
            "generationConfig.thinkingConfig.thinkingLevel",
        ),
    ] {
        assert_eq!(error(&body).param.as_deref(), Some(param), "{body}");
    }
    assert!(decode(b"{").unwrap_err().param.is_none());
    assert!(decode(b"[]").unwrap_err().param.is_none());
}
