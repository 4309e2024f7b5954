//! Reads a whole `GenerateContentResponse`; `encode` writes one.
//!
//! Parts keep their order; visible code and results become fenced text. A blocked prompt is an
//! answer that refuses, not an error.

pub(super) mod encode;

pub use encode::encode;

use super::REASONING_FORMAT;
use super::answer::{Answer, Blob, Candidate, FunctionCall, Part as WirePart, Text};
use super::finish::{Seen, block, reason, word};
use super::grounding::{Metadata, TextMap};
use super::json_text::compact;
use crate::chat::message::{Media, Part, Reasoning, ReasoningKind};
use crate::chat::response::{Choice, Response};
use crate::chat::tool::ToolCall;
use crate::chat::{FinishReason, Usage};
use crate::formats::FormatError;
use rand::Rng;
use rand::distr::Alphanumeric;
use std::borrow::Cow;

/// Reads the body of a successful answer; an error object or an answer without any alternative is
/// an error. A one-element array is read as its element.
pub fn decode(body: &[u8]) -> Result<Response<'_>, FormatError> {
    let answer = parse(body)?;
    if let Some(error) = answer.error {
        let failure = super::error::read(error);
        let message = failure.message.unwrap_or_else(|| failure.kind.name().to_owned());
        return Err(FormatError::whole(format!("the provider answered with an error: {message}")));
    }
    let refused = answer.prompt_feedback.as_deref().and_then(block);
    let metadata = answer.usage_metadata.unwrap_or_default();
    let mut usage: Usage = metadata.counts();
    let mut choices = Vec::new();
    for (position, candidate) in answer.candidates.unwrap_or_default().into_iter().enumerate() {
        let searches = candidate.grounding_metadata.as_deref().and_then(Metadata::searches);
        usage.web_searches = searches.or(usage.web_searches);
        choices.push(choice(position, candidate));
    }
    Choice::renumber(&mut choices);
    if choices.is_empty() {
        let block = refused.ok_or_else(|| FormatError::whole("the provider sent no candidate"))?;
        choices.push(Choice {
            index: 0,
            parts: vec![Part::Refusal { text: block.message }],
            finish: FinishReason::ContentFilter,
            native_finish: Some(block.reason),
            citations: Vec::new(),
            logprobs: None,
        });
    }
    Ok(Response {
        id: answer.response_id.map(|text| text.0),
        model: answer.model_version.map(|text| text.0),
        choices,
        usage,
        service_tier: metadata.tier(),
    })
}

/// `call_` and 24 random letters and digits: Gemini's own ids are often missing, and two calls of
/// one function must not share one.
pub(super) fn new_call_id() -> String {
    let random = rand::rng().sample_iter(Alphanumeric).take(24).map(char::from);
    "call_".chars().chain(random).collect()
}

fn parse(body: &[u8]) -> Result<Answer<'_>, FormatError> {
    let body = body.trim_ascii();
    let unreadable = |_| FormatError::whole("the provider's answer is not readable");
    if body.first() == Some(&b'[') {
        let mut answers: Vec<Answer<'_>> = serde_json::from_slice(body).map_err(unreadable)?;
        let answer = answers.pop().filter(|_| answers.is_empty());
        return answer.ok_or_else(|| FormatError::whole("the provider sent a list of answers"));
    }
    serde_json::from_slice(body).map_err(unreadable)
}

fn choice(position: usize, candidate: Candidate<'_>) -> Choice<'_> {
    let index = candidate.index.or_else(|| u32::try_from(position).ok()).unwrap_or(0);
    let mut reader = Reader::default();
    let parts = candidate.content.and_then(|content| content.parts).unwrap_or_default();
    for part in parts {
        reader.part(part);
    }
    let Reader { mut parts, seen, text } = reader;
    let native = candidate.finish_reason.as_ref().map(word);
    let finish = reason(native.as_deref().unwrap_or("FINISH_REASON_UNSPECIFIED"), seen);
    if let Some(Text(message)) = candidate.finish_message
        && finish == FinishReason::ContentFilter
        && !seen.content
    {
        parts.push(Part::Refusal { text: message });
    }
    let grounding = candidate.grounding_metadata.map(|metadata| metadata.citations(&text));
    let mut citations = grounding.unwrap_or_default();
    if let Some(recited) = candidate.citation_metadata {
        citations.extend(recited.citations(&text));
    }
    let logprobs = candidate.logprobs_result.and_then(|chosen| chosen.in_openai_shape());
    let logprobs = logprobs.map(Cow::Owned);
    Choice { index, parts, finish, native_finish: native, citations, logprobs }
}

/// Collects the parts of one alternative.
#[derive(Default)]
struct Reader<'a> {
    parts: Vec<Part<'a>>,
    seen: Seen,
    text: TextMap,
}

impl<'a> Reader<'a> {
    fn part(&mut self, mut part: WirePart<'a>) {
        let signature = part.take_signature();
        let thought = part.thought.unwrap_or(false);
        if let Some(call) = part.function_call {
            self.function_call(*call, signature);
        } else if let Some(code) = part.fenced() {
            self.text(code.into());
        } else if let Some(Text(text)) = part.text {
            if thought {
                self.reasoning(text, signature);
            } else {
                self.text(text);
                self.reasoning(Cow::Borrowed(""), signature);
            }
        } else if let Some(blob) = part.inline_data.filter(|_| !thought) {
            self.blob(*blob);
            self.reasoning(Cow::Borrowed(""), signature);
        }
    }

    fn text(&mut self, text: Cow<'a, str>) {
        if !text.is_empty() {
            self.seen.content = true;
            self.text.push(&text);
            self.parts.push(Part::Text { text, cache: None });
        }
    }

    /// Reasoning text with its signature, or a signature alone.
    fn reasoning(&mut self, text: Cow<'a, str>, signature: Option<Cow<'a, str>>) {
        let kind = match (text.is_empty(), &signature) {
            (true, None) => return,
            (true, Some(_)) => ReasoningKind::Encrypted,
            (false, _) => ReasoningKind::Text,
        };
        self.seen.content |= kind == ReasoningKind::Text;
        let format = Some(Cow::Borrowed(REASONING_FORMAT));
        self.parts.push(Part::Reasoning(Reasoning { kind, text, signature, format, id: None }));
    }

    fn function_call(&mut self, call: FunctionCall<'a>, signature: Option<Cow<'a, str>>) {
        let Some(Text(name)) = call.name.filter(|name| !name.0.is_empty()) else { return };
        self.seen = Seen { calls: true, content: true };
        let id = call.id.map(|id| id.0).filter(|id| !id.is_empty());
        let id = id.unwrap_or_else(|| new_call_id().into());
        let arguments = call.args.map_or(Cow::Borrowed("{}"), |args| compact(args.get()));
        self.parts.push(Part::ToolCall(ToolCall { id, name, arguments, signature, custom: false }));
    }

    fn blob(&mut self, blob: Blob<'a>) {
        let (Some(Text(mime)), Some(Text(data))) = (blob.mime_type, blob.data) else { return };
        let part = if mime.starts_with("image/") {
            Part::Image { source: Media::Base64 { mime, data }, detail: None, cache: None }
        } else if let Some(format) = mime.strip_prefix("audio/") {
            // "L16;codec=pcm;rate=24000": what follows the name stays, it says how to play it.
            Part::Audio { data, format: format.to_owned().into() }
        } else {
            return;
        };
        self.seen.content = true;
        self.parts.push(part);
    }
}

#[cfg(test)]
mod tests;
