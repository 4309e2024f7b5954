//! Tools and how they shall be called: `tools`, `tool_choice`, `parallel_tool_calls`.
//!
//! Functions are flat here. Of the provider's own tools only web search has a counterpart
//! elsewhere; any other changes what the model can do, so it is refused rather than dropped.

use super::content::cache_control;
use super::fields::{Fields, Path};
use crate::chat::Request;
use crate::chat::tool::{CustomTool, Tool, ToolChoice};
use crate::formats::FormatError;
use crate::formats::openai_responses::object::{Object, text};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Reads everything about tools into the request.
pub(super) fn read<'a>(
    fields: &mut Fields<'a, '_>,
    request: &mut Request<'a>,
) -> Result<(), FormatError> {
    let list = Path::Root.key("tools");
    for (at, raw) in fields.array("tools")?.unwrap_or_default().into_iter().enumerate() {
        let here = list.index(at);
        let mut declared = Fields::new(raw, here)?;
        if is_web_search(declared.take("type")) {
            request.web_search = Some(Cow::Owned(web_search(raw)));
        } else {
            request.tools.push(tool(&mut Fields::new(raw, here)?)?);
        }
    }
    if let Some(raw) = fields.take("tool_choice") {
        request.tool_choice = Some(choice(raw, Path::Root.key("tool_choice"))?);
    }
    request.parallel_tool_calls = fields.boolean("parallel_tool_calls")?;
    Ok(())
}

/// Reads the functions and free-form tools of `tools`.
pub(super) fn functions<'a>(fields: &mut Fields<'a, '_>) -> Result<Vec<Tool<'a>>, FormatError> {
    let items = fields.array("tools")?.unwrap_or_default();
    let parent = fields.path;
    let list = parent.key("tools");
    let read = |(at, raw)| tool(&mut Fields::new(raw, list.index(at))?);
    items.into_iter().enumerate().map(read).collect()
}

fn is_web_search(kind: Option<&RawValue>) -> bool {
    kind.and_then(text).is_some_and(|word| word.starts_with("web_search"))
}

fn tool<'a>(declared: &mut Fields<'a, '_>) -> Result<Tool<'a>, FormatError> {
    let custom = match declared.required_text("type")?.as_ref() {
        "function" => None,
        "custom" => Some(CustomTool { format: declared.raw_object("format")?.map(Cow::Borrowed) }),
        other => {
            let word: String = other.chars().take(40).collect();
            let complaint = format!("is a `{word}` tool, which is not supported for this model");
            return Err(declared.path.fault(&complaint));
        }
    };
    Ok(Tool {
        name: declared.required_name("name")?,
        description: declared.text("description")?,
        parameters: declared.raw_object("parameters")?.map(Cow::Borrowed),
        // Unenforced is what every other format means by saying nothing.
        strict: declared.boolean("strict")?.filter(|strict| *strict),
        cache: cache_control(declared)?,
        custom,
    })
}

/// The client's options in the shape of the chat format, which all encoders read.
fn web_search(declared: &RawValue) -> Box<RawValue> {
    let declared = Object::read(declared).unwrap_or_default();
    let mut members = Vec::new();
    for key in ["search_context_size", "filters"] {
        members.extend(declared.raw(key).map(|value| format!(r#""{key}":{}"#, value.get())));
    }
    if let Some(place) = declared.object("user_location") {
        let known = ["city", "country", "region", "timezone"];
        let named = known
            .iter()
            .filter_map(|key| place.raw(key).map(|value| format!(r#""{key}":{}"#, value.get())));
        let named: Vec<String> = named.collect();
        let place = named.join(",");
        members
            .push(format!(r#""user_location":{{"type":"approximate","approximate":{{{place}}}}}"#));
    }
    // The pieces are JSON, so that the whole is.
    RawValue::from_string(format!("{{{}}}", members.join(",")))
        .unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn choice<'a>(raw: &'a RawValue, path: Path<'_>) -> Result<ToolChoice<'a>, FormatError> {
    if let Some(word) = text(raw) {
        return match word.as_ref() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" | "any" => Ok(ToolChoice::Required),
            _ => Err(path.fault("must be `auto`, `none`, `required` or an object")),
        };
    }
    let mut wanted = Fields::new(raw, path)?;
    match wanted.required_text("type")?.as_ref() {
        "function" | "custom" => Ok(ToolChoice::Named(wanted.required_name("name")?)),
        "allowed_tools" => allowed_tools(&mut wanted),
        "auto" => Ok(ToolChoice::Auto),
        "none" => Ok(ToolChoice::None),
        "required" | "any" => Ok(ToolChoice::Required),
        _ => Err(wanted.fault("type", "must be `function`, `custom` or `allowed_tools`")),
    }
}

fn allowed_tools<'a>(wanted: &mut Fields<'a, '_>) -> Result<ToolChoice<'a>, FormatError> {
    let required = match wanted.text("mode")?.as_deref() {
        None | Some("auto") => false,
        Some("required") => true,
        Some(_) => return Err(wanted.fault("mode", "must be `auto` or `required`")),
    };
    let Some(items) = wanted.array("tools")? else {
        return Err(wanted.fault("tools", "is missing"));
    };
    let parent = wanted.path;
    let list = parent.key("tools");
    let mut names = Vec::with_capacity(items.len());
    for (at, raw) in items.into_iter().enumerate() {
        let mut allowed = Fields::new(raw, list.index(at))?;
        // The provider's own tools have no name, and are allowed by being declared.
        if !is_web_search(allowed.take("type")) {
            names.push(allowed.required_name("name")?);
        }
    }
    Ok(ToolChoice::Allowed { names, required })
}
