//! OpenAI's Responses API: reads and refuses like api.openai.com, words answers and streams.
//!
//! Used by `handle`. Field names and their order follow recorded answers.
//!
//! Invariant: every item of a stream is added, filled and done before the next one begins, and
//! `sequence_number` counts the events without a gap.

use serde_json::{Value, json};

use super::answer::{Answer, Tokens, random_id};
use super::prompt::{DeclaredTool, Prompt, Refusal};
use super::stream_plan::{Item, Kind};

const KNOWN_FIELDS: [&str; 26] = [
    "model",
    "input",
    "instructions",
    "stream",
    "stream_options",
    "store",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_tool_calls",
    "max_output_tokens",
    "temperature",
    "top_p",
    "top_logprobs",
    "reasoning",
    "text",
    "include",
    "metadata",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "service_tier",
    "truncation",
    "background",
    "previous_response_id",
    "prompt",
];

/// Reads a request the way the provider would.
pub(super) fn read(body: &Value) -> Result<Prompt, Refusal> {
    let unknown =
        body.as_object().into_iter().flatten().find(|(k, _)| !KNOWN_FIELDS.contains(&k.as_str()));
    if let Some((field, _)) = unknown {
        return Err(Refusal::param(field, format!("Unknown parameter: '{field}'.")));
    }
    let missing =
        |name: &str| Refusal::param(name, format!("Missing required parameter: '{name}'."));
    let model = body.get("model").and_then(Value::as_str).ok_or_else(|| missing("model"))?;
    let input = body.get("input").ok_or_else(|| missing("input"))?;
    let mut prompt = Prompt {
        model: model.to_owned(),
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
        ..Prompt::default()
    };
    prompt.add_content(body.get("instructions").unwrap_or(&Value::Null));
    match input {
        Value::String(_) => prompt.add_user_message(input),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                read_item(&mut prompt, at, item)?;
            }
        }
        _ => return Err(Refusal::param("input", "Invalid type for 'input'.")),
    }
    let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
    prompt.tools = tools.filter_map(|tool| DeclaredTool::read(tool, &["parameters"])).collect();
    Ok(prompt)
}

fn read_item(prompt: &mut Prompt, at: usize, item: &Value) -> Result<(), Refusal> {
    let word = |name: &str| item.get(name).and_then(Value::as_str);
    let needs = |name: &str| {
        let param = format!("input[{at}].{name}");
        let text = format!("Missing required parameter: '{param}'.");
        word(name).map(|_| ()).ok_or_else(|| Refusal::param(&param, text))
    };
    prompt.ends_with_user = false;
    match word("type").unwrap_or("message") {
        "message" => {
            needs("role")?;
            let content = item.get("content").unwrap_or(&Value::Null);
            if word("role") == Some("user") {
                prompt.add_user_message(content);
            } else {
                prompt.add_content(content);
            }
        }
        "function_call" => {
            needs("call_id")?;
            needs("name")?;
            needs("arguments")?;
        }
        "function_call_output" | "custom_tool_call_output" => {
            needs("call_id")?;
            prompt.add_content(item.get("output").unwrap_or(&Value::Null));
        }
        "reasoning" | "custom_tool_call" => {}
        other => {
            let param = format!("input[{at}].type");
            return Err(Refusal::param(&param, format!("Invalid value: '{other}'.")));
        }
    }
    Ok(())
}

fn usage(tokens: Tokens) -> Value {
    json!({
        "input_tokens": tokens.prompt,
        "input_tokens_details": {"cached_tokens": tokens.cached},
        "output_tokens": tokens.completion,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.prompt + tokens.completion,
    })
}

fn envelope(answer: &Answer, status: &str, output: &[Value]) -> Value {
    let details = match answer.finish.as_deref() {
        Some("length") => json!({"reason": "max_output_tokens"}),
        Some("content_filter") => json!({"reason": "content_filter"}),
        _ => Value::Null,
    };
    let usage = answer.usage.filter(|_| status != "in_progress").map(usage);
    json!({
        "id": answer.id, "object": "response", "created_at": answer.created, "status": status,
        "background": false, "error": null, "incomplete_details": details, "instructions": null,
        "max_output_tokens": null, "model": answer.model, "output": output,
        "parallel_tool_calls": true, "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null}, "service_tier": "default", "store": false,
        "temperature": 1.0, "text": {"format": {"type": "text"}}, "tool_choice": "auto",
        "tools": [], "top_p": 1.0, "truncation": "disabled", "usage": usage, "user": null,
        "metadata": {},
    })
}

fn final_status(answer: &Answer) -> &'static str {
    match answer.finish.as_deref() {
        Some("length" | "content_filter") => "incomplete",
        _ => "completed",
    }
}

/// The items of the answer, finished.
fn output(answer: &Answer) -> Vec<Value> {
    let mut items = Vec::new();
    if let Some(text) = &answer.reasoning {
        items.push(json!({
            "id": random_id("rs_", 24), "type": "reasoning",
            "summary": [{"type": "summary_text", "text": text}],
            "encrypted_content": answer.signature.as_deref().unwrap_or("ZW5jcnlwdGVk"),
        }));
    }
    let mut content = Vec::new();
    if !answer.text.is_empty() {
        content.push(text_part(&answer.text));
    }
    if let Some(refusal) = &answer.refusal {
        content.push(json!({"type": "refusal", "refusal": refusal}));
    }
    if !content.is_empty() || answer.tools.is_empty() {
        items.push(json!({
            "id": random_id("msg_", 24), "type": "message", "status": "completed",
            "role": "assistant", "content": content,
        }));
    }
    items.extend(answer.tools.iter().map(|tool| {
        json!({
            "id": random_id("fc_", 24), "type": "function_call", "status": "completed",
            "arguments": tool.arguments, "call_id": tool.id, "name": tool.name,
        })
    }));
    items
}

fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text})
}

/// The answer as one JSON document.
pub(super) fn whole(answer: &Answer) -> Vec<u8> {
    let body = envelope(answer, final_status(answer), &output(answer));
    serde_json::to_vec(&body).unwrap_or_default()
}

/// Collects the events and counts them.
struct Events(Vec<Item>);

impl Events {
    fn push(&mut self, kind: Kind, event: &'static str, mut data: Value) {
        if let Some(members) = data.as_object_mut() {
            members.insert("type".to_owned(), event.into());
            members.insert("sequence_number".to_owned(), self.0.len().into());
        }
        self.0.push(Item { kind, event: Some(event), data: data.to_string() });
    }
}

/// The answer as the events of a stream.
pub(super) fn stream(answer: &Answer) -> Vec<Item> {
    let mut events = Events(Vec::new());
    let opening = json!({"response": envelope(answer, "in_progress", &[])});
    events.push(Kind::Start, "response.created", opening.clone());
    events.push(Kind::Start, "response.in_progress", opening);
    let output = output(answer);
    for (at, item) in output.iter().enumerate() {
        let opened = json!({"output_index": at, "item": emptied(item)});
        events.push(Kind::Glue, "response.output_item.added", opened);
        fill(&mut events, answer, at, item);
        let done = json!({"output_index": at, "item": item});
        events.push(Kind::Glue, "response.output_item.done", done);
    }
    let status = final_status(answer);
    let event = if status == "completed" { "response.completed" } else { "response.incomplete" };
    events.push(Kind::Done, event, json!({"response": envelope(answer, status, &output)}));
    events.0
}

/// An item as it is before it is filled.
fn emptied(item: &Value) -> Value {
    let mut item = item.clone();
    let empty = [
        ("content", json!([])),
        ("summary", json!([])),
        ("arguments", json!("")),
        ("status", json!("in_progress")),
    ];
    for (member, value) in empty {
        if let Some(place) = item.get_mut(member) {
            *place = value;
        }
    }
    item
}

/// An error inside a stream, from the body it would have as an answer.
pub(super) fn error_event(body: &Value) -> Value {
    let word = |name: &str| body.pointer(&format!("/error/{name}")).cloned().unwrap_or_default();
    json!({
        "type": "error", "sequence_number": 0, "code": word("code"), "message": word("message"),
        "param": word("param"),
    })
}

fn fill(events: &mut Events, answer: &Answer, at: usize, item: &Value) {
    let id = item.get("id").cloned().unwrap_or_default();
    match item.get("type").and_then(Value::as_str) {
        Some("reasoning") => summary(events, answer, (at, &id)),
        Some("message") => message(events, answer, (at, &id)),
        _ => {
            let call = item.get("call_id").and_then(Value::as_str);
            let Some(tool) = answer.tools.iter().find(|tool| Some(tool.id.as_str()) == call) else {
                return;
            };
            for delta in answer.argument_pieces(tool) {
                let data = json!({"item_id": id, "output_index": at, "delta": delta});
                events.push(Kind::Content, "response.function_call_arguments.delta", data);
            }
            let data = json!({"item_id": id, "output_index": at, "name": tool.name, "arguments": tool.arguments});
            events.push(Kind::Glue, "response.function_call_arguments.done", data);
        }
    }
}

fn summary(events: &mut Events, answer: &Answer, (at, id): (usize, &Value)) {
    let place =
        |rest: Value| merged(json!({"item_id": id, "output_index": at, "summary_index": 0}), rest);
    let empty = json!({"part": {"type": "summary_text", "text": ""}});
    events.push(Kind::Glue, "response.reasoning_summary_part.added", place(empty));
    for piece in answer.reasoning_pieces() {
        let data = place(json!({"delta": piece}));
        events.push(Kind::Content, "response.reasoning_summary_text.delta", data);
    }
    let text = answer.reasoning.as_deref().unwrap_or_default();
    let done = place(json!({"text": text}));
    events.push(Kind::Glue, "response.reasoning_summary_text.done", done);
    let part = place(json!({"part": {"type": "summary_text", "text": text}}));
    events.push(Kind::Glue, "response.reasoning_summary_part.done", part);
}

fn message(events: &mut Events, answer: &Answer, (at, id): (usize, &Value)) {
    let mut index = 0;
    if !answer.text.is_empty() {
        let place = |rest: Value| {
            merged(json!({"item_id": id, "output_index": at, "content_index": index}), rest)
        };
        let part = place(json!({"part": text_part("")}));
        events.push(Kind::Glue, "response.content_part.added", part);
        for piece in &answer.text_pieces {
            let data = place(json!({"delta": piece, "logprobs": []}));
            events.push(Kind::Content, "response.output_text.delta", data);
        }
        let done = place(json!({"text": answer.text, "logprobs": []}));
        events.push(Kind::Glue, "response.output_text.done", done);
        let part = place(json!({"part": text_part(&answer.text)}));
        events.push(Kind::Glue, "response.content_part.done", part);
        index += 1;
    }
    let Some(refusal) = &answer.refusal else { return };
    let place = |rest: Value| {
        merged(json!({"item_id": id, "output_index": at, "content_index": index}), rest)
    };
    let part = |text: &str| place(json!({"part": {"type": "refusal", "refusal": text}}));
    events.push(Kind::Glue, "response.content_part.added", part(""));
    events.push(Kind::Content, "response.refusal.delta", place(json!({"delta": refusal})));
    events.push(Kind::Glue, "response.refusal.done", place(json!({"refusal": refusal})));
    events.push(Kind::Glue, "response.content_part.done", part(refusal));
}

fn merged(mut place: Value, rest: Value) -> Value {
    if let (Some(members), Value::Object(more)) = (place.as_object_mut(), rest) {
        members.extend(more);
    }
    place
}
