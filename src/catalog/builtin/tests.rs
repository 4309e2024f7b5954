//! The file is whole and sane, and says what is known of well-known models.

use super::*;
use crate::money::{Factor, PicoUsd, Price};
use crate::providers::known;

const TEXT: &str = include_str!("../../../conf/models.txt");

fn all() -> impl Iterator<Item = (&'static str, &'static str, &'static Known)> {
    CATALOG.lists.iter().flat_map(|(provider, list)| {
        list.names().map(move |name| {
            let known = list.exactly(name);
            (*provider, name, known.unwrap_or_else(|| panic!("{provider}/{name} is not read")))
        })
    })
}

fn pricing(provider: &str, model: &str) -> Arc<Pricing> {
    let known = list(provider).unwrap().find(model).unwrap_or_else(|| panic!("{model}"));
    Arc::clone(known.pricing.as_ref().unwrap())
}

#[test]
fn every_line_is_read() {
    let rows = TEXT.lines().skip_while(|line| !line.starts_with('['));
    let lines = rows.filter(|line| !line.is_empty() && !line.starts_with('[')).count();
    assert!(lines > 3_000);
    assert_eq!(all().count(), lines);
    let priced = all().filter(|(_, _, known)| known.pricing.is_some()).count();
    assert!(priced * 10 > lines * 9, "{priced} of {lines} have a price");
}

#[test]
fn names_are_sorted_and_come_once() {
    for (provider, list) in &CATALOG.lists {
        let names: Vec<&str> = list.names().collect();
        assert!(names.is_sorted_by(|one, next| one < next), "{provider}");
    }
    let headings = TEXT.lines().filter(|line| line.starts_with('['));
    assert_eq!(CATALOG.lists.len(), headings.count());
}

#[test]
fn every_list_is_of_a_known_provider() {
    for provider in CATALOG.lists.keys() {
        assert!(known::provider(provider).is_some(), "{provider}");
    }
}

#[test]
fn no_price_is_absurd() {
    let most: Price = "2000".parse().unwrap();
    for (provider, name, known) in all() {
        let Some(pricing) = &known.pricing else { continue };
        let rates = pricing.rates(0);
        assert!(rates.prompt <= most && rates.completion <= most, "{provider}/{name}");
        let is_free = pricing.ceiling(1_000, 1_000) == PicoUsd::ZERO;
        assert_eq!(is_free, name.ends_with(":free"), "{provider}/{name} costs nothing");
        let mut below = 0;
        for tier in &pricing.table.tiers {
            let bound = tier.above_prompt_tokens;
            assert!(bound > below, "{provider}/{name}");
            let longer = pricing.rates(bound + 1);
            assert!(!longer.is_anywhere_below(&pricing.rates(bound)), "{provider}/{name} falls");
            below = bound;
        }
    }
}

#[test]
fn every_price_names_tables_that_the_head_explains() {
    let explained: String =
        TEXT.lines().filter_map(|line| line.strip_prefix("table ")?.chars().next()).collect();
    assert_eq!(explained, "glmp");
    let abilities = ["context", "output", "reads", "writes", "can"];
    for word in TEXT.lines().skip_while(|line| !line.starts_with('[')).flat_map(|l| l.split(' ')) {
        let Some((key, value)) = word.split_once('=') else { continue };
        let letters = value.split_once('@').map(|(_, letters)| letters).unwrap_or_default();
        let is_stated = !letters.is_empty() && letters.chars().all(|l| explained.contains(l));
        assert_eq!(is_stated, !abilities.contains(&key), "{word}");
    }
}

#[test]
fn well_known_models_cost_what_their_vendors_say() {
    for (provider, model, prompt, completion, cached) in [
        ("openai", "gpt-4o", "2.5", "10", "1.25"),
        ("openai", "gpt-4o-2024-05-13", "5", "15", "5"),
        ("openai", "gpt-4o-mini", "0.15", "0.6", "0.075"),
        ("openai", "gpt-5.4", "2.5", "15", "0.25"),
        ("anthropic", "claude-sonnet-4-5", "3", "15", "0.3"),
        ("anthropic", "claude-opus-4-6", "5", "25", "0.5"),
        ("google", "gemini-2.5-pro", "1.25", "10", "0.125"),
        ("google", "gemini-2.5-flash", "0.3", "2.5", "0.03"),
        ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3", "16.5", "0.33"),
        ("groq", "llama-3.3-70b-versatile", "0.59", "0.79", "0.59"),
        ("mistral", "mistral-large-latest", "0.5", "1.5", "0.05"),
    ] {
        let rates = pricing(provider, model).rates(1_000);
        let found = [rates.prompt, rates.completion, rates.cache_read].map(|p| p.to_string());
        assert_eq!(found, [prompt, completion, cached], "{provider}/{model}");
    }
    let sonnet = pricing("anthropic", "claude-sonnet-4-5").rates(0);
    assert_eq!(sonnet.cache_write_5m.to_string(), "3.75");
    assert_eq!(sonnet.cache_write_1h.to_string(), "6");
    assert_eq!(pricing("google", "gemini-2.5-pro").rates(200_001).prompt.to_string(), "2.5");
    let o4 = pricing("openai", "o4-mini");
    assert_eq!(o4.factor(Some("flex")), "0.5".parse::<Factor>().unwrap());
    assert_eq!(o4.factor(Some("priority")), "20/11".parse::<Factor>().unwrap());
}

#[test]
fn sizes_and_abilities_are_known() {
    let known = list("anthropic").unwrap().find("claude-sonnet-4-5").unwrap();
    assert_eq!((known.context_length, known.max_completion_tokens), (Some(200_000), Some(64_000)));
    assert!(known.tools && known.reasoning && known.json_schema);
    assert!(known.reads.contains(&Modality::Image) && known.writes == [Modality::Text]);
}

#[test]
fn dated_names_lead_to_their_base() {
    for (name, base) in [
        ("gpt-5.4-2026-03-05", Some("gpt-5.4")),
        ("claude-sonnet-4-5-20250929", Some("claude-sonnet-4-5")),
        ("claude-sonnet-4-5@20250929", Some("claude-sonnet-4-5")),
        ("claude-sonnet-4-5@default", Some("claude-sonnet-4-5")),
        ("codestral-latest", Some("codestral")),
        ("gpt-4o", None),
        ("gpt-4-0613", None),
        ("-20250929", None),
        ("2025-09-29", None),
        ("", None),
        ("ü-2025-09-2é", None),
    ] {
        assert_eq!(base_name(name), base, "{name}");
    }
    let openai = list("openai").unwrap();
    assert_eq!(openai.find("gpt-5.4-2099-01-01"), openai.find("gpt-5.4"));
    assert_ne!(openai.find("gpt-4o-2024-05-13"), openai.find("gpt-4o"));
    assert!(openai.find("gpt-5.4-unheard-of").is_none());
    assert!(list("ollama").is_none());
}

#[test]
fn the_version_names_the_day_and_the_prices() {
    let date = TEXT.lines().find_map(|line| line.strip_prefix("date ")).unwrap();
    let version = pricing("openai", "gpt-4o").version.clone();
    assert!(version.starts_with(&format!("catalog-{date}-")), "{version}");
    assert_eq!(pricing("azure", "gpt-4-turbo").version.len(), version.len());
    assert_ne!(pricing("openai", "gpt-4o-mini").version, version);
}

#[test]
fn a_line_that_is_not_understood_has_no_price() {
    let text = "date 2026-01-02\n[a]\nbad prompt=3@l completion=x@l\nhalf prompt=1@l context=7\n\
        odd prompt=1@l completion=1@l soon=3@l\n";
    let catalog = Catalog::new(text);
    let list = catalog.lists.get("a").unwrap();
    assert_eq!(list.find("bad"), None);
    assert_eq!(list.find("odd"), None);
    let half = list.find("half").unwrap();
    assert_eq!((half.pricing.as_ref(), half.context_length), (None, Some(7)));
}

/// Starting must not wait for the list: the bound is far above what it takes, even unoptimised.
#[test]
fn the_file_is_cut_into_lines_at_once() {
    let started = std::time::Instant::now();
    let catalog = Catalog::new(TEXT);
    let took = started.elapsed();
    assert!(!catalog.lists.is_empty());
    assert!(took.as_millis() < 50, "{took:?}");
}
