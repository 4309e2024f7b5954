//! Whole answers in OpenAI's format: written for clients, read from providers.
//!
//! Members that say nothing (reasoning, images, annotations, refusal, tool calls) are left out;
//! `content` is null when the model only called tools or refused.

mod decode;

use super::error::write_optional;
use super::{stream, usage};
use crate::chat::event::AudioPiece;
use crate::chat::message::{Media, Reasoning, ReasoningKind};
use crate::chat::response::{Choice, Citation};
use crate::chat::tool::ToolCall;
use crate::chat::{FinishReason, Part, Response};
use crate::formats::AnswerLabel;
use crate::json::write_string;
use bytes::{BufMut, Bytes, BytesMut};
pub use decode::decode;
pub(super) use decode::{annotations, audio, finish_reason, logprobs, sources};
use std::borrow::Cow;

/// Writes a whole answer.
pub fn encode(response: &Response<'_>, label: &AnswerLabel) -> Bytes {
    let mut out = BytesMut::with_capacity(1_024);
    out.put_slice(br#"{"id":"#);
    write_string(&mut out, &label.id);
    out.put_slice(br#","object":"chat.completion","created":"#);
    out.put_slice(itoa::Buffer::new().format(label.created_s).as_bytes());
    out.put_slice(br#","model":"#);
    write_string(
        &mut out,
        label.model.as_deref().or(response.model.as_deref()).unwrap_or_default(),
    );
    out.put_slice(br#","provider":"#);
    write_string(&mut out, &label.provider);
    out.put_slice(br#","system_fingerprint":null"#);
    if let Some(tier) = &response.service_tier {
        out.put_slice(br#","service_tier":"#);
        write_string(&mut out, tier_word(tier));
    }
    out.put_slice(br#","choices":["#);
    for (at, choice) in response.choices.iter().enumerate() {
        if at > 0 {
            out.put_slice(b",");
        }
        write_choice(choice, label, &mut out);
    }
    out.put_slice(br#"],"usage":"#);
    usage::write(&response.usage, label.charge_of(response).as_ref(), &mut out);
    out.put_slice(b"}");
    out.freeze()
}

fn write_choice(choice: &Choice<'_>, label: &AnswerLabel, out: &mut BytesMut) {
    out.put_slice(br#"{"index":"#);
    out.put_slice(itoa::Buffer::new().format(choice.index).as_bytes());
    let called = choice.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    out.put_slice(br#","finish_reason":""#);
    out.put_slice(finish_word(choice.finish, called).as_bytes());
    out.put_slice(br#"","native_finish_reason":"#);
    write_optional(out, choice.native_finish.as_deref());
    if let Some(logprobs) = &choice.logprobs {
        out.put_slice(br#","logprobs":"#);
        out.put_slice(logprobs.get().as_bytes());
    }
    out.put_slice(br#","message":{"role":"assistant","content":"#);
    write_message(choice, label, out);
    out.put_slice(b"}}");
}

/// The tier in OpenAI's words, of which its clients know no others: what another maker calls
/// otherwise is the usual one.
pub(in crate::formats) fn tier_word(tier: &str) -> &'static str {
    let known = ["auto", "default", "flex", "scale", "priority", "fast"];
    known.into_iter().find(|word| *word == tier).unwrap_or("default")
}

/// Providers often say `stop` although the model waits for tool results.
pub(super) fn finish_word(reason: FinishReason, called: bool) -> &'static str {
    match reason {
        FinishReason::Stop if called => FinishReason::ToolCalls.as_str(),
        other => other.as_str(),
    }
}

/// The parts of an answer, sorted into the members of OpenAI's message.
#[derive(Default)]
struct Sorted<'r, 'a> {
    content: Option<Cow<'r, str>>,
    refusal: Option<Cow<'r, str>>,
    reasoning: Vec<&'r Reasoning<'a>>,
    calls: Vec<&'r ToolCall<'a>>,
    images: Vec<&'r Media<'a>>,
    audio: Vec<&'r AudioPiece<'a>>,
}

impl<'r, 'a> Sorted<'r, 'a> {
    fn of(parts: &'r [Part<'a>]) -> Self {
        let mut sorted = Self::default();
        for part in parts {
            match part {
                Part::Text { text, .. } => join(&mut sorted.content, text),
                Part::Refusal { text } => join(&mut sorted.refusal, text),
                Part::Reasoning(piece) => sorted.reasoning.push(piece),
                Part::ToolCall(call) => sorted.calls.push(call),
                Part::Image { source, .. } => sorted.images.push(source),
                Part::SpokenAnswer(piece) => sorted.audio.push(piece),
                Part::File { .. }
                | Part::Audio { .. }
                | Part::Video { .. }
                | Part::ToolResult { .. } => {}
            }
        }
        sorted
    }
}

/// Adds text without a separator, without copying the first piece.
fn join<'r>(slot: &mut Option<Cow<'r, str>>, text: &'r str) {
    match slot {
        None => *slot = Some(Cow::Borrowed(text)),
        Some(joined) => joined.to_mut().push_str(text),
    }
}

fn write_message(choice: &Choice<'_>, label: &AnswerLabel, out: &mut BytesMut) {
    let sorted = Sorted::of(&choice.parts);
    match &sorted.content {
        Some(text) if !text.is_empty() => write_string(out, text),
        _ if sorted.calls.is_empty() && sorted.refusal.is_none() && sorted.audio.is_empty() => {
            out.put_slice(br#""""#);
        }
        _ => out.put_slice(b"null"),
    }
    if let Some(refusal) = &sorted.refusal {
        out.put_slice(br#","refusal":"#);
        write_string(out, refusal);
    }
    write_reasoning(&sorted, label, out);
    write_list(out, br#","tool_calls":"#, &sorted.calls, |call, out| write_call(call, out));
    write_list(out, br#","images":"#, &sorted.images, |source, out| write_image(source, out));
    write_sound(&sorted.audio, label, out);
    write_list(out, br#","annotations":"#, &choice.citations, |citation, out| {
        out.put_slice(b"{");
        write_citation(citation, out);
    });
}

fn write_reasoning(sorted: &Sorted<'_, '_>, label: &AnswerLabel, out: &mut BytesMut) {
    let mut words = None;
    let shown = sorted.reasoning.iter().filter(|_| !label.exclude_reasoning);
    for piece in shown.filter(|piece| !piece.text.is_empty()) {
        join(&mut words, &piece.text);
    }
    if let Some(words) = words {
        // Two spellings, because clients know one or the other.
        for member in [br#","reasoning":"#.as_slice(), br#","reasoning_content":"#] {
            out.put_slice(member);
            write_string(out, &words);
        }
    }
    // What is withheld is the text; signatures are needed to go on.
    let kept = |piece: &&&Reasoning<'_>| !label.exclude_reasoning || piece.signature.is_some();
    let quiet = label.exclude_reasoning;
    let mut details: Vec<Detail<'_, '_>> = sorted
        .reasoning
        .iter()
        .filter(kept)
        .map(|piece| Detail::Reasoning { piece, quiet })
        .collect();
    details.extend(sorted.calls.iter().filter_map(|call| {
        Some(Detail::CallSignature { call, signature: call.signature.as_deref()? })
    }));
    let mut index = 0_u32;
    write_list(out, br#","reasoning_details":"#, &details, |detail, out| {
        write_detail(detail, index, out);
        index = index.saturating_add(1);
    });
}

/// An element of `reasoning_details`.
enum Detail<'r, 'a> {
    Reasoning {
        piece: &'r Reasoning<'a>,
        /// Whether its text is withheld.
        quiet: bool,
    },
    /// Gemini's signature of a tool call; not reasoning to be read, but needed to go on.
    CallSignature { call: &'r ToolCall<'a>, signature: &'r str },
}

fn write_detail(detail: &Detail<'_, '_>, index: u32, out: &mut BytesMut) {
    let (id, format) = match detail {
        Detail::CallSignature { call, signature } => {
            out.put_slice(br#"{"type":"reasoning.encrypted","data":"#);
            write_string(out, signature);
            (Some(call.id.as_ref()), stream::CALL_SIGNATURE_FORMAT)
        }
        Detail::Reasoning { piece, quiet } => {
            write_piece(piece, if *quiet { "" } else { &piece.text }, out);
            (piece.id.as_deref(), piece.format.as_deref().unwrap_or("unknown"))
        }
    };
    out.put_slice(br#","id":"#);
    write_optional(out, id);
    out.put_slice(br#","format":"#);
    write_string(out, format);
    out.put_slice(br#","index":"#);
    out.put_slice(itoa::Buffer::new().format(index).as_bytes());
    out.put_slice(b"}");
}

/// The opening of an element of `reasoning_details`, up to its text or data.
fn write_piece(piece: &Reasoning<'_>, text: &str, out: &mut BytesMut) {
    let mut put = |name: &[u8], value: &str| {
        out.put_slice(name);
        write_string(out, value);
    };
    let signature = piece.signature.as_deref();
    match (piece.kind, signature) {
        (ReasoningKind::Text, Some(signature)) if text.is_empty() => {
            put(br#"{"type":"reasoning.text","signature":"#, signature);
        }
        (ReasoningKind::Text, signature) => {
            put(br#"{"type":"reasoning.text","text":"#, text);
            if let Some(signature) = signature {
                put(br#","signature":"#, signature);
            }
        }
        (ReasoningKind::Summary, _) => put(br#"{"type":"reasoning.summary","summary":"#, text),
        (ReasoningKind::Encrypted, signature) => {
            put(br#"{"type":"reasoning.encrypted","data":"#, signature.unwrap_or_default());
        }
    }
}

/// `audio` of the message. OpenAI's clients count on all four members.
fn write_sound(pieces: &[&AudioPiece<'_>], label: &AnswerLabel, out: &mut BytesMut) {
    if pieces.is_empty() {
        return;
    }
    let stated = |pick: for<'p> fn(&'p AudioPiece<'_>) -> Option<&'p str>| {
        pieces.iter().find_map(|piece| pick(piece)).unwrap_or_default()
    };
    out.put_slice(br#","audio":{"id":"#);
    match stated(|piece| piece.id.as_deref()) {
        "" => write_string(out, &format!("audio_{}", label.id)),
        id => write_string(out, id),
    }
    out.put_slice(br#","data":"#);
    write_string(out, stated(|piece| piece.data.as_deref()));
    out.put_slice(br#","transcript":"#);
    write_string(out, stated(|piece| piece.transcript.as_deref()));
    out.put_slice(br#","expires_at":"#);
    let expires = pieces.iter().find_map(|piece| piece.expires_at_s).unwrap_or(label.created_s);
    out.put_slice(itoa::Buffer::new().format(expires).as_bytes());
    out.put_slice(b"}");
}

/// Appends `name` and an array, or nothing when there are no elements.
pub(super) fn write_list<T>(
    out: &mut BytesMut,
    name: &[u8],
    items: &[T],
    mut write: impl FnMut(&T, &mut BytesMut),
) {
    if items.is_empty() {
        return;
    }
    out.put_slice(name);
    let mut separator: &[u8] = b"[";
    for item in items {
        out.put_slice(separator);
        write(item, out);
        separator = b",";
    }
    out.put_slice(b"]");
}

fn write_call(call: &ToolCall<'_>, out: &mut BytesMut) {
    out.put_slice(br#"{"id":"#);
    write_string(out, &call.id);
    if call.custom {
        out.put_slice(br#","type":"custom","custom":{"name":"#);
        write_string(out, &call.name);
        out.put_slice(br#","input":"#);
        write_string(out, &call.arguments);
        out.put_slice(b"}}");
        return;
    }
    out.put_slice(br#","type":"function","function":{"name":"#);
    write_string(out, &call.name);
    out.put_slice(br#","arguments":"#);
    write_string(out, if call.arguments.is_empty() { "{}" } else { &call.arguments });
    out.put_slice(b"}}");
}

fn write_image(source: &Media<'_>, out: &mut BytesMut) {
    out.put_slice(br#"{"type":"image_url","image_url":{"url":"#);
    match source {
        Media::Base64 { mime, data } => write_data_uri(mime, data, out),
        Media::Url(url) => write_string(out, url),
        Media::FileId(id) => write_string(out, id),
    }
    out.put_slice(b"}}");
}

/// Appends a `data:` URI as a JSON string. Base64 text needs no escaping, but what a provider
/// calls base64 is not trusted to be it.
pub(super) fn write_data_uri(mime: &str, data: &str, out: &mut BytesMut) {
    let plain = |text: &str| text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
    if plain(mime) && plain(data) {
        for piece in ["\"data:", mime, ";base64,", data, "\""] {
            out.put_slice(piece.as_bytes());
        }
        return;
    }
    write_string(out, &format!("data:{mime};base64,{data}"));
}

/// Appends a source, all but the opening brace.
pub(super) fn write_citation(citation: &Citation<'_>, out: &mut BytesMut) {
    out.put_slice(br#""type":"url_citation","url_citation":{"url":"#);
    write_string(out, &citation.url);
    out.put_slice(br#","title":"#);
    write_string(out, &citation.title);
    out.put_slice(br#","start_index":"#);
    let mut number = itoa::Buffer::new();
    out.put_slice(number.format(citation.start).as_bytes());
    out.put_slice(br#","end_index":"#);
    out.put_slice(number.format(citation.end).as_bytes());
    out.put_slice(b"}}");
}

#[cfg(test)]
mod tests;
