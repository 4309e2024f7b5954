//! Settings without effect are warned about; those that have one are not.

use super::load_text;

/// A file without a warning.
const PROVIDER: &str = "providers.a = { format = 'openai', base_url = 'https://a.example' }\n";

fn warned(text: &str) -> Vec<(usize, usize, String)> {
    let loaded = load_text(&format!("{PROVIDER}{text}")).unwrap();
    let place = |w: &crate::config::Problem| (w.line, w.column, w.message.clone());
    loaded.warnings.iter().map(place).collect()
}

#[test]
fn what_has_its_effect_is_not_warned_about() {
    for text in [
        "[routing]\nretry_budget = 0.2\n",
        "[routing.breaker]\nopen_s = 3\n",
        "[providers.b]\nformat = 'openai'\nbase_url = 'https://b.example'\ndata_policy = { zdr = true, trains = true, retains_days = 3 }\n",
    ] {
        assert_eq!(warned(text), [], "{text}");
    }
}
