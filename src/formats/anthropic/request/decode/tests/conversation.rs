//! Turns and blocks: order, media, results, and whose reasoning it is.

use super::*;
use crate::chat::Message;
use crate::chat::message::Media;
use crate::formats::Target;
use crate::formats::anthropic::request::encode;
use crate::formats::carried::Carried;

/// Decodes the given turns and tells each message in short.
fn turns(messages: &str) -> Vec<String> {
    let body = format!(r#"{{"max_tokens":9,"messages":[{messages}]}}"#);
    let request = decode(body.as_bytes()).unwrap_or_else(|error| panic!("{messages}: {error}"));
    request.messages.iter().map(short).collect()
}

fn short(message: &Message<'_>) -> String {
    let parts: Vec<String> = message.parts.iter().map(short_part).collect();
    format!("{:?} {}", message.role, parts.join(" "))
}

fn short_part(part: &Part<'_>) -> String {
    let mark = |cache: &Option<CacheControl>| if cache.is_some() { "*" } else { "" };
    match part {
        Part::Text { text, cache } => format!("{text}{}", mark(cache)),
        Part::Image { source, cache, .. } => format!("image({}){}", media(source), mark(cache)),
        Part::File { source, filename, citations, cache } => {
            let name = filename.as_deref().unwrap_or_default();
            format!("file({},{name},{citations:?}){}", media(source), mark(cache))
        }
        Part::Reasoning(piece) => {
            let words = [&piece.signature, &piece.format, &piece.id];
            let words = words.map(|word| word.as_deref().unwrap_or("-"));
            format!("{:?}({},{})", piece.kind, piece.text, words.join(","))
        }
        Part::ToolCall(call) => {
            let signature = call.signature.as_deref().unwrap_or_default();
            format!("call({},{},{}){signature}", call.id, call.name, call.arguments)
        }
        Part::ToolResult { call_id, parts, is_error, cache, .. } => {
            let parts: Vec<String> = parts.iter().map(short_part).collect();
            let failed = if *is_error { "!" } else { "" };
            format!("result({call_id},{}){failed}{}", parts.join("+"), mark(cache))
        }
        other => panic!("{other:?}"),
    }
}

fn media(source: &Media<'_>) -> String {
    match source {
        Media::Base64 { mime, data } => format!("{mime};{data}"),
        Media::Url(url) => url.to_string(),
        Media::FileId(id) => format!("#{id}"),
    }
}

const MARK: &str = r#""cache_control":{"type":"ephemeral"}"#;

fn user(blocks: &str) -> String {
    format!(r#"{{"role":"user","content":[{blocks}]}}"#)
}

fn assistant(blocks: &str) -> String {
    format!(r#"{{"role":"assistant","content":[{blocks}]}}"#)
}

#[test]
fn order_and_roles() {
    let said = |role: &str, text: &str| format!(r#"{{"role":"{role}","content":"{text}"}}"#);
    let history = [
        said("user", "a"),
        said("user", "b"),
        said("assistant", "c"),
        said("assistant", ""),
        said("system", "d"),
        said("user", "e"),
        said("assistant", "f"),
    ];
    let expected = ["User a b", "Assistant c", "System d", "User e", "Assistant f"];
    assert_eq!(turns(&history.join(",")), expected);
}

#[test]
fn results_are_messages_of_their_own_before_what_the_user_says() {
    let result =
        |id: &str, rest: &str| format!(r#"{{"type":"tool_result","tool_use_id":"{id}"{rest}}}"#);
    let text = r#"{"type":"text","text":"t"}"#;
    let first = user(
        &[
            text.to_owned(),
            result("1", r#","content":"ok""#),
            result("2", &format!(r#","content":[{text},{text}],"is_error":true,{MARK}"#)),
        ]
        .join(","),
    );
    let second = user(&[result("3", ""), text.to_owned()].join(","));
    let expected = ["Tool result(1,ok)", "Tool result(2,t+t)!*", "Tool result(3,)", "User t t"];
    assert_eq!(turns(&format!("{first},{second}")), expected);
}

#[test]
fn media_of_every_kind() {
    let cases = [
        (
            r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA"}}"#,
            "image(image/png;AA)",
        ),
        (r#"{"type":"image","source":{"type":"url","url":"https://x"},MARK}"#, "image(https://x)*"),
        (r#"{"type":"image","source":{"type":"file","file_id":"f"}}"#, "image(#f)"),
        (
            r#"{"type":"document","title":"T","citations":{"enabled":true},"source":{"type":"base64","media_type":"application/pdf","data":"AA"},MARK}"#,
            "file(application/pdf;AA,T,Some(true))*",
        ),
        (
            r#"{"type":"document","source":{"type":"url","url":"https://x"}}"#,
            "file(https://x,,None)",
        ),
        (
            r#"{"type":"document","context":"C","title":"","source":{"type":"text","media_type":"text/plain","data":"hi"}}"#,
            "C file(text/plain;aGk=,,None)",
        ),
        (
            r#"{"type":"document","title":"T","source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"url","url":"https://x"}}]},MARK}"#,
            "T a image(https://x)*",
        ),
        (r#"{"type":"document","source":{"type":"content","content":"all"}}"#, "all"),
        (
            r#"{"type":"search_result","source":"https://s","title":"S","content":[{"type":"text","text":"found"}],MARK}"#,
            "S\nhttps://s\nfound*",
        ),
        (r#"{"type":"text","text":"x"},{"type":"container_upload","file_id":"f"}"#, "x"),
    ];
    for (block, expected) in cases {
        assert_eq!(turns(&user(&block.replace("MARK", MARK))), [format!("User {expected}")]);
    }
}

#[test]
fn what_the_providers_own_tools_did_is_left_out_and_named() {
    let blocks = r#"{"type":"text","text":"a","citations":[{"type":"x"}]},
        {"type":"server_tool_use","id":"s","name":"web_search","input":{}},
        {"type":"web_search_tool_result","tool_use_id":"s","content":[]},
        {"type":"compaction","content":"before"},
        {"type":"tool_use","id":"t","name":"f","input":{"z":1.0, "a":12345678901234567890123}}"#;
    let messages = format!("{},{}", user(r#"{"type":"text","text":"q"}"#), assistant(blocks));
    let call = r#"call(t,f,{"z":1.0, "a":12345678901234567890123})"#;
    assert_eq!(turns(&messages), ["User q".to_owned(), format!("Assistant a before {call}")]);
    let body = format!(r#"{{"max_tokens":9,"messages":[{messages}]}}"#);
    let request = decode(body.as_bytes()).unwrap();
    assert_eq!(request.unmapped, ["citations", "server_tool_use", "web_search_tool_result"]);
}

#[test]
fn the_breakpoint_of_a_call_moves_to_the_part_before_it() {
    let call = format!(r#"{{"type":"tool_use","id":"t","name":"f","input":{{}},{MARK}}}"#);
    let said = r#"{"type":"text","text":"a"},"#;
    assert_eq!(turns(&assistant(&format!("{said}{call}"))), ["Assistant a* call(t,f,{})"]);
    let body = format!(r#"{{"max_tokens":9,"messages":[{}]}}"#, assistant(&call));
    assert_eq!(decode(body.as_bytes()).unwrap().unmapped, ["cache_control"]);
}

#[test]
fn reasoning_gets_its_maker_back() {
    let packed = |format: &str, id: &str, encrypted, data: &str| {
        let (format, id, data) = (format.into(), id.into(), data.into());
        Carried { format, id, encrypted, data }.pack()
    };
    let thinking = |text: &str, signature: &str| {
        format!(r#"{{"type":"thinking","thinking":"{text}","signature":"{signature}"}}"#)
    };
    let redacted = |data: &str| format!(r#"{{"type":"redacted_thinking","data":"{data}"}}"#);
    let google = |id: &str| thinking("", &packed("google-gemini-v1", id, true, "G"));
    let blocks = [
        thinking("own", "S"),
        thinking("plain", ""),
        thinking("theirs", &packed("xai-responses-v1", "", false, "X")),
        redacted("D"),
        redacted(&packed("openai-responses-v1", "rs_1", true, "E")),
        google("t"),
        google("other"),
        r#"{"type":"tool_use","id":"t","name":"f","input":{}}"#.to_owned(),
    ];
    let expected = [
        "Assistant Text(own,S,anthropic-claude-v1,-)",
        "Text(plain,-,-,-)",
        "Text(theirs,X,xai-responses-v1,-)",
        "Encrypted(,D,anthropic-claude-v1,-)",
        "Encrypted(,E,openai-responses-v1,rs_1)",
        "Encrypted(,G,google-gemini-v1,other)",
        "call(t,f,{})G",
    ];
    assert_eq!(turns(&assistant(&blocks.join(","))), [expected.join(" ")]);

    // Claude gets back what is Claude's.
    let history = [user(r#"{"type":"text","text":"q"}"#), assistant(&blocks.join(","))];
    let body = format!(r#"{{"max_tokens":9,"messages":[{}]}}"#, history.join(","));
    let request = decode(body.as_bytes()).unwrap();
    let written = encode(&request, Target::new("claude-sonnet-4-5")).unwrap().body;
    let written: serde_json::Value = serde_json::from_slice(&written).unwrap();
    let kinds = written["messages"][1]["content"].as_array().unwrap().iter();
    let kinds: Vec<&str> = kinds.map(|block| block["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["thinking", "redacted_thinking", "tool_use"]);
}
