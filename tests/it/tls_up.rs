//! Providers over TLS: which peers are believed, what they see, and how connections are used.

use super::certificates::{Authority, Flaw, Issued};
use super::process::signal;
use super::rig::{PROVIDER_KEY, Plan, Rig};
use bytes::Bytes;
use futures::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Time to connect in these tests; TCP and TLS each get it.
const CONNECT_MS: u64 = 300;

/// What a provider saw.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: AtomicUsize,
    versions: Mutex<Vec<Version>>,
    /// Bytes as they came, where nothing decrypts them.
    bytes: Mutex<Vec<u8>>,
}

/// A provider over TLS.
struct Peer {
    address: SocketAddr,
    seen: Arc<Seen>,
}

impl Peer {
    /// Answers chat requests after a while.
    async fn serving(acceptor: TlsAcceptor, pause: Duration) -> Self {
        Self::start(move |stream, seen| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                seen.connections.fetch_add(1, Ordering::SeqCst);
                let service = service_fn(move |request| answer(request, Arc::clone(&seen), pause));
                let server = auto::Builder::new(TokioExecutor::new());
                // The gateway may close the connection at any time.
                let _ended = server.serve_connection(TokioIo::new(stream), service).await;
            }
        })
        .await
    }

    /// Accepts, reads, and says `words`.
    async fn saying(words: &'static [u8]) -> Self {
        Self::start(move |mut stream, seen| async move {
            seen.connections.fetch_add(1, Ordering::SeqCst);
            let (mut reader, mut writer) = stream.split();
            let mut buffer = [0; 4096];
            let _written = tokio::io::AsyncWriteExt::write_all(&mut writer, words).await;
            while let Ok(count @ 1..) = reader.read(&mut buffer).await {
                seen.bytes.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        })
        .await
    }

    async fn start<F, S>(serve: S) -> Self
    where
        S: Fn(TcpStream, Arc<Seen>) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, seen }
    }

    fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }

    fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }
}

async fn answer(
    request: Request<Incoming>,
    seen: Arc<Seen>,
    pause: Duration,
) -> Result<Response<Full<Bytes>>, Infallible> {
    seen.requests.fetch_add(1, Ordering::SeqCst);
    seen.versions.lock().unwrap().push(request.version());
    drop(request.into_body().collect().await);
    tokio::time::sleep(pause).await;
    let answer = json!({
        "id": "a", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{
            "index": 0, "finish_reason": "stop",
            "message": { "role": "assistant", "content": "over TLS" },
        }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3 },
    });
    let response = Response::builder().header("content-type", "application/json");
    Ok(response.body(Full::new(Bytes::from(answer.to_string()))).unwrap())
}

/// A gateway with a provider `secure` at `host`, and models with and without a second candidate.
async fn rig(base: &str, more: &str) -> Rig {
    let more = format!(
        r#"
[providers.secure]
format = "openai"
base_url = "https://{base}/v1"
keys = [{{ env = "CANARY_PROVIDER_KEY" }}]
timeouts = {{ connect_ms = {CONNECT_MS} }}
{more}
[models."secure/alone"]
endpoints = [{{ provider = "secure" }}]
[models."secure/backed"]
endpoints = [{{ provider = "secure" }}, {{ provider = "openai", upstream_model = "gpt-5.4" }}]
"#
    );
    Rig::with(Plan { more: &more, ..Plan::default() }).await
}

fn ask(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "hello" }] })
}

#[tokio::test]
async fn http2_is_negotiated_and_shared() {
    let authority = Authority::new();
    let server = authority.issue("localhost", Flaw::None).server(&["h2", "http/1.1"]);
    let peer = Peer::serving(server, Duration::from_millis(300)).await;
    let folder = tempfile::tempdir().unwrap();
    let ca = format!("ca_file = {:?}", authority.write(folder.path()));
    let rig = rig(&format!("localhost:{}", peer.address.port()), &ca).await;
    let body = ask("secure/alone");
    let first = rig.post("/v1/chat/completions", &body).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let answers = join_all((0..80).map(|_| rig.post("/v1/chat/completions", &body))).await;
    for answer in answers {
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["choices"][0]["message"]["content"], "over TLS");
    }
    assert_eq!(peer.requests(), 81);
    assert!(peer.seen.versions.lock().unwrap().iter().all(|version| *version == Version::HTTP_2));
    assert!(peer.connections() <= 4, "{} connections", peer.connections());
}

#[tokio::test]
async fn http1_is_spoken_where_asked_for_or_offered_alone() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let ca = format!("ca_file = {:?}", authority.write(folder.path()));
    let both: &[&str] = &["h2", "http/1.1"];
    for (alpn, http2) in [(both, "never"), (&["http/1.1"], "auto"), (&[], "auto")] {
        let server = authority.issue("127.0.0.1", Flaw::None).server(alpn);
        let peer = Peer::serving(server, Duration::ZERO).await;
        let rig = rig(&peer.address.to_string(), &format!("{ca}\nhttp2 = \"{http2}\"")).await;
        for _ in 0..3 {
            let answer = rig.post("/v1/chat/completions", &ask("secure/alone")).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        let seen = [peer.requests(), peer.connections()];
        assert_eq!(seen, [3, 1], "{alpn:?} {http2}");
        assert_eq!(*peer.seen.versions.lock().unwrap(), [Version::HTTP_11; 3]);
    }
}

/// A server's greeting in TLS 1.0, which picks a cipher of that time.
const OLD_HELLO: &[u8] = b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01\
    \x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\
    \x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x20\
    \x00\x00\x2f\x00";

/// Peers that must not be believed, with what is trusted.
async fn impostors(trusted: &Authority) -> Vec<(&'static str, Peer)> {
    let stranger = Authority::new();
    let alpn = &["h2", "http/1.1"];
    let serving = |issued: Issued| Peer::serving(issued.server(alpn), Duration::ZERO);
    vec![
        ("wrong name", serving(trusted.issue("example.org", Flaw::None)).await),
        ("expired", serving(trusted.issue("localhost", Flaw::Expired)).await),
        ("unknown authority", serving(stranger.issue("localhost", Flaw::None)).await),
        ("self-signed", serving(Issued::self_signed("localhost")).await),
        ("an old version", Peer::saying(OLD_HELLO).await),
        ("silent", Peer::saying(b"").await),
        ("clear text", Peer::saying(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await),
    ]
}

#[tokio::test]
async fn a_peer_that_cannot_be_believed_gets_nothing() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let ca = format!("ca_file = {:?}", authority.write(folder.path()));
    for (what, peer) in impostors(&authority).await {
        let rig = rig(&format!("localhost:{}", peer.address.port()), &ca).await;
        for http2 in ["auto", "never"] {
            let started = Instant::now();
            let alone = rig.post("/v1/chat/completions", &ask("secure/alone")).await;
            let took = started.elapsed();
            let expected = if what == "silent" { 504 } else { 502 };
            assert_eq!(alone.status, expected, "{what}, {http2}: {}", alone.text());
            let limit = Duration::from_millis(2 * CONNECT_MS + 200);
            assert!(took < limit, "{what}, {http2}: {took:?}");

            let backed = rig.post("/v1/chat/completions", &ask("secure/backed")).await;
            assert_eq!(backed.status, 200, "{what}, {http2}: {}", backed.text());

            let raw = rig.get("/secure/v1/models").await;
            assert_eq!(raw.status, expected, "{what}, {http2}: {}", raw.text());

            let config = std::fs::read_to_string(rig.config_path()).unwrap();
            let changed = config.replace(&ca, &format!("{ca}\nhttp2 = \"never\""));
            std::fs::write(rig.config_path(), changed).unwrap();
            signal(rig.pid(), "HUP");
        }
        assert_eq!(peer.requests(), 0, "{what}");
        let bytes = peer.seen.bytes.lock().unwrap().clone();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(PROVIDER_KEY) && !text.contains("HTTP/1.1"), "{what}: {text}");
    }
}

#[tokio::test]
async fn a_provider_without_an_authority_file_needs_a_public_certificate() {
    let authority = Authority::new();
    let server = authority.issue("localhost", Flaw::None).server(&["h2"]);
    let peer = Peer::serving(server, Duration::ZERO).await;
    let rig = rig(&format!("localhost:{}", peer.address.port()), "").await;
    let answer = rig.post("/v1/chat/completions", &ask("secure/alone")).await;
    assert_eq!((answer.status, peer.requests()), (502, 0), "{}", answer.text());
}

#[tokio::test]
async fn a_changed_authority_ends_the_use_of_kept_connections() {
    let (former, present) = (Authority::new(), Authority::new());
    let server = former.issue("localhost", Flaw::None).server(&["http/1.1"]);
    let peer = Peer::serving(server, Duration::ZERO).await;
    let folder = tempfile::tempdir().unwrap();
    let ca = format!("ca_file = {:?}", former.write(folder.path()));
    let rig = rig(&format!("localhost:{}", peer.address.port()), &ca).await;
    assert_eq!(rig.post("/v1/chat/completions", &ask("secure/alone")).await.status, 200);
    present.write(folder.path());
    let started = Instant::now();
    while rig.post("/v1/chat/completions", &ask("secure/alone")).await.status != 502 {
        assert!(
            started.elapsed() < Duration::from_secs(3),
            "the former authority is still trusted"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
