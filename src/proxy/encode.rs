//! Phase 2, first half: the request in the format of the candidate's provider, and what is needed
//! to turn the answer back.
//!
//! A request that stays in its format is spliced, never read; every other one is read into neutral
//! terms and written anew for each attempt. What a format cannot say is named, or refused where the
//! caller demanded it.

use super::admit::Admitted;
use super::exchange::Job;
use super::media::Fetched;
use super::state::{Services, Settings};
use crate::error::{GatewayError, Kind, Retry};
use crate::formats::tool_names::ToolNames;
use crate::formats::{self, ApiFormat, Target, embeddings, passthrough};
use crate::json::Body;
use crate::routing::Candidate;
use std::borrow::Cow;

/// A request as one provider gets it.
#[derive(Debug)]
pub struct Encoded {
    /// The body.
    pub body: Body,
    /// How to turn the answer back.
    pub back: WayBack,
}

/// What the answer to an encoded request is turned back with.
#[derive(Debug, Default)]
pub struct WayBack {
    /// Tools that the provider knows under another name or shape.
    pub tools: ToolNames,
    /// What the answer to an embeddings request must look like.
    pub embeddings: Option<embeddings::Expected>,
    /// The client's fields that the provider's format cannot express.
    pub dropped: Vec<Cow<'static, str>>,
    /// Whether the client wants no reasoning text.
    pub hides_reasoning: bool,
}

/// Writes the request for a candidate.
pub async fn encode(
    (services, settings): (&Services, &Settings),
    (admitted, candidate): (&Admitted, &Candidate),
    fetched: &mut Fetched,
) -> Result<Encoded, GatewayError> {
    let upstream = candidate.format();
    let encoded = match &admitted.job {
        Job::Embeddings => embeddings(admitted, candidate)?,
        Job::CountTokens(client) if *client == upstream => same_format(admitted, candidate),
        Job::Chat { client, .. } if *client == upstream && !carries_foreign(*client, admitted) => {
            same_format(admitted, candidate)
        }
        Job::CountTokens(_) => {
            return Err(GatewayError::internal("a foreign count was dispatched"));
        }
        Job::Chat { client, .. } => {
            let media = (services, settings, fetched);
            translated(*client, (admitted, candidate), media).await?
        }
    };
    refuse_loss(admitted, candidate, &encoded.back.dropped)?;
    Ok(encoded)
}

fn embeddings(admitted: &Admitted, candidate: &Candidate) -> Result<Encoded, GatewayError> {
    let upstream = candidate.format();
    let model = &candidate.upstream_model;
    let prepared = embeddings::encode_request(upstream, &admitted.body, model)?;
    let (body, dropped) = (prepared.request.body, prepared.request.dropped);
    let back = WayBack { embeddings: Some(prepared.expected), dropped, ..WayBack::default() };
    Ok(Encoded { body: Body { len: body.len(), pieces: vec![body] }, back })
}

/// Whether the conversation holds what another maker signed, which no provider would accept: it
/// has to be read to be taken out. OpenAI's chat format names the maker beside every signature.
pub fn carries_foreign(client: ApiFormat, admitted: &Admitted) -> bool {
    client != ApiFormat::OpenAiChat && formats::carried::is_carried_in(&admitted.body)
}

fn same_format(admitted: &Admitted, candidate: &Candidate) -> Encoded {
    let stream = matches!(admitted.job, Job::Chat { stream: Some(_), .. });
    let (upstream, target) = target(admitted, candidate);
    let edit = passthrough::RequestEdit { model: target.model, stream, dialect: target.dialect };
    let (body, head) = (&admitted.body, &admitted.head);
    let rewritten = passthrough::rewrite_request(upstream, body, head, edit);
    let back = WayBack {
        dropped: rewritten.dropped,
        hides_reasoning: admitted.exclude_reasoning,
        ..WayBack::default()
    };
    Encoded { body: rewritten.body, back }
}

/// The candidate as a format sees it.
fn target<'a>(admitted: &Admitted, candidate: &'a Candidate) -> (ApiFormat, Target<'a>) {
    let target = Target {
        max_output_tokens: candidate.max_completion_tokens,
        stream: matches!(admitted.job, Job::Chat { stream: Some(_), .. }),
        dialect: candidate.provider.dialect,
        ..Target::new(&candidate.upstream_model)
    };
    (candidate.format(), target)
}

async fn translated(
    client: ApiFormat,
    (admitted, candidate): (&Admitted, &Candidate),
    (services, settings, fetched): (&Services, &Settings, &mut Fetched),
) -> Result<Encoded, GatewayError> {
    let (upstream, target) = target(admitted, candidate);
    let mut request = formats::decode_request(client, &admitted.body)?;
    let fetching = (&services.connector, &settings.media);
    fetched.inline(&mut request, (upstream, target), fetching).await?;
    let written = formats::encode_request(upstream, &request, target)
        .map_err(|error| GatewayError::from(error).with_retry(Retry::OtherEndpoint))?;
    let back = WayBack {
        tools: ToolNames::of(upstream, &request, target),
        embeddings: None,
        dropped: written.dropped,
        hides_reasoning: admitted.exclude_reasoning || request.reasoning.exclude,
    };
    Ok(Encoded { body: Body { len: written.body.len(), pieces: vec![written.body] }, back })
}

/// A caller may demand that nothing it said is lost; then another endpoint is tried.
fn refuse_loss(
    admitted: &Admitted,
    candidate: &Candidate,
    dropped: &[Cow<'static, str>],
) -> Result<(), GatewayError> {
    let Some(first) = dropped.first().filter(|_| admitted.requires_parameters) else {
        return Ok(());
    };
    let slug = &candidate.provider.slug;
    let text = format!("provider '{slug}' does not support: {}", dropped.join(", "));
    Err(GatewayError::client(Kind::InvalidRequest, text)
        .with_param(first.clone())
        .with_retry(Retry::OtherEndpoint))
}
