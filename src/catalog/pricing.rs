//! What an endpoint charges, with the name of the price list it comes from.

use crate::config::PriceTable;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Prices of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pricing {
    /// The prices.
    pub table: PriceTable,
    /// Identifies these prices in records: equal prices have equal versions.
    pub version: String,
}

impl Pricing {
    /// Prices of the configuration.
    pub fn new(table: PriceTable) -> Self {
        let digest = Sha256::digest(format!("{table:?}").as_bytes());
        let mut version = String::from("config-");
        for byte in digest.iter().take(6) {
            // Writing to a String cannot fail.
            write!(version, "{byte:02x}").unwrap_or_default();
        }
        Self { table, version }
    }
}
