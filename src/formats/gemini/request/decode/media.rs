//! Pictures, sound, film and documents of a client's request.
//!
//! The MIME type decides what a part is. Base64 in the alphabet for addresses, which Google's
//! Python client writes, becomes the usual one. Addresses stay addresses, Google's own too: what a
//! provider can read of them its encoder knows.

use super::Unmapped;
use super::fields::Fields;
use crate::chat::message::{Media, Part};
use crate::formats::FormatError;
use crate::formats::gemini::media_type;
use std::borrow::Cow;

/// `inlineData`.
pub(super) fn inline<'a>(
    mut blob: Fields<'a, '_>,
    detail: Option<&'static str>,
    unmapped: &mut Unmapped<'a>,
) -> Result<Part<'a>, FormatError> {
    let data = standard_base64(blob.required_text("data")?);
    let declared = blob.text("mimeType")?.filter(|mime| !mime.is_empty());
    let mime = match declared {
        Some(mime) => lower_case(mime),
        None => {
            media_type::sniff(&data).ok_or_else(|| blob.fault("mimeType", "is missing"))?.into()
        }
    };
    let filename = blob.text("displayName")?;
    unmapped.rest("contents.parts.inlineData", blob);
    if let Some(format) = mime.strip_prefix("audio/") {
        return Ok(Part::Audio { format: audio_format(format), data });
    }
    let kind = Kind::of(&mime);
    Ok(kind.part(Media::Base64 { mime, data }, filename, detail))
}

/// `fileData`.
pub(super) fn file<'a>(
    mut file: Fields<'a, '_>,
    detail: Option<&'static str>,
    unmapped: &mut Unmapped<'a>,
) -> Result<Part<'a>, FormatError> {
    let uri = file.required_text("fileUri")?;
    let declared = file.text("mimeType")?.filter(|mime| !mime.is_empty());
    let filename = file.text("displayName")?;
    unmapped.rest("contents.parts.fileData", file);
    let kind = match &declared {
        Some(mime) => Kind::of(&mime.to_ascii_lowercase()),
        None if media_type::is_youtube(&uri) => Kind::Video,
        None => Kind::of(media_type::of_url(&uri).unwrap_or_default()),
    };
    let lower = uri.to_ascii_lowercase();
    let anyones = ["https://", "http://", "data:"].iter().any(|scheme| lower.starts_with(scheme));
    // Buckets and uploads are known to Google alone.
    let source = if anyones { Media::Url(uri) } else { Media::FileId(uri) };
    Ok(kind.part(source, filename, detail))
}

/// What a MIME type makes of a part; sound has a part of its own only inline.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Image,
    Video,
    File,
}

impl Kind {
    fn of(mime: &str) -> Self {
        match mime.split('/').next() {
            Some("image") => Self::Image,
            Some("video") => Self::Video,
            _ => Self::File,
        }
    }

    fn part<'a>(
        self,
        source: Media<'a>,
        filename: Option<Cow<'a, str>>,
        detail: Option<&'static str>,
    ) -> Part<'a> {
        match self {
            Self::Image => Part::Image { source, detail: detail.map(Cow::Borrowed), cache: None },
            Self::Video => Part::Video { source },
            Self::File => Part::File { source, filename, citations: None, cache: None },
        }
    }
}

/// The name of a sound's format as OpenAI has it; others keep what their type says.
fn audio_format(subtype: &str) -> Cow<'static, str> {
    match subtype {
        "mpeg" | "mp3" | "x-mp3" | "mpeg3" => Cow::Borrowed("mp3"),
        "wav" | "x-wav" | "wave" | "vnd.wave" => Cow::Borrowed("wav"),
        other => Cow::Owned(other.to_owned()),
    }
}

fn lower_case(mime: Cow<'_, str>) -> Cow<'_, str> {
    if mime.bytes().any(|byte| byte.is_ascii_uppercase()) && !mime.contains(';') {
        return Cow::Owned(mime.to_ascii_lowercase());
    }
    mime
}

/// Base64 in the usual alphabet, padded and without white space; unchanged when it is that.
fn standard_base64(data: Cow<'_, str>) -> Cow<'_, str> {
    let odd = |byte: u8| matches!(byte, b'-' | b'_') || byte.is_ascii_whitespace();
    let is_padded = data.len().is_multiple_of(4);
    if is_padded && !data.bytes().any(odd) {
        return data;
    }
    let mut standard: String = data
        .chars()
        .filter(|letter| !letter.is_ascii_whitespace())
        .map(|letter| match letter {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    while !standard.len().is_multiple_of(4) {
        standard.push('=');
    }
    Cow::Owned(standard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_becomes_standard() {
        for (written, expected) in [
            ("QUJD", "QUJD"),
            ("_-8=", "/+8="),
            ("_-8", "/+8="),
            ("QU\nJD QQ", "QUJDQQ=="),
            ("", ""),
        ] {
            assert_eq!(standard_base64(written.into()), expected);
        }
        assert!(matches!(standard_base64("QUJD".into()), Cow::Borrowed(_)));
    }
}
