//! `[models.<name>]`, `[aliases]` and `[defaults]`: what can be asked for, and who serves it.
//!
//! Read by `catalog` and `routing`. An entry here overrides the built-in catalog.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::RateLimit;
use super::prices::PriceTable;

/// What a request gets that does not say it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DefaultsConfig {
    /// The provider a bare model name goes to.
    pub provider: Option<String>,
    /// The model of a request that names none.
    pub model: Option<String>,
}

/// One model: overrides the built-in catalog, or adds to it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Who serves it, in order of preference; omitted: the provider of the name's prefix.
    pub endpoints: Option<Vec<EndpointConfig>>,
    /// Tokens of prompt and answer together.
    pub context_length: Option<u64>,
    /// Most tokens of one answer.
    pub max_completion_tokens: Option<u64>,
    /// What all keys together may ask of it; omitted: not limited.
    pub rate_limit: RateLimit,
}

/// A model as one provider serves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointConfig {
    /// Name or alias of a configured provider.
    pub provider: String,
    /// The provider's own name of the model; omitted: the name without its prefix.
    #[serde(default)]
    pub upstream_model: Option<String>,
    /// What it costs; omitted: the built-in catalog's price.
    #[serde(default)]
    pub price: Option<PriceTable>,
}
