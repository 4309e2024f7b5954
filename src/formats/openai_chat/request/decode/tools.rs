//! Tools and how they shall be called: `tools`, `tool_choice`, `parallel_tool_calls`, and the
//! older `functions` and `function_call`.
//!
//! A tool that is not a function changes what the model can do, so it is refused rather than
//! dropped.

use super::clip;
use super::content::cache_control;
use crate::chat::Request;
use crate::chat::tool::{CustomTool, Tool, ToolChoice};
use crate::formats::FormatError;
use crate::formats::path::Path;
use crate::formats::tree::{Fields, Node};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Reads everything about tools into the request.
pub(super) fn read<'a>(
    fields: &mut Fields<'a, '_>,
    request: &mut Request<'a>,
) -> Result<(), FormatError> {
    let root = fields.path;
    if let Some(items) = fields.array("tools")? {
        let path = root.key("tools");
        for (at, item) in items.into_iter().enumerate() {
            request.tools.push(tool(Fields::new(item, path.index(at))?)?);
        }
    }
    if let Some(items) = fields.array("functions")? {
        let path = root.key("functions");
        for (at, item) in items.into_iter().enumerate() {
            request.tools.push(function(&mut Fields::new(item, path.index(at))?)?);
        }
    }
    if let Some(node) = fields.take("tool_choice") {
        request.tool_choice = Some(choice(node, root.key("tool_choice"))?);
    } else if let Some(node) = fields.take("function_call") {
        request.tool_choice = Some(older_choice(node, root.key("function_call"))?);
    }
    fields.take("function_call");
    request.parallel_tool_calls = fields.boolean("parallel_tool_calls")?;
    Ok(())
}

fn tool<'a>(mut declared: Fields<'a, '_>) -> Result<Tool<'a>, FormatError> {
    let kind = declared.text("type")?.unwrap_or(Cow::Borrowed("function"));
    if kind == "custom" {
        return custom(&mut declared);
    }
    if kind != "function" {
        let complaint = format!("`{}` tools are not supported for this model", clip(&kind));
        return Err(declared.fault("type", &complaint));
    }
    let Some(node) = declared.take("function") else {
        return Err(declared.fault("function", "is missing"));
    };
    let outer_cache = cache_control(&mut declared)?;
    let parent = declared.path;
    let mut read = function(&mut Fields::new(node, parent.key("function"))?)?;
    read.cache = read.cache.or(outer_cache);
    Ok(read)
}

/// A free-form tool, which takes text instead of JSON.
fn custom<'a>(declared: &mut Fields<'a, '_>) -> Result<Tool<'a>, FormatError> {
    let parent = declared.path;
    let cache = cache_control(declared)?;
    let Some(node) = declared.take("custom") else {
        return Err(declared.fault("custom", "is missing"));
    };
    let mut custom = Fields::new(node, parent.key("custom"))?;
    Ok(Tool {
        name: custom.required_name("name")?,
        description: custom.text("description")?,
        parameters: None,
        strict: None,
        cache,
        custom: Some(CustomTool { format: custom.take("format").and_then(flat) }),
    })
}

/// The format as the Responses API writes it, with the members of a grammar beside its type.
fn flat(mut format: Node<'_>) -> Option<Cow<'_, RawValue>> {
    if let Some(Node::Object(mut members)) = format.take("grammar") {
        members.insert(0, (Cow::Borrowed("type"), Node::Text(Cow::Borrowed("grammar"))));
        return Node::Object(members).into_raw();
    }
    format.into_raw()
}

fn function<'a>(declared: &mut Fields<'a, '_>) -> Result<Tool<'a>, FormatError> {
    Ok(Tool {
        name: declared.required_name("name")?,
        description: declared.text("description")?,
        parameters: declared.raw_object("parameters")?.map(Cow::Borrowed),
        strict: declared.boolean("strict")?,
        cache: cache_control(declared)?,
        custom: None,
    })
}

fn choice<'a>(node: Node<'a>, path: Path<'_>) -> Result<ToolChoice<'a>, FormatError> {
    if let Node::Text(word) = node {
        return match word.as_ref() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" | "any" => Ok(ToolChoice::Required),
            _ => Err(path.fault("must be `auto`, `none`, `required` or an object")),
        };
    }
    let Node::Object(_) = node else {
        return Err(path.fault("must be a string or an object"));
    };
    let mut wanted = Fields::new(node, path)?;
    match wanted.required_text("type")?.as_ref() {
        "function" | "custom" => Ok(ToolChoice::Named(function_name(&mut wanted)?)),
        "allowed_tools" => allowed_tools(&mut wanted),
        "auto" => Ok(ToolChoice::Auto),
        "none" => Ok(ToolChoice::None),
        "required" | "any" => Ok(ToolChoice::Required),
        _ => Err(wanted.fault("type", "must be `function`, `custom` or `allowed_tools`")),
    }
}

/// The name of a tool reference: nested as in chat, or flat as in the Responses API.
fn function_name<'a>(wanted: &mut Fields<'a, '_>) -> Result<Cow<'a, str>, FormatError> {
    let parent = wanted.path;
    let found = ["function", "custom"].into_iter().find_map(|key| Some((key, wanted.take(key)?)));
    match found {
        Some((key, node)) => Fields::new(node, parent.key(key))?.required_name("name"),
        None => wanted.text("name")?.ok_or_else(|| wanted.fault("function", "is missing")),
    }
}

fn allowed_tools<'a>(wanted: &mut Fields<'a, '_>) -> Result<ToolChoice<'a>, FormatError> {
    let parent = wanted.path;
    let Some(node) = wanted.take("allowed_tools") else {
        return Err(wanted.fault("allowed_tools", "is missing"));
    };
    let mut allowed = Fields::new(node, parent.key("allowed_tools"))?;
    let required = match allowed.text("mode")?.as_deref() {
        None | Some("auto") => false,
        Some("required") => true,
        Some(_) => return Err(allowed.fault("mode", "must be `auto` or `required`")),
    };
    let Some(items) = allowed.array("tools")? else {
        return Err(allowed.fault("tools", "is missing"));
    };
    let list = allowed.path.key("tools");
    let mut names = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        names.push(function_name(&mut Fields::new(item, list.index(at))?)?);
    }
    Ok(ToolChoice::Allowed { names, required })
}

fn older_choice<'a>(node: Node<'a>, path: Path<'_>) -> Result<ToolChoice<'a>, FormatError> {
    match node {
        Node::Text(word) if word == "auto" => Ok(ToolChoice::Auto),
        Node::Text(word) if word == "none" => Ok(ToolChoice::None),
        Node::Object(_) => Ok(ToolChoice::Named(Fields::new(node, path)?.required_name("name")?)),
        _ => Err(path.fault("must be `auto`, `none` or an object with a name")),
    }
}
