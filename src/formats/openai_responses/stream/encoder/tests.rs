//! Streams as clients get them: read back by the decoder, and as the official clients do.

use super::*;
use crate::chat::message::ReasoningKind;
use crate::chat::response::Citation;
use crate::formats::openai_responses::accumulate::accumulate;
use crate::formats::openai_responses::corpus::label;
use crate::formats::openai_responses::heard::Heard;
use crate::formats::openai_responses::recordings::{self, Recording};
use crate::formats::openai_responses::{response, stream::Decoder};
use crate::formats::{ApiFormat, StreamDecoder, StreamFault, translator::Translator};
use bytes::Bytes;

/// The events of a client's stream.
fn data_of(sent: &str) -> Vec<String> {
    sent.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
}

fn answers() -> impl Iterator<Item = Recording> {
    recordings::all().into_iter().filter(|recording| recording.status == 200)
}

#[test]
fn what_was_decoded_and_written_is_heard_again() {
    for recording in answers().filter(Recording::is_stream) {
        let mut decoder = Decoder::default();
        let mut encoder = Encoder::new(label(), Framing::Sse);
        let mut out = BytesMut::new();
        let mut events = Vec::new();
        let fed = recording.events().iter().try_for_each(|event| {
            events.push(event.clone());
            decoder.event(None, event.as_bytes(), &mut |event| encoder.event(&event, &mut out))
        });
        if fed.is_err() {
            continue;
        }
        encoder.finish(&mut out);
        let sent = String::from_utf8(out.to_vec()).unwrap();
        let last = accumulate(&recording.id, &sent).to_string();
        let heard = Heard::stream(&events).unwrap().without_searches();
        let again = Heard::stream(&data_of(&sent)).unwrap();
        assert_eq!(unpacked(again), heard, "{}", recording.id);
        let whole = Heard::whole(&response::decode(last.as_bytes()).unwrap());
        assert_eq!(unpacked(whole), heard, "{}", recording.id);
    }
}

/// With the signatures as their makers wrote them.
fn unpacked(mut heard: Heard) -> Heard {
    for signature in &mut heard.signatures {
        if let Some(carried) = crate::formats::carried::Carried::unpack(signature) {
            *signature = carried.data;
        }
    }
    heard
}

#[test]
fn streams_of_other_formats_become_well_formed_ones() {
    let folders = [
        (ApiFormat::Anthropic, "anthropic-messages", "event: message_start"),
        (ApiFormat::Gemini, "google-generate", "data: {"),
        (ApiFormat::Gemini, "vertex-generate", "data: {"),
        (ApiFormat::OpenAiChat, "openai-chat", "data: {"),
        (ApiFormat::OpenAiChat, "openrouter-chat", "data: {"),
        (ApiFormat::OpenAiChat, "mistral-chat", "data: {"),
        (ApiFormat::OpenAiChat, "groq-chat", "data: {"),
        (ApiFormat::OpenAiChat, "deepseek-chat", "data: {"),
    ];
    let mut count = 0;
    for (format, folder, start) in folders {
        for recording in recordings::load(folder) {
            if recording.status != 200 || !recording.body.starts_with(start) {
                continue;
            }
            let sent = match relay(format, &recording.body, usize::MAX) {
                Ok(sent) => sent,
                Err((sent, _)) => {
                    assert!(!sent.contains("response.completed"), "{}", recording.id);
                    continue;
                }
            };
            accumulate(&recording.id, &sent);
            Heard::stream(&data_of(&sent)).unwrap();
            // Gemini's calls get a random id.
            if format != ApiFormat::Gemini && recording.body.len() < 20_000 {
                assert_eq!(relay(format, &recording.body, 7).unwrap(), sent, "{}", recording.id);
            }
            count += 1;
        }
    }
    assert!(count == 0 || count > 250, "{count} streams");
}

/// What a client gets of a provider's stream that comes in pieces of so many bytes.
fn relay(format: ApiFormat, body: &str, size: usize) -> Result<String, (String, StreamFault)> {
    let client = ApiFormat::OpenAiResponses;
    let mut relay = Translator::new(format, client, Framing::Sse, label()).unwrap();
    let mut sent = Vec::new();
    let mut run = || {
        for chunk in body.as_bytes().chunks(size.min(body.len().max(1))) {
            sent.extend_from_slice(&relay.push(Bytes::copy_from_slice(chunk))?);
        }
        sent.extend_from_slice(&relay.finish()?);
        Ok(())
    };
    let outcome = run();
    sent.extend_from_slice(&relay.take_output());
    let sent = String::from_utf8(sent).unwrap();
    match outcome {
        Ok(()) => Ok(sent),
        Err(fault) => Err((sent, fault)),
    }
}

/// What some events become, with the whole answer of the last one.
fn written(events: &[Event<'_>]) -> (String, serde_json::Value) {
    written_with(Encoder::new(label(), Framing::Sse), events)
}

fn written_with(mut encoder: Encoder, events: &[Event<'_>]) -> (String, serde_json::Value) {
    let mut out = BytesMut::new();
    for event in events {
        encoder.event(event, &mut out);
    }
    encoder.finish(&mut out);
    encoder.finish(&mut out);
    let sent = String::from_utf8(out.to_vec()).unwrap();
    let last = accumulate("events", &sent);
    (sent, last)
}

fn text(text: &str) -> Event<'_> {
    Event::Text { choice: 0, text: text.into() }
}

fn start(call: u32, id: &str, custom: bool) -> Event<'_> {
    Event::ToolCallStart { choice: 0, call, id: id.into(), name: "f".into(), custom }
}

fn arguments(call: u32, json: &str) -> Event<'_> {
    Event::ToolCallArguments { choice: 0, call, json: json.into() }
}

fn thought(text: &str, kind: ReasoningKind, block: u32) -> Event<'_> {
    Event::Reasoning { choice: 0, text: text.into(), kind, format: "anthropic-claude-v1", block }
}

fn signature<'e>(data: &'e str, encrypted: bool, id: Option<&'e str>) -> Event<'e> {
    let (choice, block, format) = (0, 0, "google-gemini-v1");
    let id = id.map(Into::into);
    Event::ReasoningSignature { choice, data: data.into(), encrypted, format, block, id }
}

fn finish(reason: FinishReason) -> Event<'static> {
    Event::Finish { choice: 0, reason, native: None }
}

#[test]
fn a_piece_of_text_is_one_event() {
    let (sent, last) =
        written(&[Event::Start { id: Some("resp_x".into()), model: None }, text("a\n\"")]);
    let delta = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":4,\"item_id\":\"msg_1abc00\",\"output_index\":0,\"content_index\":0,\"delta\":\"a\\n\\\"\",\"logprobs\":[]}\n\n";
    assert!(sent.contains(delta), "{sent}");
    assert_eq!((&last["id"], &last["model"]), (&"resp_x".into(), &"acme/model".into()));
    assert_eq!(last["usage"], serde_json::Value::Null);
}

#[test]
fn items_follow_one_another_in_any_order_of_events() {
    let usage = Usage { prompt: Some(3), completion: Some(4), cached: Some(1), ..Usage::default() };
    let (_, last) = written(&[
        thought("s1", ReasoningKind::Summary, 0),
        thought("s2", ReasoningKind::Summary, 1),
        signature("S", false, None),
        text("a"),
        Event::Text { choice: 1, text: "other".into() },
        Event::Refusal { choice: 0, text: "no".into() },
        Event::Usage(usage),
        signature("G", true, Some("c1")),
        start(0, "c1", false),
        arguments(0, "{\"x\":"),
        start(1, "c2", true),
        arguments(0, "1}"),
        arguments(1, "raw"),
        arguments(7, "lost"),
        start(2, "c3", false),
        text("b"),
        Event::Image { choice: 0, mime: "image/png".into(), data: "iVBOR".into() },
        finish(FinishReason::ToolCalls),
        Event::ServiceTier("flex".into()),
    ]);
    let kinds: Vec<&str> = last["output"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "reasoning",
            "message",
            "reasoning",
            "function_call",
            "custom_tool_call",
            "function_call",
            "message",
            "image_generation_call"
        ]
    );
    let response = last.to_string();
    let heard = Heard::whole(&response::decode(response.as_bytes()).unwrap());
    let calls: Vec<&str> =
        heard.calls.iter().map(|(.., arguments, _)| arguments.as_str()).collect();
    assert_eq!(calls, ["{\"x\":1}", "raw", "{}"]);
    assert_eq!(
        (heard.text.as_str(), heard.refusal.as_str(), heard.summary.as_str()),
        ("ab", "no", "s1s2")
    );
    assert_eq!((heard.usage, last["service_tier"].as_str()), (usage_read(usage), Some("flex")));
    assert_eq!(unpacked(heard).signatures, ["S", "G"]);
}

#[test]
fn sources_count_from_their_own_text_even_after_a_signature() {
    let citation = Citation { url: "u".into(), title: "t".into(), start: 3, end: 4 };
    let (sent, last) = written(&[
        text("aé"),
        start(0, "c1", false),
        text("bcd"),
        signature("G", true, None),
        Event::Citations { choice: 0, citations: vec![citation] },
        Event::Citations { choice: 1, citations: Vec::new() },
    ]);
    let note = serde_json::json!({"type": "url_citation", "start_index": 1, "end_index": 2, "url": "u", "title": "t"});
    assert_eq!(last["output"][2]["content"][0]["annotations"], serde_json::json!([note]));
    assert_eq!(last["output"][3]["type"], "reasoning");
    assert_eq!(sent.matches("event: response.output_text.annotation.added").count(), 1);
}

#[test]
fn sources_that_come_after_the_message_still_stand_on_it() {
    let source = |url: &str| {
        let citation = Citation { url: url.to_owned().into(), title: "t".into(), start: 0, end: 1 };
        Event::Citations { choice: 0, citations: vec![citation] }
    };
    let (sent, last) = written(&[
        text("a"),
        source("u0"),
        start(0, "c1", false),
        source("u1"),
        source("u2"),
        finish(FinishReason::ToolCalls),
    ]);
    let notes = last["output"][0]["content"][0]["annotations"].as_array().unwrap();
    let urls: Vec<&str> = notes.iter().map(|note| note["url"].as_str().unwrap()).collect();
    assert_eq!(urls, ["u0", "u1", "u2"]);
    let added = sent.split("\n\n").filter(|event| event.contains("annotation.added"));
    let added: Vec<&str> = added.collect();
    assert_eq!(added.len(), 3);
    for (event, position) in added.iter().zip(["0", "1", "2"]) {
        let place = format!(r#""output_index":0,"content_index":0,"annotation_index":{position},"#);
        assert!(event.contains(&place), "{event}");
    }
    // Without any text there is nothing they could stand on.
    let (sent, last) = written(&[source("u"), finish(FinishReason::Stop)]);
    assert_eq!((sent.contains("annotation"), last["output"].to_string()), (false, "[]".into()));
}

/// Counts that are written as zero when nothing is known.
fn usage_read(usage: Usage) -> Usage {
    Usage { reasoning: Some(0), cache_write_5m: Some(0), ..usage }
}

#[test]
fn ends_of_every_kind() {
    let cases = [
        (Some(FinishReason::Stop), "completed", serde_json::Value::Null),
        (None, "completed", serde_json::Value::Null),
        (
            Some(FinishReason::Length),
            "incomplete",
            serde_json::json!({"reason": "max_output_tokens"}),
        ),
        (
            Some(FinishReason::ContentFilter),
            "incomplete",
            serde_json::json!({"reason": "content_filter"}),
        ),
        (Some(FinishReason::Error), "failed", serde_json::Value::Null),
    ];
    for (reason, status, details) in cases {
        let mut events = vec![text("a")];
        events.extend(reason.map(finish));
        let (_, last) = written(&events);
        assert_eq!((&last["status"], &last["incomplete_details"]), (&status.into(), &details));
        let item = if status == "completed" { "completed" } else { "incomplete" };
        assert_eq!(last["output"][0]["status"], item);
        assert_eq!(last["error"].is_object(), status == "failed");
    }
    assert_eq!(written(&[]).1["output"], serde_json::json!([]));
}

#[test]
fn withheld_reasoning_leaves_its_signature() {
    let label = AnswerLabel { exclude_reasoning: true, ..label() };
    let events = [
        thought("secret", ReasoningKind::Text, 0),
        signature("S", false, None),
        thought("x", ReasoningKind::Text, 1),
        text("a"),
    ];
    let (sent, last) = written_with(Encoder::new(label, Framing::Sse), &events);
    assert!(!sent.contains("secret"));
    let item = &last["output"][0];
    assert!(item["encrypted_content"].is_string() && item.get("content").is_none());
    assert_eq!(last["output"].as_array().unwrap().len(), 2);
}

#[test]
fn an_error_is_the_last_word() {
    let error = GatewayError::upstream(crate::error::Kind::RateLimitExceeded, "slow down");
    let mut out = BytesMut::new();
    let mut encoder = Encoder::new(label(), Framing::Sse);
    encoder.fail(&error, "req", &mut out);
    encoder.finish(&mut out);
    let alone = String::from_utf8(out.split().to_vec()).unwrap();
    assert_eq!(alone.matches("event: ").count(), 1);
    assert!(
        alone.starts_with("event: error\ndata: {\"type\":\"error\",\"sequence_number\":0,"),
        "{alone}"
    );
    let mut encoder = Encoder::new(label(), Framing::Sse);
    encoder.event(&text("a"), &mut out);
    encoder.fail(&error, "req", &mut out);
    encoder.event(&text("b"), &mut out);
    let sent = data_of(std::str::from_utf8(&out).unwrap());
    let last: serde_json::Value = serde_json::from_str(sent.last().unwrap()).unwrap();
    assert_eq!(last["type"], "response.failed");
    assert_eq!(
        last["response"]["error"],
        serde_json::json!({"code": "rate_limit_exceeded", "message": "slow down"})
    );
    assert_eq!(last["response"]["error_type"], "rate_limit_exceeded");
    let fault = Heard::stream(&sent).unwrap_err();
    assert!(
        matches!(fault, StreamFault::Upstream(failure) if failure.kind == crate::error::Kind::RateLimitExceeded)
    );
}

#[test]
fn only_the_beginning_of_a_huge_answer_is_kept() {
    let piece = "x".repeat(1 << 20);
    let mut encoder = Encoder::new(label(), Framing::Sse);
    let (mut out, mut passed) = (BytesMut::new(), 0);
    for _ in 0..20 {
        encoder.event(&text(&piece), &mut out);
        passed += out.split().len();
    }
    assert!(passed >= 20 << 20, "every piece passes");
    encoder.finish(&mut out);
    let sent = String::from_utf8(out.to_vec()).unwrap();
    let last: serde_json::Value = serde_json::from_str(data_of(&sent).last().unwrap()).unwrap();
    let kept = last["response"]["output"][0]["content"][0]["text"].as_str().unwrap().len();
    assert_eq!(kept, journal::MAX_KEPT_BYTES);
    let mut encoder = Encoder::new(label(), Framing::Sse);
    for call in 0..5_000 {
        encoder.event(&start(call, "c", false), &mut out);
        encoder.event(&Event::ToolCallEnd { choice: 0, call }, &mut out);
    }
    encoder.finish(&mut out);
}
