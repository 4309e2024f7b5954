//! The listener: one port for HTTP/1.1 and HTTP/2 with prior knowledge.
//!
//! Used by `arouter mock`, `arouter run --demo` and the tests.
//!
//! Invariant: no connection outlives [`Mock::serve`], except upgraded ones, which end with their
//! client.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::fault_io::{FaultCell, FaultIo};
use super::handle::{State, handle};
use super::journal::Journal;
use super::script::Script;

/// What a mock is started with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Script file, JSON or TOML; without one every request gets the default answer.
    pub script: Option<PathBuf>,
    /// File the journal is appended to, one JSON object a line; without one it stays in memory.
    pub journal: Option<PathBuf>,
    /// Answer requests that present no credential, as a demo wants it.
    pub demo: bool,
}

/// A bound mock provider.
pub struct Mock {
    listener: TcpListener,
    local_addr: SocketAddr,
    state: Arc<State>,
}

impl Mock {
    /// Binds the address and reads the script. Fails on a taken address, an unreadable file or a
    /// script with a mistake in it (`InvalidData`).
    pub async fn bind(addr: SocketAddr, options: Options) -> io::Result<Self> {
        let script = match &options.script {
            Some(path) => {
                let text = tokio::fs::read_to_string(path).await?;
                Script::parse(&text).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?
            }
            None => Script::default(),
        };
        let journal = Journal::open(options.journal.as_deref())?;
        let listener = TcpListener::bind(addr).await?;
        let local_addr = listener.local_addr()?;
        Ok(Self {
            listener,
            local_addr,
            state: Arc::new(State::new(script, journal, options.demo)),
        })
    }

    /// The address it listens on, with the port the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The journal; the handle stays valid while and after the mock serves.
    pub fn journal(&self) -> Journal {
        self.state.journal.clone()
    }

    /// Serves until `shutdown` completes, then drops every connection.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(serve_connection(stream, Arc::clone(&self.state)));
                    }
                    Err(error) => tracing::warn!(%error, "mock could not accept a connection"),
                },
                Some(_) = connections.join_next() => {}
                () = &mut shutdown => return,
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, state: Arc<State>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "mock could not set TCP_NODELAY");
    }
    let cell = Arc::new(FaultCell::default());
    let io = TokioIo::new(FaultIo::new(stream, Arc::clone(&cell)));
    let service = service_fn(move |request| handle(Arc::clone(&state), Arc::clone(&cell), request));
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection_with_upgrades(io, service);
    if let Err(error) = connection.await {
        tracing::debug!(error, "mock connection ended");
    }
}
