//! Amounts of money in JSON: exact decimal numbers, written from integers.
//!
//! Used by every reply that shows money. No float is involved, so a reader that keeps decimals
//! exactly sees every digit.

use crate::money::PicoUsd;
use serde::ser::{Error, Serialize, Serializer};
use serde_json::value::RawValue;

/// An amount that serialises as a JSON number of US dollars. For JSON only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usd(pub PicoUsd);

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.to_string()).map_err(S::Error::custom)?.serialize(serializer)
    }
}
