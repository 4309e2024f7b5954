//! Two background loops on one thread: the journal flows into the store, and keys that other
//! processes changed flow from the store into the authenticator.

use crate::proxy::state::Services;
use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use std::sync::Arc;
use std::time::Duration;

/// How often is looked whether another process changed keys.
const KEYS_POLL: Duration = Duration::from_secs(1);

/// Runs both loops.
pub struct Recording {
    services: Arc<Services>,
}

impl Recording {
    /// Loops over these services.
    pub fn new(services: Arc<Services>) -> Self {
        Self { services }
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
        }
    }
}
