//! The shape demanded of the answer: told to the provider as far as it understands, else put
//! into words.

use super::body::Body;
use crate::chat::request::ResponseFormat;
use crate::formats::openai_chat::dialect::StructuredOutput;
use serde::Serialize;
use serde_json::value::RawValue;

const JSON_ONLY: &str = "Respond with one JSON object and nothing else.";

/// `response_format`.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Format<'r> {
    JsonObject,
    JsonSchema { json_schema: Declared<'r> },
}

#[derive(Serialize)]
pub(super) struct Declared<'r> {
    name: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'r str>,
    schema: &'r RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

/// How the shape is demanded.
#[derive(Default)]
pub(super) struct Shape<'r> {
    pub(super) format: Option<Format<'r>>,
    /// What the model has to be told.
    pub(super) instruction: Option<String>,
    /// Whether the provider enforces less than was asked for.
    pub(super) worded: bool,
}

/// Decides how to demand the shape.
pub(super) fn plan<'r>(wanted: &'r ResponseFormat<'_>, body: &Body<'_>) -> Shape<'r> {
    let known = match body.dialect.structured_output {
        _ if !body.takes("response_format") => StructuredOutput::None,
        known => known,
    };
    let object = (known >= StructuredOutput::JsonObject).then_some(Format::JsonObject);
    match wanted {
        ResponseFormat::Text => Shape::default(),
        ResponseFormat::JsonObject => Shape {
            worded: object.is_none(),
            instruction: object.is_none().then(|| JSON_ONLY.to_owned()),
            format: object,
        },
        ResponseFormat::JsonSchema { name, description, schema, strict } => {
            if known < StructuredOutput::JsonSchema {
                let instruction = format!("{JSON_ONLY} It fits this JSON Schema:\n{schema}");
                return Shape { format: object, instruction: Some(instruction), worded: true };
            }
            let json_schema = Declared {
                name,
                description: description.as_deref(),
                schema: schema.as_ref(),
                strict: *strict,
            };
            Shape { format: Some(Format::JsonSchema { json_schema }), ..Shape::default() }
        }
    }
}
