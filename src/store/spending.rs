//! What keys and the account have spent, from the sums by day.
//!
//! Used to rebuild the counters of limits, by the management API and by `arouter keys`. Periods
//! begin at midnight UTC: of today, of Monday, of the first of the month.

use super::amount::{from_bigint, join};
use super::daily::{DAY_MS, day_of};
use super::{Store, StoreError};
use crate::config::LimitReset;
use crate::money::PicoUsd;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sqlx::Row;
use sqlx::any::AnyRow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Parameters: the days that today, this week and this month began.
static ALL_KEYS: LazyLock<String> = LazyLock::new(|| key_sums_sql(""));
static ONE_KEY: LazyLock<String> = LazyLock::new(|| key_sums_sql("WHERE key_hash = $4"));

const ACCOUNT: &str = "SELECT CAST(COALESCE(SUM(cost_micro_usd), 0) AS BIGINT) AS micro_usd, \
     CAST(COALESCE(SUM(cost_rest_pico_usd), 0) AS BIGINT) AS rest_pico_usd \
     FROM daily_usage WHERE is_byok = 0";

const KEY_TOTALS: &str = "SELECT key_hash, CAST(SUM(requests) AS BIGINT) AS requests, \
     CAST(SUM(prompt_tokens) AS BIGINT) AS prompt_tokens, \
     CAST(SUM(completion_tokens) AS BIGINT) AS completion_tokens, \
     CAST(SUM(cost_micro_usd) AS BIGINT) AS micro_usd, \
     CAST(SUM(cost_rest_pico_usd) AS BIGINT) AS rest_pico_usd \
     FROM daily_usage WHERE day >= $1 GROUP BY key_hash ORDER BY key_hash";

fn key_sums_sql(filter: &str) -> String {
    let periods = [("day", "$1"), ("week", "$2"), ("month", "$3")];
    let kept = [("cost_micro_usd", "micro"), ("cost_rest_pico_usd", "rest")];
    let columns = periods.iter().flat_map(|(period, start)| {
        kept.iter().map(move |(kept, name)| {
            format!(
                "CAST(SUM(CASE WHEN day >= {start} THEN {kept} ELSE 0 END) AS BIGINT) \
                 AS {period}_{name}, "
            )
        })
    });
    let columns: String = columns.collect();
    format!(
        "SELECT key_hash, is_byok, {columns} CAST(SUM(cost_micro_usd) AS BIGINT) AS all_micro, \
         CAST(SUM(cost_rest_pico_usd) AS BIGINT) AS all_rest, \
         CAST(SUM(requests) AS BIGINT) AS requests, \
         CAST(SUM(prompt_tokens) AS BIGINT) AS prompt_tokens, \
         CAST(SUM(completion_tokens) AS BIGINT) AS completion_tokens, \
         MAX(last_used_ms) AS last_used_ms \
         FROM daily_usage {filter} GROUP BY key_hash, is_byok"
    )
}

/// Money spent in one period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// What is taken from the account.
    pub cost_pico_usd: PicoUsd,
    /// What providers charged on contracts of the caller's own.
    pub byok_cost_pico_usd: PicoUsd,
}

/// What one key has used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySums {
    /// Since the key was made.
    pub all_time: Spent,
    /// Today, UTC.
    pub day: Spent,
    /// Since Monday, UTC.
    pub week: Spent,
    /// Since the first of the month, UTC.
    pub month: Spent,
    /// Number of requests, ever.
    pub requests: u64,
    /// Prompt tokens, ever.
    pub prompt_tokens: u64,
    /// Completion tokens, ever.
    pub completion_tokens: u64,
    /// When the last request arrived, Unix milliseconds.
    pub last_used_ms: Option<i64>,
}

impl KeySums {
    /// What counts towards a limit in the present period: the account's money, and if asked for
    /// that of others.
    pub fn counted(&self, reset: LimitReset, include_byok: bool) -> PicoUsd {
        let spent = match reset {
            LimitReset::Daily => self.day,
            LimitReset::Weekly => self.week,
            LimitReset::Monthly => self.month,
            LimitReset::Never => self.all_time,
        };
        let byok = if include_byok { spent.byok_cost_pico_usd } else { PicoUsd::ZERO };
        spent.cost_pico_usd.saturating_add(byok)
    }
}

/// What the requests of one key add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyTotals {
    /// Hash of the key.
    pub key_hash: String,
    /// Number of requests.
    pub requests: u64,
    /// Prompt tokens.
    pub prompt_tokens: u64,
    /// Completion tokens.
    pub completion_tokens: u64,
    /// Cost, that on contracts of the caller's own included.
    pub cost_pico_usd: PicoUsd,
}

impl Store {
    /// What every key that made requests has used, by the hash of the key, in the periods that
    /// `now_ms` is in.
    pub async fn key_sums(&self, now_ms: i64) -> Result<BTreeMap<String, KeySums>, StoreError> {
        let periods = Periods::of(now_ms);
        let rows = sqlx::query(ALL_KEYS.as_str())
            .bind(periods.day)
            .bind(periods.week)
            .bind(periods.month)
            .fetch_all(&self.pool)
            .await?;
        let mut sums = BTreeMap::new();
        for row in &rows {
            let of_key: &mut KeySums = sums.entry(row.try_get("key_hash")?).or_default();
            of_key.add(row)?;
        }
        Ok(sums)
    }

    /// The same of one key; nothing but zeros if it made no requests.
    pub async fn key_sums_of(&self, key_hash: &str, now_ms: i64) -> Result<KeySums, StoreError> {
        let periods = Periods::of(now_ms);
        let rows = sqlx::query(ONE_KEY.as_str())
            .bind(periods.day)
            .bind(periods.week)
            .bind(periods.month)
            .bind(key_hash)
            .fetch_all(&self.pool)
            .await?;
        let mut sums = KeySums::default();
        rows.iter().try_for_each(|row| sums.add(row))?;
        Ok(sums)
    }

    /// What all requests together have taken from the account.
    pub async fn account_usage(&self) -> Result<PicoUsd, StoreError> {
        let row = sqlx::query(ACCOUNT).fetch_one(&self.pool).await?;
        Ok(join(row.try_get("micro_usd")?, row.try_get("rest_pico_usd")?))
    }

    /// Sums of every key that made requests, from the UTC day of `from_ms` on.
    pub async fn key_totals(&self, from_ms: i64) -> Result<Vec<KeyTotals>, StoreError> {
        let rows = sqlx::query(KEY_TOTALS).bind(day_of(from_ms)).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(KeyTotals {
                    key_hash: row.try_get("key_hash")?,
                    requests: from_bigint(row.try_get("requests")?),
                    prompt_tokens: from_bigint(row.try_get("prompt_tokens")?),
                    completion_tokens: from_bigint(row.try_get("completion_tokens")?),
                    cost_pico_usd: join(row.try_get("micro_usd")?, row.try_get("rest_pico_usd")?),
                })
            })
            .collect()
    }
}

impl KeySums {
    /// Adds a row of the key: it has one of its own contracts, and one of the caller's.
    fn add(&mut self, row: &AnyRow) -> Result<(), StoreError> {
        let is_byok = row.try_get::<i64, _>("is_byok")? != 0;
        for (spent, micro, rest) in [
            (&mut self.all_time, "all_micro", "all_rest"),
            (&mut self.day, "day_micro", "day_rest"),
            (&mut self.week, "week_micro", "week_rest"),
            (&mut self.month, "month_micro", "month_rest"),
        ] {
            let slot =
                if is_byok { &mut spent.byok_cost_pico_usd } else { &mut spent.cost_pico_usd };
            *slot = slot.saturating_add(join(row.try_get(micro)?, row.try_get(rest)?));
        }
        for (sum, column) in [
            (&mut self.requests, "requests"),
            (&mut self.prompt_tokens, "prompt_tokens"),
            (&mut self.completion_tokens, "completion_tokens"),
        ] {
            *sum = sum.saturating_add(from_bigint(row.try_get(column)?));
        }
        self.last_used_ms = self.last_used_ms.max(Some(row.try_get("last_used_ms")?));
        Ok(())
    }
}

/// First days of the periods a moment is in.
struct Periods {
    day: i64,
    week: i64,
    month: i64,
}

impl Periods {
    fn of(now_ms: i64) -> Self {
        let day = day_of(now_ms);
        // 1970 began on a Thursday.
        let week = day - (day + 3).rem_euclid(7);
        Self { day, week, month: first_of_month(day) }
    }
}

/// The first day of the month that `day` is in; a day beyond the calendar is its own month.
pub(super) fn first_of_month(day: i64) -> i64 {
    let date = Timestamp::from_millisecond(day.saturating_mul(DAY_MS));
    let days_before = date.map_or(0, |date| date.to_zoned(TimeZone::UTC).day() - 1);
    day - i64::from(days_before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn periods_begin_at_midnight_utc() {
        for (now, week, month) in [
            ("2026-11-22T23:59:59.999Z", "2026-11-16T00:00:00Z", "2026-11-01T00:00:00Z"),
            ("2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-01T00:00:00Z"),
            ("2028-03-01T00:00:00Z", "2028-02-28T00:00:00Z", "2028-03-01T00:00:00Z"),
            ("2028-02-29T12:00:00Z", "2028-02-28T00:00:00Z", "2028-02-01T00:00:00Z"),
            ("1970-01-01T00:00:00Z", "1969-12-29T00:00:00Z", "1970-01-01T00:00:00Z"),
        ] {
            let periods = Periods::of(at(now));
            let found = (periods.week, periods.month);
            assert_eq!(found, (day_of(at(week)), day_of(at(month))), "{now}");
            assert_eq!(periods.day, day_of(at(now)), "{now}");
        }
    }
}
