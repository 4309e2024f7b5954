//! Clients that leave: the provider is told at once, or read to its end where it bills all the
//! same; either way there is one record, and nothing stays behind. And providers that leave: a
//! kept connection that died meanwhile is replaced without a word.

use super::asks::{Ask, OPENAI, SOME, told};
use super::peer::{OPENAI_ANSWER, by_hand, read_request, until_closed};
use super::rig::{Http, KEY, Plan, Rig, request};
use super::wire::{Call, sized};
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

const BOTH: [Http; 2] = [Http::One, Http::Two];

fn now_ms() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis().try_into().unwrap()
}

/// The value of a metric; 0 if it has no sample.
async fn metric(rig: &Rig, name: &str) -> f64 {
    let answer = request(rig.admin, Http::One, ("GET", "/metrics"), &[], Bytes::new()).await;
    let text = answer.text();
    let line = text.lines().find(|line| line.split(' ').next() == Some(name));
    line.and_then(|line| line.rsplit(' ').next()).map_or(0.0, |value| value.parse().unwrap())
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not within four seconds: {what}");
}

/// The ids of the requests whose access line says that the client left.
fn left(rig: &Rig) -> Vec<String> {
    let log = rig.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| line["target"] == "access" && line["status"] == 499)
        .map(|line| line["generation_id"].as_str().unwrap().to_owned())
        .collect()
}

/// When in the life of a request its client leaves.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    BeforeTheHeader,
    BeforeTheFirstEvent,
    BetweenEvents,
    WholeBeforeTheHeader,
    WholeBeforeTheBody,
}

impl Phase {
    const ALL: [Self; 5] = [
        Self::BeforeTheHeader,
        Self::BeforeTheFirstEvent,
        Self::BetweenEvents,
        Self::WholeBeforeTheHeader,
        Self::WholeBeforeTheBody,
    ];

    fn reply(self) -> Value {
        let tokens = json!({ "prompt": 30, "completion": 8 });
        match self {
            Self::BeforeTheHeader | Self::WholeBeforeTheHeader => {
                json!({ "delay_ms": 2000, "tokens": tokens })
            }
            Self::BeforeTheFirstEvent | Self::WholeBeforeTheBody => {
                json!({ "first_token_delay_ms": 2000, "tokens": tokens })
            }
            Self::BetweenEvents => {
                json!({ "events": 4, "event_delay_ms": 400, "tokens": tokens })
            }
        }
    }

    fn streams(self) -> bool {
        !matches!(self, Self::WholeBeforeTheHeader | Self::WholeBeforeTheBody)
    }
}

/// Makes a request and leaves it in the given phase; says when.
async fn leave(rig: &Rig, ask: Ask, version: Http, phase: Phase) -> u64 {
    let body = ask.body(phase.streams(), &told(&phase.reply()));
    if phase == Phase::BetweenEvents {
        let mut call = Call::post(rig.gateway, version, &ask.path(true), &body).await;
        call.read_until("one").await;
        call.leave();
    } else {
        let (gateway, path) = (rig.gateway, ask.path(phase.streams()));
        let call = tokio::spawn(async move { Call::post(gateway, version, &path, &body).await });
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!call.is_finished(), "{phase:?} {ask:?}: answered too early");
        call.abort();
    }
    now_ms()
}

async fn leaving_reaches_the_provider(provider: &str) {
    let rig = Rig::with(Plan { server: "h2c = true", provider, ..Plan::default() }).await;
    let mut count = 0;
    for phase in Phase::ALL {
        let calls =
            SOME.iter().flat_map(|ask| BOTH.map(|version| leave(&rig, *ask, version, phase)));
        let times = futures::future::join_all(calls).await;
        let last = *times.iter().max().unwrap();
        let so_far = count;
        count += times.len();
        until("the provider's connections are closed", async || rig.journal().await.len() == count)
            .await;
        let mut late: Vec<u64> = Vec::new();
        for entry in rig.journal().await.split_off(so_far) {
            assert_eq!(entry["client_closed"], true, "{phase:?}: {entry}");
            let begun = entry["at_ms"].as_u64().unwrap();
            let closed = begun + entry["closed_after_ms"].as_u64().unwrap();
            late.push(closed.saturating_sub(last));
        }
        // The slowest may have waited for a busy machine, the others say how it is.
        late.sort_unstable();
        let usual = late[late.len() / 2];
        assert!(usual <= 200 && late[late.len() - 1] <= 1000, "{phase:?}: {late:?} ms");
    }
    until("every request is logged", async || left(&rig).len() == count).await;
    for id in left(&rig) {
        let record = rig.generation(&id).await;
        assert_eq!(record["data"]["cancelled"], true, "{record}");
    }
    until("nothing is in flight", async || metric(&rig, "arouter_requests_in_flight").await == 0.0)
        .await;
    let cancelled = metric(&rig, "arouter_client_cancelled_total").await;
    assert!((cancelled - f64::from(u32::try_from(count).unwrap())).abs() < 0.1, "{cancelled}");
}

#[tokio::test]
async fn leaving_reaches_the_provider_over_http1() {
    leaving_reaches_the_provider("").await;
}

#[tokio::test]
async fn leaving_reaches_the_provider_over_http2() {
    leaving_reaches_the_provider("http2 = \"always\"").await;
}

#[tokio::test]
async fn a_provider_that_bills_all_the_same_is_read_to_its_end() {
    let provider = "honours_cancel = false";
    let rig = Rig::with(Plan { server: "h2c = true", provider, ..Plan::default() }).await;
    let mut count = 0;
    for phase in Phase::ALL {
        let calls =
            SOME.iter().flat_map(|ask| BOTH.map(|version| leave(&rig, *ask, version, phase)));
        count += futures::future::join_all(calls).await.len();
    }
    until("the provider is done", async || rig.journal().await.len() == count).await;
    for entry in rig.journal().await {
        assert_eq!(entry["finished"], true, "{entry}");
    }
    until("every request is logged", async || left(&rig).len() == count).await;
    for id in left(&rig) {
        let record = rig.generation(&id).await;
        assert_eq!(record["data"]["cancelled"], true, "{record}");
        assert_eq!(record["data"]["native_tokens_prompt"], 30, "{record}");
        assert_eq!(record["data"]["native_tokens_completion"], 8, "{record}");
    }
    until("nothing is in flight", async || metric(&rig, "arouter_requests_in_flight").await == 0.0)
        .await;
}

#[tokio::test]
async fn leaving_in_the_middle_of_an_event_reaches_the_provider() {
    let (closed, mut seen) = mpsc::channel(4);
    let address = by_hand(move |mut stream, _| {
        let closed = closed.clone();
        async move {
            read_request(&mut stream).await.unwrap();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
            let event = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"one\"}}]}\n\n";
            let half = "data: {\"id\":\"c\",\"choi";
            stream.write_all([head, event, half].concat().as_bytes()).await.unwrap();
            closed.send(until_closed(&mut stream).await).await.unwrap();
        }
    })
    .await;
    let server = "h2c = true";
    let rig = Rig::with(Plan { server, upstream: Some(address), ..Plan::default() }).await;
    for version in BOTH {
        let mut call = OPENAI.stream(&rig, version, &json!({})).await;
        let text = call.read_until("one").await;
        assert!(text.ends_with("\n\n"), "only whole events are relayed: {text}");
        tokio::time::sleep(Duration::from_millis(200)).await;
        let at = now_ms();
        call.leave();
        seen.recv().await.unwrap().expect("never closed");
        assert!(now_ms() - at <= 500, "{} ms", now_ms() - at);
    }
}

/// A provider that answers once on each connection and closes it without a word: at once, or when
/// the next request has come.
async fn forgetful() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    let address = by_hand(move |mut stream, _| {
        let count = Arc::clone(&count);
        async move {
            if read_request(&mut stream).await.is_none() {
                return;
            }
            let number = count.fetch_add(1, Ordering::SeqCst);
            let length = OPENAI_ANSWER.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                 content-length: {length}\r\n\r\n{OPENAI_ANSWER}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            if number % 4 < 2 {
                read_request(&mut stream).await;
            }
        }
    })
    .await;
    (address, served)
}

#[tokio::test]
async fn a_dead_kept_connection_is_replaced_unseen() {
    let (address, served) = forgetful().await;
    let rig = Rig::with(Plan { upstream: Some(address), ..Plan::default() }).await;
    let auth = format!("Bearer {KEY}");
    let headers = [("authorization", auth.as_str()), ("content-type", "application/json")];
    for number in 0..200 {
        // A raw call goes another way through the gateway and is held to the same.
        let path = ["/v1/chat/completions", "/openai/v1/chat/completions"][number % 2];
        let body = sized(OPENAI.body(false, "x"));
        let mut call = Call::send(rig.gateway, Http::One, ("POST", path), &headers, body).await;
        let text = call.text().await;
        assert_eq!(call.status, 200, "{number} {path}: {text}");
    }
    assert_eq!(served.load(Ordering::SeqCst), 200, "a request was sent twice");
}

#[tokio::test]
async fn many_dead_kept_connections_are_replaced_unseen() {
    // The first twenty connections answer once and die at the next request; later ones live.
    let address = by_hand(|mut stream, number| async move {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            OPENAI_ANSWER.len()
        );
        let answer = [head.as_bytes(), OPENAI_ANSWER.as_bytes()].concat();
        let mut first = true;
        while read_request(&mut stream).await.is_some() {
            if number < 20 && !std::mem::take(&mut first) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            stream.write_all(&answer).await.unwrap();
        }
    })
    .await;
    let rig = Rig::with(Plan { upstream: Some(address), ..Plan::default() }).await;
    for round in 0..2 {
        let calls = (0..20).map(|_| OPENAI.whole(&rig, Http::One, &Value::Null));
        for call in futures::future::join_all(calls).await {
            assert_eq!(call.status, 200, "round {round}");
        }
    }
}
