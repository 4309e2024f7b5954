//! Tools and how they are to be used.
//!
//! Used by the request encoder. Bedrock refuses a conversation with calls but without tools, so
//! whatever was called is declared, if only by name.

use super::Dropped;
use super::maker::Maker;
use super::wire::{Choice, InputSchema, Tool, ToolConfig, ToolSpec};
use crate::chat::Request;
use crate::chat::tool::{self, ToolChoice};
use crate::formats::anthropic::request::encode::hosted;
use crate::formats::bedrock::names;
use crate::formats::{FormatError, tool_names};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Description of a function that is not offered any more.
const GONE: &str = "No longer available: do not call it.";
/// What Nova allows at the top of a schema; definitions are kept because references need them.
const NOVA_KEYS: [&str; 5] = ["type", "properties", "required", "$defs", "definitions"];

/// Whether the tool's arguments travel as `{"input": …}`, because its schema is no object.
pub fn is_wrapped(tool: &tool::Tool<'_>) -> bool {
    tool.custom.is_none() && hosted::tool_input(tool.parameters.as_deref()).1
}

/// A name in the alphabet of function names.
pub(super) fn fitting(name: &str) -> Cow<'_, str> {
    names::tool_name(name)
}

/// What the tools of a request depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Toolbox<'t> {
    pub(super) maker: Maker,
    /// Names of the functions that the conversation calls, as Bedrock sees them.
    pub(super) called: &'t [String],
    /// Whether a call may be demanded.
    pub(super) takes_force: bool,
}

impl Toolbox<'_> {
    /// The tools and the choice among them.
    pub(super) fn config<'a>(
        self,
        request: &'a Request<'_>,
        dropped: &mut Dropped,
    ) -> Result<Option<ToolConfig<'a>>, FormatError> {
        let is_forbidden = request.tool_choice == Some(ToolChoice::None);
        if is_forbidden && !self.called.is_empty() {
            // Bedrock has no word for it, and the history needs the tools.
            dropped.push("tool_choice".into());
        }
        let mut tools = Vec::new();
        if !is_forbidden || !self.called.is_empty() {
            for tool in request.tools.iter().filter(|tool| is_allowed(tool, request)) {
                self.add(tool, &mut tools, dropped);
            }
        }
        let tool_choice = self.choice(request, !tools.is_empty(), dropped)?;
        self.add_called(&mut tools);
        if tools.is_empty() {
            return Ok(None);
        }
        Ok(Some(ToolConfig { tools, tool_choice }))
    }

    fn add<'a>(self, tool: &'a tool::Tool<'_>, tools: &mut Vec<Tool<'a>>, dropped: &mut Dropped) {
        let strict = tool.strict.filter(|strict| *strict && self.maker.enforces_schemas());
        if tool.strict == Some(true) && strict.is_none() {
            dropped.push("strict".into());
        }
        tools.push(Tool::ToolSpec(ToolSpec {
            name: names::tool_name(&tool.name),
            description: tool.description.as_deref().filter(|text| !text.is_empty()),
            input_schema: InputSchema { json: self.schema(tool) },
            strict,
        }));
        if let Some(wish) = tool.cache {
            match self.maker.tool_cache_point(wish) {
                Some(point) => tools.push(Tool::CachePoint(point)),
                None => dropped.push("cache_control".into()),
            }
        }
    }

    fn schema<'a>(self, tool: &'a tool::Tool<'_>) -> Cow<'a, RawValue> {
        let free_form = || serde_json::from_str::<&RawValue>(tool_names::INPUT_SCHEMA).ok();
        if let Some(schema) = tool.custom.as_ref().and_then(|_| free_form()) {
            return Cow::Borrowed(schema);
        }
        let (schema, _) = hosted::tool_input(tool.parameters.as_deref());
        match self.maker {
            Maker::Nova { .. } => pruned(&schema).map_or(schema, Cow::Owned),
            _ => schema,
        }
    }

    /// Declares what was called but is not among the tools.
    fn add_called(self, tools: &mut Vec<Tool<'_>>) {
        for name in self.called {
            let is_known = tools.iter().any(|tool| match tool {
                Tool::ToolSpec(spec) => spec.name == *name,
                Tool::CachePoint(_) => false,
            });
            if !is_known {
                let (json, _) = hosted::tool_input(None);
                tools.push(Tool::ToolSpec(ToolSpec {
                    name: Cow::Owned(name.clone()),
                    description: Some(GONE),
                    input_schema: InputSchema { json },
                    strict: None,
                }));
            }
        }
    }

    fn choice<'a>(
        self,
        request: &'a Request<'_>,
        has_tools: bool,
        dropped: &mut Dropped,
    ) -> Result<Option<Choice<'a>>, FormatError> {
        // The models' default is to decide themselves, and some know no choice at all.
        let choice = match &request.tool_choice {
            Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => {
                Choice::Any {}
            }
            Some(ToolChoice::Named(name)) => Choice::Tool { name: names::tool_name(name) },
            Some(ToolChoice::Allowed { .. }) if !has_tools => {
                return Err(FormatError::field("tool_choice", "no declared tool is allowed"));
            }
            _ => return Ok(None),
        };
        if !has_tools {
            let message = "a tool call is demanded, but there is no tool to call";
            return Err(FormatError::field("tool_choice", message));
        }
        if !self.takes_force {
            dropped.push("tool_choice".into());
            return Ok(Some(Choice::Auto {}));
        }
        Ok(Some(choice))
    }
}

fn is_allowed(tool: &tool::Tool<'_>, request: &Request<'_>) -> bool {
    match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => names.contains(&tool.name),
        _ => true,
    }
}

/// The schema with only those members at its top that Nova knows.
fn pruned(schema: &RawValue) -> Option<Box<RawValue>> {
    let json = schema.get().as_bytes();
    let mut kept = String::with_capacity(json.len());
    let mut is_whole = true;
    for member in crate::json::Members::new(json)? {
        let key = std::str::from_utf8(member.key).ok()?;
        if !NOVA_KEYS.contains(&key) {
            is_whole = false;
            continue;
        }
        let value = std::str::from_utf8(json.get(member.value)?).ok()?;
        kept.push(if kept.is_empty() { '{' } else { ',' });
        kept.extend(["\"", key, "\":", value]);
    }
    if is_whole || kept.is_empty() {
        return None;
    }
    kept.push('}');
    RawValue::from_string(kept).ok()
}
