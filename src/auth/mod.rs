//! Who calls: from the credential in a request to a proven key.
//!
//! The answer comes from memory alone: keys of the configuration file live in the snapshot, keys
//! of the store in a table that a background task keeps current. Unknown credentials are
//! remembered for a while, so that a client that repeats a wrong key costs one map read.

pub mod api_key;
pub mod credential;
pub mod key_table;

pub use api_key::{ApiKey, KeyKind};
pub use credential::Credential;
pub use key_table::KeyTable;

use crate::clock::Clock;
use crate::error::{GatewayError, Kind};
use arc_swap::ArcSwap;
use std::sync::Arc;

/// Answers who a credential belongs to.
#[derive(Debug)]
pub struct Authenticator {
    stored: ArcSwap<KeyTable>,
    unknown: moka::sync::Cache<[u8; 32], ()>,
    clock: Clock,
}

/// Bound of the negative cache; one entry is a hash.
const MAX_REMEMBERED_UNKNOWN_KEYS: u64 = 100_000;
/// How long an unknown credential is remembered.
const UNKNOWN_KEY_TTL: std::time::Duration = std::time::Duration::from_mins(1);

impl Authenticator {
    /// An authenticator that knows no stored key yet.
    pub fn new(clock: Clock) -> Self {
        Self {
            stored: ArcSwap::from_pointee(KeyTable::default()),
            unknown: moka::sync::Cache::builder()
                .max_capacity(MAX_REMEMBERED_UNKNOWN_KEYS)
                .time_to_live(UNKNOWN_KEY_TTL)
                .build(),
            clock,
        }
    }

    /// Replaces the keys that come from the store; effective for the next request.
    pub fn replace_stored(&self, table: KeyTable) {
        self.stored.store(Arc::new(table));
        self.unknown.invalidate_all();
    }

    /// Forgets which credentials were unknown, after the file's keys changed.
    pub fn forget_unknown(&self) {
        self.unknown.invalidate_all();
    }

    /// The key behind a credential: keys of the file first, then those of the store.
    ///
    /// Unknown, disabled and expired keys get the same answer, so that it tells nothing about
    /// which keys exist.
    pub fn identify(
        &self,
        file_keys: &KeyTable,
        credential: Option<&Credential>,
    ) -> Result<Arc<ApiKey>, GatewayError> {
        let Some(credential) = credential else {
            return Err(GatewayError::client(
                Kind::Authentication,
                "missing or invalid Authorization header",
            ));
        };
        let hash = crate::id::key_hash(credential.token());
        if self.unknown.contains_key(&hash) {
            return Err(invalid_key());
        }
        let found = file_keys.find(&hash).or_else(|| self.stored.load().find(&hash));
        let Some(key) = found else {
            self.unknown.insert(hash, ());
            return Err(invalid_key());
        };
        if key.is_usable(self.clock.unix_ms()) { Ok(key) } else { Err(invalid_key()) }
    }
}

fn invalid_key() -> GatewayError {
    GatewayError::client(Kind::Authentication, "invalid api key")
}
