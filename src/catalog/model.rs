//! A model and the endpoints that serve it.

use super::pricing::Pricing;
use crate::config::RateLimit;
use std::sync::Arc;

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
    /// Longest answer there, in tokens.
    pub max_completion_tokens: Option<u64>,
}
