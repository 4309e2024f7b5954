//! Where the bytes of an image, file or video are: a `data:` URI, an address, or plain base64.
//!
//! Used by the content reader. Providers take the MIME type at its word and refuse a PNG that calls
//! itself a JPEG, so that a declared image type is corrected from the first bytes.

use crate::chat::message::Media;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

/// First bytes of known types, as base64 writes them.
const SIGNATURES: [(&str, &str); 5] = [
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
    ("JVBERi", "application/pdf"),
];

/// Reads a `data:` URI or an address; `None` if it is neither.
pub(super) fn locate(text: Cow<'_, str>) -> Option<Media<'_>> {
    if starts_with(&text, "data:") {
        return match text {
            Cow::Borrowed(text) => data_uri(text),
            Cow::Owned(text) => match data_uri(&text)? {
                Media::Base64 { mime, data } => Some(Media::Base64 {
                    mime: Cow::Owned(mime.into_owned()),
                    data: Cow::Owned(data.into_owned()),
                }),
                Media::Url(_) | Media::FileId(_) => None,
            },
        };
    }
    let known = ["http://", "https://", "gs://"].iter().any(|scheme| starts_with(&text, scheme));
    known.then_some(Media::Url(text))
}

/// Base64 text without a URI around it; its first bytes or the file's name tell what it is.
pub(super) fn bare_base64<'a>(data: Cow<'a, str>, filename: Option<&str>) -> Media<'a> {
    let by_name = || {
        let (_, ending) = filename?.rsplit_once('.')?;
        Some(match ending.to_ascii_lowercase().as_str() {
            "txt" => "text/plain",
            "md" => "text/markdown",
            "csv" => "text/csv",
            "json" => "application/json",
            "html" => "text/html",
            _ => return None,
        })
    };
    let mime = sniff(&data).or_else(by_name).unwrap_or("application/pdf");
    Media::Base64 { mime: Cow::Borrowed(mime), data }
}

/// `data:<mime>[;parameter…][;base64],<data>`
fn data_uri(text: &str) -> Option<Media<'_>> {
    let (header, payload) = text.split_once(',')?;
    let (_, header) = header.split_at_checked("data:".len())?;
    let mut parameters = header.split(';').map(str::trim);
    let declared = parameters.next().unwrap_or_default();
    let data = if parameters.any(|name| name.eq_ignore_ascii_case("base64")) {
        without_white_space(payload)
    } else {
        Cow::Owned(STANDARD.encode(percent_decoded(payload)))
    };
    let found = sniff(&data).filter(|found| {
        declared.is_empty() || (found.starts_with("image/") && starts_with(declared, "image/"))
    });
    let mime = match found {
        Some(found) => Cow::Borrowed(found),
        None if declared.is_empty() => Cow::Borrowed("application/octet-stream"),
        None => Cow::Owned(declared.to_ascii_lowercase()),
    };
    Some(Media::Base64 { mime, data })
}

fn sniff(data: &str) -> Option<&'static str> {
    SIGNATURES.iter().find(|(start, _)| data.starts_with(start)).map(|&(_, mime)| mime)
}

/// Base64 that was folded into lines, joined again.
fn without_white_space(text: &str) -> Cow<'_, str> {
    if memchr::memchr3(b' ', b'\n', b'\r', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|letter| !letter.is_ascii_whitespace()).collect())
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = (byte == b'%').then(|| after.split_at_checked(2)).flatten();
        let value = escaped.and_then(|(digits, tail)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 16).ok()?, tail))
        });
        let (value, tail) = value.unwrap_or((byte, after));
        decoded.push(value);
        rest = tail;
    }
    decoded
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}
