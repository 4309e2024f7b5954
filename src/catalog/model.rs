//! A model and the endpoints that serve it.

use super::{Abilities, ParameterSet, Pricing};
use crate::config::{DataPolicy, Quantization, RateLimit};
use std::sync::Arc;

/// What may stand behind the name of every model, after a colon.
pub const VARIANTS: [&str; 4] = ["nitro", "floor", "exacto", "thinking"];

/// A model clients can name.
#[derive(Debug, Clone)]
pub struct Model {
    /// `author/model`, as clients name it.
    pub id: Arc<str>,
    /// Who serves it, in the operator's order.
    pub endpoints: Vec<Endpoint>,
    /// Prompt plus answer, in tokens.
    pub context_length: Option<u64>,
    /// Longest answer, in tokens.
    pub max_completion_tokens: Option<u64>,
    /// What all callers together may ask of it.
    pub rate_limit: RateLimit,
    /// Whether its maker lets other models learn from what it writes; `None` = not known.
    pub distillable: Option<bool>,
}

/// One model at one provider.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Slug of the provider.
    pub provider: Arc<str>,
    /// The provider's own name of the model.
    pub upstream_model: Arc<str>,
    /// What it costs; `None` = not known.
    pub pricing: Option<Arc<Pricing>>,
    /// Prompt plus answer there, in tokens.
    pub context_length: Option<u64>,
    /// Longest answer there, in tokens.
    pub max_completion_tokens: Option<u64>,
    /// How exact its weights are.
    pub quantization: Quantization,
    /// What becomes of prompts there; `None` = as at the provider's other endpoints.
    pub data_policy: Option<DataPolicy>,
    /// What the model can.
    pub abilities: Abilities,
    /// The parameters it takes, if the operator says so; `None` = as its provider's format and the
    /// model's abilities suggest.
    pub parameters: Option<ParameterSet>,
}
