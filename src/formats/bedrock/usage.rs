//! Token counts as Converse reports them, turned into inclusive ones.
//!
//! Used by the answer and stream readers and by `formats::usage_reader`. Converse counts tokens
//! read from and written to the cache beside `inputTokens`; here they become part of the prompt.

use crate::chat::Usage;
use serde::Deserialize;

/// Reads a Converse `usage` object; a value of another shape reports nothing.
pub fn usage(object: &[u8]) -> Usage {
    serde_json::from_slice::<Counts>(object).unwrap_or_default().usage()
}

/// The counts as they are spelled.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counts {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
    /// The same counts under the names of Nova's own format.
    cache_read_input_token_count: Option<u64>,
    cache_write_input_token_count: Option<u64>,
    cache_details: Option<Vec<CacheDetail>>,
}

/// Tokens written to the cache, by lifetime.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CacheDetail {
    ttl: Option<String>,
    input_tokens: Option<u64>,
}

impl Counts {
    /// The counts in neutral, inclusive terms.
    pub(super) fn usage(&self) -> Usage {
        let cached = self.cache_read_input_tokens.or(self.cache_read_input_token_count);
        let (five_minutes, hour) = self.cache_writes();
        let beside = [cached, five_minutes, hour];
        let prompt = self.input_tokens.map(|input| {
            beside.iter().flatten().fold(input, |sum, count| sum.saturating_add(*count))
        });
        Usage {
            prompt,
            completion: self.output_tokens,
            cached,
            cache_write_5m: five_minutes,
            cache_write_1h: hour,
            ..Usage::default()
        }
    }

    /// Cache writes of 5 minutes and of 1 hour; their sum is the stated total.
    fn cache_writes(&self) -> (Option<u64>, Option<u64>) {
        let Some(total) = self.cache_write_input_tokens.or(self.cache_write_input_token_count)
        else {
            return (None, None);
        };
        let details = self.cache_details.iter().flatten();
        let hour = details
            .filter(|detail| detail.ttl.as_deref() == Some("1h"))
            .filter_map(|detail| detail.input_tokens)
            .fold(0u64, u64::saturating_add)
            .min(total);
        (Some(total - hour), (hour > 0).then_some(hour))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_become_inclusive() {
        let cases: [(&str, [Option<u64>; 5]); 7] = [
            (
                r#"{"inputTokens":7,"outputTokens":64,"serverToolUsage":{},"totalTokens":71}"#,
                [Some(7), Some(64), None, None, None],
            ),
            (
                r#"{"cacheReadInputTokenCount":7351,"cacheReadInputTokens":7351,"cacheWriteInputTokenCount":0,"cacheWriteInputTokens":0,"inputTokens":10,"outputTokens":4}"#,
                [Some(7361), Some(4), Some(7351), Some(0), None],
            ),
            (
                r#"{"cacheDetails":[{"inputTokens":1712,"ttl":"5m"}],"cacheReadInputTokens":0,"cacheWriteInputTokens":1712,"inputTokens":3,"outputTokens":227}"#,
                [Some(1715), Some(227), Some(0), Some(1712), None],
            ),
            (
                r#"{"cacheDetails":[{"inputTokens":30,"ttl":"1h"},{"inputTokens":5,"ttl":"5m"}],"cacheWriteInputTokens":35,"inputTokens":3}"#,
                [Some(38), None, None, Some(5), Some(30)],
            ),
            (
                r#"{"inputTokens":1,"cacheReadInputTokenCount":2,"cacheWriteInputTokenCount":3}"#,
                [Some(6), None, Some(2), Some(3), None],
            ),
            (r#"{"inputTokens":0,"outputTokens":0}"#, [Some(0), Some(0), None, None, None]),
            ("[]", [None; 5]),
        ];
        for (text, expected) in cases {
            let read = usage(text.as_bytes());
            let counts = [
                read.prompt,
                read.completion,
                read.cached,
                read.cache_write_5m,
                read.cache_write_1h,
            ];
            assert_eq!(counts, expected, "{text}");
        }
    }
}
