//! What other formats have to know of Claude, for hosts that offer it under a format of their own.
//!
//! Used by the encoder of Amazon Bedrock's Converse. The rules of the generations, the budget
//! arithmetic and the schema dialect stay here; a host says the same things in other places.

use super::thinking::{self, Replay};
use super::wire::{OutputConfig, Thinking};
use super::{Dropped, FALLBACK_MAX_TOKENS, schema};
use crate::chat::Request;
use crate::chat::request::Sampling;
use crate::formats::anthropic::family::{self, Ability, Family};
use crate::formats::anthropic::input;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A Claude model on a host.
#[derive(Debug, Clone, Copy)]
pub(in crate::formats) struct Hosted(Family);

/// The settings that Claude takes.
#[derive(Debug)]
pub(in crate::formats) struct Settings {
    /// Temperature and `top_p` within what the generation accepts.
    pub(in crate::formats) sampling: Sampling,
    /// The answer's limit, if one has to be said.
    pub(in crate::formats) max_tokens: Option<u64>,
    /// Whether a tool call may be demanded.
    pub(in crate::formats) takes_force: bool,
    /// Settings that only Claude knows, under Anthropic's names.
    pub(in crate::formats) own: OwnSettings,
}

/// Settings that only Claude knows.
#[derive(Debug, Default, Serialize)]
pub(in crate::formats) struct OwnSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "OutputConfig::is_empty")]
    output_config: OutputConfig<'static>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
}

impl Hosted {
    /// A Claude by the host's name of it.
    pub(in crate::formats) fn of(model: &str) -> Self {
        Self(Family::of(model))
    }

    /// Whether it accepts its reasoning back.
    pub(in crate::formats) fn thinks(self) -> bool {
        self.0.thinking != family::Thinking::Unsupported
    }

    /// Whether it keeps to a schema by itself.
    pub(in crate::formats) fn enforces_schemas(self) -> bool {
        self.0.can(Ability::StructuredOutput)
    }

    /// The settings that follow from the client's wishes; `lost_thinking` when a tool loop is open
    /// whose call came back without its thinking.
    pub(in crate::formats) fn settings(
        self,
        request: &Request<'_>,
        model_limit: Option<u64>,
        lost_thinking: LostThinking,
        dropped: &mut Dropped,
    ) -> Settings {
        let limit = request.max_tokens.or(model_limit).unwrap_or(FALLBACK_MAX_TOKENS);
        let replay = match lost_thinking {
            LostThinking::No => Replay::Free,
            LostThinking::Yes => Replay::LostThinking,
        };
        let plan = thinking::plan(request.reasoning, self.0, limit, replay);
        if plan.dropped {
            dropped.push("reasoning".into());
        }
        let sampling = thinking::sampling(request.sampling, self.0, plan.thinking, dropped);
        let has_budget = matches!(plan.thinking, Some(Thinking::Enabled { .. }));
        Settings {
            sampling,
            max_tokens: if has_budget { Some(plan.max_tokens) } else { request.max_tokens },
            takes_force: !has_budget,
            own: OwnSettings {
                thinking: plan.thinking,
                output_config: OutputConfig { effort: plan.effort, format: None },
                top_k: sampling.top_k,
            },
        }
    }
}

/// Whether the thinking of an open tool loop was not sent back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::formats) enum LostThinking {
    /// There is no such loop, or its thinking is there.
    No,
    /// The model would refuse to think on.
    Yes,
}

/// A tool's input schema as an object, and whether it had to be wrapped as `{"input": …}`.
pub(in crate::formats) fn tool_input(schema: Option<&RawValue>) -> (Cow<'_, RawValue>, bool) {
    schema::tool_input(schema)
}

/// A call's arguments as an object; `wraps` when the function's schema had to be wrapped.
pub(in crate::formats) fn arguments(text: &str, wraps: bool) -> Cow<'_, RawValue> {
    input::object(text, wraps)
}

/// The text given to a free-form tool, as the arguments of the function that stands for it.
pub(in crate::formats) fn free_text(text: &str) -> Cow<'static, RawValue> {
    input::free_text(text)
}

/// The schema with every object closed, as Claude demands of the schema of an answer.
pub(in crate::formats) fn closed_schema(schema: &RawValue) -> Cow<'_, RawValue> {
    schema::closed(schema)
}
