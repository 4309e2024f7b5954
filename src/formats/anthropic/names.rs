//! Tool names and call ids in the alphabet that Anthropic accepts.
//!
//! Used by the request encoder; the translator may use it to find the client's own name again.
//! Both mappings are functions of the original alone, so that a call and its result, in this or a
//! later request, always meet, and different originals stay different.

use crate::chat::tool::Tool;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt::Write;

const NAME_MAX: usize = 128;
const ID_MAX: usize = 64;
const HASH_HEX: usize = 6;

/// A function name of at most 128 of `[A-Za-z0-9_-]`; unchanged when it is one already.
pub fn tool_name(original: &str) -> Cow<'_, str> {
    fit(original, NAME_MAX)
}

/// A call id of at most 64 of `[A-Za-z0-9_-]`; unchanged when it is one already.
pub fn call_id(original: &str) -> Cow<'_, str> {
    fit(original, ID_MAX)
}

/// Whether the arguments of calls of this tool travel as `{"input": …}` and have to be unwrapped
/// on the way back: the tool takes free text, or its schema describes no object.
pub fn wraps_arguments(tool: &Tool<'_>) -> bool {
    super::request::wraps(tool)
}

fn allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

fn fit(original: &str, max: usize) -> Cow<'_, str> {
    if !original.is_empty() && original.len() <= max && original.chars().all(allowed) {
        return Cow::Borrowed(original);
    }
    let mut fitted: String = original
        .chars()
        .take(max - HASH_HEX - 1)
        .map(|character| if allowed(character) { character } else { '_' })
        .collect();
    fitted.push('_');
    for byte in Sha256::digest(original.as_bytes()).iter().take(HASH_HEX / 2) {
        // Writing into a String cannot fail.
        write!(fitted, "{byte:02x}").unwrap_or_default();
    }
    Cow::Owned(fitted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fitting_names_stay() {
        for name in ["get_weather", "a", "A-b_9", "toolu_01ABC", &"x".repeat(64)] {
            assert_eq!(tool_name(name), name);
            assert_eq!(call_id(name), name);
        }
        assert_eq!(tool_name(&"x".repeat(128)), "x".repeat(128));
    }

    #[test]
    fn tools_whose_arguments_are_wrapped() {
        let tool = |schema: Option<&str>, custom| Tool {
            name: "f".into(),
            description: None,
            parameters: schema.map(|json| {
                Cow::Owned(serde_json::value::RawValue::from_string(json.to_owned()).unwrap())
            }),
            strict: None,
            cache: None,
            custom,
        };
        let free = || Some(crate::chat::tool::CustomTool { format: None });
        assert!(!wraps_arguments(&tool(None, None)));
        assert!(!wraps_arguments(&tool(Some(r#"{"type":"object"}"#), None)));
        assert!(wraps_arguments(&tool(Some(r#"{"type":"string"}"#), None)));
        assert!(wraps_arguments(&tool(None, free())));
    }

    #[test]
    fn others_are_replaced_and_stay_apart() {
        let long = "y".repeat(300);
        for name in ["", "a.b", "a b", "wetter_für", "call:1", long.as_str()] {
            for (fitted, max) in [(tool_name(name), NAME_MAX), (call_id(name), ID_MAX)] {
                assert!(fitted.len() <= max && fitted.chars().all(allowed), "{fitted}");
                assert!(fitted.len() > HASH_HEX);
            }
        }
        assert_ne!(tool_name("a.b"), tool_name("a:b"));
        assert_ne!(call_id("a.b"), "a_b");
        assert_eq!(call_id("a.b"), call_id("a.b"));
        assert_eq!(call_id(&"z".repeat(65)).len(), 64);
    }
}
