//! Errors read from Google, and written in its shape.

use super::*;
use serde_json::Value;

#[test]
fn words_reasons_and_messages_decide() {
    let body = |code: u16, status: &str, message: &str, details: &str| {
        format!(
            r#"{{"error":{{"code":{code},"message":"{message}","status":"{status}","details":{details}}}}}"#
        )
    };
    let key = r#"[{"@type":"x"},{"reason":"API_KEY_INVALID"}]"#;
    for (code, word, message, details, kind) in [
        (400, "INVALID_ARGUMENT", "bad", "[]", Kind::InvalidRequest),
        (400, "INVALID_ARGUMENT", "bad", key, Kind::Authentication),
        (400, "INVALID_ARGUMENT", "API key not valid. Please", "[]", Kind::Authentication),
        (
            400,
            "INVALID_ARGUMENT",
            "The input token count (12) exceeds the maximum number of tokens allowed (10).",
            "null",
            Kind::ContextLengthExceeded,
        ),
        (400, "FAILED_PRECONDITION", "where", "[]", Kind::InvalidRequest),
        (401, "UNAUTHENTICATED", "", "[]", Kind::Authentication),
        (403, "PERMISSION_DENIED", "", "[]", Kind::PermissionDenied),
        (404, "NOT_FOUND", "", "[]", Kind::NotFound),
        (409, "ABORTED", "", "[]", Kind::Conflict),
        (429, "RESOURCE_EXHAUSTED", "", "[]", Kind::RateLimitExceeded),
        (499, "CANCELLED", "", "[]", Kind::ProviderUnavailable),
        (500, "INTERNAL", "", "[]", Kind::ProviderUnavailable),
        (503, "UNAVAILABLE", "", "[]", Kind::ProviderOverloaded),
        (504, "DEADLINE_EXCEEDED", "", "[]", Kind::Timeout),
        (418, "NEW_WORD", "", "[]", Kind::InvalidRequest),
    ] {
        let body = body(code, word, message, details);
        assert_eq!(decode(code, body.as_bytes()).kind, kind, "{body}");
        assert_eq!(decode(code, format!("[{body}]\n").as_bytes()).kind, kind, "in a list");
    }
}

#[test]
fn the_wait_is_read() {
    for (value, expected) in [
        (r#""34s""#, Some(Duration::from_secs(34))),
        (r#""0.5s""#, Some(Duration::from_millis(500))),
        (r#"{"seconds":7}"#, Some(Duration::from_secs(7))),
        (r#""-1s""#, None),
        (r#""1e300s""#, None),
        (r#""soon""#, None),
    ] {
        let body = format!(
            r#"{{"error":{{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{{"retryDelay":{value}}}]}}}}"#
        );
        assert_eq!(decode(429, body.as_bytes()).retry_after, expected, "{value}");
    }
}

#[test]
fn other_bodies_are_judged_by_the_status() {
    let html = decode(502, b"<html>bad gateway</html>");
    assert_eq!(html.kind, Kind::ProviderUnavailable);
    assert_eq!(html.message.as_deref(), Some("<html>bad gateway</html>"));
    assert_eq!(decode(503, b"").message, None);
    let long = "ü".repeat(600);
    assert_eq!(decode(500, long.as_bytes()).message.unwrap().chars().count(), 500);
    let text = decode(404, br#"{"error":"no such model"}"#);
    assert_eq!((text.kind, text.message.as_deref()), (Kind::NotFound, Some("no such model")));
}

#[test]
fn written_errors_carry_the_canonical_type() {
    let error = GatewayError::client(Kind::RateLimitExceeded, "slow \"down\"")
        .with_param("model")
        .with_detail("secret detail")
        .with_retry_after(Some(Duration::from_millis(1200)));
    let body: Value = serde_json::from_slice(&encode(&error, "req-1")).unwrap();
    assert_eq!(body["error"]["code"], 429);
    assert_eq!(body["error"]["message"], "slow \"down\"");
    assert_eq!(body["error"]["status"], "RESOURCE_EXHAUSTED");
    let details = &body["error"]["details"];
    assert_eq!(details[0]["metadata"]["error_type"], "rate_limit_exceeded");
    assert_eq!(details[0]["metadata"]["param"], "model");
    assert_eq!(details[1]["requestId"], "req-1");
    assert_eq!(details[2]["retryDelay"], "2s");
    assert!(!body.to_string().contains("secret"));
    assert_eq!(decode(429, body.to_string().as_bytes()).retry_after, Some(Duration::from_secs(2)));
}

#[test]
fn written_words_by_kind() {
    for (kind, code, word) in [
        (Kind::InvalidRequest, 400, "INVALID_ARGUMENT"),
        (Kind::Authentication, 401, "UNAUTHENTICATED"),
        (Kind::PaymentRequired, 402, "RESOURCE_EXHAUSTED"),
        (Kind::PermissionDenied, 403, "PERMISSION_DENIED"),
        (Kind::NotFound, 404, "NOT_FOUND"),
        (Kind::Server, 500, "INTERNAL"),
        (Kind::ProviderUnavailable, 502, "INTERNAL"),
        (Kind::ProviderOverloaded, 503, "UNAVAILABLE"),
        (Kind::Timeout, 504, "DEADLINE_EXCEEDED"),
    ] {
        let body: Value =
            serde_json::from_slice(&encode(&GatewayError::client(kind, "m"), "r")).unwrap();
        assert_eq!(
            (&body["error"]["code"], &body["error"]["status"]),
            (&code.into(), &word.into())
        );
    }
}

#[test]
fn errors_end_a_stream_in_its_framing() {
    let error = GatewayError::upstream(Kind::ProviderOverloaded, "m");
    let mut out = BytesMut::new();
    append_sse(&error, "r", &mut out);
    let event = out.strip_prefix(b"data: ").unwrap().strip_suffix(b"\r\n\r\n").unwrap();
    assert_eq!(serde_json::from_slice::<Value>(event).unwrap()["error"]["code"], 503);
    for (seen, place, elements) in [
        ("", Place::Outside, 1),
        ("[", Place::BeforeElement, 1),
        ("[{}", Place::AfterElement, 2),
        ("[{},\r\n", Place::BeforeElement, 2),
        ("[{}]", Place::Closed, 1),
    ] {
        let mut out = BytesMut::from(seen.as_bytes());
        append_array(&error, "r", place, &mut out);
        let list: Vec<Value> = serde_json::from_slice(&out).unwrap();
        assert_eq!(list.len(), elements, "{seen}");
    }
}

#[test]
fn recorded_errors_have_their_kind() {
    for recording in crate::formats::gemini::recordings::answers() {
        if recording.status == 200 {
            continue;
        }
        let failure = decode(recording.status, recording.body.as_bytes());
        let expected = match recording.status {
            404 => Kind::NotFound,
            429 => Kind::RateLimitExceeded,
            _ if recording.body.contains("API_KEY_INVALID") => Kind::Authentication,
            _ if recording.body.contains("input token count") => Kind::ContextLengthExceeded,
            _ => Kind::InvalidRequest,
        };
        assert_eq!(failure.kind, expected, "{}", recording.id);
        let has_wait = recording.body.contains("retryDelay");
        assert_eq!(failure.retry_after.is_some(), has_wait, "{}", recording.id);
    }
}
