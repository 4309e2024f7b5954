//! The keys of the store, as the authenticator knows them: a table that is patched key by key.
//!
//! Read by every request, without a lock; written by [`super::KeyBook`] alone. Split by the first
//! byte of the hash, so that a change copies one part in 256 of the table and not all of it.

use super::api_key::ApiKey;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::Arc;
use subtle::ConstantTimeEq;

type Shard = HashMap<[u8; 32], Arc<ApiKey>>;

/// Keys by SHA-256 of their secret.
#[derive(Debug)]
pub(super) struct StoredKeys {
    shards: Vec<ArcSwap<Shard>>,
}

/// One for every first byte of a hash.
const SHARDS: usize = 256;

impl Default for StoredKeys {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| ArcSwap::default()).collect() }
    }
}

impl StoredKeys {
    /// The key with this hash, compared in constant time.
    pub(super) fn find(&self, hash: &[u8; 32]) -> Option<Arc<ApiKey>> {
        let shard = self.shard(hash)?.load();
        let key = shard.get(hash)?;
        bool::from(key.hash.ct_eq(hash)).then(|| Arc::clone(key))
    }

    /// All keys.
    pub(super) fn all(&self) -> Vec<Arc<ApiKey>> {
        let shards = self.shards.iter().map(ArcSwap::load);
        shards.flat_map(|shard| shard.values().cloned().collect::<Vec<_>>()).collect()
    }

    /// Adds a key, or replaces the one with its hash.
    pub(super) fn put(&self, key: ApiKey) {
        let key = Arc::new(key);
        if let Some(shard) = self.shard(&key.hash) {
            shard.rcu(|present| {
                let mut next = Shard::clone(present);
                next.insert(key.hash, Arc::clone(&key));
                next
            });
        }
    }

    /// Takes a key out.
    pub(super) fn remove(&self, hash: &[u8; 32]) {
        if let Some(shard) = self.shard(hash) {
            shard.rcu(|present| {
                let mut next = Shard::clone(present);
                next.remove(hash);
                next
            });
        }
    }

    /// Replaces all keys.
    pub(super) fn replace(&self, keys: impl IntoIterator<Item = ApiKey>) {
        let mut next: Vec<Shard> = vec![Shard::new(); SHARDS];
        for key in keys {
            if let Some(shard) = next.get_mut(Self::index(&key.hash)) {
                shard.insert(key.hash, Arc::new(key));
            }
        }
        for (shard, next) in self.shards.iter().zip(next) {
            shard.store(Arc::new(next));
        }
    }

    fn shard(&self, hash: &[u8; 32]) -> Option<&ArcSwap<Shard>> {
        self.shards.get(Self::index(hash))
    }

    fn index(hash: &[u8; 32]) -> usize {
        let [first, ..] = hash;
        usize::from(*first)
    }
}
