//! What the account shows is what its transactions add up to, to the last digit.

use super::{chat, make, manage, rig};
use crate::rig::{KEY, Rig};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// An amount in the text of an answer, in pico-USD.
fn pico(text: &str, name: &str) -> i128 {
    let (_, rest) = text.split_once(&format!("\"{name}\":")).unwrap_or_else(|| panic!("{text}"));
    let number = rest.split([',', '}']).next().unwrap();
    let (sign, digits) = number.strip_prefix('-').map_or((1, number), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    sign * format!("{whole}{fraction:0<12}").parse::<i128>().unwrap()
}

async fn text(rig: &Rig, path: &str) -> String {
    let answer = manage(rig, "GET", path, &Value::Null).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.text()
}

/// All transactions, page by page: kind and amount.
async fn transactions(rig: &Rig, page: usize) -> Vec<(String, String, i128)> {
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/transactions?limit={page}&page_token={token}");
        let body = text(rig, &path).await;
        let list: Value = serde_json::from_str(&body).unwrap();
        let entries = list["transactions"].as_array().unwrap();
        assert!(entries.len() <= page);
        for (entry, written) in entries.iter().zip(body.split(r#"{"id":"#).skip(1)) {
            let text = |name: &str| entry[name].as_str().unwrap().to_owned();
            assert!(text("id").starts_with("txn_"), "{entry}");
            assert!(!text("description").is_empty() && text("created_at").ends_with('Z'));
            found.push((text("id"), text("type"), pico(written, "amount")));
        }
        match list["next_page_token"].as_str() {
            Some(next) => next.clone_into(&mut token),
            None => return found,
        }
    }
}

#[tokio::test]
async fn balance_credits_and_transactions_tell_the_same() {
    let rig = rig().await;
    assert_eq!(text(&rig, "/api/v1/balance").await, r#"{"balance":0,"currency":"USD"}"#);
    let (hash, key) = make(&rig, &json!({ "name": "n", "limit": 1, "limit_reset": "daily" })).await;
    for _ in 0..5 {
        assert_eq!(chat(&rig, &key, "openai/gpt-5.4").await, 200);
    }
    let started = Instant::now();
    while transactions(&rig, 100).await.len() < 5 {
        assert!(started.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // An account that nothing was put on owes what was used.
    let used = pico(&text(&rig, "/api/v1/credits").await, "total_usage");
    assert!(used > 0);
    assert_eq!(pico(&text(&rig, "/v1/balance").await, "balance"), -used);
    let mut credits = 0;
    for (amount, description) in
        [(json!("10.000000000001"), Some("Top-up")), (json!(0.5), None), (json!(-0.25), None)]
    {
        let mut body = json!({ "amount": amount });
        if let Some(text) = description {
            body["description"] = json!(text);
        }
        let answer = manage(&rig, "POST", "/api/v1/credits", &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        credits += pico(&answer.text(), "amount");
        assert_eq!(pico(&answer.text(), "total_credits"), credits);
        assert_eq!(pico(&answer.text(), "balance"), credits - used);
    }
    assert_eq!(credits, 10_250_000_000_001);
    assert_eq!(pico(&text(&rig, "/v1/credits").await, "total_credits"), credits);
    assert_eq!(pico(&text(&rig, "/v1/balance").await, "balance"), credits - used);
    let all = transactions(&rig, 100).await;
    assert_eq!(all.len(), 8);
    assert_eq!(all.iter().map(|(_, _, amount)| amount).sum::<i128>(), credits - used);
    for (_, kind, amount) in &all {
        assert!(kind == "credit" || *amount < 0);
    }
    for page in [1, 3, 7, 8] {
        assert_eq!(transactions(&rig, page).await, all, "pages of {page}");
    }
    // What a key used is what its requests cost, and its limit is by so much smaller.
    let shown = text(&rig, &format!("/v1/keys/{hash}")).await;
    for name in ["usage", "usage_daily", "usage_weekly", "usage_monthly"] {
        assert_eq!(pico(&shown, name), used, "{name}");
    }
    assert_eq!(pico(&shown, "limit_remaining"), 1_000_000_000_000 - used);
    // A regular key sees the account, and cannot put money on it.
    for path in ["/api/v1/balance", "/api/v1/credits", "/api/v1/transactions"] {
        assert_eq!(rig.get(path).await.text(), text(&rig, path).await, "{path}");
    }
    let refused = rig.send("POST", "/v1/credits", &[("x-api-key", KEY)], r#"{"amount": 1}"#).await;
    assert_eq!(refused.status, 403);
}
