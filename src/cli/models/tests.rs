//! What is listed, and what is said about a name that is not there.

use super::*;
use crate::config::load_text;
use std::path::Path;

fn config() -> Config {
    let text = "
defaults.provider = 'openai'
[providers.openai]
format = 'openai'
base_url = 'https://a.example'
aliases = ['oai']
[models.'openai/gpt-5.4']
endpoints = [
  { provider = 'oai', price = { prompt = '2.50', completion = '10', request = '0.001' } },
  { provider = 'openai', upstream_model = 'gpt-5.4-eu' },
]
context_length = 128000
[models.bare]
[aliases]
fast = ['openai/gpt-5.4', 'openai/other']
";
    load_text(Path::new("a.toml"), text, &|_| None).unwrap().config
}

#[test]
fn a_listing_names_endpoints_prices_and_aliases() {
    let shown = Listing::of(&config()).json();
    let expected = json!({
        "models": [
            {
                "id": "bare",
                "endpoints": [{ "provider": "openai", "upstream_model": "bare", "price": null }],
                "context_length": null, "max_completion_tokens": null,
            },
            {
                "id": "openai/gpt-5.4",
                "endpoints": [
                    {
                        "provider": "openai", "upstream_model": "gpt-5.4",
                        "price": { "prompt": "2.5", "completion": "10", "request": "0.001" },
                    },
                    { "provider": "openai", "upstream_model": "gpt-5.4-eu", "price": null },
                ],
                "context_length": 128_000, "max_completion_tokens": 128_000,
            },
        ],
        "aliases": [{ "id": "fast", "targets": ["openai/gpt-5.4", "openai/other"] }],
    });
    assert_eq!(shown, expected);
}

#[test]
fn the_table_lines_up() {
    let table = Listing::of(&config()).table();
    let lines: Vec<&str> = table.lines().collect();
    let column = |line: &str, word: &str| line.find(word).unwrap();
    assert_eq!(column(lines[0], "PROVIDER"), column(lines[2], "openai "));
    assert_eq!(column(lines[0], "CONTEXT"), column(lines[2], "128000"));
    assert!(lines[2].contains("prompt 2.5, completion 10, request 0.001"), "{table}");
    assert!(lines[3].starts_with("  "), "{table}");
    assert_eq!(lines[5..], ["ALIAS  CANDIDATES", "fast   openai/gpt-5.4, openai/other"]);
}

#[test]
fn a_price_is_told_with_its_tiers_and_factors() {
    let shown = built_in(&config(), "oai/gpt-5.4").unwrap();
    let table = shown.table();
    let expected = "prompt 2.5, completion 15, cache_read 0.25, web_search 0.01, batch ×0.5, \
        flex ×0.5, priority ×2; above 272000: prompt 5, completion 22.5, cache_read 0.5";
    assert!(table.contains(expected), "{table}");
    assert_eq!(shown.object()["endpoints"][0]["price"]["tiers"][0]["prompt"], "5");
}

#[test]
fn a_model_of_the_built_in_catalog_is_shown() {
    let shown = built_in(&config(), "openai/gpt-4o-mini").unwrap().object();
    assert_eq!(shown["endpoints"][0]["price"]["prompt"], "0.15");
    assert_eq!(
        (&shown["context_length"], &shown["id"]),
        (&json!(128_000), &json!("openai/gpt-4o-mini"))
    );
    assert!(built_in(&config(), "openai/unheard-of").is_none());
    assert!(built_in(&config(), "nobody/gpt-4o-mini").is_none());
}

#[test]
fn one_name_is_a_model_or_an_alias() {
    let all = Listing::of(&config());
    assert_eq!(all.one("bare").unwrap().object()["id"], "bare");
    assert_eq!(all.one("fast").unwrap().object()["targets"][1], "openai/other");
    assert!(all.one("openai/gpt-5").is_none());
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    let config = config();
    for (id, advice) in [
        ("openai/gpt-5.3", "did you mean `openai/gpt-5.4`?"),
        ("fats", "did you mean `fast`?"),
        ("oai/something-else-entirely", "the provider `openai`, by the prefix"),
        ("x", "arouter models list"),
    ] {
        let text = unknown(&config, id).to_string();
        assert!(text.contains(advice), "{text}");
    }
}
