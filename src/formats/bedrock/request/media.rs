//! Pictures, documents, sound and video as Bedrock's blocks.
//!
//! Used by the request encoder. Bedrock takes bytes, or files in Amazon's S3, never an address of
//! the web. The declared type is not trusted: the first bytes decide where they are known.

use super::wire::{Block, Citations, Source};
use crate::chat::message::Media;
use crate::formats::FormatError;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use std::borrow::Cow;

/// Base64 characters that hold the first twelve bytes, which tell every known type apart.
const HEAD_CHARS: usize = 16;
/// Longest name of a document.
const MAX_NAME_CHARS: usize = 60;
const IMAGES: &[(&str, &str)] =
    &[("png", "png"), ("jpeg", "jpeg"), ("jpg", "jpeg"), ("gif", "gif"), ("webp", "webp")];
const DOCUMENTS: &[(&str, &str)] = &[
    ("pdf", "pdf"),
    ("csv", "csv"),
    ("msword", "doc"),
    ("doc", "doc"),
    ("vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("docx", "docx"),
    ("vnd.ms-excel", "xls"),
    ("xls", "xls"),
    ("vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("xlsx", "xlsx"),
    ("html", "html"),
    ("htm", "html"),
    ("plain", "txt"),
    ("txt", "txt"),
    ("markdown", "md"),
    ("md", "md"),
    ("json", "txt"),
    ("xml", "txt"),
    ("yaml", "txt"),
];
const VIDEOS: &[(&str, &str)] = &[
    ("mp4", "mp4"),
    ("quicktime", "mov"),
    ("mov", "mov"),
    ("x-matroska", "mkv"),
    ("mkv", "mkv"),
    ("webm", "webm"),
    ("x-flv", "flv"),
    ("flv", "flv"),
    ("mpeg", "mpeg"),
    ("mpg", "mpg"),
    ("x-ms-wmv", "wmv"),
    ("wmv", "wmv"),
    ("3gpp", "three_gp"),
    ("3gp", "three_gp"),
];
const SOUNDS: &[(&str, &str)] = &[
    ("mp3", "mp3"),
    ("wav", "wav"),
    ("opus", "opus"),
    ("aac", "aac"),
    ("flac", "flac"),
    ("ogg", "ogg"),
    ("m4a", "m4a"),
    ("mp4", "mp4"),
    ("webm", "webm"),
];

/// Whether Bedrock takes the bytes of a file only, and not this address of it.
pub fn needs_bytes(url: &str) -> bool {
    !url.starts_with("s3://")
}

/// A document's name and whether it is to be cited.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct About<'a> {
    pub(super) filename: Option<&'a str>,
    pub(super) is_cited: bool,
}

/// The names that the documents of one request have so far.
#[derive(Debug, Default)]
pub(super) struct DocumentNames(Vec<String>);

impl DocumentNames {
    /// A name in Bedrock's alphabet that no other document has.
    fn take(&mut self, filename: Option<&str>) -> String {
        let wanted = filename.map(stem).map(sanitised).filter(|name| !name.is_empty());
        let wanted = wanted.unwrap_or_else(|| "Document".to_owned());
        let numbered = (2..).map(|number| format!("{wanted} ({number})"));
        let mut names = std::iter::once(wanted.clone()).chain(numbered);
        let free = names.find(|name| !self.0.contains(name)).unwrap_or_default();
        self.0.push(free.clone());
        free
    }
}

/// The name without its folder and ending.
fn stem(filename: &str) -> &str {
    let name = filename.rsplit(['/', '\\']).next().unwrap_or(filename);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// Letters, digits, single spaces, hyphens, parentheses and square brackets.
fn sanitised(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-()[]".contains(c);
    let spaced: String = name.chars().map(|c| if fits(c) { c } else { ' ' }).collect();
    let words: Vec<&str> = spaced.split(' ').filter(|word| !word.is_empty()).collect();
    let joined = words.join(" ");
    joined.get(..MAX_NAME_CHARS).unwrap_or(&joined).trim_end().to_owned()
}

/// A picture.
pub(super) fn image<'a>(
    media: &'a Media<'_>,
    param: impl Fn() -> String,
) -> Result<Block<'a>, FormatError> {
    let source = source(media, &param)?;
    let format = sniffed(&source).or_else(|| declared(media, IMAGES)).filter(|f| *f != "pdf");
    let unknown =
        || FormatError::field(param(), "this model reads PNG, JPEG, GIF and WebP images only");
    Ok(Block::Image { format: format.ok_or_else(unknown)?, source })
}

/// A document, or a picture or video that came as a file.
pub(super) fn document<'a>(
    media: &'a Media<'_>,
    about: About<'_>,
    names: &mut DocumentNames,
    param: impl Fn() -> String,
) -> Result<Block<'a>, FormatError> {
    let source = source(media, &param)?;
    let sniffed = sniffed(&source).filter(|_| !matches!(source, Source::S3Location { .. }));
    if let Some(format) = sniffed.filter(|format| *format != "pdf") {
        return Ok(Block::Image { format, source });
    }
    if is_video(media) {
        return video(media, param);
    }
    let ending = || about.filename.and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending);
    let format = sniffed
        .or_else(|| declared(media, DOCUMENTS))
        .or_else(|| known(ending()?, DOCUMENTS))
        .or_else(|| is_text(media).then_some("txt"));
    let Some(format) = format else {
        return Err(FormatError::field(param(), "this model cannot read files of this type"));
    };
    let citations = about.is_cited.then_some(Citations { enabled: true });
    Ok(Block::Document { format, name: names.take(about.filename), source, citations })
}

/// A video.
pub(super) fn video<'a>(
    media: &'a Media<'_>,
    param: impl Fn() -> String,
) -> Result<Block<'a>, FormatError> {
    let source = source(media, &param)?;
    let Some(format) = declared(media, VIDEOS) else {
        return Err(FormatError::field(param(), "this model cannot watch videos of this type"));
    };
    Ok(Block::Video { format, source })
}

/// Sound.
pub(super) fn audio<'a>(
    data: &'a str,
    format: &str,
    param: impl Fn() -> String,
) -> Result<Block<'a>, FormatError> {
    let Some(format) = known(format, SOUNDS) else {
        return Err(FormatError::field(param(), "this model cannot hear sound of this type"));
    };
    Ok(Block::Audio { format, source: Source::Bytes(compact(data)) })
}

fn source<'a>(
    media: &'a Media<'_>,
    param: &impl Fn() -> String,
) -> Result<Source<'a>, FormatError> {
    let message = match media {
        Media::Base64 { data, .. } => return Ok(Source::Bytes(compact(data))),
        Media::Url(url) if !needs_bytes(url) => return Ok(Source::S3Location { uri: url }),
        Media::Url(_) => "this model takes the bytes of a file only, not its address",
        Media::FileId(_) => "a file uploaded to another provider cannot be used with this model",
    };
    Err(FormatError::field(param(), message))
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
fn sniffed(source: &Source<'_>) -> Option<&'static str> {
    let Source::Bytes(data) = source else { return None };
    let head = data.get(..HEAD_CHARS).unwrap_or(data);
    let bytes = STANDARD.decode(head).or_else(|_| STANDARD_NO_PAD.decode(head)).ok()?;
    match bytes.as_slice() {
        [0x89, b'P', b'N', b'G', ..] => Some("png"),
        [0xff, 0xd8, 0xff, ..] => Some("jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P'] => Some("webp"),
        [b'%', b'P', b'D', b'F', ..] => Some("pdf"),
        _ => None,
    }
}

/// The type that the MIME type or the address tells.
fn declared(media: &Media<'_>, table: &[(&str, &'static str)]) -> Option<&'static str> {
    match media {
        Media::Base64 { mime, .. } => {
            let bare = mime.split(';').next().unwrap_or_default().trim();
            known(bare.split_once('/')?.1, table)
        }
        Media::Url(url) => known(url.rsplit_once('.')?.1, table),
        Media::FileId(_) => None,
    }
}

fn known(word: &str, table: &[(&str, &'static str)]) -> Option<&'static str> {
    table.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, format)| *format)
}

fn is_video(media: &Media<'_>) -> bool {
    match media {
        Media::Base64 { mime, .. } => mime.to_ascii_lowercase().starts_with("video/"),
        Media::Url(_) => declared(media, VIDEOS).is_some(),
        Media::FileId(_) => false,
    }
}

fn is_text(media: &Media<'_>) -> bool {
    matches!(media, Media::Base64 { mime, .. } if mime.to_ascii_lowercase().starts_with("text/"))
}
