//! What a stream that leaves the gateway must look like, besides what it says: beginnings, ends,
//! order and balance, as each format's own clients demand.

use crate::json::Json;
use crate::sse::{self, Event};
use arouter::formats::ApiFormat;
use std::collections::BTreeSet;

/// The complaints about a client's stream. `failed`: it ends with an error.
pub fn check(format: ApiFormat, stream: &[u8], failed: bool) -> Vec<String> {
    let Ok(text) = std::str::from_utf8(stream) else { return vec!["no UTF-8".to_owned()] };
    let mut complaints = Complaints::default();
    complaints
        .expect(text.is_empty() || text.ends_with("\n\n") || text.ends_with("\r\n\r\n"), || {
            "the last event is not closed".to_owned()
        });
    let events = sse::events(text);
    match format {
        ApiFormat::OpenAiChat => chat(&events, failed, &mut complaints),
        ApiFormat::Completions => completions(&events, &mut complaints),
        ApiFormat::Anthropic => messages(&events, failed, &mut complaints),
        ApiFormat::Gemini => generate(&events, failed, &mut complaints),
        ApiFormat::OpenAiResponses => {
            crate::protocol_responses::check(&events, failed, &mut complaints);
        }
        ApiFormat::Bedrock => {}
    }
    complaints.0
}

/// What is wrong, each thing once.
#[derive(Debug, Default)]
pub struct Complaints(Vec<String>);

impl Complaints {
    pub fn expect(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            let complaint = otherwise();
            if !self.0.contains(&complaint) {
                self.0.push(complaint);
            }
        }
    }
}

/// The JSON of every event; complains of what is none.
pub fn parsed(events: &[Event], complaints: &mut Complaints) -> Vec<Json> {
    let mut found = Vec::new();
    for event in events.iter().filter(|event| event.data != "[DONE]") {
        let json = Json::parse(&event.data);
        complaints.expect(json.is_some(), || format!("no JSON: {}", event.data));
        found.extend(json);
    }
    found
}

/// One `[DONE]`, and nothing after it.
fn done(events: &[Event], complaints: &mut Complaints) {
    let marks = events.iter().filter(|event| event.data == "[DONE]").count();
    complaints.expect(marks == 1, || format!("{marks} end markers"));
    let last = events.last().is_some_and(|event| event.data == "[DONE]");
    complaints.expect(last, || "the end marker is not last".to_owned());
}

fn chat(events: &[Event], failed: bool, complaints: &mut Complaints) {
    done(events, complaints);
    let chunks = parsed(events, complaints);
    let (mut ids, mut finishes, mut usages) = (BTreeSet::new(), Vec::new(), 0);
    let mut open_calls: BTreeSet<(u64, u64)> = BTreeSet::new();
    let mut errors = 0;
    for chunk in &chunks {
        ids.insert(chunk["id"].text());
        complaints
            .expect(chunk["object"].text() == "chat.completion.chunk", || "object".to_owned());
        complaints.expect(chunk["created"].int().is_some(), || "no created".to_owned());
        complaints.expect(usages == 0, || "a chunk after the usage chunk".to_owned());
        errors += usize::from(chunk["error"].is_object());
        if chunk["usage"].is_object() {
            usages += 1;
            complaints
                .expect(chunk["choices"].list().is_empty(), || "usage with choices".to_owned());
        }
        for choice in chunk["choices"].list() {
            let at = choice["index"].int().unwrap_or(99);
            let is_over = finishes.contains(&at);
            complaints.expect(!is_over, || format!("choice {at} goes on after its end"));
            if choice["finish_reason"].str().is_some() {
                finishes.push(at);
            }
            for call in choice["delta"]["tool_calls"].list() {
                let key = (at, call["index"].int().unwrap_or(99));
                if !open_calls.insert(key) {
                    continue;
                }
                let named = call["id"].str().is_some_and(|id| !id.is_empty())
                    && !call.any(&["function", "custom"])["name"].text().is_empty();
                complaints.expect(named, || "a call starts without id or name".to_owned());
                let before = open_calls.iter().filter(|(choice, _)| *choice == at).count() as u64;
                complaints.expect(key.1 + 1 == before, || "call indexes have gaps".to_owned());
            }
        }
    }
    complaints.expect(ids.len() <= 1, || format!("ids change: {ids:?}"));
    if failed {
        complaints.expect(errors == 1, || format!("{errors} errors told"));
    } else {
        complaints.expect(!finishes.is_empty(), || "no finish_reason".to_owned());
        complaints.expect(usages <= 1, || format!("{usages} usage chunks"));
    }
}

fn completions(events: &[Event], complaints: &mut Complaints) {
    done(events, complaints);
    for chunk in parsed(events, complaints) {
        let is_right = chunk["object"].text() == "text_completion" || chunk["error"].is_object();
        complaints.expect(is_right, || format!("object {}", chunk["object"]));
    }
}

fn messages(events: &[Event], failed: bool, complaints: &mut Complaints) {
    let mut open: Option<(u64, Json)> = None;
    let mut next = 0;
    let mut order = Vec::new();
    for (event, json) in events.iter().zip(parsed(events, complaints)) {
        let kind = json["type"].text().to_owned();
        complaints.expect(event.name == kind, || format!("event {} is a {kind}", event.name));
        let at = json["index"].int();
        match kind.as_str() {
            "content_block_start" => {
                complaints.expect(open.is_none(), || "a block starts in another".to_owned());
                complaints.expect(at == Some(next), || format!("block {at:?} instead of {next}"));
                next += 1;
                open = Some((next - 1, json["content_block"].clone()));
            }
            "content_block_delta" => {
                let fits = open.as_mut().is_some_and(|(block, content)| {
                    let fits = at == Some(*block) && delta_fits(content, &json["delta"]);
                    content.set("touched", Json::Bool(true));
                    fits
                });
                complaints.expect(fits, || format!("a delta of no open block: {json}"));
            }
            "content_block_stop" => {
                let closed = open.take();
                let fits = closed.as_ref().is_some_and(|(block, _)| at == Some(*block));
                complaints.expect(fits, || "a stop of no open block".to_owned());
                let empty = closed.is_some_and(|(_, content)| {
                    content["type"].text() == "text" && !content["touched"].is_true()
                });
                complaints.expect(!empty, || "an empty text block".to_owned());
            }
            "ping" => {}
            _ => order.push(kind),
        }
    }
    if failed {
        complaints.expect(order.last().is_some_and(|kind| kind == "error"), || {
            format!("the error is not last: {order:?}")
        });
        return;
    }
    complaints.expect(open.is_none(), || "a block stays open".to_owned());
    let expected = ["message_start", "message_delta", "message_stop"];
    complaints.expect(order == expected, || format!("order {order:?}"));
}

fn delta_fits(block: &Json, delta: &Json) -> bool {
    matches!(
        (block["type"].text(), delta["type"].text()),
        ("text", "text_delta" | "citations_delta")
            | ("thinking", "thinking_delta" | "signature_delta")
            | ("tool_use", "input_json_delta")
    )
}

fn generate(events: &[Event], failed: bool, complaints: &mut Complaints) {
    let chunks = parsed(events, complaints);
    let mut finished = Vec::new();
    let mut ids = BTreeSet::new();
    for chunk in &chunks {
        if chunk["error"].is_object() {
            continue;
        }
        ids.insert(chunk["responseId"].text().to_owned());
        let blocked = !chunk["promptFeedback"].is_null();
        for candidate in chunk["candidates"].list() {
            let at = candidate["index"].int().unwrap_or(0);
            if candidate["finishReason"].str().is_some() {
                complaints.expect(!finished.contains(&at), || "two finishReasons".to_owned());
                finished.push(at);
            }
        }
        complaints.expect(blocked || chunk["candidates"].list().len() <= 8, || "many".to_owned());
    }
    complaints.expect(ids.len() <= 1, || format!("responseIds change: {ids:?}"));
    let error_is_last = chunks.last().is_some_and(|chunk| chunk["error"].is_object());
    if failed {
        complaints.expect(error_is_last, || "the error is not last".to_owned());
        return;
    }
    let ends = chunks.last().is_some_and(|chunk| {
        let candidates = chunk["candidates"].list();
        !chunk["promptFeedback"].is_null()
            || candidates.iter().any(|candidate| candidate["finishReason"].str().is_some())
    });
    complaints.expect(ends, || "the last chunk has no finishReason".to_owned());
}

#[test]
fn unbalanced_streams_are_found() {
    let event = |json: &str| {
        let kind = Json::parse(json).unwrap()["type"].text().to_owned();
        format!("event: {kind}\ndata: {json}\n\n")
    };
    let parts = [
        r#"{"type":"message_start"}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_delta"}"#,
        r#"{"type":"message_stop"}"#,
    ];
    let whole: String = parts.iter().map(|part| event(part)).collect();
    assert_eq!(check(ApiFormat::Anthropic, whole.as_bytes(), false), [""; 0]);
    for missing in 0..parts.len() {
        let kept = parts.iter().enumerate().filter(|(at, _)| *at != missing);
        let stream: String = kept.map(|(_, part)| event(part)).collect();
        assert_ne!(check(ApiFormat::Anthropic, stream.as_bytes(), false), [""; 0], "{missing}");
    }
    let done = "data: [DONE]\n\n";
    let twice = done.repeat(2);
    assert!(!check(ApiFormat::OpenAiChat, twice.as_bytes(), false).is_empty());
}
