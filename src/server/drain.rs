//! The end of the process: running requests finish, the journal reaches the store, then it exits.
//!
//! Pingora sleeps through the whole grace period even if nothing runs any more; this service ends
//! the process as soon as it may.

use crate::proxy::state::Services;
use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often is looked whether the last request ended.
const POLL: Duration = Duration::from_millis(50);

/// Ends the process once nothing is left to do.
pub struct Drain {
    services: Arc<Services>,
}

impl Drain {
    /// A drain over these services.
    pub fn new(services: Arc<Services>) -> Self {
        Self { services }
    }
}

#[async_trait]
impl BackgroundService for Drain {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        // An error means the sender is gone, which is a shutdown as well.
        let _changed = shutdown.changed().await;
        self.services.draining.store(true, Ordering::Release);
        tracing::info!("draining");
        while self.services.metrics.requests_in_flight.get() > 0
            || self.services.detached.available_permits()
                < crate::proxy::state::MAX_DETACHED_STREAMS
        {
            tokio::time::sleep(POLL).await;
        }
        if let Err(error) = self.services.recorder.flush().await {
            tracing::warn!(%error, "the journal stays for the next start");
        }
        tracing::info!("drained");
        crate::telemetry::logging::finish();
        std::process::exit(0);
    }
}
