//! From the journal to the store: exactly once, whatever stops in between.

use super::*;
use crate::money::PicoUsd;
use crate::store::{Generation, Outcome, UsageFilter};
use std::path::Path;

pub(super) const START_MS: i64 = 1_790_000_000_000;

fn open_journal(dir: &Path) -> Arc<Journal> {
    Arc::new(Journal::open(dir.join("journal"), START_MS).unwrap())
}

pub(super) async fn open_store(dir: &Path) -> Store {
    Store::open(&format!("sqlite://{}", dir.join("test.db").display())).await.unwrap()
}

pub(super) fn append(journal: &Journal, ids: std::ops::Range<u32>) {
    for id in ids {
        begin(journal, id..id + 1);
        end(journal, id..id + 1);
    }
}

pub(super) fn begin(journal: &Journal, ids: std::ops::Range<u32>) {
    for id in ids {
        let mut opened = Generation::example(&format!("gen-{id:05}"));
        opened.outcome = Outcome::Abandoned;
        journal.open_request(&opened).unwrap();
    }
}

pub(super) fn end(journal: &Journal, ids: std::ops::Range<u32>) {
    for id in ids {
        journal.append(&Generation::example(&format!("gen-{id:05}"))).unwrap();
    }
}

/// Checks that exactly `count` requests are stored, of which so many are abandoned, that the key's
/// sums are theirs and that none is open.
pub(super) async fn assert_ended(store: &Store, count: u32, abandoned: usize) {
    assert_stored(store, count).await;
    let rows = store.usage_page(&UsageFilter::default(), None, 100_000).await.unwrap();
    let found = rows.iter().filter(|row| row.outcome == Outcome::Abandoned).count();
    assert_eq!(found, abandoned);
    assert!(store.processes_with_open_requests().await.unwrap().is_empty());
}

/// Checks that exactly `count` requests are stored and that the key's sums are theirs.
async fn assert_stored(store: &Store, count: u32) {
    let rows = store.usage_page(&UsageFilter::default(), None, 100_000).await.unwrap();
    let ids: Vec<_> = rows.iter().map(|row| row.id.clone()).collect();
    let expected: Vec<_> = (0..count).map(|id| format!("gen-{id:05}")).collect();
    assert_eq!(ids, expected);
    let cost = rows.iter().fold(PicoUsd::ZERO, |sum, row| sum.saturating_add(row.cost_pico_usd));
    let totals = store.key_totals(0).await.unwrap();
    let totals = totals.first().cloned().unwrap_or_default();
    assert_eq!((totals.requests, totals.cost_pico_usd), (u64::from(count), cost));
}

fn segments(dir: &Path) -> Vec<String> {
    journal::list(&dir.join("journal")).unwrap()
}

#[tokio::test]
async fn every_record_is_stored_and_closed_segments_are_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path()).await;
    append(&open_journal(dir.path()), 0..1234);
    let journal = open_journal(dir.path());
    append(&journal, 1234..1300);
    let recorder = Recorder::new(Arc::clone(&journal), store.clone());
    recorder.flush().await.unwrap();
    assert_stored(&store, 1300).await;
    assert_eq!(segments(dir.path()), [journal.active().0]);
    assert_eq!((recorder.applied_total(), recorder.lag_bytes()), (1300, 0));
    let known = store.journal_segments().await.unwrap();
    assert_eq!(known, [journal.active()]);
}

#[tokio::test]
async fn a_death_between_commit_and_deletion_adds_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path()).await;
    let journal = open_journal(dir.path());
    append(&journal, 0..700);
    let name = journal.active().0;
    let path = dir.path().join("journal").join(&name);
    Recorder::new(Arc::clone(&journal), store.clone()).flush().await.unwrap();
    drop(journal);

    let journal = open_journal(dir.path());
    let recorder = Recorder::new(Arc::clone(&journal), store.clone());
    let copy = std::fs::read(&path).unwrap();
    recorder.flush().await.unwrap();
    assert_eq!((recorder.applied_total(), path.exists()), (0, false));

    // Worse: the whole segment comes back, and how far it was applied is forgotten.
    std::fs::write(&path, copy).unwrap();
    recorder.flush().await.unwrap();
    assert_eq!((recorder.applied_total(), path.exists()), (0, false));
    assert_stored(&store, 700).await;
}

#[tokio::test]
async fn a_batch_that_was_not_committed_is_applied_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path()).await;
    let journal = open_journal(dir.path());
    append(&journal, 0..600);
    let recorder = Recorder::new(Arc::clone(&journal), store.clone());
    // Cancelled at every point it waits at, as by a death in the middle of a transaction.
    for polls in 0..200 {
        let mut flush = Box::pin(recorder.flush());
        for _ in 0..polls {
            if futures::poll!(&mut flush).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(flush);
    }
    recorder.flush().await.unwrap();
    assert_stored(&store, 600).await;
}

#[tokio::test]
async fn a_locked_store_delays_but_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path()).await;
    let journal = open_journal(dir.path());
    let recorder = Arc::new(Recorder::new(Arc::clone(&journal), store.clone()));
    let (stop, stopped) = watch::channel(false);

    let other = open_store(dir.path()).await;
    let lock = other.lock_for_test().await;
    let work = async {
        append(&journal, 0..300);
        tokio::time::sleep(Duration::from_millis(700)).await;
        append(&journal, 300..600);
        assert_eq!(recorder.applied_total(), 0);
        drop(lock);
        while recorder.applied_total() < 600 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.send(true).unwrap();
    };
    let deadline = Duration::from_secs(20);
    tokio::time::timeout(deadline, futures::future::join(recorder.run(stopped), work))
        .await
        .unwrap();
    assert_stored(&store, 600).await;
}

#[tokio::test]
async fn a_store_that_is_gone_for_good_keeps_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path()).await;
    let journal = open_journal(dir.path());
    append(&journal, 0..10);
    store.close().await;
    let recorder = Recorder::new(Arc::clone(&journal), store);
    assert!(matches!(recorder.flush().await, Err(RecorderError::Store(_))));
    assert!(recorder.lag_bytes() > 0);
    drop((recorder, journal));

    let store = open_store(dir.path()).await;
    Recorder::new(open_journal(dir.path()), store.clone()).flush().await.unwrap();
    assert_stored(&store, 10).await;
}

#[tokio::test]
async fn damage_is_set_aside_and_what_stands_before_it_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path()).await;
    let journal = open_journal(dir.path());
    append(&journal, 0..10);
    let (name, bytes) = journal.active();
    let path = dir.path().join("journal").join(&name);
    let recorder = Recorder::new(Arc::clone(&journal), store.clone());
    recorder.flush().await.unwrap();

    append(&journal, 90..95);
    let mut damaged = std::fs::read(&path).unwrap();
    damaged[usize::try_from(bytes).unwrap() + 40] ^= 1;
    std::fs::write(&path, damaged).unwrap();
    // The first look ends the segment this process writes, the second finds it closed.
    for _ in 0..2 {
        recorder.flush().await.unwrap();
    }
    assert!(path.with_extension("bad").exists());
    assert_eq!((path.exists(), recorder.damaged_total()), (false, 1));
    append(&journal, 10..12);
    recorder.flush().await.unwrap();
    assert_stored(&store, 12).await;
}

#[tokio::test]
async fn records_of_a_newer_version_are_kept_beside_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path()).await;
    let journal = open_journal(dir.path());
    append(&journal, 0..1);
    journal.append_raw_for_test(br#"{"id":"gen-x","kind":"new"}"#);
    append(&journal, 1..2);
    let name = journal.active().0;
    Recorder::new(journal, store.clone()).flush().await.unwrap();
    assert_stored(&store, 2).await;
    let kept = dir.path().join("journal").join(name).with_extension("foreign");
    assert_eq!(std::fs::read(kept).unwrap(), b"{\"id\":\"gen-x\",\"kind\":\"new\"}\n");
}
