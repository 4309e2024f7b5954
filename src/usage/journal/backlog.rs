//! Records that the disk did not take, kept in memory until it does.
//!
//! Used by the journal for settled requests only: what was spent must not be forgotten because a
//! disk is full for a while. Bounded in number and bytes; what finds no place is the caller's to
//! count as lost.

use std::collections::VecDeque;

/// Most records that wait.
const MAX_RECORDS: usize = 65_536;
/// Most bytes of them; a usual record has less than one kilobyte.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Records in the order in which they are to be written, each with room for its header.
#[derive(Default)]
pub(super) struct Backlog {
    records: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Backlog {
    /// Keeps a record. False if there is no room for it.
    pub(super) fn push(&mut self, record: &[u8]) -> bool {
        let bytes = self.bytes.saturating_add(record.len());
        if self.records.len() >= MAX_RECORDS || bytes > MAX_BYTES {
            return false;
        }
        self.bytes = bytes;
        self.records.push_back(record.to_vec());
        true
    }

    /// Takes the oldest record out.
    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        let record = self.records.pop_front()?;
        self.bytes = self.bytes.saturating_sub(record.len());
        Some(record)
    }

    /// Puts back what [`Self::pop`] took.
    pub(super) fn put_back(&mut self, record: Vec<u8>) {
        self.bytes = self.bytes.saturating_add(record.len());
        self.records.push_front(record);
    }

    /// Number of records.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_in_number_and_in_bytes() {
        let mut backlog = Backlog::default();
        let fitting = (0..MAX_RECORDS + 5).filter(|_| backlog.push(b"record")).count();
        assert_eq!((fitting, backlog.len()), (MAX_RECORDS, MAX_RECORDS));
        assert_eq!(backlog.pop().as_deref(), Some(&b"record"[..]));
        assert!(backlog.push(b"record"));

        let mut backlog = Backlog::default();
        let mebibyte = vec![0; 1024 * 1024];
        let fitting = (0..100).filter(|_| backlog.push(&mebibyte)).count();
        assert_eq!(fitting, MAX_BYTES / mebibyte.len());
        let taken = backlog.pop().unwrap();
        backlog.put_back(taken);
        assert!(!backlog.push(&mebibyte));
    }
}
