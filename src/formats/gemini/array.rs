//! Splits the JSON array that Gemini streams without `alt=sse` into its elements.
//!
//! Used to watch and translate such streams. The pieces, put together, are exactly the input; an
//! element that lies within one chunk is a view of it. Every byte is looked at once.

use crate::formats::StreamFault;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// Largest element, in bytes.
const MAX_ELEMENT_BYTES: usize = 8 * 1024 * 1024;

/// An element is larger than 8 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an element exceeds the limit of 8 MiB")]
pub struct EventTooLarge;

impl From<EventTooLarge> for StreamFault {
    fn from(_: EventTooLarge) -> Self {
        Self::EventTooLarge
    }
}

/// A stretch of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Brackets, commas and white space around elements.
    Framing(Bytes),
    /// One whole element.
    Element(Bytes),
}

/// What the pieces handed out so far amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// The array is not open yet.
    #[default]
    Outside,
    /// After the opening bracket or a comma.
    BeforeElement,
    /// After an element.
    AfterElement,
    /// After the closing bracket.
    Closed,
}

/// Push splitter: chunks in, pieces out.
#[derive(Debug, Default)]
pub struct ArrayFrames {
    chunks: VecDeque<Bytes>,
    /// The part of an element that came with earlier chunks.
    partial: BytesMut,
    element: Option<Element>,
    place: Place,
    too_large: bool,
}

/// How far into an element the splitter is.
#[derive(Debug, Clone, Copy)]
enum Element {
    /// An object or array; `depth` brackets are open.
    Nested { depth: usize, text: Text },
    /// A string at the top of the array.
    Text(Text),
    /// A number or word.
    Scalar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Outside,
    Inside,
    Escaped,
}

impl ArrayFrames {
    /// Takes the next chunk of the stream.
    pub fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.chunks.push_back(chunk);
        }
    }

    /// The next piece, or nothing until more is pushed. An error is final.
    #[expect(clippy::should_implement_trait, reason = "an iterator ends; this waits for more")]
    pub fn next(&mut self) -> Result<Option<Piece>, EventTooLarge> {
        while let Some(mut chunk) = self.chunks.pop_front() {
            let Some(element) = &mut self.element else {
                let framing = chunk.split_to(self.framing_bytes(&chunk));
                if let Some(first) = chunk.first() {
                    self.element = Some(Element::beginning_with(*first));
                    self.chunks.push_front(chunk);
                }
                if framing.is_empty() {
                    continue;
                }
                return Ok(Some(Piece::Framing(framing)));
            };
            let starts_here = self.partial.is_empty();
            let end = element.advance(&chunk, starts_here);
            let length = self.partial.len() + end.unwrap_or(chunk.len());
            if self.too_large || length > MAX_ELEMENT_BYTES {
                self.too_large = true;
                self.chunks.push_front(chunk);
                return Err(EventTooLarge);
            }
            let Some(end) = end else {
                self.partial.extend_from_slice(&chunk);
                continue;
            };
            return Ok(Some(Piece::Element(self.complete(chunk, end))));
        }
        Ok(None)
    }

    /// Where the pieces handed out so far end.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The stream is over: true when the array was closed.
    pub fn finish(&self) -> bool {
        self.place == Place::Closed
    }

    fn complete(&mut self, mut chunk: Bytes, end: usize) -> Bytes {
        let tail = chunk.split_to(end);
        if !chunk.is_empty() {
            self.chunks.push_front(chunk);
        }
        self.element = None;
        self.place = Place::AfterElement;
        if self.partial.is_empty() {
            return tail;
        }
        self.partial.extend_from_slice(&tail);
        self.partial.split().freeze()
    }

    /// Length of the framing at the start of the chunk.
    fn framing_bytes(&mut self, chunk: &[u8]) -> usize {
        for (at, byte) in chunk.iter().enumerate() {
            match byte {
                b'[' if self.place == Place::Outside => self.place = Place::BeforeElement,
                b',' => self.place = Place::BeforeElement,
                b']' => self.place = Place::Closed,
                byte if byte.is_ascii_whitespace() => {}
                _ if self.place == Place::Closed => {}
                _ => return at,
            }
        }
        chunk.len()
    }
}

impl Element {
    fn beginning_with(byte: u8) -> Self {
        match byte {
            b'{' | b'[' => Self::Nested { depth: 0, text: Text::Outside },
            b'"' => Self::Text(Text::Outside),
            _ => Self::Scalar,
        }
    }

    /// Reads on; the offset one past the element's last byte if it ends in this chunk.
    fn advance(&mut self, chunk: &[u8], starts_here: bool) -> Option<usize> {
        match self {
            Self::Nested { depth, text } => end_of_nested(chunk, depth, text),
            Self::Text(text) => end_of_text(chunk, text),
            Self::Scalar => {
                let delimiter = |byte: &u8| byte.is_ascii_whitespace() || b",]".contains(byte);
                // The first byte belongs to the element whatever it is, so that nonsense moves on.
                let first = usize::from(starts_here);
                let rest = chunk.get(first..)?;
                rest.iter().position(delimiter).map(|at| at + first)
            }
        }
    }
}

fn end_of_nested(chunk: &[u8], depth: &mut usize, text: &mut Text) -> Option<usize> {
    let mut at = 0;
    while let Some(byte) = chunk.get(at) {
        if *text != Text::Outside {
            at = at.checked_add(end_of_text(chunk.get(at..)?, text)?)?;
            continue;
        }
        at += 1;
        match byte {
            b'"' => *text = Text::Inside,
            b'{' | b'[' => *depth += 1,
            b'}' | b']' => {
                *depth = depth.saturating_sub(1);
                if *depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Reads a string up to and with its closing quote.
fn end_of_text(chunk: &[u8], text: &mut Text) -> Option<usize> {
    let mut at = 0;
    loop {
        match *text {
            Text::Escaped => {
                chunk.get(at)?;
                at += 1;
                *text = Text::Inside;
            }
            Text::Outside => {
                // The opening quote.
                chunk.get(at)?;
                at += 1;
                *text = Text::Inside;
            }
            Text::Inside => {
                let rest = chunk.get(at..)?;
                let found = memchr::memchr2(b'"', b'\\', rest)?;
                let quote = rest.get(found) == Some(&b'"');
                at += found + 1;
                *text = if quote { Text::Outside } else { Text::Escaped };
                if quote {
                    return Some(at);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
