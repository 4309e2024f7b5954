//! Streams event by event: what no recording shows, faults, and the speed of ordinary pieces.

use super::*;
use crate::error::Kind;
use crate::formats::openai_responses::heard::Heard;

fn events(events: &[&str]) -> Vec<String> {
    events.iter().map(|event| (*event).to_owned()).collect()
}

/// A whole stream around some events.
fn heard(between: &[&str]) -> Heard {
    let mut all = vec![r#"{"type":"response.created","response":{"id":"resp_1","model":"m"}}"#];
    all.extend(between);
    all.push(r#"{"type":"response.completed","response":{"status":"completed","output":[],"usage":{"input_tokens":1,"output_tokens":2}}}"#);
    Heard::stream(&events(&all)).unwrap()
}

const CALL: &str = r#"{"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":""}}"#;

fn call(id: &str, name: &str, arguments: &str, custom: bool) -> (String, String, String, bool) {
    (id.to_owned(), name.to_owned(), arguments.to_owned(), custom)
}

#[test]
fn calls_in_every_form() {
    let delta = r#"{"type":"response.function_call_arguments.delta","item_id":"fc_1","output_index":1,"delta":"{\"a\":1}"}"#;
    let done = |arguments: &str| {
        format!(
            r#"{{"type":"response.output_item.done","output_index":1,"item":{{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":{}}}}}"#,
            serde_json::Value::from(arguments)
        )
    };
    let whole = done(r#"{"a":1}"#);
    let expected = [call("c1", "f", r#"{"a":1}"#, false)];
    assert_eq!(heard(&[CALL, delta, &whole]).calls, expected);
    assert_eq!(heard(&[CALL, &whole]).calls, expected, "no pieces");
    assert_eq!(heard(&[&whole]).calls, expected, "not announced");
    assert_eq!(heard(&[CALL, delta]).calls, expected, "not ended");
    assert_eq!(heard(&[CALL, &done("")]).calls, [call("c1", "f", "{}", false)]);
    assert_eq!(heard(&[CALL, delta, &whole, &whole]).calls, expected, "ended twice");
    let custom = [
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"custom_tool_call","id":"ctc_1","call_id":"c2","name":"g","input":""}}"#,
        r#"{"type":"response.custom_tool_call_input.delta","output_index":0,"delta":"1 + "}"#,
        r#"{"type":"response.custom_tool_call_input.delta","output_index":0,"delta":"1"}"#,
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"custom_tool_call","call_id":"c2","name":"g","input":"1 + 1"}}"#,
    ];
    let said = heard(&custom);
    assert_eq!(
        (said.calls, said.finish),
        (vec![call("c2", "g", "1 + 1", true)], Some("tool_calls"))
    );
}

#[test]
fn a_stream_that_only_ends_is_read_from_its_end() {
    let end = r#"{"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[
        {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"s"}],"encrypted_content":"E"},
        {"type":"web_search_call","action":{"type":"search"}},{"type":"web_search_call","action":{"type":"open_page"}},
        {"type":"message","content":[{"type":"output_text","text":"h\u00e9llo","annotations":[
            {"type":"url_citation","url":"u","title":"t","start_index":1,"end_index":3}]},
            {"type":"output_text","text":"!","annotations":[{"type":"url_citation","url":"v","start_index":0,"end_index":1},{"type":"file_citation"}]}]},
        {"type":"image_generation_call","result":"iVBORw0KGgo"},{"type":"teleport_call","to":"x"}]}}"#;
    let said = Heard::stream(&events(&[end])).unwrap();
    assert_eq!((said.text.as_str(), said.summary.as_str(), said.images), ("héllo!", "s", 1));
    assert_eq!(said.signatures, ["E"]);
    assert_eq!(said.usage.web_searches, Some(1));
    assert_eq!(said.citations, [("u".to_owned(), 1, 3), ("v".to_owned(), 5, 6)]);
}

#[test]
fn sources_count_from_the_answers_beginning() {
    let text = |index: u32, text: &str| {
        format!(
            r#"{{"type":"response.output_text.delta","output_index":{index},"content_index":0,"delta":"{text}"}}"#
        )
    };
    let note = r#"{"type":"response.output_text.annotation.added","output_index":1,"content_index":0,"annotation":{"type":"url_citation","url":"u","title":"t","start_index":0,"end_index":2}}"#;
    let done = r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"message","content":[{"type":"output_text","text":"cd","annotations":[{"type":"url_citation","url":"u","title":"t","start_index":0,"end_index":2}]}]}}"#;
    let expected = [("u".to_owned(), 3, 5)];
    let pieces = [text(0, "ab"), text(0, "é"), text(1, "c"), text(1, "d")];
    let mut all: Vec<&str> = pieces.iter().map(String::as_str).collect();
    all.push(done);
    assert_eq!(heard(&all).citations, expected);
    all.insert(4, note);
    assert_eq!(heard(&all).citations, expected);
    let second = text(1, "ef").replace(r#""content_index":0"#, r#""content_index":1"#);
    all.insert(4, &second);
    assert_eq!(heard(&all).citations, [("u".to_owned(), 5, 7)], "the second part of a message");
}

#[test]
fn unknown_events_and_odd_values_are_passed_over() {
    let said = heard(&[
        r#"{"type":"response.teleport.delta","output_index":0,"delta":"x"}"#,
        r#"{"type":"response.output_text.delta","output_index":"0","delta":{"odd":1}}"#,
        r#"{"type":"response.output_item.added","output_index":0,"item":"odd"}"#,
        r#"{"delta":"no type"}"#,
        "[DONE]",
        "",
        r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"a","logprobs":[]}"#,
        r#"{"type":"response.refusal.delta","output_index":0,"content_index":1,"delta":"no"}"#,
    ]);
    assert_eq!((said.text.as_str(), said.refusal.as_str(), said.finish), ("a", "no", Some("stop")));
}

#[test]
fn errors_and_broken_streams_are_faults() {
    let cases = [
        (
            r#"{"type":"error","code":"rate_limit_exceeded","message":"m","param":null}"#,
            Kind::RateLimitExceeded,
        ),
        (
            r#"{"type":"error","error":{"type":"tokens","code":"context_length_exceeded","message":"m"}}"#,
            Kind::ContextLengthExceeded,
        ),
        (
            r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"m"}}}"#,
            Kind::ProviderUnavailable,
        ),
        (
            r#"{"type":"response.completed","response":{"status":"failed","error":{"code":"invalid_prompt","message":"m"},"output":[]}}"#,
            Kind::InvalidRequest,
        ),
        (r#"{"error":{"code":"insufficient_quota","message":"m"}}"#, Kind::PaymentRequired),
    ];
    for (event, kind) in cases {
        let fault = Heard::stream(&events(&[event])).unwrap_err();
        let StreamFault::Upstream(failure) = fault else { panic!("{fault:?}") };
        assert_eq!((failure.kind, failure.message.as_deref()), (kind, Some("m")), "{event}");
    }
    let created = r#"{"type":"response.created","response":{}}"#;
    for (event, is_expected) in [
        (created, (|fault| matches!(fault, StreamFault::Truncated)) as fn(&StreamFault) -> bool),
        ("{\"type\":", |fault| matches!(fault, StreamFault::Malformed(_))),
    ] {
        let fault = Heard::stream(&events(&[event])).unwrap_err();
        assert!(is_expected(&fault), "{fault:?}");
    }
}

#[test]
fn text_and_its_log_probabilities() {
    let mut decoder = Decoder::default();
    let mut told = Vec::new();
    let event = r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"ab","logprobs":[{"token":"ab","logprob":-0.10}]}"#;
    let mut sink = |event: Event<'_>| match event {
        Event::Text { text: Cow::Borrowed(text), .. } => told.push(text.to_owned()),
        Event::Logprobs { json, .. } => told.push(json.get().to_owned()),
        Event::Start { .. } => {}
        other => panic!("{other:?}"),
    };
    decoder.event(None, event.as_bytes(), &mut sink).unwrap();
    assert_eq!(told, ["ab", r#"{"content":[{"token":"ab","logprob":-0.10}]}"#]);
}

#[test]
fn items_without_end_are_bounded() {
    let mut decoder = Decoder::default();
    for index in 0..10_000 {
        let event = format!(
            r#"{{"type":"response.output_text.delta","output_index":{index},"delta":"a"}}"#
        );
        decoder.event(None, event.as_bytes(), &mut |_| {}).unwrap();
    }
    assert_eq!(decoder.items.len(), 4_096);
}
