//! TLS on the data plane: protocols, versions, renewal of the certificate, bad files.

use super::certificates::{Authority, Flaw, Issued, connect, shown};
use super::process::Process;
use super::rig::{Answer, Http, KEY, Plan, Rig, free_address, request};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const ALPN: [&[&str]; 3] = [&["h2", "http/1.1"], &["http/1.1"], &[]];

/// A gateway with a certificate from files of a folder.
struct Secure {
    rig: Rig,
    authority: Authority,
    first: Issued,
    files: tempfile::TempDir,
}

impl Secure {
    async fn start(server: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let first = authority.issue("localhost", Flaw::None);
        first.install(files.path());
        let server = format!("{server}\ntls = {}", tls_table(files.path()));
        let rig = Rig::with(Plan { server: &server, ..Plan::default() }).await;
        Self { rig, authority, first, files }
    }

    async fn readiness(&self) -> Value {
        let path = ("GET", "/readyz?verbose");
        request(self.rig.admin, Http::One, path, &[], Bytes::new()).await.json()
    }

    /// Waits until a condition on the readiness report holds.
    async fn wait_for(&self, what: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            let report = self.readiness().await;
            if what(&report) {
                return report;
            }
            assert!(started.elapsed() < Duration::from_secs(3), "{report}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn tls_table(files: &Path) -> String {
    let file = |name: &str| files.join(name).display().to_string();
    format!(
        "{{ cert = {{ file = {:?} }}, key = {{ file = {:?} }} }}",
        file("cert.pem"),
        file("key.pem")
    )
}

/// Posts to the chat route on a fresh connection and returns the answer's header with its body.
async fn post(
    address: SocketAddr,
    client: &TlsConnector,
    body: &Value,
) -> (hyper::Response<Incoming>, Http) {
    let stream = connect(address, client).await.unwrap();
    let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let uri = if is_h2 { "https://localhost/v1/chat/completions" } else { "/v1/chat/completions" };
    let mut request = hyper::Request::post(uri)
        .header("authorization", format!("Bearer {KEY}"))
        .header("content-type", "application/json");
    if !is_h2 {
        request = request.header("host", "localhost");
    }
    let request = request.body(Full::new(Bytes::from(body.to_string()))).unwrap();
    let io = TokioIo::new(stream);
    if is_h2 {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        (sender.send_request(request).await.unwrap(), Http::Two)
    } else {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        (sender.send_request(request).await.unwrap(), Http::One)
    }
}

async fn whole(response: hyper::Response<Incoming>) -> Answer {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

fn ask(text: &str, stream: bool) -> Value {
    let messages = json!([{ "role": "user", "content": text }]);
    json!({ "model": "openai/gpt-5.4", "messages": messages, "stream": stream })
}

#[tokio::test]
async fn both_protocols_are_served() {
    let secure = Secure::start("").await;
    for (alpn, expected) in ALPN.iter().zip([Http::Two, Http::One, Http::One]) {
        let client = secure.authority.client(alpn);
        let (response, spoken) = post(secure.rig.gateway, &client, &ask("hello", false)).await;
        assert_eq!(spoken, expected, "{alpn:?}");
        let answer = whole(response).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
        assert_eq!(answer.json()["object"], "chat.completion");

        let (response, _) = post(secure.rig.gateway, &client, &ask("hello", true)).await;
        let answer = whole(response).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream"));
        assert!(answer.text().ends_with("data: [DONE]\n\n"), "{}", answer.text());

        let large = ask(&"x".repeat(1 << 20), false);
        let answer = whole(post(secure.rig.gateway, &client, &large).await.0).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let received = secure.rig.journal().await.pop().unwrap()["request_bytes"].as_u64();
        assert!(received > Some(1 << 20), "{received:?}");
    }
}

#[tokio::test]
async fn only_tls_1_2_and_1_3_are_accepted() {
    let secure = Secure::start("").await;
    for version in rustls::ALL_VERSIONS {
        let client = secure.authority.client_of(&["h2"], &[version]);
        connect(secure.rig.gateway, &client).await.unwrap();
    }
    for minor in [0, 1, 2] {
        let mut stream = TcpStream::connect(secure.rig.gateway).await.unwrap();
        stream.write_all(&client_hello([3, minor])).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        // An alert record, fatal: protocol_version.
        assert_eq!((answer.first(), &answer[5..]), (Some(&21), &[2, 70][..]), "3.{minor}");
    }
}

/// The first message of an old client, with ciphers of its time.
fn client_hello(version: [u8; 2]) -> Vec<u8> {
    let mut hello = version.to_vec();
    hello.extend([7; 32]); // random
    hello.push(0); // session
    hello.extend([0, 4, 0xc0, 0x14, 0, 0x2f, 1, 0]); // ciphers, no compression
    let extensions = [0, 10, 0, 4, 0, 2, 0, 23, 0, 13, 0, 4, 0, 2, 4, 1];
    hello.extend([0, 16]);
    hello.extend(extensions);
    assert_eq!(hello.len(), 61);
    let mut record = vec![22, 3, 1, 0, 65, 1, 0, 0, 61];
    record.extend(hello);
    record
}

#[tokio::test]
async fn a_renewed_certificate_is_served_and_a_stream_runs_on() {
    let secure = Secure::start("").await;
    let client = secure.authority.client(&["h2", "http/1.1"]);
    assert_eq!(shown(secure.rig.gateway, &client).await, secure.first.der());
    let reply = r#"[[mock {"text":"word ","text_repeat":20,"events":20,"event_delay_ms":100}]]"#;
    let (response, _) = post(secure.rig.gateway, &client, &ask(reply, true)).await;
    let running = tokio::spawn(whole(response));

    let second = secure.authority.issue("localhost", Flaw::None);
    second.install(secure.files.path());
    let started = Instant::now();
    while shown(secure.rig.gateway, &client).await != second.der() {
        assert!(started.elapsed() < Duration::from_secs(3), "the old certificate is still served");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!running.is_finished(), "the stream was to outlast the renewal");
    let answer = running.await.unwrap();
    assert!(answer.text().ends_with("data: [DONE]\n\n"), "{}", answer.text());
    secure.wait_for(|report| report["config"]["error"].is_null()).await;
}

#[tokio::test]
async fn a_broken_certificate_leaves_the_old_one_and_is_reported() {
    let secure = Secure::start("").await;
    let client = secure.authority.client(&["h2"]);
    let path = secure.files.path().join("cert.pem");
    let foreign = secure.authority.issue("localhost", Flaw::None);
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (text, complaint) in [
        ("no certificate", "holds no certificate"),
        (damaged, "is damaged"),
        (&foreign.chain, "does not fit"),
    ] {
        std::fs::write(&path, text).unwrap();
        let said = |report: &Value| {
            report["config"]["error"].as_str().is_some_and(|error| error.contains(complaint))
        };
        let report = secure.wait_for(said).await;
        assert_eq!(report["ready"], true, "{report}");
        assert_eq!(shown(secure.rig.gateway, &client).await, secure.first.der());
    }
    std::fs::remove_file(&path).unwrap();
    secure
        .wait_for(|report| report["config"]["error"].to_string().contains("does not exist"))
        .await;
    assert_eq!(shown(secure.rig.gateway, &client).await, secure.first.der());
    let second = secure.authority.issue("localhost", Flaw::None);
    second.install(secure.files.path());
    secure.wait_for(|report| report["config"]["error"].is_null()).await;
    assert_eq!(shown(secure.rig.gateway, &client).await, second.der());
}

#[tokio::test]
async fn a_silent_client_is_closed_in_time() {
    let secure = Secure::start("header_timeout_s = 1").await;
    // After the handshake: neither a preface nor a request line.
    for alpn in ALPN {
        let client = secure.authority.client(alpn);
        let mut stream = connect(secure.rig.gateway, &client).await.unwrap();
        let started = Instant::now();
        let mut greeting = Vec::new();
        let read = stream.read_to_end(&mut greeting);
        // Closed without TLS's own goodbye.
        let _ended = tokio::time::timeout(Duration::from_secs(3), read).await.expect("still open");
        assert!(started.elapsed() > Duration::from_millis(800), "{alpn:?}");
    }
}

/// A configuration with TLS, complete but for the table of the key and the certificate.
fn config(folder: &Path, tls: &str) -> SocketAddr {
    let (gateway, admin) = (free_address(), free_address());
    let text = format!(
        "version = 1\n[server]\nlisten = [\"{gateway}\"]\ntls = {tls}\n[admin]\n\
         listen = \"{admin}\"\n[store]\nurl = \"memory:\"\njournal_dir = \"journal\"\n\
         [providers.openai]\nformat = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\n"
    );
    std::fs::write(folder.join("arouter.toml"), text).unwrap();
    gateway
}

#[tokio::test]
async fn a_key_from_the_environment_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let issued = authority.issue("localhost", Flaw::None);
    issued.install(folder.path());
    let tls = r#"{ cert = { file = "cert.pem" }, key = { env = "TLS_KEY" } }"#;
    let gateway = config(folder.path(), tls);
    let arguments = ["run", "--config", "arouter.toml"];
    let process = Process::start(folder.path(), &arguments, &[("TLS_KEY", &issued.key)]);
    let started = Instant::now();
    while TcpStream::connect(gateway).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(10), "{}", process.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(shown(gateway, &authority.client(&["h2"])).await, issued.der());
}

#[tokio::test]
async fn unusable_files_are_refused_at_the_start_and_by_check() {
    let authority = Authority::new();
    let right = authority.issue("localhost", Flaw::None);
    let other = authority.issue("localhost", Flaw::None);
    let cases: [(&str, &str, &str); 5] = [
        (&right.chain, &other.key, "does not fit the certificate"),
        ("text", &right.key, "cert.pem holds no certificate"),
        ("", &right.key, "cert.pem holds no certificate"),
        (&right.chain, "text", "the private key cannot be read"),
        (&right.chain, "", "the private key is missing"),
    ];
    for (chain, key, complaint) in cases {
        let folder = tempfile::tempdir().unwrap();
        Issued { chain: chain.into(), key: key.into() }.install(folder.path());
        let table = r#"{ cert = { file = "cert.pem" }, key = { file = "key.pem" } }"#;
        config(folder.path(), table);
        for command in ["run", "check"] {
            let arguments = [command, "--config", "arouter.toml"];
            let mut process = Process::start(folder.path(), &arguments, &[]);
            let code = process.wait(Duration::from_secs(10)).await.code().unwrap();
            let log = process.log();
            assert!(matches!(code, 1 | 78), "{command} {complaint}: {code}\n{log}");
            assert!(code == 78 || command == "run", "{log}");
            assert!(log.contains(complaint) && !log.contains("panicked"), "{command}: {log}");
            assert!(!log.contains("PRIVATE KEY"), "{log}");
        }
    }
}
