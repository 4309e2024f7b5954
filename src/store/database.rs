//! Opens the database that an address names: a file, memory, or a PostgreSQL server.
//!
//! Used by [`Store::open`]. Connections are set up so that what was committed survives a power
//! loss, and so that nothing waits for ever. The schema is brought up to date before anything else;
//! of several processes that start at once, one does it.

use super::bulk::Dialect;
use super::{Store, StoreError};
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
/// Connections to a server: the recorder, the poll for changed keys, and reads for callers.
const SERVER_CONNECTIONS: u32 = 8;
/// How long a request to the store waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Applied to every new connection. FULL: what was committed survives a power loss.
const SQLITE_SETTINGS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; \
     PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;";

/// Applied to every new connection, as other limits and names may be set for the user or the
/// database. A process that hangs in the middle of a transaction does not hold up the others for
/// longer than that.
const POSTGRES_SETTINGS: &str = "SET application_name = 'arouter'; \
     SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s'; \
     SET client_min_messages = warning";

impl Store {
    /// Opens the database at `url` and brings its schema up to date: `sqlite://<path>`, which is
    /// created if missing; `postgres://<host>/<database>`, which has to be there; or `memory:` for
    /// one that dies with the process.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let options = AnyPoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT);
        let (pool, dialect) = if matches!(url, "memory:" | "sqlite::memory:") {
            // A second connection would see another database, and so would a new one.
            let options = options.max_connections(1).min_connections(1);
            let options = options.idle_timeout(None).max_lifetime(None);
            (connect(options, "sqlite::memory:", SQLITE_SETTINGS).await?, Dialect::Sqlite)
        } else if let Some(path) = url.strip_prefix("sqlite://") {
            let path = path.split('?').next().unwrap_or(path);
            create_file(Path::new(path))?;
            let options = options.max_connections(FILE_CONNECTIONS);
            let url = format!("sqlite://{path}");
            (connect(options, &url, SQLITE_SETTINGS).await?, Dialect::Sqlite)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = options.max_connections(SERVER_CONNECTIONS);
            (connect(options, url, POSTGRES_SETTINGS).await?, Dialect::Postgres)
        } else {
            return Err(StoreError::UnsupportedUrl);
        };
        migrator().run(&pool).await?;
        Ok(Self { pool, dialect })
    }

    /// Closes all connections; what was committed is in the database.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// A pool whose connections begin with `settings`.
async fn connect(
    options: AnyPoolOptions,
    url: &str,
    settings: &'static str,
) -> Result<AnyPool, StoreError> {
    let options = options.after_connect(move |connection, _| {
        Box::pin(async move { connection.execute(settings).await.map(drop) })
    });
    Ok(options.connect(url).await?)
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
