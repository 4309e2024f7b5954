//! `price` of an endpoint: what its provider charges.
//!
//! Read by `catalog`, which also reads the built-in prices into it. Only what is written is held;
//! what an omitted price means is decided in `catalog::Pricing`, in one place.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::money::{Factor, PicoUsd, Price};

/// Prices as decimal strings, never floats: `"2.5"`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
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
    /// Audio tokens of the answer, USD per million; omitted: as `completion`.
    #[schemars(with = "Option<String>")]
    pub audio_completion: Option<Price>,
    /// Tokens of produced images, USD per million; omitted: as `completion`.
    #[schemars(with = "Option<String>")]
    pub image_completion: Option<Price>,
    /// One request, USD; omitted: nothing beside the tokens.
    #[schemars(with = "Option<String>")]
    pub request: Option<PicoUsd>,
    /// One web search by the provider, USD; omitted: nothing.
    #[schemars(with = "Option<String>")]
    pub web_search: Option<PicoUsd>,
    /// What tokens cost in other service tiers, compared with the ordinary one.
    pub factors: TierFactors,
    /// Prices of requests with long prompts, shortest bound first. The whole request costs what
    /// the last tier says whose bound its prompt exceeds.
    pub tiers: Vec<PriceTier>,
}

/// Factors on the prices of all tokens, by the service tier that the provider reports: decimal
/// numbers or fractions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TierFactors {
    /// Slower answers; omitted: as the ordinary tier.
    #[schemars(with = "Option<String>")]
    pub flex: Option<Factor>,
    /// Faster answers; omitted: as the ordinary tier.
    #[schemars(with = "Option<String>")]
    pub priority: Option<Factor>,
    /// Answers within a day; omitted: as the ordinary tier.
    #[schemars(with = "Option<String>")]
    pub batch: Option<Factor>,
}

/// Prices of requests whose prompt is longer than a bound, USD per million tokens. None may be
/// below what shorter prompts cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceTier {
    /// Tokens of the prompt, cached ones included, above which these prices hold.
    pub above_prompt_tokens: u64,
    /// Prompt tokens; omitted: as with shorter prompts.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub prompt: Option<Price>,
    /// Completion tokens; omitted: as with shorter prompts.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub completion: Option<Price>,
    /// Prompt tokens read from the cache; omitted: as with shorter prompts.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub cache_read: Option<Price>,
    /// Prompt tokens written to the cache for five minutes; omitted: as with shorter prompts.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub cache_write: Option<Price>,
    /// Prompt tokens written to the cache for an hour; omitted: as with shorter prompts.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub cache_write_1h: Option<Price>,
    /// Reasoning tokens; omitted: as with shorter prompts.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub reasoning: Option<Price>,
    /// Audio tokens of the prompt; omitted: as with shorter prompts.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub audio: Option<Price>,
    /// Audio tokens of the answer; omitted: as with shorter prompts.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub audio_completion: Option<Price>,
    /// Tokens of produced images; omitted: as with shorter prompts.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub image_completion: Option<Price>,
}
