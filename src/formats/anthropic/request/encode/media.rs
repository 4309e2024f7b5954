//! Images and documents as Anthropic's blocks.
//!
//! Used by the request encoder. The declared type is not trusted: Anthropic refuses a PNG that is
//! declared as JPEG, so the first bytes decide where they are known.

use super::cache_mark;
use super::wire::{Block, Citations, Source};
use crate::chat::message::Media;
use crate::chat::tool::CacheControl;
use crate::formats::FormatError;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use std::borrow::Cow;

const PDF: &str = "application/pdf";
/// Base64 characters that hold the first twelve bytes, which tell every known type apart.
const HEAD_CHARS: usize = 16;

/// A picture.
pub(super) fn image<'a>(
    source: &'a Media<'_>,
    cache: Option<CacheControl>,
    param: impl FnOnce() -> String,
) -> Result<Block<'a>, FormatError> {
    let cache_control = cache_mark(cache);
    match source {
        Media::Base64 { mime, data } => {
            let data = compact(data);
            match sniff(&data).or_else(|| declared(mime)).filter(|found| *found != PDF) {
                Some(media_type) => {
                    Ok(Block::Image { source: Source::Base64 { media_type, data }, cache_control })
                }
                None => Err(FormatError::field(
                    param(),
                    "this model reads JPEG, PNG, GIF and WebP images only",
                )),
            }
        }
        Media::Url(url) => Ok(Block::Image { source: remote(url, param)?, cache_control }),
        Media::FileId(_) => Err(not_portable(param())),
    }
}

/// What is told of a document besides its bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told<'a> {
    pub(super) title: Option<&'a str>,
    /// Whether it is to be cited.
    pub(super) citations: Option<bool>,
}

/// A document: PDF, plain text, or a picture that came as a file.
pub(super) fn document<'a>(
    source: &'a Media<'_>,
    told: &Told<'a>,
    cache: Option<CacheControl>,
    param: impl FnOnce() -> String,
) -> Result<Block<'a>, FormatError> {
    let cache_control = cache_mark(cache);
    let source = match source {
        Media::Base64 { mime, data } => {
            let data = compact(data);
            match sniff(&data).or_else(|| declared(mime)) {
                Some(PDF) => Source::Base64 { media_type: PDF, data },
                Some(media_type) => {
                    let source = Source::Base64 { media_type, data };
                    return Ok(Block::Image { source, cache_control });
                }
                None => Source::Text { media_type: "text/plain", data: text(mime, &data, param)? },
            }
        }
        Media::Url(url) => remote(url, param)?,
        Media::FileId(_) => return Err(not_portable(param())),
    };
    let title = told.title.filter(|title| !title.is_empty());
    let citations = told.citations.map(|enabled| Citations { enabled });
    Ok(Block::Document { source, title, citations, cache_control })
}

fn remote(url: &str, param: impl FnOnce() -> String) -> Result<Source<'_>, FormatError> {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    if matches!(scheme.as_deref(), Some("http" | "https")) {
        return Ok(Source::Url { url });
    }
    Err(FormatError::field(param(), "expected an http or https URL or a base64 data URI"))
}

fn not_portable(param: String) -> FormatError {
    FormatError::field(param, "a file uploaded to another provider cannot be used with this model")
}

/// Base64 without the white space that some clients leave in it.
fn compact(data: &str) -> Cow<'_, str> {
    if data.bytes().any(|byte| byte.is_ascii_whitespace()) {
        Cow::Owned(data.chars().filter(|c| !c.is_ascii_whitespace()).collect())
    } else {
        Cow::Borrowed(data)
    }
}

/// The type that the first bytes tell.
fn sniff(data: &str) -> Option<&'static str> {
    let head = data.get(..HEAD_CHARS).unwrap_or(data);
    let bytes = STANDARD.decode(head).or_else(|_| STANDARD_NO_PAD.decode(head)).ok()?;
    match bytes.as_slice() {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P'] => Some("image/webp"),
        [b'%', b'P', b'D', b'F', ..] => Some(PDF),
        _ => None,
    }
}

fn declared(mime: &str) -> Option<&'static str> {
    let known = [
        ("image/png", "image/png"),
        ("image/jpeg", "image/jpeg"),
        ("image/jpg", "image/jpeg"),
        ("image/gif", "image/gif"),
        ("image/webp", "image/webp"),
        (PDF, PDF),
    ];
    known.iter().find(|(name, _)| mime.eq_ignore_ascii_case(name)).map(|(_, mime)| *mime)
}

fn text(mime: &str, data: &str, param: impl FnOnce() -> String) -> Result<String, FormatError> {
    let is_text = mime.to_ascii_lowercase().starts_with("text/")
        || mime.eq_ignore_ascii_case("application/json");
    let bytes = STANDARD.decode(data).or_else(|_| STANDARD_NO_PAD.decode(data)).ok();
    bytes.filter(|_| is_text).and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
        FormatError::field(param(), "this model reads PDF and plain text files only")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inline(mime: &str, bytes: &[u8]) -> Media<'static> {
        Media::Base64 { mime: mime.to_owned().into(), data: STANDARD.encode(bytes).into() }
    }

    fn written(block: Result<Block<'_>, FormatError>) -> String {
        block
            .map_or_else(|error| error.message.into_owned(), |b| serde_json::to_string(&b).unwrap())
    }

    #[test]
    fn first_bytes_win_over_the_declared_type() {
        let png = b"\x89PNG\r\n\x1a\n0000000000";
        let webp = b"RIFF\0\0\0\0WEBPVP8 ";
        let cases: [(&str, &[u8], &str); 7] = [
            ("image/jpeg", png, "\"image/png\""),
            ("", b"\xff\xd8\xff\xe0aaaaaaaaaaaaa", "\"image/jpeg\""),
            ("application/octet-stream", b"GIF89a0000000000", "\"image/gif\""),
            ("image/png", webp, "\"image/webp\""),
            ("IMAGE/JPG", b"unknown bytes here", "\"image/jpeg\""),
            ("image/heic", b"unknown bytes here", "only"),
            ("image/png", b"%PDF-1.7 0000000", "only"),
        ];
        for (mime, bytes, expected) in cases {
            let source = inline(mime, bytes);
            let block = written(image(&source, None, || "p".into()));
            assert!(block.contains(expected), "{mime}: {block}");
        }
    }

    #[test]
    fn documents_by_kind() {
        let cases: [(Media<'_>, &str); 8] = [
            (
                inline("application/octet-stream", b"%PDF-1.7 0000"),
                r#""media_type":"application/pdf""#,
            ),
            (
                inline("text/markdown", b"# hi"),
                r##"{"type":"text","media_type":"text/plain","data":"# hi"}"##,
            ),
            (inline("text/plain", b"hi"), r#""title":"t","citations":{"enabled":true}"#),
            (inline("image/png", b"\x89PNG\r\n\x1a\n00000"), r#""type":"image""#),
            (inline("application/zip", b"PK000000000000"), "only"),
            (
                Media::Url("https://x/y.pdf".into()),
                r#""source":{"type":"url","url":"https://x/y.pdf"}"#,
            ),
            (Media::Url("gs://x/y.pdf".into()), "expected an http"),
            (Media::FileId("file-1".into()), "another provider"),
        ];
        for (source, expected) in cases {
            let block = written(document(
                &source,
                &Told { title: Some("t"), citations: Some(true) },
                None,
                || "p".into(),
            ));
            assert!(block.contains(expected), "{block}");
        }
    }

    #[test]
    fn white_space_in_base64_is_removed() {
        let source = Media::Base64 { mime: "".into(), data: "iVBO\nRw0K GgoAAAAN".into() };
        let block = written(image(&source, None, || "p".into()));
        assert!(block.contains(r#""media_type":"image/png","data":"iVBORw0KGgoAAAAN""#), "{block}");
    }
}
