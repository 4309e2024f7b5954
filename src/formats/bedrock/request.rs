//! Writes a neutral request as a body of Amazon Bedrock's Converse.
//!
//! Called through `formats::encode_request`. The model and whether to stream stand in the address,
//! not in the body. What Converse cannot express is either named in `dropped` or refused before
//! anything is sent, when leaving it out would change the answer's meaning.

mod maker;
mod media;
mod settings;
mod tools;
mod turns;
mod wire;

#[cfg(test)]
mod tests;

use crate::chat::Request;
use crate::chat::request::ResponseFormat;
use crate::formats::anthropic::request::encode::hosted;
use crate::formats::lost::{Dropped, lost_fields, refuse_impossible};
use crate::formats::{EncodedRequest, FormatError, Target};
use maker::Maker;
use std::borrow::Cow;
use wire::{Block, Body, JsonSchema, OutputConfig};

const JSON_ONLY: &str = "Respond with one JSON object and nothing else.";

pub use media::needs_bytes;
pub use tools::is_wrapped;

/// Writes the request for the target; the error names the field that cannot be expressed.
pub fn encode(request: &Request<'_>, target: Target<'_>) -> Result<EncodedRequest, FormatError> {
    refuse_impossible(request)?;
    refuse_search(request)?;
    let maker = Maker::of(target.model);
    let mut dropped = lost_fields(request, &own_losses(request));
    let mut conversation = turns::encode(request, maker, &mut dropped)?;
    let settings = settings::encode(request, maker, target, &conversation, &mut dropped);
    let toolbox =
        tools::Toolbox { maker, called: &conversation.called, takes_force: settings.takes_force };
    let tool_config = toolbox.config(request, &mut dropped)?;
    let output_config = answer_shape(&request.response_format, maker, &mut conversation.system);
    let body = Body {
        messages: conversation.turns,
        system: conversation.system,
        inference_config: settings.inference,
        tool_config,
        output_config,
        additional_model_request_fields: settings.own,
        request_metadata: settings::metadata(request.metadata.as_deref(), &mut dropped),
        service_tier: settings::service_tier(request.service_tier.as_deref(), &mut dropped),
    };
    let body = serde_json::to_vec(&body)
        .map_err(|error| FormatError::whole(format!("the request cannot be written: {error}")))?;
    dropped.sort_unstable();
    dropped.dedup();
    Ok(EncodedRequest { body: body.into(), dropped })
}

/// What Converse lacks and Anthropic's own format has.
fn refuse_search(request: &Request<'_>) -> Result<(), FormatError> {
    if request.web_search.is_some() {
        return Err(FormatError::field("web_search_options", "this model cannot search the web"));
    }
    Ok(())
}

/// Fields that Converse lacks and Anthropic's own format has, and whether they are set.
fn own_losses(request: &Request<'_>) -> [(&'static str, bool); 2] {
    let sequential = request.parallel_tool_calls == Some(false) && !request.tools.is_empty();
    [("user", request.user.is_some()), ("parallel_tool_calls", sequential)]
}

/// The demanded shape: as a setting, or in the instructions where the model has none for it.
fn answer_shape<'a>(
    format: &'a ResponseFormat<'_>,
    maker: Maker,
    system: &mut Vec<Block<'a>>,
) -> Option<OutputConfig<'a>> {
    let sentence = match format {
        ResponseFormat::Text => return None,
        ResponseFormat::JsonObject => Cow::Borrowed(JSON_ONLY),
        ResponseFormat::JsonSchema { schema, name, description, .. }
            if maker.enforces_schemas() =>
        {
            let schema = match maker {
                Maker::Claude { .. } => hosted::closed_schema(schema),
                _ => Cow::Borrowed(&**schema),
            };
            return Some(OutputConfig::of(JsonSchema {
                schema: schema.get().to_owned(),
                name: tools::fitting(name),
                description: description.as_deref().filter(|text| !text.is_empty()),
            }));
        }
        ResponseFormat::JsonSchema { schema, .. } => {
            Cow::Owned(format!("{JSON_ONLY} It must fit this JSON Schema: {}", schema.get()))
        }
    };
    system.push(Block::Text(sentence));
    None
}
