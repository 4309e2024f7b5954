//! Four background loops on one thread: the journal flows into the store, keys that other
//! processes changed flow from the store into the authenticator, old records are deleted, and the
//! counters of limits are compared with the store.

use super::{counters, retention};
use crate::proxy::state::Services;
use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use std::sync::Arc;
use std::time::Duration;

/// How often is looked whether another process changed keys.
const KEYS_POLL: Duration = Duration::from_secs(1);

/// Runs the loops.
pub struct Recording {
    services: Arc<Services>,
    retention_days: u32,
}

impl Recording {
    /// Loops over these services; records are kept for `retention_days`, 0: for ever.
    pub fn new(services: Arc<Services>, retention_days: u32) -> Self {
        Self { services, retention_days }
    }

    async fn delete_old(&self) {
        let clock = &self.services.clock;
        retention::run(&self.services.store, self.retention_days, || clock.unix_ms()).await;
    }

    async fn follow_keys(&self) {
        loop {
            tokio::time::sleep(KEYS_POLL).await;
            if let Err(error) = self.services.key_book.follow().await {
                tracing::warn!(%error, "keys could not be read, the known ones stay");
            }
        }
    }
}

#[async_trait]
impl BackgroundService for Recording {
    async fn start(&self, shutdown: ShutdownWatch) {
        tokio::select! {
            () = self.services.recorder.run(shutdown) => {}
            () = self.follow_keys() => {}
            () = self.delete_old() => {}
            () = counters::keep_comparing(&self.services) => {}
        }
    }
}
