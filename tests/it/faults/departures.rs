//! Clients that leave, in every phase of a request and in every way: c02 and c03.

use super::words::{Talk, chunk};
use crate::asks::{Ask, Client};
use crate::ledger::Ledger;
use crate::peer::{by_hand, read_request, until_closed};
use crate::process::descriptors;
use crate::rig::{Http, KEY, Plan, Rig};
use futures::future::join_all;
use serde_json::json;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Requests of each phase, format and kind of answer.
const REPETITIONS: usize = 10;
/// From the client's end to the end of the provider's connection: as a rule, and at most on a busy
/// machine.
const USUAL: Duration = Duration::from_millis(300);
const AT_MOST: Duration = Duration::from_millis(1500);

/// When the client leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    InHeader,
    InBody,
    /// Right behind its request.
    AtOnce,
    /// While the provider's connection is made.
    Connecting,
    /// While the provider thinks.
    Waiting,
    /// Between events, or within a whole answer.
    Between,
    /// Within an event.
    Within,
    /// When all but the end was said.
    BeforeTheEnd,
    /// When it is told that the provider broke.
    AtAnError,
}

use Phase::{
    AtAnError, AtOnce, BeforeTheEnd, Between, Connecting, InBody, InHeader, Waiting, Within,
};

const PHASES: [Phase; 9] =
    [InHeader, InBody, AtOnce, Connecting, Waiting, Between, Within, BeforeTheEnd, AtAnError];

/// What happened at the provider, by the request's mark.
#[derive(Default)]
struct Seen {
    asked: HashMap<String, usize>,
    closed: HashMap<String, Instant>,
}

type Shared = Arc<Mutex<Seen>>;

/// The mark in a request: the model's name.
fn mark_in(request: &str) -> String {
    let (_, rest) = request.split_once("leave-").unwrap();
    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
}

async fn provider(seen: Shared) -> SocketAddr {
    by_hand(move |mut stream, _| {
        let seen = Arc::clone(&seen);
        async move {
            let Some(request) = read_request(&mut stream).await else { return };
            let request = String::from_utf8_lossy(&request).into_owned();
            let (mark, talk) = (mark_in(&request), Talk::of(&request));
            *seen.lock().unwrap().asked.entry(mark.clone()).or_default() += 1;
            let phase = PHASES.into_iter().find(|phase| mark.starts_with(&format!("{phase:?}-")));
            let said = said(phase.unwrap(), talk);
            if stream.write_all(said.as_bytes()).await.is_err() {
                return;
            }
            if phase == Some(AtAnError) {
                tokio::time::sleep(Duration::from_millis(60)).await;
                return stream.set_zero_linger().unwrap();
            }
            until_closed(&mut stream).await.expect("the gateway never closed");
            seen.lock().unwrap().closed.insert(mark, Instant::now());
        }
    })
    .await
}

/// What the provider says before the client leaves.
fn said(phase: Phase, talk: Talk) -> String {
    let begun = talk.begun();
    match phase {
        Between | AtAnError => begun,
        Within if talk.stream => begun + &chunk("data: {\"id\":\"c1\",\"ch"),
        Within => begun + "50\r\nhalf a chunk",
        BeforeTheEnd => {
            let rest = talk.rest();
            let last = if talk.stream { "data: [DONE]\n\n" } else { "" };
            let last = if rest.contains("message_stop") {
                rest.rfind("event: message_stop").map_or("", |at| &rest[at..])
            } else {
                last
            };
            begun + &chunk(rest.strip_suffix(last).unwrap_or(&rest))
        }
        _ => String::new(),
    }
}

/// A port that lets nobody in.
async fn full() -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) =
        tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
    {
        queued.push(stream.unwrap());
    }
    (listener, queued)
}

/// One request that is left.
struct Leaver {
    phase: Phase,
    ask: Ask,
    stream: bool,
    mark: String,
    /// Whether it leaves with a reset.
    abruptly: bool,
}

/// Every phase, format and kind of answer, in every repetition.
fn leavers() -> Vec<Leaver> {
    let formats =
        [(Client::OpenAi, "openai"), (Client::Anthropic, "anthropic"), (Client::Gemini, "google")];
    let mut all = Vec::new();
    for phase in PHASES {
        for (client, provider) in formats {
            for stream in [false, true] {
                for number in 0..REPETITIONS {
                    let kind = if stream { "s" } else { "w" };
                    let mark = format!("{phase:?}-{provider}-{kind}-{number}");
                    let at = if phase == Connecting { "full-" } else { "" };
                    let model: &'static str = format!("{at}{provider}/leave-{mark}").leak();
                    let ask = Ask::of(client, model);
                    all.push(Leaver { phase, ask, stream, mark, abruptly: number % 2 == 0 });
                }
            }
        }
    }
    all
}

impl Leaver {
    /// Asks and leaves; says when.
    async fn run(&self, gateway: SocketAddr, seen: &Shared) -> Instant {
        let body = self.ask.body(self.stream, "x");
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {KEY}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.ask.path(self.stream),
            body.len()
        );
        let request = [head.as_str(), &body].concat();
        let mut stream = TcpStream::connect(gateway).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let sent = match self.phase {
            InHeader => 60,
            InBody => head.len() + body.len() / 2,
            _ => request.len(),
        };
        stream.write_all(&request.as_bytes()[..sent]).await.unwrap();
        match self.phase {
            AtOnce => {}
            InHeader | InBody | Connecting => tokio::time::sleep(Duration::from_millis(80)).await,
            _ => self.follow(&mut stream, seen).await,
        }
        if self.abruptly {
            stream.set_zero_linger().unwrap();
        }
        drop(stream);
        Instant::now()
    }

    /// Waits until the answer is where the client leaves it.
    async fn follow(&self, stream: &mut TcpStream, seen: &Shared) {
        let started = Instant::now();
        while !seen.lock().unwrap().asked.contains_key(&self.mark) {
            assert!(started.elapsed() < Duration::from_secs(10), "{} was not asked", self.mark);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if self.stream && self.phase != Waiting {
            let mut text = Vec::new();
            while memchr::memmem::find(&text, b"one").is_none() {
                assert_ne!(stream.read_buf(&mut text).await.unwrap(), 0, "{}", self.mark);
            }
        }
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
}

/// Waits until nothing is under way: as a rule a moment, on a busy machine somewhat more.
async fn until_zero(rig: &Rig, what: &str) {
    let started = Instant::now();
    while rig.metric(what).await != 0.0 {
        let left = rig.metric(what).await;
        assert!(started.elapsed() < Duration::from_secs(5), "{what}: {left}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    eprintln!("{what} is 0 after {:?}", started.elapsed());
}

async fn rig_for_leavers(seen: &Shared, hole: SocketAddr) -> Rig {
    let upstream = provider(Arc::clone(seen)).await;
    let full = ["openai", "anthropic", "google"].map(|provider| {
        let format = if provider == "google" { "gemini" } else { provider };
        let path = if provider == "openai" { "/v1" } else { "" };
        format!(
            "[providers.full-{provider}]\nformat = \"{format}\"\n\
             base_url = \"http://{hole}{path}\"\ntimeouts = {{ connect_ms = 5000 }}\n"
        )
    });
    Rig::with(Plan { upstream: Some(upstream), more: &full.concat(), ..Plan::default() }).await
}

#[tokio::test]
async fn leaving_in_any_phase_leaves_nothing_behind() {
    let seen = Shared::default();
    let (hole, queued) = full().await;
    let rig = rig_for_leavers(&seen, hole.local_addr().unwrap()).await;
    rig.assert_alive().await;
    let before = descriptors(rig.pid());
    let leavers = leavers();
    let mut late = Vec::new();
    for phase in PHASES {
        let of: Vec<&Leaver> = leavers.iter().filter(|leaver| leaver.phase == phase).collect();
        let left = join_all(of.iter().map(|leaver| leaver.run(rig.gateway, &seen))).await;
        until_zero(&rig, "arouter_requests_in_flight").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let seen = seen.lock().unwrap();
        for (leaver, left) in of.iter().zip(left) {
            let asked = seen.asked.get(&leaver.mark).copied().unwrap_or_default();
            let expected = usize::from(!matches!(phase, InHeader | InBody | AtOnce | Connecting));
            let right = if phase == AtOnce { asked <= 1 } else { asked == expected };
            assert!(right, "{}: {asked} requests reached the provider", leaver.mark);
            if expected == 1 && phase != AtAnError {
                let closed = seen.closed.get(&leaver.mark);
                let closed = closed.unwrap_or_else(|| panic!("{}: not closed", leaver.mark));
                late.push((closed.saturating_duration_since(left), leaver.mark.clone()));
            }
        }
    }
    late.sort();
    let (usual, last) = (&late[late.len() / 2], &late[late.len() - 1]);
    println!("the provider's connection ended after {:?}, at most {:?}", usual.0, last.0);
    assert!(usual.0 <= USUAL && last.0 <= AT_MOST, "{usual:?}, {last:?}");
    check_ledger(&rig, &leavers).await;
    let started = Instant::now();
    while descriptors(rig.pid()) > before + 2 {
        let now = descriptors(rig.pid());
        assert!(started.elapsed() < Duration::from_secs(2), "{before} descriptors became {now}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(queued);
    rig.assert_alive().await;
}

/// One row for every request that was read, none for the others, and nothing is open.
async fn check_ledger(rig: &Rig, leavers: &[Leaver]) {
    let certain = leavers.iter().filter(|l| !matches!(l.phase, InHeader | InBody | AtOnce));
    let certain: Vec<&Leaver> = certain.collect();
    let started = Instant::now();
    let ledger = loop {
        let ledger = Ledger::read(rig).await;
        let rows = |leaver: &&&Leaver| {
            let is_its = |model: &str| model.ends_with(&format!("/leave-{}", leaver.mark));
            ledger.rows.iter().filter(|row| is_its(&row.model)).count()
        };
        assert!(certain.iter().all(|leaver| rows(&leaver) <= 1), "recorded twice");
        let missing = certain.iter().find(|leaver| rows(leaver) == 0);
        match missing {
            None if ledger.open == 0 => break ledger,
            _ if started.elapsed() < Duration::from_secs(5) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            _ => panic!("{:?} without a row, {} open", missing.map(|l| &l.mark), ledger.open),
        }
    };
    ledger.assert_conserved();
    let mut ids: Vec<&str> = ledger.rows.iter().map(|row| row.id.as_str()).collect();
    ids.dedup();
    assert_eq!(ids.len(), ledger.rows.len());
    assert_eq!(ledger.count("complete"), 0);
    for phase in [InBody, AtOnce] {
        eprintln!(
            "{phase:?}: {} rows",
            ledger.rows.iter().filter(|row| row.model.contains(&format!("{phase:?}-"))).count()
        );
    }
}

/// A client that leaves while a file is fetched for its request: nobody is asked any more.
#[tokio::test]
async fn leaving_before_the_call_saves_it() {
    let files = by_hand(|mut stream, _| async move {
        read_request(&mut stream).await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        let file = "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 3\r\n\r\nPNG";
        // The gateway may have left as well.
        stream.write_all(file.as_bytes()).await.ok();
    })
    .await;
    let more = "[media]\nallowed_hosts = [\"127.0.0.1\"]\nprivate_network = true\n";
    let rig = Rig::with(Plan { more, ..Plan::default() }).await;
    // A kept connection would carry the request at once.
    assert_eq!(
        Ask::of(Client::OpenAi, "google/m").whole(&rig, Http::One, &json!({})).await.status,
        200
    );
    let image =
        json!({ "type": "image_url", "image_url": { "url": format!("http://{files}/a.png") } });
    for stream in [false, true] {
        let body = json!({
            "model": "google/left", "stream": stream,
            "messages": [{ "role": "user", "content": [image] }],
        });
        let leaving = rig.post("/v1/chat/completions", &body);
        assert!(tokio::time::timeout(Duration::from_millis(200), leaving).await.is_err());
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    until_zero(&rig, "arouter_requests_in_flight").await;
    assert_eq!(rig.journal().await.len(), 1, "{:?}", rig.journal().await);
    let ledger = Ledger::with_rows(&rig, 3, Duration::from_secs(5)).await;
    assert_eq!((ledger.rows.len(), ledger.open), (3, 0), "{ledger:?}");
    // Who stays is served.
    let body = json!({ "model": "google/m", "messages": [{ "role": "user", "content": [image] }] });
    assert_eq!(rig.post("/v1/chat/completions", &body).await.status, 200);
}

/// A client that closes its sending side is taken to have left.
#[tokio::test]
async fn a_half_close_is_a_departure() {
    let seen = Shared::default();
    let upstream = provider(Arc::clone(&seen)).await;
    let rig = Rig::with(Plan { upstream: Some(upstream), ..Plan::default() }).await;
    for stream in [false, true] {
        let mark = format!("Waiting-half-{stream}");
        let ask = Ask::of(Client::OpenAi, format!("openai/leave-{mark}").leak());
        let body = ask.body(stream, "x");
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {KEY}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            ask.path(stream),
            body.len()
        );
        let mut connection = TcpStream::connect(rig.gateway).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        connection.shutdown().await.unwrap();
        let at = Instant::now();
        let mut answer = Vec::new();
        let read =
            tokio::time::timeout(Duration::from_secs(2), connection.read_to_end(&mut answer));
        assert!(read.await.expect("still open").is_ok());
        assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
        tokio::time::sleep(Duration::from_millis(100)).await;
        let closed = seen.lock().unwrap().closed[&mark];
        assert!(closed - at < Duration::from_millis(500), "{:?}", closed - at);
    }
    let ledger = Ledger::with_rows(&rig, 2, Duration::from_secs(5)).await;
    assert_eq!(ledger.count("cancelled"), 2, "{ledger:?}");
}
