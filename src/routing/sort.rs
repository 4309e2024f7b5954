//! In which order endpoints are tried that may all serve a request.
//!
//! Second step of the planner; orders one group of endpoints at a time, in place. Every order here
//! is stable, so that what was decided before holds among equals. Prices are compared as integers.

use super::ask::Ask;
use super::live::{EndpointView, Gate, Live, Percentiles};
use super::plan::{Candidate, Choice};
use super::preferences::{Cutoffs, SortBy};
use crate::catalog::Pricing;
use crate::money::PicoUsd;
use rand::{Rng, RngCore};
use std::cmp::{Ordering, Reverse};

/// Bits of the quotient of two prices; its square is a weight.
const QUOTIENT_BITS: u32 = 24;

/// An endpoint with what its place depends on.
#[derive(Debug)]
pub(super) struct Ranked {
    pub(super) choice: Choice,
    pub(super) view: EndpointView,
    /// What the request will probably cost there.
    price: Option<PicoUsd>,
}

impl Ranked {
    /// An endpoint as it is doing now.
    pub(super) fn new(choice: Choice, live: &dyn Live, ask: &Ask<'_>) -> Self {
        let candidate = &choice.candidate;
        let view = live.endpoint(&candidate.provider.slug, &candidate.upstream_model);
        let price = candidate.pricing.as_deref().map(|pricing| probable_price(pricing, ask));
        Self { choice, view, price }
    }

    pub(super) fn candidate(&self) -> &Candidate {
        &self.choice.candidate
    }

    fn is_open(&self) -> bool {
        matches!(self.view.gate, Gate::Open { .. })
    }

    /// Whether it can be called and was well of late.
    pub(super) fn is_well(&self) -> bool {
        !self.is_open() && !self.view.recent_outage
    }
}

/// Tokens of each side that a request has which does not say.
const UNKNOWN_TOKENS: u64 = 1_000;

/// What a request will probably cost, caches and reasoning aside: the one price by which endpoints
/// are compared.
fn probable_price(pricing: &Pricing, ask: &Ask<'_>) -> PicoUsd {
    match (ask.prompt_tokens, ask.completion_tokens) {
        (0, 0) => pricing.estimate(UNKNOWN_TOKENS, UNKNOWN_TOKENS),
        (prompt, completion) => pricing.estimate(prompt, completion),
    }
}

/// A strict order; what is not known comes last.
pub(super) fn strictly(group: &mut [Ranked], by: SortBy) {
    let compare = |one: Option<f32>, other: Option<f32>, order: fn(&f32, &f32) -> Ordering| match (
        one, other,
    ) {
        (Some(one), Some(other)) => order(&one, &other),
        (one, other) => one.is_none().cmp(&other.is_none()),
    };
    let median = |figures: Option<Percentiles>| figures.map(|figures| figures.p50);
    match by {
        SortBy::Price => group.sort_by_key(|one| (one.price.is_none(), one.price)),
        SortBy::Throughput => group.sort_by(|one, other| {
            let (one, other) = (one.view.throughput_tps, other.view.throughput_tps);
            compare(median(one), median(other), |one, other| other.total_cmp(one))
        }),
        SortBy::Latency => group.sort_by(|one, other| {
            let (one, other) = (one.view.latency_ms, other.view.latency_ms);
            compare(median(one), median(other), f32::total_cmp)
        }),
        SortBy::Exacto => {}
    }
}

/// The order of a request that asks for none: by chance, the cheaper the likelier, and those that
/// had an outage of late behind the others. If a price is not known, the operator's order is kept.
pub(super) fn by_chance(group: &mut [Ranked], dice: &mut dyn RngCore) {
    if let Some(weights) = weights(group) {
        shuffle(group, weights, dice);
    }
    group.sort_by_key(|one| one.view.recent_outage);
}

/// The inverse squares of the prices, as shares of the cheapest; `None` if one is not known.
fn weights(group: &[Ranked]) -> Option<Vec<u64>> {
    let price = |one: &Ranked| Some(one.price?.pico().max(1));
    let prices = group.iter().map(price).collect::<Option<Vec<i128>>>()?;
    let cheapest = prices.iter().copied().min()?;
    let weight = |price: i128| {
        let quotient = u64::try_from((cheapest << QUOTIENT_BITS) / price).unwrap_or(0);
        (quotient * quotient).max(1)
    };
    Some(prices.into_iter().map(weight).collect())
}

/// Draws one after the other without putting back.
fn shuffle(group: &mut [Ranked], mut weights: Vec<u64>, dice: &mut dyn RngCore) {
    let mut rest = group;
    let mut left = weights.as_mut_slice();
    while rest.len() > 1 {
        let total: u64 = left.iter().sum();
        let mut roll = dice.random_range(0..total.max(1));
        let mut drawn = 0;
        for (position, weight) in left.iter().enumerate() {
            drawn = position;
            if roll < *weight {
                break;
            }
            roll -= weight;
        }
        // Rotated rather than swapped: those that are left keep their order.
        if let (Some(ranked), Some(weights)) = (rest.get_mut(..=drawn), left.get_mut(..=drawn)) {
            ranked.rotate_right(1);
            weights.rotate_right(1);
        }
        let (Some((_, others)), Some((_, weights))) = (
            std::mem::take(&mut rest).split_first_mut(),
            std::mem::take(&mut left).split_first_mut(),
        ) else {
            return;
        };
        (rest, left) = (others, weights);
    }
}

/// Those that call tools well come first, and those that are not well last; of equally good ones
/// those that came first before.
pub(super) fn by_tool_calls(group: &mut [Ranked], live: &dyn Live) {
    group.sort_by_cached_key(|one| {
        let candidate = one.candidate();
        let name = (&*candidate.provider.slug, &*candidate.upstream_model);
        (!one.is_well(), live.tool_standing(name, &one.view))
    });
}

/// Those that are slower than the request wishes go behind the others. Nobody is called slow
/// before it was measured.
pub(super) fn slow_last(group: &mut [Ranked], min_tps: &Cutoffs, max_ms: &Cutoffs) {
    let nothing = Cutoffs::default();
    if *min_tps == nothing && *max_ms == nothing {
        return;
    }
    group.sort_by_key(|one| {
        let is_slow = one.view.throughput_tps.is_some_and(|is| violates(min_tps, is, f32::lt));
        let is_late = one.view.latency_ms.is_some_and(|is| violates(max_ms, is, f32::gt));
        is_slow || is_late
    });
}

/// Whether a bound is broken that a share of the calls has to keep. What is measured is given for
/// the same shares: `p90` is what nine of ten calls stay below, or reach where more is better.
fn violates(bounds: &Cutoffs, is: Percentiles, breaks: fn(&f32, &f32) -> bool) -> bool {
    let pairs =
        [(is.p50, bounds.p50), (is.p75, bounds.p75), (is.p90, bounds.p90), (is.p99, bounds.p99)];
    pairs.iter().any(|(is, bound)| bound.is_some_and(|bound| breaks(is, &bound)))
}

/// Those on the callers' own contract come first.
pub(super) fn byok_first(group: &mut [Ranked]) {
    group.sort_by_key(|one| Reverse(one.candidate().provider.byok));
}

/// Those that are left alone for now come last; the exchange decides whether it comes to them.
pub(super) fn open_last(group: &mut [Ranked]) {
    group.sort_by_key(Ranked::is_open);
}
