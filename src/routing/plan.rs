//! The ordered choices for one request.

use crate::catalog::{Abilities, ParameterSet, Pricing};
use crate::config::{DataPolicy, Quantization, RateLimit};
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
    /// Longest answer of the endpoint, in tokens.
    pub max_completion_tokens: Option<u64>,
    /// How exact its weights are.
    pub quantization: Quantization,
    /// What becomes of prompts there.
    pub data_policy: DataPolicy,
    /// Whether other models may learn from what it writes; `None` = not known.
    pub distillable: Option<bool>,
    /// What the model can.
    pub abilities: Abilities,
    /// The parameters it takes, as far as that is known beforehand.
    pub parameters: ParameterSet,
    /// What all callers together may ask of the model.
    pub rate_limit: RateLimit,
}

impl Candidate {
    /// A provider alone, asked for nothing that is a model.
    pub fn opaque(provider: &Arc<Provider>) -> Self {
        Self {
            provider: Arc::clone(provider),
            upstream_model: "".into(),
            canonical: "".into(),
            configured: false,
            pricing: None,
            context_length: None,
            max_completion_tokens: None,
            quantization: Quantization::default(),
            data_policy: provider.data_policy,
            distillable: None,
            abilities: Abilities::default(),
            parameters: ParameterSet::all(),
            rate_limit: RateLimit::default(),
        }
    }

    /// Wire format in which it is asked and answers.
    pub fn format(&self) -> ApiFormat {
        self.provider.format(&self.upstream_model)
    }
}

/// Candidates in the order in which they are tried; never empty.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The candidates.
    pub candidates: Vec<Arc<Candidate>>,
}
