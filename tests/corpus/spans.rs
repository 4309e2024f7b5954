//! Where a member's value stands in the bytes of a JSON object, so that the expected bytes of a
//! pass-through can be written without reading and writing the JSON anew.

use std::ops::Range;

/// Text to stand at a path.
#[derive(Debug, Clone, Copy)]
pub struct Replacement<'r> {
    pub path: &'r [&'r str],
    pub text: &'r str,
}

/// The bytes with every string at one of the paths written over.
pub fn replaced(bytes: &[u8], replacements: &[Replacement<'_>]) -> Vec<u8> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let mut edits: Vec<(Range<usize>, &str)> = replacements
        .iter()
        .filter_map(|replacement| Some((find(&text, replacement.path)?, replacement.text)))
        .filter(|(place, _)| text[place.clone()].starts_with('"'))
        .collect();
    edits.sort_by_key(|(place, _)| place.start);
    let mut out = String::new();
    let mut from = 0;
    for (place, word) in edits {
        out.push_str(&text[from..place.start]);
        out.extend(["\"", word, "\""]);
        from = place.end;
    }
    out.push_str(&text[from..]);
    out.into_bytes()
}

/// The same for every element of an array.
pub fn replaced_in_array(bytes: &[u8], replacements: &[Replacement<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'{'
            && let Some(end) = end_of(bytes, at)
        {
            out.extend(replaced(&bytes[at..end], replacements));
            at = end;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}

/// The place of the value at the path.
pub fn find(text: &str, path: &[&str]) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let mut range = skip_space(bytes, 0)..bytes.len();
    for key in path {
        range = member(bytes, range.start, key)?;
    }
    Some(range)
}

fn member(bytes: &[u8], object: usize, wanted: &str) -> Option<Range<usize>> {
    if bytes.get(object) != Some(&b'{') {
        return None;
    }
    let mut at = skip_space(bytes, object + 1);
    while bytes.get(at) == Some(&b'"') {
        let key_end = end_of(bytes, at)?;
        let key = &bytes[at + 1..key_end - 1];
        at = skip_space(bytes, key_end);
        at = skip_space(bytes, at + 1);
        let end = end_of(bytes, at)?;
        if key == wanted.as_bytes() {
            return Some(at..end);
        }
        at = skip_space(bytes, end);
        at = skip_space(bytes, at + 1);
    }
    None
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// One past the value that starts here.
fn end_of(bytes: &[u8], start: usize) -> Option<usize> {
    let (mut depth, mut in_string, mut at) = (0_usize, false, start);
    loop {
        let byte = *bytes.get(at)?;
        at += 1;
        match byte {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            _ if in_string => continue,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        let bare_ends = bytes.get(at).is_none_or(|next| b",]} \t\r\n".contains(next));
        let is_bare = !matches!(byte, b'"' | b'}' | b']');
        if depth == 0 && !in_string && (!is_bare || bare_ends) {
            return Some(at);
        }
    }
}

#[test]
fn only_the_string_at_the_path_changes() {
    let text = r#" {"a": {"id":"x"}, "n":12 ,"id" : "o\"ld", "m":{"model":null,"id":"y"}}"#;
    let changes = [
        Replacement { path: &["id"], text: "new" },
        Replacement { path: &["m", "model"], text: "no" },
        Replacement { path: &["m", "id"], text: "z" },
    ];
    let out = String::from_utf8(replaced(text.as_bytes(), &changes)).unwrap();
    assert_eq!(out, r#" {"a": {"id":"x"}, "n":12 ,"id" : "new", "m":{"model":null,"id":"z"}}"#);
}
