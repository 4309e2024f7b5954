//! In which order models are listed, and which part of the list is shown.
//!
//! Used by every list. OpenRouter's clients page by `offset` and `limit`, Anthropic's by the id
//! after or before which to go on; without any of them the whole list is shown.

use super::Seen;
use crate::api::query::{Query, wrong};
use crate::error::GatewayError;
use crate::money::Price;
use crate::routing::Live;
use std::cmp::Reverse;

/// Models on a page if nobody says how many.
const DEFAULT_LIMIT: usize = 500;
/// Most models on a page.
const MAX_LIMIT: usize = 1000;

/// What the first model has most or least of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// By id; also for ranks that only OpenRouter knows.
    Id,
    /// The cheapest first, by the mean of both prices.
    Cheapest,
    /// The dearest first.
    Dearest,
    /// The longest context first.
    Longest,
    /// The youngest first.
    Newest,
    /// The most tokens per second first, at its best endpoint.
    Fastest,
    /// The shortest time to the first token first, at its best endpoint.
    Promptest,
}

/// OpenRouter's words for orders.
const WORDS: &[(&str, Order)] = &[
    ("most-popular", Order::Id),
    ("newest", Order::Newest),
    ("top-weekly", Order::Id),
    ("pricing-low-to-high", Order::Cheapest),
    ("pricing-high-to-low", Order::Dearest),
    ("context-high-to-low", Order::Longest),
    ("throughput-high-to-low", Order::Fastest),
    ("latency-low-to-high", Order::Promptest),
    ("intelligence-high-to-low", Order::Id),
    ("coding-high-to-low", Order::Id),
    ("agentic-high-to-low", Order::Id),
    ("design-arena-elo-high-to-low", Order::Id),
];

impl Order {
    /// The order that a query asks for.
    pub(super) fn read(query: &Query) -> Result<Self, GatewayError> {
        let Some(word) = query.get("sort") else { return Ok(Self::Id) };
        let found = WORDS.iter().find(|(known, _)| *known == word);
        found.map(|(_, order)| *order).ok_or_else(|| {
            let known: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
            wrong("sort", format!("one of {}", known.join(", ")))
        })
    }

    /// Sorts models that come sorted by id. Those of which the value is not known come last.
    pub(super) fn sort(self, models: &mut [Seen<'_>], live: &dyn Live) {
        match self {
            Self::Id => {}
            Self::Cheapest => models.sort_by_cached_key(|seen| known_first(cost(seen))),
            Self::Dearest => models.sort_by_cached_key(|seen| known_first(cost(seen).map(Reverse))),
            Self::Longest => models.sort_by_cached_key(|seen| {
                known_first(seen.face.facts.context_length.map(Reverse))
            }),
            Self::Newest => {
                models.sort_by_cached_key(|seen| Reverse(seen.face.facts.created_s));
            }
            Self::Fastest => {
                models.sort_by_cached_key(|seen| known_first(best(seen, live).0.map(Reverse)))
            }
            Self::Promptest => models.sort_by_cached_key(|seen| known_first(best(seen, live).1)),
        }
    }
}

fn known_first<T>(value: Option<T>) -> (bool, Option<T>) {
    (value.is_none(), value)
}

fn cost(seen: &Seen<'_>) -> Option<u128> {
    let facts = &seen.face.facts;
    let pico = |price: Price| u128::from(price.pico_per_token());
    Some(pico(facts.prompt?) + pico(facts.completion?))
}

/// Highest throughput and shortest latency among the endpoints, in thousandths.
fn best(seen: &Seen<'_>, live: &dyn Live) -> (Option<u64>, Option<u64>) {
    let views = || {
        let endpoints = seen.face.endpoints.iter();
        endpoints.map(|one| live.endpoint(&one.provider.slug, &one.upstream_model))
    };
    let fastest = views().filter_map(|view| view.throughput_tps).map(|speed| milli(speed.p50));
    let promptest = views().filter_map(|view| view.latency_ms).map(|wait| milli(wait.p50));
    (fastest.max(), promptest.min())
}

/// Thousandths of a statistic that is never negative.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of a float stops at the ends of the range"
)]
fn milli(value: f32) -> u64 {
    (value * 1000.0) as u64
}

/// Which part of a list is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Page {
    /// All of it.
    Whole,
    /// So many models after some.
    Part {
        /// How many are left out.
        offset: usize,
        /// How many are shown.
        limit: usize,
    },
    /// So many models after the one of that id.
    After {
        /// The id.
        id: String,
        /// How many are shown.
        limit: usize,
    },
    /// So many models before the one of that id.
    Before {
        /// The id.
        id: String,
        /// How many are shown.
        limit: usize,
    },
}

/// A part of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut<'a, 'c> {
    /// What is shown.
    pub(super) shown: &'a [Seen<'c>],
    /// Whether there is more in the direction of reading.
    pub(super) has_more: bool,
    /// Where the next page begins and how long it is, for those who count.
    pub(super) next: Option<(usize, usize)>,
}

impl Page {
    /// The part that a query asks for.
    pub(super) fn read(query: &Query) -> Result<Self, GatewayError> {
        let limit = query.read::<usize>("limit", format!("from 1 to {MAX_LIMIT}"))?;
        if limit.is_some_and(|limit| !(1..=MAX_LIMIT).contains(&limit)) {
            return Err(wrong("limit", format!("from 1 to {MAX_LIMIT}")));
        }
        let offset = query.read::<usize>("offset", "a whole number")?;
        let shown = limit.unwrap_or(DEFAULT_LIMIT);
        Ok(match (query.get("after_id"), query.get("before_id"), offset, limit) {
            (None, None, None, None) => Self::Whole,
            (None, None, offset, _) => Self::Part { offset: offset.unwrap_or(0), limit: shown },
            (Some(id), None, None, _) => Self::After { id: id.to_owned(), limit: shown },
            (None, Some(id), None, _) => Self::Before { id: id.to_owned(), limit: shown },
            (None, ..) => return Err(wrong("before_id", "alone, without offset")),
            (Some(_), ..) => return Err(wrong("after_id", "alone, without before_id and offset")),
        })
    }

    /// The part of a list; an error if the model to go on from is not in it.
    pub(super) fn cut<'a, 'c>(&self, models: &'a [Seen<'c>]) -> Result<Cut<'a, 'c>, GatewayError> {
        let place = |id: &str, name| {
            let found = models.iter().position(|seen| *seen.names.id == *id);
            found.ok_or_else(|| wrong(name, "the id of a model in the list"))
        };
        let (start, end, backwards) = match self {
            Self::Whole => (0, models.len(), false),
            Self::Part { offset, limit } => (*offset, offset.saturating_add(*limit), false),
            Self::After { id, limit } => {
                let start = place(id, "after_id")? + 1;
                (start, start + limit, false)
            }
            Self::Before { id, limit } => {
                let end = place(id, "before_id")?;
                (end.saturating_sub(*limit), end, true)
            }
        };
        let (start, end) = (start.min(models.len()), end.min(models.len()));
        let has_more = if backwards { start > 0 } else { end < models.len() };
        let limit = match self {
            Self::Part { limit, .. } if has_more => Some(*limit),
            _ => None,
        };
        let shown = models.get(start..end).unwrap_or_default();
        Ok(Cut { shown, has_more, next: limit.map(|limit| (end, limit)) })
    }
}
