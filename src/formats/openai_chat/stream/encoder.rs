//! Writes neutral events as OpenAI chunks.
//!
//! Used by the translator for every upstream of another format. Chunks go straight into the
//! output buffer behind a head that is rendered once, so that a piece of text costs no allocation.
//! Finish and usage are only remembered while events arrive and written by `finish`, because
//! providers repeat both, and usage has to be the last chunk before `[DONE]`.

use super::super::error::{write_failure, write_optional};
use super::super::response::{finish_word, tier_word, write_citation, write_data_uri, write_list};
use super::super::usage;
use crate::chat::event::{AudioPiece, Event};
use crate::chat::message::ReasoningKind;
use crate::chat::response::Citation;
use crate::chat::{FinishReason, Usage};
use crate::error::GatewayError;
use crate::formats::charge::Charge;
use crate::formats::{AnswerLabel, StreamEncoder};
use crate::json::write_string;
use bytes::{BufMut, BytesMut};

/// Most alternatives of one answer that are relayed.
const MAX_CHOICES: usize = 128;
/// Most tool calls of one alternative whose state is kept.
const MAX_CALLS: u32 = 1_024;
/// Room that an ordinary chunk needs behind its head.
const CHUNK_ROOM_BYTES: usize = 192;
/// What ends a chunk that does not finish an alternative.
const OPEN_END: &[u8] = b"},\"finish_reason\":null,\"native_finish_reason\":null}]}\n\n";
/// The end of every stream.
const DONE: &[u8] = b"data: [DONE]\n\n";

/// Writes one stream.
#[derive(Debug)]
pub struct Encoder {
    label: AnswerLabel,
    /// `data: {"id":…,…,"provider":…,`, rendered when the model is known.
    head: Vec<u8>,
    choices: Vec<Choice>,
    usage: Usage,
    charge: Option<Charge>,
    tier: Option<String>,
    ended: bool,
}

/// What was written of one alternative.
#[derive(Debug, Default)]
struct Choice {
    index: u32,
    role_sent: bool,
    calls: Vec<Call>,
    /// Pictures and sources written: clients put the pieces of a list together by their index.
    images: u32,
    annotations: u32,
    finish: Option<(FinishReason, Option<String>)>,
}

/// A call that began.
#[derive(Debug, Clone, Copy)]
struct Call {
    index: u32,
    /// Free-form: its input is no JSON.
    custom: bool,
    /// Whether any of its arguments were written.
    argued: bool,
}

impl Call {
    /// Whether it would end without the JSON object that its arguments have to be.
    fn lacks_arguments(self) -> bool {
        !self.custom && !self.argued
    }
}

impl Encoder {
    /// An encoder for one answer.
    pub fn new(label: AnswerLabel) -> Self {
        Self {
            label,
            head: Vec::new(),
            choices: Vec::with_capacity(1),
            usage: Usage::default(),
            charge: None,
            tier: None,
            ended: false,
        }
    }

    /// Names the model before any event did.
    pub(in crate::formats) fn name_model(&mut self, upstream_model: &str) {
        self.render_head(Some(upstream_model));
    }

    /// Renders the part that all chunks begin with; the first call decides the model.
    fn render_head(&mut self, upstream_model: Option<&str>) {
        if !self.head.is_empty() {
            return;
        }
        let mut head = BytesMut::with_capacity(256);
        head.put_slice(br#"data: {"id":"#);
        write_string(&mut head, &self.label.id);
        head.put_slice(br#","object":"chat.completion.chunk","created":"#);
        head.put_slice(itoa::Buffer::new().format(self.label.created_s).as_bytes());
        head.put_slice(br#","model":"#);
        let model = self.label.model.as_deref().or(upstream_model);
        write_string(&mut head, model.unwrap_or_default());
        head.put_slice(br#","provider":"#);
        write_string(&mut head, &self.label.provider);
        head.put_slice(b",");
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

    /// Writes a chunk up to the inside of `delta`; `false` if the alternative is not relayed.
    fn open(&mut self, index: u32, out: &mut BytesMut) -> bool {
        if !self.open_bare(index, out) {
            return false;
        }
        out.put_slice(br#""delta":{"#);
        let choice = self.choices.iter_mut().find(|choice| choice.index == index);
        let first = choice.is_some_and(|choice| !std::mem::replace(&mut choice.role_sent, true));
        if first {
            out.put_slice(br#""role":"assistant","#);
        }
        true
    }

    /// Writes a chunk up to the members of its choice.
    fn open_bare(&mut self, index: u32, out: &mut BytesMut) -> bool {
        self.render_head(None);
        if self.choice(index).is_none() {
            return false;
        }
        out.reserve(self.head.len() + CHUNK_ROOM_BYTES);
        out.put_slice(&self.head);
        out.put_slice(br#""choices":[{"index":"#);
        out.put_slice(itoa::Buffer::new().format(index).as_bytes());
        out.put_slice(b",");
        true
    }

    fn text(&mut self, index: u32, member: &[u8], text: &str, out: &mut BytesMut) {
        if text.is_empty() || !self.open(index, out) {
            return;
        }
        out.put_slice(member);
        write_string(out, text);
        out.put_slice(OPEN_END);
    }

    fn role(&mut self, out: &mut BytesMut) {
        let known = self.choices.iter().any(|choice| choice.index == 0 && choice.role_sent);
        if !known && self.open(0, out) {
            out.put_slice(br#""content":"""#);
            out.put_slice(OPEN_END);
        }
    }

    fn call_start(&mut self, index: u32, call: Call, words: (&str, &str), out: &mut BytesMut) {
        let (id, name) = words;
        if call.index >= MAX_CALLS || !self.open(index, out) {
            return;
        }
        if let Some(choice) = self.choice(index) {
            choice.calls.push(call);
        }
        out.put_slice(br#""tool_calls":[{"index":"#);
        out.put_slice(itoa::Buffer::new().format(call.index).as_bytes());
        out.put_slice(br#","id":"#);
        write_string(out, id);
        let (kind, arguments): (&[u8], &[u8]) = if call.custom {
            (br#","type":"custom","custom":{"name":"#, br#","input":""}}]"#)
        } else {
            (br#","type":"function","function":{"name":"#, br#","arguments":""}}]"#)
        };
        out.put_slice(kind);
        write_string(out, name);
        out.put_slice(arguments);
        out.put_slice(OPEN_END);
    }

    fn call_arguments(&mut self, index: u32, call: u32, text: &str, out: &mut BytesMut) {
        if text.is_empty() || call >= MAX_CALLS || !self.open(index, out) {
            return;
        }
        let mut custom = false;
        if let Some(choice) = self.choice(index) {
            for known in choice.calls.iter_mut().filter(|known| known.index == call) {
                known.argued = true;
                custom = known.custom;
            }
        }
        out.put_slice(br#""tool_calls":[{"index":"#);
        out.put_slice(itoa::Buffer::new().format(call).as_bytes());
        out.put_slice(if custom {
            br#","custom":{"input":"#
        } else {
            br#","function":{"arguments":"#
        });
        write_string(out, text);
        out.put_slice(b"}}]");
        out.put_slice(OPEN_END);
    }

    /// A call that ends without arguments has none, which is written as an empty object.
    fn call_end(&mut self, index: u32, call: u32, out: &mut BytesMut) {
        let choice = self.choices.iter().find(|choice| choice.index == index);
        let bare = |known: &Call| known.index == call && known.lacks_arguments();
        if choice.is_some_and(|choice| choice.calls.iter().any(bare)) {
            self.call_arguments(index, call, "{}", out);
        }
    }

    fn reasoning(&mut self, index: u32, piece: &Thought<'_>, out: &mut BytesMut) {
        if self.label.exclude_reasoning || piece.text.is_empty() || !self.open(index, out) {
            return;
        }
        out.put_slice(br#""reasoning":"#);
        write_string(out, piece.text);
        out.put_slice(br#","reasoning_content":"#);
        write_string(out, piece.text);
        out.put_slice(match piece.kind {
            ReasoningKind::Summary => {
                br#","reasoning_details":[{"type":"reasoning.summary","summary":"#
            }
            ReasoningKind::Text | ReasoningKind::Encrypted => {
                br#","reasoning_details":[{"type":"reasoning.text","text":"#
            }
        });
        write_string(out, piece.text);
        end_detail(piece.format, piece.block, out);
    }

    /// Signatures are no reasoning text and pass even where that is withheld.
    fn signature(&mut self, index: u32, signature: &Signature<'_>, out: &mut BytesMut) {
        if !self.open(index, out) {
            return;
        }
        out.put_slice(if signature.encrypted {
            br#""reasoning_details":[{"type":"reasoning.encrypted","data":"#
        } else {
            br#""reasoning_details":[{"type":"reasoning.text","signature":"#
        });
        write_string(out, signature.data);
        if let Some(id) = signature.id {
            out.put_slice(br#","id":"#);
            write_string(out, id);
        }
        end_detail(signature.format, signature.block, out);
    }

    fn image(&mut self, index: u32, mime: &str, data: &str, out: &mut BytesMut) {
        if !self.open(index, out) {
            return;
        }
        let Some(choice) = self.choice(index) else { return };
        out.put_slice(br#""images":["#);
        write_index(&mut choice.images, out);
        out.put_slice(br#""type":"image_url","image_url":{"url":"#);
        write_data_uri(mime, data, out);
        out.put_slice(b"}}]");
        out.put_slice(OPEN_END);
    }

    fn citations(&mut self, index: u32, citations: &[Citation<'_>], out: &mut BytesMut) {
        if citations.is_empty() || !self.open(index, out) {
            return;
        }
        let Some(choice) = self.choice(index) else { return };
        write_list(out, br#""annotations":"#, citations, |citation, out| {
            write_index(&mut choice.annotations, out);
            write_citation(citation, out);
        });
        out.put_slice(OPEN_END);
    }

    fn audio(&mut self, index: u32, piece: &AudioPiece<'_>, out: &mut BytesMut) {
        if !self.open(index, out) {
            return;
        }
        out.put_slice(br#""audio":{"#);
        let mut separator: &[u8] = b"";
        let stated: [(&[u8], _); 3] = [
            (b"\"id\":", &piece.id),
            (b"\"data\":", &piece.data),
            (b"\"transcript\":", &piece.transcript),
        ];
        for (name, text) in stated {
            let Some(text) = text else { continue };
            out.put_slice(separator);
            out.put_slice(name);
            write_string(out, text);
            separator = b",";
        }
        if let Some(expires_at_s) = piece.expires_at_s {
            out.put_slice(separator);
            out.put_slice(br#""expires_at":"#);
            out.put_slice(itoa::Buffer::new().format(expires_at_s).as_bytes());
        }
        out.put_slice(b"}");
        out.put_slice(OPEN_END);
    }

    /// Log probabilities stand beside the delta, so they get a chunk of their own.
    fn logprobs(&mut self, index: u32, json: &str, out: &mut BytesMut) {
        if !self.open_bare(index, out) {
            return;
        }
        out.put_slice(br#""delta":{},"logprobs":"#);
        out.put_slice(json.as_bytes());
        out.put_slice(b",\"finish_reason\":null,\"native_finish_reason\":null}]}\n\n");
    }

    fn remember_finish(&mut self, index: u32, reason: FinishReason, native: Option<&str>) {
        if let Some(choice) = self.choice(index) {
            choice.finish = Some((reason, native.map(str::to_owned)));
        }
    }

    /// Begins one of the last chunks, which name the tier: providers tell it late.
    fn last_head(&self, out: &mut BytesMut) {
        out.put_slice(&self.head);
        if let Some(tier) = &self.tier {
            out.put_slice(br#""service_tier":"#);
            write_string(out, tier_word(tier));
            out.put_slice(b",");
        }
    }

    /// Writes the finish chunk of every alternative.
    fn finish_choices(&mut self, out: &mut BytesMut) {
        if self.choices.is_empty() {
            self.role(out);
        }
        let bare = |choice: &Choice| {
            let calls = choice.calls.iter().filter(|call| call.lacks_arguments());
            calls.map(|call| (choice.index, call.index)).collect::<Vec<_>>()
        };
        let bare: Vec<(u32, u32)> = self.choices.iter().flat_map(bare).collect();
        for (index, call) in bare {
            self.call_arguments(index, call, "{}", out);
        }
        for choice in &self.choices {
            let (reason, native) = match &choice.finish {
                Some((reason, native)) => (*reason, native.as_deref()),
                None => (FinishReason::Stop, None),
            };
            self.last_head(out);
            out.put_slice(br#""choices":[{"index":"#);
            out.put_slice(itoa::Buffer::new().format(choice.index).as_bytes());
            out.put_slice(br#","delta":{},"finish_reason":""#);
            out.put_slice(finish_word(reason, !choice.calls.is_empty()).as_bytes());
            out.put_slice(br#"","native_finish_reason":"#);
            write_optional(out, native);
            out.put_slice(b"}]}\n\n");
        }
    }
}

/// A piece of readable reasoning.
struct Thought<'e> {
    text: &'e str,
    kind: ReasoningKind,
    format: &'e str,
    block: u32,
}

/// A signature or an encrypted block.
struct Signature<'e> {
    data: &'e str,
    encrypted: bool,
    format: &'e str,
    block: u32,
    id: Option<&'e str>,
}

/// Begins an element of a list with its index, the next one.
fn write_index(next: &mut u32, out: &mut BytesMut) {
    out.put_slice(br#"{"index":"#);
    out.put_slice(itoa::Buffer::new().format(*next).as_bytes());
    out.put_slice(b",");
    *next = next.saturating_add(1);
}

fn end_detail(format: &str, block: u32, out: &mut BytesMut) {
    out.put_slice(br#","format":"#);
    write_string(out, format);
    out.put_slice(br#","index":"#);
    out.put_slice(itoa::Buffer::new().format(block).as_bytes());
    out.put_slice(b"}]");
    out.put_slice(OPEN_END);
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &Event<'_>, out: &mut BytesMut) {
        match event {
            Event::Start { model, .. } => {
                self.render_head(model.as_deref());
                self.role(out);
            }
            Event::Text { choice, text } => self.text(*choice, br#""content":"#, text, out),
            Event::Refusal { choice, text } => self.text(*choice, br#""refusal":"#, text, out),
            Event::Reasoning { choice, text, format, block, kind } => {
                let piece = Thought { text, kind: *kind, format, block: *block };
                self.reasoning(*choice, &piece, out);
            }
            Event::ReasoningSignature { choice, data, encrypted, format, block, id } => {
                let signature = Signature {
                    data,
                    encrypted: *encrypted,
                    format,
                    block: *block,
                    id: id.as_deref(),
                };
                self.signature(*choice, &signature, out);
            }
            Event::ToolCallStart { choice, call, id, name, custom } => {
                let call = Call { index: *call, custom: *custom, argued: false };
                self.call_start(*choice, call, (id, name), out);
            }
            Event::ToolCallArguments { choice, call, json } => {
                self.call_arguments(*choice, *call, json, out);
            }
            Event::ToolCallEnd { choice, call } => self.call_end(*choice, *call, out),
            Event::Image { choice, mime, data } => self.image(*choice, mime, data, out),
            Event::Citations { choice, citations } => {
                self.citations(*choice, citations, out);
            }
            Event::Finish { choice, reason, native } => {
                self.remember_finish(*choice, *reason, native.as_deref());
            }
            Event::Usage(later) => self.usage.merge(later),
            Event::Audio { choice, audio } => self.audio(*choice, audio, out),
            Event::Logprobs { choice, json } => self.logprobs(*choice, json.get(), out),
            Event::ServiceTier(tier) => self.tier = Some(tier.to_string()),
            Event::Ping | Event::Error(_) | Event::End => {}
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
        self.finish_choices(out);
        if self.label.include_usage {
            self.last_head(out);
            out.put_slice(br#""choices":[],"usage":"#);
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
        write_failure(error, &self.label.provider, out);
        out.put_slice(
            br#","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#,
        );
        out.put_slice(b"\n\n");
        out.put_slice(DONE);
    }
}
