//! Function names that a provider's alphabet does not allow, and their way back.
//!
//! Request encoders change such names by a fixed rule; whoever relays the answer needs the list of
//! the request at hand to show the client its own names again. Usually the list is empty.

use super::{ApiFormat, anthropic, gemini, openai_responses};
use crate::chat::event::Event;
use crate::chat::{Part, Request, Response};
use std::borrow::Cow;

/// Schema of a free-form tool where the provider only knows tools that take JSON.
pub const INPUT_SCHEMA: &str =
    r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#;

/// The changed names of one request.
#[derive(Debug, Clone, Default)]
pub struct ToolNames(Vec<(String, String)>);

impl ToolNames {
    /// The names that change when `request` is written in the provider's format.
    pub fn of(upstream: ApiFormat, request: &Request<'_>) -> Self {
        let sent_name = match upstream {
            ApiFormat::OpenAiChat | ApiFormat::Completions | ApiFormat::Bedrock => {
                return Self::default();
            }
            ApiFormat::OpenAiResponses => openai_responses::tool_name,
            ApiFormat::Anthropic => anthropic::names::tool_name,
            ApiFormat::Gemini => gemini::names::sent_name,
        };
        let changed = request.tools.iter().filter_map(|tool| match sent_name(&tool.name) {
            Cow::Borrowed(_) => None,
            Cow::Owned(sent) => Some((sent, tool.name.to_string())),
        });
        Self(changed.collect())
    }

    /// The client's name for the one the provider used; `None` when they are the same.
    pub fn original(&self, sent: &str) -> Option<&str> {
        let (_, original) = self.0.iter().find(|(changed, _)| changed == sent)?;
        Some(original)
    }

    /// The event with the client's name in it, if it has a changed one.
    pub(super) fn restored<'e>(&'e self, event: &Event<'e>) -> Option<Event<'e>> {
        let Event::ToolCallStart { choice, call, id, name, custom } = event else { return None };
        let name = Cow::Borrowed(self.original(name)?);
        let (choice, call, custom) = (*choice, *call, *custom);
        Some(Event::ToolCallStart { choice, call, id: id.clone(), name, custom })
    }

    /// Puts the client's names back into a whole answer.
    pub(super) fn restore(&self, response: &mut Response<'_>) {
        let parts = response.choices.iter_mut().flat_map(|choice| &mut choice.parts);
        for part in parts {
            if let Part::ToolCall(call) = part
                && let Some(original) = self.original(&call.name)
            {
                call.name = Cow::Owned(original.to_owned());
            }
        }
    }
}
