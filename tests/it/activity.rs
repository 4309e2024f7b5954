//! Usage over the API and in exports: every sum is the sum of the records to the last digit, no
//! key sees what another one did, and what is asked for wrongly is refused by name.

use crate::activity_table::{Sums, Table, csv, pdf, summed};
use crate::rig::{Answer, KEY, Plan, Rig};
use arouter::id::key_hash_hex;
use arouter::money::PicoUsd;
use arouter::store::{Entry, Generation, Outcome, Store, UsageFilter};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub const OTHER: &str = "lr_live_ffffffffffffffffffffffffffffffffffffffffffffff01";
pub const MANAGER: &str = "lr_mgmt_0123456789abcdef0123456789abcdef0123456789abcd";
const KEYS: &str = r#"
[keys.other]
secret = { insecure_literal = "lr_live_ffffffffffffffffffffffffffffffffffffffffffffff01" }
[keys.manager]
secret = { insecure_literal = "lr_mgmt_0123456789abcdef0123456789abcdef0123456789abcd" }
kind = "management"
"#;
const USERS: [&str; 5] =
    ["ann", "=cmd|' /C calc'!A0", "\u{4e2d}\u{6587} \u{202e}", "a,\"b\"\r\nc", ""];
const DAY_MS: i64 = 86_400_000;

async fn rig() -> Rig {
    Rig::with(Plan { more: KEYS, ..Plan::default() }).await
}

async fn store(rig: &Rig) -> Store {
    let path = rig.folder.path().join("arouter.db");
    Store::open(&format!("sqlite://{}", path.display())).await.unwrap()
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Midnight of today, UTC.
fn today_ms() -> i64 {
    now_ms().div_euclid(DAY_MS) * DAY_MS
}

fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).unwrap().to_string()
}

/// A record of the past: number `at` of many that differ in everything that can be grouped by.
fn past(at: i64, created_ms: i64) -> Generation {
    let pick = |from: &[&str]| from[usize::try_from(at).unwrap() % from.len()].to_owned();
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let number = u64::try_from(at).unwrap();
    Generation {
        id: format!("gen-1-{at:024}"),
        created_ms,
        key_hash: key_hash_hex(if at % 3 == 0 { OTHER } else { KEY }),
        key_name: "past".to_owned(),
        operation: "chat".to_owned(),
        requested_model: String::new(),
        model: pick(&["openai/gpt-5.4", "anthropic/claude-sonnet-4.5"]),
        provider: pick(&["openai", "anthropic", "google", ""]),
        upstream_id: None,
        status: 200,
        outcome: Outcome::Complete,
        error: None,
        streamed: false,
        finish_reason: None,
        native_finish_reason: None,
        usage: arouter::chat::Usage {
            prompt: Some(number + 10),
            completion: Some(number + 5),
            cached: (at % 2 == 0).then_some(number),
            reasoning: (at % 5 == 0).then_some(3),
            ..arouter::chat::Usage::default()
        },
        usage_estimated: false,
        cost_pico_usd: PicoUsd::from_pico(1_000_000_000_001 + i128::from(at) * 7_919),
        prompt_cost_pico_usd: PicoUsd::ZERO,
        completion_cost_pico_usd: PicoUsd::ZERO,
        price_version: String::new(),
        is_byok: at % 7 == 0,
        service_tier: None,
        latency_ms: 1,
        first_token_ms: None,
        attempts: 1,
        failed_attempts: Vec::new(),
        user: some(pick(&USERS)),
        referer: some(pick(&["", "https://a.example", "https://b.example"])),
        app_title: some(pick(&["App \u{e9}", ""])),
        app_categories: None,
        session_id: None,
        user_agent: None,
    }
}

/// Records of the last forty days, and then live requests of two keys.
async fn use_it(rig: &Rig) -> Vec<Generation> {
    let store = store(rig).await;
    let from_ms = today_ms() - 40 * DAY_MS;
    let rows: Vec<Entry> =
        (0..240).map(|at| Entry::Settle(past(at, from_ms + at * (DAY_MS / 6) + at))).collect();
    store.apply(&rows, "test", "test", 0).await.unwrap();
    let mut ids = Vec::new();
    for (at, user) in USERS.iter().chain(&USERS).enumerate() {
        let key = if at % 2 == 0 { KEY } else { OTHER };
        let tokens = json!({ "tokens": { "prompt": 1000 + at, "completion": 7 + at } });
        let model = ["openai/gpt-5.4", "google/gemini-2.5-flash"][at % 2];
        let mut body = json!({
            "model": model, "messages": [{ "role": "user", "content": format!("[[mock {tokens}]]") }],
        });
        if !user.is_empty() {
            body["user"] = json!(user);
        }
        let headers =
            [("x-api-key", key), ("http-referer", "https://live.example"), ("x-title", "Live")];
        let answer = rig.send("POST", "/v1/chat/completions", &headers, body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        ids.push(answer.header("x-generation-id").to_owned());
    }
    for id in ids {
        while get(rig, MANAGER, &format!("/api/v1/generation?id={id}")).await.status == 404 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let all = store.usage_page(&UsageFilter::default(), None, 10_000).await.unwrap();
    assert_eq!(all.len(), 250);
    store.close().await;
    all
}

async fn get(rig: &Rig, key: &str, path: &str) -> Answer {
    rig.send("GET", path, &[("x-api-key", key)], "").await
}

async fn good(rig: &Rig, key: &str, path: &str) -> Answer {
    let answer = get(rig, key, path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer
}

/// A time or text as a value of a query.
fn escaped(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut escaped, byte| {
        write!(escaped, "%{byte:02X}").unwrap();
        escaped
    })
}

type Keep<'a> = Box<dyn Fn(&Generation) -> bool + 'a>;

#[tokio::test]
async fn summaries_and_series_are_the_sums_of_the_records() {
    let rig = rig().await;
    let all = use_it(&rig).await;
    let (own, other) = (key_hash_hex(KEY), key_hash_hex(OTHER));
    let (from_ms, to_ms) = (today_ms() - 20 * DAY_MS - 40_000_000, today_ms() - 5 * DAY_MS + 1);
    let range = format!("start_time={}&end_time={}", time(from_ms), time(to_ms));
    let cases: Vec<(&str, String, Keep<'_>)> = vec![
        (MANAGER, String::new(), Box::new(|_| true)),
        (MANAGER, format!("key_id={other}"), Box::new(|g| g.key_hash == other)),
        (MANAGER, "model=openai/gpt-5.4".to_owned(), Box::new(|g| g.model == "openai/gpt-5.4")),
        (MANAGER, "provider_id=google".to_owned(), Box::new(|g| g.provider == "google")),
        (MANAGER, range.clone(), Box::new(move |g| (from_ms..to_ms).contains(&g.created_ms))),
        (KEY, String::new(), Box::new(|g| g.key_hash == own)),
        (KEY, format!("key_id={own}"), Box::new(|g| g.key_hash == own)),
        (
            OTHER,
            range,
            Box::new(|g| g.key_hash == other && (from_ms..to_ms).contains(&g.created_ms)),
        ),
    ];
    for (key, query, keep) in &cases {
        let expected = summed(all.iter().filter(|g| keep(g)));
        let answer = good(&rig, key, &format!("/api/usage/summary?{query}")).await;
        let table = Table::of_summary(&answer.text());
        assert_eq!(table.total, expected, "{query}");
        for part in [&table.by_provider, &table.by_model] {
            assert_eq!(part.values().fold(Sums::default(), |a, b| a + *b), expected, "{query}");
        }
        for (provider, sums) in &table.by_provider {
            let found = all.iter().filter(|g| keep(g) && g.provider == provider[0]);
            assert_eq!(*sums, summed(found), "{query} {provider:?}");
        }
        for (names, sums) in &table.by_model {
            let found =
                all.iter().filter(|g| keep(g) && [&g.provider, &g.model] == [&names[0], &names[1]]);
            assert_eq!(*sums, summed(found), "{query} {names:?}");
        }
    }
    for (granularity, days, points) in [("hourly", 41, 984), ("daily", 41, 41), ("monthly", 41, 0)]
    {
        let (from_ms, to_ms) = (today_ms() - (days - 1) * DAY_MS, today_ms() + DAY_MS);
        let range = format!("start_time={}&end_time={}", time(from_ms), time(to_ms));
        for (key, query, keep) in cases.iter().filter(|case| !case.1.contains("start")) {
            let path = format!("/api/usage/timeseries?granularity={granularity}&{range}&{query}");
            let series = Table::of_series(&good(&rig, key, &path).await.text());
            assert!(series.len() == points || points == 0, "{granularity}: {}", series.len());
            let total = series.values().fold(Sums::default(), |a, b| a + *b);
            assert_eq!(total, summed(all.iter().filter(|g| keep(g))), "{path}");
            let mut starts = series
                .keys()
                .map(|start| start.parse::<jiff::Timestamp>().unwrap().as_millisecond())
                .peekable();
            let mut sums = series.values();
            while let Some(start_ms) = starts.next() {
                let end_ms = starts.peek().copied().unwrap_or(i64::MAX);
                let found =
                    all.iter().filter(|g| keep(g) && (start_ms..end_ms).contains(&g.created_ms));
                assert_eq!(*sums.next().unwrap(), summed(found), "{path} {}", time(start_ms));
            }
        }
    }
    let series = good(&rig, KEY, "/api/usage/timeseries").await.json();
    assert_eq!(series["granularity"], "daily");
    assert_eq!(series["data_points"].as_array().unwrap().len(), 31);
}

#[tokio::test]
async fn days_of_activity_are_the_sums_of_the_records() {
    let rig = rig().await;
    let all = use_it(&rig).await;
    let seen: Vec<&Generation> = all
        .iter()
        .filter(|g| (today_ms() - 30 * DAY_MS..today_ms()).contains(&g.created_ms))
        .collect();
    let day_ms = today_ms() - 3 * DAY_MS;
    let date = time(day_ms)[..10].to_owned();
    let other = key_hash_hex(OTHER);
    let cases: Vec<(String, Keep<'_>)> = vec![
        (String::new(), Box::new(|_| true)),
        (format!("date={date}"), Box::new(|g| (day_ms..day_ms + DAY_MS).contains(&g.created_ms))),
        (format!("api_key_hash={other}"), Box::new(|g| g.key_hash == other)),
        (
            format!("user_id={}", escaped(USERS[2])),
            Box::new(|g| g.user.as_deref() == Some(USERS[2])),
        ),
    ];
    for root in ["/api/v1", "/v1"] {
        for (query, keep) in &cases {
            let path = format!("{root}/activity?{query}");
            let days = Table::of_days(&good(&rig, MANAGER, &path).await.text());
            assert!(!days.is_empty());
            for (names, sums) in &days {
                let found = seen.iter().copied().filter(|g| {
                    let date = &time(g.created_ms)[..10];
                    keep(g) && [date, &g.model, &g.provider] == [&names[0], &names[1], &names[2]]
                });
                assert_eq!(*sums, summed(found), "{path} {names:?}");
            }
            let total = days.values().fold(Sums::default(), |a, b| a + *b);
            assert_eq!(total, summed(seen.iter().copied().filter(|g| keep(g))), "{path}");
        }
    }
}

#[tokio::test]
async fn exports_and_the_balance_are_the_sums_of_the_records() {
    let rig = rig().await;
    let all = use_it(&rig).await;
    let total = summed(&all);
    let own = key_hash_hex(KEY);
    for (group, of) in [
        ("model", (|g| g.model.clone()) as fn(&Generation) -> String),
        ("key", |g| g.key_hash.clone()),
        ("user", |g| g.user.clone().unwrap_or_default()),
        ("app", |g| g.referer.clone().or_else(|| g.app_title.clone()).unwrap_or_default()),
        ("provider", |g| g.provider.clone()),
    ] {
        for bucket in ["none", "minute", "hour", "day", "month"] {
            let path = format!("/api/v1/activity/export?group_by={group}&bucket={bucket}");
            let answer = good(&rig, MANAGER, &format!("{path}&format=csv")).await;
            assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
            assert_eq!(answer.header("content-disposition"), "attachment; filename=\"usage.csv\"");
            let rows = csv(&answer.body);
            assert_eq!(rows.iter().fold(Sums::default(), |a, row| a + row.sums), total, "{path}");
            let mut by_name = BTreeMap::new();
            for row in &rows {
                assert_eq!(row.start.is_empty(), bucket == "none");
                let sums = by_name.entry(row.name.clone()).or_insert_with(Sums::default);
                *sums = *sums + row.sums;
            }
            let names: BTreeSet<String> = all.iter().map(of).collect();
            assert_eq!(by_name.keys().cloned().collect::<BTreeSet<_>>(), names, "{path}");
            for (name, sums) in by_name {
                let found = all.iter().filter(|g| of(g) == name);
                assert_eq!(sums, summed(found), "{path} {name}");
            }
            let file = good(&rig, MANAGER, &format!("{path}&format=pdf")).await;
            assert_eq!(file.header("content-type"), "application/pdf");
            assert_eq!(pdf(&file.body), total, "{path}");
        }
        let path = format!("/v1/activity/export?group_by={group}");
        let mine = csv(&good(&rig, KEY, &path).await.body);
        let mine = mine.iter().fold(Sums::default(), |a, row| a + row.sums);
        assert_eq!(mine, summed(all.iter().filter(|g| g.key_hash == own)), "{group}");
        let output = rig
            .command(&["usage", "export", "--config", "arouter.toml", "--group-by", group])
            .await;
        let printed = csv(&output.stdout);
        assert_eq!(printed.iter().fold(Sums::default(), |a, row| a + row.sums), total);
    }
    let key_rows = csv(&good(&rig, MANAGER, "/v1/activity/export?group_by=key").await.body);
    let titles: BTreeSet<&str> = key_rows.iter().map(|row| row.title.as_str()).collect();
    assert_eq!(titles, BTreeSet::from(["other", "test"]));
    let arguments =
        ["usage", "export", "--config", "arouter.toml", "--group-by", "app", "--format"];
    let file = rig.command(&[&arguments[..], &["pdf"]].concat()).await;
    assert_eq!(pdf(&file.stdout), total);
    let (from_ms, to_ms) = (today_ms() - 9 * DAY_MS - 1, today_ms() - 2 * DAY_MS - 7);
    let path = format!("/v1/activity/export?start={}&end={}", time(from_ms), time(to_ms));
    let cut = csv(&good(&rig, MANAGER, &path).await.body);
    let expected = summed(all.iter().filter(|g| (from_ms..to_ms).contains(&g.created_ms)));
    assert_eq!(cut.iter().fold(Sums::default(), |a, row| a + row.sums), expected);
    // The books: what was taken from the account is what the records that are paid from it cost.
    let credits = good(&rig, MANAGER, "/api/v1/credits").await.text();
    assert!(
        credits.contains(&format!("\"total_usage\":{}}}", total.cost)),
        "{credits} {}",
        total.cost
    );
}

#[tokio::test]
async fn a_key_sees_its_own_requests_only() {
    let rig = rig().await;
    let all = use_it(&rig).await;
    let other = key_hash_hex(OTHER);
    for path in [
        "/api/usage/summary?key_id=",
        "/api/usage/timeseries?key_id=",
        "/v1/activity/export?api_key_hash=",
    ] {
        let refused = get(&rig, KEY, &format!("{path}{other}")).await;
        assert_eq!(refused.status, 403, "{path}: {}", refused.text());
    }
    for (key, user) in
        [KEY, OTHER].into_iter().flat_map(|key| USERS[..4].iter().map(move |user| (key, user)))
    {
        let mut expected: Vec<&Generation> = all
            .iter()
            .filter(|g| g.key_hash == key_hash_hex(key) && g.user.as_deref() == Some(user))
            .collect();
        expected.reverse();
        for (limit, count) in [("", 100), ("&limit=3", 3)] {
            let path = format!("/v1/activity?user={}{limit}", escaped(user));
            let answer = good(&rig, key, &path).await.json();
            let records = answer["data"].as_array().unwrap();
            assert!(records.iter().all(|record| record["user"] == **user), "{answer}");
            let ids: Vec<&str> =
                records.iter().map(|record| record["id"].as_str().unwrap()).collect();
            let expected: Vec<&str> = expected.iter().take(count).map(|g| g.id.as_str()).collect();
            assert_eq!(ids, expected, "{path}");
        }
    }
    let live = all.iter().find(|g| g.key_hash == other && g.id.starts_with("gen-1-")).unwrap();
    let path = format!("/api/v1/generation?id={}", live.id);
    for (key, status) in [(OTHER, 200), (MANAGER, 200), (KEY, 404)] {
        assert_eq!(get(&rig, key, &path).await.status, status);
    }
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let rig = rig().await;
    let yesterday = &time(today_ms() - DAY_MS)[..10];
    let today = &time(today_ms())[..10];
    let old = &time(today_ms() - 31 * DAY_MS)[..10];
    for (key, path, param) in [
        (MANAGER, format!("/api/v1/activity?date={today}"), "date"),
        (MANAGER, format!("/api/v1/activity?date={old}"), "date"),
        (MANAGER, "/api/v1/activity?date=2026-13-01".to_owned(), "date"),
        (MANAGER, format!("/api/v1/activity?date={yesterday}T00:00:00Z"), "date"),
        (MANAGER, "/api/v1/activity?api_key_hash=abc".to_owned(), "api_key_hash"),
        (MANAGER, "/api/v1/activity?limit=3".to_owned(), "limit"),
        (KEY, "/v1/activity".to_owned(), "user"),
        (KEY, "/v1/activity?user=".to_owned(), "user"),
        (KEY, "/v1/activity?user=a&limit=0".to_owned(), "limit"),
        (KEY, "/v1/activity?user=a&limit=1001".to_owned(), "limit"),
        (KEY, "/v1/activity?user=a&limit=many".to_owned(), "limit"),
        (KEY, format!("/v1/activity?user=a&date={yesterday}"), "date"),
        (KEY, "/api/usage/summary?start_time=yesterday".to_owned(), "start_time"),
        (
            KEY,
            "/api/usage/summary?start_time=2026-01-02&end_time=2026-01-02".to_owned(),
            "end_time",
        ),
        (KEY, "/api/usage/summary?key_id=zz".to_owned(), "key_id"),
        (KEY, "/api/usage/summary?modle=x".to_owned(), "modle"),
        (KEY, "/api/usage/summary?model=x&model=y".to_owned(), "model"),
        (KEY, "/api/usage/timeseries?granularity=weekly".to_owned(), "granularity"),
        (
            KEY,
            "/api/usage/timeseries?granularity=hourly&start_time=2020-01-01".to_owned(),
            "granularity",
        ),
        (KEY, "/v1/activity/export?format=xls".to_owned(), "format"),
        (KEY, "/v1/activity/export?group_by=creator".to_owned(), "group_by"),
        (KEY, "/v1/activity/export?bucket=week".to_owned(), "bucket"),
        (KEY, "/v1/activity/export?start=1".to_owned(), "start"),
        (KEY, "/v1/activity/export?end=soon".to_owned(), "end"),
        (KEY, "/v1/activity/export?user=%ff".to_owned(), "user"),
    ] {
        let refused = get(&rig, key, &path).await;
        assert_eq!(refused.status, 400, "{path}: {}", refused.text());
        let error = &refused.json()["error"];
        // OpenRouter's envelope has no place for it but the message.
        let text = error["message"].as_str().unwrap();
        let named = error["param"] == param || path.starts_with("/api/") && text.contains(param);
        assert!(named, "{path}: {error}");
    }
}

/// While requests go on, every answer is one moment's: as many requests as their cost says.
#[tokio::test]
async fn answers_are_whole_while_requests_go_on() {
    let rig = rig().await;
    let body = json!({
        "model": "gpt-5.4", "user": "u",
        "messages": [{ "role": "user", "content": "[[mock {\"tokens\":{\"prompt\":1,\"completion\":1}}]]" }],
    });
    let write = async {
        for _ in 0..150 {
            assert_eq!(rig.post("/v1/chat/completions", &body).await.status, 200);
        }
    };
    let read = async {
        let mut before = 0;
        while before < 150 {
            let text = good(&rig, KEY, "/api/usage/summary").await.text();
            let total = Table::of_summary(&text).total;
            assert_eq!(total.cost.pico(), i128::from(total.requests) * 12_500_000, "{text}");
            assert!(total.requests >= before, "{text}");
            before = total.requests;
            let rows =
                csv(&good(&rig, KEY, "/v1/activity/export?group_by=user&bucket=minute").await.body);
            let total = rows.iter().fold(Sums::default(), |a, row| a + row.sums);
            assert_eq!(total.cost.pico(), i128::from(total.requests) * 12_500_000);
            assert!(total.requests >= before);
        }
    };
    futures::future::join(write, read).await;
}

#[tokio::test]
async fn old_records_go_and_their_sums_stay() {
    let mut rig = rig().await;
    let now_ms = now_ms();
    let store = store(&rig).await;
    let ages = (0..500).map(|at| past(at, now_ms - 91 * DAY_MS - at));
    let young = (500..600).map(|at| past(at, now_ms - 89 * DAY_MS));
    let rows: Vec<Entry> = ages.chain(young).map(Entry::Settle).collect();
    store.apply(&rows, "test", "test", 0).await.unwrap();
    let before = good(&rig, MANAGER, "/api/usage/summary").await.text();
    rig.crash_and_restart().await;
    for _ in 0..500 {
        let left = store.usage_page(&UsageFilter::default(), None, 1000).await.unwrap();
        if left.len() == 100 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let left = store.usage_page(&UsageFilter::default(), None, 1000).await.unwrap();
    assert_eq!(left.len(), 100);
    assert!(left.iter().all(|g| g.created_ms == now_ms - 89 * DAY_MS));
    assert_eq!(good(&rig, MANAGER, "/api/usage/summary").await.text(), before);
    let gone = get(&rig, MANAGER, &format!("/v1/generation?id={}", past(0, 0).id)).await;
    assert_eq!(gone.status, 404);
    store.close().await;
}
