//! The shape demanded of the answer, and whether every provider can be made to keep to it.
//!
//! This format always enforces a schema. Others do so on demand, but only for schemas in which every
//! property is required, and refuse the rest; there the schema is asked for without force.

use crate::chat::request::ResponseFormat;
use crate::formats::FormatError;
use crate::formats::anthropic::raw::{self, Members, Str};
use crate::formats::tree::{Fields, Node};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What an answer's schema is called where the format has no name for it.
const NAME: &str = "response";
/// Schemas that nest deeper are not looked into.
const DEPTH_MAX: usize = 32;

/// Reads the member `key` of `parent`, already taken out as `node`.
pub(super) fn read<'a>(
    node: Node<'a>,
    parent: &Fields<'a, '_>,
    key: &str,
) -> Result<ResponseFormat<'a>, FormatError> {
    let mut format = Fields::new(node, parent.path.key(key))?;
    match format.required_text("type")?.as_ref() {
        "json_schema" => match format.raw_object("schema")? {
            Some(schema) => Ok(ResponseFormat::JsonSchema {
                name: Cow::Borrowed(NAME),
                description: None,
                schema: Cow::Borrowed(schema),
                strict: requires_all(schema, DEPTH_MAX).then_some(true),
            }),
            None => Err(format.fault("schema", "is missing")),
        },
        "text" => Ok(ResponseFormat::Text),
        _ => Err(format.fault("type", "must be `json_schema`")),
    }
}

/// Whether every object of the schema requires all its properties.
fn requires_all(schema: &RawValue, depth: usize) -> bool {
    let Some(members) = Members::read(schema) else { return true };
    let Some(depth) = depth.checked_sub(1) else { return false };
    let required = members.get("required").and_then(raw::view::<Vec<Str<'_>>>);
    let required = required.unwrap_or_default();
    members.0.iter().all(|(keyword, value)| match keyword.as_ref() {
        "properties" => Members::read(value).is_none_or(|named| {
            named.0.iter().all(|(name, property)| {
                required.iter().any(|key| key.as_str() == name) && requires_all(property, depth)
            })
        }),
        "$defs" | "definitions" => Members::read(value)
            .is_none_or(|named| named.0.iter().all(|(_, inner)| requires_all(inner, depth))),
        "anyOf" | "allOf" | "oneOf" => raw::view::<Vec<&RawValue>>(value)
            .is_none_or(|schemas| schemas.into_iter().all(|inner| requires_all(inner, depth))),
        "items" => requires_all(value, depth),
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_enforced_where_every_property_is_required() {
        let cases = [
            ("{}", true),
            (r#"{"type":"object","properties":{"a":{}},"required":["a"]}"#, true),
            (r#"{"properties":{"a":{}}}"#, false),
            (r#"{"properties":{"a":{},"b":{}},"required":["a"]}"#, false),
            (r#"{"properties":{"a":{"properties":{"b":{}}}},"required":["a"]}"#, false),
            (r#"{"items":{"properties":{"b":{}}}}"#, false),
            (r#"{"anyOf":[{"type":"string"},{"properties":{"b":{}}}]}"#, false),
            (r#"{"$defs":{"x":{"properties":{"b":{}}}}}"#, false),
            (r#"{"enum":[{"properties":{"b":{}}}]}"#, true),
        ];
        for (schema, expected) in cases {
            let schema = RawValue::from_string(schema.to_owned()).unwrap();
            assert_eq!(requires_all(&schema, DEPTH_MAX), expected, "{schema}");
        }
        let deep = format!("{}{}{}", r#"{"items":"#.repeat(40), "{}", "}".repeat(40));
        assert!(!requires_all(&RawValue::from_string(deep).unwrap(), DEPTH_MAX));
    }
}
