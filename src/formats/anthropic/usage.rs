//! Token counts as Anthropic reports them, turned into inclusive ones.
//!
//! Used by the answer and stream decoders and by the pass-through taps. Anthropic counts cached
//! and cache-written tokens beside `input_tokens`; here they become part of the prompt. In a stream
//! every field is cumulative and its last word wins, so fields are merged before they are summed.

use crate::chat::Usage;
use serde::Deserialize;

/// Reads an Anthropic `usage` object; a value of another shape reports nothing.
pub fn usage(object: &[u8]) -> Usage {
    serde_json::from_slice::<Counts>(object).unwrap_or_default().usage()
}

/// The counts of one `usage` object, or of several merged.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Counts {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_creation: Option<Lifetimes>,
    output_tokens_details: Option<OutputDetails>,
    server_tool_use: Option<ServerTools>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
struct Lifetimes {
    ephemeral_5m_input_tokens: Option<u64>,
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
struct OutputDetails {
    thinking_tokens: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
struct ServerTools {
    web_search_requests: Option<u64>,
}

impl Counts {
    /// Takes over every field that a later event of the stream states.
    pub fn merge(&mut self, later: Self) {
        self.input_tokens = later.input_tokens.or(self.input_tokens);
        self.output_tokens = later.output_tokens.or(self.output_tokens);
        self.cache_read_input_tokens =
            later.cache_read_input_tokens.or(self.cache_read_input_tokens);
        self.cache_creation_input_tokens =
            later.cache_creation_input_tokens.or(self.cache_creation_input_tokens);
        self.cache_creation = later.cache_creation.or(self.cache_creation);
        self.output_tokens_details = later.output_tokens_details.or(self.output_tokens_details);
        self.server_tool_use = later.server_tool_use.or(self.server_tool_use);
    }

    /// The counts in neutral, inclusive terms.
    pub fn usage(self) -> Usage {
        let (five_minutes, hour) = self.cache_writes();
        let beside = [self.cache_read_input_tokens, five_minutes, hour];
        let prompt = self.input_tokens.map(|input| {
            beside.iter().flatten().fold(input, |sum, count| sum.saturating_add(*count))
        });
        Usage {
            prompt,
            completion: self.output_tokens,
            cached: self.cache_read_input_tokens,
            cache_write_5m: five_minutes,
            cache_write_1h: hour,
            reasoning: self.output_tokens_details.and_then(|details| details.thinking_tokens),
            web_searches: self.server_tool_use.and_then(|tools| tools.web_search_requests),
            ..Usage::default()
        }
    }

    /// Cache writes of 5 minutes and of 1 hour. The total is authoritative: a stream's end repeats
    /// it without the split.
    fn cache_writes(self) -> (Option<u64>, Option<u64>) {
        let split = self.cache_creation.unwrap_or_default();
        let (five, hour) = (split.ephemeral_5m_input_tokens, split.ephemeral_1h_input_tokens);
        match self.cache_creation_input_tokens {
            None => (five, hour),
            Some(total) => {
                let hour = hour.map(|hour| hour.min(total));
                (Some(total - hour.unwrap_or(0)), hour)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_become_inclusive() {
        let read = usage(
            br#"{"input_tokens":3,"cache_read_input_tokens":10,"cache_creation_input_tokens":30,
            "cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":10},
            "output_tokens":7,"output_tokens_details":{"thinking_tokens":5},
            "server_tool_use":{"web_search_requests":2,"x":1},"service_tier":"standard","new":{}}"#,
        );
        let expected = Usage {
            prompt: Some(43),
            completion: Some(7),
            cached: Some(10),
            cache_write_5m: Some(20),
            cache_write_1h: Some(10),
            reasoning: Some(5),
            web_searches: Some(2),
            ..Usage::default()
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn missing_and_foreign_shapes_report_nothing() {
        for text in ["", "null", "[]", "{}", "{\"input_tokens\":\"x\"}"] {
            assert!(usage(text.as_bytes()).is_missing(), "{text}");
        }
        let old = usage(br#"{"input_tokens":3,"output_tokens":4}"#);
        assert_eq!((old.prompt, old.cached, old.cache_write()), (Some(3), None, 0));
    }

    #[test]
    fn the_total_of_cache_writes_is_authoritative() {
        let cases = [
            (r#"{"cache_creation_input_tokens":9}"#, Some(9), None),
            (
                r#"{"cache_creation_input_tokens":9,"cache_creation":{"ephemeral_1h_input_tokens":4}}"#,
                Some(5),
                Some(4),
            ),
            (
                r#"{"cache_creation_input_tokens":3,"cache_creation":{"ephemeral_1h_input_tokens":4}}"#,
                Some(0),
                Some(3),
            ),
            (r#"{"cache_creation":{"ephemeral_5m_input_tokens":4}}"#, Some(4), None),
        ];
        for (text, five, hour) in cases {
            let read = usage(text.as_bytes());
            assert_eq!((read.cache_write_5m, read.cache_write_1h), (five, hour), "{text}");
        }
    }

    #[test]
    fn the_last_word_on_a_field_wins() {
        let read = |text: &str| serde_json::from_str::<Counts>(text).unwrap();
        let mut counts =
            read(r#"{"input_tokens":5,"output_tokens":1,"cache_read_input_tokens":100}"#);
        counts.merge(read(r#"{"output_tokens":50}"#));
        counts.merge(read(r#"{"output_tokens":60,"input_tokens":8}"#));
        let usage = counts.usage();
        assert_eq!((usage.prompt, usage.completion), (Some(108), Some(60)));
    }
}
