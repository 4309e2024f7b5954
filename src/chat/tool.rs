//! Tools a model may call, and how strongly it is asked to.

use serde_json::value::RawValue;
use std::borrow::Cow;

/// A function the client declared.
#[derive(Debug, Clone)]
pub struct Tool<'a> {
    /// Name the model calls it by.
    pub name: Cow<'a, str>,
    /// What it does, for the model.
    pub description: Option<Cow<'a, str>>,
    /// JSON Schema of the arguments; absent when it takes none.
    pub parameters: Option<Cow<'a, RawValue>>,
    /// Whether the provider must enforce the schema.
    pub strict: Option<bool>,
    /// Prompt-cache breakpoint after this tool.
    pub cache: Option<CacheControl>,
    /// Set for a free-form tool, which takes text instead of JSON.
    pub custom: Option<CustomTool<'a>>,
}

/// What a free-form tool takes.
#[derive(Debug, Clone)]
pub struct CustomTool<'a> {
    /// OpenAI's raw `format` object (`{"type":"grammar",…}`); absent = any text.
    pub format: Option<Cow<'a, RawValue>>,
}

/// How the model shall use the declared tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice<'a> {
    /// The model decides.
    Auto,
    /// No call.
    None,
    /// At least one call.
    Required,
    /// A call of this function.
    Named(Cow<'a, str>),
    /// Only these functions; `required` demands at least one call.
    Allowed {
        /// Function names the model may call.
        names: Vec<Cow<'a, str>>,
        /// Whether a call is demanded.
        required: bool,
    },
}

/// A call the model made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall<'a> {
    /// Identifier that the result refers to.
    pub id: Cow<'a, str>,
    /// Function name.
    pub name: Cow<'a, str>,
    /// Arguments as the text of a JSON value, numbers and key order as written; the plain text
    /// itself for a free-form tool.
    pub arguments: Cow<'a, str>,
    /// Whether it is a call of a free-form tool.
    pub custom: bool,
    /// Opaque provider signature that has to come back with the call (Gemini).
    pub signature: Option<Cow<'a, str>>,
}

/// Prompt-cache breakpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheControl {
    /// The provider's default lifetime, written without a `ttl`.
    Default,
    /// 5 minutes, written as `ttl: "5m"`.
    FiveMinutes,
    /// 1 hour, written as `ttl: "1h"`.
    OneHour,
}
