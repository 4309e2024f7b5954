//! The recorder: copies the journal to the store, exactly once, off the way of requests.
//!
//! Run as a background service by `server`. The journal's segments are its queue, so nothing is
//! lost with the process: how far a segment was applied is committed together with its records,
//! a record applied twice counts once, and a segment is deleted only after its last record was
//! committed. While the store is gone the journal grows and the recorder tries again. What a dead
//! process left open is settled as abandoned.

mod departed;

use super::journal::{self, End, Journal, Position};
use crate::store::{Store, StoreError};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, watch};

/// Records of one transaction.
const BATCH_RECORDS: usize = 512;
/// How long a record waits for company.
const APPLY_EVERY: Duration = Duration::from_millis(200);
/// At most this much is lost when the power fails.
const SYNC_EVERY: Duration = Duration::from_millis(10);
/// How often a journal that takes no records is tried.
const PROBE_EVERY: Duration = Duration::from_millis(200);
/// Longest wait between two tries while the store is gone.
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// Why the journal could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The store refused or is gone.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal cannot be read.
    #[error("journal: {0}")]
    Io(#[from] io::Error),
}

/// Copies a journal to a store.
pub struct Recorder {
    journal: Arc<Journal>,
    store: Store,
    progress: Mutex<Progress>,
    lag_bytes: AtomicU64,
    applied_total: AtomicU64,
    abandoned_total: AtomicU64,
    damaged_total: AtomicU64,
}

/// What the last look at the journal and the store found.
#[derive(Default)]
struct Progress {
    /// How far each segment is committed, by name; `None` until the store was asked.
    positions: Option<HashMap<String, Position>>,
    /// The processes that had segments when open requests were last looked through.
    present: Option<HashSet<String>>,
}

/// What earlier processes had left in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// Settled requests that the store did not have.
    pub applied: u64,
    /// Requests that were open when their process died, now stored as abandoned.
    pub abandoned: u64,
}

impl Recorder {
    /// A recorder that does nothing until it is run or flushed.
    pub fn new(journal: Arc<Journal>, store: Store) -> Self {
        Self {
            journal,
            store,
            progress: Mutex::new(Progress::default()),
            lag_bytes: AtomicU64::new(0),
            applied_total: AtomicU64::new(0),
            abandoned_total: AtomicU64::new(0),
            damaged_total: AtomicU64::new(0),
        }
    }

    /// Bytes in the journal that the store does not have yet, as of the last look.
    pub fn lag_bytes(&self) -> u64 {
        self.lag_bytes.load(Ordering::Relaxed)
    }

    /// Settled requests this process added to the store.
    pub fn applied_total(&self) -> u64 {
        self.applied_total.load(Ordering::Relaxed)
    }

    /// Requests this process stored as abandoned, because the process that ran them is dead.
    pub fn abandoned_total(&self) -> u64 {
        self.abandoned_total.load(Ordering::Relaxed)
    }

    /// Segments taken out of the journal because they were damaged.
    pub fn damaged_total(&self) -> u64 {
        self.damaged_total.load(Ordering::Relaxed)
    }

    /// Works until `shutdown` turns true or its sender is gone, then applies what is left. Stop it
    /// only after the last request ended; what comes later is applied at the next start.
    pub async fn run(&self, shutdown: watch::Receiver<bool>) {
        futures::future::join(self.sync_loop(shutdown.clone()), self.apply_loop(shutdown)).await;
        if let Err(error) = self.flush().await {
            tracing::warn!(%error, "usage left in the journal for the next start");
        }
        let records = self.journal.waiting_records();
        if records > 0 {
            tracing::error!(
                records,
                "usage that the journal did not take is lost with the process"
            );
        }
    }

    /// Applies what earlier processes left in the journal, and settles what they left open. After
    /// this the store knows every request that was made before; to be called once, at the start.
    pub async fn recover(&self) -> Result<Recovery, RecorderError> {
        let before = (self.applied_total(), self.abandoned_total());
        self.apply_all().await?;
        Ok(Recovery {
            applied: self.applied_total().saturating_sub(before.0),
            abandoned: self.abandoned_total().saturating_sub(before.1),
        })
    }

    /// Makes what is in the journal now survive a power loss and applies it to the store.
    pub async fn flush(&self) -> Result<(), RecorderError> {
        self.sync().await;
        let records = self.journal.waiting_records();
        if records > 0 {
            tracing::error!(records, "usage that the journal does not take is in memory only");
        }
        self.apply_all().await
    }

    async fn sync_loop(&self, mut shutdown: watch::Receiver<bool>) {
        let mut wait = SYNC_EVERY;
        while !stopped_within(&mut shutdown, wait).await {
            self.sync().await;
            wait = if self.journal.is_healthy() { SYNC_EVERY } else { PROBE_EVERY };
        }
    }

    /// Syncs, or tries whether that works again. The journal itself logs failures.
    async fn sync(&self) {
        let journal = Arc::clone(&self.journal);
        let synced = tokio::task::spawn_blocking(move || {
            if journal.is_healthy() { journal.sync().is_ok() } else { journal.probe() }
        });
        if let Err(error) = synced.await {
            tracing::error!(%error, "journal sync ended early");
        }
    }

    async fn apply_loop(&self, mut shutdown: watch::Receiver<bool>) {
        let mut wait = APPLY_EVERY;
        let mut failing = false;
        while !stopped_within(&mut shutdown, wait).await {
            match self.apply_all().await {
                Ok(()) => {
                    if std::mem::take(&mut failing) {
                        tracing::info!("usage is stored again");
                    }
                    wait = APPLY_EVERY;
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::error!(%error, "usage cannot be stored, it stays in the journal");
                    }
                    wait = wait.saturating_mul(2).min(MAX_BACKOFF);
                }
            }
        }
    }

    /// Applies every segment to its present end, then settles what dead processes left open.
    async fn apply_all(&self) -> Result<(), RecorderError> {
        let mut progress = self.progress.lock().await;
        let applied = self.apply_segments(&mut progress.positions).await;
        self.measure_lag(progress.positions.as_ref());
        match applied {
            Err(RecorderError::Store(error)) => Err(error.into()),
            applied => self.abandon_departed(&mut progress.present).await.and(applied),
        }
    }

    async fn apply_segments(
        &self,
        positions: &mut Option<HashMap<String, Position>>,
    ) -> Result<(), RecorderError> {
        let names = journal::list(self.journal.dir())?;
        let positions = match positions {
            Some(positions) => positions,
            None => positions.insert(self.load_positions(&names).await?),
        };
        let mut outcome = Ok(());
        for name in names {
            match self.apply_segment(&name, positions).await {
                Ok(()) => {}
                // Another process that shares the journal finished it.
                Err(RecorderError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                    positions.remove(&name);
                }
                // One unreadable file does not hold up the others.
                Err(RecorderError::Io(error)) => outcome = Err(error.into()),
                Err(error) => return Err(error),
            }
        }
        outcome
    }

    async fn load_positions(
        &self,
        names: &[String],
    ) -> Result<HashMap<String, Position>, RecorderError> {
        let mut positions = HashMap::new();
        for (name, applied_bytes) in self.store.journal_segments().await? {
            if names.contains(&name) {
                positions.insert(name, Position::at(applied_bytes));
            } else if self.journal.is_home_of(journal::process_of(&name)) {
                self.store.forget_journal_segment(&name).await?;
            }
        }
        Ok(positions)
    }

    async fn apply_segment(
        &self,
        name: &str,
        positions: &mut HashMap<String, Position>,
    ) -> Result<(), RecorderError> {
        let dir = self.journal.dir();
        let process = journal::process_of(name);
        loop {
            let position = positions.get(name).copied().unwrap_or_default();
            let (active, committed_bytes) = self.journal.active();
            let committed_bytes = (active == name).then_some(committed_bytes);
            let batch = journal::read(dir, name, position, BATCH_RECORDS, committed_bytes)?;
            if !batch.foreign.is_empty() {
                self.set_aside(name, &batch.foreign)?;
            }
            if batch.position != position {
                let applied_bytes = batch.position.offset_bytes;
                let added = self.store.apply(&batch.entries, process, name, applied_bytes).await?;
                self.applied_total.fetch_add(added, Ordering::Relaxed);
                positions.insert(name.to_owned(), batch.position);
            }
            match batch.end {
                End::More => {}
                End::Live => return Ok(self.make_room(committed_bytes)),
                End::CorruptLive => return Ok(self.journal.start_segment()?),
                End::Finished | End::Torn(_) | End::Corrupt => {
                    self.retire(name, batch.end, batch.position)?;
                    positions.remove(name);
                    return Ok(self.store.forget_journal_segment(name).await?);
                }
            }
        }
    }

    /// If the disk is full, the segment that is written now may be what fills it. It was just
    /// applied, so that it can be closed early, and is deleted at the next look.
    fn make_room(&self, committed_bytes: Option<u64>) {
        let holds_room = committed_bytes.is_some_and(|bytes| bytes > 0);
        if holds_room
            && !self.journal.is_healthy()
            && let Err(error) = self.journal.start_segment()
        {
            tracing::debug!(%error, "the journal's segment cannot be closed early");
        }
    }

    /// Takes a segment whose records are all committed out of the queue.
    fn retire(&self, name: &str, end: End, position: Position) -> io::Result<()> {
        let dir = self.journal.dir();
        if end == End::Corrupt {
            let damage = journal::damage(dir, name, position)?;
            let kept = journal::quarantine(dir, name)?;
            self.damaged_total.fetch_add(1, Ordering::Relaxed);
            tracing::error!(
                file = %kept.display(),
                offset_bytes = position.offset_bytes,
                after_sequence = position.previous(),
                readable = damage.readable,
                first_id = damage.first_id,
                last_id = damage.last_id,
                "journal segment is damaged: from this offset on it was not stored, and requests \
                 whose end it held will be stored as abandoned"
            );
            return Ok(());
        }
        if let End::Torn(bytes) = end {
            tracing::warn!(segment = name, bytes, "unfinished record at the end of the journal");
        }
        fs::remove_file(dir.join(name))
    }

    /// Keeps intact records this version cannot read beside the journal.
    fn set_aside(&self, name: &str, payloads: &[Vec<u8>]) -> io::Result<()> {
        let path = self.journal.dir().join(name).with_extension("foreign");
        tracing::error!(file = %path.display(), count = payloads.len(), "unknown journal records");
        let mut file = fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        for payload in payloads {
            file.write_all(payload)?;
            file.write_all(b"\n")?;
        }
        file.sync_data()
    }

    fn measure_lag(&self, positions: Option<&HashMap<String, Position>>) {
        let dir = self.journal.dir();
        let segments = journal::list(dir).unwrap_or_default();
        let lag_bytes = segments.into_iter().map(|name| {
            let length_bytes = fs::metadata(dir.join(&name)).map_or(0, |data| data.len());
            let applied = positions.and_then(|positions| positions.get(&name));
            length_bytes.saturating_sub(applied.map_or(0, |position| position.offset_bytes))
        });
        self.lag_bytes.store(lag_bytes.sum(), Ordering::Relaxed);
    }
}

/// Waits; true if the shutdown came first.
async fn stopped_within(shutdown: &mut watch::Receiver<bool>, wait: Duration) -> bool {
    tokio::time::timeout(wait, shutdown.wait_for(|&stop| stop)).await.is_ok()
}

#[cfg(test)]
mod tests;
