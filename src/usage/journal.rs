//! The journal: an append-only file that has a request's record before its last byte is released.
//!
//! `proxy/settle.rs` appends, the recorder reads, syncs and deletes. What was written survives the
//! death of the process at once, and a power loss after the next [`Journal::sync`]. A record is
//! written by one `write`, or not at all. Each request has two: one before it is sent to a
//! provider, which must be written, and one when it has ended, which waits in memory if the disk
//! is full.

mod backlog;
mod reader;
mod record;
mod segment;
#[cfg(test)]
mod tests;

pub(super) use reader::{End, Position, damage, read};
pub(super) use segment::{list, process_of, quarantine};

use crate::store::Generation;
use backlog::Backlog;
use segment::{Medium, Segment, Wrap};
use serde::Serialize;
use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A segment is closed when the next record would make it longer.
const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;
/// What a probe writes: room for some hundred records.
const PROBE_BYTES: usize = 64 * 1024;
/// Waiting records that are written before others get the lock.
const BACKLOG_BATCH: usize = 256;

thread_local! {
    /// Where a thread serialises its records, kept to save the allocation.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Why a record was not written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The record cannot be serialised.
    #[error("record cannot be serialised: {0}")]
    Encode(#[from] serde_json::Error),
    /// The record is longer than any real one.
    #[error("record of {bytes} bytes is longer than the journal takes")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The file system refused.
    #[error("journal: {0}")]
    Io(#[from] io::Error),
}

/// Payload of a record that opens a request; one that settles it is the bare [`Generation`].
#[derive(Serialize)]
struct Opened<'g> {
    open: &'g Generation,
}

/// Writes records to segments in a directory; any number of threads may append.
pub struct Journal {
    dir: PathBuf,
    process: String,
    folder: String,
    segment_bytes: u64,
    wrap: Wrap,
    healthy: AtomicBool,
    writer: Mutex<Writer>,
}

struct Writer {
    active: Segment,
    /// Settled requests that the disk did not take.
    backlog: Backlog,
    /// Full segments that were not synced yet.
    closing: Vec<Segment>,
    /// Sequence of the last record.
    sequence: u64,
    /// Number of the next segment.
    next_number: u32,
    /// Whether the directory changed since it was synced.
    dir_changed: bool,
}

impl Journal {
    /// Opens a new segment in `dir`, which is created if missing. `start_ms` is the time in Unix
    /// milliseconds and only names the segments.
    pub fn open(dir: impl Into<PathBuf>, start_ms: i64) -> Result<Self, JournalError> {
        Self::open_with(dir.into(), start_ms, SEGMENT_BYTES, Box::new(|file| Arc::new(file)))
    }

    fn open_with(
        dir: PathBuf,
        start_ms: i64,
        segment_bytes: u64,
        wrap: Wrap,
    ) -> Result<Self, JournalError> {
        segment::create_dir(&dir)?;
        let folder = segment::folder_tag(&dir)?;
        let process = segment::process(start_ms, &folder);
        let (active, next_number) = create_next(&dir, &process, 0, &wrap)?;
        let writer = Mutex::new(Writer {
            active,
            backlog: Backlog::default(),
            closing: Vec::new(),
            sequence: 0,
            next_number,
            dir_changed: true,
        });
        let healthy = AtomicBool::new(true);
        Ok(Self { dir, process, folder, segment_bytes, wrap, healthy, writer })
    }

    /// Records that a request is about to be sent to a provider; `generation` is what will be kept
    /// of it if nothing more is heard. When this returns `Ok`, that survives the death of the
    /// process; when it returns an error, nothing of it is in the journal and the request must
    /// not be sent. Blocks for one `write`.
    pub fn open_request(&self, generation: &Generation) -> Result<(), JournalError> {
        let opened = Opened { open: generation };
        with_record(&opened, |record| self.write_record(&mut self.writer(), record))
    }

    /// Records how a request ended. A record that the disk does not take waits in memory until it
    /// does; an error means that there was no room for it either, and it is lost. Blocks for one
    /// `write`.
    pub fn append(&self, generation: &Generation) -> Result<(), JournalError> {
        with_record(generation, |record| {
            let mut writer = self.writer();
            let written = self.write_record(&mut writer, record);
            let waits = matches!(written, Err(JournalError::Io(_))) && writer.backlog.push(record);
            if waits { Ok(()) } else { written }
        })
    }

    /// Writes a record whose header is still to be filled in.
    fn write_record(&self, writer: &mut Writer, record: &mut [u8]) -> Result<(), JournalError> {
        if !record::seal(record, writer.sequence.saturating_add(1)) {
            return Err(JournalError::TooLong { bytes: record.len() });
        }
        let bytes = record.len() as u64;
        if writer.active.committed_bytes.saturating_add(bytes) > self.segment_bytes
            && let Err(error) = self.rotate(writer)
        {
            // The old segment still takes records; being longer than meant harms nothing.
            tracing::warn!(%error, "journal segment cannot be rotated");
        }
        write_whole(&writer.active, record).inspect_err(|error| self.fail(error))?;
        writer.active.committed_bytes = writer.active.committed_bytes.saturating_add(bytes);
        writer.sequence = writer.sequence.saturating_add(1);
        Ok(())
    }

    /// False after a write or a sync failed, until a probe succeeds. New work must then be
    /// refused, as it could not be recorded.
    pub fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    /// Makes everything appended so far survive a power loss. Blocks; a no-op if nothing is new.
    /// A segment that could not be synced is given up: what it held is written to a new one,
    /// because a second sync may claim success for data the first one lost.
    pub fn sync(&self) -> Result<(), JournalError> {
        let (closing, active, dir_changed) = {
            let mut writer = self.writer();
            let closing = std::mem::take(&mut writer.closing);
            let active = &writer.active;
            let unsynced = active.synced_bytes < active.committed_bytes;
            let active = unsynced.then(|| (Arc::clone(&active.medium), active.committed_bytes));
            (closing, active, std::mem::take(&mut writer.dir_changed))
        };
        let mut outcome = if dir_changed { segment::sync_dir(&self.dir) } else { Ok(()) };
        for segment in closing {
            if let Err(error) = segment.medium.sync_data() {
                outcome = self.rewrite(&mut self.writer(), &segment).and(Err(error));
            }
        }
        if let Some((medium, committed_bytes)) = active {
            outcome = self.sync_active(&medium, committed_bytes).and(outcome);
        }
        outcome.map_err(|error| {
            self.fail(&error);
            error.into()
        })
    }

    fn sync_active(&self, medium: &Arc<dyn Medium>, committed_bytes: u64) -> io::Result<()> {
        let synced = medium.sync_data();
        let mut writer = self.writer();
        let is_active = Arc::ptr_eq(&writer.active.medium, medium);
        match synced {
            Ok(()) if is_active => writer.active.synced_bytes = committed_bytes,
            Ok(()) => {}
            Err(error) if is_active => {
                self.rotate(&mut writer)?;
                if let Some(lost) = writer.closing.pop() {
                    self.rewrite(&mut writer, &lost)?;
                }
                return Err(error);
            }
            // Rotated meanwhile: it is among `closing` and the next sync finds out.
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Tries whether the disk takes records again after it did not, writes those that wait, and
    /// says so. Blocks.
    pub fn probe(&self) -> bool {
        self.sync().is_ok() && self.has_room() && self.write_backlog()
    }

    fn has_room(&self) -> bool {
        let writer = self.writer();
        let active = &writer.active;
        write_whole(active, &vec![0; PROBE_BYTES])
            .and_then(|()| active.medium.set_len(active.committed_bytes))
            .is_ok()
    }

    /// Writes the records that wait, and lets new work in after the last one.
    fn write_backlog(&self) -> bool {
        loop {
            let mut writer = self.writer();
            for _ in 0..BACKLOG_BATCH {
                let Some(mut record) = writer.backlog.pop() else {
                    if !self.healthy.swap(true, Ordering::Relaxed) {
                        tracing::info!("the journal takes records again");
                    }
                    return true;
                };
                if self.write_record(&mut writer, &mut record).is_err() {
                    writer.backlog.put_back(record);
                    return false;
                }
            }
        }
    }

    /// Number of settled requests that wait in memory because the disk does not take them.
    pub fn waiting_records(&self) -> usize {
        self.writer().backlog.len()
    }

    /// Names the process that writes this journal; the first part of its segments' names.
    pub fn process(&self) -> &str {
        &self.process
    }

    /// Whether the segments of `process` are, or were, in this journal's directory.
    pub(super) fn is_home_of(&self, process: &str) -> bool {
        process.rsplit_once('-').is_some_and(|(_, folder)| folder == self.folder)
    }

    /// Bytes of whole records in the segment being written, with its name.
    pub(super) fn active(&self) -> (String, u64) {
        let writer = self.writer();
        (writer.active.name.clone(), writer.active.committed_bytes)
    }

    /// Closes the segment being written and starts another.
    pub(super) fn start_segment(&self) -> io::Result<()> {
        self.rotate(&mut self.writer())
    }

    /// The directory of the segments.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    fn rotate(&self, writer: &mut Writer) -> io::Result<()> {
        let (fresh, next_number) =
            create_next(&self.dir, &self.process, writer.next_number, &self.wrap)?;
        writer.next_number = next_number;
        writer.dir_changed = true;
        let full = std::mem::replace(&mut writer.active, fresh);
        writer.closing.push(full);
        Ok(())
    }

    /// Copies what `lost` never synced to a new segment. Its own file stays for the reader; a
    /// record found in both is stored once, as every record has its id.
    fn rewrite(&self, writer: &mut Writer, lost: &Segment) -> io::Result<()> {
        let bytes = lost.committed_bytes.saturating_sub(lost.synced_bytes);
        let mut copy = vec![0; usize::try_from(bytes).unwrap_or(0)];
        lost.medium.read_exact_at(&mut copy, lost.synced_bytes)?;
        // Sequences only grow within a segment, so older records need one of their own.
        let alone = writer.active.committed_bytes > 0;
        if alone {
            self.rotate(writer)?;
        }
        write_whole(&writer.active, &copy)?;
        writer.active.committed_bytes = bytes;
        if alone { self.rotate(writer) } else { Ok(()) }
    }

    fn fail(&self, error: &io::Error) {
        if self.healthy.swap(false, Ordering::Relaxed) {
            tracing::error!(%error, "the journal takes no records, new work is refused");
        }
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serialises a payload behind room for its header and passes both on.
fn with_record(
    payload: &impl Serialize,
    write: impl Fn(&mut [u8]) -> Result<(), JournalError>,
) -> Result<(), JournalError> {
    let fill = |buffer: &mut Vec<u8>| {
        record::begin(buffer);
        serde_json::to_writer(&mut *buffer, payload)?;
        write(buffer)
    };
    BUFFER
        .try_with(|buffer| fill(&mut buffer.borrow_mut()))
        .unwrap_or_else(|_| fill(&mut Vec::new()))
}

/// Creates the first segment from `number` on whose name is free; also returns the next number.
fn create_next(
    dir: &Path,
    process: &str,
    mut number: u32,
    wrap: &Wrap,
) -> io::Result<(Segment, u32)> {
    loop {
        let created = segment::create(dir, &segment::name(process, number), wrap);
        number = number.saturating_add(1);
        match created {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < u32::MAX => {}
            created => return created.map(|segment| (segment, number)),
        }
    }
}

/// Writes `bytes` after the last whole record, or leaves nothing of them.
fn write_whole(segment: &Segment, bytes: &[u8]) -> io::Result<()> {
    let error = loop {
        match segment.medium.write_at(bytes, segment.committed_bytes) {
            Ok(written) if written == bytes.len() => return Ok(()),
            Ok(_) => break io::Error::new(io::ErrorKind::StorageFull, "short write"),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break error,
        }
    };
    if let Err(error) = segment.medium.set_len(segment.committed_bytes) {
        // The next record overwrites the rest, and the reader cuts what is no record.
        tracing::warn!(%error, "unfinished journal record cannot be cut off");
    }
    Err(error)
}
