//! Token counts times prices, in whole pico-USD.
//!
//! Called once per request by `proxy/settle.rs`. Counts are inclusive (`prompt` contains the
//! cached tokens), so each side is first divided into kinds that add up to it and then every kind
//! is priced: no token is charged twice, and counts that contradict each other never make a cost
//! negative or larger than its side.

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

/// The cost of a request that used `usage`. A kind of token without a price of its own costs what
/// the side it belongs to costs. (Images cost their tokens; their number is not known here.)
pub fn cost(usage: &Usage, pricing: &Pricing) -> Cost {
    let prices = &pricing.table;
    let per_request = prices.request.unwrap_or_default();
    let searches = usage.web_searches.unwrap_or(0);
    let per_search = prices.web_search.unwrap_or_default();

    let prompt = prompt_cost(usage, pricing).saturating_add(per_request);
    let completion =
        completion_cost(usage, pricing).saturating_add(per_search.saturating_mul(searches));
    Cost { total: prompt.saturating_add(completion), prompt, completion }
}

fn prompt_cost(usage: &Usage, pricing: &Pricing) -> PicoUsd {
    let prices = &pricing.table;
    let cache_write = prices.cache_write.unwrap_or(prices.prompt);
    let kinds = [
        (usage.cached, prices.cache_read.unwrap_or(prices.prompt)),
        (usage.cache_write_5m, cache_write),
        (usage.cache_write_1h, prices.cache_write_1h.unwrap_or(cache_write)),
        (usage.audio_prompt, prices.audio.unwrap_or(prices.prompt)),
    ];
    side_cost(usage.prompt, &kinds, prices.prompt)
}

fn completion_cost(usage: &Usage, pricing: &Pricing) -> PicoUsd {
    let prices = &pricing.table;
    let kinds = [(usage.reasoning, prices.reasoning.unwrap_or(prices.completion))];
    side_cost(usage.completion, &kinds, prices.completion)
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
mod tests {
    use super::*;
    use crate::config::PriceTable;
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

    fn total_usd(usage: Usage, table: PriceTable) -> String {
        cost(&usage, &Pricing::new(table)).total.to_string()
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
    fn kinds_without_a_price_cost_what_their_side_costs() {
        let table =
            PriceTable { prompt: price("2"), completion: price("8"), ..PriceTable::default() };
        let usage = Usage {
            prompt: Some(1_000_000),
            cached: Some(600_000),
            cache_write_1h: Some(100_000),
            audio_prompt: Some(50_000),
            completion: Some(1_000_000),
            reasoning: Some(900_000),
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
    fn requests_and_searches_have_fees() {
        let table = PriceTable {
            request: Some("0.005".parse().unwrap()),
            web_search: Some("0.01".parse().unwrap()),
            ..PriceTable::default()
        };
        let usage = Usage { web_searches: Some(3), ..Usage::default() };
        assert_eq!(total_usd(usage, table), "0.035");
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

    fn any_count() -> impl Strategy<Value = Option<u64>> {
        option::of(prop_oneof![0..1000_u64, any::<u64>()])
    }

    prop_compose! {
        fn any_usage()(
            counts in prop::array::uniform9(any_count())
        ) -> Usage {
            let [prompt, completion, cached, cache_write_5m, cache_write_1h, reasoning,
                audio_prompt, audio_completion, web_searches] = counts;
            Usage { prompt, completion, cached, cache_write_5m, cache_write_1h, reasoning,
                audio_prompt, audio_completion, web_searches, ..Usage::default() }
        }
    }

    prop_compose! {
        fn any_table()(
            sides in prop::array::uniform2(any::<u64>()),
            kinds in prop::array::uniform5(option::of(any::<u64>())),
            fees in prop::array::uniform2(option::of(any::<u32>())),
        ) -> PriceTable {
            let [prompt, completion] = sides.map(Price::from_pico_per_token);
            let [cache_read, cache_write, cache_write_1h, reasoning, audio] =
                kinds.map(|kind| kind.map(Price::from_pico_per_token));
            let [request, web_search] =
                fees.map(|fee| fee.map(|fee| PicoUsd::from_pico(i128::from(fee))));
            PriceTable { prompt, completion, cache_read, cache_write, cache_write_1h, reasoning,
                audio, image: None, request, web_search }
        }
    }

    proptest! {
        #[test]
        fn the_sides_add_up_and_nothing_is_negative(usage in any_usage(), table in any_table()) {
            let cost = cost(&usage, &Pricing::new(table));
            prop_assert!(cost.prompt >= PicoUsd::ZERO && cost.completion >= PicoUsd::ZERO);
            prop_assert_eq!(cost.prompt.saturating_add(cost.completion), cost.total);
        }

        #[test]
        fn a_side_costs_between_all_tokens_at_its_lowest_and_its_highest_price(
            usage in any_usage(), table in any_table(),
        ) {
            let table = PriceTable { request: None, ..table };
            let cost = cost(&usage, &Pricing::new(table));
            let prices = [Some(table.prompt), table.cache_read, table.cache_write,
                table.cache_write_1h, table.audio];
            let prices = || prices.into_iter().flatten();
            if let (Some(tokens), Some(low), Some(high)) =
                (usage.prompt, prices().min(), prices().max())
            {
                prop_assert!(low.of(tokens) <= cost.prompt);
                // Five kinds may each stop at the end of the range.
                prop_assert!(cost.prompt <= high.of(tokens));
            }
        }

        #[test]
        fn more_tokens_never_cost_less(
            usage in any_usage(), table in any_table(), more in any::<u32>(),
        ) {
            let more = |count: Option<u64>| count.map(|count| count.saturating_add(more.into()));
            let larger =
                Usage { prompt: more(usage.prompt), completion: more(usage.completion), ..usage };
            let pricing = Pricing::new(table);
            prop_assert!(cost(&usage, &pricing).total <= cost(&larger, &pricing).total);
        }
    }
}
