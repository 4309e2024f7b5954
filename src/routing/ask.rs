//! What the planner is told of a request.
//!
//! Made by `proxy::admit`; plain data, so that every decision can be tried in a test.

use super::preferences::Preferences;
use crate::catalog::ParameterSet;
use crate::formats::ApiFormat;

/// One request as the planner sees it.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Names of models in the order of the request: `model`, then `models`.
    pub models: &'a [&'a str],
    /// Format of the endpoint that was called when bare names belong to that vendor.
    pub home: Option<ApiFormat>,
    /// What it wishes of its providers; `route` is in here too.
    pub preferences: &'a Preferences,
    /// The parameters it sets, by OpenAI's names whatever its format calls them.
    pub parameters: ParameterSet,
    /// Its body. Looked into only when the answer decides something.
    pub body: &'a [u8],
    /// Tokens its prompt will probably have, for weighing prices.
    pub prompt_tokens: u64,
    /// Tokens its answer will probably have, for weighing prices.
    pub completion_tokens: u64,
    /// Longest answer it allows, in tokens.
    pub completion_cap: Option<u64>,
    /// The endpoint that served the conversation last.
    pub sticky: Option<Sticky<'a>>,
}

/// The endpoint that served a conversation last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sticky<'a> {
    /// Slug of the provider.
    pub provider: &'a str,
    /// The provider's own name of the model.
    pub upstream_model: &'a str,
}

impl<'a> Ask<'a> {
    /// A request for these models with these wishes and nothing else.
    pub fn new(models: &'a [&'a str], preferences: &'a Preferences) -> Self {
        Self {
            models,
            home: None,
            preferences,
            parameters: ParameterSet::NONE,
            body: &[],
            prompt_tokens: 0,
            completion_tokens: 0,
            completion_cap: None,
            sticky: None,
        }
    }
}
