//! OpenAI chat completions: reads and refuses like api.openai.com, words answers and streams.
//!
//! Used by `handle`. Field names and their order follow recorded answers.
//!
//! Invariant: a stream holds the usage chunk only if `stream_options.include_usage` asked for it.

use serde::Serialize;
use serde_json::Value;

use super::answer::{Answer, Tokens};
use super::prompt::{DeclaredTool, Prompt, Refusal};
use super::stream_plan::{Item, Kind};

/// Gateway fields that must never reach the provider.
const FOREIGN_FIELDS: [&str; 6] =
    ["provider", "models", "route", "plugins", "transforms", "system"];
const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "tool", "function"];
const IMAGE: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4\
     nGNgYPhfDwAChAGAhcvNVQAAAABJRU5ErkJggg==";

/// Reads a request the way the provider would.
pub(super) fn read(body: &Value) -> Result<Prompt, Refusal> {
    let unknown = FOREIGN_FIELDS.iter().find(|field| body.get(**field).is_some());
    if let Some(field) = unknown {
        return Err(Refusal::new(format!("Unrecognized request argument supplied: {field}")));
    }
    let missing =
        |name: &str| Refusal::param(name, format!("Missing required parameter: '{name}'."));
    let model = body.get("model").and_then(Value::as_str).ok_or_else(|| missing("model"))?;
    let messages =
        body.get("messages").and_then(Value::as_array).ok_or_else(|| missing("messages"))?;
    if messages.is_empty() {
        let text = "Invalid 'messages': empty array. Expected an array with minimum length 1.";
        return Err(Refusal::param("messages", text));
    }
    let mut prompt = Prompt {
        model: model.to_owned(),
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
        include_usage: body
            .pointer("/stream_options/include_usage")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        ..Prompt::default()
    };
    for (at, message) in messages.iter().enumerate() {
        read_message(&mut prompt, at, message)?;
    }
    let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
    prompt.tools = tools
        .filter_map(|tool| DeclaredTool::read(tool.get("function")?, &["parameters"]))
        .collect();
    Ok(prompt)
}

fn read_message(prompt: &mut Prompt, at: usize, message: &Value) -> Result<(), Refusal> {
    let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
    if !ROLES.contains(&role) {
        let text = format!("Invalid value: '{role}'. Supported values are: {ROLES:?}.");
        return Err(Refusal::param(&format!("messages[{at}].role"), text));
    }
    if role == "tool" && message.get("tool_call_id").is_none() {
        let param = format!("messages[{at}].tool_call_id");
        let text = format!("Missing required parameter: '{param}'.");
        return Err(Refusal::param(&param, text));
    }
    let content = message.get("content").unwrap_or(&Value::Null);
    prompt.ends_with_user = false;
    if role == "user" {
        prompt.add_user_message(content);
    } else {
        prompt.add_content(content);
    }
    Ok(())
}

#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    model: &'a str,
    choices: [Choice<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    service_tier: &'static str,
    system_fingerprint: &'static str,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u8,
    message: Message<'a>,
    logprobs: Option<()>,
    finish_reason: &'a str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    refusal: Option<&'a str>,
    annotations: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<[Image; 1]>,
}

#[derive(Serialize)]
struct Call<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

#[derive(Serialize)]
struct Image {
    r#type: &'static str,
    image_url: ImageUrl,
}

#[derive(Serialize)]
struct ImageUrl {
    url: &'static str,
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
struct PromptDetails {
    cached_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_write_tokens: Option<u64>,
    audio_tokens: u64,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
struct CompletionDetails {
    reasoning_tokens: u64,
    audio_tokens: u64,
    accepted_prediction_tokens: u64,
    rejected_prediction_tokens: u64,
}

impl From<Tokens> for Usage {
    fn from(tokens: Tokens) -> Self {
        let written = tokens.cache_write_5m + tokens.cache_write_1h;
        Self {
            prompt_tokens: tokens.prompt,
            completion_tokens: tokens.completion,
            total_tokens: tokens.prompt + tokens.completion,
            prompt_tokens_details: PromptDetails {
                cached_tokens: tokens.cached,
                cache_write_tokens: (written > 0).then_some(written),
                audio_tokens: 0,
            },
            completion_tokens_details: CompletionDetails {
                reasoning_tokens: tokens.reasoning,
                audio_tokens: 0,
                accepted_prediction_tokens: 0,
                rejected_prediction_tokens: 0,
            },
        }
    }
}

/// The answer as one JSON document.
pub(super) fn whole(answer: &Answer) -> Vec<u8> {
    let tool_calls = answer.tools.iter().map(|tool| Call {
        index: None,
        id: Some(&tool.id),
        r#type: Some("function"),
        function: Function { name: Some(&tool.name), arguments: &tool.arguments },
    });
    let without_text =
        answer.text.is_empty() && (!answer.tools.is_empty() || answer.refusal.is_some());
    let completion = Completion {
        id: &answer.id,
        object: "chat.completion",
        created: answer.created,
        model: &answer.model,
        choices: [Choice {
            index: 0,
            message: Message {
                role: "assistant",
                content: (!without_text).then_some(&answer.text),
                reasoning_content: answer.reasoning.as_deref(),
                tool_calls: tool_calls.collect(),
                refusal: answer.refusal.as_deref(),
                annotations: [],
                images: answer.image_out.then_some([image()]),
            },
            logprobs: None,
            finish_reason: finish_reason(answer),
        }],
        usage: answer.usage.map(Usage::from),
        service_tier: "default",
        system_fingerprint: "fp_mock",
    };
    let mut bytes = serde_json::to_vec_pretty(&completion).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn finish_reason(answer: &Answer) -> &str {
    let usual = if answer.tools.is_empty() { "stop" } else { "tool_calls" };
    answer.finish.as_deref().unwrap_or(usual)
}

fn image() -> Image {
    Image { r#type: "image_url", image_url: ImageUrl { url: IMAGE } }
}

#[derive(Serialize, Default)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[Call<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<[Image; 1]>,
}

/// The parts that are the same in all chunks of a stream, made once.
struct ChunkWriter {
    head: String,
    tail: &'static str,
}

impl ChunkWriter {
    fn new(answer: &Answer, include_usage: bool) -> Self {
        let (id, model) = (Value::from(answer.id.as_str()), Value::from(answer.model.as_str()));
        let created = answer.created;
        let head = format!(
            r#"{{"id":{id},"object":"chat.completion.chunk","created":{created},"model":{model},"service_tier":"default","system_fingerprint":"fp_mock","choices":["#
        );
        Self { head, tail: if include_usage { r#","usage":null}"# } else { "}" } }
    }

    fn chunk(&self, kind: Kind, delta: &Delta<'_>, finish: Option<&str>) -> Item {
        let delta = serde_json::to_string(delta).unwrap_or_default();
        let finish = finish.map_or(Value::Null, Value::from).to_string();
        let choice = [
            &self.head,
            r#"{"index":0,"delta":"#,
            &delta,
            r#","logprobs":null,"finish_reason":"#,
            &finish,
            "}]",
            self.tail,
        ];
        Item::data(kind, choice.concat())
    }
}

/// The answer as the events of a stream.
pub(super) fn stream(answer: &Answer, include_usage: bool) -> Vec<Item> {
    let writer = ChunkWriter::new(answer, include_usage);
    let content = |delta: Delta<'_>| writer.chunk(Kind::Content, &delta, None);
    let first_text = answer.tools.is_empty().then_some("");
    let role = Delta { role: Some("assistant"), content: first_text, ..Delta::default() };
    let mut items = vec![writer.chunk(Kind::Start, &role, None)];
    let reasoning = answer.reasoning_pieces();
    items.extend(
        reasoning.iter().map(|t| content(Delta { reasoning_content: Some(t), ..Delta::default() })),
    );
    items.extend(
        answer.text_pieces.iter().map(|t| content(Delta { content: Some(t), ..Delta::default() })),
    );
    let refusal = answer.refusal.as_deref();
    items.extend(refusal.map(|t| content(Delta { refusal: Some(t), ..Delta::default() })));
    if answer.image_out {
        items.push(content(Delta { images: Some([image()]), ..Delta::default() }));
    }
    tool_chunks(&writer, answer, &mut items);
    items.push(writer.chunk(Kind::Finish, &Delta::default(), Some(finish_reason(answer))));
    if let Some(tokens) = answer.usage.filter(|_| include_usage) {
        let usage = serde_json::to_string(&Usage::from(tokens)).unwrap_or_default();
        items.push(Item::data(Kind::Finish, [&writer.head, r#"],"usage":"#, &usage, "}"].concat()));
    }
    items.push(Item::data(Kind::Done, "[DONE]".to_owned()));
    items
}

/// A chunk with id and name, then the pieces of the arguments.
fn tool_chunks(writer: &ChunkWriter, answer: &Answer, items: &mut Vec<Item>) {
    for (index, tool) in answer.tools.iter().enumerate() {
        let open = Call {
            index: Some(index),
            id: Some(&tool.id),
            r#type: Some("function"),
            function: Function { name: Some(&tool.name), arguments: "" },
        };
        let delta = Delta { tool_calls: Some([open]), ..Delta::default() };
        items.push(writer.chunk(Kind::Glue, &delta, None));
        for arguments in answer.argument_pieces(tool) {
            let function = Function { name: None, arguments };
            let call = Call { index: Some(index), id: None, r#type: None, function };
            let delta = Delta { tool_calls: Some([call]), ..Delta::default() };
            items.push(writer.chunk(Kind::Content, &delta, None));
        }
    }
}
