//! The content of a message or a tool result: a string, or a list of typed parts.
//!
//! A part of an unknown type is refused, because leaving it out would change the question.

use super::fields::{Fields, Path};
use crate::chat::Part;
use crate::chat::message::Media;
use crate::chat::tool::CacheControl;
use crate::formats::FormatError;
use crate::formats::openai_chat::request::decode::media;
use crate::formats::openai_responses::object::{elements, text};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Reads content; an absent one is empty.
pub(super) fn read<'a>(
    raw: Option<&'a RawValue>,
    path: Path<'_>,
) -> Result<Vec<Part<'a>>, FormatError> {
    let Some(raw) = raw else { return Ok(Vec::new()) };
    if let Some(text) = text(raw) {
        return Ok(vec![Part::Text { text, cache: None }]);
    }
    let Some(items) = elements(raw) else {
        return Err(path.fault("must be a string or an array of parts"));
    };
    items.into_iter().enumerate().map(|(at, item)| part(item, path.index(at))).collect()
}

fn part<'a>(raw: &'a RawValue, path: Path<'_>) -> Result<Part<'a>, FormatError> {
    if let Some(text) = text(raw) {
        return Ok(Part::Text { text, cache: None });
    }
    let mut fields = Fields::new(raw, path)?;
    let kind = fields.required_text("type")?;
    let cache = cache_control(&mut fields)?;
    match kind.as_ref() {
        "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text" => {
            Ok(Part::Text { text: fields.required_text("text")?, cache })
        }
        "refusal" => Ok(Part::Refusal { text: fields.required_text("refusal")? }),
        "input_image" => image(&mut fields, cache),
        "input_file" => file(&mut fields, cache),
        "input_audio" => audio(&mut fields),
        "input_video" => {
            let url = fields.required_name("video_url")?;
            Ok(Part::Video { source: located(&fields, "video_url", url)? })
        }
        _ => Err(fields.fault(
            "type",
            "must be one of input_text, input_image, input_file, input_audio, output_text, refusal",
        )),
    }
}

fn image<'a>(
    fields: &mut Fields<'a, '_>,
    cache: Option<CacheControl>,
) -> Result<Part<'a>, FormatError> {
    let detail = fields.text("detail")?;
    let source = match (address(fields)?, fields.text("file_id")?) {
        (Some(url), _) => located(fields, "image_url", url)?,
        (None, Some(id)) => Media::FileId(id),
        (None, None) => return Err(fields.fault("image_url", "is missing")),
    };
    Ok(Part::Image { source, detail, cache })
}

/// A plain string here; `{"url": …}` is how the chat format has it, and clients mix them up.
fn address<'a>(fields: &mut Fields<'a, '_>) -> Result<Option<Cow<'a, str>>, FormatError> {
    let Some(raw) = fields.take("image_url") else { return Ok(None) };
    if let Some(url) = text(raw) {
        return Ok(Some(url));
    }
    let parent = fields.path;
    Fields::new(raw, parent.key("image_url"))?.required_name("url").map(Some)
}

fn located<'a>(
    fields: &Fields<'a, '_>,
    key: &str,
    url: Cow<'a, str>,
) -> Result<Media<'a>, FormatError> {
    media::locate(url).ok_or_else(|| fields.fault(key, "must be a data: URI or an http(s) address"))
}

fn file<'a>(
    fields: &mut Fields<'a, '_>,
    cache: Option<CacheControl>,
) -> Result<Part<'a>, FormatError> {
    let filename = fields.text("filename")?;
    let (data, url) = (fields.text("file_data")?, fields.text("file_url")?);
    let source = match (data, url, fields.text("file_id")?) {
        (Some(data), ..) => {
            let located = media::locate(data.clone());
            located.or_else(|| media::bare_base64(data)).ok_or_else(|| {
                fields.fault("file_data", "must be a data: URI, an address, or base64 of a PDF")
            })?
        }
        (None, Some(url), _) => located(fields, "file_url", url)?,
        (None, None, Some(id)) => Media::FileId(id),
        (None, None, None) => return Err(fields.fault("file_data", "is missing")),
    };
    Ok(Part::File { source, filename, citations: None, cache })
}

fn audio<'a>(fields: &mut Fields<'a, '_>) -> Result<Part<'a>, FormatError> {
    let parent = fields.path;
    let Some(raw) = fields.take("input_audio") else {
        return Err(fields.fault("input_audio", "is missing"));
    };
    let mut object = Fields::new(raw, parent.key("input_audio"))?;
    Ok(Part::Audio { data: object.required_name("data")?, format: object.required_name("format")? })
}

/// Reads a prompt-cache breakpoint: OpenAI's own, or Anthropic's `cache_control`, which OpenRouter
/// takes in every format.
pub(super) fn cache_control(
    fields: &mut Fields<'_, '_>,
) -> Result<Option<CacheControl>, FormatError> {
    let own = fields.take("prompt_cache_breakpoint").map(|_| CacheControl::Default);
    let parent = fields.path;
    let Some(raw) = fields.take("cache_control") else { return Ok(own) };
    let mut object = Fields::new(raw, parent.key("cache_control"))?;
    match object.text("ttl")?.as_deref() {
        None => Ok(Some(CacheControl::Default)),
        Some("5m") => Ok(Some(CacheControl::FiveMinutes)),
        Some("1h") => Ok(Some(CacheControl::OneHour)),
        Some(_) => Err(object.fault("ttl", "must be `5m` or `1h`")),
    }
}
