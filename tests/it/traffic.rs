//! Clients that ask one request after the other and note what they got and how long it took.

use crate::rig::{Connection, Http};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// One answer that a client got.
#[derive(Debug)]
pub struct Got {
    pub at: Instant,
    pub took: Duration,
    pub status: u16,
    pub id: String,
}

/// Clients that ask one request after the other, with a pause between.
pub struct Traffic {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<Got>>>,
}

impl Traffic {
    /// Starts so many clients.
    pub fn start(gateway: SocketAddr, clients: usize, pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..clients)
            .map(|number| tokio::spawn(run_client(gateway, number, pause, Arc::clone(&stop))))
            .collect();
        Self { stop, clients }
    }

    /// Ends them: all that they got.
    pub async fn stop(self) -> Vec<Got> {
        self.stop.store(true, Ordering::Release);
        let mut all = Vec::new();
        for client in self.clients {
            all.extend(client.await.unwrap());
        }
        all
    }
}

async fn run_client(
    gateway: SocketAddr,
    number: usize,
    pause: Duration,
    stop: Arc<AtomicBool>,
) -> Vec<Got> {
    let mut got = Vec::new();
    let mut connection = Connection::open(gateway, Http::One).await;
    while !stop.load(Ordering::Acquire) {
        let started = Instant::now();
        let stream = number.is_multiple_of(2);
        let body = chat(stream, 0).to_string();
        let answer = connection.authorized("POST", "/v1/chat/completions", body).await;
        got.push(Got {
            at: started,
            took: started.elapsed(),
            status: answer.status,
            id: answer.header("x-generation-id").to_owned(),
        });
        tokio::time::sleep(pause).await;
    }
    got
}

/// A request whose answer comes in four events.
pub fn chat(stream: bool, event_delay_ms: u64) -> Value {
    let reply = json!({ "events": 4, "event_delay_ms": event_delay_ms });
    json!({
        "model": "openai/gpt-5.4",
        "stream": stream,
        "messages": [{ "role": "user", "content": format!("[[mock {reply}]]") }],
    })
}

/// Ids of the answers that were delivered.
pub fn ids(got: &[Got]) -> Vec<&str> {
    got.iter().filter(|got| got.status == 200).map(|got| got.id.as_str()).collect()
}

/// The ninety-ninth percentile of the times that answers took.
pub fn p99<'g>(got: impl Iterator<Item = &'g Got>) -> Duration {
    let mut times: Vec<Duration> = got.map(|got| got.took).collect();
    times.sort_unstable();
    times[times.len() * 99 / 100]
}
