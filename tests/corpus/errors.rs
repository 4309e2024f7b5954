//! Recorded errors: what they mean, and that nothing of the account they came from gets through.
//!
//! The expectation is the table's, from the status and the words that the providers document.

use crate::answers::is_failure;
use crate::json::Json;
use crate::recordings::{Recording, Shape};
use crate::report::{Report, Verdict, each, name};
use crate::streams;
use arouter::error::{GatewayError, Kind};
use arouter::formats::openai_chat::error::Dialect;
use arouter::formats::{ApiFormat, StreamFault, anthropic, decode_error, gemini, openai_chat};
use std::collections::BTreeSet;

#[test]
fn errors_keep_their_meaning_and_no_secret() {
    let report = Report::default();
    each(&report, |report, recording| {
        let body = || Json::parse(std::str::from_utf8(&recording.body).ok()?);
        let in_band = recording.shape == Shape::Whole && body().is_some_and(|b| is_failure(&b));
        if recording.status < 400 && !in_band {
            return;
        }
        let format = recording.format;
        let failure = decode_error(format, recording.status, &recording.body);
        let body = body().unwrap_or(Json::Null);
        let mut complaints = Vec::new();
        if let Some(expected) = expected(recording.status, &body)
            && !expected.contains(&failure.kind)
        {
            complaints.push(format!("{:?} instead of {expected:?}: {body}", failure.kind));
        }
        let message = failure.message.clone().unwrap_or_default();
        let stated = stated_message(&body);
        if !stated.is_empty() && message.is_empty() {
            complaints.push(format!("the message is lost: {stated}"));
        }
        let error = GatewayError::upstream(failure.kind, message);
        for (client, told) in encoded(&error) {
            complaints.extend(leaks(&body, &told).map(|leak| format!("{client} leaks {leak}")));
            complaints.extend(shape(client, failure.kind, &told));
        }
        report.note(&format!("{} errors", name(format)), &recording.id, &Verdict::of(&complaints));
    });
    report.close("Errors: the right kind, in the shape of every client, without account data");
}

/// The error in the words of every client's format.
fn encoded(error: &GatewayError) -> [(&'static str, String); 4] {
    let text = |bytes: bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    [
        ("chat", text(openai_chat::error::encode(error, Dialect::ArouterV1, "req-corpus"))),
        ("openrouter", text(openai_chat::error::encode(error, Dialect::OpenRouter, "req-corpus"))),
        ("messages", text(anthropic::error::encode(error, "req-corpus"))),
        ("generate", text(gemini::error::encode(error, "req-corpus"))),
    ]
}

fn stated_message(body: &Json) -> String {
    let body = if body.list().is_empty() { body } else { &body[0] };
    let message = body["error"].any(&["message"]);
    message.str().or_else(|| body["message"].str()).unwrap_or_default().to_owned()
}

/// The kinds the table allows; `None` where neither status nor words decide.
fn expected(status: u16, body: &Json) -> Option<Vec<Kind>> {
    let body = if body.list().is_empty() { body } else { &body[0] };
    let text = body.to_string().to_lowercase();
    let error = &body["error"];
    let words =
        [error["code"].text(), error["type"].text(), body["code"].text(), body["type"].text()]
            .map(str::to_lowercase);
    let says = |word: &str| words.iter().any(|known| known == word);
    let holds = |phrase: &str| text.contains(phrase);
    if says("context_length_exceeded")
        || says("exceed_context_size_error")
        || holds("maximum context length")
        || holds("prompt is too long")
        || holds("input token count")
        || holds("input tokens exceed")
    {
        return Some(vec![Kind::ContextLengthExceeded]);
    }
    if says("insufficient_quota") || holds("credit balance is too low") {
        return Some(vec![Kind::PaymentRequired]);
    }
    if says("content_filter") {
        return Some(vec![Kind::ContentPolicyViolation]);
    }
    if says("invalid_api_key") || holds("api_key_invalid") || holds("incorrect api key") {
        return Some(vec![Kind::Authentication]);
    }
    let stated = error["code"].int().or_else(|| error["status_code"].int());
    let stated = stated.and_then(|code| u16::try_from(code).ok());
    let status = if status < 400 { stated? } else { status };
    Some(match status {
        401 => vec![Kind::Authentication],
        402 => vec![Kind::PaymentRequired],
        403 => vec![Kind::PermissionDenied, Kind::Authentication],
        404 => vec![Kind::NotFound],
        413 => vec![Kind::PayloadTooLarge],
        422 => vec![Kind::Unprocessable, Kind::InvalidRequest],
        429 => vec![Kind::RateLimitExceeded, Kind::PaymentRequired],
        // Some say with 400 that the model is not there, or the key is wrong.
        400 => vec![Kind::InvalidRequest, Kind::NotFound, Kind::Authentication],
        500 => vec![Kind::Server, Kind::ProviderUnavailable],
        502 => vec![Kind::ProviderUnavailable],
        503 | 529 => vec![Kind::ProviderOverloaded, Kind::ProviderUnavailable],
        504 | 408 => vec![Kind::Timeout, Kind::RequestTimeout],
        _ => return None,
    })
}

/// What of the provider's body names an account.
fn leaks<'b>(body: &'b Json, told: &'b str) -> impl Iterator<Item = String> + 'b {
    let mut secrets = BTreeSet::new();
    collect(body, &mut secrets);
    secrets.into_iter().filter(|secret| told.contains(secret.as_str()))
}

fn collect(json: &Json, secrets: &mut BTreeSet<String>) {
    for (key, value) in json.members() {
        let names =
            ["user_id", "org_id", "organization_id", "organization", "account_id", "request_id"];
        if names.contains(&key.as_str())
            && let Some(text) = value.str().filter(|text| !text.is_empty())
        {
            secrets.insert(text.to_owned());
        }
        collect(value, secrets);
    }
    json.list().iter().for_each(|value| collect(value, secrets));
    if let Json::Text(text) = json {
        let split = |c: char| c.is_whitespace() || "\"'`,.()[]{}:;".contains(c);
        secrets.extend(text.split(split).filter(|word| is_secret(word)).map(str::to_owned));
    }
}

fn is_secret(word: &str) -> bool {
    let prefixes = ["org-", "org_", "user_", "sk-", "gsk_", "proj_", "xai-", "AIza", "key_"];
    let tail = prefixes.iter().find_map(|prefix| word.strip_prefix(prefix));
    let is_masked = word.contains("***") || word.contains("...");
    tail.is_some_and(|tail| {
        tail.len() >= 6 && (is_masked || tail.chars().any(|c| c.is_ascii_digit()))
    })
}

/// The body every client of the format expects.
fn shape(client: &str, kind: Kind, told: &str) -> Option<String> {
    let Some(json) = Json::parse(told) else { return Some(format!("{client}: no JSON: {told}")) };
    let error = &json["error"];
    let fits = match client {
        "messages" => {
            json["type"].text() == "error"
                && error["type"].text() == anthropic::error::error_type(kind)
                && error["message"].str().is_some()
        }
        "generate" => {
            error["code"].int().is_some_and(|code| (400..600).contains(&code))
                && error["status"].str().is_some()
                && error["message"].str().is_some()
        }
        "chat" => error["message"].str().is_some() && error["type"].str().is_some(),
        _ => error["message"].str().is_some() && error["code"].int().is_some(),
    };
    (!fits).then(|| format!("{client}: {told}"))
}

#[test]
fn errors_inside_streams_are_told_as_errors() {
    let report = Report::default();
    each(&report, |report, recording: &Recording| {
        let Some(stream) = streams::stream_of(recording) else { return };
        let from = recording.format;
        let Ok(assembled) = crate::assemble::assemble(from, &stream.bytes) else { return };
        if !assembled.whole.as_ref().is_some_and(is_failure) {
            return;
        }
        for to in crate::answers::CLIENTS.into_iter().filter(|to| *to != from) {
            let translator = streams::translator(from, to, &stream).unwrap();
            let relayed = streams::relay(translator, [stream.bytes.clone()]);
            let verdict = match relayed.fault {
                Some(StreamFault::Upstream(failure)) if failure.message.is_some() => {
                    Verdict::Passed
                }
                other => Verdict::Failed(format!("{other:?}")),
            };
            report.note(&crate::report::pair(from, to), &recording.id, &verdict);
        }
        let own = streams::translator(from, from, &stream).unwrap();
        let fault = streams::relay(own, [stream.bytes.clone()]).fault;
        let told = matches!(fault, Some(StreamFault::Upstream(_)));
        let verdict = if told { Verdict::Passed } else { Verdict::Failed(format!("{fault:?}")) };
        report.note(&crate::report::pair(from, ApiFormat::OpenAiChat), &recording.id, &verdict);
    });
    report.close("Errors inside streams: told, with the provider's message");
}

#[test]
fn secrets_are_known_by_their_form() {
    let body = Json::parse(
        r#"{"error":{"message":"Incorrect key: sk-ab***12 for org-Xy12345678.","user_id":"u9"}}"#,
    );
    let body = body.unwrap();
    let all = "u9 sk-ab***12 org-Xy12345678";
    assert_eq!(leaks(&body, all).count(), 3);
    assert_eq!(leaks(&body, "Incorrect key.").count(), 0);
}
