//! Usage summed in many ways: by day, model, provider, key, end user, app.
//!
//! Used by the usage and activity API and by exports. Whole days come from the sums by day, which
//! outlive the records; hours, minutes and the ends of a range that is cut within a day come from
//! the records. Each request is in exactly one of the two, so all sums are exact.

use super::amount::{from_bigint, join};
use super::daily::{DAY_MS, day_of};
use super::spending::first_of_month;
use super::{Store, StoreError, UsageFilter};
use crate::money::PicoUsd;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};
use std::collections::BTreeMap;

/// Most groups of one answer.
const MAX_GROUPS: usize = 50_000;

/// Every request of the whole days from `$1` to before `$2`, and of the times from `$3` to before
/// `$4` and from `$5` to before `$6`.
const SOURCE: &str = "SELECT day * 86400000 AS at_ms, key_hash, model, provider, is_byok, \
       '' AS end_user, '' AS app, requests, prompt_tokens, completion_tokens, cached_tokens, \
       reasoning_tokens, cost_micro_usd AS micro_usd, cost_rest_pico_usd AS rest_pico_usd \
     FROM daily_usage WHERE day >= $1 AND day < $2 \
     UNION ALL \
     SELECT created_ms, key_hash, model, provider, is_byok, COALESCE(end_user, ''), \
       COALESCE(referer, app_title, ''), 1, COALESCE(prompt_tokens, 0), \
       COALESCE(completion_tokens, 0), COALESCE(cached_tokens, 0), \
       COALESCE(reasoning_tokens, 0), cost_pico_usd / 1000000, cost_pico_usd % 1000000 \
     FROM generations \
     WHERE (created_ms >= $3 AND created_ms < $4) OR (created_ms >= $5 AND created_ms < $6)";

const FILTER: &str = "($7 IS NULL OR key_hash = $7) AND ($8 IS NULL OR model = $8) \
     AND ($9 IS NULL OR provider = $9) AND ($10 IS NULL OR end_user = $10)";

const APP_TITLES: &str = "SELECT COALESCE(referer, app_title) AS app, MAX(app_title) AS title \
     FROM generations WHERE created_ms >= $1 AND created_ms < $2 AND app_title IS NOT NULL \
     AND ($3 IS NULL OR key_hash = $3) GROUP BY COALESCE(referer, app_title) LIMIT $4";

/// What requests are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupKey {
    /// Model that answered.
    Model,
    /// Hash of the key.
    Key,
    /// End user named by the client; empty: none.
    User,
    /// The client's `HTTP-Referer`, or else its `X-Title`; empty: neither.
    App,
    /// Provider that answered; empty: none was reached.
    Provider,
}

impl GroupKey {
    fn column(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Key => "key_hash",
            Self::User => "end_user",
            Self::App => "app",
            Self::Provider => "provider",
        }
    }

    fn is_daily(self) -> bool {
        !matches!(self, Self::User | Self::App)
    }
}

/// Steps of time, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A calendar month.
    Month,
    /// All the time is one step.
    Whole,
}

impl Bucket {
    /// Where the step of a row begins, as SQL. Months are made of days afterwards.
    fn sql(self) -> &'static str {
        match self {
            Self::Minute => "at_ms / 60000 * 60000",
            Self::Hour => "at_ms / 3600000 * 3600000",
            Self::Day | Self::Month => "at_ms / 86400000 * 86400000",
            Self::Whole => "CAST(0 AS BIGINT)",
        }
    }

    fn is_daily(self) -> bool {
        !matches!(self, Self::Minute | Self::Hour)
    }

    /// Where the step begins that `start_ms`, the beginning of a step in SQL, is in.
    fn start(self, start_ms: i64) -> i64 {
        match self {
            Self::Month => first_of_month(day_of(start_ms)).saturating_mul(DAY_MS),
            _ => start_ms,
        }
    }
}

/// Sums of a group of requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageSums {
    /// Number of requests.
    pub requests: u64,
    /// Prompt tokens, cached ones included.
    pub prompt_tokens: u64,
    /// Completion tokens, reasoning included.
    pub completion_tokens: u64,
    /// Prompt tokens read from a cache.
    pub cached_tokens: u64,
    /// Completion tokens spent on reasoning.
    pub reasoning_tokens: u64,
    /// What was taken from the account.
    pub cost_pico_usd: PicoUsd,
    /// What was spent on contracts of the caller's own.
    pub byok_cost_pico_usd: PicoUsd,
}

/// A group and its sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageGroup {
    /// Where the step of time begins, Unix milliseconds; 0 for [`Bucket::Whole`].
    pub start_ms: i64,
    /// The values of what was grouped by, in that order.
    pub names: Vec<String>,
    /// Whether the provider was called on a contract of the caller's own; false unless asked for.
    pub is_byok: bool,
    /// The sums.
    pub sums: UsageSums,
}

/// What [`Store::usage_summary`] finds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageSummary {
    /// Everything together.
    pub total: UsageSums,
    /// By provider, in order of its slug.
    pub by_provider: BTreeMap<String, UsageSums>,
    /// By provider and model.
    pub by_model: BTreeMap<(String, String), UsageSums>,
}

impl UsageFilter {
    /// The last `days` days that are over at `now_ms`, UTC.
    pub fn completed_days(now_ms: i64, days: u16) -> Self {
        let today_ms = day_of(now_ms).saturating_mul(DAY_MS);
        let from_ms = today_ms.saturating_sub(i64::from(days).saturating_mul(DAY_MS));
        Self { from_ms: Some(from_ms), to_ms: Some(today_ms), ..Self::default() }
    }
}

impl Store {
    /// All that was used, by provider and by model.
    pub async fn usage_summary(&self, filter: &UsageFilter) -> Result<UsageSummary, StoreError> {
        let by = [GroupKey::Provider, GroupKey::Model];
        let mut summary = UsageSummary::default();
        for group in self.sums(filter, &by, (Bucket::Whole, Contracts::Together)).await? {
            let mut names = group.names.into_iter();
            let (provider, model) =
                (names.next().unwrap_or_default(), names.next().unwrap_or_default());
            summary.total.add(&group.sums);
            summary.by_provider.entry(provider.clone()).or_default().add(&group.sums);
            summary.by_model.entry((provider, model)).or_default().add(&group.sums);
        }
        Ok(summary)
    }

    /// What was used in each step of time in which there was any request, oldest first.
    pub async fn usage_timeseries(
        &self,
        filter: &UsageFilter,
        bucket: Bucket,
    ) -> Result<Vec<(i64, UsageSums)>, StoreError> {
        let groups = self.sums(filter, &[], (bucket, Contracts::Together)).await?;
        Ok(groups.into_iter().map(|group| (group.start_ms, group.sums)).collect())
    }

    /// What was used on each day: `names` are the model and the provider, and requests on
    /// contracts of the caller's own are apart. Oldest first.
    pub async fn activity(&self, filter: &UsageFilter) -> Result<Vec<UsageGroup>, StoreError> {
        let by = [GroupKey::Model, GroupKey::Provider];
        self.sums(filter, &by, (Bucket::Day, Contracts::Apart)).await
    }

    /// What was used by each of the groups in each step of time, in order of both. `names` has one
    /// element.
    pub async fn usage_grouped(
        &self,
        filter: &UsageFilter,
        by: GroupKey,
        bucket: Bucket,
    ) -> Result<Vec<UsageGroup>, StoreError> {
        self.sums(filter, &[by], (bucket, Contracts::Together)).await
    }

    /// The titles of the apps that named themselves, by what [`GroupKey::App`] calls them; of
    /// several titles of one app the last in alphabetical order.
    pub async fn app_titles(
        &self,
        filter: &UsageFilter,
    ) -> Result<BTreeMap<String, String>, StoreError> {
        let rows = sqlx::query(APP_TITLES)
            .bind(filter.from_ms.unwrap_or(i64::MIN))
            .bind(filter.to_ms.unwrap_or(i64::MAX))
            .bind(filter.key_hash.as_deref())
            .bind(i64::try_from(MAX_GROUPS).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| Ok((row.try_get("app")?, row.try_get("title")?))).collect()
    }

    /// Sums of groups, in order of time and names; an error if there are too many.
    async fn sums(
        &self,
        filter: &UsageFilter,
        by: &[GroupKey],
        (bucket, contracts): (Bucket, Contracts),
    ) -> Result<Vec<UsageGroup>, StoreError> {
        let is_daily =
            bucket.is_daily() && by.iter().all(|key| key.is_daily()) && filter.end_user.is_none();
        let range = Range::of(filter, is_daily);
        let rows = sqlx::query(AssertSqlSafe(sums_sql(by, bucket, contracts)))
            .bind(range.days.0)
            .bind(range.days.1)
            .bind(range.before.0)
            .bind(range.before.1)
            .bind(range.after.0)
            .bind(range.after.1)
            .bind(filter.key_hash.as_deref())
            .bind(filter.model.as_deref())
            .bind(filter.provider.as_deref())
            .bind(filter.end_user.as_deref())
            .fetch_all(&self.pool)
            .await?;
        if rows.len() > MAX_GROUPS {
            return Err(StoreError::TooManyGroups);
        }
        let mut groups: BTreeMap<(i64, Vec<String>, bool), UsageSums> = BTreeMap::new();
        for row in &rows {
            let names = by.iter().map(|key| row.try_get(key.column()));
            let names = names.collect::<Result<Vec<String>, _>>()?;
            let is_byok = row.try_get::<i64, _>("byok")? != 0;
            let group = (bucket.start(row.try_get("start_ms")?), names, is_byok);
            groups.entry(group).or_default().add(&read(row)?);
        }
        let group =
            |((start_ms, names, is_byok), sums)| UsageGroup { start_ms, names, is_byok, sums };
        Ok(groups.into_iter().map(group).collect())
    }
}

/// Whether requests on contracts of the caller's own are groups of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contracts {
    Apart,
    Together,
}

/// Made of constants only.
fn sums_sql(by: &[GroupKey], bucket: Bucket, contracts: Contracts) -> String {
    let byok = match contracts {
        Contracts::Apart => "is_byok",
        Contracts::Together => "CAST(0 AS BIGINT)",
    };
    let names: String = by.iter().flat_map(|key| [", ", key.column()]).collect();
    let sum = |column: &str, name: &str| format!(", CAST(SUM({column}) AS BIGINT) AS {name}");
    let cost = |column: &str, is_byok: u8, name: &str| {
        sum(&format!("CASE WHEN is_byok = {is_byok} THEN {column} ELSE 0 END"), name)
    };
    let sums = ["requests", "prompt_tokens", "completion_tokens", "cached_tokens"];
    let sums = sums.into_iter().chain(["reasoning_tokens"]).map(|column| sum(column, column));
    let costs = [
        cost("micro_usd", 0, "cost_micro"),
        cost("rest_pico_usd", 0, "cost_rest"),
        cost("micro_usd", 1, "byok_micro"),
        cost("rest_pico_usd", 1, "byok_rest"),
    ];
    let sums: String = sums.chain(costs).collect();
    format!(
        "SELECT start_ms, byok{names}{sums} FROM (SELECT {} AS start_ms, {byok} AS byok, \
         usage_source.* FROM ({SOURCE}) AS usage_source WHERE {FILTER}) AS usage_rows \
         GROUP BY start_ms, byok{names} LIMIT {}",
        bucket.sql(),
        MAX_GROUPS.saturating_add(1)
    )
}

/// A range of time, cut so that its whole days are apart. Each part is from the first number to
/// before the second.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    days: (i64, i64),
    before: (i64, i64),
    after: (i64, i64),
}

impl Range {
    fn of(filter: &UsageFilter, is_daily: bool) -> Self {
        let from_ms = filter.from_ms.unwrap_or(i64::MIN);
        let to_ms = filter.to_ms.unwrap_or(i64::MAX);
        let first = day_of(from_ms.saturating_add(DAY_MS - 1));
        // There is no end of the day that never ends.
        let end = if to_ms == i64::MAX { i64::MAX / DAY_MS } else { day_of(to_ms) };
        if !is_daily || first >= end {
            return Self { days: (0, 0), before: (from_ms, to_ms), after: (0, 0) };
        }
        let start_of = |day: i64| day.saturating_mul(DAY_MS);
        let before = if filter.from_ms.is_none() { (0, 0) } else { (from_ms, start_of(first)) };
        let after = if filter.to_ms.is_none() { (0, 0) } else { (start_of(end), to_ms) };
        Self { days: (first, end), before, after }
    }
}

impl UsageSums {
    /// Adds another group's.
    pub fn add(&mut self, other: &Self) {
        for (sum, other) in [
            (&mut self.requests, other.requests),
            (&mut self.prompt_tokens, other.prompt_tokens),
            (&mut self.completion_tokens, other.completion_tokens),
            (&mut self.cached_tokens, other.cached_tokens),
            (&mut self.reasoning_tokens, other.reasoning_tokens),
        ] {
            *sum = sum.saturating_add(other);
        }
        self.cost_pico_usd = self.cost_pico_usd.saturating_add(other.cost_pico_usd);
        self.byok_cost_pico_usd = self.byok_cost_pico_usd.saturating_add(other.byok_cost_pico_usd);
    }
}

fn read(row: &AnyRow) -> Result<UsageSums, StoreError> {
    let count = |column: &str| -> Result<u64, StoreError> { Ok(from_bigint(row.try_get(column)?)) };
    Ok(UsageSums {
        requests: count("requests")?,
        prompt_tokens: count("prompt_tokens")?,
        completion_tokens: count("completion_tokens")?,
        cached_tokens: count("cached_tokens")?,
        reasoning_tokens: count("reasoning_tokens")?,
        cost_pico_usd: join(row.try_get("cost_micro")?, row.try_get("cost_rest")?),
        byok_cost_pico_usd: join(row.try_get("byok_micro")?, row.try_get("byok_rest")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from_ms: Option<i64>, to_ms: Option<i64>, is_daily: bool) -> Range {
        Range::of(&UsageFilter { from_ms, to_ms, ..UsageFilter::default() }, is_daily)
    }

    /// A moment is in exactly one part of the range if it is in the range, and in none if not.
    #[test]
    fn a_range_is_cut_without_gap_or_overlap() {
        let moments = [-1, 0, 1, DAY_MS - 1, DAY_MS, DAY_MS + 1, 3 * DAY_MS - 1, 3 * DAY_MS];
        let ends: Vec<_> = moments.into_iter().map(Some).chain([None]).collect();
        for (&from, &to) in ends.iter().flat_map(|from| ends.iter().map(move |to| (from, to))) {
            for is_daily in [false, true] {
                let range = range(from, to, is_daily);
                for moment in moments {
                    let expected =
                        from.is_none_or(|from| from <= moment) && to.is_none_or(|to| moment < to);
                    let within = |part: (i64, i64), at| part.0 <= at && at < part.1;
                    let found = [
                        within(range.days, day_of(moment)),
                        within(range.before, moment),
                        within(range.after, moment),
                    ];
                    let found = found.into_iter().filter(|found| *found).count();
                    assert_eq!(found, usize::from(expected), "{from:?}..{to:?} {moment}");
                }
            }
        }
    }
}
