//! The ordered choices for one request.

use crate::catalog::Pricing;
use crate::config::RateLimit;
use crate::formats::ApiFormat;
use crate::providers::Provider;
use std::sync::Arc;

/// One endpoint that may serve the request.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Who would serve it.
    pub provider: Arc<Provider>,
    /// The provider's own name of the model.
    pub upstream_model: Arc<str>,
    /// `provider/model`: the name in records, allow-lists and answers.
    pub canonical: Arc<str>,
    /// True when `canonical` is named by the configuration, so that it may label a metric.
    pub configured: bool,
    /// What it costs; `None` = not known.
    pub pricing: Option<Arc<Pricing>>,
    /// Prompt plus answer, in tokens.
    pub context_length: Option<u64>,
    /// Longest answer of the model, in tokens.
    pub max_completion_tokens: Option<u64>,
    /// What all callers together may ask of the model.
    pub rate_limit: RateLimit,
}

impl Candidate {
    /// Wire format in which it is asked and answers.
    pub fn format(&self) -> ApiFormat {
        self.provider.format(&self.upstream_model)
    }
}

/// Candidates in the order in which they are tried; never empty.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The candidates.
    pub candidates: Vec<Candidate>,
}
