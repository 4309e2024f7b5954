//! What other formats say and Gemini says otherwise, or not at all.

use super::*;
use crate::chat::event::AudioPiece;
use crate::chat::tool::{CacheControl, CustomTool};

#[test]
fn free_form_tools_take_an_object_with_the_text() {
    let custom = |format: Option<&'static str>| Tool {
        custom: Some(CustomTool { format: format.map(raw) }),
        ..tool("run", None)
    };
    let made = ToolCall {
        id: "1".into(),
        name: "run".into(),
        arguments: "say \"hi\"".into(),
        custom: true,
        signature: None,
    };
    let request = Request {
        tools: vec![custom(None), tool("g", None)],
        ..chat(vec![
            message(Role::User, vec![text("q")]),
            message(Role::Assistant, vec![Part::ToolCall(made)]),
            result("1", vec![text("hi")]),
        ])
    };
    let (body, dropped) = written(&request, "gemini-2.5-flash");
    let declared = &body["tools"][0]["functionDeclarations"];
    let schema: Value = serde_json::from_str(crate::formats::tool_names::INPUT_SCHEMA).unwrap();
    assert_eq!(declared[0], json!({"name": "run", "parametersJsonSchema": schema}));
    assert_eq!(declared[1], json!({"name": "g"}));
    let call = &body["contents"][1]["parts"][0]["functionCall"];
    assert_eq!(call["args"], json!({"input": "say \"hi\""}));
    assert!(dropped.is_empty());
    let grammar = Request { tools: vec![custom(Some(r#"{"type":"grammar"}"#))], ..hello() };
    assert_eq!(written(&grammar, "gemini-2.5-flash").1, ["tools.custom.format"]);
}

#[test]
fn spoken_answers_come_back_as_their_words() {
    let spoken = |transcript: Option<&'static str>| {
        let piece = AudioPiece {
            id: Some("audio_1".into()),
            transcript: transcript.map(Into::into),
            ..AudioPiece::default()
        };
        let turns = vec![
            message(Role::User, vec![text("q")]),
            message(Role::Assistant, vec![Part::SpokenAnswer(piece)]),
            message(Role::User, vec![text("and?")]),
        ];
        written(&chat(turns), "gemini-2.5-flash")
    };
    let (body, dropped) = spoken(Some("hello"));
    assert_eq!(body["contents"][1]["parts"], json!([{"text": "hello"}]));
    assert!(dropped.is_empty());
    let (body, dropped) = spoken(None);
    assert_eq!(body["contents"].as_array().unwrap().len(), 1);
    assert_eq!(dropped, ["messages.audio"]);
}

#[test]
fn voices_and_resolutions() {
    for (audio, voice, dropped) in [
        (r#"{"voice":"Kore","format":"pcm16"}"#, json!("Kore"), vec![]),
        (r#"{"voice":{"id":"Puck"},"format":"mp3"}"#, json!("Puck"), vec!["audio.format"]),
        (r#"{"format":"pcm16"}"#, Value::Null, vec![]),
        (r#"{"voice":5}"#, Value::Null, vec!["audio"]),
    ] {
        let request =
            Request { modalities: vec!["audio".into()], audio: Some(raw(audio)), ..hello() };
        let (body, named) = written(&request, "gemini-2.5-flash-preview-tts");
        let config = &body["generationConfig"];
        assert_eq!(
            config["speechConfig"]["voiceConfig"]["prebuiltVoiceConfig"]["voiceName"],
            voice
        );
        assert_eq!(config["responseModalities"], json!(["AUDIO"]));
        assert_eq!(named, dropped);
    }
    for (details, resolution, dropped) in [
        (vec![Some("low"), Some("low")], json!("MEDIA_RESOLUTION_LOW"), vec![]),
        (vec![Some("high")], json!("MEDIA_RESOLUTION_HIGH"), vec![]),
        (vec![None, Some("auto")], Value::Null, vec![]),
        (vec![Some("low"), None], Value::Null, vec!["image_url.detail"]),
        (vec![Some("original")], Value::Null, vec!["image_url.detail"]),
    ] {
        let image = |detail: Option<&'static str>| Part::Image {
            source: Media::Url("https://e.org/a.png".into()),
            detail: detail.map(Into::into),
            cache: None,
        };
        let parts = details.iter().copied().map(image).collect();
        let (body, named) = written(&chat(vec![message(Role::User, parts)]), "gemini-2.5-flash");
        assert_eq!(body["generationConfig"]["mediaResolution"], resolution, "{details:?}");
        assert_eq!(named, dropped, "{details:?}");
    }
}

#[test]
fn what_is_left_out_has_a_name() {
    let cache = Some(CacheControl::OneHour);
    let marked_result = Part::ToolResult {
        call_id: "1".into(),
        name: None,
        parts: vec![text("x")],
        is_error: false,
        cache,
    };
    let named = |request: Request<'_>| written(&request, "gemini-2.5-flash").1;
    let marked = |part: Part<'static>| named(chat(vec![message(Role::User, vec![part])]));
    let file = Part::File {
        source: Media::Base64 { mime: "text/plain".into(), data: "aGk=".into() },
        filename: Some("a.txt".into()),
        citations: Some(true),
        cache: None,
    };
    for (dropped, expected) in [
        (named(Request { metadata: Some(raw("{}")), ..hello() }), vec!["metadata"]),
        (named(Request { verbosity: Some("low".into()), ..hello() }), vec!["verbosity"]),
        (
            named(Request { prompt_cache_key: Some("k".into()), ..hello() }),
            vec!["prompt_cache_key"],
        ),
        (named(Request { cache, ..hello() }), vec!["cache_control"]),
        (named(Request { service_tier: Some("scale".into()), ..hello() }), vec!["service_tier"]),
        (
            named(Request { tools: vec![Tool { cache, ..tool("f", None) }], ..hello() }),
            vec!["cache_control"],
        ),
        (marked(Part::Text { text: "x".into(), cache }), vec!["cache_control"]),
        (marked(file.clone()), vec!["file.filename", "citations"]),
        (
            named(chat(vec![
                message(Role::Assistant, vec![call("1", "f", "{}")]),
                message(Role::Tool, vec![marked_result]),
            ])),
            vec!["cache_control"],
        ),
        (
            named(Request {
                response_format: ResponseFormat::JsonSchema {
                    name: "n".into(),
                    description: Some("d".into()),
                    schema: raw("{}"),
                    strict: None,
                },
                ..hello()
            }),
            vec!["response_format.json_schema.description"],
        ),
        (
            named(Request { web_search: Some(raw(r#"{"search_context_size":"low"}"#)), ..hello() }),
            vec!["web_search_options.search_context_size"],
        ),
    ] {
        assert_eq!(dropped, expected);
    }
    let body = body(&chat(vec![message(Role::User, vec![file])]));
    let inline = json!({"inlineData": {"mimeType": "text/plain", "data": "aGk="}});
    assert_eq!(body["contents"][0]["parts"][0], inline);
}
