//! What the name of a model tells: what to call it, whose tokenizer it has, when that version of it
//! was made, and what it answers with where nobody says it.
//!
//! Used when the catalogue is built. Nothing is guessed that a name does not say: the day is that
//! which the name bears, a family is `Other` unless the name has it.

use super::modality::{Output, Outputs};
use crate::catalog::{Modalities, Modality};
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Parts of names, and the family they tell; the first that is found counts.
const FAMILIES: &[(&str, &str)] = &[
    ("llama-4", "Llama4"),
    ("llama4", "Llama4"),
    ("llama-3", "Llama3"),
    ("llama3", "Llama3"),
    ("distill-llama", "Llama3"),
    ("llama-2", "Llama2"),
    ("llama2", "Llama2"),
    ("qwen3", "Qwen3"),
    ("qwen", "Qwen"),
    ("qwq", "Qwen"),
    ("qvq", "Qwen"),
    ("deepseek", "DeepSeek"),
    ("claude", "Claude"),
    ("gemini", "Gemini"),
    ("gemma", "Gemini"),
    ("grok", "Grok"),
    ("gpt", "GPT"),
    ("davinci", "GPT"),
    ("text-embedding-3", "GPT"),
    ("text-embedding-ada", "GPT"),
    ("command-r", "Cohere"),
    ("command-a", "Cohere"),
    ("cohere", "Cohere"),
    ("nova-", "Nova"),
    ("mistral", "Mistral"),
    ("mixtral", "Mistral"),
    ("ministral", "Mistral"),
    ("codestral", "Mistral"),
    ("magistral", "Mistral"),
    ("devstral", "Mistral"),
    ("pixtral", "Mistral"),
    ("voxtral", "Mistral"),
    ("rwkv", "RWKV"),
];

/// The family of tokenizers, in OpenRouter's words.
pub(super) fn family(model: &str) -> &'static str {
    let lower = model.to_ascii_lowercase();
    let known = FAMILIES.iter().find(|(part, _)| lower.contains(part));
    match known {
        Some((_, family)) => family,
        None if last_segment(&lower).split('-').next().is_some_and(is_o_series) => "GPT",
        None if last_segment(&lower).starts_with("yi-") => "Yi",
        None => "Other",
    }
}

/// `o1`, `o3`, `o4`.
fn is_o_series(word: &str) -> bool {
    let number = word.strip_prefix('o');
    number.is_some_and(|digits| digits.len() == 1 && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// The start of the day that a name bears, such as `-2025-08-07` or `-20250929`, in Unix seconds;
/// 0 for a name without one.
pub(super) fn created_s(model: &str) -> u64 {
    let words: Vec<&str> = model.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let whole = words.iter().find_map(|word| {
        let (year, rest) = word.split_at_checked(4)?;
        let (month, day) = rest.split_at_checked(2)?;
        day_s(year, month, day)
    });
    let split = || {
        words.windows(3).find_map(|three| match three {
            [year, month, day] => day_s(year, month, day),
            _ => None,
        })
    };
    whole.or_else(split).unwrap_or(0)
}

fn day_s(year: &str, month: &str, day: &str) -> Option<u64> {
    if (year.len(), month.len(), day.len()) != (4, 2, 2) || !year.starts_with("20") {
        return None;
    }
    let date = Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
    let start = date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
    u64::try_from(start).ok()
}

/// Words that are written in capitals.
const CAPITALS: &[&str] =
    &["gpt", "glm", "oss", "vl", "tts", "ocr", "ai", "hd", "qwq", "qvq", "lfm", "moe", "vlm"];

/// A name for people, from the name for programs: `gpt-5.4-mini` → `GPT-5.4 Mini`.
pub(super) fn title(model: &str) -> String {
    let mut title = String::with_capacity(model.len() + 4);
    let mut before = "";
    for word in last_segment(model).split(['-', '_', ' ']).filter(|word| !word.is_empty()) {
        if !title.is_empty() {
            title.push(separator(before, word));
        }
        push_word(&mut title, word);
        before = word;
    }
    title
}

/// The numbers of a version belong together, and OpenAI writes `GPT-5`.
fn separator(before: &str, word: &str) -> char {
    let is_digit = |word: &str| word.len() == 1 && word.bytes().all(|b| b.is_ascii_digit());
    let is_numeral = word.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    if is_digit(before) && is_digit(word) {
        '.'
    } else if before.eq_ignore_ascii_case("gpt") && is_numeral {
        '-'
    } else {
        ' '
    }
}

fn push_word(title: &mut String, word: &str) {
    let lower = word.to_ascii_lowercase();
    let is_size = lower.strip_suffix(['b', 'k', 'm']).is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    });
    if CAPITALS.contains(&lower.as_str()) || is_size {
        title.push_str(&lower.to_ascii_uppercase());
    } else if is_o_series(&lower) {
        title.push_str(&lower);
    } else {
        let mut chars = word.chars();
        title.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        title.push_str(chars.as_str());
    }
}

/// The name without the organisations that some providers put before it.
fn last_segment(model: &str) -> &str {
    model.rsplit_once('/').map_or(model, |(_, last)| last)
}

/// Parts of names, and what a model of such a name answers with.
const KINDS: &[(&str, &[Output])] = &[
    ("rerank", &[Output::Rerank]),
    ("embed", &[Output::Embeddings]),
    ("whisper", &[Output::Transcription]),
    ("transcribe", &[Output::Transcription]),
    ("-tts", &[Output::Audio, Output::Speech]),
    ("tts-", &[Output::Audio, Output::Speech]),
    ("gpt-image", &[Output::Image]),
    ("chatgpt-image", &[Output::Image]),
    ("dall-e", &[Output::Image]),
    ("imagen-", &[Output::Image]),
    ("sora-", &[Output::Video]),
    ("veo-", &[Output::Video]),
];

/// What a model answers with. Lists of prices call everything text that is billed by the token, so
/// that a name that says otherwise counts more than text alone.
pub(super) fn outputs(model: &str, writes: Modalities) -> Outputs {
    let only_text = writes.iter().all(|modality| modality == Modality::Text);
    let lower = model.to_ascii_lowercase();
    let kind = KINDS.iter().find(|(part, _)| only_text && lower.contains(part));
    match kind {
        Some((_, outputs)) => outputs.iter().copied().collect(),
        None if writes.is_empty() => [Output::Text].into_iter().collect(),
        None => writes.iter().filter_map(Output::of_modality).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles() {
        let table = [
            ("gpt-5.4-mini", "GPT-5.4 Mini"),
            ("claude-sonnet-4-5", "Claude Sonnet 4.5"),
            ("claude-3-5-haiku-20241022", "Claude 3.5 Haiku 20241022"),
            ("o4-mini", "o4 Mini"),
            ("openai/gpt-oss-120b", "GPT OSS 120B"),
            ("accounts/fireworks/models/llama-v3p1-8b", "Llama V3p1 8B"),
            ("gemini-2.5-flash_lite", "Gemini 2.5 Flash Lite"),
            ("-", ""),
            ("模型", "模型"),
        ];
        for (model, expected) in table {
            assert_eq!(title(model), expected, "{model}");
        }
    }

    #[test]
    fn days() {
        let table = [
            ("gpt-4o-2024-08-06", 1_722_902_400),
            ("claude-sonnet-4-5-20250929", 1_759_104_000),
            ("anthropic.claude-3-5-sonnet-20240620-v1:0", 1_718_841_600),
            ("claude-sonnet-4-5@20250929", 1_759_104_000),
            ("gpt-5.4", 0),
            ("gpt-4-0613", 0),
            ("x-20251399", 0),
            ("x-99991231", 0),
            ("x-2024-8-6", 0),
            ("", 0),
        ];
        for (model, expected) in table {
            assert_eq!(created_s(model), expected, "{model}");
        }
    }

    #[test]
    fn families() {
        let table = [
            ("openai/gpt-5.4", "GPT"),
            ("o3-mini", "GPT"),
            ("claude-opus-4", "Claude"),
            ("deepseek-r1-distill-llama-70b", "Llama3"),
            ("deepseek-r1-distill-qwen-32b", "Qwen"),
            ("qwen3-235b", "Qwen3"),
            ("meta-llama/Llama-4-Scout", "Llama4"),
            ("Mistral-Large", "Mistral"),
            ("olmo-2", "Other"),
            ("01-ai/yi-34b", "Yi"),
        ];
        for (model, expected) in table {
            assert_eq!(family(model), expected, "{model}");
        }
    }

    #[test]
    fn kinds() {
        let text: Modalities = [Modality::Text].into_iter().collect();
        let both: Modalities = [Modality::Text, Modality::Image].into_iter().collect();
        let none = Modalities::default();
        let table = [
            ("text-embedding-3-small", text, "embeddings"),
            ("gpt-5.4", none, "text"),
            ("gpt-5.4", text, "text"),
            ("gemini-image", both, "text+image"),
            ("whisper-large-v3", text, "transcription"),
            ("gpt-4o-mini-tts", none, "audio+speech"),
            ("gpt-image-1", text, "image"),
            // Who states more than text has looked.
            ("gpt-image-1", both, "text+image"),
        ];
        for (model, writes, expected) in table {
            assert_eq!(outputs(model, writes).joined(), expected, "{model}");
        }
    }
}
