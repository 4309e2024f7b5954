//! Clients that take their time: c01, c04 and c05. They cost little, hold nobody up, and are let go
//! in the end.

use super::script::TIMES;
use super::words::Talk;
use crate::asks::{ANTHROPIC, OPENAI};
use crate::ledger::Ledger;
use crate::peer::{by_hand, read_request};
use crate::process::resident_bytes;
use crate::rig::{Connection, Http, KEY, Plan, Rig};
use crate::wire::Raw;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Requests that one connection carries at most.
const MAX_REQUESTS: usize = 10_000;

#[tokio::test]
async fn a_connection_carries_ten_thousand_requests() {
    let rig = Rig::start().await;
    let mut connection = Connection::open(rig.gateway, Http::One).await;
    for number in 1..=MAX_REQUESTS + 10 {
        let answer = connection.send(("GET", "/healthz"), &[], "".into()).await;
        assert_eq!(answer.status, 200);
        let expected = if number <= MAX_REQUESTS { 1 } else { 2 };
        assert_eq!(connection.opened, expected, "connections after {number} requests");
    }
}

/// Idle time of a kept connection.
const IDLE: std::ops::Range<Duration> = Duration::from_secs(58)..Duration::from_secs(66);

/// An idle connection over HTTP/1, after one request: how long it stays.
async fn idle_http1(gateway: SocketAddr) -> Duration {
    let mut raw = Raw::connect(gateway).await;
    raw.write("GET /healthz HTTP/1.1\r\nhost: gw\r\n\r\n").await;
    assert_eq!(raw.answer().await.status, 200);
    let started = Instant::now();
    assert!(raw.is_closed_within(Duration::from_secs(70)).await, "still open");
    started.elapsed()
}

/// The same over HTTP/2.
async fn idle_http2(gateway: SocketAddr) -> Duration {
    let io = TokioIo::new(TcpStream::connect(gateway).await.unwrap());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let ended = tokio::spawn(connection);
    let uri = format!("http://{gateway}/healthz");
    let request = hyper::Request::get(uri).body(Full::new(bytes::Bytes::new())).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.into_body().collect().await.unwrap();
    let started = Instant::now();
    let ended = tokio::time::timeout(Duration::from_secs(70), ended).await;
    assert!(ended.is_ok(), "still open");
    started.elapsed()
}

/// A provider that talks without end; counts its connections that were closed.
async fn endless(closed: Arc<AtomicUsize>) -> SocketAddr {
    by_hand(move |mut stream, _| {
        let closed = Arc::clone(&closed);
        async move {
            let request = read_request(&mut stream).await.unwrap();
            let talk = Talk::of(&String::from_utf8_lossy(&request));
            let begun = [talk.head(""), talk.opening(), talk.one()].concat();
            let word = talk.word(&"x".repeat(10_000));
            let mut said = stream.write_all(begun.as_bytes()).await;
            while said.is_ok() {
                said = stream.write_all(word.as_bytes()).await;
            }
            closed.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await
}

/// Asks for a stream and reads its first bytes.
async fn begin(gateway: SocketAddr) -> TcpStream {
    // The kernel is to hold little, so that the gateway feels the stall.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(gateway).await.unwrap();
    let body = OPENAI.body(true, "x");
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {KEY}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        OPENAI.path(true),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.read_exact(&mut [0; 100]).await.unwrap();
    stream
}

/// Bytes by which so many clients that do not read may grow the gateway.
const STALLED: usize = 20;
const MAX_GROWTH_BYTES: u64 = 24 * 1024 * 1024;

/// A client that reads nothing more: the provider is let go after half a minute, and what was sent
/// is paid.
async fn stalled() {
    let closed = Arc::new(AtomicUsize::new(0));
    let upstream = endless(Arc::clone(&closed)).await;
    let rig = Rig::with(Plan { upstream: Some(upstream), ..Plan::default() }).await;
    rig.assert_alive().await;
    let before = resident_bytes(rig.pid());
    let mut clients = Vec::new();
    for _ in 0..STALLED {
        clients.push(begin(rig.gateway).await);
    }
    let started = Instant::now();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let growth = resident_bytes(rig.pid()).saturating_sub(before);
    eprintln!("{STALLED} clients that do not read: {} KiB more", growth / 1024);
    assert!(growth < MAX_GROWTH_BYTES, "{} KiB", growth / 1024);
    assert_eq!(closed.load(Ordering::SeqCst), 0, "a client that pauses is not let go at once");
    rig.assert_alive().await;
    while closed.load(Ordering::SeqCst) < STALLED {
        assert!(started.elapsed() < Duration::from_secs(40), "still held");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    eprintln!("let go after {:?}", started.elapsed());
    assert!(started.elapsed() > Duration::from_secs(20), "{:?}", started.elapsed());
    let ledger = Ledger::with_rows(&rig, STALLED, Duration::from_secs(5)).await;
    assert_eq!(ledger.rows.len(), STALLED);
    let paid = ledger.rows.iter().filter(|row| row.cost_pico_usd > 0 && row.outcome != "complete");
    assert_eq!(paid.count(), STALLED, "{:?}", ledger.rows);
}

/// What takes a minute, all of it at once.
#[tokio::test]
async fn who_does_nothing_is_let_go() {
    let rig = Rig::with(Plan { server: "h2c = true", ..Plan::default() }).await;
    let (one, two, ()) = tokio::join!(idle_http1(rig.gateway), idle_http2(rig.gateway), stalled());
    println!("idle connections closed after {one:?} and {two:?}");
    assert!(IDLE.contains(&one) && IDLE.contains(&two), "{one:?}, {two:?}");
}

#[tokio::test]
async fn a_reset_with_unread_data_reaches_the_provider() {
    let closed = Arc::new(AtomicUsize::new(0));
    let upstream = endless(Arc::clone(&closed)).await;
    let rig = Rig::with(Plan { upstream: Some(upstream), ..Plan::default() }).await;
    for number in 1..=10 {
        let stream = begin(rig.gateway).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Closing with unread data is a reset.
        drop(stream);
        let started = Instant::now();
        while closed.load(Ordering::SeqCst) < number {
            assert!(started.elapsed() < Duration::from_secs(2), "the provider was not told");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let ledger = Ledger::with_rows(&rig, 10, Duration::from_secs(5)).await;
    assert_eq!((ledger.rows.len(), ledger.count("cancelled")), (10, 10));
    ledger.assert_conserved();
}

#[tokio::test]
async fn a_client_that_reads_byte_by_byte_gets_everything() {
    let rig = Rig::with(Plan { provider: TIMES, ..Plan::default() }).await;
    for ask in [OPENAI, ANTHROPIC] {
        let reply = r#"[[mock {"text":"one two three","events":3}]]"#;
        let body = ask.body(true, reply);
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {KEY}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            ask.path(true),
            body.len()
        );
        let mut stream = TcpStream::connect(rig.gateway).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while let Ok(byte) = stream.read_u8().await {
            answer.push(byte);
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
        let text = String::from_utf8(answer).unwrap();
        assert!(text.contains("three") && text.ends_with("0\r\n\r\n"), "{text}");
    }
}
