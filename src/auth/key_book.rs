//! The one writer of stored keys in this process: what it changes in the store is in force for the
//! next request.
//!
//! Used by the management API, and by the background task that follows changes of other processes.
//! Both take turns: a change is committed and patched into the authenticator's table in one turn,
//! and a table read from the store is put in force in the turn in which it was read, so that no
//! older table can ever replace a newer key.

use super::Authenticator;
use super::api_key::{ApiKey, hash_from_hex};
use super::stored_keys::StoredKeys;
use crate::limits::{Meters, PeriodSpan, Terms};
use crate::money::PicoUsd;
use crate::store::{Credit, KeyRecord, RememberedAnswer, Store, StoreError, Write};
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};

/// Keeps the authenticator's stored keys as the store has them.
#[derive(Debug)]
pub struct KeyBook {
    store: Store,
    authenticator: Arc<Authenticator>,
    meters: Arc<Meters>,
    turn: Mutex<State>,
}

/// What only the one whose turn it is may know and change.
#[derive(Debug, Default)]
struct State {
    /// The version of the keys that the table has.
    version: Option<i64>,
    /// When old answers were last thrown away, Unix milliseconds.
    tidied_ms: i64,
}

impl KeyBook {
    /// A book of the keys in `store`, of which the authenticator knows none yet.
    pub fn new(store: Store, authenticator: Arc<Authenticator>, meters: Arc<Meters>) -> Self {
        Self { store, authenticator, meters, turn: Mutex::default() }
    }

    /// The counters of the account and of the keys.
    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Reads all keys if another process changed any since the last look. True if it did.
    pub async fn follow(&self) -> Result<bool, StoreError> {
        let mut state = self.turn.lock().await;
        // Before the keys: what changes between the two is read now and looked at again.
        let version = self.store.keys_version().await?;
        if state.version == Some(version) {
            return Ok(false);
        }
        let keys = self.store.keys().await?;
        self.authenticator.change_stored(|table| {
            table.replace(keys.iter().filter_map(|key| ApiKey::of(key, &self.meters)));
        });
        state.version = Some(version);
        Ok(true)
    }

    /// Takes over what credits the store has, those of other processes included. Once there was
    /// one, the account is prepaid.
    pub async fn follow_credits(&self) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        if self.store.has_credits().await? {
            let account = self.meters.account();
            account.set_granted(self.store.credits_total().await?);
            account.set_terms(Terms::Prepaid);
        }
        Ok(())
    }

    /// What a changed key spent so far in the period that its limit now has, as the store knows it.
    async fn spent_before(&self, patch: &Patch) -> PicoUsd {
        let Patch::Put(record) = patch else { return PicoUsd::ZERO };
        let now_ms = i64::try_from(self.meters.now_s().saturating_mul(1000)).unwrap_or(i64::MAX);
        match self.store.key_sums_of(&record.hash, now_ms).await {
            Ok(sums) => sums.counted(record.limit_reset, record.include_byok_in_limit),
            Err(error) => {
                // The change is made; the counters are compared with the store again before long.
                tracing::warn!(%error, "what a changed key has spent could not be read");
                PicoUsd::ZERO
            }
        }
    }

    /// Waits for its turn to change something.
    pub async fn turn(&self) -> Turn<'_> {
        Turn { book: self, state: self.turn.lock().await }
    }
}

/// The right to change keys and money; nobody else in this process has it at the same time.
#[derive(Debug)]
pub struct Turn<'b> {
    book: &'b KeyBook,
    state: MutexGuard<'b, State>,
}

impl<'b> Turn<'b> {
    /// Throws away answers that were given before `before_ms`, if that was not done for `every_ms`.
    pub async fn tidy_answers(
        &mut self,
        (now_ms, before_ms): (i64, i64),
        every_ms: i64,
    ) -> Result<(), StoreError> {
        if now_ms.saturating_sub(self.state.tidied_ms) >= every_ms {
            self.book.store.forget_answers_before(before_ms).await?;
            self.state.tidied_ms = now_ms;
        }
        Ok(())
    }

    /// Begins a change. Until it ends the store must not be read but through it: a store in memory
    /// has one connection.
    pub async fn begin(self) -> Result<Change<'b>, StoreError> {
        let write = self.book.store.begin_write().await?;
        Ok(Change { turn: self, write, patches: Vec::new(), credit: None })
    }
}

/// A change that is not in force yet; dropped, it never will be.
#[derive(Debug)]
pub struct Change<'b> {
    turn: Turn<'b>,
    write: Write,
    patches: Vec<Patch>,
    /// Money put on the account, if any was.
    credit: Option<PicoUsd>,
}

/// What a change does to the table.
#[derive(Debug)]
enum Patch {
    Put(Box<KeyRecord>),
    Remove(String),
}

impl Change<'_> {
    /// The key with this hash, as it is in this change.
    pub async fn key(&mut self, hash: &str) -> Result<Option<KeyRecord>, StoreError> {
        self.write.key(hash).await
    }

    /// Adds a key.
    pub async fn insert_key(&mut self, key: &KeyRecord) -> Result<(), StoreError> {
        self.write.insert_key(key).await?;
        self.patches.push(Patch::Put(Box::new(key.clone())));
        Ok(())
    }

    /// Replaces a key; false if there is none with its hash.
    pub async fn update_key(&mut self, key: &KeyRecord) -> Result<bool, StoreError> {
        let found = self.write.update_key(key).await?;
        if found {
            self.patches.push(Patch::Put(Box::new(key.clone())));
        }
        Ok(found)
    }

    /// Deletes a key; false if there is none with this hash.
    pub async fn delete_key(&mut self, hash: &str) -> Result<bool, StoreError> {
        let found = self.write.delete_key(hash).await?;
        if found {
            self.patches.push(Patch::Remove(hash.to_owned()));
        }
        Ok(found)
    }

    /// Puts money on the account.
    pub async fn add_credit(&mut self, credit: &Credit) -> Result<(), StoreError> {
        self.write.add_credit(credit).await?;
        let sum = self.credit.unwrap_or_default().saturating_add(credit.amount);
        self.credit = Some(sum);
        Ok(())
    }

    /// Remembers what is answered to this change.
    pub async fn remember_answer(
        &mut self,
        scope: &str,
        idempotency_key: &str,
        answer: &RememberedAnswer,
    ) -> Result<(), StoreError> {
        self.write.remember_answer(scope, idempotency_key, answer).await
    }

    /// Makes the change real and puts it in force for the next request.
    pub async fn commit(self) -> Result<(), StoreError> {
        let Self { mut turn, write, patches, credit } = self;
        let version = write.keys_version();
        write.commit().await?;
        if !patches.is_empty() {
            let meters = &turn.book.meters;
            let mut spent = Vec::with_capacity(patches.len());
            for patch in &patches {
                spent.push(turn.book.spent_before(patch).await);
            }
            turn.book.authenticator.change_stored(|table| {
                for (patch, spent) in patches.into_iter().zip(spent) {
                    patch.apply(table, meters, spent);
                }
            });
        }
        if let Some(amount) = credit {
            let account = turn.book.meters.account();
            account.grant(amount);
            account.set_terms(Terms::Prepaid);
        }
        // Another process may have changed keys just before: then the next look finds it.
        let follows = |version: &i64| turn.state.version == version.checked_sub(1);
        if let Some(version) = version.filter(follows) {
            turn.state.version = Some(version);
        }
        Ok(())
    }
}

impl Patch {
    /// `spent`: what the key spent so far in the present period of its limit.
    fn apply(self, table: &StoredKeys, meters: &Meters, spent: PicoUsd) {
        match self {
            Self::Put(record) => {
                if let Some(key) = ApiKey::of(&record, meters) {
                    let span = PeriodSpan::at(record.limit_reset, meters.now_s());
                    key.meter.spend.raise_spent_to(spent, span);
                    table.put(key);
                }
            }
            Self::Remove(hash) => {
                if let Some(hash) = hash_from_hex(&hash) {
                    table.remove(&hash);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
