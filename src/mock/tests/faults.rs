//! Faults as a client sees them, and what the journal says of them.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use super::rig::{OPENAI, Rig, openai_body};

#[tokio::test]
async fn breaks_before_the_header() {
    for (fault, seen) in [
        ("reset_before_header", Some("reset")),
        ("close_before_header", Some("closed")),
        ("garbage", Some("closed")),
    ] {
        let rig = Rig::start().await;
        let reply = rig.openai(&json!({"fault": fault}), false).await;
        assert_eq!((reply.status, reply.broken), (0, seen), "{fault}");
        assert_eq!(reply.head.contains("garbage"), fault == "garbage");
        let entry = rig.entry().await;
        assert_eq!((entry.status, entry.fault), (0, Some(fault)));
        assert!(!entry.finished && !entry.client_closed);
    }
}

#[tokio::test]
async fn breaks_in_the_stream_come_after_the_wanted_events() {
    for (fault, broken, name) in [
        (json!({"reset_after": 3}), Some("reset"), Some("reset")),
        (json!({"close_after": 3}), Some("closed"), Some("close")),
        (json!({"end_after": 3}), None, None),
    ] {
        for format in ["openai", "anthropic", "google"] {
            let rig = Rig::start().await;
            let directive = json!({"events": 10, "fault": fault});
            let reply = match format {
                "openai" => rig.openai(&directive, true).await,
                "anthropic" => rig.anthropic(&directive, true).await,
                _ => rig.google(&directive, "streamGenerateContent?alt=sse").await,
            };
            assert_eq!((reply.status, reply.broken), (200, broken), "{fault} {format}");
            assert!(reply.body.contains("three") && !reply.body.contains("four"), "{}", reply.body);
            let entry = rig.entry().await;
            assert_eq!((entry.events_sent, entry.completion_tokens), (3, 3));
            assert_eq!((entry.fault, entry.client_closed), (name, false));
        }
    }
}

#[tokio::test]
async fn a_break_may_come_before_any_event_or_after_the_opening() {
    let rig = Rig::start().await;
    let reply = rig.anthropic(&json!({"fault": {"close_after": 0}}), true).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, ""));
    let reply = rig.anthropic(&json!({"fault": {"close_after": "start"}}), true).await;
    assert!(reply.body.contains("message_start") && !reply.body.contains("text_delta"));
    let entries = rig.entries(2).await;
    assert_eq!((entries[0].completion_tokens, entries[1].completion_tokens), (0, 0));
    assert!(entries[1].prompt_tokens > 0);
}

#[tokio::test]
async fn a_stall_ends_with_the_client() {
    let rig = Rig::start().await;
    let body = openai_body(&json!({"events": 10, "fault": {"stall_after": 2}}), true).to_string();
    let mut stream = rig.open("POST", "/v1/chat/completions", OPENAI, &body).await;
    let mut buffer = [0; 4096];
    assert!(stream.read(&mut buffer).await.unwrap() > 0);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(rig.journal.entries().is_empty(), "still stalled");
    drop(stream);
    let entry = rig.entry().await;
    assert_eq!((entry.events_sent, entry.completion_tokens), (2, 2));
    assert!(entry.client_closed && !entry.finished);
}

#[tokio::test]
async fn a_client_that_leaves_is_billed_what_was_generated() {
    let rig = Rig::start().await;
    let directive = json!({"events": 100, "event_delay_ms": 10, "tokens": {"completion": 200}});
    let body = openai_body(&directive, true).to_string();
    let mut stream = rig.open("POST", "/v1/chat/completions", OPENAI, &body).await;
    let mut seen = String::new();
    while !seen.contains("five") {
        let mut buffer = [0; 4096];
        let size = stream.read(&mut buffer).await.unwrap();
        seen.push_str(&String::from_utf8_lossy(&buffer[..size]));
    }
    drop(stream);
    let entry = rig.entry().await;
    assert!(entry.client_closed && !entry.finished);
    assert!((5..60).contains(&entry.events_sent), "{}", entry.events_sent);
    assert_eq!(entry.completion_tokens, entry.events_sent * 2);
    assert!((40..5000).contains(&entry.closed_after_ms), "{}", entry.closed_after_ms);
}

#[tokio::test]
async fn a_client_that_leaves_before_the_header_is_noted() {
    let rig = Rig::start().await;
    let body = openai_body(&json!({"delay_ms": 60_000}), false).to_string();
    let stream = rig.open("POST", "/v1/chat/completions", OPENAI, &body).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(stream);
    let entry = rig.entry().await;
    assert!(entry.client_closed && !entry.finished);
    assert_eq!((entry.status, entry.model.as_str()), (0, "gpt-x"));
}

#[tokio::test]
async fn errors_and_bad_json_inside_a_stream() {
    let rig = Rig::start().await;
    let failing = json!({"events": 9, "fault": {"error_after": 2}});
    let events = rig.openai(&failing, true).await.events();
    let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "overloaded");
    let reply = rig.anthropic(&failing, true).await;
    let (_, last) = reply.body.trim_end().rsplit_once("\n\n").unwrap();
    assert!(last.starts_with("event: error\ndata: "), "{last}");
    assert!(last.contains("overloaded_error"), "{last}");
    let array = rig.google(&failing, "streamGenerateContent").await.json();
    assert_eq!(array[2]["error"]["status"], "UNAVAILABLE");
    let limited = json!({"error": "rate_limit", "fault": {"error_after": 1}});
    let reply = rig.google(&limited, "streamGenerateContent?alt=sse").await;
    assert_eq!(reply.chunks()[1]["error"]["status"], "RESOURCE_EXHAUSTED");
    assert_eq!(reply.status, 200);

    let events = rig.openai(&json!({"fault": {"bad_json_after": 1}}), true).await.events();
    let broken = events.iter().filter(|e| serde_json::from_str::<Value>(e).is_err()).count();
    assert_eq!((broken, events.last().unwrap().as_str()), (2, "[DONE]"));
}

#[tokio::test]
async fn streams_without_their_last_event() {
    let rig = Rig::start().await;
    let directive = json!({"fault": "end_without_done"});
    let reply = rig.openai(&directive, true).await;
    assert!(!reply.body.contains("[DONE]") && reply.body.contains("\"stop\""), "{}", reply.body);
    assert_eq!(reply.broken, None);
    let reply = rig.anthropic(&directive, true).await;
    assert!(!reply.body.contains("message_stop") && reply.body.contains("message_delta"));
    let reply = rig.google(&directive, "streamGenerateContent?alt=sse").await;
    assert!(!reply.body.contains("finishReason"));
    let reply = rig.google(&directive, "streamGenerateContent").await;
    assert!(!reply.body.trim_end().ends_with(']'), "{}", reply.body);
}

#[tokio::test]
async fn odd_but_valid_framing() {
    let rig = Rig::start().await;
    let fault = json!({"crlf": true, "slow_body_chunk": 7, "huge_event_bytes": 50_000});
    let reply = rig.openai(&json!({"text": "a b", "fault": fault}), true).await;
    assert!(reply.body.contains("}\r\n\r\ndata: "), "{}", reply.body.len());
    let deltas = reply.chunks();
    let longest = deltas
        .iter()
        .filter_map(|c| c["choices"][0]["delta"]["content"].as_str())
        .map(str::len)
        .max();
    assert_eq!(longest, Some(50_000));
    assert_eq!(reply.events().last().unwrap(), "[DONE]");
}

#[tokio::test]
async fn bodies_cut_in_half() {
    let rig = Rig::start().await;
    let right = rig.openai(&json!({"fault": {"truncate_json": "right_length"}}), false).await;
    assert_eq!(right.broken, None);
    assert!(serde_json::from_str::<Value>(&right.body).is_err());
    let wrong = rig.openai(&json!({"fault": {"truncate_json": "wrong_length"}}), false).await;
    assert_eq!(wrong.broken, Some("closed"));
    let reset = rig.anthropic(&json!({"fault": {"reset_after": 1}}), false).await;
    assert_eq!(reset.broken, Some("reset"));
    let odd = rig.openai(&json!({"fault": "wrong_content_type"}), true).await;
    assert!(odd.head.contains("content-type: text/html"), "{}", odd.head);
}

#[tokio::test]
async fn secrets_come_back_where_a_careless_provider_puts_them() {
    let rig = Rig::start().await;
    let reply = rig.openai(&json!({"fault": "echo_secrets"}), true).await;
    assert!(reply.head.contains("x-echo-credential: sk-test-1234"), "{}", reply.head);
    assert!(reply.body.contains("sk-test-1234"));
    let reply = rig.anthropic(&json!({"error": "auth", "fault": "echo_secrets"}), false).await;
    assert!(reply.json()["error"]["message"].as_str().unwrap().contains("sk-ant-5678"));
}
