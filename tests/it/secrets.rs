//! Canaries in every secret slot, good and failing requests at the most talkative log level, and
//! then a search of everything the gateway wrote or answered.

use crate::rig::{KEY, PROVIDER_KEY, Plan, Rig, free_address};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const COOKIE: &str = "canary-cookie-71c1";
const PROMPT: &str = "canary-prompt-9b1d";
const OTHER_KEY: &str = "lr_live_canary-unknown-key-55e0";
const HEADER: &str = "canary-header-c0de";

/// Every string that must be nowhere but where it belongs.
const CANARIES: &[&str] = &[KEY, PROVIDER_KEY, COOKIE, PROMPT, OTHER_KEY, HEADER];

/// The four ways of presenting a key.
const WAYS: usize = 4;

async fn send(rig: &Rig, way: usize, key: &str, (path, body): (&str, &str)) -> String {
    let bearer = format!("Bearer {key}");
    let mut headers = vec![
        ("content-type", "application/json"),
        ("cookie", COOKIE),
        ("proxy-authorization", HEADER),
        ("x-forwarded-for", HEADER),
        ("x-forwarded-host", HEADER),
        ("forwarded", HEADER),
        ("x-real-ip", HEADER),
        ("x-openrouter-title", "app"),
        ("http-referer", "https://app.example"),
        ("x-title", "app"),
    ];
    let mut target = path.to_owned();
    match way {
        0 => headers.push(("authorization", bearer.as_str())),
        1 => headers.push(("x-api-key", key)),
        2 => headers.push(("x-goog-api-key", key)),
        _ => {
            let separator = if path.contains('?') { '&' } else { '?' };
            target = format!("{path}{separator}key={key}");
        }
    }
    let answer = rig.send("POST", &target, &headers, body.to_owned()).await;
    let text = answer.text();
    // What a provider says in a successful answer is its own; an echo of the request is one.
    let is_echo = answer.status == 200 && text.contains(r#""body_len""#);
    let is_told = text.contains("Your ") && text.contains("key ");
    let text = if is_echo || is_told { "an echo" } else { text.as_str() };
    format!("{:?} {text}", answer.headers)
}

/// Requests of every kind, with `content` as the prompt.
fn requests(content: &str) -> Vec<(&'static str, String)> {
    let turns = json!([{ "role": "user", "content": content }]);
    let chat = |model: &str, stream: bool| {
        json!({ "model": model, "stream": stream, "max_tokens": 9, "messages": turns }).to_string()
    };
    let contents =
        json!({ "contents": [{ "role": "user", "parts": [{ "text": content }] }] }).to_string();
    vec![
        ("/v1/chat/completions", chat("gpt-5.4", false)),
        ("/v1/chat/completions", chat("anthropic/claude-sonnet-4.5", true)),
        ("/api/v1/chat/completions", chat("google/gemini-2.5-flash", true)),
        ("/v1/messages", chat("claude-sonnet-4-5", false)),
        ("/v1/messages/count_tokens", chat("claude-sonnet-4-5", false)),
        ("/v1beta/models/gemini-2.5-flash:generateContent", contents.clone()),
        ("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", contents),
        (
            "/v1/embeddings",
            json!({ "model": "text-embedding-3-small", "input": content }).to_string(),
        ),
        ("/openai/v1/chat/completions", chat("gpt-5.4", false)),
        ("/google/v1beta/models/gemini-2.5-flash:generateContent", chat("x", false)),
        ("/openai/v1/unknown/path", chat("gpt-5.4", true)),
    ]
}

/// Bodies that are refused, with the prompt in them.
fn broken() -> Vec<(&'static str, String)> {
    vec![
        ("/v1/chat/completions", format!("{{\"messages\": [{PROMPT}")),
        ("/v1/messages", format!("{{\"{PROMPT}\": \"{PROMPT}")),
        ("/v1beta/models/gemini-2.5-flash:generateContent", format!("[\"{PROMPT}\"]")),
        ("/v1/nowhere", PROMPT.to_owned()),
        ("/openai/../x", PROMPT.to_owned()),
        ("/nobody/x", PROMPT.to_owned()),
    ]
}

/// All bytes of all files below a folder, but the configuration.
fn everything_in(folder: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            everything_in(&path, into);
        } else if path.file_name().is_some_and(|name| name != "arouter.toml") {
            into.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// Sends everything in every way and returns what was answered.
async fn exercise(rig: &Rig) -> Vec<String> {
    let mut answers = Vec::new();
    for way in 0..WAYS {
        for (path, body) in requests(PROMPT).into_iter().chain(broken()) {
            answers.push(send(rig, way, KEY, (path, &body)).await);
            answers.push(send(rig, way, OTHER_KEY, (path, &body)).await);
        }
    }
    answers
}

/// Looks for canaries in everything the gateway left behind. An answer may hold the prompt, which
/// the mock repeats.
async fn search(rig: &Rig, answers: Vec<String>) {
    let mut found = Vec::new();
    let mut places: Vec<(String, Vec<u8>)> = Vec::new();
    everything_in(rig.folder.path(), &mut places);
    assert!(places.iter().any(|(name, bytes)| name.ends_with("log") && bytes.len() > 1000));
    for kind in ["journal", "arouter.db", "arouter.db-wal"] {
        assert!(places.iter().any(|(name, _)| name.contains(kind)), "no {kind}: {places:?}");
    }
    places.push(("metrics".into(), rig.metrics().await.into_bytes()));
    let ready = rig.admin("GET", "/readyz?verbose").await.text();
    places.push(("readiness".into(), ready.into_bytes()));
    for (name, bytes) in &places {
        for canary in CANARIES.iter().filter(|canary| contains(bytes, canary)) {
            found.push(format!("{canary} in {name}"));
        }
    }
    for answer in answers {
        for canary in CANARIES.iter().filter(|canary| **canary != PROMPT) {
            if answer.contains(canary) {
                found.push(format!("{canary} in the answer {answer}"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

const TRACE: &str = "[log]\nlevel = \"trace\"";

#[tokio::test]
async fn nothing_secret_is_written_when_all_goes_well() {
    let rig = Rig::with(Plan { more: TRACE, ..Plan::default() }).await;
    let answers = exercise(&rig).await;
    let served = answers.iter().filter(|answer| answer.contains("usage")).count();
    assert!(served >= WAYS * 5, "{served} of {}", answers.len());
    let body: Value = serde_json::from_str(&requests("x")[0].1).unwrap();
    let last = rig.post("/v1/chat/completions", &body).await;
    rig.generation(last.header("x-generation-id")).await;
    search(&rig, answers).await;
}

#[tokio::test]
async fn nothing_secret_is_written_when_the_provider_is_away() {
    let nobody = Some(free_address());
    let rig = Rig::with(Plan { more: TRACE, upstream: nobody, ..Plan::default() }).await;
    let answers = exercise(&rig).await;
    assert!(answers.iter().any(|answer| answer.contains("could not be reached")));
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    search(&rig, answers).await;
}

#[tokio::test]
async fn nothing_secret_is_written_when_the_provider_shows_what_it_got() {
    let rig = Rig::with(Plan { more: TRACE, ..Plan::default() }).await;
    let mut answers = Vec::new();
    for reply in [
        json!({ "status": 400, "fault": "echo_secrets" }),
        json!({ "status": 500, "fault": "echo_secrets" }),
        json!({ "status": 401, "fault": "echo_secrets" }),
        json!({ "fault": "echo_secrets" }),
        json!({ "fault": "reset_before_header" }),
        json!({ "fault": "garbage" }),
        json!({ "fault": { "error_after": 1 } }),
        json!({ "fault": { "error_after": 1, "echo_secrets": true } }),
        json!({ "error": { "error": { "message": format!("key {PROVIDER_KEY}"), "type": PROVIDER_KEY } } }),
        json!({ "status": 302, "headers": { "location": format!("https://x/?key={PROVIDER_KEY}") } }),
    ] {
        for (path, body) in requests(&format!("[[mock {reply}]]")) {
            answers.push(send(&rig, 0, KEY, (path, &body)).await);
        }
    }
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    search(&rig, answers).await;
}

/// The provider gets its own credential, once, and nothing of the caller's.
#[tokio::test]
async fn the_provider_sees_its_own_credential_and_no_other() {
    let rig = Rig::start().await;
    for way in 0..WAYS {
        for (path, body) in requests("hi") {
            send(&rig, way, KEY, (path, &body)).await;
            let last = rig.last().await;
            let text = last.to_string();
            for canary in [KEY, COOKIE, HEADER] {
                assert!(!text.contains(canary), "{path}, way {way}: {canary} in {text}");
            }
            assert_eq!(text.matches(PROVIDER_KEY).count(), 1, "{path}: {text}");
            let headers: Vec<String> = last["headers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|pair| pair[0].as_str().unwrap().to_owned())
                .collect();
            let private = headers.iter().filter(|name| is_private(name));
            assert_eq!(private.count(), 0, "{path}: {headers:?}");
            let credentials = ["authorization", "x-api-key", "x-goog-api-key", "api-key"];
            let sent = headers.iter().filter(|name| credentials.contains(&name.as_str())).count();
            assert_eq!(sent, 1, "{path}: {headers:?}");
            assert_eq!(query_key(&last), None, "{path}");
        }
    }
}

fn is_private(name: &str) -> bool {
    let names = [
        "cookie",
        "forwarded",
        "via",
        "http-referer",
        "referer",
        "x-title",
        "x-real-ip",
        "x-request-id",
    ];
    let prefixes = ["x-forwarded-", "proxy-", "x-openrouter-", "x-arouter-"];
    names.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

fn query_key(last: &Value) -> Option<String> {
    let query = last["query"].as_str()?;
    query.split('&').find(|pair| pair.starts_with("key=")).map(str::to_owned)
}
