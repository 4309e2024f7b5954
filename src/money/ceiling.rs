//! Limits on prices, as clients write them: any decimal number, with an exponent or without.
//!
//! Used for `max_price` of a request. A limit finer than a price can be is cut, which keeps every
//! comparison exact: prices are whole, so a price is at most the limit exactly if it is at most
//! the cut one. Nothing goes through a floating point number.

use super::{MoneyError, PRICE_DECIMALS, PicoUsd, Price, USD_DECIMALS};

/// Longest number that is read, in bytes.
const MAX_BYTES: usize = 64;
/// Largest exponent that makes a difference.
const MAX_EXPONENT: i32 = 64;

impl Price {
    /// The largest price that is not above a number of USD per million tokens.
    pub fn at_most(text: &str) -> Result<Self, MoneyError> {
        let pico = floor(text, PRICE_DECIMALS)?;
        Ok(Self::from_pico_per_token(u64::try_from(pico).unwrap_or(u64::MAX)))
    }
}

impl PicoUsd {
    /// The largest amount that is not above a number of USD.
    pub fn at_most(text: &str) -> Result<Self, MoneyError> {
        let pico = floor(text, USD_DECIMALS)?;
        Ok(Self::from_pico(i128::try_from(pico).unwrap_or(i128::MAX)))
    }
}

/// `text` times 10^`decimals` without what is behind the point; the largest number there is if it
/// is larger.
fn floor(text: &str, decimals: usize) -> Result<u128, MoneyError> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent_of(exponent)?),
        None => (text, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if number.starts_with('-') {
        return Err(MoneyError::Negative);
    }
    if text.len() > MAX_BYTES || !all_digits(whole) || !all_digits(fraction) {
        return Err(MoneyError::NotDecimal);
    }
    let digits = whole.bytes().chain(fraction.bytes()).map(|byte| u128::from(byte - b'0'));
    let before_point = i32::try_from(whole.len() + decimals).map_err(|_| MoneyError::TooLarge)?;
    let kept = usize::try_from(before_point.saturating_add(exponent)).unwrap_or(0);
    let digits = digits.chain(std::iter::repeat(0)).take(kept);
    let value = digits.fold(0_u128, |value, digit| value.saturating_mul(10).saturating_add(digit));
    Ok(value)
}

fn exponent_of(text: &str) -> Result<i32, MoneyError> {
    let digits = text.trim_start_matches(['+', '-']);
    if digits.is_empty() || text.len() > digits.len() + 1 {
        return Err(MoneyError::NotDecimal);
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(MoneyError::NotDecimal);
    }
    let size = digits.parse::<i32>().unwrap_or(MAX_EXPONENT).min(MAX_EXPONENT);
    Ok(if text.starts_with('-') { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn limits_are_cut_and_never_rounded_up() {
        let cases = [
            ("1", 1_000_000),
            ("2.5", 2_500_000),
            ("0", 0),
            ("0.0000001", 0),
            ("0.0000019", 1),
            ("1e-6", 1),
            ("1E-06", 1),
            ("1.5e+1", 15_000_000),
            ("12e-7", 1),
            ("1e99", u64::MAX),
            ("1e-99", 0),
            ("00.5", 500_000),
        ];
        for (text, pico) in cases {
            assert_eq!(Price::at_most(text), Ok(Price::from_pico_per_token(pico)), "{text}");
        }
        assert_eq!(PicoUsd::at_most("0.01"), Ok("0.01".parse().unwrap()));
        assert_eq!(PicoUsd::at_most("1e64"), Ok(PicoUsd::from_pico(i128::MAX)));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let long = "1".repeat(MAX_BYTES + 1);
        for text in ["", ".", "1.", ".5", "1e", "1e+-1", "e5", "1e5.5", "+1", " 1", "NaN", &long] {
            assert_eq!(Price::at_most(text), Err(MoneyError::NotDecimal), "{text}");
        }
        assert_eq!(Price::at_most("-1"), Err(MoneyError::Negative));
        assert_eq!(Price::at_most("-0.5e3"), Err(MoneyError::Negative));
    }

    proptest! {
        #[test]
        fn a_price_is_at_most_itself(pico in 0_u64..1 << 60) {
            let price = Price::from_pico_per_token(pico);
            prop_assert_eq!(Price::at_most(&price.to_string()), Ok(price));
        }
    }
}
