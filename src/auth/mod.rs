//! Who calls: from the credential in a request to a proven key.
//!
//! The answer comes from memory alone: keys of the configuration file live in the snapshot, keys
//! of the store in a table that the [`KeyBook`] keeps current. Unknown credentials are
//! remembered for a while, so that a client that repeats a wrong key costs one map read.

pub mod api_key;
pub mod credential;
pub mod key_book;
pub mod key_table;
mod stored_keys;

pub use api_key::{ApiKey, KeyKind};
pub use credential::Credential;
pub use key_book::{Change, KeyBook, Turn};
pub use key_table::KeyTable;

use crate::error::{GatewayError, Kind};
use crate::limits::Meters;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stored_keys::StoredKeys;

/// Answers who a credential belongs to.
#[derive(Debug)]
pub struct Authenticator {
    stored: StoredKeys,
    /// Hashes that were not found, each with the generation of the tables that was looked at.
    unknown: moka::sync::Cache<[u8; 32], u64>,
    generation: AtomicU64,
    /// Tells the time that keys end by: it does not jump, so that a clock put back for a moment
    /// revives no key.
    meters: Arc<Meters>,
}

/// Bound of the negative cache; one entry is a hash.
const MAX_REMEMBERED_UNKNOWN_KEYS: u64 = 100_000;
/// How long an unknown credential is remembered.
const UNKNOWN_KEY_TTL: std::time::Duration = std::time::Duration::from_mins(1);

impl Authenticator {
    /// An authenticator that knows no stored key yet, and goes by the time of `meters`.
    pub fn new(meters: Arc<Meters>) -> Self {
        Self {
            stored: StoredKeys::default(),
            unknown: moka::sync::Cache::builder()
                .max_capacity(MAX_REMEMBERED_UNKNOWN_KEYS)
                .time_to_live(UNKNOWN_KEY_TTL)
                .build(),
            generation: AtomicU64::new(0),
            meters,
        }
    }

    /// Changes the keys that come from the store; effective for the next request.
    fn change_stored(&self, change: impl FnOnce(&StoredKeys)) {
        change(&self.stored);
        // After the change: what a request remembers of the old table no longer counts.
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// The keys that come from the store.
    pub fn stored_keys(&self) -> Vec<Arc<ApiKey>> {
        self.stored.all()
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
        let generation = self.generation.load(Ordering::Acquire);
        let Some(key) = file_keys.find(&hash).or_else(|| self.find_stored(&hash, generation))
        else {
            self.unknown.insert(hash, generation);
            return Err(invalid_key());
        };
        if key.is_usable(self.meters.now_ms()) { Ok(key) } else { Err(invalid_key()) }
    }

    /// The stored key, unless this generation of the table is known not to have it. A key of the
    /// file is never looked up here, so that a reload needs to tell nobody.
    fn find_stored(&self, hash: &[u8; 32], generation: u64) -> Option<Arc<ApiKey>> {
        if self.unknown.get(hash) == Some(generation) {
            return None;
        }
        self.stored.find(hash)
    }
}

fn invalid_key() -> GatewayError {
    GatewayError::client(Kind::Authentication, "invalid api key")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::limits::SteadyClock;

    fn key(secret: &str, disabled: bool) -> ApiKey {
        let key = ApiKey::example(secret);
        ApiKey { disabled, ..key }
    }

    fn authenticator() -> Authenticator {
        Authenticator::new(Arc::new(Meters::new(SteadyClock::new(Clock::System))))
    }

    fn presented(secret: &str) -> Option<Credential> {
        let mut headers = http::HeaderMap::new();
        headers.insert("x-api-key", secret.parse().unwrap());
        Credential::find(&headers, None).unwrap()
    }

    #[test]
    fn an_unknown_key_works_as_soon_as_it_is_made() {
        let authenticator = authenticator();
        let file = KeyTable::default();
        let credential = presented("made-later");
        assert!(authenticator.identify(&file, credential.as_ref()).is_err());
        authenticator.change_stored(|table| table.put(key("made-later", false)));
        assert!(authenticator.identify(&file, credential.as_ref()).is_ok());
        authenticator.change_stored(|table| table.put(key("made-later", true)));
        assert!(authenticator.identify(&file, credential.as_ref()).is_err());
    }

    #[test]
    fn a_key_that_enters_the_file_is_not_held_back_by_what_was_remembered() {
        let authenticator = authenticator();
        let credential = presented("in-the-file");
        assert!(authenticator.identify(&KeyTable::default(), credential.as_ref()).is_err());
        let file = KeyTable::new([key("in-the-file", false)]);
        assert!(authenticator.identify(&file, credential.as_ref()).is_ok());
    }

    #[test]
    fn every_refusal_reads_the_same() {
        let authenticator = authenticator();
        let mut expired = key("expired", false);
        expired.expires_at_ms = Some(1);
        let file = KeyTable::new([key("disabled", true), expired]);
        let answers: Vec<String> = ["unknown", "disabled", "expired"]
            .iter()
            .map(|secret| {
                let credential = presented(secret);
                authenticator.identify(&file, credential.as_ref()).unwrap_err().to_string()
            })
            .collect();
        assert_eq!(answers, ["invalid api key"; 3]);
    }
}
