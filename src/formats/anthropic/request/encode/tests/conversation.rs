//! Order, roles and content of messages.

use super::*;
use crate::chat::message::{Media, Reasoning, ReasoningKind};
use crate::chat::tool::ToolCall;

const PNG: &str = "iVBORw0KGgoAAAAN";

fn call(id: &'static str) -> Part<'static> {
    Part::ToolCall(ToolCall {
        custom: false,
        id: id.into(),
        name: "f".into(),
        arguments: "{}".into(),
        signature: None,
    })
}

fn result(id: &'static str, words: &'static str) -> Message<'static> {
    let parts = vec![Part::ToolResult {
        call_id: id.into(),
        name: None,
        parts: vec![super::text(words)],
        is_error: false,
        cache: None,
    }];
    Message { role: Role::Tool, name: None, parts }
}

fn assistant(parts: Vec<Part<'static>>) -> Message<'static> {
    Message { role: Role::Assistant, name: None, parts }
}

fn thought(text: &'static str, signature: Option<&'static str>) -> Part<'static> {
    Part::Reasoning(Reasoning {
        kind: ReasoningKind::Text,
        text: text.into(),
        signature: signature.map(Into::into),
        format: Some("anthropic-claude-v1".into()),
        id: None,
    })
}

fn with(messages: Vec<Message<'static>>) -> Request<'static> {
    Request { messages, ..Request::default() }
}

/// The turns in short: role and, per block, its type and the telling field.
fn turns(request: &Request<'_>, model: &str) -> Vec<String> {
    let (body, _) = encoded(request, model);
    let short = |block: &Value| {
        let keys = ["text", "id", "tool_use_id", "thinking", "data"];
        let word = keys.iter().find_map(|key| block[*key].as_str()).unwrap_or_default();
        format!("{}:{word}", block["type"].as_str().unwrap())
    };
    let turn = |turn: &Value| {
        let blocks: Vec<String> = turn["content"].as_array().unwrap().iter().map(short).collect();
        format!("{} {}", turn["role"].as_str().unwrap(), blocks.join(" "))
    };
    body["messages"].as_array().unwrap().iter().map(turn).collect()
}

#[test]
fn leading_instructions_become_system_blocks() {
    let mut cached = say(Role::System, "one");
    cached.parts = vec![
        Part::Text { text: "one".into(), cache: Some(CacheControl::Default) },
        super::text(""),
    ];
    let request = with(vec![cached, say(Role::Developer, "two"), say(Role::User, "hi")]);
    let (body, _) = encoded(&request, OLD);
    let expected = json!([
        {"type":"text","text":"one","cache_control":{"type":"ephemeral"}},
        {"type":"text","text":"two"},
    ]);
    assert_eq!(body["system"], expected);
}

#[test]
fn later_instructions_stay_in_their_place() {
    let history = || {
        vec![
            say(Role::User, "a"),
            say(Role::System, "b"),
            say(Role::Assistant, "c"),
            say(Role::User, "d"),
        ]
    };
    let expected = ["user text:a text:System: b", "assistant text:c", "user text:d"];
    assert_eq!(turns(&with(history()), OLD), expected);
    let expected = ["user text:a", "system text:b", "assistant text:c", "user text:d"];
    assert_eq!(turns(&with(history()), "claude-opus-4-8"), expected);
    let mut between = history();
    between.insert(3, say(Role::System, "x"));
    let expected =
        ["user text:a", "system text:b", "assistant text:c", "user text:System: x text:d"];
    assert_eq!(turns(&with(between), "claude-opus-4-8"), expected);
}

#[test]
fn results_come_first_in_the_order_of_the_calls() {
    let request = with(vec![
        say(Role::User, "q"),
        assistant(vec![super::text("looking"), call("one"), call("two")]),
        say(Role::User, "early"),
        result("two", "2"),
        result("one", "1"),
        say(Role::User, "late"),
    ]);
    let expected = [
        "user text:q",
        "assistant text:looking tool_use:one tool_use:two",
        "user tool_result:one tool_result:two text:early text:late",
    ];
    assert_eq!(turns(&request, OLD), expected);
}

#[test]
fn ids_stay_matched_and_empty_results_have_no_content() {
    let request =
        with(vec![say(Role::User, "q"), assistant(vec![call("call:1")]), result("call:1", "")]);
    let (body, _) = encoded(&request, OLD);
    let id = body["messages"][1]["content"][0]["id"].as_str().unwrap();
    assert!(id.starts_with("call_1_"), "{id}");
    assert_eq!(body["messages"][2]["content"], json!([{"type":"tool_result","tool_use_id":id}]));
}

#[test]
fn blank_text_vanishes() {
    let request = with(vec![
        say(Role::User, "q"),
        say(Role::Assistant, " \n"),
        say(Role::User, ""),
        say(Role::User, "r"),
    ]);
    assert_eq!(turns(&request, OLD), ["user text:q text:r"]);
    assert_eq!(param(&with(vec![say(Role::System, "s"), say(Role::User, " ")])), "messages");
}

#[test]
fn prefill_ends_without_white_space() {
    let request = with(vec![say(Role::User, "q"), say(Role::Assistant, "It is \n")]);
    assert_eq!(turns(&request, OLD), ["user text:q", "assistant text:It is"]);
    let request = with(vec![say(Role::User, "q"), say(Role::Assistant, "")]);
    assert_eq!(turns(&request, OLD), ["user text:q", "assistant "]);
}

#[test]
fn the_user_opens() {
    let request = with(vec![say(Role::Assistant, "Hello"), say(Role::User, "hi")]);
    assert_eq!(turns(&request, OLD), ["user text:.", "assistant text:Hello", "user text:hi"]);
}

#[test]
fn reasoning_goes_back_to_its_maker_only() {
    let foreign = Part::Reasoning(Reasoning {
        kind: ReasoningKind::Text,
        text: "g".into(),
        signature: Some("s".into()),
        format: Some("google-gemini-v1".into()),
        id: None,
    });
    let redacted = Part::Reasoning(Reasoning {
        kind: ReasoningKind::Encrypted,
        text: "".into(),
        signature: Some("R".into()),
        format: Some("anthropic-claude-v1".into()),
        id: None,
    });
    let parts = vec![
        super::text("so"),
        foreign,
        thought("hm", Some("S")),
        thought("lost", None),
        redacted,
        thought("late", None),
        thought("", Some("T")),
        call("c"),
    ];
    let request = with(vec![say(Role::User, "q"), assistant(parts), result("c", "1")]);
    let expected = "assistant thinking:hm redacted_thinking:R thinking:late text:so tool_use:c";
    assert_eq!(turns(&request, OLD)[1], expected);
    let (body, _) = encoded(&request, OLD);
    assert_eq!(body["messages"][1]["content"][2]["signature"], "T");
    assert_eq!(turns(&request, "claude-3-haiku-20240307")[1], "assistant text:so tool_use:c");
}

#[test]
fn interleaved_reasoning_keeps_its_order() {
    let parts = vec![thought("a", Some("A")), super::text("x"), thought("b", Some("B")), call("c")];
    let request = with(vec![say(Role::User, "q"), assistant(parts), result("c", "1")]);
    assert_eq!(turns(&request, OLD)[1], "assistant thinking:a text:x thinking:b tool_use:c");
}

#[test]
fn thinking_stays_off_in_a_tool_loop_that_lost_it() {
    let reasoning = ReasoningRequest { effort: Some(Effort::Low), ..ReasoningRequest::default() };
    let history = |parts| with(vec![say(Role::User, "q"), assistant(parts), result("c", "1")]);
    let lost = Request { reasoning, ..history(vec![call("c")]) };
    let (body, dropped) = encoded(&lost, OLD);
    assert_eq!((body.get("thinking"), dropped.join(",").as_str()), (None, "reasoning"));
    assert_eq!(encoded(&lost, "claude-sonnet-4-6").0["thinking"]["type"], "adaptive");
    let kept = Request { reasoning, ..history(vec![thought("hm", Some("S")), call("c")]) };
    assert_eq!(encoded(&kept, OLD).0["thinking"]["type"], "enabled");
}

#[test]
fn media_of_every_kind() {
    let inline = Media::Base64 { mime: "image/jpeg".into(), data: PNG.into() };
    let image = |source, detail: Option<&'static str>| Part::Image {
        source,
        detail: detail.map(Into::into),
        cache: Some(CacheControl::FiveMinutes),
    };
    let user = |part| with(vec![Message { role: Role::User, name: None, parts: vec![part] }]);
    let (body, dropped) = encoded(&user(image(inline.clone(), Some("low"))), OLD);
    let expected = json!([{"type":"image","source":{"type":"base64","media_type":"image/png","data":PNG},
        "cache_control":{"type":"ephemeral","ttl":"5m"}}]);
    assert_eq!(
        (body["messages"][0]["content"].clone(), dropped.join(",")),
        (expected, "detail".into())
    );

    let refused = [
        image(Media::FileId("f".into()), None),
        image(Media::Url("ftp://x".into()), None),
        Part::Audio { data: "AA".into(), format: "wav".into() },
        Part::Video { source: Media::Url("https://x".into()) },
        Part::ToolResult {
            call_id: "c".into(),
            name: None,
            parts: vec![Part::Audio { data: "AA".into(), format: "mp3".into() }],
            is_error: false,
            cache: None,
        },
    ];
    for part in refused {
        assert_eq!(param(&user(part)), "messages[0].content[0]");
    }
    let shown = with(vec![
        say(Role::User, "q"),
        assistant(vec![image(inline, None)]),
        say(Role::User, "r"),
    ]);
    let (body, dropped) = encoded(&shown, OLD);
    assert_eq!(
        (body["messages"].as_array().unwrap().len(), dropped.join(",")),
        (1, "images".into())
    );
}
