//! Content blocks of an answer, whole or as they begin in a stream.
//!
//! Used by the answer and stream decoders. A block of an unknown type, or of a server's own tool,
//! gives `None`: it is skipped without harm to its neighbours.

use super::raw::{self, Str};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The provider's words on why it refused.
pub(super) fn explanation(details: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Details {
        explanation: Option<String>,
    }
    raw::view::<Details>(details)?.explanation.filter(|text| !text.is_empty())
}

/// A block that begins.
#[derive(Debug)]
pub(super) enum Block<'a> {
    Text { text: Cow<'a, str> },
    Thinking { thinking: Cow<'a, str>, signature: Cow<'a, str> },
    Redacted { data: Cow<'a, str> },
    ToolUse { id: Cow<'a, str>, name: Cow<'a, str>, input: Option<&'a RawValue> },
}

#[derive(Debug, Deserialize)]
struct Tag<'a> {
    #[serde(borrow)]
    r#type: Str<'a>,
}

#[derive(Debug, Deserialize)]
struct BlockFields<'a> {
    #[serde(borrow)]
    text: Option<Str<'a>>,
    #[serde(borrow)]
    thinking: Option<Str<'a>>,
    #[serde(borrow)]
    signature: Option<Str<'a>>,
    #[serde(borrow)]
    data: Option<Str<'a>>,
    #[serde(borrow)]
    id: Option<Str<'a>>,
    #[serde(borrow)]
    name: Option<Str<'a>>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

fn or_empty(text: Option<Str<'_>>) -> Cow<'_, str> {
    text.unwrap_or_default().0
}

impl<'a> Block<'a> {
    /// Reads a block of a known type.
    pub(super) fn read(json: &'a RawValue) -> Option<Self> {
        let tag = raw::view::<Tag<'_>>(json)?;
        // The fields of other types may have other shapes, so they are read only for these.
        let fields = || raw::view::<BlockFields<'a>>(json);
        Some(match tag.r#type.as_str() {
            "text" => Self::Text { text: or_empty(fields()?.text) },
            "thinking" => {
                let fields = fields()?;
                Self::Thinking {
                    thinking: or_empty(fields.thinking),
                    signature: or_empty(fields.signature),
                }
            }
            "redacted_thinking" => Self::Redacted { data: or_empty(fields()?.data) },
            "tool_use" => {
                let fields = fields()?;
                Self::ToolUse {
                    id: or_empty(fields.id),
                    name: or_empty(fields.name),
                    input: fields.input,
                }
            }
            _ => return None,
        })
    }
}
