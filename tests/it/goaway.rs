//! A provider whose HTTP/2 connection ends in the middle: which requests go out again.
//!
//! The frames are written by hand, because no server library ends a connection before it looked at
//! a request that it already read.

use super::frames::{DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, SETTINGS, read, write};
use super::rig::{Plan, Rig};
use bytes::Bytes;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

const NO_ERROR: u32 = 0;
const ENHANCE_YOUR_CALM: u32 = 11;

/// How the connection that carries a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It does not.
    Never,
    /// Before the request was looked at, with this error code.
    Before(u32),
    /// After this request, which is still answered.
    After,
    /// By a closed socket.
    Closed,
}

/// A provider that numbers the requests it reads, whatever becomes of them.
struct Peer {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl Peer {
    /// `ends` says how the connections of the first requests end.
    async fn start(ends: &[End]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ends = Arc::new(Mutex::new(ends.to_vec()));
        let peer = Self { address, requests: Arc::default(), connections: Arc::default() };
        let (requests, connections) = (Arc::clone(&peer.requests), Arc::clone(&peer.connections));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, Arc::clone(&ends), Arc::clone(&requests)));
            }
        });
        peer
    }

    async fn rig(&self) -> Rig {
        let provider = "http2 = \"always\"\ntimeouts = { first_byte_ms = 4000 }";
        Rig::with(Plan { upstream: Some(self.address), provider, ..Plan::default() }).await
    }

    fn seen(&self) -> [usize; 2] {
        [self.requests.load(Ordering::SeqCst), self.connections.load(Ordering::SeqCst)]
    }
}

/// Serves one connection. An error means that the gateway closed it.
async fn serve(
    mut stream: TcpStream,
    ends: Arc<Mutex<Vec<End>>>,
    requests: Arc<AtomicUsize>,
) -> std::io::Result<()> {
    stream.read_exact(&mut [0; 24]).await?;
    write(&mut stream, (SETTINGS, 0, 0), &[]).await?;
    let mut last = 0;
    let mut end = End::Never;
    loop {
        let (kind, flags, id, _) = read(&mut stream).await?;
        if kind == HEADERS {
            requests.fetch_add(1, Ordering::SeqCst);
            let mut ends = ends.lock().unwrap();
            end = if ends.is_empty() { End::Never } else { ends.remove(0) };
        }
        match end {
            End::Before(error) if kind == HEADERS => {
                return go_away(&mut stream, last, error).await;
            }
            End::Closed if kind == HEADERS => return Ok(()),
            _ => {}
        }
        if kind == HEADERS {
            last = id;
        }
        if kind == DATA && flags & END_STREAM != 0 {
            if end == End::After {
                write(&mut stream, (GOAWAY, 0, 0), &payload(last, NO_ERROR)).await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            // 0x88 is `:status: 200`.
            write(&mut stream, (HEADERS, END_HEADERS, id), &[0x88]).await?;
            write(&mut stream, (DATA, END_STREAM, id), &whole()).await?;
        }
    }
}

async fn go_away(stream: &mut TcpStream, last: u32, error: u32) -> std::io::Result<()> {
    write(stream, (GOAWAY, 0, 0), &payload(last, error)).await?;
    // Read on, so that closing does not take the frame back.
    let mut rest = Vec::new();
    let _ended =
        tokio::time::timeout(Duration::from_millis(300), stream.read_to_end(&mut rest)).await;
    Ok(())
}

fn payload(last: u32, error: u32) -> Vec<u8> {
    [last.to_be_bytes(), error.to_be_bytes()].concat()
}

fn whole() -> Bytes {
    let answer = json!({
        "id": "a", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{
            "index": 0, "finish_reason": "stop",
            "message": { "role": "assistant", "content": "at last" },
        }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3 },
    });
    answer.to_string().into()
}

#[tokio::test]
async fn a_request_that_was_not_looked_at_goes_out_again() {
    use End::{After, Before, Closed, Never};
    // How the connections end, the statuses of three requests, and the requests and connections
    // that the provider saw.
    let cases: [(&[End], [u16; 3], [usize; 2]); 7] = [
        (&[Before(NO_ERROR)], [200, 200, 200], [4, 2]),
        (&[Never, Before(NO_ERROR)], [200, 200, 200], [4, 2]),
        (&[Never, After], [200, 200, 200], [3, 2]),
        // A kept connection that breaks was most likely dead before.
        (&[Never, Closed], [200, 200, 200], [4, 2]),
        // Twice in a row is no accident any more.
        (&[Before(NO_ERROR), Before(NO_ERROR)], [502, 200, 200], [4, 3]),
        // What was possibly worked on is not repeated.
        (&[Closed], [502, 200, 200], [3, 2]),
        (&[Never, Before(ENHANCE_YOUR_CALM)], [200, 502, 200], [3, 2]),
    ];
    for (ends, expected, seen) in cases {
        let peer = Peer::start(ends).await;
        let rig = peer.rig().await;
        let body = json!({
            "model": "openai/gpt-5.4", "messages": [{ "role": "user", "content": "hello" }],
        });
        let mut statuses = [0; 3];
        for status in &mut statuses {
            *status = rig.post("/v1/chat/completions", &body).await.status;
        }
        assert_eq!((statuses, peer.seen()), (expected, seen), "{ends:?}");
    }
}
