//! One background loop on a thread of its own: calls of tools are judged after their answers.

use crate::proxy::state::Services;
use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use std::sync::Arc;

/// Runs the loop.
pub struct Judging(Arc<Services>);

impl Judging {
    /// A loop over these services.
    pub fn new(services: Arc<Services>) -> Self {
        Self(services)
    }
}

#[async_trait]
impl BackgroundService for Judging {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let services = &self.0;
        tokio::select! {
            () = services.tool_judge.run(&services.health, &services.metrics) => {}
            // What waits then is a statistic nobody reads any more.
            _ = shutdown.changed() => {}
        }
    }
}
