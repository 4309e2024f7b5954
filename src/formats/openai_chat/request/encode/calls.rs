//! Tool calls of earlier turns, and the ids that join them to their results.

use crate::chat::tool::ToolCall;
use crate::formats::openai_chat::dialect::Dialect;
use crate::formats::openai_chat::names::{call_id, tool_name};
use serde::Serialize;
use std::borrow::Cow;

/// A call as the assistant's turn holds it.
#[derive(Serialize)]
pub(super) struct Call<'r> {
    id: Cow<'r, str>,
    #[serde(flatten)]
    kind: Kind<'r>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Kind<'r> {
    Function { function: Function<'r> },
    Custom { custom: Custom<'r> },
}

#[derive(Serialize)]
struct Function<'r> {
    name: Cow<'r, str>,
    arguments: Cow<'r, str>,
}

#[derive(Serialize)]
struct Custom<'r> {
    name: Cow<'r, str>,
    input: &'r str,
}

impl<'r> Call<'r> {
    pub(super) fn new(call: &'r ToolCall<'_>, dialect: &Dialect) -> Self {
        let name = tool_name(&call.name);
        let kind = if call.custom && dialect.custom_tools {
            Kind::Custom { custom: Custom { name, input: &call.arguments } }
        } else {
            Kind::Function { function: Function { name, arguments: arguments(call) } }
        };
        Self { id: call_id(dialect.call_ids, &call.id), kind }
    }
}

/// JSON text; the plain text of a free-form call goes into the one member its stand-in takes.
fn arguments<'r>(call: &'r ToolCall<'_>) -> Cow<'r, str> {
    if call.custom {
        let mut wrapped = br#"{"input":"#.to_vec();
        crate::json::write_string(&mut wrapped, &call.arguments);
        wrapped.push(b'}');
        return Cow::Owned(String::from_utf8(wrapped).unwrap_or_default());
    }
    if call.arguments.is_empty() { Cow::Borrowed("{}") } else { Cow::Borrowed(&call.arguments) }
}
