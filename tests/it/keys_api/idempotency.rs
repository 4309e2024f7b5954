//! The same change asked for many times happens once, and its answer stays secret.

use super::{MANAGER, chat, make, manage, rig};
use crate::rig::{Answer, Http, Rig, request};
use futures::future::join_all;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

async fn once(rig: &Rig, key: &str, method: &str, path: &str, body: &str) -> Answer {
    let headers = [("x-api-key", MANAGER), ("idempotency-key", key)];
    rig.send(method, path, &headers, body.to_owned()).await
}

async fn names(rig: &Rig) -> Vec<String> {
    let list = manage(rig, "GET", "/v1/keys?include_disabled=1", &Value::Null).await.json();
    let keys = list["data"].as_array().unwrap().iter();
    keys.map(|key| key["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn fifty_at_a_time_make_one_key_and_all_get_it() {
    let rig = rig().await;
    let body = r#"{"name": "once"}"#;
    let ask = || {
        let headers = [("x-api-key", MANAGER), ("idempotency-key", "make it once")];
        async move {
            let target = ("POST", "/api/v1/keys");
            request(rig.gateway, Http::One, target, &headers, body.into()).await
        }
    };
    let answers = join_all((0..50).map(|_| ask())).await;
    let first = &answers[0];
    assert_eq!(first.status, 201, "{}", first.text());
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (201, &first.body));
    }
    let replayed = answers.iter().filter(|answer| answer.header("idempotent-replayed") == "true");
    assert_eq!(replayed.count(), 49);
    assert_eq!(names(&rig).await.iter().filter(|name| *name == "once").count(), 1);
    let secret = first.json()["key"].as_str().unwrap().to_owned();
    assert_eq!(chat(&rig, &secret, "openai/gpt-5.4").await, 200);
}

#[tokio::test]
async fn an_answer_is_remembered_through_a_crash_for_its_request_and_caller_alone() {
    let mut rig = rig().await;
    let body = r#"{"name": "kept"}"#;
    let first = once(&rig, "k1", "POST", "/v1/keys", body).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, ""));
    rig.crash_and_restart().await;
    let again = once(&rig, "k1", "POST", "/v1/keys", body).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.header("idempotent-replayed"), "true");
    for (method, path, body) in [
        ("POST", "/v1/keys", r#"{"name": "kept "}"#),
        ("POST", "/v1/credits", body),
        (
            "PATCH",
            "/v1/keys/0000000000000000000000000000000000000000000000000000000000000000",
            body,
        ),
    ] {
        let refused = once(&rig, "k1", method, path, body).await;
        assert_eq!(refused.status, 422, "{}", refused.text());
    }
    // Another manager's key of the same name is another key.
    let headers = [("x-api-key", "lr_admin_second"), ("idempotency-key", "k1")];
    let other = rig.send("POST", "/v1/keys", &headers, body).await;
    assert_eq!((other.status, other.header("idempotent-replayed")), (201, ""));
    // A mistake is not remembered.
    assert_eq!(once(&rig, "k2", "POST", "/v1/keys", "{}").await.status, 400);
    assert_eq!(once(&rig, "k2", "POST", "/v1/keys", body).await.status, 201);
    let long = "x".repeat(256);
    for bad in ["", long.as_str()] {
        assert_eq!(once(&rig, bad, "POST", "/v1/keys", body).await.status, 400, "{bad}");
    }
    assert_eq!(once(&rig, &long[1..], "POST", "/v1/keys", body).await.status, 201);
}

#[tokio::test]
async fn changes_deletions_and_credits_happen_once() {
    let rig = rig().await;
    let (hash, _) = make(&rig, &json!({ "name": "n" })).await;
    let one = format!("/v1/keys/{hash}");
    for (key, method, path, body, status) in [
        ("a", "POST", "/v1/credits", r#"{"amount": 2.5}"#, 201),
        ("b", "PATCH", one.as_str(), r#"{"limit": 3}"#, 200),
        ("c", "DELETE", one.as_str(), "", 200),
    ] {
        let answers =
            [once(&rig, key, method, path, body).await, once(&rig, key, method, path, body).await];
        assert_eq!(answers[0].status, status, "{}", answers[0].text());
        assert_eq!(answers[0].body, answers[1].body);
        assert_eq!(answers[1].header("idempotent-replayed"), "true");
    }
    let credits = manage(&rig, "GET", "/v1/credits", &Value::Null).await.json();
    assert_eq!(credits["data"]["total_credits"], 2.5);
    // Without the header the same request is another one.
    for _ in 0..2 {
        manage(&rig, "POST", "/v1/credits", &json!({ "amount": 1 })).await;
    }
    let credits = manage(&rig, "GET", "/v1/credits", &Value::Null).await.json();
    assert_eq!(credits["data"]["total_credits"], 4.5);
}

/// The files below a folder that hold a text.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if path.extension().is_none_or(|ending| ending != "sock") {
            let bytes = fs::read(&path).unwrap();
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[tokio::test]
async fn a_secret_is_in_no_log_and_no_database() {
    let mut rig = rig().await;
    let made = once(&rig, "secret", "POST", "/v1/keys", r#"{"name": "findable"}"#).await.json();
    let secret = made["key"].as_str().unwrap();
    let hash = made["data"]["hash"].as_str().unwrap();
    assert_eq!(chat(&rig, secret, "openai/gpt-5.4").await, 200);
    rig.send("GET", &format!("/v1/key?key={secret}"), &[], "").await;
    rig.crash_and_restart().await;
    let repeated = once(&rig, "secret", "POST", "/v1/keys", r#"{"name": "findable"}"#).await;
    assert_eq!(repeated.json()["key"], secret);
    // The search itself works: the hash is in the database, the request is in the log.
    let folder = rig.folder.path();
    assert!(holding(folder, hash).iter().any(|path| path.contains("arouter.db")));
    assert!(holding(folder, "keys_create").iter().any(|path| path.ends_with("log")));
    let random = secret.strip_prefix("lr_live_").unwrap();
    let base64 = "bHJfbGl2ZV";
    for text in [random, &random[4..40], base64] {
        assert_eq!(holding(folder, text), Vec::<String>::new(), "{text}");
    }
}
