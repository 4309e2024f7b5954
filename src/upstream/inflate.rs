//! Inflates an answer that came compressed although `identity` was asked for.
//!
//! Used by `proxy::dispatch` for every answer that names a content coding. All that can be read of
//! a piece is given out at once, so that the events of a stream are not held up. What a piece
//! becomes is bounded, and so is the window that is kept; nothing that a provider sends makes it
//! panic.

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use bytes::{Bytes, BytesMut};
use flate2::{Decompress, FlushDecompress, Status};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use zstd::stream::raw::{DParameter, Decoder, Operation};

/// Most bytes that one piece of a body, as it came from the connection, may become. A piece has
/// 64 KiB at most, and text rarely shrinks to a twentieth.
const MAX_PIECE_BYTES: usize = 8 * 1024 * 1024;
/// Bytes that are inflated at a time.
const ROOM_BYTES: usize = 8 * 1024;
/// Window of gzip and deflate, in bits: the largest there is.
const ZLIB_WINDOW_BITS: u8 = 15;
/// Largest window of zstd, in bits: 8 MiB, as HTTP allows. That of Brotli is 16 MiB by its format.
const ZSTD_WINDOW_BITS: u32 = 23;

/// Why a compressed body cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// The coding is unknown, or there are several.
    #[error("the answer is compressed in a way that was not asked for and is not known")]
    UnknownCoding,
    /// The bytes are not what the coding says.
    #[error("the compressed answer is corrupt")]
    Corrupt,
    /// A piece becomes larger than the bound.
    #[error("a piece of the compressed answer becomes larger than {MAX_PIECE_BYTES} bytes")]
    TooLarge,
    /// The body ended before its end.
    #[error("the compressed answer ended before it was complete")]
    Truncated,
}

/// A body that is being inflated.
pub struct Inflate {
    coder: Coder,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing came yet: a body of no bytes at all is an empty one.
    Untouched,
    Inside,
    /// At the end of what was compressed; in some codings more may follow.
    Ended,
    Failed(InflateError),
}

enum Coder {
    Gzip(Decompress),
    /// `deflate`; whether it is wrapped by zlib, as it should be, its first byte tells.
    Deflate(Option<Decompress>),
    Brotli(Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>),
    Zstd(Decoder<'static>),
}

/// What became of some input.
struct Step {
    read: usize,
    written: usize,
    state: Result<Phase, InflateError>,
}

impl Inflate {
    /// What reads a body with this header; `None` if it is not compressed.
    pub fn for_header(headers: &HeaderMap) -> Result<Option<Self>, InflateError> {
        let mut named = None;
        for value in headers.get_all(CONTENT_ENCODING) {
            let text = value.to_str().map_err(|_| InflateError::UnknownCoding)?;
            for coding in text.split(',').map(str::trim) {
                if coding.is_empty() || coding.eq_ignore_ascii_case("identity") {
                    continue;
                }
                let coder = Coder::named(coding).ok_or(InflateError::UnknownCoding)?;
                if named.replace(coder).is_some() {
                    return Err(InflateError::UnknownCoding);
                }
            }
        }
        Ok(named.map(|coder| Self { coder, phase: Phase::Untouched }))
    }

    /// Inflates a piece: all of it that can be read so far, perhaps nothing. What could be read
    /// before a fault is given out; the fault is told next time.
    pub fn push(&mut self, piece: &[u8]) -> Result<Bytes, InflateError> {
        self.check()?;
        let mut inflated = BytesMut::new();
        if let Err(error) = self.run(piece, &mut inflated) {
            self.phase = Phase::Failed(error);
            if inflated.is_empty() || error == InflateError::TooLarge {
                return Err(error);
            }
        }
        Ok(inflated.freeze())
    }

    /// The fault that was found, if one was.
    pub fn check(&self) -> Result<(), InflateError> {
        if let Phase::Failed(error) = self.phase { Err(error) } else { Ok(()) }
    }

    /// Says whether the body may end here. Nothing is held back that could still come out.
    pub fn finish(&self) -> Result<(), InflateError> {
        match self.phase {
            Phase::Untouched | Phase::Ended => Ok(()),
            Phase::Inside => Err(InflateError::Truncated),
            Phase::Failed(error) => Err(error),
        }
    }

    fn run(&mut self, piece: &[u8], inflated: &mut BytesMut) -> Result<(), InflateError> {
        let mut rest = piece;
        let mut room = [0; ROOM_BYTES];
        // A full room may have left something behind, even if all input was taken.
        let mut is_room_full = false;
        while !rest.is_empty() || (is_room_full && self.phase != Phase::Ended) {
            if self.phase == Phase::Ended {
                self.coder.go_on(rest)?;
            }
            let Step { read, written, state } = self.coder.step(rest, &mut room);
            inflated.extend_from_slice(room.get(..written).unwrap_or_default());
            if inflated.len() > MAX_PIECE_BYTES {
                return Err(InflateError::TooLarge);
            }
            self.phase = state?;
            if read == 0 && written == 0 && self.phase != Phase::Ended && !rest.is_empty() {
                return Err(InflateError::Corrupt);
            }
            rest = rest.get(read..).unwrap_or_default();
            is_room_full = written == ROOM_BYTES;
        }
        Ok(())
    }
}

impl Coder {
    fn named(coding: &str) -> Option<Self> {
        let is = |name: &str| coding.eq_ignore_ascii_case(name);
        if is("gzip") || is("x-gzip") {
            return Some(Self::gzip());
        }
        if is("deflate") {
            return Some(Self::Deflate(None));
        }
        if is("br") {
            let alloc = StandardAlloc::default;
            return Some(Self::Brotli(Box::new(BrotliState::new_strict(
                alloc(),
                alloc(),
                alloc(),
            ))));
        }
        if is("zstd") {
            let mut decoder = Decoder::new().ok()?;
            decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_BITS)).ok()?;
            return Some(Self::Zstd(decoder));
        }
        None
    }

    fn gzip() -> Self {
        Self::Gzip(Decompress::new_gzip(ZLIB_WINDOW_BITS))
    }

    /// More input follows an end: gzip and zstd may consist of parts, the others may not.
    fn go_on(&mut self, rest: &[u8]) -> Result<(), InflateError> {
        match self {
            Self::Gzip(_) if rest.first() == Some(&0x1f) => *self = Self::gzip(),
            Self::Zstd(_) => {}
            _ => return Err(InflateError::Corrupt),
        }
        Ok(())
    }

    fn step(&mut self, input: &[u8], room: &mut [u8]) -> Step {
        match self {
            Self::Gzip(coder) => step_zlib(coder, input, room),
            Self::Deflate(coder) => {
                let coder = coder.get_or_insert_with(|| Decompress::new(is_zlib(input)));
                step_zlib(coder, input, room)
            }
            Self::Brotli(coder) => step_brotli(coder, input, room),
            Self::Zstd(coder) => step_zstd(coder, input, room),
        }
    }
}

/// Whether a body begins like zlib's: with method 8 and a window that exists. A bare one begins so
/// only if its first block is stored and padded with ones, which nobody does.
fn is_zlib(input: &[u8]) -> bool {
    input.first().is_some_and(|byte| byte & 0x0f == 8 && byte >> 4 <= 7)
}

fn step_zlib(coder: &mut Decompress, input: &[u8], room: &mut [u8]) -> Step {
    let before = (coder.total_in(), coder.total_out());
    let state = match coder.decompress(input, room, FlushDecompress::None) {
        Ok(Status::StreamEnd) => Ok(Phase::Ended),
        Ok(Status::Ok | Status::BufError) => Ok(Phase::Inside),
        Err(_) => Err(InflateError::Corrupt),
    };
    let grown = |before: u64, after: u64| usize::try_from(after - before).unwrap_or_default();
    let (read, written) = (grown(before.0, coder.total_in()), grown(before.1, coder.total_out()));
    Step { read, written, state }
}

fn step_brotli(
    coder: &mut BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    input: &[u8],
    room: &mut [u8],
) -> Step {
    let (mut input_left, mut read) = (input.len(), 0);
    let (mut room_left, mut written, mut total) = (room.len(), 0, 0);
    let result = BrotliDecompressStream(
        &mut input_left,
        &mut read,
        input,
        &mut room_left,
        &mut written,
        room,
        &mut total,
        coder,
    );
    let state = match result {
        BrotliResult::ResultSuccess => Ok(Phase::Ended),
        BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => Ok(Phase::Inside),
        BrotliResult::ResultFailure => Err(InflateError::Corrupt),
    };
    Step { read, written, state }
}

fn step_zstd(coder: &mut Decoder<'static>, input: &[u8], room: &mut [u8]) -> Step {
    match coder.run_on_buffers(input, room) {
        Ok(status) => {
            let state = Ok(if status.remaining == 0 { Phase::Ended } else { Phase::Inside });
            Step { read: status.bytes_read, written: status.bytes_written, state }
        }
        Err(_) => Step { read: 0, written: 0, state: Err(InflateError::Corrupt) },
    }
}

#[cfg(test)]
mod tests;
