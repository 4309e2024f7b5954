//! What the caller's answer carries: its label, its cost, its header fields, its translator.
//!
//! Used by the exchange and by `respond`. Everything here follows from what was admitted and from
//! the endpoint that answers; nothing is decided.

use super::super::dispatch::UpstreamAnswer;
use super::super::keep_alive::KeepAlive;
use super::super::opening::{BegunStream, Relaying};
use super::super::stream_clock::StreamClock;
use super::super::tariff::Tariff;
use super::super::{limit, reject};
use super::{Exchange, Job};
use crate::error::GatewayError;
use crate::formats::answer::Calls;
use crate::formats::charge::Charges;
use crate::formats::translator::Translator;
use crate::formats::{self, AnswerLabel, ApiFormat, Framing, Shape};
use crate::routing::Candidate;
use bytes::Bytes;
use pingora::http::ResponseHeader;
use std::sync::Arc;

impl Exchange<'_> {
    /// What the gateway writes over the provider's words.
    pub fn label(&self, candidate: &Candidate) -> AnswerLabel {
        AnswerLabel {
            id: Arc::clone(&self.admitted.generation_id),
            model: self.admitted.shown.name(candidate),
            provider: Arc::clone(&candidate.provider.display_name),
            created_s: self.services.clock.unix_s(),
            include_usage: self.settings.always_stream_usage
                || self.admitted.wants_usage
                || self.admitted.shape == Shape::OpenRouter,
            exclude_reasoning: self.back.hides_reasoning,
            shape: self.admitted.shape,
            charges: self.charges(candidate),
        }
    }

    /// What the answer costs, for the formats that tell.
    fn charges(&self, candidate: &Candidate) -> Option<Arc<dyn Charges>> {
        use ApiFormat::{Completions, OpenAiChat, OpenAiResponses};
        let tells = match self.admitted.job {
            Job::Chat { client, .. } => {
                matches!(client, OpenAiChat | OpenAiResponses | Completions)
            }
            Job::Embeddings => true,
            Job::CountTokens(_) => false,
        };
        tells.then(|| -> Arc<dyn Charges> {
            Arc::new(Tariff::new(candidate, self.admitted.body.len()))
        })
    }

    /// A translator for the candidate's stream.
    pub fn translator(&self, candidate: &Candidate) -> Result<Translator, GatewayError> {
        let Job::Chat { client, stream: Some(framing) } = self.admitted.job else {
            return Err(GatewayError::internal("a stream was answered that nobody asked for"));
        };
        let upstream = candidate.format();
        let translator = Translator::new(upstream, client, framing, self.label(candidate))?;
        let translator = if self.admitted.steering.judges_tools {
            translator.with_tool_calls()
        } else {
            translator
        };
        let framing = candidate.provider.vendor.stream_framing();
        let translator = match framing {
            Framing::EventStream => translator.with_upstream_framing(framing),
            // A client of Gemini chooses between the two for both sides.
            Framing::Sse | Framing::JsonArray => translator,
        };
        Ok(translator.with_tool_names(self.back.tools.clone()))
    }

    /// How a whole chat answer of the candidate becomes the caller's.
    pub fn relaying(&self, candidate: &Candidate, client: ApiFormat) -> Relaying {
        Relaying {
            formats: (candidate.format(), client),
            label: self.label(candidate),
            tools: self.back.tools.clone(),
            calls: if self.admitted.steering.judges_tools {
                Calls::Gathered
            } else {
                Calls::Ignored
            },
        }
    }

    /// A stream of which nothing was read yet.
    pub(super) fn begun(
        &self,
        candidate: &Candidate,
        upstream: UpstreamAnswer,
    ) -> Result<Box<BegunStream>, GatewayError> {
        let deadline = self.deadline(&candidate.provider);
        Ok(Box::new(BegunStream {
            upstream,
            translator: self.translator(candidate)?,
            clock: StreamClock::start(candidate.provider.timeouts, deadline),
            output: Bytes::new(),
            is_over: false,
        }))
    }

    pub(super) fn keep_alive(&self) -> KeepAlive {
        let text = match self.admitted.job {
            Job::Chat { client, stream: Some(_) } => formats::keep_alive(client),
            _ => None,
        };
        KeepAlive::new(text, self.settings.keepalive_comment)
    }

    /// Header of a streamed answer.
    pub fn stream_header(&self) -> Result<ResponseHeader, GatewayError> {
        let media_type = match self.admitted.job {
            Job::Chat { stream: Some(Framing::JsonArray), .. } => "application/json",
            _ => "text/event-stream",
        };
        let mut header = self.header(media_type)?;
        insert(&mut header, "x-accel-buffering", "no")?;
        Ok(header)
    }

    /// Header of a whole answer.
    pub fn whole_header(&self, body_len: usize) -> Result<ResponseHeader, GatewayError> {
        let mut header = self.header("application/json")?;
        insert(&mut header, "content-length", &body_len.to_string())?;
        Ok(header)
    }

    fn header(&self, media_type: &'static str) -> Result<ResponseHeader, GatewayError> {
        let mut header = reject::header(200, media_type, self.request_id)?;
        insert(&mut header, "x-generation-id", &self.admitted.generation_id)?;
        limit::show(self.standing, &mut header)?;
        if let Some((provider, attempts)) = &self.answering {
            insert(&mut header, "x-arouter-provider", provider)?;
            insert(&mut header, "x-arouter-attempts", &attempts.to_string())?;
        }
        if let Some(dropped) = self.dropped_header() {
            insert(&mut header, "x-arouter-dropped", &dropped)?;
        }
        Ok(header)
    }

    /// An error as the only content of a stream of which keep-alives went out already.
    pub fn error_event(&self, error: &GatewayError) -> Bytes {
        let Job::Chat { client, stream: Some(framing) } = self.admitted.job else {
            return Bytes::new();
        };
        let label = self.admitted.plan.candidates.first().map(|candidate| self.label(candidate));
        label
            .and_then(|label| Translator::new(client, client, framing, label).ok())
            .map(|mut translator| translator.fail(error, self.request_id))
            .unwrap_or_default()
    }

    fn dropped_header(&self) -> Option<String> {
        let legal = |name: &str| name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
        let names: Vec<&str> = self
            .back
            .dropped
            .iter()
            .map(AsRef::as_ref)
            .filter(|name| legal(name))
            .take(50)
            .collect();
        (!names.is_empty()).then(|| names.join(","))
    }
}

fn insert(
    header: &mut ResponseHeader,
    name: &'static str,
    value: &str,
) -> Result<(), GatewayError> {
    header
        .insert_header(name, value)
        .map_err(|error| GatewayError::internal(format!("response header {name}: {error}")))
}
