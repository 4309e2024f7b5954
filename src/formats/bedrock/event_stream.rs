//! Cuts Amazon's binary event streams into frames and checks them.
//!
//! Used by the translator for every streamed answer of Amazon Bedrock. A frame is a prelude (its
//! length, the length of its headers, a checksum of both), headers, a payload and a checksum of
//! all. Nothing of a frame is believed before its checksum fits; what is held is bounded by
//! [`MAX_FRAME_BYTES`] plus what was pushed, and a frame inside one chunk is not copied.

use crate::formats::StreamFault;
use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;

/// The size above which one frame is refused.
pub const MAX_FRAME_BYTES: usize = 8 << 20;
/// Most bytes of headers in one frame.
const MAX_HEADER_BYTES: usize = 128 << 10;
/// Both lengths and the checksum over them.
const PRELUDE_BYTES: usize = 12;
/// The checksum at the end of a frame.
const CHECKSUM_BYTES: usize = 4;
/// The type of a header that holds text.
const TEXT: u8 = 7;

/// One frame whose checksums fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    headers: Bytes,
    /// What the frame carries; JSON in the streams of Bedrock.
    pub payload: Bytes,
}

impl Frame {
    /// The text header `name`; `None` when it is missing or holds something else.
    pub fn text(&self, name: &str) -> Option<&str> {
        let mut headers = Headers(&self.headers);
        std::iter::from_fn(|| headers.next().ok().flatten())
            .find(|header| header.name == name)
            .and_then(|header| header.text)
    }
}

/// The splitter of one stream.
#[derive(Debug, Default)]
pub struct Frames {
    /// Pushed, in order, and not yet cut.
    chunks: VecDeque<Bytes>,
    /// The begun frame, if it did not end in the chunk it began in.
    begun: BytesMut,
    fault: Option<StreamFault>,
}

impl Frames {
    /// Takes the next bytes of the stream.
    pub fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.chunks.push_back(chunk);
        }
    }

    /// The next whole frame, or nothing until more is pushed. An error is final.
    #[expect(clippy::should_implement_trait, reason = "an iterator that ends does not go on")]
    pub fn next(&mut self) -> Result<Option<Frame>, StreamFault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let cut = self.cut();
        if let Err(fault) = &cut {
            self.fault = Some(fault.clone());
            self.chunks.clear();
            self.begun = BytesMut::new();
        }
        cut
    }

    /// The stream is over: true when it did not end inside a frame.
    pub fn finish(&self) -> bool {
        self.fault.is_none() && self.begun.is_empty() && self.chunks.is_empty()
    }

    fn cut(&mut self) -> Result<Option<Frame>, StreamFault> {
        while let Some(mut chunk) = self.chunks.pop_front() {
            if self.begun.is_empty()
                && let Some(lengths) = Lengths::read(&chunk)?
                && chunk.len() >= lengths.total
            {
                let bytes = chunk.split_to(lengths.total);
                self.push_front(chunk);
                return lengths.frame(bytes).map(Some);
            }
            if let Some(frame) = self.gather(&mut chunk)? {
                self.push_front(chunk);
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    /// Adds to the begun frame what belongs to it; the frame, when it is complete.
    fn gather(&mut self, chunk: &mut Bytes) -> Result<Option<Frame>, StreamFault> {
        self.take(chunk, PRELUDE_BYTES);
        let Some(lengths) = Lengths::read(&self.begun)? else { return Ok(None) };
        self.take(chunk, lengths.total);
        if self.begun.len() < lengths.total {
            return Ok(None);
        }
        lengths.frame(self.begun.split().freeze()).map(Some)
    }

    /// Fills the begun frame up to a length.
    fn take(&mut self, chunk: &mut Bytes, length: usize) {
        let missing = length.saturating_sub(self.begun.len()).min(chunk.len());
        self.begun.extend_from_slice(&chunk.split_to(missing));
    }

    fn push_front(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.chunks.push_front(chunk);
        }
    }
}

/// What a prelude says, once its checksum fits.
#[derive(Debug, Clone, Copy)]
struct Lengths {
    total: usize,
    headers: usize,
}

impl Lengths {
    /// Reads a prelude; `None` while it is not complete.
    fn read(bytes: &[u8]) -> Result<Option<Self>, StreamFault> {
        let Some(mut prelude) = bytes.get(..PRELUDE_BYTES) else { return Ok(None) };
        let sum =
            crc32fast::hash(prelude.get(..PRELUDE_BYTES - CHECKSUM_BYTES).unwrap_or_default());
        let (total, headers) = (prelude.get_u32(), prelude.get_u32());
        if prelude.get_u32() != sum {
            return Err(malformed("the checksum of a frame's lengths does not fit"));
        }
        let lengths = usize::try_from(total).ok().zip(usize::try_from(headers).ok());
        let Some((total, headers)) = lengths.filter(|(total, _)| *total <= MAX_FRAME_BYTES) else {
            return Err(StreamFault::EventTooLarge);
        };
        let smallest = PRELUDE_BYTES + CHECKSUM_BYTES;
        if headers > MAX_HEADER_BYTES || total.checked_sub(smallest).is_none_or(|n| n < headers) {
            return Err(malformed("the lengths of a frame do not fit"));
        }
        Ok(Some(Self { total, headers }))
    }

    /// Takes a frame of this length apart.
    fn frame(self, mut bytes: Bytes) -> Result<Frame, StreamFault> {
        let sum = crc32fast::hash(bytes.get(..self.total - CHECKSUM_BYTES).unwrap_or_default());
        bytes.advance(PRELUDE_BYTES);
        let headers = bytes.split_to(self.headers);
        let payload = bytes.split_to(bytes.len().saturating_sub(CHECKSUM_BYTES));
        if bytes.get_u32() != sum {
            return Err(malformed("the checksum of a frame does not fit"));
        }
        let mut walk = Headers(&headers);
        while walk.next()?.is_some() {}
        Ok(Frame { headers, payload })
    }
}

/// A header; only texts have a meaning to the gateway.
struct Header<'a> {
    name: &'a str,
    text: Option<&'a str>,
}

/// A walk over a frame's headers.
struct Headers<'a>(&'a [u8]);

impl<'a> Headers<'a> {
    fn next(&mut self) -> Result<Option<Header<'a>>, StreamFault> {
        if self.0.is_empty() {
            return Ok(None);
        }
        self.read().map(Some).ok_or_else(|| malformed("the headers of a frame cannot be read"))
    }

    fn read(&mut self) -> Option<Header<'a>> {
        let length = usize::from(self.0.try_get_u8().ok()?);
        let name = std::str::from_utf8(self.take(length)?).ok().filter(|name| !name.is_empty())?;
        let kind = self.0.try_get_u8().ok()?;
        let value = match kind {
            // True and false say all with their type.
            0 | 1 => self.take(0),
            2 => self.take(1),
            3 => self.take(2),
            4 => self.take(4),
            // Integers of 64 bits and times.
            5 | 8 => self.take(8),
            TEXT | 6 => self.sized(),
            // Universally unique identifiers.
            9 => self.take(16),
            _ => None,
        }?;
        let text = if kind == TEXT { Some(std::str::from_utf8(value).ok()?) } else { None };
        Some(Header { name, text })
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.0.try_get_u16().ok()?);
        self.take(length)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

fn malformed(reason: &'static str) -> StreamFault {
    StreamFault::Malformed(reason.into())
}

#[cfg(test)]
pub(in crate::formats) mod tests;
