//! `docs/providers.md`: prose, and the table of the providers that are known by name.
//!
//! Used by `super::artefacts`.

use crate::providers::known::{self, KnownProvider};

const PAGE: &str = include_str!("providers.md");
const HEAD: &str =
    "| name | provider | format | kind | address | key |\n|---|---|---|---|---|---|\n";

/// The text of the page.
pub(super) fn render() -> String {
    let rows: String = known::providers().iter().map(row).collect();
    PAGE.replace("{table}\n", &format!("{HEAD}{rows}"))
}

fn row(known: &KnownProvider) -> String {
    let format = match known.format.as_str() {
        "openai_chat" => "openai",
        "openai_responses" => "responses",
        other => other,
    };
    let code = |text: &Option<String>| {
        text.as_ref().map_or_else(|| "–".to_owned(), |text| format!("`{text}`"))
    };
    let kind = known.kind.as_deref().unwrap_or("standard");
    let (address, key) = (code(&known.base_url), code(&known.key_env));
    let KnownProvider { name, display_name, .. } = known;
    format!("| `{name}` | {display_name} | {format} | {kind} | {address} | {key} |\n")
}
