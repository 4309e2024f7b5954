//! Reads a client's request into neutral terms, for providers of another format.
//!
//! Used by `formats::decode_request`; a request that stays in this format is never decoded. What
//! refers to something stored is refused, because nothing is stored here; what the neutral
//! vocabulary cannot say ends in `unmapped`, so that nothing is lost in silence.

mod content;
mod fields;
mod items;
mod settings;
mod tools;

use super::super::object::Object;
use crate::chat;
use crate::chat::message::{Part, Role};
use crate::chat::request::Sampling;
use crate::formats::FormatError;
use crate::formats::openai_chat::request::GATEWAY_FIELDS;
use fields::Fields;
use items::Conversation;
use std::borrow::Cow;

/// Reads the body of a request.
pub fn decode(body: &[u8]) -> Result<chat::Request<'_>, FormatError> {
    let object = Object::parse(body).map_err(|error| {
        FormatError::whole(format!("the request body is not a valid JSON object: {error}"))
    })?;
    let mut fields = Fields::root(object);
    for name in GATEWAY_FIELDS {
        fields.take(name);
    }
    refuse_stored(&mut fields)?;
    let mut conversation = Conversation::default();
    if let Some(text) = fields.text("instructions")?.filter(|text| !text.is_empty()) {
        conversation.say(Role::System, vec![Part::Text { text, cache: None }]);
    }
    conversation.read(fields.take("input"))?;
    let mut request = chat::Request {
        messages: conversation.messages,
        max_tokens: fields.count("max_output_tokens", 1)?,
        sampling: sampling(&mut fields)?,
        reasoning: settings::reasoning(&mut fields)?,
        user: settings::user(&mut fields)?,
        service_tier: fields.text("service_tier")?,
        metadata: fields.raw_object("metadata")?.map(Cow::Borrowed),
        prompt_cache_key: fields.text("prompt_cache_key")?,
        cache: content::cache_control(&mut fields)?,
        modalities: settings::modalities(&mut fields)?,
        stream: fields.boolean("stream")?.unwrap_or(false),
        ..chat::Request::default()
    };
    settings::text(&mut fields, &mut request)?;
    tools::read(&mut fields, &mut request)?;
    request.tools.extend(conversation.tools);
    settings::include(&mut fields, &mut request)?;
    unmapped(fields, &mut request)?;
    Ok(request)
}

/// What makes the request depend on the provider's memory.
fn refuse_stored(fields: &mut Fields<'_, '_>) -> Result<(), FormatError> {
    for name in ["previous_response_id", "conversation", "prompt"] {
        if fields.take(name).is_some() {
            let complaint = "refers to something stored, but nothing is stored here; send the whole conversation in `input`";
            return Err(fields.fault(name, complaint));
        }
    }
    if fields.boolean("background")? == Some(true) {
        return Err(fields.fault("background", "is not supported: answers are not stored"));
    }
    Ok(())
}

fn sampling(fields: &mut Fields<'_, '_>) -> Result<Sampling, FormatError> {
    Ok(Sampling {
        temperature: fields.number("temperature", 0.0, 2.0)?,
        top_p: fields.number("top_p", 0.0, 1.0)?,
        top_k: fields.count("top_k", 0)?,
        frequency_penalty: fields.number("frequency_penalty", -2.0, 2.0)?,
        presence_penalty: fields.number("presence_penalty", -2.0, 2.0)?,
        top_logprobs: fields.count("top_logprobs", 0)?,
        ..Sampling::default()
    })
}

/// Reports what is left, except for what merely repeats the default.
fn unmapped<'a>(
    mut fields: Fields<'a, '_>,
    request: &mut chat::Request<'a>,
) -> Result<(), FormatError> {
    if fields.boolean("store")? == Some(true) {
        request.unmapped.push(Cow::Borrowed("store"));
    }
    if fields.text("truncation")?.is_some_and(|word| word != "disabled") {
        request.unmapped.push(Cow::Borrowed("truncation"));
    }
    request.unmapped.extend(fields.rest());
    Ok(())
}

#[cfg(test)]
mod tests;
