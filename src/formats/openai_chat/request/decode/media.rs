//! Where the bytes of an image, file or video are: a `data:` URI, an address, or plain base64.
//!
//! Providers other than OpenAI take the MIME type at its word and refuse a PNG that calls itself
//! a JPEG, so the declared type is corrected from the first bytes.

use crate::chat::message::Media;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

/// First bytes of known types, as base64 writes them.
const SIGNATURES: [(&str, &str); 6] = [
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("JVBERi", "application/pdf"),
    ("T2dnUw", "audio/ogg"),
    ("SUQz", "audio/mpeg"),
];

/// Reads a `data:` URI or an address; `None` if it is neither.
pub(in crate::formats) fn locate(text: Cow<'_, str>) -> Option<Media<'_>> {
    if starts_with_ignoring_case(&text, "data:") {
        return match text {
            Cow::Borrowed(text) => data_uri(text),
            Cow::Owned(text) => data_uri(&text).map(into_owned),
        };
    }
    ["http://", "https://", "gs://"]
        .iter()
        .any(|scheme| starts_with_ignoring_case(&text, scheme))
        .then_some(Media::Url(text))
}

/// Base64 text without a URI around it, if its first bytes tell what it is.
pub(in crate::formats) fn bare_base64(text: Cow<'_, str>) -> Option<Media<'_>> {
    let mime = sniff(&text)?;
    Some(Media::Base64 { mime: Cow::Borrowed(mime), data: text })
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
    let mime = mime_type(declared, &data);
    Some(Media::Base64 { mime, data })
}

fn mime_type<'a>(declared: &'a str, data: &str) -> Cow<'a, str> {
    let sniffed = sniff(data);
    if declared.is_empty() {
        return Cow::Borrowed(sniffed.unwrap_or("application/octet-stream"));
    }
    match sniffed {
        Some(found)
            if found.starts_with("image/") && starts_with_ignoring_case(declared, "image/") =>
        {
            Cow::Borrowed(found)
        }
        _ if declared.bytes().any(|byte| byte.is_ascii_uppercase()) => {
            Cow::Owned(declared.to_ascii_lowercase())
        }
        _ if declared == "image/jpg" => Cow::Borrowed("image/jpeg"),
        _ => Cow::Borrowed(declared),
    }
}

fn sniff(data: &str) -> Option<&'static str> {
    // A RIFF file names its kind in bytes 8 to 11, which base64 writes from character 11 on.
    if data.starts_with("UklGR") {
        return match data.get(11..16)? {
            "XRUJQ" => Some("image/webp"),
            "XQVZF" => Some("audio/wav"),
            _ => None,
        };
    }
    // MPEG audio without a tag begins with a frame: bytes FF and F2, F3, FA or FB.
    if data
        .strip_prefix("//")
        .is_some_and(|rest| rest.starts_with(|c| matches!(c, 'I'..='P' | 'o'..='v')))
    {
        return Some("audio/mpeg");
    }
    SIGNATURES.iter().find(|(start, _)| data.starts_with(start)).map(|&(_, mime)| mime)
}

/// Base64 that was folded into lines, joined again.
fn without_white_space(text: &str) -> Cow<'_, str> {
    let folded = memchr::memchr3(b' ', b'\n', b'\r', text.as_bytes()).is_some();
    if !folded {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|letter| !letter.is_ascii_whitespace()).collect())
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escaped = (byte == b'%').then(|| after.split_at_checked(2)).flatten();
        let value = escaped.and_then(|(digits, tail)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 16).ok()?, tail))
        });
        match value {
            Some((value, tail)) => {
                decoded.push(value);
                rest = tail;
            }
            None => decoded.push(byte),
        }
    }
    decoded
}

fn starts_with_ignoring_case(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

fn into_owned(media: Media<'_>) -> Media<'static> {
    match media {
        Media::Base64 { mime, data } => Media::Base64 {
            mime: Cow::Owned(mime.into_owned()),
            data: Cow::Owned(data.into_owned()),
        },
        Media::Url(url) => Media::Url(Cow::Owned(url.into_owned())),
        Media::FileId(id) => Media::FileId(Cow::Owned(id.into_owned())),
    }
}
