//! Tools and how they are to be used.
//!
//! Used by the request encoder. A function whose schema is no object, or that takes free text, is
//! declared with one member `input`; its name is kept in `wrapped`, because its calls are written so
//! as well.

use super::wire::{Choice, Location, Thinking, Tool};
use super::{Dropped, cache_mark, schema};
use crate::chat;
use crate::chat::tool::ToolChoice;
use crate::formats::FormatError;
use crate::formats::anthropic::family::{Ability, Family};
use crate::formats::anthropic::names;
use crate::formats::anthropic::raw::{self, Str};
use crate::formats::tool_names::INPUT_SCHEMA;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The tools of a request.
#[derive(Debug)]
pub(super) struct Toolbox<'a> {
    pub(super) tools: Vec<Tool<'a>>,
    pub(super) choice: Option<Choice<'a>>,
    /// Client's names of the functions whose arguments travel as `{"input": …}`.
    pub(super) wrapped: Vec<&'a str>,
}

/// Writes the tools and the choice among them.
pub(super) fn encode<'a>(
    request: &'a chat::Request<'_>,
    family: Family,
    dropped: &mut Dropped,
) -> Result<Toolbox<'a>, FormatError> {
    let mut toolbox = Toolbox { tools: Vec::new(), choice: None, wrapped: Vec::new() };
    let allowed = match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => Some(names),
        _ => None,
    };
    for tool in &request.tools {
        if allowed.is_none_or(|names| names.contains(&tool.name)) {
            toolbox.add(tool, family, dropped);
        }
    }
    if allowed.is_some() && toolbox.tools.is_empty() {
        return Err(FormatError::field("tool_choice", "no declared tool is allowed"));
    }
    let has_functions = !toolbox.tools.is_empty();
    if let Some(options) = &request.web_search {
        toolbox.tools.push(web_search(options));
    }
    toolbox.choice = choice(request, has_functions, dropped);
    Ok(toolbox)
}

impl<'a> Toolbox<'a> {
    fn add(&mut self, tool: &'a chat::tool::Tool<'_>, family: Family, dropped: &mut Dropped) {
        let (input_schema, wraps) = match &tool.custom {
            None => schema::tool_input(tool.parameters.as_deref()),
            Some(custom) => {
                if custom.format.is_some() {
                    dropped.push("custom.format".into());
                }
                (Cow::Owned(raw::owned(INPUT_SCHEMA.into())), true)
            }
        };
        if wraps {
            self.wrapped.push(&tool.name);
        }
        let mut strict = tool.strict.filter(|strict| *strict);
        if strict.is_some() && !family.can(Ability::StructuredOutput) {
            strict = None;
            dropped.push("strict".into());
        }
        self.tools.push(Tool::Function {
            name: names::tool_name(&tool.name),
            description: tool.description.as_deref(),
            input_schema,
            strict,
            cache_control: cache_mark(tool.cache),
        });
    }
}

fn choice<'a>(
    request: &'a chat::Request<'_>,
    has_functions: bool,
    dropped: &mut Dropped,
) -> Option<Choice<'a>> {
    let (r#type, name) = match &request.tool_choice {
        None | Some(ToolChoice::Auto) => ("auto", None),
        Some(ToolChoice::None) => ("none", None),
        Some(ToolChoice::Required) => ("any", None),
        Some(ToolChoice::Named(name)) => ("tool", Some(names::tool_name(name))),
        Some(ToolChoice::Allowed { required, .. }) => {
            (if *required { "any" } else { "auto" }, None)
        }
    };
    if !has_functions {
        // A search alone may be left to the model or switched off, but no call can be demanded.
        if matches!(r#type, "any" | "tool") {
            dropped.push("tool_choice".into());
            return None;
        }
        request.web_search.as_ref()?;
    }
    let single = request.parallel_tool_calls == Some(false) && r#type != "none";
    let is_said = request.tool_choice.is_some() || single;
    is_said.then_some(Choice { r#type, name, disable_parallel_tool_use: single })
}

/// Weakens a forced call, which budget thinking refuses.
pub(super) fn without_force<'a>(
    choice: Option<Choice<'a>>,
    thinking: Option<Thinking>,
    dropped: &mut Dropped,
) -> Option<Choice<'a>> {
    let mut choice = choice?;
    let is_forced = matches!(choice.r#type, "any" | "tool");
    if is_forced && matches!(thinking, Some(Thinking::Enabled { .. })) {
        dropped.push("tool_choice".into());
        choice.r#type = "auto";
        choice.name = None;
    }
    Some(choice)
}

#[derive(Deserialize)]
struct SearchOptions<'a> {
    #[serde(borrow)]
    search_context_size: Option<Str<'a>>,
    #[serde(borrow)]
    user_location: Option<UserLocation<'a>>,
}

#[derive(Deserialize)]
struct UserLocation<'a> {
    #[serde(borrow)]
    approximate: Option<Approximate<'a>>,
}

#[derive(Deserialize)]
struct Approximate<'a> {
    #[serde(borrow)]
    city: Option<Str<'a>>,
    #[serde(borrow)]
    region: Option<Str<'a>>,
    #[serde(borrow)]
    country: Option<Str<'a>>,
    #[serde(borrow)]
    timezone: Option<Str<'a>>,
}

fn web_search(options: &RawValue) -> Tool<'_> {
    let options = raw::view::<SearchOptions<'_>>(options);
    let (size, place) = options.map_or((None, None), |options| {
        (options.search_context_size, options.user_location.and_then(|place| place.approximate))
    });
    let max_uses = match size.as_ref().map(Str::as_str) {
        Some("low") => 1,
        Some("high") => 10,
        _ => 5,
    };
    let user_location = place.map(|place| Location {
        r#type: "approximate",
        city: place.city.map(|text| text.0),
        region: place.region.map(|text| text.0),
        country: place.country.map(|text| text.0),
        timezone: place.timezone.map(|text| text.0),
    });
    Tool::WebSearch { r#type: "web_search_20250305", name: "web_search", max_uses, user_location }
}
