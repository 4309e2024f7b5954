//! What a provider's error means: code and type words first, then telling phrases, then status.

use crate::error::Kind;
use std::time::Duration;

/// Longest wait that is believed.
const MAX_WAIT_S: f64 = 86_400.0;

/// What an error answer says about itself.
pub(super) struct Signs<'e> {
    /// HTTP status, or the one stated in the body.
    pub(super) status: u16,
    /// Code and type words, the most specific first.
    pub(super) words: [Option<&'e str>; 3],
    /// The human text.
    pub(super) message: &'e str,
}

/// The meaning in the gateway's terms.
pub(super) fn kind(signs: &Signs<'_>) -> Kind {
    let by_word = signs.words.iter().flatten().find_map(|word| by_word(word));
    by_word.or_else(|| by_phrase(signs)).unwrap_or_else(|| by_status(signs.status))
}

fn by_word(word: &str) -> Option<Kind> {
    let lower = word.to_ascii_lowercase();
    Some(match lower.as_str() {
        "context_length_exceeded"
        | "too_many_tokens"
        | "context_window_exceeded"
        | "token_limit_exceeded"
        | "exceed_context_size_error" => Kind::ContextLengthExceeded,
        "content_filter"
        | "content_policy_violation"
        | "responsibleaipolicyviolation"
        | "content_filter_error"
        | "moderation_error" => Kind::ContentPolicyViolation,
        "invalid_api_key"
        | "authentication_error"
        | "invalid_authentication"
        | "authentication"
        | "unauthenticated" => Kind::Authentication,
        "insufficient_quota"
        | "billing_not_active"
        | "billing_hard_limit_reached"
        | "insufficient_credits"
        | "billing_error"
        | "payment_required"
        | "insufficient_balance" => Kind::PaymentRequired,
        "permission_error" | "permission_denied" => Kind::PermissionDenied,
        "model_not_found" | "deploymentnotfound" | "not_found_error" | "not_found"
        | "invalid_model" => Kind::NotFound,
        "rate_limit_exceeded"
        | "ratelimitreached"
        | "rate_limit_error"
        | "rate_limited"
        | "too_many_requests"
        | "resource_exhausted" => Kind::RateLimitExceeded,
        "request_too_large" => Kind::PayloadTooLarge,
        "tool_use_failed"
        | "invalid_value"
        | "unsupported_parameter"
        | "unsupported_value"
        | "invalid_prompt"
        | "string_above_max_length" => Kind::InvalidRequest,
        "overloaded_error"
        | "overloaded"
        | "engine_overloaded"
        | "service_unavailable"
        | "capacity_exceeded"
        | "unavailable" => Kind::ProviderOverloaded,
        "timeout_error" | "timeout" | "deadline_exceeded" => Kind::Timeout,
        _ => return None,
    })
}

/// Phrases of providers that have no word for it; only where the status leaves the cause open.
fn by_phrase(signs: &Signs<'_>) -> Option<Kind> {
    const CONTEXT: [&str; 7] = [
        "maximum context length",
        "context length exceeded",
        "context window",
        "prompt is too long",
        "too many tokens",
        "exceeds the maximum number of tokens",
        "available context size",
    ];
    const KEY: [&str; 3] = ["incorrect api key", "invalid api key", "api key not valid"];
    const CREDIT: [&str; 3] =
        ["insufficient balance", "credit balance is too low", "exceeded your current quota"];
    if !matches!(signs.status, 400 | 403 | 404 | 413 | 422 | 429 | 500) {
        return None;
    }
    let text = signs.message.to_ascii_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
    let open = matches!(signs.status, 400 | 413 | 422 | 500);
    if open && says(&CONTEXT) {
        return Some(Kind::ContextLengthExceeded);
    }
    if says(&CREDIT) {
        return Some(Kind::PaymentRequired);
    }
    if matches!(signs.status, 400 | 403) && says(&KEY) {
        return Some(Kind::Authentication);
    }
    if signs.status == 400 && says(&["model not found", "model does not exist"]) {
        return Some(Kind::NotFound);
    }
    (open && says(&["content management policy"])).then_some(Kind::ContentPolicyViolation)
}

fn by_status(status: u16) -> Kind {
    match status {
        401 => Kind::Authentication,
        402 => Kind::PaymentRequired,
        403 => Kind::PermissionDenied,
        404 => Kind::NotFound,
        408 | 504 | 524 => Kind::Timeout,
        409 => Kind::Conflict,
        413 => Kind::PayloadTooLarge,
        415 => Kind::UnsupportedMediaType,
        422 => Kind::Unprocessable,
        429 => Kind::RateLimitExceeded,
        498 | 503 | 529 => Kind::ProviderOverloaded,
        424 => Kind::ProviderUnavailable,
        400..=499 => Kind::InvalidRequest,
        _ => Kind::ProviderUnavailable,
    }
}

/// A wait named in the text: `try again in 1m12.5s`, `retry after 26 seconds`.
pub(super) fn wait_in(message: &str) -> Option<Duration> {
    let lower = message.to_ascii_lowercase();
    let (_, after) = lower
        .split_once("try again in ")
        .or_else(|| lower.split_once("retry after "))
        .or_else(|| lower.split_once("retry in "))?;
    let mut seconds = 0.0;
    let mut rest = after;
    let mut found = false;
    while let Some((amount, unit_s, tail)) = amount_and_unit(rest) {
        seconds += amount * unit_s;
        rest = tail;
        found = true;
    }
    (found && seconds <= MAX_WAIT_S).then(|| Duration::from_secs_f64(seconds))
}

/// One `12.5s` at the start of the text: the number, seconds per unit, what follows.
fn amount_and_unit(text: &str) -> Option<(f64, f64, &str)> {
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, rest) = text.split_at_checked(digits)?;
    let amount: f64 = number.trim_end_matches('.').parse().ok()?;
    let rest = rest.trim_start_matches(' ');
    let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (unit, rest) = rest.split_at_checked(letters)?;
    let unit_s = match unit {
        "ms" | "milliseconds" => 0.001,
        "s" | "sec" | "second" | "seconds" => 1.0,
        "m" | "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3_600.0,
        _ => return None,
    };
    Some((amount, unit_s, rest))
}
