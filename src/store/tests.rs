//! The store on both kinds of database. Each test is one function that gets an empty store; the
//! lists at the end of the files below make it two tests.

mod activity;
mod credits;
mod database;
mod keys;
mod ledger;
#[path = "../../tests/it/postgres_server.rs"]
mod postgres_server;
mod property;
mod reprice;
mod requests;

use super::*;
use crate::money::PicoUsd;

/// An empty store, and what has to stay as long as it is used.
pub(super) struct Fresh {
    store: Store,
    url: String,
    _dir: Option<tempfile::TempDir>,
}

impl Fresh {
    async fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("test.db").display());
        Self { store: Store::open(&url).await.unwrap(), url, _dir: Some(dir) }
    }

    async fn postgres() -> Self {
        let url = postgres_server::new_database().await;
        Self { store: Store::open(&url).await.unwrap(), url, _dir: None }
    }

    /// Another gateway on the same database.
    async fn other(&self) -> Store {
        Store::open(&self.url).await.unwrap()
    }
}

/// Makes a test on SQLite and one on PostgreSQL of each function.
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Fresh::sqlite().await).await;
            })+
        }

        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Fresh::postgres().await).await;
            })+
        }
    };
}
use on_both_databases;

impl Store {
    /// Holds the write lock of the database, which is in a file, until dropped.
    pub(crate) async fn lock_for_test(&self) -> sqlx::Transaction<'static, sqlx::Any> {
        self.pool.begin_with("BEGIN EXCLUSIVE").await.unwrap()
    }

    /// Applies entries of the process `p`.
    async fn applied(&self, entries: &[Entry]) -> u64 {
        self.apply(entries, "p", "segment", 1).await.unwrap()
    }

    /// One number that a query yields.
    async fn number(&self, query: &'static str) -> i64 {
        let row = sqlx::query(query).fetch_one(&self.pool).await.unwrap();
        sqlx::Row::get(&row, 0)
    }
}

/// A request of `at` (Unix milliseconds) that cost this much.
fn request(id: &str, created_ms: i64, pico: i128) -> Generation {
    Generation { created_ms, cost_pico_usd: PicoUsd::from_pico(pico), ..Generation::example(id) }
}

fn settled(rows: &[Generation]) -> Vec<Entry> {
    rows.iter().cloned().map(Entry::Settle).collect()
}

fn opened(id: &str) -> Entry {
    Entry::Open(Generation { outcome: Outcome::Abandoned, ..Generation::example(id) })
}

/// Milliseconds of a time such as `2026-11-22T00:00:00Z`.
fn at(time: &str) -> i64 {
    time.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}
