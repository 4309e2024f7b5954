//! Resolves a provider's name and remembers the answer.
//!
//! An answer is fresh for [`FRESH`]; after that one request refreshes it in the background while
//! all go on using it, until it is older than [`MAX_STALE`]. Only then does a request wait, and at
//! most [`LOOKUP_TIMEOUT`].

use super::address_policy::is_public;
use arc_swap::ArcSwapOption;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long an answer is used without asking again.
pub const FRESH: Duration = Duration::from_secs(30);
/// How long an answer is used while the resolver fails.
pub const MAX_STALE: Duration = Duration::from_mins(5);
/// Longest time a request waits for the resolver.
pub const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);
/// Addresses kept of one answer.
const MAX_ADDRESSES: usize = 16;

/// Why a name has no usable address.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ResolveError {
    /// The resolver gave no answer in time.
    #[error("the name {0} could not be resolved in time")]
    Timeout(String),
    /// The resolver failed or knows no address.
    #[error("the name {0} has no address")]
    NotFound(String),
    /// Every address is inside a private network, and the provider is not marked as private.
    #[error("the name {0} points into a private network; set private_network = true to allow it")]
    Private(String),
}

/// The addresses of one host.
#[derive(Debug)]
pub struct Resolver {
    host: String,
    port: u16,
    allow_private: bool,
    answer: ArcSwapOption<Answer>,
    refreshing: AtomicBool,
    turn: AtomicUsize,
}

#[derive(Debug)]
struct Answer {
    addresses: Vec<SocketAddr>,
    at: Instant,
}

impl Resolver {
    /// A resolver for `host`; `allow_private` admits addresses of private networks.
    pub fn new(host: String, port: u16, allow_private: bool) -> Self {
        Self {
            host,
            port,
            allow_private,
            answer: ArcSwapOption::empty(),
            refreshing: AtomicBool::new(false),
            turn: AtomicUsize::new(0),
        }
    }

    /// The next address in turn.
    pub async fn next(self: &Arc<Self>) -> Result<SocketAddr, ResolveError> {
        if let Some(answer) = self.answer.load().as_ref() {
            let age = answer.at.elapsed();
            if age < FRESH {
                return self.pick(answer);
            }
            if age < MAX_STALE {
                self.refresh_in_background();
                return self.pick(answer);
            }
        }
        let answer = self.look_up().await?;
        self.pick(&answer)
    }

    fn pick(&self, answer: &Answer) -> Result<SocketAddr, ResolveError> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let index = turn.checked_rem(answer.addresses.len()).unwrap_or(0);
        let address = answer.addresses.get(index).copied();
        address.ok_or_else(|| ResolveError::NotFound(self.host.clone()))
    }

    #[expect(clippy::disallowed_methods, reason = "bounded by LOOKUP_TIMEOUT, one per host")]
    fn refresh_in_background(self: &Arc<Self>) {
        if self.refreshing.swap(true, Ordering::AcqRel) {
            return;
        }
        let resolver = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = resolver.look_up().await {
                tracing::warn!(host = resolver.host, %error, "name lookup failed, keeping the last answer");
            }
            resolver.refreshing.store(false, Ordering::Release);
        });
    }

    async fn look_up(&self) -> Result<Arc<Answer>, ResolveError> {
        let lookup = tokio::net::lookup_host((self.host.as_str(), self.port));
        let found = tokio::time::timeout(LOOKUP_TIMEOUT, lookup)
            .await
            .map_err(|_| ResolveError::Timeout(self.host.clone()))?
            .map_err(|_| ResolveError::NotFound(self.host.clone()))?;
        let found: Vec<SocketAddr> = found.take(MAX_ADDRESSES).collect();
        if found.is_empty() {
            return Err(ResolveError::NotFound(self.host.clone()));
        }
        let usable = |address: &SocketAddr| self.allow_private || is_public(address.ip());
        let addresses: Vec<SocketAddr> = found.into_iter().filter(usable).collect();
        if addresses.is_empty() {
            return Err(ResolveError::Private(self.host.clone()));
        }
        let answer = Arc::new(Answer { addresses, at: Instant::now() });
        self.answer.store(Some(Arc::clone(&answer)));
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_private_address_needs_permission() {
        let closed = Arc::new(Resolver::new("localhost".into(), 80, false));
        assert!(matches!(closed.next().await, Err(ResolveError::Private(_))));
        let open = Arc::new(Resolver::new("localhost".into(), 80, true));
        assert!(open.next().await.unwrap().ip().is_loopback());
    }

    #[tokio::test]
    async fn an_unknown_name_is_an_error() {
        let resolver = Arc::new(Resolver::new("no-such-host.invalid".into(), 80, true));
        assert!(resolver.next().await.is_err());
    }
}
