//! One step of a streamed answer in neutral terms.
//!
//! A decoder turns each upstream event into zero or more of these; an encoder turns them into the
//! caller's stream. Text deltas borrow from the upstream bytes, so that a token costs no allocation
//! besides the output buffer.

use super::message::ReasoningKind;
use super::response::{Citation, FinishReason};
use super::usage::Usage;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A step of a streamed answer. `choice` is the index of the alternative it belongs to.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// The provider accepted the request and begins to answer.
    Start {
        /// The provider's identifier of the answer.
        id: Option<Cow<'a, str>>,
        /// The model that answers, in the provider's words.
        model: Option<Cow<'a, str>>,
    },
    /// More answer text.
    Text {
        /// Alternative.
        choice: u32,
        /// The new piece.
        text: Cow<'a, str>,
    },
    /// More refusal text.
    Refusal {
        /// Alternative.
        choice: u32,
        /// The new piece.
        text: Cow<'a, str>,
    },
    /// More reasoning text.
    Reasoning {
        /// Alternative.
        choice: u32,
        /// The new piece.
        text: Cow<'a, str>,
        /// Whether it is the reasoning itself or a summary of it.
        kind: ReasoningKind,
        /// Maker of the reasoning, e.g. `anthropic-claude-v1`.
        format: &'static str,
        /// Position of the reasoning block among the answer's blocks.
        block: u32,
    },
    /// Signature of the reasoning block, or a wholly encrypted block.
    ReasoningSignature {
        /// Alternative.
        choice: u32,
        /// Signature or encrypted data.
        data: Cow<'a, str>,
        /// True when there is no readable text that it signs.
        encrypted: bool,
        /// Maker of the reasoning.
        format: &'static str,
        /// Position of the reasoning block.
        block: u32,
        /// Tool call the signature belongs to (Gemini), or the provider's id of the reasoning.
        id: Option<Cow<'a, str>>,
    },
    /// A tool call begins; `call` counts the calls of this alternative from 0.
    ToolCallStart {
        /// Alternative.
        choice: u32,
        /// Index of the call.
        call: u32,
        /// Identifier that the result refers to.
        id: Cow<'a, str>,
        /// Function name.
        name: Cow<'a, str>,
        /// Whether it is a call of a free-form tool, whose argument text is no JSON.
        custom: bool,
    },
    /// More text of the call's JSON arguments.
    ToolCallArguments {
        /// Alternative.
        choice: u32,
        /// Index of the call.
        call: u32,
        /// The new piece of JSON text.
        json: Cow<'a, str>,
    },
    /// The call's arguments are complete.
    ToolCallEnd {
        /// Alternative.
        choice: u32,
        /// Index of the call.
        call: u32,
    },
    /// An image the model made.
    Image {
        /// Alternative.
        choice: u32,
        /// MIME type.
        mime: Cow<'a, str>,
        /// Base64 text.
        data: Cow<'a, str>,
    },
    /// A piece of sound the model made.
    Audio {
        /// Alternative.
        choice: u32,
        /// The new piece.
        audio: AudioPiece<'a>,
    },
    /// Log probabilities of the tokens just sent, in OpenAI's shape (`{"content":[…]}`).
    Logprobs {
        /// Alternative.
        choice: u32,
        /// The JSON object.
        json: Cow<'a, RawValue>,
    },
    /// Sources for the text so far.
    Citations {
        /// Alternative.
        choice: u32,
        /// The sources.
        citations: Vec<Citation<'a>>,
    },
    /// The alternative ended; sent once per alternative.
    Finish {
        /// Alternative.
        choice: u32,
        /// Why.
        reason: FinishReason,
        /// The provider's own word.
        native: Option<Cow<'a, str>>,
    },
    /// The tier that serves the request.
    ServiceTier(Cow<'a, str>),
    /// Token counts; the last word on each field wins.
    Usage(Usage),
    /// Sign of life without content.
    Ping,
    /// The provider reported an error inside the stream.
    Error(UpstreamError<'a>),
    /// The provider's own end marker was seen.
    End,
}

impl Event<'_> {
    /// The alternative the event belongs to; `None` for what is said of the whole answer.
    pub fn choice(&self) -> Option<u32> {
        match self {
            Self::Text { choice, .. }
            | Self::Refusal { choice, .. }
            | Self::Reasoning { choice, .. }
            | Self::ReasoningSignature { choice, .. }
            | Self::ToolCallStart { choice, .. }
            | Self::ToolCallArguments { choice, .. }
            | Self::ToolCallEnd { choice, .. }
            | Self::Image { choice, .. }
            | Self::Audio { choice, .. }
            | Self::Logprobs { choice, .. }
            | Self::Citations { choice, .. }
            | Self::Finish { choice, .. } => Some(*choice),
            Self::Start { .. }
            | Self::ServiceTier(_)
            | Self::Usage(_)
            | Self::Ping
            | Self::Error(_)
            | Self::End => None,
        }
    }
}

/// A piece of streamed sound.
#[derive(Debug, Clone, Default)]
pub struct AudioPiece<'a> {
    /// MIME type or format word, where the provider states it.
    pub format: Option<Cow<'a, str>>,
    /// Base64 text.
    pub data: Option<Cow<'a, str>>,
    /// What is said.
    pub transcript: Option<Cow<'a, str>>,
    /// The provider's id of the whole sound.
    pub id: Option<Cow<'a, str>>,
    /// Unix time in seconds at which the id is no longer known.
    pub expires_at_s: Option<u64>,
}

/// An error the provider reported inside a stream.
#[derive(Debug, Clone)]
pub struct UpstreamError<'a> {
    /// The provider's error type or status word, e.g. `overloaded_error`, `RESOURCE_EXHAUSTED`.
    pub kind: Cow<'a, str>,
    /// Numeric code where there is one.
    pub code: Option<u16>,
    /// The provider's message.
    pub message: Cow<'a, str>,
}
