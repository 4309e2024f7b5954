//! Why Gemini ended an answer, in neutral terms.
//!
//! Gemini never says that it waits for tools: that follows from the calls seen. Numbers follow
//! Vertex's table; an unknown word or number counts as a proper end.

use super::answer::Word;
use crate::chat::FinishReason;
use std::borrow::Cow;

/// What an answer was made of, as far as its end depends on it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// A tool call.
    pub(super) calls: bool,
    /// Anything the caller can use: text, reasoning, calls, images.
    pub(super) content: bool,
}

/// The provider's word; numbers become words, an unknown number its digits.
pub(super) fn word<'a>(reason: &Word<'a>) -> Cow<'a, str> {
    let number = match reason {
        Word::Text(text) => return text.clone(),
        Word::Number(number) => *number,
    };
    Cow::Borrowed(match number {
        0 => "FINISH_REASON_UNSPECIFIED",
        1 => "STOP",
        2 => "MAX_TOKENS",
        3 => "SAFETY",
        4 => "RECITATION",
        5 => "OTHER",
        6 => "BLOCKLIST",
        7 => "PROHIBITED_CONTENT",
        8 => "SPII",
        9 => "MALFORMED_FUNCTION_CALL",
        other => return Cow::Owned(other.to_string()),
    })
}

/// What the word means for an answer of this content.
pub(super) fn reason(word: &str, seen: Seen) -> FinishReason {
    let proper = if seen.calls { FinishReason::ToolCalls } else { FinishReason::Stop };
    match word {
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => FinishReason::ContentFilter,
        "LANGUAGE"
        | "OTHER"
        | "NO_IMAGE"
        | "IMAGE_OTHER"
        | "FINISH_REASON_UNSPECIFIED"
        | "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
            if !seen.content =>
        {
            FinishReason::Error
        }
        _ => proper,
    }
}

/// Google's words for the end of an answer.
const WORDS: [&str; 19] = [
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "MODEL_ARMOR",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "IMAGE_OTHER",
    "NO_IMAGE",
    "FINISH_REASON_UNSPECIFIED",
];
/// Google's words for the reason to refuse a prompt.
const BLOCKS: [&str; 7] = [
    "SAFETY",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "IMAGE_SAFETY",
    "MODEL_ARMOR",
    "JAILBREAK",
];

/// The word for a Gemini client: the provider's own if it is Google's and means the same.
pub(super) fn written(finish: FinishReason, native: Option<&str>) -> &'static str {
    let known = native.and_then(|native| WORDS.iter().find(|word| **word == native));
    let seen = Seen { calls: finish == FinishReason::ToolCalls, content: true };
    let fits = |word: &&&'static str| {
        [seen, Seen::default()].iter().any(|seen| reason(word, *seen) == finish)
    };
    match (known.filter(fits), finish) {
        (Some(word), _) => word,
        (None, FinishReason::Stop | FinishReason::ToolCalls) => "STOP",
        (None, FinishReason::Length) => "MAX_TOKENS",
        (None, FinishReason::ContentFilter) => "SAFETY",
        (None, FinishReason::Error) => "OTHER",
    }
}

/// The word for a refused prompt.
pub(super) fn written_block(native: Option<&str>) -> &'static str {
    let known = native.and_then(|native| BLOCKS.iter().find(|word| **word == native));
    known.copied().unwrap_or("SAFETY")
}

/// Why the prompt was blocked: the word, and a text for the caller.
pub(super) fn block<'a>(feedback: &super::answer::PromptFeedback<'a>) -> Option<Block<'a>> {
    let reason = match feedback.block_reason.as_ref()? {
        Word::Text(text) if text.is_empty() || text == "BLOCK_REASON_UNSPECIFIED" => return None,
        Word::Number(0) => return None,
        Word::Text(text) => text.clone(),
        Word::Number(1) => Cow::Borrowed("SAFETY"),
        Word::Number(2) => Cow::Borrowed("OTHER"),
        Word::Number(3) => Cow::Borrowed("BLOCKLIST"),
        Word::Number(4) => Cow::Borrowed("PROHIBITED_CONTENT"),
        Word::Number(number) => Cow::Owned(number.to_string()),
    };
    let message = match &feedback.block_reason_message {
        Some(text) if !text.0.is_empty() => text.0.clone(),
        _ => Cow::Owned(format!("Blocked: {reason}")),
    };
    Some(Block { reason, message })
}

/// A refused prompt.
pub(super) struct Block<'a> {
    /// The provider's word.
    pub(super) reason: Cow<'a, str>,
    /// Text for the caller.
    pub(super) message: Cow<'a, str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_its_meaning() {
        use FinishReason::{ContentFilter, Error, Length, Stop, ToolCalls};
        let nothing = Seen::default();
        let text = Seen { content: true, calls: false };
        let calls = Seen { content: true, calls: true };
        for (word, seen, expected) in [
            ("STOP", text, Stop),
            ("STOP", nothing, Stop),
            ("STOP", calls, ToolCalls),
            ("MAX_TOKENS", calls, Length),
            ("MAX_TOKENS", nothing, Length),
            ("SAFETY", text, ContentFilter),
            ("RECITATION", text, ContentFilter),
            ("BLOCKLIST", nothing, ContentFilter),
            ("PROHIBITED_CONTENT", nothing, ContentFilter),
            ("SPII", nothing, ContentFilter),
            ("MODEL_ARMOR", nothing, ContentFilter),
            ("IMAGE_SAFETY", nothing, ContentFilter),
            ("IMAGE_PROHIBITED_CONTENT", nothing, ContentFilter),
            ("IMAGE_RECITATION", nothing, ContentFilter),
            ("LANGUAGE", text, Stop),
            ("OTHER", nothing, Error),
            ("OTHER", text, Stop),
            ("NO_IMAGE", nothing, Error),
            ("MALFORMED_FUNCTION_CALL", nothing, Error),
            ("MALFORMED_FUNCTION_CALL", text, Stop),
            ("UNEXPECTED_TOOL_CALL", calls, ToolCalls),
            ("TOO_MANY_TOOL_CALLS", nothing, Error),
            ("SOMETHING_NEW", text, Stop),
        ] {
            assert_eq!(reason(word, seen), expected, "{word} {seen:?}");
        }
    }

    #[test]
    fn words_for_clients() {
        use FinishReason::{ContentFilter, Error, Length, Stop, ToolCalls};
        for (finish, native, expected) in [
            (Stop, None, "STOP"),
            (Stop, Some("end_turn"), "STOP"),
            (Stop, Some("OTHER"), "OTHER"),
            (Stop, Some("MAX_TOKENS"), "STOP"),
            (ToolCalls, Some("tool_use"), "STOP"),
            (ToolCalls, Some("UNEXPECTED_TOOL_CALL"), "UNEXPECTED_TOOL_CALL"),
            (Length, Some("length"), "MAX_TOKENS"),
            (ContentFilter, Some("refusal"), "SAFETY"),
            (ContentFilter, Some("RECITATION"), "RECITATION"),
            (Error, None, "OTHER"),
            (Error, Some("MALFORMED_FUNCTION_CALL"), "MALFORMED_FUNCTION_CALL"),
        ] {
            assert_eq!(written(finish, native), expected, "{finish:?} {native:?}");
        }
        assert_eq!(written_block(Some("JAILBREAK")), "JAILBREAK");
        assert_eq!(written_block(Some("content_filter")), "SAFETY");
    }

    #[test]
    fn numbers_become_words() {
        for (number, expected) in [
            (1, "STOP"),
            (2, "MAX_TOKENS"),
            (3, "SAFETY"),
            (8, "SPII"),
            (9, "MALFORMED_FUNCTION_CALL"),
            (77, "77"),
        ] {
            assert_eq!(word(&Word::Number(number)), expected);
        }
    }
}
