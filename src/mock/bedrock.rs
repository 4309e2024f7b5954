//! Amazon Bedrock's Converse: reads and refuses like bedrock-runtime, words answers and streams.
//!
//! Used by `handle`. Field names and their order follow recorded answers; [`frame`] also carries
//! the events of other makers' models, which `reply_writer` wraps.
//!
//! Invariant: every frame has both checksums, and every block of a stream is closed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{Answer, Tokens};
use super::prompt::{DeclaredTool, Prompt, Refusal};
use super::stream_plan::{Item, Kind};

const KNOWN_FIELDS: [&str; 12] = [
    "messages",
    "system",
    "inferenceConfig",
    "toolConfig",
    "guardrailConfig",
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "promptVariables",
    "requestMetadata",
    "performanceConfig",
    "serviceTier",
    "outputConfig",
];

/// Reads a request the way the provider would.
pub(super) fn read(body: &Value, model: &str) -> Result<Prompt, Refusal> {
    let unknown =
        body.as_object().into_iter().flatten().find(|(k, _)| !KNOWN_FIELDS.contains(&k.as_str()));
    if let Some((field, _)) = unknown {
        let text = format!("Malformed input request: extraneous key [{field}] is not permitted");
        return Err(Refusal::new(text));
    }
    let messages = body.get("messages").and_then(Value::as_array).map(Vec::as_slice);
    let Some(messages @ [_, ..]) = messages else {
        return Err(Refusal::new("The messages field is required and cannot be empty."));
    };
    let mut prompt = Prompt { model: model.to_owned(), ..Prompt::default() };
    prompt.add_content(body.get("system").unwrap_or(&Value::Null));
    for message in messages {
        read_message(&mut prompt, message)?;
    }
    let tools = body.pointer("/toolConfig/tools").and_then(Value::as_array).into_iter().flatten();
    prompt.tools = tools.filter_map(declared).collect();
    Ok(prompt)
}

fn read_message(prompt: &mut Prompt, message: &Value) -> Result<(), Refusal> {
    let Some(content) = message.get("content").filter(|content| content.is_array()) else {
        return Err(Refusal::new("The content field is required and must be a list of blocks."));
    };
    let blocks = content.as_array().map(Vec::as_slice).unwrap_or_default();
    let results: Vec<&Value> = blocks.iter().filter_map(|block| block.get("toolResult")).collect();
    prompt.ends_with_user = false;
    match message.get("role").and_then(Value::as_str) {
        Some("user") if results.is_empty() => prompt.add_user_message(content),
        Some("user") => {
            results.iter().filter_map(|r| r.get("content")).for_each(|c| prompt.add_content(c));
        }
        Some("assistant") => prompt.add_content(content),
        _ => return Err(Refusal::new("The role must be user or assistant.")),
    }
    Ok(())
}

fn declared(tool: &Value) -> Option<DeclaredTool> {
    let spec = tool.get("toolSpec")?;
    let name = spec.get("name")?.as_str()?.to_owned();
    let schema = spec.pointer("/inputSchema/json").cloned().unwrap_or_default();
    Some(DeclaredTool { name, schema })
}

fn usage(tokens: Tokens) -> Value {
    let written = tokens.cache_write_5m + tokens.cache_write_1h;
    json!({
        "inputTokens": tokens.prompt.saturating_sub(tokens.cached + written),
        "outputTokens": tokens.completion,
        "totalTokens": tokens.prompt + tokens.completion,
        "cacheReadInputTokens": tokens.cached,
        "cacheWriteInputTokens": written,
    })
}

fn stop_reason(answer: &Answer) -> &str {
    let usual = match (answer.tools.is_empty(), answer.refusal.is_some()) {
        (_, true) => "guardrail_intervened",
        (false, _) => "tool_use",
        (true, _) => "end_turn",
    };
    answer.finish.as_deref().unwrap_or(usual)
}

/// The answer as one JSON document.
pub(super) fn whole(answer: &Answer) -> Vec<u8> {
    let mut content = Vec::new();
    if let Some(text) = &answer.reasoning {
        let signature = answer.signature.as_deref().unwrap_or_default();
        let reasoning = json!({"text": text, "signature": signature});
        content.push(json!({"reasoningContent": {"reasoningText": reasoning}}));
    }
    let texts = [Some(&answer.text), answer.refusal.as_ref()];
    let texts = texts.into_iter().flatten().filter(|text| !text.is_empty());
    content.extend(texts.map(|text| json!({"text": text})));
    content.extend(answer.tools.iter().map(
        |tool| json!({"toolUse": {"toolUseId": tool.id, "name": tool.name, "input": tool.input}}),
    ));
    let mut body = json!({
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop_reason(answer),
        "metrics": {"latencyMs": 1},
    });
    if let (Some(tokens), Some(map)) = (answer.usage, body.as_object_mut()) {
        map.insert("usage".to_owned(), usage(tokens));
    }
    body.to_string().into_bytes()
}

/// The answer as the events of a stream.
pub(super) fn stream(answer: &Answer) -> Vec<Item> {
    let mut items = vec![item(Kind::Start, "messageStart", &json!({"role": "assistant"}))];
    let mut index = 0;
    let mut block = |start: Option<Value>, deltas: Vec<Value>| {
        if let Some(start) = start {
            let data = json!({"contentBlockIndex": index, "start": start});
            items.push(item(Kind::Glue, "contentBlockStart", &data));
        }
        for delta in deltas {
            let data = json!({"contentBlockIndex": index, "delta": delta});
            items.push(item(Kind::Content, "contentBlockDelta", &data));
        }
        items.push(item(Kind::Glue, "contentBlockStop", &json!({"contentBlockIndex": index})));
        index += 1;
    };
    let thoughts = answer.reasoning_pieces();
    if !thoughts.is_empty() {
        let thought = |text| json!({"reasoningContent": {"text": text}});
        let mut deltas: Vec<_> = thoughts.iter().map(thought).collect();
        deltas
            .extend(answer.signature.iter().map(|s| json!({"reasoningContent": {"signature": s}})));
        block(None, deltas);
    }
    let texts: Vec<_> = answer.text_pieces.iter().chain(&answer.refusal).collect();
    if !texts.is_empty() {
        block(None, texts.iter().map(|text| json!({"text": text})).collect());
    }
    for tool in &answer.tools {
        let start = json!({"toolUse": {"toolUseId": tool.id, "name": tool.name}});
        let pieces = answer.argument_pieces(tool).into_iter();
        block(Some(start), pieces.map(|piece| json!({"toolUse": {"input": piece}})).collect());
    }
    items.push(item(Kind::Finish, "messageStop", &json!({"stopReason": stop_reason(answer)})));
    let mut metadata = json!({"metrics": {"latencyMs": 1}});
    if let (Some(tokens), Some(map)) = (answer.usage, metadata.as_object_mut()) {
        map.insert("usage".to_owned(), usage(tokens));
    }
    items.push(item(Kind::Done, "metadata", &metadata));
    items
}

fn item(kind: Kind, event: &'static str, data: &Value) -> Item {
    Item { kind, event: Some(event), data: data.to_string() }
}

/// An event of another maker's model, as invoke streams it.
pub(super) fn wrapped(item: &Item) -> Item {
    let data = json!({"bytes": STANDARD.encode(&item.data)}).to_string();
    Item { kind: item.kind, event: Some("chunk"), data }
}

/// An item as one binary frame; names that end in `Exception` are errors.
pub(super) fn frame(item: &Item) -> Bytes {
    let name = item.event.unwrap_or("chunk");
    let kind = if name.ends_with("Exception") { "exception" } else { "event" };
    let mut headers = Vec::new();
    for (header, value) in [
        (format!(":{kind}-type"), name),
        (":content-type".to_owned(), "application/json"),
        (":message-type".to_owned(), kind),
    ] {
        headers.push(u8::try_from(header.len()).unwrap_or_default());
        headers.extend_from_slice(header.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap_or_default().to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or_default().to_be_bytes();
    let mut frame = Vec::with_capacity(headers.len() + item.data.len() + 16);
    frame.extend_from_slice(&length(headers.len() + item.data.len() + 16));
    frame.extend_from_slice(&length(headers.len()));
    frame.extend_from_slice(&crc32(&frame).to_be_bytes());
    frame.extend_from_slice(&headers);
    frame.extend_from_slice(item.data.as_bytes());
    frame.extend_from_slice(&crc32(&frame).to_be_bytes());
    Bytes::from(frame)
}

/// The checksum of gzip and PNG, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
