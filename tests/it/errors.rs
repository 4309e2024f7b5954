//! Bad requests of every kind on every route: the right status, in the caller's format, naming the
//! field at fault, never a fault of ours, and the connection goes on.

use crate::errors_table::{Bad, all, bodies};
use crate::rig::{Answer, Connection, Http, KEY, Plan, Rig, raw, responses};
use serde_json::{Value, json};
use std::time::Duration;

/// Words for a status: `type` of OpenAI's envelope, of Anthropic's, Google's `status`, canonical.
fn words(status: u16) -> [&'static str; 4] {
    let invalid = "invalid_request_error";
    match status {
        400 | 405 | 415 | 417 | 431 => [invalid, invalid, "INVALID_ARGUMENT", "invalid_request"],
        401 => {
            ["authentication_error", "authentication_error", "UNAUTHENTICATED", "authentication"]
        }
        403 => ["permission_error", "permission_error", "PERMISSION_DENIED", "permission_denied"],
        404 => [invalid, "not_found_error", "NOT_FOUND", "not_found"],
        408 => ["timeout", "timeout_error", "DEADLINE_EXCEEDED", "timeout"],
        413 => [invalid, "request_too_large", "INVALID_ARGUMENT", "payload_too_large"],
        other => panic!("no words for {other}"),
    }
}

/// What an error answer must say in the format of the path: where it is, and what is there.
fn expected(path: &str, status: u16, param: Option<&str>) -> Vec<(&'static str, Value)> {
    let [openai, anthropic, google, canonical] = words(status);
    if path.contains("/v1/messages") {
        vec![
            ("/type", json!("error")),
            ("/error/type", json!(anthropic)),
            ("/error/error_type", json!(canonical)),
        ]
    } else if path.starts_with("/v1beta/") {
        vec![
            ("/error/code", json!(status)),
            ("/error/status", json!(google)),
            ("/error/details/0/metadata/error_type", json!(canonical)),
            ("/error/details/0/metadata/param", json!(param)),
        ]
    } else if path.starts_with("/api/") {
        vec![
            ("/error/code", json!(status)),
            ("/error/type", json!(openai)),
            ("/error/metadata/error_type", json!(canonical)),
        ]
    } else {
        vec![("/error/type", json!(openai)), ("/error/param", json!(param))]
    }
}

/// What is wrong with an error answer, in the format of the path; `None` if it is as it must be.
pub fn mistake(path: &str, answer: &Answer, status: u16, param: Option<&str>) -> Option<String> {
    let is_json = answer.header("content-type").starts_with("application/json");
    if answer.status != status || !is_json || answer.header("x-request-id").is_empty() {
        return Some(format!("status or header: {answer:?}, expected {status}"));
    }
    let json = answer.json();
    let message = json["error"]["message"].as_str();
    if message.is_none_or(str::is_empty) {
        return Some(format!("no message: {json}"));
    }
    expected(path, status, param).into_iter().find_map(|(at, wanted)| {
        let found = json.pointer(at).unwrap_or(&Value::Null);
        (*found != wanted).then(|| format!("{at} should be {wanted}: {json}"))
    })
}

async fn walk(rig: &Rig, version: Http, cases: &[Bad]) -> Vec<String> {
    let mut mistakes = Vec::new();
    let mut connection = Connection::open(rig.gateway, version).await;
    for case in cases.iter().filter(|case| version == Http::One || case.fits_http2()) {
        let headers: Vec<(&str, &str)> =
            case.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let target = (case.method, case.path.as_str());
        let answer = connection.send(target, &headers, case.body.clone()).await;
        let mut found: Vec<String> =
            mistake(&case.path, &answer, case.status, case.param).into_iter().collect();
        if case.allow.is_some_and(|allow| answer.header("allow") != allow) {
            found.push(format!("Allow is {:?}", answer.header("allow")));
        }
        if case.code.is_some_and(|code| !answer.text().contains(&format!(r#""{code}""#))) {
            found.push(format!("no such code: {}", answer.text()));
        }
        // The same connection goes on, unless the answer said that it does not.
        let before = connection.opened;
        let next = connection.authorized("GET", "/v1/models", "").await;
        let closed = connection.opened > before;
        if next.status != 200 || (closed && answer.header("connection") != "close") {
            found.push(format!("afterwards: closed {closed}, {}", next.status));
        }
        mistakes.extend(found.into_iter().map(|text| format!("{version:?} {case:?}\n  {text}")));
    }
    mistakes
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
    let mut mistakes = walk(&rig, Http::One, &cases).await;
    mistakes.extend(walk(&rig, Http::Two, &cases).await);
    assert!(mistakes.is_empty(), "{} mistakes\n{}", mistakes.len(), mistakes.join("\n"));
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
    let head = format!("POST /v1/messages HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {KEY}\r\n");
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
        let answer = rig.send("POST", "/v1/chat/completions", &[("x-api-key", KEY)], body).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    rig.assert_alive().await;
    assert!(rig.journal().await.is_empty());
}
