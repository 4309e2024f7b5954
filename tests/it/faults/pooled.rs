//! What one request leaves on a kept connection never reaches another one: u05, u14 and u35.

use super::script::TIMES;
use crate::asks::OPENAI;
use crate::peer::{OPENAI_ANSWER, by_hand, read_request};
use crate::rig::{Connection, Http, Plan, Rig};
use crate::wire::Call;
use futures::future::join_all;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Requests of every kind of provider below.
const REQUESTS: usize = 1000;

/// An answer that says this.
fn answer(text: &str) -> String {
    let body = OPENAI_ANSWER.replace("fine", text);
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What stands in a request between angle brackets.
fn mark(request: &[u8]) -> String {
    let text = String::from_utf8_lossy(request).into_owned();
    let (_, rest) = text.split_once('<').unwrap();
    rest.split('>').next().unwrap().to_owned()
}

/// How more is said than was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Excess {
    /// In the same bytes as the answer.
    AtOnce,
    /// Directly behind it, before the next request can be made.
    Behind,
    /// Behind the body of an answer whose length says that it ended before.
    Longer,
    /// As the end of a body in chunks.
    AfterChunks,
}

async fn talkative(excess: Excess) -> std::net::SocketAddr {
    by_hand(move |mut stream, _| async move {
        while let Some(request) = read_request(&mut stream).await {
            let own = answer(&mark(&request));
            let poison = answer("POISON");
            let said = match excess {
                Excess::AtOnce => vec![own + &poison],
                Excess::Behind => vec![own, poison],
                Excess::Longer => vec![own + " \r\n\r\n" + &poison],
                Excess::AfterChunks => {
                    let (_, body) = own.split_once("\r\n\r\n").unwrap();
                    vec![format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                         transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n{poison}",
                        body.len()
                    )]
                }
            };
            for bytes in said {
                if stream.write_all(bytes.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    })
    .await
}

#[tokio::test]
async fn of_a_thousand_requests_each_gets_its_own_answer() {
    for excess in [Excess::AtOnce, Excess::Behind, Excess::Longer, Excess::AfterChunks] {
        let address = talkative(excess).await;
        let rig = Rig::with(Plan { upstream: Some(address), ..Plan::default() }).await;
        // What comes behind an answer when the connection already carries the next request could
        // be an answer to it: nobody can tell.
        let clients = if excess == Excess::Behind { 1 } else { 8 };
        let served = join_all((0..clients).map(|client| {
            let gateway = rig.gateway;
            tokio::spawn(async move {
                let mut connection = Connection::open(gateway, Http::One).await;
                for number in 0..REQUESTS / clients {
                    let mark = format!("own-{client}-{number}");
                    let body = OPENAI.body(false, &format!("<{mark}>"));
                    // A raw call goes another way through the gateway and is held to the same.
                    let path = ["/v1/chat/completions", "/openai/v1/chat/completions"][number % 2];
                    let answer = connection.authorized("POST", path, body).await;
                    let text = answer.text();
                    let case = format!("{excess:?} {path}: {text}");
                    assert_eq!(answer.status, 200, "{case}");
                    assert!(text.contains(&format!("\"{mark}\"")), "{case}");
                    assert!(!text.contains("POISON"), "{case}");
                }
            })
        }));
        for client in served.await {
            client.unwrap();
        }
    }
}

/// A provider that answers early, and stays.
async fn hasty(connections: Arc<AtomicUsize>) -> std::net::SocketAddr {
    by_hand(move |mut stream, _| {
        connections.fetch_add(1, Ordering::SeqCst);
        async move {
            let mut some = vec![0; 16 * 1024];
            stream.read_exact(&mut some).await.unwrap();
            let body = "{\"error\":{\"message\":\"too long\",\"type\":\"invalid_request_error\"}}";
            let head = "HTTP/1.1 413 Payload Too Large\r\ncontent-type: application/json\r\n";
            let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_mins(1)).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_connection_whose_request_was_not_read_is_not_used_again() {
    let connections = Arc::new(AtomicUsize::new(0));
    let address = hasty(Arc::clone(&connections)).await;
    let provider = "timeouts = { idle_ms = 200 }";
    let rig = Rig::with(Plan { upstream: Some(address), provider, ..Plan::default() }).await;
    for number in 1..=4 {
        let body = OPENAI.body(false, &"x".repeat(8 << 20));
        let mut call = Call::post(rig.gateway, Http::One, &OPENAI.path(false), &body).await;
        let text = call.text().await;
        assert_eq!(call.status, 413, "{text}");
        assert_eq!(connections.load(Ordering::SeqCst), number);
    }
}

/// A connection that dies as it is used again is replaced once; what happens on the new one counts.
#[tokio::test]
async fn a_dead_connection_is_replaced_once() {
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    let address = by_hand(move |mut stream, number| {
        let count = Arc::clone(&count);
        async move {
            while let Some(request) = read_request(&mut stream).await {
                let before = count.fetch_add(1, Ordering::SeqCst);
                // Of the request after the first, nothing is heard on any connection.
                if before > 0 && String::from_utf8_lossy(&request).contains("doomed") {
                    if number % 2 == 0 {
                        stream.set_zero_linger().unwrap();
                    }
                    return;
                }
                stream.write_all(answer("fine").as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let plan = Plan { upstream: Some(address), provider: TIMES, ..Plan::default() };
    let rig = Rig::with(plan).await;
    assert_eq!(OPENAI.whole(&rig, Http::One, &json!({})).await.status, 200);
    let body = OPENAI.body(false, "doomed");
    let call = Call::post(rig.gateway, Http::One, &OPENAI.path(false), &body).await;
    assert_eq!(call.status, 502);
    assert_eq!(requests.load(Ordering::SeqCst), 3, "once on the old and once on a new connection");
    assert_eq!(OPENAI.whole(&rig, Http::One, &json!({})).await.status, 200);
}
