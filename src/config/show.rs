//! A configuration written back as TOML, and the difference of two.
//!
//! Used by `arouter config show` and `diff`, the configuration API and the log line of a reload.
//! References to secrets are shown, secrets never.

use std::collections::BTreeMap;

use toml::{Table, Value as Toml};

use super::store::StoreUrl;
use super::tree::{Node, Value};
use super::{Config, Loaded};

/// What a shown configuration tells about the machine it runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Everything but secrets.
    Full,
    /// Also without paths, variable names, digests and the address of the database: fit for a
    /// public report.
    Redacted,
}

/// The whole configuration, defaults included, as a TOML table.
pub fn effective(config: &Config, detail: Detail) -> Table {
    // Serialising plain data into a table cannot fail; an empty table is the safe answer anyway.
    let mut table = Table::try_from(config).unwrap_or_default();
    if detail == Detail::Redacted {
        redact_table(&mut table);
    }
    table
}

/// What the files say, without defaults, as a TOML table.
pub fn written(loaded: &Loaded, detail: Detail) -> Table {
    let mut table: Table = toml::from_str(&loaded.written).unwrap_or_default();
    if detail == Detail::Redacted {
        redact_table(&mut table);
    }
    table
}

/// The values of two configurations that differ, as `path`, before, after; `None`: not set.
/// A list is one value.
pub fn diff(before: &Config, after: &Config) -> Vec<(String, Option<String>, Option<String>)> {
    let (before, after) = (flat(before), flat(after));
    let mut paths: Vec<&String> = before.keys().chain(after.keys()).collect();
    paths.sort();
    paths.dedup();
    let changes = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
    changes.map(|p| (p.clone(), before.get(p).cloned(), after.get(p).cloned())).collect()
}

fn flat(config: &Config) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    flatten("", &Toml::Table(effective(config, Detail::Full)), &mut values);
    values
}

fn flatten(path: &str, value: &Toml, values: &mut BTreeMap<String, String>) {
    match value {
        Toml::Table(table) => {
            for (key, value) in table {
                let plain = key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
                let key = if plain { key.clone() } else { format!("\"{key}\"") };
                let dot = if path.is_empty() { "" } else { "." };
                flatten(&format!("{path}{dot}{key}"), value, values);
            }
        }
        other => {
            values.insert(path.to_owned(), other.to_string());
        }
    }
}

/// What the files say, without defaults.
pub(super) fn tree_as_toml(root: &Node) -> String {
    match to_toml("", root) {
        Some(Toml::Table(table)) => toml::to_string(&table).unwrap_or_default(),
        _ => String::new(),
    }
}

fn to_toml(key: &str, node: &Node) -> Option<Toml> {
    Some(match &node.value {
        Value::Null => return None,
        Value::Bool(truth) => Toml::Boolean(*truth),
        Value::Integer(number) => Toml::Integer(i64::try_from(*number).unwrap_or(i64::MAX)),
        Value::Float(number) => Toml::Float(*number),
        Value::Text(_) if key == "insecure_literal" => Toml::String("***".to_owned()),
        Value::Text(text) if key == "url" => Toml::String(StoreUrl::new(text).shown()),
        Value::Text(text) => Toml::String(text.clone()),
        Value::List(items) => {
            Toml::Array(items.iter().filter_map(|item| to_toml(key, item)).collect())
        }
        Value::Table(entries) => Toml::Table(
            entries
                .iter()
                .filter_map(|entry| Some((entry.key.clone(), to_toml(&entry.key, &entry.node)?)))
                .collect(),
        ),
    })
}

fn redact_table(table: &mut Table) {
    for (key, value) in table.iter_mut() {
        let hidden = matches!(
            key.as_str(),
            "env" | "file" | "insecure_literal" | "hash" | "url" | "journal_dir" | "ca_file"
        );
        match value {
            Toml::String(text) if hidden => "***".clone_into(text),
            Toml::Table(inner) if key == "headers" => {
                for (_, header) in inner.iter_mut() {
                    *header = Toml::String("***".to_owned());
                }
            }
            other => redact_value(other),
        }
    }
}

fn redact_value(value: &mut Toml) {
    match value {
        Toml::Table(table) => redact_table(table),
        Toml::Array(items) => items.iter_mut().for_each(redact_value),
        _ => {}
    }
}
