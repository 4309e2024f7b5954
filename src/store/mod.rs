//! The store: a database that has the requests that were made and the keys made at run time.
//!
//! Used by `usage` (the only writer of requests), `auth` (loads keys), `api` and `cli`. Never on
//! the way of a request. SQL is portable between SQLite and PostgreSQL: numbered parameters,
//! `BIGINT` and `TEXT` only. A transaction that writes begins with a write, so that it waits for
//! the database's lock instead of failing later.

mod amount;
mod answers;
mod bulk;
mod credits;
mod daily;
pub mod generation;
mod generation_row;
mod keys;
mod ledger;
mod requests;
mod spending;
#[cfg(test)]
mod tests;
mod write;

pub use answers::RememberedAnswer;
pub use credits::{Cause, Credit, Movement, MovementMark};
pub use generation::{Entry, Generation, Outcome};
pub use keys::{KeyMark, KeyPage, KeyQuery, KeyRecord};
pub use requests::{PageMark, UsageFilter};
pub use spending::{KeySums, KeyTotals, Spent};
pub use write::Write;

use bulk::Dialect;

use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyPool, Executor, SqlSafeStr};
use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// Connections of a database in a file: one writes at a time, the others read.
const FILE_CONNECTIONS: u32 = 4;
/// How long a request to the store waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Applied to every new connection. FULL: what was committed survives a power loss.
const SQLITE_SETTINGS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; \
     PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;";

/// Why the store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address is not one this build can open. (It is not shown: it may hold a password.)
    #[error("store.url must be `sqlite://<path>` or `memory:`")]
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

impl Store {
    /// Opens the database at `url` (`sqlite://<path>`, or `memory:` for one that dies with the
    /// process), creates it if missing and brings its schema up to date.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let options = AnyPoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT);
        let (url, options) = if matches!(url, "memory:" | "sqlite::memory:") {
            // A second connection would see another database, and so would a new one.
            let options = options.max_connections(1).min_connections(1);
            ("sqlite::memory:".to_owned(), options.idle_timeout(None).max_lifetime(None))
        } else {
            let path = url.strip_prefix("sqlite://").ok_or(StoreError::UnsupportedUrl)?;
            let path = path.split('?').next().unwrap_or(path);
            create_file(Path::new(path))?;
            (format!("sqlite://{path}"), options.max_connections(FILE_CONNECTIONS))
        };
        let pool = options
            .after_connect(|connection, _| {
                Box::pin(async move { connection.execute(SQLITE_SETTINGS).await.map(drop) })
            })
            .connect(&url)
            .await?;
        migrator().run(&pool).await?;
        Ok(Self { pool, dialect: Dialect::Sqlite })
    }

    /// Closes all connections; what was committed is in the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn migrator() -> Migrator {
    let initial = Migration::new(
        1,
        "initial".into(),
        MigrationType::Simple,
        include_str!("migrations/0001_initial.sql").into_sql_str(),
        false,
    );
    Migrator::with_migrations(vec![initial])
}

/// Creates the file and its folder, readable by the owner only; leaves an existing file alone.
fn create_file(path: &Path) -> io::Result<()> {
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop)
}
