//! A value of the input with its path and place.
//!
//! Reads YAML the way LiteLLM does: numbers may be written as strings, and `os.environ/NAME` is a
//! reference to an environment variable. Values may be secrets, so there is no `Debug`.

use crate::config::{Node, Position, Value};

/// A value, where it is, and what it is called.
#[derive(Clone)]
pub(super) struct Field<'a> {
    path: String,
    at: Position,
    node: &'a Node,
}

/// A text that may refer to the environment.
pub(super) enum Reference<'a> {
    /// `os.environ/NAME`, with a name an environment can hold.
    Env(&'a str),
    /// `os.environ/` and something that is no name.
    BadEnv,
    /// The text itself.
    Literal(&'a str),
}

impl<'a> Field<'a> {
    /// The whole file.
    pub(super) fn root(node: &'a Node) -> Self {
        Self { path: String::new(), at: node.at, node }
    }

    /// The value itself.
    pub(super) fn node(&self) -> &'a Node {
        self.node
    }

    /// Path from the root.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Line and column, from 1.
    pub(super) fn place(&self) -> (usize, usize) {
        (self.at.line, self.at.column)
    }

    /// The entry of a table. One that is written but empty (`key:`) is there.
    pub(super) fn get(&self, key: &str) -> Option<Self> {
        let entry = self.node.entry(key)?;
        Some(Self { path: self.below(key), at: entry.at, node: &entry.node })
    }

    /// The entries of a table or the items of a list.
    pub(super) fn children(&self) -> Vec<Self> {
        match &self.node.value {
            Value::Table(entries) => entries
                .iter()
                .map(|entry| Self { path: self.below(&entry.key), at: entry.at, node: &entry.node })
                .collect(),
            Value::List(items) => items
                .iter()
                .enumerate()
                .map(|(index, node)| Self {
                    path: format!("{}[{index}]", self.path),
                    at: node.at,
                    node,
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The entries of a table by name.
    pub(super) fn entries(&self) -> Vec<(&'a str, Self)> {
        let Value::Table(entries) = &self.node.value else { return Vec::new() };
        entries.iter().map(|entry| entry.key.as_str()).zip(self.children()).collect()
    }

    /// Whether it is a table or list with something in it.
    pub(super) fn is_container(&self) -> bool {
        !self.children().is_empty()
    }

    /// Whether it is a list.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    /// Whether nothing is written.
    pub(super) fn is_null(&self) -> bool {
        matches!(self.node.value, Value::Null)
    }

    /// A text.
    pub(super) fn text(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) => Some(text.trim()),
            _ => None,
        }
    }

    /// A text, and whether it refers to the environment.
    pub(super) fn reference(&self) -> Option<Reference<'a>> {
        let text = self.text()?;
        let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        Some(match text.strip_prefix("os.environ/") {
            Some(name) if !name.is_empty() && name.bytes().all(legal) => Reference::Env(name),
            Some(_) => Reference::BadEnv,
            None => Reference::Literal(text),
        })
    }

    /// A number, also as a text. Never negative, never infinite.
    #[expect(clippy::cast_precision_loss, reason = "settings are small numbers")]
    pub(super) fn number(&self) -> Option<f64> {
        let number = match &self.node.value {
            Value::Integer(number) => *number as f64,
            Value::Float(number) => *number,
            Value::Text(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        (number.is_finite() && number >= 0.0).then_some(number)
    }

    /// A whole number up to `max`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "checked to be whole and in range"
    )]
    pub(super) fn count(&self, max: u64) -> Option<u64> {
        let number = self.number()?;
        (number.fract() == 0.0 && number <= max as f64).then_some(number as u64)
    }

    /// Seconds as milliseconds, from 1 ms to a day.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range before"
    )]
    pub(super) fn seconds_as_ms(&self) -> Option<u64> {
        let ms = (self.number()? * 1000.0).round();
        (ms > 0.0).then(|| ms.clamp(1.0, 86_400_000.0) as u64)
    }

    /// True or false, also as a text.
    pub(super) fn truth(&self) -> Option<bool> {
        match &self.node.value {
            Value::Bool(truth) => Some(*truth),
            Value::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    fn below(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}
