//! One turn of a conversation, as an ordered list of parts.
//!
//! Order is kept because providers that interleave thinking, text and tool calls refuse a replay
//! in another order.

use super::tool::{CacheControl, ToolCall};
use std::borrow::Cow;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Instructions of the application.
    System,
    /// Instructions of the application, in the name newer OpenAI models use.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// Results of tool calls.
    Tool,
}

/// A message of the conversation.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    /// Who speaks.
    pub role: Role,
    /// Participant name, where the format has one.
    pub name: Option<Cow<'a, str>>,
    /// What is said, in order.
    pub parts: Vec<Part<'a>>,
}

/// A piece of a message.
#[derive(Debug, Clone)]
pub enum Part<'a> {
    /// Plain text.
    Text {
        /// The text.
        text: Cow<'a, str>,
        /// Prompt-cache breakpoint after this part.
        cache: Option<CacheControl>,
    },
    /// A picture.
    Image {
        /// Where its bytes are.
        source: Media<'a>,
        /// Wanted resolution: `low`, `high`, `auto`, as OpenAI names them.
        detail: Option<Cow<'a, str>>,
        /// Prompt-cache breakpoint after this part.
        cache: Option<CacheControl>,
    },
    /// A document.
    File {
        /// Where its bytes are.
        source: Media<'a>,
        /// Name shown to the model.
        filename: Option<Cow<'a, str>>,
        /// Whether the model shall cite it, where the client said.
        citations: Option<bool>,
        /// Prompt-cache breakpoint after this part.
        cache: Option<CacheControl>,
    },
    /// Sound, base64.
    Audio {
        /// Base64 text.
        data: Cow<'a, str>,
        /// `wav` or `mp3`.
        format: Cow<'a, str>,
    },
    /// Sound the model made: whole, or named by the id under which its maker keeps it.
    SpokenAnswer(super::event::AudioPiece<'a>),
    /// A video by URL or data URI.
    Video {
        /// Where its bytes are.
        source: Media<'a>,
    },
    /// A refusal the model gave earlier.
    Refusal {
        /// Its words.
        text: Cow<'a, str>,
    },
    /// Reasoning the model showed earlier.
    Reasoning(Reasoning<'a>),
    /// A tool call of the model.
    ToolCall(ToolCall<'a>),
    /// The result of a tool call.
    ToolResult {
        /// The call it answers.
        call_id: Cow<'a, str>,
        /// Function name, where the format carries it.
        name: Option<Cow<'a, str>>,
        /// The result: text, images, files.
        parts: Vec<Part<'a>>,
        /// Whether the tool failed.
        is_error: bool,
        /// Prompt-cache breakpoint after this part.
        cache: Option<CacheControl>,
    },
}

/// Where the bytes of a media part are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Media<'a> {
    /// In the request.
    Base64 {
        /// MIME type.
        mime: Cow<'a, str>,
        /// Base64 text.
        data: Cow<'a, str>,
    },
    /// At a URL.
    Url(Cow<'a, str>),
    /// Uploaded to one provider before; not portable.
    FileId(Cow<'a, str>),
}

/// A piece of reasoning, with what its maker needs to accept it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reasoning<'a> {
    /// Whether `text` is the reasoning, a summary of it, or absent because `data` is encrypted.
    pub kind: ReasoningKind,
    /// Readable text; empty for encrypted reasoning.
    pub text: Cow<'a, str>,
    /// Signature over the text, or the encrypted data itself.
    pub signature: Option<Cow<'a, str>>,
    /// Who made it (`anthropic-claude-v1`, `google-gemini-v1`, …): only its maker accepts it back.
    pub format: Option<Cow<'a, str>>,
    /// Identifier of the piece, or of the tool call it belongs to.
    pub id: Option<Cow<'a, str>>,
}

/// What a piece of reasoning holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasoningKind {
    /// The reasoning itself.
    Text,
    /// A summary of it.
    Summary,
    /// Only encrypted data, in `signature`.
    Encrypted,
}
