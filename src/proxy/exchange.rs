//! The one loop: for each target dispatch, judge, respond.
//!
//! An exchange owns nothing but references to what admission decided; each attempt encodes the
//! request anew for its candidate, so that a fallback may speak another format. `exchange/target.rs`
//! says who is asked next, `exchange/attempt.rs` asks, `exchange/answer.rs` knows what the caller's
//! answer carries; `exchange/race.rs` asks two at a time where that is wanted.

mod answer;
mod attempt;
pub(super) mod metadata;
mod race;
pub(super) mod refusal;
mod target;

use super::admit::Admitted;
use super::downstream::Downstream;
use super::encode::{self, WayBack};
use super::failover::{self, Failures, Next};
use super::media::Fetched;
use super::respond::{self, Broken};
use super::settle::UsageGuard;
use super::state::{Services, Settings};
use super::steer::Steering;
use crate::auth::ApiKey;
use crate::error::{Blame, GatewayError};
use crate::formats::{self, ApiFormat, Framing};
use crate::limits::Standing;
use crate::providers::{Provider, UpstreamCall};
use crate::routing::Candidate;
use bytes::Bytes;
use pingora::connectors::http::Connector;
use std::sync::Arc;
use std::time::Instant;
use target::{Asked, Cursor};

/// What is to be done with the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// A chat answer.
    Chat {
        /// The caller's format.
        client: ApiFormat,
        /// How the answer is streamed; `None` = whole.
        stream: Option<Framing>,
    },
    /// Embeddings, in OpenAI's format.
    Embeddings,
    /// A token count, for a provider of the caller's own format.
    CountTokens(ApiFormat),
}

/// One admitted request on its way to an answer.
pub struct Exchange<'e> {
    services: &'e Arc<Services>,
    settings: &'e Settings,
    admitted: &'e Admitted,
    key: &'e ApiKey,
    request_id: &'e str,
    back: WayBack,
    fetched: Fetched,
    standing: Option<Standing>,
    /// Who answers, and after how many attempts, as soon as that is known.
    answering: Option<(Arc<str>, u32)>,
    /// Whether the caller wants to know how its request found its way.
    tells_metadata: bool,
}

impl<'e> Exchange<'e> {
    /// An exchange for an admitted request.
    pub fn new(
        (services, settings): (&'e Arc<Services>, &'e Settings),
        (admitted, key): (&'e Admitted, &'e ApiKey),
        request_id: &'e str,
    ) -> Self {
        Self {
            services,
            settings,
            admitted,
            key,
            request_id,
            back: WayBack::default(),
            fetched: Fetched::default(),
            standing: None,
            answering: None,
            tells_metadata: false,
        }
    }

    /// Runs to the end: an answer was written, or the error says why not. The error is written by
    /// the caller of this function unless the stream was already committed.
    pub async fn run(
        &mut self,
        client: &mut Downstream<'_>,
        guard: &mut UsageGuard,
    ) -> Result<(), Broken> {
        self.standing = guard.standing();
        if let Some(counted) = self.count_here()? {
            return respond::here(self, client, guard, counted).await;
        }
        let mut keep_alive = self.keep_alive();
        let mut cursor = Cursor::new(&self.admitted.plan);
        let mut failures = Failures::default();
        loop {
            let next = self.next_target(&mut cursor, guard, &mut failures).await?;
            let Some(mut target) = next else { return Err(failures.verdict().into()) };
            self.count_failover(&cursor, target.candidate);
            let mut asked = target.asked();
            let ended = match self.hedge_for(asked, &cursor, guard) {
                None => self.attempt(&mut target, (client, guard), &mut keep_alive).await,
                Some(hedge) => {
                    let place = (target, &mut asked, &mut cursor, &mut failures);
                    Box::pin(self.race(place, hedge, (client, guard), &mut keep_alive)).await
                }
            };
            let Err(broken) = ended else { return Ok(()) };
            let error = asked.candidate.provider.masked(broken.error);
            self.note_failure(asked, guard, &error);
            if !broken.relayed {
                guard.note_failed_attempt(&error);
            }
            let relayed = broken.relayed || client.departure().is_some();
            let next = failover::decide(&error, cursor.standing(relayed), &self.settings.failover);
            cursor.note_failure(error.kind);
            failures.note_attempt(error);
            match next {
                Next::OtherKey => {}
                Next::OtherEndpoint => cursor.leave_endpoint(),
                Next::OtherModel => cursor.leave_model(),
                Next::GiveUp => {
                    return Err(Broken { error: failures.verdict(), relayed: broken.relayed });
                }
            }
        }
    }

    /// The answer to a token count that no provider of the caller's API can give.
    fn count_here(&self) -> Result<Option<Bytes>, GatewayError> {
        let Job::CountTokens(client) = self.admitted.job else { return Ok(None) };
        let native = |candidate: &Arc<Candidate>| {
            let (vendor, model) = (&candidate.provider.vendor, &candidate.upstream_model);
            candidate.format() == client && vendor.path(UpstreamCall::CountTokens, model).is_some()
        };
        let may_be_asked = !encode::carries_foreign(client, self.admitted);
        if may_be_asked && self.admitted.plan.candidates.iter().all(native) {
            return Ok(None);
        }
        Ok(Some(formats::estimate::count_answer(client, &self.admitted.body)?))
    }

    /// Counts a request that goes on to another endpoint.
    fn count_failover(&self, cursor: &Cursor<'_>, to: &Candidate) {
        if let Some((from, reason)) = cursor.came_from() {
            let names = (&*from.provider.slug, &*to.provider.slug);
            self.services.metrics.count_failover(names.0, names.1, reason.name());
        }
    }

    fn note_success(&self, asked: Asked<'_>, guard: &mut UsageGuard) {
        let slug = &*asked.candidate.provider.slug;
        self.services.metrics.count_attempt(slug, "ok");
        if let Some(permit) = guard.take_permit() {
            let health = &self.services.health;
            let (used, sample) = ((permit, asked.key()), guard.sample());
            health.provider(slug).note_answered(used, sample, health.now_ms());
        }
    }

    fn note_failure(&self, asked: Asked<'_>, guard: &mut UsageGuard, error: &GatewayError) {
        let provider = &*asked.candidate.provider.slug;
        self.services.metrics.count_attempt(provider, error.kind.name());
        if let Some(permit) = guard.take_permit() {
            let health = &self.services.health;
            let used = (permit, asked.key());
            health.provider(provider).note_failed(used, error, health.now_ms());
        }
        if let Some(limit) = error.late {
            self.services.metrics.count_timeout(provider, limit);
        }
        if error.blame == Blame::Upstream {
            tracing::warn!(
                request_id = self.request_id,
                provider,
                model = &*asked.candidate.canonical,
                kind = error.kind.name(),
                limit = error.late.map(crate::error::TimeLimit::name),
                detail = error.detail.as_deref().unwrap_or_default(),
                "upstream attempt failed"
            );
        }
    }

    /// When the request has taken as long as it may at this provider, all attempts together.
    pub fn deadline(&self, provider: &Provider) -> Instant {
        self.admitted.body_read + provider.timeouts.total
    }

    /// How the answer is turned back into the caller's terms.
    pub fn way_back(&self) -> &WayBack {
        &self.back
    }

    /// What lives as long as the process.
    pub fn services(&self) -> &Arc<Services> {
        self.services
    }

    /// The connector of the gateway.
    pub fn connector(&self) -> &Connector {
        &self.services.connector
    }

    /// What is done with the body.
    pub fn job(&self) -> &Job {
        &self.admitted.job
    }

    /// What the answer is to be learned from for.
    pub fn steering(&self) -> &Steering {
        &self.admitted.steering
    }

    /// The tools of the request, in the client's JSON.
    pub fn tools(&self) -> Option<&[u8]> {
        self.admitted.head.raw(&self.admitted.body, "tools")
    }

    /// Id of the request.
    pub fn request_id(&self) -> &str {
        self.request_id
    }
}
