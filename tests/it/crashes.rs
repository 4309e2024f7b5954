//! The gateway is killed at any moment: what was delivered is recorded once and to the last digit,
//! and what was begun is not forgotten. The judge is the provider, which is never killed.

use crate::asks::{ALL, Ask, Client, told};
use crate::ledger::{Ledger, Row};
use crate::rig::{KEY, Rig};
use crate::usage::prices;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::Notify;

const ROUNDS: u64 = 200;
const CLIENTS: u64 = 64;

/// How the requests of some clients ended.
#[derive(Debug, Default)]
struct Seen {
    sent: usize,
    /// Ids of the answers that came to their last byte.
    delivered: Vec<String>,
    /// Requests whose answer broke off, or never came.
    broken: usize,
    /// Requests whose client left.
    left: usize,
}

/// Between the clients of a round and who kills the gateway.
#[derive(Default)]
struct Signals {
    stop: AtomicBool,
    delivered: Notify,
}

impl Signals {
    async fn wait_for_delivery(&self) {
        let limit = Duration::from_secs(20);
        tokio::time::timeout(limit, self.delivered.notified()).await.expect("nothing delivered");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_kills_lose_nothing_and_count_nothing_twice() {
    let mut rig = Rig::start().await;
    let mut random = StdRng::seed_from_u64(4);
    let mut seen = Seen::default();
    let (started, mut restarting) = (Instant::now(), Duration::ZERO);
    for round in 0..ROUNDS {
        let signals = Arc::new(Signals::default());
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let random = StdRng::seed_from_u64(round * CLIENTS + client);
                tokio::spawn(run_client(rig.gateway, random, Arc::clone(&signals)))
            })
            .collect();
        signals.wait_for_delivery().await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..120))).await;
        if round.is_multiple_of(2) {
            // As soon after a last byte as can be.
            signals.wait_for_delivery().await;
        }
        signals.stop.store(true, Ordering::Release);
        let killed = Instant::now();
        rig.crash_and_restart().await;
        restarting += killed.elapsed();
        for client in clients {
            let of_client = client.await.unwrap();
            seen.sent += of_client.sent;
            seen.delivered.extend(of_client.delivered);
            seen.broken += of_client.broken;
            seen.left += of_client.left;
        }
    }
    rig.signal("TERM");
    rig.wait_for_exit(Duration::from_secs(20)).await;
    let ledger = Ledger::read(&rig).await;
    eprintln!(
        "{ROUNDS} kills in {:?} (restarts {restarting:?}): {} sent, {} delivered, {} broken, {} \
         left; rows: {} complete, {} abandoned, {} cancelled, {} partial, {} failed",
        started.elapsed(),
        seen.sent,
        seen.delivered.len(),
        seen.broken,
        seen.left,
        ledger.count("complete"),
        ledger.count("abandoned"),
        ledger.count("cancelled"),
        ledger.count("partial"),
        ledger.count("failed"),
    );
    judge(&ledger, &seen, &rig.journal().await);
}

fn judge(ledger: &Ledger, seen: &Seen, served: &[Value]) {
    let by_id: HashMap<&str, &Row> = ledger.rows.iter().map(|row| (row.id.as_str(), row)).collect();
    let lost: Vec<_> = seen
        .delivered
        .iter()
        .filter(|id| by_id.get(id.as_str()).is_none_or(|row| row.outcome != "complete"))
        .collect();
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), seen.delivered.len());
    assert_eq!(seen.delivered.iter().collect::<HashSet<_>>().len(), seen.delivered.len());

    let served_by_id: HashMap<&str, &Value> =
        served.iter().map(|entry| (entry["id"].as_str().unwrap(), entry)).collect();
    for row in ledger.rows.iter().filter(|row| row.outcome == "complete") {
        let entry = row.upstream_id.as_deref().and_then(|id| served_by_id.get(id));
        assert_exact(row, entry.unwrap_or_else(|| panic!("nobody served {row:?}")));
    }

    // A request that reached the provider has a row, and nothing has one that nobody sent.
    let rows = ledger.rows.len();
    assert!(served.len() <= rows && rows <= seen.sent, "{} {rows} {}", served.len(), seen.sent);
    let (abandoned, unknown) = (ledger.count("abandoned"), seen.broken + seen.left);
    assert!(abandoned > 0 && abandoned <= unknown, "{abandoned} of {unknown}");
    assert_eq!(ledger.open, 0, "requests are open although nothing runs");
    ledger.assert_conserved();
    let kills = usize::try_from(ROUNDS).unwrap();
    assert!(seen.delivered.len() >= kills && seen.left > kills, "too little traffic");
}

fn assert_exact(row: &Row, served: &Value) {
    let count = |name: &str| served[name].as_u64().unwrap();
    let (prompt, completion) = (count("prompt_tokens"), count("completion_tokens"));
    let [prompt_price, completion_price, ..] = prices(&row.model);
    let cost = prompt * prompt_price + completion * completion_price;
    assert_eq!(u64::try_from(row.cost_pico_usd).unwrap(), cost, "{row:?} {served}");
    assert_eq!(row.prompt, Some(i64::try_from(prompt).unwrap()), "{row:?} {served}");
    assert_eq!(row.completion, Some(i64::try_from(completion).unwrap()), "{row:?} {served}");
}

/// Asks for one answer after the other until told to stop, or until the gateway is gone.
async fn run_client(gateway: SocketAddr, mut random: StdRng, signals: Arc<Signals>) -> Seen {
    let asks: Vec<Ask> = ALL.into_iter().filter(|ask| mixed(*ask)).collect();
    let mut seen = Seen::default();
    let mut kept = None;
    while !signals.stop.load(Ordering::Acquire) {
        let sender = match kept.take() {
            Some(sender) => sender,
            None => match connect(gateway).await {
                Some(sender) => sender,
                None => break,
            },
        };
        let ask = asks[random.random_range(0..asks.len())];
        let patience = random.random_ratio(1, 10).then(|| random.random_range(0..30));
        let request = request(ask, &mut random);
        seen.sent += 1;
        let answer = read(sender, request);
        let ended = match patience {
            Some(patience_ms) => {
                tokio::time::timeout(Duration::from_millis(patience_ms), answer).await
            }
            None => Ok(answer.await),
        };
        match ended {
            Err(_) => seen.left += 1,
            Ok(None) => seen.broken += 1,
            Ok(Some((id, sender))) => {
                signals.delivered.notify_waiters();
                seen.delivered.push(id);
                kept = Some(sender);
            }
        }
    }
    seen
}

fn mixed(ask: Ask) -> bool {
    ask.is_priced() && matches!(ask.client, Client::OpenAi | Client::Anthropic | Client::Gemini)
}

type Sender = SendRequest<Full<Bytes>>;

async fn connect(gateway: SocketAddr) -> Option<Sender> {
    let stream = TcpStream::connect(gateway).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    Some(sender)
}

fn request(ask: Ask, random: &mut StdRng) -> hyper::Request<Full<Bytes>> {
    let stream = random.random();
    let reply = json!({
        "tokens": {
            "prompt": random.random_range(1..100_000), "completion": random.random_range(1..10_000),
        },
        "events": 3,
        "delay_ms": random.random_range(0..3),
        "event_delay_ms": random.random_range(0..3),
    });
    hyper::Request::post(ask.path(stream))
        .header("host", "gateway")
        .header("authorization", format!("Bearer {KEY}"))
        .header("content-type", "application/json")
        .body(Full::new(ask.body(stream, &told(&reply)).into()))
        .unwrap()
}

/// The id of an answer that came to its last byte, and the connection for the next request.
async fn read(
    mut sender: Sender,
    request: hyper::Request<Full<Bytes>>,
) -> Option<(String, Sender)> {
    let response = sender.send_request(request).await.ok()?;
    let id = response.headers().get("x-generation-id").map(|id| id.to_str().unwrap().to_owned());
    let status = response.status();
    let body = response.into_body().collect().await.ok()?.to_bytes();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    sender.ready().await.ok();
    Some((id.unwrap(), sender))
}

/// A request that hangs at the provider while the gateway dies, on every way to a provider.
#[tokio::test]
async fn a_request_that_was_running_is_kept_as_abandoned() {
    let mut rig = Rig::start().await;
    let prompt = told(&json!({ "delay_ms": 60_000 }));
    let message = json!([{ "role": "user", "content": prompt }]);
    let chat = |stream: bool| {
        json!({ "model": "openai/gpt-5.4", "messages": message, "stream": stream }).to_string()
    };
    let calls = [
        ("/v1/chat/completions", chat(false), "chat", "openai/gpt-5.4"),
        ("/v1/chat/completions", chat(true), "chat", "openai/gpt-5.4"),
        ("/openai/v1/chat/completions", chat(false), "raw", ""),
    ];
    let mut waiting = Vec::new();
    for (path, body, ..) in &calls {
        let (gateway, path, body) = (rig.gateway, *path, body.clone());
        waiting.push(tokio::spawn(async move {
            let request = hyper::Request::post(path)
                .header("host", "gateway")
                .header("authorization", format!("Bearer {KEY}"))
                .header("content-type", "application/json")
                .body(Full::new(body.into()))
                .unwrap();
            read(connect(gateway).await.unwrap(), request).await
        }));
    }
    // The mock notes a request when it is over, so what counts is that the gateway has opened it.
    let started = Instant::now();
    while Ledger::read(&rig).await.open < 3 {
        assert!(started.elapsed() < Duration::from_secs(10), "nothing was opened\n{}", rig.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(Ledger::read(&rig).await.rows.is_empty());
    for _ in 0..2 {
        rig.crash_and_restart().await;
        let ledger = Ledger::with_rows(&rig, 3, Duration::from_secs(10)).await;
        assert_eq!((ledger.rows.len(), ledger.open), (3, 0));
        ledger.assert_conserved();
        for (path, body, operation, model) in &calls {
            let row = ledger.rows.iter().find(|row| row.operation == *operation);
            let row = row.unwrap_or_else(|| panic!("{path}: {:?}", ledger.rows));
            assert_eq!(
                (&*row.outcome, &*row.model, &*row.provider),
                ("abandoned", *model, "openai")
            );
            assert!(row.is_estimated && row.completion.is_none(), "{row:?}");
            if *operation == "chat" {
                let tokens = row.prompt.unwrap();
                assert!((10..=i64::try_from(body.len()).unwrap()).contains(&tokens), "{row:?}");
                assert_eq!(row.cost_pico_usd, tokens * 2_500_000);
            }
        }
    }
    for waiting in waiting {
        assert!(waiting.await.unwrap().is_none());
    }
}

/// What is answered without a provider's tokens cannot be abandoned.
#[tokio::test]
async fn a_token_count_and_a_list_open_nothing() {
    let mut rig = Rig::start().await;
    let body = json!({
        "model": "claude-sonnet-4-5", "messages": [{ "role": "user", "content": "hi" }],
    });
    for _ in 0..5 {
        assert_eq!(rig.post("/v1/messages/count_tokens", &body).await.status, 200);
        assert_eq!(rig.get("/v1/models").await.status, 200);
    }
    let opened = |rig: &Rig| {
        let files = std::fs::read_dir(rig.folder.path().join("journal")).unwrap();
        let texts = files.map(|file| std::fs::read(file.unwrap().path()).unwrap_or_default());
        texts
            .map(|text| String::from_utf8_lossy(&text).matches("{\"open\":").count())
            .sum::<usize>()
    };
    assert_eq!(opened(&rig), 0);
    rig.post(
        "/v1/messages",
        &json!({ "model": "claude-sonnet-4-5", "max_tokens": 5,
        "messages": [{ "role": "user", "content": "hi" }] }),
    )
    .await;
    assert_eq!(opened(&rig), 1);
    rig.crash_and_restart().await;
    rig.assert_alive().await;
}
