//! Tools and how they shall be called: `tools` and `tool_choice`.
//!
//! Of the provider's own tools only web search has counterparts; any other changes what the model
//! can do, so it is refused rather than dropped.

use super::Lost;
use super::blocks::cache_control;
use crate::chat::Request;
use crate::chat::tool::{Tool, ToolChoice};
use crate::formats::FormatError;
use crate::formats::anthropic::raw;
use crate::formats::tree::Fields;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::borrow::Cow;

const WEB_SEARCH: &str = "web_search";
const PLACE_KEYS: [&str; 4] = ["city", "region", "country", "timezone"];

/// Reads everything about tools into the request.
pub(super) fn read<'a>(
    fields: &mut Fields<'a, '_>,
    request: &mut Request<'a>,
    lost: &mut Lost<'a>,
) -> Result<(), FormatError> {
    let root = fields.path;
    let tools_path = root.key("tools");
    for (at, item) in fields.array("tools")?.unwrap_or_default().into_iter().enumerate() {
        let path = tools_path.index(at);
        let mut declared = Fields::new(item, path)?;
        match declared.text("type")?.as_deref() {
            None | Some("custom") => request.tools.push(tool(&mut declared)?),
            Some(kind) if kind.starts_with("web_search_") => {
                request.web_search = Some(Cow::Owned(web_search(&mut declared)?));
            }
            Some(kind) => {
                let clipped: String = kind.chars().take(40).collect();
                let complaint = format!("is a `{clipped}` tool, which this model does not have");
                return Err(path.fault(&complaint));
            }
        }
        lost.extend(declared.rest());
    }
    if let Some(node) = fields.take("tool_choice") {
        choice(Fields::new(node, root.key("tool_choice"))?, request, lost)?;
    }
    Ok(())
}

fn tool<'a>(declared: &mut Fields<'a, '_>) -> Result<Tool<'a>, FormatError> {
    Ok(Tool {
        name: declared.required_name("name")?,
        description: declared.text("description")?,
        parameters: declared.raw_object("input_schema")?.map(Cow::Borrowed),
        strict: declared.boolean("strict")?,
        cache: cache_control(declared)?,
        custom: None,
    })
}

/// The search tool in the shape of OpenAI's `web_search_options`.
fn web_search(declared: &mut Fields<'_, '_>) -> Result<Box<RawValue>, FormatError> {
    declared.take("name");
    cache_control(declared)?;
    let size = match declared.plain_count("max_uses", 0)? {
        Some(0..=2) => "low",
        Some(8..) => "high",
        _ => "medium",
    };
    let mut options = Map::new();
    options.insert("search_context_size".into(), size.into());
    let path = declared.path;
    if let Some(node) = declared.take("user_location") {
        let mut place = Fields::new(node, path.key("user_location"))?;
        let mut approximate = Map::new();
        for key in PLACE_KEYS {
            let said = place.text(key)?;
            approximate.extend(said.map(|text| (key.to_owned(), Value::from(text.as_ref()))));
        }
        let location = serde_json::json!({"type": "approximate", "approximate": approximate});
        options.insert("user_location".into(), location);
    }
    Ok(raw::owned(Value::Object(options).to_string()))
}

fn choice<'a>(
    mut wanted: Fields<'a, '_>,
    request: &mut Request<'a>,
    lost: &mut Lost<'a>,
) -> Result<(), FormatError> {
    let choice = match wanted.required_text("type")?.as_ref() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(wanted.required_name("name")?),
        _ => return Err(wanted.fault("type", "must be one of auto, any, tool, none")),
    };
    if wanted.boolean("disable_parallel_tool_use")? == Some(true) {
        request.parallel_tool_calls = Some(false);
    }
    let searches = request.web_search.is_some();
    request.tool_choice = match choice {
        // The search is no function that could be named.
        ToolChoice::Named(name) if searches && name == WEB_SEARCH => {
            lost.push(Cow::Borrowed("tool_choice"));
            None
        }
        other => Some(other),
    };
    lost.extend(wanted.rest());
    Ok(())
}
