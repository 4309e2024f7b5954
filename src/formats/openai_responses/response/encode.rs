//! Writes a whole answer in this format.
//!
//! Used by `formats::encode_response`. Each run of text becomes one message, each block of
//! reasoning one item; the format knows a single alternative, so that only the first is written.

use super::super::write::{self, Envelope, Ids, ReasoningParts, Signature, Status, TextPart};
use crate::chat::Response;
use crate::chat::event::AudioPiece;
use crate::chat::message::{Media, Part, Reasoning, ReasoningKind};
use crate::chat::response::{Choice, Citation};
use crate::chat::tool::ToolCall;
use crate::formats::{AnswerLabel, gemini};
use crate::json::find;
use bytes::{BufMut, Bytes, BytesMut};
use serde_json::value::RawValue;

/// Writes the answer under the gateway's label.
pub fn encode(response: &Response<'_>, label: &AnswerLabel) -> Bytes {
    let first = response.choices.iter().min_by_key(|choice| choice.index);
    let ids = Ids::new(label, response.id.as_deref());
    let mut writer = Writer {
        ids: &ids,
        excludes: label.exclude_reasoning,
        output: BytesMut::with_capacity(512),
        count: 0,
        chars: 0,
        citations: Vec::new(),
        logprobs: None,
    };
    if let Some(choice) = first {
        writer.choice(choice);
    }
    let broken = write::broken_off();
    let status = first.map_or(Some(Status::Completed), |choice| Status::of(choice.finish));
    let charge = label.charge_of(response);
    let mut out = BytesMut::new();
    let envelope = Envelope {
        id: &ids.answer,
        created_s: label.created_s,
        model: label.model.as_deref().or(response.model.as_deref()).unwrap_or_default(),
        status: status.unwrap_or(Status::Failed(&broken)),
        output: &writer.output,
        usage: Some(&response.usage),
        charge: charge.as_ref(),
        tier: response.service_tier.as_deref(),
    };
    write::envelope(&envelope, &mut out);
    out.freeze()
}

struct Writer<'w> {
    ids: &'w Ids,
    /// Whether reasoning text is withheld.
    excludes: bool,
    /// Items, with commas between them.
    output: BytesMut,
    count: u32,
    /// Characters of text so far.
    chars: u64,
    /// Sources not yet written.
    citations: Vec<&'w Citation<'w>>,
    logprobs: Option<&'w RawValue>,
}

impl<'w> Writer<'w> {
    fn choice(&mut self, choice: &'w Choice<'w>) {
        self.citations = choice.citations.iter().collect();
        self.logprobs = choice.logprobs.as_deref();
        let mut rest = choice.parts.as_slice();
        while let Some((first, after)) = rest.split_first() {
            let length = match first {
                Part::Reasoning(piece) => joined(piece, after) + 1,
                part if is_said(part) => rest.iter().take_while(|part| is_said(part)).count(),
                _ => 1,
            };
            let (run, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            match first {
                Part::Reasoning(_) => self.reasoning(run),
                Part::ToolCall(call) => self.call(call),
                Part::Image { source: Media::Base64 { mime, data }, .. } => {
                    let id = self.next_id("ig");
                    write::push(&mut self.output, |out| write::image(&id, mime, Some(data), out));
                }
                part if is_said(part) => self.message(run, !after.iter().any(is_said)),
                _ => {}
            }
            rest = after;
        }
    }

    fn next_id(&mut self, prefix: &str) -> String {
        let id = self.ids.item(prefix, self.count);
        self.count = self.count.saturating_add(1);
        id
    }

    /// Writes a run of text and refusals; `is_last` when no other follows.
    fn message(&mut self, run: &[Part<'_>], is_last: bool) {
        let mut parts = BytesMut::new();
        let mut text = String::new();
        for part in run {
            match part {
                Part::Refusal { text: refusal } => {
                    self.close_text(&mut text, false, &mut parts);
                    write::push(&mut parts, |out| {
                        write::plain_part("refusal", "refusal", refusal, out);
                    });
                }
                Part::Text { text: words, .. }
                | Part::SpokenAnswer(AudioPiece { transcript: Some(words), .. }) => {
                    text.push_str(words);
                }
                _ => {}
            }
        }
        self.close_text(&mut text, is_last, &mut parts);
        if parts.is_empty() {
            return;
        }
        let id = self.next_id("msg");
        write::push(&mut self.output, |out| write::message(&id, "completed", &parts, out));
    }

    /// Writes the text gathered so far with the sources of that stretch.
    fn close_text(&mut self, text: &mut String, is_last: bool, parts: &mut BytesMut) {
        if text.is_empty() {
            return;
        }
        let base = self.chars;
        let end = base.saturating_add(text.chars().count() as u64);
        let mut part = TextPart { text: std::mem::take(text), ..TextPart::default() };
        self.citations.retain(|citation| {
            let here = is_last || citation.start < end;
            if here {
                write::push(&mut part.annotations, |out| write::annotation(citation, base, out));
            }
            !here
        });
        if let Some(tokens) = self.logprobs.take().and_then(tokens) {
            part.logprobs.put_slice(tokens);
        }
        self.chars = end;
        write::push(parts, |out| write::text_part(&part, out));
    }

    /// Writes the pieces of one reasoning item.
    fn reasoning(&mut self, run: &[Part<'_>]) {
        let mut parts = ReasoningParts::default();
        for part in run {
            let Part::Reasoning(piece) = part else { continue };
            let text = piece.text.as_ref();
            if !text.is_empty() && !self.excludes {
                let (list, kind) = match piece.kind {
                    ReasoningKind::Summary => (&mut parts.summary, "summary_text"),
                    _ => (&mut parts.content, "reasoning_text"),
                };
                write::push(list, |out| write::plain_part(kind, "text", text, out));
            }
            parts.encrypted = signature(piece).map(|signature| signature.text().into_owned());
        }
        if parts.is_empty() {
            return;
        }
        let stated = run.iter().find_map(|part| match part {
            Part::Reasoning(piece) => piece.id.as_deref().filter(|id| id.starts_with("rs_")),
            _ => None,
        });
        let made = self.next_id("rs");
        let id = stated.unwrap_or(&made);
        write::push(&mut self.output, |out| write::reasoning(Some(id), &parts, out));
    }

    /// Writes a call, after the signature its maker wants back with it.
    fn call(&mut self, call: &ToolCall<'_>) {
        if let Some(data) = call.signature.as_deref() {
            let format = gemini::REASONING_FORMAT;
            let signature = Signature { data, encrypted: true, format, id: Some(&call.id) };
            let encrypted = Some(signature.text().into_owned());
            let parts = ReasoningParts { encrypted, ..ReasoningParts::default() };
            let id = self.next_id("rs");
            write::push(&mut self.output, |out| write::reasoning(Some(&id), &parts, out));
        }
        let id = self.next_id(write::call_prefix(call.custom));
        let text = if call.arguments.is_empty() && !call.custom { "{}" } else { &call.arguments };
        let item = write::Call {
            id: &id,
            answered_by: &call.id,
            name: &call.name,
            text,
            custom: call.custom,
        };
        write::push(&mut self.output, |out| write::call(&item, "completed", out));
    }
}

/// Whether a part belongs into a message.
fn is_said(part: &Part<'_>) -> bool {
    match part {
        Part::Text { .. } | Part::Refusal { .. } => true,
        Part::SpokenAnswer(piece) => piece.transcript.is_some(),
        _ => false,
    }
}

/// How many of the parts that follow belong into the same reasoning item: those of the same block,
/// up to its signature.
fn joined(first: &Reasoning<'_>, after: &[Part<'_>]) -> usize {
    let mut is_open = first.signature.is_none();
    let mut belongs = |part: &&Part<'_>| {
        let Part::Reasoning(piece) = part else { return false };
        let fits = is_open
            && (piece.id == first.id || piece.id.is_none() || first.id.is_none())
            && piece.format == first.format
            && (piece.kind != ReasoningKind::Encrypted
                || signature(piece).is_some_and(|s| s.is_own()));
        is_open &= piece.signature.is_none();
        fits
    };
    after.iter().take_while(|part| belongs(part)).count()
}

fn signature<'s>(piece: &'s Reasoning<'_>) -> Option<Signature<'s>> {
    Some(Signature {
        data: piece.signature.as_deref().filter(|data| !data.is_empty())?,
        encrypted: piece.kind == ReasoningKind::Encrypted,
        format: piece.format.as_deref().unwrap_or("unknown"),
        id: piece.id.as_deref(),
    })
}

/// The tokens of a `{"content":[…]}` without the brackets.
fn tokens(logprobs: &RawValue) -> Option<&[u8]> {
    let json = logprobs.get().as_bytes();
    let list = json.get(find(json, "content")?)?;
    list.strip_prefix(b"[")?.strip_suffix(b"]")
}
