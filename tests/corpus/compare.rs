//! Which differences between two readings of an answer the translation table allows.
//!
//! What it grades as equal must be equal; what a format has no place for may be missing, never
//! different.

use crate::reading::{Answer, Choice, Finish};
use crate::{json::Json, read_chat, read_generate, read_messages, read_responses};
use arouter::formats::ApiFormat;
use std::collections::BTreeSet;

/// Reads a whole answer of any format.
pub fn read(format: ApiFormat, body: &Json) -> Answer {
    match format {
        ApiFormat::OpenAiChat => read_chat::answer(body),
        ApiFormat::OpenAiResponses => read_responses::answer(body),
        ApiFormat::Anthropic => read_messages::answer(body),
        ApiFormat::Gemini => read_generate::answer(body),
        ApiFormat::Bedrock => read_messages::converse(body),
        ApiFormat::Completions => completion(body),
    }
}

/// A legacy completion has text and an end.
fn completion(body: &Json) -> Answer {
    let mut chat = body.clone();
    for at in 0..body["choices"].list().len() {
        let text = body["choices"][at]["text"].clone();
        chat.element("choices", at).slot("message").set("content", text);
    }
    read_chat::answer(&chat)
}

/// The complaints about `got`, which is `told` after its way from one format to another.
pub fn compare(told: &Answer, got: &Answer, from: ApiFormat, to: ApiFormat) -> Vec<String> {
    let mut complaints = Vec::new();
    let silent = [Choice { finish: Finish::Stop, ..Choice::default() }];
    let told_choices = if told.choices.is_empty() { &silent[..] } else { told.choices.as_slice() };
    let only_one = matches!(to, ApiFormat::Anthropic | ApiFormat::OpenAiResponses);
    let wanted = if only_one { &told_choices[..1] } else { told_choices };
    if wanted.len() != got.choices.len() {
        complaints.push(format!("{} choices became {}", wanted.len(), got.choices.len()));
    }
    for (told, got) in wanted.iter().zip(&got.choices) {
        Judge { told, got, from, to, complaints: &mut complaints }.all();
    }
    usage(told, got, to, &mut complaints);
    complaints
}

/// Compares one alternative.
struct Judge<'j> {
    told: &'j Choice,
    got: &'j Choice,
    from: ApiFormat,
    to: ApiFormat,
    complaints: &'j mut Vec<String>,
}

impl Judge<'_> {
    fn all(&mut self) {
        self.words();
        self.finish();
        if self.to == ApiFormat::Completions {
            return;
        }
        self.reasoning();
        self.calls();
        self.sources();
        self.media();
        if self.told.signatures != self.got.signatures {
            self.complain("signatures", &self.told.signatures, &self.got.signatures);
        }
    }

    fn complain(&mut self, what: &str, told: impl std::fmt::Debug, got: impl std::fmt::Debug) {
        let (told, got) = (format!("{told:?}"), format!("{got:?}"));
        let same = told.bytes().zip(got.bytes()).take_while(|(a, b)| a == b).count();
        let from = same.saturating_sub(40);
        let short = |text: &str| text.chars().skip(from).take(160).collect::<String>();
        self.complaints.push(format!("{what}: {} became {}", short(&told), short(&got)));
    }

    /// Code of a code tool is written as text of another shape.
    fn words(&mut self) {
        let (told, got) = (self.told, self.got);
        let has_code = told.text.contains("```") && self.from == ApiFormat::Gemini;
        let bare = |text: String| if has_code { without_space(&text) } else { text };
        if bare(told.words()) != bare(got.words()) {
            let is_spoken = self.to != ApiFormat::OpenAiChat && told.transcript == got.words();
            let is_block = told.text.is_empty() && told.finish == Finish::Filter;
            let may_differ = got.text.is_empty() || self.to == ApiFormat::Completions;
            if is_spoken || (is_block && may_differ) {
                return;
            }
            self.complain("text", told.words(), got.words());
        } else if self.from == self.to && told.refusal != got.refusal {
            self.complain("refusal", &told.refusal, &got.refusal);
        }
    }

    /// A Responses item may hold several pieces, which others write as one.
    fn reasoning(&mut self) {
        let (told, got) = (&self.told.reasoning, &self.got.reasoning);
        let pieces = [self.from, self.to].contains(&ApiFormat::OpenAiResponses);
        let equal = if pieces { without_space(told) == without_space(got) } else { told == got };
        if !equal {
            self.complain("reasoning", told, got);
        }
    }

    fn finish(&mut self) {
        let (told, got) = (self.told.finish, self.got.finish);
        let is_refusal = self.to == ApiFormat::Anthropic
            && !self.told.refusal.is_empty()
            && got == Finish::Filter;
        let soft = is_refusal
            || matches!(told, Finish::Error) && matches!(got, Finish::Stop | Finish::Filter);
        let no_calls = self.to == ApiFormat::Completions
            && told == Finish::ToolCalls
            && matches!(got, Finish::Stop | Finish::ToolCalls);
        if told != got && !soft && !no_calls {
            self.complain("finish", told, got);
        }
    }

    fn calls(&mut self) {
        let may_drop = self.to == ApiFormat::Anthropic;
        let (told_calls, got_calls) = (&self.told.calls, &self.got.calls);
        let mut left = got_calls.iter();
        let mut ids = BTreeSet::new();
        for told in told_calls {
            let Some(got) = left.clone().next().filter(|got| got.name == told.name) else {
                if !(may_drop && told.arguments.torn) {
                    self.complain("calls", told_calls, got_calls);
                }
                continue;
            };
            left.next();
            if told.arguments.value != got.arguments.value {
                self.complain("arguments", &told.arguments, &got.arguments);
            }
            if !told.id.is_empty() && told.id != got.id && !self.may_rename(&told.id) {
                self.complain("call id", &told.id, &got.id);
            }
            if got.id.is_empty() && self.to != ApiFormat::Gemini {
                self.complain("call id", &told.id, &got.id);
            }
            let told_twice = told_calls.iter().filter(|other| other.id == told.id).count() > 1;
            if !got.id.is_empty() && !told_twice && !ids.insert(&got.id) {
                self.complain("call ids are not unique", &told.id, &got.id);
            }
        }
        if left.next().is_some() {
            self.complain("calls", told_calls, got_calls);
        }
    }

    /// Ids outside Anthropic's alphabet are changed, on the call and on its result alike.
    fn may_rename(&self, id: &str) -> bool {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        self.to == ApiFormat::Anthropic && !(id.chars().all(fits) && id.len() <= 64)
    }

    fn sources(&mut self) {
        let urls = |choice: &Choice| -> BTreeSet<String> {
            choice.sources.iter().map(|(url, _)| url.clone()).collect()
        };
        let (told, got) = (urls(self.told), urls(self.got));
        if told != got {
            self.complain("sources", told, got);
        }
    }

    fn media(&mut self) {
        let has_place = matches!(self.to, ApiFormat::OpenAiChat | ApiFormat::Gemini);
        if has_place && self.told.images != self.got.images {
            let short = |images: &[String]| images.iter().map(String::len).collect::<Vec<_>>();
            self.complain("images", short(&self.told.images), short(&self.got.images));
        }
        if has_place && self.told.logprobs != self.got.logprobs {
            self.complain("logprobs", &self.told.logprobs, &self.got.logprobs);
        }
        if self.to == ApiFormat::OpenAiChat && self.told.transcript != self.got.transcript {
            self.complain("transcript", &self.told.transcript, &self.got.transcript);
        }
    }
}

fn without_space(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// The counters that the target has a word for.
fn usage(told: &Answer, got: &Answer, to: ApiFormat, complaints: &mut Vec<String>) {
    let names: &[&str] = match to {
        ApiFormat::OpenAiChat => &[
            "prompt",
            "completion",
            "cached",
            "write",
            "reasoning",
            "audio_prompt",
            "audio_completion",
        ],
        ApiFormat::Anthropic => {
            &["prompt", "completion", "cached", "write", "write_1h", "reasoning"]
        }
        ApiFormat::Gemini | ApiFormat::OpenAiResponses => {
            &["prompt", "completion", "cached", "reasoning"]
        }
        ApiFormat::Completions => &["prompt", "completion"],
        ApiFormat::Bedrock => &["prompt", "completion", "cached", "write"],
    };
    // Some providers count less prompt than cache, which Anthropic's format cannot say.
    let cached = ["cached", "write"].iter().filter_map(|name| told.usage.get(name)).sum();
    for name in names {
        let count = |answer: &Answer, name: &str| answer.usage.get(name).copied().unwrap_or(0);
        let (mut told, got) = (count(told, name), count(got, name));
        if to == ApiFormat::Anthropic && *name == "prompt" {
            told = told.max(cached);
        }
        if told != got {
            complaints.push(format!("usage {name}: {told} became {got}"));
        }
    }
}

#[test]
fn what_is_lost_is_found() {
    let parse = |text: &str| read_chat::answer(&Json::parse(text).unwrap());
    let told = parse(
        r#"{"choices":[{"message":{"content":"a","reasoning":"r","tool_calls":[
            {"id":"x","function":{"name":"f","arguments":"{\"n\":1.0}"}}]},
            "finish_reason":"tool_calls"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#,
    );
    let chat = ApiFormat::OpenAiChat;
    assert_eq!(compare(&told, &told, chat, chat), [""; 0]);
    let spoil: [fn(&mut Answer); 7] = [
        |answer| answer.choices[0].text.push(' '),
        |answer| answer.choices[0].reasoning.clear(),
        |answer| answer.choices[0].calls[0].id.push('y'),
        |answer| answer.choices[0].finish = Finish::Length,
        |answer| answer.choices[0].calls[0].arguments.value = Json::Null,
        |answer| answer.choices[0].finish = Finish::Stop,
        |answer| *answer.usage.get_mut("prompt").unwrap() = 4,
    ];
    for (at, spoil) in spoil.iter().enumerate() {
        let mut got = told.clone();
        spoil(&mut got);
        for to in [chat, ApiFormat::Anthropic, ApiFormat::Gemini, ApiFormat::OpenAiResponses] {
            assert_eq!(
                compare(&told, &got, chat, to).len(),
                1,
                "spoiled {at} to {}",
                crate::report::name(to)
            );
        }
    }
}
