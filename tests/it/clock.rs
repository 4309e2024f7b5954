//! Clocks that are set while the gateway runs: libfaketime moves the wall clock of the real
//! process, monotonic time goes on.
//!
//! No jump gives anybody a second window, day or month; small corrections over an edge open
//! exactly one.

use crate::ledger;
use crate::rig::{Answer, Plan, Rig};
use jiff::Timestamp;
use serde_json::json;
use sqlx::Row as _;
use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Keys that are spent after two requests, each in its own way, and keys that end.
const KEYS: &str = r#"
[keys.minute]
secret = { insecure_literal = "lr_live_minute" }
rate_limit = { requests_per_minute = 2 }
[keys.day]
secret = { insecure_literal = "lr_live_day" }
rate_limit = { requests_per_day = 2 }
[keys.daily]
secret = { insecure_literal = "lr_live_daily" }
limit_usd = "0.005"
limit_reset = "daily"
[keys.monthly]
secret = { insecure_literal = "lr_live_monthly" }
limit_usd = "0.005"
limit_reset = "monthly"
[keys.ended]
secret = { insecure_literal = "lr_live_ended" }
expires_at = "2027-03-10T11:59:00Z"
[keys.ending]
secret = { insecure_literal = "lr_live_ending" }
expires_at = "2027-03-10T12:30:00Z"
"#;
/// The keys that are spent, and what they are refused with.
const SPENT: [(&str, u16); 4] = [("minute", 429), ("day", 429), ("daily", 402), ("monthly", 402)];
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// A correction that is followed at once.
const STEP_MS: i64 = 1_500;

/// A gateway whose wall clock the test sets.
struct Faked {
    rig: Rig,
    /// By how much its clock is ahead of the machine's.
    ahead_ms: i64,
    /// Requests that were served.
    served: AtomicUsize,
}

impl Faked {
    /// A gateway that is started at this time.
    async fn start(at: &str) -> Self {
        let at: Timestamp = at.parse().unwrap();
        let ahead_ms = at.as_millisecond() - Timestamp::now().as_millisecond();
        // The file lies in the gateway's folder, which is made with the rig.
        let script = format!(
            "echo {} > clock; exec env LD_PRELOAD={} FAKETIME_TIMESTAMP_FILE=clock \
             FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 \
             NO_FAKE_STAT=1 \"$@\"",
            offset(ahead_ms),
            library(),
        );
        let wrap = vec!["sh", "-c", script.leak(), "sh"].leak();
        let rig = Rig::with(Plan { more: KEYS, wrap, ..Plan::default() }).await;
        Self { rig, ahead_ms, served: AtomicUsize::new(0) }
    }

    /// Sets the clock this much further ahead of the machine's.
    fn move_by(&mut self, ms: i64) {
        self.ahead_ms += ms;
        let folder = self.rig.folder.path();
        // The library must not see half a file.
        fs::write(folder.join("clock.new"), offset(self.ahead_ms)).unwrap();
        fs::rename(folder.join("clock.new"), folder.join("clock")).unwrap();
    }

    /// What its wall clock shows.
    fn now_ms(&self) -> i64 {
        Timestamp::now().as_millisecond() + self.ahead_ms
    }

    /// Moves the clock in small steps, each of which is noticed, until it shows this.
    async fn creep_to(&mut self, ms: i64) {
        while self.now_ms() != ms {
            let step = (ms - self.now_ms()).clamp(-STEP_MS, STEP_MS);
            self.move_by(step);
            let answer = self.ask("test", &json!({})).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            if step.abs() < STEP_MS {
                break;
            }
        }
    }

    async fn ask(&self, key: &str, reply: &serde_json::Value) -> Answer {
        let secret = if key == "test" { crate::rig::KEY } else { &format!("lr_live_{key}") };
        let mut told = json!({ "tokens": { "prompt": 1000, "completion": 100 } });
        told.as_object_mut().unwrap().extend(reply.as_object().unwrap().clone());
        let body = json!({
            "model": "openai/gpt-5.4", "max_tokens": 10, "stream": reply.get("events").is_some(),
            "messages": [{ "role": "user", "content": format!("[[mock {told}]]") }],
        });
        let auth = format!("Bearer {secret}");
        let headers = [("authorization", auth.as_str()), ("content-type", "application/json")];
        let path = "/v1/chat/completions";
        let answer = self.rig.send("POST", path, &headers, body.to_string()).await;
        if answer.status == 200 {
            self.served.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    /// How many requests a key has left; `refusal` is how the next one is answered.
    async fn left(&self, key: &str, refusal: u16) -> usize {
        for made in 0..10 {
            let answer = self.ask(key, &json!({})).await;
            if answer.status != 200 {
                assert_eq!(answer.status, refusal, "{key}: {}", answer.text());
                return made;
            }
        }
        panic!("{key} is not limited");
    }

    /// What is left to each of the spent keys.
    async fn all_left(&self) -> [usize; 4] {
        let mut left = [0; 4];
        for (left, (key, refusal)) in left.iter_mut().zip(SPENT) {
            *left = self.left(key, refusal).await;
        }
        left
    }

    /// The rows of all served requests: when each was made and how long it took. There is no other
    /// row, and the sums by day are those of the rows by day.
    async fn rows(&self) -> Vec<(i64, i64)> {
        let served = self.served.load(Ordering::Relaxed);
        ledger::Ledger::with_rows(&self.rig, served, Duration::from_secs(20)).await;
        let mut store = ledger::connect(&self.rig).await;
        let rows = sqlx::query("SELECT created_ms, latency_ms FROM generations");
        let rows = rows.fetch_all(&mut store).await.unwrap();
        let rows: Vec<(i64, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert_eq!(rows.len(), served);
        let mut by_day = BTreeMap::new();
        for (created_ms, latency_ms) in &rows {
            *by_day.entry(created_ms.div_euclid(DAY_MS)).or_insert(0_i64) += 1;
            assert!((0..20_000).contains(latency_ms), "{latency_ms} ms");
        }
        let sums = sqlx::query("SELECT day, SUM(requests) FROM daily_usage GROUP BY day");
        let sums = sums.fetch_all(&mut store).await.unwrap();
        let sums: BTreeMap<i64, i64> = sums.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert_eq!(sums, by_day);
        rows
    }
}

/// An offset as the library reads it.
fn offset(ms: i64) -> String {
    format!("{}{}.{:03}", if ms < 0 { '-' } else { '+' }, ms.abs() / 1000, ms.abs() % 1000)
}

/// The library that moves the clock: fetched by `make test`, or the machine's.
fn library() -> &'static str {
    const PLACES: [&str; 2] = [
        concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/.tools/faketime/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
        ),
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    ];
    let found = PLACES.into_iter().find(|place| fs::exists(place).unwrap());
    found.expect("libfaketime is missing: `make faketime` fetches it, or install libfaketime")
}

#[tokio::test]
async fn a_clock_that_jumps_gives_nobody_a_second_window() {
    let mut faked = Faked::start("2027-03-10T12:00:01Z").await;
    let started_ms = faked.now_ms();
    assert_eq!(faked.all_left().await, [2; 4]);
    for jump_ms in [-HOUR_MS, -DAY_MS, HOUR_MS, DAY_MS, 40 * DAY_MS] {
        faked.move_by(jump_ms);
        assert_eq!(faked.all_left().await, [0; 4], "{jump_ms}");
        assert_eq!(faked.ask("ended", &json!({})).await.status, 401, "{jump_ms}");
        assert_eq!(faked.ask("ending", &json!({})).await.status, 200, "{jump_ms}");
        faked.move_by(-jump_ms);
        assert_eq!(faked.all_left().await, [0; 4], "back from {jump_ms}");
    }
    let ended_ms = faked.now_ms();
    assert!(ended_ms - started_ms < 55_000, "the machine is too slow to stay within a minute");
    let rows = faked.rows().await;
    // Nothing was counted at a time that the jumping clock showed.
    let bounds = started_ms - 2_000..=ended_ms + 2_000;
    assert!(rows.iter().all(|(created_ms, _)| bounds.contains(created_ms)), "{rows:?}");
}

#[tokio::test]
async fn a_jump_during_a_request_leaves_its_times_right() {
    let mut faked = Faked::start("2027-03-10T12:00:01Z").await;
    for (jump_ms, reply) in [
        (-DAY_MS, json!({ "delay_ms": 1000 })),
        (HOUR_MS, json!({ "delay_ms": 1000 })),
        (-HOUR_MS, json!({ "events": 4, "event_delay_ms": 300 })),
        (DAY_MS, json!({ "events": 4, "event_delay_ms": 300 })),
    ] {
        let (gateway, ahead_ms) = (&faked, faked.ahead_ms);
        let clock = gateway.rig.folder.path().join("clock");
        let jump = async {
            tokio::time::sleep(Duration::from_millis(600)).await;
            let new = clock.with_extension("new");
            fs::write(&new, offset(ahead_ms + jump_ms)).unwrap();
            fs::rename(new, &clock).unwrap();
        };
        let (answer, ()) = tokio::join!(gateway.ask("test", &reply), jump);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let id = answer.header("x-generation-id").to_owned();
        let record = faked.rig.generation(&id).await;
        let (latency, first) = (&record["data"]["latency"], &record["data"]["generation_time"]);
        for time in [latency, first] {
            assert!(time.as_i64().is_none_or(|ms| (0..20_000).contains(&ms)), "{record}");
        }
        assert!(latency.is_number(), "{record}");
        // The clock is put right before the next one.
        faked.move_by(0);
    }
    faked.rows().await;
}

/// Small steps over midnight: every window that ends there begins again, once.
async fn midnight(date: &str, left_after: [usize; 4]) {
    let mut faked = Faked::start(&format!("{date}T23:59:50Z")).await;
    let midnight_ms = (faked.now_ms() + 60_000).div_euclid(DAY_MS) * DAY_MS;
    // A slow start must not take the test over the edge by itself.
    faked.creep_to(midnight_ms - 9_000).await;
    assert_eq!(faked.all_left().await, [2; 4]);
    let before_ms = faked.now_ms();
    assert!(before_ms < midnight_ms, "the machine is too slow to stay before midnight");
    faked.creep_to(midnight_ms + 1_000).await;
    assert_eq!(faked.all_left().await, left_after, "after midnight");
    faked.creep_to(midnight_ms - 3_000).await;
    assert_eq!(faked.all_left().await, [0; 4], "put back before midnight");
    faked.creep_to(midnight_ms + 10_000).await;
    assert_eq!(faked.all_left().await, [0; 4], "after midnight once more");
    assert!(faked.now_ms() < midnight_ms + 55_000, "the machine is too slow");
    faked.creep_to(midnight_ms + 61_000).await;
    assert_eq!(faked.all_left().await, [2, 0, 0, 0], "after the next minute's edge");
    let rows = faked.rows().await;
    let days: Vec<i64> = rows.iter().map(|(ms, _)| ms.div_euclid(DAY_MS)).collect();
    let next = midnight_ms / DAY_MS;
    assert!(days.iter().all(|day| [next - 1, next].contains(day)), "{days:?}");
    assert!(days.iter().filter(|day| **day == next - 1).count() >= 8, "{days:?}");
}

#[tokio::test]
async fn the_end_of_a_month_begins_everything_once() {
    midnight("2027-01-31", [2, 2, 2, 2]).await;
}

#[tokio::test]
async fn the_leap_day_begins_no_month() {
    midnight("2028-02-28", [2, 2, 2, 0]).await;
}

#[tokio::test]
async fn the_end_of_the_leap_day_begins_a_month() {
    midnight("2028-02-29", [2, 2, 2, 2]).await;
}
