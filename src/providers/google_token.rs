//! Access tokens of a Google service account: fetched with a signed assertion, kept until shortly
//! before they expire.
//!
//! Used by `proxy` for every request to Vertex AI. One request at a time fetches; while the token
//! in hand is still good the others go on with it, and when there is none they wait for that one
//! and share its failure. Neither the key nor a token is ever printed.

use super::{bearer, google_account::ServiceAccount};
use crate::clock::Clock;
use crate::error::{GatewayError, Kind};
use crate::upstream::Upstream;
use crate::upstream::side_call::{self, Bounds, SideCallError};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use serde::Deserialize;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long a token is asked for, and how large the answer may be.
const FETCH_BOUNDS: Bounds = Bounds { max_bytes: 64 * 1024, time: Duration::from_secs(10) };
/// A token is renewed this long before it expires, or a quarter of its life if that is shorter.
const RENEW_AHEAD: Duration = Duration::from_mins(5);
/// Life of a token whose answer does not tell it.
const USUAL_LIFE_S: u64 = 3600;
/// After a failure nothing is asked for this long.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest text of the token service that is logged, in characters.
const MAX_LOGGED_CHARS: usize = 200;

/// Where a token service listens.
#[derive(Debug)]
pub struct TokenService {
    /// To connect to.
    pub upstream: Upstream,
    /// `Host` of the request.
    pub authority: HeaderValue,
    /// Path and query.
    pub target: String,
}

/// The tokens of one service account.
pub struct TokenSource {
    account: ServiceAccount,
    service: TokenService,
    clock: Clock,
    token: ArcSwapOption<Token>,
    /// The one before, which may still be on its way.
    former: ArcSwapOption<Token>,
    /// Held by the request that fetches; the last failure.
    turn: Mutex<Option<Failure>>,
}

/// A token in hand.
pub struct Token {
    value: HeaderValue,
    renew_at: Instant,
    expires_at: Instant,
}

struct Failure {
    at: Instant,
    error: GatewayError,
}

impl std::fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenSource")
            .field("service", &self.service.authority)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(***)")
    }
}

impl Token {
    /// The value of `Authorization`; marked sensitive.
    pub fn header(&self) -> &HeaderValue {
        &self.value
    }

    fn is_good(&self) -> bool {
        Instant::now() < self.expires_at
    }
}

impl TokenSource {
    /// Tokens for an account; nothing is fetched yet.
    pub fn new(account: ServiceAccount, service: TokenService) -> Self {
        Self {
            account,
            service,
            clock: Clock::System,
            token: ArcSwapOption::empty(),
            former: ArcSwapOption::empty(),
            turn: Mutex::new(None),
        }
    }

    /// A token that is good now.
    pub async fn token(&self, connector: &Connector) -> Result<Arc<Token>, GatewayError> {
        let asked = Instant::now();
        if let Some(token) = self.in_hand() {
            if asked < token.renew_at {
                return Ok(token);
            }
            let Ok(mut turn) = self.turn.try_lock() else { return Ok(token) };
            if turn.as_ref().is_some_and(|failure| failure.at.elapsed() < PAUSE) {
                return Ok(token);
            }
            return Ok(Box::pin(self.fetch(connector, &mut turn)).await.unwrap_or(token));
        }
        let mut turn = self.turn.lock().await;
        if let Some(token) = self.in_hand() {
            return Ok(token);
        }
        match &*turn {
            Some(failure) if failure.at >= asked || failure.at.elapsed() < PAUSE => {
                Err(failure.error.clone())
            }
            // Boxed: it is rare, and its state would be part of every request's.
            _ => Box::pin(self.fetch(connector, &mut turn)).await,
        }
    }

    /// The provider refused this token, whatever its life should be; true if there was one to
    /// forget, so that asking for another may help.
    pub fn forget(&self, refused: &Token) -> bool {
        let is_same = |token: &Arc<Token>| token.value == refused.value;
        let known = self.token.load_full().is_some_and(|token| is_same(&token));
        if known {
            self.replace(None);
        }
        known
    }

    /// What a provider could echo.
    pub fn sent(&self) -> impl Iterator<Item = Arc<Token>> {
        [self.token.load_full(), self.former.load_full()].into_iter().flatten()
    }

    fn in_hand(&self) -> Option<Arc<Token>> {
        self.token.load_full().filter(|token| token.is_good())
    }

    fn replace(&self, token: Option<Arc<Token>>) {
        if let Some(former) = self.token.swap(token) {
            self.former.store(Some(former));
        }
    }

    async fn fetch(
        &self,
        connector: &Connector,
        failure: &mut Option<Failure>,
    ) -> Result<Arc<Token>, GatewayError> {
        let fetched = match self.request() {
            Ok(request) => {
                let called =
                    side_call::call(connector, &self.service.upstream, request, FETCH_BOUNDS);
                called.await.map_err(|error| unreachable(&error)).and_then(|reply| read(&reply))
            }
            Err(error) => Err(error),
        };
        match fetched {
            Ok(token) => {
                *failure = None;
                let token = Arc::new(token);
                self.replace(Some(Arc::clone(&token)));
                Ok(token)
            }
            Err(error) => {
                let detail = error.detail.as_deref().unwrap_or_default();
                tracing::warn!(service = ?self.service.authority, detail, "no access token");
                *failure = Some(Failure { at: Instant::now(), error: error.clone() });
                Err(error)
            }
        }
    }

    fn request(&self) -> Result<(RequestHeader, Bytes), GatewayError> {
        let signing = || GatewayError::internal("the assertion could not be signed");
        let assertion = self.account.assertion(self.clock.unix_s()).ok_or_else(signing)?;
        let body = format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={}",
            assertion.expose()
        );
        let bad = |error: pingora::BError| GatewayError::internal(format!("token header: {error}"));
        let target = self.service.target.as_bytes();
        let mut header = RequestHeader::build_no_case("POST", target, Some(4)).map_err(bad)?;
        header.insert_header(HOST, &self.service.authority).map_err(bad)?;
        header.insert_header(CONTENT_TYPE, "application/x-www-form-urlencoded").map_err(bad)?;
        header.insert_header(CONTENT_LENGTH, body.len()).map_err(bad)?;
        header.insert_header(ACCEPT, "application/json").map_err(bad)?;
        Ok((header, Bytes::from(body)))
    }
}

/// What a token service answers, well or not.
#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    expires_in: Option<u64>,
    error: Option<String>,
    error_description: Option<String>,
}

fn read(reply: &side_call::Answer) -> Result<Token, GatewayError> {
    let status = reply.status;
    let Ok(answer) = serde_json::from_slice::<Answer>(&reply.body) else {
        return Err(refused(status, "no JSON"));
    };
    let Some(value) = answer.access_token.as_deref().and_then(bearer).filter(|_| status == 200)
    else {
        let words = [answer.error, answer.error_description];
        return Err(refused(status, &words.into_iter().flatten().collect::<Vec<_>>().join(": ")));
    };
    let now = Instant::now();
    let life = Duration::from_secs(answer.expires_in.unwrap_or(USUAL_LIFE_S).min(24 * 3600));
    let renew_after = life.saturating_sub(RENEW_AHEAD.min(life / 4));
    Ok(Token { value, renew_at: now + renew_after, expires_at: now + life })
}

fn refused(status: u16, words: &str) -> GatewayError {
    let words: String = words.chars().take(MAX_LOGGED_CHARS).collect();
    GatewayError::upstream(Kind::ProviderUnavailable, "the provider's token service refused")
        .with_detail(format!("token service: status {status}, {words}"))
}

fn unreachable(error: &SideCallError) -> GatewayError {
    let kind = match error {
        SideCallError::Late(_) => Kind::Timeout,
        _ => Kind::ProviderUnavailable,
    };
    GatewayError::upstream(kind, "the provider's token service could not be reached")
        .with_detail(format!("token service: {error}"))
}

#[cfg(test)]
#[path = "google_token/tests.rs"]
pub(super) mod tests;
