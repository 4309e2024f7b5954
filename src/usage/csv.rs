//! Lines of CSV as RFC 4180 says: CRLF at the end, quotes where they are needed.
//!
//! Used by the exports of requests and of sums. Clients choose some of the texts, so that no cell
//! may be one that a spreadsheet runs.

use std::io::{self, Write};

/// Writes one line.
pub(super) fn write_line<C: AsRef<str>>(
    out: &mut impl Write,
    cells: impl IntoIterator<Item = C>,
) -> io::Result<()> {
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        write_cell(out, cell.as_ref())?;
    }
    out.write_all(b"\r\n")
}

/// Spreadsheets run cells that begin like a formula; an apostrophe in front makes them text.
fn write_cell(out: &mut impl Write, cell: &str) -> io::Result<()> {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) && !is_number(cell);
    let guard = if formula { "'" } else { "" };
    if cell.contains(['"', ',', '\n', '\r']) {
        write!(out, "\"{guard}{}\"", cell.replace('"', "\"\""))
    } else {
        write!(out, "{guard}{cell}")
    }
}

/// An amount below zero begins like a formula and is none.
fn is_number(cell: &str) -> bool {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let whole = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match digits.split_once('.') {
        Some((before, after)) => whole(before) && whole(after),
        None => whole(digits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_harmless() {
        for (cell, written) in [
            ("", ""),
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\r\nb", "\"a\r\nb\""),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("@x", "'@x"),
            ("\tx", "'\tx"),
            ("=a,b", "\"'=a,b\""),
            ("\r=1", "\"'\r=1\""),
            ("-1.5", "-1.5"),
            ("-1", "-1"),
            ("-1+cmd", "'-1+cmd"),
            ("-", "'-"),
        ] {
            let mut out = Vec::new();
            write_line(&mut out, [cell, "x"]).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), format!("{written},x\r\n"));
        }
    }
}
