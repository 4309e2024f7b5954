//! Recorded answers, streamed and whole, decoded and compared with an independent reading.
//!
//! The recordings are read from the folder beside the project when it is there.

use super::super::response;
use super::tests::{Heard, events, hear};
use crate::chat::message::{Part, ReasoningKind};
use crate::formats::StreamFault;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/wire/corpus");
const FOLDERS: [&str; 4] =
    ["anthropic-messages", "vertex-messages", "local-messages", "bedrock-invoke"];

/// Successful answers by name.
fn answers() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        let Ok(entries) = std::fs::read_dir(Path::new(CORPUS).join(folder)) else { continue };
        for entry in entries.flatten() {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let recording: Value = serde_json::from_str(&text).unwrap();
            let response = &recording["response"];
            let Some(body) = response["body"].as_str().filter(|_| response["status"] == 200) else {
                continue;
            };
            found.push((recording["id"].as_str().unwrap().to_owned(), body.to_owned()));
        }
    }
    assert!(found.is_empty() || found.len() > 200, "{} recordings", found.len());
    found
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Counts that a stream's `usage` objects state, the last word on each.
fn expect_usage(heard: &mut Heard, usages: &[&Value]) {
    let last = |key: &str| usages.iter().rev().find_map(|usage| usage[key].as_u64());
    let outside = ["cache_read_input_tokens", "cache_creation_input_tokens"];
    heard.usage.completion = last("output_tokens");
    heard.usage.cached = last("cache_read_input_tokens");
    heard.usage.prompt = last("input_tokens")
        .map(|input| input + outside.iter().filter_map(|key| last(key)).sum::<u64>());
    heard.cache_write = last("cache_creation_input_tokens").unwrap_or(0);
    let tiers = usages.iter().find_map(|usage| usage["service_tier"].as_str());
    heard.tier = tiers.unwrap_or_default().replace("standard", "default");
    let thinking = |usage: &&Value| usage["output_tokens_details"]["thinking_tokens"].as_u64();
    heard.usage.reasoning = usages.iter().rev().find_map(thinking);
    let searches = |usage: &&Value| usage["server_tool_use"]["web_search_requests"].as_u64();
    heard.usage.web_searches = usages.iter().rev().find_map(searches);
}

fn expect_finish(heard: &mut Heard, reason: &Value) {
    heard.native = reason.as_str().map(str::to_owned);
    heard.finish = Some(match text(reason) {
        "max_tokens" | "model_context_window_exceeded" => "length",
        "refusal" => "content_filter",
        _ if !heard.calls.is_empty() => "tool_calls",
        _ => "stop",
    });
}

/// What a stream says, read block by block from JSON trees.
fn read_stream(events: &[Value]) -> Heard {
    let mut heard = Heard::default();
    let mut blocks: BTreeMap<u64, (Value, String, Vec<String>)> = BTreeMap::new();
    let mut usages = Vec::new();
    for event in events {
        let index = event["index"].as_u64().unwrap_or_default();
        match text(&event["type"]) {
            "message_start" => {
                heard.id = text(&event["message"]["id"]).to_owned();
                usages.push(&event["message"]["usage"]);
            }
            "content_block_start" => {
                let block = event["content_block"].clone();
                let begun = text(&block["text"]).to_owned() + text(&block["thinking"]);
                blocks.insert(index, (block, begun, Vec::new()));
            }
            "content_block_delta" => {
                let delta = &event["delta"];
                let (block, said, urls) = blocks.get_mut(&index).unwrap();
                for key in ["text", "thinking", "partial_json"] {
                    said.push_str(text(&delta[key]));
                }
                if text(&delta["type"]) == "signature_delta" {
                    block["signature"] = delta["signature"].clone();
                }
                urls.extend(delta["citation"]["url"].as_str().map(str::to_owned));
            }
            "message_delta" => {
                usages.push(&event["usage"]);
                if event["delta"]["stop_reason"].is_string() {
                    heard.native = Some(text(&event["delta"]["stop_reason"]).to_owned());
                }
            }
            // One recording holds a second answer after the first.
            "message_stop" => {
                heard.ended = true;
                break;
            }
            _ => {}
        }
    }
    for (block, said, urls) in blocks.into_values() {
        let mut block = block;
        if text(&block["type"]) == "tool_use" && !said.is_empty() {
            block["input"] = serde_json::from_str(&said).unwrap_or(Value::String(said.clone()));
        }
        read_block(&mut heard, &block, &said, urls);
    }
    expect_usage(&mut heard, &usages);
    let native = heard.native.take();
    if heard.ended {
        expect_finish(&mut heard, &native.map_or(Value::Null, Value::String));
    }
    heard
}

fn read_block(heard: &mut Heard, block: &Value, said: &str, urls: Vec<String>) {
    match text(&block["type"]) {
        "text" => {
            heard.text.push_str(said);
            heard.urls.extend(urls);
        }
        "thinking" => {
            heard.reasoning.push_str(said);
            let signature = text(&block["signature"]).to_owned();
            heard.signatures.extend((!signature.is_empty()).then_some(signature));
        }
        "redacted_thinking" => heard.encrypted.push(text(&block["data"]).to_owned()),
        "tool_use" => {
            let call = (text(&block["id"]).to_owned(), text(&block["name"]).to_owned());
            heard.calls.push((call.0, call.1, block["input"].clone()));
        }
        _ => {}
    }
}

#[test]
fn recorded_streams_say_what_their_blocks_say() {
    let mut seen = 0;
    for (name, body) in answers() {
        if body.trim_start().starts_with('{') {
            continue;
        }
        seen += 1;
        let events = events(&body);
        let values: Vec<Value> =
            events.iter().map(|(_, data)| serde_json::from_str(data).unwrap()).collect();
        let expected = read_stream(&values);
        let (mut heard, fault) = hear(&events);
        match fault {
            None => assert!(expected.ended, "{name}"),
            Some(StreamFault::Truncated) => assert!(!expected.ended, "{name}"),
            Some(other) => panic!("{name}: {other}"),
        }
        heard.refusal.clear();
        assert_eq!(heard, expected, "{name}");
    }
    assert!(seen == 0 || seen > 60, "{seen} streams");
}

#[test]
fn recorded_answers_say_what_their_blocks_say() {
    let mut seen = 0;
    for (name, body) in answers() {
        let Ok(value) = serde_json::from_str::<Value>(&body) else { continue };
        if value["type"] != "message" {
            continue;
        }
        seen += 1;
        let mut expected = Heard { ended: true, ..Heard::default() };
        expected.id = text(&value["id"]).to_owned();
        for block in value["content"].as_array().unwrap() {
            let said = text(&block["text"]).to_owned() + text(&block["thinking"]);
            let cited = block["citations"].as_array().into_iter().flatten();
            let urls = cited.filter_map(|source| source["url"].as_str().map(str::to_owned));
            read_block(&mut expected, block, &said, urls.collect());
        }
        expect_usage(&mut expected, &[&value["usage"]]);
        expect_finish(&mut expected, &value["stop_reason"]);
        assert_eq!(whole(&body), expected, "{name}");
    }
    assert!(seen == 0 || seen > 150, "{seen} answers");
}

fn whole(body: &str) -> Heard {
    let answer = response::decode(body.as_bytes()).unwrap();
    let choice = &answer.choices[0];
    let mut heard = Heard { ended: true, usage: answer.usage, ..Heard::default() };
    heard.cache_write = heard.take_cache_write();
    heard.id = answer.id.as_deref().unwrap_or_default().to_owned();
    heard.tier = answer.service_tier.as_deref().unwrap_or_default().to_owned();
    heard.finish = Some(choice.finish.as_str());
    heard.native = choice.native_finish.as_deref().map(str::to_owned);
    let length = choice.parts.iter().map(|part| match part {
        Part::Text { text, .. } => text.chars().count() as u64,
        _ => 0,
    });
    let length: u64 = length.sum();
    for citation in &choice.citations {
        assert!(citation.start <= citation.end && citation.end <= length);
        heard.urls.push(citation.url.to_string());
    }
    for part in &choice.parts {
        match part {
            Part::Text { text, .. } => heard.text.push_str(text),
            Part::Reasoning(piece) if piece.kind == ReasoningKind::Encrypted => {
                heard.encrypted.push(piece.signature.as_deref().unwrap().to_owned());
            }
            Part::Reasoning(piece) => {
                heard.reasoning.push_str(&piece.text);
                heard.signatures.extend(piece.signature.as_deref().map(str::to_owned));
            }
            Part::ToolCall(call) => {
                let input = serde_json::from_str(&call.arguments).unwrap();
                heard.calls.push((call.id.to_string(), call.name.to_string(), input));
            }
            Part::Refusal { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    heard
}
