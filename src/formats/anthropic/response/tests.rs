//! Whole answers, block by block.

use super::*;

fn decoded(body: &str) -> Response<'_> {
    decode(body.as_bytes()).unwrap()
}

#[test]
fn blocks_stay_in_order_with_everything_they_carry() {
    let answer = decoded(
        r#"{"id":"msg_1","type":"message","model":"claude","content":[
        {"type":"thinking","thinking":"hm","signature":"S"},
        {"type":"redacted_thinking","data":"D"},
        {"type":"text","text":"Grüße ","citations":null},
        {"type":"server_tool_use","id":"s","name":"web_search","input":{}},
        {"type":"web_search_tool_result","tool_use_id":"s","content":[],"text":5},
        {"type":"text","text":"äö","citations":[
            {"type":"web_search_result_location","url":"https://a","title":"A","cited_text":"x"},
            {"type":"char_location","document_title":"d","start_char_index":0}]},
        {"type":"tool_use","id":"t1","name":"f","input":{"z":12345678901234567890123,"a":1.0}}],
        "stop_reason":"tool_use","stop_sequence":null,
        "usage":{"input_tokens":1,"output_tokens":2,"service_tier":"standard"}}"#,
    );
    let choice = &answer.choices[0];
    let kinds: Vec<String> = choice
        .parts
        .iter()
        .map(|part| match part {
            Part::Reasoning(piece) => {
                format!("{:?} {} {:?}", piece.kind, piece.text, piece.signature)
            }
            Part::Text { text, .. } => format!("text {text}"),
            Part::ToolCall(call) => format!("call {} {} {}", call.id, call.name, call.arguments),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            r#"Text hm Some("S")"#,
            r#"Encrypted  Some("D")"#,
            "text Grüße ",
            "text äö",
            r#"call t1 f {"z":12345678901234567890123,"a":1.0}"#,
        ]
    );
    let cited = &choice.citations;
    assert_eq!(cited.len(), 1);
    assert_eq!(
        (&*cited[0].url, &*cited[0].title, cited[0].start, cited[0].end),
        ("https://a", "A", 6, 8)
    );
    assert_eq!(choice.finish, FinishReason::ToolCalls);
    assert_eq!(choice.native_finish.as_deref(), Some("tool_use"));
    assert_eq!(answer.service_tier.as_deref(), Some("default"));
    assert_eq!((answer.id.as_deref(), answer.model.as_deref()), (Some("msg_1"), Some("claude")));
    assert_eq!((answer.usage.prompt, answer.usage.completion), (Some(1), Some(2)));
}

#[test]
fn stop_reasons() {
    let cases = [
        (Some("end_turn"), false, FinishReason::Stop),
        (Some("stop_sequence"), false, FinishReason::Stop),
        (Some("pause_turn"), false, FinishReason::Stop),
        (Some("compaction"), false, FinishReason::Stop),
        (Some("brand_new"), false, FinishReason::Stop),
        (None, false, FinishReason::Stop),
        (Some("tool_use"), true, FinishReason::ToolCalls),
        (Some("end_turn"), true, FinishReason::ToolCalls),
        (Some("max_tokens"), true, FinishReason::Length),
        (Some("model_context_window_exceeded"), false, FinishReason::Length),
        (Some("refusal"), false, FinishReason::ContentFilter),
    ];
    for (word, has_calls, expected) in cases {
        assert_eq!(finish_reason(word, has_calls), expected, "{word:?}");
    }
}

#[test]
fn refusals_keep_the_explanation() {
    let body = r#"{"content":[],"stop_reason":"refusal","stop_details":{"explanation":"no"}}"#;
    let answer = decoded(body);
    assert!(matches!(&answer.choices[0].parts[..], [Part::Refusal { text }] if text == "no"));
    let silent = r#"{"content":[],"stop_reason":"refusal","stop_details":{"explanation":null}}"#;
    assert!(decoded(silent).choices[0].parts.is_empty());
}

#[test]
fn what_is_no_message_is_refused() {
    for body in ["", "<html>", "[]", "{}", r#"{"type":"error","error":{"type":"api_error"}}"#] {
        assert!(decode(body.as_bytes()).is_err(), "{body}");
    }
    assert!(decoded(r#"{"content":[]}"#).usage.is_missing());
}
