//! What tells a conversation, in every client's format, and what does not change it.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::hash::DefaultHasher;

fn hashed(client: ApiFormat, body: &str) -> Option<u64> {
    let head = Head::scan(body.as_bytes()).unwrap();
    let headers = HeaderMap::new();
    let turn = Turn { client, headers: &headers, body: body.as_bytes(), head: &head };
    let mut hasher = DefaultHasher::new();
    turn.conversation()?.hash_into(&mut hasher);
    Some(hasher.finish())
}

fn told<'a>(body: &'a str, head: &'a Head, headers: &'a HeaderMap) -> Option<Conversation<'a>> {
    let client = ApiFormat::OpenAiChat;
    Turn { client, headers, body: body.as_bytes(), head }.conversation()
}

#[test]
fn the_clients_own_name_comes_first() {
    let messages = r#""messages":[{"role":"user","content":"hi"}]"#;
    let named = |name: &'static str| Some(Conversation::Named(name.into()));
    let cases = [
        (r#"{"session_id":"s1","prompt_cache_key":"k",M}"#, Some("h"), named("s1")),
        (r#"{"prompt_cache_key":"k",M}"#, Some(" h "), named("h")),
        (r#"{"prompt_cache_key":"k",M}"#, None, Some(Conversation::CacheKey("k".into()))),
        (r#"{"session_id":"","prompt_cache_key":"k",M}"#, Some(""), {
            Some(Conversation::CacheKey("k".into()))
        }),
        (r#"{"session_id":null,"prompt_cache_key":7,M}"#, None, {
            Some(Conversation::Opening(Opening { instructions: None, message: br#""hi""# }))
        }),
        (r#"{"model":"m"}"#, None, None),
    ];
    for (body, header, expected) in cases {
        let body = body.replace('M', messages);
        let mut headers = HeaderMap::new();
        if let Some(value) = header {
            headers.insert("x-session-id", value.parse().unwrap());
        }
        let head = Head::scan(body.as_bytes()).unwrap();
        assert_eq!(told(&body, &head, &headers), expected, "{body} {header:?}");
    }
}

#[test]
fn a_name_counts_to_its_256th_character() {
    let headers = HeaderMap::new();
    let of = |name: String| {
        let body = json!({ "session_id": name }).to_string();
        let head = Head::scan(body.as_bytes()).unwrap();
        let Some(Conversation::Named(name)) = told(&body, &head, &headers) else {
            panic!("{body}")
        };
        name.chars().count()
    };
    assert_eq!((of("ü".repeat(256)), of("ü".repeat(300))), (256, 256));
}

/// Instructions and a first message in every format, several ways to write the same.
fn spelled(instructions: &str, message: &str) -> Vec<(ApiFormat, Value)> {
    use ApiFormat::{Anthropic, Gemini, OpenAiChat, OpenAiResponses};
    let cached = json!({ "type": "ephemeral" });
    let part = |text: &str| json!([{ "type": "text", "text": text, "cache_control": cached }]);
    vec![
        (
            OpenAiChat,
            json!({ "messages": [
            { "role": "system", "content": instructions }, { "role": "user", "content": message }] }),
        ),
        (
            OpenAiChat,
            json!({ "messages": [
            { "content": part(instructions), "role": "developer" },
            { "role": "user", "content": part(message) },
            { "role": "assistant", "content": "A" }, { "role": "user", "content": "more" }] }),
        ),
        (
            Anthropic,
            json!({ "system": instructions, "messages": [{ "role": "user", "content": message }] }),
        ),
        (
            Anthropic,
            json!({
            "messages": [{ "role": "user", "content": part(message) }, { "role": "assistant", "content": "A" }],
            "system": part(instructions) }),
        ),
        (OpenAiResponses, json!({ "instructions": instructions, "input": message })),
        (
            OpenAiResponses,
            json!({ "input": [
            { "type": "message", "role": "system", "content": instructions },
            { "role": "user", "content": [{ "type": "input_text", "text": message }] },
            { "type": "function_call", "name": "f", "arguments": "{}" }] }),
        ),
        (
            Gemini,
            json!({
            "systemInstruction": { "parts": [{ "text": instructions }] },
            "contents": [{ "role": "user", "parts": [{ "text": message }] }] }),
        ),
        (
            Gemini,
            json!({
            "system_instruction": { "role": "system", "parts": { "text": instructions } },
            "contents": [{ "parts": [{ "text": message }] }, { "role": "model", "parts": [] }] }),
        ),
    ]
}

#[test]
fn the_first_turns_tell_it_in_every_format() {
    let one = |instructions: &str, message: &str| {
        let all = spelled(instructions, message);
        all.iter().map(|(client, body)| hashed(*client, &body.to_string()).unwrap()).collect()
    };
    let hashes: Vec<u64> = one("be brief", "hello");
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
    for (instructions, message) in
        [("be brief", "bye"), ("be long", "hello"), ("hello", "be brief")]
    {
        let others: Vec<u64> = one(instructions, message);
        assert!(others.iter().all(|hash| *hash == others[0] && *hash != hashes[0]));
    }
}

#[test]
fn what_differs_is_another_conversation() {
    let image = |data: &str| {
        json!({ "messages": [{ "role": "user", "content": [
            { "type": "image_url", "image_url": { "url": data } }] }] })
    };
    let user = |text: &str| json!({ "messages": [{ "role": "user", "content": text }] });
    let long = |end: &str| user(&format!("{}{end}", "x".repeat(50_000)));
    let bodies = [
        image("https://a/1.png"),
        image("https://a/2.png"),
        user("hi"),
        json!({ "messages": [{ "role": "user", "content": "" }] }),
        json!({ "messages": [{ "role": "user", "content": ["hi", "hi"] }] }),
        long("a"),
        long("b"),
        long("bb"),
        json!({ "messages": [
            { "role": "system", "content": "hi" }, { "role": "user", "content": "" }] }),
        json!({ "session_id": "hi" }),
        json!({ "prompt_cache_key": "hi" }),
    ];
    let mut hashes: Vec<u64> = bodies
        .iter()
        .map(|body| hashed(ApiFormat::OpenAiChat, &body.to_string()).unwrap())
        .collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), bodies.len());
}

#[test]
fn nothing_to_tell_it_by() {
    let system = json!({ "role": "system", "content": "s" });
    let cases = [
        (ApiFormat::OpenAiChat, json!({ "messages": [] })),
        (ApiFormat::OpenAiChat, json!({ "messages": [system] })),
        (ApiFormat::OpenAiChat, json!({ "messages": "no list" })),
        (ApiFormat::OpenAiChat, json!({ "messages": vec![system; 17] })),
        (ApiFormat::Completions, json!({ "prompt": "once upon" })),
        (ApiFormat::Gemini, json!({ "contents": null })),
        (ApiFormat::OpenAiResponses, json!({ "input": [] })),
    ];
    for (client, body) in cases {
        assert_eq!(hashed(client, &body.to_string()), None, "{body}");
    }
}

fn turn() -> impl Strategy<Value = Value> {
    let role = prop::sample::select(vec!["system", "developer", "user", "model", "\u{fc}\""]);
    let content = prop_oneof![
        any::<String>().prop_map(Value::from),
        any::<Option<u8>>().prop_map(Value::from),
        proptest::collection::vec(any::<String>(), 0..3).prop_map(|texts| {
            texts.iter().map(|text| json!({ "text": text, "type": 1 })).collect()
        }),
    ];
    let name = prop::sample::select(vec!["content", "parts", "text", "\u{1}"]);
    (role, name, content).prop_map(|(role, name, content)| json!({ "role": role, name: content }))
}

proptest! {
    /// Whatever a client sends, and whatever follows the opening, it is told without a panic and
    /// told the same.
    #[test]
    fn later_turns_change_nothing(
        opening in proptest::collection::vec(turn(), 0..4),
        later in proptest::collection::vec(turn(), 0..4),
    ) {
        use ApiFormat::{Anthropic, Gemini, OpenAiChat, OpenAiResponses};
        for client in [OpenAiChat, Anthropic, OpenAiResponses, Gemini] {
            let body = |later: &[Value]| {
                let turns: Vec<&Value> = opening.iter().chain(later).collect();
                json!({ "messages": turns, "input": turns, "contents": turns }).to_string()
            };
            let first = hashed(client, &body(&[]));
            if first.is_some() {
                prop_assert_eq!(first, hashed(client, &body(&later)));
            }
        }
    }
}
