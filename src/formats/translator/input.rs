//! How a provider's events are told apart, whatever carries them.
//!
//! Used by the translator alone. Bytes go in as they come; out come whole events and, for arrays
//! that pass through, what stands between them. What is held is bounded by the splitters.

use crate::formats::bedrock::{error, event_stream};
use crate::formats::gemini::array::{ArrayFrames, Piece, Place};
use crate::formats::{ApiFormat, Framing, StreamFault, UpstreamFailure};
use crate::json::{as_str, find};
use crate::sse::Frames;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};

/// The provider's framing.
pub(super) enum Input {
    Sse(Frames),
    /// `place` is where the forwarded part of the array ends.
    Array {
        frames: ArrayFrames,
        place: Place,
    },
    EventStream {
        frames: event_stream::Frames,
        payload: Payload,
    },
}

/// What the binary frames carry.
pub(super) enum Payload {
    /// Converse: the event's JSON, named by a header.
    Event,
    /// `invoke-with-response-stream`: the event of the model's own format, in base64.
    Chunk {
        /// Buffer of the decoded event.
        scratch: BytesMut,
    },
}

/// One piece of the stream.
pub(super) enum Item {
    /// A server-sent event, with its blank line.
    Sse(Bytes),
    /// What stands between the elements of an array.
    Framing(Bytes),
    /// An element of an array.
    Element(Bytes),
    /// An event that a header names.
    Named(event_stream::Frame),
    /// An event without framing of its own.
    Bare(Bytes),
    /// The provider's word that it failed.
    Exception(UpstreamFailure),
    /// Nothing that means anything.
    Skipped,
}

impl Input {
    /// The input for a provider's format and framing.
    pub(super) fn new(upstream: ApiFormat, framing: Framing) -> Self {
        match framing {
            Framing::Sse => Self::Sse(Frames::new()),
            Framing::JsonArray => {
                Self::Array { frames: ArrayFrames::default(), place: Place::default() }
            }
            Framing::EventStream => {
                let payload = match upstream {
                    ApiFormat::Bedrock => Payload::Event,
                    _ => Payload::Chunk { scratch: BytesMut::new() },
                };
                Self::EventStream { frames: event_stream::Frames::default(), payload }
            }
        }
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, chunk: Bytes) {
        match self {
            Self::Sse(frames) => frames.push(chunk),
            Self::Array { frames, .. } => frames.push(chunk),
            Self::EventStream { frames, .. } => frames.push(chunk),
        }
    }

    /// The next piece, or nothing until more is pushed.
    pub(super) fn next(&mut self) -> Result<Option<Item>, StreamFault> {
        Ok(match self {
            Self::Sse(frames) => {
                frames.next().map_err(|_| StreamFault::EventTooLarge)?.map(Item::Sse)
            }
            Self::Array { frames, .. } => frames.next()?.map(|piece| match piece {
                Piece::Framing(framing) => Item::Framing(framing),
                Piece::Element(element) => Item::Element(element),
            }),
            Self::EventStream { frames, payload } => match frames.next()? {
                Some(frame) => Some(payload.item(frame)?),
                None => None,
            },
        })
    }

    /// The last piece was dealt with.
    pub(super) fn settle(&mut self) {
        if let Self::Array { frames, place } = self {
            *place = frames.place();
        }
    }

    /// The stream is over: what follows the last whole event, where that may still be one.
    pub(super) fn finish(&mut self) -> Result<Option<Bytes>, StreamFault> {
        match self {
            Self::Sse(frames) => Ok(frames.finish()),
            Self::Array { frames, .. } if frames.finish() => Ok(None),
            Self::Array { .. } => Err(StreamFault::Truncated),
            // A torn frame is a missing end, if it matters: the reader of the events knows.
            Self::EventStream { .. } => Ok(None),
        }
    }
}

impl Payload {
    fn item(&mut self, frame: event_stream::Frame) -> Result<Item, StreamFault> {
        match frame.text(":message-type") {
            Some("exception") => {
                let name = frame.text(":exception-type").unwrap_or_default();
                return Ok(Item::Exception(error::of_exception(name, &frame.payload)));
            }
            Some("error") => {
                let code = frame.text(":error-code").unwrap_or_default();
                let message = frame.text(":error-message").unwrap_or_default();
                return Ok(Item::Exception(error::of_words(code, message)));
            }
            _ => {}
        }
        match self {
            Self::Event => Ok(Item::Named(frame)),
            Self::Chunk { .. } if frame.text(":event-type") != Some("chunk") => Ok(Item::Skipped),
            Self::Chunk { scratch } => unwrapped(&frame.payload, scratch).map(Item::Bare),
        }
    }
}

/// The event inside `{"bytes": "…"}`.
fn unwrapped(payload: &[u8], scratch: &mut BytesMut) -> Result<Bytes, StreamFault> {
    let malformed = || StreamFault::Malformed("a frame does not hold the bytes of an event".into());
    let place = find(payload, "bytes").ok_or_else(malformed)?;
    let text = payload.get(place).and_then(as_str).ok_or_else(malformed)?;
    scratch.resize(base64::decoded_len_estimate(text.len()), 0);
    let length = STANDARD.decode_slice(text.as_bytes(), scratch).map_err(|_| malformed())?;
    Ok(scratch.split_to(length).freeze())
}

#[cfg(test)]
mod tests;
