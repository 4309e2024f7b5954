//! Money as integers: [`PicoUsd`] amounts, [`Price`]s per token, and [`Factor`]s on them.
//!
//! Used by the configuration, the catalog and billing. One pico-USD is 10⁻¹² USD, so a price of
//! one millionth of a dollar per million tokens is still a whole number. Nothing here goes
//! through a floating point number: text is parsed digit by digit, and what does not fit exactly
//! is an error, never rounded.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use factor::Factor;

mod ceiling;
mod factor;

/// Digits after the decimal point of an amount in USD.
const USD_DECIMALS: usize = 12;
/// Digits after the decimal point of a price in USD per million tokens.
const PRICE_DECIMALS: usize = 6;
/// Digits before the decimal point; far above any sum of money, far below an overflow of `i128`.
const MAX_WHOLE_DIGITS: usize = 18;

/// Why a text is not an amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not of the form `12.34`.
    #[error("not a decimal number like \"2.50\"")]
    NotDecimal,
    /// More digits after the point than can be kept exactly.
    #[error("more than {0} digits after the decimal point")]
    TooFine(usize),
    /// More digits before the point than any amount needs.
    #[error("more than {MAX_WHOLE_DIGITS} digits before the decimal point")]
    TooLarge,
    /// A price below zero.
    #[error("a price cannot be negative")]
    Negative,
}

/// An amount of money in pico-USD (10⁻¹² USD); negative amounts are debts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PicoUsd(i128);

impl PicoUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// Pico-USD in one USD.
    pub const PER_USD: i128 = 1_000_000_000_000;

    /// An amount given in pico-USD.
    pub const fn from_pico(pico_usd: i128) -> Self {
        Self(pico_usd)
    }

    /// The amount in pico-USD.
    pub const fn pico(self) -> i128 {
        self.0
    }

    /// Sum, or `None` on overflow.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Difference, or `None` on overflow.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Sum, stopping at the ends of the range.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Difference, stopping at the ends of the range.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// This amount `count` times, stopping at the ends of the range.
    #[must_use]
    pub fn saturating_mul(self, count: u64) -> Self {
        Self(self.0.saturating_mul(i128::from(count)))
    }
}

impl FromStr for PicoUsd {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        parse_decimal(text, USD_DECIMALS).map(Self)
    }
}

impl fmt::Display for PicoUsd {
    /// USD as a plain decimal without trailing zeros: `5`, `0.0000025`, `-1.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.0, USD_DECIMALS)
    }
}

/// A price in pico-USD per token; written by people as USD per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Price(u64);

impl Price {
    /// Free of charge.
    pub const ZERO: Self = Self(0);
    /// One USD per token: above it a price is a typing error.
    pub const MAX_SANE: Self = Self(1_000_000_000_000);

    /// A price given in pico-USD per token.
    pub const fn from_pico_per_token(pico_usd: u64) -> Self {
        Self(pico_usd)
    }

    /// The price of one token in pico-USD.
    pub const fn pico_per_token(self) -> u64 {
        self.0
    }

    /// The price of `tokens` tokens.
    #[must_use]
    pub fn of(self, tokens: u64) -> PicoUsd {
        PicoUsd(i128::from(self.0).saturating_mul(i128::from(tokens)))
    }
}

impl FromStr for Price {
    type Err = MoneyError;

    /// Reads USD per million tokens: `"2.5"` is 2 500 000 pico-USD per token.
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let pico = parse_decimal(text, PRICE_DECIMALS)?;
        if pico < 0 {
            return Err(MoneyError::Negative);
        }
        u64::try_from(pico).map(Self).map_err(|_| MoneyError::TooLarge)
    }
}

impl fmt::Display for Price {
    /// USD per million tokens as a plain decimal without trailing zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, i128::from(self.0), PRICE_DECIMALS)
    }
}

/// `text` times 10^`decimals`, exactly.
fn parse_decimal(text: &str, decimals: usize) -> Result<i128, MoneyError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return Err(MoneyError::NotDecimal);
    }
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    if whole.len() > MAX_WHOLE_DIGITS {
        return Err(MoneyError::TooLarge);
    }
    if fraction.len() > decimals {
        return Err(MoneyError::TooFine(decimals));
    }
    let value = format!("{whole}{fraction:0<decimals$}").parse::<i128>();
    let value = value.map_err(|_| MoneyError::TooLarge)?;
    Ok(if negative { -value } else { value })
}

/// Writes `value` / 10^`decimals` without trailing zeros.
fn write_decimal(f: &mut fmt::Formatter<'_>, value: i128, decimals: usize) -> fmt::Result {
    let digits = value.unsigned_abs().to_string();
    let digits = format!("{digits:0>width$}", width = decimals + 1);
    let (whole, fraction) =
        digits.split_at_checked(digits.len() - decimals).unwrap_or((&digits, ""));
    let sign = if value < 0 { "-" } else { "" };
    match fraction.trim_end_matches('0') {
        "" => write!(f, "{sign}{whole}"),
        fraction => write!(f, "{sign}{whole}.{fraction}"),
    }
}

/// Accepts a decimal string or a whole number; refuses floats, which have already lost digits.
struct MoneyVisitor<T>(std::marker::PhantomData<T>);

impl<T: FromStr<Err = MoneyError>> Visitor<'_> for MoneyVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal string like \"2.50\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        number.to_string().parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        number.to_string().parse().map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        Err(E::custom(format!("amounts are exact: put quotes around the number, \"{number}\"")))
    }
}

macro_rules! serde_as_decimal {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(MoneyVisitor(std::marker::PhantomData))
            }
        }
    };
}

serde_as_decimal!(PicoUsd);
serde_as_decimal!(Price);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_and_written_exactly() {
        for (text, pico, shown) in [
            ("5.00", 5_000_000_000_000, "5"),
            ("0.0000025", 2_500_000, "0.0000025"),
            ("0.000000000001", 1, "0.000000000001"),
            ("-1.5", -1_500_000_000_000, "-1.5"),
            ("007", 7_000_000_000_000, "7"),
            ("0", 0, "0"),
            ("-0.0", 0, "0"),
            ("1.100000000000000", 1_100_000_000_000, "1.1"),
        ] {
            let amount: PicoUsd = text.parse().unwrap();
            assert_eq!((amount.pico(), amount.to_string().as_str()), (pico, shown), "{text}");
        }
    }

    #[test]
    fn prices_are_pico_usd_per_token() {
        for (text, pico) in [("2.5", 2_500_000), ("0.000001", 1), ("10", 10_000_000), ("0", 0)] {
            assert_eq!(text.parse::<Price>().unwrap().pico_per_token(), pico, "{text}");
        }
        assert_eq!("2.5".parse::<Price>().unwrap().of(1_000_000).to_string(), "2.5");
        assert_eq!("1000000".parse::<Price>().unwrap(), Price::MAX_SANE);
    }

    #[test]
    fn inexact_or_odd_texts_are_refused() {
        for text in ["", ".", "1.", ".5", "1e3", "+1", " 1", "1 ", "1_000", "1,5", "NaN", "--1"] {
            assert_eq!(text.parse::<PicoUsd>(), Err(MoneyError::NotDecimal), "{text}");
        }
        assert_eq!("0.0000000000001".parse::<PicoUsd>(), Err(MoneyError::TooFine(12)));
        assert_eq!("0.0000001".parse::<Price>(), Err(MoneyError::TooFine(6)));
        assert_eq!("1".repeat(19).parse::<PicoUsd>(), Err(MoneyError::TooLarge));
        assert_eq!("1".repeat(18).parse::<Price>(), Err(MoneyError::TooLarge));
        assert_eq!("-1".parse::<Price>(), Err(MoneyError::Negative));
    }

    #[test]
    fn floats_are_refused_and_integers_taken() {
        assert!(serde_json::from_str::<Price>("2.5").unwrap_err().to_string().contains("quotes"));
        assert_eq!(serde_json::from_str::<Price>("2").unwrap().to_string(), "2");
        assert_eq!(serde_json::from_str::<PicoUsd>("\"5.00\"").unwrap().to_string(), "5");
        assert_eq!(serde_json::to_string(&PicoUsd::from_pico(1)).unwrap(), "\"0.000000000001\"");
    }

    proptest! {
        #[test]
        fn written_amounts_read_back(pico in -(10i128.pow(29))..10i128.pow(29)) {
            let amount = PicoUsd::from_pico(pico);
            prop_assert_eq!(amount.to_string().parse::<PicoUsd>(), Ok(amount));
        }
    }
}
