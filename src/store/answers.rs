//! Answers that are given again when a change with the same Idempotency-Key comes again.
//!
//! Used by the management API. The body is encrypted by whoever stores it: it may hold the text of
//! a key. An answer is added in the transaction of the change it speaks of ([`super::Write`]).

use super::{Store, StoreError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sqlx::{Any, Row, Transaction};

const FIND: &str = "SELECT request_hash, status, sealed_body, created_ms \
     FROM idempotent_answers WHERE scope = $1 AND idempotency_key = $2";

const ADD: &str = "INSERT INTO idempotent_answers (scope, idempotency_key, request_hash, status, \
     sealed_body, created_ms) VALUES ($1, $2, $3, $4, $5, $6) \
     ON CONFLICT (scope, idempotency_key) DO NOTHING";

/// An answer that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RememberedAnswer {
    /// Hash of the request; another request under the same key is a mistake of the caller.
    pub request_hash: String,
    /// HTTP status.
    pub status: u16,
    /// The body, encrypted.
    pub sealed_body: Vec<u8>,
    /// When it was given, Unix milliseconds.
    pub created_ms: i64,
}

impl Store {
    /// The answer given under this Idempotency-Key; `scope` is who asked for what.
    pub async fn find_answer(
        &self,
        scope: &str,
        idempotency_key: &str,
    ) -> Result<Option<RememberedAnswer>, StoreError> {
        let row =
            sqlx::query(FIND).bind(scope).bind(idempotency_key).fetch_optional(&self.pool).await?;
        let Some(row) = row else { return Ok(None) };
        let sealed_body: String = row.try_get("sealed_body")?;
        let unreadable = || StoreError::Unreadable("a remembered answer");
        Ok(Some(RememberedAnswer {
            request_hash: row.try_get("request_hash")?,
            status: u16::try_from(row.try_get::<i64, _>("status")?).map_err(|_| unreadable())?,
            sealed_body: STANDARD.decode(sealed_body).map_err(|_| unreadable())?,
            created_ms: row.try_get("created_ms")?,
        }))
    }

    /// Forgets the answers given before `before_ms` and returns how many those were.
    pub async fn forget_answers_before(&self, before_ms: i64) -> Result<u64, StoreError> {
        let deleted = sqlx::query("DELETE FROM idempotent_answers WHERE created_ms < $1")
            .bind(before_ms)
            .execute(&self.pool)
            .await?;
        Ok(deleted.rows_affected())
    }
}

/// Adds an answer to a transaction.
pub(super) async fn add(
    transaction: &mut Transaction<'static, Any>,
    (scope, idempotency_key): (&str, &str),
    answer: &RememberedAnswer,
) -> Result<(), StoreError> {
    let added = sqlx::query(ADD)
        .bind(scope)
        .bind(idempotency_key)
        .bind(&answer.request_hash)
        .bind(i64::from(answer.status))
        .bind(STANDARD.encode(&answer.sealed_body))
        .bind(answer.created_ms)
        .execute(&mut **transaction)
        .await?;
    if added.rows_affected() == 0 { Err(StoreError::AnswerExists) } else { Ok(()) }
}
