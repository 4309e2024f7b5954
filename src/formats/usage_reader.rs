//! Reads token counts and the model from a provider's answer without reading anything else.
//!
//! For answers that are relayed untouched: the raw provider proxy gives every event, or the whole
//! body, and takes the counts at the end.

use super::{ApiFormat, anthropic, bedrock, gemini, openai_chat, openai_responses};
use crate::chat::Usage;
use crate::json::{find, find_path};

/// A reader for one answer.
#[derive(Debug)]
pub struct UsageReader {
    format: ApiFormat,
    usage: Usage,
    model: Option<String>,
    /// Anthropic spreads its counts over events, and they mean something only together.
    counts: anthropic::usage::Counts,
}

impl UsageReader {
    /// A reader for answers of a format.
    pub fn new(format: ApiFormat) -> Self {
        let (usage, counts) = (Usage::default(), anthropic::usage::Counts::default());
        Self { format, usage, model: None, counts }
    }

    /// Reads an event's data, or a whole body; anything without counts is skipped.
    pub fn read(&mut self, json: &[u8]) {
        if self.model.is_none() {
            self.model = self.model_in(json);
        }
        let at = match self.format {
            ApiFormat::OpenAiChat | ApiFormat::Completions => find(json, "usage"),
            ApiFormat::Bedrock => {
                find(json, "usage").or_else(|| find_path(json, &["metadata", "usage"]))
            }
            ApiFormat::OpenAiResponses => {
                find(json, "usage").or_else(|| find_path(json, &["response", "usage"]))
            }
            ApiFormat::Anthropic => {
                find(json, "usage").or_else(|| find_path(json, &["message", "usage"]))
            }
            ApiFormat::Gemini => find(json, "usageMetadata"),
        };
        let Some(counts) = at.and_then(|range| json.get(range)) else { return };
        match self.format {
            ApiFormat::OpenAiChat | ApiFormat::Completions => {
                self.usage.merge(&openai_chat::usage_of(counts));
            }
            ApiFormat::OpenAiResponses => {
                self.usage.merge(&openai_responses::usage_of(counts));
            }
            ApiFormat::Bedrock => self.usage.merge(&bedrock::usage::usage(counts)),
            ApiFormat::Gemini => self.usage.merge(&gemini::usage::usage(counts)),
            ApiFormat::Anthropic => {
                if let Ok(counts) = serde_json::from_slice(counts) {
                    self.counts.merge(counts);
                    self.usage = self.counts.usage();
                }
            }
        }
    }

    /// The model that the answer names, if it named one so far.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    fn model_in(&self, json: &[u8]) -> Option<String> {
        let at = match self.format {
            ApiFormat::OpenAiChat | ApiFormat::Completions => find(json, "model"),
            ApiFormat::OpenAiResponses => {
                find(json, "model").or_else(|| find_path(json, &["response", "model"]))
            }
            ApiFormat::Anthropic => {
                find(json, "model").or_else(|| find_path(json, &["message", "model"]))
            }
            ApiFormat::Gemini => find(json, "modelVersion"),
            ApiFormat::Bedrock => None,
        };
        serde_json::from_slice(json.get(at?)?).ok()
    }

    /// The counts read so far.
    pub fn usage(&self) -> Usage {
        self.usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format() {
        let cases: &[(ApiFormat, &[&str], (u64, u64))] = &[
            (
                ApiFormat::OpenAiChat,
                &[r#"{"usage":null}"#, r#"{"usage":{"prompt_tokens":7,"completion_tokens":3}}"#],
                (7, 3),
            ),
            (
                ApiFormat::Anthropic,
                &[
                    r#"{"message":{"usage":{"input_tokens":5,"cache_read_input_tokens":2,"output_tokens":1}}}"#,
                    r#"{"usage":{"output_tokens":9}}"#,
                ],
                (7, 9),
            ),
            (
                ApiFormat::OpenAiResponses,
                &[
                    r#"{"type":"response.created","response":{"usage":null}}"#,
                    r#"{"type":"response.completed","response":{"usage":{"input_tokens":8,"output_tokens":2}}}"#,
                ],
                (8, 2),
            ),
            (
                ApiFormat::OpenAiResponses,
                &[r#"{"usage":{"input_tokens":8,"output_tokens":2}}"#],
                (8, 2),
            ),
            (
                ApiFormat::Gemini,
                &[r#"{"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":6}}"#],
                (4, 6),
            ),
            (
                ApiFormat::Bedrock,
                &[
                    r#"{"contentBlockIndex":0}"#,
                    r#"{"usage":{"inputTokens":4,"outputTokens":6,"cacheReadInputTokens":3}}"#,
                ],
                (7, 6),
            ),
            (
                ApiFormat::Bedrock,
                &[r#"{"metadata":{"usage":{"inputTokens":4,"outputTokens":6}}}"#],
                (4, 6),
            ),
        ];
        for (format, events, (prompt, completion)) in cases {
            let mut reader = UsageReader::new(*format);
            events.iter().for_each(|event| reader.read(event.as_bytes()));
            let usage = reader.usage();
            assert_eq!((usage.prompt, usage.completion), (Some(*prompt), Some(*completion)));
        }
    }
}
