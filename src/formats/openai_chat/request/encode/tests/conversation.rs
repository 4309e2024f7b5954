//! Tests of messages: order, parts, media, reasoning, ids.

use super::*;
use crate::chat::event::AudioPiece;
use crate::chat::message::{Media, Reasoning, ReasoningKind};

fn cached(text: &str) -> Part<'_> {
    Part::Text { text: text.into(), cache: Some(CacheControl::OneHour) }
}

fn image() -> Part<'static> {
    let source = Media::Base64 { mime: "image/png".into(), data: "iVBO".into() };
    Part::Image { source, detail: Some("low".into()), cache: None }
}

fn file(source: Media<'static>) -> Part<'static> {
    Part::File { source, filename: Some("a".into()), citations: None, cache: None }
}

fn base64(mime: &'static str, data: &'static str) -> Media<'static> {
    Media::Base64 { mime: mime.into(), data: data.into() }
}

fn call(id: &'static str) -> Part<'static> {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "f".into(),
        arguments: "{\"a\":1.0}".into(),
        custom: false,
        signature: Some("G".into()),
    })
}

fn result<'a>(id: &'a str, parts: Vec<Part<'a>>) -> Part<'a> {
    Part::ToolResult { call_id: id.into(), name: None, parts, is_error: false, cache: None }
}

/// A history as Anthropic's clients send it: blocks of one turn mixed, results before text.
#[test]
fn results_become_messages_of_their_own_and_their_media_follow_them() {
    let turn = vec![
        result("c1", vec![text("one"), image()]),
        Part::ToolResult {
            call_id: "c2".into(),
            name: Some("g".into()),
            parts: vec![],
            is_error: true,
            cache: None,
        },
        text("go on"),
    ];
    let history = vec![
        message(Role::Assistant, vec![text("a"), text("b"), call("c1"), call("c2")]),
        message(Role::User, turn),
        message(Role::Assistant, vec![call("c3")]),
        message(Role::Tool, vec![result("c3", vec![image()])]),
    ];
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{\"a\":1.0}"}});
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO", "detail": "low"}});
    assert_eq!(
        messages(history, &OPENAI),
        json!([
            {"role": "assistant", "content": "ab", "tool_calls": [call("c1"), call("c2")]},
            {"role": "tool", "tool_call_id": "c1", "content": [
                {"type": "text", "text": "one"}, {"type": "text", "text": "[image 1 attached below]"}]},
            {"role": "tool", "name": "g", "tool_call_id": "c2", "content": "error"},
            {"role": "user", "content": [image]},
            {"role": "user", "content": "go on"},
            {"role": "assistant", "content": null, "tool_calls": [call("c3")]},
            {"role": "tool", "tool_call_id": "c3", "content": "[image 1 attached below]"},
            {"role": "user", "content": [image]},
        ])
    );
}

#[test]
fn instructions_are_one_text_unless_a_breakpoint_is_kept() {
    let given = || {
        vec![
            message(Role::System, vec![text("a"), cached("b")]),
            message(Role::Developer, vec![text("d")]),
            message(Role::User, vec![text("x"), text("y")]),
        ]
    };
    let both = |second: Value| json!([{"type": "text", "text": "x"}, second]);
    let expected = json!([
        {"role": "system", "content": "a\n\nb"},
        {"role": "developer", "content": "d"},
        {"role": "user", "content": both(json!({"type": "text", "text": "y"}))},
    ]);
    assert_eq!(messages(given(), &OPENAI), expected);
    assert_eq!(written(&conversation(given()), &OPENAI).1, "cache_control");

    let keeps = dialect("cache_control = true\ndeveloper_role = false");
    let mark = json!({"type": "ephemeral", "ttl": "1h"});
    let request = Request { cache: Some(CacheControl::Default), ..conversation(given()) };
    let (body, lost) = written(&request, &keeps);
    let marked = json!({"type": "text", "text": "y", "cache_control": {"type": "ephemeral"}});
    assert_eq!(
        body["messages"],
        json!([
            {"role": "system", "content": [
                {"type": "text", "text": "a"},
                {"type": "text", "text": "b", "cache_control": mark}]},
            {"role": "system", "content": "d"},
            {"role": "user", "content": both(marked)},
        ])
    );
    assert_eq!(lost, "");
    let strings = dialect("content = 'text'");
    assert_eq!(messages(given(), &strings)[2]["content"], "x\n\ny");
}

#[test]
fn media_go_where_the_provider_reads_them_or_are_refused() {
    let pdf = || base64("application/pdf", "JVBE");
    let url = || Media::Url("https://x/a.pdf".into());
    let part = |part: Part<'static>, facts: &str| {
        messages(vec![message(Role::User, vec![part, text("?")])], &dialect(facts))[0]["content"][0]
            .clone()
    };
    let inline = json!({"type": "file", "file": {"filename": "a", "file_data": "data:application/pdf;base64,JVBE"}});
    assert_eq!(part(file(pdf()), ""), inline);
    assert_eq!(
        part(file(url()), "files = 'inline_or_url'"),
        json!({"type": "file", "file": {"filename": "a", "file_data": "https://x/a.pdf"}})
    );
    assert_eq!(
        part(file(url()), "files = 'document_url'"),
        json!({"type": "document_url", "document_url": "https://x/a.pdf", "document_name": "a"})
    );
    assert_eq!(
        part(file(base64("text/plain", "YiBj")), "files = 'none'"),
        json!({"type": "text", "text": "a\nb c"})
    );
    assert_eq!(
        part(file(Media::FileId("file-1".into())), ""),
        json!({"type": "file", "file": {"file_id": "file-1"}})
    );
    let sound = Part::Audio { data: "AA".into(), format: "wav".into() };
    assert_eq!(
        part(sound, ""),
        json!({"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}})
    );
    let video = Part::Video { source: Media::Url("https://v".into()) };
    assert_eq!(part(video, ""), json!({"type": "video_url", "video_url": {"url": "https://v"}}));
    for (part, facts) in [
        (file(url()), ""),
        (file(pdf()), "files = 'none'"),
        (file(Media::FileId("file_011".into())), ""),
        (image(), "content = 'text'"),
        (file(pdf()), "content = 'text'"),
    ] {
        let given = conversation(vec![message(Role::User, vec![part])]);
        assert_eq!(refused(&given, &dialect(facts)), "messages[0].content", "{facts}");
    }
}

#[test]
fn reasoning_goes_back_where_the_dialect_says() {
    let signed = Part::Reasoning(Reasoning {
        kind: ReasoningKind::Text,
        text: "Hm".into(),
        signature: Some("S".into()),
        format: Some("anthropic-claude-v1".into()),
        id: None,
    });
    let given = || message(Role::Assistant, vec![signed.clone(), text("A"), call("c1")]);
    let back =
        |form: &str| messages(vec![given()], &dialect(&format!("replay = '{form}'")))[0].clone();
    let none = back("none");
    assert!(!none.to_string().contains("Hm") && !none.to_string().contains('S'), "{none}");
    assert_eq!(back("reasoning_content")["reasoning_content"], "Hm");
    assert_eq!(back("reasoning")["reasoning"], "Hm");
    assert_eq!(
        back("reasoning_details")["reasoning_details"],
        json!([
            {"type": "reasoning.text", "text": "Hm", "signature": "S", "format": "anthropic-claude-v1", "index": 0},
            {"type": "reasoning.encrypted", "data": "G", "format": "google-gemini-v1", "id": "c1", "index": 1}])
    );
    assert_eq!(
        back("thinking_parts")["content"],
        json!([{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}, {"type": "text", "text": "A"}])
    );
}

#[test]
fn refusals_sounds_and_silence_of_earlier_turns() {
    let sound = || {
        let id = Some("audio_1".into());
        let transcript = Some("Hello".into());
        Part::SpokenAnswer(AudioPiece { transcript, id, ..AudioPiece::default() })
    };
    let given = || {
        vec![
            message(Role::Assistant, vec![Part::Refusal { text: "No".into() }]),
            message(Role::Assistant, vec![sound()]),
            message(Role::Assistant, vec![]),
            message(Role::User, vec![]),
        ]
    };
    assert_eq!(
        messages(given(), &OPENAI),
        json!([
            {"role": "assistant", "content": null, "refusal": "No"},
            {"role": "assistant", "content": null, "audio": {"id": "audio_1"}},
            {"role": "assistant", "content": ""},
        ])
    );
    let plain = dialect("refusals = false\nrefuses = ['audio']");
    assert_eq!(
        messages(given(), &plain),
        json!([
            {"role": "assistant", "content": "No"},
            {"role": "assistant", "content": "Hello"},
            {"role": "assistant", "content": ""},
        ])
    );
    assert_eq!(refused(&conversation(vec![message(Role::User, vec![])]), &OPENAI), "messages");
}

#[test]
fn ids_fit_on_both_sides() {
    let long = "toolu_0123456789012345678901234567890123456789";
    let given = || {
        let call = ToolCall {
            id: long.into(),
            name: "a.b".into(),
            arguments: "".into(),
            custom: false,
            signature: None,
        };
        vec![
            message(Role::Assistant, vec![Part::ToolCall(call)]),
            message(Role::Tool, vec![result(long, vec![text("r")])]),
        ]
    };
    for (facts, length) in [("", 40), ("call_ids = 'nine_alphanumerics'", 9)] {
        let sent = messages(given(), &dialect(facts));
        let id = sent[0]["tool_calls"][0]["id"].as_str().unwrap();
        assert_eq!((sent[1]["tool_call_id"].as_str(), id.len()), (Some(id), length));
        assert_eq!(sent[0]["tool_calls"][0]["function"]["arguments"], "{}");
    }
}
