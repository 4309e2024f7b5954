//! Anthropic Messages: reads and refuses like api.anthropic.com, words answers and streams.
//!
//! Used by `handle`. Field names and their order follow recorded answers.
//!
//! Invariant: blocks of a stream never interleave and every block is closed.

use serde::Serialize;
use serde_json::Value;

use super::answer::{Answer, Tokens};
use super::prompt::{DeclaredTool, Prompt, Refusal};
use super::stream_plan::{Item, Kind};

const KNOWN_FIELDS: [&str; 25] = [
    "model",
    "messages",
    "max_tokens",
    "system",
    "stop_sequences",
    "stream",
    "temperature",
    "top_k",
    "top_p",
    "tools",
    "tool_choice",
    "thinking",
    "metadata",
    "service_tier",
    "container",
    "context_management",
    "mcp_servers",
    "output_config",
    "output_format",
    "inference_geo",
    "speed",
    "cache_control",
    "fallbacks",
    "diagnostics",
    "user_profile_id",
];

/// Whether a request must name `max_tokens`; counting does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Generate,
    Count,
}

/// Reads a request the way the provider would.
pub(super) fn read(body: &Value, purpose: Purpose) -> Result<Prompt, Refusal> {
    let unknown =
        body.as_object().into_iter().flatten().find(|(k, _)| !KNOWN_FIELDS.contains(&k.as_str()));
    if let Some((field, _)) = unknown {
        return Err(Refusal::new(format!("{field}: Extra inputs are not permitted")));
    }
    let missing = |name: &str| Refusal::new(format!("{name}: Field required"));
    let model = body.get("model").and_then(Value::as_str).ok_or_else(|| missing("model"))?;
    if purpose == Purpose::Generate {
        let max_tokens = body.get("max_tokens").ok_or_else(|| missing("max_tokens"))?;
        if max_tokens.as_u64().is_none_or(|count| count == 0) {
            return Err(Refusal::new("max_tokens: Input should be greater than or equal to 1"));
        }
    }
    let messages =
        body.get("messages").and_then(Value::as_array).ok_or_else(|| missing("messages"))?;
    if messages.is_empty() {
        return Err(Refusal::new("messages: at least one message is required"));
    }
    let mut prompt = Prompt {
        model: model.to_owned(),
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
        ..Prompt::default()
    };
    prompt.add_content(body.get("system").unwrap_or(&Value::Null));
    for (at, message) in messages.iter().enumerate() {
        read_message(&mut prompt, at, message)?;
    }
    let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
    prompt.tools = tools.filter_map(|tool| DeclaredTool::read(tool, &["input_schema"])).collect();
    Ok(prompt)
}

fn read_message(prompt: &mut Prompt, at: usize, message: &Value) -> Result<(), Refusal> {
    let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
    let Some(content) = message.get("content") else {
        return Err(Refusal::new(format!("messages.{at}.content: Field required")));
    };
    let blocks = content.as_array().map(Vec::as_slice).unwrap_or_default();
    let is = |block: &Value, kind: &str| block.get("type").and_then(Value::as_str) == Some(kind);
    let empty =
        |block: &Value| is(block, "text") && block.get("text").and_then(Value::as_str) == Some("");
    if blocks.iter().any(empty) {
        return Err(Refusal::new("messages: text content blocks must be non-empty"));
    }
    prompt.ends_with_user = false;
    match role {
        "user" if blocks.iter().any(|block| is(block, "tool_result")) => {
            prompt.add_content(content);
        }
        "user" => prompt.add_user_message(content),
        "assistant" => prompt.add_content(content),
        _ => {
            let text = format!(
                "messages: Unexpected role \"{role}\". The Messages API accepts a top-level \
                 `system` parameter, not \"system\" as an input message role."
            );
            return Err(Refusal::new(text));
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct Message<'a> {
    model: &'a str,
    id: &'a str,
    r#type: &'static str,
    role: &'static str,
    content: Vec<Block<'a>>,
    stop_reason: Option<&'a str>,
    stop_sequence: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Thinking { thinking: &'a str, signature: &'a str },
    Text { text: &'a str },
    ToolUse { id: &'a str, name: &'a str, input: &'a Value },
}

#[derive(Serialize)]
struct Usage {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_creation: Option<CacheCreation>,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_details: Option<OutputDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
}

#[derive(Serialize)]
struct CacheCreation {
    ephemeral_5m_input_tokens: u64,
    ephemeral_1h_input_tokens: u64,
}

#[derive(Serialize)]
struct OutputDetails {
    thinking_tokens: u64,
}

impl Usage {
    /// As in a whole message and in `message_start`.
    fn full(tokens: Tokens) -> Self {
        Self {
            cache_creation: Some(CacheCreation {
                ephemeral_5m_input_tokens: tokens.cache_write_5m,
                ephemeral_1h_input_tokens: tokens.cache_write_1h,
            }),
            service_tier: Some("standard"),
            ..Self::last(tokens)
        }
    }

    /// As in `message_delta`.
    fn last(tokens: Tokens) -> Self {
        let written = tokens.cache_write_5m + tokens.cache_write_1h;
        Self {
            input_tokens: tokens.prompt.saturating_sub(tokens.cached + written),
            cache_creation_input_tokens: written,
            cache_read_input_tokens: tokens.cached,
            cache_creation: None,
            output_tokens: tokens.completion,
            output_tokens_details: (tokens.reasoning > 0)
                .then_some(OutputDetails { thinking_tokens: tokens.reasoning }),
            service_tier: None,
        }
    }
}

/// The answer as one JSON document.
pub(super) fn whole(answer: &Answer) -> Vec<u8> {
    let mut content = Vec::new();
    if let Some(thinking) = &answer.reasoning {
        let signature = answer.signature.as_deref().unwrap_or_default();
        content.push(Block::Thinking { thinking, signature });
    }
    let texts = [Some(answer.text.as_str()), answer.refusal.as_deref()];
    let texts = texts.into_iter().flatten().filter(|text| !text.is_empty());
    content.extend(texts.map(|text| Block::Text { text }));
    content.extend(answer.tools.iter().map(|tool| Block::ToolUse {
        id: &tool.id,
        name: &tool.name,
        input: &tool.input,
    }));
    let usage = answer.usage.map(Usage::full);
    let message = message(answer, content, Some(stop_reason(answer)), usage);
    serde_json::to_vec(&message).unwrap_or_default()
}

fn message<'a>(
    answer: &'a Answer,
    content: Vec<Block<'a>>,
    stop_reason: Option<&'a str>,
    usage: Option<Usage>,
) -> Message<'a> {
    Message {
        model: &answer.model,
        id: &answer.id,
        r#type: "message",
        role: "assistant",
        content,
        stop_reason,
        stop_sequence: None,
        usage,
    }
}

fn stop_reason(answer: &Answer) -> &str {
    let usual = match (answer.tools.is_empty(), answer.refusal.is_some()) {
        (_, true) => "refusal",
        (false, _) => "tool_use",
        (true, _) => "end_turn",
    };
    answer.finish.as_deref().unwrap_or(usual)
}

/// Collects the events; knows the index of the open block.
struct Events {
    items: Vec<Item>,
    index: usize,
}

impl Events {
    fn push(&mut self, kind: Kind, event: &'static str, data: String) {
        self.items.push(Item { kind, event: Some(event), data });
    }

    /// Opens the next block. The first is part of the stream's opening and followed by the ping.
    fn open(&mut self, block: &str) {
        let first = self.index == 0;
        let kind = if first { Kind::Start } else { Kind::Glue };
        let index = self.index;
        let data =
            format!(r#"{{"type":"content_block_start","index":{index},"content_block":{block}}}"#);
        self.push(kind, "content_block_start", data);
        if first {
            self.push(Kind::Start, "ping", r#"{"type": "ping"}"#.to_owned());
        }
    }

    fn delta(&mut self, kind: Kind, delta_type: &str, field: &str, text: &str) {
        let index = self.index;
        let text = Value::from(text);
        let data = format!(
            r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"{delta_type}","{field}":{text}}}}}"#
        );
        self.push(kind, "content_block_delta", data);
    }

    fn close(&mut self) {
        let data = format!(r#"{{"type":"content_block_stop","index":{}}}"#, self.index);
        self.push(Kind::Glue, "content_block_stop", data);
        self.index += 1;
    }
}

/// The answer as the events of a stream.
pub(super) fn stream(answer: &Answer) -> Vec<Item> {
    let mut events = Events { items: Vec::new(), index: 0 };
    let opening = answer.usage.map(|tokens| {
        let output = tokens.completion.min(1);
        Usage::full(Tokens { completion: output, reasoning: 0, ..tokens })
    });
    let start = serde_json::to_string(&message(answer, Vec::new(), None, opening));
    let start = start.unwrap_or_default();
    let data = format!(r#"{{"type":"message_start","message":{start}}}"#);
    events.push(Kind::Start, "message_start", data);

    blocks(answer, &mut events);

    let stop = Value::from(stop_reason(answer));
    let usage = answer.usage.map(Usage::last).and_then(|u| serde_json::to_string(&u).ok());
    let usage = usage.map(|usage| format!(r#","usage":{usage}"#)).unwrap_or_default();
    let data = format!(
        r#"{{"type":"message_delta","delta":{{"stop_reason":{stop},"stop_sequence":null}}{usage}}}"#
    );
    events.push(Kind::Finish, "message_delta", data);
    events.push(Kind::Done, "message_stop", r#"{"type":"message_stop"}"#.to_owned());
    events.items
}

fn blocks(answer: &Answer, events: &mut Events) {
    let thinking = answer.reasoning_pieces();
    if !thinking.is_empty() {
        events.open(r#"{"type":"thinking","thinking":"","signature":""}"#);
        for piece in &thinking {
            events.delta(Kind::Content, "thinking_delta", "thinking", piece);
        }
        let signature = answer.signature.as_deref().unwrap_or("c2lnbmF0dXJl");
        events.delta(Kind::Glue, "signature_delta", "signature", signature);
        events.close();
    }
    let texts: Vec<_> =
        answer.text_pieces.iter().map(String::as_str).chain(answer.refusal.as_deref()).collect();
    if !texts.is_empty() {
        events.open(r#"{"type":"text","text":""}"#);
        for piece in texts {
            events.delta(Kind::Content, "text_delta", "text", piece);
        }
        events.close();
    }
    for tool in &answer.tools {
        let (id, name) = (Value::from(tool.id.as_str()), Value::from(tool.name.as_str()));
        events.open(&format!(r#"{{"type":"tool_use","id":{id},"name":{name},"input":{{}}}}"#));
        events.delta(Kind::Glue, "input_json_delta", "partial_json", "");
        for piece in answer.argument_pieces(tool) {
            events.delta(Kind::Content, "input_json_delta", "partial_json", piece);
        }
        events.close();
    }
}
