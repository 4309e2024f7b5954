//! What an endpoint charges, with the name of the price list it comes from.
//!
//! Made once per price list; `billing` prices with it, `limits` reserves by it. What an omitted
//! price means is decided here: a kind of token without a price of its own costs what the side it
//! belongs to costs, and a tier keeps what it does not change.

use crate::chat::Usage;
use crate::config::{PriceTable, PriceTier};
use crate::money::{Factor, PicoUsd, Price};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Prices of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pricing {
    /// The prices as they were written.
    pub table: PriceTable,
    /// Identifies these prices in records: equal prices of one list have equal versions.
    pub version: String,
    /// By length of the prompt, shortest first; the first one begins at nothing.
    bands: Vec<Band>,
}

/// What a request costs whose prompt exceeds a bound.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Band {
    above_prompt_tokens: u64,
    rates: Rates,
}

/// The price of a token of every kind, nothing left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Prompt tokens that are nothing below.
    pub prompt: Price,
    /// Prompt tokens read from the cache.
    pub cache_read: Price,
    /// Prompt tokens written to a cache of five minutes.
    pub cache_write_5m: Price,
    /// Prompt tokens written to a cache of an hour.
    pub cache_write_1h: Price,
    /// Audio tokens of the prompt.
    pub audio_prompt: Price,
    /// Completion tokens that are nothing below.
    pub completion: Price,
    /// Reasoning tokens.
    pub reasoning: Price,
    /// Audio tokens of the answer.
    pub audio_completion: Price,
    /// Tokens of produced images.
    pub image_completion: Price,
}

impl Pricing {
    /// Prices of the configuration.
    pub fn new(table: PriceTable) -> Self {
        Self::of_list("config", table)
    }

    /// Prices of a list: `config`, or `catalog-` and its date.
    pub fn of_list(list: &str, table: PriceTable) -> Self {
        let mut version = format!("{list}-");
        for byte in Sha256::digest(format!("{table:?}").as_bytes()).iter().take(6) {
            // Writing to a String cannot fail.
            write!(version, "{byte:02x}").unwrap_or_default();
        }
        let bands = bands(&table);
        Self { table, version, bands }
    }

    /// What tokens cost in a request with a prompt of this length.
    pub fn rates(&self, prompt_tokens: u64) -> Rates {
        let reached = self.reached(prompt_tokens).last();
        reached.map_or_else(|| Rates::of(&self.table), |band| band.rates)
    }

    /// Whether tokens read from a cache cost less than others, in a prompt of this length.
    pub fn rewards_cache(&self, prompt_tokens: u64) -> bool {
        let rates = self.rates(prompt_tokens);
        rates.cache_read < rates.prompt
    }

    /// What a service tier costs compared with the ordinary one. The words of all vendors are
    /// known; a tier without a factor costs what the ordinary one costs.
    pub fn factor(&self, service_tier: Option<&str>) -> Factor {
        let factors = &self.table.factors;
        let is = |word: &str| service_tier.is_some_and(|tier| tier.eq_ignore_ascii_case(word));
        let factor = if is("flex") {
            factors.flex
        } else if is("priority") || is("fast") {
            factors.priority
        } else if is("batch") {
            factors.batch
        } else {
            None
        };
        factor.unwrap_or(Factor::ONE)
    }

    /// The most that a request with at most so many tokens costs, however they divide into kinds
    /// and whatever the service tier. Web searches, whose number no count of tokens bounds, come on
    /// top: `table.web_search` each.
    pub fn ceiling(&self, prompt_tokens_max: u64, completion_tokens_max: u64) -> PicoUsd {
        let of_band = |band: &Band| {
            let prompt = band.rates.dearest_prompt().of(prompt_tokens_max);
            prompt.saturating_add(band.rates.dearest_completion().of(completion_tokens_max))
        };
        let tokens = self.reached(prompt_tokens_max).map(of_band).max().unwrap_or_default();
        let factors = &self.table.factors;
        let factors = [Some(Factor::ONE), factors.flex, factors.priority, factors.batch];
        let dearest = factors.into_iter().flatten().map(|factor| factor.of(tokens)).max();
        dearest.unwrap_or(tokens).saturating_add(self.table.request.unwrap_or_default())
    }

    /// What a request with so many tokens costs in the ordinary service tier if nothing is cached,
    /// reasoned or heard.
    pub fn estimate(&self, prompt_tokens: u64, completion_tokens: u64) -> PicoUsd {
        let rates = self.rates(prompt_tokens);
        let tokens = rates.prompt.of(prompt_tokens);
        let tokens = tokens.saturating_add(rates.completion.of(completion_tokens));
        tokens.saturating_add(self.table.request.unwrap_or_default())
    }

    /// The bands that a prompt of this length, or a shorter one, is in.
    fn reached(&self, prompt_tokens: u64) -> impl Iterator<Item = &Band> {
        let within = move |band: &&Band| band.above_prompt_tokens < prompt_tokens;
        let first = self.bands.iter().take(1);
        first.chain(self.bands.iter().skip(1).take_while(within))
    }
}

impl Rates {
    fn of(table: &PriceTable) -> Self {
        let cache_write_5m = table.cache_write.unwrap_or(table.prompt);
        Self {
            prompt: table.prompt,
            cache_read: table.cache_read.unwrap_or(table.prompt),
            cache_write_5m,
            cache_write_1h: table.cache_write_1h.unwrap_or(cache_write_5m),
            audio_prompt: table.audio.unwrap_or(table.prompt),
            completion: table.completion,
            reasoning: table.reasoning.unwrap_or(table.completion),
            audio_completion: table.audio_completion.unwrap_or(table.completion),
            image_completion: table.image_completion.unwrap_or(table.completion),
        }
    }

    /// Every kind of a prompt's tokens besides the ordinary ones: how many of them a usage states,
    /// and what each costs.
    pub fn prompt_kinds(&self, usage: &Usage) -> [(Option<u64>, Price); 4] {
        [
            (usage.cached, self.cache_read),
            (usage.cache_write_5m, self.cache_write_5m),
            (usage.cache_write_1h, self.cache_write_1h),
            (usage.audio_prompt, self.audio_prompt),
        ]
    }

    /// The same of an answer.
    pub fn completion_kinds(&self, usage: &Usage) -> [(Option<u64>, Price); 3] {
        [
            (usage.reasoning, self.reasoning),
            (usage.audio_completion, self.audio_completion),
            (usage.image_completion, self.image_completion),
        ]
    }

    /// Whether a token of some kind is cheaper than there.
    pub fn is_anywhere_below(&self, other: &Self) -> bool {
        self.all().zip(other.all()).any(|(price, other)| price < other)
    }

    fn all(&self) -> impl Iterator<Item = Price> {
        let prompt = self.prompt_kinds(&Usage::default()).map(|(_, price)| price);
        let completion = self.completion_kinds(&Usage::default()).map(|(_, price)| price);
        [self.prompt, self.completion].into_iter().chain(prompt).chain(completion)
    }

    fn dearest_prompt(&self) -> Price {
        let kinds = self.prompt_kinds(&Usage::default()).map(|(_, price)| price);
        kinds.into_iter().fold(self.prompt, Price::max)
    }

    fn dearest_completion(&self) -> Price {
        let kinds = self.completion_kinds(&Usage::default()).map(|(_, price)| price);
        kinds.into_iter().fold(self.completion, Price::max)
    }
}

/// The bands of a table. A tier changes what the tiers before it left.
fn bands(table: &PriceTable) -> Vec<Band> {
    let mut prices = PriceTable { tiers: Vec::new(), ..table.clone() };
    let mut bands = vec![Band { above_prompt_tokens: 0, rates: Rates::of(&prices) }];
    for tier in &table.tiers {
        change(&mut prices, tier);
        let above_prompt_tokens = tier.above_prompt_tokens;
        bands.push(Band { above_prompt_tokens, rates: Rates::of(&prices) });
    }
    bands
}

fn change(prices: &mut PriceTable, tier: &PriceTier) {
    prices.prompt = tier.prompt.unwrap_or(prices.prompt);
    prices.completion = tier.completion.unwrap_or(prices.completion);
    prices.cache_read = tier.cache_read.or(prices.cache_read);
    prices.cache_write = tier.cache_write.or(prices.cache_write);
    prices.cache_write_1h = tier.cache_write_1h.or(prices.cache_write_1h);
    prices.reasoning = tier.reasoning.or(prices.reasoning);
    prices.audio = tier.audio.or(prices.audio);
    prices.audio_completion = tier.audio_completion.or(prices.audio_completion);
    prices.image_completion = tier.image_completion.or(prices.image_completion);
}
