//! Anthropic and Gemini streams that pass through: unchanged but for the model, if it has a label.

use super::openai::text_bytes;
use super::tap::{Piece, Reading};
use crate::formats::translator::output::Output;
use crate::json::{find_path, string_literal};
use bytes::Bytes;
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// The model name to write over the provider's own.
#[derive(Debug)]
pub(in crate::formats) struct Model(Option<Bytes>);

impl Model {
    /// `None` leaves the provider's word.
    pub(in crate::formats) fn new(model: Option<&str>) -> Self {
        Self(model.map(string_literal))
    }

    /// Forwards an event, with the member at `path` written over.
    pub(in crate::formats) fn forward(&self, piece: &Piece<'_>, path: &[&str], out: &mut Output) {
        let data = piece.data();
        let place = self.0.as_ref().and_then(|model| Some((find_path(data, path)?, model)));
        let Some((place, model)) = place else { return out.forward(piece.frame) };
        let before = piece.frame.get(..piece.data.start + place.start).unwrap_or_default();
        let after = piece.frame.get(piece.data.start + place.end..).unwrap_or_default();
        let buffer = out.buffer();
        for part in [before, model, after] {
            buffer.extend_from_slice(part);
        }
    }
}

/// Searches that tell an Anthropic event of plain content, prepared once.
struct Keys {
    delta: Finder<'static>,
    texts: [Finder<'static>; 3],
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    delta: Finder::new("\"content_block_delta\""),
    texts: ["\"text\"", "\"thinking\"", "\"partial_json\""].map(Finder::new),
});

/// How an Anthropic event is to be read: deltas of content are counted, all else is decoded.
pub(in crate::formats) fn anthropic_reading(data: &[u8]) -> Reading {
    if KEYS.delta.find(data).is_none() {
        return Reading::Whole;
    }
    let bytes = KEYS.texts.iter().map(|key| text_bytes(data, key)).find(|&bytes| bytes > 0);
    bytes.map_or(Reading::Whole, Reading::Content)
}
