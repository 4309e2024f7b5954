//! Phase 4: the answer of the provider becomes the answer to the caller.
//!
//! Nothing is released before the first content, so that a failure until then can still be
//! answered by another endpoint; after that nothing is taken back, and a failure becomes an error
//! event in the caller's format. The record is settled before the last byte goes out.

use super::detach;
use super::dispatch::UpstreamAnswer;
use super::downstream::{Downstream, End};
use super::exchange::{Exchange, Job};
use super::keep_alive::KeepAlive;
use super::opening::{BegunStream, BegunWhole};
use super::settle::UsageGuard;
use super::stream_clock::StreamClock;
use crate::error::{GatewayError, Kind, TimeLimit};
use crate::formats::answer::Answer;
use crate::formats::translator::Translator;
use crate::formats::{StreamFault, embeddings};
use crate::providers::classify;
use crate::routing::Candidate;
use crate::usage::Outcome;
use bytes::{Bytes, BytesMut};

/// Largest whole answer that is read.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// How far an attempt to answer got when it failed.
#[derive(Debug)]
pub struct Broken {
    /// Why.
    pub error: GatewayError,
    /// Whether the caller got a byte of the provider's answer.
    pub relayed: bool,
}

impl From<GatewayError> for Broken {
    fn from(error: GatewayError) -> Self {
        Self { error, relayed: false }
    }
}

/// Relays a whole answer.
pub async fn whole(
    exchange: &Exchange<'_>,
    client: &mut Downstream<'_>,
    guard: &mut UsageGuard,
    (candidate, mut upstream): (&Candidate, UpstreamAnswer),
) -> Result<(), Broken> {
    let (body, gone) = match read_whole(exchange, client, (candidate, &mut upstream)).await {
        Ok(read) => read,
        Err(error) => {
            upstream.abandon().await;
            return Err(error.into());
        }
    };
    let answer = relay(exchange, candidate, body)?;
    if let Some(gone) = gone {
        guard.observe(&answer.observed);
        guard.settle(Outcome::Cancelled, gone.kind.status(), Some(gone.kind));
        upstream.release(exchange.connector()).await;
        return Err(gone.into());
    }
    let begun = Box::new(BegunWhole { upstream, answer });
    answered(exchange, client, guard, (candidate, begun)).await
}

/// Sends a whole answer that was read and turned into the caller's.
pub async fn answered(
    exchange: &Exchange<'_>,
    client: &mut Downstream<'_>,
    guard: &mut UsageGuard,
    (candidate, begun): (&Candidate, Box<BegunWhole>),
) -> Result<(), Broken> {
    let BegunWhole { upstream, answer: mut relayed } = *begun;
    let calls = relayed.observed.tool_calls.take();
    guard.observe(&relayed.observed);
    guard.note_first_token();
    guard.settle(Outcome::Complete, 200, None);
    exchange.learn(candidate, &relayed.observed, calls);
    let body = exchange.annotated(relayed.body, (guard.record(), candidate));
    let header = exchange.whole_header(body.len())?;
    let written = async {
        client.write_header(header).await?;
        client.write(body, End::Yes).await
    }
    .await;
    upstream.release(exchange.connector()).await;
    written.map_err(|error| Broken { error, relayed: true })
}

/// Answers without a provider.
pub async fn here(
    exchange: &Exchange<'_>,
    client: &mut Downstream<'_>,
    guard: &mut UsageGuard,
    body: Bytes,
) -> Result<(), Broken> {
    guard.settle(Outcome::Complete, 200, None);
    client.write_header(exchange.whole_header(body.len())?).await?;
    client.write(body, End::Yes).await.map_err(|error| Broken { error, relayed: true })
}

/// Reads a whole answer. If the caller leaves meanwhile, it is read on only where the provider
/// bills it all the same; the error then says so besides the body.
async fn read_whole(
    exchange: &Exchange<'_>,
    client: &mut Downstream<'_>,
    (candidate, upstream): (&Candidate, &mut UpstreamAnswer),
) -> Result<(Bytes, Option<GatewayError>), GatewayError> {
    let read = upstream.read_all(MAX_ANSWER_BYTES, candidate.provider.timeouts.idle);
    let deadline = exchange.deadline(&candidate.provider).into();
    let mut reading = std::pin::pin!(tokio::time::timeout_at(deadline, read));
    let late = |_| Err(GatewayError::late(TimeLimit::Total));
    tokio::select! {
        biased;
        read = &mut reading => Ok((read.unwrap_or_else(late)?, client.departure())),
        gone = client.gone() => {
            let Some(_permit) = detach::permit(exchange.services(), &candidate.provider) else {
                return Err(gone);
            };
            Ok((reading.await.unwrap_or_else(late)?, Some(gone)))
        }
    }
}

fn relay(
    exchange: &Exchange<'_>,
    candidate: &Candidate,
    body: Bytes,
) -> Result<Answer, GatewayError> {
    match exchange.job() {
        Job::Embeddings => relay_embeddings(exchange, candidate, body).map_err(fault),
        Job::CountTokens(_) => Ok(Answer::opaque(body)),
        Job::Chat { client, .. } => exchange.relaying(candidate, *client).relay(body),
    }
}

fn relay_embeddings(
    exchange: &Exchange<'_>,
    candidate: &Candidate,
    body: Bytes,
) -> Result<Answer, StreamFault> {
    let Some(expected) = exchange.way_back().embeddings else {
        return Err(StreamFault::Malformed("embeddings were not asked for".into()));
    };
    let upstream = candidate.format();
    let label = exchange.label(candidate);
    let shown = label.model.as_deref().unwrap_or(&candidate.canonical);
    let label = (shown, label.charges.as_deref());
    let (body, usage) = embeddings::relay(upstream, body, expected, label)?;
    Ok(Answer::counted(body, usage))
}

/// Relays a stream from its beginning, or from where it was read to.
pub async fn stream(
    exchange: &Exchange<'_>,
    client: &mut Downstream<'_>,
    guard: &mut UsageGuard,
    (candidate, begun, keep_alive): (&Candidate, Box<BegunStream>, &mut KeepAlive),
) -> Result<(), Broken> {
    let BegunStream { upstream, translator, clock, output, is_over } = *begun;
    let (held, relayed) = (BytesMut::new(), false);
    let mut relay =
        Relay { exchange, candidate, client, guard, upstream, translator, held, relayed, clock };
    let ended = match relay.client.departure() {
        Some(gone) => Err(gone),
        None if is_over => relay.end_with(output).await,
        None => relay.pump(output, keep_alive).await,
    };
    let Relay { guard, upstream, translator, client, relayed, .. } = relay;
    guard.observe(translator.observed());
    match ended {
        Ok(()) => {
            upstream.release(exchange.connector()).await;
            Ok(())
        }
        Err(error) if error.kind == Kind::ClientClosed => {
            detach::client_left(exchange.services(), candidate, (upstream, translator), guard)
                .await;
            Err(Broken { error, relayed })
        }
        Err(error) => {
            upstream.abandon().await;
            let error = candidate.provider.masked(error);
            if relayed {
                finish_in_band(exchange, (client, translator, guard), &error).await;
            }
            Err(Broken { error, relayed })
        }
    }
}

/// Tells a caller who already reads the stream that it broke, and ends it properly.
async fn finish_in_band(
    exchange: &Exchange<'_>,
    (client, mut translator, guard): (&mut Downstream<'_>, Translator, &mut UsageGuard),
    error: &GatewayError,
) {
    guard.fail(error);
    let bytes = translator.fail(error, exchange.request_id());
    if let Err(gone) = client.write(bytes, End::Yes).await {
        tracing::debug!(error = %gone, "the client left before the error event");
    }
}

/// A stream on its way from the provider to the caller.
struct Relay<'r, 's, 'e> {
    exchange: &'r Exchange<'e>,
    candidate: &'r Candidate,
    client: &'r mut Downstream<'s>,
    guard: &'r mut UsageGuard,
    upstream: UpstreamAnswer,
    translator: Translator,
    held: BytesMut,
    relayed: bool,
    clock: StreamClock,
}

impl Relay<'_, '_, '_> {
    async fn pump(
        &mut self,
        output: Bytes,
        keep_alive: &mut KeepAlive,
    ) -> Result<(), GatewayError> {
        if self.translator.observed().saw_content {
            self.pass_on(output, keep_alive).await?;
        }
        loop {
            let wake = self.clock.next_wake(self.must_hold(), keep_alive);
            tokio::select! {
                biased;
                read = self.upstream.read() => match read {
                    Ok(Some(chunk)) => self.forward(chunk, keep_alive).await?,
                    Ok(None) => return self.end().await,
                    Err(error) => return self.broken_off(error).await,
                },
                gone = self.client.gone() => return Err(gone),
                () = tokio::time::sleep_until(wake.into()) => self.on_timer(keep_alive).await?,
            }
            if self.client.is_finished() {
                return Ok(());
            }
        }
    }

    /// Output is held back until there is content, unless the caller already reads the stream.
    fn must_hold(&self) -> bool {
        !self.relayed
    }

    async fn forward(
        &mut self,
        chunk: Bytes,
        keep_alive: &mut KeepAlive,
    ) -> Result<(), GatewayError> {
        self.clock.note_chunk();
        self.clock.check_total()?;
        let pushed = self.translator.push(chunk);
        let output = match pushed {
            Ok(output) => output,
            Err(fault_found) => {
                let before = self.translator.take_output();
                if self.relayed || self.translator.observed().saw_content {
                    self.release(before).await?;
                }
                return Err(fault(fault_found));
            }
        };
        self.pass_on(output, keep_alive).await
    }

    /// The whole answer is there, and nothing of it was shown.
    async fn end_with(&mut self, output: Bytes) -> Result<(), GatewayError> {
        if self.translator.observed().saw_content {
            self.guard.note_first_token();
        }
        self.finish(output).await
    }

    /// What the translator made of the answer goes on to the caller, once there is content.
    async fn pass_on(
        &mut self,
        output: Bytes,
        keep_alive: &mut KeepAlive,
    ) -> Result<(), GatewayError> {
        let observed = self.translator.observed();
        if observed.saw_content && self.clock.note_content() {
            self.guard.note_first_token();
        }
        if observed.ended {
            return self.finish(output).await;
        }
        if self.must_hold() && !observed.saw_content {
            self.held.extend_from_slice(&output);
            return Ok(());
        }
        if !output.is_empty() {
            keep_alive.note_sent();
        }
        self.release(output).await
    }

    /// Sends output, after what was held back.
    async fn release(&mut self, output: Bytes) -> Result<(), GatewayError> {
        let bytes = if self.held.is_empty() {
            output
        } else {
            self.held.extend_from_slice(&output);
            self.held.split().freeze()
        };
        if bytes.is_empty() {
            return Ok(());
        }
        self.commit().await?;
        self.relayed = true;
        self.client.write(bytes, End::No).await
    }

    async fn commit(&mut self) -> Result<(), GatewayError> {
        if self.client.is_committed() {
            return Ok(());
        }
        self.client.write_header(self.exchange.stream_header()?).await
    }

    /// The provider's end marker was seen: the record first, then the last bytes.
    async fn finish(&mut self, output: Bytes) -> Result<(), GatewayError> {
        let calls = self.translator.take_tool_calls();
        self.guard.observe(self.translator.observed());
        self.guard.settle(Outcome::Complete, 200, None);
        self.exchange.learn(self.candidate, self.translator.observed(), calls);
        let output = self.exchange.annotated_end(output, (self.guard.record(), self.candidate));
        self.held.extend_from_slice(&output);
        let last = self.held.split().freeze();
        self.commit().await?;
        self.relayed = true;
        self.client.write(last, End::Yes).await
    }

    /// The provider closed the stream.
    async fn end(&mut self) -> Result<(), GatewayError> {
        match self.translator.finish() {
            Ok(output) => self.finish(output).await,
            Err(fault_found) => {
                let before = self.translator.take_output();
                if self.relayed {
                    self.release(before).await?;
                }
                Err(fault(fault_found))
            }
        }
    }

    /// The connection broke. If the answer was already complete, that is no loss.
    async fn broken_off(&mut self, error: GatewayError) -> Result<(), GatewayError> {
        if let Ok(output) = self.translator.finish() {
            return self.finish(output).await;
        }
        let before = self.translator.take_output();
        if self.relayed {
            self.release(before).await?;
        }
        Err(error)
    }

    async fn on_timer(&mut self, keep_alive: &mut KeepAlive) -> Result<(), GatewayError> {
        self.clock.check()?;
        if self.must_hold() && self.clock.is_commit_due() && !self.held.is_empty() {
            return self.release(Bytes::new()).await;
        }
        if keep_alive.is_due() {
            self.commit().await?;
            keep_alive.send(self.client).await?;
        }
        Ok(())
    }
}

/// What a fault in a provider's answer means.
pub fn fault(found: StreamFault) -> GatewayError {
    match found {
        StreamFault::Upstream(failure) => classify(failure, None),
        StreamFault::Truncated => GatewayError::upstream(
            Kind::ProviderUnavailable,
            "the provider's answer ended before it was complete",
        ),
        StreamFault::Malformed(detail) => GatewayError::upstream(
            Kind::ProviderUnavailable,
            "the provider's answer could not be read",
        )
        .with_detail(detail),
        StreamFault::EventTooLarge => GatewayError::upstream(
            Kind::ProviderUnavailable,
            "an event of the provider's answer is larger than the limit",
        ),
    }
}
