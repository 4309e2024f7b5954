//! Wire formats of clients and providers: pure push machines, bytes in, bytes out, no I/O.
//!
//! A format is a folder with fixed files (`request`, `response`, `stream`, `error`); this file is
//! the vocabulary they share and the only place that maps an [`ApiFormat`] to its code. The proxy
//! uses [`translator::Translator`] for streams and [`answer`] for whole answers, and never looks
//! into a format itself.

pub mod annotate;
pub mod answer;
pub mod carried;
pub mod charge;
pub mod estimate;
pub mod passthrough;
pub mod tool_calls;
pub mod tool_names;
pub mod translator;
pub mod usage_reader;

mod account;
mod lost;
mod observe;
mod path;
#[cfg(test)]
mod recordings;
mod tree;

pub mod anthropic;
pub mod bedrock;
pub mod completions;
pub mod embeddings;
pub mod gemini;
pub mod openai_chat;
pub mod openai_responses;

use crate::chat::{self, Event, FinishReason, Usage};
use crate::error::{GatewayError, Kind};
use bytes::{Bytes, BytesMut};
use openai_chat::dialect::Dialect;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// A wire format that a client or a provider speaks for chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApiFormat {
    /// `POST /v1/chat/completions`.
    OpenAiChat,
    /// `POST /v1/responses`.
    OpenAiResponses,
    /// `POST /v1/messages`.
    Anthropic,
    /// `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`.
    Gemini,
    /// `POST /v1/completions`: clients only.
    Completions,
    /// `POST /model/{model}/converse` and `/converse-stream` of Amazon Bedrock: providers only.
    Bedrock,
}

/// How the events of a stream are separated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Sse,
    /// One JSON array whose elements are the events (Gemini without `alt=sse`).
    JsonArray,
    /// Binary frames with checksums (Amazon Bedrock); providers only.
    EventStream,
}

/// Whose description an answer in one of OpenAI's formats keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// OpenAI's: what its own format says passes as it is.
    #[default]
    Maker,
    /// OpenRouter's, whose clients refuse some nulls and miss some members.
    OpenRouter,
}

/// What the gateway writes over the provider's own words in an answer.
#[derive(Debug, Clone)]
pub struct AnswerLabel {
    /// `gen-…`, the id of the answer in OpenAI's format; native formats keep the provider's id.
    pub id: Arc<str>,
    /// Model name to show; `None` leaves the provider's bytes as they are.
    pub model: Option<Arc<str>>,
    /// Display name of the provider that answers.
    pub provider: Arc<str>,
    /// Unix time of the answer in seconds.
    pub created_s: u64,
    /// Whether the client gets the usage chunk of an OpenAI stream.
    pub include_usage: bool,
    /// Whether reasoning text is withheld from the client.
    pub exclude_reasoning: bool,
    /// Whose members an answer has that passes in its own format.
    pub shape: Shape,
    /// Knows the cost that is told in `usage` of OpenAI's formats; without it none is told.
    pub charges: Option<Arc<dyn charge::Charges>>,
}

impl AnswerLabel {
    /// The cost to tell of an answer of which this was seen.
    fn charge(&self, observed: &Observed) -> Option<charge::Charge> {
        self.charges.as_ref().map(|charges| charges.charge(observed))
    }

    /// The cost to tell of a whole answer.
    fn charge_of(&self, response: &chat::Response<'_>) -> Option<charge::Charge> {
        self.charges.as_ref().map(|charges| charges.charge(&observe::response(response)))
    }
}

/// The endpoint a request is encoded for.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The provider's own name of the model.
    pub model: &'a str,
    /// Largest answer the model gives, from the catalogue.
    pub max_output_tokens: Option<u64>,
    /// Whether a streamed answer is asked for.
    pub stream: bool,
    /// Habits of an OpenAI-compatible provider.
    pub dialect: &'a Dialect,
}

impl<'a> Target<'a> {
    /// A model of a provider without habits of its own, of which nothing else is known.
    pub fn new(model: &'a str) -> Self {
        Self {
            model,
            max_output_tokens: None,
            stream: false,
            dialect: &openai_chat::dialect::OPENAI,
        }
    }
}

/// A request in a provider's format.
#[derive(Debug, Clone)]
pub struct EncodedRequest {
    /// The body to send.
    pub body: Bytes,
    /// Names of the client's fields that this format cannot express, for `x-arouter-dropped`.
    pub dropped: Vec<Cow<'static, str>>,
}

/// What was learned about an answer while it passed; the source of the usage record.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// Token counts, last word on each field.
    pub usage: Usage,
    /// Why the (first) alternative ended.
    pub finish: Option<FinishReason>,
    /// The provider's own word for it.
    pub native_finish: Option<String>,
    /// The provider's id of the answer.
    pub upstream_id: Option<String>,
    /// The provider's name of the model that answered.
    pub upstream_model: Option<String>,
    /// The service tier it says it was served in, in the provider's word.
    pub service_tier: Option<String>,
    /// Whether any content (text, reasoning, tool call, image, refusal) was seen.
    pub saw_content: bool,
    /// Bytes of text, reasoning and tool arguments relayed, to estimate tokens if none are reported.
    pub content_bytes: u64,
    /// How many of them came before the provider last counted the tokens of its answer.
    pub counted_bytes: u64,
    /// Whether the provider's own end of the answer was seen.
    pub ended: bool,
    /// Its calls of tools; `None` if there are none in a whole answer, or if they are not gathered.
    pub tool_calls: Option<Box<tool_calls::GatheredCalls>>,
}

impl Observed {
    /// A whole answer of which only the usage is known.
    pub fn counted(usage: Usage) -> Self {
        Self { usage, saw_content: true, ended: true, ..Self::default() }
    }
}

/// A request or answer that a format cannot read or write.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct FormatError {
    /// Clear text for the caller.
    pub message: Cow<'static, str>,
    /// The field at fault, e.g. `messages[2].content[0].image_url`.
    pub param: Option<Cow<'static, str>>,
}

impl FormatError {
    /// An error about one field.
    pub fn field(
        param: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { message: message.into(), param: Some(param.into()) }
    }

    /// An error about the whole.
    pub fn whole(message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into(), param: None }
    }
}

impl From<FormatError> for GatewayError {
    fn from(error: FormatError) -> Self {
        let mut converted = Self::client(Kind::InvalidRequest, error.message);
        converted.param = error.param;
        converted
    }
}

/// A provider's error answer, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamFailure {
    /// What it means in the gateway's terms.
    pub kind: Kind,
    /// The provider's own code or type word.
    pub code: Option<String>,
    /// The provider's message, as it stands.
    pub message: Option<String>,
    /// A wait the body asks for (the header is read elsewhere).
    pub retry_after: Option<Duration>,
}

/// Why a stream cannot go on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StreamFault {
    /// The provider reported an error inside the stream.
    #[error("the provider reported an error: {0:?}")]
    Upstream(UpstreamFailure),
    /// An event is not what the format promises.
    #[error("malformed event: {0}")]
    Malformed(Cow<'static, str>),
    /// An event is larger than the limit.
    #[error("an event exceeds the limit of 8 MiB")]
    EventTooLarge,
    /// The stream ended without the provider's end marker.
    #[error("the stream ended before the answer was complete")]
    Truncated,
}

/// Turns a provider's events into neutral ones.
pub trait StreamDecoder: Send {
    /// Reads one event: its SSE name, if any, and its data.
    fn event(
        &mut self,
        name: Option<&str>,
        data: &[u8],
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), StreamFault>;

    /// The reason for the end that was read but is told only with the end, and the provider's word.
    fn stated_finish(&self) -> Option<(FinishReason, Option<&str>)> {
        None
    }

    /// The provider closed the stream: emits what is still due, or says that the end is missing.
    fn finish(&mut self, sink: &mut dyn FnMut(Event<'_>)) -> Result<(), StreamFault>;
}

/// Turns neutral events into a client's stream.
pub trait StreamEncoder: Send {
    /// Appends what the event becomes.
    fn event(&mut self, event: &Event<'_>, out: &mut BytesMut);

    /// All that the provider's event at hand says was told: appends what waited for the rest of it.
    fn settle(&mut self, _out: &mut BytesMut) {}

    /// The answer is complete: what it costs, for the formats that tell.
    fn charge(&mut self, _charge: charge::Charge) {}

    /// Appends the proper end of the stream.
    fn finish(&mut self, out: &mut BytesMut);

    /// Appends an in-band error and ends the stream.
    fn fail(&mut self, error: &GatewayError, request_id: &str, out: &mut BytesMut);
}

/// Reads a client's request into neutral terms.
pub fn decode_request(format: ApiFormat, body: &[u8]) -> Result<chat::Request<'_>, FormatError> {
    match format {
        ApiFormat::OpenAiChat => openai_chat::request::decode(body),
        ApiFormat::OpenAiResponses => openai_responses::request::decode(body),
        ApiFormat::Anthropic => anthropic::request::decode(body),
        ApiFormat::Gemini => gemini::request::decode(body),
        ApiFormat::Completions => completions::request::decode(body),
        ApiFormat::Bedrock => Err(not_offered()),
    }
}

/// Bytes that keep a waiting client of a stream patient; `None` where the format has no such thing.
pub fn keep_alive(client: ApiFormat) -> Option<&'static [u8]> {
    match client {
        ApiFormat::OpenAiChat | ApiFormat::OpenAiResponses | ApiFormat::Completions => {
            Some(b": AROUTER PROCESSING\n\n")
        }
        ApiFormat::Anthropic => Some(b"event: ping\ndata: {\"type\": \"ping\"}\n\n"),
        ApiFormat::Gemini | ApiFormat::Bedrock => None,
    }
}

/// Writes a neutral request in a provider's format.
pub fn encode_request(
    format: ApiFormat,
    request: &chat::Request<'_>,
    target: Target<'_>,
) -> Result<EncodedRequest, FormatError> {
    match format {
        ApiFormat::OpenAiChat => openai_chat::request::encode(request, target),
        ApiFormat::OpenAiResponses => openai_responses::request::encode(request, target),
        ApiFormat::Anthropic => anthropic::request::encode(request, target),
        ApiFormat::Gemini => gemini::request::encode(request, target),
        ApiFormat::Bedrock => bedrock::request::encode(request, target),
        ApiFormat::Completions => Err(not_offered()),
    }
}

/// What a media part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A document.
    File,
    /// A video.
    Video,
}

/// Whether the provider takes the bytes of such a part only, and not this address of it.
pub fn needs_bytes(format: ApiFormat, target: Target<'_>, kind: MediaKind, url: &str) -> bool {
    match format {
        ApiFormat::Bedrock => bedrock::request::needs_bytes(url),
        ApiFormat::Gemini => gemini::needs_bytes(url),
        ApiFormat::OpenAiChat => kind == MediaKind::File && target.dialect.files.needs_bytes(),
        ApiFormat::OpenAiResponses | ApiFormat::Anthropic | ApiFormat::Completions => false,
    }
}

/// Reads a provider's whole answer into neutral terms.
pub fn decode_response(format: ApiFormat, body: &[u8]) -> Result<chat::Response<'_>, FormatError> {
    match format {
        ApiFormat::OpenAiChat => openai_chat::response::decode(body),
        ApiFormat::OpenAiResponses => openai_responses::response::decode(body),
        ApiFormat::Anthropic => anthropic::response::decode(body),
        ApiFormat::Gemini => gemini::response::decode(body),
        ApiFormat::Bedrock => bedrock::response::decode(body),
        ApiFormat::Completions => Err(not_offered()),
    }
}

/// Writes a neutral answer in a client's format.
pub fn encode_response(
    format: ApiFormat,
    response: &chat::Response<'_>,
    label: &AnswerLabel,
) -> Result<Bytes, FormatError> {
    Ok(match format {
        ApiFormat::OpenAiChat => openai_chat::response::encode(response, label),
        ApiFormat::OpenAiResponses => openai_responses::response::encode(response, label),
        ApiFormat::Anthropic => anthropic::response::encode(response, label),
        ApiFormat::Gemini => gemini::response::encode(response, label),
        ApiFormat::Completions => completions::response::encode(response, label),
        ApiFormat::Bedrock => return Err(not_offered()),
    })
}

/// A reader of a provider's stream.
pub fn stream_decoder(format: ApiFormat) -> Result<Box<dyn StreamDecoder>, FormatError> {
    Ok(match format {
        ApiFormat::OpenAiChat => Box::new(openai_chat::stream::Decoder::new()),
        ApiFormat::OpenAiResponses => Box::<openai_responses::stream::Decoder>::default(),
        ApiFormat::Anthropic => Box::new(anthropic::stream::Decoder::new()),
        ApiFormat::Gemini => Box::<gemini::stream::Decoder>::default(),
        ApiFormat::Bedrock => Box::<bedrock::stream::Decoder>::default(),
        ApiFormat::Completions => return Err(not_offered()),
    })
}

/// A writer of a client's stream.
pub fn stream_encoder(
    format: ApiFormat,
    framing: Framing,
    label: AnswerLabel,
) -> Result<Box<dyn StreamEncoder>, FormatError> {
    Ok(match format {
        ApiFormat::OpenAiChat => Box::new(openai_chat::stream::Encoder::new(label)),
        ApiFormat::OpenAiResponses => {
            Box::new(openai_responses::stream::Encoder::new(label, framing))
        }
        ApiFormat::Anthropic => Box::new(anthropic::stream::Encoder::new(label, framing)),
        ApiFormat::Gemini => Box::new(gemini::stream::Encoder::new(label, framing)),
        ApiFormat::Completions => Box::new(completions::stream::Encoder::new(label, framing)),
        ApiFormat::Bedrock => return Err(not_offered()),
    })
}

/// Reads a provider's error answer, without what it says of the operator's account.
pub fn decode_error(format: ApiFormat, status: u16, body: &[u8]) -> UpstreamFailure {
    account::hide(match format {
        ApiFormat::OpenAiChat | ApiFormat::OpenAiResponses | ApiFormat::Completions => {
            openai_chat::error::decode(status, body)
        }
        ApiFormat::Anthropic => anthropic::error::decode(status, body),
        ApiFormat::Gemini => gemini::error::decode(status, body),
        ApiFormat::Bedrock => bedrock::error::decode(status, body),
    })
}

fn not_offered() -> FormatError {
    FormatError::whole("this format is not offered in this direction")
}
