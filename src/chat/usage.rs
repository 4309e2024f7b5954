//! Token counts of one request, by kind.
//!
//! Counts are inclusive, as OpenAI defines them: `prompt` contains the cached and cache-written
//! tokens, `completion` contains the reasoning tokens. A provider that counts otherwise is
//! converted where its format is decoded, so that price and limits never need to know who answered.

use serde::{Deserialize, Serialize};

/// Tokens of one request as the provider reported them; `None` means the provider did not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// All tokens of the prompt, cached ones included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<u64>,
    /// All tokens of the answer, reasoning included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion: Option<u64>,
    /// Prompt tokens read from the provider's cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<u64>,
    /// Prompt tokens written to a cache that lives 5 minutes (or the provider's only kind).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_5m: Option<u64>,
    /// Prompt tokens written to a cache that lives 1 hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<u64>,
    /// Completion tokens spent on reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<u64>,
    /// Prompt tokens that were audio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_prompt: Option<u64>,
    /// Completion tokens that were audio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_completion: Option<u64>,
    /// Prompt tokens that were images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_prompt: Option<u64>,
    /// Completion tokens that were images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_completion: Option<u64>,
    /// Web searches the provider made for this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_searches: Option<u64>,
}

impl Usage {
    /// Takes over every count that `later` states; a stream's last word on a field wins and
    /// cumulative counts are never added.
    pub fn merge(&mut self, later: &Usage) {
        fn take(slot: &mut Option<u64>, later: Option<u64>) {
            if later.is_some() {
                *slot = later;
            }
        }
        take(&mut self.prompt, later.prompt);
        take(&mut self.completion, later.completion);
        take(&mut self.cached, later.cached);
        take(&mut self.cache_write_5m, later.cache_write_5m);
        take(&mut self.cache_write_1h, later.cache_write_1h);
        take(&mut self.reasoning, later.reasoning);
        take(&mut self.audio_prompt, later.audio_prompt);
        take(&mut self.audio_completion, later.audio_completion);
        take(&mut self.image_prompt, later.image_prompt);
        take(&mut self.image_completion, later.image_completion);
        take(&mut self.web_searches, later.web_searches);
    }

    /// True when the provider reported neither side, so that the gateway has to count itself.
    pub fn is_missing(&self) -> bool {
        self.prompt.is_none() && self.completion.is_none()
    }

    /// Prompt plus completion; a missing side counts as zero.
    pub fn total(&self) -> u64 {
        self.prompt.unwrap_or(0).saturating_add(self.completion.unwrap_or(0))
    }

    /// Cache writes of both lifetimes.
    pub fn cache_write(&self) -> u64 {
        self.cache_write_5m.unwrap_or(0).saturating_add(self.cache_write_1h.unwrap_or(0))
    }
}
