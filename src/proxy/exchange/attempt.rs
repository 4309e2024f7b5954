//! One attempt: the request goes to one endpoint, its answer is judged, and relayed if it is one.
//!
//! Used by the loop of the exchange. Whatever fails before the caller got a byte comes back as an
//! error that says whether another attempt could help.

use super::super::detach;
use super::super::dispatch::{self, Connection, Outgoing, UpstreamAnswer};
use super::super::downstream::Downstream;
use super::super::encode;
use super::super::judge::judge;
use super::super::keep_alive::KeepAlive;
use super::super::respond::{self, Broken};
use super::super::settle::UsageGuard;
use super::target::Target;
use super::{Exchange, Job};
use crate::error::{GatewayError, Kind, Retry, TimeLimit};
use crate::formats::{ApiFormat, Framing};
use crate::json::Body;
use crate::providers::UpstreamCall;
use crate::routing::Candidate;
use futures::FutureExt;
use std::sync::Arc;
use std::time::Instant;

impl<'e> Exchange<'e> {
    /// Asks one endpoint. A connection that turns out to be dead, or a token that is refused, is
    /// replaced once: that is no attempt of its own.
    pub(super) async fn attempt(
        &mut self,
        target: &mut Target<'e>,
        (client, guard): (&mut Downstream<'_>, &mut UsageGuard),
        keep_alive: &mut KeepAlive,
    ) -> Result<(), Broken> {
        self.begin(target, guard)?;
        let mut connection = Connection::Kept;
        loop {
            let asked = self.ask(target, connection, (client, guard), keep_alive).await;
            let Err(broken) = asked else { break };
            let again = broken.error.retry == Retry::SameEndpoint
                && connection == Connection::Kept
                && !broken.relayed
                && client.departure().is_none();
            if !again {
                return Err(broken);
            }
            connection = Connection::New;
        }
        self.note_success(target.asked(), guard);
        Ok(())
    }

    /// Notes that the attempt begins, before anything is sent.
    pub(super) fn begin(
        &mut self,
        target: &mut Target<'e>,
        guard: &mut UsageGuard,
    ) -> Result<(), GatewayError> {
        self.answering = None;
        guard.note_attempt(target.candidate, target.permit.take());
        self.standing = guard.standing();
        if !matches!(self.admitted.job, Job::CountTokens(_)) {
            guard.open_record()?;
        }
        if guard.record().attempts == 1 {
            let spent = self.admitted.body_read.elapsed();
            self.services.metrics.observe_overhead("admit", spent);
        }
        Ok(())
    }

    async fn ask(
        &mut self,
        target: &Target<'e>,
        connection: Connection,
        (client, guard): (&mut Downstream<'_>, &mut UsageGuard),
        keep_alive: &mut KeepAlive,
    ) -> Result<(), Broken> {
        let candidate = target.candidate;
        let mut upstream =
            self.dispatch((&target.outgoing, connection), client, keep_alive).await?;
        judge(&self.services.clock, candidate, &mut upstream).await?;
        let provider = Arc::clone(&candidate.provider.slug);
        self.answering = Some((provider, guard.record().attempts));
        match self.admitted.job {
            Job::Chat { stream: Some(_), .. } => {
                let begun = self.begun(candidate, upstream)?;
                respond::stream(self, client, guard, (candidate, begun, keep_alive)).await
            }
            _ => respond::whole(self, client, guard, (candidate, upstream)).await,
        }
    }

    /// Sends the request and waits for the answer's header, watching the caller meanwhile.
    async fn dispatch(
        &self,
        (outgoing, connection): (&Outgoing, Connection),
        client: &mut Downstream<'_>,
        keep_alive: &mut KeepAlive,
    ) -> Result<UpstreamAnswer, GatewayError> {
        // Who left before anything was sent, as while files were fetched, costs no call.
        if let Some(gone) = client.gone().now_or_never() {
            return Err(gone);
        }
        let deadline = self.deadline(&outgoing.provider);
        // On the heap, because what waits here is larger than everything that comes after it.
        let sending = Box::pin(dispatch::send(self.connector(), outgoing, connection));
        let mut sending = std::pin::pin!(tokio::time::timeout_at(deadline.into(), sending));
        match self.attend((client, keep_alive), &mut sending).await {
            Ok(Ok(Err(error))) if error.late.is_some() && Instant::now() >= deadline => {
                Err(GatewayError::late(TimeLimit::Total))
            }
            Ok(Ok(sent)) => sent,
            Ok(Err(_)) => Err(GatewayError::late(TimeLimit::Total)),
            Err(gone) => {
                let Some(_permit) = detach::permit(self.services, &outgoing.provider) else {
                    return Err(gone);
                };
                // What the provider bills all the same is read, and recorded as cancelled.
                sending.await.ok().and_then(Result::ok).ok_or(gone)
            }
        }
    }

    /// Waits for work that the caller waits for, with signs of life; the error says that the
    /// caller left.
    pub(super) async fn attend<T>(
        &self,
        (client, keep_alive): (&mut Downstream<'_>, &mut KeepAlive),
        work: impl Future<Output = T>,
    ) -> Result<T, GatewayError> {
        tokio::pin!(work);
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
                done = &mut work => return Ok(done),
                gone = client.gone() => return Err(gone),
                () = sleep => {
                    if !client.is_committed() {
                        client.write_header(self.stream_header()?).await?;
                    }
                    keep_alive.send(client).await?;
                }
            }
        }
    }

    /// The body in the candidate's format; how to turn the answer back is kept.
    pub(super) async fn encode(&mut self, candidate: &Candidate) -> Result<Body, GatewayError> {
        let place = (&**self.services, self.settings);
        let encoded = encode::encode(place, (self.admitted, candidate), &mut self.fetched).await?;
        self.back = encoded.back;
        let slug = &candidate.provider.slug;
        for name in &self.back.dropped {
            self.services.metrics.count_dropped_parameter(slug, name);
        }
        Ok(encoded.body)
    }

    /// The request as it goes to the candidate.
    pub(super) fn outgoing(
        &self,
        (candidate, key): (&Candidate, Option<usize>),
        body: Body,
    ) -> Result<Outgoing, GatewayError> {
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
        let is_whole_chat = matches!(self.admitted.job, Job::Chat { stream: None, .. });
        let limits = &provider.timeouts;
        Ok(Outgoing {
            provider: Arc::clone(provider),
            key,
            target: format!("{}{path}", provider.base_path),
            accept,
            headers: vendor.headers(client, model),
            body_len: body.len,
            body: body.pieces,
            first_byte: if is_whole_chat { limits.whole_first_byte } else { limits.first_byte },
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
}
