//! What the mock needs to know of a request, whatever its format.
//!
//! Filled by the `read` function of each format module, which also refuses what the real provider
//! refuses, so that a translation mistake of the gateway surfaces as a 400.
//!
//! Invariant: `text_bytes` counts the same prompt alike in every format.

use serde_json::Value;

/// A prompt, reduced.
#[derive(Debug, Default)]
pub(super) struct Prompt {
    pub(super) model: String,
    pub(super) stream: bool,
    /// OpenAI only: the usage chunk was asked for.
    pub(super) include_usage: bool,
    /// Bytes of all texts: system, user, assistant, tool results.
    pub(super) text_bytes: u64,
    /// The text of the last message that a user wrote.
    pub(super) last_user_text: String,
    /// The last message is that one, not a tool result.
    pub(super) ends_with_user: bool,
    pub(super) tools: Vec<DeclaredTool>,
}

/// A tool the client offers.
#[derive(Debug)]
pub(super) struct DeclaredTool {
    pub(super) name: String,
    /// JSON schema of its arguments; null when it has none.
    pub(super) schema: Value,
}

impl DeclaredTool {
    /// Reads a declaration whose schema is under the first of the given names.
    pub(super) fn read(declaration: &Value, schema_names: &[&str]) -> Option<Self> {
        let name = declaration.get("name")?.as_str()?.to_owned();
        let schema = schema_names.iter().find_map(|key| declaration.get(key)).cloned();
        Some(Self { name, schema: schema.unwrap_or_default() })
    }
}

/// A request refused, in the words of the provider.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) message: String,
    /// OpenAI's `param`.
    pub(super) param: Option<String>,
}

impl Refusal {
    /// A refusal with a message only.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), param: None }
    }

    /// A refusal of one parameter.
    pub(super) fn param(param: &str, message: impl Into<String>) -> Self {
        Self { message: message.into(), param: Some(param.to_owned()) }
    }
}

impl Prompt {
    /// Counts a text that no user wrote.
    pub(super) fn add_text(&mut self, text: &str) {
        self.text_bytes += text.len() as u64;
    }

    /// Counts every text in a content value.
    pub(super) fn add_content(&mut self, content: &Value) {
        each_text(content, &mut |text| self.text_bytes += text.len() as u64);
    }

    /// Starts a message that a user wrote.
    pub(super) fn add_user_message(&mut self, content: &Value) {
        let mut joined = String::new();
        each_text(content, &mut |text| joined.push_str(text));
        self.text_bytes += joined.len() as u64;
        self.last_user_text = joined;
        self.ends_with_user = true;
    }

    /// A bytes-per-token guess, rounded up: what the mock bills when a script says nothing.
    pub(super) fn estimated_tokens(&self) -> u64 {
        self.text_bytes.div_ceil(4)
    }
}

/// Walks a content value: a string, a list of parts with `text`, or one such part. Tool results
/// nest their content once more.
pub(super) fn each_text(content: &Value, visit: &mut impl FnMut(&str)) {
    match content {
        Value::String(text) => visit(text),
        Value::Array(parts) => parts.iter().for_each(|part| each_text_of_part(part, visit)),
        Value::Object(_) => each_text_of_part(content, visit),
        _ => {}
    }
}

fn each_text_of_part(part: &Value, visit: &mut impl FnMut(&str)) {
    if let Some(text) = part.get("text").and_then(Value::as_str) {
        visit(text);
    } else if let Some(parts) = part.get("parts").or_else(|| part.get("content")) {
        match parts {
            Value::Array(parts) => parts.iter().for_each(|inner| {
                inner.get("text").and_then(Value::as_str).into_iter().for_each(&mut *visit);
            }),
            Value::String(text) => visit(text),
            _ => {}
        }
    }
}
