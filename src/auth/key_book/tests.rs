//! Changes against a real store, and against another process that changes the same one.

use super::*;
use crate::auth::{Credential, KeyTable};
use crate::clock::Clock;
use crate::config;
use crate::config::{BudgetMode, LimitReset, RateLimit};
use crate::limits::SteadyClock;

fn record(secret: &str) -> KeyRecord {
    KeyRecord {
        hash: crate::id::key_hash_hex(secret),
        name: secret.to_owned(),
        label: "…".to_owned(),
        kind: config::KeyKind::Regular,
        disabled: false,
        limit: None,
        limit_reset: LimitReset::Never,
        budget_mode: BudgetMode::Estimate,
        include_byok_in_limit: false,
        rate_limit: RateLimit::default(),
        allowed_providers: None,
        allowed_models: None,
        enforce_zdr: false,
        creator_hash: None,
        expires_ms: None,
        created_ms: 1,
        updated_ms: None,
    }
}

struct Process {
    authenticator: Arc<Authenticator>,
    book: KeyBook,
}

impl Process {
    fn new(store: &Store) -> Self {
        let meters = Arc::new(Meters::new(SteadyClock::new(Clock::System)));
        let authenticator = Arc::new(Authenticator::new(Arc::clone(&meters)));
        let book = KeyBook::new(store.clone(), Arc::clone(&authenticator), meters);
        Self { authenticator, book }
    }

    fn opens(&self, secret: &str) -> bool {
        let mut headers = http::HeaderMap::new();
        headers.insert("x-api-key", secret.parse().unwrap());
        let credential = Credential::find(&headers, None).unwrap();
        self.authenticator.identify(&KeyTable::default(), credential.as_ref()).is_ok()
    }

    async fn insert(&self, secret: &str) {
        let mut change = self.book.turn().await.begin().await.unwrap();
        change.insert_key(&record(secret)).await.unwrap();
        assert!(!self.opens(secret), "in force before it is committed");
        change.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_change_is_in_force_when_it_is_committed() {
    let store = Store::open("memory:").await.unwrap();
    let here = Process::new(&store);
    here.book.follow().await.unwrap();
    assert!(!here.opens("a"));
    here.insert("a").await;
    assert!(here.opens("a"));
    let mut disabled = record("a");
    disabled.disabled = true;
    let mut change = here.book.turn().await.begin().await.unwrap();
    assert!(change.update_key(&disabled).await.unwrap());
    change.commit().await.unwrap();
    assert!(!here.opens("a"));
    here.insert("b").await;
    let mut change = here.book.turn().await.begin().await.unwrap();
    assert!(change.delete_key(&record("b").hash).await.unwrap());
    assert!(here.opens("b"));
    change.commit().await.unwrap();
    assert!(!here.opens("b"));
    // What was only begun never happened.
    let mut change = here.book.turn().await.begin().await.unwrap();
    change.insert_key(&record("c")).await.unwrap();
    drop(change);
    assert!(!here.opens("c"));
}

#[tokio::test]
async fn own_changes_are_not_read_again_and_those_of_others_are() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("db").display());
    let (here, there) = (
        Process::new(&Store::open(&url).await.unwrap()),
        Process::new(&Store::open(&url).await.unwrap()),
    );
    assert!(here.book.follow().await.unwrap());
    here.insert("mine").await;
    assert!(!here.book.follow().await.unwrap(), "the whole table was read for an own change");
    there.insert("theirs").await;
    assert!(!here.opens("theirs"));
    // A change of ours after theirs must not hide theirs.
    here.insert("mine too").await;
    assert!(here.book.follow().await.unwrap());
    for secret in ["mine", "theirs", "mine too"] {
        assert!(here.opens(secret), "{secret}");
    }
    assert!(!here.book.follow().await.unwrap());
}

#[tokio::test]
async fn a_table_that_was_read_before_a_change_never_comes_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("db").display());
    let here = Process::new(&Store::open(&url).await.unwrap());
    let there = Process::new(&Store::open(&url).await.unwrap());
    here.book.follow().await.unwrap();
    let follow = async {
        loop {
            here.book.follow().await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let change = async {
        for round in 0..40 {
            there.insert(&format!("theirs {round}")).await;
            let secret = format!("mine {round}");
            here.insert(&secret).await;
            for _ in 0..20 {
                assert!(here.opens(&secret), "{secret} was lost");
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::select! {
        () = follow => {}
        () = change => {}
    }
}
