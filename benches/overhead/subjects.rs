//! The proxies under test: how each is configured and started.
//!
//! Every one listens on its own ports of the loopback, has one worker, and is in front of the same
//! upstream. A subject can be started again on the same ports, to measure its start.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::payload::{self, CALLER_KEY, Shape, Via};
use crate::process::{Memory, Process};

/// Longest start that is waited for.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How often a starting process is asked.
const START_STEP: Duration = Duration::from_micros(200);

/// A proxy under test.
#[derive(Debug)]
pub(crate) struct Subject {
    /// Column of the table.
    pub(crate) name: String,
    pub(crate) via: Via,
    words: Vec<OsString>,
    folder: PathBuf,
    core: String,
    /// Where whole answers, and where streams are asked for.
    addresses: (SocketAddr, SocketAddr),
    process: Option<Process>,
}

/// What all subjects have in common.
#[derive(Debug)]
pub(crate) struct Setting<'s> {
    pub(crate) folder: &'s Path,
    pub(crate) upstream: SocketAddr,
    pub(crate) core: &'s str,
}

impl Subject {
    /// nginx: a worker, connections to the upstream kept, streams not buffered.
    pub(crate) fn nginx(setting: &Setting<'_>) -> Result<Self, Failure> {
        let folder = make_folder(setting.folder, "nginx")?;
        let (plain, streams) = (free_port()?, free_port()?);
        let config = nginx_config(&folder, setting.upstream, (plain, streams));
        fs::write(folder.join("nginx.conf"), config)?;
        let words = ["nginx".into(), "-c".into(), folder.join("nginx.conf").into()].to_vec();
        Ok(Self::new("nginx", Via::Plain, words, (setting, folder, (plain, streams))))
    }

    /// Pingora with nothing but a peer: this program, called anew.
    pub(crate) fn pingora(setting: &Setting<'_>) -> Result<Self, Failure> {
        let folder = make_folder(setting.folder, "pingora")?;
        let port = free_port()?;
        let words = vec![
            std::env::current_exe()?.into(),
            "bare-pingora".into(),
            port.to_string().into(),
            setting.upstream.to_string().into(),
        ];
        Ok(Self::new("pingora", Via::Plain, words, (setting, folder, (port, port))))
    }

    /// The gateway with everything on: keys, journal, database, metrics, access lines as JSON.
    pub(crate) fn arouter(
        setting: &Setting<'_>,
        name: &str,
        binary: &Path,
    ) -> Result<Self, Failure> {
        let folder = make_folder(setting.folder, name)?;
        let (port, admin) = (free_port()?, free_port()?);
        let config = arouter_config(&folder, setting.upstream, (port, admin));
        // Beside nothing else: the gateway watches the folder of its configuration.
        let path = make_folder(&folder, "conf")?.join("arouter.toml");
        fs::write(&path, config)?;
        let words = vec![fs::canonicalize(binary)?.into(), "run".into(), "-c".into(), path.into()];
        Ok(Self::new(name, Via::Gateway, words, (setting, folder, (port, port))))
    }

    fn new(
        name: &str,
        via: Via,
        words: Vec<OsString>,
        (setting, folder, ports): (&Setting<'_>, PathBuf, (u16, u16)),
    ) -> Self {
        Self {
            name: name.into(),
            via,
            words,
            folder,
            core: setting.core.into(),
            addresses: (local(ports.0), local(ports.1)),
            process: None,
        }
    }

    /// Where requests of this shape go.
    pub(crate) fn address(&self, shape: Shape) -> SocketAddr {
        if shape.is_stream() { self.addresses.1 } else { self.addresses.0 }
    }

    /// Starts it, anew if it runs; returns the time to the first answer.
    pub(crate) fn start(&mut self) -> Result<Duration, Failure> {
        self.process = None;
        let request = payload::request(Shape::Chat1, self.via, 0);
        let started = Instant::now();
        let mut process = Process::start(&self.core, &self.folder, "output.log", &self.words)?;
        loop {
            if is_answered(self.addresses.0, &request) {
                let took = started.elapsed();
                self.process = Some(process);
                return Ok(took);
            }
            if !process.is_running() || started.elapsed() > START_LIMIT {
                let log = fs::read_to_string(self.folder.join("output.log")).unwrap_or_default();
                return Err(format!("{} does not serve:\n{log}", self.name).into());
            }
            std::thread::sleep(START_STEP);
        }
    }

    /// CPU time so far.
    pub(crate) fn cpu(&self) -> Duration {
        self.process.as_ref().map(Process::cpu).unwrap_or_default()
    }

    /// CPU time once its work is done.
    pub(crate) fn cpu_when_quiet(&self) -> Duration {
        self.process.as_ref().map(Process::cpu_when_quiet).unwrap_or_default()
    }

    /// Its memory.
    pub(crate) fn memory(&self) -> Memory {
        self.process.as_ref().map(Process::memory).unwrap_or_default()
    }
}

/// Asks once over a new connection.
fn is_answered(address: SocketAddr, request: &[u8]) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(request)?;
        let mut answer = [0; 4096];
        let length = stream.read(&mut answer)?;
        Ok(answer.get(..length).unwrap_or_default().starts_with(b"HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn free_port() -> Result<u16, Failure> {
    Ok(TcpListener::bind(local(0))?.local_addr()?.port())
}

fn make_folder(parent: &Path, name: &str) -> Result<PathBuf, Failure> {
    let folder = parent.join(name);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn nginx_config(folder: &Path, upstream: SocketAddr, (plain, streams): (u16, u16)) -> String {
    let folder = folder.display();
    let location = "location / { proxy_pass http://upstream; proxy_http_version 1.1; \
        proxy_set_header Connection \"\"; }";
    format!(
        "daemon off; user root; worker_processes 1; pid {folder}/nginx.pid;\n\
         error_log {folder}/error.log error;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n\
         access_log off; client_max_body_size 64m; client_body_buffer_size 2m;\n\
         client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n\
         fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n\
         keepalive_requests 100000000; keepalive_timeout 600;\n\
         upstream upstream {{ server {upstream}; keepalive 128; keepalive_requests 100000000; }}\n\
         server {{ listen 127.0.0.1:{plain}; {location} }}\n\
         server {{ listen 127.0.0.1:{streams}; proxy_buffering off; {location} }}\n\
         }}\n"
    )
}

fn arouter_config(folder: &Path, upstream: SocketAddr, (port, admin): (u16, u16)) -> String {
    let folder = folder.display();
    let price = "price = { prompt = \"2.5\", completion = \"10\" }";
    format!(
        "version = 1\n\
         [server]\nlisten = [\"127.0.0.1:{port}\"]\nthreads = 1\n\
         [admin]\nlisten = \"127.0.0.1:{admin}\"\n\
         [store]\nurl = \"sqlite://{folder}/arouter.db\"\njournal_dir = \"{folder}/journal\"\n\
         [defaults]\nprovider = \"bench\"\n\
         [providers.bench]\nformat = \"openai\"\nbase_url = \"http://{upstream}/v1\"\n\
         keys = [{{ insecure_literal = \"sk-bench\" }}]\n\
         [providers.other]\nformat = \"anthropic\"\nbase_url = \"http://{upstream}\"\n\
         keys = [{{ insecure_literal = \"sk-ant-bench\" }}]\n\
         [models.\"bench/bench-model\"]\n\
         endpoints = [{{ provider = \"bench\", upstream_model = \"bench-model\", {price} }}]\n\
         [models.\"other/bench-model\"]\n\
         endpoints = [{{ provider = \"other\", upstream_model = \"bench-model\", {price} }}]\n\
         [keys.bench]\nsecret = {{ insecure_literal = \"{CALLER_KEY}\" }}\n\
         [log]\nlevel = \"info\"\nformat = \"json\"\n"
    )
}
