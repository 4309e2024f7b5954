//! A steady load of small chat requests on kept connections, whose failures are counted.

use crate::rig::{Connection, Http};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinHandle;

/// A running load.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<(usize, Vec<String>)>>,
}

impl Load {
    /// Starts so many clients, each with one request at a time.
    pub fn start(gateway: SocketAddr, clients: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..clients)
            .map(|number| tokio::spawn(client(gateway, number, Arc::clone(&stop))))
            .collect();
        Self { stop, clients }
    }

    /// Ends it: how many requests were served, and what went wrong.
    pub async fn stop(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Release);
        let (mut served, mut failed) = (0, Vec::new());
        for client in self.clients {
            let (of_client, failures) = client.await.unwrap();
            served += of_client;
            failed.extend(failures);
        }
        (served, failed)
    }
}

async fn client(gateway: SocketAddr, number: usize, stop: Arc<AtomicBool>) -> (usize, Vec<String>) {
    let (mut served, mut failed) = (0, Vec::new());
    let mut connection = Connection::open(gateway, Http::One).await;
    while !stop.load(Ordering::Acquire) {
        let body = json!({
            "model": "gpt-5.4",
            "stream": number.is_multiple_of(2),
            "messages": [{ "role": "user", "content": "hi" }],
        });
        let answer = connection.authorized("POST", "/v1/chat/completions", body.to_string()).await;
        if answer.status == 200 {
            served += 1;
        } else {
            failed.push(answer.text());
        }
    }
    (served, failed)
}
