//! How one OpenAI-compatible provider differs from OpenAI: data, not code.
//!
//! The facts are read from `conf/providers.toml` or an operator's configuration and applied by
//! the request encoder and the pass-through alike; nothing anywhere asks for a provider by name.
//! What is not stated is as with OpenAI itself, and a request that passes through to a provider
//! of the default dialect keeps its bytes.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The habits of a provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about a provider")]
pub struct Dialect {
    /// The only top-level parameters it takes, in OpenAI's names; empty = all that it does not
    /// refuse. `model`, `messages` and `stream` need no mention.
    pub accepts: Vec<String>,
    /// Top-level parameters on which it fails, in OpenAI's names. They are left out when they only
    /// tune the answer; what would change its meaning is refused when a request is translated, and
    /// left for the provider to judge when one passes through.
    pub refuses: Vec<String>,
    /// Parameters that are left out of translated requests alone: the provider takes them only
    /// beside others that its own clients know.
    pub refuses_translated: Vec<String>,
    /// OpenAI's name of a parameter → the provider's.
    pub renames: BTreeMap<String, String>,
    /// Models that take less than the others; the first rule that fits a model counts, and only
    /// for translated requests.
    pub models: Vec<ModelRule>,
    /// Whether names of its models may end in `:free`, `:nitro` and the like, which are its own to
    /// understand then.
    pub variants: bool,
    /// Whether it takes `top_k`, which OpenAI does not.
    pub top_k: bool,
    /// Whether it knows the role `developer`; otherwise such messages are `system`.
    pub developer_role: bool,
    /// Whether messages may name their speaker.
    pub names: bool,
    /// The word of `tool_choice` that demands a call.
    pub required_word: String,
    /// Whether it knows `tool_choice` of type `allowed_tools`.
    pub allowed_tools: bool,
    /// Whether it knows free-form tools.
    pub custom_tools: bool,
    /// What the content of a message may be.
    pub content: ContentForm,
    /// How files are sent.
    pub files: FileForm,
    /// Whether the assistant's turns may carry `refusal`; otherwise it is text.
    pub refusals: bool,
    /// What the id of a tool call may look like.
    pub call_ids: CallIds,
    /// How reasoning is asked for.
    pub reasoning: ReasoningForm,
    /// The efforts it knows, from least to most; others become the nearest of them.
    pub efforts: Vec<String>,
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
    /// Names of models, or their beginnings up to a `-`; `*` fits all.
    pub names: Vec<String>,
    /// Top-level parameters on which these models fail; `reasoning_effort` stands for every way to
    /// ask for reasoning.
    #[serde(default)]
    pub refuses: Vec<String>,
    /// The efforts they know; empty = those of the dialect.
    #[serde(default)]
    pub efforts: Vec<String>,
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

/// How files are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileForm {
    /// A `file` part with the bytes in it; addresses cannot be sent.
    Inline,
    /// A `file` part with the bytes or an address in it.
    InlineOrUrl,
    /// A `document_url` part with an address or the bytes as a `data:` URI (Mistral).
    DocumentUrl,
    /// Not at all; text files are sent as text.
    None,
}

impl FileForm {
    /// Whether an address of a file has to be replaced by its bytes.
    pub fn needs_bytes(self) -> bool {
        self == Self::Inline
    }
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
const EFFORTS: [&str; 6] = ["none", "minimal", "low", "medium", "high", "xhigh"];

/// What OpenAI's reasoning models refuse.
const SAMPLING: [&str; 6] =
    ["temperature", "top_p", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs"];

/// OpenAI itself.
pub static OPENAI: LazyLock<Dialect> = LazyLock::new(|| Dialect {
    accepts: Vec::new(),
    refuses: Vec::new(),
    refuses_translated: words(&["metadata"]),
    renames: BTreeMap::new(),
    models: openai_models(),
    variants: false,
    top_k: false,
    developer_role: true,
    names: true,
    required_word: "required".to_owned(),
    allowed_tools: true,
    custom_tools: true,
    content: ContentForm::Parts,
    files: FileForm::Inline,
    refusals: true,
    call_ids: CallIds::Short,
    reasoning: ReasoningForm::Effort,
    efforts: words(&EFFORTS),
    replay: Replay::None,
    cache_control: false,
    stream_options: true,
    max_stops: 4,
    structured_output: StructuredOutput::JsonSchema,
});

/// Chat models refuse every word about reasoning, reasoning models most about sampling.
fn openai_models() -> Vec<ModelRule> {
    let chat = ["gpt-3.5", "gpt-4", "gpt-4o", "gpt-4.1", "gpt-4.5", "chatgpt", "gpt-5-chat"];
    let rule = |names: &[&str], refuses: &[&str], efforts: &[&str]| ModelRule {
        names: words(names),
        refuses: words(refuses),
        efforts: words(efforts),
    };
    vec![
        rule(&chat, &["reasoning_effort"], &[]),
        rule(&["o1", "o3", "o4"], &SAMPLING, &["low", "medium", "high"]),
        rule(&["gpt-5-pro"], &SAMPLING, &["high"]),
        rule(&["gpt-5"], &SAMPLING, &["minimal", "low", "medium", "high"]),
        rule(&["gpt-5.1"], &[], &["none", "low", "medium", "high"]),
    ]
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

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
        let listed = |words: &[String]| words.iter().any(|word| word == name);
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
        self.renames.get(name).map_or(name, String::as_str)
    }

    /// Whether a translated request for the model may hold the parameter.
    pub fn takes_translated(&self, model: &str, name: &str) -> bool {
        let refused = |words: &[String]| words.iter().any(|word| word == name);
        self.takes(name)
            && !refused(&self.refuses_translated)
            && !self.rule(model).is_some_and(|rule| refused(&rule.refuses))
    }

    /// The efforts the model knows, from least to most.
    pub fn efforts_of(&self, model: &str) -> &[String] {
        let own = self.rule(model).map(|rule| &rule.efforts).filter(|words| !words.is_empty());
        own.unwrap_or(&self.efforts)
    }

    fn rule(&self, model: &str) -> Option<&ModelRule> {
        self.models.iter().find(|rule| rule.fits(model))
    }
}

impl ModelRule {
    /// A model may be written with its maker in front, as in `openai/o3`.
    fn fits(&self, model: &str) -> bool {
        let model = model.rsplit('/').next().unwrap_or(model);
        self.names.iter().any(|name| {
            if name == "*" {
                return true;
            }
            let rest = model.strip_prefix(name.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    }
}
