//! Names of accounts and keys in the messages of providers.
//!
//! Providers repeat the key they were sent, in part or masked in ways of their own, and the
//! organisation it belongs to. Both are the operator's business: callers get the message without
//! them. Used wherever a provider's error is read.

use super::{StreamFault, UpstreamFailure};

/// What such names begin with.
const PREFIXES: [&str; 9] =
    ["org-", "org_", "user_", "sk-", "gsk_", "proj_", "xai-", "AIza", "key_"];
/// Shorter ones are words.
const TAIL_MIN: usize = 6;
/// What stands in their place.
const HIDDEN: &str = "***";

/// The failure as callers may hear of it.
pub(super) fn hide(mut failure: UpstreamFailure) -> UpstreamFailure {
    failure.message = failure.message.map(hidden);
    failure
}

/// [`hide`] for an error inside a stream.
pub(super) fn hide_in_fault(fault: StreamFault) -> StreamFault {
    match fault {
        StreamFault::Upstream(failure) => StreamFault::Upstream(hide(failure)),
        other => other,
    }
}

fn hidden(message: String) -> String {
    let ends = |c: char| c.is_whitespace() || "\"'`,.()[]{}:;<>".contains(c);
    if !message.split(ends).any(is_name) {
        return message;
    }
    let mut shown = String::with_capacity(message.len());
    for piece in message.split_inclusive(ends) {
        let word = piece.trim_end_matches(ends);
        shown.push_str(if is_name(word) { HIDDEN } else { word });
        shown.push_str(piece.strip_prefix(word).unwrap_or_default());
    }
    shown
}

/// Such names hold digits, or the marks of a mask.
fn is_name(word: &str) -> bool {
    let tail = PREFIXES.iter().find_map(|prefix| word.strip_prefix(prefix));
    let telling = |tail: &str| {
        tail.contains("**") || tail.contains('…') || tail.bytes().any(|byte| byte.is_ascii_digit())
    };
    tail.is_some_and(|tail| tail.len() >= TAIL_MIN && telling(tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_organisations_are_hidden_and_all_else_stays() {
        let cases = [
            (
                "Incorrect API key provided: sk-wrong****-key. You can find it at https://a.b/c.",
                "Incorrect API key provided: ***. You can find it at https://a.b/c.",
            ),
            (
                "Rate limit for `gpt-5` in organization org-Ab12345678 on\ntokens",
                "Rate limit for `gpt-5` in organization *** on\ntokens",
            ),
            ("key \"gsk_abc123def\", AIzaSyA1b2 (user_1234567)", "key \"***\", *** (***)"),
            (
                "sk-1 and user_name, key_word, org-wide, é sk-proj****",
                "sk-1 and user_name, key_word, org-wide, é ***",
            ),
            ("nothing here", "nothing here"),
            ("", ""),
        ];
        for (message, expected) in cases {
            assert_eq!(hidden(message.to_owned()), expected);
        }
    }
}
