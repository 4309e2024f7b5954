//! The stream's events as Anthropic spells them, borrowed from the event's bytes.
//!
//! Only the stream decoder reads these. Unknown members are ignored, unknown deltas give `None`.

use crate::formats::anthropic::raw::{self, Str};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Any event; what it holds depends on its type.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub(super) r#type: Option<Str<'a>>,
    pub(super) index: Option<u32>,
    #[serde(borrow)]
    pub(super) delta: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) content_block: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) message: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
}

/// The message that `message_start` announces.
#[derive(Debug, Default, Deserialize)]
pub(super) struct MessageStart<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) model: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
}

/// The change that `message_delta` brings.
#[derive(Debug, Default, Deserialize)]
pub(super) struct MessageDelta<'a> {
    #[serde(borrow)]
    pub(super) stop_reason: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) stop_details: Option<&'a RawValue>,
}

/// A change of an open block.
#[derive(Debug)]
pub(super) enum Delta<'a> {
    Text(Cow<'a, str>),
    Thinking(Cow<'a, str>),
    Signature(Cow<'a, str>),
    InputJson(Cow<'a, str>),
    Citation(&'a RawValue),
}

#[derive(Debug, Deserialize)]
struct DeltaFields<'a> {
    #[serde(borrow)]
    r#type: Str<'a>,
    #[serde(borrow)]
    text: Option<Str<'a>>,
    #[serde(borrow)]
    thinking: Option<Str<'a>>,
    #[serde(borrow)]
    signature: Option<Str<'a>>,
    #[serde(borrow)]
    partial_json: Option<Str<'a>>,
    #[serde(borrow)]
    citation: Option<&'a RawValue>,
}

impl<'a> Delta<'a> {
    /// Reads a delta of a known type.
    pub(super) fn read(json: &'a RawValue) -> Option<Self> {
        let fields = raw::view::<DeltaFields<'a>>(json)?;
        Some(match fields.r#type.as_str() {
            "text_delta" => Self::Text(fields.text?.0),
            "thinking_delta" => Self::Thinking(fields.thinking?.0),
            "signature_delta" => Self::Signature(fields.signature?.0),
            "input_json_delta" => Self::InputJson(fields.partial_json?.0),
            "citations_delta" => Self::Citation(fields.citation?),
            _ => return None,
        })
    }
}
