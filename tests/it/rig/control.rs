//! More of the rig: signals, crashes, the admin listener, kept connections, raw sockets.

use super::{Answer, Http, KEY, Rig, request, spawn};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::process::{Command, ExitStatus, Output};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

impl Rig {
    /// Sends a signal by name to the gateway.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Waits for the gateway to end.
    pub async fn wait_for_exit(&mut self, limit: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < limit, "the gateway still runs after {limit:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends the gateway as a power cut would, and starts it again.
    pub async fn crash_and_restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = spawn(self.folder.path(), self.wrap);
        self.wait_until_up().await;
    }

    /// Runs a command of the binary in the folder of the gateway.
    pub async fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arouter"));
        command.args(arguments).current_dir(self.folder.path());
        command.env("CANARY_PROVIDER_KEY", super::PROVIDER_KEY);
        command.env("DEEPSEEK_API_KEY", super::PROVIDER_KEY);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// Calls the admin listener.
    pub async fn admin(&self, method: &str, path: &str) -> Answer {
        request(self.admin, Http::One, (method, path), &[], Bytes::new()).await
    }

    /// The metrics as text.
    pub async fn metrics(&self) -> String {
        let answer = self.admin("GET", "/metrics").await;
        assert_eq!(answer.status, 200);
        answer.text()
    }

    /// The value of one series, written as in the text; 0 when it is not there.
    pub async fn metric(&self, series: &str) -> f64 {
        let text = self.metrics().await;
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Asserts that the gateway runs and answers.
    pub async fn assert_alive(&self) {
        assert_eq!(self.get("/v1/models").await.status, 200);
    }
}

/// A connection that is kept from request to request, and replaced when the gateway closed it.
pub struct Connection {
    address: SocketAddr,
    version: Http,
    sender: Sender,
    /// How often it was opened.
    pub opened: usize,
}

enum Sender {
    One(hyper::client::conn::http1::SendRequest<Full<Bytes>>),
    Two(hyper::client::conn::http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr, version: Http) -> Self {
        let sender = connect(address, version).await;
        Self { address, version, sender, opened: 1 }
    }

    /// Sends a request with the usual key unless another credential is among the headers.
    pub async fn authorized(&mut self, method: &str, path: &str, body: impl Into<Bytes>) -> Answer {
        let auth = format!("Bearer {KEY}");
        self.send((method, path), &[("authorization", auth.as_str())], body.into()).await
    }

    /// Sends a request as it stands.
    pub async fn send(
        &mut self,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Answer {
        let ready = match &mut self.sender {
            Sender::One(sender) => sender.ready().await.is_ok(),
            Sender::Two(sender) => sender.ready().await.is_ok(),
        };
        if !ready {
            self.sender = connect(self.address, self.version).await;
            self.opened += 1;
        }
        let uri = match self.version {
            Http::One => path.to_owned(),
            Http::Two => format!("http://{}{path}", self.address),
        };
        let mut request = hyper::Request::builder().method(method).uri(uri);
        if self.version == Http::One && !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", self.address.to_string());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).unwrap();
        let response = match &mut self.sender {
            Sender::One(sender) => sender.send_request(request).await,
            Sender::Two(sender) => sender.send_request(request).await,
        };
        let response = response.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"));
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap_or_else(|e| panic!("{method} {path}: {e:?}"));
        Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.to_bytes() }
    }
}

async fn connect(address: SocketAddr, version: Http) -> Sender {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let io = TokioIo::new(stream);
    match version {
        Http::One => {
            let (sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            Sender::One(sender)
        }
        Http::Two => {
            let executor = TokioExecutor::new();
            let (sender, connection) =
                hyper::client::conn::http2::handshake(executor, io).await.unwrap();
            tokio::spawn(connection);
            Sender::Two(sender)
        }
    }
}

/// Writes bytes to a fresh connection and reads until it is closed (true) or was silent for so
/// long (false).
pub async fn raw(address: SocketAddr, bytes: &[u8], silence: Duration) -> (Vec<u8>, bool) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    // The gateway may close before it read everything.
    let _written = stream.write_all(bytes).await;
    let mut received = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match tokio::time::timeout(silence, stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return (received, true),
            Ok(Ok(count)) => received.extend_from_slice(&buffer[..count]),
            Err(_) => return (received, false),
        }
    }
}

/// Statuses of the responses in what was received, interim ones left out. Panics on what is no
/// HTTP/1.1 response.
pub fn responses(received: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(received).into_owned();
    let mut rest = text.as_str();
    let mut statuses = Vec::new();
    while !rest.is_empty() {
        let (head, after) = rest.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text}"));
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(head.starts_with("HTTP/1."), "{text}");
        rest = after;
        if status < 200 {
            continue;
        }
        statuses.push(status);
        let head = head.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1);
        if let Some(length) = length {
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            rest = rest.get(length..).unwrap_or_default();
        } else if head.contains("transfer-encoding: chunked") {
            rest = rest.split_once("0\r\n\r\n").map_or("", |(_, after)| after);
        }
    }
    statuses
}
