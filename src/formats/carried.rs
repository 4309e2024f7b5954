//! Signatures of one maker on their way through a client of another format and back.
//!
//! A reasoning signature means something only to the provider that made it, but a client's format
//! has one place for signatures and no word for their maker. What is foreign to a format is packed
//! here with its maker, and unpacked when the client replays the conversation. The packed form is
//! base64, because some SDKs decode and encode signatures as bytes.

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

/// What every packed signature begins with, before base64.
const MARK: &str = "arouter-sig-1";
/// Reads with and without padding: some SDKs strip it.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const READERS: [GeneralPurpose; 2] = [
    GeneralPurpose::new(&alphabet::STANDARD, LENIENT),
    GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT),
];

/// What the packed form of every signature begins with.
const PACKED_MARK: &[u8] = b"YXJvdXRlci1zaWctMQp";

/// Whether a body holds a packed signature: it has to be unpacked before a provider sees it, also
/// one of the client's own format.
pub fn is_carried_in(body: &[u8]) -> bool {
    memchr::memmem::find(body, PACKED_MARK).is_some()
}

/// A signature with its maker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// Maker, e.g. `anthropic-claude-v1`.
    pub format: String,
    /// Identifier of the reasoning, or of the tool call it belongs to; may be empty.
    pub id: String,
    /// Whether there is no readable text that it signs.
    pub encrypted: bool,
    /// The signature as its maker wrote it.
    pub data: String,
}

impl Carried {
    /// The text a client keeps in the place of a signature.
    pub fn pack(&self) -> String {
        let kind = if self.encrypted { "e" } else { "s" };
        let plain = [MARK, kind, &self.format, &self.id, &self.data].join("\n");
        STANDARD.encode(plain)
    }

    /// Reads what [`Self::pack`] made; `None` for a signature of the format's own maker.
    pub fn unpack(text: &str) -> Option<Self> {
        let bytes = READERS.iter().find_map(|reader| reader.decode(text).ok())?;
        let plain = String::from_utf8(bytes).ok()?;
        let mut parts = plain.splitn(5, '\n');
        if parts.next()? != MARK {
            return None;
        }
        let encrypted = parts.next()? == "e";
        let mut next = || parts.next().map(str::to_owned);
        Some(Self { format: next()?, id: next()?, encrypted, data: next()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_comes_back_whole() {
        for (id, encrypted, data) in [("call_1", true, "ab+/=="), ("", false, "a\nb\u{1f600}")] {
            let carried = Carried {
                format: "google-gemini-v1".into(),
                id: id.into(),
                encrypted,
                data: data.into(),
            };
            let packed = carried.pack();
            assert!(is_carried_in(packed.as_bytes()));
            let url_safe = packed.replace('+', "-").replace('/', "_");
            for text in [packed.as_str(), packed.trim_end_matches('='), &url_safe] {
                assert_eq!(Carried::unpack(text).as_ref(), Some(&carried));
            }
        }
    }

    #[test]
    fn a_makers_own_signature_is_left_alone() {
        for own in ["", "EqQBCkYIBxgCKkA", "not base64!", "YXJvdXRlci1zaWctMQ=="] {
            assert_eq!(Carried::unpack(own), None, "{own}");
        }
    }
}
