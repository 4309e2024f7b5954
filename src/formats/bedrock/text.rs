//! Strings and typed views of JSON that borrow from the answer's bytes.
//!
//! Used by the readers of whole answers and of streams.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A string that borrows also inside `Option` and `Vec`, where serde's `Cow` would copy.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(super) struct Str<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// Reads a typed view of a JSON value; `None` when it has another shape.
pub(super) fn view<'a, T: Deserialize<'a>>(json: &'a RawValue) -> Option<T> {
    serde_json::from_str(json.get()).ok()
}

/// The text without emptiness.
pub(super) fn filled(text: Option<Str<'_>>) -> Option<Cow<'_, str>> {
    text.map(|text| text.0).filter(|text| !text.is_empty())
}
