//! `arouter reload` and `arouter health`: calls of the admin listener of a running gateway.

use super::{CliError, ConfigArgs, output};
use crate::config;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::time::Duration;

/// Longest time a call may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Which gateway is called.
#[derive(Debug, clap::Args)]
pub(super) struct AdminArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Address of the admin listener, instead of the configuration's.
    #[arg(long, env = "AROUTER_ADMIN", value_name = "ADDR")]
    admin: Option<SocketAddr>,
}

/// What a running gateway answered.
struct Answered {
    ok: bool,
    body: String,
}

/// Asks the running gateway to reload its configuration.
pub(super) fn reload(args: &AdminArgs) -> Result<(), CliError> {
    call(args, "POST", "/api/v1/config/reload")
}

/// Asks the running gateway whether it is ready.
pub(super) fn health(args: &AdminArgs) -> Result<(), CliError> {
    call(args, "GET", "/readyz?verbose")
}

/// Prints what the gateway answered; anything but a success is a failure of the command as well.
fn call(args: &AdminArgs, method: &'static str, path: &'static str) -> Result<(), CliError> {
    let address = address(args)?;
    let unreachable =
        |reason: String| CliError::Failed(format!("the gateway at {address}: {reason}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answered = runtime
        .block_on(async { tokio::time::timeout(TIMEOUT, ask(address, method, path)).await })
        .map_err(|_| unreachable("no answer in time".into()))?
        .map_err(|error| unreachable(error.to_string()))?;
    output::answer(&answered.body)?;
    if answered.ok { Ok(()) } else { Err(CliError::Failed("the gateway says no".into())) }
}

/// The admin listener of the configuration, or of the defaults when there is no file.
fn address(args: &AdminArgs) -> Result<SocketAddr, CliError> {
    if let Some(address) = args.admin {
        return Ok(address);
    }
    match config::find(args.config.config.as_deref()) {
        Some(_) => Ok(args.config.load()?.config.admin.listen),
        None => Ok(config::AdminConfig::default().listen),
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

async fn ask(address: SocketAddr, method: &str, path: &str) -> Result<Answered, AnyError> {
    let stream = tokio::net::TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
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
