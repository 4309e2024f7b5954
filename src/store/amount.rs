//! Counts and amounts as the database keeps them: in `BIGINT`s, whose sums must not overflow.
//!
//! Used by every table of the store. One request's cost fits a `BIGINT` of pico-USD. Sums and
//! credits do not, so they are two columns, whole micro-USD and a rest of 0 to 999 999 pico-USD,
//! each of which may be summed over any number of rows.

use crate::money::PicoUsd;

/// Pico-USD in one micro-USD.
const PICO_PER_MICRO: i128 = 1_000_000;

/// Whole micro-USD and the rest, which is never negative; `None` beyond nine trillion USD.
pub(super) fn split(amount: PicoUsd) -> Option<(i64, i64)> {
    let micro_usd = i64::try_from(amount.pico().div_euclid(PICO_PER_MICRO)).ok()?;
    let rest_pico_usd = i64::try_from(amount.pico().rem_euclid(PICO_PER_MICRO)).ok()?;
    Some((micro_usd, rest_pico_usd))
}

/// The amount that was split, or the sum of many that were.
pub(super) fn join(micro_usd: i64, rest_pico_usd: i64) -> PicoUsd {
    PicoUsd::from_pico(i128::from(micro_usd) * PICO_PER_MICRO + i128::from(rest_pico_usd))
}

/// The cost of one request: nine million USD at most, far above any one request.
pub(super) fn to_pico(cost: PicoUsd) -> i64 {
    i64::try_from(cost.pico()).unwrap_or(i64::MAX)
}

pub(super) fn from_pico(cost: i64) -> PicoUsd {
    PicoUsd::from_pico(i128::from(cost))
}

/// A count; what the database cannot hold is kept as its largest number.
pub(super) fn to_bigint(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count as it was kept.
pub(super) fn from_bigint(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_amount_is_whole_again() {
        for pico in [0, 1, 999_999, 1_000_000, -1, -1_000_001, i128::from(i64::MAX) * 3] {
            let amount = PicoUsd::from_pico(pico);
            let (micro_usd, rest_pico_usd) = split(amount).unwrap();
            assert!((0..1_000_000).contains(&rest_pico_usd), "{pico}");
            assert_eq!(join(micro_usd, rest_pico_usd), amount);
        }
        assert_eq!(split(PicoUsd::from_pico(i128::MAX)), None);
    }
}
