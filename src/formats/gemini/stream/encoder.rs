//! Writes neutral events as Gemini's stream, as server-sent events or as one JSON array.
//!
//! Text goes straight into the output buffer. A call is held back until it is complete, because
//! Gemini sends arguments whole; finish reasons, sources and usage until the last event, where
//! Gemini's clients look for them. What is held is bounded. Whatever events come in whatever
//! order, the stream is well-formed.

mod held;

use super::super::array::Place;
use super::super::parts::{self, Body, spoken};
use super::super::response::encode::{write_block, write_names};
use super::super::signature::Signature;
use super::super::{error, finish, grounding, logprobs, usage};
use crate::chat::event::AudioPiece;
use crate::chat::{Event, FinishReason, Usage};
use crate::error::GatewayError;
use crate::formats::{AnswerLabel, Framing, StreamEncoder};
use crate::json::write_string;
use bytes::{BufMut, BytesMut};
use held::{Choice, MAX_HELD_BYTES};

/// Most alternatives of one answer that are relayed.
const MAX_CHOICES: usize = 128;
/// Room that an ordinary event needs besides its text.
const EVENT_ROOM_BYTES: usize = 256;

/// Writes one stream.
#[derive(Debug)]
pub struct Encoder {
    label: AnswerLabel,
    framing: Framing,
    /// `,"modelVersion":…,"responseId":…}`: what every event ends with, rendered once.
    names: Vec<u8>,
    choices: Vec<Choice>,
    /// How many more bytes may be held back.
    room: usize,
    usage: Usage,
    tier: Option<String>,
    /// How much of an array was written.
    place: Place,
    ended: bool,
}

impl Encoder {
    /// An encoder for one answer.
    pub fn new(label: AnswerLabel, framing: Framing) -> Self {
        Self {
            label,
            framing,
            names: Vec::new(),
            choices: Vec::with_capacity(1),
            room: MAX_HELD_BYTES,
            usage: Usage::default(),
            tier: None,
            place: Place::Outside,
            ended: false,
        }
    }

    /// Renders what all events end with; the first call decides.
    fn render_names(&mut self, model: Option<&str>, id: Option<&str>) {
        if !self.names.is_empty() {
            return;
        }
        let mut names = BytesMut::with_capacity(128);
        write_names(self.label.model.as_deref().or(model), (id, &self.label.id), &mut names);
        names.put_u8(b'}');
        self.names = names.to_vec();
    }

    /// State of an alternative; `None` beyond the limit.
    fn choice(&mut self, index: u32) -> Option<&mut Choice> {
        choice_of(&mut self.choices, index)
    }

    fn begin_event(&mut self, out: &mut BytesMut) {
        self.render_names(None, None);
        out.reserve(EVENT_ROOM_BYTES);
        if self.framing == Framing::JsonArray {
            out.put_slice(if self.place == Place::Outside { b"[" } else { b",\r\n" });
            self.place = Place::AfterElement;
        } else {
            out.put_slice(b"data: ");
        }
    }

    fn end_event(&self, out: &mut BytesMut) {
        out.put_slice(&self.names);
        if self.framing != Framing::JsonArray {
            out.put_slice(b"\r\n\r\n");
        }
    }

    /// Writes an event with one part, and the signatures that waited for one.
    fn part(&mut self, index: u32, body: &Body<'_>, own: Option<&str>, out: &mut BytesMut) {
        let Some(choice) = self.choice(index) else { return };
        choice.begun = true;
        let refusal = std::mem::take(&mut choice.refusal);
        if !refusal.is_empty() {
            choice.text.push(&refusal);
            self.part(index, &Body::Text(&refusal), None, out);
        }
        let Some(choice) = self.choice(index) else { return };
        let mut waiting = std::mem::take(&mut choice.waiting);
        let carried = if own.is_none() { waiting.pop() } else { None };
        let carried = carried.as_ref().map(Signature::written);
        self.begin_event(out);
        out.put_slice(br#"{"candidates":[{"content":{"parts":["#);
        for signature in &waiting {
            parts::write_lone(signature, out);
            out.put_u8(b',');
        }
        parts::write(body, own.or(carried.as_deref()), out);
        end_candidate(index, out);
        out.put_slice(b"}]");
        self.end_event(out);
    }

    fn text(&mut self, index: u32, text: &str, out: &mut BytesMut) {
        if text.is_empty() {
            return;
        }
        self.part(index, &Body::Text(text), None, out);
        if let Some(choice) = self.choice(index) {
            choice.text.push(text);
        }
    }

    /// A refusal that is all there is becomes a blocked prompt, so that its beginning waits.
    fn refusal(&mut self, index: u32, text: &str, out: &mut BytesMut) {
        let Some(choice) = self.choice(index) else { return };
        if !choice.hold_refusal(text) {
            self.text(index, text, out);
        }
    }

    fn thought(&mut self, index: u32, text: &str, out: &mut BytesMut) {
        if !text.is_empty() && !self.label.exclude_reasoning {
            self.part(index, &Body::Thought(text), None, out);
        }
    }

    fn signature(&mut self, index: u32, signature: Signature<'static>, out: &mut BytesMut) {
        let Some(choice) = choice_of(&mut self.choices, index) else { return };
        if let Some(lone) = choice.hold_signature(signature, &mut self.room) {
            self.lone(index, &lone, out);
        }
    }

    /// Writes an event with nothing but a signature.
    fn lone(&mut self, index: u32, signature: &Signature<'_>, out: &mut BytesMut) {
        if let Some(choice) = self.choice(index) {
            choice.begun = true;
        }
        self.begin_event(out);
        out.put_slice(br#"{"candidates":[{"content":{"parts":["#);
        parts::write_lone(signature, out);
        end_candidate(index, out);
        out.put_slice(b"}]");
        self.end_event(out);
    }

    fn call_end(&mut self, index: u32, call: u32, out: &mut BytesMut) {
        let Some(choice) = self.choice(index) else { return };
        let Some(held) = choice.take_call(call) else { return };
        let own = choice.signature_of(&held.id);
        self.room += held.room();
        self.part(index, &Body::Call(held.as_call()), own.as_deref(), out);
    }

    fn audio(&mut self, index: u32, piece: &AudioPiece<'_>, out: &mut BytesMut) {
        let Some(choice) = self.choice(index) else { return };
        if let Some(format) = &piece.format {
            choice.sound = Some(format.clone().into_owned());
        }
        let format = choice.sound.clone();
        for body in spoken(piece, format.as_deref()) {
            let said = match body {
                Body::Text(text) => Some(text),
                _ => None,
            };
            match said {
                Some(text) => self.text(index, text, out),
                None => self.part(index, &body, None, out),
            }
        }
    }

    fn logprobs(&mut self, index: u32, raw: &serde_json::value::RawValue, out: &mut BytesMut) {
        if self.choice(index).is_none() {
            return;
        }
        self.begin_event(out);
        out.put_slice(br#"{"candidates":[{"content":{"parts":["#);
        parts::write(&Body::Text(""), None, out);
        end_candidate(index, out);
        logprobs::write(raw, out);
        out.put_slice(b"}]");
        self.end_event(out);
    }

    /// Writes the calls whose end nobody told.
    fn close_calls(&mut self, out: &mut BytesMut) {
        let open = |choice: &Choice| choice.open_calls().map(|call| (choice.index, call)).collect();
        let open: Vec<(u32, u32)> =
            self.choices.iter().flat_map(open as fn(&_) -> Vec<_>).collect();
        for (index, call) in open {
            self.call_end(index, call, out);
        }
    }

    /// The words of an answer that only refused.
    fn take_block(&mut self) -> Option<(String, Option<String>)> {
        let [choice] = self.choices.as_mut_slice() else { return None };
        let Some((FinishReason::ContentFilter, native)) = &choice.finish else { return None };
        let refused = !choice.begun && !choice.refusal.is_empty();
        refused.then(|| (std::mem::take(&mut choice.refusal), native.clone()))
    }

    /// Writes the last event: how every alternative ended, the sources, the usage.
    fn last_event(&mut self, out: &mut BytesMut) {
        if let Some((message, native)) = self.take_block() {
            self.begin_event(out);
            write_block(&message, native.as_deref(), out);
        } else {
            let refused: Vec<u32> = self.choices.iter().map(|choice| choice.index).collect();
            for index in refused {
                let held = self.choice(index).map(|choice| std::mem::take(&mut choice.refusal));
                self.text(index, &held.unwrap_or_default(), out);
            }
            if self.choices.is_empty() {
                self.choices.push(Choice::new(0));
            }
            self.begin_event(out);
            let mut separator: &[u8] = br#"{"candidates":["#;
            for choice in &mut self.choices {
                out.put_slice(separator);
                write_end(choice, out);
                separator = b",";
            }
            out.put_u8(b']');
        }
        usage::write(&self.usage, self.tier.as_deref(), out);
        self.end_event(out);
    }
}

fn choice_of(choices: &mut Vec<Choice>, index: u32) -> Option<&mut Choice> {
    match choices.iter().position(|choice| choice.index == index) {
        Some(at) => choices.get_mut(at),
        None if choices.len() < MAX_CHOICES => {
            choices.push(Choice::new(index));
            choices.last_mut()
        }
        None => None,
    }
}

/// Ends the content of a candidate, which stays open for more members.
fn end_candidate(index: u32, out: &mut BytesMut) {
    out.put_slice(br#"],"role":"model"},"index":"#);
    out.put_slice(itoa::Buffer::new().format(index).as_bytes());
}

/// The candidate that ends an alternative.
fn write_end(choice: &mut Choice, out: &mut BytesMut) {
    out.put_slice(br#"{"content":{"parts":["#);
    let left = choice.signatures_left();
    if left.is_empty() {
        parts::write(&Body::Text(""), None, out);
    }
    for (at, signature) in left.iter().enumerate() {
        if at > 0 {
            out.put_u8(b',');
        }
        parts::write_lone(signature, out);
    }
    end_candidate(choice.index, out);
    out.put_slice(br#","finishReason":"#);
    let (reason, native) = match &choice.finish {
        Some((reason, native)) => (*reason, native.as_deref()),
        None => (FinishReason::Stop, None),
    };
    write_string(out, finish::written(reason, native));
    if !choice.citations.is_empty() {
        grounding::write(&choice.citations, &choice.text, out);
    }
    out.put_u8(b'}');
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &Event<'_>, out: &mut BytesMut) {
        if self.ended {
            return;
        }
        match event {
            Event::Start { id, model } => self.render_names(model.as_deref(), id.as_deref()),
            Event::Text { choice, text } => self.text(*choice, text, out),
            Event::Refusal { choice, text } => self.refusal(*choice, text, out),
            Event::Reasoning { choice, text, .. } => self.thought(*choice, text, out),
            Event::ReasoningSignature { choice, data, encrypted, format, id, block: _ } => {
                let signature = Signature {
                    data: data.clone().into_owned().into(),
                    format: (*format).into(),
                    id: id.as_ref().map(|id| id.clone().into_owned().into()),
                    encrypted: *encrypted,
                };
                self.signature(*choice, signature, out);
            }
            Event::ToolCallStart { choice, call, id, name, custom } => {
                self.call_end(*choice, *call, out);
                if let Some(choice) = self.choice(*choice) {
                    choice.begin_call(*call, id, name, *custom);
                }
            }
            Event::ToolCallArguments { choice, call, json } => {
                if let Some(choice) = choice_of(&mut self.choices, *choice) {
                    choice.grow_call(*call, json, &mut self.room);
                }
            }
            Event::ToolCallEnd { choice, call } => self.call_end(*choice, *call, out),
            Event::Image { choice, mime, data } => {
                let mime = mime.as_ref().into();
                self.part(*choice, &Body::Inline { mime, data }, None, out);
            }
            Event::Audio { choice, audio } => self.audio(*choice, audio, out),
            Event::Logprobs { choice, json } => self.logprobs(*choice, json, out),
            Event::Citations { choice, citations } => {
                if let Some(choice) = choice_of(&mut self.choices, *choice) {
                    choice.hold_citations(citations, &mut self.room);
                }
            }
            Event::Finish { choice, reason, native } => {
                if let Some(choice) = self.choice(*choice) {
                    // Some providers repeat it; the first word counts.
                    let native = native.as_deref();
                    choice.finish.get_or_insert_with(|| (*reason, native.map(str::to_owned)));
                }
            }
            Event::ServiceTier(tier) => self.tier = Some(tier.clone().into_owned()),
            Event::Usage(later) => self.usage.merge(later),
            Event::Ping | Event::Error(_) | Event::End => {}
        }
    }

    fn finish(&mut self, out: &mut BytesMut) {
        if self.ended {
            return;
        }
        self.close_calls(out);
        self.last_event(out);
        self.ended = true;
        if self.framing == Framing::JsonArray {
            out.put_slice(b"\r\n]\r\n");
        }
    }

    fn fail(&mut self, error: &GatewayError, request_id: &str, out: &mut BytesMut) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        if self.framing == Framing::JsonArray {
            error::append_array(error, request_id, self.place, out);
        } else {
            error::append_sse(error, request_id, out);
        }
    }
}

#[cfg(test)]
mod tests;
