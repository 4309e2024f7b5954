//! The splitters of streams: what they cut out does not depend on where the input was cut, and
//! nothing is lost.

use super::{binary, cut, parts};
use arouter::formats::bedrock::event_stream::{self, Frame};
use arouter::formats::gemini::array::{ArrayFrames, Piece};
use arouter::sse::{self, Frames};
use bytes::Bytes;

/// Server-sent events.
pub fn sse(data: &[u8]) {
    let Some((decisions, body)) = parts(data) else { return };
    let pieces = cut(body, decisions);
    let (whole, split) = (sse_frames(&[body]), sse_frames(&pieces));
    for frames in [&whole, &split, &sse_taken(&pieces)] {
        let unmarked = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        let joined = frames.concat();
        assert!(joined == unmarked || joined == body, "bytes were lost or made up");
    }
    assert_eq!(events(&whole), events(&split), "the cuts changed the events");
}

pub(super) fn sse_frames(pieces: &[&[u8]]) -> Vec<Bytes> {
    let (mut frames, mut found) = (Frames::new(), Vec::new());
    for piece in pieces {
        frames.push(Bytes::copy_from_slice(piece));
        while let Some(frame) = frames.next().unwrap() {
            assert!(!frame.is_empty());
            found.push(frame);
        }
    }
    found.extend(frames.finish());
    assert_eq!(frames.next(), Ok(None));
    found
}

fn sse_taken(pieces: &[&[u8]]) -> Vec<Bytes> {
    let (mut frames, mut found) = (Frames::new(), Vec::new());
    for piece in pieces {
        frames.push(Bytes::copy_from_slice(piece));
        found.extend(frames.take_complete().unwrap());
    }
    found.extend(frames.finish());
    found
}

pub(super) fn events(frames: &[Bytes]) -> Vec<(Option<String>, Vec<u8>)> {
    let events = frames.iter().filter_map(|frame| sse::parse(frame));
    events
        .map(|event| (event.name.map(std::borrow::Cow::into_owned), event.data.into_owned()))
        .collect()
}

/// The elements of Gemini's JSON array.
pub fn array(data: &[u8]) {
    let Some((decisions, body)) = parts(data) else { return };
    let whole = array_pieces(&[body]);
    let split = array_pieces(&cut(body, decisions));
    assert_eq!(whole.joined, body, "bytes were lost or made up");
    assert_eq!(whole, split, "the cuts changed the elements");
    if serde_json::from_slice::<Vec<&serde_json::value::RawValue>>(body).is_ok() {
        assert!(whole.closed, "an array was not recognised");
        for element in &whole.elements {
            serde_json::from_slice::<serde::de::IgnoredAny>(element).unwrap();
        }
    }
}

#[derive(Debug, PartialEq)]
struct Cut {
    elements: Vec<Bytes>,
    joined: Vec<u8>,
    closed: bool,
}

fn array_pieces(pieces: &[&[u8]]) -> Cut {
    let mut frames = ArrayFrames::default();
    let mut found = Cut { elements: Vec::new(), joined: Vec::new(), closed: false };
    let mut read = 0;
    for piece in pieces {
        read += piece.len();
        frames.push(Bytes::copy_from_slice(piece));
        while let Some(piece) = frames.next().unwrap() {
            match piece {
                Piece::Framing(framing) => found.joined.extend_from_slice(&framing),
                Piece::Element(element) => {
                    found.joined.extend_from_slice(&element);
                    found.elements.push(element);
                }
            }
        }
        assert!(found.joined.len() <= read);
    }
    found.closed = frames.finish();
    // An element that never ended is held back; it is no loss.
    let rest: Vec<u8> = pieces.concat().split_off(found.joined.len());
    found.joined.extend_from_slice(&rest);
    found
}

/// Binary frames of Amazon Bedrock: the input as lines, whose frames are whole but for one byte at
/// times, or as it is.
pub fn binary(data: &[u8]) {
    let Some((decisions, body)) = parts(data) else { return };
    let mut frames = if decisions[1] % 4 == 0 { body.to_vec() } else { binary::of_lines(body) };
    let lines = binary::to_lines(&frames);
    assert!(binary::to_lines(&binary::of_lines(&lines)) == lines, "frames are not read back");
    if decisions[1] % 4 == 1 && !frames.is_empty() {
        let at = usize::from(u16::from_le_bytes([decisions[2], decisions[3]])) % frames.len();
        frames[at] ^= decisions[4];
    }
    let whole = binary_frames(&[&frames]);
    let split = binary_frames(&cut(&frames, decisions));
    assert_eq!(whole.0, split.0, "the cuts changed the frames");
    assert_eq!(whole.1, split.1, "the cuts changed the end");
    let carried: usize = whole.0.iter().map(|frame| frame.payload.len() + 16).sum();
    assert!(carried <= frames.len(), "more came out than went in");
}

/// The frames, and the fault or whether the stream ended between two of them.
fn binary_frames(pieces: &[&[u8]]) -> (Vec<Frame>, Result<bool, String>) {
    let (mut frames, mut found) = (event_stream::Frames::default(), Vec::new());
    for piece in pieces {
        frames.push(Bytes::copy_from_slice(piece));
        loop {
            match frames.next() {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break,
                Err(fault) => return (found, Err(format!("{fault:?}"))),
            }
        }
    }
    let between = frames.finish();
    (found, Ok(between))
}
