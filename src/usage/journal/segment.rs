//! Segment files: their names, their creation, and who still writes to them.
//!
//! Used by the journal and its reader. A segment is locked (`flock`) by the process that writes
//! it from before it becomes visible until it is closed, so a segment whose lock can be taken has
//! no writer any more, whatever its process id says (in a container every process is number 1).

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Length of a directory's tag.
const TAG_DIGITS: usize = 16;

/// What a segment is written to; a file, or a file with faults in tests.
pub(super) trait Medium: Send + Sync {
    /// One write; may be short.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Fills `bytes` from `offset`.
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
    /// Cuts the file.
    fn set_len(&self, bytes: u64) -> io::Result<()>;
    /// Makes what was written survive a power loss.
    fn sync_data(&self) -> io::Result<()>;
}

impl Medium for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, bytes, offset)
    }
    fn set_len(&self, bytes: u64) -> io::Result<()> {
        File::set_len(self, bytes)
    }
    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }
}

/// How a fresh file becomes a [`Medium`].
pub(super) type Wrap = Box<dyn Fn(File) -> Arc<dyn Medium> + Send + Sync>;

/// A segment being written.
pub(super) struct Segment {
    /// File name inside the journal's directory.
    pub(super) name: String,
    /// Where it is written; closing it gives up the lock.
    pub(super) medium: Arc<dyn Medium>,
    /// Bytes of whole records.
    pub(super) committed_bytes: u64,
    /// How many of them survive a power loss.
    pub(super) synced_bytes: u64,
}

/// Creates the directory, readable by its owner only.
pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// A random text that tells this directory from those of other machines; made once.
pub(super) fn folder_tag(dir: &Path) -> io::Result<String> {
    let path = dir.join("folder-id");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    file.lock()?;
    let mut tag = String::new();
    file.read_to_string(&mut tag)?;
    let is_whole = tag.len() == TAG_DIGITS && tag.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_whole {
        tag = format!("{:0TAG_DIGITS$x}", rand::random::<u64>());
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(tag.as_bytes())?;
        file.sync_all()?;
        sync_dir(dir)?;
    }
    Ok(tag)
}

/// `<start_ms>-<pid>-<folder>`: no two processes that can both have open requests in a store have
/// the same. (Two in one directory could, if each is the first of its container; the requests of
/// either are then open until both have ended.)
pub(super) fn process(start_ms: i64, folder: &str) -> String {
    format!("{start_ms}-{}-{folder}", std::process::id())
}

/// `<process>-<n>.log`.
pub(super) fn name(process: &str, number: u32) -> String {
    format!("{process}-{number}.log")
}

/// The process that wrote a segment.
pub(in crate::usage) fn process_of(name: &str) -> &str {
    name.rsplit_once('-').map_or(name, |(process, _)| process)
}

/// Creates an empty, locked segment; fails with `AlreadyExists` if the name is taken.
pub(super) fn create(dir: &Path, name: &str, wrap: &Wrap) -> io::Result<Segment> {
    let path = dir.join(name);
    if path.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    // Locked before it has its name: a reader that could lock it would take it for abandoned.
    let hidden = path.with_extension("new");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&hidden)?;
    file.try_lock().map_err(io::Error::from)?;
    fs::rename(&hidden, &path)?;
    let medium = wrap(file);
    Ok(Segment { name: name.to_owned(), medium, committed_bytes: 0, synced_bytes: 0 })
}

/// Names of all segments, oldest first.
pub(in crate::usage) fn list(dir: &Path) -> io::Result<Vec<String>> {
    let mut names: Vec<(i64, u32, u32, String)> = Vec::new();
    for entry in fs::read_dir(dir)? {
        let Ok(name) = entry?.file_name().into_string() else { continue };
        if let Some((start_ms, pid, number)) = parse_name(&name) {
            names.push((start_ms, pid, number, name));
        }
    }
    names.sort_unstable();
    Ok(names.into_iter().map(|(.., name)| name).collect())
}

fn parse_name(name: &str) -> Option<(i64, u32, u32)> {
    let (process, number) = name.strip_suffix(".log")?.rsplit_once('-')?;
    let mut parts = process.splitn(3, '-');
    let (start_ms, pid) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next()?;
    Some((start_ms, pid, number.parse().ok()?))
}

/// Opens a segment for reading. The second part is true if nobody writes to it any more; then
/// the returned file holds the lock.
pub(super) fn open(path: &Path) -> io::Result<(File, bool)> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok((file, true)),
        Err(TryLockError::WouldBlock) => Ok((file, false)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Makes created, renamed and deleted files of `dir` survive a power loss.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Takes a damaged segment out of the queue, to be looked at by a person.
pub(in crate::usage) fn quarantine(dir: &Path, name: &str) -> io::Result<PathBuf> {
    let bad = dir.join(name).with_extension("bad");
    fs::rename(dir.join(name), &bad)?;
    Ok(bad)
}
