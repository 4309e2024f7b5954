//! An immutable set of keys, found by the hash of their secret.
//!
//! Built whole and swapped whole: a reader never waits for a writer.

use super::api_key::ApiKey;
use std::collections::HashMap;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Keys by SHA-256 of their secret.
#[derive(Debug, Default)]
pub struct KeyTable {
    by_hash: HashMap<[u8; 32], Arc<ApiKey>>,
}

impl KeyTable {
    /// A table of these keys; of two with the same secret the first stays.
    pub fn new(keys: impl IntoIterator<Item = ApiKey>) -> Self {
        let mut by_hash = HashMap::new();
        for key in keys {
            by_hash.entry(key.hash).or_insert_with(|| Arc::new(key));
        }
        Self { by_hash }
    }

    /// The key with this hash. The map compares digests, which an attacker cannot steer byte by
    /// byte; the constant-time comparison keeps that true whatever the map does.
    pub fn find(&self, hash: &[u8; 32]) -> Option<Arc<ApiKey>> {
        let key = self.by_hash.get(hash)?;
        bool::from(key.hash.ct_eq(hash)).then(|| Arc::clone(key))
    }

    /// All keys.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ApiKey>> {
        self.by_hash.values()
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }
}
