//! The auto router: which models serve a request that leaves the choice to the gateway.
//!
//! Used by `proxy::admit` for `auto`, `openrouter/auto` and `openrouter/free`. Pure rules, in this
//! order: what the request allows, what it needs, what it may cost, how models are doing, and the
//! balance of quality and price. Only what the caller excludes can leave nothing: needs that no
//! model is known to meet are left to the providers. The outcome says why, in short sentences.

pub mod needs;

use super::live::{EndpointView, Gate};
use crate::money::PicoUsd;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// Most models a request is given: one and its fallbacks.
pub const MAX_CHOSEN: usize = 5;
/// Most patterns that a request may list.
const MAX_PATTERNS: usize = 1_024;
/// The balance where the request states none, as OpenRouter documents it.
const USUAL_TRADEOFF: u8 = 7;
/// The balance that looks at the price alone.
const MAX_TRADEOFF: u8 = 10;

/// Which of the routers was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Router {
    /// By rules over capability, price and health.
    Auto,
    /// Any model that costs nothing.
    Free,
}

impl Router {
    /// The router of this name, if it is one.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "auto" | "openrouter/auto" | "openrouter/auto-beta" => Some(Self::Auto),
            "openrouter/free" => Some(Self::Free),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Free => "free",
        }
    }
}

/// What the request's plugin entry says; the rest of it is ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Which plugin the entry is of.
    id: String,
    /// Whether the entry counts.
    enabled: Option<bool>,
    /// Patterns of models that may be chosen; none = all.
    allowed_models: Vec<String>,
    /// Patterns of models that may not be chosen.
    excluded_models: Vec<String>,
    /// 0 = the best at any price, 10 = the cheapest.
    cost_quality_tradeoff: Option<u8>,
    /// What share of the models, from the cheapest on, may be chosen.
    cost_tier: Option<CostTier>,
}

/// A share of the models, from the cheapest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CostTier {
    Low,
    Medium,
    High,
    XHigh,
    Max,
}

impl CostTier {
    fn percent(self) -> usize {
        match self {
            Self::Low => 25,
            Self::Medium => 50,
            Self::High => 75,
            Self::XHigh => 90,
            Self::Max => 100,
        }
    }
}

/// Why a request's choice could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AutoError {
    /// The plugin entry cannot be read.
    #[error("the options of the auto router are not valid: {0}")]
    Options(String),
    /// The patterns, or the caller's key, leave no model.
    #[error("no model is left for the auto router to choose from")]
    NothingAllowed,
    /// No model costs nothing.
    #[error("no model that costs nothing is configured")]
    NothingFree,
}

impl Options {
    /// The auto router's entry of a request's `plugins`; the usual options without one.
    pub fn read(plugins: Option<&[u8]>) -> Result<Self, AutoError> {
        let Some(raw) = plugins.filter(|raw| *raw != b"null") else { return Ok(Self::default()) };
        let invalid = |error: serde_json::Error| AutoError::Options(error.to_string());
        let entries: Vec<&serde_json::value::RawValue> =
            serde_json::from_slice(raw).map_err(invalid)?;
        for entry in entries {
            let id: Id = serde_json::from_str(entry.get()).map_err(invalid)?;
            if matches!(&*id.id, "auto-router" | "auto-beta-router") {
                let options: Self = serde_json::from_str(entry.get()).map_err(invalid)?;
                return options.checked();
            }
        }
        Ok(Self::default())
    }

    fn checked(self) -> Result<Self, AutoError> {
        if self.enabled == Some(false) {
            return Ok(Self::default());
        }
        if self.cost_quality_tradeoff.is_some_and(|tradeoff| tradeoff > MAX_TRADEOFF) {
            return Err(AutoError::Options("cost_quality_tradeoff goes from 0 to 10".to_owned()));
        }
        if self.allowed_models.len().max(self.excluded_models.len()) > MAX_PATTERNS {
            return Err(AutoError::Options(format!("more than {MAX_PATTERNS} patterns")));
        }
        Ok(self)
    }

    fn permits(&self, model: &str) -> bool {
        let among = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, model));
        (self.allowed_models.is_empty() || among(&self.allowed_models))
            && !among(&self.excluded_models)
    }
}

#[derive(Deserialize)]
struct Id {
    #[serde(default)]
    id: String,
}

/// Whether a pattern means this model: its name, or one with `*` for any text, also none.
fn matches(pattern: &str, model: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| model.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        let Some((_, after)) = rest.split_once(piece) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// What a request may need of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// It holds pictures.
    Images,
    /// It holds documents.
    Files,
    /// It holds sound.
    Audio,
    /// It holds videos.
    Video,
    /// It offers tools.
    Tools,
    /// Its answer must fit a schema.
    JsonSchema,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Images => "pictures",
            Self::Files => "documents",
            Self::Audio => "audio",
            Self::Video => "videos",
            Self::Tools => "tools",
            Self::JsonSchema => "a JSON schema",
        })
    }
}

/// A model that may be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contender {
    /// `author/model`.
    pub id: Arc<str>,
    /// What it can.
    pub can: BTreeSet<Need>,
    /// What it cannot. What is in neither is not known.
    pub cannot: BTreeSet<Need>,
    /// Prompt plus answer, in tokens; `None` = not known.
    pub context_length: Option<u64>,
    /// What the request would cost, about; `None` = not known.
    pub price: Option<PicoUsd>,
    /// How its best endpoint is doing.
    pub condition: Condition,
}

/// How a model is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// It answers.
    Well,
    /// It failed a moment ago.
    Ailing,
    /// None of its endpoints may be called.
    Down,
}

impl Condition {
    /// The condition of a model with these endpoints.
    pub fn of(endpoints: impl Iterator<Item = EndpointView>) -> Self {
        let one = |view: EndpointView| match view.gate {
            Gate::Open { .. } => Self::Down,
            Gate::HalfOpen => Self::Ailing,
            Gate::Closed if view.recent_outage => Self::Ailing,
            Gate::Closed => Self::Well,
        };
        endpoints.map(one).min().unwrap_or(Self::Down)
    }
}

/// A request that leaves the model to the gateway.
#[derive(Debug, Clone)]
pub struct AutoAsk<'a> {
    /// Which router.
    pub router: Router,
    /// What its plugin entry says.
    pub options: &'a Options,
    /// What it needs.
    pub needs: &'a BTreeSet<Need>,
    /// Tokens of prompt and answer together, about.
    pub tokens: u64,
    /// The model that served the conversation before.
    pub kept: Option<&'a str>,
    /// A random number.
    pub dice: u64,
}

/// The models to ask, in order, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The chosen one, then its fallbacks; never empty.
    pub models: Vec<Arc<str>>,
    /// Why.
    pub explanation: Explanation,
}

/// Why a model was chosen, for the metadata of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// `auto` or `free`.
    pub router: &'static str,
    /// The model it chose.
    pub model: Arc<str>,
    /// Short sentences, in the order of the decisions.
    pub reasons: Vec<String>,
}

/// Chooses among models that stand in the order of their quality, the best one first.
pub fn choose(ask: &AutoAsk<'_>, models: &[Contender]) -> Result<Choice, AutoError> {
    let mut field = Field { left: models.iter().collect(), reasons: Vec::new() };
    field.keep("the request's patterns allow", |model| ask.options.permits(&model.id));
    if field.left.is_empty() {
        return Err(AutoError::NothingAllowed);
    }
    if ask.router == Router::Free {
        field.keep("cost nothing:", |model| model.price == Some(PicoUsd::ZERO));
        if field.left.is_empty() {
            return Err(AutoError::NothingFree);
        }
    }
    for need in ask.needs {
        let what = format!("may take {need}:");
        field.prefer(&what, |model| !model.cannot.contains(need));
    }
    let what = format!("have room for about {} tokens:", ask.tokens);
    field.prefer(&what, |model| model.context_length.is_none_or(|room| room >= ask.tokens));
    field.prefer("can be called:", |model| model.condition != Condition::Down);
    if let Some(tier) = ask.options.cost_tier {
        field.keep_cheapest(tier);
    }
    let mut order = match ask.router {
        Router::Auto => field.balanced(ask.options.cost_quality_tradeoff),
        Router::Free => field.drawn(ask.dice),
    };
    // A stable sort: the balance decides among those that are known to do as much.
    order.sort_by_key(|model| (model.condition, unknown_needs(model, ask.needs)));
    let mut reasons = field.reasons;
    let stays =
        |model: &&Contender| Some(&*model.id) == ask.kept && model.condition != Condition::Down;
    if let Some(at) = order.iter().position(stays) {
        order.get_mut(..=at).unwrap_or_default().rotate_right(1);
        reasons.push("it served the conversation before".to_owned());
    }
    let models: Vec<Arc<str>> =
        order.into_iter().take(MAX_CHOSEN).map(|model| Arc::clone(&model.id)).collect();
    let model = models.first().cloned().ok_or(AutoError::NothingAllowed)?;
    Ok(Choice { models, explanation: Explanation { router: ask.router.name(), model, reasons } })
}

fn unknown_needs(model: &Contender, needs: &BTreeSet<Need>) -> usize {
    needs.iter().filter(|need| !model.can.contains(need)).count()
}

/// The models that are left, in the order of their quality.
struct Field<'a> {
    left: Vec<&'a Contender>,
    reasons: Vec<String>,
}

impl<'a> Field<'a> {
    /// Lets those go that do not pass, whoever remains.
    fn keep(&mut self, what: &str, passes: impl Fn(&Contender) -> bool) {
        let before = self.left.len();
        self.left.retain(|model| passes(model));
        if self.left.len() < before {
            self.reasons.push(format!("{what} {} of {before} models", self.left.len()));
        }
    }

    /// Lets those go that do not pass, unless that is all of them.
    fn prefer(&mut self, what: &str, passes: impl Fn(&Contender) -> bool) {
        if self.left.iter().any(|model| passes(model)) {
            self.keep(what, passes);
        } else {
            self.reasons.push(format!("{what} no model, so all were kept"));
        }
    }

    /// Keeps a share of the models, at least one. A price that is not known counts as the highest.
    fn keep_cheapest(&mut self, tier: CostTier) {
        let before = self.left.len();
        let kept = (before * tier.percent()).div_ceil(100).max(1);
        let mut prices: Vec<_> = self.left.iter().map(|model| Cost::of(model)).collect();
        prices.sort_unstable();
        let Some(highest) = prices.get(kept - 1).copied() else { return };
        self.keep("the cost tier allows", |model| Cost::of(model) <= highest);
    }

    /// The models by how near they are to the balance that was asked for. One that is neither
    /// better nor cheaper than another comes after all that are something.
    fn balanced(&mut self, tradeoff: Option<u8>) -> Vec<&'a Contender> {
        let tradeoff = tradeoff.unwrap_or(USUAL_TRADEOFF);
        let (mut worthy, mut others): (Vec<&Contender>, Vec<&Contender>) = (Vec::new(), Vec::new());
        for model in &self.left {
            let cheaper = worthy.iter().all(|better| Cost::of(model) < Cost::of(better));
            if cheaper { worthy.push(model) } else { others.push(model) }
        }
        let last = worthy.len().saturating_sub(1);
        let target = (usize::from(tradeoff) * last + 5) / 10;
        let mut places: Vec<(usize, &Contender)> = worthy.into_iter().enumerate().collect();
        places.sort_by_key(|(place, _)| (place.abs_diff(target), *place));
        if last > 0 {
            let place = target + 1;
            let of = last + 1;
            self.reasons.push(format!(
                "balance {tradeoff} of 10 between quality (0) and price (10): place {place} of {of}"
            ));
        }
        places.into_iter().map(|(_, model)| model).chain(others).collect()
    }

    /// The models in their order, from one on that the dice chose.
    fn drawn(&mut self, dice: u64) -> Vec<&'a Contender> {
        let mut order = self.left.clone();
        let count = u64::try_from(order.len()).unwrap_or(1).max(1);
        order.rotate_left(usize::try_from(dice % count).unwrap_or(0));
        self.reasons.push(format!("drawn from {count}"));
        order
    }
}

/// A price, the unknown one above all others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cost(bool, Option<PicoUsd>);

impl Cost {
    fn of(model: &Contender) -> Self {
        Self(model.price.is_none(), model.price)
    }
}

#[cfg(test)]
mod tests;
