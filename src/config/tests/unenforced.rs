//! Warnings about settings without effect: one each, at its key, and only if written.

use super::load_text;

/// A file with no other warning, its settings, and the places and names that are warned about.
const PROVIDER: &str = "providers.a = { format = 'openai', base_url = 'https://a.example' }\n";

fn warned(text: &str) -> Vec<(usize, usize, String)> {
    let loaded = load_text(&format!("{PROVIDER}{text}")).unwrap();
    let place = |w: &crate::config::Problem| (w.line, w.column, w.message.clone());
    loaded.warnings.iter().map(place).collect()
}

#[test]
fn each_is_named_at_its_key() {
    for (text, line, column, name) in [(
        "[providers.b]\nformat = 'openai'\nbase_url = 'https://b.example'\ndata_policy = { zdr = true, trains = true }\n",
        5,
        29,
        "trains",
    )] {
        let message = format!("`{name}` is not enforced by this version");
        assert_eq!(warned(text), [(line, column, message)], "{text}");
    }
}
