//! Prices as lists show them: USD per token, as decimal strings.
//!
//! Used by the objects of models and endpoints. `0` is free; a price that is not known is `-1`,
//! because clients demand one and a number that looks free would be a lie.

use crate::catalog::Pricing;
use crate::config::PriceTier;
use crate::money::{PicoUsd, Price};
use serde::Serialize;

/// Stands for a price nobody knows.
const UNKNOWN: &str = "-1";

/// OpenRouter's object of prices. What is left out costs what the side it belongs to costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct PricingObject {
    prompt: String,
    completion: String,
    request: String,
    image: String,
    web_search: String,
    /// What reasoning costs if it is not what the answer costs.
    internal_reasoning: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_cache_read: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_cache_write: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_cache_write_1h: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_output: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    overrides: Vec<Override>,
}

/// Prices of requests with a long prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Override {
    min_prompt_tokens: u64,
    prompt: String,
    completion: String,
    input_cache_read: String,
    input_cache_write: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_cache_write_1h: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<String>,
}

impl PricingObject {
    /// The prices of an endpoint; `None`: not known.
    pub(super) fn of(pricing: Option<&Pricing>) -> Self {
        let table = pricing.map(|pricing| &pricing.table);
        let fee = |fee: Option<PicoUsd>| fee.unwrap_or(PicoUsd::ZERO).to_string();
        let known = |price: Option<Price>| table.map_or_else(|| UNKNOWN.into(), |_| shown(price));
        let own = |price: Option<Price>| price.map(|price| shown(Some(price)));
        let cache_read = table.map(|table| table.cache_read.unwrap_or(table.prompt));
        let cache_write = table.map(|table| table.cache_write.unwrap_or(table.prompt));
        Self {
            prompt: known(table.map(|table| table.prompt)),
            completion: known(table.map(|table| table.completion)),
            request: fee(table.and_then(|table| table.request)),
            image: PicoUsd::ZERO.to_string(),
            web_search: fee(table.and_then(|table| table.web_search)),
            internal_reasoning: shown(table.and_then(|table| table.reasoning)),
            input_cache_read: own(cache_read),
            input_cache_write: own(cache_write),
            input_cache_write_1h: own(table.and_then(|table| table.cache_write_1h)),
            audio: own(table.and_then(|table| table.audio)),
            audio_output: own(table.and_then(|table| table.audio_completion)),
            image_output: own(table.and_then(|table| table.image_completion)),
            overrides: pricing.map(overrides).unwrap_or_default(),
        }
    }
}

/// One for each bound, with everything that holds above it.
fn overrides(pricing: &Pricing) -> Vec<Override> {
    let table = &pricing.table;
    let above = |tier: &PriceTier| {
        let rates = pricing.rates(tier.above_prompt_tokens.saturating_add(1));
        let if_stated = |stated: Option<Price>, rate: Price| stated.map(|_| shown(Some(rate)));
        Override {
            min_prompt_tokens: tier.above_prompt_tokens,
            prompt: shown(Some(rates.prompt)),
            completion: shown(Some(rates.completion)),
            input_cache_read: shown(Some(rates.cache_read)),
            input_cache_write: shown(Some(rates.cache_write_5m)),
            input_cache_write_1h: if_stated(table.cache_write_1h, rates.cache_write_1h),
            audio: if_stated(table.audio, rates.audio_prompt),
        }
    };
    table.tiers.iter().map(above).collect()
}

/// The price of one token.
fn shown(price: Option<Price>) -> String {
    price.unwrap_or(Price::ZERO).of(1).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_known_is_not_free() {
        let unknown = serde_json::to_value(PricingObject::of(None)).unwrap();
        assert_eq!((&unknown["prompt"], &unknown["completion"]), (&json!("-1"), &json!("-1")));
        assert_eq!(unknown.get("input_cache_read"), None);
    }

    #[test]
    fn prices_are_exact_and_per_token() {
        let table = serde_json::from_value(json!({
            "prompt": "2.5", "completion": "10", "cache_read": "0.25", "request": "0.01",
            "audio": "40", "tiers": [{ "above_prompt_tokens": 200_000, "prompt": "5" }],
        }));
        let shown = PricingObject::of(Some(&Pricing::new(table.unwrap())));
        let expected = json!({
            "prompt": "0.0000025", "completion": "0.00001", "request": "0.01", "image": "0",
            "web_search": "0", "internal_reasoning": "0", "input_cache_read": "0.00000025",
            "input_cache_write": "0.0000025", "audio": "0.00004",
            "overrides": [{
                "min_prompt_tokens": 200_000, "prompt": "0.000005", "completion": "0.00001",
                "input_cache_read": "0.00000025", "input_cache_write": "0.000005",
                "audio": "0.00004",
            }],
        });
        assert_eq!(serde_json::to_value(shown).unwrap(), expected);
    }
}
