//! The frame of one journal record, and the search for whole records in bytes.
//!
//! Used by the journal (writing) and its reader. Layout, little endian: payload length `u32`,
//! CRC32C `u32` over payload, length and sequence, sequence `u64`, payload. A record is only ever
//! handed out if its checksum holds and its sequence follows the one before.

/// Bytes before the payload.
pub(super) const HEADER_BYTES: usize = 16;
/// Longest payload; a length above it cannot be a record.
pub(super) const MAX_PAYLOAD_BYTES: usize = 256 * 1024;

/// A whole record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// Position among the records of the writing process.
    pub(super) sequence: u64,
    /// What was recorded.
    pub(super) payload: &'a [u8],
}

/// What stands at the beginning of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parsed<'a> {
    /// A whole record.
    Whole(Record<'a>),
    /// The beginning of a record, or nothing; more bytes may complete it.
    Incomplete,
    /// No record, whatever follows.
    Corrupt,
}

/// Empties `buffer` and leaves room for the header.
pub(super) fn begin(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.resize(HEADER_BYTES, 0);
}

/// Fills the header in front of the payload. False if the payload is too long for a record.
pub(super) fn seal(record: &mut [u8], sequence: u64) -> bool {
    let Some((header, payload)) = record.split_at_mut_checked(HEADER_BYTES) else { return false };
    let Some(length) = u32::try_from(payload.len()).ok().filter(|_| fits(payload.len())) else {
        return false;
    };
    let checksum = checksum(payload, length, sequence);
    let fields = length
        .to_le_bytes()
        .into_iter()
        .chain(checksum.to_le_bytes())
        .chain(sequence.to_le_bytes());
    for (slot, byte) in header.iter_mut().zip(fields) {
        *slot = byte;
    }
    true
}

/// Reads what stands at the beginning of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Parsed<'_> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Parsed::Incomplete;
    };
    let [l0, l1, l2, l3, c0, c1, c2, c3, sequence @ ..] = *header;
    let length = u32::from_le_bytes([l0, l1, l2, l3]);
    let sequence = u64::from_le_bytes(sequence);
    let Some(payload_bytes) = usize::try_from(length).ok().filter(|&bytes| fits(bytes)) else {
        return Parsed::Corrupt;
    };
    let Some(payload) = rest.get(..payload_bytes) else { return Parsed::Incomplete };
    if checksum(payload, length, sequence) == u32::from_le_bytes([c0, c1, c2, c3]) {
        Parsed::Whole(Record { sequence, payload })
    } else {
        Parsed::Corrupt
    }
}

/// Payloads of the whole records with growing sequences above `previous` that stand anywhere in
/// `bytes`. That there is one tells damage in the middle of a segment from a tail that was never
/// finished.
pub(super) fn all_later(mut bytes: &[u8], previous: Option<u64>) -> impl Iterator<Item = &[u8]> {
    /// Far more records than a segment holds; chance matches are ruled out before any checksum.
    const MAX_STEP: u64 = 1 << 32;
    let mut first = previous.map_or(0, |previous| previous.saturating_add(1));
    std::iter::from_fn(move || {
        loop {
            let sequence = u64::from_le_bytes(*bytes.get(8..)?.first_chunk::<8>()?);
            if (first..first.saturating_add(MAX_STEP)).contains(&sequence)
                && let Parsed::Whole(found) = parse(bytes)
            {
                first = sequence.saturating_add(1);
                bytes = bytes.get(HEADER_BYTES.saturating_add(found.payload.len())..)?;
                return Some(found.payload);
            }
            bytes = bytes.get(1..)?;
        }
    })
}

/// A record is never empty, so a tail of zeros left by a power loss is not one.
fn fits(payload_bytes: usize) -> bool {
    (1..=MAX_PAYLOAD_BYTES).contains(&payload_bytes)
}

fn checksum(payload: &[u8], length: u32, sequence: u64) -> u32 {
    let crc = crc32c::crc32c(payload);
    let crc = crc32c::crc32c_append(crc, &length.to_le_bytes());
    crc32c::crc32c_append(crc, &sequence.to_le_bytes())
}
