//! Writes the pieces an answer consists of: items, their content, and the object around them.
//!
//! Shared by the whole-answer encoder and the stream encoder, so that a stream's last event holds
//! what a whole answer would have been. Everything is written by hand into a buffer.

use super::{OWN_FORMATS, usage};
use crate::chat::response::Citation;
use crate::chat::{FinishReason, Usage};
use crate::error::{GatewayError, Kind};
use crate::formats::AnswerLabel;
use crate::formats::carried::Carried;
use crate::formats::charge::Charge;
use crate::formats::openai_chat::response::tier_word;
use crate::json::write_string;
use bytes::{BufMut, BytesMut};
use std::borrow::Cow;

/// The ids of one answer and its items.
#[derive(Debug)]
pub(super) struct Ids {
    /// Id of the answer.
    pub(super) answer: String,
    base: String,
}

impl Ids {
    /// Ids for an answer: the provider's own where it has this format's form.
    pub(super) fn new(label: &AnswerLabel, stated: Option<&str>) -> Self {
        let base = label.id.strip_prefix("gen-").unwrap_or(&label.id);
        let base: String = base.chars().filter(char::is_ascii_alphanumeric).collect();
        let own = stated.filter(|id| id.starts_with("resp_")).map(str::to_owned);
        Self { answer: own.unwrap_or_else(|| format!("resp_{base}")), base }
    }

    /// The id of an item, e.g. `msg_…`.
    pub(super) fn item(&self, prefix: &str, index: u32) -> String {
        format!("{prefix}_{}{index:02}", self.base)
    }
}

/// The object around an answer.
#[derive(Debug)]
pub(super) struct Envelope<'e> {
    pub(super) id: &'e str,
    pub(super) created_s: u64,
    pub(super) model: &'e str,
    pub(super) status: Status<'e>,
    /// The items, with commas between them.
    pub(super) output: &'e [u8],
    pub(super) usage: Option<&'e Usage>,
    pub(super) charge: Option<&'e Charge>,
    pub(super) tier: Option<&'e str>,
}

/// How an answer stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Status<'e> {
    InProgress,
    Completed,
    /// Cut short, for this reason.
    Incomplete(&'static str),
    Failed(&'e GatewayError),
}

impl Status<'_> {
    /// The status of an answer that ended so.
    pub(super) fn of(finish: FinishReason) -> Option<Self> {
        match finish {
            FinishReason::Stop | FinishReason::ToolCalls => Some(Self::Completed),
            FinishReason::Length => Some(Self::Incomplete("max_output_tokens")),
            FinishReason::ContentFilter => Some(Self::Incomplete("content_filter")),
            FinishReason::Error => None,
        }
    }

    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed(_) => "failed",
        }
    }
}

/// The error of an answer that a provider broke off without a word.
pub(super) fn broken_off() -> GatewayError {
    GatewayError::upstream(Kind::ProviderUnavailable, "the provider failed while answering")
}

/// Appends a whole answer.
pub(super) fn envelope(answer: &Envelope<'_>, out: &mut BytesMut) {
    out.reserve(answer.output.len() + 1_024);
    member(out, br#"{"id":"#, answer.id);
    out.put_slice(br#","object":"response","created_at":"#);
    number(out, answer.created_s);
    // When an answer was completed is not known where it is written.
    out.put_slice(br#","completed_at":null"#);
    member(out, br#","status":"#, answer.status.word());
    out.put_slice(br#","background":false,"error":"#);
    match answer.status {
        Status::Failed(error) => {
            member(out, br#"{"code":"#, error_code(error.kind));
            member(out, br#","message":"#, &error.message);
            member(out, br#"},"error_type":"#, error.kind.name());
        }
        _ => out.put_slice(b"null"),
    }
    out.put_slice(br#","incomplete_details":"#);
    match answer.status {
        Status::Incomplete(reason) => {
            member(out, br#"{"reason":"#, reason);
            out.put_u8(b'}');
        }
        _ => out.put_slice(b"null"),
    }
    out.put_slice(br#","frequency_penalty":null,"presence_penalty":null"#);
    out.put_slice(br#","instructions":null,"max_output_tokens":null,"max_tool_calls":null"#);
    member(out, br#","model":"#, answer.model);
    out.put_slice(br#","output":["#);
    out.put_slice(answer.output);
    out.put_slice(br#"],"parallel_tool_calls":true,"previous_response_id":null"#);
    out.put_slice(br#","reasoning":{"effort":null,"summary":null},"service_tier":"#);
    match answer.tier {
        Some(tier) => write_string(out, tier_word(tier)),
        None => out.put_slice(b"null"),
    }
    out.put_slice(br#","store":false,"temperature":null,"text":{"format":{"type":"text"}}"#);
    out.put_slice(br#","tool_choice":"auto","tools":[],"top_logprobs":0,"top_p":null"#);
    out.put_slice(br#","truncation":"disabled","usage":"#);
    match answer.usage {
        Some(counts) => usage::write(counts, answer.charge, out),
        None => out.put_slice(b"null"),
    }
    out.put_slice(br#","user":null,"metadata":{}}"#);
}

/// The word for an error inside an answer.
pub(super) fn error_code(kind: Kind) -> &'static str {
    match kind {
        Kind::RateLimitExceeded => "rate_limit_exceeded",
        Kind::InvalidRequest | Kind::ContextLengthExceeded | Kind::ContentPolicyViolation => {
            "invalid_prompt"
        }
        _ => "server_error",
    }
}

/// Appends a message item; `parts` has commas between the parts.
pub(super) fn message(id: &str, status: &str, parts: &[u8], out: &mut BytesMut) {
    member(out, br#"{"id":"#, id);
    member(out, br#","type":"message","status":"#, status);
    out.put_slice(br#","role":"assistant","content":["#);
    out.put_slice(parts);
    out.put_slice(b"]}");
}

/// A piece of text with what belongs to it.
#[derive(Debug, Default)]
pub(super) struct TextPart {
    pub(super) text: String,
    /// Annotations, with commas between them.
    pub(super) annotations: BytesMut,
    /// Tokens with log probabilities, with commas between them.
    pub(super) logprobs: BytesMut,
}

/// Appends a text part.
pub(super) fn text_part(part: &TextPart, out: &mut BytesMut) {
    out.put_slice(br#"{"type":"output_text","annotations":["#);
    out.put_slice(&part.annotations);
    out.put_slice(br#"],"logprobs":["#);
    out.put_slice(&part.logprobs);
    member(out, br#"],"text":"#, &part.text);
    out.put_u8(b'}');
}

/// Appends `{"type":…,"text":…}`, or the same with another member for the text.
pub(super) fn plain_part(kind: &str, key: &str, text: &str, out: &mut BytesMut) {
    member(out, br#"{"type":"#, kind);
    out.put_u8(b',');
    write_string(out, key);
    member(out, b":", text);
    out.put_u8(b'}');
}

/// Appends a cited web page. `base` is where the annotated text begins among the whole answer's.
pub(super) fn annotation(citation: &Citation<'_>, base: u64, out: &mut BytesMut) {
    out.put_slice(br#"{"type":"url_citation","start_index":"#);
    number(out, citation.start.saturating_sub(base));
    out.put_slice(br#","end_index":"#);
    number(out, citation.end.saturating_sub(base));
    member(out, br#","url":"#, &citation.url);
    member(out, br#","title":"#, &citation.title);
    out.put_u8(b'}');
}

/// The parts of a reasoning item.
#[derive(Debug, Default)]
pub(super) struct ReasoningParts {
    /// Summary parts, with commas between them.
    pub(super) summary: BytesMut,
    /// Parts of the reasoning itself, with commas between them.
    pub(super) content: BytesMut,
    pub(super) encrypted: Option<String>,
}

impl ReasoningParts {
    /// Whether there is nothing to show or to keep.
    pub(super) fn is_empty(&self) -> bool {
        self.summary.is_empty() && self.content.is_empty() && self.encrypted.is_none()
    }
}

/// Appends a reasoning item.
pub(super) fn reasoning(id: Option<&str>, parts: &ReasoningParts, out: &mut BytesMut) {
    out.put_slice(br#"{"type":"reasoning""#);
    if let Some(id) = id {
        member(out, br#","id":"#, id);
    }
    out.put_slice(br#","summary":["#);
    out.put_slice(&parts.summary);
    out.put_u8(b']');
    if !parts.content.is_empty() {
        out.put_slice(br#","content":["#);
        out.put_slice(&parts.content);
        out.put_u8(b']');
    }
    if let Some(data) = &parts.encrypted {
        member(out, br#","encrypted_content":"#, data);
    }
    out.put_u8(b'}');
}

/// A reasoning signature.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signature<'s> {
    pub(super) data: &'s str,
    pub(super) encrypted: bool,
    pub(super) format: &'s str,
    pub(super) id: Option<&'s str>,
}

impl<'s> Signature<'s> {
    /// Whether its maker answers in this format.
    pub(super) fn is_own(&self) -> bool {
        self.encrypted && OWN_FORMATS.contains(&self.format)
    }

    /// What stands in `encrypted_content`.
    pub(super) fn text(&self) -> Cow<'s, str> {
        if self.is_own() {
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

/// A tool call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'c> {
    pub(super) id: &'c str,
    /// What the result has to name.
    pub(super) answered_by: &'c str,
    pub(super) name: &'c str,
    /// Arguments, or the input of a free-form tool.
    pub(super) text: &'c str,
    pub(super) custom: bool,
}

/// What the id of a call item begins with.
pub(super) fn call_prefix(custom: bool) -> &'static str {
    if custom { "ctc" } else { "fc" }
}

/// Appends a tool call item.
pub(super) fn call(call: &Call<'_>, status: &str, out: &mut BytesMut) {
    member(out, br#"{"id":"#, call.id);
    let kind = if call.custom { "custom_tool_call" } else { "function_call" };
    member(out, br#","type":"#, kind);
    member(out, br#","status":"#, status);
    member(out, br#","call_id":"#, call.answered_by);
    member(out, br#","name":"#, call.name);
    let key: &[u8] = if call.custom { br#","input":"# } else { br#","arguments":"# };
    member(out, key, call.text);
    out.put_u8(b'}');
}

/// Appends an image item; without data it is still being made.
pub(super) fn image(id: &str, mime: &str, data: Option<&str>, out: &mut BytesMut) {
    member(out, br#"{"id":"#, id);
    let status = if data.is_some() { "completed" } else { "in_progress" };
    member(out, br#","type":"image_generation_call","status":"#, status);
    if let Some(format) = mime.strip_prefix("image/") {
        member(out, br#","output_format":"#, format);
    }
    out.put_slice(br#","result":"#);
    match data {
        Some(data) => write_string(out, data),
        None => out.put_slice(b"null"),
    }
    out.put_u8(b'}');
}

/// Appends `head`, which ends in a colon, and a string.
pub(super) fn member(out: &mut BytesMut, head: &[u8], text: &str) {
    out.put_slice(head);
    write_string(out, text);
}

/// Appends a number.
pub(super) fn number(out: &mut BytesMut, value: u64) {
    out.put_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends an array of elements that have commas between them.
pub(super) fn list(elements: &[u8], out: &mut BytesMut) {
    out.put_u8(b'[');
    out.put_slice(elements);
    out.put_u8(b']');
}

/// Appends what `write` writes to a list whose elements have commas between them.
pub(super) fn push(list: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    if !list.is_empty() {
        list.put_u8(b',');
    }
    write(list);
}
