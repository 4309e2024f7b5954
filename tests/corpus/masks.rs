//! Makes two outputs of one stream comparable although the gateway invents random ids: every id
//! that the input does not hold becomes its ordinal, also inside carried signatures.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashMap;

/// What made ids begin with.
const PREFIXES: [&str; 9] =
    ["call_", "msg_", "resp_", "rs_", "fc_", "ctc_", "ig_", "toolu_", "tooluse_"];
/// Gemini's ids of answers begin with nothing.
const BARE_ID: &str = "\"responseId\":\"";
/// The beginning of a carried signature, in base64.
const CARRIED: &str = "YXJvdXRlci1zaWctMQ";
const MIN_RANDOM: usize = 16;

/// The output with its invented ids numbered.
pub fn masked(output: &[u8], input: &[u8]) -> String {
    let input = String::from_utf8_lossy(input);
    Mask { input: &input, known: HashMap::new() }.text(&String::from_utf8_lossy(output))
}

struct Mask<'m> {
    input: &'m str,
    known: HashMap<String, usize>,
}

impl Mask<'_> {
    fn text(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| is_word(c)) {
            out.push_str(&rest[..at]);
            let tail = &rest[at..];
            let end = tail.find(|c: char| !is_word(c)).unwrap_or(tail.len());
            let word = &tail[..end];
            let is_id = out.ends_with(BARE_ID);
            out.push_str(&self.word(word, is_id));
            rest = &tail[end..];
        }
        out.push_str(rest);
        out
    }

    fn word(&mut self, word: &str, is_id: bool) -> String {
        if word.starts_with(CARRIED)
            && let Ok(plain) = STANDARD.decode(word)
        {
            return self.text(&String::from_utf8_lossy(&plain));
        }
        let random = PREFIXES.iter().find_map(|prefix| word.strip_prefix(prefix));
        let is_made = is_id || random.is_some_and(|random| random.len() >= MIN_RANDOM);
        if !is_made || self.input.contains(word) {
            return word.to_owned();
        }
        let next = self.known.len();
        let ordinal = *self.known.entry(word.to_owned()).or_insert(next);
        format!("made{ordinal}")
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '/' | '=')
}

#[test]
fn invented_ids_are_numbered_and_others_stay() {
    let carried = |id: &str| STANDARD.encode(format!("arouter-sig-1\ne\nm\n{id}\nd"));
    let told = |id: &str| format!("{{\"id\":\"{id}\",\"of\":\"{}\",\"x\":\"{id}\"}}", carried(id));
    let (one, two) = ("call_AAAAAAAAAAAAAAAAAAAAAAAA", "call_BBBBBBBBBBBBBBBBBBBBBBBB");
    assert_eq!(masked(told(one).as_bytes(), b""), masked(told(two).as_bytes(), b""));
    assert_ne!(
        masked(told(one).as_bytes(), one.as_bytes()),
        masked(told(two).as_bytes(), two.as_bytes())
    );
    let mixed = format!("{one} {two}");
    assert_ne!(masked(told(one).as_bytes(), b""), masked(mixed.as_bytes(), b""));
}
