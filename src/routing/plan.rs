//! The ordered choices for one request, and how they come about.
//!
//! [`choose`] is the planner: it finds the endpoints of the models that were named, filters and
//! orders them. Pure but for what it is given: the table of a snapshot, the live statistics, dice.
//! The order of its decisions is documented in docs/routing.md.

use super::ask::Ask;
use super::filter::{self, Filter};
use super::live::Live;
use super::preferences::{Partition, Preferences, SortBy};
use super::sort::{self, Ranked};
use super::sticky::Kept;
use super::table::{RouteError, RoutingTable};
use crate::auth::ApiKey;
use crate::catalog::{Abilities, Parameter, ParameterSet, Pricing};
use crate::config::{DataPolicy, Quantization, RateLimit};
use crate::formats::ApiFormat;
use crate::providers::Provider;
use rand::RngCore;
use std::sync::Arc;

/// One endpoint that may serve the request.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Who would serve it.
    pub provider: Arc<Provider>,
    /// The provider's own name of the model.
    pub upstream_model: Arc<str>,
    /// `provider/model`: the name in records, allow-lists and answers.
    pub canonical: Arc<str>,
    /// True when `canonical` is named by the configuration, so that it may label a metric.
    pub configured: bool,
    /// What it costs; `None` = not known.
    pub pricing: Option<Arc<Pricing>>,
    /// Prompt plus answer, in tokens.
    pub context_length: Option<u64>,
    /// Longest answer of the endpoint, in tokens.
    pub max_completion_tokens: Option<u64>,
    /// How exact its weights are.
    pub quantization: Quantization,
    /// What becomes of prompts there.
    pub data_policy: DataPolicy,
    /// Whether other models may learn from what it writes; `None` = not known.
    pub distillable: Option<bool>,
    /// What the model can.
    pub abilities: Abilities,
    /// The parameters it takes, as far as that is known beforehand.
    pub parameters: ParameterSet,
    /// What all callers together may ask of the model.
    pub rate_limit: RateLimit,
}

impl Candidate {
    /// A provider alone, asked for nothing that is a model.
    pub fn opaque(provider: &Arc<Provider>) -> Self {
        Self {
            provider: Arc::clone(provider),
            upstream_model: "".into(),
            canonical: "".into(),
            configured: false,
            pricing: None,
            context_length: None,
            max_completion_tokens: None,
            quantization: Quantization::default(),
            data_policy: provider.data_policy,
            distillable: None,
            abilities: Abilities::default(),
            parameters: ParameterSet::all(),
            rate_limit: RateLimit::default(),
        }
    }

    /// Wire format in which it is asked and answers.
    pub fn format(&self) -> ApiFormat {
        self.provider.format(&self.upstream_model)
    }
}

/// Candidates in the order in which they are tried; never empty.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The candidates.
    pub candidates: Vec<Arc<Candidate>>,
    /// Whether the name of the first model asks for reasoning (`:thinking`).
    pub thinks: bool,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The names lead nowhere.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The key is limited to other providers.
    #[error("provider '{0}' is not allowed for this API key")]
    ProviderNotAllowed(Arc<str>),
    /// The key is limited to other models.
    #[error("model '{0}' is not allowed for this API key")]
    ModelNotAllowed(Arc<str>),
    /// The key demands zero data retention, and nobody offers it.
    #[error("no endpoint matches the data policy that this API key requires (ZDR)")]
    KeyNeedsZdr,
    /// A filter of the request left nobody.
    #[error("no endpoint of '{model}' can serve this request: {}", filter.reason())]
    NothingLeft {
        /// The first model that was left.
        model: Arc<str>,
        /// The filter.
        filter: Filter,
    },
}

/// An endpoint that is still in question.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub(super) candidate: Arc<Candidate>,
    /// Position of its model; endpoints of one group are ordered together.
    pub(super) group: usize,
    /// The order its model's name asks for.
    pub(super) sort: Option<SortBy>,
}

/// The endpoints that may serve a request, before they are put in order.
#[derive(Debug)]
pub struct Shortlist {
    choices: Vec<Choice>,
    thinks: bool,
}

/// What an order depends on besides the endpoints.
struct Basis<'a> {
    table: &'a RoutingTable,
    live: &'a dyn Live,
    ask: &'a Ask<'a>,
    kept: Option<&'a Kept>,
}

/// The plan for a request: [`Shortlist::new`] and [`Shortlist::into_plan`] in one.
pub fn choose(
    (table, live): (&RoutingTable, &dyn Live),
    (key, kept): (&ApiKey, Option<&Kept>),
    ask: &Ask<'_>,
    dice: &mut dyn RngCore,
) -> Result<Plan, PlanError> {
    Ok(Shortlist::new(table, key, ask)?.into_plan((table, live), ask, kept, dice))
}

impl Shortlist {
    /// The endpoints of the models that were named which pass all filters.
    pub fn new(table: &RoutingTable, key: &ApiKey, ask: &Ask<'_>) -> Result<Self, PlanError> {
        let (mut choices, thinks) = table.choices(ask.models, ask.home)?;
        filter::hard(&mut choices, (table, key), ask)?;
        if choices.len() > 1 {
            filter::soft(&mut choices, ask);
            if ask.preferences.partition == Some(Partition::All) {
                for choice in &mut choices {
                    choice.group = 0;
                }
            }
        }
        Ok(Self { choices, thinks })
    }

    /// Whether endpoints are left whose order is not given: those of one model, or all together.
    pub fn has_choice(&self) -> bool {
        self.choices.array_windows().any(|[one, other]| one.group == other.group)
    }

    /// Puts them in order. `kept` is the endpoint that served the conversation last.
    pub fn into_plan(
        self,
        (table, live): (&RoutingTable, &dyn Live),
        ask: &Ask<'_>,
        kept: Option<&Kept>,
        dice: &mut dyn RngCore,
    ) -> Plan {
        let thinks = self.thinks;
        let choices = if self.has_choice() {
            ordered(self.choices, &Basis { table, live, ask, kept }, dice)
        } else {
            self.choices
        };
        let candidates = choices.into_iter().map(|choice| choice.candidate).collect();
        Plan { candidates, thinks }
    }
}

/// All groups one after the other, each in the order in which it is tried.
fn ordered(choices: Vec<Choice>, basis: &Basis<'_>, dice: &mut dyn RngCore) -> Vec<Choice> {
    let ranked = |choice| Ranked::new(choice, basis.live, basis.ask);
    let mut ranked: Vec<Ranked> = choices.into_iter().map(ranked).collect();
    for group in ranked.chunk_by_mut(|one, other| one.choice.group == other.choice.group) {
        order(group, basis, dice);
    }
    let wishes = basis.ask.preferences;
    if !wishes.allow_fallbacks && wishes.order.is_empty() {
        ranked.dedup_by_key(|one| one.choice.group);
    }
    ranked.into_iter().map(|one| one.choice).collect()
}

/// One group. What comes later weighs more: every step keeps the order of equals.
fn order(group: &mut [Ranked], basis: &Basis<'_>, dice: &mut dyn RngCore) {
    let wishes = basis.ask.preferences;
    let of_name = group.first().and_then(|first| first.choice.sort);
    let has_tools = || basis.ask.parameters.contains(Parameter::Tools);
    match wishes.sort.or(of_name) {
        Some(SortBy::Exacto) => {
            sort::by_chance(group, dice);
            sort::by_tool_calls(group, basis.live);
        }
        Some(by) => sort::strictly(group, by),
        None => {
            sort::by_chance(group, dice);
            if wishes.order.is_empty() && has_tools() {
                sort::by_tool_calls(group, basis.live);
            }
        }
    }
    sort::slow_last(group, &wishes.min_throughput_tps, &wishes.max_latency_ms);
    if wishes.order.is_empty() {
        stick(group, basis.kept);
    } else {
        as_named(group, basis.table, wishes);
    }
    sort::byok_first(group);
    sort::open_last(group);
}

/// The endpoint that served the conversation last comes first, as long as it is well.
fn stick(group: &mut [Ranked], kept: Option<&Kept>) {
    let Some(kept) = kept else { return };
    group.sort_by_key(|one| {
        let candidate = one.candidate();
        let stays = candidate.provider.slug == kept.provider
            && candidate.upstream_model == kept.upstream_model
            && one.is_well();
        !stays
    });
}

/// Those that `order` names come first, as it names them.
fn as_named(group: &mut [Ranked], table: &RoutingTable, wishes: &Preferences) {
    group.sort_by_cached_key(|one| {
        let provider = &one.candidate().provider;
        let place = wishes.order.iter().position(|name| table.is_named(name, provider));
        place.unwrap_or(usize::MAX)
    });
}

#[cfg(test)]
mod tests;
