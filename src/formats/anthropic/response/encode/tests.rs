//! Whole answers as clients of this format get them.

use super::*;
use crate::chat::Usage;
use crate::chat::event::AudioPiece;
use crate::chat::message::Media;
use crate::formats::anthropic::response::decode;
use serde_json::{Value, json};
use std::path::Path;

fn label() -> AnswerLabel {
    AnswerLabel {
        id: "gen-1".into(),
        model: None,
        provider: "P".into(),
        created_s: 1,
        include_usage: false,
        exclude_reasoning: false,
        shape: crate::formats::Shape::Maker,
        charges: None,
    }
}

fn choice(parts: Vec<Part<'static>>, finish: FinishReason) -> Choice<'static> {
    let (native_finish, logprobs) = (None, None);
    Choice { index: 0, parts, finish, native_finish, citations: Vec::new(), logprobs }
}

fn written(choice: Choice<'static>) -> Value {
    let response = Response { choices: vec![choice], ..Response::default() };
    serde_json::from_slice(&encode(&response, &label())).unwrap()
}

fn text(text: &'static str) -> Part<'static> {
    Part::Text { text: text.into(), cache: None }
}

fn call(arguments: &'static str, custom: bool, signature: Option<&'static str>) -> Part<'static> {
    Part::ToolCall(ToolCall {
        id: "call_1".into(),
        name: "f".into(),
        arguments: arguments.into(),
        custom,
        signature: signature.map(Into::into),
    })
}

fn thought(
    kind: ReasoningKind,
    text: &'static str,
    signature: Option<&'static str>,
    format: &'static str,
) -> Part<'static> {
    let (signature, format) = (signature.map(Into::into), Some(format.into()));
    Part::Reasoning(Reasoning { kind, text: text.into(), signature, format, id: None })
}

#[test]
fn the_envelope() {
    let usage = Usage { prompt: Some(9), completion: Some(2), cached: Some(4), ..Usage::default() };
    let mut response = Response {
        id: Some("msg_7".into()),
        model: Some("claude".into()),
        choices: vec![choice(vec![text("Hi")], FinishReason::Stop)],
        usage,
        service_tier: Some("priority".into()),
    };
    let expected = r#"{"id":"msg_7","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"cache_read_input_tokens":4,"output_tokens":2,"service_tier":"priority"}}"#;
    assert_eq!(encode(&response, &label()), expected);
    response.id = None;
    let named = AnswerLabel { model: Some("shown".into()), ..label() };
    let body: Value = serde_json::from_slice(&encode(&response, &named)).unwrap();
    assert_eq!((&body["id"], &body["model"]), (&json!("msg_1"), &json!("shown")));
    let nothing: Value = serde_json::from_slice(&encode(&Response::default(), &label())).unwrap();
    assert_eq!(nothing["content"], json!([]));
    assert_eq!(nothing["usage"], json!({"input_tokens":0,"output_tokens":0}));
}

#[test]
fn calls_carry_objects_unless_they_were_cut() {
    use FinishReason::{Length, ToolCalls};
    let cases = [
        ("", false, ToolCalls, Some(json!({}))),
        ("null", false, ToolCalls, Some(json!({}))),
        ("[1]", false, ToolCalls, Some(json!({"value":[1]}))),
        ("{\"a\":", false, ToolCalls, Some(json!({"__raw_arguments":"{\"a\":"}))),
        ("say", true, ToolCalls, Some(json!({"input":"say"}))),
        ("{\"a\":", false, Length, None),
        ("{\"a\":1}", false, Length, Some(json!({"a":1}))),
    ];
    for (arguments, custom, finish, input) in cases {
        let body = written(choice(vec![call(arguments, custom, None)], finish));
        let content = match &input {
            Some(input) => json!([{"type":"tool_use","id":"call_1","name":"f","input":input}]),
            None => json!([]),
        };
        assert_eq!(body["content"], content, "{arguments}");
        let reason = if finish == Length { "max_tokens" } else { "tool_use" };
        assert_eq!(body["stop_reason"], reason);
    }
    let exact = choice(vec![call(r#"{"z":12345678901234567890123,"a":1.0}"#, false, None)], Length);
    let response = Response { choices: vec![exact], ..Response::default() };
    let bytes = String::from_utf8(encode(&response, &label()).to_vec()).unwrap();
    assert!(bytes.contains(r#""input":{"z":12345678901234567890123,"a":1.0}"#), "{bytes}");
}

#[test]
fn reasoning_and_its_signatures() {
    use ReasoningKind::{Encrypted, Summary, Text};
    const CLAUDE: &str = "anthropic-claude-v1";
    let parts = || {
        vec![
            thought(Text, "hm", Some("S"), CLAUDE),
            thought(Encrypted, "", Some("D"), CLAUDE),
            thought(Summary, "so", None, "openai-responses-v1"),
            thought(Encrypted, "", Some("E"), "openai-responses-v1"),
            call("{}", false, Some("G")),
        ]
    };
    let foreign = |format, id, data| {
        let signature = Signature { data, encrypted: true, format, id };
        signature.text().into_owned()
    };
    let google = foreign("google-gemini-v1", Some("call_1"), "G");
    let openai = foreign("openai-responses-v1", None, "E");
    let expected = json!([
        {"type":"thinking","thinking":"hm","signature":"S"},
        {"type":"redacted_thinking","data":"D"},
        {"type":"thinking","thinking":"so","signature":""},
        {"type":"redacted_thinking","data":openai},
        {"type":"thinking","thinking":"","signature":google},
        {"type":"tool_use","id":"call_1","name":"f","input":{}},
    ]);
    let body = written(choice(parts(), FinishReason::ToolCalls));
    assert_eq!(body["content"], expected);

    let label = AnswerLabel { exclude_reasoning: true, ..label() };
    let choices = vec![choice(parts(), FinishReason::ToolCalls)];
    let response = Response { choices, ..Response::default() };
    let body: Value = serde_json::from_slice(&encode(&response, &label)).unwrap();
    assert_eq!(body["content"][0], json!({"type":"thinking","thinking":"","signature":"S"}));
    assert_eq!(body["content"].as_array().unwrap().len(), 5, "the unsigned text is withheld");
}

#[test]
fn refusals_and_withheld_answers() {
    let refusal = || vec![text("Well."), Part::Refusal { text: "No.".into() }];
    let body = written(choice(refusal(), FinishReason::Stop));
    let content = json!([{"type":"text","text":"Well."},{"type":"text","text":"No."}]);
    assert_eq!((&body["content"], &body["stop_reason"]), (&content, &json!("refusal")));
    assert!(body.get("stop_details").is_none());
    let body = written(choice(refusal(), FinishReason::ContentFilter));
    assert_eq!(body["content"], json!([{"type":"text","text":"Well."}]));
    let details = json!({"type":"refusal","category":null,"explanation":"No."});
    assert_eq!((&body["stop_details"], &body["stop_reason"]), (&details, &json!("refusal")));
}

#[test]
fn text_is_cut_where_its_sources_change() {
    let source =
        |url: &'static str, start, end| Citation { url: url.into(), title: "T".into(), start, end };
    let cases: [(Vec<Citation<'static>>, &[&str]); 5] = [
        (vec![source("a", 0, 3)], &["äöü[a]", "def", "ghi"]),
        (vec![source("a", 1, 2), source("b", 2, 8)], &["ä", "ö[a]", "üdef[b]", "gh[b]", "i"]),
        (vec![source("a", 0, 0)], &["äöüdef", "ghi[a]"]),
        (vec![source("a", 0, 9), source("b", 6, 9)], &["äöüdef[a]", "ghi[a][b]"]),
        (vec![source("a", 50, 60)], &["äöüdef", "ghi[a]"]),
    ];
    for (citations, expected) in cases {
        let mut choice = choice(vec![text("äöüdef"), text("ghi")], FinishReason::Stop);
        choice.citations = citations;
        let body = written(choice);
        let blocks = body["content"].as_array().unwrap().iter().map(|block| {
            let mut short = block["text"].as_str().unwrap().to_owned();
            for source in block["citations"].as_array().into_iter().flatten() {
                short = format!("{short}[{}]", source["url"].as_str().unwrap());
            }
            short
        });
        assert_eq!(blocks.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn what_has_no_place_is_left_out() {
    let audio = AudioPiece { transcript: Some("said".into()), ..AudioPiece::default() };
    let image = Part::Image {
        source: Media::Base64 { mime: "image/png".into(), data: "AA".into() },
        detail: None,
        cache: None,
    };
    let body = written(choice(vec![image, Part::SpokenAnswer(audio)], FinishReason::Stop));
    assert_eq!(body["content"], json!([{"type":"text","text":"said"}]));
    let mut second = choice(vec![text("second")], FinishReason::Stop);
    second.index = 1;
    let choices = vec![second, choice(vec![text("first")], FinishReason::Stop)];
    let response = Response { choices, ..Response::default() };
    let body: Value = serde_json::from_slice(&encode(&response, &label())).unwrap();
    assert_eq!(body["content"], json!([{"type":"text","text":"first"}]));
}

/// Recorded answers, written and read again, are the same.
#[test]
fn recorded_answers_stay_the_same() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/wire/corpus");
    let mut seen = 0;
    for folder in ["anthropic-messages", "vertex-messages", "local-messages", "bedrock-invoke"] {
        let Ok(entries) = std::fs::read_dir(Path::new(corpus).join(folder)) else { return };
        for entry in entries.flatten() {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let recording: Value = serde_json::from_str(&text).unwrap();
            let body = recording["response"]["body"].as_str().unwrap_or_default();
            let Ok(first) = decode(body.as_bytes()) else { continue };
            seen += 1;
            let again = encode(&first, &label());
            assert_eq!(words(decode(&again).unwrap()), words(first), "{}", recording["id"]);
        }
    }
    assert!(seen > 150, "{seen} answers");
}

/// The answer in words: a count that was not stated is zero, sources of no text go elsewhere.
fn words(mut response: Response<'_>) -> String {
    let usage = &mut response.usage;
    for count in [&mut usage.prompt, &mut usage.completion] {
        *count = Some(count.unwrap_or(0));
    }
    for choice in &mut response.choices {
        choice.native_finish = None;
        choice.citations.retain(|source| source.start < source.end);
    }
    format!("{response:#?}")
}
