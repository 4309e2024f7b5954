//! Open requests of dead processes: settled once, whatever dies during that; those of living ones
//! are left alone.

use crate::store::{Generation, Outcome, Store};
use crate::usage::journal::Journal;
use crate::usage::recorder::tests::{START_MS, append, assert_ended, begin, end, open_store};
use crate::usage::recorder::{Recorder, Recovery};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// The journal of the `start`th process that works in this folder.
fn journal(dir: &Path, start: i64) -> Arc<Journal> {
    Arc::new(Journal::open(dir.join("journal"), START_MS + start).unwrap())
}

fn recorder(journal: &Arc<Journal>, store: &Store) -> Recorder {
    Recorder::new(Arc::clone(journal), store.clone())
}

async fn recover(dir: &Path, start: i64, store: &Store) -> Recovery {
    recorder(&journal(dir, start), store).recover().await.unwrap()
}

#[tokio::test]
async fn what_a_dead_process_left_open_is_settled_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path()).await;
    let first = journal(dir.path(), 0);
    append(&first, 0..600);
    begin(&first, 600..640);
    end(&first, 600..620);
    drop(first);
    let recovery = recover(dir.path(), 1, &store).await;
    assert_eq!(recovery, Recovery { applied: 620, abandoned: 20 });
    assert_ended(&store, 640, 20).await;
    assert_eq!(recover(dir.path(), 2, &store).await, Recovery { applied: 0, abandoned: 0 });
    assert_ended(&store, 640, 20).await;
}

#[tokio::test]
async fn what_was_open_before_the_last_segment_is_not_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path()).await;
    let first = journal(dir.path(), 0);
    begin(&first, 0..5);
    first.start_segment().unwrap();
    first.sync().unwrap();
    // The first segment is gone while its requests still run.
    recorder(&first, &store).flush().await.unwrap();
    end(&first, 1..3);
    drop(first);
    let recovery = recover(dir.path(), 1, &store).await;
    assert_eq!(recovery, Recovery { applied: 2, abandoned: 3 });
    assert_ended(&store, 5, 3).await;
}

#[tokio::test]
async fn the_requests_of_a_living_process_are_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path()).await;
    let old = journal(dir.path(), 0);
    begin(&old, 0..4);
    let new = journal(dir.path(), 1);
    begin(&new, 4..6);
    let recorder = recorder(&new, &store);
    assert_eq!(recorder.recover().await.unwrap(), Recovery { applied: 0, abandoned: 0 });
    end(&old, 0..1);
    recorder.flush().await.unwrap();
    assert_eq!((recorder.applied_total(), recorder.abandoned_total()), (1, 0));

    // It finishes some more, then it is gone; the successor's own requests go on.
    end(&old, 1..2);
    drop(old);
    recorder.flush().await.unwrap();
    assert_eq!((recorder.applied_total(), recorder.abandoned_total()), (2, 2));
    assert_eq!(store.processes_with_open_requests().await.unwrap(), [new.process()]);
    end(&new, 4..6);
    recorder.flush().await.unwrap();
    assert_ended(&store, 6, 2).await;
}

/// Two machines with a journal each share a store: neither can know whether the other lives.
#[tokio::test]
async fn the_requests_of_another_journal_are_left_alone() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open_store(here.path()).await;
    let other = journal(there.path(), 0);
    begin(&other, 0..3);
    let other_recorder = recorder(&other, &store);
    other_recorder.flush().await.unwrap();
    let segments = store.journal_segments().await.unwrap();

    assert_eq!(recover(here.path(), 1, &store).await, Recovery { applied: 0, abandoned: 0 });
    assert_eq!(store.processes_with_open_requests().await.unwrap(), [other.process()]);
    assert_eq!(store.journal_segments().await.unwrap(), segments);
    end(&other, 0..3);
    other_recorder.flush().await.unwrap();
    assert_ended(&store, 3, 0).await;
}

/// Recovery is cut off at every point at which it waits, as by a death in it, and begun again by
/// the next process.
#[tokio::test]
async fn a_recovery_that_dies_is_done_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path()).await;
    let first = journal(dir.path(), 0);
    append(&first, 0..40);
    begin(&first, 40..60);
    drop(first);
    let mut finished = 0;
    for polls in 0..150 {
        let journal = journal(dir.path(), 1 + polls);
        let recorder = recorder(&journal, &store);
        let mut recovery = Box::pin(recorder.recover());
        for _ in 0..polls {
            if futures::poll!(&mut recovery).is_ready() {
                finished += 1;
                break;
            }
            tokio::task::yield_now().await;
            std::thread::yield_now();
        }
    }
    assert!(finished > 0, "no recovery came to its end");
    recover(dir.path(), 1000, &store).await;
    assert_ended(&store, 60, 20).await;
}

/// The worst that a crash between the steps of recovery can leave: all files are back, and how far
/// they were applied is forgotten.
#[tokio::test]
async fn a_journal_that_comes_back_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path()).await;
    let first = journal(dir.path(), 0);
    append(&first, 0..20);
    begin(&first, 20..30);
    let path = dir.path().join("journal").join(first.active().0);
    drop(first);
    let copy = fs::read(&path).unwrap();
    recover(dir.path(), 1, &store).await;
    for start in 2..5 {
        fs::write(&path, &copy).unwrap();
        let recovery = recover(dir.path(), start, &store).await;
        assert_eq!(recovery, Recovery { applied: 0, abandoned: 0 });
        assert_ended(&store, 30, 10).await;
    }
}

#[tokio::test]
async fn two_processes_that_recover_at_once_do_it_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path()).await;
    let first = journal(dir.path(), 0);
    append(&first, 0..700);
    begin(&first, 700..750);
    drop(first);
    let (left, right) = (journal(dir.path(), 1), journal(dir.path(), 2));
    let (left, right) = (recorder(&left, &store), recorder(&right, &store));
    let (left_flush, right_flush) = futures::future::join(left.recover(), right.recover()).await;
    // One may find that the other took a file away; the next look is right.
    drop((left_flush, right_flush));
    left.recover().await.unwrap();
    right.recover().await.unwrap();
    assert_eq!(left.applied_total() + right.applied_total(), 700);
    assert_eq!(left.abandoned_total() + right.abandoned_total(), 50);
    assert_ended(&store, 750, 50).await;
}

#[tokio::test]
async fn requests_whose_end_was_damaged_are_settled_with_their_process() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path()).await;
    let first = journal(dir.path(), 0);
    begin(&first, 0..10);
    let (name, bytes) = first.active();
    end(&first, 0..10);
    drop(first);
    let path = dir.path().join("journal").join(name);
    let mut damaged = fs::read(&path).unwrap();
    damaged[usize::try_from(bytes).unwrap() + 40] ^= 1;
    fs::write(&path, damaged).unwrap();
    let second = journal(dir.path(), 1);
    let recorder = recorder(&second, &store);
    assert_eq!(recorder.recover().await.unwrap(), Recovery { applied: 0, abandoned: 10 });
    assert_eq!((recorder.damaged_total(), path.with_extension("bad").exists()), (1, true));
    assert_ended(&store, 10, 10).await;
}

#[tokio::test]
async fn a_segment_that_fills_the_disk_goes_as_soon_as_it_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path()).await;
    let journal = journal(dir.path(), 0);
    let recorder = recorder(&journal, &store);
    append(&journal, 0..50);
    let full = dir.path().join("journal").join(journal.active().0);
    journal.fail_for_test();
    recorder.apply_all().await.unwrap();
    // The probe gives up the closed segment, and the next look deletes it.
    assert!(journal.probe());
    recorder.apply_all().await.unwrap();
    assert!(!full.exists());
    append(&journal, 50..60);
    recorder.flush().await.unwrap();
    assert_ended(&store, 60, 0).await;
}

#[tokio::test]
async fn an_abandoned_request_stays_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path()).await;
    let first = journal(dir.path(), 0);
    begin(&first, 0..1);
    drop(first);
    recover(dir.path(), 1, &store).await;
    let second = journal(dir.path(), 2);
    second.append(&Generation::example("gen-00000")).unwrap();
    recorder(&second, &store).flush().await.unwrap();
    let row = store.generation("gen-00000").await.unwrap().unwrap();
    assert_eq!(row.outcome, Outcome::Abandoned);
    assert_ended(&store, 1, 1).await;
}
