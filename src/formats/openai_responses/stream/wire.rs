//! The members of a stream's event, found in one walk over its bytes.
//!
//! Only the stream decoder reads these. Nothing is copied: most events are pieces of text, and
//! there are hundreds of them in an answer.

use crate::json::{Members, as_str};
use std::borrow::Cow;

/// The members that any event may have; what it holds depends on its type.
#[derive(Debug, Default)]
pub(super) struct Wire<'a> {
    pub(super) kind: Cow<'a, str>,
    pub(super) output_index: u64,
    /// Position among the pieces of the item.
    pub(super) part: u64,
    pub(super) delta: Option<Cow<'a, str>>,
    pub(super) logprobs: &'a [u8],
    pub(super) item: &'a [u8],
    pub(super) response: &'a [u8],
    pub(super) annotation: &'a [u8],
    pub(super) has_error: bool,
}

impl<'a> Wire<'a> {
    /// Reads an event; `None` when it is no JSON object.
    pub(super) fn read(data: &'a [u8]) -> Option<Self> {
        let mut wire = Self::default();
        let mut members = Members::new(data)?;
        for member in members.by_ref() {
            let value = data.get(member.value).unwrap_or_default();
            match member.key {
                b"type" => wire.kind = as_str(value).unwrap_or_default(),
                b"output_index" => wire.output_index = number(value),
                b"content_index" | b"summary_index" => wire.part = number(value),
                b"delta" => wire.delta = as_str(value),
                b"logprobs" => wire.logprobs = value,
                b"item" => wire.item = value,
                b"response" => wire.response = value,
                b"annotation" => wire.annotation = value,
                b"error" => wire.has_error = value != b"null",
                _ => {}
            }
        }
        (!members.is_broken()).then_some(wire)
    }
}

fn number(value: &[u8]) -> u64 {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}
