//! Reads a stream of OpenAI's Responses format as its clients do: numbered events that build up
//! items, and one last event that repeats them.

use super::client_stream::{End, Named};
use super::said::Said;
use serde_json::Value;
use std::collections::BTreeMap;

/// An output item while its events come.
#[derive(Debug, Default)]
struct Item {
    kind: String,
    done: bool,
    text: String,
    refusal: String,
    name: String,
    arguments: String,
}

/// Checks the stream and gives what it says.
pub(super) fn read(events: &[Named], end: End) -> Said {
    let mut items: BTreeMap<u64, Item> = BTreeMap::new();
    let mut terminal: Option<&Value> = None;
    let mut number = 0;
    for (name, event) in events {
        if event.is_null() {
            assert!(terminal.is_some(), "an end mark before the end");
            continue;
        }
        let kind = event["type"].as_str().expect("no type");
        assert_eq!(name.as_deref(), Some(kind), "{event}");
        // An error may be told as an event of its own and as the failure of the answer.
        let told =
            terminal.is_some_and(|last| last["type"] == "error" && kind == "response.failed");
        assert!(terminal.is_none() || told, "{event} after the end");
        assert_eq!(event["sequence_number"], number, "{event}");
        number += 1;
        match kind {
            "response.completed" | "response.incomplete" | "response.failed" | "error" => {
                terminal = Some(event);
            }
            _ => one_event(kind, event, &mut items),
        }
    }
    let terminal = terminal.expect("no last event");
    let failed = matches!(terminal["type"].as_str(), Some("response.failed" | "error"));
    // An answer that its provider broke off is told as a failed one, though its stream is whole.
    let broken_off = terminal["type"] == "response.failed" && end == End::Whole;
    assert!(failed == (end == End::Failed) || broken_off, "{terminal}");
    let mut said = Said::default();
    for item in items.values() {
        said.text += &item.text;
        said.refusal += &item.refusal;
        if item.kind == "function_call" || item.kind == "custom_tool_call" {
            said.calls.push((item.name.clone(), item.arguments.clone()));
        }
    }
    if end == End::Whole {
        assert_eq!(events[0].1["type"], "response.created");
        assert!(items.values().all(|item| item.done), "an item has no end");
        repeated(&terminal["response"], &items, &said);
    }
    said
}

fn one_event(kind: &str, event: &Value, items: &mut BTreeMap<u64, Item>) {
    let Some(index) = event["output_index"].as_u64() else {
        assert!(["response.created", "response.in_progress", "response.queued"].contains(&kind));
        return;
    };
    let text = |member: &str| event[member].as_str().unwrap_or_default();
    if kind == "response.output_item.added" {
        assert_eq!(index, items.len() as u64, "items are not counted up");
        let item = &event["item"];
        let kind = item["type"].as_str().expect("an item without type").to_owned();
        let name = item["name"].as_str().unwrap_or_default().to_owned();
        items.insert(index, Item { kind, name, ..Item::default() });
        return;
    }
    let item = items.get_mut(&index).unwrap_or_else(|| panic!("{event} before its item"));
    // Sources may be told after the text they stand on.
    let late = kind == "response.output_text.annotation.added";
    assert!(late || !item.done, "{event} after the end of its item");
    match kind {
        "response.output_text.delta" => item.text += text("delta"),
        "response.refusal.delta" => item.refusal += text("delta"),
        "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
            item.arguments += text("delta");
        }
        "response.function_call_arguments.done" => {
            let whole = text("arguments");
            assert!(item.arguments.is_empty() || item.arguments == whole, "{event}");
            whole.clone_into(&mut item.arguments);
        }
        "response.output_item.done" => item.done = true,
        _ => {}
    }
}

/// The last event holds the items once more.
fn repeated(response: &Value, items: &BTreeMap<u64, Item>, said: &Said) {
    let output = response["output"].as_array().expect("no output");
    let kinds: Vec<&str> = output.iter().filter_map(|item| item["type"].as_str()).collect();
    let streamed: Vec<&str> = items.values().map(|item| item.kind.as_str()).collect();
    assert_eq!(kinds, streamed, "the items of the last event are others");
    let contents = output.iter().filter(|item| item["type"] == "message");
    let parts = contents.flat_map(|item| item["content"].as_array().into_iter().flatten());
    let text: String = parts.filter_map(|part| part["text"].as_str()).collect();
    assert_eq!(text, said.text, "the text of the last event is another");
}
