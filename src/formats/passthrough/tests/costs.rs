//! The cost in streams and answers that pass through: told in every usage object, and nothing
//! else changes.

use super::{ApiFormat, OPENAI_FOLDERS, relay, streams, translator};
use crate::formats::charge::tests::label;
use crate::formats::{AnswerLabel, Framing, answer, openai_responses};
use bytes::Bytes;
use serde_json::Value;

const CHAT: ApiFormat = ApiFormat::OpenAiChat;
const NAMES: [&str; 3] = ["cost", "is_byok", "cost_details"];

fn silent() -> AnswerLabel {
    AnswerLabel { charges: None, ..label() }
}

fn stream(format: ApiFormat, label: AnswerLabel, body: &str) -> String {
    relay(translator(format, Framing::Sse, label), &[body.as_bytes()]).unwrap().0
}

/// The cost told in every usage object that comes with this body, as it is written.
fn costs(body: &str) -> Vec<String> {
    let lines = body.lines().filter(|line| line.contains("\"usage\":{"));
    let cost = |line: &str| {
        let (_, rest) = line.split_once("\"cost\":")?;
        Some(rest.split([',', '}']).next()?.to_owned())
    };
    lines.map(|line| cost(line).unwrap_or_default()).collect()
}

/// Takes what is told out of the usage of an event; what is left must be the provider's.
fn without_costs(line: &str, path: &str) -> Option<Value> {
    let mut event: Value = serde_json::from_str(line.strip_prefix("data:")?).ok()?;
    let usage = event.pointer_mut(path).and_then(Value::as_object_mut);
    if let Some(usage) = usage {
        for name in NAMES {
            usage.remove(name);
        }
    }
    Some(event)
}

fn differs_in_costs_only(told: &str, untold: &str, path: &str) -> usize {
    let mut differing = 0;
    assert_eq!(told.lines().count(), untold.lines().count());
    for (told, untold) in told.lines().zip(untold.lines()).filter(|(told, untold)| told != untold) {
        differing += 1;
        let before = untold.find("\"usage\"").unwrap();
        assert_eq!(told.get(..before), untold.get(..before));
        assert_eq!(without_costs(told, path), without_costs(untold, path));
        let event: Value = serde_json::from_str(told.strip_prefix("data:").unwrap()).unwrap();
        let usage = event.pointer(path).unwrap();
        assert!(usage["cost"].is_number() && usage["cost_details"].is_object(), "{told}");
        assert_eq!(usage["is_byok"], false, "{told}");
    }
    differing
}

#[test]
fn recorded_streams_differ_in_their_cost_only() {
    let mut told_in = 0;
    for recorded in streams(&OPENAI_FOLDERS) {
        let start = |label| translator(CHAT, Framing::Sse, label);
        let Ok((untold, _)) = relay(start(silent()), &[recorded.body.as_bytes()]) else { continue };
        let (told, _) = relay(start(label()), &[recorded.body.as_bytes()]).unwrap();
        told_in += differs_in_costs_only(&told, &untold, "/usage");
    }
    println!("{told_in} usage objects");
    assert!(streams(&OPENAI_FOLDERS).is_empty() || told_in > 200, "{told_in}");
}

#[test]
fn recorded_responses_differ_in_their_cost_only() {
    let mut recorded = openai_responses::recordings::all();
    recorded.retain(|recording| recording.status == 200 && recording.is_stream());
    let mut told_in = 0;
    for recorded in &recorded {
        let start = |label| translator(ApiFormat::OpenAiResponses, Framing::Sse, label);
        let Ok((untold, _)) = relay(start(silent()), &[recorded.body.as_bytes()]) else { continue };
        let (told, _) = relay(start(label()), &[recorded.body.as_bytes()]).unwrap();
        told_in += differs_in_costs_only(&told, &untold, "/response/usage");
    }
    println!("{told_in} usage objects of {} streams", recorded.len());
    assert!(recorded.is_empty() || told_in * 2 > recorded.len(), "{told_in}");
}

/// A chat stream with so many completion tokens, no text, and this reason to end.
fn empty_stream(finish: &str) -> String {
    format!(
        "data: {{\"id\":\"x\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"role\":\"assistant\"}},\"finish_reason\":null}}]}}\n\n\
         data: {{\"id\":\"x\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":{finish}}}]}}\n\n\
         data: {{\"id\":\"x\",\"model\":\"m\",\"choices\":[],\"usage\":{{\"prompt_tokens\":9,\"completion_tokens\":0}}}}\n\n\
         data: [DONE]\n\n"
    )
}

/// The reason is told by the decoder at the end only, but counts already for the cost.
#[test]
fn the_reason_to_end_is_known_when_the_cost_is_told() {
    for (finish, cost) in [("\"length\"", "0.000000000009"), ("null", "0")] {
        let told = stream(CHAT, label(), &empty_stream(finish));
        assert_eq!(costs(&told), [cost], "{finish}: {told}");
    }
}

#[test]
fn a_price_of_the_providers_own_is_written_over() {
    let chunk = "data: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}],\"usage\":{ \"cost\": 0.5, \"prompt_tokens\" :9,\"completion_tokens\":4,\"is_byok\":true}, \"x\":1.50}\n\n";
    let told = stream(CHAT, label(), &format!("{chunk}data: [DONE]\n\n"));
    let expected = chunk
        .replace("\"x\",\"model\"", "\"gen-1-abc\",\"model\"")
        .replace("0.5,", "0.000000004009,")
        .replace("true}", "false,\"cost_details\":{\"upstream_inference_cost\":null,\"upstream_inference_prompt_cost\":0.000000000009,\"upstream_inference_completions_cost\":0.000000004}}");
    assert_eq!(told, format!("{expected}data: [DONE]\n\n"));
}

#[test]
fn usage_that_is_cumulative_tells_the_cost_so_far() {
    let chunk = |completion: u32, text: &str| {
        format!(
            "data: {{\"id\":\"x\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}],\"usage\":{{\"prompt_tokens\":9,\"completion_tokens\":{completion}}}}}\n\n"
        )
    };
    let body = format!("{}{}data: [DONE]\n\n", chunk(1, "H"), chunk(4, "i"));
    let told = stream(CHAT, label(), &body);
    assert_eq!(costs(&told), ["0.000000001009", "0.000000004009"], "{told}");
}

#[test]
fn text_that_speaks_of_usage_is_left_alone() {
    let body = "data: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\\"usage\\\":{}\"},\"finish_reason\":null}],\"usage\":null}\n\ndata: [DONE]\n\n";
    assert_eq!(stream(CHAT, label(), body), stream(CHAT, silent(), body));
}

#[test]
fn native_formats_stay_as_their_makers_define_them() {
    let whole = [
        (
            ApiFormat::Anthropic,
            r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":9,"output_tokens":4,"cost":1}}"#,
        ),
        (
            ApiFormat::Gemini,
            r#"{"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"STOP"}],"usage":{"cost":1},"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":4}}"#,
        ),
    ];
    for (format, body) in whole {
        let relayed = answer::relay(format, format, Bytes::from(body), &label()).unwrap();
        assert_eq!(relayed.body, body);
        if format == ApiFormat::Gemini {
            let framed = format!("data: {body}\n\n");
            assert_eq!(stream(format, label(), &framed), framed);
        }
    }
}

/// Whole answers: the members go into usage, wherever it stands.
#[test]
fn whole_answers_tell_their_cost_where_the_usage_is() {
    let body = r#"{ "usage" : {"prompt_tokens":9, "completion_tokens":4 }, "id":"x", "choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}] , "model":"m"}"#;
    let relayed = answer::relay(CHAT, CHAT, Bytes::from(body), &label()).unwrap();
    let told = String::from_utf8(relayed.body.to_vec()).unwrap();
    let (before, rest) =
        told.split_once(r#""completion_tokens":4,"cost":0.000000004009,"#).unwrap();
    assert_eq!(before, r#"{ "usage" : {"prompt_tokens":9, "#);
    assert!(rest.ends_with(r#" }, "id":"gen-1-abc", "choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}] , "model":"m"}"#), "{told}");
    serde_json::from_str::<Value>(&told).unwrap();

    let body = r#"{"id":"resp_1","object":"response","status":"completed","model":"m","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hi"}]}],"usage":{"input_tokens":9,"output_tokens":4}}"#;
    let format = ApiFormat::OpenAiResponses;
    let relayed = answer::relay(format, format, Bytes::from(body), &label()).unwrap();
    let told: Value = serde_json::from_slice(&relayed.body).unwrap();
    assert_eq!(told["usage"]["cost"].to_string(), "4.009e-9");
    assert!(told["usage"]["cost_details"]["upstream_inference_input_cost"].is_number());
    let silent = answer::relay(format, format, Bytes::from(body), &silent()).unwrap();
    assert_eq!(silent.body, body);
}
