//! What neither Anthropic's Messages nor Amazon Bedrock's Converse can say of a request.
//!
//! Used by the request encoders of both, which add what their own format lacks. Settings that only
//! tune are named as dropped; what would change the meaning of the answer is refused.

use super::FormatError;
use crate::chat::Request;
use crate::chat::request::Sampling;
use std::borrow::Cow;

/// Names of the client's fields that get lost.
pub(super) type Dropped = Vec<Cow<'static, str>>;

/// Refuses several alternatives and answers in anything but text.
pub(super) fn refuse_impossible(request: &Request<'_>) -> Result<(), FormatError> {
    if request.sampling.n.is_some_and(|n| n != 1) {
        return Err(FormatError::field("n", "this model gives one alternative only"));
    }
    if let Some(modality) = request.modalities.iter().find(|modality| *modality != "text") {
        return Err(FormatError::field(
            "modalities",
            format!("this model answers in text only, not in {modality}"),
        ));
    }
    Ok(())
}

/// Names the fields that are set and get lost: those that both formats lack, those of `own` that
/// are marked, and those that no format but the client's knows.
pub(super) fn lost_fields(request: &Request<'_>, own: &[(&'static str, bool)]) -> Dropped {
    let Sampling { frequency_penalty, presence_penalty, seed, logprobs, top_logprobs, .. } =
        request.sampling;
    let both = [
        ("frequency_penalty", frequency_penalty.is_some()),
        ("presence_penalty", presence_penalty.is_some()),
        ("seed", seed.is_some()),
        ("logprobs", logprobs == Some(true)),
        ("top_logprobs", top_logprobs.is_some()),
        ("verbosity", request.verbosity.is_some()),
        ("prompt_cache_key", request.prompt_cache_key.is_some()),
        ("audio", request.audio.is_some()),
        ("name", request.messages.iter().any(|message| message.name.is_some())),
    ];
    let set = both.iter().chain(own).filter(|(_, is_set)| *is_set);
    let named = set.map(|(name, _)| Cow::Borrowed(*name));
    let unmapped = request.unmapped.iter().map(|name| Cow::Owned(name.clone().into_owned()));
    named.chain(unmapped).collect()
}
