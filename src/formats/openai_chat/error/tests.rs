//! Tests of errors read and written.

use super::*;
use crate::formats::gemini::recordings;
use serde_json::{Value, json};

/// Name, status, body, meaning.
const PROVIDER_ERRORS: &[(&str, u16, &str, Kind)] = &[
    (
        "openai context",
        400,
        r#"{"error":{"message":"m","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
        Kind::ContextLengthExceeded,
    ),
    (
        "openai key",
        401,
        r#"{"error":{"message":"Incorrect API key","type":"invalid_request_error","code":"invalid_api_key"}}"#,
        Kind::Authentication,
    ),
    (
        "openai quota",
        429,
        r#"{"error":{"message":"You exceeded","type":"insufficient_quota","code":"insufficient_quota"}}"#,
        Kind::PaymentRequired,
    ),
    (
        "openai rate",
        429,
        r#"{"error":{"message":"slow","type":"requests","code":"rate_limit_exceeded"}}"#,
        Kind::RateLimitExceeded,
    ),
    (
        "openai model",
        404,
        r#"{"error":{"message":"no","type":"invalid_request_error","code":"model_not_found"}}"#,
        Kind::NotFound,
    ),
    (
        "openai plain",
        400,
        r#"{"error":{"message":"bad","type":"invalid_request_error","param":null,"code":null}}"#,
        Kind::InvalidRequest,
    ),
    (
        "openai server",
        500,
        r#"{"error":{"message":"oops","type":"server_error"}}"#,
        Kind::ProviderUnavailable,
    ),
    (
        "azure number",
        401,
        r#"{"error":{"code":"401","message":"Access denied"}}"#,
        Kind::Authentication,
    ),
    (
        "azure rate",
        429,
        r#"{"error":{"code":"RateLimitReached","message":"Please retry after 26 seconds."}}"#,
        Kind::RateLimitExceeded,
    ),
    (
        "azure deployment",
        404,
        r#"{"error":{"code":"DeploymentNotFound","message":"x"}}"#,
        Kind::NotFound,
    ),
    (
        "azure filter",
        400,
        r#"{"error":{"message":"x","code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
        Kind::ContentPolicyViolation,
    ),
    (
        "xai key",
        400,
        r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: ab***"}"#,
        Kind::Authentication,
    ),
    ("xai model", 400, r#"{"code":"x","error":"Model not found: grok-9"}"#, Kind::NotFound),
    (
        "mistral",
        400,
        r#"{"object":"error","message":"bad id","type":"invalid_request_error","code":"3280"}"#,
        Kind::InvalidRequest,
    ),
    ("fastapi text", 401, r#"{"detail":"Unauthorized"}"#, Kind::Authentication),
    (
        "fastapi list",
        422,
        r#"{"detail":[{"loc":["body","messages",0],"msg":"field required","type":"x"}]}"#,
        Kind::Unprocessable,
    ),
    (
        "openrouter",
        429,
        r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"x","provider_name":"y"}},"user_id":"u"}"#,
        Kind::RateLimitExceeded,
    ),
    ("venice", 402, r#"{"error":"Insufficient USD or Diem balance"}"#, Kind::PaymentRequired),
    (
        "deepseek",
        402,
        r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}}"#,
        Kind::PaymentRequired,
    ),
    (
        "context phrase",
        400,
        r#"{"error":{"message":"This model's maximum context length is 8192 tokens"}}"#,
        Kind::ContextLengthExceeded,
    ),
    (
        "llama.cpp",
        400,
        r#"{"error":{"code":400,"message":"x","type":"exceed_context_size_error","n_ctx":512}}"#,
        Kind::ContextLengthExceeded,
    ),
    (
        "groq tpm",
        413,
        r#"{"error":{"message":"Request too large","type":"tokens","code":"rate_limit_exceeded"}}"#,
        Kind::RateLimitExceeded,
    ),
    (
        "array",
        404,
        r#"[{"error":{"code":404,"message":"x","status":"NOT_FOUND"}}]"#,
        Kind::NotFound,
    ),
    ("text", 502, "<html>Bad gateway</html>", Kind::ProviderUnavailable),
    ("empty", 529, "", Kind::ProviderOverloaded),
    ("in an answer", 200, r#"{"error":{"message":"x","code":429}}"#, Kind::RateLimitExceeded),
    ("in an answer, no status", 200, r#"{"error":{"message":"x"}}"#, Kind::ProviderUnavailable),
];

#[test]
fn provider_errors_are_understood() {
    for &(name, status, body, kind) in PROVIDER_ERRORS {
        assert_eq!(decode(status, body.as_bytes()).kind, kind, "{name}");
    }
}

#[test]
fn messages_codes_and_waits_are_found() {
    let read = |body: &str| decode(429, body.as_bytes());
    let message = |body: &str| read(body).message.unwrap();
    assert_eq!(message(r#"{"detail":[{"loc":["body",0],"msg":"required"}]}"#), "body.0: required");
    assert_eq!(message(r#"{"error":"boom"}"#), "boom");
    assert_eq!(message(r#"{"errors":[{"message":"cf"}]}"#), "cf");
    assert_eq!(message("plain\n"), "plain");
    assert_eq!(message(&"x".repeat(9_000)).len(), 500);
    assert_eq!(read(r#"{"error":{"message":"m","code":429}}"#).code.as_deref(), Some("429"));
    let wait = |text: &str| read(&json!({"error":{"message":text}}).to_string()).retry_after;
    assert_eq!(wait("Please try again in 1m12.5s."), Some(Duration::from_millis(72_500)));
    assert_eq!(wait("Please try again in 120ms. Visit"), Some(Duration::from_millis(120)));
    assert_eq!(wait("Please retry after 26 seconds."), Some(Duration::from_secs(26)));
    assert_eq!(wait("Please try again in a while"), None);
    assert_eq!(wait("try again in 99999999s"), None);
}

#[test]
fn recorded_errors_are_read() {
    let expected = |status: u16, body: &str| match status {
        401 => Kind::Authentication,
        404 => Kind::NotFound,
        400 if body.contains("maximum context length") => Kind::ContextLengthExceeded,
        400 if body.contains("invalid_model") => Kind::NotFound,
        400 if body.contains("ncorrect API key") => Kind::Authentication,
        400 if body.contains("xceed_context") => Kind::ContextLengthExceeded,
        429 if body.contains("insufficient_quota") => Kind::PaymentRequired,
        429 => Kind::RateLimitExceeded,
        400 if body.contains("context_length_exceeded") => Kind::ContextLengthExceeded,
        400 => Kind::InvalidRequest,
        _ => Kind::ProviderUnavailable,
    };
    let folders = [
        "openai-chat",
        "azure-chat",
        "deepseek-chat",
        "groq-chat",
        "llamacpp-chat",
        "mistral-chat",
        "ollama-chat",
        "openrouter-chat",
        "perplexity-chat",
        "together-chat",
        "xai-chat",
    ];
    for recording in folders.iter().flat_map(|folder| recordings::load(folder)) {
        if recording.status >= 400 {
            let failure = decode(recording.status, recording.body.as_bytes());
            let kind = expected(recording.status, &recording.body);
            assert_eq!(failure.kind, kind, "{}: {}", recording.id, recording.body);
            assert!(failure.message.is_some_and(|text| !text.is_empty()), "{}", recording.id);
        }
    }
}

fn written(error: &GatewayError, dialect: Dialect) -> Value {
    serde_json::from_slice(&encode(error, dialect, "req-1")).unwrap()
}

#[test]
fn both_dialects_are_written() {
    let error =
        GatewayError::client(Kind::ContextLengthExceeded, "too \"long\"").with_param("messages");
    assert_eq!(
        encode(&error, Dialect::ArouterV1, "req-1"),
        r#"{"error":{"message":"too \"long\"","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#
    );
    assert_eq!(
        encode(&error, Dialect::OpenRouter, "req-1"),
        r#"{"error":{"code":400,"message":"too \"long\"","type":"invalid_request_error","metadata":{"error_type":"context_length_exceeded","param":"messages","request_id":"req-1"}}}"#
    );
}

#[test]
fn types_and_codes_follow_the_documented_table() {
    let cases = [
        (Kind::InvalidRequest, 400, "invalid_request_error", json!(null)),
        (Kind::Authentication, 401, "authentication_error", json!("authentication")),
        (Kind::PaymentRequired, 402, "payment_required", json!("payment_required")),
        (Kind::PermissionDenied, 403, "permission_error", json!("permission_denied")),
        (Kind::NotFound, 404, "invalid_request_error", json!("not_found")),
        (Kind::PayloadTooLarge, 413, "invalid_request_error", json!("payload_too_large")),
        (Kind::RateLimitExceeded, 429, "rate_limit_error", json!("rate_limit_exceeded")),
        (Kind::ProviderUnavailable, 502, "server_error", json!("provider_unavailable")),
        (Kind::ProviderOverloaded, 503, "server_error", json!("provider_overloaded")),
    ];
    for (kind, status, word, code) in cases {
        let error = GatewayError::client(kind, "m");
        let v1 = &written(&error, Dialect::ArouterV1)["error"];
        assert_eq!((&v1["type"], &v1["code"]), (&json!(word), &code), "{kind:?}");
        assert_eq!(v1.as_object().unwrap().len(), 4);
        assert_eq!(written(&error, Dialect::OpenRouter)["error"]["code"], status);
    }
}

#[test]
fn a_providers_code_is_shown_except_for_faults_of_our_own() {
    let mut error = GatewayError::upstream(Kind::ProviderUnavailable, "m");
    error.provider_code = Some("overloaded".into());
    assert_eq!(
        written(&error, Dialect::OpenRouter)["error"]["metadata"]["provider_code"],
        "overloaded"
    );
    error.kind = Kind::Server;
    assert!(
        written(&error, Dialect::OpenRouter)["error"]["metadata"].get("provider_code").is_none()
    );
}
