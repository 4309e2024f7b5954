//! Errors in OpenAI's format: those of providers read, those of the gateway written.
//!
//! Dozens of providers answer errors in shapes of their own; all of them are recognised here by
//! code word, type word, message and status, in this order, because the first three are right
//! more often than the status.

mod classify;

use crate::error::{Blame, GatewayError, Kind};
use crate::formats::UpstreamFailure;
use crate::formats::openai_chat::RAW_KEYS;
use crate::formats::tree::Node;
use crate::json::write_string;
use bytes::{BufMut, Bytes, BytesMut};
use std::time::Duration;

/// Longest part of an unreadable body that is kept as message, in characters.
const MAX_PLAIN_CHARACTERS: usize = 500;
/// Longest provider message that is kept, in characters.
const MAX_MESSAGE_CHARACTERS: usize = 4_000;
/// Longest code or type word that is kept, in characters.
const MAX_WORD_CHARACTERS: usize = 100;

/// Which service's error envelope a path speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `/v1`: string code, ARouter's type words.
    ArouterV1,
    /// `/api/v1`: numeric code and metadata, as OpenRouter has it.
    OpenRouter,
}

/// Reads a provider's error answer; `status` 200 means that the error came inside an answer.
pub fn decode(status: u16, body: &[u8]) -> UpstreamFailure {
    let Ok(mut node) = Node::parse(body, &RAW_KEYS) else {
        return plain(status, body);
    };
    if let Node::Array(items) = node {
        node = items.into_iter().next().unwrap_or_default();
    }
    read(status, &node)
}

/// Reads an error object, or an object that has one in `error`.
pub(super) fn read(status: u16, node: &Node<'_>) -> UpstreamFailure {
    let inner = node.get("error").filter(|error| matches!(error, Node::Object(_)));
    let found = inner.unwrap_or(node);
    let word = |key: &str| found.get(key).and_then(word_of);
    let code = word("code").or_else(|| node.get("code").and_then(word_of));
    let kind_word = word("type").or_else(|| word("status")).or_else(|| word("error_type"));
    let message = message_of(found).or_else(|| message_of(node));
    let status = stated_status(status, found, code.as_deref());
    let text = message.as_deref().unwrap_or_default();
    let deeper = inner_code(found);
    let kind = classify::kind(&classify::Signs {
        status,
        words: [deeper.as_deref(), code.as_deref(), kind_word.as_deref()],
        message: text,
    });
    let retry_after = found
        .get("retry_after")
        .and_then(Node::as_count)
        .map(Duration::from_secs)
        .or_else(|| classify::wait_in(text));
    UpstreamFailure { kind, code: code.or(kind_word), message, retry_after }
}

/// What an error is that another format's reader found in a stream.
pub(in crate::formats) fn from_words(status: u16, kind: &str, message: &str) -> UpstreamFailure {
    let signs = classify::Signs { status, words: [Some(kind), None, None], message };
    UpstreamFailure {
        kind: classify::kind(&signs),
        code: Some(clip(kind, MAX_WORD_CHARACTERS)),
        message: Some(clip(message, MAX_MESSAGE_CHARACTERS)),
        retry_after: None,
    }
}

/// Azure hides the word for a refused prompt one level deeper.
fn inner_code(found: &Node<'_>) -> Option<String> {
    let inner = found.get("innererror").or_else(|| found.get("inner_error"))?;
    inner.get("code").and_then(word_of)
}

/// An error inside a 200 answer may carry the true status as a number.
fn stated_status(status: u16, found: &Node<'_>, code: Option<&str>) -> u16 {
    if status >= 400 {
        return status;
    }
    let member = found.get("status_code").and_then(Node::as_count);
    let stated = member.or_else(|| code.and_then(|code| code.parse().ok()));
    stated.and_then(|number| u16::try_from(number).ok()).unwrap_or(status)
}

/// A code or type: a word, or a number written as one.
fn word_of(node: &Node<'_>) -> Option<String> {
    match node {
        Node::Text(text) if !text.is_empty() => Some(clip(text, MAX_WORD_CHARACTERS)),
        Node::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The human text, in any of the places where providers put it.
fn message_of(node: &Node<'_>) -> Option<String> {
    let text = |node: &Node<'_>| {
        node.as_str().filter(|text| !text.is_empty()).map(|text| clip(text, MAX_MESSAGE_CHARACTERS))
    };
    ["message", "error", "detail", "error_description"]
        .iter()
        .filter_map(|key| node.get(key))
        .find_map(|found| match found {
            Node::Array(items) => items.first().and_then(validation_message),
            Node::Object(_) => message_of(found),
            _ => text(found),
        })
        .or_else(|| match node.get("errors")? {
            Node::Array(items) => items.first().and_then(message_of),
            _ => None,
        })
}

/// FastAPI's list of `{"loc": […], "msg": …}`.
fn validation_message(item: &Node<'_>) -> Option<String> {
    let text = item.get("msg").or_else(|| item.get("message"))?.as_str()?;
    let Some(Node::Array(location)) = item.get("loc") else {
        return Some(clip(text, MAX_MESSAGE_CHARACTERS));
    };
    let location: Vec<String> = location.iter().filter_map(word_of).collect();
    Some(format!("{}: {}", location.join("."), clip(text, MAX_MESSAGE_CHARACTERS)))
}

fn plain(status: u16, body: &[u8]) -> UpstreamFailure {
    let text = String::from_utf8_lossy(body.get(..body.len().min(4_096)).unwrap_or_default());
    let message = clip(text.trim(), MAX_PLAIN_CHARACTERS);
    let signs = classify::Signs { status, words: [None; 3], message: &message };
    UpstreamFailure {
        kind: classify::kind(&signs),
        code: None,
        retry_after: classify::wait_in(&message),
        message: Some(message).filter(|message| !message.is_empty()),
    }
}

fn clip(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

/// Writes the gateway's error as the body of an answer.
pub fn encode(error: &GatewayError, dialect: Dialect, request_id: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(256);
    out.put_slice(br#"{"error":{"#);
    match dialect {
        Dialect::ArouterV1 => write_v1(error, &mut out),
        Dialect::OpenRouter => write_openrouter(error, request_id, &mut out),
    }
    out.put_slice(b"}}");
    out.freeze()
}

fn write_v1(error: &GatewayError, out: &mut BytesMut) {
    out.put_slice(br#""message":"#);
    write_string(out, &error.message);
    out.put_slice(br#","type":"#);
    write_string(out, type_word(error.kind));
    out.put_slice(br#","param":"#);
    write_optional(out, error.param.as_deref());
    out.put_slice(br#","code":"#);
    // What has no canonical word keeps the one that OpenAI's clients know it by, such as
    // `model_not_found`; type words of other vendors are no codes.
    let own_word = error
        .provider_code
        .as_deref()
        .filter(|word| error.blame == Blame::Client && is_openai_code(word));
    write_optional(out, code_word(error.kind).or(own_word));
    if !error.facts().is_empty() {
        out.put_slice(br#","metadata":{"error_type":"#);
        write_string(out, error.kind.name());
        write_facts(error, out);
        out.put_slice(b"}");
    }
}

fn write_facts(error: &GatewayError, out: &mut BytesMut) {
    for (name, fact) in error.facts() {
        out.put_slice(format!(",\"{name}\":{fact}").as_bytes());
    }
}

fn write_openrouter(error: &GatewayError, request_id: &str, out: &mut BytesMut) {
    out.put_slice(br#""code":"#);
    out.put_slice(itoa::Buffer::new().format(error.kind.status()).as_bytes());
    out.put_slice(br#","message":"#);
    write_string(out, &error.message);
    out.put_slice(br#","type":"#);
    write_string(out, type_word(error.kind));
    out.put_slice(br#","metadata":{"error_type":"#);
    write_string(out, error.kind.name());
    if let Some(code) = error.provider_code.as_deref().filter(|_| error.kind != Kind::Server) {
        out.put_slice(br#","provider_code":"#);
        write_string(out, code);
    }
    if let Some(param) = error.param.as_deref() {
        out.put_slice(br#","param":"#);
        write_string(out, param);
    }
    write_facts(error, out);
    out.put_slice(br#","request_id":"#);
    write_string(out, request_id);
    out.put_slice(b"}");
}

/// OpenAI's codes are lower-case words; its types end in `_error`, and other vendors shout.
fn is_openai_code(word: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    word.bytes().all(plain) && !word.ends_with("_error")
}

/// Appends a string or `null`.
pub(crate) fn write_optional(out: &mut BytesMut, text: Option<&str>) {
    match text {
        Some(text) => write_string(out, text),
        None => out.put_slice(b"null"),
    }
}

/// Appends the member `error` of the last chunk of a stream that broke off.
pub(crate) fn write_failure(error: &GatewayError, provider: &str, out: &mut BytesMut) {
    out.put_slice(br#""error":{"code":"#);
    out.put_slice(itoa::Buffer::new().format(error.kind.status()).as_bytes());
    out.put_slice(br#","message":"#);
    write_string(out, &error.message);
    out.put_slice(br#","metadata":{"error_type":"#);
    write_string(out, error.kind.name());
    out.put_slice(br#","provider_name":"#);
    write_string(out, provider);
    out.put_slice(b"}}");
}

/// The documented `type` of an error.
fn type_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Authentication => "authentication_error",
        Kind::PaymentRequired => "payment_required",
        Kind::PermissionDenied => "permission_error",
        Kind::RateLimitExceeded => "rate_limit_error",
        Kind::RequestTimeout => "timeout",
        Kind::Server
        | Kind::ProviderUnavailable
        | Kind::ProviderOverloaded
        | Kind::Timeout
        | Kind::ClientClosed => "server_error",
        Kind::InvalidRequest
        | Kind::ContextLengthExceeded
        | Kind::ContentPolicyViolation
        | Kind::NotFound
        | Kind::MethodNotAllowed
        | Kind::Conflict
        | Kind::PayloadTooLarge
        | Kind::HeaderTooLarge
        | Kind::UnsupportedMediaType
        | Kind::ExpectationFailed
        | Kind::Unprocessable => "invalid_request_error",
    }
}

/// The canonical name, which says nothing for a request that is merely wrong.
fn code_word(kind: Kind) -> Option<&'static str> {
    Some(kind.name()).filter(|&name| name != "invalid_request")
}

#[cfg(test)]
mod tests;
