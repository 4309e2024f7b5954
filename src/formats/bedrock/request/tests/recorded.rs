//! Recorded requests of OpenAI chat clients become bodies that keep Converse's documented rules.

use super::*;
use crate::formats::bedrock::recordings;
use std::collections::BTreeSet;

/// What a body breaks, if anything.
fn broken(body: &Value) -> Option<String> {
    let turns = body["messages"].as_array().unwrap();
    let mut documents = BTreeSet::new();
    let mut open: Vec<&str> = Vec::new();
    for (at, turn) in turns.iter().enumerate() {
        let expected = if at % 2 == 0 { "user" } else { "assistant" };
        if turn["role"] != expected {
            return Some(format!("turn {at} is not the {expected}'s"));
        }
        let content = turn["content"].as_array().unwrap();
        if content.is_empty() {
            return Some(format!("turn {at} is empty"));
        }
        let results: Vec<&str> =
            content.iter().filter_map(|block| block["toolResult"]["toolUseId"].as_str()).collect();
        let first_results = content.iter().take_while(|block| block["toolResult"].is_object());
        if first_results.count() != results.len() {
            return Some(format!("turn {at} has content before results"));
        }
        if results != open {
            return Some(format!("turn {at} answers {results:?}, not {open:?}"));
        }
        open = content.iter().filter_map(|block| block["toolUse"]["toolUseId"].as_str()).collect();
        let has_text = content.iter().any(|block| block["text"].is_string());
        for block in content {
            if let Some(fault) = broken_block(block) {
                return Some(format!("turn {at}: {fault}"));
            }
            if let Some(name) = block["document"]["name"].as_str()
                && (!has_text || !documents.insert(name.to_owned()))
            {
                return Some(format!("turn {at}: document {name} is alone or not unique"));
            }
        }
    }
    let has_calls = body["messages"].to_string().contains("\"toolUse\":{");
    if has_calls && body["toolConfig"]["tools"].as_array().is_none_or(Vec::is_empty) {
        return Some("calls without tools".to_owned());
    }
    let specs = body["toolConfig"]["tools"].as_array()?.iter().map(|tool| &tool["toolSpec"]);
    specs.filter(|spec| spec.is_object()).find_map(broken_tool)
}

fn fits(name: &Value) -> bool {
    let name = name.as_str().unwrap_or_default();
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=64).contains(&name.len()) && name.chars().all(allowed)
}

fn broken_tool(spec: &Value) -> Option<String> {
    let is_object = spec["inputSchema"]["json"]["type"] == "object";
    (!fits(&spec["name"]) || !is_object || spec["description"] == "").then(|| spec.to_string())
}

fn broken_block(block: &Value) -> Option<String> {
    let members = block.as_object().unwrap();
    if members.len() != 1 {
        return Some(format!("not one kind of content: {block}"));
    }
    let (kind, value) = members.iter().next().unwrap();
    let fault = match kind.as_str() {
        "text" => value.as_str().unwrap().trim().is_empty(),
        "image" => !["png", "jpeg", "gif", "webp"].iter().any(|f| value["format"] == *f),
        "document" => {
            let name = value["name"].as_str().unwrap();
            let allowed = |c: char| c.is_ascii_alphanumeric() || " -()[]".contains(c);
            name.is_empty() || name.len() > 64 || name.contains("  ") || !name.chars().all(allowed)
        }
        "toolUse" => {
            !fits(&value["toolUseId"]) || !fits(&value["name"]) || !value["input"].is_object()
        }
        "toolResult" => {
            let content = value["content"].as_array().unwrap();
            !fits(&value["toolUseId"])
                || content.is_empty()
                || content.iter().any(|inner| broken_block(inner).is_some())
        }
        "reasoningContent" | "cachePoint" | "audio" | "video" => false,
        _ => true,
    };
    fault.then(|| format!("{block}").chars().take(300).collect())
}

/// Whether every call of the client's conversation is answered at once, each id once: otherwise
/// the provider's refusal is the right answer.
fn is_answerable(chat: &Value) -> bool {
    let mut open: BTreeSet<&str> = BTreeSet::new();
    for message in chat["messages"].as_array().into_iter().flatten() {
        match message["role"].as_str() {
            Some("tool") if open.remove(message["tool_call_id"].as_str().unwrap_or_default()) => {}
            Some("tool" | "function") => return false,
            Some("assistant") if !open.is_empty() => return false,
            Some("assistant") => {
                let calls = message["tool_calls"].as_array();
                for call in calls.into_iter().flatten() {
                    if !open.insert(call["id"].as_str().unwrap_or_default()) {
                        return false;
                    }
                }
                if message["function_call"].is_object() {
                    return false;
                }
            }
            _ => {}
        }
    }
    open.is_empty()
}

#[test]
fn recorded_requests_keep_the_rules() {
    let folders = ["openai-chat", "openrouter-chat", "deepseek-chat", "mistral-chat", "groq-chat"];
    let (mut written, mut refused) = (0, 0);
    for recording in folders.iter().flat_map(|folder| recordings::load(folder)) {
        if !recording.request.is_object() || !is_answerable(&recording.request) {
            continue;
        }
        let body = recording.request.to_string();
        let Ok(request) = decode_request(ApiFormat::OpenAiChat, body.as_bytes()) else { continue };
        for model in [CLAUDE, NOVA, LLAMA] {
            match encode(&request, Target::new(model)) {
                Ok(encoded) => {
                    let sent: Value = serde_json::from_slice(&encoded.body).unwrap();
                    assert_eq!(broken(&sent), None, "{} {model}", recording.id);
                    written += 1;
                }
                Err(error) => {
                    assert!(error.param.is_some(), "{}: {error}", recording.id);
                    refused += 1;
                }
            }
        }
    }
    assert!(written == 0 || written > 3 * refused, "{written} written, {refused} refused");
}

#[test]
fn the_checker_can_fail() {
    let user = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    assert_eq!(broken(&user(json!([{"text": "a"}]))), None);
    let document = json!({"document": {"format": "txt", "name": "a", "source": {"bytes": ""}}});
    for content in [
        json!([]),
        json!([{"text": " "}]),
        json!([{"toolResult": {"toolUseId": "x", "content": [{"text": "a"}]}}]),
        json!([{"text": "a"}, document, document]),
        json!([document]),
        json!([{"somethingElse": {}}]),
    ] {
        assert!(broken(&user(content.clone())).is_some(), "{content}");
    }
}
