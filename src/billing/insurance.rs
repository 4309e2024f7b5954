//! What an answer is charged for, by how it ended.
//!
//! Used by `proxy/settle.rs` for the record and by the cost told inside an answer, so that both
//! say the same. An answer that failed on the provider's side before the first token is free, as
//! is an empty one without a reason or one withheld whole; a client that leaves, or that allows
//! next to no tokens, pays for its prompt. What the provider counted is never guessed: a count of
//! zero is zero, and only what is missing is estimated, and marked.

use super::price::{self, Cost};
use crate::catalog::Pricing;
use crate::chat::{FinishReason, Usage};
use crate::formats::Observed;
use crate::usage::Outcome;

/// Bytes of English text per token, for providers that report no counts.
const BYTES_PER_TOKEN: u64 = 4;

/// What an answer is charged for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bill {
    /// Tokens to record; those of a free answer are what the provider said of it.
    pub usage: Usage,
    /// Whether any of the counts is the gateway's own.
    pub is_estimated: bool,
    /// Whether the answer costs nothing, whatever its tokens.
    pub is_free: bool,
}

impl Bill {
    /// The bill of an answer that ended so, to a request of `prompt_bytes` bytes.
    pub fn of(outcome: Outcome, observed: &Observed, prompt_bytes: u64) -> Self {
        if is_insured(outcome, observed) {
            // Counts of an answer that nobody got would be the caller's for nothing.
            let was_told = outcome == Outcome::Complete;
            let usage = if was_told { observed.usage } else { Usage::default() };
            return Self { usage, is_estimated: false, is_free: true };
        }
        let mut usage = observed.usage;
        let mut is_estimated = usage.prompt.is_none();
        usage.prompt = usage.prompt.or(Some(tokens_in(prompt_bytes)));
        let uncounted = match usage.completion {
            None => observed.content_bytes,
            Some(_) if outcome == Outcome::Complete || observed.ended => 0,
            Some(_) => observed.content_bytes.saturating_sub(observed.counted_bytes),
        };
        is_estimated |= uncounted > 0;
        let counted = usage.completion.unwrap_or(0);
        usage.completion = Some(counted.saturating_add(tokens_in(uncounted)));
        Self { usage, is_estimated, is_free: false }
    }

    /// The bill of a prompt of which nothing more is known than that it was sent.
    pub fn of_prompt(prompt_bytes: u64) -> Self {
        let usage = Usage { prompt: Some(tokens_in(prompt_bytes)), ..Usage::default() };
        Self { usage, is_estimated: true, is_free: false }
    }

    /// What it comes to; nothing where no price is known.
    /// `service_tier` is the tier it was served in, in the provider's word.
    pub fn cost(&self, pricing: Option<&Pricing>, service_tier: Option<&str>) -> Cost {
        match pricing {
            Some(pricing) if !self.is_free => price::cost(&self.usage, pricing, service_tier),
            _ => Cost::default(),
        }
    }
}

/// Whether nothing is charged: no token came, and that is not the client's doing.
fn is_insured(outcome: Outcome, observed: &Observed) -> bool {
    if observed.saw_content {
        return false;
    }
    match outcome {
        Outcome::Complete => is_empty(observed),
        Outcome::Cancelled => !has_begun(observed) || (observed.ended && is_empty(observed)),
        Outcome::Partial | Outcome::Failed | Outcome::Abandoned => true,
    }
}

/// Whether the provider ended an answer without a token, and named no reason or a failure, or
/// withheld all of it. Every decoder keeps the provider's word for the reason if there is one; an
/// answer without one reads as stopped.
fn is_empty(observed: &Observed) -> bool {
    let word = observed.native_finish.as_deref().unwrap_or_default();
    let is_excused = match observed.finish {
        None | Some(FinishReason::Error | FinishReason::ContentFilter) => true,
        Some(FinishReason::Stop | FinishReason::Length | FinishReason::ToolCalls) => {
            word.is_empty()
        }
    };
    observed.usage.completion.unwrap_or(0) == 0 && is_excused
}

/// Whether anything of the answer came, which means that the provider read the prompt.
fn has_begun(observed: &Observed) -> bool {
    observed.ended
        || observed.upstream_id.is_some()
        || observed.finish.is_some()
        || !observed.usage.is_missing()
}

fn tokens_in(bytes: u64) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN)
}

#[cfg(test)]
mod tests;
