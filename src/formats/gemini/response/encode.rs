//! Writes a whole answer as a `GenerateContentResponse`.
//!
//! Parts keep their order. A refusal that is all there is becomes Gemini's form of a blocked
//! prompt; reasoning that is withheld leaves its signature behind, so that the client can go on.

use super::super::grounding::{self, TextMap};
use super::super::parts::{self, Body, Call, sound_type, spoken};
use super::super::signature::Signature;
use super::super::{REASONING_FORMAT, finish, logprobs, media_type, usage};
use crate::chat::message::{Media, Reasoning, ReasoningKind};
use crate::chat::response::Choice;
use crate::chat::tool::ToolCall;
use crate::chat::{FinishReason, Part, Response};
use crate::formats::AnswerLabel;
use crate::json::write_string;
use bytes::{BufMut, Bytes, BytesMut};
use std::borrow::Cow;

/// Writes the answer under the gateway's label.
pub fn encode(response: &Response<'_>, label: &AnswerLabel) -> Bytes {
    let mut out = BytesMut::with_capacity(1_024);
    if let Some((message, native)) = blocked(response) {
        write_block(&message, native, &mut out);
    } else {
        out.put_slice(br#"{"candidates":["#);
        for (at, choice) in response.choices.iter().enumerate() {
            if at > 0 {
                out.put_u8(b',');
            }
            write_candidate(choice, label, &mut out);
        }
        out.put_u8(b']');
    }
    usage::write(&response.usage, response.service_tier.as_deref(), &mut out);
    let model = label.model.as_deref().or(response.model.as_deref());
    write_names(model, (response.id.as_deref(), &label.id), &mut out);
    out.put_u8(b'}');
    out.freeze()
}

/// The model and the id, which every answer and event ends with.
pub(in crate::formats::gemini) fn write_names(
    model: Option<&str>,
    (id, own): (Option<&str>, &str),
    out: &mut BytesMut,
) {
    if let Some(model) = model.filter(|model| !model.is_empty()) {
        out.put_slice(br#","modelVersion":"#);
        write_string(out, model);
    }
    out.put_slice(br#","responseId":"#);
    write_string(out, id.filter(|id| !id.is_empty()).unwrap_or(own));
}

/// The words of an answer that only refuses.
fn blocked<'r>(response: &'r Response<'_>) -> Option<(Cow<'r, str>, Option<&'r str>)> {
    let [choice] = response.choices.as_slice() else { return None };
    if choice.finish != FinishReason::ContentFilter || choice.parts.is_empty() {
        return None;
    }
    let words: Option<Vec<&str>> = choice.parts.iter().map(refusal).collect();
    let message = match words?.as_slice() {
        [one] => Cow::Borrowed(*one),
        several => Cow::Owned(several.concat()),
    };
    Some((message, choice.native_finish.as_deref()))
}

fn refusal<'r>(part: &'r Part<'_>) -> Option<&'r str> {
    match part {
        Part::Refusal { text } => Some(text),
        _ => None,
    }
}

/// Begins an answer to a prompt that was refused.
pub(in crate::formats::gemini) fn write_block(
    message: &str,
    native: Option<&str>,
    out: &mut BytesMut,
) {
    out.put_slice(br#"{"promptFeedback":{"blockReason":"#);
    write_string(out, finish::written_block(native));
    out.put_slice(br#","blockReasonMessage":"#);
    write_string(out, message);
    out.put_u8(b'}');
}

fn write_candidate(choice: &Choice<'_>, label: &AnswerLabel, out: &mut BytesMut) {
    out.put_slice(br#"{"content":{"parts":["#);
    let mut items = Items { choice, label, written: Vec::new(), waiting: Vec::new() };
    items.collect();
    for (at, item) in items.written.iter().enumerate() {
        if at > 0 {
            out.put_u8(b',');
        }
        match item {
            Item::Part(body, signature) => parts::write(body, signature.as_deref(), out),
            Item::Lone(signature) => parts::write_lone(signature, out),
        }
    }
    if items.written.is_empty() {
        parts::write(&Body::Text(""), None, out);
    }
    out.put_slice(br#"],"role":"model"},"finishReason":"#);
    write_string(out, finish::written(choice.finish, choice.native_finish.as_deref()));
    out.put_slice(br#","index":"#);
    out.put_slice(itoa::Buffer::new().format(choice.index).as_bytes());
    if !choice.citations.is_empty() {
        let mut text = TextMap::default();
        for part in &choice.parts {
            if let Part::Text { text: piece, .. } = part {
                text.push(piece);
            }
        }
        grounding::write(&choice.citations, &text, out);
    }
    if let Some(raw) = &choice.logprobs {
        logprobs::write(raw, out);
    }
    out.put_u8(b'}');
}

/// What is written one after another.
enum Item<'r> {
    Part(Body<'r>, Option<Cow<'r, str>>),
    Lone(Signature<'r>),
}

struct Items<'r, 'a> {
    choice: &'r Choice<'a>,
    label: &'r AnswerLabel,
    written: Vec<Item<'r>>,
    /// Signatures of other makers, until a part comes that can carry one.
    waiting: Vec<Signature<'r>>,
}

impl<'r> Items<'r, '_> {
    fn collect(&mut self) {
        let choice = self.choice;
        for part in &choice.parts {
            self.part(part);
        }
        self.written.extend(self.waiting.drain(..).map(Item::Lone));
    }

    fn part(&mut self, part: &'r Part<'_>) {
        match part {
            Part::Text { text, .. } | Part::Refusal { text } => {
                if !text.is_empty() {
                    self.push(Body::Text(text), None);
                }
            }
            Part::Reasoning(reasoning) => self.reasoning(reasoning),
            Part::ToolCall(call) => {
                let own = call.signature.as_deref().or_else(|| self.signature_of(call));
                let body = Body::Call(Call {
                    id: &call.id,
                    name: &call.name,
                    arguments: &call.arguments,
                    custom: call.custom,
                });
                self.push(body, own.map(Cow::Borrowed));
            }
            Part::Image { source, .. } => self.media(source, "image/png"),
            Part::File { source, .. } => self.media(source, "application/octet-stream"),
            Part::Video { source } => self.media(source, "video/mp4"),
            Part::Audio { data, format } => {
                self.push(Body::Inline { mime: sound_type(Some(format)), data }, None);
            }
            Part::SpokenAnswer(piece) => {
                for body in spoken(piece, None) {
                    self.push(body, None);
                }
            }
            Part::ToolResult { .. } => {}
        }
    }

    /// Writes a part; the newest signature that waits stands on it if it has none of its own.
    fn push(&mut self, body: Body<'r>, own: Option<Cow<'r, str>>) {
        let carried = if own.is_none() { self.waiting.pop() } else { None };
        self.written.extend(self.waiting.drain(..).map(Item::Lone));
        let carried = carried.map(|signature| signature.written().into_owned().into());
        self.written.push(Item::Part(body, own.or(carried)));
    }

    fn reasoning(&mut self, reasoning: &'r Reasoning<'_>) {
        let signature = signature(reasoning);
        if !reasoning.text.is_empty() && !self.label.exclude_reasoning {
            let written = signature.map(|signature| signature.written().into_owned().into());
            self.written.push(Item::Part(Body::Thought(&reasoning.text), written));
            return;
        }
        let Some(signature) = signature else { return };
        if !signature.is_own() {
            self.waiting.push(signature);
            return;
        }
        if self.is_of_call(&signature) {
            return;
        }
        match self.written.last_mut() {
            Some(Item::Part(Body::Text(_) | Body::Inline { .. }, slot @ None))
                if signature.encrypted && signature.id.is_none() =>
            {
                *slot = Some(signature.data);
            }
            _ => self.written.push(Item::Lone(signature)),
        }
    }

    fn media(&mut self, source: &'r Media<'_>, usual: &'r str) {
        let body = match source {
            Media::Base64 { mime, data } => Body::Inline { mime: Cow::Borrowed(mime), data },
            Media::Url(uri) | Media::FileId(uri) => {
                Body::File { mime: media_type::of_url(uri).unwrap_or(usual), uri }
            }
        };
        self.push(body, None);
    }

    fn calls(&self) -> impl Iterator<Item = &'r ToolCall<'r>> {
        let choice = self.choice;
        choice.parts.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        })
    }

    /// Whether the signature stands on a call anyway.
    fn is_of_call(&self, signature: &Signature<'_>) -> bool {
        let id = signature.id.as_deref();
        id.is_some_and(|id| self.calls().any(|call| call.id == id))
    }

    /// Gemini's signature of the call, where it came beside it.
    fn signature_of(&self, call: &ToolCall<'_>) -> Option<&'r str> {
        self.choice.parts.iter().find_map(|part| match part {
            Part::Reasoning(reasoning)
                if reasoning.format.as_deref() == Some(REASONING_FORMAT)
                    && reasoning.id.as_deref() == Some(&call.id) =>
            {
                reasoning.signature.as_deref()
            }
            _ => None,
        })
    }
}

/// The signature of a piece of reasoning. One whose maker is unknown helps nobody.
fn signature<'r>(reasoning: &'r Reasoning<'_>) -> Option<Signature<'r>> {
    let data = reasoning.signature.as_deref().filter(|data| !data.is_empty())?;
    Some(Signature {
        data: Cow::Borrowed(data),
        format: Cow::Borrowed(reasoning.format.as_deref()?),
        id: reasoning.id.as_deref().map(Cow::Borrowed),
        encrypted: reasoning.kind == ReasoningKind::Encrypted,
    })
}

#[cfg(test)]
mod tests;
