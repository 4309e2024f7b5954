//! Arguments of calls as the JSON objects that this format demands.
//!
//! Used by the request encoder and by both answer encoders. Arguments stay as they were written,
//! number for number; only what is no JSON object is wrapped into one.

use super::raw::{self, quoted};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Arguments as a JSON object; `wraps` when the function's schema had to be wrapped.
pub(super) fn object(arguments: &str, wraps: bool) -> Cow<'_, RawValue> {
    let text = arguments.trim();
    if matches!(text, "" | "null" | r#""""#) {
        return Cow::Owned(raw::empty_object());
    }
    match serde_json::from_str::<&RawValue>(text) {
        Ok(value) if wraps && !is_wrapped(value) => member("input", value.get()),
        Ok(value) if value.get().starts_with('{') => Cow::Borrowed(value),
        Ok(value) => member("value", value.get()),
        Err(_) => member("__raw_arguments", &quoted(arguments)),
    }
}

/// Whether the arguments are `{"input": …}` already.
fn is_wrapped(value: &RawValue) -> bool {
    raw::Members::read(value)
        .is_some_and(|members| matches!(members.0.as_slice(), [(key, _)] if key == "input"))
}

fn member(key: &str, json: &str) -> Cow<'static, RawValue> {
    Cow::Owned(raw::owned(format!("{{{}:{json}}}", quoted(key))))
}

/// The text given to a free-form tool, as the arguments of the function that stands for it.
pub(super) fn free_text(text: &str) -> Cow<'static, RawValue> {
    member("input", &quoted(text))
}

/// Whether arguments are a JSON object already, in full.
pub(super) fn is_whole(arguments: &str) -> bool {
    serde_json::from_str::<&RawValue>(arguments.trim())
        .is_ok_and(|value| value.get().starts_with('{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_become_objects_as_written() {
        let cases = [
            ("", false, "{}"),
            (" null ", false, "{}"),
            (r#""""#, false, "{}"),
            (
                r#" {"z": 12345678901234567890123, "a": 1.0} "#,
                false,
                r#"{"z": 12345678901234567890123, "a": 1.0}"#,
            ),
            ("[1]", false, r#"{"value":[1]}"#),
            ("7", false, r#"{"value":7}"#),
            (r#"{"a":"#, false, r#"{"__raw_arguments":"{\"a\":"}"#),
            (r#"{"a":1}"#, true, r#"{"input":{"a":1}}"#),
            (r#"{"input":1}"#, true, r#"{"input":1}"#),
            ("[1]", true, r#"{"input":[1]}"#),
        ];
        for (arguments, wraps, expected) in cases {
            assert_eq!(object(arguments, wraps).get(), expected, "{arguments}");
        }
        assert_eq!(free_text("say \"hi\"").get(), r#"{"input":"say \"hi\""}"#);
        for (arguments, whole) in
            [("{}", true), (" {\"a\":1} ", true), ("[1]", false), ("{\"a\":", false)]
        {
            assert_eq!(is_whole(arguments), whole, "{arguments}");
        }
    }
}
