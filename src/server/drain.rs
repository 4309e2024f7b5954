//! The end of the process: running requests finish, the journal reaches the store, then it exits.
//!
//! Pingora sleeps through the whole grace period even if nothing runs any more; this service ends
//! the process as soon as it may. While a successor takes the listeners over, both accept; what is
//! answered then closes its connection, so that none is idle when this process stops.

use super::listen::Connections;
use crate::proxy::state::{MAX_DETACHED_STREAMS, Services};
use async_trait::async_trait;
use pingora::server::{ExecutionPhase, ShutdownWatch};
use pingora::services::background::BackgroundService;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, broadcast};

/// How often is looked whether the last request ended.
const POLL: Duration = Duration::from_millis(50);

/// Time for connections to end after the last request did: what was answered is still being
/// written, and an idle client may not close at all.
const LAST_BYTES: Duration = Duration::from_secs(2);

/// Ends the process once nothing is left to do.
pub struct Drain {
    services: Arc<Services>,
    connections: Arc<Connections>,
    phases: Mutex<broadcast::Receiver<ExecutionPhase>>,
}

impl Drain {
    /// A drain over these services and the connections of the data plane.
    pub fn new(
        services: Arc<Services>,
        connections: Arc<Connections>,
        phases: broadcast::Receiver<ExecutionPhase>,
    ) -> Self {
        Self { services, connections, phases: Mutex::new(phases) }
    }

    /// Waits for the shutdown, and on the way for the listeners being handed over.
    async fn wait_for_shutdown(&self, mut shutdown: ShutdownWatch) {
        let mut phases = self.phases.lock().await;
        loop {
            tokio::select! {
                // An error means the sender is gone, which is a shutdown as well.
                _ = shutdown.wait_for(|stop| *stop) => return,
                Ok(phase) = phases.recv() => {
                    if matches!(phase, ExecutionPhase::GracefulUpgradeCloseTimeout) {
                        tracing::info!("listeners handed over");
                        self.services.handing_over.store(true, Ordering::Release);
                    }
                }
            }
        }
    }

    fn is_busy(&self) -> bool {
        self.services.metrics.requests_in_flight.get() > 0
            || self.services.detached.available_permits() < MAX_DETACHED_STREAMS
    }

    /// Waits until no request runs and no connection has anything left to say.
    async fn wait_until_quiet(&self) {
        let mut last_busy = Instant::now();
        loop {
            tokio::time::sleep(POLL).await;
            if self.is_busy() {
                last_busy = Instant::now();
            } else if self.connections.open() == 0 || last_busy.elapsed() > LAST_BYTES {
                return;
            }
        }
    }
}

#[async_trait]
impl BackgroundService for Drain {
    async fn start(&self, shutdown: ShutdownWatch) {
        self.wait_for_shutdown(shutdown).await;
        self.services.draining.store(true, Ordering::Release);
        tracing::info!("draining");
        self.wait_until_quiet().await;
        if let Err(error) = self.services.recorder.flush().await {
            tracing::warn!(%error, "the journal stays for the next start");
        }
        tracing::info!("drained");
        crate::telemetry::logging::finish();
        std::process::exit(0);
    }
}
