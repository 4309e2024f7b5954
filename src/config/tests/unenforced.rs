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
    for (text, line, column, name) in [
        ("account.opening_balance_usd = '1'\n", 2, 9, "opening_balance_usd"),
        ("[routing]\nretry_budget = 0.2\n", 3, 1, "retry_budget"),
        ("[routing]\nfallback_on_context_length = true\n", 3, 1, "fallback_on_context_length"),
        ("[routing]\nfallback_on_content_policy = false\n", 3, 1, "fallback_on_content_policy"),
        ("[routing.breaker]\nopen_s = 3\n", 2, 10, "breaker"),
        (
            "[providers.b]\nformat = 'openai'\nbase_url = 'https://b.example'\ndata_policy = { zdr = true }\n",
            5,
            1,
            "data_policy",
        ),
    ] {
        let message = format!("`{name}` is not enforced by this version");
        assert_eq!(warned(text), [(line, column, message)], "{text}");
    }
}

#[test]
fn limits_of_keys_are_named() {
    let key = "[keys.k]\nsecret = { env = 'AROUTER_DEMO_KEY' }\n";
    assert_eq!(warned(key), []);
    for (text, line, name) in [
        ("limit_usd = '5'\n", 4, Some("limit_usd")),
        ("limit_reset = 'daily'\n", 4, Some("limit_reset")),
        ("rate_limit = { concurrent = 2 }\n", 4, Some("rate_limit")),
        ("rate_limit.concurrent = 2\n", 4, Some("rate_limit")),
        ("[keys.k.rate_limit]\nconcurrent = 2\n", 4, Some("rate_limit")),
        ("budget_mode = 'strict'\n", 4, Some("budget_mode")),
        ("budget_mode = 'estimate'\n", 4, None),
    ] {
        let warned = warned(&format!("{key}{text}"));
        let expected = name.map(|name| format!("`{name}` is not enforced by this version"));
        let found = warned.first().map(|(_, _, message)| message.clone());
        assert_eq!((warned.len(), found), (usize::from(name.is_some()), expected), "{text}");
        assert!(warned.iter().all(|(at, _, _)| *at == line), "{text}: {warned:?}");
    }
}
