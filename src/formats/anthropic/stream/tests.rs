//! What single events become, in good and bad order.

use super::*;
use crate::chat::Usage;
use crate::error::Kind as ErrorKind;
use serde_json::Value;

/// Everything a stream said, summed up.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Heard {
    pub(super) id: String,
    pub(super) text: String,
    pub(super) refusal: String,
    pub(super) reasoning: String,
    pub(super) signatures: Vec<String>,
    pub(super) encrypted: Vec<String>,
    pub(super) calls: Vec<(String, String, Value)>,
    pub(super) urls: Vec<String>,
    pub(super) usage: Usage,
    pub(super) cache_write: u64,
    pub(super) finish: Option<&'static str>,
    pub(super) native: Option<String>,
    pub(super) tier: String,
    pub(super) ended: bool,
}

impl Heard {
    /// Takes the cache writes out of the usage: recordings differ in whether they split them.
    pub(super) fn take_cache_write(&mut self) -> u64 {
        let written = self.usage.cache_write();
        self.usage.cache_write_5m = None;
        self.usage.cache_write_1h = None;
        written
    }
}

/// Splits a recorded stream into events; only for whole bodies.
pub(super) fn events(body: &str) -> Vec<(Option<String>, String)> {
    let body = body.replace("\r\n", "\n");
    let field = |frame: &str, name: &str| {
        let lines = frame.lines().filter_map(|line| line.strip_prefix(name));
        let lines: Vec<&str> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    };
    let frames = body.split("\n\n");
    frames.filter_map(|f| Some((field(f, "event:"), field(f, "data:")?))).collect()
}

/// Feeds the events and sums up what comes out.
pub(super) fn hear(events: &[(Option<String>, String)]) -> (Heard, Option<StreamFault>) {
    let mut heard = Heard::default();
    let mut arguments: Vec<String> = Vec::new();
    let mut open_calls = 0_i32;
    let mut sink = |event: Event<'_>| match event {
        Event::Start { id, .. } => heard.id = id.unwrap_or_default().into_owned(),
        Event::Text { text, .. } => heard.text.push_str(&text),
        Event::Refusal { text, .. } => heard.refusal.push_str(&text),
        Event::Reasoning { text, .. } => heard.reasoning.push_str(&text),
        Event::ReasoningSignature { data, encrypted: true, .. } => {
            heard.encrypted.push(data.into_owned());
        }
        Event::ReasoningSignature { data, .. } => heard.signatures.push(data.into_owned()),
        Event::ToolCallStart { call, id, name, .. } => {
            assert_eq!(call as usize, arguments.len());
            arguments.push(String::new());
            open_calls += 1;
            heard.calls.push((id.into_owned(), name.into_owned(), Value::Null));
        }
        Event::ToolCallArguments { call, json, .. } => arguments[call as usize].push_str(&json),
        Event::ToolCallEnd { .. } => open_calls -= 1,
        Event::Citations { citations, .. } => {
            assert!(citations.iter().all(|citation| citation.start <= citation.end));
            heard.urls.extend(citations.into_iter().map(|citation| citation.url.into_owned()));
        }
        Event::Finish { reason, native, .. } => {
            assert_eq!((open_calls, heard.finish), (0, None));
            heard.finish = Some(reason.as_str());
            heard.native = native.map(Cow::into_owned);
        }
        Event::Usage(usage) => heard.usage = usage,
        Event::End => heard.ended = true,
        Event::ServiceTier(tier) => heard.tier = tier.into_owned(),
        Event::Ping => {}
        _ => panic!("unexpected {event:?}"),
    };
    let mut decoder = Decoder::new();
    let fed = events
        .iter()
        .try_for_each(|(name, data)| decoder.event(name.as_deref(), data.as_bytes(), &mut sink));
    let fault = fed.and_then(|()| decoder.finish(&mut sink)).err();
    for ((_, _, input), json) in heard.calls.iter_mut().zip(arguments) {
        *input = serde_json::from_str(&json).unwrap_or(Value::String(json));
    }
    heard.cache_write = heard.take_cache_write();
    (heard, fault)
}

fn hear_data(data: &[&str]) -> (Heard, Option<StreamFault>) {
    let events: Vec<_> = data.iter().map(|data| (None, (*data).to_owned())).collect();
    hear(&events)
}

/// A whole stream around some events.
fn hear_within(data: &[&str]) -> Heard {
    let mut all = vec![r#"{"type":"message_start","message":{"id":"m"}}"#];
    all.extend(data);
    all.push(r#"{"type":"message_stop"}"#);
    let (heard, fault) = hear_data(&all);
    assert!(fault.is_none(), "{fault:?}");
    heard
}

const TOOL: &str = r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#;
const STOP_1: &str = r#"{"type":"content_block_stop","index":1}"#;

fn json_delta(json: &str) -> String {
    format!(
        r#"{{"type":"content_block_delta","index":1,"delta":{{"type":"input_json_delta","partial_json":{}}}}}"#,
        Value::from(json)
    )
}

#[test]
fn text_borrows_from_the_event() {
    let mut borrowed = Vec::new();
    let mut decoder = Decoder::new();
    let plain = br#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"h\u00e9"} }"#;
    let simple = "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hé\"}}   ";
    for data in [&plain[..], simple.as_bytes()] {
        let mut sink = |event: Event<'_>| {
            let Event::Text { text, .. } = event else { panic!() };
            assert_eq!(text, "hé");
            borrowed.push(matches!(text, Cow::Borrowed(_)));
        };
        decoder.event(None, data, &mut sink).unwrap();
    }
    assert_eq!(borrowed, [false, true]);
    assert_eq!(decoder.text_chars, 4);
}

#[test]
fn arguments_in_every_form() {
    let whole = TOOL.replace(r#""input":{}"#, r#""input":{"b":12345678901234567890123,"a":1}"#);
    let (first, second) = (json_delta("{\"x\":"), json_delta("1}"));
    let empty = json_delta("");
    let cases: [(&[&str], Value); 5] = [
        (&[TOOL, &empty, &first, &second, STOP_1], serde_json::json!({"x":1})),
        (&[TOOL, &empty, STOP_1], serde_json::json!({})),
        (&[TOOL], serde_json::json!({})),
        (
            &[&whole, &empty, STOP_1],
            serde_json::from_str(r#"{"b":12345678901234567890123,"a":1}"#).unwrap(),
        ),
        (&[TOOL, &first, STOP_1], Value::String("{\"x\":".into())),
    ];
    for (data, expected) in cases {
        let heard = hear_within(data);
        assert_eq!(heard.calls, [("t".to_owned(), "f".to_owned(), expected)], "{data:?}");
        assert_eq!(heard.finish, Some("tool_calls"));
    }
}

#[test]
fn unknown_things_are_skipped_whole() {
    let heard = hear_within(&[
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{"q":1}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"brand_new","text":7}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"hidden"}}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":"be","citations":null}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"brand_new_delta","text":"hidden"}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"gun","new":[]}}"#,
        r#"{"type":"content_block_delta","index":9,"delta":{"type":"text_delta","text":"!"}}"#,
        r#"{"type":"brand_new_event","x":{}}"#,
        r#"{"type":"ping"}"#,
        "[DONE]",
        "",
    ]);
    assert_eq!(heard.text, "begun!");
    assert!(heard.calls.is_empty());
    assert_eq!(heard.finish, Some("stop"));
}

#[test]
fn reasoning_keeps_signatures_apart_from_encrypted_blocks() {
    let heard = hear_within(&[
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"S"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"D"}}"#,
    ]);
    assert_eq!(heard.reasoning, "hm");
    assert_eq!((heard.signatures, heard.encrypted), (vec!["S".into()], vec!["D".into()]));
}

#[test]
fn citations_span_their_block_in_characters() {
    let mut spans = Vec::new();
    let mut decoder = Decoder::new();
    for data in [
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"äöü "}}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"","citations":[]}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"type":"web_search_result_location","url":"https://a","title":null}}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"type":"page_location","document_title":"d"}}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"ßß"}}"#,
        STOP_1,
    ] {
        let mut sink = |event: Event<'_>| {
            if let Event::Citations { citations, .. } = event {
                spans.extend(citations.into_iter().map(|c| (c.url.into_owned(), c.start, c.end)));
            }
        };
        decoder.event(None, data.as_bytes(), &mut sink).unwrap();
    }
    assert_eq!(spans, [("https://a".to_owned(), 4, 6)]);
}

#[test]
fn sources_that_wait_are_bounded_in_bytes() {
    let start =
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"a"}}"#;
    let address = "u".repeat(400_000);
    let source = format!(
        r#"{{"type":"content_block_delta","index":1,"delta":{{"type":"citations_delta","citation":{{"url":"{address}"}}}}}}"#
    );
    let mut told = Vec::new();
    let mut decoder = Decoder::new();
    for data in [start, &source, &source, &source, STOP_1, start, &source, STOP_1] {
        let mut sink = |event: Event<'_>| {
            if let Event::Citations { citations, .. } = event {
                told.push(citations.len());
            }
        };
        decoder.event(None, data.as_bytes(), &mut sink).unwrap();
    }
    assert_eq!(told, [2, 1]);
}

#[test]
fn the_end_must_be_said() {
    let start = r#"{"type":"message_start","message":{}}"#;
    let stop = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#;
    assert!(matches!(hear_data(&[start, stop]).1, Some(StreamFault::Truncated)));
    assert!(matches!(hear_data(&[]).1, Some(StreamFault::Truncated)));
    assert!(matches!(hear_data(&[start, "{\"type\":"]).1, Some(StreamFault::Malformed(_))));
    let (heard, fault) = hear_data(&[
        start,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded","details":null},"request_id":"r"}"#,
    ]);
    let Some(StreamFault::Upstream(failure)) = fault else { panic!("{fault:?}") };
    assert_eq!(failure.kind, ErrorKind::ProviderOverloaded);
    assert_eq!(failure.code.as_deref(), Some("overloaded_error"));
    assert!(!heard.ended);
}

#[test]
fn the_event_name_helps_when_the_type_is_missing() {
    let events = [("message_start", r#"{"message":{"id":"m"}}"#), ("message_stop", "{}")];
    let events: Vec<_> = events.map(|(name, data)| (Some(name.to_owned()), data.to_owned())).into();
    let (heard, fault) = hear(&events);
    assert!(heard.ended && fault.is_none());
    assert_eq!(heard.id, "m");
}

#[test]
fn usage_is_cumulative_and_the_refusal_is_told() {
    let (heard, fault) = hear_data(&[
        r#"{"type":"message_start","message":{"usage":{"input_tokens":5,"cache_read_input_tokens":10,"output_tokens":4}}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"type":"refusal","explanation":"no"}},"usage":{"output_tokens":9}}"#,
        r#"{"type":"message_stop"}"#,
        r#"{"type":"message_stop"}"#,
    ]);
    assert!(fault.is_none());
    assert_eq!((heard.usage.prompt, heard.usage.completion), (Some(15), Some(9)));
    assert_eq!((heard.refusal.as_str(), heard.finish), ("no", Some("content_filter")));
}

#[test]
fn blocks_left_open_are_bounded() {
    let mut decoder = Decoder::new();
    let start = |index: usize| {
        format!(
            r#"{{"type":"content_block_start","index":{index},"content_block":{{"type":"text","text":""}}}}"#
        )
    };
    for index in 0..OPEN_BLOCKS_MAX {
        decoder.event(None, start(index).as_bytes(), &mut |_| {}).unwrap();
    }
    assert!(decoder.event(None, start(OPEN_BLOCKS_MAX).as_bytes(), &mut |_| {}).is_err());
}

proptest::proptest! {
    #[test]
    fn no_order_of_events_breaks_the_decoder(
        order in proptest::collection::vec((0_usize..12, 0_u32..3), 0..40)
    ) {
        let kinds = [
            r#"{"type":"message_start","message":{"id":"m","usage":{"input_tokens":1}}}"#,
            r#"{"type":"content_block_start","index":I,"content_block":{"type":"text","text":"a"}}"#,
            r#"{"type":"content_block_start","index":I,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
            r#"{"type":"content_block_start","index":I,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
            r#"{"type":"content_block_delta","index":I,"delta":{"type":"text_delta","text":"b"}}"#,
            r#"{"type":"content_block_delta","index":I,"delta":{"type":"input_json_delta","partial_json":"1"}}"#,
            r#"{"type":"content_block_delta","index":I,"delta":{"type":"signature_delta","signature":"s"}}"#,
            r#"{"type":"content_block_delta","index":I}"#,
            r#"{"type":"content_block_stop","index":I}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":null}"#,
            r#"{"type":"message_stop"}"#,
            r#"{"type":"ping"}"#,
        ];
        let data: Vec<String> =
            order.iter().map(|(kind, index)| kinds[*kind].replace('I', &index.to_string())).collect();
        let data: Vec<&str> = data.iter().map(String::as_str).collect();
        // `hear` itself checks that every call is closed and that the end comes once.
        let (heard, fault) = hear_data(&data);
        proptest::prop_assert_eq!(heard.ended, fault.is_none());
    }
}
