//! Providers that cannot be reached: u01, u02 and u04; and those that send the gateway elsewhere,
//! u32.

use super::script::TIMES;
use crate::asks::{Ask, Client, SOME};
use crate::peer::{Peer, Say};
use crate::process::threads;
use crate::rig::{Answer, Http, Plan, Rig, free_address};
use futures::future::join_all;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// A provider at this address besides the usual ones.
fn provider(name: &str, base: &str) -> String {
    format!(
        "[providers.{name}]\nformat = \"openai\"\nbase_url = \"http://{base}/v1\"\n\
         private_network = true\n\
         timeouts = {{ connect_ms = 1000, first_byte_ms = 5000 }}\n"
    )
}

/// Asks these models in turn for an answer; says how long it took.
async fn ask(rig: &Rig, models: &[&str], stream: bool) -> (Answer, Duration) {
    let messages = json!([{ "role": "user", "content": "[[mock {\"text\":\"rescued\"}]]" }]);
    let body = json!({ "models": models, "messages": messages, "stream": stream });
    let started = Instant::now();
    (rig.post("/v1/chat/completions", &body).await, started.elapsed())
}

/// Asserts that a provider fails within `limit` with this status, and is passed over.
async fn assert_unreachable(rig: &Rig, name: &str, status: u16, limit: Duration) {
    for stream in [false, true] {
        // Every call is for an endpoint of its own, about which nothing is known yet.
        let (alone, backed) = (format!("{name}/a-{stream}"), format!("{name}/b-{stream}"));
        let (answer, took) = ask(rig, &[&alone], stream).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        assert!(took < limit, "{name}: {took:?}");
        let record = rig.generation(answer.header("x-generation-id")).await;
        assert_eq!(record["data"]["total_cost"], 0, "{name}: {record}");
        let (answer, took) = ask(rig, &[&backed, "openai/gpt-5.4"], stream).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        assert!(answer.text().contains("rescued"), "{name}: {}", answer.text());
        assert!(took < limit + Duration::from_millis(500), "{name}: {took:?}");
    }
}

#[tokio::test]
async fn a_closed_port_is_known_at_once() {
    let more = provider("closed", &free_address().to_string());
    let rig = Rig::with(Plan { more: &more, ..Plan::default() }).await;
    assert_unreachable(&rig, "closed", 502, Duration::from_millis(300)).await;
}

/// A port whose queue of connections is full: nothing answers a connection any more, as if its
/// packets were lost.
async fn black_hole() -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    loop {
        let connecting = TcpStream::connect(address);
        match tokio::time::timeout(Duration::from_millis(300), connecting).await {
            Ok(stream) => queued.push(stream.unwrap()),
            Err(_) => return (listener, queued),
        }
        assert!(queued.len() < 100, "the queue is never full");
    }
}

#[tokio::test]
async fn a_provider_that_loses_packets_is_given_up() {
    let (listener, queued) = black_hole().await;
    let more = provider("hole", &listener.local_addr().unwrap().to_string());
    let rig = Rig::with(Plan { more: &more, ..Plan::default() }).await;
    assert_unreachable(&rig, "hole", 504, Duration::from_millis(1500)).await;
    drop(queued);
}

/// Builds what stands before the system's resolver; returns its path.
fn stub_resolver(folder: &Path) -> String {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/faults/stub_resolver.c");
    let library = folder.join("stub_resolver.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).args([source, "-ldl"]);
    assert!(compiler.status().unwrap().success());
    library.display().to_string()
}

/// A gateway whose names are resolved as the file says.
async fn rig_with_names(folder: &Path) -> Rig {
    let preload = format!("LD_PRELOAD={}", stub_resolver(folder));
    let file = format!("STUB_RESOLVER={}", folder.join("answer").display());
    let wrap: Vec<&'static str> = vec!["env", preload.leak(), file.leak()];
    let hosts = ["unknown", "empty", "slow", "late", "known"];
    let at = |host: &str| provider(host, &format!("{host}.stub:1"));
    let more: String = hosts.iter().map(|host| at(host)).collect();
    Rig::with(Plan { wrap: wrap.leak(), more: &more, ..Plan::default() }).await
}

#[tokio::test]
async fn names_that_are_not_resolved() {
    let folder = tempfile::tempdir().unwrap();
    let say = |answer: &str| std::fs::write(folder.path().join("answer"), answer).unwrap();
    say("0 unknown");
    let rig = rig_with_names(folder.path()).await;
    assert_unreachable(&rig, "unknown", 502, Duration::from_millis(500)).await;
    say("0 empty");
    assert_unreachable(&rig, "empty", 502, Duration::from_millis(500)).await;

    // A resolver that takes its time holds nobody up who does not need it, and few threads.
    say("30 unknown");
    let before = threads(rig.pid());
    let models: Vec<String> = (0..40).map(|number| format!("slow/m{number}")).collect();
    let slow = join_all(models.iter().map(|model| async {
        let (answer, took) = ask(&rig, &[model], false).await;
        assert_eq!(answer.status, 502, "{}", answer.text());
        assert!(took < Duration::from_millis(3500), "{took:?}");
    }));
    let others = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        for _ in 0..20 {
            let (answer, took) = ask(&rig, &["openai/gpt-5.4"], false).await;
            assert_eq!(answer.status, 200);
            assert!(took < Duration::from_millis(1500), "{took:?}");
        }
        threads(rig.pid())
    };
    let (_, during) = tokio::join!(slow, others);
    assert!(during <= before + 4, "{before} threads became {during}");
    assert_unreachable(&rig, "late", 502, Duration::from_millis(3500)).await;
}

#[tokio::test]
async fn a_known_address_outlives_the_resolver() {
    let folder = tempfile::tempdir().unwrap();
    let say = |answer: &str| std::fs::write(folder.path().join("answer"), answer).unwrap();
    say("0 127.0.0.1");
    let rig = rig_with_names(folder.path()).await;
    let peer = Peer::saying(Say::json(crate::peer::OPENAI_ANSWER)).await;
    let config = std::fs::read_to_string(rig.config_path()).unwrap();
    let port = peer.address.port().to_string();
    std::fs::write(
        rig.config_path(),
        config.replace("known.stub:1/", &format!("known.stub:{port}/")),
    )
    .unwrap();
    rig.signal("HUP");
    let started = Instant::now();
    while ask(&rig, &["known/m"], false).await.0.status != 200 {
        assert!(started.elapsed() < Duration::from_secs(5), "never reached");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    say("30 unknown");
    for round in 0..5 {
        if round == 2 {
            assert_eq!(rig.admin("POST", "/api/v1/config/reload").await.status, 200);
        }
        let (answer, took) = ask(&rig, &["known/m"], false).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(took < Duration::from_millis(1500), "{took:?}");
    }
}

/// A place where nobody is to come.
async fn sink() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let visits = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&visits);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    (address, visits)
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let (address, visits) = sink().await;
    let peer = Peer::with(move |got| {
        let at = got.target.clone() + &String::from_utf8_lossy(&got.body);
        let (_, status) = at.split_once("moved-").unwrap();
        let status = status[..3].parse().unwrap();
        let location = format!("http://{address}/v1/POISON");
        Say::json("{\"moved\":\"POISON\"}").status(status).header("location", location)
    })
    .await;
    let plan = Plan { upstream: Some(peer.address), provider: TIMES, ..Plan::default() };
    let rig = Rig::with(plan).await;
    for status in [300, 301, 302, 303, 307, 308] {
        for (number, of) in SOME.iter().enumerate() {
            let provider = ["openai", "anthropic", "google"][number % 3];
            let model: &'static str = format!("{provider}/moved-{status}-{number}").leak();
            let ask = Ask::of(of.client, model);
            for stream in [false, true] {
                let mut call = if stream {
                    ask.stream(&rig, Http::One, &json!({})).await
                } else {
                    ask.whole(&rig, Http::One, &json!({})).await
                };
                assert_eq!(call.status, 502, "{status} {ask:?}");
                assert_eq!(call.header("location"), "", "{status} {ask:?}");
                assert!(!call.text().await.contains("POISON"), "{status} {ask:?}");
            }
        }
    }
    assert_eq!(peer.got().len(), 6 * SOME.len() * 2);
    assert_eq!(visits.load(Ordering::SeqCst), 0);
    assert!(SOME.iter().any(|ask| ask.client == Client::Anthropic));
}
