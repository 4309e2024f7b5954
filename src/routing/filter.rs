//! Which endpoints may serve a request, and which of those suit it.
//!
//! First step of the planner. Hard filters take out whoever must not see the prompt or was not
//! wished for; the one that leaves nobody is named in the error. Soft ones take out who is known
//! not to be able, unless that is everybody of a model: then the provider says what is wrong.

use super::ask::Ask;
use super::plan::{Candidate, Choice, PlanError};
use super::preferences::{MaxPrice, Preferences};
use super::table::RoutingTable;
use crate::auth::ApiKey;
use crate::catalog::{Modality, Parameter, ParameterSet};
use crate::money::PicoUsd;

/// Members that say which endpoints are out of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// `only`.
    Only,
    /// `ignore`.
    Ignore,
    /// `order` without fallbacks.
    Order,
    /// `zdr`.
    Zdr,
    /// `data_collection`.
    DataCollection,
    /// `enforce_distillable_text`.
    Distillable,
    /// `quantizations`.
    Quantizations,
    /// `max_price`.
    MaxPrice,
    /// `require_parameters`.
    RequireParameters,
}

impl Filter {
    /// The member of the request.
    pub fn param(self) -> &'static str {
        match self {
            Self::Only => "provider.only",
            Self::Ignore => "provider.ignore",
            Self::Order => "provider.order",
            Self::Zdr => "provider.zdr",
            Self::DataCollection => "provider.data_collection",
            Self::Distillable => "provider.enforce_distillable_text",
            Self::Quantizations => "provider.quantizations",
            Self::MaxPrice => "provider.max_price",
            Self::RequireParameters => "provider.require_parameters",
        }
    }

    /// What the endpoints lack that it took out last.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Only => "`provider.only` names none of its providers",
            Self::Ignore => "`provider.ignore` names all of its providers",
            Self::Order => {
                "`provider.order` names none of its providers, and `provider.allow_fallbacks` is \
                 false"
            }
            Self::Zdr => "none has zero data retention (`provider.zdr`)",
            Self::DataCollection => {
                "all may store data, or do not say (`provider.data_collection`)"
            }
            Self::Distillable => {
                "its text may not be distilled, or it is not known \
                 (`provider.enforce_distillable_text`)"
            }
            Self::Quantizations => "none is of a quantization in `provider.quantizations`",
            Self::MaxPrice => {
                "all cost more than `provider.max_price`, or their price is not known"
            }
            Self::RequireParameters => {
                "none supports all parameters of the request (`provider.require_parameters`)"
            }
        }
    }
}

/// Takes out what the key may not use and what the request does not want.
pub(super) fn hard(
    choices: &mut Vec<Choice>,
    (table, key): (&RoutingTable, &ApiKey),
    ask: &Ask<'_>,
) -> Result<(), PlanError> {
    permitted(choices, key)?;
    let wishes = ask.preferences;
    named(choices, table, wishes)?;
    if wishes.zdr {
        keep(choices, Filter::Zdr, |one| one.data_policy.zdr)?;
    }
    if wishes.denies_storage {
        keep(choices, Filter::DataCollection, |one| !one.data_policy.may_store())?;
    }
    if wishes.enforce_distillable_text {
        keep(choices, Filter::Distillable, |one| one.distillable == Some(true))?;
    }
    if let Some(wanted) = &wishes.quantizations {
        let fits = |one: &Candidate| wanted.contains(&one.quantization);
        keep(choices, Filter::Quantizations, fits)?;
    }
    if wishes.max_price != MaxPrice::default() {
        keep(choices, Filter::MaxPrice, |one| is_within(one, &wishes.max_price))?;
    }
    if wishes.require_parameters {
        let takes_all = |one: &Candidate| one.parameters.contains_all(ask.parameters);
        keep(choices, Filter::RequireParameters, takes_all)?;
    }
    Ok(())
}

/// The allow-lists of the key, and the retention it demands.
fn permitted(choices: &mut Vec<Choice>, key: &ApiKey) -> Result<(), PlanError> {
    let may_provider = |one: &Candidate| key.allows_provider(one.provider.names());
    let may_model = |one: &Candidate| key.allows_model(&one.canonical);
    let may = |choice: &Choice| may_provider(&choice.candidate) && may_model(&choice.candidate);
    if !choices.iter().any(may) {
        let Some(first) = choices.first().map(|choice| &choice.candidate) else { return Ok(()) };
        return Err(if may_provider(first) {
            PlanError::ModelNotAllowed(first.canonical.clone())
        } else {
            PlanError::ProviderNotAllowed(first.provider.slug.clone())
        });
    }
    choices.retain(may);
    if key.enforce_zdr {
        choices.retain(|choice| choice.candidate.data_policy.zdr);
        if choices.is_empty() {
            return Err(PlanError::KeyNeedsZdr);
        }
    }
    Ok(())
}

/// The lists of names.
fn named(
    choices: &mut Vec<Choice>,
    table: &RoutingTable,
    wishes: &Preferences,
) -> Result<(), PlanError> {
    let is_in = |names: &[String], one: &Candidate| {
        names.iter().any(|name| table.is_named(name, &one.provider))
    };
    if let Some(only) = &wishes.only {
        keep(choices, Filter::Only, |one| is_in(only, one))?;
    }
    if !wishes.ignore.is_empty() {
        keep(choices, Filter::Ignore, |one| !is_in(&wishes.ignore, one))?;
    }
    if !wishes.allow_fallbacks && !wishes.order.is_empty() {
        keep(choices, Filter::Order, |one| is_in(&wishes.order, one))?;
    }
    Ok(())
}

fn keep(
    choices: &mut Vec<Choice>,
    filter: Filter,
    fits: impl Fn(&Candidate) -> bool,
) -> Result<(), PlanError> {
    if !choices.iter().any(|choice| fits(&choice.candidate)) {
        let Some(first) = choices.first() else { return Ok(()) };
        let model = first.candidate.canonical.clone();
        return Err(PlanError::NothingLeft { model, filter });
    }
    choices.retain(|choice| fits(&choice.candidate));
    Ok(())
}

/// Whether what an endpoint charges for short prompts is within the bounds; a price that is not
/// known is within none. A bound on pictures always holds: they cost nothing beside their tokens.
fn is_within(candidate: &Candidate, max: &MaxPrice) -> bool {
    let Some(pricing) = &candidate.pricing else { return false };
    let rates = pricing.rates(0);
    let per_token = [
        (rates.prompt, max.prompt),
        (rates.completion, max.completion),
        (rates.audio_prompt, max.audio),
    ];
    let per_request = pricing.table.request.unwrap_or(PicoUsd::ZERO);
    per_token.iter().all(|(price, bound)| bound.is_none_or(|bound| *price <= bound))
        && max.request.is_none_or(|bound| per_request <= bound)
}

/// Takes out the endpoints of a model that are known not to be able to answer, if others of the
/// same model are.
pub(super) fn soft(choices: &mut Vec<Choice>, ask: &Ask<'_>) {
    if let Some(cap) = ask.completion_cap {
        prefer(choices, |one| one.max_completion_tokens.is_none_or(|most| cap <= most));
    }
    prefer(choices, |one| one.context_length.is_none_or(|most| !ask.is_longer_than(most)));
    for parameter in [Parameter::Tools, Parameter::ResponseFormat, Parameter::Verbosity] {
        if ask.parameters.contains(parameter) {
            prefer(choices, |one| one.parameters.contains(parameter));
        }
    }
    let reads_images = |one: &Candidate| {
        one.abilities.reads.is_empty() || one.abilities.reads.contains(Modality::Image)
    };
    if !choices.iter().all(|choice| reads_images(&choice.candidate)) && ask.has_images() {
        prefer(choices, reads_images);
    }
}

fn prefer(choices: &mut Vec<Choice>, suits: impl Fn(&Candidate) -> bool) {
    if choices.iter().all(|choice| suits(&choice.candidate)) {
        return;
    }
    let mut able: Vec<usize> = Vec::new();
    for choice in choices.iter().filter(|choice| suits(&choice.candidate)) {
        if able.last() != Some(&choice.group) {
            able.push(choice.group);
        }
    }
    choices.retain(|choice| !able.contains(&choice.group) || suits(&choice.candidate));
}

/// The parameter that a member of a request stands for, whatever its format calls it.
pub fn parameter_of(member: &str) -> Option<Parameter> {
    Some(match member {
        "max_completion_tokens" | "max_output_tokens" => Parameter::MaxTokens,
        "reasoning_effort" | "include_reasoning" | "thinking" => Parameter::Reasoning,
        "stop_sequences" => Parameter::Stop,
        name => return Parameter::of_name(name),
    })
}

/// The parameters that a request sets, given the names of its members that are not `null`.
pub fn parameters_of<'n>(members: impl Iterator<Item = &'n str>) -> ParameterSet {
    members.filter_map(parameter_of).collect()
}
