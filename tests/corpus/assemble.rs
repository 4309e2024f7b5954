//! Puts a stream together to the whole answer it tells, as the format's own clients do.
//!
//! The result has the shape of the format's whole answer and is read by the same reader.

use crate::json::Json;
use crate::{assemble_chat, assemble_generate, frames, sse};
use arouter::formats::ApiFormat;

/// A stream put together.
#[derive(Debug, Clone, Default)]
pub struct Assembled {
    pub whole: Option<Json>,
    /// The format's end was seen.
    pub ended: bool,
}

/// Reads a stream of server-sent events, or of Amazon's frames.
pub fn assemble(format: ApiFormat, stream: &[u8]) -> Result<Assembled, String> {
    if stream.first() == Some(&0) {
        return match format {
            ApiFormat::Bedrock => Ok(converse(&frames::messages(stream)?)),
            _ => messages(&frames::invoked(stream)?),
        };
    }
    let text = std::str::from_utf8(stream).map_err(|error| error.to_string())?;
    if let Some(Json::List(elements)) = Json::parse(text) {
        return assemble_generate::assemble(&elements);
    }
    let mut events = Vec::new();
    let mut done = false;
    for event in sse::events(text) {
        if event.data.trim() == "[DONE]" {
            done = true;
            continue;
        }
        let data = Json::parse(&event.data);
        events.push(data.ok_or_else(|| format!("an event is no JSON: {}", event.data))?);
    }
    match format {
        ApiFormat::OpenAiChat | ApiFormat::Completions => {
            let mut assembled = assemble_chat::assemble(&events)?;
            assembled.ended |= done;
            Ok(assembled)
        }
        ApiFormat::OpenAiResponses => Ok(responses(&events)),
        ApiFormat::Anthropic => messages(&events),
        ApiFormat::Gemini => assemble_generate::assemble(&events),
        ApiFormat::Bedrock => Err("no frames".to_owned()),
    }
}

/// Takes over the members of `later` that have a value.
pub fn merge(into: &mut Json, later: &Json) {
    for (key, value) in later.members() {
        if value.is_object() {
            merge(into.slot(key), value);
        } else if !value.is_null() {
            into.set(key, value.clone());
        }
    }
}

pub fn place(index: &Json) -> Option<usize> {
    usize::try_from(index.int()?).ok()
}

fn messages(events: &[Json]) -> Result<Assembled, String> {
    let mut whole = Json::Null;
    let mut ended = false;
    for event in events {
        let at = place(&event["index"]);
        match event["type"].text() {
            "message_start" => whole = event["message"].clone(),
            "content_block_start" => {
                let at = at.ok_or("a block without index")?;
                *whole.element("content", at) = event["content_block"].clone();
            }
            "content_block_delta" => {
                let at = at.ok_or("a delta without index")?;
                delta(whole.element("content", at), &event["delta"]);
            }
            "message_delta" => {
                merge(&mut whole, &event["delta"]);
                merge(whole.slot("usage"), &event["usage"]);
            }
            "message_stop" => ended = true,
            "error" => whole.set("error", event["error"].clone()),
            _ => {}
        }
    }
    Ok(Assembled { whole: whole.is_object().then_some(whole), ended })
}

fn delta(block: &mut Json, delta: &Json) {
    match delta["type"].text() {
        "text_delta" => block.append("text", delta["text"].text()),
        "thinking_delta" => block.append("thinking", delta["thinking"].text()),
        "signature_delta" => block.append("signature", delta["signature"].text()),
        "citations_delta" => block.push("citations", delta["citation"].clone()),
        "input_json_delta" if !delta["partial_json"].text().is_empty() => {
            block.append("partial_input", delta["partial_json"].text());
        }
        _ => {}
    }
}

/// The last event carries the whole answer, but the items are taken as each was finished: they are
/// missing in the last event of some, and encrypted anew in that of others.
fn responses(events: &[Json]) -> Assembled {
    let mut whole = Json::Null;
    let mut items: Vec<(usize, Json)> = Vec::new();
    let mut ended = false;
    for event in events {
        match event["type"].text() {
            "response.created" | "response.in_progress" => whole = event["response"].clone(),
            "response.completed" | "response.incomplete" | "response.failed" | "response.done" => {
                whole = event["response"].clone();
                ended = true;
            }
            "response.output_item.done" => {
                let at = place(&event["output_index"]).unwrap_or(items.len());
                items.push((at, event["item"].clone()));
            }
            "error" => {
                let nested = &event["error"];
                let error = if nested.is_null() { event } else { nested };
                whole.set("error", error.clone());
            }
            _ => {}
        }
    }
    items.sort_by_key(|(at, _)| *at);
    if whole.is_object() && !items.is_empty() {
        whole.set("output", Json::List(items.into_iter().map(|(_, item)| item).collect()));
    }
    Assembled { whole: whole.is_object().then_some(whole), ended }
}

fn converse(events: &[(String, Json)]) -> Assembled {
    let mut whole = Json::Null;
    let mut ended = false;
    for (kind, event) in events {
        let at = place(&event["contentBlockIndex"]).unwrap_or(0);
        let message = whole.slot("output").slot("message");
        match kind.as_str() {
            "contentBlockStart" => merge(message.element("content", at), &event["start"]),
            "contentBlockDelta" => converse_delta(message.element("content", at), &event["delta"]),
            "messageStop" => {
                whole.set("stopReason", event["stopReason"].clone());
                ended = true;
            }
            "metadata" => merge(&mut whole, event),
            kind if kind.ends_with("Exception") => whole.set("error", event.clone()),
            _ => {}
        }
    }
    Assembled { whole: Some(whole), ended }
}

fn converse_delta(block: &mut Json, delta: &Json) {
    if let Some(text) = delta["text"].str() {
        block.append("text", text);
    }
    if let Some(input) = delta["toolUse"]["input"].str() {
        block.slot("toolUse").append("partial_input", input);
    }
    let reasoning = &delta["reasoningContent"];
    for key in ["text", "signature"] {
        if let Some(piece) = reasoning[key].str() {
            block.slot("reasoningContent").slot("reasoningText").append(key, piece);
        }
    }
    if let Some(data) = reasoning["redactedContent"].str() {
        block.slot("reasoningContent").append("redactedContent", data);
    }
}

#[test]
fn an_anthropic_stream_becomes_its_message() {
    let stream = r#"
data: {"type":"message_start","message":{"content":[],"usage":{"input_tokens":3,"output_tokens":1}}}

data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}

data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"i","name":"f","input":{}}}

data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}

data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"1}"}}

data: {"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9}}

data: {"type":"message_stop"}
"#;
    let assembled = assemble(ApiFormat::Anthropic, stream.as_bytes()).unwrap();
    assert!(assembled.ended);
    let read = crate::read_messages::answer(&assembled.whole.unwrap());
    assert_eq!(read.choices[0].signatures, ["s"]);
    assert_eq!(read.choices[0].calls[0].arguments.value.to_string(), r#"{"a":1}"#);
    assert_eq!((read.usage["prompt"], read.usage["completion"]), (3, 9));
}

#[test]
fn a_responses_stream_without_output_is_its_items() {
    let stream = r#"
data: {"type":"response.created","response":{"output":[]}}

data: {"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"a"}]}}

data: {"type":"response.completed","response":{"status":"completed","output":[]}}
"#;
    let assembled = assemble(ApiFormat::OpenAiResponses, stream.as_bytes()).unwrap();
    let read = crate::read_responses::answer(&assembled.whole.unwrap());
    assert_eq!(read.choices[0].text, "a");
}
