//! Resolves a provider's name and remembers the answer.
//!
//! An answer is fresh for [`FRESH`]; after that it is asked for anew in the background while all go
//! on using it, until it is older than [`MAX_STALE`]. Only then does a request wait, and at most
//! [`LOOKUP_TIMEOUT`]. A name is asked for once at a time, however many requests want it: the
//! system's resolver occupies a thread for as long as it takes.

use super::address_policy::is_public;
use arc_swap::ArcSwapOption;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

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
    running: Mutex<Option<Running>>,
    turn: AtomicUsize,
}

/// What came of a lookup, once it ended.
type Running = watch::Receiver<Option<Result<Arc<Answer>, ResolveError>>>;

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
            running: Mutex::new(None),
            turn: AtomicUsize::new(0),
        }
    }

    /// Goes on with what an older resolver of the same name knows, if this one knows nothing yet.
    pub fn adopt(&self, older: &Self) {
        let same = (&self.host, self.port, self.allow_private)
            == (&older.host, older.port, older.allow_private);
        if same && self.answer.load().is_none() {
            self.answer.store(older.answer.load_full());
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
                drop(self.running());
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

    /// Waits for the answer, for a while: one that comes later is still remembered.
    async fn look_up(self: &Arc<Self>) -> Result<Arc<Answer>, ResolveError> {
        let mut running = self.running();
        let ended = running.wait_for(Option::is_some);
        let Ok(ended) = tokio::time::timeout(LOOKUP_TIMEOUT, ended).await else {
            return Err(ResolveError::Timeout(self.host.clone()));
        };
        let outcome = ended.ok().and_then(|outcome| outcome.clone());
        outcome.unwrap_or_else(|| Err(ResolveError::NotFound(self.host.clone())))
    }

    /// The lookup that is under way, which is started if there is none.
    #[expect(clippy::disallowed_methods, reason = "one per host, ended by the system's resolver")]
    fn running(self: &Arc<Self>) -> Running {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // One whose sender is gone was dropped before its end.
        if let Some(running) = running.as_ref().filter(|running| running.has_changed().is_ok()) {
            return running.clone();
        }
        let (sender, receiver) = watch::channel(None);
        *running = Some(receiver.clone());
        let resolver = Arc::clone(self);
        tokio::spawn(async move {
            let outcome = resolver.ask().await;
            if let Err(error) = &outcome {
                tracing::warn!(host = resolver.host, %error, "name lookup failed");
            }
            *resolver.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
            sender.send_replace(Some(outcome));
        });
        receiver
    }

    async fn ask(&self) -> Result<Arc<Answer>, ResolveError> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port))
            .await
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

    #[tokio::test]
    async fn an_old_answer_serves_for_five_minutes() {
        let address: SocketAddr = "192.0.2.1:80".parse().unwrap();
        for (age_s, served) in [(0, true), (31, true), (299, true), (301, false)] {
            let resolver = Arc::new(Resolver::new("no-such-host.invalid".into(), 80, true));
            let at = Instant::now().checked_sub(Duration::from_secs(age_s)).unwrap();
            resolver.answer.store(Some(Arc::new(Answer { addresses: vec![address], at })));
            for _ in 0..3 {
                assert_eq!(resolver.next().await.ok(), served.then_some(address), "{age_s}");
            }
        }
    }

    #[test]
    fn what_is_known_is_handed_on_to_the_same_name_only() {
        let resolver = |host: &str, allow| Resolver::new(host.into(), 80, allow);
        let older = resolver("a.invalid", false);
        let addresses = vec!["192.0.2.1:80".parse().unwrap()];
        older.answer.store(Some(Arc::new(Answer { addresses, at: Instant::now() })));
        let cases =
            [("a.invalid", false, true), ("a.invalid", true, false), ("b.invalid", false, false)];
        for (host, allow, known) in cases {
            let newer = resolver(host, allow);
            newer.adopt(&older);
            assert_eq!(newer.answer.load().is_some(), known, "{host} {allow}");
        }
    }

    #[tokio::test]
    async fn a_name_is_asked_for_once_at_a_time() {
        let resolver = Arc::new(Resolver::new("localhost".into(), 80, true));
        let (first, second) = (resolver.running(), resolver.running());
        assert!(first.same_channel(&second));
        assert!(resolver.next().await.unwrap().ip().is_loopback());
        assert!(resolver.running.lock().unwrap().is_none());
    }
}
