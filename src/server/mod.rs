//! Process assembly: from a loaded configuration to a running server.
//!
//! Everything here happens once, at the start; what happens again later is in [`reload`].

pub mod admin;
pub mod build;
pub mod counters;
pub mod demo;
pub mod drain;
pub mod judging;
pub mod listen;
pub mod recording;
pub mod reload;
mod retention;
pub mod tls;
pub mod watch;

use crate::auth::{ApiKey, Authenticator, KeyBook};
use crate::clock::Clock;
use crate::config::{self, Config, Loaded, ResolvedSecrets};
use crate::limits::{Meters, SteadyClock};
use crate::proxy::Gateway;
use crate::proxy::state::{MAX_DETACHED_STREAMS, Services};
use crate::proxy::tool_judge::ToolJudge;
use crate::routing::Health;
use crate::routing::StickyTable;
use crate::routing::exacto::Board;
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::usage::{Journal, Recorder};
use arc_swap::ArcSwap;
use demo::{Demo, MockService};
use listen::{Connections, Edge, EdgeLimits};
use pingora::apps::http_app::HttpServer;
use pingora::connectors::ConnectorOptions;
use pingora::connectors::http::Connector;
use pingora::listeners::tls::TlsSettings;
use pingora::server::configuration::{Opt, ServerConf};
use pingora::server::{RunArgs, Server};
use pingora::services::background::background_service;
use pingora::services::listening::Service;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tls::Certificate;
use tokio::sync::Semaphore;

/// Connections to providers kept open while unused, per worker.
const IDLE_UPSTREAM_CONNECTIONS: usize = 1024;
/// Attempts of Pingora's own pump: a raw call is repeated once, over a connection that was kept
/// open and turned out to be dead.
const RAW_ATTEMPTS: usize = 2;

/// Longest path a Unix socket can have.
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A secret is broken.
    #[error("{0}")]
    Secret(String),
    /// The configuration cannot be built.
    #[error(transparent)]
    Build(#[from] build::BuildError),
    /// The store cannot be opened.
    #[error("the store cannot be opened: {0}")]
    Store(String),
    /// The journal cannot be opened.
    #[error("the usage journal cannot be opened: {0}")]
    Journal(String),
    /// A certificate cannot be used.
    #[error("[server.tls]: {0}")]
    Tls(tls::TlsError),
    /// An address is taken, or may not be used.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// Something in the process itself.
    #[error("{0}")]
    Internal(String),
}

/// How the process is to run.
#[derive(Debug, Default)]
pub struct Start {
    /// The file that was loaded; none in a demo without one.
    pub path: Option<PathBuf>,
    /// The built-in provider, if it was asked for.
    pub demo: Option<Demo>,
    /// Take the listeners over from a running process.
    pub upgrade: bool,
}

/// Serves until a signal ends the process.
pub fn serve(loaded: &Loaded, start: Start) -> Result<(), StartError> {
    let (secrets, errors) = config::resolve_secrets(&loaded.config, &config::process_env);
    if let Some(error) = errors.first() {
        return Err(StartError::Secret(error.to_string()));
    }
    if !start.upgrade {
        check_addresses(&loaded.config)?;
    }
    let conf = server_conf(&loaded.config);
    if start.upgrade && conf.upgrade_sock.len() > MAX_SOCKET_PATH_BYTES {
        let text = format!("{}: the path is too long for a socket", conf.upgrade_sock);
        return Err(StartError::Internal(text));
    }
    let certificate = certificate(&loaded.config, &secrets)?;
    let services = services(loaded, &secrets, &conf)?;
    let connections = Arc::new(Connections::new(loaded.config.server.max_connections));
    let reloader = Arc::new(reload::Reloader::new(
        start.path,
        start.demo.clone(),
        Arc::clone(&services),
        (loaded, certificate.clone()),
    ));
    let opt = Opt { upgrade: start.upgrade, ..Opt::default() };
    let mut server = Server::new_with_opt_and_conf(opt, conf);
    if start.upgrade {
        // Pingora ends the process when nothing comes, and says so to nobody.
        tracing::info!("waiting for the listeners of the running process: send it SIGQUIT");
    }
    server.bootstrap();
    let phases = server.watch_execution_phase();
    let edge = edge(&server, &services, (&loaded.config, Arc::clone(&connections)));
    server.add_service(data_plane(edge, &loaded.config, certificate.as_ref())?);
    let admin =
        HttpServer::new_app(admin::Admin::new(Arc::clone(&services), Arc::clone(&reloader)));
    let mut admin = Service::new("admin".into(), admin);
    admin.add_tcp(&loaded.config.admin.listen.to_string());
    server.add_service(admin);
    server.add_service(background_service("reload", watch::ReloadWatch::new(reloader)));
    let recording =
        recording::Recording::new(Arc::clone(&services), loaded.config.store.retention_days);
    server.add_service(background_service("usage", recording));
    let judging = judging::Judging::new(Arc::clone(&services));
    server.add_service(background_service("judge", judging));
    server
        .add_service(background_service("drain", drain::Drain::new(services, connections, phases)));
    if let Some(demo) = &start.demo {
        server.add_service(background_service("demo", MockService::new(demo.address())));
    }
    server.run(RunArgs::default());
    Ok(())
}

/// Pingora panics when it cannot listen; whoever starts the gateway deserves a sentence.
fn check_addresses(config: &Config) -> Result<(), StartError> {
    for address in config.server.listen.iter().chain([&config.admin.listen]) {
        std::net::TcpListener::bind(address)
            .map_err(|error| StartError::Listen { address: *address, error })?;
    }
    Ok(())
}

fn server_conf(config: &Config) -> ServerConf {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    ServerConf {
        threads: if config.server.threads == 0 { cores } else { config.server.threads },
        grace_period_seconds: Some(config.server.drain_timeout_s),
        graceful_shutdown_timeout_seconds: Some(1),
        upstream_keepalive_pool_size: IDLE_UPSTREAM_CONNECTIONS,
        max_retries: RAW_ATTEMPTS,
        upgrade_sock: upgrade_socket(config),
        ..ServerConf::default()
    }
}

/// Beside the journal, whose folder is closed to others: who can connect gets the listeners.
fn upgrade_socket(config: &Config) -> String {
    let port = config.admin.listen.port();
    config.store.journal_dir.join(format!("upgrade-{port}.sock")).display().to_string()
}

/// Whether a configuration that was loaded could also be served: its certificates, authorities
/// and secrets are read, nothing is changed.
pub fn check(loaded: &Loaded) -> Result<(), StartError> {
    let (secrets, errors) = config::resolve_secrets(&loaded.config, &config::process_env);
    if let Some(error) = errors.first() {
        return Err(StartError::Secret(error.to_string()));
    }
    certificate(&loaded.config, &secrets)?;
    build::snapshot(loaded, &secrets, &Meters::new(SteadyClock::new(Clock::System)))?;
    Ok(())
}

fn services(
    loaded: &Loaded,
    secrets: &ResolvedSecrets,
    conf: &ServerConf,
) -> Result<Arc<Services>, StartError> {
    let clock = Clock::System;
    let store_config = &loaded.config.store;
    // Opening the store is asynchronous, and no runtime of Pingora's runs yet.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| StartError::Internal(error.to_string()))?;
    let meters = Arc::new(Meters::new(SteadyClock::new(clock.clone())));
    let authenticator = Arc::new(Authenticator::new(Arc::clone(&meters)));
    let (store, key_book) = runtime
        .block_on(async {
            let store = Store::open(store_config.url.expose()).await?;
            let key_book =
                KeyBook::new(store.clone(), Arc::clone(&authenticator), Arc::clone(&meters));
            key_book.follow().await?;
            Ok((store, key_book))
        })
        .map_err(|error: crate::store::StoreError| StartError::Store(error.to_string()))?;
    let journal = Journal::open(&store_config.journal_dir, clock.unix_ms())
        .map_err(|error| StartError::Journal(error.to_string()))?;
    let metrics = Metrics::new().map_err(|error| StartError::Internal(error.to_string()))?;
    let journal = Arc::new(journal);
    let health = Health::new(&loaded.config.routing);
    health.configure(&loaded.config.routing, build::named_endpoints(&loaded.config));
    let services = Arc::new(Services {
        snapshot: ArcSwap::from_pointee(build::snapshot(loaded, secrets, &meters)?),
        authenticator,
        key_book,
        meters,
        health: Arc::new(health),
        sticky: StickyTable::default(),
        exacto: Board::default(),
        tool_judge: ToolJudge::default(),
        connector: Connector::new(Some(ConnectorOptions::from_server_conf(conf))),
        recorder: Arc::new(Recorder::new(Arc::clone(&journal), store.clone())),
        journal,
        store,
        metrics,
        clock,
        draining: AtomicBool::new(false),
        handing_over: AtomicBool::new(false),
        detached: Arc::new(Semaphore::new(MAX_DETACHED_STREAMS)),
    });
    runtime.block_on(async {
        // What an earlier process left in the journal belongs to the counters too.
        if let Err(error) = services.recorder.recover().await {
            tracing::error!(%error, "usage of an earlier process stays in the journal for now");
        }
        let opening_balance = loaded.config.account.opening_balance_usd;
        counters::rebuild(&services, opening_balance)
            .await
            .map_err(|error| StartError::Store(error.to_string()))
    })?;
    Ok(services)
}

fn certificate(
    config: &Config,
    secrets: &ResolvedSecrets,
) -> Result<Option<Arc<Certificate>>, StartError> {
    let Some(tls) = &config.server.tls else { return Ok(None) };
    let certificate = Certificate::read(tls, secrets).map_err(StartError::Tls)?;
    Ok(Some(Arc::new(certificate)))
}

fn edge(
    server: &Server,
    services: &Arc<Services>,
    (config, connections): (&Config, Arc<Connections>),
) -> Edge {
    let gateway = Gateway::new(Arc::clone(services));
    let proxy = pingora::proxy::http_proxy(&server.configuration, gateway);
    let header_timeout = Duration::from_secs(config.server.header_timeout_s);
    Edge::new(proxy, EdgeLimits { connections, header_timeout, h2c: config.server.h2c })
}

fn data_plane(
    edge: Edge,
    config: &Config,
    certificate: Option<&Arc<Certificate>>,
) -> Result<Service<Edge>, StartError> {
    let mut service = Service::new("gateway".into(), edge);
    for address in &config.server.listen {
        match certificate {
            None => service.add_tcp(&address.to_string()),
            Some(certificate) => {
                let mut settings = TlsSettings::intermediate("", "")
                    .map_err(|error| StartError::Internal(error.to_string()))?;
                settings.set_cert_resolver(Arc::clone(certificate) as _);
                settings.enable_h2();
                service.add_tls_with_settings(&address.to_string(), None, settings);
            }
        }
    }
    Ok(service)
}

/// The keys of the file that a request could use, for the start-up message.
pub fn usable_keys(keys: &[ApiKey], now_ms: i64) -> usize {
    keys.iter().filter(|key| key.is_usable(now_ms)).count()
}
