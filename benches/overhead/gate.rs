//! Keeps a stream in step: the upstream sends an event when the client has read the one before.
//!
//! Without it a slow proxy would find several events in its socket, forward them as one and look
//! cheap. Client and upstream live in one process and share these gates, one for each client.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

/// The gates of all clients.
#[derive(Debug, Clone)]
pub(crate) struct Gates(Arc<[Mutex<Arc<Semaphore>>]>);

impl Gates {
    /// Gates for so many clients.
    pub(crate) fn new(lanes: usize) -> Self {
        Self((0..lanes).map(|_| Mutex::new(Arc::new(Semaphore::new(0)))).collect())
    }

    /// The gate of a client's present stream.
    pub(crate) fn get(&self, lane: usize) -> Option<Arc<Semaphore>> {
        let gate = self.0.get(lane)?.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&gate))
    }

    /// A gate for a client's next stream; who still waits at the old one gives up.
    pub(crate) fn renew(&self, lane: usize) -> Option<Arc<Semaphore>> {
        let mut gate = self.0.get(lane)?.lock().unwrap_or_else(PoisonError::into_inner);
        gate.close();
        *gate = Arc::new(Semaphore::new(0));
        Some(Arc::clone(&gate))
    }
}
