//! How one OpenAI-compatible provider differs from OpenAI: data, not code.
//!
//! The facts are read from `conf/providers.toml` or an operator's configuration and applied by
//! the request encoder and the pass-through alike; nothing anywhere asks for a provider by name.
//! What is not stated is as with OpenAI itself, and a request that passes through to a provider
//! of the default dialect keeps its bytes.

use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A list of words that costs nothing when it is known at compile time.
pub type Words = Cow<'static, [Cow<'static, str>]>;

/// The habits of a provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dialect {
    /// The only top-level parameters it takes, in OpenAI's names; empty = all that it does not
    /// refuse. `model`, `messages` and `stream` need no mention.
    pub accepts: Words,
    /// Top-level parameters on which it fails, in OpenAI's names. They are left out when they only
    /// tune the answer; what would change its meaning is refused when a request is translated, and
    /// left for the provider to judge when one passes through.
    pub refuses: Words,
    /// Parameters that are left out of translated requests alone: the provider takes them only
    /// beside others that its own clients know.
    pub refuses_translated: Words,
    /// OpenAI's name of a parameter → the provider's.
    pub renames: BTreeMap<Cow<'static, str>, Cow<'static, str>>,
    /// Models that take less than the others; the first rule that fits a model counts, and only
    /// for translated requests.
    pub models: Cow<'static, [ModelRule]>,
    /// Whether it takes `top_k`, which OpenAI does not.
    pub top_k: bool,
    /// Whether it knows the role `developer`; otherwise such messages are `system`.
    pub developer_role: bool,
    /// Whether messages may name their speaker.
    pub names: bool,
    /// The word of `tool_choice` that demands a call.
    pub required_word: Cow<'static, str>,
    /// Whether it knows `tool_choice` of type `allowed_tools`.
    pub allowed_tools: bool,
    /// Whether it knows free-form tools.
    pub custom_tools: bool,
    /// What the content of a message may be.
    pub content: ContentForm,
    /// Whether files may be given by address.
    pub file_urls: bool,
    /// What the id of a tool call may look like.
    pub call_ids: CallIds,
    /// How reasoning is asked for.
    pub reasoning: ReasoningForm,
    /// The efforts it knows, from least to most; others become the nearest of them.
    pub efforts: Words,
    /// Where reasoning of earlier turns goes back to it.
    pub replay: Replay,
    /// Whether content parts may carry Anthropic's `cache_control`.
    pub cache_control: bool,
    /// Whether it takes `stream_options`.
    pub stream_options: bool,
    /// Most texts that may end an answer.
    pub max_stops: usize,
    /// What it can be told about the shape of the answer.
    pub structured_output: StructuredOutput,
}

/// Models that take less than the others of their provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRule {
    /// Names of models, or their beginnings up to a `-`.
    pub names: Words,
    /// Top-level parameters on which these models fail; `reasoning_effort` stands for every way to
    /// ask for reasoning.
    #[serde(default)]
    pub refuses: Words,
}

/// What the content of a message may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentForm {
    /// A string or a list of parts.
    Parts,
    /// A string; pictures, files and sound cannot be sent.
    Text,
}

/// What the id of a tool call may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallIds {
    /// Up to 40 characters, as OpenAI takes them.
    Short,
    /// Exactly nine letters and digits (Mistral).
    NineAlphanumerics,
}

/// How reasoning is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningForm {
    /// `reasoning_effort`, as OpenAI has it.
    Effort,
    /// The `reasoning` object of OpenRouter.
    Object,
    /// `thinking: {"type": "enabled" | "disabled"}`; how hard is not said.
    Switch,
    /// [`Self::Switch`] and `reasoning_effort` beside it.
    SwitchAndEffort,
    /// `enable_thinking` and `thinking_budget` (Alibaba).
    Budget,
    /// `chat_template_kwargs: {"enable_thinking": …}`: servers of open models.
    Template,
    /// Not at all.
    None,
}

/// Where reasoning of earlier turns goes back to the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replay {
    /// Nowhere: it is left out.
    None,
    /// The member `reasoning_content` of the message.
    ReasoningContent,
    /// The member `reasoning` of the message.
    Reasoning,
    /// `reasoning_details`, with the signatures of their makers.
    ReasoningDetails,
    /// Content parts of type `thinking` (Mistral).
    ThinkingParts,
}

/// What a provider can be told about the shape of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StructuredOutput {
    /// Nothing: the wish is put into words.
    None,
    /// That it shall be JSON; the schema is put into words.
    JsonObject,
    /// A JSON Schema.
    JsonSchema,
}

/// The efforts OpenAI knows.
const EFFORTS: &[Cow<'static, str>] = &[
    Cow::Borrowed("none"),
    Cow::Borrowed("minimal"),
    Cow::Borrowed("low"),
    Cow::Borrowed("medium"),
    Cow::Borrowed("high"),
    Cow::Borrowed("xhigh"),
];

/// Chat models refuse every word about reasoning, reasoning models most about sampling.
const MODELS: &[ModelRule] = &[
    ModelRule {
        names: Cow::Borrowed(&[
            Cow::Borrowed("gpt-3.5"),
            Cow::Borrowed("gpt-4"),
            Cow::Borrowed("gpt-4o"),
            Cow::Borrowed("gpt-4.1"),
            Cow::Borrowed("gpt-4.5"),
            Cow::Borrowed("chatgpt"),
            Cow::Borrowed("gpt-5-chat"),
            Cow::Borrowed("gpt-audio"),
        ]),
        refuses: Cow::Borrowed(&[Cow::Borrowed("reasoning_effort")]),
    },
    ModelRule {
        names: Cow::Borrowed(&[
            Cow::Borrowed("o1"),
            Cow::Borrowed("o3"),
            Cow::Borrowed("o4"),
            Cow::Borrowed("gpt-5"),
        ]),
        refuses: Cow::Borrowed(&[
            Cow::Borrowed("temperature"),
            Cow::Borrowed("top_p"),
            Cow::Borrowed("frequency_penalty"),
            Cow::Borrowed("presence_penalty"),
            Cow::Borrowed("logprobs"),
            Cow::Borrowed("top_logprobs"),
        ]),
    },
];

/// OpenAI itself.
pub static OPENAI: Dialect = Dialect {
    accepts: Cow::Borrowed(&[]),
    refuses: Cow::Borrowed(&[]),
    refuses_translated: Cow::Borrowed(&[Cow::Borrowed("metadata")]),
    renames: BTreeMap::new(),
    models: Cow::Borrowed(MODELS),
    top_k: false,
    developer_role: true,
    names: true,
    required_word: Cow::Borrowed("required"),
    allowed_tools: true,
    custom_tools: true,
    content: ContentForm::Parts,
    file_urls: false,
    call_ids: CallIds::Short,
    reasoning: ReasoningForm::Effort,
    efforts: Cow::Borrowed(EFFORTS),
    replay: Replay::None,
    cache_control: false,
    stream_options: true,
    max_stops: 4,
    structured_output: StructuredOutput::JsonSchema,
};

impl Default for Dialect {
    fn default() -> Self {
        OPENAI.clone()
    }
}

/// Parameters every dialect takes.
const ALWAYS: [&str; 3] = ["model", "messages", "stream"];
/// Parameters without which the answer would be another one: never left out in silence.
const MEANINGFUL: [&str; 8] = [
    "n",
    "tools",
    "functions",
    "tool_choice",
    "response_format",
    "web_search_options",
    "modalities",
    "audio",
];

impl Dialect {
    /// Whether the provider takes the parameter, given by OpenAI's name or by its own.
    pub fn takes(&self, name: &str) -> bool {
        let listed = |words: &Words| words.iter().any(|word| word == name);
        let own_name = || self.renames.values().any(|renamed| renamed == name);
        !listed(&self.refuses)
            && (self.accepts.is_empty()
                || ALWAYS.contains(&name)
                || listed(&self.accepts)
                || own_name())
    }

    /// Whether leaving the parameter out would change what the client gets rather than how.
    pub fn is_meaningful(name: &str) -> bool {
        MEANINGFUL.contains(&name)
    }

    /// The provider's name of a parameter.
    pub fn name_of<'n>(&'n self, name: &'n str) -> &'n str {
        self.renames.get(name).map_or(name, Cow::as_ref)
    }

    /// Whether a translated request for the model may hold the parameter.
    pub fn takes_translated(&self, model: &str, name: &str) -> bool {
        let refused = |words: &Words| words.iter().any(|word| word == name);
        self.takes(name) && !refused(&self.refuses_translated) && {
            let rule = self.models.iter().find(|rule| rule.fits(model));
            !rule.is_some_and(|rule| refused(&rule.refuses))
        }
    }
}

impl ModelRule {
    /// A model may be written with its maker in front, as in `openai/o3`.
    fn fits(&self, model: &str) -> bool {
        let model = model.rsplit('/').next().unwrap_or(model);
        self.names.iter().any(|name| {
            let rest = model.strip_prefix(name.as_ref());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    }
}
