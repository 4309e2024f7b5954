//! JSON text that passes through untouched but for white space.
//!
//! Tool arguments are an object on Gemini's side and compact text in neutral terms; numbers and key
//! order stay as they were written in both directions.

use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The same JSON without white space between its tokens; borrowed when there is none.
pub(super) fn compact(json: &str) -> Cow<'_, str> {
    let mut kept = String::new();
    let mut copied = 0;
    let mut in_string = false;
    let mut escaped = false;
    for (at, byte) in json.bytes().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
        } else if byte == b'"' {
            in_string = true;
        } else if byte.is_ascii_whitespace() {
            kept.push_str(json.get(copied..at).unwrap_or_default());
            copied = at + 1;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    kept.push_str(json.get(copied..).unwrap_or_default());
    Cow::Owned(kept)
}

/// A JSON object for `args` or `response`, made of text that may not be one.
#[derive(Debug)]
pub(super) enum Object<'a> {
    /// The text is an object already.
    Raw(&'a RawValue),
    /// The same, when the text had to be put together first.
    Joined(Box<RawValue>),
    /// Another JSON value, under a key.
    Value(&'static str, &'a RawValue),
    /// Text, under a key.
    Text(&'static str, Cow<'a, str>),
    /// No members.
    Empty,
}

impl<'a> Object<'a> {
    /// Arguments of a call: nothing and null are no arguments; what is not an object is wrapped.
    pub(super) fn arguments(text: &'a str) -> Self {
        if matches!(text.trim(), "" | "null" | "\"\"") {
            return Self::Empty;
        }
        match serde_json::from_str::<&RawValue>(text) {
            Ok(raw) if raw.get().starts_with('{') => Self::Raw(raw),
            Ok(raw) => Self::Value("value", raw),
            Err(_) => Self::Text("__raw_arguments", Cow::Borrowed(text)),
        }
    }

    /// Result of a call: an object as it is, anything else as text under `result`.
    pub(super) fn result(text: Cow<'a, str>) -> Self {
        if !text.trim_start().starts_with('{') {
            return Self::Text("result", text);
        }
        match text {
            Cow::Borrowed(text) => match serde_json::from_str::<&RawValue>(text) {
                Ok(raw) => Self::Raw(raw),
                Err(_) => Self::Text("result", Cow::Borrowed(text)),
            },
            Cow::Owned(text) => match serde_json::from_str::<Box<RawValue>>(&text) {
                Ok(raw) => Self::Joined(raw),
                Err(_) => Self::Text("result", Cow::Owned(text)),
            },
        }
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Raw(raw) => raw.serialize(serializer),
            Self::Joined(raw) => raw.serialize(serializer),
            Self::Value(key, raw) => serializer.collect_map([(key, raw)]),
            Self::Text(key, text) => serializer.collect_map([(key, text)]),
            Self::Empty => serializer.collect_map::<&str, &str, _>([]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(object: &Object<'_>) -> String {
        serde_json::to_string(object).unwrap()
    }

    #[test]
    fn compact_keeps_strings_numbers_and_order() {
        for (before, after) in [
            (r#"{"b":1,"a":2}"#, r#"{"b":1,"a":2}"#),
            ("{\n  \"b\" : 1.0e5,\r\n\t\"a\": \" x \\\" y \" }", r#"{"b":1.0e5,"a":" x \" y "}"#),
            (r#"{ "n": 12345678901234567890123 }"#, r#"{"n":12345678901234567890123}"#),
            (r#"{"path":"C:\\", "x":[ 1, 2 ]}"#, r#"{"path":"C:\\","x":[1,2]}"#),
            ("\n{}", "{}"),
        ] {
            assert_eq!(compact(before), after);
        }
        assert!(matches!(compact("{\"a b\":1}"), Cow::Borrowed(_)));
    }

    #[test]
    fn arguments_become_an_object() {
        for (text, expected) in [
            ("", "{}"),
            ("null", "{}"),
            ("\"\"", "{}"),
            (r#"{"z":1,"a":9007199254740993}"#, r#"{"z":1,"a":9007199254740993}"#),
            ("[1,2]", r#"{"value":[1,2]}"#),
            ("5", r#"{"value":5}"#),
            (r#"{"cut":"#, r#"{"__raw_arguments":"{\"cut\":"}"#),
        ] {
            assert_eq!(written(&Object::arguments(text)), expected);
        }
    }

    #[test]
    fn results_become_an_object() {
        for (text, expected) in [
            ("", r#"{"result":""}"#),
            ("sunny", r#"{"result":"sunny"}"#),
            ("[1]", r#"{"result":"[1]"}"#),
            (r#"{"t":21.50}"#, r#"{"t":21.50}"#),
            (r#"{"t":"#, r#"{"result":"{\"t\":"}"#),
        ] {
            assert_eq!(written(&Object::result(Cow::Borrowed(text))), expected);
            assert_eq!(written(&Object::result(Cow::Owned(text.to_owned()))), expected);
        }
    }
}
