//! Writes a neutral request as a chat body for OpenAI or a provider that imitates it.
//!
//! Called through `formats::encode_request`. How the provider differs is read from the target's
//! dialect, never from its name. What it cannot be told is named in `dropped`, or refused before
//! anything is sent when leaving it out would change what is asked.

mod body;
mod calls;
mod messages;
mod parts;
mod reasoning;
mod shape;
mod tools;

#[cfg(test)]
mod recordings;
#[cfg(test)]
mod tests;

use crate::chat::Request;
use crate::formats::{EncodedRequest, FormatError, Target};
use body::Body;
use serde::Serialize;
use std::borrow::Cow;

/// Longest text that names an end user: OpenAI refuses a longer one.
const MAX_USER_CHARS: usize = 64;

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// Writes the request for the target; the error names the field that cannot be expressed.
pub fn encode(request: &Request<'_>, target: Target<'_>) -> Result<EncodedRequest, FormatError> {
    let mut body = Body::new(target);
    body.put("model", target.model)?;
    let shape = shape::plan(&request.response_format, &body);
    let conversation = messages::write(request, shape.instruction.as_deref(), &mut body)?;
    body.put("messages", &conversation)?;
    body.put_some("response_format", shape.format.as_ref())?;
    if shape.worded {
        body.lose("response_format");
    }
    tools::write(request, &mut body)?;
    settings(request, &mut body)?;
    reasoning::write(request.reasoning, &mut body)?;
    end_user(request, &mut body)?;
    if target.stream {
        body.put("stream", &true)?;
        if target.dialect.stream_options {
            body.put("stream_options", &StreamOptions { include_usage: true })?;
        }
    }
    body.lost.extend(request.unmapped.iter().map(|name| Cow::Owned(name.to_string())));
    Ok(body.finish())
}

fn settings(request: &Request<'_>, body: &mut Body<'_>) -> Result<(), FormatError> {
    let sampling = &request.sampling;
    body.put_some("max_completion_tokens", request.max_tokens.as_ref())?;
    body.put_some("temperature", sampling.temperature.as_ref())?;
    body.put_some("top_p", sampling.top_p.as_ref())?;
    match sampling.top_k {
        Some(_) if !body.dialect.top_k => body.lose("top_k"),
        top_k => body.put_some("top_k", top_k.as_ref())?,
    }
    body.put_some("frequency_penalty", sampling.frequency_penalty.as_ref())?;
    body.put_some("presence_penalty", sampling.presence_penalty.as_ref())?;
    body.put_some("seed", sampling.seed.as_ref())?;
    // One alternative is what a provider that knows no number gives.
    let n = sampling.n.filter(|&n| n != 1 || body.takes("n"));
    body.put_some("n", n.as_ref())?;
    body.put_some("logprobs", sampling.logprobs.as_ref())?;
    body.put_some("top_logprobs", sampling.top_logprobs.as_ref())?;
    stops(request, body)?;
    body.put_some("service_tier", request.service_tier.as_ref())?;
    body.put_some("verbosity", request.verbosity.as_ref())?;
    body.put_some("metadata", request.metadata.as_ref())?;
    body.put_some("prompt_cache_key", request.prompt_cache_key.as_ref())?;
    body.put_some("web_search_options", request.web_search.as_ref())?;
    if request.modalities.iter().any(|modality| modality != "text") {
        body.put("modalities", &request.modalities)?;
    }
    body.put_some("audio", request.audio.as_ref())
}

fn stops(request: &Request<'_>, body: &mut Body<'_>) -> Result<(), FormatError> {
    let kept = request.stop.get(..body.dialect.max_stops).unwrap_or(&request.stop);
    if kept.len() < request.stop.len() {
        body.lose("stop");
    }
    match kept {
        [] => Ok(()),
        kept => body.put("stop", kept),
    }
}

/// Both of OpenAI's names for the end user: the older one is the one that imitators know.
fn end_user(request: &Request<'_>, body: &mut Body<'_>) -> Result<(), FormatError> {
    let Some(user) = request.user.as_deref() else { return Ok(()) };
    let user: String = user.chars().take(MAX_USER_CHARS).collect();
    if body.takes("safety_identifier") {
        body.put("safety_identifier", &user)?;
        return if body.takes("user") { body.put("user", &user) } else { Ok(()) };
    }
    body.put("user", &user)
}
