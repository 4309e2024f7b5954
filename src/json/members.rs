//! A tolerant walk over the members of one small JSON object, used on provider stream events to
//! find `usage`, `model` or `type` without parsing the rest.
//!
//! It allocates nothing, never recurses, and stops at the first thing it does not understand; it
//! is not a validator. Client bodies go through [`super::Head`] instead.

use std::ops::Range;

use super::{MAX_DEPTH, scan::plain_end};

/// One member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member<'a> {
    /// The key as written between its quotes, escapes and all.
    pub key: &'a [u8],
    /// Offset of the key's opening quote.
    pub start: usize,
    /// Byte range of the value.
    pub value: Range<usize>,
}

/// An iterator over the members of one object.
#[derive(Debug, Clone)]
pub struct Members<'a> {
    bytes: &'a [u8],
    at: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    First,
    Between,
    Done,
    Broken,
}

impl<'a> Members<'a> {
    /// Starts at the object `bytes` begins with; `None` when it begins with anything else.
    /// What follows the object's closing brace is not looked at.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let at = skip_whitespace(bytes, 0);
        (bytes.get(at) == Some(&b'{')).then_some(Self { bytes, at: at + 1, state: State::First })
    }

    /// Whether the walk ended at malformed or truncated input.
    pub fn is_broken(&self) -> bool {
        self.state == State::Broken
    }

    /// The next member. The walk counts as broken until it got past one, or to the closing brace.
    #[inline]
    fn step(&mut self) -> Option<Member<'a>> {
        let before = std::mem::replace(&mut self.state, State::Broken);
        let mut start = skip_whitespace(self.bytes, self.at);
        match (self.bytes.get(start)?, before) {
            (b'}', _) => {
                self.state = State::Done;
                return None;
            }
            (b',', State::Between) => start = skip_whitespace(self.bytes, start + 1),
            (_, State::First) => {}
            _ => return None,
        }
        let key_end = string_end(self.bytes, start)?;
        let key = self.bytes.get(start + 1..key_end - 1)?;
        let colon = skip_whitespace(self.bytes, key_end);
        if self.bytes.get(colon) != Some(&b':') {
            return None;
        }
        let from = skip_whitespace(self.bytes, colon + 1);
        self.at = value_end(self.bytes, from)?;
        self.state = State::Between;
        Some(Member { key, start, value: from..self.at })
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    #[inline]
    fn next(&mut self) -> Option<Member<'a>> {
        match self.state {
            State::First | State::Between => self.step(),
            State::Done | State::Broken => None,
        }
    }
}

/// The ranges of the elements of the array `bytes` begins with; `None` when it begins with anything
/// else, or is broken.
pub fn elements(bytes: &[u8]) -> Option<Vec<Range<usize>>> {
    let mut at = skip_whitespace(bytes, 0);
    if bytes.get(at) != Some(&b'[') {
        return None;
    }
    let mut found = Vec::new();
    at = skip_whitespace(bytes, at + 1);
    if bytes.get(at) == Some(&b']') {
        return Some(found);
    }
    loop {
        let end = value_end(bytes, at)?;
        found.push(at..end);
        at = skip_whitespace(bytes, end);
        match bytes.get(at)? {
            b',' => at = skip_whitespace(bytes, at + 1),
            b']' => return Some(found),
            _ => return None,
        }
    }
}

/// The range of the value of the first member of `object` written as `key` (compared with the raw
/// key text: providers do not escape their own field names).
pub fn find(object: &[u8], key: &str) -> Option<Range<usize>> {
    Members::new(object)?.find(|member| member.key == key.as_bytes()).map(|member| member.value)
}

/// [`find`], one object deeper per key; the range is relative to `object`.
pub fn find_path(object: &[u8], path: &[&str]) -> Option<Range<usize>> {
    let mut range = 0..object.len();
    for key in path {
        let inner = find(object.get(range.clone())?, key)?;
        range = range.start + inner.start..range.start + inner.end;
    }
    Some(range)
}

#[inline]
pub(super) fn skip_whitespace(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The end of the value that begins at `from`.
#[inline]
pub(super) fn value_end(bytes: &[u8], from: usize) -> Option<usize> {
    match bytes.get(from)? {
        b'"' => string_end(bytes, from),
        b'{' | b'[' => container_end(bytes, from),
        b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
            let rest = bytes.get(from..)?;
            let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n'..=b'\r');
            // A scalar that runs into the end may be cut short: `1` of `12`.
            rest.iter().position(is_end).map(|length| from + length)
        }
        _ => None,
    }
}

/// The end of the string whose opening quote should be at `from`.
#[inline]
fn string_end(bytes: &[u8], from: usize) -> Option<usize> {
    if bytes.get(from) != Some(&b'"') {
        return None;
    }
    let mut at = from + 1;
    loop {
        at = plain_end(bytes, at);
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            // Raw control characters are the provider's fault, and harmless here.
            _ => at += 1,
        }
    }
}

/// The end of the container that begins at `from`: brackets are counted, not matched.
fn container_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = from;
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = string_end(bytes, at)?;
                continue;
            }
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return None;
                }
            }
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn walk(json: &str) -> (Vec<(String, String)>, bool) {
        let mut members = Members::new(json.as_bytes()).unwrap();
        let found = members
            .by_ref()
            .map(|m| {
                (String::from_utf8(m.key.to_vec()).unwrap(), json.get(m.value).unwrap().to_owned())
            })
            .collect();
        (found, members.is_broken())
    }

    #[test]
    fn members_come_in_order_with_their_text() {
        let json =
            " {\"a\" : 1 , \"b\\\"\":{\"x\":[\"}\",\"\\\\\"]},\"c\":\"q\\\"\",\"d\":null}trail";
        let expected =
            [("a", "1"), ("b\\\"", r#"{"x":["}","\\"]}"#), ("c", r#""q\"""#), ("d", "null")];
        let (found, broken) = walk(json);
        assert_eq!(found, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert!(!broken);
        let starts: Vec<_> = Members::new(json.as_bytes()).unwrap().map(|m| m.start).collect();
        assert!(starts.iter().all(|&start| json.as_bytes()[start] == b'"'));
        assert_eq!(starts.len(), 4);
    }

    #[test]
    fn elements_come_in_order_with_their_text() {
        let texts = |json: &str| {
            let found = elements(json.as_bytes())?;
            Some(found.into_iter().map(|at| json.get(at).unwrap().to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(texts("[ ]rest"), Some(vec![]));
        let json = r#" [1 , "],", {"a":[2]},[ ] ] rest"#;
        assert_eq!(texts(json).unwrap(), ["1", r#""],""#, r#"{"a":[2]}"#, "[ ]"]);
        for broken in ["", "{}", "[", "[1", "[1,", "[1,]", "[1 2]", "[,]", "[\"a]"] {
            assert_eq!(texts(broken), None, "{broken}");
        }
    }

    #[test]
    fn malformed_input_ends_the_walk() {
        let deep = format!(r#"{{"a":1,"b":{}"#, "[".repeat(1_000_000));
        for json in [
            r#"{"a":1,"#,
            r#"{"a":1,"b":12"#,
            r#"{"a":1,"b"}"#,
            r#"{"a":1,"b":}"#,
            r#"{"a":1 "b":2}"#,
            r#"{"a":1,,"b":2}"#,
            r#"{"a":1,"b":"x\"#,
            r#"{"a":1,b:2}"#,
            r#"{"a":1,"b":]}"#,
            &deep,
        ] {
            let (found, broken) = walk(json);
            assert_eq!(found, [("a".to_owned(), "1".to_owned())], "{json:.40}");
            assert!(broken, "{json:.40}");
        }
        for json in ["", "  ", "[1]", "\"a\"", "x"] {
            assert!(Members::new(json.as_bytes()).is_none(), "{json}");
        }
        assert_eq!(walk("{}"), (vec![], false));
        assert_eq!(walk("{\"a\":1"), (vec![], true), "perhaps 12");
        assert_eq!(walk("{,\"a\":1}"), (vec![], true));
    }

    #[test]
    fn paths_lead_into_nested_objects() {
        let json = r#"{"type":"message_start","message":{"id":"x","usage":{"input_tokens":7}}}"#;
        let at =
            |path: &[&str]| find_path(json.as_bytes(), path).map(|range| json.get(range).unwrap());
        assert_eq!(at(&["message", "usage", "input_tokens"]), Some("7"));
        assert_eq!(at(&["message", "model"]), None);
        assert_eq!(at(&["type", "x"]), None);
        assert_eq!(at(&[]), Some(json));
        assert_eq!(find(json.as_bytes(), "usage"), None);
    }

    proptest! {
        #[test]
        fn every_member_serde_sees_is_seen(value in crate::json::head::tests::object()) {
            let json = serde_json::to_string_pretty(&value).unwrap();
            let (found, broken) = walk(&json);
            prop_assert!(!broken);
            let parsed: Vec<(String, Value)> = found
                .iter()
                .map(|(k, v)| {
                    let key = serde_json::from_str(&format!("\"{k}\"")).unwrap();
                    (key, serde_json::from_str(v).unwrap())
                })
                .collect();
            let expected: Vec<_> = value.as_object().unwrap().clone().into_iter().collect();
            prop_assert_eq!(parsed, expected);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(
            prop::sample::select(b"{}[]\",:\\ 1truen\x01".to_vec()), 0..60)) {
            let json = [b"{".as_slice(), &bytes].concat();
            let mut members = Members::new(&json).unwrap();
            for member in members.by_ref() {
                prop_assert!(json.get(member.value).is_some());
            }
            prop_assert!(members.next().is_none());
        }
    }
}
