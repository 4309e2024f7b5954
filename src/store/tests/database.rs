//! How databases are opened, and that they are set up to keep what they are given.

use super::keys::key;
use super::*;
use std::os::unix::fs::PermissionsExt;

async fn what_was_committed_outlives_the_store(fresh: Fresh) {
    let mut write = fresh.store.begin_write().await.unwrap();
    write.insert_key(&key("aa")).await.unwrap();
    write.commit().await.unwrap();
    fresh.store.close().await;
    assert_eq!(fresh.other().await.keys().await.unwrap(), [key("aa")]);
}

async fn many_may_open_it_at_once(fresh: Fresh) {
    let stores = (0..5).map(|_| fresh.other());
    for store in futures::future::join_all(stores).await {
        assert_eq!(store.keys_version().await.unwrap(), 0);
    }
}

on_both_databases!(what_was_committed_outlives_the_store, many_may_open_it_at_once);

/// Several gateways may come up on an empty server together.
#[tokio::test]
async fn one_of_many_makes_the_schema() {
    let url = postgres_server::new_database().await;
    let stores = (0..5).map(|_| Store::open(&url));
    for store in futures::future::join_all(stores).await {
        store.unwrap().close().await;
    }
}

#[tokio::test]
async fn a_file_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/arouter.db");
    let store = Store::open(&format!("sqlite://{}", path.display())).await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    store.close().await;
}

#[tokio::test]
async fn settings_of_a_file_are_in_force() {
    let Fresh { store, _dir, .. } = Fresh::sqlite().await;
    assert_eq!(store.number("PRAGMA synchronous").await, 2);
    let row = sqlx::query("PRAGMA journal_mode").fetch_one(&store.pool).await.unwrap();
    assert_eq!(sqlx::Row::get::<String, _>(&row, 0), "wal");
}

#[tokio::test]
async fn settings_of_a_server_are_in_force() {
    let Fresh { store, .. } = Fresh::postgres().await;
    for (setting, expected) in [
        ("SHOW statement_timeout", "30s"),
        ("SHOW idle_in_transaction_session_timeout", "1min"),
        ("SHOW application_name", "arouter"),
    ] {
        let row = sqlx::query(setting).fetch_one(&store.pool).await.unwrap();
        assert_eq!(sqlx::Row::get::<String, _>(&row, 0), expected, "{setting}");
    }
}

#[tokio::test]
async fn an_address_that_cannot_be_opened_is_refused_without_its_password() {
    for address in [
        "mysql://user:hunter2@host/db",
        "postgres://user:hunter2@127.0.0.1:1/db",
        "postgres://user:hunter2@127.0.0.1:port/db",
        "postgres://user@[/db?password=hunter2",
    ] {
        let error = Store::open(address).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{address}: {error:?}");
    }
}

/// A server that was restarted, or a firewall in between, ends connections that nobody uses.
#[tokio::test]
async fn connections_that_the_server_ended_are_replaced() {
    let Fresh { store, url, .. } = Fresh::postgres().await;
    let end_others = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let administrator = Store::open(&url).await.unwrap();
    for round in 0..3 {
        assert!(administrator.number(end_others).await > 0);
        let row = Generation::example(&format!("gen-{round}"));
        assert_eq!(store.applied(&settled(&[row])).await, 1);
    }
}
