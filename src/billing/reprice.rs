//! What a recorded request costs at other prices than it was recorded with.
//!
//! Used by `arouter usage reprice`. Tokens are what counts: they are kept, and priced as they would
//! be if the request ended now. A request that was free because nothing came of it stays free.

use super::price;
use crate::catalog::Pricing;
use crate::store::{Generation, Outcome, Repricing};

/// The new cost of a request; `None` if it stays as it is: its prices are these already, or it was
/// not charged for.
pub fn repricing(record: &Generation, pricing: &Pricing) -> Option<Repricing> {
    if record.price_version == pricing.version || !is_charged(record) {
        return None;
    }
    let cost = price::cost(&record.usage, pricing, record.service_tier.as_deref());
    Some(Repricing {
        id: record.id.clone(),
        old_version: record.price_version.clone(),
        new_version: pricing.version.clone(),
        cost_pico_usd: cost.total,
        prompt_cost_pico_usd: cost.prompt,
        completion_cost_pico_usd: cost.completion,
    })
}

/// Whether a request costs what its tokens cost. One without a version had no known price then, or
/// was free; an answer that had tokens was never free.
fn is_charged(record: &Generation) -> bool {
    let was_answered = record.usage.completion.unwrap_or(0) > 0
        || (record.operation == "embeddings" && record.outcome == Outcome::Complete);
    !record.price_version.is_empty() || was_answered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Usage;
    use crate::config::{PriceTable, TierFactors};

    fn pricing() -> Pricing {
        Pricing::new(PriceTable {
            prompt: "3".parse().unwrap(),
            completion: "15".parse().unwrap(),
            factors: TierFactors { flex: Some("0.5".parse().unwrap()), ..TierFactors::default() },
            ..PriceTable::default()
        })
    }

    #[test]
    fn tokens_are_priced_anew_in_the_tier_that_served_them() {
        let mut record = Generation::example("gen-1");
        for (service_tier, pico) in [(None, 132_000_000), (Some("flex"), 66_000_000)] {
            record.service_tier = service_tier.map(str::to_owned);
            let repricing = repricing(&record, &pricing()).unwrap();
            assert_eq!(repricing.cost_pico_usd.pico(), pico);
            assert_eq!((repricing.old_version.as_str(), repricing.id.as_str()), ("1", "gen-1"));
            assert_eq!(repricing.new_version, pricing().version);
        }
    }

    #[test]
    fn what_has_these_prices_already_or_was_free_stays() {
        let mut record = Generation::example("gen-1");
        record.price_version = pricing().version;
        assert_eq!(repricing(&record, &pricing()), None);
        record.price_version = String::new();
        assert!(repricing(&record, &pricing()).is_some(), "its price was not known then");
        record.usage = Usage { prompt: Some(9), completion: Some(0), ..Usage::default() };
        assert_eq!(repricing(&record, &pricing()), None, "it was free");
        record.operation = "embeddings".to_owned();
        assert!(repricing(&record, &pricing()).is_some(), "vectors have no tokens");
    }
}
