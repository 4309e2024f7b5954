//! `docs/configuration.md`: a table of all keys.

use super::reference::{Key, Table};

const HEAD: &str = "\
# Configuration

Generated from the types by `arouter config generate`; do not edit. `conf/arouter.toml` shows the
same keys as a file, `conf/examples/` whole configurations, `arouter check` says whether a file is
right, and `arouter config schema` prints the JSON Schema for editors.

- A file is TOML, or YAML if its name ends in `.yaml` or `.yml`. It is looked for in `--config`,
  `$AROUTER_CONFIG`, `./arouter.toml`, `/etc/arouter/arouter.toml`.
- `include` merges further files. A name that is defined twice is an error.
- Unknown keys are errors. Amounts of money are decimal strings, never floats.
- A secret is a reference: `{ env = \"NAME\" }` or `{ file = \"/path\" }`. References are read anew on
  every reload. A literal needs the key `insecure_literal`.
- An allow-list that is omitted allows all; an empty one, `[]`, allows nothing.
- Units are in the names: `_s` seconds, `_ms` milliseconds, `_bytes` bytes, `_usd` US dollars.
";

/// The text of the page.
pub(super) fn render(tables: &[Table]) -> String {
    let mut text = HEAD.to_owned();
    for table in tables.iter().filter(|table| !table.keys.is_empty()) {
        let heading = match (table.path.as_str(), table.repeated) {
            ("", _) => "Top level".to_owned(),
            (path, false) => format!("`[{path}]`"),
            (path, true) => format!("`[[{path}]]`"),
        };
        text.extend(["\n## ", &heading, "\n\n"]);
        if !table.path.is_empty() {
            text.extend([&table.description, "\n\n"]);
        }
        text.push_str("| key | value | default | meaning |\n|---|---|---|---|\n");
        for key in &table.keys {
            text.push_str(&row(key));
        }
    }
    text
}

fn row(key: &Key) -> String {
    let default = match &key.default {
        _ if key.required => "required".to_owned(),
        Some(default) => format!("`{default}`"),
        None => "–".to_owned(),
    };
    let meaning = key.description.replace('|', "\\|");
    format!("| `{}` | {} | {default} | {meaning} |\n", key.name, key.kind)
}
