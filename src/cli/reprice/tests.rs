//! Re-pricing on a real database: sums are those of the rows, before and after.

use super::*;
use crate::chat::Usage;
use crate::config::load_text;
use crate::store::{Entry, Outcome};
use std::path::Path;

const CONFIG: &str = "
[providers.openai]
keys = []
[providers.other]
format = 'openai'
base_url = 'https://a.example'
[models.'openai/gpt-4o']
endpoints = [{ provider = 'openai', price = { prompt = '3', completion = '9' } }]
[models.smart]
endpoints = [{ provider = 'openai', upstream_model = 'gpt-4o-mini' }]
[models.either]
endpoints = [
  { provider = 'openai', upstream_model = 'a', price = { prompt = '1', completion = '1' } },
  { provider = 'openai', upstream_model = 'b', price = { prompt = '2', completion = '2' } },
]
";

fn config() -> Config {
    load_text(Path::new("a.toml"), CONFIG, &|_| None).unwrap().config
}

fn record(id: usize, model: &str, provider: &str) -> Generation {
    Generation {
        created_ms: 1_790_000_000_000 + i64::try_from(id).unwrap() * 40_000,
        model: model.to_owned(),
        provider: provider.to_owned(),
        key_hash: format!("key-{}", id % 3),
        usage: Usage { prompt: Some(1_000_000), completion: Some(1_000_000), ..Usage::default() },
        price_version: "old".to_owned(),
        ..Generation::example(&format!("gen-{id:04}"))
    }
}

async fn store_of(records: &[Generation]) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("a.db").display());
    let store = Store::open(&url).await.unwrap();
    let entries: Vec<Entry> = records.iter().cloned().map(Entry::Settle).collect();
    store.apply(&entries, "p", "segment", 1).await.unwrap();
    (folder, store)
}

async fn rows(store: &Store) -> Vec<Generation> {
    store.usage_page(&UsageFilter::default(), None, 10_000).await.unwrap()
}

async fn assert_conserved(store: &Store) {
    let rows = rows(store).await;
    let mut by_key = BTreeMap::<_, PicoUsd>::new();
    for row in &rows {
        let parts = row.prompt_cost_pico_usd.saturating_add(row.completion_cost_pico_usd);
        assert_eq!(parts, row.cost_pico_usd, "{}", row.id);
        let sum = by_key.entry(row.key_hash.clone()).or_default();
        *sum = sum.saturating_add(row.cost_pico_usd);
    }
    for (key_hash, sums) in store.key_sums(0).await.unwrap() {
        assert_eq!(sums.all_time.cost_pico_usd, by_key[&key_hash], "{key_hash}");
    }
    let total = by_key.values().fold(PicoUsd::ZERO, |sum, usd| sum.saturating_add(*usd));
    assert_eq!(store.account_usage().await.unwrap(), total);
}

fn usd(text: &str) -> PicoUsd {
    text.parse().unwrap()
}

#[tokio::test]
async fn every_page_is_priced_and_the_sums_follow() {
    let records: Vec<Generation> =
        (0..1_201).map(|id| record(id, ["openai/gpt-4o", "smart"][id % 2], "openai")).collect();
    let (_folder, store) = store_of(&records).await;
    assert_conserved(&store).await;
    let config = config();
    let book = PriceBook::of(&config);
    let filter = UsageFilter::default();

    let before = rows(&store).await;
    let planned = reprice(&store, &filter, &book, Writing::No).await.unwrap();
    assert_eq!((rows(&store).await, planned.written), (before, 0));

    let changes = reprice(&store, &filter, &book, Writing::Yes).await.unwrap();
    assert_eq!((&changes.by_model, changes.written), (&planned.by_model, 1_201));
    assert_conserved(&store).await;
    // 3 + 9 for the configured ones; 0.15 + 0.6 for the others, by the built-in list.
    let total = changes.total();
    assert_eq!(total.before, usd("0.158532"));
    assert_eq!(total.after, usd("7662"));
    assert_eq!(store.account_usage().await.unwrap(), total.after);

    let again = reprice(&store, &filter, &book, Writing::Yes).await.unwrap();
    assert_eq!(again, Changes::default());
}

#[tokio::test]
async fn only_what_is_asked_for_and_known_changes() {
    let records = [
        record(0, "openai/gpt-4o", "openai"),
        record(1, "smart", "openai"),
        record(2, "other/gpt-4o", "other"),
        record(3, "either", "openai"),
        Generation {
            outcome: Outcome::Failed,
            usage: Usage::default(),
            price_version: String::new(),
            cost_pico_usd: PicoUsd::ZERO,
            prompt_cost_pico_usd: PicoUsd::ZERO,
            completion_cost_pico_usd: PicoUsd::ZERO,
            ..record(4, "openai/gpt-4o", "openai")
        },
    ];
    let (_folder, store) = store_of(&records).await;
    let config = config();
    let book = PriceBook::of(&config);
    let one = UsageFilter { model: Some("smart".to_owned()), ..UsageFilter::default() };
    let changes = reprice(&store, &one, &book, Writing::Yes).await.unwrap();
    assert_eq!((changes.written, changes.without_price), (1, 0));
    let changes = reprice(&store, &UsageFilter::default(), &book, Writing::Yes).await.unwrap();
    assert_eq!((changes.written, changes.without_price), (1, 2));
    assert_conserved(&store).await;
    let costs: Vec<String> =
        rows(&store).await.iter().map(|row| row.cost_pico_usd.to_string()).collect();
    assert_eq!(costs, ["12", "0.75", "0.000132", "0.000132", "0"]);
}

#[test]
fn prices_are_found_as_routing_finds_them() {
    let config = config();
    let book = PriceBook::of(&config);
    let version = |model: &str, provider: &str| {
        book.find(&record(0, model, provider)).map(|pricing| pricing.version.clone())
    };
    let is_of = |list: &str, version: Option<String>| version.unwrap().starts_with(list);
    assert!(is_of("config-", version("openai/gpt-4o", "openai")));
    assert!(is_of("catalog-", version("smart", "openai")));
    assert!(is_of("catalog-", version("openai/gpt-5.4-2026-03-05", "openai")));
    assert!(is_of("config-", version("openai/a", "openai")), "the provider's own name");
    assert_eq!(version("either", "openai"), None, "the record does not say which endpoint");
    assert_eq!(version("openai/gpt-4o", "gone"), None);
    assert_eq!(version("", ""), None);
}

#[test]
fn the_table_sums_up() {
    let mut changes = Changes { without_price: 2, written: 3, ..Changes::default() };
    changes.note(&record(0, "a/x", "a"), usd("0.5"));
    changes.note(&record(1, "b/y", "b"), usd("0.000032"));
    changes.note(&record(2, "b/y", "b"), usd("0.000032"));
    let table = changes.table(Writing::Yes);
    let lines: Vec<Vec<&str>> = table.lines().map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(lines[1], ["a/x", "1", "0.000132", "0.5", "0.499868"]);
    assert_eq!(lines[2], ["b/y", "2", "0.000264", "0.000064", "-0.0002"]);
    assert_eq!(lines[3], ["total", "3", "0.000396", "0.500064", "0.499668"]);
    assert!(table.ends_with("no price is known now.\n3 requests have a new cost.\n"));
    assert!(changes.table(Writing::No).ends_with("Nothing was changed.\n"));
}
