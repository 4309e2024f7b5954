//! HTTP/2 without TLS, on the data plane and towards providers that refuse, break off or stall.

use super::process::resident_bytes;
use super::rig::{Http, KEY, Plan, Rig, request};
use bytes::Bytes;
use futures::future::join_all;
use h2::Reason;
use h2::client::SendRequest;
use h2::server::SendResponse;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const CHAT: &str = "/v1/chat/completions";

fn ask(text: &str, stream: bool) -> String {
    let messages = json!([{ "role": "user", "content": text }]);
    json!({ "model": "openai/gpt-5.4", "messages": messages, "stream": stream }).to_string()
}

fn post(address: SocketAddr, body: String) -> Request<Full<Bytes>> {
    Request::post(format!("http://{address}{CHAT}"))
        .header("authorization", format!("Bearer {KEY}"))
        .header("content-type", "application/json")
        .body(Full::new(body.into()))
        .unwrap()
}

async fn h2c(server: &str) -> Rig {
    Rig::with(Plan { server: &format!("h2c = true\n{server}"), ..Plan::default() }).await
}

type Sender = hyper::client::conn::http2::SendRequest<Full<Bytes>>;

async fn connect(address: SocketAddr) -> Sender {
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn a_hundred_streams_share_a_connection() {
    let rig = h2c("").await;
    let sender = connect(rig.gateway).await;
    let stream = |number: usize| {
        let mut sender = sender.clone();
        let text = format!(r#"[[mock {{"text":"<{number}>","events":5,"event_delay_ms":30}}]]"#);
        let request = post(rig.gateway, ask(&text, true));
        async move {
            let body = sender.send_request(request).await.unwrap().into_body();
            String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
        }
    };
    for (number, text) in join_all((0..100).map(stream)).await.into_iter().enumerate() {
        let chunks = text.lines().filter_map(|line| line.strip_prefix("data: {"));
        let content: String = chunks
            .map(|chunk| serde_json::from_str::<Value>(&format!("{{{chunk}")).unwrap())
            .filter_map(|chunk| Some(chunk["choices"][0]["delta"]["content"].as_str()?.to_owned()))
            .collect();
        assert_eq!(content, format!("<{number}>"));
        assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    }
    // HTTP/1.1 is spoken on the same port.
    assert_eq!(rig.post(CHAT, &serde_json::from_str(&ask("x", false)).unwrap()).await.status, 200);
}

#[tokio::test]
async fn a_reset_stream_cancels_its_own_request_only() {
    let rig = h2c("").await;
    let mut sender = connect(rig.gateway).await;
    let reply = |text: &str| {
        format!(r#"[[mock {{"text":"{text} ","text_repeat":20,"events":20,"event_delay_ms":50}}]]"#)
    };
    let leaving = post(rig.gateway, ask(&reply("leaving"), true));
    let staying = post(rig.gateway, ask(&reply("staying"), true));
    let mut leaving = sender.send_request(leaving).await.unwrap().into_body();
    let staying = sender.send_request(staying).await.unwrap().into_body();
    leaving.frame().await.unwrap().unwrap();
    drop(leaving);
    let staying = staying.collect().await.unwrap().to_bytes();
    assert!(staying.ends_with(b"data: [DONE]\n\n"));
    let journal = rig.journal().await;
    let closed: Vec<bool> =
        journal.iter().map(|entry| entry["client_closed"].as_bool().unwrap()).collect();
    assert_eq!(closed, [true, false], "{journal:?}");
    assert!(journal[0]["closed_after_ms"].as_u64() < Some(500), "{journal:?}");
}

#[tokio::test]
async fn a_silent_connection_is_closed_in_time() {
    let rig = h2c("header_timeout_s = 1").await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for words in [&b""[..], &preface[..20], &preface[..24], preface, b"GET / HT"] {
        let mut stream = TcpStream::connect(rig.gateway).await.unwrap();
        stream.write_all(words).await.unwrap();
        let started = Instant::now();
        let mut greeting = Vec::new();
        let read = stream.read_to_end(&mut greeting);
        let _ended = tokio::time::timeout(Duration::from_secs(4), read).await.expect("still open");
        let took = started.elapsed();
        let limits = Duration::from_millis(900)..Duration::from_millis(2500);
        assert!(limits.contains(&took), "{words:?}: {took:?}");
    }
    // One that asked is kept longer than that.
    let mut sender = connect(rig.gateway).await;
    for _ in 0..2 {
        let answer = sender.send_request(post(rig.gateway, ask("x", false))).await.unwrap();
        assert_eq!(answer.status(), 200);
        drop(answer.into_body().collect().await);
        tokio::time::sleep(Duration::from_millis(1300)).await;
    }
}

/// Bytes by which all that one connection can make the gateway hold may grow it.
const MAX_BOMB_GROWTH_BYTES: u64 = 16 * 1024 * 1024;

#[tokio::test]
async fn many_large_header_lists_cost_little_memory() {
    let rig = h2c("").await;
    for _ in 0..20 {
        rig.get("/v1/models").await;
    }
    let before = resident_bytes(rig.pid());
    // Answers wait for a window that never opens, so every stream stays.
    let stream = TcpStream::connect(rig.gateway).await.unwrap();
    let (mut sender, connection) = h2::client::Builder::new()
        .initial_window_size(0)
        .initial_max_send_streams(1000)
        .handshake::<_, Bytes>(stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut waiting = Vec::new();
    for number in 0..400 {
        // Short fields, or long ones, that the table compresses to a byte each: within the limit.
        let (count, value) = if number % 2 == 0 { (400, "") } else { (4, &*"v".repeat(3900)) };
        let mut request = Request::get(format!("http://{}/v1/models", rig.gateway));
        for _ in 0..count {
            request = request.header("x-a", value);
        }
        sender = match sender.ready().await {
            Ok(sender) => sender,
            Err(error) => panic!("the connection broke: {error}"),
        };
        let (response, _) = sender.send_request(request.body(()).unwrap(), true).unwrap();
        waiting.push(response);
    }
    let started = Instant::now();
    while in_flight(&rig).await < 100 {
        assert!(started.elapsed() < Duration::from_secs(10), "{} held", in_flight(&rig).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let growth = resident_bytes(rig.pid()).saturating_sub(before);
    println!("100 of {} streams held: {} KiB more", waiting.len(), growth / 1024);
    assert!(growth < MAX_BOMB_GROWTH_BYTES, "{} KiB", growth / 1024);
    // Others are served meanwhile.
    assert_eq!(rig.get("/v1/models").await.status, 200);
}

async fn in_flight(rig: &Rig) -> usize {
    let metrics = request(rig.admin, Http::One, ("GET", "/metrics"), &[], Bytes::new()).await;
    let text = metrics.text();
    let value = text.lines().find_map(|line| line.strip_prefix("arouter_requests_in_flight "));
    value.unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_header_list_beyond_the_limit_is_refused() {
    let rig = h2c("").await;
    let large = "v".repeat(20 * 1024);
    let stream = TcpStream::connect(rig.gateway).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut sender: SendRequest<Bytes> = sender.ready().await.unwrap();
    let uri = format!("http://{}/v1/models", rig.gateway);
    let request = Request::get(uri).header("x-large", large).body(()).unwrap();
    let (response, _) = sender.send_request(request, true).unwrap();
    if let Ok(response) = response.await {
        assert_eq!(response.status(), 431);
    }
    assert_eq!(rig.get("/v1/models").await.status, 200);
}

/// A provider that speaks HTTP/2 only; what it does with the n-th request is up to the test.
struct Peer {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    /// Most requests under way at once.
    peak: Arc<AtomicUsize>,
}

/// What the peer does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Answer,
    /// An answer after a while.
    Slow,
    /// Part of a stream, then a reset.
    Break(Reason),
    Reset(Reason),
    /// Sends as much as it may, and never ends.
    Flood,
}

impl Peer {
    async fn start(max_streams: u32, act: fn(usize) -> Act) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            requests: Arc::default(),
            peak: Arc::default(),
        };
        let (connections, requests) = (Arc::clone(&peer.connections), Arc::clone(&peer.requests));
        let (peak, active) = (Arc::clone(&peer.peak), Arc::new(AtomicUsize::new(0)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (requests, peak, active) =
                    (Arc::clone(&requests), Arc::clone(&peak), Arc::clone(&active));
                tokio::spawn(async move {
                    let mut builder = h2::server::Builder::new();
                    builder.max_concurrent_streams(max_streams);
                    let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
                    while let Some(Ok((request, respond))) = connection.accept().await {
                        let act = act(requests.fetch_add(1, Ordering::SeqCst));
                        let (peak, active) = (Arc::clone(&peak), Arc::clone(&active));
                        tokio::spawn(async move {
                            let now = active.fetch_add(1, Ordering::SeqCst) + 1;
                            peak.fetch_max(now, Ordering::SeqCst);
                            perform(act, request.into_body(), respond).await;
                            active.fetch_sub(1, Ordering::SeqCst);
                        });
                    }
                });
            }
        });
        peer
    }

    async fn rig(&self) -> Rig {
        let plan = Plan {
            upstream: Some(self.address),
            provider: "http2 = \"always\"\ntimeouts = { first_byte_ms = 4000, first_token_ms = 4000 }",
            ..Plan::default()
        };
        Rig::with(plan).await
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn perform(act: Act, mut body: h2::RecvStream, mut respond: SendResponse<Bytes>) {
    if let Act::Reset(reason) = act {
        return respond.send_reset(reason);
    }
    while let Some(Ok(piece)) = body.data().await {
        let _released = body.flow_control().release_capacity(piece.len());
    }
    if act == Act::Slow {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let is_stream = !matches!(act, Act::Answer | Act::Slow);
    let media_type = if is_stream { "text/event-stream" } else { "application/json" };
    let header = Response::builder().header("content-type", media_type).body(()).unwrap();
    let mut sending = respond.send_response(header, false).unwrap();
    if !is_stream {
        return sending.send_data(whole(), true).unwrap();
    }
    sending.send_data(chunk("part"), false).unwrap();
    if let Act::Break(reason) = act {
        tokio::time::sleep(Duration::from_millis(50)).await;
        return sending.send_reset(reason);
    }
    let piece = chunk(&"x".repeat(16 * 1024));
    loop {
        sending.reserve_capacity(piece.len());
        match std::future::poll_fn(|context| sending.poll_capacity(context)).await {
            Some(Ok(0)) => {}
            Some(Ok(_)) => sending.send_data(piece.clone(), false).unwrap(),
            _ => return,
        }
    }
}

fn chunk(text: &str) -> Bytes {
    let chunk = json!({
        "id": "a", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": null }],
    });
    format!("data: {chunk}\n\n").into()
}

fn whole() -> Bytes {
    let answer = json!({
        "id": "a", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{
            "index": 0, "finish_reason": "stop",
            "message": { "role": "assistant", "content": "over HTTP/2" },
        }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3 },
    });
    answer.to_string().into()
}

async fn whole_request(rig: &Rig) -> super::rig::Answer {
    rig.post(CHAT, &serde_json::from_str(&ask("hello", false)).unwrap()).await
}

#[tokio::test]
async fn a_refused_request_goes_out_again() {
    let cases: [fn(usize) -> Act; 2] = [|number| refuse(number, 2), |number| refuse(number, 0)];
    for (what, act) in ["on a kept connection", "on a fresh connection"].into_iter().zip(cases) {
        let peer = Peer::start(100, act).await;
        let rig = peer.rig().await;
        for _ in 0..4 {
            let answer = whole_request(&rig).await;
            assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        }
        assert_eq!(peer.requests(), 5, "{what}");
        assert_eq!(peer.connections(), 1, "{what}");
    }
}

fn refuse(number: usize, which: usize) -> Act {
    if number == which { Act::Reset(Reason::REFUSED_STREAM) } else { Act::Answer }
}

#[tokio::test]
async fn a_request_that_may_have_been_worked_on_is_not_repeated() {
    for reason in [Reason::INTERNAL_ERROR, Reason::CANCEL, Reason::ENHANCE_YOUR_CALM] {
        let act: fn(usize) -> Act = match reason {
            Reason::INTERNAL_ERROR => |number| reset_second(number, Reason::INTERNAL_ERROR),
            Reason::CANCEL => |number| reset_second(number, Reason::CANCEL),
            _ => |number| reset_second(number, Reason::ENHANCE_YOUR_CALM),
        };
        let peer = Peer::start(100, act).await;
        let rig = peer.rig().await;
        let statuses = [(); 3].map(|()| whole_request(&rig));
        let mut seen = Vec::new();
        for status in statuses {
            seen.push(status.await.status);
        }
        assert_eq!(seen, [200, 502, 200], "{reason:?}");
        assert_eq!((peer.requests(), peer.connections()), (3, 1), "{reason:?}");
    }
}

fn reset_second(number: usize, reason: Reason) -> Act {
    if number == 1 { Act::Reset(reason) } else { Act::Answer }
}

#[tokio::test]
async fn a_stream_that_is_reset_ends_with_an_error() {
    let peer = Peer::start(100, |_| Act::Break(Reason::INTERNAL_ERROR)).await;
    let rig = peer.rig().await;
    let answer = rig.post(CHAT, &serde_json::from_str(&ask("hello", true)).unwrap()).await;
    assert_eq!(answer.status, 200);
    let text = answer.text();
    assert!(text.contains("\"part\"") && text.contains("\"error\""), "{text}");
    assert!(!text.contains("\"finish_reason\":\"stop\""), "{text}");
    assert_eq!(peer.requests(), 1);
}

#[tokio::test]
async fn no_more_streams_than_allowed_are_opened() {
    let peer = Peer::start(1, |_| Act::Slow).await;
    let rig = peer.rig().await;
    assert_eq!(whole_request(&rig).await.status, 200);
    let answers = join_all((0..8).map(|_| whole_request(&rig))).await;
    for answer in answers {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    // Each connection carries one at a time, so as many run at once as there are connections.
    assert!(peer.peak.load(Ordering::SeqCst) <= peer.connections());
    assert_eq!(peer.requests(), 9);
}

/// Bytes by which eight stalled streams may grow the gateway.
const MAX_STALLED_GROWTH_BYTES: u64 = 12 * 1024 * 1024;

#[tokio::test]
async fn clients_that_do_not_read_leave_the_others_alone() {
    let peer =
        Peer::start(100, |number| if (1..9).contains(&number) { Act::Flood } else { Act::Answer });
    let peer = peer.await;
    let rig = peer.rig().await;
    assert_eq!(whole_request(&rig).await.status, 200);
    let before = resident_bytes(rig.pid());
    let mut stalled = Vec::new();
    for _ in 0..8 {
        // The kernel is to hold little, so that the gateway feels the stall soon.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(rig.gateway).await.unwrap();
        let body = ask("hello", true);
        let head = format!(
            "POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.read_u8().await.unwrap();
        stalled.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let growth = resident_bytes(rig.pid()).saturating_sub(before);
    println!("8 stalled streams: {} KiB more", growth / 1024);
    assert!(growth < MAX_STALLED_GROWTH_BYTES, "{} KiB", growth / 1024);
    assert_eq!(peer.connections(), 1, "the streams were to share a connection");
    // Without a share of the window this one would run into its time limit.
    let answer = whole_request(&rig).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn without_the_setting_cleartext_http2_is_not_spoken() {
    let rig = Rig::start().await;
    let mut stream = TcpStream::connect(rig.gateway).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let _ended = tokio::time::timeout(Duration::from_secs(5), read).await.expect("still open");
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{answer:?}");
    let one = request(rig.gateway, Http::One, ("GET", "/healthz"), &[], Bytes::new()).await;
    assert_eq!(one.status, 200);
}
