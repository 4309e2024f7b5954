//! `arouter reload` and `arouter health`: calls of the admin listener of a running gateway.

use crate::config;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Longest time a call may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Which gateway is called.
#[derive(Debug, clap::Args)]
pub struct AdminArgs {
    /// Configuration file that names the admin listener.
    #[arg(short, long, env = "AROUTER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address of the admin listener, instead of the configuration's.
    #[arg(long, env = "AROUTER_ADMIN", value_name = "ADDR")]
    pub admin: Option<SocketAddr>,
}

/// What a running gateway answered.
#[derive(Debug)]
pub struct Answered {
    /// Whether the status was a success.
    pub ok: bool,
    /// The JSON body.
    pub body: String,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The configuration is wrong.
    #[error("{0}")]
    Config(String),
    /// Nobody answered.
    #[error("the gateway at {address} did not answer: {reason}")]
    Unreachable {
        /// Where it was looked for.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
}

/// Asks the running gateway to reload its configuration.
pub fn reload(args: &AdminArgs) -> Result<Answered, CallError> {
    call(args, "POST", "/api/v1/config/reload")
}

/// Asks the running gateway whether it is ready.
pub fn health(args: &AdminArgs) -> Result<Answered, CallError> {
    call(args, "GET", "/readyz?verbose")
}

fn call(args: &AdminArgs, method: &'static str, path: &'static str) -> Result<Answered, CallError> {
    let address = address(args)?;
    let unreachable = |reason: String| CallError::Unreachable { address, reason };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| unreachable(error.to_string()))?;
    runtime
        .block_on(async { tokio::time::timeout(TIMEOUT, ask(address, method, path)).await })
        .map_err(|_| unreachable("it took too long".into()))?
        .map_err(|error| unreachable(error.to_string()))
}

fn address(args: &AdminArgs) -> Result<SocketAddr, CallError> {
    if let Some(address) = args.admin {
        return Ok(address);
    }
    let Some(path) = config::find(args.config.as_deref()) else {
        return Ok(config::AdminConfig::default().listen);
    };
    config::load(&path, &config::process_env)
        .map(|loaded| loaded.config.admin.listen)
        .map_err(|error| CallError::Config(error.to_string()))
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

async fn ask(address: SocketAddr, method: &str, path: &str) -> Result<Answered, AnyError> {
    let stream = tokio::net::TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", address.to_string())
        .body(Empty::<Bytes>::new())?;
    let asking = async move {
        let response = sender.send_request(request).await?;
        let ok = response.status().is_success();
        let body = response.into_body().collect().await?.to_bytes();
        Ok::<_, hyper::Error>(Answered { ok, body: String::from_utf8_lossy(&body).into_owned() })
    };
    tokio::pin!(connection, asking);
    tokio::select! {
        answered = &mut asking => Ok(answered?),
        ended = &mut connection => {
            ended?;
            Ok(asking.await?)
        }
    }
}
