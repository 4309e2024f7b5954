//! An attempt up to its first content, as a thing of its own: it needs neither the caller nor the
//! exchange, and may go on without them.
//!
//! Used where two endpoints are asked at a time. Nothing is shown to the caller here, so whatever
//! fails may still be answered by the other one.

use super::dispatch::{self, Connection, Outgoing, UpstreamAnswer};
use super::judge::judge;
use super::respond::{self, MAX_ANSWER_BYTES};
use super::settle::UsageGuard;
use super::state::Services;
use super::stream_clock::StreamClock;
use crate::error::{GatewayError, Kind, Retry, TimeLimit};
use crate::formats::answer::{self, Answer, Calls};
use crate::formats::tool_names::ToolNames;
use crate::formats::translator::Translator;
use crate::formats::{AnswerLabel, ApiFormat};
use crate::routing::Candidate;
use crate::usage::Outcome;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use std::time::Instant;

/// How a whole chat answer becomes the caller's.
#[derive(Debug)]
pub struct Relaying {
    /// The provider's format, and the caller's.
    pub formats: (ApiFormat, ApiFormat),
    /// What is written over the provider's words.
    pub label: AnswerLabel,
    /// Tools that the provider knows under another name.
    pub tools: ToolNames,
    /// Whether its calls of tools are judged.
    pub calls: Calls,
}

impl Relaying {
    /// The caller's answer.
    pub fn relay(&self, body: Bytes) -> Result<Answer, GatewayError> {
        answer::relay_renamed(self.formats, body, &self.label, (&self.tools, self.calls))
            .map_err(respond::fault)
    }
}

/// What the answer is read with.
pub enum Reading {
    /// A stream.
    Stream(Box<Translator>),
    /// A whole answer.
    Whole(Box<Relaying>),
}

/// A request on its way to one endpoint.
pub struct Opening {
    /// What lives as long as the process.
    pub services: Arc<Services>,
    /// The endpoint.
    pub candidate: Arc<Candidate>,
    /// What it is sent.
    pub outgoing: Outgoing,
    /// When its time is over.
    pub deadline: Instant,
    /// How its answer is read.
    pub reading: Reading,
}

/// An answer with its first content.
pub enum Begun {
    /// A stream.
    Stream(Box<BegunStream>),
    /// A whole answer.
    Whole(Box<BegunWhole>),
}

/// A stream of which the caller has seen nothing.
pub struct BegunStream {
    /// Where the rest comes from.
    pub upstream: UpstreamAnswer,
    /// What reads it.
    pub translator: Translator,
    /// Its time limits.
    pub clock: StreamClock,
    /// What is to be shown of it so far.
    pub output: Bytes,
    /// Whether that is all.
    pub is_over: bool,
}

/// A whole answer that was read.
pub struct BegunWhole {
    /// Its connection.
    pub upstream: UpstreamAnswer,
    /// The caller's answer.
    pub answer: Answer,
}

impl Opening {
    /// Asks, and waits for the first content.
    pub async fn run(self) -> Result<Begun, GatewayError> {
        let opened = tokio::time::timeout_at(self.deadline.into(), self.open()).await;
        opened.unwrap_or_else(|_| Err(GatewayError::late(TimeLimit::Total)))
    }

    async fn open(self) -> Result<Begun, GatewayError> {
        let request = (&*self.candidate, &self.outgoing);
        let mut connection = Connection::Kept;
        let upstream = loop {
            match ask(&self.services, request, connection).await {
                // A connection that was dead, or a token that is refused, is replaced once.
                Err(error)
                    if error.retry == Retry::SameEndpoint && connection == Connection::Kept =>
                {
                    connection = Connection::New;
                }
                asked => break asked?,
            }
        };
        let timeouts = self.candidate.provider.timeouts;
        match self.reading {
            Reading::Stream(translator) => {
                let clock = StreamClock::start(timeouts, self.deadline);
                begin_stream(upstream, *translator, clock).await
            }
            Reading::Whole(relaying) => read_whole(upstream, &relaying, timeouts.idle).await,
        }
    }
}

async fn ask(
    services: &Services,
    (candidate, outgoing): (&Candidate, &Outgoing),
    connection: Connection,
) -> Result<UpstreamAnswer, GatewayError> {
    let mut upstream = dispatch::send(&services.connector, outgoing, connection).await?;
    judge(&services.clock, candidate, &mut upstream).await?;
    Ok(upstream)
}

async fn read_whole(
    mut upstream: UpstreamAnswer,
    relaying: &Relaying,
    idle: std::time::Duration,
) -> Result<Begun, GatewayError> {
    let read = upstream.read_all(MAX_ANSWER_BYTES, idle).await;
    match read.and_then(|body| relaying.relay(body)) {
        Ok(answer) => Ok(Begun::Whole(Box::new(BegunWhole { upstream, answer }))),
        Err(error) => {
            upstream.abandon().await;
            Err(error)
        }
    }
}

/// Reads until there is content, or the answer is over.
async fn begin_stream(
    mut upstream: UpstreamAnswer,
    mut translator: Translator,
    mut clock: StreamClock,
) -> Result<Begun, GatewayError> {
    let mut output = BytesMut::new();
    let is_over = loop {
        match next_part(&mut upstream, &mut translator, &mut clock).await {
            Ok((part, is_over)) => {
                output.extend_from_slice(&part);
                if is_over || translator.observed().saw_content {
                    break is_over;
                }
            }
            Err(error) => {
                upstream.abandon().await;
                return Err(error);
            }
        }
    };
    let output = output.freeze();
    Ok(Begun::Stream(Box::new(BegunStream { upstream, translator, clock, output, is_over })))
}

/// The next part for the caller, and whether it is the last one.
async fn next_part(
    upstream: &mut UpstreamAnswer,
    translator: &mut Translator,
    clock: &mut StreamClock,
) -> Result<(Bytes, bool), GatewayError> {
    let read = tokio::time::timeout_at(clock.silence_ends().into(), upstream.read()).await;
    match read.unwrap_or_else(|_| Err(GatewayError::late(clock.missed_limit()))) {
        Ok(Some(chunk)) => {
            clock.note_chunk();
            let part = translator.push(chunk).map_err(respond::fault)?;
            Ok((part, translator.observed().ended))
        }
        Ok(None) => translator.finish().map(|last| (last, true)).map_err(respond::fault),
        // A connection that breaks after the answer was complete is no loss.
        Err(error) if error.late.is_some() => Err(error),
        Err(error) => translator.finish().map(|last| (last, true)).map_err(|_| error),
    }
}

impl Begun {
    /// Nobody waits for it any more, but the provider bills it: reads it to its end and records
    /// what it took.
    pub async fn read_on(self, mut guard: UsageGuard) {
        match self {
            Self::Stream(begun) if !begun.is_over => {
                let BegunStream { upstream, translator, .. } = *begun;
                return super::detach::read_to_end((upstream, translator), guard).await;
            }
            Self::Stream(begun) => guard.observe(begun.translator.observed()),
            Self::Whole(begun) => guard.observe(&begun.answer.observed),
        }
        guard.settle(Outcome::Cancelled, Kind::ClientClosed.status(), None);
    }
}
