//! The content of a message: a string, or a list of typed parts.
//!
//! A part of an unknown type is refused, because leaving it out would change the question.

use super::media;
use crate::chat::Part;
use crate::chat::message::{Media, Reasoning};
use crate::chat::tool::CacheControl;
use crate::formats::FormatError;
use crate::formats::path::Path;
use crate::formats::tree::{Fields, Node};
use std::borrow::Cow;

/// Reads `content`; an absent one is empty.
pub(super) fn read<'a>(
    node: Option<Node<'a>>,
    path: Path<'_>,
) -> Result<Vec<Part<'a>>, FormatError> {
    match node {
        None => Ok(Vec::new()),
        Some(Node::Text(text)) => Ok(vec![Part::Text { text, cache: None }]),
        Some(Node::Array(items)) => {
            let mut parts = Vec::with_capacity(items.len());
            for (at, item) in items.into_iter().enumerate() {
                parts.extend(part(item, path.index(at))?);
            }
            Ok(parts)
        }
        Some(_) => Err(path.fault("must be a string or an array of parts")),
    }
}

/// Reads one part; `None` for one that says nothing.
fn part<'a>(node: Node<'a>, path: Path<'_>) -> Result<Option<Part<'a>>, FormatError> {
    if let Node::Text(text) = node {
        return Ok(Some(Part::Text { text, cache: None }));
    }
    let mut fields = Fields::new(node, path)?;
    let kind = fields.required_text("type")?;
    let cache = cache_control(&mut fields)?;
    let read = match kind.as_ref() {
        "text" => Part::Text { text: fields.required_text("text")?, cache },
        "image_url" => image(&mut fields, cache)?,
        "input_audio" => audio(&mut fields)?,
        "file" => file(&mut fields, cache)?,
        "document_url" => document(&mut fields, cache)?,
        "video_url" => video(&mut fields)?,
        "refusal" => Part::Refusal { text: fields.required_text("refusal")? },
        "thinking" => return Ok(thinking(&mut fields)),
        _ => {
            let known = "must be one of text, image_url, input_audio, file, document_url, \
                         video_url, refusal, thinking";
            return Err(fields.fault("type", known));
        }
    };
    Ok(Some(read))
}

/// Mistral's way to send reasoning back: a list of text parts.
fn thinking<'a>(fields: &mut Fields<'a, '_>) -> Option<Part<'a>> {
    let pieces = fields.take("thinking").map(Node::into_items).unwrap_or_default();
    let texts = pieces.into_iter().filter_map(|mut piece| piece.take("text")?.into_text());
    let joined = texts.reduce(|joined, text| joined + text)?;
    Some(Part::Reasoning(Reasoning::plain(joined)))
}

/// Mistral's way to send a document.
fn document<'a>(
    fields: &mut Fields<'a, '_>,
    cache: Option<CacheControl>,
) -> Result<Part<'a>, FormatError> {
    let filename = fields.text("document_name")?;
    let (source, _) = address(fields, "document_url")?;
    Ok(Part::File { source, filename, citations: None, cache })
}

/// The address of an image or video: `{"url": …}`, or the bare string some clients send.
fn address<'a>(
    fields: &mut Fields<'a, '_>,
    key: &str,
) -> Result<(Media<'a>, Option<Cow<'a, str>>), FormatError> {
    let parent = fields.path;
    let here = parent.key(key);
    let (url, detail, place) = match fields.take(key) {
        None => return Err(here.fault("is missing")),
        Some(Node::Text(url)) => (url, None, here),
        Some(node) => {
            let mut object = Fields::new(node, here)?;
            (object.required_text("url")?, object.text("detail")?, here.key("url"))
        }
    };
    let source = media::locate(url)
        .ok_or_else(|| place.fault("must be a data: URI or an http(s) address"))?;
    Ok((source, detail))
}

fn image<'a>(
    fields: &mut Fields<'a, '_>,
    cache: Option<CacheControl>,
) -> Result<Part<'a>, FormatError> {
    let (source, detail) = address(fields, "image_url")?;
    Ok(Part::Image { source, detail, cache })
}

fn video<'a>(fields: &mut Fields<'a, '_>) -> Result<Part<'a>, FormatError> {
    let (source, _) = address(fields, "video_url")?;
    Ok(Part::Video { source })
}

fn audio<'a>(fields: &mut Fields<'a, '_>) -> Result<Part<'a>, FormatError> {
    let parent = fields.path;
    let Some(node) = fields.take("input_audio") else {
        return Err(fields.fault("input_audio", "is missing"));
    };
    let node = match node {
        // Mistral's form: the bytes alone, or a URI of them.
        Node::Text(data) => {
            return plain_audio(data).ok_or_else(|| {
                fields.fault("input_audio", "must be base64 of a wav or mp3 file, or an object")
            });
        }
        node => node,
    };
    let mut object = Fields::new(node, parent.key("input_audio"))?;
    Ok(Part::Audio { data: object.required_name("data")?, format: object.required_name("format")? })
}

fn plain_audio(data: Cow<'_, str>) -> Option<Part<'_>> {
    let Media::Base64 { mime, data } = file_data(data)? else { return None };
    let format = match mime.as_ref() {
        "audio/wav" | "audio/x-wav" | "audio/wave" => "wav",
        "audio/mpeg" | "audio/mp3" => "mp3",
        _ => return None,
    };
    Some(Part::Audio { data, format: Cow::Borrowed(format) })
}

fn file<'a>(
    fields: &mut Fields<'a, '_>,
    cache: Option<CacheControl>,
) -> Result<Part<'a>, FormatError> {
    let parent = fields.path;
    let Some(node) = fields.take("file") else { return Err(fields.fault("file", "is missing")) };
    let mut object = Fields::new(node, parent.key("file"))?;
    let filename = object.text("filename")?;
    let source = match (object.text("file_data")?, object.text("file_id")?) {
        (Some(data), _) => file_data(data).ok_or_else(|| {
            object.fault("file_data", "must be a data: URI, an address, or base64 of a PDF")
        })?,
        (None, Some(id)) => Media::FileId(id),
        (None, None) => return Err(object.fault("file_data", "is missing")),
    };
    Ok(Part::File { source, filename, citations: None, cache })
}

fn file_data(data: Cow<'_, str>) -> Option<Media<'_>> {
    let located = media::locate(data.clone());
    located.or_else(|| media::bare_base64(data))
}

/// Reads a prompt-cache breakpoint: Anthropic's `cache_control`, which OpenRouter also takes in
/// OpenAI's format, or OpenAI's own `prompt_cache_breakpoint`.
pub(super) fn cache_control(
    fields: &mut Fields<'_, '_>,
) -> Result<Option<CacheControl>, FormatError> {
    let openai = fields.take("prompt_cache_breakpoint").map(|_| CacheControl::Default);
    let parent = fields.path;
    let Some(node) = fields.take("cache_control") else { return Ok(openai) };
    let mut object = Fields::new(node, parent.key("cache_control"))?;
    if object.required_text("type")? != "ephemeral" {
        return Err(object.fault("type", "must be `ephemeral`"));
    }
    match object.text("ttl")?.as_deref() {
        None => Ok(Some(CacheControl::Default)),
        Some("5m") => Ok(Some(CacheControl::FiveMinutes)),
        Some("1h") => Ok(Some(CacheControl::OneHour)),
        Some(_) => Err(object.fault("ttl", "must be `5m` or `1h`")),
    }
}
