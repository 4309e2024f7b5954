//! `tools` and `toolConfig`.
//!
//! Web search is the one built-in tool that others have too. Any other changes what the model can
//! do, so it is refused rather than dropped.

use super::fields::{Fields, begins, items};
use super::{Unmapped, schema};
use crate::chat::Request;
use crate::chat::tool::{Tool, ToolChoice};
use crate::formats::FormatError;
use crate::formats::gemini::request::encode::is_empty_schema;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Names of web search, newest first.
const WEB_SEARCH: [&str; 2] = ["googleSearch", "googleSearchRetrieval"];

/// Reads everything about tools into the request.
pub(super) fn read<'a>(
    fields: &mut Fields<'a, '_>,
    request: &mut Request<'a>,
    unmapped: &mut Unmapped<'a>,
) -> Result<(), FormatError> {
    let root = fields.path;
    if let Some(raw) = fields.take("tools") {
        let path = root.key("tools");
        for (at, item) in items(raw).into_iter().enumerate() {
            tool(Fields::new(item, path.index(at))?, request, unmapped)?;
        }
    }
    if let Some(raw) = fields.take("toolConfig") {
        let path = root.key("toolConfig");
        let mut config = Fields::new(raw, path)?;
        if let Some(raw) = config.take("functionCallingConfig") {
            let mut calling = Fields::new(raw, path.key("functionCallingConfig"))?;
            request.tool_choice = choice(&mut calling)?;
            unmapped.rest("toolConfig.functionCallingConfig", calling);
        }
        unmapped.rest("toolConfig", config);
    }
    Ok(())
}

/// One element: functions, web search, or both.
fn tool<'a>(
    mut fields: Fields<'a, '_>,
    request: &mut Request<'a>,
    unmapped: &mut Unmapped<'a>,
) -> Result<(), FormatError> {
    let path = fields.path;
    if let Some(raw) = fields.take("functionDeclarations") {
        let list = path.key("functionDeclarations");
        for (at, item) in items(raw).into_iter().enumerate() {
            let declared = Fields::new(item, list.index(at))?;
            request.tools.push(function(declared, unmapped)?);
        }
    }
    for name in WEB_SEARCH {
        let Some(raw) = fields.take(name) else { continue };
        let settings = Fields::new(raw, path.key(name))?;
        unmapped.rest(&format!("tools.{name}"), settings);
        request.web_search = Some(no_options());
    }
    match fields.rest().next() {
        None => Ok(()),
        Some(name) => {
            let complaint =
                format!("has the tool `{}`, which this model does not offer", super::clip(&name));
            Err(path.fault(&complaint))
        }
    }
}

/// `{}`: searching as the provider sees fit.
fn no_options() -> Cow<'static, RawValue> {
    Cow::Borrowed(serde_json::from_str::<&'static RawValue>("{}").unwrap_or(RawValue::NULL))
}

fn function<'a>(
    mut declared: Fields<'a, '_>,
    unmapped: &mut Unmapped<'a>,
) -> Result<Tool<'a>, FormatError> {
    let name = declared.required_text("name")?;
    let description = declared.text("description")?;
    let plain = declared.take("parametersJsonSchema");
    let google = declared.take("parameters");
    let path = declared.path;
    let parameters = match (plain, google) {
        (Some(raw), _) if begins(raw, '{') => Some(Cow::Borrowed(raw)),
        (Some(_), _) => return Err(declared.fault("parametersJsonSchema", "must be an object")),
        (None, Some(raw)) => Some(Cow::Owned(schema::to_json_schema(raw, path.key("parameters"))?)),
        (None, None) => None,
    };
    let parameters = parameters.filter(|schema| !is_empty_schema(schema.get()));
    unmapped.rest("tools.functionDeclarations", declared);
    Ok(Tool { name, description, parameters, strict: None, cache: None, custom: None })
}

fn choice<'a>(calling: &mut Fields<'a, '_>) -> Result<Option<ToolChoice<'a>>, FormatError> {
    let mode = calling.text("mode")?.unwrap_or_default().to_ascii_uppercase();
    let mut names = calling.texts("allowedFunctionNames")?;
    Ok(match (mode.as_str(), names.len()) {
        ("" | "MODE_UNSPECIFIED", 0) => None,
        ("NONE", _) => Some(ToolChoice::None),
        // What is valid the provider knows; a call is not demanded.
        ("AUTO" | "VALIDATED", 0) => Some(ToolChoice::Auto),
        ("" | "MODE_UNSPECIFIED" | "AUTO" | "VALIDATED", _) => {
            Some(ToolChoice::Allowed { names, required: false })
        }
        ("ANY", 0) => Some(ToolChoice::Required),
        ("ANY", 1) => names.pop().map(ToolChoice::Named),
        ("ANY", _) => Some(ToolChoice::Allowed { names, required: true }),
        _ => {
            return Err(calling.fault("mode", "must be one of AUTO, ANY, NONE, VALIDATED"));
        }
    })
}
