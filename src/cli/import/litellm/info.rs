//! `model_info`: prices and sizes.

use super::super::input::Field;
use super::super::report::Report;
use super::price::{self, Converted};

/// How the text of a price is made.
type Conversion = fn(f64) -> Option<Converted>;

/// Prices by their names in the input and here, and how they are converted.
const PRICES: [(&str, &str, Conversion); 9] = [
    ("input_cost_per_token", "prompt", price::per_million),
    ("output_cost_per_token", "completion", price::per_million),
    ("cache_read_input_token_cost", "cache_read", price::per_million),
    ("cache_creation_input_token_cost", "cache_write", price::per_million),
    ("cache_creation_input_token_cost_above_1hr", "cache_write_1h", price::per_million),
    ("output_cost_per_reasoning_token", "reasoning", price::per_million),
    ("input_cost_per_audio_token", "audio", price::per_million),
    ("input_cost_per_request", "request", price::amount),
    ("input_cost_per_query", "request", price::amount),
];

/// Largest number of tokens the loader takes.
const MAX_TOKENS: u64 = 1 << 40;

/// Sizes of a model.
pub(super) struct Limits {
    pub(super) context_length: Option<u64>,
    pub(super) max_completion_tokens: Option<u64>,
}

/// The prices of a deployment, by their names here.
pub(super) fn prices(entry: &Field<'_>, report: &mut Report) -> Vec<(&'static str, String)> {
    let places: Vec<Field<'_>> =
        ["litellm_params", "model_info"].iter().filter_map(|name| entry.get(name)).collect();
    let mut prices: Vec<(&'static str, String)> = Vec::new();
    let mut notes: Vec<(Field<'_>, &str, bool)> = Vec::new();
    for (theirs, ours, convert) in PRICES {
        for field in places.iter().filter_map(|place| place.get(theirs)) {
            if prices.iter().any(|(known, _)| *known == ours) {
                report.unsupported(&field, "another setting says this price already");
                continue;
            }
            match field.number().and_then(convert) {
                Some(Converted { text, rounded }) => {
                    notes.push((field, ours, rounded));
                    prices.push((ours, text));
                }
                None => report.manual(&field, "not a price: see `price` of the endpoint"),
            }
        }
    }
    let has = |name: &str| prices.iter().any(|(known, _)| *known == name);
    let (prompt, completion) = (has("prompt"), has("completion"));
    for (field, ours, rounded) in notes {
        match (prompt, ours, rounded) {
            (false, _, _) => {
                report.manual(&field, "left out: without `input_cost_per_token` prompts were free");
            }
            (true, "prompt", _) if !completion => {
                report.approximate(&field, "`prompt` of the price; answers are free then");
            }
            (true, _, true) => {
                report.approximate(&field, format!("`{ours}` of the price, its last digits cut"));
            }
            (true, _, false) => report.exact(&field, format!("`{ours}` of the price")),
        }
    }
    if !prompt {
        prices.clear();
    }
    if prices.is_empty() {
        report.manual(
            entry,
            "no price: that of the built-in catalog holds if it knows the model, else its requests \
             are recorded without a cost until the endpoint has a `price`",
        );
    }
    prices
}

/// The sizes of the model.
pub(super) fn limits(entry: &Field<'_>, report: &mut Report) -> Limits {
    let Some(info) = entry.get("model_info") else {
        return Limits { context_length: None, max_completion_tokens: None };
    };
    let mut read = |name: &str, reason: &str| {
        let field = info.get(name)?;
        let tokens = field.count(MAX_TOKENS).filter(|tokens| *tokens > 0);
        match tokens {
            Some(_) => report.approximate(&field, reason),
            None => report.manual(&field, "not a number of tokens"),
        }
        tokens
    };
    let context_length =
        read("max_input_tokens", "`context_length`, which is prompt and answer together here");
    let output = read("max_output_tokens", "`max_completion_tokens` of the model");
    let tokens = read("max_tokens", "`max_completion_tokens` of the model");
    Limits { context_length, max_completion_tokens: output.or(tokens) }
}

/// Notes what has no counterpart.
pub(super) fn rest(info: &Field<'_>, report: &mut Report) {
    for (name, field) in info.entries() {
        let used = ["max_input_tokens", "max_output_tokens", "max_tokens"].contains(&name)
            || PRICES.iter().any(|(theirs, _, _)| *theirs == name);
        match name {
            _ if used => {}
            "mode" => match field.text() {
                Some("chat" | "embedding") => {
                    report.exact(&field, "the path that is called says what is asked for");
                }
                _ => report.unsupported(&field, "only chat and embeddings are served"),
            },
            "base_model" => {
                report.unsupported(&field, "a price is looked up by the name the provider knows");
            }
            "id"
            | "db_model"
            | "metadata"
            | "description"
            | "tier"
            | "litellm_provider"
            | "access_groups"
            | "team_id"
            | "created_at"
            | "updated_at"
            | "created_by"
            | "updated_by"
            | "health_check_model"
            | "disable_background_health_check" => {
                report.unsupported(&field, "models carry no such remarks here");
            }
            name if name.starts_with("supports_") || name.starts_with("supported_") => {
                report.unsupported(&field, "what a model can do is not configured here");
            }
            _ => {}
        }
    }
    if !info.is_container() {
        report.exact(info, "empty");
    }
}
