//! Changes of keys and credits: one transaction, with the answer that tells of it.
//!
//! Used by `api` and `cli`. Nothing is changed before [`Write::commit`]; a [`Write`] that is dropped,
//! or of which one step failed, changes nothing. Every first step writes, so that it waits for
//! other writers instead of failing later.

use super::answers::{self, RememberedAnswer};
use super::bulk::Dialect;
use super::credits::{self, Credit};
use super::keys::{self, KeyRecord};
use super::{Store, StoreError};
use serde_json::{Map, Value};
use sqlx::{Any, Row, Transaction};

const INSERT: &str = "INSERT INTO api_keys (name, label, kind, disabled, limit_pico_usd, \
     limit_reset, budget_mode, include_byok_in_limit, rate_limit_json, allowed_providers_json, \
     allowed_models_json, enforce_zdr, expires_ms, updated_ms, hash, created_ms, creator_hash) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
     ON CONFLICT (hash) DO NOTHING";

const UPDATE: &str = "UPDATE api_keys SET name = $1, label = $2, kind = $3, disabled = $4, \
     limit_pico_usd = $5, limit_reset = $6, budget_mode = $7, include_byok_in_limit = $8, \
     rate_limit_json = $9, allowed_providers_json = $10, allowed_models_json = $11, \
     enforce_zdr = $12, expires_ms = $13, updated_ms = $14 WHERE hash = $15";

/// A transaction that changes keys or credits.
#[derive(Debug)]
pub struct Write {
    transaction: Transaction<'static, Any>,
    dialect: Dialect,
    keys_version: Option<i64>,
}

impl Store {
    /// Begins a change.
    pub async fn begin_write(&self) -> Result<Write, StoreError> {
        let transaction = self.pool.begin().await?;
        Ok(Write { transaction, dialect: self.dialect, keys_version: None })
    }
}

impl Write {
    /// Makes everything that was done so real, or nothing of it.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.transaction.commit().await?)
    }

    /// The version of the keys that this change makes; `None` while it touches no key.
    pub fn keys_version(&self) -> Option<i64> {
        self.keys_version
    }

    /// The key with this hash, which nobody else changes until this change has ended.
    pub async fn key(&mut self, hash: &str) -> Result<Option<KeyRecord>, StoreError> {
        self.raise_keys_version().await?;
        let row = sqlx::query(keys::ONE).bind(hash).fetch_optional(&mut *self.transaction).await?;
        row.as_ref().map(keys::read).transpose()
    }

    /// Adds a key.
    pub async fn insert_key(&mut self, key: &KeyRecord) -> Result<(), StoreError> {
        self.raise_keys_version().await?;
        let added = keys::bind(INSERT, key, &Map::new())?
            .bind(key.created_ms)
            .bind(key.creator_hash.clone())
            .execute(&mut *self.transaction)
            .await?;
        if added.rows_affected() == 0 { Err(StoreError::KeyExists) } else { Ok(()) }
    }

    /// Replaces everything but the hash, the maker and the time of making; false if there is no
    /// such key.
    pub async fn update_key(&mut self, key: &KeyRecord) -> Result<bool, StoreError> {
        self.raise_keys_version().await?;
        let stored = sqlx::query("SELECT rate_limit_json FROM api_keys WHERE hash = $1")
            .bind(&key.hash)
            .fetch_optional(&mut *self.transaction)
            .await?;
        let Some(stored) = stored else { return Ok(false) };
        let stored: String = stored.try_get("rate_limit_json")?;
        let stored: Map<String, Value> = serde_json::from_str(&stored).unwrap_or_default();
        keys::bind(UPDATE, key, &stored)?.execute(&mut *self.transaction).await?;
        Ok(true)
    }

    /// Gives a key another secret; its policy and all its usage go with it. False if there is no
    /// such key. Requests still running under the old one stay with the old hash.
    pub async fn rotate_key(
        &mut self,
        old_hash: &str,
        key: &KeyRecord,
    ) -> Result<bool, StoreError> {
        self.raise_keys_version().await?;
        let changed = sqlx::query(
            "UPDATE api_keys SET hash = $1, label = $2, updated_ms = $3 WHERE hash = $4",
        )
        .bind(&key.hash)
        .bind(&key.label)
        .bind(key.updated_ms)
        .bind(old_hash)
        .execute(&mut *self.transaction)
        .await?;
        if changed.rows_affected() == 0 {
            return Ok(false);
        }
        if self.dialect == Dialect::Postgres {
            // As long as it takes to go through all records, once.
            let unlimited = "SET LOCAL statement_timeout = 0";
            sqlx::query(unlimited).execute(&mut *self.transaction).await?;
        }
        for statement in [
            "UPDATE daily_usage SET key_hash = $1 WHERE key_hash = $2",
            "UPDATE generations SET key_hash = $1 WHERE key_hash = $2",
            "UPDATE api_keys SET creator_hash = $1 WHERE creator_hash = $2",
        ] {
            sqlx::query(statement)
                .bind(&key.hash)
                .bind(old_hash)
                .execute(&mut *self.transaction)
                .await?;
        }
        Ok(true)
    }

    /// Deletes a key; false if there is no such key. Its usage stays.
    pub async fn delete_key(&mut self, hash: &str) -> Result<bool, StoreError> {
        self.raise_keys_version().await?;
        let deleted = sqlx::query("DELETE FROM api_keys WHERE hash = $1")
            .bind(hash)
            .execute(&mut *self.transaction)
            .await?;
        Ok(deleted.rows_affected() > 0)
    }

    /// Adds a credit.
    pub async fn add_credit(&mut self, credit: &Credit) -> Result<(), StoreError> {
        credits::add(&mut self.transaction, credit).await
    }

    /// Remembers what is answered to this change. [`StoreError::AnswerExists`] means that the same
    /// change was made meanwhile: drop this one and give the answer that is found.
    pub async fn remember_answer(
        &mut self,
        scope: &str,
        idempotency_key: &str,
        answer: &RememberedAnswer,
    ) -> Result<(), StoreError> {
        answers::add(&mut self.transaction, (scope, idempotency_key), answer).await
    }

    /// Before the first look at a key: it takes the lock that all changes of keys take.
    async fn raise_keys_version(&mut self) -> Result<(), StoreError> {
        if self.keys_version.is_none() {
            let raised = sqlx::query(
                "UPDATE meta SET value = value + 1 WHERE name = 'keys_version' RETURNING value",
            )
            .fetch_one(&mut *self.transaction)
            .await?;
            self.keys_version = Some(raised.try_get("value")?);
        }
        Ok(())
    }
}
