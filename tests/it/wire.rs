//! The client's side of the tests: requests whose bytes, pace and end the test decides.
//!
//! [`Call`] is a request over HTTP/1.1 or HTTP/2, answered piece by piece with the time of each;
//! [`Raw`] is a bare connection for what no client library would send.

use super::rig::{Http, KEY};
use bytes::Bytes;
use futures::StreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// A request body.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A body of known length.
pub fn sized(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

/// A body without a declared length, in pieces of `piece` bytes.
pub fn chunked(bytes: Bytes, piece: usize) -> Body {
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let next = rest.split_to(piece.min(rest.len()));
        pieces.push(Ok(Frame::data(next)));
    }
    StreamBody::new(futures::stream::iter(pieces)).boxed_unsync()
}

/// A body that never ends: `piece` again and again, with a pause before each.
pub fn endless(piece: Bytes, pause: Duration) -> Body {
    let pieces = futures::stream::repeat(piece).then(move |piece| async move {
        tokio::time::sleep(pause).await;
        Ok(Frame::data(piece))
    });
    StreamBody::new(pieces).boxed_unsync()
}

/// A request and what comes back.
pub struct Call {
    pub status: u16,
    pub headers: http::HeaderMap,
    /// When the header came, counted from the start of the request.
    pub header_after: Duration,
    started: Instant,
    body: Incoming,
    connection: JoinHandle<()>,
}

impl Call {
    /// Posts JSON with the usual key.
    pub async fn post(address: SocketAddr, version: Http, path: &str, body: &str) -> Self {
        let auth = format!("Bearer {KEY}");
        let headers = [("authorization", auth.as_str()), ("content-type", "application/json")];
        Self::send(address, version, ("POST", path), &headers, sized(body.to_owned())).await
    }

    /// Sends a request and waits for the header of the answer.
    pub async fn send(
        address: SocketAddr,
        version: Http,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: Body,
    ) -> Self {
        let started = Instant::now();
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let io = TokioIo::new(stream);
        let uri = match version {
            Http::One => path.to_owned(),
            Http::Two => format!("http://{address}{path}"),
        };
        let mut request = hyper::Request::builder().method(method).uri(uri);
        if version == Http::One {
            request = request.header("host", address.to_string());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).unwrap();
        let (response, connection) = match version {
            Http::One => {
                let (mut sender, connection) =
                    hyper::client::conn::http1::handshake(io).await.unwrap();
                let connection = tokio::spawn(async move { drop(connection.await) });
                (sender.send_request(request).await, connection)
            }
            Http::Two => {
                let (mut sender, connection) =
                    hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
                let connection = tokio::spawn(async move { drop(connection.await) });
                (sender.send_request(request).await, connection)
            }
        };
        let response = response.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"));
        let (parts, body) = response.into_parts();
        let (status, headers) = (parts.status.as_u16(), parts.headers);
        let header_after = started.elapsed();
        Self { status, headers, header_after, started, body, connection }
    }

    /// The next piece of the body and when it came; `None` at a clean end.
    pub async fn next(&mut self) -> Result<Option<(Duration, Bytes)>, hyper::Error> {
        loop {
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            if let Ok(data) = frame?.into_data() {
                return Ok(Some((self.started.elapsed(), data)));
            }
        }
    }

    /// Reads until the text so far holds `mark`.
    pub async fn read_until(&mut self, mark: &str) -> String {
        let mut text = String::new();
        while !text.contains(mark) {
            let piece = tokio::time::timeout(Duration::from_secs(10), self.next()).await;
            let piece = piece.unwrap_or_else(|_| panic!("no {mark:?} in {text}"));
            let Some((_, piece)) = piece.unwrap() else { panic!("no {mark:?} in {text}") };
            text.push_str(&String::from_utf8_lossy(&piece));
        }
        text
    }

    /// The rest of the body; fails unless the end is clean.
    pub async fn rest(&mut self) -> Bytes {
        let mut all = Vec::new();
        while let Some((_, piece)) = self.next().await.unwrap() {
            all.extend_from_slice(&piece);
        }
        all.into()
    }

    /// The rest of the body as text.
    pub async fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.rest().await).into_owned()
    }

    /// A header of the answer; empty if it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Closes the connection now.
    pub fn leave(self) {
        self.connection.abort();
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// A bare HTTP/1 connection.
pub struct Raw {
    pub stream: TcpStream,
    unread: Vec<u8>,
}

/// An answer as it stood on the wire.
#[derive(Debug)]
pub struct RawAnswer {
    pub status: u16,
    /// Status line and fields, without the empty line.
    pub head: String,
    pub body: Vec<u8>,
}

impl Raw {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, unread: Vec::new() }
    }

    /// Sends bytes as they stand.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads one answer; panics if there is none within ten seconds.
    pub async fn answer(&mut self) -> RawAnswer {
        tokio::time::timeout(Duration::from_secs(10), self.read_answer()).await.unwrap()
    }

    async fn read_answer(&mut self) -> RawAnswer {
        let end = loop {
            if let Some(at) = memchr::memmem::find(&self.unread, b"\r\n\r\n") {
                break at;
            }
            assert!(self.more().await, "closed within a header: {:?}", self.unread_text());
        };
        let head: Vec<u8> = self.unread.drain(..end + 4).collect();
        let head = String::from_utf8_lossy(&head).trim_end().to_owned();
        let status: u16 = head[9..12].parse().unwrap_or_else(|_| panic!("{head}"));
        let lower = head.to_ascii_lowercase();
        let length = lower.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let mut body = Vec::new();
        if let Some(length) = length {
            let length: usize = length.trim().parse().unwrap();
            while self.unread.len() < length {
                assert!(self.more().await, "closed within a body: {head}");
            }
            body = self.unread.drain(..length).collect();
        } else if lower.contains("transfer-encoding: chunked") {
            body = self.read_chunks().await;
        }
        RawAnswer { status, head, body }
    }

    async fn read_chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = loop {
                if let Some(at) = memchr::memmem::find(&self.unread, b"\r\n") {
                    break at;
                }
                assert!(self.more().await, "closed within a chunk");
            };
            let size: Vec<u8> = self.unread.drain(..line + 2).collect();
            let size = std::str::from_utf8(&size[..line]).unwrap();
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            while self.unread.len() < size + 2 {
                assert!(self.more().await, "closed within a chunk");
            }
            body.extend(self.unread.drain(..size));
            self.unread.drain(..2);
            if size == 0 {
                return body;
            }
        }
    }

    /// Bytes after what was read so far, at least `count` of them.
    pub async fn read(&mut self, count: usize) -> Vec<u8> {
        while self.unread.len() < count {
            assert!(self.more().await, "closed early: {:?}", self.unread_text());
        }
        self.unread.drain(..count).collect()
    }

    /// Whether the other side closes within the time, without sending anything more.
    pub async fn is_closed_within(&mut self, time: Duration) -> bool {
        match tokio::time::timeout(time, self.more()).await {
            Ok(more) => !more,
            Err(_) => false,
        }
    }

    async fn more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer).await {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                true
            }
        }
    }

    fn unread_text(&self) -> String {
        String::from_utf8_lossy(&self.unread).into_owned()
    }
}
