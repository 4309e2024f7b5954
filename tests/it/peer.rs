//! The provider's side of the tests: peers that keep exactly what they got and answer exactly
//! what the test says, where the mock provider would parse and word things itself.

use bytes::Bytes;
use http_body_util::{BodyExt, Collected, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

/// A request as a peer got it.
#[derive(Debug, Clone)]
pub struct Got {
    pub method: String,
    pub target: String,
    /// Of the target, which HTTP/2 has in place of the `Host` field.
    pub authority: String,
    pub version: http::Version,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

/// What a [`Peer`] answers.
#[derive(Debug, Clone)]
pub struct Say {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

impl Say {
    /// 200 with a media type and a body.
    pub fn ok(media_type: &'static str, body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type", media_type.to_owned())];
        Self { status: 200, headers, body: body.into() }
    }

    /// 200 with JSON.
    pub fn json(body: impl Into<Bytes>) -> Self {
        Self::ok("application/json", body)
    }

    /// 200 with server-sent events.
    pub fn events(body: impl Into<Bytes>) -> Self {
        Self::ok("text/event-stream", body)
    }

    /// The same with another status.
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with one more field.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A peer that speaks HTTP/1.1 and HTTP/2 and answers by a function of the request.
pub struct Peer {
    pub address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Peer {
    /// A peer that always answers the same.
    pub async fn saying(say: Say) -> Self {
        Self::with(move |_| say.clone()).await
    }

    /// A peer that answers by a function.
    pub async fn with(answer: impl Fn(&Got) -> Say + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let got = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&got);
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                let service = service_fn(move |request| {
                    let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                    async move {
                        let got = receive(request).await;
                        let mut say = answer(&got);
                        if got.method == "HEAD" {
                            // hyper would send it all the same over HTTP/2.
                            say.body.clear();
                        }
                        seen.lock().unwrap().push(got);
                        Ok::<_, Infallible>(worded(say))
                    }
                });
                tokio::spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    // How a connection ends is the test's business on the other side.
                    builder.serve_connection(TokioIo::new(stream), service).await.ok();
                });
            }
        });
        Self { address, got }
    }

    /// What it got so far.
    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// The last request.
    pub fn last(&self) -> Got {
        self.got.lock().unwrap().last().expect("the peer was not reached").clone()
    }
}

async fn receive(request: hyper::Request<Incoming>) -> Got {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    Got {
        method: parts.method.to_string(),
        target: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        authority: parts.uri.authority().map(ToString::to_string).unwrap_or_default(),
        version: parts.version,
        headers: parts.headers,
        body,
    }
}

fn worded(say: Say) -> hyper::Response<Full<Bytes>> {
    let mut response = hyper::Response::builder().status(say.status);
    for (name, value) in say.headers {
        response = response.header(name, value);
    }
    response.body(Full::new(say.body)).unwrap()
}

/// A peer whose every connection is in the hands of the test: the function gets the stream and
/// the connection's number, from 0.
pub async fn by_hand<F, Fut>(serve: F) -> SocketAddr
where
    F: Fn(TcpStream, usize) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(serve(stream, number));
        }
    });
    address
}

/// Reads one request with a `Content-Length`; `None` when the connection ends instead.
pub async fn read_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        if let Some(end) = memchr::memmem::find(&all, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&all[..end]).to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1);
            let length = length.and_then(|rest| rest.lines().next()).unwrap_or("0");
            if all.len() >= end + 4 + length.trim().parse::<usize>().unwrap() {
                return Some(all);
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => all.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Waits until the other side closes, at most ten seconds; says how long it took.
pub async fn until_closed(stream: &mut TcpStream) -> Option<Duration> {
    let started = std::time::Instant::now();
    let mut buffer = [0; 1024];
    let read = async { while !matches!(stream.read(&mut buffer).await, Ok(0) | Err(_)) {} };
    tokio::time::timeout(Duration::from_secs(10), read).await.ok()?;
    Some(started.elapsed())
}

/// A whole answer of OpenAI's format.
pub const OPENAI_ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-5.4","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#;
