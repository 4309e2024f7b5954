//! One attempt: the request goes to one endpoint, its answer is judged, and relayed if it is one.
//!
//! Used by the loop of the exchange. Whatever fails before the caller got a byte comes back as an
//! error that says whether another attempt could help.

use super::super::authorize;
use super::super::detach;
use super::super::dispatch::{self, Connection, Outgoing, UpstreamAnswer};
use super::super::downstream::Downstream;
use super::super::encode;
use super::super::keep_alive::KeepAlive;
use super::super::respond::{self, Broken};
use super::super::settle::UsageGuard;
use super::target::Target;
use super::{Exchange, Job};
use crate::error::{GatewayError, Kind, Retry, TimeLimit};
use crate::formats::{self, ApiFormat, Framing};
use crate::json::Body;
use crate::providers::{ProviderKey, UpstreamCall, classify, retry_after};
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
        self.note_success(target, guard);
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
        self.judge(candidate, &mut upstream).await?;
        let provider = Arc::clone(&candidate.provider.slug);
        self.answering = Some((provider, guard.record().attempts));
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
        (outgoing, connection): (&Outgoing<'_>, Connection),
        client: &mut Downstream<'_>,
        keep_alive: &mut KeepAlive,
    ) -> Result<UpstreamAnswer, GatewayError> {
        // Who left before anything was sent, as while files were fetched, costs no call.
        if let Some(gone) = client.gone().now_or_never() {
            return Err(gone);
        }
        let deadline = self.deadline(outgoing.provider);
        let sending = dispatch::send(self.connector(), outgoing, connection);
        let sending = tokio::time::timeout_at(deadline.into(), sending);
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
                    let late = GatewayError::late(TimeLimit::Total);
                    return match sent {
                        Ok(Err(error)) if error.late.is_some() && Instant::now() >= deadline => {
                            Err(late)
                        }
                        Ok(sent) => sent,
                        Err(_) => Err(late),
                    };
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
        (candidate, key): (&'e Candidate, Option<&'e ProviderKey>),
        body: Body,
    ) -> Result<Outgoing<'e>, GatewayError> {
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
            provider,
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
