//! Frames of Amazon's binary event streams, made from text, because a fuzzer does not guess their
//! checksums.
//!
//! Each line is a frame: the event's name, a space, and its payload. A name that begins with `!`
//! is that of an exception.

use arouter::formats::bedrock::event_stream::{Frame, Frames};
use arouter::sse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

/// The frames of a text.
pub fn of_lines(text: &[u8]) -> Vec<u8> {
    let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let frame_of = |line: &[u8]| {
        let space = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
        let (name, payload) = line.split_at(space);
        let payload = payload.get(1..).unwrap_or_default();
        match name.strip_prefix(b"!") {
            Some(name) => frame("exception", ":exception-type", name, payload),
            None => frame("event", ":event-type", name, payload),
        }
    };
    lines.flat_map(frame_of).collect()
}

/// The text of frames, as [`of_lines`] reads it; what is no frame is left out.
pub fn to_lines(frames: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    for frame in read(frames) {
        let exception = frame.text(":exception-type").map(|name| format!("!{name} "));
        let event = || frame.text(":event-type").map(|name| format!("{name} "));
        lines.extend(exception.or_else(event).unwrap_or_default().bytes());
        lines.extend(frame.payload.iter().map(|&byte| if byte == b'\n' { b' ' } else { byte }));
        lines.push(b'\n');
    }
    lines
}

/// Server-sent events as Bedrock carries them for models of other makers.
pub fn of_events(events: &[u8]) -> Vec<u8> {
    let mut frames = sse::Frames::new();
    frames.push(Bytes::copy_from_slice(events));
    let mut written = Vec::new();
    while let Ok(Some(found)) = frames.next() {
        if let Some(event) = sse::parse(&found) {
            let payload =
                format!("{{\"bytes\":\"{}\",\"p\":\"abc\"}}", STANDARD.encode(&event.data));
            written.extend(frame("event", ":event-type", b"chunk", payload.as_bytes()));
        }
    }
    written
}

/// All whole frames.
pub fn read(bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Frames::default();
    frames.push(Bytes::copy_from_slice(bytes));
    std::iter::from_fn(|| frames.next().ok().flatten()).collect()
}

fn frame(kind: &str, type_header: &str, name: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut headers = Vec::new();
    for (key, value) in [(":message-type", kind.as_bytes()), (type_header, name)] {
        headers.push(u8::try_from(key.len()).unwrap());
        headers.extend_from_slice(key.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap_or(0).to_be_bytes());
        headers.extend_from_slice(value);
    }
    let total = 16 + headers.len() + payload.len();
    let mut frame = u32::try_from(total).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(&u32::try_from(headers.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame.extend_from_slice(&headers);
    frame.extend_from_slice(payload);
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame
}
