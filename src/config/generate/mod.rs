//! What is generated from the types of the configuration and the known providers: JSON Schema, a
//! commented configuration, references for readers.
//!
//! Used by `arouter config schema` and by `arouter config generate DIR` (`make conf`), which writes
//! the files below the root of the source tree. A test fails when the committed files differ.

mod markdown;
mod providers;
mod reference;
mod toml_file;

use serde_json::Value as Json;

use super::Config;

/// The JSON Schema of the configuration, indented, ending in a line break.
pub fn schema() -> String {
    format!("{:#}\n", schema_value())
}

/// Every generated file: its path below the root of the source tree, and its text.
pub fn artefacts() -> Vec<(&'static str, String)> {
    let tables = reference::tables(&schema_value());
    vec![
        ("conf/arouter.schema.json", schema()),
        ("conf/arouter.toml", toml_file::render(&tables)),
        ("docs/configuration.md", markdown::render(&tables)),
        ("docs/providers.md", providers::render()),
    ]
}

fn schema_value() -> Json {
    schemars::schema_for!(Config).to_value()
}

#[cfg(test)]
mod tests;
