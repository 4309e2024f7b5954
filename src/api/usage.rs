//! `GET /api/usage/summary` and `/timeseries`: what was used, in all and over time.
//!
//! A regular key sees what it used itself and nothing else; a management key sees everything, or
//! one key. Amounts are exact; what was taken from the account and what was spent on contracts of
//! the callers' own are apart, and together they are the sum of the records.

use super::call::{Context, Reply, store_failed};
use super::moment::Moment;
use super::query::{Query, wrong};
use super::usd::Usd;
use crate::auth::KeyKind;
use crate::auth::api_key::hash_from_hex;
use crate::error::{GatewayError, Kind};
use crate::store::{Bucket, StoreError, UsageFilter, UsageSums};
use crate::usage::report::time_ms;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Most points of a time series.
const MAX_POINTS: usize = 1000;

const SUMMARY: &[&str] = &["start_time", "end_time", "provider_id", "model", "key_id"];
const TIMESERIES: &[&str] =
    &["start_time", "end_time", "provider_id", "model", "key_id", "granularity"];

/// Sums under the names of these routes.
#[derive(Serialize)]
struct Sums {
    requests: u64,
    input_tokens: u64,
    output_tokens: u64,
    cached_tokens: u64,
    reasoning_tokens: u64,
    estimated_cost_usd: Usd,
    byok_cost_usd: Usd,
}

impl From<&UsageSums> for Sums {
    fn from(sums: &UsageSums) -> Self {
        Self {
            requests: sums.requests,
            input_tokens: sums.prompt_tokens,
            output_tokens: sums.completion_tokens,
            cached_tokens: sums.cached_tokens,
            reasoning_tokens: sums.reasoning_tokens,
            estimated_cost_usd: Usd(sums.cost_pico_usd),
            byok_cost_usd: Usd(sums.byok_cost_pico_usd),
        }
    }
}

#[derive(Serialize)]
struct Summary<'s> {
    total_requests: u64,
    total_input_tokens: u64,
    total_output_tokens: u64,
    total_tokens: u64,
    estimated_cost_usd: Usd,
    byok_cost_usd: Usd,
    by_provider: Vec<Part<'s>>,
    by_model: Vec<Part<'s>>,
}

#[derive(Serialize)]
struct Part<'s> {
    provider_id: &'s str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'s str>,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Serialize)]
struct Series {
    granularity: &'static str,
    data_points: Vec<Point>,
}

#[derive(Serialize)]
struct Point {
    timestamp: Moment,
    #[serde(flatten)]
    sums: Sums,
}

/// Everything together, by provider and by model.
pub(super) async fn summary(context: Context<'_>, query: &Query) -> Result<Reply, GatewayError> {
    query.only(SUMMARY)?;
    let filter = filter(context, query)?;
    let summary = context.store.usage_summary(&filter).await.map_err(failed)?;
    let total = &summary.total;
    let by_provider = summary.by_provider.iter().map(|(provider_id, sums)| Part {
        provider_id,
        model: None,
        sums: sums.into(),
    });
    let by_model = summary.by_model.iter().map(|((provider_id, model), sums)| Part {
        provider_id,
        model: Some(model),
        sums: sums.into(),
    });
    let summary = Summary {
        total_requests: total.requests,
        total_input_tokens: total.prompt_tokens,
        total_output_tokens: total.completion_tokens,
        total_tokens: total.prompt_tokens.saturating_add(total.completion_tokens),
        estimated_cost_usd: Usd(total.cost_pico_usd),
        byok_cost_usd: Usd(total.byok_cost_pico_usd),
        by_provider: by_provider.collect(),
        by_model: by_model.collect(),
    };
    Reply::json(200, &summary)
}

/// One point for every step of time, those in which nothing was used as well: what a chart needs.
pub(super) async fn timeseries(context: Context<'_>, query: &Query) -> Result<Reply, GatewayError> {
    query.only(TIMESERIES)?;
    let granularity = Granularity::read(query)?;
    let mut filter = filter(context, query)?;
    let end_ms = filter.to_ms.unwrap_or_else(|| context.clock.unix_ms().saturating_add(1));
    let start_ms = filter.from_ms.unwrap_or_else(|| granularity.start_before(end_ms));
    (filter.from_ms, filter.to_ms) = (Some(start_ms), Some(end_ms));
    let steps = granularity.steps(start_ms, end_ms)?;
    let used = context.store.usage_timeseries(&filter, granularity.bucket()).await;
    let used = used.map_err(failed)?;
    let mut used = used.iter().peekable();
    let points = steps.into_iter().map(|step_ms| {
        let sums = used.next_if(|(start_ms, _)| *start_ms == step_ms).map(|(_, sums)| *sums);
        Point { timestamp: Moment(step_ms), sums: (&sums.unwrap_or_default()).into() }
    });
    let data_points = points.collect();
    Reply::json(200, &Series { granularity: granularity.name(), data_points })
}

/// What the parameters that both routes have let through.
fn filter(context: Context<'_>, query: &Query) -> Result<UsageFilter, GatewayError> {
    let text = |name: &str| query.get(name).map(str::to_owned);
    Ok(UsageFilter {
        key_hash: scope(context, query, "key_id")?,
        model: text("model"),
        provider: text("provider_id"),
        ..range(query, ("start_time", "end_time"))?
    })
}

/// The range of time that two parameters name.
pub(super) fn range(
    query: &Query,
    (start, end): (&'static str, &'static str),
) -> Result<UsageFilter, GatewayError> {
    let time = |name: &'static str| {
        let expected = "a time such as 2026-04-03T12:00:00Z, or a date";
        let read = |text| time_ms(text).map_err(|_| wrong(name, expected));
        query.get(name).map(read).transpose()
    };
    let (from_ms, to_ms) = (time(start)?, time(end)?);
    if from_ms.zip(to_ms).is_some_and(|(from_ms, to_ms)| from_ms >= to_ms) {
        return Err(wrong(end, format!("later than {start}")));
    }
    Ok(UsageFilter { from_ms, to_ms, ..UsageFilter::default() })
}

/// Whose requests the caller may see and asks for; `None` is everybody's. The parameter `name`
/// has the hash of a key.
pub(super) fn scope(
    context: Context<'_>,
    query: &Query,
    name: &'static str,
) -> Result<Option<String>, GatewayError> {
    let asked = query.get(name).map(str::to_ascii_lowercase);
    if asked.as_deref().is_some_and(|hash| hash_from_hex(hash).is_none()) {
        return Err(wrong(name, "the hash of a key, 64 hex digits"));
    }
    let own = &*context.caller.hash_hex;
    match context.caller.kind {
        KeyKind::Management => Ok(asked),
        KeyKind::Regular if asked.as_deref().is_none_or(|hash| hash == own) => {
            Ok(Some(own.to_owned()))
        }
        KeyKind::Regular => {
            let text = "only a management key can see what other keys used";
            Err(GatewayError::client(Kind::PermissionDenied, text).with_param(name))
        }
    }
}

/// What a failure to sum up means for the caller.
pub(super) fn failed(error: StoreError) -> GatewayError {
    match error {
        StoreError::TooManyGroups => GatewayError::client(Kind::InvalidRequest, error.to_string()),
        error => store_failed(error),
    }
}

/// Length of the steps of a time series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Granularity {
    Hourly,
    Daily,
    Monthly,
}

impl Granularity {
    const ALL: [Self; 3] = [Self::Hourly, Self::Daily, Self::Monthly];

    fn name(self) -> &'static str {
        match self {
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Monthly => "monthly",
        }
    }

    fn bucket(self) -> Bucket {
        match self {
            Self::Hourly => Bucket::Hour,
            Self::Daily => Bucket::Day,
            Self::Monthly => Bucket::Month,
        }
    }

    fn read(query: &Query) -> Result<Self, GatewayError> {
        let Some(asked) = query.get("granularity") else { return Ok(Self::Daily) };
        let found = Self::ALL.into_iter().find(|granularity| granularity.name() == asked);
        found.ok_or_else(|| wrong("granularity", "hourly, daily or monthly"))
    }

    /// Where a series begins that has no start: a day, thirty days or a year before its end.
    fn start_before(self, end_ms: i64) -> i64 {
        let days = match self {
            Self::Hourly => 1,
            Self::Daily => 30,
            Self::Monthly => 365,
        };
        end_ms.saturating_sub(days * DAY_MS)
    }

    /// Where the step begins that a moment is in.
    fn floor(self, ms: i64) -> i64 {
        let day_ms = ms.div_euclid(DAY_MS).saturating_mul(DAY_MS);
        match self {
            Self::Hourly => ms.div_euclid(HOUR_MS).saturating_mul(HOUR_MS),
            Self::Daily => day_ms,
            Self::Monthly => month(day_ms, 0).unwrap_or(day_ms),
        }
    }

    fn next(self, step_ms: i64) -> Option<i64> {
        match self {
            Self::Hourly => step_ms.checked_add(HOUR_MS),
            Self::Daily => step_ms.checked_add(DAY_MS),
            Self::Monthly => month(step_ms, 1),
        }
    }

    /// Where every step begins that has a moment of the range, the first of which may begin before
    /// it.
    fn steps(self, start_ms: i64, end_ms: i64) -> Result<Vec<i64>, GatewayError> {
        let mut steps = Vec::new();
        let mut step = Some(self.floor(start_ms));
        while let Some(step_ms) = step.filter(|step_ms| *step_ms < end_ms) {
            if steps.len() == MAX_POINTS {
                let expected = format!("longer for so long a time: at most {MAX_POINTS} points");
                return Err(wrong("granularity", expected));
            }
            steps.push(step_ms);
            step = self.next(step_ms);
        }
        Ok(steps)
    }
}

/// The first moment of the month that `ms` is in, or of one `after` it; `None` beyond the calendar.
fn month(ms: i64, after: i64) -> Option<i64> {
    let date = Timestamp::from_millisecond(ms).ok()?.to_zoned(TimeZone::UTC).date();
    let first = date.first_of_month().checked_add(after.months()).ok()?;
    Some(first.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        time_ms(text).unwrap()
    }

    #[test]
    fn steps_cover_the_range_and_are_bounded() {
        for (granularity, start, end, first, count) in [
            (Granularity::Hourly, "2026-03-29T00:59:59Z", "2026-03-29T03:00:00Z", 0, 3),
            (Granularity::Hourly, "2026-03-29T01:00:00Z", "2026-03-29T01:00:01Z", 1, 1),
            (Granularity::Daily, "2028-02-28T12:00:00Z", "2028-03-01T00:00:01Z", 0, 3),
            (Granularity::Monthly, "2026-01-31T23:00:00Z", "2026-03-01T00:00:00Z", 0, 2),
            (Granularity::Monthly, "2025-12-31", "2027-01-01", 0, 13),
        ] {
            let steps = granularity.steps(at(start), at(end)).unwrap();
            assert_eq!(steps.len(), count, "{start} {end}");
            assert!(steps[0] <= at(start) && *steps.last().unwrap() < at(end));
            assert!(granularity.next(*steps.last().unwrap()).unwrap() >= at(end));
            assert!(first == 0 || steps[0] == at(start));
            assert!(steps.is_sorted_by(|before, after| before < after));
        }
        let month: Vec<String> = Granularity::Monthly
            .steps(at("2026-01-31"), at("2026-04-02"))
            .unwrap()
            .into_iter()
            .map(|ms| Timestamp::from_millisecond(ms).unwrap().to_string())
            .collect();
        let expected = ["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"];
        assert_eq!(month, expected.map(|date| format!("{date}T00:00:00Z")));
        let day = at("2026-01-01");
        let thousand = Granularity::Hourly.steps(day, day + 1000 * HOUR_MS).unwrap();
        assert_eq!(thousand.len(), 1000);
        let error = Granularity::Hourly.steps(day, day + 1000 * HOUR_MS + 1).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("granularity"));
        assert!(Granularity::Monthly.steps(at("-009999-02-01"), at("9999-12-01")).is_err());
    }
}
