//! Checks the prices of an endpoint: sane, and never falling as a prompt gets longer.

use super::{Findings, steps};
use crate::catalog::Pricing;
use crate::config::prices::{PriceTable, PriceTier};
use crate::config::tree::Step;
use crate::money::{PicoUsd, Price};

/// Most tiers of one price table.
const MAX_TIERS: usize = 8;

pub(super) fn check(findings: &mut Findings<'_>, at: &[Step], price: &PriceTable) {
    let below = |key: &str| [at, &steps![key]].concat();
    for (key, price) in [
        ("prompt", Some(price.prompt)),
        ("completion", Some(price.completion)),
        ("cache_read", price.cache_read),
        ("cache_write", price.cache_write),
        ("cache_write_1h", price.cache_write_1h),
        ("reasoning", price.reasoning),
        ("audio", price.audio),
        ("audio_completion", price.audio_completion),
        ("image_completion", price.image_completion),
    ] {
        check_token(findings, &below(key), price);
    }
    for (key, amount) in [("request", price.request), ("web_search", price.web_search)] {
        if amount.is_some_and(|amount| amount < PicoUsd::ZERO) {
            findings.error(&below(key), "a price cannot be negative", "write \"0\" if it is free");
        }
    }
    check_tiers(findings, &below("tiers"), price);
}

fn check_token(findings: &mut Findings<'_>, at: &[Step], price: Option<Price>) {
    if price.is_some_and(|price| price > Price::MAX_SANE) {
        let hint = "prices are USD per million tokens";
        findings.error(at, "more than 1 USD for one token", hint);
    }
}

fn check_tiers(findings: &mut Findings<'_>, at: &[Step], price: &PriceTable) {
    if price.tiers.len() > MAX_TIERS {
        findings.error(at, format!("more than {MAX_TIERS} tiers"), "merge some of them");
        return;
    }
    let pricing = Pricing::new(price.clone());
    let longer = |tier: &PriceTier| pricing.rates(tier.above_prompt_tokens.saturating_add(1));
    let mut bound = 0;
    for (index, tier) in price.tiers.iter().enumerate() {
        let below = |key: &str| [at, &steps![index, key]].concat();
        for (key, price) in tier_prices(tier) {
            check_token(findings, &below(key), price);
        }
        if tier.above_prompt_tokens <= bound {
            let hint = "sort tiers by their bound, each once, none at 0";
            findings.error(&below("above_prompt_tokens"), "the bound is not above the last", hint);
        } else if longer(tier).is_anywhere_below(&pricing.rates(tier.above_prompt_tokens)) {
            let hint = "a longer prompt would cost less than a shorter one";
            findings.error(
                &[at, &steps![index]].concat(),
                "a tier is below the one before it",
                hint,
            );
        }
        bound = bound.max(tier.above_prompt_tokens);
    }
}

fn tier_prices(tier: &PriceTier) -> [(&'static str, Option<Price>); 9] {
    [
        ("prompt", tier.prompt),
        ("completion", tier.completion),
        ("cache_read", tier.cache_read),
        ("cache_write", tier.cache_write),
        ("cache_write_1h", tier.cache_write_1h),
        ("reasoning", tier.reasoning),
        ("audio", tier.audio),
        ("audio_completion", tier.audio_completion),
        ("image_completion", tier.image_completion),
    ]
}
