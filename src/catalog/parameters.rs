//! The request parameters that not every endpoint takes, by OpenAI's names.
//!
//! Used by `routing` to compare what a request says with what an endpoint takes, and by lists of
//! models. A set of them is one number, so that comparing costs nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! parameters {
    ($($variant:ident = $name:literal, $doc:literal;)*) => {
        /// A parameter that not every endpoint takes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[repr(u8)]
        pub enum Parameter {
            $(#[doc = $doc] #[serde(rename = $name)] $variant,)*
        }

        impl Parameter {
            /// All of them, in the order of [`ParameterSet::names`].
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// OpenAI's name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The parameter of this name.
            pub fn of_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

parameters! {
    Audio = "audio", "The voice of a spoken answer.";
    FrequencyPenalty = "frequency_penalty", "Less of what was said often.";
    IncludeReasoning = "include_reasoning", "Whether reasoning is shown.";
    LogitBias = "logit_bias", "Likelier and unlikelier tokens.";
    Logprobs = "logprobs", "How likely each token was.";
    MaxCompletionTokens = "max_completion_tokens", "Longest answer, reasoning included.";
    MaxTokens = "max_tokens", "Longest answer.";
    MinP = "min_p", "Least probability of a token, compared with the likeliest.";
    Modalities = "modalities", "What the answer is made of.";
    N = "n", "How many answers.";
    ParallelToolCalls = "parallel_tool_calls", "Whether several tools may be called at once.";
    Prediction = "prediction", "What the answer will probably be.";
    PresencePenalty = "presence_penalty", "Less of what was said at all.";
    Reasoning = "reasoning", "Whether and how long it thinks first.";
    ReasoningEffort = "reasoning_effort", "How hard it thinks.";
    RepetitionPenalty = "repetition_penalty", "Less of what the prompt says.";
    ResponseFormat = "response_format", "That the answer is JSON.";
    Seed = "seed", "Where chance begins.";
    Stop = "stop", "What ends the answer.";
    StructuredOutputs = "structured_outputs", "That the answer fits a JSON Schema.";
    Temperature = "temperature", "How much chance there is.";
    ToolChoice = "tool_choice", "Which tool has to be called.";
    Tools = "tools", "What can be called.";
    TopA = "top_a", "Least probability of a token, by the square of the likeliest.";
    TopK = "top_k", "How many tokens there are to choose from.";
    TopLogprobs = "top_logprobs", "How many tokens are shown with their probability.";
    TopP = "top_p", "How much of the probability there is to choose from.";
    Verbosity = "verbosity", "How much is said.";
    WebSearchOptions = "web_search_options", "How the web is searched.";
}

/// A set of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ParameterSet(u32);

impl ParameterSet {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// All of them.
    pub fn all() -> Self {
        Parameter::ALL.iter().copied().collect()
    }

    /// Adds one.
    pub fn insert(&mut self, parameter: Parameter) {
        self.0 |= bit(parameter);
    }

    /// Takes one out.
    pub fn remove(&mut self, parameter: Parameter) {
        self.0 &= !bit(parameter);
    }

    /// Whether one is among them.
    pub fn contains(self, parameter: Parameter) -> bool {
        self.0 & bit(parameter) != 0
    }

    /// Whether all of `others` are among them.
    pub fn contains_all(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }

    /// Those in both sets.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that are not among `others`.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// OpenAI's names of them, sorted.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Parameter::ALL.iter().filter(move |one| self.contains(**one)).map(|one| one.name())
    }
}

impl FromIterator<Parameter> for ParameterSet {
    fn from_iter<I: IntoIterator<Item = Parameter>>(parameters: I) -> Self {
        let mut set = Self::NONE;
        parameters.into_iter().for_each(|parameter| set.insert(parameter));
        set
    }
}

fn bit(parameter: Parameter) -> u32 {
    1 << (parameter as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_lead_back() {
        let names: Vec<&str> = ParameterSet::all().names().collect();
        assert!(names.is_sorted() && names.len() == Parameter::ALL.len() && names.len() <= 32);
        for name in names {
            let parameter = Parameter::of_name(name).unwrap();
            assert_eq!(parameter.name(), name);
            assert_eq!(serde_json::to_value(parameter).unwrap(), name);
        }
        assert_eq!(Parameter::of_name("top_q"), None);
    }

    #[test]
    fn sets_are_sets() {
        let one: ParameterSet = [Parameter::Seed, Parameter::Tools].into_iter().collect();
        let all = ParameterSet::all();
        assert!(all.contains_all(one) && !one.contains_all(all) && one.contains_all(one));
        assert_eq!(all.intersection(one), one);
        assert_eq!(one.without(all), ParameterSet::NONE);
        let mut less = one;
        less.remove(Parameter::Seed);
        assert!(less.contains(Parameter::Tools) && !less.contains(Parameter::Seed));
    }
}
