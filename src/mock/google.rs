//! Google generateContent: reads and refuses like generativelanguage.googleapis.com, words answers
//! and streams.
//!
//! Used by `handle`. Field names and their order follow recorded answers.
//!
//! Invariant: thoughts are counted apart from `candidatesTokenCount`, as Google does.

use serde::Serialize;
use serde_json::Value;

use super::answer::{Answer, Tokens};
use super::prompt::{DeclaredTool, Prompt, Refusal};
use super::stream_plan::{Item, Kind};

/// Top-level fields, in lower camel case without underscores folded in.
const KNOWN_FIELDS: [&str; 11] = [
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "safetySettings",
    "generationConfig",
    "cachedContent",
    "labels",
    "serviceTier",
    "model",
    "store",
];
const KNOWN_CONFIG: [&str; 23] = [
    "temperature",
    "topP",
    "topK",
    "maxOutputTokens",
    "stopSequences",
    "candidateCount",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "responseLogprobs",
    "logprobs",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "_responseJsonSchema",
    "thinkingConfig",
    "responseModalities",
    "speechConfig",
    "imageConfig",
    "mediaResolution",
    "enableEnhancedCivicAnswers",
    "audioTimestamp",
    "routingConfig",
];
const IMAGE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYPhfDwAChAGAhcvN\
     VQAAAABJRU5ErkJggg==";

/// Reads a request the way the provider would.
pub(super) fn read(body: &Value, model: &str) -> Result<Prompt, Refusal> {
    refuse_unknown(body, &KNOWN_FIELDS, "")?;
    if let Some(config) = member(body, "generationConfig") {
        refuse_unknown(config, &KNOWN_CONFIG, " at 'generation_config'")?;
    }
    let mut prompt = read_contents(body, model)?;
    let groups = member(body, "tools").and_then(Value::as_array).into_iter().flatten();
    prompt.tools = groups
        .filter_map(|group| member(group, "functionDeclarations")?.as_array())
        .flatten()
        .filter_map(|tool| DeclaredTool::read(tool, &["parameters", "parametersJsonSchema"]))
        .collect();
    Ok(prompt)
}

/// Reads the prompt of a count: the same, or wrapped in `generateContentRequest`.
pub(super) fn read_count(body: &Value, model: &str) -> Result<Prompt, Refusal> {
    read_contents(member(body, "generateContentRequest").unwrap_or(body), model)
}

fn read_contents(body: &Value, model: &str) -> Result<Prompt, Refusal> {
    let contents = body.get("contents");
    let contents = match contents {
        Some(Value::Array(list)) => list.as_slice(),
        Some(single @ Value::Object(_)) => std::slice::from_ref(single),
        _ => &[],
    };
    if contents.is_empty() {
        let text = "* GenerateContentRequest.contents: contents is not specified\n";
        return Err(Refusal::new(text));
    }
    let mut prompt = Prompt { model: model.to_owned(), ..Prompt::default() };
    prompt.add_content(member(body, "systemInstruction").unwrap_or(&Value::Null));
    for content in contents {
        read_content(&mut prompt, content)?;
    }
    Ok(prompt)
}

fn read_content(prompt: &mut Prompt, content: &Value) -> Result<(), Refusal> {
    let role = content.get("role").and_then(Value::as_str).unwrap_or("user");
    if !["user", "model", "function"].contains(&role) {
        return Err(Refusal::new("Please use a valid role: user, model."));
    }
    let parts = content.get("parts").and_then(Value::as_array).map(Vec::as_slice);
    let parts = parts.unwrap_or_default();
    let result = parts.iter().find_map(|part| member(part, "functionResponse"));
    prompt.ends_with_user = false;
    match (role, result) {
        ("user", None) => prompt.add_user_message(content),
        (_, Some(_)) => {
            let results = parts.iter().filter_map(|part| member(part, "functionResponse"));
            for text in results.filter_map(|result| result.get("response")).map(result_text) {
                prompt.add_text(&text);
            }
        }
        _ => prompt.add_content(content),
    }
    Ok(())
}

/// The text of a tool result, freed of the usual one-member wrapper.
fn result_text(response: &Value) -> String {
    let wrapped = response.as_object().filter(|map| map.len() == 1);
    let inner = wrapped.and_then(|map| map.values().next()).and_then(Value::as_str);
    inner.map_or_else(|| response.to_string(), str::to_owned)
}

/// A member by its lower camel or snake name, both of which Google takes.
fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| object.get(snake(name)))
}

fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn refuse_unknown(object: &Value, known: &[&str], place: &str) -> Result<(), Refusal> {
    let is_known = |field: &str| known.iter().any(|name| *name == field || snake(name) == field);
    let unknown = object.as_object().into_iter().flatten().find(|(field, _)| !is_known(field));
    unknown.map_or(Ok(()), |(field, _)| {
        Err(Refusal::new(format!(
            "Invalid JSON payload received. Unknown name \"{field}\"{place}: Cannot find field."
        )))
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
struct Response<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    candidates: Option<[Candidate<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_feedback: Option<PromptFeedback<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_metadata: Option<Usage>,
    model_version: &'a str,
    response_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PromptFeedback<'a> {
    block_reason: &'static str,
    block_reason_message: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'a str>,
    index: u8,
}

#[derive(Serialize)]
struct Content<'a> {
    parts: Vec<Part<'a>>,
    role: &'static str,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<FunctionCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inline_data: Option<InlineData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<&'a str>,
}

#[derive(Serialize)]
struct FunctionCall<'a> {
    name: &'a str,
    args: &'a Value,
    id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InlineData {
    mime_type: &'static str,
    data: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    prompt_token_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_content_token_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidates_token_count: Option<u64>,
    total_token_count: u64,
    prompt_tokens_details: [Modality; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    thoughts_token_count: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Modality {
    modality: &'static str,
    token_count: u64,
}

impl From<Tokens> for Usage {
    fn from(tokens: Tokens) -> Self {
        let some = |count: u64| (count > 0).then_some(count);
        Self {
            prompt_token_count: tokens.prompt,
            cached_content_token_count: some(tokens.cached),
            candidates_token_count: some(tokens.completion.saturating_sub(tokens.reasoning)),
            total_token_count: tokens.prompt + tokens.completion,
            prompt_tokens_details: [Modality { modality: "TEXT", token_count: tokens.prompt }],
            thoughts_token_count: some(tokens.reasoning),
        }
    }
}

/// The answer as one JSON document.
pub(super) fn whole(answer: &Answer) -> Vec<u8> {
    if let Some(refusal) = &answer.refusal {
        return pretty(&blocked(answer, refusal));
    }
    let mut parts: Vec<_> = answer.reasoning.as_deref().map(thought).into_iter().collect();
    if !answer.text.is_empty() {
        parts.push(Part { text: Some(&answer.text), ..Part::default() });
    }
    parts.extend(tool_parts(answer));
    parts.extend(image_part(answer));
    if let (Some(signature), Some(last)) = (&answer.signature, parts.last_mut()) {
        last.thought_signature = Some(signature);
    }
    if parts.is_empty() {
        parts.push(Part { text: Some(""), ..Part::default() });
    }
    pretty(&response(answer, parts, Some(finish_reason(answer)), answer.usage))
}

fn pretty(response: &Response<'_>) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(response).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn finish_reason(answer: &Answer) -> &str {
    answer.finish.as_deref().unwrap_or("STOP")
}

fn thought(text: &str) -> Part<'_> {
    Part { text: Some(text), thought: Some(true), ..Part::default() }
}

fn tool_parts(answer: &Answer) -> impl Iterator<Item = Part<'_>> {
    answer.tools.iter().map(|tool| Part {
        function_call: Some(FunctionCall { name: &tool.name, args: &tool.input, id: &tool.id }),
        ..Part::default()
    })
}

fn image_part(answer: &Answer) -> Option<Part<'_>> {
    let inline_data = InlineData { mime_type: "image/png", data: IMAGE };
    answer.image_out.then(|| Part { inline_data: Some(inline_data), ..Part::default() })
}

fn response<'a>(
    answer: &'a Answer,
    parts: Vec<Part<'a>>,
    finish_reason: Option<&'a str>,
    usage: Option<Tokens>,
) -> Response<'a> {
    let content = Content { parts, role: "model" };
    Response {
        candidates: Some([Candidate { content, finish_reason, index: 0 }]),
        prompt_feedback: None,
        usage_metadata: usage.map(Usage::from),
        model_version: &answer.model,
        response_id: &answer.id,
    }
}

/// A prompt that was refused has no candidates.
fn blocked<'a>(answer: &'a Answer, message: &'a str) -> Response<'a> {
    Response {
        candidates: None,
        prompt_feedback: Some(PromptFeedback {
            block_reason: "SAFETY",
            block_reason_message: message,
        }),
        usage_metadata: answer.usage.map(Usage::from),
        model_version: &answer.model,
        response_id: &answer.id,
    }
}

/// The answer as the events of a stream. Content chunks carry the usage so far; the last chunk is
/// an empty text with the finish reason, as newer models send it.
pub(super) fn stream(answer: &Answer) -> Vec<Item> {
    if let Some(refusal) = &answer.refusal {
        let data = serde_json::to_string(&blocked(answer, refusal)).unwrap_or_default();
        return vec![Item::data(Kind::Done, data)];
    }
    let reasoning = answer.reasoning_pieces();
    let thoughts = reasoning.iter().map(|text| thought(text));
    let texts = answer.text_pieces.iter();
    let texts = texts.map(|text| Part { text: Some(text), ..Part::default() });
    let parts: Vec<_> =
        thoughts.chain(texts).chain(tool_parts(answer)).chain(image_part(answer)).collect();
    let total = parts.len() as u64;
    let mut items: Vec<_> = (1..)
        .zip(parts)
        .map(|(sent, part)| {
            let usage = answer.usage.map(|tokens| share(tokens, sent, total));
            item(Kind::Content, &response(answer, vec![part], None, usage))
        })
        .collect();
    let signature = answer.signature.as_deref();
    let last = Part { text: Some(""), thought_signature: signature, ..Part::default() };
    let finish = Some(finish_reason(answer));
    items.push(item(Kind::Done, &response(answer, vec![last], finish, answer.usage)));
    items
}

fn item(kind: Kind, response: &Response<'_>) -> Item {
    Item::data(kind, serde_json::to_string(response).unwrap_or_default())
}

/// The usage after `sent` of `total` parts; thoughts come first.
fn share(tokens: Tokens, sent: u64, total: u64) -> Tokens {
    let completion = tokens.completion * sent / total.max(1);
    Tokens { completion, reasoning: tokens.reasoning.min(completion), ..tokens }
}

/// The answer of `countTokens`.
pub(super) fn counted(prompt: &Prompt) -> String {
    let count = prompt.estimated_tokens();
    format!(
        r#"{{"totalTokens":{count},"promptTokensDetails":[{{"modality":"TEXT","tokenCount":{count}}}]}}"#
    )
}
