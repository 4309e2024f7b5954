//! A mock on a port of its own and a client that shows what came over the wire.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::mock::{Entry, Journal, Mock, Options};

/// A running mock; it ends with the value.
pub(super) struct Rig {
    pub(super) address: std::net::SocketAddr,
    pub(super) journal: Journal,
    task: JoinHandle<()>,
}

/// A response of HTTP/1.1, as it came.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
    /// How the connection ended, when it ended before the body did.
    pub(super) broken: Option<&'static str>,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e} in {:?}", self.body))
    }

    /// The data of the events.
    pub(super) fn events(&self) -> Vec<String> {
        let data = |event: &str| {
            let line = event.lines().find_map(|line| line.strip_prefix("data: "));
            line.map(str::to_owned)
        };
        self.body.replace("\r\n", "\n").split("\n\n").filter_map(data).collect()
    }

    /// The events as JSON, without the `[DONE]`.
    pub(super) fn chunks(&self) -> Vec<Value> {
        let events = self.events();
        let json = events.iter().filter(|event| *event != "[DONE]");
        json.map(|event| serde_json::from_str(event).unwrap()).collect()
    }
}

impl Rig {
    pub(super) async fn start() -> Self {
        Self::with(Options::default()).await
    }

    #[expect(clippy::disallowed_methods, reason = "the task is ended when the rig is dropped")]
    pub(super) async fn with(options: Options) -> Self {
        let mock = Mock::bind("127.0.0.1:0".parse().unwrap(), options).await.unwrap();
        let (address, journal) = (mock.local_addr(), mock.journal());
        Self { address, journal, task: tokio::spawn(mock.serve(std::future::pending())) }
    }

    /// Sends a request and reads until the body is complete or the connection ends.
    pub(super) async fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Reply {
        let mut stream = self.open(method, path, headers, body).await;
        let (mut raw, mut broken) = (Vec::new(), None);
        let mut buffer = vec![0; 16 * 1024];
        while !complete(&raw) {
            match tokio::time::timeout(Duration::from_secs(5), stream.read(&mut buffer)).await {
                Ok(Ok(0)) => broken = Some("closed"),
                Ok(Ok(size)) => raw.extend_from_slice(&buffer[..size]),
                Ok(Err(_)) => broken = Some("reset"),
                Err(_) => broken = Some("silent"),
            }
            if broken.is_some() {
                break;
            }
        }
        parse(&raw, broken)
    }

    /// Sends a request and leaves the answer unread.
    pub(super) async fn open(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: mock\r\n{headers}content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// Asks the OpenAI route with a directive in the prompt.
    pub(super) async fn openai(&self, directive: &Value, stream: bool) -> Reply {
        let body = openai_body(directive, stream);
        self.send("POST", "/v1/chat/completions", OPENAI, &body.to_string()).await
    }

    /// Asks the Anthropic route with a directive in the prompt.
    pub(super) async fn anthropic(&self, directive: &Value, stream: bool) -> Reply {
        let body = json!({"model": "claude-x", "max_tokens": 100, "stream": stream,
            "messages": [{"role": "user", "content": prompt(directive)}]});
        self.send("POST", "/v1/messages", ANTHROPIC, &body.to_string()).await
    }

    /// Asks the Google route with a directive in the prompt.
    pub(super) async fn google(&self, directive: &Value, verb: &str) -> Reply {
        let body = json!({"contents": [
            {"role": "user", "parts": [{"text": prompt(directive)}]}]});
        let path = format!("/v1beta/models/gemini-x:{verb}");
        self.send("POST", &path, GOOGLE, &body.to_string()).await
    }

    /// Waits for the given number of journal entries.
    pub(super) async fn entries(&self, count: usize) -> Vec<Entry> {
        for _ in 0..500 {
            if self.journal.entries().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let entries = self.journal.entries();
        assert_eq!(entries.len(), count, "{entries:#?}");
        entries
    }

    /// The only journal entry.
    pub(super) async fn entry(&self) -> Entry {
        self.entries(1).await.remove(0)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) const OPENAI: &str = "authorization: Bearer sk-test-1234\r\n";
pub(super) const ANTHROPIC: &str = "x-api-key: sk-ant-5678\r\nanthropic-version: 2023-06-01\r\n";
pub(super) const GOOGLE: &str = "x-goog-api-key: AIza-9012\r\n";

pub(super) fn openai_body(directive: &Value, stream: bool) -> Value {
    json!({"model": "gpt-x", "stream": stream, "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": prompt(directive)}]})
}

fn prompt(directive: &Value) -> String {
    format!("Hi [[mock {directive}]] there")
}

/// Whether the whole body is there: by its length, or by the last chunk.
fn complete(raw: &[u8]) -> bool {
    let text = String::from_utf8_lossy(raw);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    if !head.starts_with("HTTP/") {
        return false;
    }
    match content_length(head) {
        Some(length) => body.len() >= length,
        None if head.contains("transfer-encoding: chunked") => body.ends_with("0\r\n\r\n"),
        None => true,
    }
}

fn content_length(head: &str) -> Option<usize> {
    head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse().ok()
}

fn parse(raw: &[u8], broken: Option<&'static str>) -> Reply {
    let text = String::from_utf8_lossy(raw);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let chunked = head.contains("transfer-encoding: chunked");
    let body = if chunked { unchunk(body) } else { body.to_owned() };
    Reply { status, head: head.to_owned(), body, broken }
}

fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        let Some(data) = rest.get(..size) else { break };
        whole.push_str(data);
        body = rest.get(size + 2..).unwrap_or_default();
    }
    whole
}
