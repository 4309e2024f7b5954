//! SIGQUIT: a second process takes the listeners over, and nobody notices.

use super::process::{Process, is_running, signal};
use super::rig::{Answer, Http, KEY, Plan, Rig, request};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

const CHAT: &str = "/v1/chat/completions";

fn ask(text: &str, stream: bool) -> Bytes {
    let messages = json!([{ "role": "user", "content": text }]);
    let body = json!({ "model": "openai/gpt-5.4", "messages": messages, "stream": stream });
    body.to_string().into()
}

fn headers(auth: &str) -> [(&str, &str); 2] {
    [("authorization", auth), ("content-type", "application/json")]
}

/// A client that keeps its connection as long as it may, and what became of its requests.
async fn keep_asking(address: SocketAddr, stop: Arc<AtomicBool>) -> (Vec<String>, Vec<String>) {
    let (mut ids, mut failures) = (Vec::new(), Vec::new());
    let mut sender: Option<http1::SendRequest<Full<Bytes>>> = None;
    while !stop.load(Ordering::SeqCst) {
        match ask_once(address, &mut sender).await {
            Ok(id) => ids.push(id),
            Err(error) => failures.push(error),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (ids, failures)
}

async fn ask_once(
    address: SocketAddr,
    kept: &mut Option<http1::SendRequest<Full<Bytes>>>,
) -> Result<String, String> {
    let ready = match kept {
        Some(sender) => sender.ready().await.is_ok(),
        None => false,
    };
    if !ready {
        let stream =
            TcpStream::connect(address).await.map_err(|error| format!("connect: {error}"))?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| format!("handshake: {error}"))?;
        tokio::spawn(connection);
        *kept = Some(sender);
    }
    let request = hyper::Request::post(CHAT)
        .header("host", "localhost")
        .header("authorization", format!("Bearer {KEY}"))
        .header("content-type", "application/json")
        .body(Full::new(ask("hello", false)))
        .unwrap();
    let sent = kept.as_mut().unwrap().send_request(request).await;
    let response = sent.map_err(|error| format!("request: {error:?}"))?;
    let status = response.status();
    let id = response.headers().get("x-generation-id").cloned();
    let body = response.into_body().collect().await.map_err(|error| format!("body: {error:?}"))?;
    match (status.as_u16(), id) {
        (200, Some(id)) => Ok(id.to_str().unwrap().to_owned()),
        _ => Err(format!("{status}: {:?}", body.to_bytes())),
    }
}

/// A client that connects anew for each request.
async fn keep_connecting(address: SocketAddr, stop: Arc<AtomicBool>) -> (Vec<String>, Vec<String>) {
    let (mut ids, mut failures) = (Vec::new(), Vec::new());
    while !stop.load(Ordering::SeqCst) {
        match ask_once(address, &mut None).await {
            Ok(id) => ids.push(id),
            Err(error) => failures.push(error),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (ids, failures)
}

async fn stream(address: SocketAddr, version: Http, seconds: u64) -> Answer {
    let reply = json!({ "text": "word ", "text_repeat": seconds * 10, "events": seconds * 10, "event_delay_ms": 100 });
    let auth = format!("Bearer {KEY}");
    let body = ask(&format!("[[mock {reply}]]"), true);
    request(address, version, ("POST", CHAT), &headers(&auth), body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_loses_nothing() {
    let rig = Rig::with(Plan { server: "h2c = true", ..Plan::default() }).await;
    let old = rig.pid();
    let stop = Arc::new(AtomicBool::new(false));
    let clients = [
        tokio::spawn(keep_asking(rig.gateway, Arc::clone(&stop))),
        tokio::spawn(keep_connecting(rig.gateway, Arc::clone(&stop))),
    ];
    let arguments = ["run", "--config", "arouter.toml", "--upgrade"];
    let mut new = Process::start(rig.folder.path(), &arguments, &[]);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let streams =
        [Http::One, Http::Two].map(|version| tokio::spawn(stream(rig.gateway, version, 7)));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (mut ids, mut kept) = (BTreeSet::new(), None);
    ask_once(rig.gateway, &mut kept).await.unwrap();
    signal(old, "QUIT");
    let told = Instant::now();
    // A connection of the old process is closed with its next answer, not cut when it is idle.
    while !rig.log().contains("listeners handed over") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ids.insert(ask_once(rig.gateway, &mut kept).await.unwrap());
    assert!(kept.unwrap().ready().await.is_err(), "the connection is kept");
    while is_running(old) {
        assert!(told.elapsed() < Duration::from_secs(20), "the old process stays\n{}", rig.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let left_after = told.elapsed();
    for stream in streams {
        let answer = stream.await.unwrap();
        assert!(answer.text().ends_with("data: [DONE]\n\n"), "{}", answer.text());
        ids.insert(answer.header("x-generation-id").to_owned());
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        let (answered, failures) = client.await.unwrap();
        println!("{} answered, old process left after {left_after:?}", answered.len());
        assert!(failures.is_empty(), "{failures:?}\n--- new ---\n{}", new.log());
        assert!(answered.len() > 50, "{}", answered.len());
        ids.extend(answered);
    }
    assert!(left_after > Duration::from_millis(5500), "the streams ran longer: {left_after:?}");

    // The admin listener came over too, and the store has what both processes did.
    let ready = request(rig.admin, Http::One, ("GET", "/readyz"), &[], Bytes::new()).await;
    assert_eq!((ready.status, ready.json()), (200, json!({ "ready": true })));
    for id in &ids {
        let record: Value = rig.generation(id).await;
        assert_eq!(record["data"]["id"], **id, "{record}");
    }
    new.signal("TERM");
    assert!(new.wait(Duration::from_secs(10)).await.success(), "{}", new.log());
    let left: Vec<_> = std::fs::read_dir(rig.folder.path().join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none_or(|extension| extension != "log"))
        .filter(|path| !path.ends_with("folder-id"))
        .collect();
    assert!(left.is_empty(), "{left:?}: sockets and halves of segments");
}

#[tokio::test]
async fn an_upgrade_without_a_predecessor_ends_with_a_message() {
    let rig = Rig::start().await;
    let arguments = ["run", "--config", "arouter.toml", "--upgrade"];
    let mut new = Process::start(rig.folder.path(), &arguments, &[]);
    let status = new.wait(Duration::from_secs(15)).await;
    assert_eq!(status.code(), Some(1));
    let log = new.log();
    assert!(log.contains("send it SIGQUIT") && !log.contains("panicked"), "{log}");
    assert_eq!(rig.get("/v1/models").await.status, 200);
}
