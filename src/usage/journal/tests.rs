//! The journal against crashes, damage, full disks and many threads.

use super::*;
use crate::store::{Entry, Outcome};
use std::collections::HashSet;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::AtomicU32;

impl Journal {
    /// Appends a payload that is no request of this version.
    pub(in crate::usage) fn append_raw_for_test(&self, payload: &[u8]) {
        let mut buffer = Vec::new();
        record::begin(&mut buffer);
        buffer.extend_from_slice(payload);
        self.write_record(&mut self.writer(), &mut buffer).unwrap();
    }

    /// Behaves as after a failed write.
    pub(in crate::usage) fn fail_for_test(&self) {
        self.fail(&io::ErrorKind::StorageFull.into());
    }
}

const START_MS: i64 = 1_790_000_000_000;

fn open(dir: &Path) -> Journal {
    Journal::open(dir, START_MS).unwrap()
}

fn write(dir: &Path, ids: std::ops::Range<u32>) -> PathBuf {
    let journal = open(dir);
    for id in ids {
        put(&journal, id);
    }
    dir.join(journal.active().0)
}

/// Opens a request with an odd id, settles one with an even id.
fn put(journal: &Journal, id: u32) {
    let mut generation = Generation::example(&format!("gen-{id}"));
    if id.is_multiple_of(2) {
        journal.append(&generation).unwrap();
    } else {
        generation.outcome = Outcome::Abandoned;
        journal.open_request(&generation).unwrap();
    }
}

/// Ids of all whole records of a segment, and how it ends.
fn read_all(dir: &Path, name: &str) -> (Vec<String>, End) {
    let (mut ids, mut position) = (Vec::new(), Position::default());
    loop {
        let batch = read(dir, name, position, 7, None).unwrap();
        ids.extend(batch.entries.into_iter().map(|entry| match entry {
            Entry::Settle(settled) => settled.id,
            Entry::Open(opened) => format!("open {}", opened.id),
        }));
        position = batch.position;
        if batch.end != End::More {
            return (ids, batch.end);
        }
    }
}

/// What [`read_all`] finds of what [`put`] wrote.
fn ids(range: std::ops::Range<u32>) -> Vec<String> {
    let id =
        |id: u32| if id.is_multiple_of(2) { format!("gen-{id}") } else { format!("open gen-{id}") };
    range.map(id).collect()
}

/// Offsets at which the records of a segment end.
fn record_ends(bytes: &[u8]) -> Vec<usize> {
    let (mut ends, mut at) = (Vec::new(), 0);
    while let record::Parsed::Whole(found) = record::parse(&bytes[at..]) {
        at += record::HEADER_BYTES + found.payload.len();
        ends.push(at);
    }
    ends
}

#[test]
fn records_survive_a_writer_that_just_vanishes() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), 0..20);
    let name = path.file_name().unwrap().to_str().unwrap();
    assert_eq!(read_all(dir.path(), name), (ids(0..20), End::Finished));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_segment_is_live_until_its_writer_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    put(&journal, 0);
    let (name, _) = journal.active();
    assert_eq!(read_all(dir.path(), &name), (ids(0..1), End::Live));
    drop(journal);
    assert_eq!(read_all(dir.path(), &name), (ids(0..1), End::Finished));
}

#[test]
fn two_journals_of_the_same_moment_use_different_segments() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (open(dir.path()), open(dir.path()));
    assert_ne!(first.active().0, second.active().0);
    assert_eq!(list(dir.path()).unwrap().len(), 2);
}

#[test]
fn a_tail_cut_anywhere_loses_exactly_the_record_it_cuts() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), 0..6);
    let name = path.file_name().unwrap().to_str().unwrap();
    let bytes = fs::read(&path).unwrap();
    let ends = record_ends(&bytes);
    assert_eq!(ends.len(), 6);
    for cut in ends[2]..=bytes.len() {
        fs::write(&path, &bytes[..cut]).unwrap();
        let whole = ends.iter().filter(|&&end| end <= cut).count();
        let torn = cut - ends[whole - 1];
        let end = if torn == 0 { End::Finished } else { End::Torn(torn as u64) };
        let expected = (ids(0..u32::try_from(whole).unwrap()), end);
        assert_eq!(read_all(dir.path(), name), expected, "cut at {cut}");
    }
}

#[test]
fn a_tail_of_zeros_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), 0..2);
    let name = path.file_name().unwrap().to_str().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend([0; 4096]);
    fs::write(&path, &bytes).unwrap();
    assert_eq!(read_all(dir.path(), name), (ids(0..2), End::Torn(4096)));
}

#[test]
fn a_flipped_bit_never_yields_a_wrong_record() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), 0..5);
    let name = path.file_name().unwrap().to_str().unwrap();
    let bytes = fs::read(&path).unwrap();
    let ends = record_ends(&bytes);
    for at in (0..bytes.len()).step_by(3) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&path, &damaged).unwrap();
        let hit = ends.iter().filter(|&&end| end <= at).count();
        let (found, end) = read_all(dir.path(), name);
        assert_eq!(found, ids(0..u32::try_from(hit).unwrap()), "bit flipped in byte {at}");
        if hit < 4 {
            assert_eq!(end, End::Corrupt, "bit flipped in byte {at}");
        } else {
            assert_ne!(end, End::Finished, "bit flipped in byte {at}");
        }
    }
}

#[test]
fn a_damaged_length_does_not_hide_the_records_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), 0..5);
    let name = path.file_name().unwrap().to_str().unwrap();
    let bytes = fs::read(&path).unwrap();
    let second = record_ends(&bytes)[0];
    for bit in 0..32 {
        let mut damaged = bytes.clone();
        damaged[second + bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &damaged).unwrap();
        assert_eq!(read_all(dir.path(), name), (ids(0..1), End::Corrupt), "bit {bit}");
    }
}

#[test]
fn what_damage_may_have_hit_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), 0..9);
    let name = path.file_name().unwrap().to_str().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let third = record_ends(&bytes)[1];
    bytes[third + 50] ^= 4;
    fs::write(&path, &bytes).unwrap();
    let batch = read(dir.path(), name, Position::default(), 100, None).unwrap();
    assert_eq!((batch.entries.len(), batch.end), (2, End::Corrupt));
    let found = damage(dir.path(), name, batch.position).unwrap();
    let (first_id, last_id) = ("gen-4".to_owned(), "gen-8".to_owned());
    assert_eq!(found, reader::Damage { readable: 3, first_id, last_id });
}

#[test]
fn a_process_is_at_home_in_the_folder_of_its_segments() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = open(dir.path()).process().to_owned();
    let again = Journal::open(dir.path(), START_MS + 1).unwrap();
    assert_ne!(again.process(), first);
    assert!(again.is_home_of(&first));
    assert_eq!(process_of(&again.active().0), again.process());
    assert!(!again.is_home_of(open(other.path()).process()));
    assert!(!again.is_home_of(""));
    // A tag that was not written whole is made anew.
    fs::write(dir.path().join("folder-id"), "a1").unwrap();
    assert!(!open(dir.path()).is_home_of(&first));
}

#[test]
fn repeated_and_reordered_records_are_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), 0..3);
    let name = path.file_name().unwrap().to_str().unwrap();
    let bytes = fs::read(&path).unwrap();
    let ends = record_ends(&bytes);
    let repeated = [&bytes[..ends[1]], &bytes[ends[0]..]].concat();
    fs::write(&path, repeated).unwrap();
    assert_eq!(read_all(dir.path(), name), (ids(0..2), End::Corrupt));
}

#[test]
fn full_segments_are_rotated() {
    let dir = tempfile::tempdir().unwrap();
    let journal =
        Journal::open_with(dir.path().into(), START_MS, 4096, Box::new(|file| Arc::new(file)))
            .unwrap();
    for id in 0..50 {
        put(&journal, id);
    }
    journal.sync().unwrap();
    let names = list(dir.path()).unwrap();
    assert!(names.len() > 5, "{names:?}");
    let mut found = Vec::new();
    for name in &names {
        assert!(fs::metadata(dir.path().join(name)).unwrap().len() <= 4096);
        let (ids, end) = read_all(dir.path(), name);
        assert_eq!(end == End::Live, name == names.last().unwrap());
        found.extend(ids);
    }
    assert_eq!(found, ids(0..50));
}

#[test]
fn many_threads_append_every_record_once() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    std::thread::scope(|scope| {
        for thread in 0..64_u32 {
            let journal = &journal;
            scope.spawn(move || {
                for id in thread * 100..(thread + 1) * 100 {
                    put(journal, id);
                }
            });
        }
    });
    let (found, end) = read_all(dir.path(), &journal.active().0);
    assert_eq!((found.len(), end), (6400, End::Live));
    assert_eq!(found.into_iter().collect::<HashSet<_>>(), ids(0..6400).into_iter().collect());
}

/// Faults of the next operations, shared by all segments of a journal.
#[derive(Default)]
struct Faults {
    /// The disk takes this many more bytes of each write, then is full; 0 is no fault.
    full_after_bytes: AtomicU32,
    /// The disk takes one write less than this, then is full; 0 is no fault.
    full_after_writes: AtomicU32,
    /// This many syncs fail.
    failing_syncs: AtomicU32,
}

struct FaultyFile {
    file: File,
    faults: Arc<Faults>,
}

impl Medium for FaultyFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        match self.faults.full_after_writes.load(Ordering::SeqCst) {
            0 => {}
            1 => return Err(io::ErrorKind::StorageFull.into()),
            left => self.faults.full_after_writes.store(left - 1, Ordering::SeqCst),
        }
        match self.faults.full_after_bytes.load(Ordering::SeqCst) {
            0 => Medium::write_at(&self.file, bytes, offset),
            room => Medium::write_at(&self.file, &bytes[..room as usize], offset),
        }
    }
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        Medium::read_exact_at(&self.file, bytes, offset)
    }
    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }
    fn sync_data(&self) -> io::Result<()> {
        let count = |left: u32| left.checked_sub(1);
        match self.faults.failing_syncs.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count) {
            Ok(_) => Err(io::Error::other("sync failed")),
            Err(_) => Ok(()),
        }
    }
}

fn open_faulty(dir: &Path) -> (Journal, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let shared = Arc::clone(&faults);
    let wrap: Wrap =
        Box::new(move |file| Arc::new(FaultyFile { file, faults: Arc::clone(&shared) }));
    (Journal::open_with(dir.into(), START_MS, SEGMENT_BYTES, wrap).unwrap(), faults)
}

#[test]
fn a_full_disk_refuses_new_requests_and_keeps_the_ends_of_running_ones() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, faults) = open_faulty(dir.path());
    put(&journal, 0);
    let (name, whole_bytes) = journal.active();

    faults.full_after_bytes.store(100, Ordering::SeqCst);
    let refused = journal.open_request(&Generation::example("refused"));
    assert!(matches!(refused, Err(JournalError::Io(_))));
    assert!(!journal.is_healthy());
    for id in [2, 4, 6, 8] {
        put(&journal, id);
    }
    assert_eq!(journal.waiting_records(), 4);
    assert!(!journal.probe());
    assert!(!journal.is_healthy());
    assert_eq!(fs::metadata(dir.path().join(&name)).unwrap().len(), whole_bytes);

    // Room for two of them beside what a probe writes, then none again.
    faults.full_after_bytes.store(0, Ordering::SeqCst);
    faults.full_after_writes.store(4, Ordering::SeqCst);
    assert!(!journal.probe());
    assert_eq!((journal.waiting_records(), journal.is_healthy()), (2, false));

    faults.full_after_writes.store(0, Ordering::SeqCst);
    assert!(journal.probe());
    assert_eq!((journal.waiting_records(), journal.is_healthy()), (0, true));
    put(&journal, 1);
    let expected = ["gen-0", "gen-2", "gen-4", "gen-6", "gen-8", "open gen-1"];
    assert_eq!(read_all(dir.path(), &name), (expected.map(str::to_owned).to_vec(), End::Live));
}

#[test]
fn what_finds_no_room_in_memory_either_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, faults) = open_faulty(dir.path());
    faults.full_after_bytes.store(100, Ordering::SeqCst);
    let mut long = Generation::example("long");
    long.requested_model = "m".repeat(200_000);
    let kept = (0..400).filter(|_| journal.append(&long).is_ok()).count();
    assert!((300..400).contains(&kept), "{kept}");
    assert!(matches!(journal.append(&long), Err(JournalError::Io(_))));
    faults.full_after_bytes.store(0, Ordering::SeqCst);
    assert!(journal.probe());
    let found: usize =
        list(dir.path()).unwrap().iter().map(|name| read_all(dir.path(), name).0.len()).sum();
    assert_eq!(found, kept);
}

#[test]
fn what_a_failed_sync_may_have_lost_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, faults) = open_faulty(dir.path());
    put(&journal, 0);
    journal.sync().unwrap();
    put(&journal, 1);
    let (lost, _) = journal.active();

    faults.failing_syncs.store(1, Ordering::SeqCst);
    assert!(journal.sync().is_err());
    assert!(!journal.is_healthy());
    let (name, _) = journal.active();
    assert_ne!(name, lost);
    assert!(journal.probe());
    put(&journal, 2);
    assert_eq!(read_all(dir.path(), &name), (ids(1..3), End::Live));
    assert_eq!(read_all(dir.path(), &lost), (ids(0..2), End::Finished));
}

#[test]
fn a_full_segment_whose_sync_fails_is_written_again_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, faults) = open_faulty(dir.path());
    put(&journal, 0);
    journal.start_segment().unwrap();
    put(&journal, 1);
    faults.failing_syncs.store(1, Ordering::SeqCst);
    assert!(journal.sync().is_err());
    assert!(journal.probe());
    put(&journal, 2);
    let found: Vec<_> =
        list(dir.path()).unwrap().iter().flat_map(|name| read_all(dir.path(), name).0).collect();
    assert_eq!(found, ["gen-0", "open gen-1", "gen-0", "gen-2"]);
}

#[test]
fn a_record_that_is_too_long_is_refused_and_harms_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut long = Generation::example("long");
    long.requested_model = "m".repeat(record::MAX_PAYLOAD_BYTES);
    assert!(matches!(journal.append(&long), Err(JournalError::TooLong { .. })));
    assert!(journal.is_healthy());
    put(&journal, 0);
    assert_eq!(read_all(dir.path(), &journal.active().0).0, ids(0..1));
}
