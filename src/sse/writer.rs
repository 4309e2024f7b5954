//! Writes server-sent events: what translated streams, keep-alives and in-band errors consist of.
//!
//! Every call writes one whole frame. Line breaks in what is passed are written as spaces, so no
//! text can begin a field or end the event; in JSON they can only be whitespace.

use bytes::{BufMut, BytesMut};
use memchr::memchr2;

/// The event that ends an OpenAI stream.
pub const DONE: &[u8] = b"data: [DONE]\n\n";

/// Appends an event without a name.
pub fn write_data(out: &mut BytesMut, json: &[u8]) {
    out.reserve(json.len() + 8);
    write_line(out, b"data: ", json);
    out.put_u8(b'\n');
}

/// Appends a named event.
pub fn write_event(out: &mut BytesMut, name: &str, json: &[u8]) {
    out.reserve(name.len() + json.len() + 16);
    write_line(out, b"event: ", name.as_bytes());
    write_data(out, json);
}

/// Appends a comment, which clients skip.
pub fn write_comment(out: &mut BytesMut, text: &str) {
    write_line(out, b": ", text.as_bytes());
    out.put_u8(b'\n');
}

fn write_line(out: &mut BytesMut, field: &[u8], value: &[u8]) {
    out.put_slice(field);
    let mut rest = value;
    while let Some((line, after)) =
        memchr2(b'\n', b'\r', rest).and_then(|end| rest.split_at_checked(end))
    {
        out.put_slice(line);
        out.put_u8(b' ');
        rest = after.get(1..).unwrap_or_default();
    }
    out.put_slice(rest);
    out.put_u8(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sse::{Frames, parse};
    use proptest::prelude::*;

    #[test]
    fn frames_look_as_providers_write_them() {
        let mut out = BytesMut::new();
        write_data(&mut out, b"{}");
        write_event(&mut out, "ping", b"{\"type\": \"ping\"}");
        write_comment(&mut out, "PROCESSING");
        out.put_slice(DONE);
        let expected = "data: {}\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n: PROCESSING\n\ndata: [DONE]\n\n";
        assert_eq!(out, expected);
    }

    proptest! {
        #[test]
        fn what_is_written_is_one_event(
            name in "[a-z:\r\n ]{1,12}", json in "[a-z:\r\n ]{0,40}", note in "[a-z:\r\n]{0,12}",
        ) {
            let mut out = BytesMut::new();
            write_comment(&mut out, &note);
            write_event(&mut out, &name, json.as_bytes());
            let mut frames = Frames::new();
            frames.push(out.freeze());
            let comment = frames.next().unwrap().unwrap();
            prop_assert_eq!(parse(&comment), None);
            let frame = frames.next().unwrap().unwrap();
            let event = parse(&frame).unwrap();
            let flat = |text: &str| text.replace(['\r', '\n'], " ");
            let written_name = flat(&name);
            let read_name = written_name.as_str();
            prop_assert_eq!(event.name.as_deref(), Some(read_name).filter(|n| !n.is_empty()));
            let written = flat(&json);
            prop_assert_eq!(&*event.data, written.as_bytes());
            prop_assert_eq!(frames.next(), Ok(None));
            prop_assert_eq!(frames.finish(), None);
        }
    }
}
