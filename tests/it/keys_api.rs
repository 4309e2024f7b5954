//! Management over the API, on the real process: keys and money, in force at once, at most once,
//! and no secret anywhere but in the answer that makes it.

mod idempotency;
mod money;

use crate::rig::{Answer, KEY, Plan, Rig};
use serde_json::{Value, json};
use std::collections::HashSet;

const MANAGER: &str = "lr_mgmt_0123456789abcdef0123456789abcdef0123456789abcdef";

const KEYS: &str = r#"
[keys.manager]
secret = { insecure_literal = "lr_mgmt_0123456789abcdef0123456789abcdef0123456789abcdef" }
kind = "management"
[keys.second-manager]
secret = { insecure_literal = "lr_admin_second" }
kind = "management"
limit_usd = "7.5"
limit_reset = "weekly"
"#;

async fn rig() -> Rig {
    Rig::with(Plan { more: KEYS, ..Plan::default() }).await
}

/// Calls with the management key.
async fn manage(rig: &Rig, method: &str, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    rig.send(method, path, &[("x-api-key", MANAGER)], body).await
}

/// Makes a key; its hash and secret.
async fn make(rig: &Rig, body: &Value) -> (String, String) {
    let answer = manage(rig, "POST", "/api/v1/keys", body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let made = answer.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["data"]["hash"]), text(&made["key"]))
}

/// Asks for a chat answer with a key; the status.
async fn chat(rig: &Rig, key: &str, model: &str) -> u16 {
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] });
    let headers = [("x-api-key", key)];
    rig.send("POST", "/v1/chat/completions", &headers, body.to_string()).await.status
}

async fn change(rig: &Rig, hash: &str, body: Value) -> Value {
    let answer = manage(rig, "PATCH", &format!("/api/v1/keys/{hash}"), &body).await;
    assert_eq!(answer.status, 200, "{body}: {}", answer.text());
    answer.json()["data"].clone()
}

#[tokio::test]
async fn a_key_from_its_making_to_its_end() {
    let rig = rig().await;
    for root in ["/api/v1", "/v1"] {
        let keys = format!("{root}/keys");
        let asked = json!({ "name": "backend", "limit": 150, "limit_reset": "monthly",
            "allowed_providers": ["openai"], "allowed_models": ["openai/*"],
            "rate_limit": { "requests_per_minute": 60 }, "expires_at": "2099-12-31T23:59:59Z" });
        let made = manage(&rig, "POST", &keys, &asked).await;
        assert_eq!((made.status, made.header("content-type")), (201, "application/json"));
        let made = made.json();
        let secret = made["key"].as_str().unwrap();
        let random = secret.strip_prefix("lr_live_").unwrap();
        assert!(random.len() == 48 && random.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let data = &made["data"];
        let label = format!("lr_live_{}…{}", &random[..3], &random[45..]);
        assert_eq!((&data["label"], &data["key_type"]), (&json!(label), &json!("regular")));
        for (name, value) in asked.as_object().unwrap() {
            if name != "rate_limit" {
                assert_eq!(data[name], *value, "{name}");
            }
        }
        assert_eq!(data["rate_limit"]["requests_per_minute"], 60);
        assert_eq!(data["rate_limit"]["requests_per_day"], Value::Null);
        assert_eq!((&data["limit_remaining"], &data["usage"]), (&json!(150), &json!(0)));
        let one = format!("{keys}/{}", data["hash"].as_str().unwrap());
        let shown = manage(&rig, "GET", &one, &Value::Null).await;
        assert_eq!((shown.status, &shown.json()["data"]), (200, data));
        let upper = one.to_uppercase().replace("/API/V1/KEYS", &keys).replace("/V1/KEYS", &keys);
        assert_eq!(manage(&rig, "GET", &upper, &Value::Null).await.status, 200, "{upper}");
        let list = manage(&rig, "GET", &keys, &Value::Null).await.json();
        assert!(list["data"].as_array().unwrap().contains(data), "{list}");
        let own = rig.send("GET", &format!("{root}/key"), &[("x-api-key", secret)], "").await;
        let own = own.json()["data"].clone();
        for member in ["label", "limit", "limit_reset", "limit_remaining", "usage", "expires_at"] {
            assert_eq!(own[member], data[member], "{member}");
        }
        assert_eq!(
            (&own["is_management_key"], &own["rate_limit"]["requests"]),
            (&json!(false), &json!(60))
        );
        let gone = manage(&rig, "DELETE", &one, &Value::Null).await;
        assert_eq!(
            (gone.status, gone.json()),
            (200, json!({"data": {"deleted": true}, "deleted": true}))
        );
        for method in ["GET", "PATCH", "DELETE"] {
            assert_eq!(manage(&rig, method, &one, &json!({})).await.status, 404, "{method}");
        }
    }
    let own = manage(&rig, "GET", "/v1/key", &Value::Null).await.json();
    assert_eq!(own["data"]["is_management_key"], true);
}

#[tokio::test]
async fn mistakes_are_refused_in_the_words_of_the_surface() {
    let rig = rig().await;
    let (hash, _) = make(&rig, &json!({ "name": "n" })).await;
    let own = manage(&rig, "GET", "/api/v1/keys", &Value::Null).await.json();
    let file = own["data"][0]["hash"].as_str().unwrap().to_owned();
    let stored = rig.command(&["keys", "create", "--kind", "management", "--json"]).await;
    let stored: Value = serde_json::from_slice(&stored.stdout).unwrap();
    let stored = stored["data"]["hash"].as_str().unwrap();
    let [one, file, other] = [hash.as_str(), &file, stored].map(|hash| format!("keys/{hash}"));
    let nobody = format!("keys/{}", "0".repeat(64));
    let large = format!(r#"{{"name": "{}"}}"#, "x".repeat(70_000));
    let cases = [
        ("POST", "keys", "{", 400, ""),
        ("POST", "keys", "[]", 400, ""),
        ("POST", "keys", "", 400, ""),
        ("POST", "keys", "{}", 400, "name"),
        ("POST", "keys", r#"{"name": "n", "color": 1}"#, 400, "color"),
        ("POST", "keys", r#"{"name": "n", "limit": 1e-13}"#, 400, "limit"),
        ("POST", "keys", r#"{"name": "n", "allowed_providers": ["no"]}"#, 400, "allowed_providers"),
        ("POST", "keys", r#"{"name": "manager"}"#, 409, "name"),
        ("POST", "keys", &large, 413, ""),
        ("PATCH", &one, r#"{"disabled": null}"#, 400, "disabled"),
        ("PATCH", &one, r#"{"name": "manager"}"#, 409, "name"),
        ("PATCH", &file, r#"{"name": "x"}"#, 409, ""),
        ("DELETE", &file, "", 409, ""),
        ("PATCH", &other, r#"{"disabled": true}"#, 403, ""),
        ("DELETE", &other, "", 403, ""),
        ("PATCH", &nobody, r#"{"name": "x"}"#, 404, ""),
        ("DELETE", &nobody, "", 404, ""),
        ("GET", &nobody, "", 404, ""),
        ("GET", "keys/short", "", 404, ""),
        ("GET", "keys/a/b", "", 404, ""),
        ("GET", "keys?page_size=0", "", 400, "page_size"),
        ("GET", "keys?page_size=101", "", 400, "page_size"),
        ("GET", "keys?offset=-1", "", 400, "offset"),
        ("GET", "keys?include_disabled=maybe", "", 400, "include_disabled"),
        ("GET", "keys?page_token=%21", "", 400, "page_token"),
        ("GET", "keys?offset=1&offset=2", "", 400, "offset"),
        ("POST", "credits", "{}", 400, "amount"),
        ("POST", "credits", r#"{"amount": 0}"#, 400, "amount"),
        ("POST", "credits", r#"{"amount": null}"#, 400, "amount"),
        ("POST", "credits", r#"{"amount": 999999999999999999}"#, 400, "amount"),
        ("POST", "credits", r#"{"amount": 1, "note": "x"}"#, 400, "note"),
        ("GET", "transactions?limit=0", "", 400, "limit"),
        ("GET", "transactions?page_token=x", "", 400, "page_token"),
        ("PUT", "keys", "", 405, ""),
        ("POST", &one, "", 405, ""),
        ("POST", "key", "", 405, ""),
    ];
    for (method, path, body, status, param) in cases {
        for root in ["/v1", "/api/v1"] {
            let path = format!("{root}/{path}");
            let answer = rig.send(method, &path, &[("x-api-key", MANAGER)], body.to_owned()).await;
            let what = format!("{method} {path}: {}", answer.text());
            assert_eq!(answer.status, status, "{what}");
            let error = &answer.json()["error"];
            assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{what}");
            let found = if root == "/v1" {
                &error["param"]
            } else {
                assert_eq!(error["code"], status, "{what}");
                &error["metadata"]["param"]
            };
            assert_eq!(found.as_str().unwrap_or_default(), param, "{what}");
        }
    }
    let allow = manage(&rig, "POST", &format!("/v1/{one}"), &Value::Null).await;
    assert_eq!(allow.header("allow"), "GET, PATCH, DELETE");
    let allow = manage(&rig, "PUT", "/api/v1/credits", &Value::Null).await;
    assert_eq!(allow.header("allow"), "GET, POST");
}

#[tokio::test]
async fn a_change_is_in_force_for_the_next_request() {
    let rig = rig().await;
    let model = "openai/gpt-5.4";
    let (hash, key) = make(&rig, &json!({ "name": "n" })).await;
    assert_eq!(chat(&rig, &key, model).await, 200);
    let steps = [
        (json!({ "disabled": true }), 401),
        (json!({ "disabled": false }), 200),
        (json!({ "allowed_models": ["openai/gpt-4*"] }), 403),
        (json!({ "allowed_models": ["openai/*"] }), 200),
        (json!({ "allowed_models": [] }), 403),
        (json!({ "allowed_models": null }), 200),
        (json!({ "allowed_providers": ["anthropic"] }), 403),
        (json!({ "allowed_providers": ["anthropic", "OpenAI"] }), 200),
        (json!({ "expires_at": "2020-01-01T00:00:00Z" }), 401),
        (json!({ "expires_at": null }), 200),
        (json!({ "name": "renamed" }), 200),
    ];
    for (body, status) in &steps {
        change(&rig, &hash, body.clone()).await;
        assert_eq!(chat(&rig, &key, model).await, *status, "{body}");
    }
    // The same over and over, while the process looks for changes of others: nothing falls back.
    for round in 0..100 {
        let disabled = round % 2 == 0;
        change(&rig, &hash, json!({ "disabled": disabled })).await;
        assert_eq!(chat(&rig, &key, model).await, if disabled { 401 } else { 200 }, "{round}");
        tokio::time::sleep(std::time::Duration::from_millis(15)).await;
    }
    assert_eq!(manage(&rig, "DELETE", &format!("/v1/keys/{hash}"), &Value::Null).await.status, 200);
    assert_eq!(chat(&rig, &key, model).await, 401);
}

#[tokio::test]
async fn what_is_absent_stays_and_null_takes_away() {
    let rig = rig().await;
    let all = json!({ "name": "n", "limit": "5.000000000001", "limit_reset": "weekly",
        "budget_mode": "strict", "rate_limit": { "requests_per_day": 9, "concurrent": 2 },
        "allowed_providers": ["openai"], "allowed_models": ["openai/*"], "enforce_zdr": true,
        "include_byok_in_limit": true, "expires_at": "2099-01-01T00:00:00Z" });
    let (hash, _) = make(&rig, &all).await;
    let before = change(&rig, &hash, json!({})).await;
    let shown = manage(&rig, "GET", &format!("/v1/keys/{hash}"), &Value::Null).await;
    assert!(shown.text().contains(r#""limit":5.000000000001,"#), "{}", shown.text());
    for (name, gone) in [
        ("limit", Value::Null),
        ("limit_reset", Value::Null),
        ("allowed_providers", Value::Null),
        ("allowed_models", Value::Null),
        ("expires_at", Value::Null),
        (
            "rate_limit",
            json!({ "requests_per_minute": null, "requests_per_day": null,
            "tokens_per_minute": null, "concurrent": null }),
        ),
    ] {
        let after = change(&rig, &hash, json!({ name: null })).await;
        assert_eq!(after[name], gone);
        let restored = change(&rig, &hash, json!({ name: all[name] })).await;
        for member in
            ["limit_remaining", "budget_mode", "enforce_zdr", "include_byok_in_limit", name]
        {
            assert_eq!(restored[member], before[member], "{name}: {member}");
        }
    }
}

/// The hashes of a page, and the token of the next one.
async fn page(rig: &Rig, query: &str) -> (Vec<String>, Option<String>) {
    let answer = manage(rig, "GET", &format!("/api/v1/keys?{query}"), &Value::Null).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let list = answer.json();
    let hashes = list["data"].as_array().unwrap().iter();
    let hashes = hashes.map(|key| key["hash"].as_str().unwrap().to_owned()).collect();
    (hashes, list["next_page_token"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn pages_stay_the_same_while_keys_come_and_go() {
    let rig = rig().await;
    let mut made = Vec::new();
    for number in 0..20 {
        made.push(make(&rig, &json!({ "name": format!("key {number}") })).await.0);
    }
    let (all, end) = page(&rig, "").await;
    assert_eq!((all.len(), end), (23, None));
    for size in [1, 2, 3, 7, 22, 23, 24] {
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let (hashes, next) = page(&rig, &format!("page_size={size}&page_token={token}")).await;
            assert!(hashes.len() <= size && (next.is_none() || hashes.len() == size), "{size}");
            found.extend(hashes);
            match next {
                Some(next) => token = next,
                None => break,
            }
        }
        assert_eq!(found, all, "pages of {size}");
    }
    for offset in [0, 1, 3, 4, 22, 23, 40] {
        let (rest, _) = page(&rig, &format!("offset={offset}")).await;
        assert_eq!(rest, all.iter().skip(offset).cloned().collect::<Vec<_>>(), "{offset}");
    }
    // Between two pages keys of the first are deleted and new ones are made: nobody is left out.
    let (first, next) = page(&rig, "page_size=10").await;
    for hash in first.iter().skip(3) {
        manage(&rig, "DELETE", &format!("/v1/keys/{hash}"), &Value::Null).await;
        make(&rig, &json!({ "name": "late" })).await;
    }
    let (rest, _) = page(&rig, &format!("page_token={}", next.unwrap())).await;
    let rest: HashSet<&String> = rest.iter().collect();
    assert!(all.iter().skip(10).all(|hash| rest.contains(hash)));
    assert!(!first.iter().any(|hash| rest.contains(hash)));
    // Disabled keys are listed on demand only.
    change(&rig, &made[19], json!({ "disabled": true })).await;
    let (shown, _) = page(&rig, "").await;
    let (with_disabled, _) = page(&rig, "include_disabled=true").await;
    assert!(!shown.contains(&made[19]) && with_disabled.contains(&made[19]));
    assert_eq!(with_disabled.len(), shown.len() + 1);
}

#[tokio::test]
async fn keys_of_the_file_are_shown_as_they_are_written() {
    let rig = rig().await;
    let list = manage(&rig, "GET", "/v1/keys", &Value::Null).await.json();
    let names: Vec<&Value> =
        list["data"].as_array().unwrap().iter().map(|key| &key["name"]).collect();
    assert_eq!(names, ["manager", "second-manager", "test"]);
    let second = &list["data"][1];
    assert_eq!((&second["source"], &second["key_type"]), (&json!("file"), &json!("management")));
    assert_eq!((&second["limit"], &second["limit_reset"]), (&json!(7.5), &json!("weekly")));
    assert_eq!(list["data"][2]["label"], "lr_live_012…def");
    assert!(!list.to_string().contains("lr_admin_second") && !list.to_string().contains(KEY));
    // The other prefix of management keys opens the same.
    let answer = rig.send("GET", "/v1/keys", &[("x-api-key", "lr_admin_second")], "").await;
    assert_eq!(answer.status, 200);
}
