//! Verdicts on calls, and schemas that are meant to do harm.

use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::time::{Duration, Instant};

fn call(name: &str, arguments: &str) -> GatheredCall {
    GatheredCall { name: name.into(), arguments: arguments.into(), custom: false }
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": { "city": { "type": "string" }, "days": { "type": "integer", "minimum": 1 } },
        "required": ["city"],
        "additionalProperties": false
    })
}

fn one(tools: &Value, call: GatheredCall) -> Verdict {
    let verdicts = judge(tools.to_string().as_bytes(), &[call]).unwrap();
    let [verdict] = verdicts.as_slice() else { panic!("{verdicts:?}") };
    *verdict
}

/// A tool that takes the schema, in every client's format.
fn declarations(schema: &Value) -> Vec<Value> {
    vec![
        json!([{ "type": "function", "function": { "name": "f", "parameters": schema } }]),
        json!([{ "type": "function", "name": "f", "parameters": schema }]),
        json!([{ "name": "f", "input_schema": schema }]),
        json!([{ "googleSearch": {} }, { "functionDeclarations": [{ "name": "f", "parametersJsonSchema": schema }] }]),
        json!([{ "function_declarations": [{ "name": "f", "parameters": schema }] }]),
    ]
}

#[test]
fn verdicts_in_every_format() {
    use Verdict::{InvalidJson, SchemaMismatch, UnknownName, Valid};
    let cases = [
        ("f", r#"{"city":"Rome"}"#, Valid),
        ("f", r#"{"city":"Rome","days":3}"#, Valid),
        ("f", r#"{"city":"Rome""#, InvalidJson),
        ("f", r#"{"city":"Rome"} and so on"#, InvalidJson),
        ("f", "{'city':1}", InvalidJson),
        ("f", r#"{"city":7}"#, SchemaMismatch),
        ("f", r#"{"town":"Rome"}"#, SchemaMismatch),
        ("f", r#"{"city":"Rome","days":0}"#, SchemaMismatch),
        ("f", "[]", SchemaMismatch),
        ("f", "", SchemaMismatch),
        ("F", r#"{"city":"Rome"}"#, UnknownName),
        ("", "}", UnknownName),
    ];
    for tools in declarations(&schema()) {
        for (name, arguments, expected) in cases {
            assert_eq!(one(&tools, call(name, arguments)), expected, "{tools} {name} {arguments}");
        }
    }
}

#[test]
fn tools_without_a_schema_and_free_form_ones() {
    let tools = json!([
        { "type": "function", "function": { "name": "bare" } },
        { "type": "custom", "custom": { "name": "grep" } },
        { "type": "custom", "name": "sed" },
        { "type": "web_search" },
        7
    ]);
    assert_eq!(one(&tools, call("bare", r#"{"x":1}"#)), Verdict::Valid);
    assert_eq!(one(&tools, call("bare", " ")), Verdict::Valid);
    assert_eq!(one(&tools, call("bare", "x")), Verdict::InvalidJson);
    for name in ["grep", "sed"] {
        let free = GatheredCall { custom: true, ..call(name, "not json") };
        assert_eq!(one(&tools, free), Verdict::Valid);
    }
    assert_eq!(one(&json!({}), call("f", "{}")), Verdict::UnknownName);
    assert_eq!(judge(b"[", &[]), None);
    assert_eq!(judge(&vec![b' '; MAX_TOOLS_BYTES + 1], &[]), None);
}

#[test]
fn references_inside_the_schema_are_followed() {
    for (draft, place) in [
        ("http://json-schema.org/draft-07/schema#", "definitions"),
        ("https://json-schema.org/draft/2020-12/schema", "$defs"),
    ] {
        let schema = json!({
            "$schema": draft,
            "type": "object",
            "properties": { "home": { "$ref": format!("#/{place}/Home") } },
            place: { "Home": { "type": "object", "required": ["street"] } }
        });
        let tools = json!([{ "name": "f", "input_schema": schema }]);
        assert_eq!(one(&tools, call("f", r#"{"home":{"street":"x"}}"#)), Verdict::Valid);
        assert_eq!(one(&tools, call("f", r#"{"home":{}}"#)), Verdict::SchemaMismatch, "{place}");
    }
}

/// A schema of `levels` definitions, each of which refers to the next one twice.
fn doubling(levels: usize) -> Value {
    let mut definitions = serde_json::Map::new();
    for level in 0..levels {
        let next = json!({ "$ref": format!("#/definitions/d{}", level + 1) });
        definitions.insert(format!("d{level}"), json!({ "allOf": [next, next] }));
    }
    definitions.insert(format!("d{levels}"), json!({ "type": "string" }));
    json!({ "$ref": "#/definitions/d0", "definitions": definitions })
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!({ "type": "string" }), |inner, _| json!({ "not": inner }))
}

#[test]
fn what_is_not_checked_counts_as_fitting_and_takes_no_time() {
    let patterns: Vec<Value> = (0..20).map(|n| json!({ "pattern": format!("^{n}$") })).collect();
    let schemas = [
        json!({ "$ref": "http://127.0.0.1:9/schema.json" }),
        json!({ "$ref": "file:///etc/hostname" }),
        json!({ "$ref": "#/definitions/missing" }),
        json!({ "$ref": "#named" }),
        json!({ "$id": "http://127.0.0.1:9/", "type": "string" }),
        json!({ "$ref": "#" }),
        json!({ "allOf": [{ "$ref": "#" }], "type": "string" }),
        json!({ "$ref": "#/definitions/a", "definitions": {
            "a": { "$ref": "#/definitions/b" }, "b": { "$ref": "#/definitions/a" } } }),
        json!({ "type": "string", "properties": { "a": { "$dynamicRef": "#x" } } }),
        doubling(60),
        nested(100),
        json!({ "type": "string", "enum": vec![1; 5_000] }),
        json!({ "type": "string", "anyOf": patterns }),
        json!({ "type": "string", "pattern": "(?=x)" }),
        json!({ "type": "string", "pattern": r"((\w{100}){100}){100}" }),
        json!({ "type": "OBJECT" }),
        json!({ "type": 7 }),
        json!("string"),
    ];
    let started = Instant::now();
    for schema in schemas {
        let tools = json!([{ "name": "f", "input_schema": schema }]);
        assert_eq!(one(&tools, call("f", r#"{"a":[{}]}"#)), Verdict::Valid, "{schema:.200}");
    }
    let spent = started.elapsed();
    assert!(spent < Duration::from_secs(2), "{spent:?}");
}

#[test]
fn much_of_both_is_not_checked() {
    let variants: Vec<Value> = (0..500).map(|n| json!({ "const": n })).collect();
    let schema =
        json!({ "type": "object", "properties": { "a": { "items": { "anyOf": variants } } } });
    let tools = json!([{ "name": "f", "input_schema": schema }]);
    let arguments = |length: usize| json!({ "a": vec![-1; length] }).to_string();
    assert_eq!(one(&tools, call("f", &arguments(10))), Verdict::SchemaMismatch);
    assert_eq!(one(&tools, call("f", &arguments(5_000))), Verdict::Valid);
}

#[test]
fn a_pattern_takes_linear_time() {
    let schema = json!({ "properties": { "a": { "pattern": "^(a+)+$" } } });
    let tools = json!([{ "name": "f", "input_schema": schema }]);
    let arguments = json!({ "a": format!("{}!", "a".repeat(60_000)) }).to_string();
    let started = Instant::now();
    assert_eq!(one(&tools, call("f", &arguments)), Verdict::SchemaMismatch);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

proptest! {
    /// Whatever stands in the tools and in the calls, there is a verdict for each call.
    #[test]
    fn there_is_always_a_verdict(schema in any_schema(5), arguments in ".{0,40}") {
        let calls = [call("f", &arguments), call("f", r#"{"a":{"b":[1,"x"]}}"#)];
        for tools in declarations(&schema) {
            prop_assert_eq!(judge(tools.to_string().as_bytes(), &calls).unwrap().len(), 2);
        }
    }
}

/// Schemas of keywords that lead into each other, sensible or not.
fn any_schema(depth: u32) -> impl Strategy<Value = Value> {
    let words = ["string", "object", "#", "#/properties/a", "^a*$", "x", "integer"];
    let leaf = prop_oneof![
        prop::sample::select(words.to_vec()).prop_map(Value::from),
        any::<i8>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
    ];
    let keywords = [
        "type",
        "properties",
        "a",
        "b",
        "items",
        "allOf",
        "anyOf",
        "not",
        "$ref",
        "pattern",
        "enum",
        "required",
        "definitions",
        "patternProperties",
        "dependencies",
        "if",
        "then",
        "contains",
        "uniqueItems",
        "minLength",
        "$schema",
        "format",
        "propertyNames",
        "multipleOf",
        "id",
    ];
    leaf.prop_recursive(depth, 40, 5, move |inner| {
        let member = (prop::sample::select(keywords.to_vec()), inner.clone());
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(Value::from),
            proptest::collection::vec(member, 0..5).prop_map(|members| {
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }),
        ]
    })
}
