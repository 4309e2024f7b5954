//! Reads `usageMetadata` into inclusive token counts, and writes it.
//!
//! Google counts thoughts and tool-use prompts beside the other counts and leaves zeros out; a
//! metadata object that states no count at all (Vertex sends such) says nothing.

use super::answer::Word;
use crate::chat::Usage;
use crate::json::write_string;
use bytes::{BufMut, BytesMut};
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Token counts of a `usageMetadata` object; nothing when it is not one.
pub fn usage(object: &[u8]) -> Usage {
    serde_json::from_slice::<Metadata<'_>>(object)
        .map(|metadata| metadata.counts())
        .unwrap_or_default()
}

/// What Vertex writes before its words for a tier.
const ON_DEMAND: &str = "on_demand_";
/// Google's words for a tier and OpenAI's.
const TIERS: [(&str, &str); 3] =
    [("standard", "default"), ("flex", "flex"), ("priority", "priority")];

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata<'a> {
    #[serde(alias = "prompt_token_count", default, deserialize_with = "count")]
    prompt_token_count: Option<u64>,
    #[serde(alias = "tool_use_prompt_token_count", default, deserialize_with = "count")]
    tool_use_prompt_token_count: Option<u64>,
    #[serde(alias = "candidates_token_count", default, deserialize_with = "count")]
    candidates_token_count: Option<u64>,
    #[serde(alias = "thoughts_token_count", default, deserialize_with = "count")]
    thoughts_token_count: Option<u64>,
    #[serde(alias = "cached_content_token_count", default, deserialize_with = "count")]
    cached_content_token_count: Option<u64>,
    #[serde(alias = "total_token_count", default, deserialize_with = "count")]
    total_token_count: Option<u64>,
    #[serde(alias = "prompt_tokens_details")]
    prompt_tokens_details: Option<Audio>,
    #[serde(alias = "candidates_tokens_details")]
    candidates_tokens_details: Option<Audio>,
    #[serde(borrow, alias = "service_tier")]
    service_tier: Option<Word<'a>>,
    #[serde(borrow, alias = "traffic_type")]
    traffic_type: Option<Word<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModalityCount<'a> {
    #[serde(borrow)]
    modality: Option<Word<'a>>,
    #[serde(alias = "token_count", default, deserialize_with = "count")]
    token_count: Option<u64>,
}

/// Tokens of modality AUDIO (4 in numeric encoding) in a list of counts; none where there are no.
#[derive(Debug, Default)]
struct Audio(Option<u64>);

impl<'de> Deserialize<'de> for Audio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AudioVisitor;
        impl<'de> Visitor<'de> for AudioVisitor {
            type Value = Audio;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of token counts")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Audio, A::Error> {
                let mut total = 0_u64;
                while let Some(detail) = list.next_element::<ModalityCount<'de>>()? {
                    if detail.modality.is_some_and(|modality| modality.is("AUDIO", 4)) {
                        total = total.saturating_add(detail.token_count.unwrap_or(0));
                    }
                }
                Ok(Audio((total > 0).then_some(total)))
            }
        }
        deserializer.deserialize_seq(AudioVisitor)
    }
}

/// A count; what is not one says nothing, so that an odd number never costs the answer.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    struct CountVisitor;
    impl Visitor<'_> for CountVisitor {
        type Value = Option<u64>;
        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a number of tokens")
        }
        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Option<u64>, E> {
            Ok(Some(number))
        }
        fn visit_i64<E: de::Error>(self, _: i64) -> Result<Option<u64>, E> {
            Ok(None)
        }
        fn visit_f64<E: de::Error>(self, _: f64) -> Result<Option<u64>, E> {
            Ok(None)
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Option<u64>, E> {
            Ok(text.parse().ok())
        }
        fn visit_unit<E: de::Error>(self) -> Result<Option<u64>, E> {
            Ok(None)
        }
    }
    deserializer.deserialize_any(CountVisitor)
}

impl Metadata<'_> {
    /// The counts, inclusive as everywhere in the gateway.
    pub(super) fn counts(&self) -> Usage {
        let prompt = sum(self.prompt_token_count, self.tool_use_prompt_token_count);
        let answer = sum(self.candidates_token_count, self.thoughts_token_count);
        if prompt.is_none() && answer.is_none() && self.total_token_count.is_none() {
            return Usage::default();
        }
        let rest =
            self.total_token_count.map(|total| total.saturating_sub(prompt.unwrap_or_default()));
        Usage {
            prompt,
            completion: answer.or(rest),
            cached: Some(self.cached_content_token_count.unwrap_or(0)),
            reasoning: Some(self.thoughts_token_count.unwrap_or(0)),
            audio_prompt: self.prompt_tokens_details.as_ref().and_then(|audio| audio.0),
            audio_completion: self.candidates_tokens_details.as_ref().and_then(|audio| audio.0),
            ..Usage::default()
        }
    }

    /// The tier that served the request, in OpenAI's words.
    pub(super) fn tier(&self) -> Option<Cow<'static, str>> {
        let word = match (&self.service_tier, &self.traffic_type) {
            (Some(Word::Text(word)), _) | (None, Some(Word::Text(word))) => word.as_ref(),
            _ => return None,
        };
        let word = match word.split_at_checked(ON_DEMAND.len()) {
            Some((start, rest)) if start.eq_ignore_ascii_case(ON_DEMAND) => rest,
            _ => word,
        };
        let tier = TIERS.iter().find(|(theirs, _)| word.eq_ignore_ascii_case(theirs));
        tier.map(|(_, ours)| Cow::Borrowed(*ours))
    }
}

/// Appends `,"usageMetadata":{…}`; nothing when nothing is known. `tier` is in OpenAI's words.
pub(super) fn write(usage: &Usage, tier: Option<&str>, out: &mut BytesMut) {
    let tier = tier.and_then(|tier| match tier {
        "default" | "standard" => Some("standard"),
        "flex" => Some("flex"),
        "priority" | "fast" => Some("priority"),
        _ => None,
    });
    if usage.is_missing() && tier.is_none() {
        return;
    }
    let above_zero = |count: Option<u64>| count.filter(|count| *count > 0);
    let reasoning = above_zero(usage.reasoning);
    let visible = usage.completion.map(|all| all.saturating_sub(reasoning.unwrap_or(0)));
    let total = usage.prompt.and(usage.completion).map(|_| usage.total());
    let mut separator: &[u8] = br#","usageMetadata":{"#;
    for (name, count) in [
        ("promptTokenCount", usage.prompt),
        ("cachedContentTokenCount", above_zero(usage.cached)),
        ("candidatesTokenCount", visible),
        ("thoughtsTokenCount", reasoning),
        ("totalTokenCount", total),
    ] {
        let Some(count) = count else { continue };
        out.put_slice(separator);
        write_string(out, name);
        out.put_u8(b':');
        out.put_slice(itoa::Buffer::new().format(count).as_bytes());
        separator = b",";
    }
    for (name, all, sound) in [
        ("promptTokensDetails", usage.prompt, usage.audio_prompt),
        ("candidatesTokensDetails", visible, usage.audio_completion),
    ] {
        let (Some(all), Some(sound)) = (all, above_zero(sound)) else { continue };
        out.put_slice(separator);
        write_string(out, name);
        out.put_slice(b":[");
        let text = all.saturating_sub(sound);
        if text > 0 {
            write_modality("TEXT", text, out);
            out.put_u8(b',');
        }
        write_modality("AUDIO", sound, out);
        out.put_u8(b']');
        separator = b",";
    }
    if let Some(tier) = tier {
        out.put_slice(separator);
        out.put_slice(br#""serviceTier":"#);
        write_string(out, tier);
    }
    out.put_u8(b'}');
}

fn write_modality(name: &str, count: u64, out: &mut BytesMut) {
    out.put_slice(br#"{"modality":"#);
    write_string(out, name);
    out.put_slice(br#","tokenCount":"#);
    out.put_slice(itoa::Buffer::new().format(count).as_bytes());
    out.put_u8(b'}');
}

fn sum(first: Option<u64>, second: Option<u64>) -> Option<u64> {
    match (first, second) {
        (None, None) => None,
        (first, second) => Some(first.unwrap_or(0).saturating_add(second.unwrap_or(0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_inclusive() {
        let usage = usage(
            br#"{"promptTokenCount":100,"toolUsePromptTokenCount":7,"candidatesTokenCount":20,
            "thoughtsTokenCount":30,"cachedContentTokenCount":64,"totalTokenCount":157,
            "promptTokensDetails":[{"modality":"TEXT","tokenCount":90},{"modality":"AUDIO","tokenCount":10}]}"#,
        );
        assert_eq!(usage.prompt, Some(107));
        assert_eq!(usage.completion, Some(50));
        assert_eq!(usage.cached, Some(64));
        assert_eq!(usage.reasoning, Some(30));
        assert_eq!(usage.audio_prompt, Some(10));
        assert_eq!(usage.audio_completion, None);
    }

    #[test]
    fn absent_answer_count_follows_from_the_total() {
        let blocked = usage(br#"{"promptTokenCount":9,"totalTokenCount":9}"#);
        assert_eq!((blocked.prompt, blocked.completion), (Some(9), Some(0)));
        let thinking = usage(br#"{"prompt_token_count":9,"thoughts_token_count":4}"#);
        assert_eq!((thinking.prompt, thinking.completion), (Some(9), Some(4)));
    }

    #[test]
    fn no_counts_say_nothing() {
        assert_eq!(usage(br#"{"trafficType":"ON_DEMAND"}"#), Usage::default());
        assert_eq!(usage(b"nonsense"), Usage::default());
    }

    #[test]
    fn odd_counts_do_not_cost_the_rest() {
        let usage = usage(
            br#"{"promptTokenCount":"12","candidatesTokenCount":-1,"thoughtsTokenCount":null,
            "totalTokenCount":20,"cachedContentTokenCount":1.5}"#,
        );
        assert_eq!((usage.prompt, usage.completion, usage.cached), (Some(12), Some(8), Some(0)));
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let full = Usage {
            prompt: Some(100),
            completion: Some(50),
            cached: Some(64),
            reasoning: Some(30),
            audio_prompt: Some(10),
            audio_completion: Some(20),
            ..Usage::default()
        };
        let zero = Usage { cached: Some(0), reasoning: Some(0), audio_prompt: None, ..full };
        let half = Usage { completion: None, reasoning: Some(0), audio_completion: None, ..full };
        for (given, tier) in [(full, Some("priority")), (zero, None), (half, Some("default"))] {
            let mut out = BytesMut::from(&b"{\"a\":1"[..]);
            write(&given, tier, &mut out);
            out.put_u8(b'}');
            let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
            let object = value["usageMetadata"].to_string();
            let again = usage(object.as_bytes());
            let metadata: Metadata<'_> = serde_json::from_str(&object).unwrap();
            assert_eq!(again, given, "{object}");
            assert_eq!(metadata.tier().as_deref(), tier);
        }
        let mut out = BytesMut::new();
        write(&Usage::default(), Some("scale"), &mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn numeric_modality_is_read() {
        let usage = usage(
            br#"{"promptTokenCount":5,"promptTokensDetails":[{"modality":4,"tokenCount":5}]}"#,
        );
        assert_eq!(usage.audio_prompt, Some(5));
    }
}
