//! Prices by hand, and what holds of every usage and every price table.

use super::*;
use crate::config::{PriceTable, PriceTier, TierFactors};
use crate::money::Factor;
use proptest::option;
use proptest::prelude::*;

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

/// Claude-like prices, in USD per million tokens.
fn claude() -> PriceTable {
    PriceTable {
        prompt: price("3"),
        completion: price("15"),
        cache_read: Some(price("0.3")),
        cache_write: Some(price("3.75")),
        cache_write_1h: Some(price("6")),
        ..PriceTable::default()
    }
}

fn tier(above_prompt_tokens: u64) -> PriceTier {
    PriceTier {
        above_prompt_tokens,
        prompt: None,
        completion: None,
        cache_read: None,
        cache_write: None,
        cache_write_1h: None,
        reasoning: None,
        audio: None,
        audio_completion: None,
        image_completion: None,
    }
}

fn total_usd(usage: Usage, table: PriceTable) -> String {
    cost(&usage, &Pricing::new(table), None).total.to_string()
}

#[test]
fn every_kind_is_charged_once_at_its_own_price() {
    let usage = Usage {
        prompt: Some(1_000_000),
        cached: Some(400_000),
        cache_write_5m: Some(100_000),
        cache_write_1h: Some(200_000),
        completion: Some(10_000),
        reasoning: Some(4_000),
        ..Usage::default()
    };
    // 0.4 × 0.3 + 0.1 × 3.75 + 0.2 × 6 + 0.3 × 3 + 0.01 × 15
    assert_eq!(total_usd(usage, claude()), "2.745");
    let dear_thoughts = PriceTable { reasoning: Some(price("100")), ..claude() };
    // 0.004 × 100 + 0.006 × 15 instead of 0.01 × 15
    assert_eq!(total_usd(usage, dear_thoughts), "3.085");
}

#[test]
fn sound_and_images_have_prices_on_both_sides() {
    let usage = Usage {
        prompt: Some(1_000_000),
        audio_prompt: Some(500_000),
        image_prompt: Some(100_000),
        completion: Some(1_000_000),
        audio_completion: Some(200_000),
        image_completion: Some(300_000),
        ..Usage::default()
    };
    let table = PriceTable {
        prompt: price("1"),
        completion: price("10"),
        audio: Some(price("40")),
        audio_completion: Some(price("80")),
        image_completion: Some(price("30")),
        ..PriceTable::default()
    };
    // 0.5 × 40 + 0.5 × 1 + 0.2 × 80 + 0.3 × 30 + 0.5 × 10
    assert_eq!(total_usd(usage, table), "50.5");
}

#[test]
fn kinds_without_a_price_cost_what_their_side_costs() {
    let table = PriceTable { prompt: price("2"), completion: price("8"), ..PriceTable::default() };
    let usage = Usage {
        prompt: Some(1_000_000),
        cached: Some(600_000),
        cache_write_1h: Some(100_000),
        audio_prompt: Some(50_000),
        completion: Some(1_000_000),
        reasoning: Some(800_000),
        audio_completion: Some(50_000),
        image_completion: Some(50_000),
        ..Usage::default()
    };
    assert_eq!(total_usd(usage, table), "10");
}

#[test]
fn the_smallest_price_is_not_rounded_away() {
    let table = PriceTable { prompt: price("0.000001"), ..PriceTable::default() };
    let usage = Usage { prompt: Some(1), ..Usage::default() };
    assert_eq!(total_usd(usage, table), "0.000000000001");
}

#[test]
fn requests_and_searches_have_fees_that_no_tier_changes() {
    let table = PriceTable {
        request: Some("0.005".parse().unwrap()),
        web_search: Some("0.01".parse().unwrap()),
        factors: TierFactors { flex: Some("0.5".parse().unwrap()), ..TierFactors::default() },
        ..PriceTable::default()
    };
    let usage = Usage { web_searches: Some(3), ..Usage::default() };
    for service_tier in [None, Some("flex")] {
        let cost = cost(&usage, &Pricing::new(table.clone()), service_tier);
        assert_eq!(
            (cost.prompt.to_string(), cost.completion.to_string()),
            ("0.005".into(), "0.03".into())
        );
    }
}

#[test]
fn a_long_prompt_prices_the_whole_request() {
    let longer =
        PriceTier { prompt: Some(price("6")), completion: Some(price("22.5")), ..tier(200_000) };
    let longest = PriceTier { prompt: Some(price("9")), ..tier(500_000) };
    let table = PriceTable { tiers: vec![longer, longest], ..claude() };
    let usage = |prompt, cached| Usage {
        prompt: Some(prompt),
        cached: Some(cached),
        completion: Some(1_000_000),
        ..Usage::default()
    };
    for (prompt, cached, expected) in [
        (200_000, 0, "15.6"),
        (200_001, 0, "23.700006"),
        // Cached tokens count towards the length; their price is as without the tier.
        (200_001, 200_001, "22.5600003"),
        (500_000, 0, "25.5"),
        // The completion is still that of the tier before.
        (500_001, 0, "27.000009"),
    ] {
        assert_eq!(total_usd(usage(prompt, cached), table.clone()), expected, "{prompt}");
    }
    let parts_only =
        Usage { cached: Some(300_000), completion: Some(1_000_000), ..Usage::default() };
    assert_eq!(total_usd(parts_only, table), "22.59");
}

#[test]
fn a_service_tier_multiplies_tokens_and_rounds_once() {
    let table = PriceTable {
        prompt: price("0.000001"),
        completion: price("0.000001"),
        factors: TierFactors {
            flex: Some("0.5".parse().unwrap()),
            priority: Some("20/11".parse().unwrap()),
            batch: Some("1/3".parse().unwrap()),
        },
        ..PriceTable::default()
    };
    let usage = Usage { prompt: Some(1), completion: Some(1), ..Usage::default() };
    let pricing = Pricing::new(table);
    for (service_tier, prompt, completion) in [
        (None, 1, 1),
        (Some("default"), 1, 1),
        (Some("scale"), 1, 1),
        // Half of two, not two halves rounded up.
        (Some("flex"), 1, 0),
        (Some("FLEX"), 1, 0),
        (Some("priority"), 2, 2),
        (Some("fast"), 2, 2),
        (Some("batch"), 0, 1),
    ] {
        let cost = cost(&usage, &pricing, service_tier);
        let parts = (cost.prompt.pico(), cost.completion.pico());
        assert_eq!((parts, cost.total.pico()), ((prompt, completion), prompt + completion));
    }
}

#[test]
fn contradicting_counts_cost_no_more_than_their_side() {
    let usage = Usage { prompt: Some(10), cached: Some(50), ..Usage::default() };
    let ten_cached = Usage { prompt: Some(10), cached: Some(10), ..Usage::default() };
    assert_eq!(total_usd(usage, claude()), total_usd(ten_cached, claude()));
    let only_cached = Usage { cached: Some(10), ..Usage::default() };
    assert_eq!(total_usd(only_cached, claude()), total_usd(ten_cached, claude()));
    assert_eq!(total_usd(Usage::default(), claude()), "0");
}

#[test]
fn an_estimate_is_the_plain_cost() {
    let table = PriceTable {
        tiers: vec![PriceTier { prompt: Some(price("6")), ..tier(200_000) }],
        request: Some("0.005".parse().unwrap()),
        ..claude()
    };
    let pricing = Pricing::new(table);
    for (prompt, completion) in [(0, 0), (1_000, 1_000), (200_000, 1), (200_001, 1)] {
        let usage =
            Usage { prompt: Some(prompt), completion: Some(completion), ..Usage::default() };
        assert_eq!(pricing.estimate(prompt, completion), cost(&usage, &pricing, None).total);
    }
}

fn any_count() -> impl Strategy<Value = Option<u64>> {
    option::of(prop_oneof![0..1000_u64, any::<u64>()])
}

prop_compose! {
    fn any_usage()(
        counts in prop::array::uniform11(any_count())
    ) -> Usage {
        let [prompt, completion, cached, cache_write_5m, cache_write_1h, reasoning, audio_prompt,
            audio_completion, image_prompt, image_completion, web_searches] = counts;
        Usage { prompt, completion, cached, cache_write_5m, cache_write_1h, reasoning,
            audio_prompt, audio_completion, image_prompt, image_completion, web_searches }
    }
}

fn any_service_tier() -> impl Strategy<Value = Option<&'static str>> {
    prop::sample::select(vec![None, Some("default"), Some("flex"), Some("priority"), Some("batch")])
}

fn any_factor() -> impl Strategy<Value = Option<Factor>> {
    option::of((0..9_000_u32, 90..9_000_u32).prop_map(|(a, b)| format!("{a}/{b}").parse().unwrap()))
}

prop_compose! {
    fn any_factors()(factors in prop::array::uniform3(any_factor())) -> TierFactors {
        let [flex, priority, batch] = factors;
        TierFactors { flex, priority, batch }
    }
}

/// Prices up to a tenth of a billion USD for a token, so that sums stop only at absurd counts.
fn any_price() -> impl Strategy<Value = Price> {
    prop_oneof![0..1000_u64, any::<u64>()].prop_map(Price::from_pico_per_token)
}

prop_compose! {
    fn any_tier()(
        above_prompt_tokens in prop_oneof![1..1500_u64, 1..u64::MAX],
        prices in prop::array::uniform9(option::of(any_price())),
    ) -> PriceTier {
        let [prompt, completion, cache_read, cache_write, cache_write_1h, reasoning, audio,
            audio_completion, image_completion] = prices;
        PriceTier { above_prompt_tokens, prompt, completion, cache_read, cache_write,
            cache_write_1h, reasoning, audio, audio_completion, image_completion }
    }
}

prop_compose! {
    fn any_table()(
        plain in any_tier(),
        factors in any_factors(),
        fees in prop::array::uniform2(option::of(any::<u32>())),
        mut tiers in prop::collection::vec(any_tier(), 0..4),
    ) -> PriceTable {
        tiers.sort_by_key(|tier| tier.above_prompt_tokens);
        tiers.dedup_by_key(|tier| tier.above_prompt_tokens);
        let [request, web_search] =
            fees.map(|fee| fee.map(|fee| PicoUsd::from_pico(i128::from(fee))));
        PriceTable {
            prompt: plain.prompt.unwrap_or_default(),
            completion: plain.completion.unwrap_or_default(),
            cache_read: plain.cache_read,
            cache_write: plain.cache_write,
            cache_write_1h: plain.cache_write_1h,
            reasoning: plain.reasoning,
            audio: plain.audio,
            audio_completion: plain.audio_completion,
            image_completion: plain.image_completion,
            request,
            web_search,
            factors,
            tiers,
        }
    }
}

/// The table with every tier lifted to the one before it, as the configuration demands.
fn rising(mut table: PriceTable) -> PriceTable {
    let tiers = std::mem::take(&mut table.tiers);
    for tier in tiers {
        let before = Pricing::new(table.clone()).rates(u64::MAX);
        let lift = |price: Option<Price>, floor: Price| Some(price.unwrap_or(floor).max(floor));
        table.tiers.push(PriceTier {
            above_prompt_tokens: tier.above_prompt_tokens,
            prompt: lift(tier.prompt, before.prompt),
            completion: lift(tier.completion, before.completion),
            cache_read: lift(tier.cache_read, before.cache_read),
            cache_write: lift(tier.cache_write, before.cache_write_5m),
            cache_write_1h: lift(tier.cache_write_1h, before.cache_write_1h),
            reasoning: lift(tier.reasoning, before.reasoning),
            audio: lift(tier.audio, before.audio_prompt),
            audio_completion: lift(tier.audio_completion, before.audio_completion),
            image_completion: lift(tier.image_completion, before.image_completion),
        });
    }
    table
}

proptest! {
    #[test]
    fn the_sides_add_up_and_nothing_is_negative(
        usage in any_usage(), table in any_table(), tier in any_service_tier(),
    ) {
        let cost = cost(&usage, &Pricing::new(table), tier);
        prop_assert!(cost.prompt >= PicoUsd::ZERO && cost.completion >= PicoUsd::ZERO);
        prop_assert_eq!(cost.prompt.saturating_add(cost.completion), cost.total);
    }

    #[test]
    fn a_side_costs_between_all_tokens_at_its_lowest_and_its_highest_price(
        usage in any_usage(), table in any_table(),
    ) {
        let table = PriceTable { request: None, ..table };
        let pricing = Pricing::new(table);
        let cost = cost(&usage, &pricing, None);
        if let Some(tokens) = usage.prompt {
            let rates = pricing.rates(tokens);
            let kinds = rates.prompt_kinds(&usage).map(|(_, price)| price);
            let low = kinds.into_iter().fold(rates.prompt, Price::min);
            let high = kinds.into_iter().fold(rates.prompt, Price::max);
            prop_assert!(low.of(tokens) <= cost.prompt && cost.prompt <= high.of(tokens));
        }
    }

    #[test]
    fn nothing_costs_more_than_the_ceiling(
        usage in any_usage(), table in any_table(), tier in any_service_tier(),
        spare in prop::array::uniform2(prop_oneof![Just(0), any::<u32>()]),
    ) {
        let usage = Usage { web_searches: None, ..usage };
        let pricing = Pricing::new(table);
        let kinds = [usage.reasoning, usage.audio_completion, usage.image_completion];
        let stated = kinds.into_iter().flatten().fold(0, u64::saturating_add);
        let prompt = prompt_tokens(&usage).saturating_add(spare[0].into());
        let completion = usage.completion.unwrap_or(stated).saturating_add(spare[1].into());
        prop_assert!(cost(&usage, &pricing, tier).total <= pricing.ceiling(prompt, completion));
        prop_assert!(pricing.estimate(prompt, completion) <= pricing.ceiling(prompt, completion));
    }

    #[test]
    fn more_tokens_never_cost_less(
        usage in any_usage(), table in any_table(), more in any::<u32>(),
        tier in any_service_tier(),
    ) {
        let more = |count: Option<u64>| count.map(|count| count.saturating_add(more.into()));
        let larger =
            Usage { prompt: more(usage.prompt), completion: more(usage.completion), ..usage };
        let pricing = Pricing::new(rising(table));
        prop_assert!(cost(&usage, &pricing, tier).total <= cost(&larger, &pricing, tier).total);
    }
}
