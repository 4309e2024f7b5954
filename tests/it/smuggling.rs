//! Framing that could be read in two ways, sent byte by byte: no request hidden in another one is
//! ever executed, the provider sees exactly the requests that were answered, and what is doubtful
//! ends its connection. Also clients that send too slowly.

use crate::rig::{KEY, Plan, Rig, raw, responses};
use crate::smuggling_table::{PAYLOADS, Verdict};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Silence after which an answer is taken to be all there is.
const SILENCE: Duration = Duration::from_millis(700);

fn chat_body(model: &str) -> String {
    format!(r#"{{"model":"openai/{model}","messages":[{{"role":"user","content":"hi"}}]}}"#)
}

/// Fills in a payload: its own request is for model `seen-<n>`, a hidden one for `evil-<n>`.
fn fill(template: &str, number: usize) -> Vec<u8> {
    let body = chat_body(&format!("seen-{number}"));
    let evil_body = chat_body(&format!("evil-{number}"));
    let fields = format!("Host: gw\r\nAuthorization: Bearer {KEY}\r\n");
    let evil = format!(
        "POST /v1/chat/completions HTTP/1.1\r\n{fields}Content-Length: {}\r\n\r\n{evil_body}",
        evil_body.len()
    );
    let second = evil.replace("evil-", "seen-");
    template
        .replace("{POST}", "POST /v1/chat/completions HTTP/1.1\r\n")
        .replace("{H}", &fields)
        .replace("{LEN}", &body.len().to_string())
        .replace("{HEX}", &format!("{:x}", body.len()))
        .replace("{BODY}", &body)
        .replace("{EVILLEN}", &evil.len().to_string())
        .replace("{EVILHEX}", &format!("{:x}", evil.len()))
        .replace("{BOTHLEN}", &(body.len() + evil.len()).to_string())
        .replace("{EVIL}", &evil)
        .replace("{SECOND}", &second)
        .chars()
        .map(|character| u8::try_from(u32::from(character)).unwrap())
        .collect()
}

/// What was sent, what came back, and how the connection ended.
struct Tried {
    number: usize,
    statuses: Vec<u16>,
    closed: bool,
}

fn mistake(tried: &Tried, seen: usize) -> Option<String> {
    let (name, _, verdict) = PAYLOADS[tried.number];
    let Tried { statuses, closed, .. } = tried;
    let executed = statuses.iter().filter(|status| **status == 200).count();
    let refused = statuses.len() <= 1 && statuses.iter().all(|status| (400..500).contains(status));
    let wrong = match verdict {
        Verdict::Local if seen == 0 && statuses.len() == 1 => return None,
        _ if seen != executed => "the provider saw another number of requests",
        _ if statuses.iter().any(|status| *status >= 500 && *status != 501) => "a fault of ours",
        Verdict::Refused if !refused => "not refused",
        Verdict::Refused if !closed => "refused, but the connection stays open",
        Verdict::Served(count) if executed != count => "not served",
        Verdict::Either if executed > 1 => "more than one request was executed",
        _ => return None,
    };
    Some(format!("{name}: {wrong}: {statuses:?}, closed {closed}, provider saw {seen}"))
}

#[tokio::test]
async fn no_hidden_request_is_executed() {
    assert!(PAYLOADS.len() >= 60, "{}", PAYLOADS.len());
    let rig = Rig::start().await;
    let tries = PAYLOADS.iter().enumerate().map(|(number, (_, template, _))| {
        let bytes = fill(template, number);
        let gateway = rig.gateway;
        tokio::spawn(async move {
            let (received, closed) = raw(gateway, &bytes, SILENCE).await;
            Tried { number, statuses: responses(&received), closed }
        })
    });
    let tries: Vec<_> = tries.collect();
    let mut mistakes = Vec::new();
    let mut all = Vec::new();
    for tried in tries {
        all.push(tried.await.unwrap());
    }
    let journal = rig.journal().await;
    let asked =
        |model: &str| journal.iter().filter(|entry| entry["model"].as_str() == Some(model)).count();
    for tried in &all {
        mistakes.extend(mistake(tried, asked(&format!("seen-{}", tried.number))));
        if asked(&format!("evil-{}", tried.number)) > 0 {
            mistakes.push(format!("{}: the hidden request was executed", PAYLOADS[tried.number].0));
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
    rig.assert_alive().await;
}

/// Reads to the end of a connection and tells how long that took.
async fn until_closed(mut stream: TcpStream, limit: Duration) -> (String, Duration) {
    let started = Instant::now();
    let mut received = Vec::new();
    let read = stream.read_to_end(&mut received);
    let ended = tokio::time::timeout(limit, read).await;
    assert!(ended.is_ok(), "still open after {limit:?}");
    (String::from_utf8_lossy(&received).into_owned(), started.elapsed())
}

async fn dripped_header(rig: &Rig) -> Duration {
    let stream = TcpStream::connect(rig.gateway).await.unwrap();
    let started = Instant::now();
    let (mut reader, mut writer) = stream.into_split();
    let drip = tokio::spawn(async move {
        let header = format!("GET /v1/models HTTP/1.1\r\nHost: gw\r\nX-A: {}", "a".repeat(200));
        for byte in header.bytes() {
            if writer.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    });
    let mut received = Vec::new();
    let read = reader.read_to_end(&mut received);
    assert!(tokio::time::timeout(Duration::from_secs(5), read).await.is_ok(), "still open");
    drip.abort();
    started.elapsed()
}

#[tokio::test]
async fn slow_headers_and_silent_connections_are_closed() {
    let server = "header_timeout_s = 1\nh2c = true";
    let rig = Rig::with(Plan { server, ..Plan::default() }).await;
    let plain = Rig::with(Plan { server: "header_timeout_s = 1", ..Plan::default() }).await;
    let limits = Duration::from_millis(700)..Duration::from_millis(2500);
    for rig in [&rig, &plain] {
        let silent = TcpStream::connect(rig.gateway).await.unwrap();
        let mut half_preface = TcpStream::connect(rig.gateway).await.unwrap();
        half_preface.write_all(b"PRI * HTT").await.unwrap();
        let limit = Duration::from_secs(5);
        let (silent, half, dripped) = tokio::join!(
            until_closed(silent, limit),
            until_closed(half_preface, limit),
            dripped_header(rig)
        );
        for took in [silent.1, half.1, dripped] {
            assert!(limits.contains(&took), "{took:?}");
        }
    }
    // A kept connection may be silent for longer than a header may take.
    let mut kept = crate::rig::Connection::open(rig.gateway, crate::rig::Http::One).await;
    assert_eq!(kept.authorized("GET", "/v1/models", "").await.status, 200);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(kept.authorized("GET", "/v1/models", "").await.status, 200);
    assert_eq!(kept.opened, 1);
}

#[tokio::test]
async fn slow_bodies_are_answered_408() {
    let rig = Rig::with(Plan { server: "body_timeout_s = 1", ..Plan::default() }).await;
    let mut stalls = Vec::new();
    for framing in ["Content-Length: 100\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"]
    {
        let mut stream = TcpStream::connect(rig.gateway).await.unwrap();
        let head = format!(
            "POST /v1/messages HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {KEY}\r\n{framing}"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stalls.push(until_closed(stream, Duration::from_secs(20)));
    }
    for (received, _) in futures::future::join_all(stalls).await {
        assert!(received.starts_with("HTTP/1.1 408 "), "{received}");
        assert!(received.contains(r#""timeout_error""#), "{received}");
    }
    assert!(rig.journal().await.is_empty());
    rig.assert_alive().await;
}

/// Many connections that never finish their header do not keep others out.
#[tokio::test]
async fn connections_beyond_the_limit_wait_and_then_get_their_turn() {
    let server = "header_timeout_s = 1\nmax_connections = 8";
    let rig = Rig::with(Plan { server, ..Plan::default() }).await;
    let mut idle = Vec::new();
    for _ in 0..8 {
        idle.push(TcpStream::connect(rig.gateway).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let started = Instant::now();
    rig.assert_alive().await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}
