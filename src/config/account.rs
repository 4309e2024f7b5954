//! `[account]`: the balance all spending is taken from.
//!
//! Read by `billing`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::money::PicoUsd;

/// Prepaid or postpaid.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AccountConfig {
    /// Money on the account when the store is made, in USD; omitted: postpaid, the balance is not
    /// checked.
    #[schemars(with = "Option<String>")]
    pub opening_balance_usd: Option<PicoUsd>,
}
