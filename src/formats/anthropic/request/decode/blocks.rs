//! Content blocks of the user and of the application: text, pictures, documents, search results,
//! results of tool calls.
//!
//! What has no neutral form becomes text where it is text (search results, documents made of
//! blocks); a block of an unknown type is refused, because the model would answer without it.

use super::Lost;
use crate::chat::message::{Media, Part};
use crate::chat::tool::CacheControl;
use crate::formats::FormatError;
use crate::formats::path::Path;
use crate::formats::tree::{Fields, Node};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

/// A string, or blocks.
pub(super) fn read<'a>(
    node: Option<Node<'a>>,
    path: Path<'_>,
    lost: &mut Lost<'a>,
) -> Result<Vec<Part<'a>>, FormatError> {
    let items = match node {
        None => return Ok(Vec::new()),
        Some(Node::Text(text)) => return Ok(vec![Part::Text { text, cache: None }]),
        Some(Node::Array(items)) => items,
        Some(_) => return Err(path.fault("must be a string or an array of content blocks")),
    };
    let mut parts = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        let mut block = Fields::new(item, path.index(at))?;
        let kind = block.required_text("type")?;
        read_block(&kind, block, &mut parts, lost)?;
    }
    Ok(parts)
}

/// Reads one block of the given type into `parts`.
pub(super) fn read_block<'a>(
    kind: &str,
    mut block: Fields<'a, '_>,
    parts: &mut Vec<Part<'a>>,
    lost: &mut Lost<'a>,
) -> Result<(), FormatError> {
    match kind {
        "text" => {
            let (text, cache) = (block.required_text("text")?, cache_control(&mut block)?);
            parts.push(Part::Text { text, cache });
        }
        "image" => {
            let source = source(&mut block)?;
            let cache = cache_control(&mut block)?;
            parts.push(Part::Image { source, detail: None, cache });
        }
        "document" => document(&mut block, parts, lost)?,
        "search_result" => parts.push(search_result(&mut block, lost)?),
        "tool_result" => parts.push(tool_result(&mut block, lost)?),
        // They name tools or files of the provider's own, which another one has not.
        "tool_reference" | "container_upload" | "tool_addition" | "tool_removal" => {
            lost.push(Cow::Owned(kind.to_owned()));
            return Ok(());
        }
        _ => {
            let clipped: String = kind.chars().take(40).collect();
            let complaint = format!("`{clipped}` blocks are not supported for this model");
            return Err(block.fault("type", &complaint));
        }
    }
    lost.extend(block.rest());
    Ok(())
}

/// A prompt-cache breakpoint. Lifetimes nobody knows yet get the default one.
pub(super) fn cache_control(
    fields: &mut Fields<'_, '_>,
) -> Result<Option<CacheControl>, FormatError> {
    let Some(node) = fields.take("cache_control") else { return Ok(None) };
    let parent = fields.path;
    let mut mark = Fields::new(node, parent.key("cache_control"))?;
    Ok(Some(match mark.text("ttl")?.as_deref() {
        Some("5m") => CacheControl::FiveMinutes,
        Some("1h") => CacheControl::OneHour,
        _ => CacheControl::Default,
    }))
}

/// Where the bytes of a picture or document are.
fn source<'a>(block: &mut Fields<'a, '_>) -> Result<Media<'a>, FormatError> {
    let parent = block.path;
    let Some(node) = block.take("source") else { return Err(block.fault("source", "is missing")) };
    let mut source = Fields::new(node, parent.key("source"))?;
    let kind = source.required_text("type")?;
    media(&kind, &mut source)
}

fn media<'a>(kind: &str, source: &mut Fields<'a, '_>) -> Result<Media<'a>, FormatError> {
    Ok(match kind {
        "base64" => Media::Base64 {
            mime: source.text("media_type")?.unwrap_or_default(),
            data: source.required_name("data")?,
        },
        "text" => Media::Base64 {
            mime: source.text("media_type")?.unwrap_or(Cow::Borrowed("text/plain")),
            data: STANDARD.encode(source.required_name("data")?.as_bytes()).into(),
        },
        "url" => Media::Url(source.required_name("url")?),
        "file" => Media::FileId(source.required_name("file_id")?),
        _ => return Err(source.fault("type", "must be one of base64, url, text, content, file")),
    })
}

/// A document, after its context, which is for the model's eyes and no part of it.
fn document<'a>(
    block: &mut Fields<'a, '_>,
    parts: &mut Vec<Part<'a>>,
    lost: &mut Lost<'a>,
) -> Result<(), FormatError> {
    let cache = cache_control(block)?;
    let filename = block.text("title")?.filter(|title| !title.is_empty());
    let context = block.text("context")?.filter(|context| !context.trim().is_empty());
    parts.extend(context.map(|text| Part::Text { text, cache: None }));
    let citations = citations(block)?;
    let parent = block.path;
    let Some(node) = block.take("source") else { return Err(block.fault("source", "is missing")) };
    let mut inner = Fields::new(node, parent.key("source"))?;
    let kind = inner.required_text("type")?;
    if kind != "content" {
        let source = media(&kind, &mut inner)?;
        parts.push(Part::File { source, filename, citations, cache });
        return Ok(());
    }
    // A document made of blocks is told as its blocks under its title.
    if citations == Some(true) {
        lost.push(Cow::Borrowed("citations"));
    }
    parts.extend(filename.map(|text| Part::Text { text, cache: None }));
    let inner_path = inner.path;
    parts.extend(read(inner.take("content"), inner_path.key("content"), lost)?);
    if let Some(
        Part::Text { cache: last, .. }
        | Part::Image { cache: last, .. }
        | Part::File { cache: last, .. },
    ) = parts.last_mut()
    {
        *last = cache.or(*last);
    }
    Ok(())
}

/// Whether the block is to be cited.
fn citations(block: &mut Fields<'_, '_>) -> Result<Option<bool>, FormatError> {
    let Some(node) = block.take("citations") else { return Ok(None) };
    let parent = block.path;
    Fields::new(node, parent.key("citations"))?.boolean("enabled")
}

/// A search result as text: title, address, then what was found.
fn search_result<'a>(
    block: &mut Fields<'a, '_>,
    lost: &mut Lost<'a>,
) -> Result<Part<'a>, FormatError> {
    let cache = cache_control(block)?;
    if citations(block)? == Some(true) {
        lost.push(Cow::Borrowed("citations"));
    }
    let head = [block.text("title")?, block.text("source")?];
    let path = block.path;
    let content = read(block.take("content"), path.key("content"), lost)?;
    let said = content.into_iter().filter_map(|part| match part {
        Part::Text { text, .. } => Some(text),
        _ => None,
    });
    let lines: Vec<Cow<'_, str>> =
        head.into_iter().flatten().chain(said).filter(|line| !line.is_empty()).collect();
    Ok(Part::Text { text: lines.join("\n").into(), cache })
}

fn tool_result<'a>(
    block: &mut Fields<'a, '_>,
    lost: &mut Lost<'a>,
) -> Result<Part<'a>, FormatError> {
    let path = block.path;
    Ok(Part::ToolResult {
        call_id: block.required_name("tool_use_id")?,
        name: None,
        parts: read(block.take("content"), path.key("content"), lost)?,
        is_error: block.boolean("is_error")?.unwrap_or(false),
        cache: cache_control(block)?,
    })
}
