//! Reads the text of a file, TOML or YAML, into a [`Node`].
//!
//! Used by `load`. The result is the same for both notations; only the parsers differ. Both have a
//! bound on depth, and YAML a bound on what anchors may expand to.

use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use toml::de::{DeTable, DeValue};

use super::problem::Problem;
use super::tree::{Entry, Node, Position, Value};

/// Parses a file by its extension; everything that is not `.yaml` or `.yml` is TOML.
pub(super) fn parse(path: &Path, file: usize, text: &str) -> Result<Node, Vec<Problem>> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("yaml" | "yml") => parse_yaml(path, file, text).map_err(|problem| vec![problem]),
        _ => parse_toml(path, file, text),
    }
}

fn parse_toml(path: &Path, file: usize, text: &str) -> Result<Node, Vec<Problem>> {
    let lines = Lines::new(file, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let problems: Vec<Problem> = errors.iter().map(|error| lines.problem(path, error)).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let start = Position { file, line: 1, column: 1 };
    Ok(Node { at: start, value: Value::Table(lines.table(table.into_inner())) })
}

/// Turns byte offsets into positions.
struct Lines<'a> {
    file: usize,
    text: &'a str,
    /// Offset of the first byte of each line.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(file: usize, text: &'a str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Self { file, text, starts }
    }

    fn position(&self, span: &Range<usize>) -> Position {
        let line = self.starts.partition_point(|start| *start <= span.start);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start..span.start).unwrap_or_default();
        Position { file: self.file, line, column: before.chars().count() + 1 }
    }

    fn problem(&self, path: &Path, error: &toml::de::Error) -> Problem {
        let at = self.position(&error.span().unwrap_or(0..0));
        let mut problem = Problem::of_file(path, error.message().replace('\n', ", "));
        (problem.line, problem.column) = (at.line, at.column);
        problem.hint = Some("the file is not valid TOML from here on".to_owned());
        problem
    }

    fn table(&self, table: DeTable<'_>) -> Vec<Entry> {
        let entries = table.into_iter().map(|(key, value)| Entry {
            at: self.position(&key.span()),
            node: Node { at: self.position(&value.span()), value: self.value(value.into_inner()) },
            key: key.into_inner().into_owned(),
        });
        let mut entries: Vec<Entry> = entries.collect();
        // As written, so that what is shown back has the operator's order.
        entries.sort_by_key(|entry| (entry.at.line, entry.at.column));
        entries
    }

    fn value(&self, value: DeValue<'_>) -> Value {
        match value {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(number) => {
                match i128::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => Value::Integer(number),
                    Err(_) => Value::Text(number.to_string()),
                }
            }
            DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(truth) => Value::Bool(truth),
            DeValue::Datetime(time) => Value::Text(time.to_string()),
            DeValue::Array(items) => Value::List(
                items
                    .into_iter()
                    .map(|item| Node {
                        at: self.position(&item.span()),
                        value: self.value(item.into_inner()),
                    })
                    .collect(),
            ),
            DeValue::Table(table) => Value::Table(self.table(table)),
        }
    }
}

/// Parses a YAML file whose root is a table; `file` is the index its positions carry.
pub(crate) fn parse_yaml(path: &Path, file: usize, text: &str) -> Result<Node, Problem> {
    let parsed = serde_saphyr::from_str::<serde_saphyr::Spanned<YamlValue>>(text);
    match parsed {
        Ok(root) => {
            let mut node = yaml_node(file, root);
            // A file with nothing but comments is an empty table.
            if matches!(node.value, Value::Null) {
                node.value = Value::Table(Vec::new());
            }
            if matches!(node.value, Value::Table(_)) {
                return Ok(node);
            }
            Err(Problem::of_file(path, format!("expected a table, found {}", node.value.kind())))
        }
        Err(error) => {
            let message = error.without_snippet().to_string();
            let message = message.lines().next().unwrap_or_default().to_owned();
            let mut problem = Problem::of_file(path, message);
            problem.hint = Some("the file is not valid YAML from here on".to_owned());
            if let Some(location) = error.location() {
                problem.line = usize::try_from(location.line()).unwrap_or(1).max(1);
                problem.column = usize::try_from(location.column()).unwrap_or(1).max(1);
            }
            Err(problem)
        }
    }
}

/// A YAML value whose parts are still wrapped in the parser's own positions.
enum YamlValue {
    Plain(Value),
    List(Vec<serde_saphyr::Spanned<Self>>),
    Table(Vec<(serde_saphyr::Spanned<String>, serde_saphyr::Spanned<Self>)>),
}

fn yaml_position(file: usize, at: serde_saphyr::Location) -> Position {
    let number = |n: u64| usize::try_from(n).unwrap_or(1).max(1);
    Position { file, line: number(at.line()), column: number(at.column()) }
}

fn yaml_node(file: usize, spanned: serde_saphyr::Spanned<YamlValue>) -> Node {
    let at = yaml_position(file, spanned.referenced);
    let value = match spanned.value {
        YamlValue::Plain(value) => value,
        YamlValue::List(items) => {
            Value::List(items.into_iter().map(|item| yaml_node(file, item)).collect())
        }
        YamlValue::Table(entries) => Value::Table(
            entries
                .into_iter()
                .map(|(key, value)| Entry {
                    at: yaml_position(file, key.referenced),
                    node: yaml_node(file, value),
                    key: key.value,
                })
                .collect(),
        ),
    };
    Node { at, value }
}

impl<'de> Deserialize<'de> for YamlValue {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(YamlVisitor)
    }
}

struct YamlVisitor;

impl<'de> Visitor<'de> for YamlVisitor {
    type Value = YamlValue;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<YamlValue, E> {
        Ok(YamlValue::Plain(Value::Null))
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<YamlValue, E> {
        self.visit_unit()
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, inner: D) -> Result<YamlValue, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<YamlValue, E> {
        Ok(YamlValue::Plain(Value::Bool(truth)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<YamlValue, E> {
        Ok(YamlValue::Plain(Value::Integer(i128::from(number))))
    }

    fn visit_u64<E>(self, number: u64) -> Result<YamlValue, E> {
        Ok(YamlValue::Plain(Value::Integer(i128::from(number))))
    }

    fn visit_i128<E>(self, number: i128) -> Result<YamlValue, E> {
        Ok(YamlValue::Plain(Value::Integer(number)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<YamlValue, E> {
        Ok(YamlValue::Plain(Value::Float(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<YamlValue, E> {
        Ok(YamlValue::Plain(Value::Text(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<YamlValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(YamlValue::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<YamlValue, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(YamlValue::Table(entries))
    }
}
