//! Bad requests of every kind on every route: the right status, in the caller's format, naming the
//! field at fault, never a fault of ours, and the connection goes on.

use crate::errors_table::{Bad, all, bodies};
use crate::rig::{Answer, Connection, Http, KEY, Plan, Rig, raw, responses};
use serde_json::Value;
use std::time::Duration;

/// Words for a status: `type` of OpenAI's envelope, of Anthropic's, Google's `status`, canonical.
fn words(status: u16) -> [&'static str; 4] {
    let invalid = "invalid_request_error";
    match status {
        400 | 405 | 415 | 417 | 431 => [invalid, invalid, "INVALID_ARGUMENT", "invalid_request"],
        401 => ["authentication_error", "authentication_error", "UNAUTHENTICATED", "authentication"],
        403 => ["permission_error", "permission_error", "PERMISSION_DENIED", "permission_denied"],
        404 => [invalid, "not_found_error", "NOT_FOUND", "not_found"],
        408 => ["timeout", "timeout_error", "DEADLINE_EXCEEDED", "timeout"],
        413 => [invalid, "request_too_large", "INVALID_ARGUMENT", "payload_too_large"],
        other => panic!("no words for {other}"),
    }
}

/// Checks an error answer against the format of the path, and that it names `param`.
pub fn check_shape(path: &str, answer: &Answer, status: u16, param: Option<&str>) {
    let text = format!("{path}: {} {}", answer.status, answer.text());
    assert_eq!(answer.status, status, "{text}");
    assert!(answer.header("content-type").starts_with("application/json"), "{text}");
    assert!(!answer.header("x-request-id").is_empty(), "{text}");
    let json = answer.json();
    let error = &json["error"];
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{text}");
    let [openai, anthropic, google, canonical] = words(status);
    let text_of = |value: &Value| value.as_str().map(str::to_owned);
    if path.contains("/v1/messages") {
        assert_eq!(json["type"], "error", "{text}");
        assert_eq!(error["type"], anthropic, "{text}");
        assert_eq!(error["error_type"], canonical, "{text}");
        assert!(json["request_id"].is_string(), "{text}");
    } else if path.starts_with("/v1beta/") {
        assert_eq!(error["code"], status, "{text}");
        assert_eq!(error["status"], google, "{text}");
        let metadata = &error["details"][0]["metadata"];
        assert_eq!(metadata["error_type"], canonical, "{text}");
        assert_eq!(text_of(&metadata["param"]).as_deref(), param, "{text}");
    } else if path.starts_with("/api/") {
        assert_eq!(error["code"], status, "{text}");
        assert_eq!(error["type"], openai, "{text}");
        assert_eq!(error["metadata"]["error_type"], canonical, "{text}");
    } else {
        assert_eq!(error["type"], openai, "{text}");
        assert_eq!(text_of(&error["param"]).as_deref(), param, "{text}");
        assert!(error["code"].is_null() || error["code"].is_string(), "{text}");
    }
}

async fn walk(rig: &Rig, version: Http, cases: &[Bad]) {
    let mut connection = Connection::open(rig.gateway, version).await;
    for case in cases.iter().filter(|case| version == Http::One || case.fits_http2()) {
        let headers: Vec<(&str, &str)> =
            case.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let target = (case.method, case.path.as_str());
        let answer = connection.send(target, &headers, case.body.clone()).await;
        assert_eq!(answer.status, case.status, "{case:?}: {}", answer.text());
        check_shape(&case.path, &answer, case.status, case.param);
        if let Some(allow) = case.allow {
            assert_eq!(answer.header("allow"), allow, "{case:?}");
        }
        if let Some(code) = case.code {
            assert!(answer.text().contains(&format!(r#""{code}""#)), "{case:?}: {}", answer.text());
        }
        // The same connection goes on, unless the answer said that it does not.
        let before = connection.opened;
        let next = connection.authorized("GET", "/v1/models", "").await;
        assert_eq!(next.status, 200, "after {case:?}");
        let closed = connection.opened > before;
        assert!(!closed || answer.header("connection") == "close", "closed silently: {case:?}");
    }
}

#[tokio::test]
async fn every_bad_request_is_refused_in_the_callers_words() {
    let rig = Rig::with(Plan {
        server: "max_body_bytes = 65536\nh2c = true",
        more: "[keys.manager]\nsecret = { insecure_literal = \"lr_mgmt_x\" }\nkind = \"management\"",
        ..Plan::default()
    })
    .await;
    let cases = all();
    assert!(cases.len() >= 150, "{}", cases.len());
    walk(&rig, Http::One, &cases).await;
    walk(&rig, Http::Two, &cases).await;
    let reached = rig.journal().await;
    assert!(reached.is_empty(), "a provider was asked: {reached:?}");
    let failures = rig.metric("arouter_requests_total{model=\"other\",operation=\"chat\",provider=\"none\",status_class=\"5xx\"}").await;
    assert!(failures.abs() < 0.5);
    for word in ["panicked", "\"ERROR\""] {
        assert!(!rig.log().contains(word), "{word} in the log");
    }
}

/// A body in chunks, one at a time, with a declared or an undeclared length, broken in the middle.
#[tokio::test]
async fn bodies_that_are_too_long_or_too_short() {
    let rig = Rig::with(Plan { server: "max_body_bytes = 65536", ..Plan::default() }).await;
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {KEY}\r\n"
    );
    let mut chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..20 {
        chunked.extend_from_slice(format!("1000\r\n{}\r\n", "x".repeat(4096)).as_bytes());
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let silence = Duration::from_millis(300);
    let (received, _) = raw(rig.gateway, &chunked, silence).await;
    assert_eq!(responses(&received), [413], "{}", String::from_utf8_lossy(&received));
    assert!(String::from_utf8_lossy(&received).contains("request_too_large"));
    let declared = format!("{head}Content-Length: 65537\r\n\r\n{}", "x".repeat(65537));
    let (received, _) = raw(rig.gateway, declared.as_bytes(), silence).await;
    assert_eq!(responses(&received), [413]);
    let exact = format!("{head}Content-Length: 65536\r\n\r\n{}", "x".repeat(65536));
    let (received, _) = raw(rig.gateway, exact.as_bytes(), silence).await;
    assert_eq!(responses(&received), [400]);
    rig.assert_alive().await;
    assert!(rig.journal().await.is_empty());
}

/// The waiting client gets no go-ahead for what will be refused anyway, and one for the rest.
#[tokio::test]
async fn expect_continue() {
    let rig = Rig::with(Plan { server: "max_body_bytes = 65536", ..Plan::default() }).await;
    let head = |key: &str, length: usize| {
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {key}\r\n\
             Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let silence = Duration::from_millis(300);
    let (received, closed) = raw(rig.gateway, head("wrong", 10).as_bytes(), silence).await;
    assert_eq!(responses(&received), [401]);
    assert!(closed && !received.starts_with(b"HTTP/1.1 100"));
    let (received, closed) = raw(rig.gateway, head(KEY, 1 << 20).as_bytes(), silence).await;
    assert_eq!(responses(&received), [413]);
    assert!(closed && !received.starts_with(b"HTTP/1.1 100"));
    let (received, closed) = raw(rig.gateway, head(KEY, 10).as_bytes(), silence).await;
    assert!(received.starts_with(b"HTTP/1.1 100 Continue\r\n\r\n"), "{received:?}");
    assert!(!closed && responses(&received).is_empty());
    rig.assert_alive().await;
}

/// A megabyte of brackets, keys or escapes is refused or read in no time.
#[tokio::test]
async fn json_bombs_are_harmless() {
    let rig = Rig::start().await;
    let started = std::time::Instant::now();
    for body in bodies::bombs() {
        let answer = rig
            .send("POST", "/v1/chat/completions", &[("x-api-key", KEY)], body)
            .await;
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    rig.assert_alive().await;
    assert!(rig.journal().await.is_empty());
}
