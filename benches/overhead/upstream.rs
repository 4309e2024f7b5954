//! The provider of the benchmark: prebuilt answers, sent as fast as the socket takes them.
//!
//! It checks every request it gets: a body that is not what the client meant to send is answered
//! with 422, which fails the run. A body is compared in full when it is first seen, and by its
//! checksum afterwards. Runs on a thread of its own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

use crate::Failure;
use crate::gate::Gates;
use crate::http1::{Body, Connection};
use crate::payload::{self, MODEL, SYSTEM_TEXT, Shape, Stream};

const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
    Cache-Control: no-cache\r\nx-request-id: req_bench\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Serves until the process ends.
pub(crate) fn serve(listener: std::net::TcpListener, gates: Gates) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async move {
        let listener = TcpListener::from_std(listener)?;
        let provider = Rc::new(Provider::new(gates));
        loop {
            let (socket, _) = listener.accept().await?;
            let provider = Rc::clone(&provider);
            tokio::task::spawn_local(async move {
                // A client that goes away is not the provider's failure; a wrong answer shows
                // at the client.
                let _closed = provider.converse(socket).await;
            });
        }
    })
}

/// Which shape and client a request is of, or what is wrong with it.
type Verdict = Result<(Shape, usize), String>;

/// Answers ready to be written.
struct Provider {
    answer: Vec<u8>,
    openai: Script,
    anthropic: Script,
    gates: Gates,
    /// Verdicts on bodies by checksum and length.
    seen: RefCell<HashMap<(u32, usize), Verdict>>,
}

/// A stream as the writes it consists of.
struct Script {
    /// Header, what precedes the text, and the first text event.
    first: Vec<u8>,
    /// One text event each.
    then: Vec<Vec<u8>>,
    last: Vec<u8>,
}

impl Script {
    fn new(stream: &Stream) -> Self {
        let chunk = |event: &String| format!("{:x}\r\n{event}\r\n", event.len()).into_bytes();
        let mut events = stream.events.iter().map(chunk);
        let mut first = STREAM_HEAD.as_bytes().to_vec();
        first.extend(stream.opening.iter().flat_map(chunk));
        first.extend(events.next().unwrap_or_default());
        let mut last: Vec<u8> = stream.closing.iter().flat_map(chunk).collect();
        last.extend_from_slice(b"0\r\n\r\n");
        Self { first, then: events.collect(), last }
    }
}

impl Provider {
    fn new(gates: Gates) -> Self {
        Self {
            answer: whole(200, &payload::answer()),
            openai: Script::new(&payload::openai_stream()),
            anthropic: Script::new(&payload::anthropic_stream()),
            gates,
            seen: RefCell::default(),
        }
    }

    async fn converse(&self, socket: TcpStream) -> Result<(), Failure> {
        let mut connection = Connection::new(socket)?;
        while let Some(head) = connection.head().await? {
            let Body::Sized(length) = head.body else {
                let refusal = whole(411, "{\"error\":{\"message\":\"a length is needed\"}}");
                return Ok(connection.stream.write_all(&refusal).await?);
            };
            let body = connection.sized(length).await?;
            match self.judge(body) {
                Err(text) => {
                    let text = serde_json::json!({"error": {"message": text, "type": "bench"}});
                    connection.stream.write_all(&whole(422, &text.to_string())).await?;
                }
                Ok((Shape::Stream, lane)) => {
                    self.play(&self.openai, lane, &mut connection.stream).await?;
                }
                Ok((Shape::Translate, lane)) => {
                    self.play(&self.anthropic, lane, &mut connection.stream).await?;
                }
                Ok(_) => connection.stream.write_all(&self.answer).await?,
            }
        }
        Ok(())
    }

    /// Sends a stream in step with its client.
    async fn play(
        &self,
        script: &Script,
        lane: usize,
        stream: &mut TcpStream,
    ) -> Result<(), Failure> {
        let gate = self.gates.get(lane).ok_or("no such client")?;
        stream.write_all(&script.first).await?;
        for event in &script.then {
            gate.acquire().await?.forget();
            stream.write_all(event).await?;
        }
        gate.acquire().await?.forget();
        Ok(stream.write_all(&script.last).await?)
    }

    fn judge(&self, body: &[u8]) -> Verdict {
        let sum = (crc32c::crc32c(body), body.len());
        self.seen.borrow_mut().entry(sum).or_insert_with(|| compare(body)).clone()
    }
}

/// Compares a request with what its client meant to send.
fn compare(body: &[u8]) -> Verdict {
    let (shape, lane) = payload::find_marker(body).ok_or("the request has no marker")?;
    let found: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let expected = payload::openai_body(shape, lane, MODEL);
    let expected: Value = serde_json::from_slice(&expected).map_err(|error| error.to_string())?;
    let same = match shape {
        Shape::Translate => is_same_in_anthropic(&found, shape, lane),
        _ => found == expected,
    };
    if same { Ok((shape, lane)) } else { Err("the request was changed on its way".into()) }
}

fn is_same_in_anthropic(found: &Value, shape: Shape, lane: usize) -> bool {
    let messages = found.get("messages").and_then(Value::as_array);
    let user = messages.and_then(|list| list.last()).and_then(|last| last.get("content"));
    found.get("model") == Some(&Value::from(MODEL))
        && found.get("stream") == Some(&Value::from(true))
        && found.get("max_tokens").is_some_and(Value::is_u64)
        && found.get("system").is_some_and(|system| text_of(system) == SYSTEM_TEXT)
        && user.is_some_and(|user| text_of(user) == payload::user_text(shape, lane))
}

/// A text that may stand alone or in a list of blocks.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            blocks.iter().filter_map(|block| block.get("text")?.as_str()).collect()
        }
        _ => String::new(),
    }
}

fn whole(status: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Bench\r\nContent-Type: application/json\r\nx-request-id: req_bench\r\n\
         openai-processing-ms: 12\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
