//! Writes neutral events as a stream of the legacy format.
//!
//! Used by the translator. A piece of text becomes a chunk behind a head that is rendered once and
//! costs no allocation. Finish and usage are remembered and written by `finish`, because providers
//! repeat both. Log probabilities follow the text they belong to in a chunk without text.

use super::{finish_word, logprobs, response};
use crate::chat::event::Event;
use crate::chat::{FinishReason, Usage};
use crate::error::GatewayError;
use crate::formats::charge::Charge;
use crate::formats::openai_chat::error::{write_failure, write_optional};
use crate::formats::openai_chat::usage;
use crate::formats::{AnswerLabel, Framing, StreamEncoder};
use crate::json::write_string;
use crate::sse::DONE;
use bytes::{BufMut, BytesMut};
use serde_json::value::RawValue;

/// Most alternatives of one answer that are relayed.
const MAX_CHOICES: usize = 128;
/// Room that an ordinary chunk needs behind its head.
const CHUNK_ROOM_BYTES: usize = 160;
/// What ends a chunk that does not finish an alternative.
const OPEN_END: &[u8] = b",\"finish_reason\":null}]}\n\n";

/// Writes one stream.
#[derive(Debug)]
pub struct Encoder {
    label: AnswerLabel,
    /// `data: {"id":…,…,"provider":…`, rendered when the model is known.
    head: Vec<u8>,
    choices: Vec<Choice>,
    usage: Usage,
    charge: Option<Charge>,
    ended: bool,
}

/// What was written of one alternative.
#[derive(Debug, Default)]
struct Choice {
    index: u32,
    /// Characters of the tokens whose log probabilities were written.
    offset: u64,
    finish: Option<(FinishReason, Option<String>)>,
}

impl Encoder {
    /// An encoder for one answer; this format is always streamed as server-sent events.
    pub fn new(label: AnswerLabel, _framing: Framing) -> Self {
        Self {
            label,
            head: Vec::new(),
            choices: Vec::with_capacity(1),
            usage: Usage::default(),
            charge: None,
            ended: false,
        }
    }

    /// Renders the part that all chunks begin with; the first call decides the model.
    fn render_head(&mut self, upstream_model: Option<&str>) {
        if !self.head.is_empty() {
            return;
        }
        let mut head = BytesMut::with_capacity(256);
        head.put_slice(b"data: {");
        response::write_label(&self.label, upstream_model, &mut head);
        self.head = head.to_vec();
    }

    /// State of an alternative; `None` beyond the limit.
    fn choice(&mut self, index: u32) -> Option<&mut Choice> {
        match self.choices.iter().position(|choice| choice.index == index) {
            Some(at) => self.choices.get_mut(at),
            None if self.choices.len() < MAX_CHOICES => {
                self.choices.push(Choice { index, ..Choice::default() });
                self.choices.last_mut()
            }
            None => None,
        }
    }

    fn text(&mut self, index: u32, text: &str, out: &mut BytesMut) {
        if text.is_empty() || self.choice(index).is_none() {
            return;
        }
        self.render_head(None);
        out.reserve(self.head.len() + text.len() + CHUNK_ROOM_BYTES);
        self.open(index, text, out);
        out.put_slice(b"null");
        out.put_slice(OPEN_END);
    }

    fn logprobs(&mut self, index: u32, by_token: &RawValue, out: &mut BytesMut) {
        self.render_head(None);
        let Some(choice) = self.choice(index) else { return };
        let mut offset = choice.offset;
        self.open(index, "", out);
        logprobs::write(by_token, &mut offset, out);
        out.put_slice(OPEN_END);
        if let Some(choice) = self.choice(index) {
            choice.offset = offset;
        }
    }

    /// Writes a chunk up to the value of `logprobs`.
    fn open(&self, index: u32, text: &str, out: &mut BytesMut) {
        out.put_slice(&self.head);
        out.put_slice(br#","choices":[{"text":"#);
        write_string(out, text);
        out.put_slice(br#","index":"#);
        out.put_slice(itoa::Buffer::new().format(index).as_bytes());
        out.put_slice(br#","logprobs":"#);
    }

    fn finish_choices(&self, out: &mut BytesMut) {
        for choice in &self.choices {
            let (reason, native) = match &choice.finish {
                Some((reason, native)) => (*reason, native.as_deref()),
                None => (FinishReason::Stop, None),
            };
            self.open(choice.index, "", out);
            out.put_slice(br#"null,"finish_reason":""#);
            out.put_slice(finish_word(reason).as_bytes());
            out.put_slice(br#"","native_finish_reason":"#);
            write_optional(out, native);
            out.put_slice(b"}]}\n\n");
        }
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &Event<'_>, out: &mut BytesMut) {
        match event {
            Event::Start { model, .. } => self.render_head(model.as_deref()),
            Event::Text { choice, text } | Event::Refusal { choice, text } => {
                self.text(*choice, text, out);
            }
            Event::Logprobs { choice, json } => self.logprobs(*choice, json, out),
            Event::Finish { choice, reason, native } => {
                if let Some(choice) = self.choice(*choice) {
                    choice.finish = Some((*reason, native.as_deref().map(str::to_owned)));
                }
            }
            Event::Usage(later) => self.usage.merge(later),
            Event::Reasoning { .. }
            | Event::ReasoningSignature { .. }
            | Event::ToolCallStart { .. }
            | Event::ToolCallArguments { .. }
            | Event::ToolCallEnd { .. }
            | Event::Image { .. }
            | Event::Audio { .. }
            | Event::Citations { .. }
            | Event::ServiceTier(_)
            | Event::Ping
            | Event::Error(_)
            | Event::End => {}
        }
    }

    fn charge(&mut self, charge: Charge) {
        self.charge = Some(charge);
    }

    fn finish(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.render_head(None);
        if self.choices.is_empty() {
            self.choices.push(Choice::default());
        }
        self.finish_choices(out);
        if self.label.include_usage {
            out.put_slice(&self.head);
            out.put_slice(br#","choices":[],"usage":"#);
            usage::write(&self.usage, self.charge.as_ref(), out);
            out.put_slice(b"}\n\n");
        }
        out.put_slice(DONE);
    }

    fn fail(&mut self, error: &GatewayError, _request_id: &str, out: &mut BytesMut) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.render_head(None);
        out.put_slice(&self.head);
        out.put_slice(b",");
        write_failure(error, &self.label.provider, out);
        out.put_slice(br#","choices":[{"text":"","index":0,"logprobs":null,"#);
        out.put_slice(b"\"finish_reason\":\"error\"}]}\n\n");
        out.put_slice(DONE);
    }
}

#[cfg(test)]
mod tests;
