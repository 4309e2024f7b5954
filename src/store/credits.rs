//! The account's money: what was put in, and the list of everything that moved.
//!
//! Used by the balance check and the management API. A credit is never changed; a mistake is
//! taken back by a credit below zero.

use super::amount::{from_bigint, from_pico, join, split};
use super::{Store, StoreError};
use crate::money::PicoUsd;
use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};
use std::fmt;
use std::str::FromStr;

/// Id of the credit that the configuration opens the account with.
const OPENING: &str = "opening";

const ADD: &str = "INSERT INTO credits (id, created_ms, amount_micro_usd, amount_rest_pico_usd, \
     description, actor) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING";

const ADD_FIRST: &str = "INSERT INTO credits (id, created_ms, amount_micro_usd, \
     amount_rest_pico_usd, description, actor) SELECT $1, $2, $3, $4, $5, $6 \
     WHERE NOT EXISTS (SELECT 1 FROM credits) ON CONFLICT (id) DO NOTHING";

const TOTAL: &str = "SELECT CAST(COALESCE(SUM(amount_micro_usd), 0) AS BIGINT) AS micro_usd, \
     CAST(COALESCE(SUM(amount_rest_pico_usd), 0) AS BIGINT) AS rest_pico_usd FROM credits";

const CREDITS_BEFORE: &str = "SELECT * FROM credits \
     WHERE created_ms <= $1 AND (created_ms < $1 OR id < $2) \
     ORDER BY created_ms DESC, id DESC LIMIT $3";

const USAGE_BEFORE: &str = "SELECT id, created_ms, cost_pico_usd, model, provider, key_hash, \
     prompt_tokens, completion_tokens FROM generations \
     WHERE created_ms <= $1 AND (created_ms < $1 OR id < $2) AND cost_pico_usd > 0 \
     AND is_byok = 0 ORDER BY created_ms DESC, id DESC LIMIT $3";

/// Money put on the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// Its id.
    pub id: String,
    /// When, Unix milliseconds.
    pub created_ms: i64,
    /// How much; below zero takes it off again.
    pub amount: PicoUsd,
    /// What for, in the words of who did it.
    pub description: String,
    /// Who did it: the hash of a management key, or a word such as `configuration`.
    pub actor: String,
}

/// Something that moved the account's money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// Id of the credit or of the request.
    pub id: String,
    /// When, Unix milliseconds.
    pub created_ms: i64,
    /// What it adds to the balance; a request's is below zero.
    pub amount: PicoUsd,
    /// What it was.
    pub cause: Cause,
}

/// What moved money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Money was put on the account or taken off.
    Credit {
        /// What for.
        description: String,
        /// Who did it.
        actor: String,
    },
    /// A request.
    Request {
        /// Hash of the key that made it.
        key_hash: String,
        /// Model that answered.
        model: String,
        /// Provider that answered.
        provider: String,
        /// Prompt tokens.
        prompt_tokens: u64,
        /// Completion tokens.
        completion_tokens: u64,
    },
}

/// The last entry of a page of [`Store::transactions`]; the next page has what came before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovementMark {
    created_ms: i64,
    id: String,
}

impl MovementMark {
    /// Before `movement`.
    pub fn before(movement: &Movement) -> Self {
        Self { created_ms: movement.created_ms, id: movement.id.clone() }
    }
}

impl fmt::Display for MovementMark {
    /// Text that a caller may hand back; read again by [`FromStr`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.created_ms, self.id)
    }
}

impl FromStr for MovementMark {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let unreadable = || StoreError::Unreadable("where a page begins");
        let (created_ms, id) = text.split_once('.').ok_or_else(unreadable)?;
        let created_ms = created_ms.parse().map_err(|_| unreadable())?;
        Ok(Self { created_ms, id: id.to_owned() })
    }
}

impl Store {
    /// Opens the account with `amount`, unless there ever was a credit. True if it did.
    pub async fn ensure_opening_credit(
        &self,
        amount: PicoUsd,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let opening = Credit {
            id: OPENING.to_owned(),
            created_ms: now_ms,
            amount,
            description: "Opening balance".to_owned(),
            actor: "configuration".to_owned(),
        };
        let added = bind(ADD_FIRST, &opening)?.execute(&self.pool).await?;
        Ok(added.rows_affected() > 0)
    }

    /// Whether there ever was a credit, so that the account is a prepaid one.
    pub async fn has_credits(&self) -> Result<bool, StoreError> {
        let found =
            sqlx::query("SELECT id FROM credits LIMIT 1").fetch_optional(&self.pool).await?;
        Ok(found.is_some())
    }

    /// All credits together.
    pub async fn credits_total(&self) -> Result<PicoUsd, StoreError> {
        let row = sqlx::query(TOTAL).fetch_one(&self.pool).await?;
        Ok(join(row.try_get("micro_usd")?, row.try_get("rest_pico_usd")?))
    }

    /// Up to `limit` of what moved the account's money before `mark`, newest first: credits, and
    /// requests that cost something and whose record is still kept. What was spent on a contract
    /// of the caller's own did not move it.
    pub async fn transactions(
        &self,
        limit: u32,
        mark: Option<&MovementMark>,
    ) -> Result<Vec<Movement>, StoreError> {
        let mut movements = self.movements(CREDITS_BEFORE, (limit, mark), credit).await?;
        movements.extend(self.movements(USAGE_BEFORE, (limit, mark), request).await?);
        movements.sort_by(|a, b| (b.created_ms, &b.id).cmp(&(a.created_ms, &a.id)));
        movements.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(movements)
    }

    async fn movements(
        &self,
        statement: &'static str,
        (limit, mark): (u32, Option<&MovementMark>),
        read: fn(&AnyRow) -> Result<Movement, StoreError>,
    ) -> Result<Vec<Movement>, StoreError> {
        let (created_ms, id) = mark.map_or((i64::MAX, ""), |mark| (mark.created_ms, &mark.id));
        let rows = sqlx::query(statement)
            .bind(created_ms)
            .bind(id)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read).collect()
    }
}

/// Adds a credit to a transaction.
pub(super) async fn add(
    transaction: &mut Transaction<'static, Any>,
    credit: &Credit,
) -> Result<(), StoreError> {
    let added = bind(ADD, credit)?.execute(&mut **transaction).await?;
    if added.rows_affected() == 0 { Err(StoreError::CreditExists) } else { Ok(()) }
}

fn bind(
    statement: &'static str,
    credit: &Credit,
) -> Result<super::bulk::BulkQuery<'static>, StoreError> {
    let (micro_usd, rest_pico_usd) = split(credit.amount).ok_or(StoreError::AmountTooLarge)?;
    Ok(sqlx::query(statement)
        .bind(credit.id.clone())
        .bind(credit.created_ms)
        .bind(micro_usd)
        .bind(rest_pico_usd)
        .bind(credit.description.clone())
        .bind(credit.actor.clone()))
}

fn credit(row: &AnyRow) -> Result<Movement, StoreError> {
    Ok(Movement {
        id: row.try_get("id")?,
        created_ms: row.try_get("created_ms")?,
        amount: join(row.try_get("amount_micro_usd")?, row.try_get("amount_rest_pico_usd")?),
        cause: Cause::Credit {
            description: row.try_get("description")?,
            actor: row.try_get("actor")?,
        },
    })
}

fn request(row: &AnyRow) -> Result<Movement, StoreError> {
    let tokens = |column: &str| -> Result<u64, StoreError> {
        Ok(from_bigint(row.try_get::<Option<i64>, _>(column)?.unwrap_or(0)))
    };
    let cost = from_pico(row.try_get("cost_pico_usd")?);
    Ok(Movement {
        id: row.try_get("id")?,
        created_ms: row.try_get("created_ms")?,
        amount: PicoUsd::ZERO.saturating_sub(cost),
        cause: Cause::Request {
            key_hash: row.try_get("key_hash")?,
            model: row.try_get("model")?,
            provider: row.try_get("provider")?,
            prompt_tokens: tokens("prompt_tokens")?,
            completion_tokens: tokens("completion_tokens")?,
        },
    })
}
