//! The journal's disk is full, or the store is gone: requests are refused or go on as documented,
//! and in the end every delivered answer is recorded once.

use crate::ledger::{Ledger, connect};
use crate::rig::{Plan, Rig};
use crate::traffic::{Got, Traffic, chat, ids, p99};
use sqlx::Executor;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokio::task::JoinHandle;

/// Puts the gateway's journal on a disk of two megabytes that only the gateway's own processes see.
const SMALL_DISK: &[&str] = &[
    "unshare",
    "--map-root-user",
    "--mount",
    "sh",
    "-c",
    "mkdir -p journal && mount -t tmpfs -o size=2m tmpfs journal && exec \"$@\"",
    "sh",
];

/// Asserts that every delivered answer is a row, that nothing was served without one, and that
/// nothing is left open.
async fn assert_recorded(rig: &mut Rig, delivered: &[&str]) {
    let served = rig.journal().await.len();
    rig.signal("TERM");
    rig.wait_for_exit(Duration::from_secs(20)).await;
    let ledger = Ledger::read(rig).await;
    let complete: HashSet<&str> = ledger
        .rows
        .iter()
        .filter(|row| row.outcome == "complete")
        .map(|row| row.id.as_str())
        .collect();
    let lost: Vec<_> = delivered.iter().filter(|id| !complete.contains(*id)).collect();
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), delivered.len());
    assert_eq!((complete.len(), served, ledger.open), (delivered.len(), delivered.len(), 0));
    ledger.assert_conserved();
}

/// A file that takes all the room that is left, again and again.
struct Hog {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    eating: JoinHandle<()>,
}

impl Hog {
    fn start(dir: &Path) -> Self {
        let path = dir.join("hog");
        let file = File::create(&path).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let eating = tokio::spawn(eat(file, Arc::clone(&stop)));
        Self { path, stop, eating }
    }

    async fn leave(self) {
        self.stop.store(true, Ordering::Release);
        self.eating.await.unwrap();
        fs::remove_file(self.path).unwrap();
    }
}

async fn eat(mut file: File, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Acquire) {
        while file.write(&[1; 4096]).is_ok_and(|written| written > 0) {}
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Processor time of the gateway so far.
fn processor_time(rig: &Rig) -> Duration {
    let text = fs::read_to_string(format!("/proc/{}/stat", rig.pid())).unwrap();
    let (_, fields) = text.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap());
    // The kernel shows hundredths of a second.
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_new_requests_and_loses_no_answer() {
    let mut rig = Rig::with(Plan { wrap: SMALL_DISK, ..Plan::default() }).await;
    let folder = rig.folder.path().join("journal");
    let inside = format!("/proc/{}/root{}", rig.pid(), folder.display());
    let inside = Path::new(&inside);
    let traffic = Traffic::start(rig.gateway, 8, Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(1)).await;
    // These are under way when the disk fills up, and end while it is full.
    let slow = chat(true, 300);
    let long = futures::future::join_all((0..8).map(|_| rig.post("/v1/chat/completions", &slow)));
    let fill = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let hog = Hog::start(inside);
        tokio::time::sleep(Duration::from_secs(2)).await;
        hog
    };
    let (long, hog) = futures::future::join(long, fill).await;
    let mut all = traffic.stop().await;

    let idle = processor_time(&rig);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle = processor_time(&rig).checked_sub(idle).unwrap();
    let ready = rig.admin("GET", "/readyz").await.status;
    hog.leave().await;
    let freed = Instant::now();
    let late = Traffic::start(rig.gateway, 4, Duration::from_millis(10));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let late = late.stop().await;

    let back = late.iter().find(|got| got.status == 200).expect("never back").at;
    let refused = all.iter().filter(|got| got.status == 503).count();
    all.extend(late);
    let others: Vec<_> = all.iter().filter(|got| !matches!(got.status, 200 | 503)).collect();
    let lost = rig.metric("arouter_usage_events_dropped_total").await;
    let back_after = back.saturating_duration_since(freed);
    eprintln!(
        "disk full: {} answers, {refused} refused, back after {back_after:?}, processor {idle:?} \
         in 2 s, {lost} lost",
        ids(&all).len()
    );
    assert!(others.is_empty(), "{others:?}");
    assert!(refused > 10 && ready == 503, "{refused} refused, {ready}");
    assert!(back_after <= Duration::from_secs(1), "back after {back_after:?}");
    assert!(idle <= Duration::from_millis(200), "busy for {idle:?} while the disk is full");
    assert!(lost.abs() < 0.5, "{lost} lost");
    assert!(long.iter().all(|answer| answer.status == 200 && answer.text().contains("[DONE]")));
    let mut delivered = ids(&all);
    delivered.extend(long.iter().map(|answer| answer.header("x-generation-id")));
    assert_recorded(&mut rig, &delivered).await;
}

/// Length and time of change of the store's files.
fn files_of_store(rig: &Rig) -> Vec<(u64, SystemTime)> {
    let data = |name: &str| fs::metadata(rig.folder.path().join(name)).unwrap();
    ["arouter.db", "arouter.db-wal"]
        .map(|name| (data(name).len(), data(name).modified().unwrap()))
        .into()
}

/// Regular files that the gateway may write to.
fn files_written(rig: &Rig) -> Vec<String> {
    let dir = format!("/proc/{}/fd", rig.pid());
    let open = fs::read_dir(dir).unwrap().map(|entry| fs::read_link(entry.unwrap().path()));
    let mut names: Vec<String> = open
        .filter_map(Result::ok)
        .filter(|path| path.starts_with(rig.folder.path()))
        .map(|path| path.strip_prefix(rig.folder.path()).unwrap().display().to_string())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_store_delays_no_request_and_loses_none() {
    let mut rig = Rig::start().await;
    let traffic = Traffic::start(rig.gateway, 8, Duration::from_millis(40));
    tokio::time::sleep(Duration::from_secs(6)).await;
    let mut lock = connect(&rig).await;
    lock.execute("BEGIN EXCLUSIVE").await.unwrap();
    let locked = Instant::now();
    let before = files_of_store(&rig);
    tokio::time::sleep(Duration::from_secs(30)).await;
    let after = files_of_store(&rig);
    let unlocked = Instant::now();
    lock.execute("COMMIT").await.unwrap();
    let got = traffic.stop().await;

    let during = |got: &&Got| got.at > locked && got.at + got.took < unlocked;
    let free = p99(got.iter().filter(|got| got.at < locked));
    let held = p99(got.iter().filter(during));
    let count = got.iter().filter(during).count();
    let ledger = Ledger::with_rows(&rig, got.len(), Duration::from_secs(15)).await;
    eprintln!(
        "store locked: {count} answers, p99 {held:?} against {free:?}; all {} stored {:?} after",
        ledger.rows.len(),
        unlocked.elapsed()
    );
    assert!(got.iter().all(|got| got.status == 200));
    assert!(count > 1000, "{count} answers while the store was locked");
    assert!(held < free * 3 + Duration::from_millis(50), "{held:?} against {free:?}");
    // What requests wrote meanwhile went to the journal alone.
    assert_eq!(before, after);
    let known = ["log", "arouter.db", "arouter.db-shm", "arouter.db-wal"];
    for name in files_written(&rig) {
        let expected = known.contains(&&*name) || name.starts_with("journal/");
        assert!(expected, "a file nobody knows is open: {name}");
    }
    assert_recorded(&mut rig, &ids(&got)).await;
}

/// The database refuses for a while, and the gateway dies meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_refuses_writes_is_caught_up_with() {
    let mut rig = Rig::start().await;
    let mut store = connect(&rig).await;
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON generations \
                  BEGIN SELECT RAISE(ABORT, 'not now'); END";
    store.execute(refuse).await.unwrap();
    let mut all = Vec::new();
    for _ in 0..2 {
        let traffic = Traffic::start(rig.gateway, 4, Duration::from_millis(20));
        tokio::time::sleep(Duration::from_secs(1)).await;
        all.extend(traffic.stop().await);
        rig.crash_and_restart().await;
    }
    assert!(Ledger::read(&rig).await.rows.is_empty());
    store.execute("DROP TRIGGER refuse").await.unwrap();
    let delivered = ids(&all);
    assert!(delivered.len() > 50 && delivered.len() == all.len());
    Ledger::with_rows(&rig, delivered.len(), Duration::from_secs(15)).await;
    assert_recorded(&mut rig, &delivered).await;
}
