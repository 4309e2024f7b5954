//! Errors read and written.

use super::*;
use serde_json::Value;
use std::path::Path;

#[test]
fn types_messages_and_statuses() {
    let body = |kind: &str, message: &str| {
        format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}}}}"#)
    };
    let cases = [
        (400, body("invalid_request_error", "x"), Kind::InvalidRequest),
        (
            400,
            body("invalid_request_error", "prompt is too long: 9 tokens > 2 maximum"),
            Kind::ContextLengthExceeded,
        ),
        (
            400,
            body("invalid_request_error", "Your credit balance is too low to"),
            Kind::PaymentRequired,
        ),
        (
            400,
            body("invalid_request_error", "Output blocked by content filtering policy"),
            Kind::ContentPolicyViolation,
        ),
        (413, body("invalid_request_error", "x"), Kind::PayloadTooLarge),
        (502, body("invalid_request_error", "x"), Kind::InvalidRequest),
        (401, body("authentication_error", "x"), Kind::Authentication),
        (402, body("billing_error", "x"), Kind::PaymentRequired),
        (403, body("permission_error", "x"), Kind::PermissionDenied),
        (404, body("not_found_error", "x"), Kind::NotFound),
        (413, body("request_too_large", "x"), Kind::PayloadTooLarge),
        (429, body("rate_limit_error", "x"), Kind::RateLimitExceeded),
        (504, body("timeout_error", "x"), Kind::Timeout),
        (500, body("api_error", "x"), Kind::ProviderUnavailable),
        (529, body("overloaded_error", "x"), Kind::ProviderOverloaded),
        (529, body("brand_new_error", "x"), Kind::ProviderOverloaded),
        (409, "{}".into(), Kind::Conflict),
        (418, r#"{"error":"text"}"#.into(), Kind::InvalidRequest),
        (
            400,
            r#"{"message":"Input is too long for requested model."}"#.into(),
            Kind::ContextLengthExceeded,
        ),
        (503, "<html>".into(), Kind::ProviderOverloaded),
    ];
    for (status, body, expected) in cases {
        let failure = decode(status, body.as_bytes());
        assert_eq!(failure.kind, expected, "{status} {body}");
    }
}

#[test]
fn messages_and_codes_are_kept() {
    let failure = decode(400, br#"{"error":{"type":"t","message":"m"},"request_id":null}"#);
    assert_eq!((failure.code.as_deref(), failure.message.as_deref()), (Some("t"), Some("m")));
    assert_eq!(decode(400, br#"{"error":"text"}"#).message.as_deref(), Some("text"));
    assert_eq!(decode(400, br#"{"message":"bed"}"#).message.as_deref(), Some("bed"));
    let long = "é".repeat(900);
    assert_eq!(decode(500, long.as_bytes()).message, Some("é".repeat(500)));
    assert_eq!(decode(500, b"").message, None);
}

#[test]
fn the_gateways_errors_in_anthropics_shape() {
    let cases = [
        (Kind::InvalidRequest, 400, "invalid_request_error"),
        (Kind::PaymentRequired, 402, "billing_error"),
        (Kind::PayloadTooLarge, 413, "request_too_large"),
        (Kind::ProviderOverloaded, 529, "overloaded_error"),
        (Kind::ProviderUnavailable, 502, "api_error"),
        (Kind::Timeout, 504, "timeout_error"),
        (Kind::RateLimitExceeded, 429, "rate_limit_error"),
    ];
    for (kind, code, word) in cases {
        assert_eq!(status(kind), code);
        let error = GatewayError::upstream(kind, "say \"hi\"");
        let body: Value = serde_json::from_slice(&encode(&error, "gen-1")).unwrap();
        let expected = serde_json::json!({"type":"error","request_id":"gen-1",
            "error":{"type":word,"message":"say \"hi\"","error_type":kind.name()}});
        assert_eq!(body, expected);
    }
    let mut out = BytesMut::new();
    stream_error(&GatewayError::upstream(Kind::Timeout, "late\nagain"), "gen-1", &mut out);
    let text = String::from_utf8(out.to_vec()).unwrap();
    assert!(text.starts_with("event: error\ndata: {\"type\":\"error\""), "{text}");
    assert!(text.ends_with("}\n\n") && text.lines().count() == 3, "{text}");
}

#[test]
fn recorded_errors() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/wire/corpus/anthropic-messages");
    let Ok(entries) = std::fs::read_dir(Path::new(folder)) else { return };
    let mut seen = 0;
    for entry in entries.flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let recording: Value = serde_json::from_str(&text).unwrap();
        let status = u16::try_from(recording["response"]["status"].as_u64().unwrap()).unwrap();
        if status < 400 {
            continue;
        }
        seen += 1;
        let body = recording["response"]["body"].as_str().unwrap();
        let failure = decode(status, body.as_bytes());
        let expected = match status {
            400 if body.contains("prompt is too long") => Kind::ContextLengthExceeded,
            400 => Kind::InvalidRequest,
            401 => Kind::Authentication,
            404 => Kind::NotFound,
            other => panic!("{other}"),
        };
        assert_eq!(failure.kind, expected, "{body}");
        assert!(failure.code.is_some() && failure.message.is_some());
    }
    assert!(seen > 10, "{seen} errors");
}
