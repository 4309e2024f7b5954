//! Token counts times prices, in whole pico-USD.
//!
//! Called once per request by `proxy/settle.rs`. Counts are inclusive (`prompt` contains the
//! cached tokens), so each side is first divided into kinds that add up to it and then every kind
//! is priced: no token is charged twice, and counts that contradict each other never make a cost
//! negative or larger than its side. Sums are exact; the factor of a service tier is applied to the
//! sum of all tokens and rounded there, once.

use crate::catalog::Pricing;
use crate::chat::Usage;
use crate::money::{PicoUsd, Price};

/// What a request costs; `total` is the sum of the two sides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Everything together.
    pub total: PicoUsd,
    /// The prompt, cache reads and writes included, and the fee for the request.
    pub prompt: PicoUsd,
    /// The answer, and the web searches made for it.
    pub completion: PicoUsd,
}

/// The cost of a request that used `usage` and was served in the tier the provider names. Images of
/// a prompt cost their tokens: no provider reports their number.
pub fn cost(usage: &Usage, pricing: &Pricing, service_tier: Option<&str>) -> Cost {
    let rates = pricing.rates(prompt_tokens(usage));
    let prompt = side_cost(usage.prompt, &rates.prompt_kinds(usage), rates.prompt);
    let completion = side_cost(usage.completion, &rates.completion_kinds(usage), rates.completion);
    let factor = pricing.factor(service_tier);
    let tokens = factor.of(prompt.saturating_add(completion));
    // The other side is the rest, so that the two add up to what was rounded once.
    let prompt = factor.of(prompt);
    let completion = tokens.saturating_sub(prompt);

    let prices = &pricing.table;
    let searches = prices.web_search.unwrap_or_default();
    let searches = searches.saturating_mul(usage.web_searches.unwrap_or(0));
    let prompt = prompt.saturating_add(prices.request.unwrap_or_default());
    let completion = completion.saturating_add(searches);
    Cost { total: prompt.saturating_add(completion), prompt, completion }
}

/// Length of the prompt; if the provider did not say it, that of the parts it did.
fn prompt_tokens(usage: &Usage) -> u64 {
    let parts = [usage.cached, usage.cache_write_5m, usage.cache_write_1h, usage.audio_prompt];
    usage.prompt.unwrap_or_else(|| parts.into_iter().flatten().fold(0, u64::saturating_add))
}

/// Divides `all` tokens of a side into `kinds` and the rest, and prices each. A kind gets no more
/// than is left; if the provider did not say how many there are, the kinds are all.
fn side_cost(all: Option<u64>, kinds: &[(Option<u64>, Price)], rest_price: Price) -> PicoUsd {
    let stated =
        || kinds.iter().fold(0_u64, |sum, (tokens, _)| sum.saturating_add(tokens.unwrap_or(0)));
    let mut left = all.unwrap_or_else(stated);
    let mut sum = PicoUsd::ZERO;
    for (tokens, price) in kinds {
        let tokens = tokens.unwrap_or(0).min(left);
        left = left.saturating_sub(tokens);
        sum = sum.saturating_add(price.of(tokens));
    }
    sum.saturating_add(rest_price.of(left))
}

#[cfg(test)]
mod tests;
