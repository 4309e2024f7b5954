//! Sums by group and time, compared with the same sums made of the requests one by one.

use super::*;
use std::collections::BTreeMap;

const DAY_MS: i64 = 86_400_000;

/// Requests of five weeks, of every kind, at odd times and at the edges of steps.
fn requests() -> Vec<Generation> {
    let start = at("2026-10-20T00:00:00Z");
    let mut rows = Vec::new();
    for number in 0..400_i64 {
        let edge = [0, 1, 59_999, 3_599_999, DAY_MS - 1][usize::try_from(number % 5).unwrap()];
        let created_ms = start + number * 37 % 36 * DAY_MS + number % 3 * 3_600_000 + edge;
        let mut row = request(&format!("gen-{number:03}"), created_ms, 0);
        row.cost_pico_usd = PicoUsd::from_pico(i128::from(number) * 7_777_777_777 + 1);
        row.key_hash = format!("key-{}", number % 3);
        row.provider = ["openai", "anthropic"][usize::from(number % 4 == 0)].to_owned();
        row.model = format!("{}/model-{}", row.provider, number % 7 / 3);
        row.is_byok = number % 5 == 2;
        row.user = (number % 2 == 0).then(|| format!("user-{}", number % 6));
        row.referer = (number % 11 == 0).then(|| "https://app.example".to_owned());
        row.app_title = (number % 3 == 0).then(|| "App".to_owned());
        row.usage.reasoning = Some(2);
        rows.push(row);
    }
    rows
}

fn sums<'r>(rows: impl Iterator<Item = &'r Generation>) -> UsageSums {
    let mut sums = UsageSums::default();
    for row in rows {
        sums.requests += 1;
        sums.prompt_tokens += row.usage.prompt.unwrap();
        sums.completion_tokens += row.usage.completion.unwrap();
        sums.cached_tokens += row.usage.cached.unwrap();
        sums.reasoning_tokens += row.usage.reasoning.unwrap();
        let cost = if row.is_byok { &mut sums.byok_cost_pico_usd } else { &mut sums.cost_pico_usd };
        *cost = cost.saturating_add(row.cost_pico_usd);
    }
    sums
}

fn lets_through(filter: &UsageFilter, row: &Generation) -> bool {
    let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|w| w == found);
    filter.from_ms.is_none_or(|from_ms| from_ms <= row.created_ms)
        && filter.to_ms.is_none_or(|to_ms| row.created_ms < to_ms)
        && is(&filter.key_hash, &row.key_hash)
        && is(&filter.model, &row.model)
        && is(&filter.provider, &row.provider)
        && is(&filter.end_user, row.user.as_deref().unwrap_or_default())
}

fn filters() -> Vec<UsageFilter> {
    let none = UsageFilter::default();
    let odd = (at("2026-10-21T13:00:00.001Z"), at("2026-11-20T03:00:00Z"));
    vec![
        none.clone(),
        UsageFilter { from_ms: Some(odd.0), to_ms: Some(odd.1), ..none.clone() },
        UsageFilter { from_ms: Some(odd.0), to_ms: Some(odd.0 + 5_000_000), ..none.clone() },
        UsageFilter { from_ms: Some(at("2026-11-01T00:00:00Z")), ..none.clone() },
        UsageFilter { to_ms: Some(at("2026-11-01T00:00:00Z")), ..none.clone() },
        UsageFilter { key_hash: Some("key-1".to_owned()), ..none.clone() },
        UsageFilter { provider: Some("anthropic".to_owned()), to_ms: Some(odd.1), ..none.clone() },
        UsageFilter { model: Some("openai/model-1".to_owned()), ..none.clone() },
        UsageFilter { end_user: Some("user-2".to_owned()), from_ms: Some(odd.0), ..none.clone() },
        UsageFilter { end_user: Some("nobody".to_owned()), ..none },
    ]
}

fn step(bucket: Bucket, row: &Generation) -> i64 {
    let of = |length_ms: i64| row.created_ms / length_ms * length_ms;
    match bucket {
        Bucket::Minute => of(60_000),
        Bucket::Hour => of(3_600_000),
        Bucket::Day => of(DAY_MS),
        Bucket::Month if row.created_ms < at("2026-11-01T00:00:00Z") => at("2026-10-01T00:00:00Z"),
        Bucket::Month => at("2026-11-01T00:00:00Z"),
        Bucket::Whole => 0,
    }
}

fn name(by: GroupKey, row: &Generation) -> String {
    match by {
        GroupKey::Model => row.model.clone(),
        GroupKey::Key => row.key_hash.clone(),
        GroupKey::Provider => row.provider.clone(),
        GroupKey::User => row.user.clone().unwrap_or_default(),
        GroupKey::App => row.referer.clone().or(row.app_title.clone()).unwrap_or_default(),
    }
}

/// The groups that `key` makes of those requests that a filter lets through.
fn grouped<K: Ord>(
    rows: &[Generation],
    filter: &UsageFilter,
    key: impl Fn(&Generation) -> K,
) -> Vec<(K, UsageSums)> {
    let mut groups: BTreeMap<K, Vec<&Generation>> = BTreeMap::new();
    for row in rows.iter().filter(|row| lets_through(filter, row)) {
        groups.entry(key(row)).or_default().push(row);
    }
    groups.into_iter().map(|(key, rows)| (key, sums(rows.into_iter()))).collect()
}

const BUCKETS: [Bucket; 5] =
    [Bucket::Minute, Bucket::Hour, Bucket::Day, Bucket::Month, Bucket::Whole];

async fn groups_are_the_sums_of_their_requests(fresh: Fresh) {
    let rows = requests();
    fresh.store.applied(&settled(&rows)).await;
    let keys = [GroupKey::Model, GroupKey::Key, GroupKey::User, GroupKey::App, GroupKey::Provider];
    for filter in filters() {
        for (by, bucket) in keys.into_iter().flat_map(|by| BUCKETS.map(|bucket| (by, bucket))) {
            let found = fresh.store.usage_grouped(&filter, by, bucket).await.unwrap();
            let found: Vec<_> = found
                .into_iter()
                .map(|group| ((group.start_ms, group.names.concat()), group.sums))
                .collect();
            let expected = grouped(&rows, &filter, |row| (step(bucket, row), name(by, row)));
            assert_eq!(found, expected, "{filter:?} {by:?} {bucket:?}");
        }
    }
}

async fn series_and_summaries_are_the_sums_of_their_requests(fresh: Fresh) {
    let rows = requests();
    fresh.store.applied(&settled(&rows)).await;
    for filter in filters() {
        for bucket in BUCKETS {
            let found = fresh.store.usage_timeseries(&filter, bucket).await.unwrap();
            let expected = grouped(&rows, &filter, |row| step(bucket, row));
            assert_eq!(found, expected, "{filter:?} {bucket:?}");
        }
        let summary = fresh.store.usage_summary(&filter).await.unwrap();
        let through = rows.iter().filter(|row| lets_through(&filter, row));
        assert_eq!(summary.total, sums(through), "{filter:?}");
        let by_provider = grouped(&rows, &filter, |row| row.provider.clone());
        assert_eq!(Vec::from_iter(summary.by_provider), by_provider, "{filter:?}");
        let by_model = grouped(&rows, &filter, |row| (row.provider.clone(), row.model.clone()));
        assert_eq!(Vec::from_iter(summary.by_model), by_model, "{filter:?}");
    }
}

async fn activity_is_by_day_model_provider_and_contract(fresh: Fresh) {
    let rows = requests();
    fresh.store.applied(&settled(&rows)).await;
    let now = at("2026-11-21T15:00:00Z");
    let completed = UsageFilter::completed_days(now, 30);
    let (from_ms, to_ms) = (at("2026-10-22T00:00:00Z"), at("2026-11-21T00:00:00Z"));
    assert_eq!((completed.from_ms, completed.to_ms), (Some(from_ms), Some(to_ms)));
    let of_user = UsageFilter { end_user: Some("user-4".to_owned()), ..completed.clone() };
    for filter in [completed, of_user] {
        let found = fresh.store.activity(&filter).await.unwrap();
        let found: Vec<_> = found
            .into_iter()
            .map(|group| ((group.start_ms, group.names, group.is_byok), group.sums))
            .collect();
        let expected = grouped(&rows, &filter, |row| {
            let names = vec![row.model.clone(), row.provider.clone()];
            (step(Bucket::Day, row), names, row.is_byok)
        });
        assert_eq!(found, expected, "{filter:?}");
    }
}

on_both_databases!(
    groups_are_the_sums_of_their_requests,
    series_and_summaries_are_the_sums_of_their_requests,
    activity_is_by_day_model_provider_and_contract,
);
