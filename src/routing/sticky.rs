//! Sticky routing: the next request of a conversation goes where its prompt is cached.
//!
//! `proxy` asks before it plans and notes each success. The table outlives reloads, holds at most
//! [`MAX_ENTRIES`], never blocks, and is only ever a preference: an endpoint that is gone or ill is
//! not found among the candidates, and the next best is taken.

use super::conversation::{Conversation, Turn};
use moka::sync::Cache;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most conversations that are known at a time; about 370 bytes each.
pub const MAX_ENTRIES: u64 = 50_000;
/// How long a conversation is remembered after its last success.
pub const IDLE: Duration = Duration::from_mins(10);

/// The endpoints that conversations stay with.
#[derive(Debug)]
pub struct StickyTable {
    table: Cache<Slot, Arc<Entry>>,
    /// Drawn at the start: clients cannot choose conversations that collide.
    hashing: RandomState,
}

/// Account, model and conversation of one request.
#[derive(Debug, Clone, Copy)]
pub struct StickyKey {
    slot: Slot,
    /// Whether the client named the conversation: then it stays after any success.
    is_named: bool,
}

/// Accounts never share a slot; a collision within one only costs a cache hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Slot {
    account: [u8; 16],
    conversation: u64,
}

#[derive(Debug)]
struct Entry {
    kept: Kept,
    at: Instant,
}

/// The endpoint a conversation stays with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Slug of the provider.
    pub provider: Arc<str>,
    /// The provider's own name of the model.
    pub upstream_model: Arc<str>,
    /// The model as the configuration names it, for requests that left the model to the gateway.
    pub model: Arc<str>,
}

impl Default for StickyTable {
    fn default() -> Self {
        Self {
            table: Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(IDLE).build(),
            hashing: RandomState::new(),
        }
    }
}

impl StickyTable {
    /// The key of a request: `account` is the hash of the caller's key, `model` what the client
    /// asked for. `None` if nothing tells its conversation. Costs some microseconds: only worth it
    /// where there is a choice.
    pub fn key(&self, account: &[u8; 32], model: &str, turn: &Turn<'_>) -> Option<StickyKey> {
        turn.conversation().map(|conversation| self.key_of(account, model, &conversation))
    }

    fn key_of(
        &self,
        account: &[u8; 32],
        model: &str,
        conversation: &Conversation<'_>,
    ) -> StickyKey {
        let mut hasher = self.hashing.build_hasher();
        hasher.write_usize(model.len());
        hasher.write(model.as_bytes());
        conversation.hash_into(&mut hasher);
        let (account, _) = account.split_first_chunk().unwrap_or((&[0; 16], &[]));
        let slot = Slot { account: *account, conversation: hasher.finish() };
        StickyKey { slot, is_named: conversation.is_named() }
    }

    /// Where the conversation was served last, if that was within [`IDLE`]. Asking refreshes
    /// nothing.
    pub fn choice(&self, key: &StickyKey, now: Instant) -> Option<Kept> {
        let entry = self.table.get(&key.slot)?;
        let idle = now.saturating_duration_since(entry.at);
        (idle < IDLE).then(|| entry.kept.clone())
    }

    /// Notes that an endpoint answered which charges less for cached tokens, and how many of them
    /// it read from its cache. A conversation that the client named stays from now on; another one
    /// when its cache was hit, and as long as it goes on at the same endpoint.
    pub fn note(&self, key: &StickyKey, kept: Kept, cached_tokens: u64, now: Instant) {
        let stays = key.is_named
            || cached_tokens > 0
            || self.choice(key, now).is_some_and(|before| before == kept);
        if stays {
            self.table.insert(key.slot, Arc::new(Entry { kept, at: now }));
        }
    }

    /// How many conversations are known; those that ran out may be counted for a while.
    pub fn len(&self) -> u64 {
        self.table.run_pending_tasks();
        self.table.entry_count()
    }

    /// Whether no conversation is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
