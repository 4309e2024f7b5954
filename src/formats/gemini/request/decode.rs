//! Reads a client's `generateContent` request into neutral terms, for providers of another format.
//!
//! Used by `formats::decode_request` only; a request that stays in Gemini's format is never
//! decoded. Complaints name the field in Google's spelling. What only tunes the answer and has no
//! neutral meaning ends in `unmapped`; what would change the answer is refused. The model and
//! whether to stream are in the path, which the caller reads.

mod calls;
mod config;
mod contents;
mod fields;
mod media;
mod parts;
mod schema;
mod tools;

use crate::chat::Request;
use crate::formats::FormatError;
use crate::formats::openai_chat::request::GATEWAY_FIELDS;
use fields::{Fields, Path, begins};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Names of fields without a neutral meaning, each once.
#[derive(Debug, Default)]
struct Unmapped<'a>(Vec<Cow<'a, str>>);

impl<'a> Unmapped<'a> {
    fn name(&mut self, field: impl Into<Cow<'a, str>>) {
        let field = field.into();
        if !self.0.contains(&field) {
            self.0.push(field);
        }
    }

    /// Names what is left of an object that stands under `place`.
    fn rest(&mut self, place: &str, fields: Fields<'_, '_>) {
        for name in fields.rest() {
            self.name(format!("{place}.{name}"));
        }
    }
}

/// Reads the body of a request.
pub fn decode(body: &[u8]) -> Result<Request<'_>, FormatError> {
    let raw: &RawValue = serde_json::from_slice(body).map_err(|error| {
        FormatError::whole(format!("the request body is not valid JSON: {error}"))
    })?;
    let mut fields = Fields::new(raw, Path::Root)?;
    for name in GATEWAY_FIELDS {
        fields.take(name);
    }
    let mut request = Request::default();
    let mut unmapped = Unmapped::default();
    let cached = fields.text("cachedContent")?.filter(|name| !name.is_empty());
    if cached.is_some() {
        let complaint = "is not supported for this model: only Google holds that content";
        return Err(fields.fault("cachedContent", complaint));
    }
    let detail = config::read(&mut fields, &mut request, &mut unmapped)?;
    tools::read(&mut fields, &mut request, &mut unmapped)?;
    request.messages = contents::read(&mut fields, detail, &mut unmapped)?;
    request.metadata = labels(&mut fields)?;
    service_tier(&mut fields, &mut request, &mut unmapped)?;
    for name in fields.rest() {
        unmapped.name(name);
    }
    request.unmapped = unmapped.0;
    Ok(request)
}

/// The client's own labels of the request.
fn labels<'a>(fields: &mut Fields<'a, '_>) -> Result<Option<Cow<'a, RawValue>>, FormatError> {
    match fields.take("labels") {
        Some(raw) if begins(raw, '{') => Ok(Some(Cow::Borrowed(raw))),
        Some(_) => Err(fields.fault("labels", "must be an object")),
        None => Ok(None),
    }
}

/// The tier in OpenAI's words.
fn service_tier<'a>(
    fields: &mut Fields<'a, '_>,
    request: &mut Request<'a>,
    unmapped: &mut Unmapped<'a>,
) -> Result<(), FormatError> {
    let Some(word) = fields.text("serviceTier")? else { return Ok(()) };
    let word = word.to_ascii_lowercase();
    let tier = match word.strip_prefix("service_tier_").unwrap_or(&word) {
        "" | "unspecified" => return Ok(()),
        "standard" => "default",
        "flex" => "flex",
        "priority" => "priority",
        _ => {
            unmapped.name("serviceTier");
            return Ok(());
        }
    };
    request.service_tier = Some(Cow::Borrowed(tier));
    Ok(())
}

/// The start of a word a client sent, short enough to be shown in a complaint.
fn clip(word: &str) -> String {
    word.chars().take(40).collect()
}

#[cfg(test)]
mod tests;
