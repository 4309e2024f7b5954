//! The catalogue over the wire: every path at both places, wrong questions in the right words, and
//! what keys of several kinds see.

use crate::errors::mistake;
use crate::rig::{Plan, Rig};
use arouter::api::catalogue::lookup;
use serde_json::{Value, json};

const MORE: &str = r#"
[providers.groq]
base_url = "http://MOCK_ADDRESS/v1"
keys = [{ env = "CANARY_PROVIDER_KEY" }]
data_policy = { zdr = true }
[keys.manager]
secret = { insecure_literal = "lr_mgmt_manager" }
kind = "management"
[keys.narrow]
secret = { insecure_literal = "narrow" }
allowed_providers = ["groq"]
allowed_models = ["groq/llama*", "qwen/*"]
[keys.discreet]
secret = { insecure_literal = "discreet" }
enforce_zdr = true
"#;

async fn get(rig: &Rig, path: &str, key: &str) -> Value {
    let answer = rig.send("GET", path, &[("x-api-key", key)], "").await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    assert_eq!(answer.header("content-type"), "application/json", "{path}");
    answer.json()
}

fn ids(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_path_answers_the_same_at_both_places() {
    let rig = Rig::with(Plan { more: MORE, ..Plan::default() }).await;
    let paths = lookup::samples();
    assert!(paths.len() >= 10, "{paths:?}");
    for path in &paths {
        let at_v1 = rig.get(&format!("/v1{path}")).await;
        let at_api = rig.get(&format!("/api/v1{path}")).await;
        assert_eq!((at_v1.status, at_api.status), (200, 200), "{path}: {}", at_v1.text());
        assert_eq!(at_v1.json(), at_api.json(), "{path}");
        let head = rig.send("HEAD", &format!("/v1{path}"), &[("x-api-key", "lr_mgmt_manager")], "");
        let head = head.await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
    // Where the next page is depends on where the first one was.
    for root in ["/v1", "/api/v1"] {
        let first = rig.get(&format!("{root}/models?limit=1&q=gpt")).await.json();
        let next = first["links"]["next"].as_str().unwrap();
        assert_eq!(next, format!("{root}/models?q=gpt&offset=1&limit=1"));
        let second = rig.get(next).await.json();
        assert_eq!(second["total_count"], first["total_count"]);
        assert_ne!(second["first_id"], first["first_id"]);
    }
}

#[tokio::test]
async fn wrong_questions_are_refused_in_the_words_of_the_path() {
    let rig = Rig::with(Plan { more: MORE, ..Plan::default() }).await;
    let table = [
        ("/models?limit=0", 400, "limit"),
        ("/models?output_modalities=smell", 400, "output_modalities"),
        ("/models/count?zdr=perhaps", 400, "zdr"),
        ("/models/user?sort=best", 400, "sort"),
        ("/embeddings/models?offset=-1", 400, "offset"),
        ("/parameters/openai/gpt-5.4?provider=groq", 400, "provider"),
        ("/models/openai/none/endpoints", 404, "model"),
        ("/model/openai/none", 404, "model"),
        ("/parameters/nobody/none", 404, "model"),
    ];
    let mut mistakes = Vec::new();
    for (path, status, param) in table {
        for root in ["/v1", "/api/v1"] {
            let path = format!("{root}{path}");
            let answer = rig.get(&path).await;
            mistakes.extend(mistake(&path, &answer, status, Some(param)));
        }
    }
    for (path, status, param) in [
        ("/v1beta/models?pageSize=x", 400, "pageSize"),
        ("/v1beta/models?pageToken=!", 400, "pageToken"),
        ("/v1beta/models/none", 404, "model"),
    ] {
        mistakes.extend(mistake(path, &rig.get(path).await, status, Some(param)));
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[tokio::test]
async fn a_key_is_shown_what_it_may_use() {
    let rig = Rig::with(Plan { more: MORE, ..Plan::default() }).await;
    let all = get(&rig, "/v1/models", "lr_mgmt_manager").await;
    let of =
        |list: &Value, prefix: &str| ids(list).iter().filter(|id| id.starts_with(prefix)).count();
    assert!(of(&all, "groq/") > 5 && of(&all, "openai/") > 50 && of(&all, "anthropic/") > 10);
    let narrow = get(&rig, "/v1/models", "narrow").await;
    let llamas = of(&all, "groq/llama");
    let qwens = of(&all, "groq/qwen/");
    assert!(llamas > 0 && of(&narrow, "") == llamas + qwens, "{:?}", ids(&narrow));
    let providers = get(&rig, "/api/v1/providers", "narrow").await;
    assert_eq!(ids(&providers), ["groq"]);
    assert_eq!(providers["data"][0]["name"], "Groq");
    let discreet = get(&rig, "/v1/models", "discreet").await;
    assert_eq!(of(&discreet, "groq/"), ids(&discreet).len());
    let zdr = get(&rig, "/api/v1/endpoints/zdr", "discreet").await;
    let endpoints = zdr["data"].as_array().unwrap();
    assert!(endpoints.iter().all(|one| one["is_zdr"] == true && one["provider_id"] == "groq"));
    assert!(endpoints.len() >= ids(&discreet).len());
    // What is listed is served, and what is not is refused.
    for (model, status) in [(ids(&narrow)[0], 200), ("openai/gpt-5.4", 403)] {
        let turns = json!([{ "role": "user", "content": "hi" }]);
        let body = json!({ "model": model, "messages": turns }).to_string();
        let headers = [("x-api-key", "narrow")];
        let answer = rig.send("POST", "/v1/chat/completions", &headers, body).await;
        assert_eq!(answer.status, status, "{model}: {}", answer.text());
    }
}

#[tokio::test]
async fn names_with_slashes_are_found_in_every_spelling() {
    let rig = Rig::with(Plan { more: MORE, ..Plan::default() }).await;
    let all = rig.get("/v1/models?providers=groq").await.json();
    let id = ids(&all).into_iter().find(|id| id.matches('/').count() == 2).unwrap().to_owned();
    let (author, slug) = id.split_once('/').unwrap();
    let escaped = slug.replace('/', "%2F");
    for path in [
        format!("/v1/models/{id}"),
        format!("/v1/models/{author}%2F{escaped}"),
        format!("/api/v1/model/{author}/{escaped}"),
        format!("/api/v1/models/{author}/{escaped}/endpoints"),
        format!("/api/v1/models/{id}/endpoints"),
        format!("/v1beta/models/{author}/{escaped}"),
    ] {
        let answer = rig.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(answer.text().contains(&id), "{path}: {}", answer.text());
    }
    let parameters = rig.get(&format!("/v1/parameters/{author}/{escaped}")).await.json();
    assert_eq!(parameters["data"]["model"], id);
}
