//! Function names within Gemini's alphabet, and back.
//!
//! The changed name depends on the original alone, so that a later request with the same tool gets
//! the same name without state; `Renamed` is what the answer's reader needs to undo it.

use crate::chat::Request;
use crate::chat::message::Part;
use crate::chat::response::Response;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt::Write as _;

const MAX_BYTES: usize = 64;
const HASH_DIGITS: usize = 6;

/// The names of one request that Gemini sees in another form; usually none.
#[derive(Debug, Clone, Default)]
pub struct Renamed(Vec<(String, String)>);

impl Renamed {
    /// Looks through the declared tools.
    pub fn of(request: &Request<'_>) -> Self {
        let names = request.tools.iter().map(|tool| tool.name.as_ref());
        let changed = names.filter_map(|name| match sent_name(name) {
            Cow::Borrowed(_) => None,
            Cow::Owned(sent) => Some((sent, name.to_owned())),
        });
        Self(changed.collect())
    }

    /// The client's name for the one Gemini used; `None` when they are the same.
    pub fn original(&self, sent: &str) -> Option<&str> {
        let (_, original) = self.0.iter().find(|(changed, _)| changed == sent)?;
        Some(original)
    }

    /// Puts the client's names back into a whole answer.
    pub fn restore(&self, response: &mut Response<'_>) {
        let parts = response.choices.iter_mut().flat_map(|choice| &mut choice.parts);
        for part in parts {
            if let Part::ToolCall(call) = part
                && let Some(original) = self.original(&call.name)
            {
                call.name = Cow::Owned(original.to_owned());
            }
        }
    }
}

/// The name Gemini sees: the same if it fits the alphabet, else a changed one with a hash that
/// keeps it apart from others.
pub fn sent_name(name: &str) -> Cow<'_, str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    let first_fits = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if first_fits && name.len() <= MAX_BYTES && name.bytes().all(fits) {
        return Cow::Borrowed(name);
    }
    let mut sent = String::with_capacity(MAX_BYTES);
    if !first_fits {
        sent.push('_');
    }
    let room = MAX_BYTES - HASH_DIGITS - 1 - sent.len();
    sent.extend(name.chars().take(room).map(
        |c| {
            if u8::try_from(c).is_ok_and(fits) { c } else { '_' }
        },
    ));
    sent.push('_');
    for byte in Sha256::digest(name.as_bytes()).iter().take(HASH_DIGITS / 2) {
        // Writing to a String cannot fail.
        write!(sent, "{byte:02x}").unwrap_or_default();
    }
    Cow::Owned(sent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::tool::Tool;

    fn tool(name: &str) -> Tool<'_> {
        Tool {
            name: name.into(),
            description: None,
            parameters: None,
            strict: None,
            cache: None,
            custom: None,
        }
    }

    #[test]
    fn fitting_names_stay() {
        for name in ["a", "_x", "get_weather", "get-weather.v2:x", &"n".repeat(64)] {
            assert!(matches!(sent_name(name), Cow::Borrowed(_)), "{name}");
        }
    }

    #[test]
    fn others_change_apart_and_repeatably() {
        let mut seen = Vec::new();
        for name in ["1st", "-x", "a b", "a/b", "wetter_für_köln", "", &"n".repeat(65)] {
            let sent = sent_name(name).into_owned();
            assert!(matches!(sent_name(&sent), Cow::Borrowed(_)), "{name} became {sent}");
            assert_eq!(sent, sent_name(name));
            assert!(!seen.contains(&sent));
            seen.push(sent);
        }
    }

    #[test]
    fn the_answer_gets_the_original_back() {
        let request = Request { tools: vec![tool("ok"), tool("1st")], ..Request::default() };
        let renamed = Renamed::of(&request);
        assert_eq!(renamed.original(&sent_name("1st")), Some("1st"));
        assert_eq!(renamed.original("ok"), None);
    }
}
