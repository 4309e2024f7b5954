//! Keys are changed as a whole, together with the answers that tell of it.

use super::*;
use crate::config::{BudgetMode, KeyKind, LimitReset, RateLimit};

pub(super) fn key(hash: &str) -> KeyRecord {
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

fn answer(body: &str) -> RememberedAnswer {
    RememberedAnswer {
        request_hash: "r".to_owned(),
        status: 201,
        sealed_body: body.as_bytes().to_vec(),
        created_ms: 1000,
    }
}

async fn insert(store: &Store, key: &KeyRecord) -> Result<(), StoreError> {
    let mut write = store.begin_write().await?;
    write.insert_key(key).await?;
    write.commit().await
}

async fn keys_are_added_changed_and_deleted_and_the_version_grows(fresh: Fresh) {
    let store = fresh.store;
    let versions = async || store.keys_version().await.unwrap();
    let start = versions().await;
    insert(&store, &key("aa")).await.unwrap();
    assert!(matches!(insert(&store, &key("aa")).await, Err(StoreError::KeyExists)));
    assert_eq!((store.keys().await.unwrap(), versions().await), (vec![key("aa")], start + 1));

    let mut changed = key("aa");
    changed.limit = None;
    changed.allowed_providers = None;
    changed.kind = KeyKind::Management;
    changed.updated_ms = Some(5);
    changed.include_byok_in_limit = false;
    changed.enforce_zdr = false;
    let mut write = store.begin_write().await.unwrap();
    assert!(write.update_key(&changed).await.unwrap());
    assert!(!write.update_key(&key("bb")).await.unwrap());
    write.commit().await.unwrap();
    assert_eq!((store.keys().await.unwrap(), versions().await), (vec![changed], start + 2));

    let mut write = store.begin_write().await.unwrap();
    assert!(write.delete_key("aa").await.unwrap());
    assert!(!write.delete_key("aa").await.unwrap());
    write.commit().await.unwrap();
    assert!(store.keys().await.unwrap().is_empty());
    assert!(store.key("aa").await.unwrap().is_none());
    assert_eq!(versions().await, start + 3);
}

async fn what_is_not_committed_did_not_happen(fresh: Fresh) {
    let store = fresh.store;
    let version = store.keys_version().await.unwrap();
    let mut write = store.begin_write().await.unwrap();
    write.insert_key(&key("aa")).await.unwrap();
    write.remember_answer("s", "k", &answer("made aa")).await.unwrap();
    drop(write);
    assert!(store.keys().await.unwrap().is_empty());
    assert_eq!(store.find_answer("s", "k").await.unwrap(), None);
    assert_eq!(store.keys_version().await.unwrap(), version);
}

/// Two requests under one Idempotency-Key at the same time: one key is made, and both callers can
/// be told of it.
async fn one_of_many_changes_under_one_idempotency_key_happens(fresh: Fresh) {
    let other = fresh.other().await;
    let attempts = (0..8).map(|at| {
        let store = if at % 2 == 0 { fresh.store.clone() } else { other.clone() };
        async move {
            let name = format!("{at:02}");
            let mut write = store.begin_write().await?;
            write.insert_key(&key(&name)).await?;
            write.remember_answer("s", "k", &answer(&name)).await?;
            write.commit().await
        }
    });
    let outcomes = futures::future::join_all(attempts).await;
    let made = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let told = outcomes.iter().filter(|outcome| matches!(outcome, Err(StoreError::AnswerExists)));
    assert_eq!((made, told.count()), (1, 7), "{outcomes:?}");
    let found = other.find_answer("s", "k").await.unwrap().unwrap();
    let keys = other.keys().await.unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(found, answer(&keys[0].hash));
}

async fn answers_are_found_in_their_scope_until_they_are_old(fresh: Fresh) {
    let store = fresh.store;
    let all_bytes: Vec<u8> = (0..=255).collect();
    let first = RememberedAnswer { sealed_body: all_bytes, ..answer("") };
    let mut write = store.begin_write().await.unwrap();
    write.remember_answer("a", "k", &first).await.unwrap();
    let later = RememberedAnswer { created_ms: 1001, ..answer("b") };
    write.remember_answer("b", "k", &later).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(store.find_answer("a", "k").await.unwrap(), Some(first));
    assert_eq!(store.find_answer("c", "k").await.unwrap(), None);
    assert_eq!(store.forget_answers_before(1001).await.unwrap(), 1);
    assert_eq!(store.find_answer("a", "k").await.unwrap(), None);
    assert_eq!(store.find_answer("b", "k").await.unwrap(), Some(later));
}

/// Whoever reads a key to change it sees the change before, and none is lost.
async fn changes_of_one_key_follow_each_other(fresh: Fresh) {
    insert(&fresh.store, &key("aa")).await.unwrap();
    let other = fresh.other().await;
    let changes = (0..10).map(|at| {
        let store = if at % 2 == 0 { fresh.store.clone() } else { other.clone() };
        async move {
            let mut write = store.begin_write().await.unwrap();
            let mut key = write.key("aa").await.unwrap().unwrap();
            key.name.push('x');
            assert!(write.update_key(&key).await.unwrap());
            write.commit().await.unwrap();
        }
    });
    futures::future::join_all(changes).await;
    assert_eq!(other.key("aa").await.unwrap().unwrap().name, "productionxxxxxxxxxx");
}

async fn pages_of_keys_hold_each_once(fresh: Fresh) {
    let store = fresh.store;
    let mut expected = Vec::new();
    for at in 0..10 {
        let mut key = key(&format!("k{at}"));
        key.created_ms += at / 3;
        key.disabled = at % 4 == 1;
        insert(&store, &key).await.unwrap();
        expected.push(key);
    }
    for include_disabled in [true, false] {
        let mut query = KeyQuery { limit: 3, include_disabled, ..KeyQuery::default() };
        let mut found = Vec::new();
        loop {
            let page = store.keys_page(&query).await.unwrap();
            assert!(page.keys.len() <= 3);
            found.extend(page.keys);
            let Some(next) = page.next else { break };
            query.after = Some(next.to_string().parse().unwrap());
        }
        let shown = expected.iter().filter(|key| include_disabled || !key.disabled);
        assert_eq!(found, shown.cloned().collect::<Vec<_>>());
    }
    let query = KeyQuery { limit: 10, skip: 8, include_disabled: true, ..KeyQuery::default() };
    let page = store.keys_page(&query).await.unwrap();
    assert_eq!((page.keys, page.next), (expected[8..].to_vec(), None));
    assert!("nonsense".parse::<KeyMark>().is_err());
}

async fn a_rotated_key_keeps_its_policy_and_its_spending(fresh: Fresh) {
    let store = fresh.store;
    insert(&store, &key("9f86d0")).await.unwrap();
    let made = KeyRecord { creator_hash: Some("9f86d0".to_owned()), ..key("made") };
    insert(&store, &made).await.unwrap();
    store.applied(&settled(&[Generation::example("gen-1")])).await;
    let rotated = KeyRecord { hash: "new".to_owned(), label: "l".to_owned(), ..key("new") };
    let mut write = store.begin_write().await.unwrap();
    assert!(!write.rotate_key("nobody", &rotated).await.unwrap());
    assert!(write.rotate_key("9f86d0", &rotated).await.unwrap());
    write.commit().await.unwrap();
    assert_eq!(store.key("new").await.unwrap(), Some(rotated));
    assert_eq!(store.key_totals(0).await.unwrap()[0].key_hash, "new");
    assert_eq!(store.generation("gen-1").await.unwrap().unwrap().key_hash, "new");
    let made = store.key("made").await.unwrap().unwrap();
    assert_eq!(made.creator_hash.as_deref(), Some("new"));
}

async fn what_a_newer_version_wrote_is_kept_and_never_opens_anything(fresh: Fresh) {
    let store = fresh.store;
    insert(&store, &key("aa")).await.unwrap();
    insert(&store, &key("bb")).await.unwrap();
    for statement in [
        r#"UPDATE api_keys SET rate_limit_json = '{"requests_per_hour":7}' WHERE hash = 'aa'"#,
        "UPDATE api_keys SET kind = 'auditor' WHERE hash = 'bb'",
    ] {
        sqlx::query(statement).execute(&store.pool).await.unwrap();
    }
    let keys = store.keys().await.unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].rate_limit, RateLimit::default());
    let query = KeyQuery { limit: 9, include_disabled: true, ..KeyQuery::default() };
    assert_eq!(store.keys_page(&query).await.unwrap().keys.len(), 1);
    assert!(store.key("bb").await.is_err());
    let mut write = store.begin_write().await.unwrap();
    write.update_key(&key("aa")).await.unwrap();
    write.commit().await.unwrap();
    let row = sqlx::query("SELECT rate_limit_json FROM api_keys WHERE hash = 'aa'")
        .fetch_one(&store.pool)
        .await
        .unwrap();
    let json: String = sqlx::Row::get(&row, 0);
    assert!(json.contains(r#""requests_per_hour":7"#), "{json}");
    assert!(json.contains(r#""requests_per_minute":60"#), "{json}");
}

on_both_databases!(
    keys_are_added_changed_and_deleted_and_the_version_grows,
    what_is_not_committed_did_not_happen,
    one_of_many_changes_under_one_idempotency_key_happens,
    answers_are_found_in_their_scope_until_they_are_old,
    changes_of_one_key_follow_each_other,
    pages_of_keys_hold_each_once,
    a_rotated_key_keeps_its_policy_and_its_spending,
    what_a_newer_version_wrote_is_kept_and_never_opens_anything,
);
