//! Reads a client's legacy request into neutral terms.
//!
//! Used by `formats::decode_request` only. What would change the answer and cannot be asked of a
//! chat model (several prompts, token numbers, `suffix`, `echo`) is refused by name; what only
//! tunes it (`best_of`, `logit_bias`) ends in `unmapped`. Without `max_tokens` the provider's own
//! limit holds, not the 16 tokens of the old models.

use crate::chat::request::Sampling;
use crate::chat::{self, Message, Part, Role};
use crate::formats::FormatError;
use crate::formats::openai_chat::RAW_KEYS;
use crate::formats::openai_chat::request::GATEWAY_FIELDS;
use crate::formats::openai_chat::request::decode::{response_format, sampling, stop, user};
use crate::formats::path::Path;
use crate::formats::tree::{Fields, Node};
use crate::json::find;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Most alternatives per token with log probabilities.
const MAX_TOP_LOGPROBS: u64 = 20;
/// Most candidates of which the best are given.
const MAX_BEST_OF: u64 = 128;

/// Reads the body of a request.
pub fn decode(body: &[u8]) -> Result<chat::Request<'_>, FormatError> {
    let node = Node::parse(body, &RAW_KEYS).map_err(|error| {
        FormatError::whole(format!("the request body is not valid JSON: {error}"))
    })?;
    let mut fields = Fields::new(node, Path::Root)?;
    for name in GATEWAY_FIELDS {
        fields.take(name);
    }
    refuse_insertion(&mut fields)?;
    // Taken first: the chat format has members of these names with another meaning.
    let (logprobs, top_logprobs) = logprobs(&mut fields)?;
    let mut unmapped = tuning(&mut fields)?;
    let mut request = chat::Request {
        messages: vec![prompt(&mut fields)?],
        max_tokens: fields.count("max_tokens", 1, u64::MAX)?,
        sampling: Sampling { logprobs, top_logprobs, ..sampling(&mut fields)? },
        stop: stop(&mut fields)?,
        response_format: response_format(&mut fields)?,
        user: user(&mut fields)?,
        metadata: metadata(&mut fields, body)?,
        stream: fields.boolean("stream")?.unwrap_or(false),
        ..chat::Request::default()
    };
    unmapped.extend(fields.rest());
    request.unmapped = unmapped;
    Ok(request)
}

/// The prompt as the user's message.
fn prompt<'a>(fields: &mut Fields<'a, '_>) -> Result<Message<'a>, FormatError> {
    let text = match fields.take("prompt") {
        None => Err("is missing"),
        Some(Node::Text(text)) => Ok(text),
        Some(Node::Array(items)) => only_text(items),
        Some(_) => Err("must be a string or an array with one string"),
    };
    let text = match text {
        Ok(text) if text.is_empty() => return Err(fields.fault("prompt", "must not be empty")),
        Ok(text) => text,
        Err(complaint) => return Err(fields.fault("prompt", complaint)),
    };
    let parts = vec![Part::Text { text, cache: None }];
    Ok(Message { role: Role::User, name: None, parts })
}

/// The text of a list with one prompt; otherwise what is wrong with the list.
fn only_text(items: Vec<Node<'_>>) -> Result<Cow<'_, str>, &'static str> {
    let several = items.len() > 1;
    match items.into_iter().next() {
        None => Err("must not be empty"),
        Some(Node::Text(_)) if several => {
            Err("holds several prompts: this model takes one in a request")
        }
        Some(Node::Text(text)) => Ok(text),
        Some(Node::Integer(_) | Node::Unsigned(_) | Node::Float(_) | Node::Array(_)) => {
            Err("is given as tokens: this model takes text")
        }
        Some(_) => Err("must be a string or an array with one string"),
    }
}

/// Text around the answer: a chat model neither continues towards one nor repeats the prompt.
fn refuse_insertion(fields: &mut Fields<'_, '_>) -> Result<(), FormatError> {
    if fields.text("suffix")?.is_some_and(|suffix| !suffix.is_empty()) {
        return Err(fields.fault("suffix", "is not supported for this model"));
    }
    if fields.boolean("echo")? == Some(true) {
        return Err(fields.fault("echo", "is not supported for this model"));
    }
    Ok(())
}

/// A number of alternatives per token; zero asks for the chosen token alone.
fn logprobs(fields: &mut Fields<'_, '_>) -> Result<(Option<bool>, Option<u64>), FormatError> {
    fields.take("top_logprobs");
    let top = fields.count("logprobs", 0, MAX_TOP_LOGPROBS)?;
    Ok((top.map(|_| true), top))
}

/// Names of the settings that are said and that no chat format has.
fn tuning<'a>(fields: &mut Fields<'a, '_>) -> Result<Vec<Cow<'a, str>>, FormatError> {
    let mut said = Vec::new();
    if fields.count("best_of", 1, MAX_BEST_OF)?.is_some_and(|candidates| candidates > 1) {
        said.push(Cow::Borrowed("best_of"));
    }
    match fields.take("logit_bias") {
        None => {}
        Some(Node::Object(members)) if members.is_empty() => {}
        Some(Node::Object(_)) => said.push(Cow::Borrowed("logit_bias")),
        Some(_) => return Err(fields.fault("logit_bias", "must be an object")),
    }
    Ok(said)
}

/// The client's labels as they were written.
fn metadata<'a>(
    fields: &mut Fields<'a, '_>,
    body: &'a [u8],
) -> Result<Option<Cow<'a, RawValue>>, FormatError> {
    let written = find(body, "metadata").and_then(|place| body.get(place));
    let raw = written.and_then(|json| serde_json::from_slice::<&RawValue>(json).ok());
    // A name written with escapes is not found and stays among the fields nobody took.
    let Some(raw) = raw else { return Ok(None) };
    match fields.take("metadata") {
        None => Ok(None),
        Some(Node::Object(_)) => Ok(Some(Cow::Borrowed(raw))),
        Some(_) => Err(fields.fault("metadata", "must be an object")),
    }
}

#[cfg(test)]
mod tests;
