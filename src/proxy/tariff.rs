//! What an answer of one endpoint costs, as it is told inside the answer.
//!
//! Made by `exchange` for the formats that tell a cost. It bills exactly as `settle` does, so that
//! the answer and its record say the same; an answer without a known price costs nothing.

use crate::billing::Bill;
use crate::catalog::Pricing;
use crate::formats::Observed;
use crate::formats::charge::{Charge, Charges};
use crate::routing::Candidate;
use crate::usage::Outcome;
use std::sync::Arc;

/// The prices of one endpoint, for one request.
#[derive(Debug)]
pub struct Tariff {
    pricing: Option<Arc<Pricing>>,
    prompt_bytes: u64,
    is_byok: bool,
}

impl Tariff {
    /// For the answer of `candidate` to a request of `prompt_bytes` bytes.
    pub fn new(candidate: &Candidate, prompt_bytes: usize) -> Self {
        let prompt_bytes = u64::try_from(prompt_bytes).unwrap_or(u64::MAX);
        let (pricing, is_byok) = (candidate.pricing.clone(), candidate.provider.byok);
        Self { pricing, prompt_bytes, is_byok }
    }
}

impl Charges for Tariff {
    fn charge(&self, observed: &Observed) -> Charge {
        let bill = Bill::of(Outcome::Complete, observed, self.prompt_bytes);
        let cost = bill.cost(self.pricing.as_deref(), observed.service_tier.as_deref());
        Charge {
            usage: bill.usage,
            total: cost.total,
            prompt: cost.prompt,
            completion: cost.completion,
            is_byok: self.is_byok,
        }
    }
}
