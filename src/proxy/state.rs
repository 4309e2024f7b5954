//! What every request reads: the snapshot of one configuration generation, and the services that
//! live as long as the process.
//!
//! `server` builds both. A request takes one `Arc` of the snapshot at admission and keeps it to
//! its end, so that a reload never changes a request half way.

use super::failover::FailoverRules;
use super::tool_judge::ToolJudge;
use crate::api::catalogue::Catalogue;
use crate::auth::{Authenticator, KeyBook, KeyTable};
use crate::clock::Clock;
use crate::config::MediaConfig;
use crate::limits::Meters;
use crate::routing::exacto::Board;
use crate::routing::{Health, HedgeRule, Presets, RoutingTable, StickyTable};
use crate::store::{KeyRecord, Store};
use crate::telemetry::Metrics;
use crate::usage::{Journal, Recorder};
use arc_swap::ArcSwap;
use pingora::connectors::http::Connector;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Everything built from one configuration generation; immutable.
#[derive(Debug)]
pub struct Snapshot {
    /// Limits and habits of the data plane.
    pub settings: Settings,
    /// Where model names lead.
    pub routing: RoutingTable,
    /// The lists of models, made ready.
    pub catalogue: Catalogue,
    /// Keys of the configuration file.
    pub keys: KeyTable,
    /// The same as management shows them, by name.
    pub file_keys: Vec<KeyRecord>,
    /// Hash of the configuration's content.
    pub hash: String,
}

impl Snapshot {
    /// Goes on with the addresses of providers that the older one learned: a reload while the
    /// resolver fails must not forget them.
    pub fn adopt_addresses(&self, older: &Self) {
        for provider in self.routing.providers() {
            if let Some(known) = older.routing.provider(&provider.slug) {
                provider.upstream.adopt(&known.upstream);
            }
        }
    }
}

/// Limits and habits of the data plane.
#[derive(Debug)]
pub struct Settings {
    /// Largest request body.
    pub max_body_bytes: usize,
    /// Largest request header, all fields together.
    pub max_header_bytes: usize,
    /// Time a client has for its body before a minimum rate applies.
    pub body_timeout: Duration,
    /// Silence after which a streaming client gets a keep-alive comment.
    pub keepalive_comment: Duration,
    /// Whether every OpenAI stream ends with a usage chunk, or only on request.
    pub always_stream_usage: bool,
    /// What may be fetched on behalf of a request.
    pub media: MediaConfig,
    /// Whether requests are served while their usage cannot be recorded.
    pub serves_unrecorded: bool,
    /// Models that may be chosen for a request that names none, the best one first; none: all of
    /// the configuration.
    pub auto_models: Vec<Arc<str>>,
    /// How far a request that fails goes on.
    pub failover: FailoverRules,
    /// What requests for a model or an alias wish unless they say otherwise.
    pub presets: Presets,
    /// Models and aliases that are hedged, by the name that callers ask for.
    pub hedges: HashMap<String, HedgeRule>,
}

/// What lives as long as the process.
pub struct Services {
    /// The present snapshot.
    pub snapshot: ArcSwap<Snapshot>,
    /// Who calls.
    pub authenticator: Arc<Authenticator>,
    /// Changes the keys of the store.
    pub key_book: KeyBook,
    /// How much was used and spent, and by whom.
    pub meters: Arc<Meters>,
    /// How endpoints, providers and their keys are doing.
    pub health: Arc<Health>,
    /// Where conversations were served last.
    pub sticky: StickyTable,
    /// How good endpoints are at calling tools.
    pub exacto: Board,
    /// Answers whose calls of tools wait to be judged.
    pub tool_judge: ToolJudge,
    /// Connections to providers.
    pub connector: Connector,
    /// The usage journal.
    pub journal: Arc<Journal>,
    /// Copies the journal to the store.
    pub recorder: Arc<Recorder>,
    /// The store, for reads that a client asked for.
    pub store: Store,
    /// Counters.
    pub metrics: Metrics,
    /// Wall clock.
    pub clock: Clock,
    /// Set while the process waits for running requests before it ends.
    pub draining: AtomicBool,
    /// Set while another process takes the listeners over and both accept connections.
    pub handing_over: AtomicBool,
    /// Bounds the streams that are read to their end after the client left.
    pub detached: Arc<Semaphore>,
}

/// Streams read to their end at a time after their clients left.
pub const MAX_DETACHED_STREAMS: usize = 64;

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").finish_non_exhaustive()
    }
}

impl Services {
    /// Whether the process is about to end and takes no new connections.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Whether connections are closed after the request they carry.
    pub fn closes_connections(&self) -> bool {
        self.handing_over.load(Ordering::Acquire) || self.is_draining()
    }

    /// Runs a task that outlives its request; the caller holds a permit of `detached`.
    #[expect(clippy::disallowed_methods, reason = "bounded by the permits of `detached`")]
    pub fn spawn_detached(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }
}
