//! A gateway in a process of its own, in front of a mock provider in this one.
//!
//! Everything is on loopback, on free ports, in a folder that goes away with the rig. The gateway
//! is ended by its process id when the rig is dropped; its log stays readable until then.

mod control;

pub use control::{Connection, raw, responses};

use arouter::mock::{Mock, Options};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// The key every rig knows.
pub const KEY: &str = "lr_live_0123456789abcdef0123456789abcdef0123456789abcdef";
/// The provider's key, which no client may ever see.
pub const PROVIDER_KEY: &str = "sk-provider-canary-5f2e9c1b7a";

/// A running gateway and its mock provider.
pub struct Rig {
    /// The data plane.
    pub gateway: SocketAddr,
    /// The admin listener.
    pub admin: SocketAddr,
    /// The mock provider.
    pub mock: SocketAddr,
    /// Folder of the configuration, the store and the log.
    pub folder: tempfile::TempDir,
    wrap: &'static [&'static str],
    child: Child,
}

/// How a rig differs from the usual one.
#[derive(Default)]
pub struct Plan<'a> {
    /// Lines added to `[server]`.
    pub server: &'a str,
    /// Lines added to every provider.
    pub provider: &'a str,
    /// Lines added to `[aliases]`.
    pub aliases: &'a str,
    /// Tables added at the end; `MOCK_ADDRESS` in them becomes the providers' address.
    pub more: &'a str,
    /// Another database than a file in the gateway's folder.
    pub store_url: Option<&'a str>,
    /// Another address for the providers than the mock's, e.g. a faulty peer of the test.
    pub upstream: Option<SocketAddr>,
    /// A command with arguments that ends in becoming the gateway's, which is appended.
    pub wrap: &'static [&'static str],
}

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A loopback address that is free and stays so until it is used: its port lies below those the
/// kernel gives out by itself, in a share that no other running test draws from.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = FIRST_PORT + share_of_ports() * PORTS_PER_SHARE;
    loop {
        let drawn = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(drawn < 10 * PORTS_PER_SHARE, "no free port");
        let port = u16::try_from(first + drawn % PORTS_PER_SHARE).unwrap();
        if let Ok(socket) = TcpListener::bind(("127.0.0.1", port)) {
            return socket.local_addr().unwrap();
        }
    }
}

const FIRST_PORT: u32 = 15_000;
const PORTS_PER_SHARE: u32 = 100;
const SHARES: u32 = 170;

/// The number of this process's share, which a locked file keeps for it to its end.
fn share_of_ports() -> u32 {
    static SHARE: OnceLock<(u32, fs::File)> = OnceLock::new();
    let (share, _lock) = SHARE.get_or_init(|| {
        let shares = (0..SHARES).map(|step| (std::process::id() + step) % SHARES);
        let mut locked = shares.filter_map(|share| {
            let path = std::env::temp_dir().join(format!("arouter-test-ports-{share}"));
            let file = fs::OpenOptions::new().create(true).append(true).open(path).ok()?;
            file.try_lock().ok()?;
            Some((share, file))
        });
        locked.next().unwrap()
    });
    *share
}

impl Rig {
    /// The usual rig.
    pub async fn start() -> Self {
        Self::with(Plan::default()).await
    }

    /// A rig that differs.
    pub async fn with(plan: Plan<'_>) -> Self {
        let mock = Mock::bind("127.0.0.1:0".parse().unwrap(), Options::default()).await.unwrap();
        let mock_address = mock.local_addr();
        tokio::spawn(mock.serve(std::future::pending()));
        let folder = tempfile::tempdir().unwrap();
        let (gateway, admin) = (free_address(), free_address());
        let upstream = plan.upstream.unwrap_or(mock_address);
        let config = config(&plan, gateway, admin, upstream);
        fs::write(folder.path().join("arouter.toml"), config).unwrap();
        let child = spawn(folder.path(), plan.wrap);
        let mut rig = Self { gateway, admin, mock: mock_address, folder, wrap: plan.wrap, child };
        rig.wait_until_up().await;
        rig
    }

    async fn wait_until_up(&mut self) {
        let started = Instant::now();
        // Each listener has a thread of its own, and the admin's may be the later one.
        for address in [self.gateway, self.admin] {
            while TcpStream::connect(address).await.is_err() {
                let ended = self.child.try_wait().unwrap();
                assert!(ended.is_none(), "the gateway ended: {ended:?}\n{}", self.log());
                assert!(started.elapsed() < Duration::from_secs(20), "not up\n{}", self.log());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// What the gateway wrote.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Path of the configuration file.
    pub fn config_path(&self) -> PathBuf {
        self.folder.path().join("arouter.toml")
    }

    /// Process id of the gateway.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Posts JSON with the usual key.
    pub async fn post(&self, path: &str, body: &serde_json::Value) -> Answer {
        let auth = format!("Bearer {KEY}");
        let headers = [("authorization", auth.as_str()), ("content-type", "application/json")];
        self.send("POST", path, &headers, body.to_string()).await
    }

    /// Gets a path with the usual key.
    pub async fn get(&self, path: &str) -> Answer {
        let auth = format!("Bearer {KEY}");
        self.send("GET", path, &[("authorization", &auth)], "").await
    }

    /// Sends a request as it stands, over HTTP/1.1.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        request(self.gateway, Http::One, (method, path), headers, body.into()).await
    }

    /// The journal of the mock provider.
    pub async fn journal(&self) -> Vec<serde_json::Value> {
        let answer = request(self.mock, Http::One, ("GET", "/__journal"), &[], Bytes::new()).await;
        answer.json().as_array().unwrap().clone()
    }

    /// The last request the mock provider received.
    pub async fn last(&self) -> serde_json::Value {
        request(self.mock, Http::One, ("GET", "/__last"), &[], Bytes::new()).await.json()
    }

    /// The record of a request, waited for.
    pub async fn generation(&self, id: &str) -> serde_json::Value {
        let started = Instant::now();
        loop {
            let answer = self.get(&format!("/api/v1/generation?id={id}")).await;
            if answer.status == 200 {
                return answer.json();
            }
            assert!(started.elapsed() < Duration::from_secs(10), "{}", answer.text());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // A test may have ended it already.
        let _ended = self.child.kill();
        self.child.wait().unwrap();
        if std::thread::panicking() {
            eprintln!("--- log of the gateway ---\n{}", self.log());
        }
    }
}

/// Starts the gateway of a folder; what it writes goes on in the folder's log.
fn spawn(folder: &Path, wrap: &[&str]) -> Child {
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
    let gateway = [env!("CARGO_BIN_EXE_arouter"), "run", "--config", "arouter.toml"];
    let mut command = wrap.iter().chain(&gateway);
    Command::new(command.next().unwrap())
        .args(command)
        .current_dir(folder)
        .env("CANARY_PROVIDER_KEY", PROVIDER_KEY)
        .env("DEEPSEEK_API_KEY", PROVIDER_KEY)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// Version of HTTP to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Http {
    One,
    /// With prior knowledge, in clear text.
    Two,
}

/// One request on a connection of its own.
pub async fn request(
    address: SocketAddr,
    version: Http,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: Bytes,
) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let io = TokioIo::new(stream);
    let uri = match version {
        Http::One => path.to_owned(),
        Http::Two => format!("http://{address}{path}"),
    };
    let mut request = hyper::Request::builder().method(method).uri(uri);
    if version == Http::One {
        request = request.header("host", address.to_string());
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body)).unwrap();
    let response = match version {
        Http::One => {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await
        }
        Http::Two => {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await
        }
    };
    let response = response.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"));
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"));
    Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.to_bytes() }
}

fn config(plan: &Plan<'_>, gateway: SocketAddr, admin: SocketAddr, upstream: SocketAddr) -> String {
    let Plan { server, provider, aliases, more, .. } = plan;
    let store_url = plan.store_url.unwrap_or("sqlite://arouter.db");
    let more = more.replace("MOCK_ADDRESS", &upstream.to_string());
    let key = r#"keys = [{ env = "CANARY_PROVIDER_KEY" }]"#;
    format!(
        r#"version = 1
[server]
listen = ["{gateway}"]
threads = 1
{server}
[admin]
listen = "{admin}"
[store]
url = "{store_url}"
journal_dir = "journal"
[defaults]
provider = "openai"
model = "openai/gpt-5.4"
[providers.openai]
format = "openai"
base_url = "http://{upstream}/v1"
{key}
{provider}
[providers.responses]
format = "responses"
base_url = "http://{upstream}/v1"
{key}
{provider}
[providers.anthropic]
format = "anthropic"
base_url = "http://{upstream}"
{key}
{provider}
[providers.google]
format = "gemini"
base_url = "http://{upstream}"
{key}
{provider}
[models."openai/gpt-5.4"]
endpoints = [{{ provider = "openai", price = {{ prompt = "2.5", completion = "10", cache_read = "0.25" }} }}]
context_length = 128000
max_completion_tokens = 16384
[models."anthropic/claude-sonnet-4.5"]
endpoints = [{{ provider = "anthropic", upstream_model = "claude-sonnet-4-5", price = {{ prompt = "3", completion = "15", cache_read = "0.3", cache_write = "3.75" }} }}]
max_completion_tokens = 8192
[models."google/gemini-2.5-flash"]
endpoints = [{{ provider = "google", price = {{ prompt = "0.3", completion = "2.5" }} }}]
[aliases]
fast = ["openai/gpt-5.4", "google/gemini-2.5-flash"]
{aliases}
[keys.test]
secret = {{ insecure_literal = "{KEY}" }}
{more}
"#
    )
}
