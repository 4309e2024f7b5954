//! Reads a stream as the official clients do: every event changes a snapshot of the answer, and the
//! last one must agree with it. For tests.

use serde_json::{Value, json};

/// Checks a client's whole stream and gives the answer of its last event.
pub(in crate::formats) fn accumulate(id: &str, sent: &str) -> Value {
    let mut items: Vec<Value> = Vec::new();
    let mut done: Vec<bool> = Vec::new();
    let mut last = Value::Null;
    for (at, frame) in sent.split_terminator("\n\n").enumerate() {
        let (name, data) = frame.split_once('\n').unwrap_or_else(|| panic!("{id}: {frame}"));
        let event: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        let kind = event["type"].as_str().unwrap().to_owned();
        assert_eq!(name.strip_prefix("event: "), Some(kind.as_str()), "{id}");
        assert_eq!(event["sequence_number"], at, "{id}");
        assert!(last.is_null(), "{id}: {kind} after the end");
        match kind.as_str() {
            "response.created" => assert_eq!(at, 0, "{id}"),
            "response.in_progress" => assert_eq!(at, 1, "{id}"),
            "response.completed" | "response.incomplete" | "response.failed" => {
                assert_eq!(
                    event["response"]["status"],
                    *kind.strip_prefix("response.").unwrap(),
                    "{id}"
                );
                last = event["response"].clone();
            }
            "response.output_item.added" => {
                assert_eq!(event["output_index"], items.len(), "{id}: {kind}");
                items.push(event["item"].clone());
                done.push(false);
            }
            _ => {
                let index = usize::try_from(event["output_index"].as_u64().unwrap()).unwrap();
                // Sources may be told after the text they stand on.
                let late = kind == "response.output_text.annotation.added";
                assert!(late || !done[index], "{id}: {kind} after the item's end");
                if kind == "response.output_item.done" {
                    done[index] = true;
                    let mut snapshot = items[index].clone();
                    settle(&mut snapshot, &event["item"]);
                    assert_eq!(snapshot, event["item"], "{id}");
                    items[index] = event["item"].clone();
                } else {
                    assert_eq!(event["item_id"], items[index]["id"], "{id}: {kind}");
                    change(id, &mut items[index], &kind, &event);
                }
            }
        }
    }
    assert!(done.iter().all(|done| *done), "{id}: an item is still open");
    assert_eq!(last["output"], Value::Array(items), "{id}");
    last
}

/// What only the finished item knows.
fn settle(snapshot: &mut Value, item: &Value) {
    for key in ["status", "encrypted_content", "result"] {
        if let Some(value) = item.get(key) {
            snapshot[key] = value.clone();
        }
    }
}

/// The part an event belongs to.
fn part<'v>(item: &'v mut Value, event: &Value) -> &'v mut Value {
    let (list, index) = match event.get("summary_index") {
        Some(index) => ("summary", index),
        None => ("content", &event["content_index"]),
    };
    &mut item[list][usize::try_from(index.as_u64().unwrap()).unwrap()]
}

fn append(slot: &mut Value, event: &Value) {
    let joined = slot.as_str().unwrap().to_owned() + event["delta"].as_str().unwrap();
    *slot = json!(joined);
}

fn change(id: &str, item: &mut Value, kind: &str, event: &Value) {
    match kind {
        "response.content_part.added" | "response.reasoning_summary_part.added" => {
            let summary = event.get("summary_index");
            let list = if summary.is_some() { "summary" } else { "content" };
            if item.get(list).is_none() {
                item[list] = json!([]);
            }
            let parts = item[list].as_array_mut().unwrap();
            assert_eq!(*summary.unwrap_or(&event["content_index"]), parts.len(), "{id}");
            parts.push(event["part"].clone());
        }
        "response.output_text.delta"
        | "response.reasoning_text.delta"
        | "response.reasoning_summary_text.delta" => append(&mut part(item, event)["text"], event),
        "response.refusal.delta" => append(&mut part(item, event)["refusal"], event),
        "response.function_call_arguments.delta" => append(&mut item["arguments"], event),
        "response.custom_tool_call_input.delta" => append(&mut item["input"], event),
        "response.output_text.annotation.added" => {
            let notes = part(item, event)["annotations"].as_array_mut().unwrap();
            assert_eq!(event["annotation_index"], notes.len(), "{id}");
            notes.push(event["annotation"].clone());
        }
        "response.output_text.done" => {
            let part = part(item, event);
            assert_eq!(part["text"], event["text"], "{id}");
            part["logprobs"] = event["logprobs"].clone();
        }
        "response.reasoning_text.done" | "response.reasoning_summary_text.done" => {
            assert_eq!(part(item, event)["text"], event["text"], "{id}");
        }
        "response.refusal.done" => {
            assert_eq!(part(item, event)["refusal"], event["refusal"], "{id}");
        }
        "response.content_part.done" | "response.reasoning_summary_part.done" => {
            assert_eq!(*part(item, event), event["part"], "{id}");
        }
        "response.function_call_arguments.done" => {
            assert_eq!(item["arguments"], event["arguments"], "{id}");
        }
        "response.custom_tool_call_input.done" => {
            assert_eq!(item["input"], event["input"], "{id}");
        }
        other => panic!("{id}: unexpected {other}"),
    }
}
