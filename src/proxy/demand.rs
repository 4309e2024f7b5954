//! How much a request may use: what its tokens and its price are reckoned at before it is sent.
//!
//! Called by `admit` for the reservation. An estimate holds what such a request usually takes; the
//! most it can take is only trusted where it can be known: text has no more tokens than bytes,
//! while pictures, files and searches may fill the model's whole context.

use super::exchange::Job;
use crate::config::BudgetMode;
use crate::json::{Head, find};
use crate::money::PicoUsd;
use crate::routing::Candidate;
use memchr::memmem;
use std::sync::Arc;

/// Bytes of text per token, in an estimate.
const BYTES_PER_TOKEN: u64 = 4;
/// Tokens of an answer whose length nobody limited, in an estimate.
const USUAL_COMPLETION_TOKENS: u64 = 1_000;
/// What vendors add to a prompt of their own accord: instructions for tools, marks of turns.
const ADDED_PROMPT_TOKENS: u64 = 2_048;
/// Context of a model of which none is known.
const UNKNOWN_CONTEXT_TOKENS: u64 = 1_048_576;
/// Longest answer of a model of which none is known.
const UNKNOWN_COMPLETION_TOKENS: u64 = 131_072;

/// Members that name how long an answer may be, in every format.
const CAPS: &[&str] = &["max_tokens", "max_completion_tokens", "max_output_tokens"];
/// Members that ask for several answers.
const COUNTS: &[&str] = &["n", "best_of"];

/// What in a body may cost more tokens than it has bytes.
const BEYOND_ITS_BYTES: &[&[u8]] = &[
    b"\"http://",
    b"\"https://",
    b"\"gs://",
    b"\"s3://",
    b"\"data:",
    b"\"base64\"",
    b"inlineData",
    b"inline_data",
    b"fileData",
    b"file_data",
    b"fileUri",
    b"file_uri",
    b"file_id",
    b"input_audio",
    b"cachedContent",
    b"cached_content",
    b"web_search",
    b"google_search",
    b"googleSearch",
    b"code_execution",
    b"codeExecution",
];

/// What one request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// Bytes of its body; what is held of its price without a body is nothing.
    body_bytes: u64,
    /// Whether its tokens are bounded by its bytes.
    is_plain_text: bool,
    /// Longest answer it allows.
    completion_cap: Option<u64>,
    /// Answers it asks for.
    alternatives: u64,
    /// Whether it is answered with tokens at all.
    generates: bool,
}

impl Demand {
    /// The demand of a checked body. Whether its bytes bound it is looked at for `strict` only.
    pub fn of((job, mode): (&Job, BudgetMode), body: &[u8], head: &Head) -> Self {
        if matches!(job, Job::CountTokens(_)) {
            return Self::default();
        }
        let config = ["generationConfig", "generation_config"]
            .iter()
            .find_map(|name| head.raw(body, name))
            .unwrap_or_default();
        let in_head = |name: &&str| head.raw(body, name).and_then(number);
        let in_config = |names: [&str; 2]| {
            let found = |name: &str| find(config, name).and_then(|place| config.get(place));
            names.into_iter().find_map(found).and_then(number)
        };
        let cap_of_config = in_config(["maxOutputTokens", "max_output_tokens"]);
        let count_of_config = in_config(["candidateCount", "candidate_count"]);
        Self {
            body_bytes: u64::try_from(body.len()).unwrap_or(u64::MAX),
            is_plain_text: mode == BudgetMode::Strict
                && !BEYOND_ITS_BYTES.iter().any(|mark| memmem::find(body, mark).is_some()),
            completion_cap: CAPS.iter().filter_map(in_head).chain(cap_of_config).max(),
            alternatives: COUNTS
                .iter()
                .filter_map(in_head)
                .chain(count_of_config)
                .fold(1, u64::max),
            generates: !matches!(job, Job::Embeddings),
        }
    }

    /// Tokens it will probably use, prompt and answer together.
    pub fn probable_tokens(&self) -> u64 {
        self.probable_prompt().saturating_add(self.probable_completion())
    }

    /// What is held of a budget until the price is known: enough for the dearest of the endpoints
    /// it may go to.
    pub fn hold(&self, mode: BudgetMode, candidates: &[Arc<Candidate>]) -> PicoUsd {
        let price = |candidate: &Arc<Candidate>| {
            let pricing = candidate.pricing.as_ref()?;
            Some(match mode {
                BudgetMode::Estimate => {
                    pricing.estimate(self.probable_prompt(), self.probable_completion())
                }
                BudgetMode::Strict => {
                    pricing.ceiling(self.most_prompt(candidate), self.most_completion(candidate))
                }
            })
        };
        if self.body_bytes == 0 {
            return PicoUsd::ZERO;
        }
        candidates.iter().filter_map(price).max().unwrap_or_default()
    }

    fn probable_prompt(&self) -> u64 {
        self.body_bytes.div_ceil(BYTES_PER_TOKEN)
    }

    fn probable_completion(&self) -> u64 {
        let one = self.completion_cap.unwrap_or(u64::MAX).min(USUAL_COMPLETION_TOKENS);
        if self.generates { one.saturating_mul(self.alternatives) } else { 0 }
    }

    fn most_prompt(&self, candidate: &Candidate) -> u64 {
        let context = candidate.context_length.unwrap_or(UNKNOWN_CONTEXT_TOKENS);
        if self.is_plain_text {
            self.body_bytes.saturating_add(ADDED_PROMPT_TOKENS).min(context)
        } else {
            context
        }
    }

    fn most_completion(&self, candidate: &Candidate) -> u64 {
        let longest = || candidate.max_completion_tokens.unwrap_or(UNKNOWN_COMPLETION_TOKENS);
        let one = self.completion_cap.unwrap_or_else(longest);
        if self.generates { one.saturating_mul(self.alternatives) } else { 0 }
    }
}

/// A whole number as it stands in JSON; anything else limits nothing.
fn number(raw: &[u8]) -> Option<u64> {
    std::str::from_utf8(raw).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::ApiFormat;

    fn demand(client: ApiFormat, body: &str) -> Demand {
        let head = Head::scan(body.as_bytes()).unwrap();
        let job = Job::Chat { client, stream: None };
        Demand::of((&job, BudgetMode::Strict), body.as_bytes(), &head)
    }

    #[test]
    fn limits_of_every_format() {
        let cases = [
            (r#"{"max_tokens":7}"#, Some(7), 1),
            (r#"{"max_tokens":7,"max_completion_tokens":9,"n":3}"#, Some(9), 3),
            (r#"{"max_output_tokens":5}"#, Some(5), 1),
            (r#"{"generationConfig":{"maxOutputTokens":11,"candidateCount":2}}"#, Some(11), 2),
            (r#"{"generation_config":{"max_output_tokens":12}}"#, Some(12), 1),
            (r#"{"max_tokens":null,"n":null}"#, None, 1),
            (r#"{"max_tokens":"7"}"#, None, 1),
            ("{}", None, 1),
        ];
        for (body, cap, alternatives) in cases {
            let found = demand(ApiFormat::OpenAiChat, body);
            assert_eq!((found.completion_cap, found.alternatives), (cap, alternatives), "{body}");
        }
    }

    #[test]
    fn only_plain_text_is_bounded_by_its_bytes() {
        let cases = [
            (r#"{"messages":[{"role":"user","content":"see https://example.com"}]}"#, true),
            (r#"{"messages":[{"content":[{"image_url":{"url":"https://x/y.png"}}]}]}"#, false),
            (
                r#"{"messages":[{"content":[{"image_url":{"url":"data:image/png;base64,A"}}]}]}"#,
                false,
            ),
            (r#"{"contents":[{"parts":[{"inlineData":{"data":"A"}}]}]}"#, false),
            (r#"{"tools":[{"type":"web_search_20250305"}]}"#, false),
        ];
        for (body, plain) in cases {
            assert_eq!(demand(ApiFormat::OpenAiChat, body).is_plain_text, plain, "{body}");
        }
    }
}
