//! Writes a whole answer in the legacy format.
//!
//! Used by `formats::encode_response`. Text and refusal, joined in their order, are `text`;
//! everything else the model made is left out.

use super::{finish_word, logprobs};
use crate::chat::response::Choice;
use crate::chat::{Part, Response};
use crate::formats::AnswerLabel;
use crate::formats::openai_chat::error::write_optional;
use crate::formats::openai_chat::usage;
use crate::json::write_string;
use bytes::{BufMut, Bytes, BytesMut};
use std::borrow::Cow;

/// Writes the answer under the gateway's label.
pub fn encode(response: &Response<'_>, label: &AnswerLabel) -> Bytes {
    let mut out = BytesMut::with_capacity(1_024);
    out.put_slice(b"{");
    write_label(label, response.model.as_deref(), &mut out);
    out.put_slice(br#","choices":["#);
    for (at, choice) in response.choices.iter().enumerate() {
        if at > 0 {
            out.put_slice(b",");
        }
        write_choice(choice, &mut out);
    }
    out.put_slice(br#"],"usage":"#);
    usage::write(&response.usage, label.charge_of(response).as_ref(), &mut out);
    out.put_slice(b"}");
    out.freeze()
}

/// Appends the members that every object of an answer begins with, chunks of a stream included.
pub(super) fn write_label(label: &AnswerLabel, upstream_model: Option<&str>, out: &mut BytesMut) {
    out.put_slice(br#""id":"#);
    write_string(out, &label.id);
    out.put_slice(br#","object":"text_completion","created":"#);
    out.put_slice(itoa::Buffer::new().format(label.created_s).as_bytes());
    out.put_slice(br#","model":"#);
    write_string(out, label.model.as_deref().or(upstream_model).unwrap_or_default());
    out.put_slice(br#","provider":"#);
    write_string(out, &label.provider);
}

fn write_choice(choice: &Choice<'_>, out: &mut BytesMut) {
    out.put_slice(br#"{"text":"#);
    write_string(out, &text(&choice.parts));
    out.put_slice(br#","index":"#);
    out.put_slice(itoa::Buffer::new().format(choice.index).as_bytes());
    out.put_slice(br#","logprobs":"#);
    match &choice.logprobs {
        Some(by_token) => logprobs::write(by_token, &mut 0, out),
        None => out.put_slice(b"null"),
    }
    out.put_slice(br#","finish_reason":""#);
    out.put_slice(finish_word(choice.finish).as_bytes());
    out.put_slice(br#"","native_finish_reason":"#);
    write_optional(out, choice.native_finish.as_deref());
    out.put_slice(b"}");
}

/// The words of an alternative, copied only when there are several pieces.
fn text<'p>(parts: &'p [Part<'_>]) -> Cow<'p, str> {
    let mut joined = Cow::Borrowed("");
    for part in parts {
        if let Part::Text { text, .. } | Part::Refusal { text } = part {
            if joined.is_empty() {
                joined = Cow::Borrowed(text.as_ref());
            } else {
                joined.to_mut().push_str(text);
            }
        }
    }
    joined
}

#[cfg(test)]
mod tests;
