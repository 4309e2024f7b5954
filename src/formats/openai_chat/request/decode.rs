//! Reads a client's chat request into neutral terms, for providers of another format.
//!
//! Used by `formats::decode_request` only; a request that stays in OpenAI's format is never
//! decoded. Every complaint names the field by its path. What the neutral vocabulary cannot say
//! ends in `unmapped`, so that nothing is lost in silence.

mod content;
pub(in crate::formats) mod media;
mod messages;
mod reasoning;
mod tools;

use crate::chat;
use crate::chat::request::{ResponseFormat, Sampling};
use crate::formats::FormatError;
use crate::formats::openai_chat::RAW_KEYS;
use crate::formats::path::Path;
use crate::formats::tree::{Fields, Node};
use std::borrow::Cow;

/// Fields the gateway itself acts upon; they never reach a provider and are no loss.
pub(crate) const GATEWAY_FIELDS: [&str; 12] = [
    "model",
    "models",
    "route",
    "provider",
    "plugins",
    "transforms",
    "preset",
    "session_id",
    "trace",
    "debug",
    "usage",
    "stream_options",
];

/// Most alternatives a client may ask for.
const MAX_ALTERNATIVES: u64 = 128;
/// Most texts that end an answer.
const MAX_STOPS: usize = 64;

/// Reads the body of a chat request.
pub fn decode(body: &[u8]) -> Result<chat::Request<'_>, FormatError> {
    let node = Node::parse(body, &RAW_KEYS).map_err(|error| {
        FormatError::whole(format!("the request body is not valid JSON: {error}"))
    })?;
    let mut fields = Fields::new(node, Path::Root)?;
    for name in GATEWAY_FIELDS {
        fields.take(name);
    }
    let mut request = chat::Request {
        messages: messages::read(fields.take("messages"))?,
        max_tokens: max_tokens(&mut fields)?,
        sampling: sampling(&mut fields)?,
        stop: stop(&mut fields)?,
        response_format: response_format(&mut fields)?,
        reasoning: reasoning::read(&mut fields)?,
        user: user(&mut fields)?,
        service_tier: fields.text("service_tier")?,
        verbosity: fields.text("verbosity")?,
        metadata: fields.opaque_object("metadata")?,
        prompt_cache_key: fields.text("prompt_cache_key")?,
        web_search: fields.raw_object("web_search_options")?.map(Cow::Borrowed),
        modalities: modalities(&mut fields)?,
        audio: fields.opaque_object("audio")?,
        stream: fields.boolean("stream")?.unwrap_or(false),
        ..chat::Request::default()
    };
    tools::read(&mut fields, &mut request)?;
    let stored = fields.boolean("store")?.unwrap_or(false);
    request.unmapped = fields.rest();
    if stored {
        request.unmapped.push(Cow::Borrowed("store"));
    }
    Ok(request)
}

/// `max_completion_tokens` is the newer name and wins.
fn max_tokens(fields: &mut Fields<'_, '_>) -> Result<Option<u64>, FormatError> {
    let older = fields.count("max_tokens", 1, u64::MAX)?;
    let newer = fields.count("max_completion_tokens", 1, u64::MAX)?;
    Ok(newer.or(older))
}

pub(crate) fn sampling(fields: &mut Fields<'_, '_>) -> Result<Sampling, FormatError> {
    Ok(Sampling {
        temperature: fields.number("temperature", 0.0, 2.0)?,
        top_p: fields.number("top_p", 0.0, 1.0)?,
        top_k: fields.count("top_k", 0, u64::MAX)?,
        frequency_penalty: fields.number("frequency_penalty", -2.0, 2.0)?,
        presence_penalty: fields.number("presence_penalty", -2.0, 2.0)?,
        seed: fields.integer("seed")?,
        n: fields.count("n", 1, MAX_ALTERNATIVES)?,
        logprobs: fields.boolean("logprobs")?,
        top_logprobs: fields.count("top_logprobs", 0, 20)?,
    })
}

/// A single text or a list of them.
pub(crate) fn stop<'a>(fields: &mut Fields<'a, '_>) -> Result<Vec<Cow<'a, str>>, FormatError> {
    let items = match fields.take("stop") {
        None => return Ok(Vec::new()),
        Some(Node::Text(text)) => return Ok(vec![text]),
        Some(Node::Array(items)) if items.len() <= MAX_STOPS => items,
        Some(Node::Array(_)) => return Err(fields.fault("stop", "has too many entries")),
        Some(_) => return Err(fields.fault("stop", "must be a string or an array of strings")),
    };
    texts(items, &fields.path.key("stop"))
}

/// An array whose elements all are strings.
fn texts<'a>(items: Vec<Node<'a>>, path: &Path<'_>) -> Result<Vec<Cow<'a, str>>, FormatError> {
    items
        .into_iter()
        .enumerate()
        .map(|(at, item)| item.into_text().ok_or_else(|| path.index(at).fault("must be a string")))
        .collect()
}

pub(crate) fn response_format<'a>(
    fields: &mut Fields<'a, '_>,
) -> Result<ResponseFormat<'a>, FormatError> {
    let Some(node) = fields.take("response_format") else { return Ok(ResponseFormat::Text) };
    let root = fields.path;
    let mut format = Fields::new(node, root.key("response_format"))?;
    match format.required_text("type")?.as_ref() {
        "text" => Ok(ResponseFormat::Text),
        "json_object" => Ok(ResponseFormat::JsonObject),
        "json_schema" => json_schema(&mut format),
        other => {
            Err(format.fault("type", &format!("`{}` is not supported for this model", clip(other))))
        }
    }
}

fn json_schema<'a>(format: &mut Fields<'a, '_>) -> Result<ResponseFormat<'a>, FormatError> {
    let Some(node) = format.take("json_schema") else {
        return Err(format.fault("json_schema", "is missing"));
    };
    let parent = format.path;
    let mut declared = Fields::new(node, parent.key("json_schema"))?;
    let strict = declared.boolean("strict")?;
    let description = declared.text("description")?;
    let name = declared.text("name")?.unwrap_or(Cow::Borrowed("response"));
    let Some(schema) = declared.raw_object("schema")? else {
        return Ok(ResponseFormat::JsonObject);
    };
    Ok(ResponseFormat::JsonSchema { name, description, schema: Cow::Borrowed(schema), strict })
}

/// `safety_identifier` is the newer name and wins.
pub(crate) fn user<'a>(fields: &mut Fields<'a, '_>) -> Result<Option<Cow<'a, str>>, FormatError> {
    let older = fields.text("user")?;
    Ok(fields.text("safety_identifier")?.or(older))
}

fn modalities<'a>(fields: &mut Fields<'a, '_>) -> Result<Vec<Cow<'a, str>>, FormatError> {
    let Some(items) = fields.array("modalities")? else { return Ok(Vec::new()) };
    let mut names = texts(items, &fields.path.key("modalities"))?;
    for name in &mut names {
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            name.to_mut().make_ascii_lowercase();
        }
    }
    Ok(names)
}

/// The start of a word a client sent, short enough to be shown in a complaint.
fn clip(word: &str) -> String {
    word.chars().take(40).collect()
}

#[cfg(test)]
mod tests;
