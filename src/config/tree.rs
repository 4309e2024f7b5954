//! A configuration as a tree of values that know where they were written.
//!
//! TOML and YAML files are both read into it, included files are merged in it, and it is what
//! errors take their positions from. It may hold literal secrets and therefore has no `Debug`.

use std::path::{Path, PathBuf};

use super::problem::Problem;

/// A place in one of the files of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Position {
    pub(crate) file: usize,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A value and where it starts.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) value: Value,
}

/// What TOML and YAML have in common.
#[derive(Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key of a table, where the key starts, and its value.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Position,
    pub(crate) node: Node,
}

/// A step on the way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// The merged configuration and the files it came from.
pub(super) struct Tree {
    pub(super) files: Vec<PathBuf>,
    pub(super) root: Node,
}

impl Value {
    /// What an operator calls this kind of value.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number with a decimal point",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

impl Node {
    /// The entry of a table.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Table(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    fn child(&self, step: &Step) -> Option<&Self> {
        match (step, &self.value) {
            (Step::Key(key), _) => self.entry(key).map(|entry| &entry.node),
            (Step::Index(index), Value::List(items)) => items.get(*index),
            _ => None,
        }
    }

    fn child_mut(&mut self, step: &Step) -> Option<&mut Self> {
        match (step, &mut self.value) {
            (Step::Key(key), Value::Table(entries)) => {
                entries.iter_mut().find(|entry| entry.key == *key).map(|entry| &mut entry.node)
            }
            (Step::Index(index), Value::List(items)) => items.get_mut(*index),
            _ => None,
        }
    }

    /// Takes the value at the end of `path` out; false if there is none, or if the path is empty.
    pub(super) fn remove(&mut self, path: &[Step]) -> bool {
        let Some((last, parents)) = path.split_last() else { return false };
        let mut node = self;
        for step in parents {
            let Some(child) = node.child_mut(step) else { return false };
            node = child;
        }
        match (last, &mut node.value) {
            (Step::Key(key), Value::Table(entries)) => {
                let before = entries.len();
                entries.retain(|entry| entry.key != *key);
                entries.len() < before
            }
            (Step::Index(index), Value::List(items)) if *index < items.len() => {
                items.remove(*index);
                true
            }
            _ => false,
        }
    }
}

impl Tree {
    /// Where the value of `path` starts; of its nearest ancestor if it is not written.
    pub(super) fn value_at(&self, path: &[Step]) -> Position {
        let mut node = &self.root;
        for step in path {
            let Some(child) = node.child(step) else { break };
            node = child;
        }
        node.at
    }

    /// Where the key of `path` starts; its value, if it has no key.
    pub(super) fn key_at(&self, path: &[Step]) -> Position {
        let found = path.split_last().and_then(|(last, parents)| {
            let parent = parents.iter().try_fold(&self.root, |node, step| node.child(step))?;
            match last {
                Step::Key(key) => parent.entry(key).map(|entry| entry.at),
                Step::Index(_) => None,
            }
        });
        found.unwrap_or_else(|| self.value_at(path))
    }

    /// The file a position is in.
    pub(super) fn file(&self, at: Position) -> &Path {
        self.files.get(at.file).map_or(Path::new(""), PathBuf::as_path)
    }

    /// A problem at a position.
    pub(super) fn problem(
        &self,
        at: Position,
        message: impl Into<String>,
        hint: Option<String>,
    ) -> Problem {
        Problem {
            file: self.file(at).to_owned(),
            line: at.line,
            column: at.column,
            message: message.into(),
            hint,
        }
    }
}

/// Tables whose entries are named things: an entry is defined in one file, as a whole.
const NAMED: [&str; 4] = ["providers", "models", "aliases", "keys"];

/// Adds the tables of an included file; what both define is returned as (first, second, path).
pub(super) fn merge(base: &mut Node, other: Node) -> Vec<(Position, Position, String)> {
    let mut clashes = Vec::new();
    let (Value::Table(base), Value::Table(other)) = (&mut base.value, other.value) else {
        return clashes;
    };
    for entry in other {
        if let Some(existing) = base.iter_mut().find(|existing| existing.key == entry.key) {
            merge_table(existing, entry, &mut clashes);
        } else {
            base.push(entry);
        }
    }
    clashes
}

/// Merges two tables of the top level; below it, only single tables are merged key by key.
fn merge_table(base: &mut Entry, other: Entry, clashes: &mut Vec<(Position, Position, String)>) {
    let table = base.key.clone();
    if table == "version" {
        return;
    }
    let (base_at, other_at) = (base.at, other.at);
    let (Value::Table(entries), Value::Table(more)) = (&mut base.node.value, other.node.value)
    else {
        clashes.push((base_at, other_at, table));
        return;
    };
    for entry in more {
        match entries.iter_mut().find(|existing| existing.key == entry.key) {
            None => entries.push(entry),
            Some(existing) if NAMED.contains(&table.as_str()) => {
                clashes.push((existing.at, entry.at, format!("{table}.{}", entry.key)));
            }
            Some(existing) => clash_or_join(existing, entry, &table, clashes),
        }
    }
}

fn clash_or_join(
    base: &mut Entry,
    other: Entry,
    table: &str,
    clashes: &mut Vec<(Position, Position, String)>,
) {
    let path = format!("{table}.{}", base.key);
    match (&mut base.node.value, other.node.value) {
        (Value::Table(entries), Value::Table(more)) => {
            for entry in more {
                match entries.iter().find(|existing| existing.key == entry.key) {
                    None => entries.push(entry),
                    Some(old) => clashes.push((old.at, entry.at, format!("{path}.{}", entry.key))),
                }
            }
        }
        _ => clashes.push((base.at, other.at, path)),
    }
}
