//! Token counts in OpenAI's words, with the differences of the providers that borrow them.
//!
//! Read by the answer decoder, the stream decoder and the pass-through tap; written by the encoders.
//! The result always follows the neutral rule: prompt includes cached, completion includes
//! reasoning.

use crate::chat::Usage;
use crate::formats::charge::{Charge, Sides};
use crate::formats::tree::Node;
use bytes::{BufMut, BytesMut};

/// Reads a `usage` object.
pub(super) fn read(usage: &Node<'_>) -> Usage {
    let count = |key: &str| usage.get(key).and_then(Node::as_count);
    let detail = |object: &str, key: &str| usage.get(object)?.get(key)?.as_count();
    let prompt = count("prompt_tokens");
    let completion = count("completion_tokens");
    let audio_prompt = detail("prompt_tokens_details", "audio_tokens");
    let reasoning = detail("completion_tokens_details", "reasoning_tokens")
        .or_else(|| count("reasoning_tokens"));
    let counts =
        Counts { prompt, completion, reasoning, audio_prompt, total: count("total_tokens") };
    Usage {
        prompt: counts.whole_prompt(),
        completion: counts.whole_completion(),
        cached: detail("prompt_tokens_details", "cached_tokens")
            .or_else(|| count("prompt_cache_hit_tokens"))
            .or_else(|| count("cached_tokens"))
            .or_else(|| count("cache_read_input_tokens")),
        cache_write_5m: detail("prompt_tokens_details", "cache_write_tokens"),
        cache_write_1h: None,
        reasoning,
        audio_prompt,
        audio_completion: detail("completion_tokens_details", "audio_tokens"),
        web_searches: detail("server_tool_use", "web_search_requests"),
        ..Usage::default()
    }
}

/// The counts that have to be seen together.
struct Counts {
    prompt: Option<u64>,
    completion: Option<u64>,
    reasoning: Option<u64>,
    audio_prompt: Option<u64>,
    total: Option<u64>,
}

impl Counts {
    /// Mistral leaves audio out of the prompt, but not out of the total.
    fn whole_prompt(&self) -> Option<u64> {
        let prompt = self.prompt?;
        let audio = self.audio_prompt.unwrap_or(0);
        let sum = prompt.saturating_add(self.completion.unwrap_or(0)).saturating_add(audio);
        Some(if audio > 0 && self.total == Some(sum) {
            prompt.saturating_add(audio)
        } else {
            prompt
        })
    }

    /// xAI counts reasoning beside the completion, as do Vercel and Doubleword, which betray it by
    /// more reasoning than completion; Google's OpenAI layer shows it in the total alone.
    fn whole_completion(&self) -> Option<u64> {
        let completion = self.completion?;
        let reasoning = self.reasoning.unwrap_or(0);
        let sum = self.whole_prompt().unwrap_or(0).saturating_add(completion);
        let total = self.total.unwrap_or(sum);
        let beside = total == sum.saturating_add(reasoning) || reasoning > completion;
        if beside {
            return Some(completion.saturating_add(reasoning));
        }
        if reasoning == 0 && total > sum {
            return Some(completion.saturating_add(total.saturating_sub(sum)));
        }
        Some(completion)
    }
}

/// Appends a `usage` object, with the counts that are charged for, if any are; others that the
/// provider did not state are zero.
pub(crate) fn write(usage: &Usage, charge: Option<&Charge>, out: &mut BytesMut) {
    let usage = charge.map_or(usage, |charge| &charge.usage);
    let mut number = itoa::Buffer::new();
    let mut put = |name: &str, count: u64| {
        out.put_slice(name.as_bytes());
        out.put_slice(number.format(count).as_bytes());
    };
    put(r#"{"prompt_tokens":"#, usage.prompt.unwrap_or(0));
    put(r#","completion_tokens":"#, usage.completion.unwrap_or(0));
    put(r#","total_tokens":"#, usage.total());
    put(r#","prompt_tokens_details":{"cached_tokens":"#, usage.cached.unwrap_or(0));
    put(r#","cache_write_tokens":"#, usage.cache_write());
    put(r#","audio_tokens":"#, usage.audio_prompt.unwrap_or(0));
    put(r#"},"completion_tokens_details":{"reasoning_tokens":"#, usage.reasoning.unwrap_or(0));
    put(r#","audio_tokens":"#, usage.audio_completion.unwrap_or(0));
    if let Some(searches) = usage.web_searches.filter(|&searches| searches > 0) {
        put(r#"},"server_tool_use":{"web_search_requests":"#, searches);
    }
    out.put_u8(b'}');
    if let Some(charge) = charge {
        charge.write(Sides::Chat, out);
    }
    out.put_u8(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::openai_chat::RAW_KEYS;

    fn read_text(json: &str) -> Usage {
        read(&Node::parse(json.as_bytes(), &RAW_KEYS).unwrap())
    }

    #[test]
    fn completion_includes_reasoning_whoever_counts() {
        let cases = [
            (
                "openai",
                r#"{"prompt_tokens":10,"completion_tokens":50,"total_tokens":60,"completion_tokens_details":{"reasoning_tokens":30}}"#,
                (10, 50),
            ),
            (
                "xai",
                r#"{"prompt_tokens":288,"completion_tokens":27,"total_tokens":665,"completion_tokens_details":{"reasoning_tokens":350}}"#,
                (288, 377),
            ),
            (
                "vercel",
                r#"{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,"completion_tokens_details":{"reasoning_tokens":25}}"#,
                (9, 27),
            ),
            ("google", r#"{"prompt_tokens":9,"completion_tokens":2,"total_tokens":40}"#, (9, 31)),
            (
                "mistral audio",
                r#"{"prompt_tokens":11,"completion_tokens":15,"total_tokens":401,"prompt_tokens_details":{"audio_tokens":375}}"#,
                (386, 15),
            ),
            ("no total", r#"{"prompt_tokens":9,"completion_tokens":2}"#, (9, 2)),
        ];
        for (name, json, (prompt, completion)) in cases {
            let usage = read_text(json);
            assert_eq!(
                (usage.prompt, usage.completion),
                (Some(prompt), Some(completion)),
                "{name}"
            );
        }
    }

    #[test]
    fn cached_tokens_are_found_under_every_name() {
        for json in [
            r#"{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":7}}"#,
            r#"{"prompt_tokens":9,"prompt_cache_hit_tokens":7,"prompt_cache_miss_tokens":2}"#,
            r#"{"prompt_tokens":9,"cached_tokens":7}"#,
        ] {
            assert_eq!(read_text(json).cached, Some(7), "{json}");
        }
    }

    #[test]
    fn null_counts_are_unknown() {
        let usage =
            read_text(r#"{"prompt_tokens":14,"completion_tokens":null,"total_tokens":null}"#);
        assert_eq!((usage.prompt, usage.completion), (Some(14), None));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let usage = Usage {
            prompt: Some(500),
            completion: Some(200),
            cached: Some(400),
            cache_write_5m: Some(100),
            reasoning: Some(30),
            audio_prompt: Some(0),
            audio_completion: Some(0),
            web_searches: Some(2),
            ..Usage::default()
        };
        let mut out = BytesMut::new();
        write(&usage, None, &mut out);
        assert_eq!(read_text(std::str::from_utf8(&out).unwrap()), usage);
    }
}
