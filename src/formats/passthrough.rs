//! Same format on both sides: bytes pass unchanged but for the few that must differ.
//!
//! [`rewrite_request`] edits a client's body for the provider; [`tap::Tap`] lets a stream through
//! and learns from it what the usage record needs; both keep unknown fields, key order, spacing
//! and number spelling.

pub(super) mod native;
pub(super) mod openai;
pub(super) mod openrouter;
pub(super) mod tap;

use super::ApiFormat;
use super::openai_chat::dialect::Dialect;
use super::openai_chat::request::GATEWAY_FIELDS;
use crate::json::{Body, Head, Splice, find, string_literal};
use bytes::{BufMut, Bytes, BytesMut};
use std::borrow::Cow;

/// What a same-format request has to say differently.
#[derive(Debug, Clone, Copy)]
pub struct RequestEdit<'a> {
    /// The provider's own name of the model.
    pub model: &'a str,
    /// Whether a streamed answer is asked for.
    pub stream: bool,
    /// Habits of an OpenAI-compatible provider; OpenAI's own leave the body as it is.
    pub dialect: &'a Dialect,
}

/// A request in the client's own format, as the provider gets it.
#[derive(Debug, Clone)]
pub struct Rewritten {
    /// The body to send.
    pub body: Body,
    /// Names of the client's fields that the provider does not take, for `x-arouter-dropped`.
    pub dropped: Vec<Cow<'static, str>>,
}

/// The client's body as the provider gets it. `head` must be the scan of `body`.
pub fn rewrite_request(
    format: ApiFormat,
    body: &Bytes,
    head: &Head,
    edit: RequestEdit<'_>,
) -> Rewritten {
    let mut splice = Splice::new(body, head);
    let kept = ["model", "stream_options"];
    for name in GATEWAY_FIELDS.iter().filter(|name| !kept.contains(name)) {
        splice.remove(name);
    }
    if format != ApiFormat::Gemini {
        splice.insert("model", string_literal(edit.model));
    }
    let mut dropped = Vec::new();
    if format == ApiFormat::OpenAiChat {
        if !edit.dialect.stream_options {
            splice.remove("stream_options");
        } else if edit.stream {
            splice.insert("stream_options", stream_options(head.raw(body, "stream_options")));
        }
        dropped = adapt(body, head, edit.dialect, &mut splice);
    }
    Rewritten { body: splice.finish(), dropped }
}

/// Takes out what the provider fails on and renames what it calls otherwise. What cannot be left
/// out without changing the answer stays, for the provider to judge.
fn adapt<'a>(
    body: &Bytes,
    head: &'a Head,
    dialect: &'a Dialect,
    splice: &mut Splice<'a>,
) -> Vec<Cow<'static, str>> {
    let mut dropped = Vec::new();
    let names = head.members().iter().map(|member| head.name_of(member));
    for name in names.filter(|name| !GATEWAY_FIELDS.contains(name)) {
        if !dialect.takes(name) {
            if !Dialect::is_meaningful(name) {
                splice.remove(name);
                dropped.push(Cow::Owned(name.to_owned()));
            }
            continue;
        }
        let renamed = dialect.name_of(name);
        if renamed != name
            && let Some(value) = head.raw(body, name)
        {
            splice.remove(name).insert(renamed, Bytes::copy_from_slice(value));
        }
    }
    dropped
}

/// The client's `stream_options` with usage demanded, whatever else they hold.
fn stream_options(stated: Option<&[u8]>) -> Bytes {
    const DEMAND: &[u8] = b"\"include_usage\":true";
    let stated = stated.unwrap_or_default().trim_ascii();
    let Some((b'{', members)) = stated.split_first() else {
        return Bytes::from_static(br#"{"include_usage":true}"#);
    };
    let mut options = BytesMut::with_capacity(stated.len() + DEMAND.len() + 2);
    if let Some(value) = find(stated, "include_usage") {
        options.put_slice(stated.get(..value.start).unwrap_or_default());
        options.put_slice(b"true");
        options.put_slice(stated.get(value.end..).unwrap_or_default());
        return options.freeze();
    }
    options.put_u8(b'{');
    options.put_slice(DEMAND);
    if members.trim_ascii_start().first() != Some(&b'}') {
        options.put_u8(b',');
    }
    options.put_slice(members);
    options.freeze()
}

#[cfg(test)]
mod tests;
