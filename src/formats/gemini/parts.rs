//! The parts of an answer as Gemini's clients read them.
//!
//! Used for whole answers and streams. Signatures of other makers have no part of their own: they
//! stand packed on the next part, because clients keep that one when they send the conversation
//! back.

use super::json_text::{Object, compact};
use super::signature::Signature;
use crate::chat::event::AudioPiece;
use crate::json::write_string;
use bytes::{BufMut, BytesMut};
use std::borrow::Cow;

/// The type of sound that has no other word to it: Google's own raw samples.
const RAW_SOUND: &str = "audio/L16;codec=pcm;rate=24000";

/// What a part holds.
#[derive(Debug)]
pub(super) enum Body<'r> {
    /// Text of the answer.
    Text(&'r str),
    /// Text of the reasoning.
    Thought(&'r str),
    /// A function call.
    Call(Call<'r>),
    /// Bytes of a type.
    Inline { mime: Cow<'r, str>, data: &'r str },
    /// Something at an address.
    File { mime: &'r str, uri: &'r str },
}

/// A function call, complete.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'r> {
    pub(super) id: &'r str,
    pub(super) name: &'r str,
    pub(super) arguments: &'r str,
    /// Whether the arguments are plain text.
    pub(super) custom: bool,
}

/// Writes a part with its signature.
pub(super) fn write(body: &Body<'_>, signature: Option<&str>, out: &mut BytesMut) {
    match body {
        Body::Text(text) => write_member(br#"{"text":"#, text, out),
        Body::Thought(text) => {
            write_member(br#"{"text":"#, text, out);
            out.put_slice(br#","thought":true"#);
        }
        Body::Call(call) => write_call(call, out),
        Body::Inline { mime, data } => {
            write_member(br#"{"inlineData":{"mimeType":"#, mime, out);
            write_member(br#","data":"#, data, out);
            out.put_u8(b'}');
        }
        Body::File { mime, uri } => {
            write_member(br#"{"fileData":{"mimeType":"#, mime, out);
            write_member(br#","fileUri":"#, uri, out);
            out.put_u8(b'}');
        }
    }
    if let Some(signature) = signature {
        write_member(br#","thoughtSignature":"#, signature, out);
    }
    out.put_u8(b'}');
}

/// A signature that has no other part to stand on.
pub(super) fn write_lone(signature: &Signature<'_>, out: &mut BytesMut) {
    let body =
        if signature.is_own() && signature.encrypted { Body::Text("") } else { Body::Thought("") };
    write(&body, Some(&signature.written()), out);
}

fn write_member(name: &[u8], text: &str, out: &mut BytesMut) {
    out.put_slice(name);
    write_string(out, text);
}

fn write_call(call: &Call<'_>, out: &mut BytesMut) {
    write_member(br#"{"functionCall":{"id":"#, call.id, out);
    write_member(br#","name":"#, call.name, out);
    out.put_slice(br#","args":"#);
    let arguments = if call.custom {
        Object::Text("input", Cow::Borrowed(call.arguments))
    } else {
        Object::arguments(call.arguments)
    };
    match &arguments {
        Object::Raw(raw) => out.put_slice(compact(raw.get()).as_bytes()),
        wrapped => {
            let json = serde_json::to_string(wrapped).unwrap_or_else(|_| "{}".to_owned());
            out.put_slice(compact(&json).as_bytes());
        }
    }
    out.put_u8(b'}');
}

/// The MIME type of sound whose format has this name.
pub(super) fn sound_type(format: Option<&str>) -> Cow<'static, str> {
    match format.unwrap_or_default() {
        "" | "pcm" | "pcm16" => Cow::Borrowed(RAW_SOUND),
        mime if mime.starts_with("audio/") => Cow::Owned(mime.to_owned()),
        name => Cow::Owned(format!("audio/{name}")),
    }
}

/// The parts of a piece of sound: its bytes, and what is said.
pub(super) fn spoken<'r>(
    piece: &'r AudioPiece<'_>,
    format: Option<&str>,
) -> impl Iterator<Item = Body<'r>> {
    let data = piece.data.as_deref().filter(|data| !data.is_empty());
    let mime = sound_type(piece.format.as_deref().or(format));
    let bytes = data.map(|data| Body::Inline { mime, data });
    let words = piece.transcript.as_deref().filter(|text| !text.is_empty());
    bytes.into_iter().chain(words.map(Body::Text))
}
