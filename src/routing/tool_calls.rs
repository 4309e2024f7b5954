//! Whether the calls of tools in an answer are right: JSON, of a tool that was declared, with
//! arguments that fit its schema.
//!
//! Run by `server` after the answer is over; the verdicts rank endpoints (`exacto`). Schemas come
//! from clients: what is large, refers to anything outside itself or to itself, or would take long
//! to check is not checked, and its calls count as fitting. Nothing here fetches anything.

use crate::formats::tool_calls::GatheredCall;
use jsonschema::{Draft, PatternOptions};
use serde_json::Value;

/// Most bytes of a request's tools that are looked at.
pub const MAX_TOOLS_BYTES: usize = 256 * 1024;
/// Most values of a schema, references followed.
const MAX_SCHEMA_VALUES: usize = 4_000;
/// Deepest nesting of a schema, references followed.
const MAX_SCHEMA_DEPTH: usize = 64;
/// Most regular expressions of a schema.
const MAX_PATTERNS: usize = 16;
/// Largest program that one regular expression may become, in bytes.
const MAX_PATTERN_BYTES: usize = 512 * 1024;
/// Most pairs of a value of the arguments and a value of the schema.
const MAX_STEPS: usize = 1_000_000;

/// What one call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It can be carried out.
    Valid,
    /// Its arguments are no JSON.
    InvalidJson,
    /// No tool of this name was declared.
    UnknownName,
    /// Its arguments do not fit the tool's schema.
    SchemaMismatch,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 4] =
        [Self::Valid, Self::InvalidJson, Self::UnknownName, Self::SchemaMismatch];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::InvalidJson => "invalid_json",
            Self::UnknownName => "unknown_name",
            Self::SchemaMismatch => "schema_mismatch",
        }
    }
}

/// Judges the calls of one answer by the `tools` of its request, in any client's format. `None` if
/// the tools cannot be read.
pub fn judge(tools: &[u8], calls: &[GatheredCall]) -> Option<Vec<Verdict>> {
    if tools.len() > MAX_TOOLS_BYTES {
        return None;
    }
    let tools: Value = serde_json::from_slice(tools).ok()?;
    let declared = declared(&tools);
    Some(calls.iter().map(|call| verdict(&declared, call)).collect())
}

/// A tool: its name and, if it has one, the schema of its arguments.
type Declared<'a> = (&'a str, Option<&'a Value>);

fn declared(tools: &Value) -> Vec<Declared<'_>> {
    let mut found = Vec::new();
    for tool in tools.as_array().into_iter().flatten() {
        let lists = ["functionDeclarations", "function_declarations"];
        let listed = lists.iter().filter_map(|name| tool.get(name)?.as_array()).flatten();
        found.extend(listed.filter_map(function));
        let inner = tool.get("function").or_else(|| tool.get("custom")).unwrap_or(tool);
        found.extend(function(inner));
    }
    found
}

fn function(tool: &Value) -> Option<Declared<'_>> {
    let names = ["parameters", "input_schema", "parametersJsonSchema", "parameters_json_schema"];
    let schema = names.iter().find_map(|name| tool.get(name));
    Some((tool.get("name")?.as_str()?, schema))
}

fn verdict(declared: &[Declared<'_>], call: &GatheredCall) -> Verdict {
    let Some((_, schema)) = declared.iter().find(|(name, _)| *name == call.name) else {
        return Verdict::UnknownName;
    };
    if call.custom {
        return Verdict::Valid;
    }
    // Some write nothing where a tool takes nothing.
    let text = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
    let Ok(arguments) = serde_json::from_str::<Value>(text) else {
        return Verdict::InvalidJson;
    };
    match schema {
        Some(schema) if !fits(schema, &arguments) => Verdict::SchemaMismatch,
        _ => Verdict::Valid,
    }
}

/// Whether arguments fit a schema; true of schemas that are not checked.
fn fits(schema: &Value, arguments: &Value) -> bool {
    let mut size = Size { root: schema, values: 0, patterns: 0 };
    if !size.add(schema, 0) || size.values.saturating_mul(count(arguments)) > MAX_STEPS {
        return true;
    }
    let patterns =
        PatternOptions::regex().size_limit(MAX_PATTERN_BYTES).dfa_size_limit(MAX_PATTERN_BYTES);
    jsonschema::options()
        .with_draft(Draft::Draft7)
        .offline()
        .should_validate_formats(false)
        .with_pattern_options(patterns)
        .build(schema)
        .map_or(true, |validator| validator.is_valid(arguments))
}

/// Values in a document.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// What a schema comes to when every reference in it is followed.
struct Size<'a> {
    root: &'a Value,
    values: usize,
    patterns: usize,
}

impl Size<'_> {
    /// Adds a part of the schema; false if it is not to be checked. A schema that contains itself
    /// ends at the greatest depth.
    fn add(&mut self, part: &Value, depth: usize) -> bool {
        self.values += 1;
        if self.values > MAX_SCHEMA_VALUES || depth > MAX_SCHEMA_DEPTH {
            return false;
        }
        match part {
            Value::Array(parts) => parts.iter().all(|part| self.add(part, depth + 1)),
            Value::Object(members) => {
                members.iter().all(|(name, value)| self.add_member(name, value, depth + 1))
            }
            _ => true,
        }
    }

    fn add_member(&mut self, name: &str, value: &Value, depth: usize) -> bool {
        match (name, value) {
            ("$ref", Value::String(place)) => {
                let root = self.root;
                let target = place.strip_prefix('#').and_then(|place| root.pointer(place));
                return target.is_some_and(|target| self.add(target, depth));
            }
            // They change what references mean, or choose another language.
            ("$id" | "id" | "$anchor" | "$dynamicRef" | "$recursiveRef", Value::String(_)) => {
                return false;
            }
            ("pattern", Value::String(_)) => self.patterns += 1,
            ("patternProperties", Value::Object(members)) => self.patterns += members.len(),
            _ => {}
        }
        self.patterns <= MAX_PATTERNS && self.add(value, depth)
    }
}

#[cfg(test)]
mod tests;
