//! Sums as the API and the exports write them, read back without a float.

use arouter::money::PicoUsd;
use arouter::store::Generation;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::ops::Add;

/// What some requests add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    pub requests: u64,
    pub prompt: u64,
    pub completion: u64,
    /// Taken from the account.
    pub cost: PicoUsd,
    /// Spent on contracts of the callers' own.
    pub byok: PicoUsd,
}

impl Add for Sums {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            prompt: self.prompt + other.prompt,
            completion: self.completion + other.completion,
            cost: self.cost.checked_add(other.cost).unwrap(),
            byok: self.byok.checked_add(other.byok).unwrap(),
        }
    }
}

/// The truth.
pub fn summed<'g>(records: impl IntoIterator<Item = &'g Generation>) -> Sums {
    records.into_iter().fold(Sums::default(), |sums, g| {
        let cost = |is_byok| if g.is_byok == is_byok { g.cost_pico_usd } else { PicoUsd::ZERO };
        sums + Sums {
            requests: 1,
            prompt: g.usage.prompt.unwrap_or(0),
            completion: g.usage.completion.unwrap_or(0),
            cost: cost(false),
            byok: cost(true),
        }
    })
}

fn exact<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PicoUsd, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    raw.get().parse().map_err(serde::de::Error::custom)
}

#[derive(Deserialize)]
struct Part {
    #[serde(default, alias = "date", alias = "timestamp")]
    start: String,
    #[serde(default, alias = "provider_name")]
    provider_id: String,
    #[serde(default)]
    model: String,
    requests: u64,
    #[serde(alias = "prompt_tokens")]
    input_tokens: u64,
    #[serde(alias = "completion_tokens")]
    output_tokens: u64,
    #[serde(alias = "usage", deserialize_with = "exact")]
    estimated_cost_usd: PicoUsd,
    #[serde(alias = "byok_usage_inference", deserialize_with = "exact")]
    byok_cost_usd: PicoUsd,
}

impl Part {
    fn sums(&self) -> Sums {
        Sums {
            requests: self.requests,
            prompt: self.input_tokens,
            completion: self.output_tokens,
            cost: self.estimated_cost_usd,
            byok: self.byok_cost_usd,
        }
    }
}

/// A summary.
pub struct Table {
    pub total: Sums,
    pub by_provider: BTreeMap<Vec<String>, Sums>,
    pub by_model: BTreeMap<Vec<String>, Sums>,
}

/// Rows by what they are called; none is called as another.
fn by_name(parts: &[Part], name: fn(&Part) -> Vec<String>) -> BTreeMap<Vec<String>, Sums> {
    let map: BTreeMap<_, _> = parts.iter().map(|part| (name(part), part.sums())).collect();
    assert_eq!(map.len(), parts.len());
    map
}

impl Table {
    /// `/api/usage/summary`.
    pub fn of_summary(text: &str) -> Self {
        #[derive(Deserialize)]
        struct Summary {
            total_requests: u64,
            total_input_tokens: u64,
            total_output_tokens: u64,
            total_tokens: u64,
            #[serde(deserialize_with = "exact")]
            estimated_cost_usd: PicoUsd,
            #[serde(deserialize_with = "exact")]
            byok_cost_usd: PicoUsd,
            by_provider: Vec<Part>,
            by_model: Vec<Part>,
        }
        let summary: Summary = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
        let total = Sums {
            requests: summary.total_requests,
            prompt: summary.total_input_tokens,
            completion: summary.total_output_tokens,
            cost: summary.estimated_cost_usd,
            byok: summary.byok_cost_usd,
        };
        assert_eq!(summary.total_tokens, total.prompt + total.completion);
        let by_provider = by_name(&summary.by_provider, |part| vec![part.provider_id.clone()]);
        let by_model =
            by_name(&summary.by_model, |part| vec![part.provider_id.clone(), part.model.clone()]);
        Self { total, by_provider, by_model }
    }

    /// `/api/usage/timeseries`, by the beginnings of the steps.
    pub fn of_series(text: &str) -> BTreeMap<String, Sums> {
        #[derive(Deserialize)]
        struct Series {
            data_points: Vec<Part>,
        }
        let series: Series = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert!(series.data_points.is_sorted_by(|before, after| before.start < after.start));
        series.data_points.iter().map(|point| (point.start.clone(), point.sums())).collect()
    }

    /// `/api/v1/activity` of a management key, by date, model and provider.
    pub fn of_days(text: &str) -> BTreeMap<Vec<String>, Sums> {
        #[derive(Deserialize)]
        struct Days {
            data: Vec<Part>,
        }
        let days: Days = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert!(days.data.is_sorted_by(|newer, older| newer.start >= older.start));
        by_name(&days.data, |part| {
            vec![part.start.clone(), part.model.clone(), part.provider_id.clone()]
        })
    }
}

/// A line of an exported CSV.
pub struct Row {
    pub start: String,
    pub name: String,
    pub title: String,
    pub sums: Sums,
}

/// The lines of an exported CSV; the mark against formulas is taken off.
pub fn csv(body: &[u8]) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(body);
    let columns: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows = reader.records().map(|record| {
        let record = record.unwrap_or_else(|e| panic!("{e}"));
        let cell = |names: &[&str]| {
            let at = columns.iter().position(|column| names.contains(&column.as_str()));
            let text = at.map(|at| record.get(at).unwrap()).unwrap_or_default();
            assert!(!text.starts_with(['=', '+', '-', '@', '\t', '\r']), "{text} would be run");
            text.strip_prefix('\'').unwrap_or(text).to_owned()
        };
        let count = |name: &str| cell(&[name]).parse().unwrap_or_else(|e| panic!("{name}: {e}"));
        Row {
            start: cell(&["start"]),
            name: cell(&["model", "key_hash", "user", "app", "provider"]),
            title: cell(&["key_name", "app_title"]),
            sums: Sums {
                requests: count("requests"),
                prompt: count("prompt_tokens"),
                completion: count("completion_tokens"),
                cost: cell(&["cost_usd"]).parse().unwrap(),
                byok: cell(&["byok_cost_usd"]).parse().unwrap(),
            },
        }
    });
    rows.collect()
}

/// The total of an exported PDF; its pages are numbered through.
pub fn pdf(body: &[u8]) -> Sums {
    let document = lopdf::Document::load_mem(body).unwrap();
    let pages: Vec<String> = document
        .get_pages()
        .into_keys()
        .map(|number| document.extract_text(&[number]).unwrap())
        .collect();
    for (at, page) in pages.iter().enumerate() {
        let number = format!("Page {} of {}", at + 1, pages.len());
        assert!(page.contains(&number), "{page}");
    }
    let last = pages.last().unwrap();
    let total = last.lines().find(|line| line.contains(" Total ") || line.starts_with("Total "));
    let cells: Vec<&str> = total.unwrap_or_else(|| panic!("{last}")).split_whitespace().collect();
    let [_, requests, prompt, _, completion, _, cost, byok] = cells[..] else {
        panic!("{cells:?}");
    };
    Sums {
        requests: requests.parse().unwrap(),
        prompt: prompt.parse().unwrap(),
        completion: completion.parse().unwrap(),
        cost: cost.parse().unwrap(),
        byok: byok.parse().unwrap(),
    }
}
