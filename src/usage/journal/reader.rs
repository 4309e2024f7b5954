//! Reads whole records of a segment from an offset on, a batch at a time.
//!
//! Used by the recorder. A segment still being written may end in an unfinished record, which is
//! left for later; one that nobody writes any more may end in a torn one, which never was
//! acknowledged. Anything else that is no record is damage: reading stops before it.

use super::record::{self, Parsed};
use super::segment;
use crate::store::{Entry, Generation};
use serde::Deserialize;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// How much is read at once; well above the longest record, so that each read makes progress.
const CHUNK_BYTES: u64 = 1024 * 1024;

/// How far a segment was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::usage) struct Position {
    /// Bytes of the records read.
    pub(in crate::usage) offset_bytes: u64,
    /// Sequence of the last one, if this process read it.
    previous: Option<u64>,
}

impl Position {
    /// After `offset_bytes` bytes, which an earlier process read.
    pub(in crate::usage) fn at(offset_bytes: u64) -> Self {
        Self { offset_bytes, previous: None }
    }

    /// Sequence of the last record read, if this process read it.
    pub(in crate::usage) fn previous(&self) -> Option<u64> {
        self.previous
    }
}

/// Why reading stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::usage) enum End {
    /// The batch is full; more follows.
    More,
    /// Nothing more yet, but the segment is still written.
    Live,
    /// The segment is complete and read whole.
    Finished,
    /// As `Finished`, but for this many bytes of a record that was never acknowledged.
    Torn(u64),
    /// Damage inside the segment, which nobody writes any more.
    Corrupt,
    /// Damage inside the segment this process is writing.
    CorruptLive,
}

/// Records of one segment.
#[derive(Debug)]
pub(in crate::usage) struct Batch {
    /// The records, in the order they were written.
    pub(in crate::usage) entries: Vec<Entry>,
    /// Intact payloads that are no [`Entry`]: written by a newer version.
    pub(in crate::usage) foreign: Vec<Vec<u8>>,
    /// Where the next batch starts.
    pub(in crate::usage) position: Position,
    /// Why this one ended.
    pub(in crate::usage) end: End,
}

/// Reads up to `limit` records of segment `name` from `position` on. `committed_bytes` is the
/// length of whole records, if this process writes the segment.
pub(in crate::usage) fn read(
    dir: &Path,
    name: &str,
    position: Position,
    limit: usize,
    committed_bytes: Option<u64>,
) -> io::Result<Batch> {
    let (file, closed) = segment::open(&dir.join(name))?;
    // Asked after the lock was: a closed segment grows no more.
    let length_bytes = file.metadata()?.len();
    let end_bytes = if closed { length_bytes } else { committed_bytes.unwrap_or(length_bytes) };
    let wanted_bytes = end_bytes.saturating_sub(position.offset_bytes).min(CHUNK_BYTES);
    let chunk = read_at(&file, position.offset_bytes, wanted_bytes)?;

    let mut batch = Batch { entries: Vec::new(), foreign: Vec::new(), position, end: End::More };
    let stopped = scan(&chunk, limit, &mut batch);
    let reached_end = position.offset_bytes.saturating_add(wanted_bytes) >= end_bytes;
    batch.end = match stopped {
        Stopped::Limit => End::More,
        Stopped::Incomplete if !reached_end => End::More,
        Stopped::Incomplete if batch.position.offset_bytes >= end_bytes => {
            if closed {
                End::Finished
            } else {
                End::Live
            }
        }
        stopped if closed => {
            let rest_bytes = end_bytes.saturating_sub(batch.position.offset_bytes);
            let rest = read_at(&file, batch.position.offset_bytes, rest_bytes)?;
            judge_rest(&rest, batch.position.previous, stopped)
        }
        // All bytes below `committed_bytes` are whole records; of another process's segment we
        // may have seen half a write.
        _ if committed_bytes.is_some() => End::CorruptLive,
        _ => End::Live,
    };
    Ok(batch)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stopped {
    Limit,
    Incomplete,
    Corrupt,
}

fn scan(mut bytes: &[u8], limit: usize, batch: &mut Batch) -> Stopped {
    for _ in 0..limit {
        let found = match record::parse(bytes) {
            Parsed::Whole(found) => found,
            Parsed::Incomplete => return Stopped::Incomplete,
            Parsed::Corrupt => return Stopped::Corrupt,
        };
        if batch.position.previous.is_some_and(|previous| found.sequence <= previous) {
            return Stopped::Corrupt;
        }
        match entry(found.payload) {
            Some(entry) => batch.entries.push(entry),
            None => batch.foreign.push(found.payload.to_vec()),
        }
        let record_bytes = record::HEADER_BYTES.saturating_add(found.payload.len());
        batch.position.previous = Some(found.sequence);
        batch.position.offset_bytes =
            batch.position.offset_bytes.saturating_add(record_bytes as u64);
        bytes = bytes.get(record_bytes..).unwrap_or_default();
    }
    Stopped::Limit
}

/// What a payload says, if it is of this version.
pub(super) fn entry(payload: &[u8]) -> Option<Entry> {
    #[derive(Deserialize)]
    struct Opened {
        open: Generation,
    }
    if payload.starts_with(br#"{"open":"#) {
        serde_json::from_slice(payload).ok().map(|Opened { open }| Entry::Open(open))
    } else {
        serde_json::from_slice(payload).ok().map(Entry::Settle)
    }
}

/// What a damaged segment still holds behind its last good record.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::usage) struct Damage {
    /// Settled requests that can still be read there.
    pub(in crate::usage) readable: u64,
    /// The first of their ids.
    pub(in crate::usage) first_id: String,
    /// The last of them.
    pub(in crate::usage) last_id: String,
}

/// Looks behind `position` for what a person may still find in damaged segment `name`.
pub(in crate::usage) fn damage(dir: &Path, name: &str, position: Position) -> io::Result<Damage> {
    let (file, _) = segment::open(&dir.join(name))?;
    let rest_bytes = file.metadata()?.len().saturating_sub(position.offset_bytes);
    let bytes = read_at(&file, position.offset_bytes, rest_bytes)?;
    let mut damage = Damage::default();
    for payload in record::all_later(&bytes, position.previous) {
        if let Some(Entry::Settle(settled)) = entry(payload) {
            if damage.readable == 0 {
                damage.first_id.clone_from(&settled.id);
            }
            damage.last_id = settled.id;
            damage.readable = damage.readable.saturating_add(1);
        }
    }
    Ok(damage)
}

/// What `rest`, which does not begin with a record, is: the end of the segment or damage in it.
fn judge_rest(rest: &[u8], previous: Option<u64>, stopped: Stopped) -> End {
    let after_first = rest.get(1..).unwrap_or_default();
    let unwritten = rest.iter().all(|&byte| byte == 0);
    if (stopped == Stopped::Incomplete || unwritten)
        && record::all_later(after_first, previous).next().is_none()
    {
        End::Torn(rest.len() as u64)
    } else {
        End::Corrupt
    }
}

fn read_at(file: &File, offset_bytes: u64, wanted_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(wanted_bytes).unwrap_or(0)];
    file.read_exact_at(&mut bytes, offset_bytes)?;
    Ok(bytes)
}
