//! The house rules that a compiler does not check: layers, sizes of files, a first line that says
//! what a file is for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Layers from the bottom; a module may use its own layer and those before it.
const LAYERS: &[&[&str]] = &[
    &["json", "sse", "error", "money", "id", "clock", "secret"],
    &["catalog", "chat", "store", "telemetry", "config"],
    &["providers", "formats", "upstream"],
    &["auth", "routing", "billing", "usage", "limits"],
    &["proxy", "api", "mock"],
    &["server", "cli"],
];

/// Edges between modules of one layer, or against the order, that are there on purpose.
const EXTRA_EDGES: &[(&str, &str)] = &[
    // A provider's entry leaves out what is known of its name.
    ("config", "providers"),
];

/// Modules of the edge layer keep apart, but for the answers that the proxy gives itself.
const EDGE_MODULES: &[&str] = &["proxy", "api", "mock"];
const EDGE_EXCEPTION: (&str, &str) = ("proxy", "api");

const MAX_LINES: usize = 500;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches"] {
        let folder = root().join(folder);
        if folder.exists() {
            rust_files(&folder, &mut files);
        }
    }
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The module of a file in `src`, and the modules it names in `crate::` paths outside its tests.
fn uses(path: &Path, text: &str) -> Option<(String, Vec<String>)> {
    let relative = path.strip_prefix(root().join("src")).ok()?;
    let module = relative.components().next()?.as_os_str().to_str()?.trim_end_matches(".rs");
    if matches!(module, "main" | "lib") || relative.ends_with("tests.rs") {
        return None;
    }
    let code = text.split("#[cfg(test)]").next().unwrap_or(text);
    let mut used: Vec<String> = code
        .split("crate::")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())
        .filter(|name| layer_of(name).is_some())
        .map(str::to_owned)
        .collect();
    used.sort();
    used.dedup();
    Some((module.to_owned(), used))
}

#[test]
fn modules_use_only_what_lies_below_them() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some((module, used)) = uses(&path, &text) else { continue };
        let Some(own) = layer_of(&module) else {
            wrong.push(format!("{}: module {module} has no layer", path.display()));
            continue;
        };
        for name in used.iter().filter(|name| **name != module) {
            let edge = (module.as_str(), name.as_str());
            let above = layer_of(name).is_some_and(|layer| layer > own);
            let apart = EDGE_MODULES.contains(&edge.0)
                && EDGE_MODULES.contains(&edge.1)
                && edge != EDGE_EXCEPTION;
            if (above || apart) && !EXTRA_EDGES.contains(&edge) {
                wrong.push(format!("{}: {module} uses {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut wrong = BTreeMap::new();
    for (path, text) in sources() {
        let lines = text.lines().count();
        let is_data = text.lines().take(12).any(|line| line.contains("tidy: data"));
        if lines > MAX_LINES && !is_data {
            wrong.insert(path.clone(), format!("{lines} lines"));
        }
        if !text.starts_with("//!") {
            wrong.insert(path, "does not begin with //!".to_owned());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_loose_ends() {
    let marks = ["TO".to_owned() + "DO", "FIX".to_owned() + "ME", "#[allow".to_owned() + "("];
    for (path, text) in sources() {
        for mark in &marks {
            assert!(!text.contains(mark.as_str()), "{} holds {mark}", path.display());
        }
    }
}
