//! Signs of life for a streaming caller while the provider is silent.

use super::downstream::{Downstream, End};
use crate::error::GatewayError;
use bytes::Bytes;
use std::time::{Duration, Instant};

/// Says when a keep-alive is due, and sends it.
#[derive(Debug)]
pub struct KeepAlive {
    text: Option<&'static [u8]>,
    interval: Duration,
    last: Instant,
}

impl KeepAlive {
    /// Keep-alives of this text; `None` for callers whose format has none.
    pub fn new(text: Option<&'static [u8]>, interval: Duration) -> Self {
        Self { text, interval, last: Instant::now() }
    }

    /// Notes that the caller got something.
    pub fn note_sent(&mut self) {
        self.last = Instant::now();
    }

    /// When the next one is due.
    pub fn due_at(&self) -> Option<Instant> {
        self.text.map(|_| self.last + self.interval)
    }

    /// Whether one is due now.
    pub fn is_due(&self) -> bool {
        self.due_at().is_some_and(|due| Instant::now() >= due)
    }

    /// Sends one; the header must be committed.
    pub async fn send(&mut self, client: &mut Downstream<'_>) -> Result<(), GatewayError> {
        self.last = Instant::now();
        match self.text {
            Some(text) => client.write(Bytes::from_static(text), End::No).await,
            None => Ok(()),
        }
    }
}
