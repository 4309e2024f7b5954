//! How many tokens a request has, roughly, where no provider of the client's own API can be asked.
//!
//! Four bytes of text count as one token, as the gateway counts everywhere when a provider reports
//! nothing; a picture or file counts as a flat sum, because its size in bytes says little.

use super::{ApiFormat, FormatError, decode_request};
use crate::chat::{Part, Request};
use crate::json::find;
use bytes::Bytes;
use std::borrow::Cow;

/// Bytes of text per token.
const BYTES_PER_TOKEN: u64 = 4;
/// Tokens of a picture or file.
const TOKENS_PER_FILE: u64 = 1_500;

/// The answer to a token count in the client's format, for a request of any length.
pub fn count_answer(client: ApiFormat, body: &[u8]) -> Result<Bytes, FormatError> {
    let wrapped = find(body, "generateContentRequest").and_then(|place| body.get(place));
    let inner = wrapped.filter(|_| client == ApiFormat::Gemini).unwrap_or(body);
    let complete = with_limit(client, inner);
    let request = decode_request(client, &complete)?;
    let tokens = prompt_tokens(&request);
    let member = if client == ApiFormat::Gemini { "totalTokens" } else { "input_tokens" };
    Ok(Bytes::from(format!("{{\"{member}\":{tokens}}}")))
}

/// A count needs no limit of the answer, which a whole Anthropic request must have.
fn with_limit(client: ApiFormat, body: &[u8]) -> Cow<'_, [u8]> {
    let missing = client == ApiFormat::Anthropic && find(body, "max_tokens").is_none();
    match body.trim_ascii_start().strip_prefix(b"{").filter(|_| missing) {
        Some(rest) => Cow::Owned([b"{\"max_tokens\":1,".as_slice(), rest].concat()),
        None => Cow::Borrowed(body),
    }
}

/// Tokens of the conversation and the tools.
pub fn prompt_tokens(request: &Request<'_>) -> u64 {
    let mut size = Size::default();
    for message in &request.messages {
        message.parts.iter().for_each(|part| size.add(part));
    }
    for tool in &request.tools {
        size.text(&tool.name);
        size.text(tool.description.as_deref().unwrap_or_default());
        size.text(tool.parameters.as_deref().map_or("", |schema| schema.get()));
    }
    size.bytes.div_ceil(BYTES_PER_TOKEN).saturating_add(size.files.saturating_mul(TOKENS_PER_FILE))
}

#[derive(Default)]
struct Size {
    bytes: u64,
    files: u64,
}

impl Size {
    fn text(&mut self, text: &str) {
        self.bytes = self.bytes.saturating_add(text.len() as u64);
    }

    fn add(&mut self, part: &Part<'_>) {
        match part {
            Part::Text { text, .. } | Part::Refusal { text } => self.text(text),
            Part::Reasoning(piece) => self.text(&piece.text),
            Part::ToolCall(call) => {
                self.text(&call.name);
                self.text(&call.arguments);
            }
            Part::ToolResult { parts, .. } => parts.iter().for_each(|part| self.add(part)),
            Part::SpokenAnswer(piece) => self.text(piece.transcript.as_deref().unwrap_or_default()),
            Part::Image { .. } | Part::File { .. } | Part::Audio { .. } | Part::Video { .. } => {
                self.files = self.files.saturating_add(1);
            }
        }
    }
}
