//! Requests as clients write them, field by field, and all recorded ones.

use super::*;
use crate::chat::message::{Media, Message, Part, Reasoning};
use crate::chat::request::Effort;
use crate::chat::tool::ToolChoice;
use crate::formats::gemini::recordings;
use crate::formats::gemini::signature::Signature;
use crate::formats::{Target, gemini};
use serde_json::{Value, json};

mod corpus;

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
            "image gs://b/a low",
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
        (json!([{"text": "a", "thought": true}]), format!("<Text a None {own} None>")),
    ] {
        assert_eq!(conversation(&said(&parts)), format!("Assistant: {expected}"));
    }
    // Signatures of the person mean nothing.
    let body =
        json!({"contents": [{"parts": [{"text": "a", "thought": true, "thoughtSignature": "g"}]}]});
    assert_eq!(conversation(&body), "User: a");
}

#[test]
fn every_setting_is_read_in_both_spellings() {
    let camel = json!({"contents": "x", "generationConfig": {
        "temperature": 0.5, "topP": 0.9, "topK": 40.0, "maxOutputTokens": "100", "candidateCount": 2,
        "seed": -7, "presencePenalty": 0.25, "frequencyPenalty": -0.25, "responseLogprobs": true,
        "logprobs": 3, "stopSequences": ["a", "b"], "responseModalities": ["TEXT", "IMAGE"],
        "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
        "thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": true},
    }});
    let snake = json!({"contents": "x", "generation_config": {
        "temperature": 0.5, "top_p": 0.9, "top_k": 40, "max_output_tokens": 100, "candidate_count": 2,
        "seed": -7, "presence_penalty": 0.25, "frequency_penalty": -0.25, "response_logprobs": true,
        "logprobs": 3, "stop_sequences": ["a", "b"], "response_modalities": ["TEXT", "IMAGE"],
        "speech_config": {"voice_config": {"prebuilt_voice_config": {"voice_name": "Kore"}}},
        "thinking_config": {"thinking_budget": 1024, "include_thoughts": true},
    }});
    for body in [camel, snake] {
        let text = body.to_string();
        let request = decode(text.as_bytes()).unwrap();
        assert!(request.unmapped.is_empty(), "{:?}", request.unmapped);
        let expected = crate::chat::request::Sampling {
            temperature: Some(0.5),
            top_p: Some(0.9),
            top_k: Some(40),
            frequency_penalty: Some(-0.25),
            presence_penalty: Some(0.25),
            seed: Some(-7),
            n: Some(2),
            logprobs: Some(true),
            top_logprobs: Some(3),
        };
        assert_eq!(request.sampling, expected);
        assert_eq!((request.max_tokens, request.stop.join(",")), (Some(100), "a,b".to_owned()));
        assert_eq!(request.modalities, ["text", "image"]);
        assert_eq!(request.audio.unwrap().get(), r#"{"voice":"Kore","format":"pcm16"}"#);
        assert_eq!(request.reasoning.max_tokens, Some(1024));
        assert!(!request.reasoning.exclude);
    }
}

#[test]
fn thinking_in_both_measures() {
    for (thinking, enabled, effort, tokens) in [
        (json!({"thinkingBudget": 0}), Some(false), Some(Effort::None), None),
        (json!({"thinkingBudget": -1}), Some(true), Some(Effort::Medium), None),
        (json!({"thinkingBudget": 2047}), None, Some(Effort::Low), Some(2047)),
        (json!({"thinkingBudget": 2048}), None, Some(Effort::Medium), Some(2048)),
        (json!({"thinkingBudget": 16384}), None, Some(Effort::High), Some(16_384)),
        (json!({"thinkingLevel": "MINIMAL"}), None, Some(Effort::Minimal), None),
        (json!({"thinking_level": "high"}), None, Some(Effort::High), None),
        (json!({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}), None, None, None),
        (json!({"includeThoughts": false}), None, None, None),
    ] {
        let body = json!({"contents": "x", "generationConfig": {"thinkingConfig": thinking}});
        let read = meaning(&body, |request| request.reasoning);
        assert_eq!((read.enabled, read.effort, read.max_tokens), (enabled, effort, tokens));
        assert!(read.exclude, "{thinking}");
    }
}

#[test]
fn shapes_of_the_answer() {
    use crate::chat::request::ResponseFormat;
    for (config, expected) in [
        (json!({}), "text"),
        (json!({"responseMimeType": "text/plain"}), "text"),
        (json!({"responseMimeType": "application/json"}), "json"),
        (
            json!({"responseMimeType": "application/json", "responseSchema": {"type": "STRING"}}),
            r#"{"type":"string"}"#,
        ),
        (
            json!({"response_mime_type": "text/x.enum", "response_schema": {"type": "STRING", "enum": ["a"]}}),
            r#"{"enum":["a"],"type":"string"}"#,
        ),
        (
            json!({"responseJsonSchema": {"type": "object"}, "responseSchema": {"type": "STRING"}}),
            r#"{"type":"object"}"#,
        ),
        (json!({"_responseJsonSchema": {"a": 1}}), r#"{"a":1}"#),
    ] {
        let body = json!({"contents": "x", "generationConfig": config});
        let read = meaning(&body, |request| match &request.response_format {
            ResponseFormat::Text => "text".to_owned(),
            ResponseFormat::JsonObject => "json".to_owned(),
            ResponseFormat::JsonSchema { schema, .. } => schema.get().to_owned(),
        });
        assert_eq!(read, expected, "{config}");
    }
}

#[test]
fn tools_and_their_choice() {
    let body = json!({"contents": "x", "tools": [
        {"functionDeclarations": [
            {"name": "f", "description": "d", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}},
            {"name": "g", "parameters_json_schema": {"type": "object", "properties": {"b": {}}}},
            {"name": "h", "parameters": {"type": "OBJECT", "properties": {}}, "behavior": "BLOCKING"}]},
        {"google_search": {}}]});
    let read = meaning(&body, |request| {
        let tools = request.tools.iter();
        let schemas: Vec<_> =
            tools.map(|tool| tool.parameters.as_ref().map(|raw| raw.get().to_owned())).collect();
        (schemas, request.web_search.as_ref().unwrap().get().to_owned(), request.unmapped.join(","))
    });
    assert_eq!(
        read.0[0].as_deref(),
        Some(r#"{"properties":{"a":{"type":"string"}},"type":"object"}"#)
    );
    assert_eq!(read.0[1].as_deref(), Some(r#"{"properties":{"b":{}},"type":"object"}"#));
    assert_eq!((read.0[2].as_deref(), read.1.as_str()), (None, "{}"));
    assert_eq!(read.2, "tools.functionDeclarations.behavior");
    let names = |required, names: &[&'static str]| {
        let names = names.iter().map(|name| Cow::Borrowed(*name)).collect();
        Some(ToolChoice::Allowed { names, required })
    };
    for (config, expected) in [
        (json!({}), None),
        (json!({"mode": "MODE_UNSPECIFIED"}), None),
        (json!({"mode": "AUTO"}), Some(ToolChoice::Auto)),
        (json!({"mode": "VALIDATED"}), Some(ToolChoice::Auto)),
        (json!({"mode": "NONE"}), Some(ToolChoice::None)),
        (json!({"mode": "any"}), Some(ToolChoice::Required)),
        (
            json!({"mode": "ANY", "allowedFunctionNames": ["f"]}),
            Some(ToolChoice::Named("f".into())),
        ),
        (json!({"mode": "ANY", "allowed_function_names": ["f", "g"]}), names(true, &["f", "g"])),
        (json!({"mode": "VALIDATED", "allowedFunctionNames": ["f"]}), names(false, &["f"])),
    ] {
        let body = json!({"contents": "x", "toolConfig": {"functionCallingConfig": config}});
        let text = body.to_string();
        assert_eq!(decode(text.as_bytes()).unwrap().tool_choice, expected, "{config}");
    }
}

#[test]
fn the_rest_is_kept_or_named() {
    let body = json!({"contents": [{"parts": [{"text": "x", "videoMetadata": {"fps": 1}}]}], "model": "m",
        "labels": {"team": "a"}, "serviceTier": "standard", "safetySettings": [{"category": "c"}],
        "modelArmorConfig": {}, "toolConfig": {"retrievalConfig": {}}, "store": true,
        "generationConfig": {"imageConfig": {}, "audioTimestamp": true}});
    let read = meaning(&body, |request| {
        let labels = request.metadata.as_ref().map(|raw| raw.get().to_owned());
        (labels, request.service_tier.as_deref().map(str::to_owned), request.unmapped.join(" "))
    });
    assert_eq!(read.0.as_deref(), Some(r#"{"team":"a"}"#));
    assert_eq!(read.1.as_deref(), Some("default"));
    assert_eq!(
        read.2,
        "safetySettings generationConfig.audioTimestamp generationConfig.imageConfig \
         toolConfig.retrievalConfig contents.parts.videoMetadata modelArmorConfig store"
    );
    for (tier, expected) in [
        ("flex", Some("flex")),
        ("SERVICE_TIER_PRIORITY", Some("priority")),
        ("unspecified", None),
        ("x", None),
    ] {
        let body = json!({"contents": "x", "service_tier": tier});
        let read = meaning(&body, |request| request.service_tier.as_deref().map(str::to_owned));
        assert_eq!(read.as_deref(), expected);
    }
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
