//! `[server]` and `[admin]`: the listeners and what a connection may cost.
//!
//! Read by `server` when it opens its listeners and by `proxy::entry` for the limits. All sizes
//! are bytes and all times seconds, as the names say.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret_ref::SecretRef;

/// The data plane: where clients connect and what they may send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Addresses to listen on, as `ip:port`. Changing them needs a restart.
    #[schemars(with = "Vec<String>")]
    pub listen: Vec<SocketAddr>,
    /// Worker threads; 0 is one per core. Changing it needs a restart.
    pub threads: usize,
    /// Largest request body in bytes; a longer one is answered with 413 in the caller's format.
    pub max_body_bytes: u64,
    /// Largest request head (request line and headers) in bytes; a longer one is answered with 431.
    pub max_header_bytes: usize,
    /// Time in which the whole request head must have arrived, in seconds.
    pub header_timeout_s: u64,
    /// Time in which the whole request body must have arrived, in seconds.
    pub body_timeout_s: u64,
    /// Most client connections open at once; further ones wait in the kernel's queue.
    pub max_connections: usize,
    /// How long running requests may finish after SIGTERM or an upgrade, in seconds.
    pub drain_timeout_s: u64,
    /// Silence of the provider after which a stream gets a keep-alive comment, in seconds.
    pub keepalive_comment_s: u64,
    /// Whether HTTP/2 without TLS is accepted on the data plane (prior knowledge).
    pub h2c: bool,
    /// When streams end with a usage chunk: `always`, or `on_request` for clients that fail on one
    /// they did not ask for.
    pub stream_usage: StreamUsage,
    /// Certificate and key; without this table the data plane speaks plain HTTP.
    pub tls: Option<TlsConfig>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080)],
            threads: 0,
            max_body_bytes: 32 * 1024 * 1024,
            max_header_bytes: 32 * 1024,
            header_timeout_s: 15,
            body_timeout_s: 60,
            max_connections: 16_384,
            drain_timeout_s: 300,
            keepalive_comment_s: 15,
            h2c: false,
            stream_usage: StreamUsage::Always,
            tls: None,
        }
    }
}

/// When a streamed answer carries a usage chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamUsage {
    /// Every stream ends with one.
    #[default]
    Always,
    /// Only streams whose request asked for it.
    OnRequest,
}

/// TLS of the data plane; both files are read again when they change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate chain in PEM, leaf first.
    pub cert: FileRef,
    /// The private key in PEM.
    pub key: SecretRef,
}

/// A file that is not secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileRef {
    /// Path; a relative one starts at the folder of the configuration file.
    #[schemars(with = "String")]
    pub file: PathBuf,
}

/// The operator's listener: metrics, readiness, dashboard, configuration API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdminConfig {
    /// Address as `ip:port`; never one of the data plane. Changing it needs a restart.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090) }
    }
}
