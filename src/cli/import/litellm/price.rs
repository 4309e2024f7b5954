//! USD per token, as LiteLLM writes prices, to the decimal texts of `price`.
//!
//! Goes through the shortest decimal form of the number that was written, so that `0.0000025` is
//! exactly `2.5` per million.

/// Digits after the point that a price per million can have.
const DECIMALS: usize = 6;

/// A price, and whether digits were lost.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Converted {
    pub(super) text: String,
    pub(super) rounded: bool,
}

/// USD per million tokens, of USD per token; `None` if it is more than 1 USD for one token.
pub(super) fn per_million(usd_per_token: f64) -> Option<Converted> {
    shifted(usd_per_token, DECIMALS, DECIMALS).filter(|_| usd_per_token <= 1.0)
}

/// USD, of USD; `None` if it is absurd.
pub(super) fn amount(usd: f64) -> Option<Converted> {
    shifted(usd, 0, 12).filter(|_| usd <= 1_000_000.0)
}

/// The number with its point moved to the right, cut to `decimals` digits.
fn shifted(number: f64, by: usize, decimals: usize) -> Option<Converted> {
    // Display writes the shortest digits that mean this number, without an exponent.
    let digits = number.to_string();
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction = format!("{fraction:0<by$}");
    let (moved, rest) = fraction.split_at_checked(by)?;
    let (kept, lost) = rest.split_at_checked(decimals).unwrap_or((rest, ""));
    let whole = format!("{whole}{moved}");
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let kept = kept.trim_end_matches('0');
    let point = if kept.is_empty() { "" } else { "." };
    let rounded = lost.bytes().any(|b| b != b'0');
    Some(Converted { text: format!("{whole}{point}{kept}"), rounded })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact() {
        for (per_token, text) in [
            (0.000_002_5, "2.5"),
            (2.5e-06, "2.5"),
            (1e-5, "10"),
            (0.0, "0"),
            (3e-07, "0.3"),
            (1.25e-7, "0.125"),
            (0.00001, "10"),
            (1.0, "1000000"),
            (7.5e-8, "0.075"),
        ] {
            let expected = Converted { text: text.to_owned(), rounded: false };
            assert_eq!(per_million(per_token), Some(expected), "{per_token}");
            assert!(text.parse::<crate::money::Price>().is_ok());
        }
        assert_eq!(per_million(1.5), None);
        let cut = per_million(1.234_567_89e-6).unwrap();
        assert_eq!((cut.text.as_str(), cut.rounded), ("1.234567", true));
        assert_eq!(amount(0.0005).unwrap().text, "0.0005");
    }
}
