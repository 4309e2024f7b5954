//! The one loop: for each candidate dispatch, judge, respond.
//!
//! An exchange owns nothing but references to what admission decided; each attempt encodes the
//! request anew for its candidate, so that a fallback may speak another format.

mod answer;

use super::admit::Admitted;
use super::authorize;
use super::detach;
use super::dispatch::{self, Connection, Outgoing, UpstreamAnswer};
use super::downstream::Downstream;
use super::encode::{self, WayBack};
use super::failover::{self, Next, Tried};
use super::keep_alive::KeepAlive;
use super::media::Fetched;
use super::respond::{self, Broken, timed_out};
use super::settle::UsageGuard;
use super::state::{Services, Settings};
use crate::error::{Blame, GatewayError, Kind, Retry};
use crate::formats::{self, ApiFormat, Framing};
use crate::json::Body;
use crate::limits::Standing;
use crate::providers::{ProviderKey, UpstreamCall, classify, retry_after};
use crate::routing::Candidate;
use bytes::Bytes;
use pingora::connectors::http::Connector;
use std::sync::Arc;

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
    request_id: &'e str,
    back: WayBack,
    fetched: Fetched,
    connection: Connection,
    standing: Option<Standing>,
}

impl<'e> Exchange<'e> {
    /// An exchange for an admitted request.
    pub fn new(
        services: &'e Arc<Services>,
        settings: &'e Settings,
        admitted: &'e Admitted,
        request_id: &'e str,
    ) -> Self {
        Self {
            services,
            settings,
            admitted,
            request_id,
            back: WayBack::default(),
            fetched: Fetched::default(),
            connection: Connection::Kept,
            standing: None,
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
        let mut cursor = Cursor::default();
        loop {
            let admitted = self.admitted;
            let Some(candidate) = admitted.plan.candidates.get(cursor.candidate) else {
                return Err(GatewayError::internal("the plan has no candidate").into());
            };
            if let Err(refused) = guard.holds().enter_model(self.services, candidate) {
                // Nothing was sent: the next model is not another attempt.
                cursor.advance();
                if cursor.candidate < admitted.plan.candidates.len() {
                    continue;
                }
                return Err(refused.into());
            }
            guard.note_attempt(candidate);
            self.standing = guard.standing();
            if !matches!(admitted.job, Job::CountTokens(_)) {
                guard.open_record()?;
            }
            cursor.attempts += 1;
            let picked = candidate.provider.keys.next(&candidate.upstream_model, &cursor.keys);
            let key = picked.map(|(index, key)| {
                cursor.keys.push(index);
                key
            });
            self.connection =
                if cursor.replaced_stale { Connection::New } else { Connection::Kept };
            let attempt = self.attempt((candidate, key), (client, guard), &mut keep_alive);
            let Err(mut broken) = attempt.await else { return Ok(()) };
            broken.error = candidate.provider.masked(broken.error);
            self.count_failed_attempt(candidate, &broken.error);
            match failover::decide(&broken.error, self.tried(&cursor, candidate, (&broken, client)))
            {
                Next::SameEndpoint => {
                    cursor.replaced_stale = true;
                    cursor.keys.pop();
                }
                Next::OtherKey => {}
                Next::OtherEndpoint => {
                    cursor.advance();
                    self.count_failover(candidate, &cursor, broken.error.kind);
                }
                Next::GiveUp => return Err(broken),
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

    fn tried(
        &self,
        cursor: &Cursor,
        candidate: &Candidate,
        (broken, client): (&Broken, &Downstream<'_>),
    ) -> Tried {
        let keys = &candidate.provider.keys;
        Tried {
            attempts: cursor.attempts,
            max_attempts: self.settings.max_attempts,
            replaced_stale: cursor.replaced_stale,
            other_key: keys.next(&candidate.upstream_model, &cursor.keys).is_some(),
            other_endpoint: cursor.candidate + 1 < self.admitted.plan.candidates.len(),
            relayed: broken.relayed || client.departure().is_some(),
        }
    }

    fn count_failover(&self, from: &Candidate, cursor: &Cursor, reason: Kind) {
        if let Some(to) = self.admitted.plan.candidates.get(cursor.candidate) {
            let names = (&*from.provider.slug, &*to.provider.slug);
            self.services.metrics.count_failover(names.0, names.1, reason.name());
        }
    }

    fn count_failed_attempt(&self, candidate: &Candidate, error: &GatewayError) {
        if error.blame == Blame::Upstream {
            self.services.metrics.count_attempt(&candidate.provider.slug, error.kind.name());
            tracing::warn!(
                request_id = self.request_id,
                provider = &*candidate.provider.slug,
                kind = error.kind.name(),
                detail = error.detail.as_deref().unwrap_or_default(),
                "upstream attempt failed"
            );
        }
    }

    async fn attempt(
        &mut self,
        (candidate, key): (&Candidate, Option<&ProviderKey>),
        (client, guard): (&mut Downstream<'_>, &mut UsageGuard),
        keep_alive: &mut KeepAlive,
    ) -> Result<(), Broken> {
        if key.is_none() && !candidate.provider.keys.is_empty() {
            let text = "no key of the provider may be used for this model";
            return Err(GatewayError::upstream(Kind::ProviderUnavailable, text).into());
        }
        let body = self.encode(candidate).await?;
        let outgoing = self.outgoing((candidate, key), body)?;
        if guard.record().attempts == 1 {
            let spent = self.admitted.body_read.elapsed();
            self.services.metrics.observe_overhead("admit", spent);
        }
        let mut upstream = self.dispatch(&outgoing, client, keep_alive).await?;
        self.judge(candidate, &mut upstream).await?;
        self.services.metrics.count_attempt(&candidate.provider.slug, "ok");
        match self.admitted.job {
            Job::Chat { stream: Some(_), .. } => {
                respond::stream(self, client, guard, (candidate, upstream, keep_alive)).await
            }
            _ => respond::whole(self, client, guard, (candidate, upstream)).await,
        }
    }

    /// Sends the request and waits for the answer's header, watching the caller meanwhile.
    async fn dispatch(
        &self,
        outgoing: &Outgoing<'_>,
        client: &mut Downstream<'_>,
        keep_alive: &mut KeepAlive,
    ) -> Result<UpstreamAnswer, GatewayError> {
        let limit = outgoing.provider.timeouts.first_byte;
        let sending = tokio::time::timeout(limit, dispatch::send(self.connector(), outgoing));
        tokio::pin!(sending);
        loop {
            let due = keep_alive.due_at();
            let sleep = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                sent = &mut sending => {
                    return sent.unwrap_or_else(|_| Err(timed_out("the provider did not answer in time")));
                }
                gone = client.gone() => {
                    let Some(_permit) = detach::permit(self.services, outgoing.provider) else {
                        return Err(gone);
                    };
                    // What the provider bills all the same is read, and recorded as cancelled.
                    return sending.await.ok().and_then(Result::ok).ok_or(gone);
                }
                () = sleep => {
                    if !client.is_committed() {
                        client.write_header(self.stream_header()?).await?;
                    }
                    keep_alive.send(client).await?;
                }
            }
        }
    }

    /// An answer that is not a success becomes an error.
    async fn judge(
        &self,
        candidate: &Candidate,
        upstream: &mut UpstreamAnswer,
    ) -> Result<(), GatewayError> {
        let status = upstream.status;
        if status == 200 {
            let encoding = upstream.headers().and_then(|headers| headers.get("content-encoding"));
            return match encoding {
                Some(value) if value != "identity" => {
                    Err(respond::fault(formats::StreamFault::Malformed(
                        "the answer is compressed although this was not asked for".into(),
                    )))
                }
                _ => Ok(()),
            };
        }
        let now_s = self.services.clock.unix_s();
        let wait = upstream.headers().and_then(|headers| retry_after(headers, now_s));
        let body = upstream.read_error().await;
        if (200..400).contains(&status) {
            let text = "the provider's answer has an unexpected status";
            return Err(GatewayError::upstream(Kind::ProviderUnavailable, text)
                .with_detail(format!("status {status}")));
        }
        let format = candidate.provider.vendor.error_format(&candidate.upstream_model);
        let failure = formats::decode_error(format, status, &body);
        let error = classify(failure, wait);
        let renewable =
            status == 401 && authorize::refused(&candidate.provider, upstream.token.as_ref());
        Err(if renewable { error.with_retry(Retry::SameEndpoint) } else { error })
    }

    /// The body in the candidate's format; how to turn the answer back is kept.
    async fn encode(&mut self, candidate: &Candidate) -> Result<Body, GatewayError> {
        let place = (&**self.services, self.settings);
        let encoded = encode::encode(place, (self.admitted, candidate), &mut self.fetched).await?;
        self.back = encoded.back;
        let slug = &candidate.provider.slug;
        for name in &self.back.dropped {
            self.services.metrics.count_dropped_parameter(slug, name);
        }
        Ok(encoded.body)
    }

    fn outgoing<'o>(
        &self,
        (candidate, key): (&'o Candidate, Option<&'o ProviderKey>),
        body: Body,
    ) -> Result<Outgoing<'o>, GatewayError> {
        let provider = &candidate.provider;
        let (vendor, model) = (&provider.vendor, &*candidate.upstream_model);
        let (call, accept) = self.call(candidate);
        let path = vendor.path(call, model).ok_or_else(|| {
            GatewayError::client(
                Kind::InvalidRequest,
                format!("provider '{}' does not offer this operation", provider.slug),
            )
            .with_param("model")
        })?;
        let client = &self.admitted.client_headers;
        let body = vendor.body_edit(call, model, client).apply(body)?;
        Ok(Outgoing {
            provider,
            key,
            target: format!("{}{path}", provider.base_path),
            accept,
            headers: vendor.headers(client, model),
            body_len: body.len,
            body: body.pieces,
            connection: self.connection,
            at_s: self.services.clock.unix_s(),
        })
    }

    fn call(&self, candidate: &Candidate) -> (UpstreamCall, &'static str) {
        const JSON: &str = "application/json";
        let upstream = candidate.format();
        match self.admitted.job {
            Job::Embeddings => (UpstreamCall::Embeddings, JSON),
            Job::CountTokens(_) => (UpstreamCall::CountTokens, JSON),
            Job::Chat { stream: None, .. } => (UpstreamCall::Chat, JSON),
            Job::Chat { stream: Some(Framing::JsonArray), .. } if upstream == ApiFormat::Gemini => {
                (UpstreamCall::ChatArray, JSON)
            }
            Job::Chat { .. } => match candidate.provider.vendor.stream_framing() {
                Framing::EventStream => {
                    (UpstreamCall::ChatStream, "application/vnd.amazon.eventstream")
                }
                Framing::Sse | Framing::JsonArray => {
                    (UpstreamCall::ChatStream, "text/event-stream")
                }
            },
        }
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

    /// Id of the request.
    pub fn request_id(&self) -> &str {
        self.request_id
    }
}

/// Where the loop stands.
#[derive(Debug, Default)]
struct Cursor {
    candidate: usize,
    keys: Vec<usize>,
    attempts: usize,
    replaced_stale: bool,
}

impl Cursor {
    fn advance(&mut self) {
        self.candidate += 1;
        self.keys.clear();
        self.replaced_stale = false;
    }
}
