//! Auto Exacto: where requests with tools go first, by how the endpoints' tool calls turned out.
//!
//! The planner asks for each candidate's [`Standing`] and sorts by it; equal standings keep the
//! order they had. [`Board`] keeps a standing for [`RANK_FOR`], so that the order does not change
//! with every answer. An endpoint of which little is known stays behind those that are good and
//! before those that are poor, and is looked at anew each time until enough is known of it.

use super::live::{EndpointView, ToolErrors};
use moka::sync::Cache;
use std::cmp::Reverse;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// How long an endpoint keeps its standing.
pub const RANK_FOR: Duration = Duration::from_mins(5);
/// Answers with tool calls from which an endpoint is judged.
pub const MIN_REQUESTS: u32 = 20;
/// Of a hundred answers with tool calls, those with a wrong call that a good endpoint may have.
const GOOD_PERCENT: u32 = 10;
/// The same for an endpoint among the best, which throughput ranks.
const BEST_PERCENT: u32 = 2;
/// Most endpoints whose standing is kept; about 300 bytes each.
const MAX_ENDPOINTS: u64 = 10_000;

/// How good an endpoint is at calling tools; the smaller, the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing {
    grade: Grade,
    /// Completion tokens per second, in steps; 0 = not known.
    speed: Reverse<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    Best,
    Good,
    Unknown,
    /// With the share of wrong answers in percent.
    Poor(u32),
}

impl Standing {
    /// The standing of an endpoint at this moment.
    pub fn of(view: &EndpointView) -> Self {
        let grade = Grade::of(view.tool_errors);
        let speed = match grade {
            Grade::Best | Grade::Good => view.throughput_tps.map_or(0, |tps| steps(tps.p50)),
            // The price decides among those of which nothing is known.
            Grade::Unknown | Grade::Poor(_) => 0,
        };
        Self { grade, speed: Reverse(speed) }
    }

    fn is_established(self) -> bool {
        self.grade != Grade::Unknown
    }
}

impl Grade {
    fn of(errors: Option<ToolErrors>) -> Self {
        let Some(errors) = errors.filter(|errors| errors.requests >= MIN_REQUESTS) else {
            return Self::Unknown;
        };
        let percent = u64::from(errors.errors) * 100 / u64::from(errors.requests);
        match u32::try_from(percent).unwrap_or(u32::MAX) {
            ..=BEST_PERCENT => Self::Best,
            percent if percent <= GOOD_PERCENT => Self::Good,
            percent => Self::Poor(percent),
        }
    }
}

/// Tokens per second in whole steps of ten, so that noise decides nothing.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest integer there is, and NaN becomes 0"
)]
fn steps(tps: f32) -> u32 {
    (tps / 10.0) as u32
}

/// Positions of endpoints in the order in which a request with tools tries them.
pub fn rank(views: &[EndpointView]) -> Vec<usize> {
    let standings: Vec<Standing> = views.iter().map(Standing::of).collect();
    let mut order: Vec<usize> = (0..views.len()).collect();
    order.sort_by_key(|position| standings.get(*position).copied());
    order
}

/// The standings that were given out.
#[derive(Debug)]
pub struct Board {
    standings: Cache<u64, (Standing, Instant)>,
    hashing: RandomState,
}

impl Default for Board {
    fn default() -> Self {
        let standings = Cache::builder().max_capacity(MAX_ENDPOINTS).time_to_live(RANK_FOR).build();
        Self { standings, hashing: RandomState::new() }
    }
}

impl Board {
    /// The standing of an endpoint that `view` shows as it is now: the one it has kept, or a new
    /// one if that is too old or rested on too little.
    pub fn standing(
        &self,
        (provider, upstream_model): (&str, &str),
        view: &EndpointView,
        now: Instant,
    ) -> Standing {
        let name = self.hashing.hash_one((provider, upstream_model));
        if let Some((standing, since)) = self.standings.get(&name)
            && now.saturating_duration_since(since) < RANK_FOR
        {
            return standing;
        }
        let standing = Standing::of(view);
        if standing.is_established() {
            self.standings.insert(name, (standing, now));
        }
        standing
    }
}

#[cfg(test)]
mod tests {
    use super::super::live::Percentiles;
    use super::*;
    use proptest::prelude::*;

    fn view(errors: u32, requests: u32, tps: f32) -> EndpointView {
        EndpointView {
            tool_errors: Some(ToolErrors { requests, errors }),
            throughput_tps: Some(Percentiles { p50: tps, ..Percentiles::default() }),
            ..EndpointView::default()
        }
    }

    #[test]
    fn good_ones_then_unknown_ones_then_poor_ones() {
        let unknown = EndpointView::default();
        let cases: &[(&str, &[EndpointView], &[usize])] = &[
            ("nothing is known", &[unknown; 3], &[0, 1, 2]),
            ("one is good", &[unknown, unknown, view(0, 20, 1.0)], &[2, 0, 1]),
            ("one is poor", &[view(11, 100, 900.0), unknown], &[1, 0]),
            ("too little is known", &[view(19, 19, 1.0), view(0, 19, 90.0), unknown], &[0, 1, 2]),
            ("fast among the best", &[view(2, 100, 20.0), view(0, 100, 90.0)], &[1, 0]),
            ("good beats fast", &[view(3, 100, 900.0), view(2, 100, 20.0)], &[1, 0]),
            ("noise decides nothing", &[view(0, 100, 21.0), view(0, 100, 29.0)], &[0, 1]),
            ("the least poor", &[view(90, 100, 9.0), view(50, 100, 1.0)], &[1, 0]),
            (
                "all kinds",
                &[view(50, 100, 9.0), unknown, view(9, 100, 9.0), view(0, 500, 1.0)],
                &[3, 2, 1, 0],
            ),
        ];
        for (what, views, expected) in cases {
            assert_eq!(rank(views), *expected, "{what}");
        }
    }

    #[test]
    fn a_standing_lasts_five_minutes_once_enough_is_known() {
        let (board, start) = (Board::default(), Instant::now());
        let endpoint = ("p", "m");
        let (good, poor) = (view(0, 20, 1.0), view(20, 20, 1.0));
        let unknown = board.standing(endpoint, &EndpointView::default(), start);
        assert_eq!(unknown, Standing::of(&EndpointView::default()));
        assert_eq!(board.standing(endpoint, &good, start), Standing::of(&good));
        let shortly_before = start + RANK_FOR.checked_sub(Duration::from_secs(1)).unwrap();
        assert_eq!(board.standing(endpoint, &poor, shortly_before), Standing::of(&good));
        assert_eq!(board.standing(("q", "m"), &poor, start), Standing::of(&poor));
        assert_eq!(board.standing(endpoint, &poor, start + RANK_FOR), Standing::of(&poor));
    }

    proptest! {
        #[test]
        fn every_endpoint_is_tried_once_and_none_before_a_better_one(
            known in proptest::collection::vec(
                (0_u32..200, 0_u32..200, prop::num::f32::ANY), 0..12),
        ) {
            let views: Vec<EndpointView> = known
                .iter()
                .map(|(errors, requests, tps)| view((*errors).min(*requests), *requests, *tps))
                .collect();
            let order = rank(&views);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..views.len()).collect::<Vec<_>>());
            for pair in order.windows(2) {
                let (one, other) = (Standing::of(&views[pair[0]]), Standing::of(&views[pair[1]]));
                prop_assert!(one < other || (one == other && pair[0] < pair[1]));
            }
        }
    }
}
