//! Puts together tool arguments that arrive in pieces, each with a path (`$.a.b[0]`).
//!
//! Used by `stream` for hosts that stream function calls. Members keep the order in which they
//! first appear; depth and total size are bounded.

use super::answer::Text;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

const MAX_BYTES: usize = 8 * 1024 * 1024;
const MAX_DEPTH: usize = 64;

/// One piece; exactly one of the values is set, or none for an announcement.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Piece<'a> {
    #[serde(borrow, alias = "json_path")]
    json_path: Option<Text<'a>>,
    #[serde(borrow, alias = "string_value")]
    string_value: Option<Text<'a>>,
    #[serde(borrow, alias = "number_value")]
    number_value: Option<&'a RawValue>,
    #[serde(alias = "bool_value")]
    bool_value: Option<bool>,
    // The value of nullValue is null or "NULL_VALUE"; only its presence tells.
    #[serde(default, alias = "null_value", deserialize_with = "present")]
    null_value: bool,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(deserializer)?;
    Ok(true)
}

/// Why pieces do not make arguments.
#[derive(Debug, thiserror::Error)]
#[error("function call arguments: {0}")]
pub(super) struct BadPiece(&'static str);

/// Arguments so far.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    root: Node,
    bytes: usize,
}

#[derive(Debug, Default)]
enum Node {
    /// Named by a path, value still to come.
    #[default]
    Unset,
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    Text(String),
    Raw(Box<RawValue>),
    Bool(bool),
    Null,
}

#[derive(Debug, PartialEq, Eq)]
enum Step<'p> {
    Member(&'p str),
    Index(usize),
}

impl Arguments {
    /// Takes one piece; text for a path that has text already is appended to it.
    pub(super) fn push(&mut self, piece: &Piece<'_>) -> Result<(), BadPiece> {
        let path = piece.json_path.as_ref().map_or("$", |path| path.0.as_ref());
        let value_bytes = piece.string_value.as_ref().map_or(16, |text| text.0.len());
        self.bytes += path.len() + value_bytes;
        if self.bytes > MAX_BYTES {
            return Err(BadPiece("more than 8 MiB"));
        }
        let steps = steps(path)?;
        let node = steps.iter().try_fold(&mut self.root, Node::descend)?;
        node.put(piece)
    }

    /// The JSON text of the arguments; an empty object when nothing came.
    pub(super) fn finish(self) -> Result<String, BadPiece> {
        if matches!(self.root, Node::Unset) {
            return Ok("{}".to_owned());
        }
        serde_json::to_string(&self.root).map_err(|_| BadPiece("not writable"))
    }
}

impl Node {
    fn descend(&mut self, step: &Step<'_>) -> Result<&mut Self, BadPiece> {
        match step {
            Step::Member(name) => self.member(name),
            Step::Index(index) => self.element(*index),
        }
    }

    fn member(&mut self, name: &str) -> Result<&mut Self, BadPiece> {
        if matches!(self, Self::Unset) {
            *self = Self::Object(Vec::new());
        }
        let Self::Object(members) = self else { return Err(BadPiece("member of a value")) };
        // The newest members are the ones that still grow.
        let known = members.iter().rposition(|(key, _)| key == name);
        let at = known.unwrap_or(members.len());
        if known.is_none() {
            members.push((name.to_owned(), Self::Unset));
        }
        members.get_mut(at).map(|(_, node)| node).ok_or(BadPiece("member lost"))
    }

    fn element(&mut self, index: usize) -> Result<&mut Self, BadPiece> {
        if matches!(self, Self::Unset) {
            *self = Self::Array(Vec::new());
        }
        let Self::Array(elements) = self else { return Err(BadPiece("element of a value")) };
        // Elements come in order; a gap could demand any amount of memory with a few bytes.
        if index == elements.len() {
            elements.push(Self::Unset);
        }
        elements.get_mut(index).ok_or(BadPiece("element out of order"))
    }

    fn put(&mut self, piece: &Piece<'_>) -> Result<(), BadPiece> {
        if let Some(text) = &piece.string_value {
            match self {
                Self::Text(so_far) => so_far.push_str(&text.0),
                Self::Unset => *self = Self::Text(text.0.clone().into_owned()),
                _ => return Err(BadPiece("text for a value of another kind")),
            }
        } else if let Some(number) = piece.number_value {
            *self = Self::Raw(number.to_owned());
        } else if let Some(value) = piece.bool_value {
            *self = Self::Bool(value);
        } else if piece.null_value {
            *self = Self::Null;
        }
        Ok(())
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unset | Self::Null => serializer.serialize_unit(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Raw(raw) => raw.serialize(serializer),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (key, node) in members {
                    map.serialize_entry(key, node)?;
                }
                map.end()
            }
            Self::Array(elements) => {
                let mut sequence = serializer.serialize_seq(Some(elements.len()))?;
                for node in elements {
                    sequence.serialize_element(node)?;
                }
                sequence.end()
            }
        }
    }
}

/// Reads `$.name[0]['any name']`.
fn steps(path: &str) -> Result<Vec<Step<'_>>, BadPiece> {
    let mut rest = path.strip_prefix('$').ok_or(BadPiece("path without $"))?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if steps.len() >= MAX_DEPTH {
            return Err(BadPiece("path too deep"));
        }
        let (step, after) = next_step(rest).ok_or(BadPiece("unreadable path"))?;
        steps.push(step);
        rest = after;
    }
    Ok(steps)
}

fn next_step(path: &str) -> Option<(Step<'_>, &str)> {
    if let Some(rest) = path.strip_prefix('.') {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, after) = rest.split_at_checked(end)?;
        return Some((Step::Member(name), after));
    }
    let rest = path.strip_prefix('[')?;
    for quote in ['\'', '"'] {
        if let Some(quoted) = rest.strip_prefix(quote) {
            let (name, after) = quoted.split_once(quote)?;
            return Some((Step::Member(name), after.strip_prefix(']')?));
        }
    }
    let (index, after) = rest.split_once(']')?;
    Some((Step::Index(index.parse().ok()?), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(pieces: &str) -> Result<String, BadPiece> {
        let pieces: Vec<Piece<'_>> = serde_json::from_str(pieces).unwrap();
        let mut arguments = Arguments::default();
        for piece in &pieces {
            arguments.push(piece)?;
        }
        arguments.finish()
    }

    #[test]
    fn pieces_make_the_object() {
        for (pieces, expected) in [
            ("[]", "{}"),
            (
                r#"[{"jsonPath":"$.b","stringValue":"San ","willContinue":true},
                {"jsonPath":"$.b","stringValue":"José"},{"jsonPath":"$.a","numberValue":1.50}]"#,
                r#"{"b":"San José","a":1.50}"#,
            ),
            (
                r#"[{"jsonPath":"$.r.i[0].n","stringValue":"x"},{"jsonPath":"$.r.i[1].n","boolValue":true},
                {"jsonPath":"$.r.s[0]","nullValue":null},{"json_path":"$['a.b'][\"c\"]","string_value":"q"}]"#,
                r#"{"r":{"i":[{"n":"x"},{"n":true}],"s":[null]},"a.b":{"c":"q"}}"#,
            ),
        ] {
            assert_eq!(joined(pieces).unwrap(), expected);
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        for pieces in [
            r#"[{"jsonPath":"a","stringValue":"x"}]"#,
            r#"[{"jsonPath":"$.a[","stringValue":"x"}]"#,
            r#"[{"jsonPath":"$.a[1]","stringValue":"x"}]"#,
            r#"[{"jsonPath":"$.a","stringValue":"x"},{"jsonPath":"$.a.b","stringValue":"x"}]"#,
        ] {
            assert!(joined(pieces).is_err(), "{pieces}");
        }
        let deep = format!(r#"[{{"jsonPath":"${}","stringValue":"x"}}]"#, ".a".repeat(65));
        assert!(joined(&deep).is_err());
    }
}
