//! Tests of the error reader, on single bodies and on recordings where present.

use super::*;
use crate::formats::bedrock::recordings;

#[test]
fn types_decide_and_then_the_status() {
    use Kind::{
        Authentication, ContextLengthExceeded, InvalidRequest, NotFound, PermissionDenied,
        ProviderOverloaded, ProviderUnavailable, RateLimitExceeded, Timeout,
    };
    let cases = [
        (400, r#"{"message":"The provided model identifier is invalid."}"#, InvalidRequest),
        (400, r#"{"message":"Input is too long for requested model."}"#, ContextLengthExceeded),
        (
            400,
            r#"{"message":"The model returned the following errors: Input Tokens Exceeded: Number of input tokens exceeds maximum length."}"#,
            ContextLengthExceeded,
        ),
        (403, r#"{"message":"no access"}"#, PermissionDenied),
        (403, r#"{"__type":"ExpiredTokenException","message":"expired"}"#, Authentication),
        (
            400,
            r#"{"__type":"com.amazon.coral.service#UnrecognizedClientException","Message":"m"}"#,
            Authentication,
        ),
        (404, r#"{"message":"gone"}"#, NotFound),
        (408, r#"{"message":"slow"}"#, Timeout),
        (424, r#"{"message":"failed"}"#, ProviderUnavailable),
        (
            429,
            r#"{"message":"Too many tokens, please wait before trying again."}"#,
            RateLimitExceeded,
        ),
        (429, r#"{"__type":"ModelNotReadyException","message":"m"}"#, ProviderOverloaded),
        (500, r#"{"message":"m"}"#, ProviderUnavailable),
        (503, r#"{"message":"m"}"#, ProviderOverloaded),
        (200, r#"{"code":"ThrottlingException:http://x","message":"m"}"#, RateLimitExceeded),
    ];
    for (status, body, kind) in cases {
        assert_eq!(decode(status, body.as_bytes()).kind, kind, "{status} {body}");
    }
    let read = decode(400, br#"{"__type":"com.x#ValidationException","message":"bad"}"#);
    assert_eq!(read.code.as_deref(), Some("ValidationException"));
    assert_eq!(read.message.as_deref(), Some("bad"));
}

#[test]
fn exceptions_of_streams() {
    let cases = [
        ("internalServerException", Kind::ProviderUnavailable),
        ("modelStreamErrorException", Kind::ProviderUnavailable),
        ("serviceUnavailableException", Kind::ProviderOverloaded),
        ("throttlingException", Kind::RateLimitExceeded),
        ("validationException", Kind::InvalidRequest),
        ("modelTimeoutException", Kind::Timeout),
        ("somethingNewException", Kind::ProviderUnavailable),
        ("", Kind::ProviderUnavailable),
    ];
    for (name, kind) in cases {
        let failure = of_exception(name, br#"{"message":"m","originalStatusCode":500}"#);
        assert_eq!((failure.kind, failure.message.as_deref()), (kind, Some("m")), "{name}");
    }
    let original = of_exception("modelStreamErrorException", br#"{"originalMessage":"o"}"#);
    assert_eq!(original.message.as_deref(), Some("o"));
    let words = of_words("ThrottlingException", "m");
    assert_eq!(
        (words.kind, words.code.as_deref()),
        (Kind::RateLimitExceeded, Some("ThrottlingException"))
    );
}

#[test]
fn bodies_of_any_form_are_read() {
    for body in ["", "   ", "<html>x</html>", "[]", "null", "{\"message\":7}", "\"x\""] {
        let failure = decode(503, body.as_bytes());
        assert_eq!(failure.kind, Kind::ProviderOverloaded, "{body}");
    }
    let long = "x".repeat(10_000);
    assert_eq!(decode(500, long.as_bytes()).message.map(|m| m.len()), Some(500));
}

#[test]
fn recorded_errors_follow_their_status() {
    let folders = [
        "bedrock-converse",
        "bedrock-converse-stream",
        "bedrock-count-tokens",
        "bedrock-invoke",
        "bedrock-invoke-with-response-stream",
    ];
    for recording in folders.iter().flat_map(|folder| recordings::load(folder)) {
        if recording.status == 200 {
            continue;
        }
        let failure = decode(recording.status, &recording.body);
        assert!(failure.message.is_some(), "{}", recording.id);
        let expected: &[Kind] = match recording.status {
            400 => &[Kind::InvalidRequest, Kind::ContextLengthExceeded],
            403 => &[Kind::PermissionDenied],
            404 => &[Kind::NotFound],
            _ => panic!("{}: {}", recording.id, recording.status),
        };
        assert!(expected.contains(&failure.kind), "{}: {failure:?}", recording.id);
    }
}
