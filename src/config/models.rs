//! `[models.<name>]`, `[aliases]` and `[defaults]`: what can be asked for, and who serves it.
//!
//! Read by `catalog` and `routing`. An entry here overrides the built-in catalog.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::RateLimit;
use crate::money::{PicoUsd, Price};

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
    /// What all keys together may ask of it; omitted: not limited. Not enforced by this version.
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

/// Prices as decimal strings, never floats: `"2.5"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PriceTable {
    /// Prompt tokens, USD per million.
    #[schemars(with = "String")]
    pub prompt: Price,
    /// Completion tokens, USD per million.
    #[schemars(with = "String")]
    pub completion: Price,
    /// Prompt tokens read from the provider's cache, USD per million; omitted: as `prompt`.
    #[schemars(with = "Option<String>")]
    pub cache_read: Option<Price>,
    /// Prompt tokens written to the cache for five minutes, USD per million; omitted: as `prompt`.
    #[schemars(with = "Option<String>")]
    pub cache_write: Option<Price>,
    /// Prompt tokens written to the cache for an hour, USD per million; omitted: as `cache_write`.
    #[schemars(with = "Option<String>")]
    pub cache_write_1h: Option<Price>,
    /// Reasoning tokens, USD per million; omitted: as `completion`.
    #[schemars(with = "Option<String>")]
    pub reasoning: Option<Price>,
    /// Audio tokens of the prompt, USD per million; omitted: as `prompt`.
    #[schemars(with = "Option<String>")]
    pub audio: Option<Price>,
    /// One image of the prompt, USD; omitted: images cost only their tokens. Not
    /// charged by this version.
    #[schemars(with = "Option<String>")]
    pub image: Option<PicoUsd>,
    /// One request, USD; omitted: nothing beside the tokens.
    #[schemars(with = "Option<String>")]
    pub request: Option<PicoUsd>,
    /// One web search by the provider, USD; omitted: nothing.
    #[schemars(with = "Option<String>")]
    pub web_search: Option<PicoUsd>,
}
