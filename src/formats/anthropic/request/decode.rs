//! Reads a client's request into neutral terms, for providers of another format.
//!
//! Used by `formats::decode_request` only; a request that stays in this format is never decoded.
//! Every complaint names the field by its path. What the neutral vocabulary cannot say ends in
//! `unmapped`, and what would change the answer's meaning is refused.

mod blocks;
mod messages;
mod shape;
mod thoughts;
mod tools;
mod wishes;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests;

use crate::chat;
use crate::chat::request::Sampling;
use crate::formats::FormatError;
use crate::formats::path::Path;
use crate::formats::tree::{Fields, Node};
use std::borrow::Cow;

/// Members whose value is kept as text by [`Node`].
const RAW_KEYS: [&str; 3] = ["input", "input_schema", "schema"];

/// Names of what the neutral request cannot say.
type Lost<'a> = Vec<Cow<'a, str>>;

/// Fields the gateway itself acts upon; they never reach a provider and are no loss.
const GATEWAY_FIELDS: [&str; 12] = [
    "model",
    "models",
    "route",
    "provider",
    "plugins",
    "transforms",
    "preset",
    "session_id",
    "trace",
    "debug",
    "usage",
    "anthropic_version",
];

/// Fields by which the provider itself would act for the client; no other provider can.
const UNPORTABLE: [&str; 2] = ["mcp_servers", "container"];

/// Most texts that end an answer.
const MAX_STOPS: usize = 64;
/// Widest temperature of any format: this one ends at 1, but clients are not corrected.
const TEMPERATURE_MAX: f64 = 2.0;

/// Reads the body of a request.
pub fn decode(body: &[u8]) -> Result<chat::Request<'_>, FormatError> {
    let node = Node::parse(body, &RAW_KEYS).map_err(|error| {
        FormatError::whole(format!("the request body is not valid JSON: {error}"))
    })?;
    let mut fields = Fields::new(node, Path::Root)?;
    for name in GATEWAY_FIELDS {
        fields.take(name);
    }
    for name in UNPORTABLE {
        if fields.take(name).is_some_and(|node| !node.is_empty()) {
            return Err(fields.fault(name, "is not supported for this model"));
        }
    }
    let mut lost = Lost::new();
    let Some(max_tokens) = fields.plain_count("max_tokens", 1)? else {
        return Err(fields.fault("max_tokens", "is missing"));
    };
    let mut request = chat::Request {
        messages: messages::read(&mut fields, &mut lost)?,
        max_tokens: Some(max_tokens),
        sampling: sampling(&mut fields)?,
        stop: stop(&mut fields)?,
        user: user(&mut fields, &mut lost)?,
        service_tier: service_tier(&mut fields)?,
        cache: blocks::cache_control(&mut fields)?,
        stream: fields.boolean("stream")?.unwrap_or(false),
        ..chat::Request::default()
    };
    wishes::read(&mut fields, &mut request, &mut lost)?;
    tools::read(&mut fields, &mut request, &mut lost)?;
    lost.extend(fields.rest());
    lost.sort_unstable();
    lost.dedup();
    request.unmapped = lost;
    Ok(request)
}

fn sampling(fields: &mut Fields<'_, '_>) -> Result<Sampling, FormatError> {
    Ok(Sampling {
        temperature: fields.number("temperature", 0.0, TEMPERATURE_MAX)?,
        top_p: fields.number("top_p", 0.0, 1.0)?,
        top_k: fields.plain_count("top_k", 0)?,
        ..Sampling::default()
    })
}

fn stop<'a>(fields: &mut Fields<'a, '_>) -> Result<Vec<Cow<'a, str>>, FormatError> {
    let items = fields.array("stop_sequences")?.unwrap_or_default();
    if items.len() > MAX_STOPS {
        return Err(fields.fault("stop_sequences", "has too many entries"));
    }
    let list = fields.path.key("stop_sequences");
    let text = |(at, item): (usize, Node<'a>)| {
        item.into_text().ok_or_else(|| list.index(at).fault("must be a string"))
    };
    items.into_iter().enumerate().map(text).collect()
}

/// The end user; other labels are for the provider's own books.
fn user<'a>(
    fields: &mut Fields<'a, '_>,
    lost: &mut Lost<'a>,
) -> Result<Option<Cow<'a, str>>, FormatError> {
    let outer = fields.text("user")?;
    let Some(node) = fields.take("metadata") else { return Ok(outer) };
    let path = fields.path;
    let mut metadata = Fields::new(node, path.key("metadata"))?;
    let user = metadata.text("user_id")?.filter(|user| !user.is_empty());
    let others = metadata.rest();
    if !others.is_empty() {
        lost.push(Cow::Borrowed("metadata"));
    }
    Ok(user.or(outer))
}

fn service_tier<'a>(fields: &mut Fields<'a, '_>) -> Result<Option<Cow<'a, str>>, FormatError> {
    let tier = fields.text("service_tier")?;
    Ok(tier.map(|tier| if tier == "standard_only" { Cow::Borrowed("default") } else { tier }))
}
