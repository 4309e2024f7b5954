//! What the account has: prepaid, postpaid, and money of others that it is never charged for.

use crate::rig::{Plan, Rig};
use crate::spender::{
    COST, MANAGER, MODEL, Spender, ask, ask_of, balance, manage, pico, reason, usd,
};
use serde_json::{Value, json};

/// A model that costs nothing, and a provider whose bill somebody else pays.
const MORE: &str = r#"
[models."openai/gratis"]
endpoints = [{ provider = "openai", upstream_model = "gpt-5.4", price = { prompt = "0", completion = "0" } }]
[providers.own]
format = "openai"
base_url = "http://MOCK_ADDRESS/v1"
keys = [{ env = "CANARY_PROVIDER_KEY" }]
byok = true
[models."own/gpt-5.4"]
endpoints = [{ provider = "own", price = { prompt = "2.5", completion = "10" } }]
[providers.discreet]
format = "openai"
base_url = "http://MOCK_ADDRESS/v1"
keys = [{ env = "CANARY_PROVIDER_KEY" }]
data_policy = { zdr = true }
[models."discreet/gpt-5.4"]
endpoints = [{ provider = "discreet", price = { prompt = "2.5", completion = "10" } }]
"#;

/// A rig whose account begins with so much.
async fn prepaid(opening: i128) -> Rig {
    let account = format!("[account]\nopening_balance_usd = \"{}\"\n", usd(opening));
    Rig::with(Plan { more: &format!("{MANAGER}{MORE}{account}"), ..Plan::default() }).await
}

async fn add_credit(rig: &Rig, amount: i128) {
    let answer = manage(rig, "POST", "/api/v1/credits", &json!({ "amount": usd(amount) })).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
}

#[tokio::test]
async fn an_account_without_money_serves_nothing_until_some_is_put_on_it() {
    let mut rig = prepaid(3 * COST - 1).await;
    let key = Spender::make(&rig, json!({})).await;
    let (paid, gratis) = (ask(false, &json!({})), ask_of("openai/gratis", false, &json!({})));
    for _ in 0..3 {
        assert_eq!(key.chat(&rig, &paid).await.status, 200);
    }
    // The third one overshot by a pico-dollar: now nothing is served, whatever it costs.
    for _ in 0..2 {
        for path in ["/api/v1/chat/completions", "/openai/v1/chat/completions"] {
            for body in [&paid, &gratis] {
                let refused = key.post(&rig, path, body).await;
                assert_eq!(refused.status, 402, "{path} {body}: {}", refused.text());
                if path.starts_with("/api") {
                    assert_eq!(reason(&refused), "insufficient_credits", "{}", refused.text());
                    assert_eq!(pico(&refused.text(), "balance_usd"), -1);
                }
            }
        }
        rig.crash_and_restart().await;
    }
    assert_eq!(balance(&rig).await, -1);
    add_credit(&rig, 1).await;
    assert_eq!(key.chat(&rig, &gratis).await.status, 200);
    assert_eq!(key.chat(&rig, &paid).await.status, 402);
    for round in 0..20 {
        add_credit(&rig, COST).await;
        let answer = key.chat(&rig, &paid).await;
        assert_eq!(answer.status, 200, "{round}: {}", answer.text());
        assert_eq!(key.chat(&rig, &paid).await.status, 402, "{round}");
    }
    key.wait_for_spent(&rig, 23 * COST).await;
    assert_eq!(balance(&rig).await, 0);
}

#[tokio::test]
async fn a_postpaid_account_is_never_refused() {
    let rig = Rig::with(Plan { more: &format!("{MANAGER}{MORE}"), ..Plan::default() }).await;
    let key = Spender::make(&rig, json!({})).await;
    let dear = ask(false, &json!({ "tokens": { "prompt": 100_000_000, "completion": 1 } }));
    for model in 0..3 {
        assert_eq!(key.chat(&rig, &dear).await.status, 200, "{model}");
        assert_eq!(key.chat(&rig, &ask_of("openai/gratis", false, &json!({}))).await.status, 200);
    }
    key.wait_for_spent(&rig, 3 * (100_000_000 * 2_500_000 + 10_000_000)).await;
    assert!(balance(&rig).await < -700_000_000_000_000);
}

#[tokio::test]
async fn what_somebody_else_pays_is_shown_and_not_charged() {
    let rig = prepaid(10 * COST).await;
    let body = ask_of("own/gpt-5.4", false, &json!({}));
    let free = Spender::make(&rig, json!({ "limit": usd(1), "budget_mode": "strict" })).await;
    let mut last = String::new();
    for _ in 0..3 {
        let answer = free.chat(&rig, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.header("x-generation-id").clone_into(&mut last);
    }
    let counted = json!({ "limit": usd(2 * COST), "include_byok_in_limit": true });
    let counted = Spender::make(&rig, counted).await;
    for status in [200, 200, 402, 402] {
        assert_eq!(counted.chat(&rig, &body).await.status, status);
    }
    let record = free.record(&rig, &last).await;
    for (name, amount) in [("total_cost", 0), ("upstream_inference_cost", COST)] {
        assert_eq!(pico(&record, name), amount, "{record}");
    }
    assert!(record.contains("\"is_byok\":true"), "{record}");
    for (key, count, remaining) in [(&free, 3, 1), (&counted, 2, 0)] {
        let started = std::time::Instant::now();
        while pico(&key.shown(&rig).await, "byok_usage") != count * COST {
            assert!(started.elapsed().as_secs() < 10, "{}", key.shown(&rig).await);
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        }
        let shown = key.shown(&rig).await;
        assert_eq!((pico(&shown, "usage"), pico(&shown, "limit_remaining")), (0, remaining));
    }
    assert_eq!(balance(&rig).await, 10 * COST);
}

#[tokio::test]
async fn a_key_that_demands_zero_retention_gets_nothing_else() {
    let rig = Rig::with(Plan { more: &format!("{MANAGER}{MORE}"), ..Plan::default() }).await;
    let strict = Spender::make(&rig, json!({ "enforce_zdr": true })).await;
    let usual = Spender::make(&rig, json!({})).await;
    let discreet = "discreet/gpt-5.4";
    for (path, model, status) in [
        ("/v1/chat/completions", MODEL, 404),
        ("/v1/chat/completions", discreet, 200),
        ("/openai/v1/chat/completions", "gpt-5.4", 404),
        ("/discreet/v1/chat/completions", "gpt-5.4", 200),
    ] {
        let body = ask_of(model, false, &json!({}));
        let answer = strict.post(&rig, path, &body).await;
        assert_eq!(answer.status, status, "{path} {model}: {}", answer.text());
        assert_eq!(usual.post(&rig, path, &body).await.status, 200, "{path} {model}");
    }
    // Of several models the one that may serve does.
    let mut body: Value = serde_json::from_str(&ask(false, &json!({}))).unwrap();
    body["models"] = json!([MODEL, discreet]);
    let answer = strict.chat(&rig, &body.to_string()).await;
    assert_eq!((answer.status, &answer.json()["model"]), (200, &json!(discreet)));
}
