//! Sums of usage by model, key, end user, app or provider, in steps of time: the table that is
//! exported, and its CSV.
//!
//! Used by the export of the management API and by `arouter usage export`. All amounts are
//! integers; the total is the sum of the rows, to the last digit.

use super::csv::write_line;
use crate::store::{Bucket, GroupKey, Store, StoreError, UsageFilter, UsageSums};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The columns of the sums.
pub const SUM_COLUMNS: [&str; 7] = [
    "requests",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "cost_usd",
    "byok_cost_usd",
];

/// A table of sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What the rows are grouped by.
    pub by: GroupKey,
    /// The steps of time.
    pub bucket: Bucket,
    /// The first moment that counts, Unix milliseconds.
    pub from_ms: Option<i64>,
    /// The first moment that does not count any more, Unix milliseconds.
    pub to_ms: Option<i64>,
    /// The rows, in order of time and of what they are grouped by.
    pub rows: Vec<Row>,
    /// The sums of all rows.
    pub total: UsageSums,
}

/// A row of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Where the step of time begins: `2026-04`, `2026-04-03` or `2026-04-03T12:05:00Z`; empty if
    /// all the time is one step.
    pub start: String,
    /// What is grouped by: a model, a provider, the hash of a key, an end user, an app.
    pub name: String,
    /// What people call it, where that is something else: name of a key, title of an app.
    pub title: String,
    /// The sums.
    pub sums: UsageSums,
}

impl Report {
    /// Sums up the requests that `filter` lets through. `key_names` has the names of keys by their
    /// hashes.
    pub async fn make(
        store: &Store,
        filter: &UsageFilter,
        (by, bucket): (GroupKey, Bucket),
        key_names: &BTreeMap<String, String>,
    ) -> Result<Self, StoreError> {
        let app_titles = match by {
            GroupKey::App => store.app_titles(filter).await?,
            _ => BTreeMap::new(),
        };
        let titles = if by == GroupKey::Key { key_names } else { &app_titles };
        let mut total = UsageSums::default();
        let mut rows = Vec::new();
        for group in store.usage_grouped(filter, by, bucket).await? {
            total.add(&group.sums);
            let name = group.names.into_iter().next().unwrap_or_default();
            rows.push(Row {
                start: step_name(group.start_ms, bucket),
                title: titles.get(&name).cloned().unwrap_or_default(),
                name,
                sums: group.sums,
            });
        }
        Ok(Self { by, bucket, from_ms: filter.from_ms, to_ms: filter.to_ms, rows, total })
    }

    /// The names of the columns before those of the sums.
    pub fn group_columns(&self) -> Vec<&'static str> {
        let start = (self.bucket != Bucket::Whole).then_some("start");
        let names: &[_] = match self.by {
            GroupKey::Model => &["model"],
            GroupKey::Key => &["key_hash", "key_name"],
            GroupKey::User => &["user"],
            GroupKey::App => &["app", "app_title"],
            GroupKey::Provider => &["provider"],
        };
        start.into_iter().chain(names.iter().copied()).collect()
    }

    /// Writes the rows as CSV, below a line with the names of the columns.
    pub fn write_csv(&self, out: &mut impl Write) -> io::Result<()> {
        write_line(out, self.group_columns().iter().chain(&SUM_COLUMNS))?;
        for row in &self.rows {
            let start = (self.bucket != Bucket::Whole).then_some(&row.start);
            let title = matches!(self.by, GroupKey::Key | GroupKey::App).then_some(&row.title);
            let group = start.into_iter().chain([&row.name]).chain(title).cloned();
            write_line(out, group.chain(sum_cells(&row.sums)))?;
        }
        out.flush()
    }
}

/// The cells of the [`SUM_COLUMNS`].
pub fn sum_cells(sums: &UsageSums) -> [String; SUM_COLUMNS.len()] {
    [
        sums.requests.to_string(),
        sums.prompt_tokens.to_string(),
        sums.cached_tokens.to_string(),
        sums.completion_tokens.to_string(),
        sums.reasoning_tokens.to_string(),
        sums.cost_pico_usd.to_string(),
        sums.byok_cost_pico_usd.to_string(),
    ]
}

fn step_name(start_ms: i64, bucket: Bucket) -> String {
    let format = match bucket {
        Bucket::Whole => return String::new(),
        Bucket::Month => "%Y-%m",
        Bucket::Day => "%Y-%m-%d",
        Bucket::Hour | Bucket::Minute => "%Y-%m-%dT%H:%M:%SZ",
    };
    Timestamp::from_millisecond(start_ms)
        .map_or_else(|_| start_ms.to_string(), |start| start.strftime(format).to_string())
}

/// A moment that a person wrote, in Unix milliseconds: `2026-04-03` (midnight UTC) or
/// `2026-04-03T12:00:00Z`.
pub fn time_ms(text: &str) -> Result<i64, jiff::Error> {
    let time = match text.parse::<Date>() {
        Ok(date) if !text.contains(['T', 't', ' ']) => {
            date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp())
        }
        _ => text.parse::<Timestamp>(),
    };
    time.map(Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::PicoUsd;
    use crate::store::Generation;

    const DAY_MS: i64 = 86_400_000;

    fn rows() -> Vec<Generation> {
        (0..2500_i64)
            .map(|at| {
                let mut row = Generation::example(&format!("gen-{at}"));
                row.created_ms += (at % 2) * 11 * DAY_MS;
                row.is_byok = at % 5 == 0;
                row.cost_pico_usd = PicoUsd::from_pico(1_000_000_000_001);
                row.referer = (at % 3 > 0).then(|| "https://app.example".to_owned());
                row.app_title = (at % 3 > 1).then(|| "=App".to_owned());
                row
            })
            .collect()
    }

    async fn report(by: GroupKey, bucket: Bucket, filter: UsageFilter) -> Report {
        let store = Store::open("memory:").await.unwrap();
        store.settle_for_test(&rows()).await;
        let names = BTreeMap::from([("9f86d0".to_owned(), "demo".to_owned())]);
        Report::make(&store, &filter, (by, bucket), &names).await.unwrap()
    }

    fn csv(report: &Report) -> String {
        let mut out = Vec::new();
        report.write_csv(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[tokio::test]
    async fn groups_add_up_to_the_last_digit() {
        let cases = [
            (
                (GroupKey::Key, Bucket::Month),
                "start,key_hash,key_name,requests,prompt_tokens,cached_tokens,completion_tokens,\
                 reasoning_tokens,cost_usd,byok_cost_usd\r\n\
                 2026-09,9f86d0,demo,1250,17500,5000,7500,0,1000.000000001,250.00000000025\r\n\
                 2026-10,9f86d0,demo,1250,17500,5000,7500,0,1000.000000001,250.00000000025\r\n",
            ),
            (
                (GroupKey::App, Bucket::Whole),
                "app,app_title,requests,prompt_tokens,cached_tokens,completion_tokens,\
                 reasoning_tokens,cost_usd,byok_cost_usd\r\n\
                 ,,834,11676,3336,5004,0,667.000000000667,167.000000000167\r\n\
                 https://app.example,'=App,1666,23324,6664,9996,0,1333.000000001333,\
                 333.000000000333\r\n",
            ),
        ];
        for ((by, bucket), expected) in cases {
            let report = report(by, bucket, UsageFilter::default()).await;
            assert_eq!(csv(&report), expected);
            assert_eq!(report.total.requests, 2500);
            assert_eq!(report.total.cost_pico_usd, PicoUsd::from_pico(2_000_000_000_002_000));
            assert_eq!(report.total.byok_cost_pico_usd, PicoUsd::from_pico(500_000_000_000_500));
        }
    }

    #[tokio::test]
    async fn steps_are_named_by_where_they_begin() {
        for (bucket, start) in [
            (Bucket::Minute, "2026-09-21T14:13:00Z"),
            (Bucket::Hour, "2026-09-21T14:00:00Z"),
            (Bucket::Day, "2026-09-21"),
            (Bucket::Month, "2026-09"),
            (Bucket::Whole, ""),
        ] {
            let filter = UsageFilter { to_ms: Some(1_790_000_000_124), ..UsageFilter::default() };
            let report = report(GroupKey::Model, bucket, filter).await;
            assert_eq!(report.rows.len(), 1);
            assert_eq!(report.rows[0].start, start);
        }
    }

    #[test]
    fn a_date_is_its_midnight_in_utc() {
        assert_eq!(time_ms("2026-09-21").unwrap(), 1_789_948_800_000);
        assert_eq!(time_ms("2026-09-21T14:13:20.123Z").unwrap(), 1_790_000_000_123);
        assert_eq!(time_ms("2026-09-21T16:13:20.123+02:00").unwrap(), 1_790_000_000_123);
        assert!(time_ms("2026-09-21T14:13:20").is_err());
        assert!(time_ms("yesterday").is_err());
    }
}
