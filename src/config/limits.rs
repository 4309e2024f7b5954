//! `rate_limit` of a key: requests, tokens and requests at once.
//!
//! Read by `limits`. Windows are fixed: the minute and the day of UTC.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rate limits; what is omitted is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimit {
    /// Requests in a minute.
    pub requests_per_minute: Option<u64>,
    /// Requests in a day.
    pub requests_per_day: Option<u64>,
    /// Prompt and completion tokens in a minute.
    pub tokens_per_minute: Option<u64>,
    /// Requests running at once.
    pub concurrent: Option<u64>,
}
