//! `arouter mock`: the scriptable provider on a port of its own.
//!
//! Serves until SIGINT or SIGTERM. What it answers is described in `docs/mock.md`.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};

use crate::mock::{Mock, Options};

/// Arguments of `arouter mock`.
#[derive(Debug, clap::Args)]
pub(super) struct MockArgs {
    /// Address to listen on, HTTP/1.1 and HTTP/2 without TLS.
    #[arg(
        long,
        env = "AROUTER_MOCK_LISTEN",
        default_value = "127.0.0.1:9999",
        value_name = "ADDR"
    )]
    listen: SocketAddr,
    /// Script file, JSON or TOML.
    #[arg(long, env = "AROUTER_MOCK_SCRIPT", value_name = "FILE")]
    script: Option<PathBuf>,
    /// File the journal is appended to, one JSON object a line.
    #[arg(long, env = "AROUTER_MOCK_JOURNAL", value_name = "FILE")]
    journal: Option<PathBuf>,
}

/// Why the mock did not serve.
#[derive(Debug, thiserror::Error)]
pub(super) enum MockError {
    /// The runtime or the signal handlers could not be set up.
    #[error("the mock provider could not start: {0}")]
    Start(io::Error),
    /// The address is taken, or the script or journal cannot be used.
    #[error("the mock provider could not listen on {listen}: {error}")]
    Bind {
        /// The address asked for.
        listen: SocketAddr,
        /// What is wrong.
        error: io::Error,
    },
}

/// Serves until SIGINT or SIGTERM.
pub(super) fn run(args: MockArgs) -> Result<(), MockError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(MockError::Start)?.block_on(serve(args))
}

async fn serve(args: MockArgs) -> Result<(), MockError> {
    let listen = args.listen;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(MockError::Start)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(MockError::Start)?;
    let options = Options { script: args.script, journal: args.journal, demo: false };
    let mock =
        Mock::bind(listen, options).await.map_err(|error| MockError::Bind { listen, error })?;
    tracing::info!(address = %mock.local_addr(), "mock provider listens");
    mock.serve(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
    .await;
    Ok(())
}
