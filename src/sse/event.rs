//! Reads one server-sent event frame by the field rules of the WHATWG specification.
//!
//! Used by the stream decoders of every wire format, on frames cut by [`super::Frames`]. `id` and
//! `retry` mean nothing to a gateway and are ignored like unknown fields.

use std::borrow::Cow;

use memchr::memchr2;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// The `event` field; `None` when absent or empty.
    pub name: Option<Cow<'a, str>>,
    /// The `data` lines joined by LF; borrowed when there is one.
    pub data: Cow<'a, [u8]>,
}

/// The event in `frame`; `None` when it has no `data` field, as a comment has not. The end of
/// `frame` ends its last line, so that the unterminated tail of a stream can be read too.
pub fn parse(frame: &[u8]) -> Option<Event<'_>> {
    let mut name = None;
    let mut data: Option<Cow<'_, [u8]>> = None;
    let mut rest = frame;
    while let Some((line, after)) = split_line(rest) {
        rest = after;
        if let Some(value) = field(line, b"data") {
            match &mut data {
                None => data = Some(Cow::Borrowed(value)),
                Some(lines) => {
                    let lines = lines.to_mut();
                    lines.push(b'\n');
                    lines.extend_from_slice(value);
                }
            }
        } else if let Some(value) = field(line, b"event") {
            name = (!value.is_empty()).then(|| String::from_utf8_lossy(value));
        }
    }
    Some(Event { name, data: data? })
}

/// The first line without its terminator, and what follows; `None` at the end.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    if bytes.is_empty() {
        return None;
    }
    let end = memchr2(b'\n', b'\r', bytes).unwrap_or(bytes.len());
    let (line, rest) = bytes.split_at_checked(end)?;
    let after = rest.strip_prefix(b"\r\n").or_else(|| rest.get(1..)).unwrap_or_default();
    Some((line, after))
}

/// The value of `line` if it is the field `name`: after the colon and one space, or empty when
/// there is no colon.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(name)?;
    if rest.is_empty() {
        return Some(rest);
    }
    let value = rest.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(frame: &[u8]) -> Option<(Option<String>, String)> {
        let event = parse(frame)?;
        let data = String::from_utf8_lossy(&event.data).into_owned();
        Some((event.name.map(Cow::into_owned), data))
    }

    #[test]
    fn fields_follow_the_specification() {
        for (frame, name, data) in [
            ("data: {\"a\":1}\n\n", None, "{\"a\":1}"),
            ("data:x\n\n", None, "x"),
            ("data:  x \n\n", None, " x "),
            ("data: a: b\n\n", None, "a: b"),
            ("event: ping\ndata: {}\n\n", Some("ping"), "{}"),
            ("data: {}\r\nevent:ping\r\n\r\n", Some("ping"), "{}"),
            ("data: a\rdata: b\r\r", None, "a\nb"),
            ("data: a\ndata\ndata:\ndata: b\r\n\n", None, "a\n\n\nb"),
            ("data\n\n", None, ""),
            ("data:\n\n", None, ""),
            ("data: \n\n", None, ""),
            ("event: a\nevent: b\ndata: x\n\n", Some("b"), "x"),
            ("event: a\nevent:\ndata: x\n\n", None, "x"),
            (": note\nid: 7\nretry: 9\nfoo: bar\n bar\ndata: x\n\n", None, "x"),
            ("datax: y\nData: z\n data: w\ndata : v\ndata: x\n\n", None, "x"),
            ("\n\ndata: x\n\n", None, "x"),
            ("data: x", None, "x"),
            ("data: x\r", None, "x"),
            ("data: \u{2028}\u{0}\n\n", None, "\u{2028}\u{0}"),
        ] {
            let expected = (name.map(str::to_owned), data.to_owned());
            assert_eq!(read(frame.as_bytes()), Some(expected), "{frame:?}");
        }
    }

    #[test]
    fn frames_without_data_are_no_events() {
        for frame in ["", "\n", "\r\n", ": ping\n\n", ":\n\n", "event: x\n\n", "id: 1\n\n", "x\n\n"]
        {
            assert_eq!(read(frame.as_bytes()), None, "{frame:?}");
        }
    }

    #[test]
    fn one_line_is_borrowed_and_bad_utf8_survives() {
        let event = parse(b"event: \xff\ndata: \xff\n\n").unwrap();
        assert!(matches!(event.data, Cow::Borrowed(b"\xff")));
        assert_eq!(event.name.unwrap(), "\u{FFFD}");
    }
}
