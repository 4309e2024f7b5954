//! `[media]`: pictures and files that a request names by address.
//!
//! Read by `proxy::media`, which fetches them where a provider only takes bytes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Fetching what a request names by address, for providers that only take bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MediaConfig {
    /// Whether anything is fetched; without it such a request is answered with 400.
    pub fetch: bool,
    /// Hosts that may be asked, `*.example.com` for all below a name; these also by plain http.
    /// Omitted: every public one, by https.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_hosts: Option<Vec<String>>,
    /// Whether a host may have a private or loopback address; it has to be among `allowed_hosts`.
    pub private_network: bool,
    /// Largest file in bytes.
    pub max_bytes: usize,
    /// Time in which all files of a request must have arrived, in seconds.
    pub timeout_s: u64,
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            fetch: true,
            allowed_hosts: None,
            private_network: false,
            max_bytes: 20 * 1024 * 1024,
            timeout_s: 5,
        }
    }
}
