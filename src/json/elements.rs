//! A tolerant walk over the elements of one JSON array, the sibling of [`super::Members`].
//!
//! Used to look at the first turns of a conversation without reading the rest of it. It allocates
//! nothing, never recurses, and stops at the first thing it does not understand.

use std::ops::Range;

use super::members::{skip_whitespace, value_end};

/// An iterator over the places of one array's elements.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    bytes: &'a [u8],
    at: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    First,
    Between,
    Done,
}

impl<'a> Elements<'a> {
    /// Starts at the array `bytes` begins with; `None` when it begins with anything else. What
    /// follows the closing bracket is not looked at.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let at = skip_whitespace(bytes, 0);
        (bytes.get(at) == Some(&b'[')).then_some(Self { bytes, at: at + 1, state: State::First })
    }

    fn step(&mut self) -> Option<Range<usize>> {
        let before = std::mem::replace(&mut self.state, State::Done);
        let mut start = skip_whitespace(self.bytes, self.at);
        match (self.bytes.get(start)?, before) {
            (b']', _) | (_, State::Done) => return None,
            (b',', State::Between) => start = skip_whitespace(self.bytes, start + 1),
            (_, State::First) => {}
            (_, State::Between) => return None,
        }
        self.at = value_end(self.bytes, start)?;
        self.state = State::Between;
        Some(start..self.at)
    }
}

impl Iterator for Elements<'_> {
    type Item = Range<usize>;

    #[inline]
    fn next(&mut self) -> Option<Range<usize>> {
        if self.state == State::Done { None } else { self.step() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn walk(json: &str) -> Vec<&str> {
        let elements = Elements::new(json.as_bytes()).into_iter().flatten();
        elements.map(|place| json.get(place).unwrap()).collect()
    }

    #[test]
    fn table() {
        let cases: &[(&str, &[&str])] = &[
            ("[]", &[]),
            (" [ ] ", &[]),
            (r#"[1,"a,]",{"b":[2,3]} , [4] ]"#, &["1", r#""a,]""#, r#"{"b":[2,3]}"#, "[4]"]),
            ("[1,", &["1"]),
            ("[1 2]", &["1"]),
            ("[,1]", &[]),
            ("{}", &[]),
            ("1", &[]),
            ("", &[]),
        ];
        for (json, expected) in cases {
            assert_eq!(walk(json), *expected, "{json}");
        }
    }

    proptest! {
        #[test]
        fn every_element_serde_sees_is_seen(
            values in proptest::collection::vec(crate::json::head::tests::object(), 0..6),
        ) {
            let json = serde_json::to_string_pretty(&values).unwrap();
            let found: Vec<Value> =
                walk(&json).into_iter().map(|text| serde_json::from_str(text).unwrap()).collect();
            prop_assert_eq!(found, values);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(
            prop::sample::select(b"{}[]\",:\\ 1truen\x01".to_vec()), 0..60)) {
            let json = [b"[".as_slice(), &bytes].concat();
            let mut elements = Elements::new(&json).unwrap();
            for element in elements.by_ref() {
                prop_assert!(json.get(element).is_some());
            }
            prop_assert!(elements.next().is_none());
        }
    }
}
