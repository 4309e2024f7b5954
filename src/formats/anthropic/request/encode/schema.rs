//! JSON Schemas in the dialect Anthropic enforces.
//!
//! Used by the request encoder for tools and for structured answers. Keys keep their order, because
//! a model writes its answer in the order of the schema; what need not change is copied as written.

use crate::chat::tool::Tool;
use crate::formats::anthropic::raw::{self, Members, quoted};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Deeper schemas are copied as they are.
const DEPTH_MAX: usize = 48;
const COMBINATORS: [&str; 6] = ["anyOf", "oneOf", "allOf", "$ref", "enum", "const"];

/// A tool's input schema, and whether it was wrapped into an object because it described something
/// else: then the arguments are `{"input": …}`.
pub(super) fn tool_input(schema: Option<&RawValue>) -> (Cow<'_, RawValue>, bool) {
    let nothing = || (Cow::Owned(raw::owned(r#"{"type":"object","properties":{}}"#.into())), false);
    let Some(schema) = schema else { return nothing() };
    let Some(members) = Members::read(schema) else {
        return match schema.get() {
            "null" | "true" => nothing(),
            _ => (wrapped(schema), true),
        };
    };
    if members.0.is_empty() {
        return nothing();
    }
    match members.get("type").map(RawValue::get) {
        Some(r#""object""#) => (Cow::Borrowed(schema), false),
        None if !COMBINATORS.iter().any(|key| members.get(key).is_some()) => {
            (Cow::Owned(raw::owned(with_member(schema, r#""type":"object""#))), false)
        }
        _ => (wrapped(schema), true),
    }
}

/// Whether the arguments of calls of this tool travel as `{"input": …}`: its schema is no object,
/// or it takes free text.
pub(in crate::formats::anthropic) fn wraps(tool: &Tool<'_>) -> bool {
    tool.custom.is_some() || tool_input(tool.parameters.as_deref()).1
}

/// The schema with a description, unless it has one.
pub(super) fn described<'a>(schema: &'a RawValue, description: Option<&str>) -> Cow<'a, RawValue> {
    let members = Members::read(schema);
    match (description.filter(|text| !text.is_empty()), members) {
        (Some(text), Some(members)) if members.get("description").is_none() => {
            let member = format!(r#""description":{}"#, quoted(text));
            let json = if members.0.is_empty() {
                format!("{{{member}}}")
            } else {
                with_member(schema, &member)
            };
            Cow::Owned(raw::owned(json))
        }
        _ => Cow::Borrowed(schema),
    }
}

fn wrapped(schema: &RawValue) -> Cow<'_, RawValue> {
    Cow::Owned(raw::owned(format!(
        r#"{{"type":"object","properties":{{"input":{}}},"required":["input"]}}"#,
        schema.get()
    )))
}

/// A non-empty object with one more member, written first.
fn with_member(object: &RawValue, member: &str) -> String {
    let rest = object.get().trim_start().trim_start_matches('{');
    format!("{{{member},{rest}")
}

/// The schema with `additionalProperties: false` in every object that does not speak of it.
pub(super) fn closed(schema: &RawValue) -> Cow<'_, RawValue> {
    let mut out = String::with_capacity(schema.get().len() + 64);
    close(schema, DEPTH_MAX, &mut out);
    Cow::Owned(raw::owned(out))
}

/// Where the value of a schema keyword holds schemas again.
enum Holds {
    Nothing,
    Schema,
    List,
    Named,
}

fn holds(keyword: &str) -> Holds {
    match keyword {
        "items" | "not" | "if" | "then" | "else" | "additionalProperties" | "contains" => {
            Holds::Schema
        }
        "anyOf" | "oneOf" | "allOf" | "prefixItems" => Holds::List,
        "properties" | "$defs" | "definitions" | "patternProperties" => Holds::Named,
        _ => Holds::Nothing,
    }
}

fn close(schema: &RawValue, depth: usize, out: &mut String) {
    let members = Members::read(schema).filter(|_| depth > 0);
    let Some(members) = members else { return out.push_str(schema.get()) };
    let is_object = members.get("properties").is_some()
        || members.get("type").is_some_and(|kind| kind.get().contains(r#""object""#));
    write_members(&members, out, |key, value, out| match holds(key) {
        Holds::Nothing => out.push_str(value.get()),
        Holds::Schema => close(value, depth - 1, out),
        Holds::List => close_list(value, depth - 1, out),
        Holds::Named => match Members::read(value) {
            Some(named) => {
                write_members(&named, out, |_, value, out| close(value, depth - 1, out));
                out.push('}');
            }
            None => out.push_str(value.get()),
        },
    });
    if is_object && members.get("additionalProperties").is_none() {
        if !members.0.is_empty() {
            out.push(',');
        }
        out.push_str(r#""additionalProperties":false"#);
    }
    out.push('}');
}

fn close_list(list: &RawValue, depth: usize, out: &mut String) {
    let Some(schemas) = raw::view::<Vec<&RawValue>>(list) else {
        return out.push_str(list.get());
    };
    out.push('[');
    for (position, schema) in schemas.into_iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        close(schema, depth, out);
    }
    out.push(']');
}

/// Writes an object without its closing brace.
fn write_members(
    members: &Members<'_>,
    out: &mut String,
    mut write_value: impl FnMut(&str, &RawValue, &mut String),
) {
    out.push('{');
    for (position, (key, value)) in members.0.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        out.push_str(&quoted(key));
        out.push(':');
        write_value(key, value, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn tool_inputs_are_objects() {
        let plain = r#"{"type":"object","properties":{}}"#;
        let cases = [
            ("{}", plain, false),
            ("null", plain, false),
            ("true", plain, false),
            (
                r#"{"type":"object","x":9007199254740993}"#,
                r#"{"type":"object","x":9007199254740993}"#,
                false,
            ),
            (
                r#"{"properties":{"z":{},"a":{}}}"#,
                r#"{"type":"object","properties":{"z":{},"a":{}}}"#,
                false,
            ),
            (
                r#"{"anyOf":[{"type":"object"}]}"#,
                r#"{"type":"object","properties":{"input":{"anyOf":[{"type":"object"}]}},"required":["input"]}"#,
                true,
            ),
            (
                r#"{"type":"string"}"#,
                r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#,
                true,
            ),
            (
                "false",
                r#"{"type":"object","properties":{"input":false},"required":["input"]}"#,
                true,
            ),
        ];
        for (schema, expected, wraps) in cases {
            let schema = raw(schema);
            let (written, wrapped) = tool_input(Some(&schema));
            assert_eq!((written.get(), wrapped), (expected, wraps));
        }
        assert_eq!(tool_input(None).0.get(), plain);
    }

    #[test]
    fn every_object_is_closed_and_order_stays() {
        let cases = [
            (r#"{"type":"object"}"#, r#"{"type":"object","additionalProperties":false}"#),
            (r#"{"type":"string","enum":["object"]}"#, r#"{"type":"string","enum":["object"]}"#),
            (
                r#"{"type":"object","additionalProperties":true}"#,
                r#"{"type":"object","additionalProperties":true}"#,
            ),
            (
                r##"{"properties":{"z":{"type":["object","null"]},"a":{"items":{"properties":{}}}},"$defs":{"d":{"anyOf":[{"type":"object"},{"$ref":"#/$defs/d"}]}}}"##,
                r##"{"properties":{"z":{"type":["object","null"],"additionalProperties":false},"a":{"items":{"properties":{},"additionalProperties":false}}},"$defs":{"d":{"anyOf":[{"type":"object","additionalProperties":false},{"$ref":"#/$defs/d"}]}},"additionalProperties":false}"##,
            ),
            (
                r#"{"type":"object","properties":{"type":{"type":"object"},"default":{"default":{"type":"object"}}}}"#,
                r#"{"type":"object","properties":{"type":{"type":"object","additionalProperties":false},"default":{"default":{"type":"object"}}},"additionalProperties":false}"#,
            ),
        ];
        for (schema, expected) in cases {
            assert_eq!(closed(&raw(schema)).get(), expected);
        }
        let deep = format!("{}{}{}", r#"{"items":"#.repeat(2000), "{}", "}".repeat(2000));
        assert_eq!(closed(&raw(&deep)).get(), deep);
    }
}
