//! Recorded traffic in both directions. For tests.

use super::heard::Heard;
use super::recordings::{self, Recording};
use super::{request, response};
use crate::chat::{FinishReason, Message, Part};
use crate::formats::carried::Carried;
use crate::formats::translator::Translator;
use crate::formats::{AnswerLabel, ApiFormat, Framing, Target};
use bytes::Bytes;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn label() -> AnswerLabel {
    AnswerLabel {
        id: Arc::from("gen-1-abc"),
        model: Some(Arc::from("acme/model")),
        provider: Arc::from("Acme"),
        created_s: 1,
        include_usage: true,
        exclude_reasoning: false,
        shape: crate::formats::Shape::Maker,
        charges: None,
    }
}

fn successes() -> impl Iterator<Item = Recording> {
    recordings::all().into_iter().filter(|recording| recording.status == 200)
}

#[test]
fn requests_are_read_unless_they_lean_on_something_stored_or_built_in() {
    let mut refused: BTreeMap<String, u32> = BTreeMap::new();
    for recording in successes().filter(|recording| recording.request.is_object()) {
        let body = recording.request.to_string();
        let read = match request::decode(body.as_bytes()) {
            Ok(read) => read,
            Err(error) => {
                let param = error.param.unwrap_or_default();
                *refused.entry(param.split('[').next().unwrap().to_owned()).or_default() += 1;
                assert!(!param.starts_with("input["), "{}: {}", recording.id, error.message);
                continue;
            }
        };
        assert!(!read.messages.is_empty(), "{}", recording.id);
        let written = request::encode(&read, Target::new("m")).unwrap().body;
        let again = request::decode(&written).unwrap();
        assert_eq!(told(&again.messages), told(&read.messages), "{}", recording.id);
        let twice = request::encode(&again, Target::new("m")).unwrap().body;
        assert_eq!(twice, written, "{}", recording.id);
    }
    let names: Vec<&str> = refused.keys().map(String::as_str).collect();
    println!("{refused:?}");
    let expected = ["background", "conversation", "previous_response_id", "prompt", "tools"];
    assert!(names.is_empty() || names == expected, "{refused:?}");
}

/// The conversation, but for reasoning that cannot be given back and cache marks.
fn told(messages: &[Message<'_>]) -> Vec<String> {
    let lost =
        |part: &Part<'_>| matches!(part, Part::Reasoning(piece) if piece.signature.is_none());
    let parts = messages.iter().flat_map(|message| {
        let kept = message.parts.iter().filter(|part| !lost(part));
        kept.map(|part| format!("{:?} {part:?}", message.role))
    });
    parts.map(|part| part.replace("cache: Some(Default)", "cache: None")).collect()
}

#[test]
fn whole_answers_come_back_as_they_were() {
    for recording in successes().filter(|recording| !recording.is_stream()) {
        let id = &recording.id;
        let read = response::decode(recording.body.as_bytes());
        let read = read.unwrap_or_else(|error| panic!("{id}: {error}"));
        let heard = Heard::whole(&read);
        let written = response::encode(&read, &label());
        let again = response::decode(&written).unwrap();
        assert_eq!(heard.text, text_of(&serde_json::from_str(&recording.body).unwrap()), "{id}");
        let mut heard_again = Heard::whole(&again);
        for signature in &mut heard_again.signatures {
            if let Some(carried) = Carried::unpack(signature) {
                *signature = carried.data;
            }
        }
        assert_eq!(heard_again, heard.without_searches(), "{id}");
        assert_eq!(
            again.id,
            read.id.filter(|id| id.starts_with("resp_")).or(Some("resp_1abc".into()))
        );
    }
}

/// The text of an answer, read from its tree.
fn text_of(answer: &Value) -> String {
    let items = answer["output"].as_array().unwrap().iter();
    let parts = items.filter_map(|item| item["content"].as_array()).flatten();
    let texts = parts.filter(|part| part["type"] == "output_text");
    texts.map(|part| part["text"].as_str().unwrap()).collect()
}

#[test]
fn streams_say_what_their_last_event_says() {
    let mut faults = Vec::new();
    for recording in recordings::all().into_iter().filter(Recording::is_stream) {
        let id = &recording.id;
        let mut events = recording.events();
        // Some recordings hold two answers.
        let is_last =
            |event: &String| event.contains(r#""response":{"#) && event.contains(r#""usage":{"#);
        let end = events.iter().position(is_last).map_or(events.len(), |at| at + 1);
        events.truncate(end);
        let mut heard = match Heard::stream(&events) {
            Ok(heard) => heard,
            Err(fault) => {
                faults.push((id.clone(), fault));
                continue;
            }
        };
        let mut trees = events.iter().filter_map(|event| serde_json::from_str::<Value>(event).ok());
        let last = trees.rfind(|event| event["response"]["usage"].is_object()).unwrap();
        let whole = last["response"].to_string();
        let mut expected = Heard::whole(&response::decode(whole.as_bytes()).unwrap());
        if last["response"]["output"] == serde_json::json!([]) {
            expected = Heard { usage: expected.usage, ..Heard::stream(&events).unwrap() };
        }
        // OpenAI encrypts anew for every place.
        heard.signatures.iter_mut().for_each(String::clear);
        expected.signatures.iter_mut().for_each(String::clear);
        assert_eq!(heard, expected, "{id}");
    }
    for (id, fault) in faults {
        println!("{id}: {fault:?}");
    }
}

#[test]
fn chunks_of_any_size_make_the_same_stream() {
    for recording in successes().filter(Recording::is_stream) {
        let sent = |size: usize| {
            let client = ApiFormat::OpenAiChat;
            let mut relay =
                Translator::new(ApiFormat::OpenAiResponses, client, Framing::Sse, label()).unwrap();
            let mut sent = Vec::new();
            let mut is_whole = true;
            for chunk in recording.body.as_bytes().chunks(size) {
                let Ok(bytes) = relay.push(Bytes::copy_from_slice(chunk)) else {
                    is_whole = false;
                    break;
                };
                sent.extend_from_slice(&bytes);
            }
            match relay.finish() {
                Ok(bytes) if is_whole => sent.extend_from_slice(&bytes),
                _ => sent.extend_from_slice(&relay.take_output()),
            }
            String::from_utf8(sent).unwrap()
        };
        let whole = sent(usize::MAX);
        assert_eq!(sent(7), whole, "{}", recording.id);
        if recording.body.len() < 40_000 {
            assert_eq!(sent(1), whole, "{}", recording.id);
        }
    }
}

#[test]
fn streams_pass_through_untouched_and_are_counted_once() {
    let own = ApiFormat::OpenAiResponses;
    let label = AnswerLabel { model: None, ..label() };
    for recording in successes().filter(Recording::is_stream) {
        let id = &recording.id;
        let events = recording.events();
        let twice =
            events.iter().filter(|event| event.contains(r#""response.created""#)).count() > 1;
        let Some(heard) = Heard::stream(&events).ok().filter(|_| !twice) else { continue };
        let mut relay = Translator::new(own, own, Framing::Sse, label.clone()).unwrap();
        let mut sent = Vec::new();
        for chunk in recording.body.as_bytes().chunks(100) {
            sent.extend_from_slice(&relay.push(Bytes::copy_from_slice(chunk)).unwrap());
        }
        sent.extend_from_slice(&relay.finish().unwrap());
        assert_eq!(std::str::from_utf8(&sent).unwrap(), recording.body, "{id}");
        let calls = heard.calls.iter().map(|(_, name, arguments, _)| name.len() + arguments.len());
        let words = [&heard.text, &heard.refusal, &heard.reasoning, &heard.summary];
        let expected = calls.chain(words.map(String::len)).sum::<usize>();
        let observed = relay.observed();
        // An empty object may have come or been understood.
        if heard.calls.iter().all(|call| call.2 != "{}") {
            assert_eq!(observed.content_bytes, expected as u64, "{id}");
        }
        assert_eq!(observed.usage, heard.usage, "{id}");
        assert_eq!(observed.finish.map(FinishReason::as_str), heard.finish, "{id}");
    }
}
