//! Function names and call ids that an OpenAI-compatible provider accepts.
//!
//! Both mappings are functions of the original alone, so that a call and its result meet in this
//! and every later request, and what already fits stays as it is.

use super::dialect::CallIds;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt::Write as _;

const NAME_MAX: usize = 64;
const ID_MAX: usize = 40;
const HASH_HEX: usize = 6;
const NINE: usize = 9;
const BASE_62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A function name of at most 64 of `[A-Za-z0-9_-]`; unchanged when it is one already.
pub fn tool_name(original: &str) -> Cow<'_, str> {
    if !original.is_empty() && original.len() <= NAME_MAX && original.chars().all(plain) {
        return Cow::Borrowed(original);
    }
    Cow::Owned(fitted(original, NAME_MAX))
}

/// A call id of the demanded form; unchanged when it has it already. Ids are opaque, so their
/// alphabet is left alone: some servers read a meaning into their own.
pub(super) fn call_id(form: CallIds, original: &str) -> Cow<'_, str> {
    match form {
        CallIds::Short if !original.is_empty() && original.len() <= ID_MAX => {
            Cow::Borrowed(original)
        }
        CallIds::Short => Cow::Owned(fitted(original, ID_MAX)),
        CallIds::NineAlphanumerics => nine(original),
    }
}

fn plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

/// The start of the original and a hash that keeps it apart from others.
fn fitted(original: &str, max: usize) -> String {
    let start = original.chars().take(max - HASH_HEX - 1);
    let mut fitted: String =
        start.map(|character| if plain(character) { character } else { '_' }).collect();
    fitted.push('_');
    for byte in Sha256::digest(original.as_bytes()).iter().take(HASH_HEX / 2) {
        // Writing into a String cannot fail.
        write!(fitted, "{byte:02x}").unwrap_or_default();
    }
    fitted
}

fn nine(original: &str) -> Cow<'_, str> {
    if original.len() == NINE && original.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Cow::Borrowed(original);
    }
    let digest = Sha256::digest(original.as_bytes());
    let start = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let digits = std::iter::successors(Some(start), |number| Some(number / 62));
    let digit = |number: u64| {
        let at = usize::try_from(number % 62).unwrap_or_default();
        char::from(BASE_62.get(at).copied().unwrap_or(b'0'))
    };
    Cow::Owned(digits.take(NINE).map(digit).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fitting_ids_and_names_stay() {
        for id in ["call_1", "functions.add:0", "toolu_01A", &"x".repeat(40)] {
            assert_eq!(call_id(CallIds::Short, id), id);
        }
        assert_eq!(call_id(CallIds::NineAlphanumerics, "D681PevKs"), "D681PevKs");
        assert_eq!(tool_name(&"x".repeat(64)), "x".repeat(64));
    }

    #[test]
    fn others_are_changed_repeatably_and_stay_apart() {
        let long = ["y".repeat(41), format!("{}1", "y".repeat(60)), format!("{}2", "y".repeat(60))];
        let mut seen = Vec::new();
        for id in long.iter().map(String::as_str).chain(["", "call_1", "call_2", "12345678ü"]) {
            let nine = call_id(CallIds::NineAlphanumerics, id).into_owned();
            assert!(nine.len() == 9 && nine.bytes().all(|b| b.is_ascii_alphanumeric()), "{nine}");
            assert_eq!(nine, call_id(CallIds::NineAlphanumerics, id));
            let short = call_id(CallIds::Short, id).into_owned();
            assert!((1..=40).contains(&short.len()), "{short}");
            seen.extend([nine, short]);
        }
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count);
        for name in ["", "a.b", "wetter für", &"n".repeat(65)] {
            assert!(tool_name(name).len() <= 64 && tool_name(name).chars().all(plain), "{name}");
        }
        assert_ne!(tool_name("a.b"), tool_name("a:b"));
    }
}
