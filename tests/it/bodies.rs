//! Request bodies of every size, framing and HTTP version arrive whole; what is too large or not
//! wanted is answered in a way every client can read.

use super::peer::{OPENAI_ANSWER, Peer, Say};
use super::rig::{Http, KEY, Plan, Rig};
use super::wire::{Call, Raw, chunked, endless, sized};
use bytes::Bytes;
use std::fmt::Write;
use std::time::{Duration, Instant};

const KIB: usize = 1024;
const MIB: usize = 1024 * 1024;
const HEAD: &str = r#"{"model":"openai/gpt-5.4","messages":[{"role":"user","content":""#;
const TAIL: &str = r#""}],"n":1}"#;

/// A chat request of exactly `size` bytes, and the same as the provider must get it. The text
/// counts up, so that a piece lost, doubled or out of order cannot go unnoticed.
fn chat(size: usize) -> (Bytes, Bytes) {
    let length = size - HEAD.len() - TAIL.len();
    let mut text = String::with_capacity(length + 8);
    let mut count = 0_u32;
    while text.len() < length {
        write!(text, "{count:08}").unwrap();
        count += 1;
    }
    text.truncate(length);
    let sent = [HEAD, &text, TAIL].concat();
    let expected = sent.replacen("openai/gpt-5.4", "gpt-5.4", 1);
    (sent.into(), expected.into())
}

fn smallest() -> usize {
    HEAD.len() + TAIL.len() + 1
}

fn auth() -> String {
    format!("Bearer {KEY}")
}

async fn post(rig: &Rig, version: Http, body: super::wire::Body) -> Call {
    let auth = auth();
    let headers = [("authorization", auth.as_str()), ("content-type", "application/json")];
    Call::send(rig.gateway, version, ("POST", "/v1/chat/completions"), &headers, body).await
}

async fn every_body_arrives(down: Http, up: Http) {
    let peer = Peer::saying(Say::json(OPENAI_ANSWER)).await;
    let rig = Rig::with(Plan {
        server: if down == Http::Two { "h2c = true" } else { "" },
        provider: if up == Http::Two { "http2 = \"always\"" } else { "" },
        upstream: Some(peer.address),
        ..Plan::default()
    })
    .await;
    for size in [smallest(), 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, MIB, 30 * MIB] {
        let (sent, expected) = chat(size);
        let piece = if size > MIB { 64 * KIB } else { 10_007 };
        for body in [sized(sent.clone()), chunked(sent.clone(), piece)] {
            let mut call = post(&rig, down, body).await;
            let text = call.text().await;
            assert_eq!(call.status, 200, "{size}: {text}");
            assert!(text.contains(r#""content":"fine""#), "{size}: {text}");
            let got = peer.last();
            assert_eq!(got.version == http::Version::HTTP_2, up == Http::Two);
            assert_eq!(got.headers["content-length"], expected.len().to_string());
            assert!(got.body == expected, "{size} bytes were not what arrived");
        }
    }
    assert_eq!(peer.got().len(), 12);
}

#[tokio::test]
async fn bodies_http1_to_http1() {
    every_body_arrives(Http::One, Http::One).await;
}

#[tokio::test]
async fn bodies_http1_to_http2() {
    every_body_arrives(Http::One, Http::Two).await;
}

#[tokio::test]
async fn bodies_http2_to_http1() {
    every_body_arrives(Http::Two, Http::One).await;
}

#[tokio::test]
async fn bodies_http2_to_http2() {
    every_body_arrives(Http::Two, Http::Two).await;
}

async fn limited() -> (Peer, Rig) {
    let peer = Peer::saying(Say::json(OPENAI_ANSWER)).await;
    let server = "h2c = true\nmax_body_bytes = 100000";
    let rig = Rig::with(Plan { server, upstream: Some(peer.address), ..Plan::default() }).await;
    (peer, rig)
}

#[tokio::test]
async fn the_limit_is_exact_and_one_byte_more_is_too_large() {
    let (peer, rig) = limited().await;
    let (fits, _) = chat(100_000);
    let (over, _) = chat(100_001);
    let (far_over, _) = chat(3 * MIB);
    for version in [Http::One, Http::Two] {
        for body in [sized(fits.clone()), chunked(fits.clone(), 7_001)] {
            assert_eq!(post(&rig, version, body).await.status, 200, "{version:?}");
        }
        for large in [&over, &far_over] {
            for body in [sized(large.clone()), chunked(large.clone(), 7_001)] {
                let mut call = post(&rig, version, body).await;
                let text = call.text().await;
                assert_eq!(call.status, 413, "{version:?}: {text}");
                assert!(text.contains(r#""error""#), "{text}");
            }
        }
    }
    assert_eq!(peer.got().len(), 4, "nothing too large may reach the provider");
}

#[tokio::test]
async fn empty_and_tiny_bodies_are_bad_requests() {
    let (peer, rig) = limited().await;
    for version in [Http::One, Http::Two] {
        for text in ["", "x", "{", "[]", "{}"] {
            let call = post(&rig, version, sized(text)).await;
            assert_eq!(call.status, 400, "{version:?} {text:?}");
        }
    }
    assert!(peer.got().is_empty());
}

#[tokio::test]
async fn a_client_still_sending_gets_its_413_and_401() {
    let (_peer, rig) = limited().await;
    let auth = auth();
    let cases = [(auth.as_str(), 413), ("Bearer lr_live_wrong", 401)];
    for version in [Http::One, Http::Two] {
        for (credential, expected) in cases {
            let body = endless(Bytes::from(vec![b'x'; 8 * KIB]), Duration::from_millis(5));
            let headers = [("authorization", credential)];
            let path = ("POST", "/v1/chat/completions");
            let started = Instant::now();
            let mut call = Call::send(rig.gateway, version, path, &headers, body).await;
            assert_eq!(call.status, expected, "{version:?}");
            assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
            let length: usize = call.header("content-length").parse().unwrap();
            let mut text = Vec::new();
            while text.len() < length {
                let (_, piece) = call.next().await.unwrap().unwrap();
                text.extend_from_slice(&piece);
            }
            assert!(serde_json::from_slice::<serde_json::Value>(&text).is_ok());
        }
    }
}

#[tokio::test]
async fn a_large_upload_with_a_bad_key_sees_401() {
    let (_peer, rig) = limited().await;
    for version in [Http::One, Http::Two] {
        let (body, _) = chat(5 * MIB);
        let headers = [("authorization", "Bearer lr_live_wrong")];
        let path = ("POST", "/v1/chat/completions");
        let mut call = Call::send(rig.gateway, version, path, &headers, sized(body)).await;
        assert_eq!(call.status, 401, "{version:?}");
        assert!(call.text().await.contains("error"));
    }
}

fn head(credential: &str, fields: &str) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: {credential}\r\n\
         content-type: application/json\r\n{fields}\r\n\r\n"
    )
}

#[tokio::test]
async fn the_connection_goes_on_after_a_refusal_or_says_that_it_does_not() {
    let (_peer, rig) = limited().await;
    let mut raw = Raw::connect(rig.gateway).await;
    let (fits, _) = chat(20_000);
    let good = format!("content-length: {}", fits.len());
    for (credential, expected) in [("Bearer lr_live_wrong", 401), (&auth(), 200)] {
        for _ in 0..2 {
            raw.write(head(credential, &good)).await;
            raw.write(&fits).await;
            let answer = raw.answer().await;
            assert_eq!(answer.status, expected);
            assert!(answer.head.to_ascii_lowercase().contains("connection: keep-alive"));
        }
    }
    // Too much to be read before the answer: the answer says that the connection ends.
    let (over, _) = chat(300_000);
    raw.write(head(&auth(), &format!("content-length: {}", over.len()))).await;
    raw.write(&over).await;
    let answer = raw.answer().await;
    assert_eq!(answer.status, 413);
    assert!(serde_json::from_slice::<serde_json::Value>(&answer.body).is_ok());
    assert!(answer.head.to_ascii_lowercase().contains("connection: close"), "{}", answer.head);
    assert!(raw.is_closed_within(Duration::from_secs(1)).await);
}

#[tokio::test]
async fn the_next_request_may_come_before_the_answer() {
    let (peer, rig) = limited().await;
    let mut raw = Raw::connect(rig.gateway).await;
    let (body, _) = chat(500);
    let one =
        [head(&auth(), &format!("content-length: {}", body.len())).as_bytes(), &body].concat();
    raw.write([one.as_slice(), &one, &one].concat()).await;
    for _ in 0..3 {
        assert_eq!(raw.answer().await.status, 200);
    }
    assert_eq!(peer.got().len(), 3);
}

#[tokio::test]
async fn the_go_ahead_is_given_before_the_body_and_not_for_a_large_one() {
    let (_peer, rig) = limited().await;
    let (body, _) = chat(70_000);
    let fields = format!("expect: 100-continue\r\ncontent-length: {}", body.len());
    let mut raw = Raw::connect(rig.gateway).await;
    raw.write(head(&auth(), &fields)).await;
    let go_ahead = raw.answer().await;
    assert_eq!((go_ahead.status, go_ahead.head.lines().count()), (100, 1), "{go_ahead:?}");
    raw.write(&body).await;
    let answer = raw.answer().await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.to_ascii_lowercase().contains("connection: keep-alive"), "{}", answer.head);

    let refused = [
        (auth(), "content-length: 100001", 413),
        ("Bearer lr_live_wrong".to_owned(), "content-length: 50", 401),
    ];
    for (credential, length, expected) in refused {
        let mut raw = Raw::connect(rig.gateway).await;
        raw.write(head(&credential, &format!("expect: 100-continue\r\n{length}"))).await;
        let started = Instant::now();
        assert_eq!(raw.answer().await.status, expected);
        assert!(started.elapsed() < Duration::from_secs(1));
        assert!(raw.is_closed_within(Duration::from_secs(1)).await, "its body was never asked for");
    }

    let mut raw = Raw::connect(rig.gateway).await;
    raw.write(head(&auth(), "expect: fireworks\r\ncontent-length: 5")).await;
    assert_eq!(raw.answer().await.status, 417);
}
