//! Settings, tools, and what has no place in neutral terms.

use super::*;
use crate::chat::request::Effort;
use crate::chat::tool::ToolChoice;

#[test]
fn thoughts_are_shown_to_those_who_ask() {
    for (config, exclude) in [
        (json!({"contents": "x"}), true),
        (json!({"contents": "x", "generationConfig": {}}), true),
        (json!({"contents": "x", "generationConfig": {"thinkingConfig": {}}}), true),
        (
            json!({"contents": "x", "generationConfig": {"thinkingConfig": {"include_thoughts": true}}}),
            false,
        ),
    ] {
        assert_eq!(meaning(&config, |request| request.reasoning.exclude), exclude, "{config}");
    }
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
