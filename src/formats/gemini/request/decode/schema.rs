//! Google's subset of OpenAPI schemas as JSON Schema.
//!
//! Types become lower case, `nullable` a second type, what only Google knows goes. Properties keep
//! their order and everything else its bytes. Plain JSON Schema comes out as it went in.

use super::fields::{Path, begins, is_named, text_of};
use crate::formats::FormatError;
use crate::json::write_string;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// How deep schemas may nest.
const MAX_DEPTH: usize = 64;
/// Members that mean nothing outside Google, or are said by another member.
const DROPPED: [&str; 3] = ["nullable", "propertyOrdering", "example"];
/// Counts, which Google's JSON may write as strings.
const COUNTS: [&str; 6] =
    ["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"];
/// Members with one schema in them.
const SCHEMAS: [&str; 4] = ["items", "additionalProperties", "not", "contains"];
/// Members with a list of schemas.
const LISTS: [&str; 4] = ["anyOf", "oneOf", "allOf", "prefixItems"];
/// Members with schemas by name.
const MAPS: [&str; 3] = ["properties", "$defs", "defs"];
/// Others that have two spellings.
const PLAIN: [&str; 1] = ["additionalItems"];

/// Converts a schema.
pub(super) fn to_json_schema(raw: &RawValue, path: Path<'_>) -> Result<Box<RawValue>, FormatError> {
    let mut out = Vec::with_capacity(raw.get().len());
    let complaint = match write_schema(raw, 0, &mut out) {
        Ok(()) => {
            let text = String::from_utf8(out).unwrap_or_default();
            match RawValue::from_string(text) {
                Ok(schema) => return Ok(schema),
                Err(_) => "is not readable",
            }
        }
        Err(complaint) => complaint,
    };
    Err(path.fault(complaint))
}

type Written = Result<(), &'static str>;

fn write_schema(raw: &RawValue, depth: usize, out: &mut Vec<u8>) -> Written {
    if depth > MAX_DEPTH {
        return Err("is nested too deeply");
    }
    if !begins(raw, '{') {
        // `additionalProperties` may be a switch.
        let is_switch = depth > 0 && matches!(raw.get(), "true" | "false");
        out.extend_from_slice(raw.get().as_bytes());
        return if is_switch { Ok(()) } else { Err("must be an object") };
    }
    let members = members(raw)?;
    let nullable = members.iter().any(|(key, value)| key == "nullable" && value.get() == "true");
    out.push(b'{');
    let mut first = true;
    for (written, value) in &members {
        let key = known_name(written);
        let is_google_format = key == "format" && text_of(value).as_deref() == Some("enum");
        let says_nothing = key == "type" && value.get().contains("UNSPECIFIED");
        if DROPPED.contains(&key) || value.get() == "null" || is_google_format || says_nothing {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        let json_name = match key {
            "ref" => "$ref",
            "defs" => "$defs",
            other => other,
        };
        write_string(out, json_name);
        out.push(b':');
        write_member(key, value, Manner { nullable, depth }, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// What a member's value depends on.
#[derive(Clone, Copy)]
struct Manner {
    nullable: bool,
    depth: usize,
}

fn write_member(key: &str, value: &RawValue, manner: Manner, out: &mut Vec<u8>) -> Written {
    let below = manner.depth + 1;
    match key {
        "type" => write_type(value, manner.nullable, out),
        "enum" if manner.nullable => write_list(value, Some("null"), out, |item, out| {
            out.extend_from_slice(item.get().as_bytes());
            Ok(())
        }),
        "ref" | "$ref" => {
            let target = text_of(value).ok_or("has a reference that is not a string")?;
            write_string(out, &target.replacen("#/defs/", "#/$defs/", 1));
            Ok(())
        }
        _ if COUNTS.contains(&key) => {
            out.extend_from_slice(value.get().trim_matches('"').as_bytes());
            Ok(())
        }
        _ if SCHEMAS.contains(&key) => write_schema(value, below, out),
        _ if LISTS.contains(&key) => {
            let null = manner.nullable && key == "anyOf";
            let extra = null.then_some(r#"{"type":"null"}"#);
            write_list(value, extra, out, |item, out| write_schema(item, below, out))
        }
        _ if MAPS.contains(&key) => write_map(value, below, out),
        _ => {
            out.extend_from_slice(value.get().as_bytes());
            Ok(())
        }
    }
}

/// One type or several, in lower case, with null among them if the value may be null.
fn write_type(value: &RawValue, nullable: bool, out: &mut Vec<u8>) -> Written {
    let several = begins(value, '[');
    let mut names: Vec<String> = super::fields::items(value)
        .into_iter()
        .filter_map(|name| {
            text_of(name).map(|name| name.to_ascii_lowercase()).or_else(|| numbered(name))
        })
        .collect();
    if nullable && !names.iter().any(|name| name == "null") {
        names.push("null".to_owned());
    }
    match names.as_slice() {
        [one] if !several => write_string(out, one),
        [] => return Err("has a type that is not a string"),
        many => {
            let mut separator = b'[';
            for name in many {
                out.push(separator);
                write_string(out, name);
                separator = b',';
            }
            out.push(b']');
        }
    }
    Ok(())
}

/// The name of a type that Google's REST clients write as a number.
fn numbered(value: &RawValue) -> Option<String> {
    const NAMES: [&str; 7] = ["string", "number", "integer", "boolean", "array", "object", "null"];
    let number: usize = value.get().parse().ok()?;
    NAMES.get(number.checked_sub(1)?).map(|name| (*name).to_owned())
}

/// An array, each element written by `write`, with one more at the end if asked for.
fn write_list(
    value: &RawValue,
    extra: Option<&str>,
    out: &mut Vec<u8>,
    write: impl Fn(&RawValue, &mut Vec<u8>) -> Written,
) -> Written {
    let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(value.get()) else {
        return Err("has a list that is not an array");
    };
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(item, out)?;
    }
    let known = |extra: &&str| !items.iter().any(|item| item.get() == *extra);
    if let Some(extra) = extra.filter(known) {
        if !items.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(extra.as_bytes());
    }
    out.push(b']');
    Ok(())
}

fn write_map(value: &RawValue, depth: usize, out: &mut Vec<u8>) -> Written {
    out.push(b'{');
    for (at, (name, schema)) in members(value)?.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_string(out, name);
        out.push(b':');
        write_schema(schema, depth, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// The name in camel case, if it is one that Google's clients also write in snake case.
fn known_name(written: &str) -> &str {
    let mut known = DROPPED.iter().chain(&COUNTS).chain(&SCHEMAS).chain(&LISTS).chain(&PLAIN);
    known.find(|name| is_named(written, name)).copied().unwrap_or(written)
}

type Members<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// Members in order, nulls too: a property may bear any name.
fn members(raw: &RawValue) -> Result<Members<'_>, &'static str> {
    struct Ordered<'a>(Members<'a>);
    impl<'de> Deserialize<'de> for Ordered<'de> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct OrderedVisitor;
            impl<'de> Visitor<'de> for OrderedVisitor {
                type Value = Ordered<'de>;
                fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                    out.write_str("an object")
                }
                fn visit_map<A: MapAccess<'de>>(
                    self,
                    mut map: A,
                ) -> Result<Ordered<'de>, A::Error> {
                    let mut members = Vec::new();
                    while let Some((key, value)) = map.next_entry::<Cow<'de, str>, _>()? {
                        members.push((key, value));
                    }
                    Ok(Ordered(members))
                }
            }
            deserializer.deserialize_map(OrderedVisitor)
        }
    }
    let Ordered(members) =
        serde_json::from_str(raw.get()).map_err(|_| "has properties that are not an object")?;
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(schema: &str) -> Result<String, Option<Cow<'static, str>>> {
        let raw: &RawValue = serde_json::from_str(schema).unwrap();
        let path = Path::Root;
        let converted = to_json_schema(raw, path.key("responseSchema"));
        converted.map(|schema| schema.get().to_owned()).map_err(|error| error.param)
    }

    #[test]
    fn googles_words_become_json_schema() {
        for (google, json) in [
            (
                r#"{"type":"OBJECT","properties":{"z":{"type":"STRING","nullable":true},"min_items":{"type":"Integer","format":"int32"}},"propertyOrdering":["z"],"required":["z"]}"#,
                r#"{"type":"object","properties":{"z":{"type":["string","null"]},"min_items":{"type":"integer","format":"int32"}},"required":["z"]}"#,
            ),
            (
                r#"{"type":"ARRAY","min_items":"2","maxItems":3,"items":{"type":"STRING","format":"enum","enum":["a"],"nullable":true}}"#,
                r#"{"type":"array","minItems":2,"maxItems":3,"items":{"type":["string","null"],"enum":["a",null]}}"#,
            ),
            (
                r##"{"any_of":[{"type":"STRING"},{"ref":"#/defs/A"}],"nullable":true,"defs":{"A":{"type":"TYPE_UNSPECIFIED","title":"t"}}}"##,
                r##"{"anyOf":[{"type":"string"},{"$ref":"#/$defs/A"},{"type":"null"}],"$defs":{"A":{"title":"t"}}}"##,
            ),
            (
                r#"{"type":["STRING","NULL"],"description":null,"example":{"type":"X"},"additionalProperties":false}"#,
                r#"{"type":["string","null"],"additionalProperties":false}"#,
            ),
            (
                r#"{"type":"object","properties":{"a":{"const":1.50,"default":{"type":"KEPT"}}}}"#,
                r#"{"type":"object","properties":{"a":{"const":1.50,"default":{"type":"KEPT"}}}}"#,
            ),
        ] {
            assert_eq!(converted(google).as_deref(), Ok(json));
        }
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        let deep = "{\"items\":".repeat(70) + "{}" + &"}".repeat(70);
        for schema in ["5", r#"{"type":9}"#, r#"{"items":"x"}"#, r#"{"anyOf":{}}"#, &deep] {
            assert_eq!(converted(schema), Err(Some("responseSchema".into())), "{schema}");
        }
    }
}
