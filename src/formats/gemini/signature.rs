//! The one place Gemini's format has for signatures, and who made what stands in it.
//!
//! Used where a Gemini client is served: its own maker's signatures stand as they are, those of
//! others are packed with the maker's name and come back whole with the next request.

use super::REASONING_FORMAT;
use crate::chat::message::{Reasoning, ReasoningKind};
use crate::formats::carried::Carried;
use std::borrow::Cow;

/// A signature with its maker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature<'a> {
    pub(super) data: Cow<'a, str>,
    pub(super) format: Cow<'a, str>,
    /// Identifier of the reasoning, or of the call it belongs to.
    pub(super) id: Option<Cow<'a, str>>,
    /// Whether there is no readable text that it signs.
    pub(super) encrypted: bool,
}

impl<'a> Signature<'a> {
    /// Reads a `thoughtSignature`; `encrypted` is what its place says of one of Gemini's own.
    pub(super) fn read(text: Cow<'a, str>, encrypted: bool) -> Self {
        match Carried::unpack(&text) {
            Some(Carried { format, id, encrypted, data }) => Self {
                data: data.into(),
                format: format.into(),
                id: (!id.is_empty()).then(|| id.into()),
                encrypted,
            },
            None => Self { data: text, format: REASONING_FORMAT.into(), id: None, encrypted },
        }
    }

    /// The text for a `thoughtSignature`.
    pub(super) fn written(&self) -> Cow<'_, str> {
        if self.is_own() && self.id.is_none() {
            return Cow::Borrowed(&self.data);
        }
        let carried = Carried {
            format: self.format.clone().into_owned(),
            id: self.id.clone().unwrap_or_default().into_owned(),
            encrypted: self.encrypted,
            data: self.data.clone().into_owned(),
        };
        Cow::Owned(carried.pack())
    }

    /// Whether Gemini made it.
    pub(super) fn is_own(&self) -> bool {
        self.format == REASONING_FORMAT
    }

    /// A piece of reasoning of which nothing is readable here.
    pub(super) fn into_reasoning(self) -> Reasoning<'a> {
        let kind = if self.encrypted { ReasoningKind::Encrypted } else { kind_of(&self.format) };
        Reasoning {
            kind,
            text: Cow::Borrowed(""),
            signature: Some(self.data),
            format: Some(self.format),
            id: self.id,
        }
    }
}

/// OpenAI's readable reasoning is a summary, that of others the reasoning itself.
pub(super) fn kind_of(format: &str) -> ReasoningKind {
    if format.ends_with("responses-v1") { ReasoningKind::Summary } else { ReasoningKind::Text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makers_are_kept_apart() {
        for (format, id, encrypted) in [
            (REASONING_FORMAT, None, true),
            (REASONING_FORMAT, Some("call_1"), true),
            ("anthropic-claude-v1", None, false),
            ("openai-responses-v1", Some("rs_1"), true),
        ] {
            let signature = Signature {
                data: "abc=".into(),
                format: format.into(),
                id: id.map(Cow::Borrowed),
                encrypted,
            };
            let written = signature.written();
            assert_eq!(written == "abc=", signature.is_own() && id.is_none());
            assert_eq!(Signature::read(written.clone(), true), signature);
        }
    }
}
