//! How long a provider asks to wait, in every notation that is in use.
//!
//! Used by `proxy` for answers that are errors. Pure; a wait that cannot be read is a second, one
//! that is over is none. Callers bound what they act on.

use http::HeaderMap;
use jiff::Timestamp;
use std::time::Duration;

/// What stands for a wait that cannot be read.
const UNREADABLE: Duration = Duration::from_secs(1);
/// Numbers from here on are moments, in Unix seconds; smaller ones are seconds to wait.
const FIRST_MOMENT_S: f64 = 1e9;
/// Numbers from here on are moments in Unix milliseconds.
const FIRST_MOMENT_MS: f64 = 1e11;

/// Headers that tell when a limit is renewed, each with the one that tells what is left of it.
const RESETS: &[(&str, &str)] = &[
    ("x-ratelimit-reset-requests", "x-ratelimit-remaining-requests"),
    ("x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens"),
    ("anthropic-ratelimit-requests-reset", "anthropic-ratelimit-requests-remaining"),
    ("anthropic-ratelimit-tokens-reset", "anthropic-ratelimit-tokens-remaining"),
    ("anthropic-ratelimit-input-tokens-reset", "anthropic-ratelimit-input-tokens-remaining"),
    ("anthropic-ratelimit-output-tokens-reset", "anthropic-ratelimit-output-tokens-remaining"),
    ("x-ratelimit-reset", "x-ratelimit-remaining"),
    ("ratelimit-reset", "ratelimit-remaining"),
];

/// The wait a response asks for: `retry-after-ms`, or `Retry-After` as seconds or as a date, or
/// the longest time until a limit that is used up is renewed. `None` if it names none.
pub fn retry_after(headers: &HeaderMap, now_unix_s: u64) -> Option<Duration> {
    if let Some(millis) = headers.get("retry-after-ms") {
        let parsed = millis.to_str().ok().and_then(|text| text.trim().parse::<f64>().ok());
        return Some(parsed.and_then(|millis| seconds(millis / 1_000.0)).unwrap_or(UNREADABLE));
    }
    if let Some(value) = headers.get(http::header::RETRY_AFTER) {
        let text = value.to_str().ok().map(str::trim);
        return Some(text.and_then(|text| delay_or_date(text, now_unix_s)).unwrap_or(UNREADABLE));
    }
    let waits = RESETS.iter().filter_map(|(reset, remaining)| {
        let text = headers.get(*reset)?.to_str().ok()?.trim();
        is_used_up(headers, remaining).then(|| renewal(text, now_unix_s)).flatten()
    });
    waits.max()
}

/// `Retry-After`: seconds, with a fraction too, or a date of HTTP.
fn delay_or_date(text: &str, now_unix_s: u64) -> Option<Duration> {
    if let Ok(number) = text.parse::<f64>() {
        return seconds(number);
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let now = std::time::UNIX_EPOCH + Duration::from_secs(now_unix_s);
    Some(date.duration_since(now).unwrap_or_default())
}

/// A number of seconds; none below zero, and as many as fit above all bounds.
fn seconds(number: f64) -> Option<Duration> {
    let wait = || Duration::try_from_secs_f64(number.max(0.0)).unwrap_or(Duration::MAX);
    number.is_finite().then(wait)
}

/// Whether nothing is left of a limit; one that does not tell is what the error is about.
fn is_used_up(headers: &HeaderMap, remaining: &str) -> bool {
    let Some(value) = headers.get(remaining) else { return true };
    value
        .to_str()
        .ok()
        .and_then(|text| text.trim().parse::<f64>().ok())
        .is_none_or(|left| left <= 0.0)
}

/// When a limit is renewed: a number of seconds, a moment in Unix seconds or milliseconds, a moment
/// of RFC 3339, or a duration such as `6m0s`.
fn renewal(text: &str, now_unix_s: u64) -> Option<Duration> {
    if let Ok(number) = text.parse::<f64>() {
        return if number >= FIRST_MOMENT_MS {
            until(number / 1_000.0, now_unix_s)
        } else if number >= FIRST_MOMENT_S {
            until(number, now_unix_s)
        } else {
            seconds(number)
        };
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return until(moment.as_duration().as_secs_f64(), now_unix_s);
    }
    duration(text)
}

#[expect(clippy::cast_precision_loss, reason = "Unix seconds fit 53 bits")]
fn until(moment_s: f64, now_unix_s: u64) -> Option<Duration> {
    seconds(moment_s - now_unix_s as f64)
}

/// A sequence of numbers with their units.
fn duration(text: &str) -> Option<Duration> {
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at_checked(number_end)?;
        let unit_end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, next) = after.split_at_checked(unit_end)?;
        let unit_s = match unit {
            "d" => 86_400.0,
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * unit_s;
        rest = next;
    }
    (!text.is_empty()).then(|| seconds(total)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT.
    const NOW_S: u64 = 784_111_777;

    fn wait(fields: &[(&'static str, &str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.insert(*name, value.parse().unwrap());
        }
        retry_after(&headers, NOW_S)
    }

    #[test]
    fn what_is_asked_in_so_many_words() {
        let cases = [
            ("retry-after", "5", Some(5_000)),
            ("retry-after", " 5 ", Some(5_000)),
            ("retry-after", "0", Some(0)),
            ("retry-after", "-3", Some(0)),
            ("retry-after", "1.5", Some(1_500)),
            ("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT", Some(10_000)),
            ("retry-after", "Sunday, 06-Nov-94 08:49:47 GMT", Some(10_000)),
            ("retry-after", "Sun Nov  6 08:49:47 1994", Some(10_000)),
            ("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("retry-after", "soon", Some(1_000)),
            ("retry-after", "", Some(1_000)),
            ("retry-after", "NaN", Some(1_000)),
            ("retry-after", "inf", Some(1_000)),
            ("retry-after", "1000000000", Some(1_000_000_000_000)),
            ("retry-after-ms", "250", Some(250)),
            ("retry-after-ms", "250.5", Some(250)),
            ("retry-after-ms", "-1", Some(0)),
            ("retry-after-ms", "x", Some(1_000)),
            ("date", "5", None),
        ];
        for (name, value, expected_ms) in cases {
            let found = wait(&[(name, value)]).map(|wait| wait.as_millis());
            assert_eq!(found, expected_ms, "{name}: {value}");
        }
        assert_eq!(wait(&[("retry-after", "1e300")]), Some(Duration::MAX));
        let both = [("retry-after", "5"), ("retry-after-ms", "4200")];
        assert_eq!(wait(&both), Some(Duration::from_millis(4_200)), "the finer one");
        let reset = [("retry-after", "2"), ("x-ratelimit-reset", "30")];
        assert_eq!(wait(&reset), Some(Duration::from_secs(2)), "what is asked counts");
    }

    #[test]
    fn when_a_limit_is_renewed() {
        let cases = [
            ("1s", Some(1_000)),
            ("6m0s", Some(360_000)),
            ("120ms", Some(120)),
            ("1h2m3.5s", Some(3_723_500)),
            ("1d", Some(86_400_000)),
            ("2m59.56s", Some(179_560)),
            ("30", Some(30_000)),
            ("0.25", Some(250)),
            ("-4", Some(0)),
            ("1994-11-06T08:49:47Z", Some(10_000)),
            ("1994-11-06T09:49:47+01:00", Some(10_000)),
            ("1994-11-06T08:00:00Z", Some(0)),
            ("5x", None),
            ("s", None),
            ("", None),
            ("soon", None),
            ("1.2.3s", None),
        ];
        for (value, expected_ms) in cases {
            let found = wait(&[("x-ratelimit-reset-requests", value)]);
            assert_eq!(found.map(|wait| wait.as_millis()), expected_ms, "{value}");
        }
        let now_s = 1_741_305_600;
        for (value, expected_s) in [("1741305609", 9), ("1741305609000", 9), ("1741305000", 0)] {
            let mut headers = HeaderMap::new();
            headers.insert("x-ratelimit-reset", value.parse().unwrap());
            assert_eq!(retry_after(&headers, now_s), Some(Duration::from_secs(expected_s)));
        }
    }

    #[test]
    fn only_limits_that_are_used_up_are_waited_for() {
        let of = |requests_left, tokens_left| {
            wait(&[
                ("x-ratelimit-remaining-requests", requests_left),
                ("x-ratelimit-reset-requests", "9s"),
                ("x-ratelimit-remaining-tokens", tokens_left),
                ("x-ratelimit-reset-tokens", "3s"),
            ])
            .map(|wait| wait.as_secs())
        };
        assert_eq!(of("0", "0"), Some(9));
        assert_eq!(of("7", "0"), Some(3));
        assert_eq!(of("7", "7"), None);
        assert_eq!(of("?", "7"), Some(9));
        let anthropic = [
            ("anthropic-ratelimit-input-tokens-remaining", "0"),
            ("anthropic-ratelimit-input-tokens-reset", "1994-11-06T08:49:57Z"),
        ];
        assert_eq!(wait(&anthropic), Some(Duration::from_secs(20)));
    }
}
