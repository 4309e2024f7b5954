//! A factor on prices: what a service tier costs compared with the ordinary one.
//!
//! A fraction, because vendors' prices are related by fractions: priority tokens at 2.00 instead of
//! 1.10 USD cost 20/11. An amount times a factor is exact, then rounded once, half up.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{MoneyError, MoneyVisitor, PicoUsd, parse_decimal, write_decimal};

/// Digits after the decimal point of either side of a fraction.
const DECIMALS: usize = 6;

/// A factor, as a fraction; written `"0.5"` or `"20/11"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Factor {
    /// In millionths, at most [`Factor::MAX_SANE`] times the denominator.
    numerator: u64,
    /// In millionths, never zero.
    denominator: u64,
}

impl Factor {
    /// Changes nothing.
    pub const ONE: Self = Self { numerator: 1, denominator: 1 };
    /// Above it a factor is a typing error.
    pub const MAX_SANE: u64 = 100;

    /// The amount times this factor, rounded half up to whole pico-USD; stops at the ends of the
    /// range.
    #[must_use]
    pub fn of(self, amount: PicoUsd) -> PicoUsd {
        let (numerator, denominator) = (i128::from(self.numerator), i128::from(self.denominator));
        // Whole multiples of the denominator first: nothing overflows that the result would not.
        let whole = amount.0.div_euclid(denominator).saturating_mul(numerator);
        let rest = amount.0.rem_euclid(denominator).saturating_mul(numerator);
        let rounded = rest.saturating_add(denominator / 2).div_euclid(denominator);
        PicoUsd(whole.saturating_add(rounded))
    }
}

impl FromStr for Factor {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (above, below) = text.split_once('/').unwrap_or((text, "1"));
        let side = |text: &str| {
            let millionths = parse_decimal(text, DECIMALS)?;
            if millionths < 0 {
                return Err(MoneyError::Negative);
            }
            u64::try_from(millionths).map_err(|_| MoneyError::TooLarge)
        };
        let (numerator, denominator) = (side(above)?, side(below)?);
        if denominator == 0 {
            return Err(MoneyError::NotDecimal);
        }
        if u128::from(numerator) > u128::from(denominator) * u128::from(Self::MAX_SANE) {
            return Err(MoneyError::TooLarge);
        }
        let common = common_divisor(numerator, denominator);
        Ok(Self { numerator: numerator / common, denominator: denominator / common })
    }
}

/// Greatest common divisor; `below` is not zero.
fn common_divisor(above: u64, below: u64) -> u64 {
    let (mut larger, mut smaller) = (above, below);
    while smaller != 0 {
        (larger, smaller) = (smaller, larger % smaller);
    }
    larger.max(1)
}

impl fmt::Display for Factor {
    /// A plain decimal where one says it exactly, else a fraction of whole numbers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millionths = i128::from(self.numerator) * 10_i128.pow(6);
        let denominator = i128::from(self.denominator);
        if millionths % denominator == 0 {
            return write_decimal(f, millionths / denominator, DECIMALS);
        }
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

impl Serialize for Factor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Factor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MoneyVisitor(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn factor(text: &str) -> Factor {
        text.parse().unwrap()
    }

    #[test]
    fn factors_are_read_and_written_exactly() {
        for (text, shown) in [
            ("0.5", "0.5"),
            ("1", "1"),
            ("20/11", "20/11"),
            ("2/1.1", "20/11"),
            ("3/2", "1.5"),
            ("0", "0"),
            ("0/7", "0"),
            ("100", "100"),
        ] {
            assert_eq!(factor(text).to_string(), shown, "{text}");
            assert_eq!(factor(shown), factor(text));
        }
        for text in ["", "/", "1/", "/2", "1/0", "1/2/3", "-1", "1/-2", "101", "0.0000001", "1e2"] {
            assert!(text.parse::<Factor>().is_err(), "{text}");
        }
        assert_eq!(serde_json::from_str::<Factor>("2").unwrap(), factor("2"));
        assert!(serde_json::from_str::<Factor>("0.5").is_err());
    }

    #[test]
    fn halves_are_rounded_up() {
        for (text, pico, expected) in [
            ("0.5", 3, 2),
            ("0.5", 1, 1),
            ("0.25", 1, 0),
            ("1/3", 1, 0),
            ("2/3", 1, 1),
            ("20/11", 1_100_000, 2_000_000),
            ("1", i128::MAX, i128::MAX),
            ("2", i128::MAX, i128::MAX),
        ] {
            let product = factor(text).of(PicoUsd::from_pico(pico));
            assert_eq!(product.pico(), expected, "{pico} times {text}");
        }
    }

    proptest! {
        #[test]
        fn a_product_is_the_nearest_whole_number(
            pico in 0..10_i128.pow(24), above in 0..100_000_000_u64, below in 1_000_000..9_000_000_u64,
        ) {
            let factor = factor(&format!("{above}/{below}"));
            let (above, below) = (i128::from(above), i128::from(below));
            let expected = (2 * pico * above + below).div_euclid(2 * below);
            prop_assert_eq!(factor.of(PicoUsd::from_pico(pico)).pico(), expected);
        }
    }
}
