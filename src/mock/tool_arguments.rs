//! Example arguments for a declared tool, made from its JSON schema.
//!
//! Serves the `[[mock tools]]` directive. Invariant: the same schema gives the same arguments, and
//! they hold every declared property.

use serde_json::{Map, Value, json};

/// Deepest nesting followed; deeper values are null.
const DEPTH_MAX: u8 = 8;

/// A value that satisfies the usual parts of a schema: enum, const, default, type, properties.
pub(super) fn example(schema: &Value) -> Value {
    build(schema, DEPTH_MAX)
}

fn build(schema: &Value, depth: u8) -> Value {
    if depth == 0 {
        return Value::Null;
    }
    let fixed = schema
        .get("const")
        .or_else(|| schema.get("enum").and_then(|values| values.get(0)))
        .or_else(|| schema.get("default"));
    if let Some(value) = fixed {
        return value.clone();
    }
    let alternative = ["anyOf", "oneOf"].iter().find_map(|key| schema.get(key)?.get(0));
    if let Some(alternative) = alternative {
        return build(alternative, depth - 1);
    }
    match type_name(schema).as_str() {
        "string" => json!("example"),
        "integer" => schema.get("minimum").cloned().unwrap_or(json!(1)),
        "number" => schema.get("minimum").cloned().unwrap_or(json!(1.5)),
        "boolean" => json!(true),
        "array" => {
            let item = schema.get("items").map(|items| build(items, depth - 1));
            Value::Array(item.into_iter().collect())
        }
        "null" => Value::Null,
        _ => object(schema, depth),
    }
}

fn object(schema: &Value, depth: u8) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object);
    let members = properties
        .into_iter()
        .flatten()
        .map(|(name, property)| (name.clone(), build(property, depth - 1)));
    Value::Object(members.collect::<Map<_, _>>())
}

/// The first type named; Google writes them in upper case.
fn type_name(schema: &Value) -> String {
    let named = match schema.get("type") {
        Some(Value::Array(names)) => names.first().and_then(Value::as_str),
        Some(name) => name.as_str(),
        None => None,
    };
    named.unwrap_or("object").to_ascii_lowercase()
}
