//! Function declarations, web search, and how strongly the model is asked to call.

use super::Dropped;
use crate::chat::Request;
use crate::chat::tool::{Tool, ToolChoice};
use crate::formats::FormatError;
use crate::formats::gemini::json_text::compact;
use crate::formats::gemini::names::sent_name;
use crate::formats::tool_names::INPUT_SCHEMA;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// An element of `tools`: all functions, or a built-in tool.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Entry<'r> {
    FunctionDeclarations(Vec<Declaration<'r>>),
    GoogleSearch(NoSettings),
}

/// `{}`.
#[derive(Debug, Serialize)]
pub(super) struct NoSettings {}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Declaration<'r> {
    name: Cow<'r, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<&'r RawValue>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config<'r> {
    function_calling_config: Calling<'r>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Calling<'r> {
    mode: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_function_names: Vec<Cow<'r, str>>,
}

/// The tools and their configuration.
pub(super) fn tools<'r>(
    request: &'r Request<'_>,
    dropped: &mut Dropped,
) -> Result<(Vec<Entry<'r>>, Option<Config<'r>>), FormatError> {
    if request.parallel_tool_calls == Some(false) && !request.tools.is_empty() {
        dropped.name("parallel_tool_calls");
    }
    if request.tools.iter().any(|tool| tool.strict == Some(true)) {
        dropped.name("tools.function.strict");
    }
    if request.tools.iter().any(|tool| tool.custom.as_ref().is_some_and(|c| c.format.is_some())) {
        dropped.name("tools.custom.format");
    }
    let mut entries = Vec::new();
    let shown = request.tools.iter().filter(|tool| is_shown(tool, request));
    let declarations: Vec<Declaration<'r>> = shown.map(declaration).collect();
    let config = match (&request.tool_choice, declarations.is_empty()) {
        (Some(ToolChoice::Required | ToolChoice::Named(_)), true) => {
            return Err(FormatError::field("tool_choice", "a tool call is demanded without tools"));
        }
        (None, _) | (_, true) => None,
        (Some(choice), false) => Some(Config { function_calling_config: calling(choice) }),
    };
    if !declarations.is_empty() {
        entries.push(Entry::FunctionDeclarations(declarations));
    }
    if let Some(options) = &request.web_search {
        let options = serde_json::from_str::<BTreeMap<String, &RawValue>>(options.get());
        for name in options.unwrap_or_default().into_keys() {
            dropped.name(format!("web_search_options.{name}"));
        }
        entries.push(Entry::GoogleSearch(NoSettings {}));
    }
    Ok((entries, config))
}

/// A free choice among some tools has no word in Gemini: the others are not shown.
fn is_shown(tool: &Tool<'_>, request: &Request<'_>) -> bool {
    match &request.tool_choice {
        Some(ToolChoice::Allowed { names, required: false }) => names.contains(&tool.name),
        _ => true,
    }
}

fn declaration<'r>(tool: &'r Tool<'_>) -> Declaration<'r> {
    let schema = match &tool.custom {
        // Free text travels as the only member of an object.
        Some(_) => serde_json::from_str(INPUT_SCHEMA).ok(),
        None => tool.parameters.as_deref().filter(|schema| !is_empty_schema(schema.get())),
    };
    Declaration {
        name: sent_name(&tool.name),
        description: tool.description.as_deref(),
        parameters_json_schema: schema,
    }
}

/// True for a schema that allows no argument at all.
pub(in crate::formats::gemini) fn is_empty_schema(schema: &str) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct NoParameters<'a> {
        r#type: Option<&'a str>,
        #[serde(borrow)]
        properties: Option<&'a RawValue>,
        #[serde(borrow)]
        required: Option<&'a RawValue>,
        additional_properties: Option<bool>,
        #[serde(rename = "$schema")]
        _schema: Option<IgnoredAny>,
        #[serde(rename = "title")]
        _title: Option<IgnoredAny>,
    }
    let empty = |raw: Option<&RawValue>, form: &str| {
        raw.is_none_or(|raw| raw.get().len() < 8 && compact(raw.get()) == form)
    };
    serde_json::from_str::<Option<NoParameters<'_>>>(schema).is_ok_and(|schema| {
        schema.is_none_or(|schema| {
            schema.r#type.is_none_or(|kind| kind == "object")
                && empty(schema.properties, "{}")
                && empty(schema.required, "[]")
                && schema.additional_properties != Some(true)
        })
    })
}

fn calling<'r>(choice: &'r ToolChoice<'_>) -> Calling<'r> {
    let (mode, allowed_function_names) = match choice {
        ToolChoice::Auto | ToolChoice::Allowed { required: false, .. } => ("AUTO", Vec::new()),
        ToolChoice::None => ("NONE", Vec::new()),
        ToolChoice::Required => ("ANY", Vec::new()),
        ToolChoice::Named(name) => ("ANY", vec![sent_name(name)]),
        ToolChoice::Allowed { names, required: true } => {
            ("ANY", names.iter().map(|name| sent_name(name)).collect())
        }
    };
    Calling { mode, allowed_function_names }
}
