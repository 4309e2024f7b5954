//! Money on the real process: a strict limit holds to the last digit whatever runs at once, nothing
//! stays held, and what keys, rows and the account say is the same.

mod account;
mod routes;

use crate::ledger::Ledger;
use crate::rig::{Answer, Http, Plan, Rig};
use crate::spender::{COST, MANAGER, Spender, ask, balance, pico, reason, strict_hold, usd};
use crate::wire::{Call, sized};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

async fn rig() -> Rig {
    Rig::with(Plan { more: MANAGER, ..Plan::default() }).await
}

fn strict(limit: i128) -> Value {
    json!({ "limit": usd(limit), "budget_mode": "strict" })
}

/// The number that was served; the others were refused for their budget, in full words.
fn served(answers: &[Answer], limit: i128) -> i128 {
    let mut served = 0;
    for answer in answers {
        if answer.status == 200 {
            served += 1;
            continue;
        }
        assert_eq!(answer.status, 402, "{}", answer.text());
        let text = answer.text();
        assert_eq!(pico(&text, "limit_usd"), limit, "{text}");
        let used = pico(&text, "used_usd");
        assert!(used <= limit && used % COST == 0, "{text}");
        match &*reason(answer) {
            "in_flight_budget_exhausted" => assert_eq!(answer.header("retry-after"), "1"),
            "credit_limit_exceeded" => assert_eq!(answer.header("retry-after"), ""),
            other => panic!("{other}: {text}"),
        }
    }
    served
}

/// Moves the limit to where exactly this request still fits, and a pico-dollar below.
async fn assert_nothing_is_held(rig: &Rig, key: &Spender, spent: i128, body: &str) {
    let fits = spent + strict_hold(body);
    key.change(rig, json!({ "limit": usd(fits - 1) })).await;
    let refused = key.chat(rig, body).await;
    assert_eq!((refused.status, &*reason(&refused)), (402, "credit_limit_exceeded"));
    key.change(rig, json!({ "limit": usd(fits) })).await;
    let answer = key.chat(rig, body).await;
    assert_eq!(answer.status, 200, "something is held: {}", answer.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_at_once_never_pass_a_strict_limit() {
    let rig = rig().await;
    let limit = 100 * COST;
    let key = Spender::make(&rig, strict(limit)).await;
    let body = ask(false, &json!({}));
    let answers = key.chat_at_once(&rig, 500, &body).await;
    let served = served(&answers, limit);
    eprintln!("{served} of 500 were served");
    assert!(served >= 40 && served * COST <= limit, "{served}");
    key.wait_for_spent(&rig, served * COST).await;
    assert_eq!(balance(&rig).await, -served * COST);
    // One after the other, all that is left can be spent: no more stays than one request holds.
    let mut spent = served * COST;
    while key.chat(&rig, &body).await.status == 200 {
        spent += COST;
    }
    assert!(spent <= limit && spent + strict_hold(&body) > limit, "{spent} of {limit}");
    assert_nothing_is_held(&rig, &key, spent, &body).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_two_hundred_rounds_nobody_is_refused_for_money_that_lies_idle() {
    const ROUNDS: i128 = 200;
    let rig = rig().await;
    let body = ask(false, &json!({}));
    let hold = strict_hold(&body);
    let key = Spender::make(&rig, strict(hold)).await;
    let mut spent = 0;
    for round in 0..ROUNDS {
        let limit = spent + hold + (round % 5) * COST + round;
        key.change(&rig, json!({ "limit": usd(limit) })).await;
        let count = 2 + usize::try_from(round % 7).unwrap();
        let served = served(&key.chat_at_once(&rig, count, &body).await, limit);
        // The first one to come finds nothing held.
        assert!(served >= 1, "round {round}: nobody was served");
        spent += served * COST;
        assert!(spent <= limit, "round {round}: {spent} of {limit}");
        key.change(&rig, json!({ "limit": usd(spent + hold) })).await;
        let answer = key.chat(&rig, &body).await;
        assert_eq!(answer.status, 200, "round {round}, {spent}: {}", answer.text());
        spent += COST;
    }
    key.wait_for_spent(&rig, spent).await;
    assert_eq!(balance(&rig).await, -spent);
}

/// How a request ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Whole,
    Streamed,
    Failed,
    Broken,
    NoHeader,
    TimedOut,
    LeftBefore,
    LeftWithin,
}

impl End {
    const ALL: [Self; 8] = [
        Self::Whole,
        Self::Streamed,
        Self::Failed,
        Self::Broken,
        Self::NoHeader,
        Self::TimedOut,
        Self::LeftBefore,
        Self::LeftWithin,
    ];

    async fn ask(self, rig: &Rig, key: &Spender) {
        let (stream, reply) = match self {
            Self::Whole => (false, json!({})),
            Self::Streamed => (true, json!({ "events": 3, "event_delay_ms": 3 })),
            Self::Failed => (false, json!({ "status": 500 })),
            Self::Broken => (true, json!({ "events": 4, "fault": { "reset_after": 2 } })),
            Self::NoHeader => (false, json!({ "fault": { "close_before_header": true } })),
            Self::TimedOut => (true, json!({ "delay_ms": 3_000 })),
            Self::LeftBefore => (true, json!({ "delay_ms": 400 })),
            Self::LeftWithin => (true, json!({ "events": 30, "event_delay_ms": 30 })),
        };
        let body = ask(stream, &reply);
        let headers = [("x-api-key", key.secret.as_str())];
        let target = ("POST", "/api/v1/chat/completions");
        let call = Call::send(rig.gateway, Http::One, target, &headers, sized(body));
        match self {
            Self::LeftBefore => {
                let left = tokio::time::timeout(Duration::from_millis(60), call).await;
                assert!(left.is_err(), "the answer came too early");
            }
            Self::LeftWithin => {
                let mut call = call.await;
                assert_eq!(call.status, 200);
                call.read_until("content").await;
                call.leave();
            }
            _ => {
                let mut call = call.await;
                assert!(call.status != 402 && call.status != 429, "{self:?}: {}", call.status);
                // Some of these break off.
                while let Ok(Some(_)) = call.next().await {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_requests_end_nothing_stays_held_and_the_books_agree() {
    const EACH: usize = 16;
    let provider = "timeouts = { first_byte_ms = 700, idle_ms = 700 }";
    // So many failures would close the provider to those that are to succeed.
    let more = format!("{MANAGER}[routing.breaker]\nconsecutive_failures = 0\n");
    let rig = Rig::with(Plan { provider, more: &more, ..Plan::default() }).await;
    let key = Spender::make(&rig, strict(1_000 * COST)).await;
    let total = EACH * End::ALL.len();
    let limit = tokio::sync::Semaphore::new(64);
    let asks = (0..total).map(async |number| {
        let _turn = limit.acquire().await.unwrap();
        End::ALL[number % End::ALL.len()].ask(&rig, &key).await;
    });
    futures::future::join_all(asks).await;
    let ledger = settled(&rig, total).await;
    let spent: i128 = ledger.rows.iter().map(|row| i128::from(row.cost_pico_usd)).sum();
    for outcome in ["complete", "failed", "cancelled"] {
        assert!(ledger.count(outcome) >= EACH, "{outcome}: {:?}", ledger.rows);
    }
    assert!(spent >= i128::try_from(2 * EACH).unwrap() * COST, "{spent}");
    ledger.assert_conserved();
    key.wait_for_spent(&rig, spent).await;
    assert_eq!(balance(&rig).await, -spent);
    let body = ask(false, &json!({}));
    assert_nothing_is_held(&rig, &key, spent, &body).await;
    let ledger = settled(&rig, total + 1).await;
    let spent = spent + COST;
    let by_rows: i128 = ledger.rows.iter().map(|row| i128::from(row.cost_pico_usd)).sum();
    assert_eq!(by_rows, spent);
    key.wait_for_spent(&rig, spent).await;
    assert_eq!(balance(&rig).await, -spent);
    let mut by_records = 0;
    for row in &ledger.rows {
        let path = format!("/api/v1/generation?id={}", row.id);
        let headers = [("x-api-key", key.secret.as_str())];
        let record = rig.send("GET", &path, &headers, "").await;
        assert_eq!(record.status, 200, "{}", record.text());
        by_records += pico(&record.text(), "total_cost");
    }
    assert_eq!(by_records, spent);
}

/// The ledger once it has so many rows and nothing runs.
async fn settled(rig: &Rig, rows: usize) -> Ledger {
    let started = Instant::now();
    loop {
        let ledger = Ledger::with_rows(rig, rows, Duration::from_secs(10)).await;
        if ledger.open == 0 {
            assert_eq!(ledger.rows.len(), rows);
            return ledger;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{} are open", ledger.open);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn money_that_a_stream_holds_is_lent_only() {
    let rig = rig().await;
    let slow = ask(true, &json!({ "events": 10, "event_delay_ms": 80 }));
    let quick = ask(false, &json!({}));
    let limit = strict_hold(&slow) + COST;
    let key = Spender::make(&rig, strict(limit)).await;
    let headers = [("x-api-key", key.secret.as_str())];
    let target = ("POST", "/api/v1/chat/completions");
    let mut running = Call::send(rig.gateway, Http::One, target, &headers, sized(slow)).await;
    assert_eq!(running.status, 200);
    let refused = key.chat(&rig, &quick).await;
    assert_eq!((refused.status, &*reason(&refused)), (402, "in_flight_budget_exhausted"));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(pico(&refused.text(), "used_usd"), 0);
    assert_eq!(pico(&refused.text(), "limit_usd"), limit);
    assert!(running.text().await.contains("[DONE]"));
    let answer = key.chat(&rig, &quick).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// What the store knows of, at a time when nothing runs.
#[tokio::test]
async fn a_restart_goes_on_with_what_was_spent() {
    let mut rig = rig().await;
    let body = ask(false, &json!({}));
    let limit = 3 * COST + strict_hold(&body) - 1;
    let mut settings = strict(limit);
    settings["limit_reset"] = json!("daily");
    let key = Spender::make(&rig, settings).await;
    for _ in 0..2 {
        assert_eq!(key.chat(&rig, &body).await.status, 200);
    }
    rig.crash_and_restart().await;
    assert_eq!(key.chat(&rig, &body).await.status, 200);
    for graceful in [false, true] {
        let refused = key.chat(&rig, &body).await;
        assert_eq!((refused.status, &*reason(&refused)), (402, "credit_limit_exceeded"));
        assert_eq!(pico(&refused.text(), "used_usd"), 3 * COST, "{}", refused.text());
        if graceful {
            rig.signal("TERM");
            rig.wait_for_exit(Duration::from_secs(20)).await;
        }
        rig.crash_and_restart().await;
    }
    key.wait_for_spent(&rig, 3 * COST).await;
    // Another period counts what was spent in it: all of this was today, this week and this month.
    for reset in [json!("weekly"), json!("monthly"), Value::Null, json!("daily")] {
        key.change(&rig, json!({ "limit_reset": reset })).await;
        let refused = key.chat(&rig, &body).await;
        assert_eq!(refused.status, 402, "{reset}: {}", refused.text());
        assert_eq!(pico(&refused.text(), "used_usd"), 3 * COST, "{reset}: {}", refused.text());
    }
    key.change(&rig, json!({ "limit": usd(limit + 1) })).await;
    assert_eq!(key.chat(&rig, &body).await.status, 200);
    let ledger = settled(&rig, 4).await;
    ledger.assert_conserved();
}
