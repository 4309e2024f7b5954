//! Log probabilities in the legacy shape: lists side by side instead of a list of tokens.
//!
//! Used by the whole answer and the stream. Numbers are passed on as written. `text_offset` counts
//! characters from the start of the answer's text, which is known here; the prompt is not.

use crate::json::write_string;
use bytes::{BufMut, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// OpenAI's object for chat answers.
#[derive(Default, Deserialize)]
struct ByToken<'a> {
    #[serde(borrow, default)]
    content: Option<Vec<Token<'a>>>,
    #[serde(borrow, default)]
    refusal: Option<Vec<Token<'a>>>,
}

#[derive(Deserialize)]
struct Token<'a> {
    #[serde(borrow, rename = "token")]
    text: Cow<'a, str>,
    #[serde(borrow, default)]
    logprob: Option<&'a RawValue>,
    #[serde(borrow, default)]
    top_logprobs: Option<Vec<Token<'a>>>,
}

/// Appends the legacy object, or `null` if there is nothing to tell. `offset` is where in the text
/// the first token stands, and becomes where the next one will.
pub(super) fn write(by_token: &RawValue, offset: &mut u64, out: &mut BytesMut) {
    let read: ByToken<'_> = serde_json::from_str(by_token.get()).unwrap_or_default();
    let mut tokens = read.content.unwrap_or_default();
    tokens.extend(read.refusal.unwrap_or_default());
    if tokens.is_empty() {
        out.put_slice(b"null");
        return;
    }
    out.put_slice(br#"{"tokens":["#);
    list(&tokens, out, |token, out| write_string(out, &token.text));
    out.put_slice(br#"],"token_logprobs":["#);
    list(&tokens, out, |token, out| write_number(token, out));
    out.put_slice(br#"],"top_logprobs":"#);
    if tokens.iter().any(|token| token.alternatives().next().is_some()) {
        out.put_slice(b"[");
        list(&tokens, out, write_alternatives);
        out.put_slice(b"]");
    } else {
        out.put_slice(b"null");
    }
    out.put_slice(br#","text_offset":["#);
    list(&tokens, out, |token, out| {
        out.put_slice(itoa::Buffer::new().format(*offset).as_bytes());
        *offset = offset.saturating_add(token.text.chars().count() as u64);
    });
    out.put_slice(b"]}");
}

impl<'a> Token<'a> {
    /// The alternatives, each text once.
    fn alternatives(&self) -> impl Iterator<Item = &Token<'a>> {
        let all = self.top_logprobs.as_deref().unwrap_or_default();
        let first_of_its_text = |at: usize, token: &Token<'a>| {
            !all.iter().take(at).any(|earlier| earlier.text == token.text)
        };
        all.iter().enumerate().filter(move |&(at, t)| first_of_its_text(at, t)).map(|(_, t)| t)
    }
}

fn write_alternatives(token: &Token<'_>, out: &mut BytesMut) {
    out.put_slice(b"{");
    let alternatives: Vec<&Token<'_>> = token.alternatives().collect();
    list(&alternatives, out, |other, out| {
        write_string(out, &other.text);
        out.put_slice(b":");
        write_number(other, out);
    });
    out.put_slice(b"}");
}

fn write_number(token: &Token<'_>, out: &mut BytesMut) {
    let is_number = |json: &&str| json.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    let number = token.logprob.map(RawValue::get).filter(is_number);
    out.put_slice(number.unwrap_or("null").as_bytes());
}

/// Appends what `write` makes of each item, with commas.
fn list<T>(items: &[T], out: &mut BytesMut, mut write: impl FnMut(&T, &mut BytesMut)) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.put_slice(b",");
        }
        write(item, out);
    }
}
