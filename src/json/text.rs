//! JSON strings: writing them escaped, reading them unescaped.
//!
//! Used by the encoders of every wire format. What is written is always valid JSON on one line;
//! what is read is checked, so a malformed string yields `None` rather than half a text.

use std::{borrow::Cow, str::from_utf8};

use bytes::{BufMut, Bytes};

use super::scan::{hex4, plain_end};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `text` as a JSON string, with its quotes.
pub fn write_string(out: &mut impl BufMut, text: &str) {
    out.put_u8(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at_checked(plain_end(rest, 0)).unwrap_or((rest, &[]));
        out.put_slice(plain);
        let Some((&byte, after)) = special.split_first() else { break };
        write_escape(out, byte);
        rest = after;
    }
    out.put_u8(b'"');
}

/// `text` as a JSON string, with its quotes.
pub fn string_literal(text: &str) -> Bytes {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_string(&mut out, text);
    out.into()
}

/// The text of a JSON string given with its quotes, borrowed when it has no escapes. `None` when
/// `raw` is anything but one well-formed string.
pub fn as_str(raw: &[u8]) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let text = from_utf8(inner).ok()?;
    let plain = plain_end(inner, 0);
    if plain == inner.len() {
        return Some(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(inner.len());
    unescape(text, &mut out)?;
    Some(Cow::Owned(out))
}

/// [`as_str`], with a buffer for the text of a string that has escapes.
pub fn as_str_in<'t>(raw: &'t str, buffer: &'t mut String) -> Option<&'t str> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if plain_end(inner.as_bytes(), 0) == inner.len() {
        return Some(inner);
    }
    buffer.clear();
    unescape(inner, buffer)?;
    Some(buffer)
}

/// Appends the text of `inner`, the part of a JSON string between its quotes.
pub(super) fn unescape(inner: &str, out: &mut String) -> Option<()> {
    let mut rest = inner;
    loop {
        let (plain, special) = rest.split_at_checked(plain_end(rest.as_bytes(), 0))?;
        out.push_str(plain);
        if special.is_empty() {
            return Some(());
        }
        let (character, after) = read_escape(special.strip_prefix('\\')?)?;
        out.push(character);
        rest = after;
    }
}

/// The character an escape stands for and what follows it; `escape` begins after the backslash.
fn read_escape(escape: &str) -> Option<(char, &str)> {
    let (&kind, _) = escape.as_bytes().split_first()?;
    let character = match kind {
        b'"' | b'\\' | b'/' => char::from(kind),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return read_unicode(escape.get(1..)?),
        _ => return None,
    };
    Some((character, escape.get(1..)?))
}

/// [`read_escape`] for `\u`; `digits` begins after the `u`.
fn read_unicode(digits: &str) -> Option<(char, &str)> {
    let unit = hex4(digits.as_bytes())?;
    let after = digits.get(4..)?;
    if !(0xD800..0xDC00).contains(&unit) {
        return Some((char::from_u32(unit)?, after));
    }
    let low_digits = after.strip_prefix("\\u")?;
    let low = hex4(low_digits.as_bytes()).filter(|low| (0xDC00..0xE000).contains(low))?;
    let code = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    Some((char::from_u32(code)?, low_digits.get(4..)?))
}

fn write_escape(out: &mut impl BufMut, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0C => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
            out.put_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 0xF)]);
            return;
        }
    };
    out.put_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_are_those_of_serde_json() {
        let mut all: String = (0_u8..128).map(char::from).collect();
        all.push_str("ü\u{2028}\u{1F600}\u{7f}\u{FEFF}");
        assert_eq!(string_literal(&all), serde_json::to_string(&all).unwrap());
        assert_eq!(string_literal(""), "\"\"");
    }

    #[test]
    fn strings_are_read_or_refused_as_serde_json_does() {
        for raw in [
            r#""""#,
            r#""a""#,
            r#""\n\t\"\\\/\b\f\r""#,
            r#""\u00e9\uD83D\uDE00x""#,
            r#""\u12""#,
            r#""\ud83d""#,
            r#""\ude00""#,
            r#""\ud83dA""#,
            r#""\ud83d\u0041""#,
            r#""\x""#,
            r#""\"#,
            r#"""#,
            "",
            "a",
            r#""a"b""#,
            "\"\n\"",
            r#""\u00+1""#,
            r#""\uü00""#,
            r#""\ud83d\ud83d""#,
            "1",
            r#""\u123ü""#,
        ] {
            let expected: Option<String> = serde_json::from_str(raw).ok();
            assert_eq!(as_str(raw.as_bytes()).map(Cow::into_owned), expected, "{raw}");
            let mut buffer = "before".to_owned();
            assert_eq!(as_str_in(raw, &mut buffer), expected.as_deref(), "{raw}");
        }
        assert!(matches!(as_str(b"\"plain\""), Some(Cow::Borrowed("plain"))));
        assert_eq!(as_str(b"\"\xff\""), None);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(text in ".{0,80}|[\\x00-\\x7f]{0,80}") {
            let literal = string_literal(&text);
            let expected = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(&literal, expected.as_bytes());
            prop_assert_eq!(as_str(&literal).unwrap(), text);
        }
    }
}
