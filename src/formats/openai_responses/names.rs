//! Function names and call ids as OpenAI accepts them.
//!
//! Used by the request encoder, and by `tool_names` to find the client's own name again. The
//! mapping depends on the original alone, so that a call and its result always meet.

use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt::Write;

const MAX: usize = 64;
const HASH_BYTES: usize = 3;

/// A name of at most 64 of `[A-Za-z0-9_-]`; unchanged when it is one already.
pub fn tool_name(original: &str) -> Cow<'_, str> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    if !original.is_empty() && original.len() <= MAX && original.chars().all(allowed) {
        return Cow::Borrowed(original);
    }
    let kept = original.chars().take(MAX - 2 * HASH_BYTES - 1);
    let mut fitted: String =
        kept.map(|letter| if allowed(letter) { letter } else { '_' }).collect();
    fitted.push('_');
    for byte in Sha256::digest(original.as_bytes()).iter().take(HASH_BYTES) {
        // Writing into a String cannot fail.
        write!(fitted, "{byte:02x}").unwrap_or_default();
    }
    Cow::Owned(fitted)
}

/// A call id of at most 64 bytes; providers of this format use any characters in theirs.
pub(super) fn call_id(original: &str) -> Cow<'_, str> {
    if original.len() <= MAX { Cow::Borrowed(original) } else { tool_name(original) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fitting_names_stay_and_others_stay_apart() {
        for name in ["get_weather", "call_abc-1", &"x".repeat(64)] {
            assert_eq!(tool_name(name), name);
        }
        let odd = ["", "a.b", "a:b", "größe", &"x".repeat(65), &"x".repeat(66)];
        let fitted: std::collections::HashSet<_> = odd.iter().map(|name| tool_name(name)).collect();
        assert_eq!(fitted.len(), odd.len());
        assert_eq!(call_id("resp_1:call_0"), "resp_1:call_0");
        assert!(call_id(&"é".repeat(40)).len() <= 64);
        assert!(fitted.iter().all(|name| name.len() <= 64 && tool_name(name) == *name));
    }
}
