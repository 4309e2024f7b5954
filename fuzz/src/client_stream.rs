//! Reads a stream as a strict client of its format does, and panics at what such a client would
//! not accept: the order of events, their members, and the end.

use super::said::Said;
use arouter::formats::{ApiFormat, Framing};
use arouter::sse::{self, Frames};
use bytes::Bytes;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    Failed,
}

/// Checks the client's stream and gives what it says.
pub(super) fn read(client: ApiFormat, framing: Framing, sent: &[u8], end: End) -> Said {
    let events = match framing {
        Framing::JsonArray => elements(sent),
        _ => events(sent),
    };
    match client {
        ApiFormat::OpenAiChat | ApiFormat::Completions => openai(client, &events, end),
        ApiFormat::Anthropic => anthropic(&events, end),
        ApiFormat::Gemini => gemini(&events, end),
        ApiFormat::OpenAiResponses => super::responses_stream::read(&events, end),
        ApiFormat::Bedrock => panic!("no client speaks this"),
    }
}

/// An event: its name and its data; `[DONE]` is null.
pub(super) type Named = (Option<String>, Value);

fn events(sent: &[u8]) -> Vec<Named> {
    let mut frames = Frames::new();
    frames.push(Bytes::copy_from_slice(sent));
    let mut found = Vec::new();
    while let Some(frame) = frames.next().unwrap() {
        let Some(event) = sse::parse(&frame) else { continue };
        let data = match &*event.data {
            b"[DONE]" => Value::Null,
            data => serde_json::from_slice(data)
                .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(data))),
        };
        found.push((event.name.map(std::borrow::Cow::into_owned), data));
    }
    assert_eq!(frames.finish(), None, "the last event is not complete");
    found
}

fn elements(sent: &[u8]) -> Vec<Named> {
    let array: Vec<Value> = serde_json::from_slice(sent)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(sent)));
    array.into_iter().map(|element| (None, element)).collect()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Chunks of chat and of legacy completions.
fn openai(client: ApiFormat, events: &[Named], end: End) -> Said {
    let (last, chunks) = events.split_last().expect("an empty stream");
    assert!(last.1.is_null(), "the end mark is missing");
    let mut said = Said::default();
    let mut finished = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut failed = false;
    let is_chat = client == ApiFormat::OpenAiChat;
    let object = if is_chat { "chat.completion.chunk" } else { "text_completion" };
    for (at, (name, chunk)) in chunks.iter().enumerate() {
        assert!(name.is_none() && !failed, "{chunk}");
        assert_eq!(chunk["object"], object);
        assert!(chunk["id"].is_string() && chunk["model"].is_string(), "{chunk}");
        let choices = chunk["choices"].as_array().expect("no choices");
        if chunk.get("error").is_some() {
            failed = true;
            continue;
        }
        if choices.is_empty() {
            assert!(chunk["usage"].is_object() && at + 1 == chunks.len(), "{chunk}");
        }
        for choice in choices {
            let index = choice["index"].as_u64().expect("no index");
            assert!(!finished.contains(&index), "choice {index} goes on after its finish");
            seen.insert(index);
            let mut heard = Said::default();
            let part = if is_chat {
                delta(&choice["delta"], index, &mut said, &mut heard)
            } else {
                heard.text += choice["text"].as_str().expect("no text");
                true
            };
            assert!(part, "{choice}");
            if index == 0 {
                said.text += &heard.text;
                said.refusal += &heard.refusal;
            }
            if choice["finish_reason"].is_string() {
                finished.insert(index);
            }
        }
    }
    assert_eq!(failed, end == End::Failed);
    if end == End::Whole {
        assert_eq!(seen, finished, "a choice has no finish");
    }
    said
}

/// A delta of a chat chunk; calls of the first alternative are gathered.
fn delta(delta: &Value, index: u64, said: &mut Said, heard: &mut Said) -> bool {
    heard.text += word(&delta["content"]);
    heard.refusal += word(&delta["refusal"]);
    for call in delta["tool_calls"].as_array().into_iter().flatten().filter(|_| index == 0) {
        let at = usize::try_from(call["index"].as_u64().expect("no index")).unwrap();
        let function = if call["custom"].is_object() { &call["custom"] } else { &call["function"] };
        if let Some(name) = function["name"].as_str() {
            assert!(call["id"].is_string(), "{call}");
            assert_eq!(at, said.calls.len(), "calls are not counted up");
            said.calls.push((name.to_owned(), String::new()));
        }
        let Some(known) = said.calls.get_mut(at) else { return false };
        known.1 += word(&function["arguments"]);
        known.1 += word(&function["input"]);
    }
    delta.is_object()
}

/// Anthropic's named events and blocks.
fn anthropic(events: &[Named], end: End) -> Said {
    let mut said = Said::default();
    let mut open: Option<(u64, String)> = None;
    let mut blocks = 0;
    let mut order = Vec::new();
    for (name, event) in events {
        let kind = word(&event["type"]);
        assert_eq!(name.as_deref(), Some(kind), "{event}");
        order.push(kind);
        match kind {
            "content_block_start" => {
                let index = event["index"].as_u64().expect("no index");
                assert!(open.is_none() && index == blocks, "{event}");
                blocks += 1;
                let block = &event["content_block"];
                open = Some((index, word(&block["type"]).to_owned()));
                said.text += word(&block["text"]);
                if block["type"] == "tool_use" {
                    assert!(block["id"].is_string() && block["input"].is_object(), "{event}");
                    said.calls.push((word(&block["name"]).to_owned(), String::new()));
                }
            }
            "content_block_delta" => {
                let (index, block) = open.as_ref().expect("a delta outside of a block");
                assert_eq!(event["index"], *index, "{event}");
                anthropic_delta(block, &event["delta"], &mut said);
            }
            "content_block_stop" => {
                let (index, _) = open.take().expect("no block to stop");
                assert_eq!(event["index"], index, "{event}");
            }
            "message_delta" => {
                assert!(open.is_none(), "a block is open at the end");
                if said.text.is_empty() {
                    said.refusal += word(&event["delta"]["stop_details"]["explanation"]);
                }
            }
            _ => {}
        }
    }
    anthropic_order(&order, end);
    for (_, arguments) in said.calls.iter_mut().filter(|(_, arguments)| arguments.is_empty()) {
        arguments.push_str("{}");
    }
    said
}

fn anthropic_delta(block: &str, delta: &Value, said: &mut Said) {
    let kind = word(&delta["type"]);
    let fits = match block {
        "text" => ["text_delta", "citations_delta"].contains(&kind),
        "thinking" => ["thinking_delta", "signature_delta"].contains(&kind),
        "tool_use" => kind == "input_json_delta",
        _ => false,
    };
    assert!(fits, "{delta} in a block of {block}");
    said.text += word(&delta["text"]);
    if let Some((_, arguments)) = said.calls.last_mut().filter(|_| block == "tool_use") {
        *arguments += word(&delta["partial_json"]);
    }
}

fn anthropic_order(order: &[&str], end: End) {
    let count = |kind: &str| order.iter().filter(|&&found| found == kind).count();
    match end {
        End::Failed => {
            assert_eq!((order.last(), count("error")), (Some(&"error"), 1), "{order:?}");
            assert!(count("message_stop") == 0, "{order:?}");
        }
        End::Whole => {
            assert_eq!(order.first(), Some(&"message_start"), "{order:?}");
            assert_eq!(order.last(), Some(&"message_stop"), "{order:?}");
            for once in ["message_start", "message_delta", "message_stop"] {
                assert_eq!(count(once), 1, "{once}: {order:?}");
            }
            let closing = order.iter().position(|&kind| kind == "message_delta").unwrap();
            assert!(order[closing..].iter().all(|kind| !kind.starts_with("content")), "{order:?}");
        }
    }
}

/// Gemini's pieces of an answer.
fn gemini(events: &[Named], end: End) -> Said {
    let mut said = Said::default();
    let mut finishes: BTreeMap<u64, usize> = BTreeMap::new();
    for (at, (name, event)) in events.iter().enumerate() {
        assert!(name.is_none() && event.is_object(), "{event}");
        if event.get("error").is_some() {
            assert!(end == End::Failed && at + 1 == events.len(), "{event}");
            return said;
        }
        for candidate in event["candidates"].as_array().into_iter().flatten() {
            let index = candidate["index"].as_u64().unwrap_or_default();
            *finishes.entry(index).or_default() +=
                usize::from(candidate["finishReason"].is_string());
            let parts = candidate["content"]["parts"].as_array();
            for part in parts.into_iter().flatten().filter(|_| index == 0) {
                assert!(part.as_object().is_some_and(|part| !part.is_empty()), "{event}");
                if part["thought"] != true {
                    said.text += word(&part["text"]);
                }
                if let Some(call) = part.get("functionCall") {
                    let arguments = call["args"].to_string();
                    said.calls.push((word(&call["name"]).to_owned(), arguments));
                }
            }
        }
    }
    assert_eq!(end, End::Whole, "the error is missing");
    assert!(!events.is_empty(), "an empty stream");
    assert!(finishes.values().all(|&count| count == 1), "{finishes:?}");
    said
}
