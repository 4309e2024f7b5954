//! Mutations of text that keep it near to JSON and to event streams, where the interesting
//! mistakes are.

use crate::targets::Random;

/// Values that stand where others are expected.
const VALUES: [&str; 24] = [
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1e400",
    "-0.0",
    "18446744073709551616",
    "4294967296",
    "\"\"",
    "\"\\u0000\"",
    "\"\\ud83d\\ude00\"",
    "\"ü\u{1F600}\\n\"",
    "\"data: [DONE]\\n\\n\"",
    "{}",
    "[]",
    "[[]]",
    "[null]",
    "{\"type\":\"text\"}",
    "{\"a\":[1,{\"b\":\"}]\"}]}",
    "\"stop\"",
    "\"tool_use\"",
    "\"end_turn\"",
    "\"error\"",
];

/// Pieces of streams.
const PIECES: [&str; 12] = [
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "\r\n\r\n",
    ": comment\n\n",
    "data: [DONE]\n\n",
    "data:\n",
    "event: error\n",
    "data: {}\n\n",
    "\u{FEFF}",
    "]",
];

/// Changes `body` once or a few times; `other` is another seed to take from.
pub(crate) fn some(body: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(4) {
        match random.below(10) {
            0 => flip(body, random),
            1 => remove(body, random),
            2 => repeat(body, random),
            3 => body.truncate(random.below(body.len() + 1)),
            4 => insert(body, PIECES[random.below(PIECES.len())].as_bytes(), random),
            5 => take_over(body, other, random),
            6 => swap_lines(body, random),
            _ => replace_value(body, random),
        }
    }
}

/// A place and a short way from it.
fn span(body: &[u8], random: &mut Random) -> std::ops::Range<usize> {
    let start = random.below(body.len() + 1);
    let end = (start + random.below(64)).min(body.len());
    start..end
}

fn flip(body: &mut [u8], random: &mut Random) {
    if !body.is_empty() {
        let at = random.below(body.len());
        body[at] = u8::try_from(random.below(256)).unwrap();
    }
}

fn remove(body: &mut Vec<u8>, random: &mut Random) {
    let span = span(body, random);
    body.drain(span);
}

fn repeat(body: &mut Vec<u8>, random: &mut Random) {
    let span = span(body, random);
    let piece = body[span].to_vec();
    insert(body, &piece, random);
}

fn insert(body: &mut Vec<u8>, piece: &[u8], random: &mut Random) {
    let at = random.below(body.len() + 1);
    body.splice(at..at, piece.iter().copied());
}

fn take_over(body: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let from = span(other, random);
    let to = span(body, random);
    body.splice(to, other[from].iter().copied());
}

/// Lines of a stream in another order.
fn swap_lines(body: &mut Vec<u8>, random: &mut Random) {
    let mut lines: Vec<Vec<u8>> =
        body.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    if lines.len() > 1 {
        let (one, two) = (random.below(lines.len()), random.below(lines.len()));
        lines.swap(one, two);
        *body = lines.concat();
    }
}

/// Another value after one of the colons.
fn replace_value(body: &mut Vec<u8>, random: &mut Random) {
    let colons: Vec<usize> = (0..body.len()).filter(|&at| body[at] == b':').collect();
    if colons.is_empty() {
        return;
    }
    let start = colons[random.below(colons.len())] + 1;
    let end = value_end(body, start);
    let value = VALUES[random.below(VALUES.len())];
    body.splice(start..end, value.bytes());
}

/// Roughly where the JSON value at `start` ends.
fn value_end(body: &[u8], start: usize) -> usize {
    let (mut depth, mut in_text, mut at) = (0_usize, false, start);
    while let Some(&byte) = body.get(at) {
        match byte {
            b'\\' if in_text => at += 1,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text && depth > 0 => depth -= 1,
            b',' | b'}' | b']' | b'\n' if !in_text && depth == 0 => break,
            _ => {}
        }
        at += 1;
    }
    at.min(body.len())
}
