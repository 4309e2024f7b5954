//! Which parameters an endpoint takes: those of its wire format and dialect, less those of what
//! the model cannot do.
//!
//! Used when candidates are made. It is what is known beforehand; what a request really loses is
//! only known to the encoder that writes it.

use super::Provider;
use crate::catalog::{Abilities, Modality, Parameter, ParameterSet};
use crate::formats::ApiFormat;
use crate::formats::openai_chat::dialect::{Dialect, ReasoningForm, StructuredOutput};
use Parameter as P;

/// What every format can say.
const COMMON: [Parameter; 13] = [
    P::MaxTokens,
    P::MaxCompletionTokens,
    P::Temperature,
    P::TopP,
    P::Stop,
    P::Tools,
    P::ToolChoice,
    P::ParallelToolCalls,
    P::ResponseFormat,
    P::StructuredOutputs,
    P::Reasoning,
    P::ReasoningEffort,
    P::IncludeReasoning,
];
/// What Gemini's says besides.
const GEMINI: [Parameter; 8] = [
    P::TopK,
    P::Seed,
    P::FrequencyPenalty,
    P::PresencePenalty,
    P::N,
    P::Logprobs,
    P::TopLogprobs,
    P::Modalities,
];
/// What OpenAI's Responses API says besides.
const RESPONSES: [Parameter; 3] = [P::Verbosity, P::Logprobs, P::TopLogprobs];
/// What OpenAI's chat format has no word for, but servers of open models do.
const OPEN_MODELS: [Parameter; 4] = [P::TopK, P::MinP, P::TopA, P::RepetitionPenalty];
/// What only a model that calls tools takes.
const OF_TOOLS: [Parameter; 3] = [P::Tools, P::ToolChoice, P::ParallelToolCalls];
/// What only a model that reasons takes.
const OF_REASONING: [Parameter; 3] = [P::Reasoning, P::ReasoningEffort, P::IncludeReasoning];
/// What only a model that writes more than text takes.
const OF_MEDIA: [Parameter; 2] = [P::Modalities, P::Audio];

/// The parameters that a provider takes for one of its models.
pub fn supported(provider: &Provider, upstream_model: &str, abilities: &Abilities) -> ParameterSet {
    let mut set: ParameterSet = COMMON.into_iter().collect();
    match provider.format(upstream_model) {
        ApiFormat::OpenAiChat | ApiFormat::Completions => {
            set = of_dialect(provider.dialect, upstream_model);
        }
        ApiFormat::OpenAiResponses => RESPONSES.into_iter().for_each(|one| set.insert(one)),
        ApiFormat::Gemini => GEMINI.into_iter().for_each(|one| set.insert(one)),
        ApiFormat::Anthropic | ApiFormat::Bedrock => set.insert(P::TopK),
    }
    set.without(impossible(*abilities))
}

/// What a model cannot do for certain.
fn impossible(abilities: Abilities) -> ParameterSet {
    let mut none = ParameterSet::NONE;
    let mut unless = |can: bool, group: &[Parameter]| {
        if !can {
            for one in group {
                none.insert(*one);
            }
        }
    };
    unless(abilities.tools != Some(false), &OF_TOOLS);
    unless(abilities.reasoning != Some(false), &OF_REASONING);
    unless(abilities.json_schema != Some(false), &[P::StructuredOutputs]);
    let writes = abilities.writes;
    let media = [Modality::Image, Modality::Audio].iter().any(|one| writes.contains(*one));
    unless(writes.is_empty() || media, &OF_MEDIA);
    none
}

fn of_dialect(dialect: &Dialect, model: &str) -> ParameterSet {
    let named = |one: &Parameter| {
        let is_listed = dialect.accepts.iter().any(|name| name == one.name());
        let has_word = is_listed || dialect.top_k || !OPEN_MODELS.contains(one);
        has_word && dialect.takes_translated(model, one.name())
    };
    let mut set: ParameterSet = Parameter::ALL.iter().copied().filter(named).collect();
    // Either name of the longest answer is turned into the one that is taken.
    set.insert(P::MaxTokens);
    set.insert(P::MaxCompletionTokens);
    let takes_effort = dialect.takes_translated(model, P::ReasoningEffort.name());
    for one in OF_REASONING {
        let can = dialect.reasoning != ReasoningForm::None
            && (takes_effort || dialect.reasoning != ReasoningForm::Effort);
        if can { set.insert(one) } else { set.remove(one) }
    }
    match dialect.structured_output {
        StructuredOutput::None => {
            set.remove(P::ResponseFormat);
            set.remove(P::StructuredOutputs);
        }
        StructuredOutput::JsonObject => set.remove(P::StructuredOutputs),
        StructuredOutput::JsonSchema if set.contains(P::ResponseFormat) => {
            set.insert(P::StructuredOutputs);
        }
        StructuredOutput::JsonSchema => {}
    }
    set
}
