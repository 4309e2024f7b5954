//! What whole and streamed answers for a client of this format have in common: identifiers, stop
//! reasons, token counts, sources, and the place of signatures.
//!
//! Used by the answer encoder and the stream encoder, so that a streamed answer, put together, is
//! the whole one.

use super::REASONING_FORMAT;
use crate::chat::message::ReasoningKind;
use crate::chat::{FinishReason, Usage};
use crate::formats::AnswerLabel;
use crate::formats::carried::Carried;
use crate::json::write_string;
use bytes::{BufMut, BytesMut};
use std::borrow::Cow;

/// Sources written in one answer; more are left out.
pub(super) const CITATIONS_MAX: usize = 4_096;

/// The answer's id: the provider's, or the gateway's in this format's style.
pub(super) fn message_id<'a>(upstream: Option<&'a str>, label: &AnswerLabel) -> Cow<'a, str> {
    match upstream.filter(|id| !id.is_empty()) {
        Some(id) => Cow::Borrowed(id),
        None => format!("msg_{}", label.id.trim_start_matches("gen-")).into(),
    }
}

/// What was written of an answer, as far as its stop reason depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// Calls of client tools.
    Calls,
    /// A refusal in the model's words.
    Refusal,
    /// Anything else, or nothing.
    Other,
}

/// The stop reason of an answer. This format's own words survive where they fit.
pub(super) fn stop_reason(finish: FinishReason, native: Option<&str>, said: Said) -> &'static str {
    match (finish, native, said) {
        (FinishReason::ContentFilter, ..) => "refusal",
        (FinishReason::Length, Some("model_context_window_exceeded"), _) => {
            "model_context_window_exceeded"
        }
        (FinishReason::Length, ..) => "max_tokens",
        (_, _, Said::Calls) => "tool_use",
        (_, _, Said::Refusal) => "refusal",
        (_, Some("stop_sequence"), _) => "stop_sequence",
        (_, Some("pause_turn"), _) => "pause_turn",
        _ => "end_turn",
    }
}

/// Writes the members of the stop: reason, text, and the provider's words on a refusal.
pub(super) fn write_stop(reason: &str, explanation: Option<&str>, out: &mut BytesMut) {
    out.put_slice(br#""stop_reason":""#);
    out.put_slice(reason.as_bytes());
    out.put_slice(br#"","stop_sequence":null"#);
    if let Some(explanation) = explanation {
        out.put_slice(br#","stop_details":{"type":"refusal","category":null,"explanation":"#);
        write_string(out, explanation);
        out.put_u8(b'}');
    }
}

/// Whether a count nobody stated is written as zero, because clients demand a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unstated {
    /// Both sides have to be there.
    Zero,
    /// Only the answer's side has to be there.
    InputLeftOut,
}

/// Writes token counts, which here lie beside each other instead of one in the other.
pub(super) fn write_usage(
    usage: &Usage,
    tier: Option<&str>,
    unstated: Unstated,
    out: &mut BytesMut,
) {
    out.put_u8(b'{');
    let written = (usage.cache_write_5m.is_some() || usage.cache_write_1h.is_some())
        .then(|| usage.cache_write());
    let beside = usage.cached.unwrap_or(0).saturating_add(written.unwrap_or(0));
    let input = usage.prompt.map(|prompt| prompt.saturating_sub(beside));
    let input = input.or((unstated == Unstated::Zero).then_some(0));
    let counts: [(&[u8], Option<u64>); 3] = [
        (br#""input_tokens":"#, input),
        (br#""cache_creation_input_tokens":"#, written),
        (br#""cache_read_input_tokens":"#, usage.cached),
    ];
    for (key, count) in counts {
        if let Some(count) = count {
            put_count(key, count, out);
            out.put_u8(b',');
        }
    }
    if let Some(hour) = usage.cache_write_1h {
        let five = usage.cache_write_5m.unwrap_or(0);
        put_count(br#""cache_creation":{"ephemeral_5m_input_tokens":"#, five, out);
        put_count(br#","ephemeral_1h_input_tokens":"#, hour, out);
        out.put_slice(b"},");
    }
    put_count(br#""output_tokens":"#, usage.completion.unwrap_or(0), out);
    if let Some(count) = usage.reasoning {
        put_count(br#","output_tokens_details":{"thinking_tokens":"#, count, out);
        out.put_u8(b'}');
    }
    if let Some(count) = usage.web_searches {
        put_count(br#","server_tool_use":{"web_search_requests":"#, count, out);
        // The SDK's type demands both counts.
        out.put_slice(br#","web_fetch_requests":0}"#);
    }
    if let Some(tier) = tier.and_then(tier_word) {
        out.put_slice(br#","service_tier":""#);
        out.put_slice(tier.as_bytes());
        out.put_u8(b'"');
    }
    out.put_u8(b'}');
}

fn put_count(key: &[u8], count: u64, out: &mut BytesMut) {
    out.put_slice(key);
    out.put_slice(itoa::Buffer::new().format(count).as_bytes());
}

/// The tier in this format's words; those it has no word for are left out.
fn tier_word(tier: &str) -> Option<&'static str> {
    let known = [
        ("standard", "standard"),
        ("default", "standard"),
        ("priority", "priority"),
        ("fast", "priority"),
        ("batch", "batch"),
    ];
    known.iter().find(|(name, _)| tier.eq_ignore_ascii_case(name)).map(|(_, word)| *word)
}

/// Writes a source of a text.
pub(super) fn write_citation(url: &str, title: &str, out: &mut BytesMut) {
    out.put_slice(br#"{"type":"web_search_result_location","url":"#);
    write_string(out, url);
    out.put_slice(br#","title":"#);
    if title.is_empty() {
        out.put_slice(b"null");
    } else {
        write_string(out, title);
    }
    out.put_slice(br#","cited_text":"","encrypted_index":""}"#);
}

/// Where a signature stands in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the thinking block whose text it signs.
    Thinking,
    /// In a block of its own, for the client to keep.
    Redacted,
    /// In a thinking block without text, before the call it belongs to.
    BeforeCall,
}

/// A signature on its way to the client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signature<'s> {
    /// The signature, or what is encrypted.
    pub(super) data: &'s str,
    /// Whether there is no readable text that it signs.
    pub(super) encrypted: bool,
    /// Its maker, if he is known.
    pub(super) format: &'s str,
    /// Call it belongs to, or the maker's id of the reasoning.
    pub(super) id: Option<&'s str>,
}

impl<'s> Signature<'s> {
    /// A signature of a piece of reasoning.
    pub(super) fn of(
        kind: ReasoningKind,
        data: &'s str,
        format: Option<&'s str>,
        id: Option<&'s str>,
    ) -> Self {
        let encrypted = kind == ReasoningKind::Encrypted;
        Self { data, encrypted, format: format.unwrap_or_default(), id }
    }

    /// Where it stands.
    pub(super) fn place(&self) -> Place {
        match self.encrypted {
            true if self.signs_call() => Place::BeforeCall,
            true => Place::Redacted,
            false => Place::Thinking,
        }
    }

    fn signs_call(&self) -> bool {
        self.format == super::CALL_SIGNATURE_FORMAT && self.id.is_some()
    }

    /// The text the client keeps: the maker's own where it is Claude, else packed with its maker.
    pub(super) fn text(&self) -> Cow<'s, str> {
        if self.format == REASONING_FORMAT {
            return Cow::Borrowed(self.data);
        }
        let carried = Carried {
            format: self.format.to_owned(),
            id: self.id.unwrap_or_default().to_owned(),
            encrypted: self.encrypted,
            data: self.data.to_owned(),
        };
        Cow::Owned(carried.pack())
    }
}
