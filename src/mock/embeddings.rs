//! Embeddings in OpenAI's and Google's shape, with vectors made from the text.
//!
//! Invariant: the same text gives the same unit vector in every format.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::prompt::{Prompt, Refusal, each_text};

/// Length of a vector when the request names none.
const DIMENSIONS_DEFAULT: usize = 16;
/// Longest vector made.
const DIMENSIONS_MAX: usize = 4096;

/// The texts of an OpenAI request, in order; token lists count as one text of their numbers.
pub(super) fn openai_inputs(body: &Value) -> Result<Vec<String>, Refusal> {
    let missing = || Refusal::param("input", "Missing required parameter: 'input'.");
    let input = body.get("input").ok_or_else(missing)?;
    let texts = match input {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) if items.iter().all(Value::is_number) => vec![input.to_string()],
        Value::Array(items) => {
            items.iter().map(|i| i.as_str().map_or_else(|| i.to_string(), str::to_owned)).collect()
        }
        _ => return Err(Refusal::param("input", "'$.input' is invalid.")),
    };
    if texts.iter().any(String::is_empty) || texts.is_empty() {
        return Err(Refusal::param("input", "'$.input' is invalid."));
    }
    Ok(texts)
}

/// The OpenAI answer. `prompt_tokens` is `None` when no usage shall be told.
pub(super) fn openai_answer(
    body: &Value,
    texts: &[String],
    model: &str,
    prompt_tokens: Option<u64>,
) -> String {
    let size = dimensions(body.get("dimensions"));
    let base64 = body.get("encoding_format").and_then(Value::as_str) == Some("base64");
    let mut out = String::from(r#"{"object":"list","data":["#);
    for (index, text) in texts.iter().enumerate() {
        let vector = vector(text, size);
        let embedding = if base64 {
            let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
            format!("\"{}\"", STANDARD.encode(bytes))
        } else {
            json_list(&vector)
        };
        let comma = if index == 0 { "" } else { "," };
        let object = r#"{"object":"embedding","index":"#;
        write!(out, r#"{comma}{object}{index},"embedding":{embedding}}}"#).ok();
    }
    let model = Value::from(model);
    write!(out, r#"],"model":{model}"#).ok();
    if let Some(tokens) = prompt_tokens {
        write!(out, r#","usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}"#).ok();
    }
    out.push('}');
    out
}

/// The contents of a Google request, in order.
pub(super) fn google_inputs(body: &Value) -> Vec<(String, usize)> {
    let single = [body.clone()];
    let requests = body.get("requests").and_then(Value::as_array);
    let requests = requests.map_or(single.as_slice(), Vec::as_slice);
    requests
        .iter()
        .map(|request| {
            let mut text = String::new();
            if let Some(content) = request.get("content") {
                each_text(content, &mut |part| text.push_str(part));
            }
            (text, dimensions(request.get("outputDimensionality")))
        })
        .collect()
}

/// The Google answer; `batch` tells `embeddings` from `embedding`.
pub(super) fn google_answer(inputs: &[(String, usize)], batch: bool) -> String {
    let values = |(text, size): &(String, usize)| {
        format!(r#"{{"values":{}}}"#, json_list(&vector(text, *size)))
    };
    if batch {
        let all: Vec<_> = inputs.iter().map(values).collect();
        format!(r#"{{"embeddings":[{}]}}"#, all.join(","))
    } else {
        let first = inputs.first().map(values).unwrap_or_default();
        format!(r#"{{"embedding":{first}}}"#)
    }
}

/// A prompt that holds the texts, for scripts and tokens.
pub(super) fn prompt<'a>(model: &str, texts: impl Iterator<Item = &'a String>) -> Prompt {
    let mut prompt = Prompt { model: model.to_owned(), ..Prompt::default() };
    for text in texts {
        prompt.add_user_message(&Value::from(text.as_str()));
    }
    prompt
}

fn dimensions(asked: Option<&Value>) -> usize {
    let asked = asked.and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
    asked.map_or(DIMENSIONS_DEFAULT, |size| size.clamp(1, DIMENSIONS_MAX))
}

/// A unit vector drawn from the checksum of the text.
fn vector(text: &str, size: usize) -> Vec<f32> {
    let mut state = crc32c::crc32c(text.as_bytes()) | 1;
    let raw: Vec<f32> = (0..size)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            let [high, low, ..] = state.to_be_bytes();
            f32::from(i16::from_be_bytes([high, low])) / 32_768.0
        })
        .collect();
    let length = raw.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::EPSILON);
    raw.into_iter().map(|value| value / length).collect()
}

fn json_list(vector: &[f32]) -> String {
    serde_json::to_string(vector).unwrap_or_default()
}
