//! Token counts in the words of this format.
//!
//! Read by the answer and stream decoders and the usage reader, written by the encoders. Counts
//! are inclusive here as everywhere: input contains cached tokens, output contains reasoning.

use super::object::Object;
use crate::chat::Usage;
use crate::formats::charge::{Charge, Sides};
use bytes::{BufMut, BytesMut};

/// Reads a `usage` object.
pub(super) fn read(usage: &Object<'_>) -> Usage {
    let input = usage.object("input_tokens_details").unwrap_or_default();
    let output = usage.object("output_tokens_details").unwrap_or_default();
    let tools = usage.object("server_side_tool_usage_details").unwrap_or_default();
    Usage {
        prompt: usage.count("input_tokens"),
        completion: usage.count("output_tokens"),
        cached: input.count("cached_tokens"),
        cache_write_5m: input.count("cache_write_tokens"),
        reasoning: output.count("reasoning_tokens"),
        audio_prompt: input.count("audio_tokens"),
        audio_completion: output.count("audio_tokens"),
        web_searches: tools.count("web_search_calls"),
        ..Usage::default()
    }
}

/// Appends a `usage` object, with the counts that are charged for, if any are, or `null` when
/// nothing was reported.
pub(super) fn write(usage: &Usage, charge: Option<&Charge>, out: &mut BytesMut) {
    let usage = charge.map_or(usage, |charge| &charge.usage);
    if usage.is_missing() {
        return out.put_slice(b"null");
    }
    let mut number = itoa::Buffer::new();
    let mut put = |name: &str, count: u64| {
        out.put_slice(name.as_bytes());
        out.put_slice(number.format(count).as_bytes());
    };
    put(r#"{"input_tokens":"#, usage.prompt.unwrap_or(0));
    put(r#","input_tokens_details":{"cached_tokens":"#, usage.cached.unwrap_or(0));
    // Clients count on it.
    put(r#","cache_write_tokens":"#, usage.cache_write());
    put(r#"},"output_tokens":"#, usage.completion.unwrap_or(0));
    put(r#","output_tokens_details":{"reasoning_tokens":"#, usage.reasoning.unwrap_or(0));
    put(r#"},"total_tokens":"#, usage.total());
    if let Some(charge) = charge {
        charge.write(Sides::Responses, out);
    }
    out.put_u8(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_back_as_they_were() {
        let cases = [
            (
                r#"{"input_tokens":9,"output_tokens":4,"total_tokens":13}"#,
                (Some(9), Some(4), None, None),
            ),
            (
                r#"{"input_tokens":9.0,"input_tokens_details":{"cached_tokens":0},"output_tokens":4,"output_tokens_details":{"reasoning_tokens":3}}"#,
                (Some(9), Some(4), Some(0), Some(3)),
            ),
            (r#"{"input_tokens":null,"output_tokens":"4"}"#, (None, None, None, None)),
        ];
        for (json, expected) in cases {
            let usage = super::super::usage_of(json.as_bytes());
            assert_eq!((usage.prompt, usage.completion, usage.cached, usage.reasoning), expected);
            let mut written = BytesMut::new();
            write(&usage, None, &mut written);
            let again = super::super::usage_of(&written);
            assert_eq!((again.prompt, again.completion), (usage.prompt, usage.completion));
            assert_eq!(again.cached.unwrap_or(0), usage.cached.unwrap_or(0));
        }
    }

    #[test]
    fn searches_and_cache_writes_count() {
        let json = br#"{"input_tokens":1,"output_tokens":1,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":5},"server_side_tool_usage_details":{"web_search_calls":2}}"#;
        let usage = super::super::usage_of(json);
        assert_eq!((usage.cache_write(), usage.web_searches), (5, Some(2)));
    }
}
