//! Amounts of money as clients write them: JSON numbers, with or without exponent, and strings.
//!
//! Digits are moved, never calculated with, so that what was written is what is meant. A number
//! that cannot be kept exactly is refused.

use crate::money::PicoUsd;

/// Largest exponent; far more than any amount needs.
const MAX_EXPONENT: i32 = 40;

/// An amount from its JSON text; `None` if it is none, or not to the pico-dollar.
pub(super) fn parse_amount(raw: &[u8]) -> Option<PicoUsd> {
    if raw.starts_with(b"\"") {
        let text: String = serde_json::from_slice(raw).ok()?;
        return text.parse().ok();
    }
    let text = std::str::from_utf8(raw).ok()?;
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return text.parse().ok();
    };
    let exponent: i32 = exponent.parse().ok()?;
    if exponent.abs() > MAX_EXPONENT {
        return None;
    }
    move_point(mantissa, exponent)?.parse().ok()
}

/// The decimal number with its point moved to the right, or to the left if `by` is negative.
fn move_point(mantissa: &str, by: i32) -> Option<String> {
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let zeros = "0".repeat(usize::try_from(by.unsigned_abs()).ok()?);
    let (before, after) = if by < 0 {
        (format!("{zeros}{whole}"), fraction.to_owned())
    } else {
        (whole.to_owned(), format!("{fraction}{zeros}"))
    };
    let at = i64::try_from(before.len()).ok()? + i64::from(by);
    let moved = format!("{before}{after}");
    let (whole, fraction) = moved.split_at_checked(usize::try_from(at).ok()?)?;
    let fraction = if fraction.is_empty() { "0" } else { fraction };
    Some(format!("{sign}{whole}.{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_counts() {
        let cases = [
            ("150", Some("150")),
            ("150.0", Some("150")),
            ("0.000000000001", Some("0.000000000001")),
            ("1e-12", Some("0.000000000001")),
            ("1E2", Some("100")),
            ("1.5e+3", Some("1500")),
            ("-2.5e-1", Some("-0.25")),
            ("123.456e1", Some("1234.56")),
            ("123.456e-1", Some("12.3456")),
            ("\"12.34\"", Some("12.34")),
            ("9007199254740993", Some("9007199254740993")),
            ("0.1000000000000000000", Some("0.1")),
            ("1e-13", None),
            ("0.30000000000000004", None),
            ("1e41", None),
            ("1e19", None),
            ("1e99999999999", None),
            ("\"1e2\"", None),
            ("\" 1\"", None),
            ("\"$1\"", None),
            ("\"\"", None),
            ("true", None),
            ("[1]", None),
        ];
        for (written, amount) in cases {
            let read = parse_amount(written.as_bytes()).map(|amount| amount.to_string());
            assert_eq!(read.as_deref(), amount, "{written}");
        }
    }
}
