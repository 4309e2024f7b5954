//! Where the bytes of pictures, documents, sound and film are, in Gemini's words.
//!
//! Nothing is fetched here: who sends the request puts in what stands at foreign addresses. Those
//! that are left go as `fileData`, as newer models read public https addresses themselves.

use crate::chat::message::Media;
use crate::formats::FormatError;
use crate::formats::gemini::media_type::{self, starts_with};
use serde::Serialize;
use std::borrow::Cow;

/// `inlineData` or `fileData`.
#[derive(Debug)]
pub(super) enum Source<'r> {
    Inline(InlineData<'r>),
    File(FileData<'r>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InlineData<'r> {
    mime_type: Cow<'r, str>,
    data: &'r str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileData<'r> {
    mime_type: Cow<'static, str>,
    file_uri: &'r str,
}

/// What a part is, to guess a type that nothing else tells.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Image,
    File,
    Video,
}

impl Kind {
    fn usual_type(self) -> &'static str {
        match self {
            Self::Image => "image/jpeg",
            Self::File => "application/pdf",
            Self::Video => "video/mp4",
        }
    }
}

/// The source of a part; `param` names the part in errors.
pub(super) fn source<'r>(
    media: &'r Media<'_>,
    kind: Kind,
    param: impl Fn() -> String,
) -> Result<Source<'r>, FormatError> {
    match media {
        Media::Base64 { mime, data } => Ok(Source::Inline(inline(mime, data, kind))),
        Media::Url(url) if starts_with(url, "data:") => {
            let (mime, data) = data_uri(url).ok_or_else(|| {
                FormatError::field(param(), "the data URI is not base64 with a media type")
            })?;
            Ok(Source::Inline(inline(mime, data, kind)))
        }
        Media::Url(url) if starts_with(url, "https://") || starts_with(url, "gs://") => {
            Ok(Source::File(FileData { mime_type: type_of_url(url, kind), file_uri: url }))
        }
        Media::Url(_) => Err(FormatError::field(
            param(),
            "this provider reads https://, gs:// and data: addresses only",
        )),
        Media::FileId(id) if starts_with(id, "https://") || starts_with(id, "gs://") => {
            Ok(Source::File(FileData { mime_type: type_of_url(id, kind), file_uri: id }))
        }
        Media::FileId(_) => Err(FormatError::field(
            param(),
            "file ids are not portable between providers; send the file's data or an address",
        )),
    }
}

/// Sound in the request.
pub(super) fn audio<'r>(data: &'r str, format: &str) -> InlineData<'r> {
    // The words after a semicolon say how to play it, and keep their letters.
    let format = if format.contains(';') { format.to_owned() } else { format.to_ascii_lowercase() };
    InlineData { mime_type: format!("audio/{format}").into(), data }
}

fn inline<'r>(mime: &'r str, data: &'r str, kind: Kind) -> InlineData<'r> {
    let mime_type = match mime {
        "" | "application/octet-stream" => {
            media_type::sniff(data).unwrap_or(kind.usual_type()).into()
        }
        "image/jpg" => "image/jpeg".into(),
        known if known.bytes().any(|b| b.is_ascii_uppercase()) => known.to_ascii_lowercase().into(),
        known => known.into(),
    };
    InlineData { mime_type, data }
}

/// `data:<type>[;params];base64,<data>`.
fn data_uri(uri: &str) -> Option<(&str, &str)> {
    let (head, data) = uri.get("data:".len()..)?.split_once(',')?;
    let (head, encoding) = head.rsplit_once(';')?;
    let mime = head.split(';').next().unwrap_or_default();
    encoding.trim().eq_ignore_ascii_case("base64").then_some((mime.trim(), data))
}

fn type_of_url(url: &str, kind: Kind) -> Cow<'static, str> {
    Cow::Borrowed(media_type::of_url(url).unwrap_or(kind.usual_type()))
}
