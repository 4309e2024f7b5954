//! Tools and how they shall be called.
//!
//! A provider without free-form tools gets functions that take the text as `input`; one that
//! cannot be told a subset of the tools gets only those.

use super::body::Body;
use super::parts::CacheMark;
use crate::chat::Request;
use crate::chat::tool::{CustomTool, Tool, ToolChoice};
use crate::formats::FormatError;
use crate::formats::openai_chat::dialect::Dialect;
use crate::formats::openai_chat::names::tool_name;
use crate::formats::tool_names::INPUT_SCHEMA;
use crate::json::find;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Serialize)]
struct Declared<'r> {
    #[serde(flatten)]
    kind: Kind<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheMark>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Kind<'r> {
    Function { function: Function<'r> },
    Custom { custom: Custom<'r> },
}

#[derive(Serialize)]
struct Function<'r> {
    name: Cow<'r, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Cow<'r, RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
struct Custom<'r> {
    name: Cow<'r, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Cow<'r, RawValue>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Choice<'r> {
    Word(&'r str),
    Object(ChoiceObject<'r>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ChoiceObject<'r> {
    Function { function: Named<'r> },
    Custom { custom: Named<'r> },
    AllowedTools { allowed_tools: Allowed<'r> },
}

#[derive(Serialize)]
struct Named<'r> {
    name: Cow<'r, str>,
}

#[derive(Serialize)]
struct Allowed<'r> {
    mode: &'static str,
    tools: Vec<ChoiceObject<'r>>,
}

/// Writes everything about tools.
pub(super) fn write(request: &Request<'_>, body: &mut Body<'_>) -> Result<(), FormatError> {
    if request.tools.is_empty() {
        return match &request.tool_choice {
            None | Some(ToolChoice::Auto | ToolChoice::None) => Ok(()),
            Some(_) => Err(FormatError::field(
                "tool_choice",
                "`tool_choice` demands a call, but there are no `tools`",
            )),
        };
    }
    let dialect = body.dialect;
    let shown = |tool: &&Tool<'_>| match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) if !dialect.allowed_tools => {
            names.contains(&tool.name)
        }
        _ => true,
    };
    let tools = request.tools.iter().filter(shown);
    let tools: Vec<Declared<'_>> =
        tools.map(|tool| declared(tool, dialect)).collect::<Result<_, _>>()?;
    if tools.is_empty() {
        return Err(FormatError::field("tool_choice", "`tool_choice` allows none of the `tools`"));
    }
    body.put("tools", &tools)?;
    if !dialect.cache_control && request.tools.iter().any(|tool| tool.cache.is_some()) {
        body.lose("cache_control");
    }
    let choice = request.tool_choice.as_ref().map(|wanted| choice(wanted, request, dialect));
    // Where nothing can be said about it, the model decides anyway.
    let open = matches!(request.tool_choice, Some(ToolChoice::Auto)) && !body.takes("tool_choice");
    body.put_some("tool_choice", choice.filter(|_| !open).as_ref())?;
    body.put_some("parallel_tool_calls", request.parallel_tool_calls.as_ref())
}

fn declared<'r>(tool: &'r Tool<'_>, dialect: &Dialect) -> Result<Declared<'r>, FormatError> {
    let name = tool_name(&tool.name);
    let description = tool.description.as_deref();
    let kind = match &tool.custom {
        Some(custom) if dialect.custom_tools => {
            Kind::Custom { custom: Custom { name, description, format: grammar(custom)? } }
        }
        Some(_) => {
            let parameters = Some(Cow::Owned(raw(INPUT_SCHEMA)?));
            Kind::Function { function: Function { name, description, parameters, strict: None } }
        }
        None => {
            let parameters = tool.parameters.as_deref().map(Cow::Borrowed);
            let strict = tool.strict;
            Kind::Function { function: Function { name, description, parameters, strict } }
        }
    };
    let cache_control = tool.cache.filter(|_| dialect.cache_control).map(CacheMark::from);
    Ok(Declared { kind, cache_control })
}

/// The chat API nests a grammar, the Responses API does not.
fn grammar<'r>(custom: &'r CustomTool<'_>) -> Result<Option<Cow<'r, RawValue>>, FormatError> {
    let Some(format) = custom.format.as_deref() else { return Ok(None) };
    let json = format.get().as_bytes();
    let member = |key: &str| find(json, key).and_then(|place| format.get().get(place));
    let (Some(definition), Some(syntax), None) =
        (member("definition"), member("syntax"), member("grammar"))
    else {
        return Ok(Some(Cow::Borrowed(format)));
    };
    raw(&format!(
        r#"{{"type":"grammar","grammar":{{"definition":{definition},"syntax":{syntax}}}}}"#
    ))
    .map(|nested| Some(Cow::Owned(nested)))
}

fn raw(json: &str) -> Result<Box<RawValue>, FormatError> {
    RawValue::from_string(json.to_owned())
        .map_err(|error| FormatError::field("tools", format!("`tools` cannot be written: {error}")))
}

fn choice<'r>(
    wanted: &'r ToolChoice<'_>,
    request: &Request<'_>,
    dialect: &'r Dialect,
) -> Choice<'r> {
    let required = dialect.required_word.as_str();
    match wanted {
        ToolChoice::Auto => Choice::Word("auto"),
        ToolChoice::None => Choice::Word("none"),
        ToolChoice::Required => Choice::Word(required),
        ToolChoice::Named(name) => Choice::Object(named(name, request, dialect)),
        ToolChoice::Allowed { required: forced, .. } if !dialect.allowed_tools => {
            Choice::Word(if *forced { required } else { "auto" })
        }
        ToolChoice::Allowed { names, required: forced } => {
            let mode = if *forced { "required" } else { "auto" };
            let tools = names.iter().map(|name| named(name, request, dialect)).collect();
            Choice::Object(ChoiceObject::AllowedTools { allowed_tools: Allowed { mode, tools } })
        }
    }
}

fn named<'r>(name: &'r str, request: &Request<'_>, dialect: &Dialect) -> ChoiceObject<'r> {
    let free = |tool: &&Tool<'_>| tool.name == name && tool.custom.is_some();
    let named = Named { name: tool_name(name) };
    match request.tools.iter().find(free) {
        Some(_) if dialect.custom_tools => ChoiceObject::Custom { custom: named },
        _ => ChoiceObject::Function { function: named },
    }
}
