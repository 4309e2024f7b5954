//! The store: a database that has the requests that were made and the keys made at run time.
//!
//! Used by `usage` (the only writer of requests), `auth` (loads keys), `api` and `cli`. Never on
//! the way of a request. SQL is portable between SQLite and PostgreSQL: numbered parameters,
//! `BIGINT` and `TEXT` only. A transaction that writes begins with a write, so that it waits for
//! the database's lock instead of failing later.

mod activity;
mod amount;
mod answers;
mod bulk;
mod credits;
mod daily;
mod database;
pub mod generation;
mod generation_row;
mod keys;
mod ledger;
mod reprice;
mod requests;
mod spending;
#[cfg(test)]
mod tests;
mod write;

pub use activity::{Bucket, GroupKey, UsageGroup, UsageSummary, UsageSums};
pub use answers::RememberedAnswer;
pub use credits::{Cause, Credit, Movement, MovementMark};
pub use generation::{Entry, Generation, Outcome};
pub use keys::{KeyMark, KeyPage, KeyQuery, KeyRecord};
pub use reprice::Repricing;
pub use requests::{Asked, PageMark, UsageFilter};
pub use spending::{KeySums, KeyTotals, Spent};
pub use write::Write;

use bulk::Dialect;
use sqlx::AnyPool;
use std::io;

/// Why the store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address is not one this build can open. (It is not shown: it may hold a password.)
    #[error("store.url must be `sqlite://<path>`, `postgres://<host>/<database>` or `memory:`")]
    UnsupportedUrl,
    /// The file of the database cannot be created.
    #[error("store: {0}")]
    File(#[from] io::Error),
    /// The schema cannot be brought up to date.
    #[error("store: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The database refused or is gone.
    #[error("store: {0}")]
    Database(#[from] sqlx::Error),
    /// There is such a key already.
    #[error("a key with this hash exists already")]
    KeyExists,
    /// There is such a credit already.
    #[error("a credit with this id exists already")]
    CreditExists,
    /// An answer was given under this Idempotency-Key meanwhile: find it and give it again.
    #[error("an answer was given under this Idempotency-Key already")]
    AnswerExists,
    /// More than nine trillion USD.
    #[error("the amount is too large")]
    AmountTooLarge,
    /// An answer would have too many groups.
    #[error("too many groups: ask for a shorter time or longer steps")]
    TooManyGroups,
    /// A stored value makes no sense to this version.
    #[error("store: cannot read {0}")]
    Unreadable(&'static str),
}

/// The database; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: AnyPool,
    dialect: Dialect,
}
