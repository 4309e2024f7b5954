//! The strict grammar of RFC 8259 as one forward pass, used by [`super::Head`]; its search for the
//! end of a plain run of string bytes also serves `members` and `text`.
//!
//! The scanner never recurses: open containers are bits of a `u128`, which is why nesting is
//! limited to [`super::MAX_DEPTH`]. UTF-8 is the caller's duty; all delimiters are ASCII.

use super::MAX_DEPTH;

/// How many values (containers, strings, numbers, literals) one document may hold.
pub(super) const MAX_VALUES: usize = 1_000_000;

const ONES: u64 = u64::MAX / 255;
const HIGH_BITS: u64 = ONES << 7;

/// Why a scan stopped. Offsets are bytes into the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Syntax { offset: usize, reason: &'static str },
    TooDeep,
    TooManyValues,
}

/// A cursor over one document.
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    values: usize,
}

/// The containers the cursor is in: one bit each, set for an object, the innermost lowest.
#[derive(Default)]
struct Open {
    kinds: u128,
    depth: usize,
}

impl Open {
    fn push(&mut self, object: bool) {
        self.kinds = (self.kinds << 1) | u128::from(object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.kinds >>= 1;
        self.depth -= 1;
    }

    fn in_object(&self) -> bool {
        self.kinds & 1 == 1
    }
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, values: 0 }
    }

    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// The byte under the cursor.
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Steps over `byte` if it is under the cursor.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    #[inline]
    pub(super) fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// The fault at the cursor; at the end of the document it is always the missing rest.
    #[cold]
    pub(super) fn fault(&self, reason: &'static str) -> Fault {
        let reason = if self.at < self.bytes.len() { reason } else { "unexpected end of input" };
        Fault::Syntax { offset: self.at.min(self.bytes.len()), reason }
    }

    /// Counts one value against [`MAX_VALUES`].
    #[inline]
    pub(super) fn count_value(&mut self) -> Result<(), Fault> {
        self.values += 1;
        if self.values > MAX_VALUES { Err(Fault::TooManyValues) } else { Ok(()) }
    }

    /// Steps over one value, which begins under the cursor inside `outer` open containers.
    pub(super) fn value(&mut self, outer: usize) -> Result<(), Fault> {
        let mut open = Open::default();
        loop {
            self.count_value()?;
            match self.peek() {
                Some(b'"') => self.string()?,
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(kind @ (b'{' | b'[')) => {
                    if outer + open.depth >= MAX_DEPTH {
                        return Err(Fault::TooDeep);
                    }
                    if self.enter(kind == b'{')? {
                        open.push(kind == b'{');
                        continue;
                    }
                }
                Some(b't') => self.literal(b"true")?,
                Some(b'f') => self.literal(b"false")?,
                Some(b'n') => self.literal(b"null")?,
                _ => return Err(self.fault("expected a value")),
            }
            if !self.next_value(&mut open)? {
                return Ok(());
            }
        }
    }

    /// Opens a container; true when the cursor is at its first value, false when it was empty.
    fn enter(&mut self, object: bool) -> Result<bool, Fault> {
        self.at += 1;
        self.skip_whitespace();
        if self.take(if object { b'}' } else { b']' }) {
            return Ok(false);
        }
        if object {
            self.key()?;
        }
        Ok(true)
    }

    /// After a value: closes what ends here; true when another value follows.
    #[inline]
    fn next_value(&mut self, open: &mut Open) -> Result<bool, Fault> {
        while open.depth > 0 {
            self.skip_whitespace();
            match (self.peek(), open.in_object()) {
                (Some(b','), object) => {
                    self.at += 1;
                    self.skip_whitespace();
                    if object {
                        self.key()?;
                    }
                    return Ok(true);
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.at += 1;
                    open.pop();
                }
                (_, true) => return Err(self.fault("expected `,` or `}`")),
                (_, false) => return Err(self.fault("expected `,` or `]`")),
            }
        }
        Ok(false)
    }

    /// Steps over a key, its colon and the whitespace up to the value; gives the offset after the
    /// key's closing quote.
    #[inline]
    pub(super) fn key(&mut self) -> Result<usize, Fault> {
        if self.peek() != Some(b'"') {
            return Err(self.fault("expected a string as key"));
        }
        self.string()?;
        let end = self.at;
        self.skip_whitespace();
        if !self.take(b':') {
            return Err(self.fault("expected `:`"));
        }
        self.skip_whitespace();
        Ok(end)
    }

    /// Steps over a string whose opening quote is under the cursor.
    #[inline]
    fn string(&mut self) -> Result<(), Fault> {
        self.at += 1;
        loop {
            self.at = plain_end(self.bytes, self.at);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                _ => return Err(self.fault("control character in a string must be escaped")),
            }
        }
    }

    /// Steps over one escape; a surrogate pair counts as one.
    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => match self.unicode()? {
                0xD800..=0xDBFF => {
                    let low = self.take(b'\\') && self.peek() == Some(b'u');
                    if !low || !matches!(self.unicode()?, 0xDC00..=0xDFFF) {
                        return Err(self.fault("lone surrogate in a \\u escape"));
                    }
                }
                0xDC00..=0xDFFF => return Err(self.fault("lone surrogate in a \\u escape")),
                _ => {}
            },
            _ => return Err(self.fault("invalid escape")),
        }
        Ok(())
    }

    /// Reads `uXXXX` under the cursor.
    fn unicode(&mut self) -> Result<u32, Fault> {
        self.at += 1;
        let Some(unit) = self.bytes.get(self.at..).and_then(hex4) else {
            return Err(self.fault("invalid \\u escape"));
        };
        self.at += 4;
        Ok(unit)
    }

    fn number(&mut self) -> Result<(), Fault> {
        self.take(b'-');
        if self.take(b'0') {
            if let Some(b'0'..=b'9') = self.peek() {
                return Err(self.fault("a number must not begin with 0"));
            }
        } else {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) -> Result<(), Fault> {
        let first = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == first { Err(self.fault("expected a digit")) } else { Ok(()) }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Fault> {
        for &byte in word {
            if !self.take(byte) {
                return Err(self.fault("expected a value"));
            }
        }
        Ok(())
    }
}

/// The four hexadecimal digits `bytes` begins with.
pub(super) fn hex4(bytes: &[u8]) -> Option<u32> {
    let digits: &[u8; 4] = bytes.first_chunk()?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
}

/// The offset of the first quote, backslash or control character at or after `from`, or the
/// length of `bytes`.
#[inline]
pub(super) fn plain_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    // Most strings of a chat body end within two words; the wide loop is for prompts and images.
    for _ in 0..2 {
        let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) else {
            return tail_end(bytes, at);
        };
        let stops = stops(u64::from_le_bytes(*word));
        if stops != 0 {
            return at + first_byte(stops);
        }
        at += 8;
    }
    wide_end(bytes, at)
}

fn wide_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk::<32>) {
        if block.iter().fold(false, |any, &byte| any | is_stop(byte)) {
            break;
        }
        at += 32;
    }
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let stops = stops(u64::from_le_bytes(*word));
        if stops != 0 {
            return at + first_byte(stops);
        }
        at += 8;
    }
    tail_end(bytes, at)
}

fn tail_end(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().position(|&byte| is_stop(byte)).unwrap_or(rest.len())
}

#[expect(clippy::needless_bitwise_bool, reason = "branches keep wide_end from vectorising: 8x")]
#[inline]
fn is_stop(byte: u8) -> bool {
    (byte == b'"') | (byte == b'\\') | (byte < 0x20)
}

/// The high bit of the lowest byte of `word` that ends a plain run; bits above it may be wrong.
#[inline]
fn stops(word: u64) -> u64 {
    let quote = word ^ (ONES * u64::from(b'"'));
    let backslash = word ^ (ONES * u64::from(b'\\'));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let equal = (quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash);
    (equal | control) & HIGH_BITS
}

#[inline]
fn first_byte(stops: u64) -> usize {
    (stops.trailing_zeros() / 8) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_position_ends_a_run_or_does_not() {
        for length in [0, 1, 7, 8, 9, 16, 17, 31, 48, 49, 90] {
            for position in 0..length {
                for byte in 0..=u8::MAX {
                    // Neighbours that borrow in the word tricks: one above each stop.
                    for filler in [b'a', 0x21, 0x23, 0x5d, 0x80, 0xff] {
                        let mut text = vec![filler; length];
                        text[position] = byte;
                        let expected = if is_stop(byte) { position } else { length };
                        assert_eq!(plain_end(&text, 0), expected, "{byte:#x} in {filler:#x}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_run_is_searched_from_the_given_offset() {
        assert_eq!(plain_end(b"\"abc\"", 1), 4);
        assert_eq!(plain_end(b"abc", 3), 3);
        assert_eq!(plain_end(b"abc", 9), 9);
    }
}
