//! Tests of telling the cost, in answers that are written and in those that pass through.

use super::*;
use crate::formats::translator::Translator;
use crate::formats::{AnswerLabel, ApiFormat, Framing, answer};
use proptest::prelude::*;
use serde_json::Value;
use std::sync::Arc;

/// A pico-USD per prompt token and a thousand per completion token; an answer that ends without a
/// token or a reason is free.
#[derive(Debug)]
pub(in crate::formats) struct PerToken;

impl Charges for PerToken {
    fn charge(&self, observed: &Observed) -> Charge {
        let of = |tokens: Option<u64>, price: u64| {
            PicoUsd::from_pico(i128::from(tokens.unwrap_or(7).saturating_mul(price)))
        };
        let mut usage = observed.usage;
        usage.prompt = usage.prompt.or(Some(7));
        let is_empty = !observed.saw_content && usage.completion == Some(0);
        let is_free = is_empty && observed.finish.is_none();
        let (prompt, completion) = (of(usage.prompt, 1), of(usage.completion, 1000));
        let total = if is_free { PicoUsd::ZERO } else { prompt.saturating_add(completion) };
        Charge { usage, total, prompt, completion, is_byok: false }
    }
}

pub(in crate::formats) fn label() -> AnswerLabel {
    AnswerLabel {
        id: Arc::from("gen-1-abc"),
        model: None,
        provider: Arc::from("Acme"),
        created_s: 1,
        include_usage: true,
        exclude_reasoning: false,
        shape: crate::formats::Shape::Maker,
        charges: Some(Arc::new(PerToken)),
    }
}

fn charge() -> Charge {
    PerToken.charge(&Observed::counted(Usage {
        prompt: Some(9),
        completion: Some(4),
        ..Usage::default()
    }))
}

/// The members as they are told of nine and four tokens.
const CHAT: &str = r#""cost":0.000000004009,"is_byok":false,"cost_details":{"upstream_inference_cost":null,"upstream_inference_prompt_cost":0.000000000009,"upstream_inference_completions_cost":0.000000004}"#;
const RESPONSES: &str = r#""cost":0.000000004009,"is_byok":false,"cost_details":{"upstream_inference_cost":null,"upstream_inference_input_cost":0.000000000009,"upstream_inference_output_cost":0.000000004}"#;

#[test]
fn a_caller_with_a_key_of_its_own_sees_what_the_provider_takes() {
    let mut out = BytesMut::new();
    Charge { is_byok: true, ..charge() }.write(Sides::Chat, &mut out);
    let expected = CHAT.replace("false", "true").replace("null", "0.000000004009");
    assert_eq!(out, format!(",{expected}"));
}

#[test]
fn members_are_added_behind_the_others_or_written_over() {
    let cost = "0.000000004009";
    let cases = [
        ("{}", format!("{{{CHAT}}}")),
        ("{ }", format!("{{{CHAT} }}")),
        (r#"{"a":1 }"#, format!(r#"{{"a":1,{CHAT} }}"#)),
        (
            r#"{"cost":{"total_cost":5},"x":1.50,"cost_details":null}"#,
            format!(
                r#"{{"cost":{cost},"x":1.50,"cost_details":{},"is_byok":false}}"#,
                charge().value("cost_details", Sides::Chat)
            ),
        ),
        (
            r#"{"cost":1,"cost":2}"#,
            CHAT.replacen(',', r#","cost":0.000000004009,"#, 1).pipe(|all| format!("{{{all}}}")),
        ),
    ];
    for (usage, expected) in cases {
        let told = charge().told_in(usage.as_bytes(), Sides::Chat).unwrap();
        assert_eq!(std::str::from_utf8(&told).unwrap(), expected, "{usage}");
    }
    for other in ["null", "[]", "7", "\"{}\"", "", "{\"a\":", "{\"a\":1"] {
        assert_eq!(charge().told_in(other.as_bytes(), Sides::Chat), None, "{other}");
    }
}

trait Pipe: Sized {
    fn pipe<T>(self, then: impl FnOnce(Self) -> T) -> T {
        then(self)
    }
}

impl Pipe for String {}

/// A member: its name, and how it is written.
fn any_member() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof![
        3 => "[a-z_]{1,8}".prop_map(String::from),
        1 => prop::sample::select(NAMES.to_vec()).prop_map(String::from),
    ];
    let value = prop_oneof![
        any::<u64>().prop_map(|number| number.to_string()),
        "-?[1-9]{1,3}\\.[0-9]{1,30}".prop_map(String::from),
        "\"([ a-z{}:,]|\\\\\"|\\\\u00e9)*\"".prop_map(String::from),
        Just(String::from("null")),
        Just(String::from(r#"{ "cost" : 1, "deep": [ {"cost_details":{}} ] }"#)),
    ];
    (name, value)
}

proptest! {
    #[test]
    fn all_other_bytes_stay(
        members in prop::collection::vec((any_member(), "[ \n\t]{0,2}"), 0..8), space in "[ \n]{0,2}",
    ) {
        let mut members = members;
        let mut seen = Vec::new();
        members.retain(|((name, _), _)| {
            let is_new = !seen.contains(name);
            seen.push(name.clone());
            is_new
        });
        let object = |value: &dyn Fn(&str, &str) -> String, last: &str| {
            let all: Vec<String> = members
                .iter()
                .map(|((name, written), space)| {
                    format!("{space}\"{name}\"{space}:{space}{}", value(name, written))
                })
                .collect();
            format!("{space}{{{}{last}{space}}}{space}", all.join(","))
        };
        let usage = object(&|_, written| written.to_owned(), "");
        let charge = charge();
        let told = charge.told_in(usage.as_bytes(), Sides::Responses).unwrap();
        let ours = |name: &str| charge.value(name, Sides::Responses);
        let missing: Vec<String> = NAMES
            .iter()
            .filter(|name| !seen.iter().any(|known| known == *name))
            .map(|name| format!("\"{name}\":{}", ours(name)))
            .collect();
        let comma = if members.is_empty() || missing.is_empty() { "" } else { "," };
        let expected = object(
            &|name, written| {
                if NAMES.contains(&name) { ours(name) } else { written.to_owned() }
            },
            &format!("{comma}{}", missing.join(",")),
        );
        prop_assert_eq!(std::str::from_utf8(&told).unwrap(), &expected);
        let read: Value = serde_json::from_slice(&told).unwrap();
        prop_assert_eq!(read["cost"].to_string(), "4.009e-9");
    }
}

const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":9,"output_tokens":4}}"#;

const MESSAGE_STREAM: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"m\",\"content\":[],\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":4}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

fn whole(client: ApiFormat, body: &str, label: &AnswerLabel) -> String {
    let body = Bytes::from(body.to_owned());
    let relayed = answer::relay(ApiFormat::Anthropic, client, body, label).unwrap();
    String::from_utf8(relayed.body.to_vec()).unwrap()
}

fn streamed(client: ApiFormat, body: &str, label: AnswerLabel) -> String {
    let mut translator =
        Translator::new(ApiFormat::Anthropic, client, Framing::Sse, label).unwrap();
    let mut sent = translator.push(Bytes::from(body.to_owned())).unwrap().to_vec();
    sent.extend_from_slice(&translator.finish().unwrap());
    String::from_utf8(sent).unwrap()
}

/// Every encoder writes the members at the end of its usage and nothing else besides.
#[test]
fn translated_answers_tell_their_cost() {
    let silent = AnswerLabel { charges: None, ..label() };
    for (client, members) in [
        (ApiFormat::OpenAiChat, Some(CHAT)),
        (ApiFormat::Completions, Some(CHAT)),
        (ApiFormat::OpenAiResponses, Some(RESPONSES)),
        (ApiFormat::Gemini, None),
    ] {
        let added = members.map(|members| format!(",{members}"));
        for (told, untold) in [
            (whole(client, MESSAGE, &label()), whole(client, MESSAGE, &silent)),
            (
                streamed(client, MESSAGE_STREAM, label()),
                streamed(client, MESSAGE_STREAM, silent.clone()),
            ),
        ] {
            let Some(added) = &added else {
                assert_eq!(told, untold);
                continue;
            };
            assert_eq!(told.matches(added.as_str()).count(), 1, "{told}");
            assert_eq!(told.replace(added.as_str(), ""), untold);
            let (before, _) = told.split_once(added.as_str()).unwrap();
            assert!(before.rsplit_once("\"usage\":{").is_some(), "{told}");
        }
    }
}

/// The counts that are told are those that are charged for.
#[test]
fn an_answer_without_counts_shows_those_that_are_charged() {
    let uncounted = MESSAGE.replace(r#","usage":{"input_tokens":9,"output_tokens":4}"#, "");
    let told = whole(ApiFormat::OpenAiChat, &uncounted, &label());
    assert!(told.contains(r#""prompt_tokens":7,"#) && told.contains(r#""cost":"#), "{told}");
    let told = whole(ApiFormat::OpenAiResponses, &uncounted, &label());
    assert!(told.contains(r#""input_tokens":7,"#) && told.contains(r#""cost":"#), "{told}");
}

#[test]
fn no_usage_no_cost() {
    let label = AnswerLabel { include_usage: false, ..label() };
    for client in [ApiFormat::OpenAiChat, ApiFormat::Completions] {
        let told = streamed(client, MESSAGE_STREAM, label.clone());
        assert!(!told.contains("cost") && !told.contains("usage"), "{told}");
    }
}
