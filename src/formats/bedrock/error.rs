//! Reads Bedrock's errors: error answers, and exceptions inside a stream.
//!
//! Used by `formats::decode_error`, the stream reader and the translator. An error answer is a
//! bare message; its type stands in a header, and in the body only sometimes, so that the status
//! decides where the type is not known.

#[cfg(test)]
mod tests;

use crate::error::Kind;
use crate::formats::UpstreamFailure;
use serde_json::{Map, Value};

/// Longest message that is kept, in characters.
const MAX_MESSAGE_CHARACTERS: usize = 4_000;
/// Longest part of a body that is no JSON kept as its message, in characters.
const MAX_PLAIN_CHARACTERS: usize = 500;
/// Longest type word that is kept, in characters.
const MAX_WORD_CHARACTERS: usize = 100;

/// Reads an error body.
pub fn decode(status: u16, body: &[u8]) -> UpstreamFailure {
    read(status, None, body)
}

/// Reads an exception inside a stream, by its name and JSON.
pub fn of_exception(name: &str, payload: &[u8]) -> UpstreamFailure {
    read(502, Some(name), payload)
}

/// An error that a stream's frame tells in its headers alone.
pub fn of_words(code: &str, message: &str) -> UpstreamFailure {
    failure(502, Some(code), Some(message))
}

fn read(status: u16, word: Option<&str>, body: &[u8]) -> UpstreamFailure {
    if let Ok(members) = serde_json::from_slice::<Map<String, Value>>(body) {
        let text = |keys: &[&str]| keys.iter().find_map(|key| members.get(*key)?.as_str());
        // In a stream, the model's own words may stand beside the service's.
        let message = text(&["message", "Message", "originalMessage"]);
        return failure(status, word.or_else(|| text(&["__type", "code"])), message);
    }
    let text = String::from_utf8_lossy(body.get(..body.len().min(4_096)).unwrap_or_default());
    let plain: String = text.trim().chars().take(MAX_PLAIN_CHARACTERS).collect();
    failure(status, word, Some(&plain))
}

fn failure(status: u16, word: Option<&str>, message: Option<&str>) -> UpstreamFailure {
    // The type may carry a namespace: `com.amazon.coral.service#X`, `X:http://…`.
    let word = word.map(|word| word.rsplit('#').next().unwrap_or(word));
    let word = word.map(|word| word.split(':').next().unwrap_or(word)).filter(|w| !w.is_empty());
    let message = message.filter(|message| !message.is_empty());
    let clip = |text: &str, characters| text.chars().take(characters).collect();
    UpstreamFailure {
        kind: kind(status, word, message.unwrap_or_default()),
        code: word.map(|word| clip(word, MAX_WORD_CHARACTERS)),
        message: message.map(|message| clip(message, MAX_MESSAGE_CHARACTERS)),
        retry_after: None,
    }
}

fn kind(status: u16, word: Option<&str>, message: &str) -> Kind {
    let Some(kind) = word.and_then(of_word) else {
        let kind = of_status(status);
        let open = matches!(kind, Kind::InvalidRequest | Kind::PayloadTooLarge);
        return if open && is_too_long(message) { Kind::ContextLengthExceeded } else { kind };
    };
    match kind {
        Kind::InvalidRequest if is_too_long(message) => Kind::ContextLengthExceeded,
        kind => kind,
    }
}

/// In streams the names begin with a small letter, elsewhere with a capital.
fn of_word(word: &str) -> Option<Kind> {
    let word = word.to_ascii_lowercase();
    Some(match word.strip_suffix("exception").unwrap_or(&word) {
        "validation" => Kind::InvalidRequest,
        "accessdenied" => Kind::PermissionDenied,
        "expiredtoken"
        | "unrecognizedclient"
        | "invalidsignature"
        | "incompletesignature"
        | "missingauthenticationtoken"
        | "invalidclienttokenid" => Kind::Authentication,
        "resourcenotfound" => Kind::NotFound,
        "conflict" => Kind::Conflict,
        "throttling" | "servicequotaexceeded" | "toomanyrequests" => Kind::RateLimitExceeded,
        "modeltimeout" => Kind::Timeout,
        "serviceunavailable" | "modelnotready" => Kind::ProviderOverloaded,
        "modelerror" | "modelstreamerror" | "internalserver" | "internalfailure" => {
            Kind::ProviderUnavailable
        }
        _ => return None,
    })
}

/// Models say in words of their own that the prompt does not fit.
fn is_too_long(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let known = [
        "input is too long",
        "prompt is too long",
        "input tokens exceeded",
        "too many input tokens",
        "too many tokens",
        "maximum context length",
        "exceed context limit",
        "context window",
        "exceeds the maximum number of tokens",
    ];
    known.iter().any(|words| message.contains(words))
}

fn of_status(status: u16) -> Kind {
    match status {
        401 => Kind::Authentication,
        402 => Kind::PaymentRequired,
        403 => Kind::PermissionDenied,
        404 => Kind::NotFound,
        408 | 504 | 524 => Kind::Timeout,
        409 => Kind::Conflict,
        413 => Kind::PayloadTooLarge,
        422 => Kind::Unprocessable,
        429 => Kind::RateLimitExceeded,
        // A model that failed, not a request that is wrong.
        424 => Kind::ProviderUnavailable,
        503 => Kind::ProviderOverloaded,
        400..500 => Kind::InvalidRequest,
        _ => Kind::ProviderUnavailable,
    }
}
