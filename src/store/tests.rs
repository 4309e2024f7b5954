//! The store: what goes in comes out, sums are exact, keys are changed as a whole.

use super::*;
use crate::config::{BudgetMode, KeyKind, LimitReset, RateLimit};
use crate::money::PicoUsd;

impl Store {
    async fn insert_key_now(&self, key: &KeyRecord) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        write.insert_key(key).await?;
        write.commit().await
    }

    async fn update_key_now(&self, key: &KeyRecord) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let changed = write.update_key(key).await?;
        write.commit().await?;
        Ok(changed)
    }

    async fn rotate_key_now(&self, old_hash: &str, key: &KeyRecord) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let changed = write.rotate_key(old_hash, key).await?;
        write.commit().await?;
        Ok(changed)
    }

    async fn delete_key_now(&self, hash: &str) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let changed = write.delete_key(hash).await?;
        write.commit().await?;
        Ok(changed)
    }

    /// Holds the write lock of the database until dropped.
    pub(crate) async fn lock_for_test(&self) -> sqlx::Transaction<'static, sqlx::Any> {
        self.pool.begin_with("BEGIN EXCLUSIVE").await.unwrap()
    }
}

fn settled(rows: &[Generation]) -> Vec<Entry> {
    rows.iter().cloned().map(Entry::Settle).collect()
}

async fn memory() -> Store {
    Store::open("memory:").await.unwrap()
}

fn key(hash: &str) -> KeyRecord {
    KeyRecord {
        hash: hash.to_owned(),
        name: "production".to_owned(),
        label: "lr_live_9f8…a1b".to_owned(),
        kind: KeyKind::Regular,
        disabled: false,
        limit: Some(PicoUsd::from_pico(150_000_000_000_001)),
        limit_reset: LimitReset::Monthly,
        budget_mode: BudgetMode::Strict,
        include_byok_in_limit: true,
        rate_limit: RateLimit { requests_per_minute: Some(60), ..RateLimit::default() },
        allowed_providers: Some(vec!["openai".to_owned()]),
        allowed_models: Some(vec![]),
        enforce_zdr: true,
        creator_hash: Some("mgmt".to_owned()),
        expires_ms: None,
        created_ms: 1_790_000_000_000,
        updated_ms: None,
    }
}

#[tokio::test]
async fn a_request_comes_back_as_it_was() {
    let store = memory().await;
    let mut failed = Generation::example("gen-2");
    failed.outcome = Outcome::Failed;
    failed.upstream_id = None;
    failed.first_token_ms = None;
    failed.usage = crate::chat::Usage::default();
    failed.error = Some("rate_limit_exceeded".to_owned());
    let both = [Generation::example("gen-1"), failed];
    assert_eq!(store.apply(&settled(&both), "p", "s", 10).await.unwrap(), 2);
    for expected in both {
        assert_eq!(store.generation(&expected.id).await.unwrap(), Some(expected));
    }
    assert_eq!(store.generation("gen-3").await.unwrap(), None);
}

#[tokio::test]
async fn a_request_counts_once_however_often_it_is_applied() {
    let store = memory().await;
    let rows = [Generation::example("a"), Generation::example("b"), Generation::example("a")];
    assert_eq!(store.apply(&settled(&rows), "p", "s", 10).await.unwrap(), 2);
    assert_eq!(store.apply(&settled(&rows), "p", "s", 5).await.unwrap(), 0);
    let totals = store.key_totals(0).await.unwrap();
    assert_eq!((totals[0].requests, totals[0].prompt_tokens), (2, 28));
    assert_eq!(store.journal_segments().await.unwrap(), [("s".to_owned(), 10)]);
}

/// Rows go in many to a statement; what is counted must not depend on which of them are new.
#[tokio::test]
async fn full_statements_count_only_new_rows() {
    let rows: Vec<_> = (0..70).map(|at| Generation::example(&format!("gen-{at}"))).collect();
    for there_before in [0..0, 0..32, 5..6, 31..40, 66..70, 0..70] {
        let store = memory().await;
        let before = u64::try_from(there_before.len()).unwrap();
        assert_eq!(
            store.apply(&settled(&rows[there_before.clone()]), "p", "s", 1).await.unwrap(),
            before
        );
        let added = store.apply(&settled(&rows), "p", "s", 2).await.unwrap();
        assert_eq!(added, 70 - before, "{there_before:?}");
        assert_eq!(store.key_totals(0).await.unwrap()[0].requests, 70, "{there_before:?}");
        for row in &rows {
            assert_eq!(store.generation(&row.id).await.unwrap().as_ref(), Some(row));
        }
    }
}

#[tokio::test]
async fn sums_are_exact_across_whole_dollars_and_days() {
    let store = memory().await;
    let mut expected = 0;
    for (at, pico) in [999_999_999_999, 1, 2_500_000_000_003, 4_000_000_000_000_000_000, 7]
        .into_iter()
        .cycle()
        .take(40)
        .enumerate()
    {
        let mut row = Generation::example(&format!("gen-{at}"));
        row.cost_pico_usd = PicoUsd::from_pico(pico);
        row.created_ms += i64::try_from(at % 3).unwrap() * 86_400_000;
        expected += pico;
        store.apply(&settled(&[row]), "p", "s", at as u64).await.unwrap();
    }
    let totals = store.key_totals(0).await.unwrap();
    assert_eq!((totals[0].cost_pico_usd.pico(), totals[0].requests), (expected, 40));
    let second_day = 1_790_000_000_123 + 86_400_000;
    assert_eq!(store.key_totals(second_day).await.unwrap()[0].requests, 13 + 13);
}

#[tokio::test]
async fn pages_hold_every_request_once_in_order_of_time() {
    let store = memory().await;
    let rows: Vec<_> = (0..25_i64)
        .map(|at| {
            let mut row = Generation::example(&format!("gen-{at:02}"));
            row.created_ms = 1000 + at / 4;
            row
        })
        .collect();
    store.apply(&settled(&rows), "p", "s", 1).await.unwrap();
    let filter = UsageFilter { from_ms: Some(1001), to_ms: Some(1006), ..UsageFilter::default() };
    let (mut found, mut mark) = (Vec::new(), None);
    loop {
        let page = store.usage_page(&filter, mark.as_ref(), 3).await.unwrap();
        let Some(last) = page.last() else { break };
        mark = Some(PageMark::after(last));
        found.extend(page);
    }
    assert_eq!(found, rows[4..24]);
}

#[tokio::test]
async fn keys_are_added_changed_and_deleted_and_the_version_grows() {
    let store = memory().await;
    let versions = async || store.keys_version().await.unwrap();
    let start = versions().await;
    store.insert_key_now(&key("aa")).await.unwrap();
    assert!(matches!(store.insert_key_now(&key("aa")).await, Err(StoreError::KeyExists)));
    assert_eq!((store.keys().await.unwrap(), versions().await), (vec![key("aa")], start + 1));

    let mut changed = key("aa");
    changed.limit = None;
    changed.allowed_providers = None;
    changed.kind = KeyKind::Management;
    changed.updated_ms = Some(5);
    assert!(store.update_key_now(&changed).await.unwrap());
    assert_eq!((store.keys().await.unwrap(), versions().await), (vec![changed], start + 2));
    assert!(!store.update_key_now(&key("bb")).await.unwrap());

    assert!(store.delete_key_now("aa").await.unwrap());
    assert!(store.keys().await.unwrap().is_empty());
    assert!(versions().await > start + 2);
}

#[tokio::test]
async fn a_rotated_key_keeps_its_policy_and_its_spending() {
    let store = memory().await;
    store.insert_key_now(&key("9f86d0")).await.unwrap();
    store.apply(&settled(&[Generation::example("gen-1")]), "p", "s", 1).await.unwrap();
    let rotated = KeyRecord { hash: "new".to_owned(), label: "l".to_owned(), ..key("new") };
    assert!(store.rotate_key_now("9f86d0", &rotated).await.unwrap());
    assert_eq!(store.keys().await.unwrap(), [rotated]);
    assert_eq!(store.key_totals(0).await.unwrap()[0].key_hash, "new");
    assert_eq!(store.generation("gen-1").await.unwrap().unwrap().key_hash, "new");
}

#[tokio::test]
async fn what_a_newer_version_wrote_is_kept_and_never_opens_anything() {
    let store = memory().await;
    store.insert_key_now(&key("aa")).await.unwrap();
    store.insert_key_now(&key("bb")).await.unwrap();
    for statement in [
        r#"UPDATE api_keys SET rate_limit_json = '{"requests_per_hour":7}' WHERE hash = 'aa'"#,
        "UPDATE api_keys SET kind = 'auditor' WHERE hash = 'bb'",
    ] {
        sqlx::query(statement).execute(&store.pool).await.unwrap();
    }
    let keys = store.keys().await.unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].rate_limit, RateLimit::default());
    store.update_key_now(&key("aa")).await.unwrap();
    let row = sqlx::query("SELECT rate_limit_json FROM api_keys WHERE hash = 'aa'")
        .fetch_one(&store.pool)
        .await
        .unwrap();
    let json: String = sqlx::Row::get(&row, 0);
    assert!(json.contains(r#""requests_per_hour":7"#), "{json}");
    assert!(json.contains(r#""requests_per_minute":60"#), "{json}");
}

#[tokio::test]
async fn a_file_is_private_and_outlives_the_store() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/arouter.db");
    let url = format!("sqlite://{}", path.display());
    let store = Store::open(&url).await.unwrap();
    store.insert_key_now(&key("aa")).await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    store.close().await;
    assert_eq!(Store::open(&url).await.unwrap().keys().await.unwrap(), [key("aa")]);
}

#[tokio::test]
async fn settings_of_durability_are_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", dir.path().join("a.db").display());
    let store = Store::open(&url).await.unwrap();
    let row = sqlx::query("PRAGMA synchronous").fetch_one(&store.pool).await.unwrap();
    assert_eq!(sqlx::Row::get::<i64, _>(&row, 0), 2);
    let row = sqlx::query("PRAGMA journal_mode").fetch_one(&store.pool).await.unwrap();
    assert_eq!(sqlx::Row::get::<String, _>(&row, 0), "wal");
}

#[tokio::test]
async fn an_address_of_another_kind_is_refused_without_showing_it() {
    let error = Store::open("postgres://user:hunter2@host/db").await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}
