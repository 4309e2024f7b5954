//! Every route wants a key, of the right kind and with the right permissions; and every way of
//! naming a model leads where the configuration says.

use crate::errors::mistake;
use crate::rig::{Answer, Http, KEY, Plan, Rig, request};
use arouter::api::{Callers, routes};
use arouter::proxy::operation::samples;
use bytes::Bytes;
use serde_json::{Value, json};

const KEYS: &str = r#"
[keys.manager]
secret = { insecure_literal = "lr_mgmt_manager" }
kind = "management"
[keys.expired]
secret = { insecure_literal = "expired-key" }
expires_at = "2020-01-01T00:00:00Z"
[keys.nobody]
secret = { insecure_literal = "no-provider" }
allowed_providers = []
[keys.nothing]
secret = { insecure_literal = "no-model" }
allowed_models = []
[keys.narrow]
secret = { insecure_literal = "narrow" }
allowed_providers = ["OpenAI"]
allowed_models = ["gpt-5.4", "openai/gpt-4*"]
"#;

async fn call(rig: &Rig, method: &str, path: &str, key: Option<&str>) -> Answer {
    let headers: Vec<(&str, &str)> = key.map(|key| ("x-api-key", key)).into_iter().collect();
    rig.send(method, path, &headers, body_for(path)).await
}

/// A good body for a route.
fn body_for(path: &str) -> String {
    let turns = json!([{ "role": "user", "content": "hi" }]);
    let body = if path.contains("/v1beta/") {
        json!({ "contents": [{ "role": "user", "parts": [{ "text": "hi" }] }] })
    } else if path.ends_with("/responses") {
        json!({ "model": "gpt-5.4", "input": "hi" })
    } else if path.ends_with("v1/completions") {
        json!({ "model": "gpt-5.4", "prompt": "hi" })
    } else if path.contains("embeddings") {
        json!({ "model": "text-embedding-3-small", "input": "hi" })
    } else if path.contains("messages") {
        json!({ "model": "claude-sonnet-4-5", "max_tokens": 20, "messages": turns })
    } else {
        json!({ "model": "gpt-5.4", "messages": turns })
    };
    body.to_string()
}

/// Who may call a route of management; `None` for all others.
fn callers(method: &str, path: &str) -> Option<Callers> {
    let managed = routes::samples();
    let found = managed.iter().find(|route| (route.0, route.1.as_str()) == (method, path));
    found.map(|(.., callers)| *callers)
}

/// The key that a route of management refuses.
fn wrong_kind(callers: Callers) -> Option<&'static str> {
    match callers {
        Callers::Regular => Some("lr_mgmt_manager"),
        Callers::Management => Some(KEY),
        Callers::Both => None,
    }
}

#[tokio::test]
async fn every_route_wants_a_key_that_may() {
    let rig = Rig::with(Plan { more: KEYS, ..Plan::default() }).await;
    let routes = samples();
    assert!(routes.len() >= 18, "{routes:?}");
    let mut mistakes = Vec::new();
    let mut check = |found: Option<String>, what: String| {
        mistakes.extend(found.map(|text| format!("{what}: {text}")));
    };
    for (method, path) in &routes {
        let missing = call(&rig, method, path, None).await;
        check(mistake(path, &missing, 401, None), format!("{method} {path} without a key"));
        let mut refusals = Vec::new();
        for key in
            ["unknown", "expired-key", "lr_live_ffffffffffffffffffffffffffffffffffffffffffffffff"]
        {
            let refused = call(&rig, method, path, Some(key)).await;
            check(mistake(path, &refused, 401, None), format!("{method} {path} with {key}"));
            refusals.push(without_ids(&refused));
        }
        assert!(refusals.windows(2).all(|pair| pair[0] == pair[1]), "{refusals:?}");
        if let Some(callers) = callers(method, path) {
            if let Some(key) = wrong_kind(callers) {
                let refused = call(&rig, method, path, Some(key)).await;
                check(mistake(path, &refused, 403, None), format!("{method} {path} with {key}"));
            }
        } else if *method == "POST" {
            let managed = call(&rig, method, path, Some("lr_mgmt_manager")).await;
            check(mistake(path, &managed, 403, None), format!("{method} {path} as manager"));
            for key in ["no-provider", "no-model"] {
                let refused = call(&rig, method, path, Some(key)).await;
                let param = (!path.starts_with("/openai")).then_some("model");
                check(mistake(path, &refused, 403, param), format!("{method} {path}, {key}"));
            }
        } else {
            assert!(call(&rig, method, path, Some("lr_mgmt_manager")).await.status < 500);
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
    assert!(rig.journal().await.is_empty(), "a provider was asked");
    for (method, path) in routes.iter().filter(|(method, path)| callers(method, path).is_none()) {
        let answer = call(&rig, method, path, Some(KEY)).await;
        assert!(![401, 403, 405].contains(&answer.status), "{method} {path}: {answer:?}");
        let wanted = if path.contains("generation") { 400 } else { 200 };
        let unknown = path.contains("/models/openai/gpt-5");
        assert!(answer.status == wanted || unknown, "{method} {path}: {answer:?}");
    }
}

/// The answer without what differs from request to request.
fn without_ids(answer: &Answer) -> (u16, Vec<String>, Value) {
    let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
    names.sort();
    let mut json = answer.json();
    for at in ["/request_id", "/error/metadata/request_id", "/error/details/1/requestId"] {
        if let Some(id) = json.pointer_mut(at) {
            *id = Value::Null;
        }
    }
    (answer.status, names, json)
}

#[tokio::test]
async fn health_is_open_and_says_nothing() {
    let rig = Rig::start().await;
    for version in [Http::One] {
        for key in [None, Some("wrong")] {
            let headers: Vec<(&str, &str)> =
                key.map(|key| ("x-api-key", key)).into_iter().collect();
            let answer =
                request(rig.gateway, version, ("GET", "/healthz"), &headers, Bytes::new()).await;
            assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"status":"ok"}"#));
        }
    }
    let head = rig.send("HEAD", "/healthz", &[], "").await;
    assert_eq!((head.status, head.body.len(), head.header("content-length")), (200, 0, "15"));
}

#[tokio::test]
async fn permissions_follow_the_target() {
    let rig = Rig::with(Plan { more: KEYS, ..Plan::default() }).await;
    let chat =
        |model: &str| json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] });
    let cases = [
        ("gpt-5.4", 200),
        ("openai/gpt-5.4", 200),
        ("OpenAI/gpt-5.4", 200),
        ("openai/gpt-4o", 200),
        ("gpt-4o", 200),
        ("openai/gpt-5", 403),
        ("openai/o3", 403),
        ("anthropic/gpt-5.4", 403),
        ("anthropic/claude-sonnet-4.5", 403),
        ("google/gpt-5.4", 403),
        ("openai/x/gpt-5.4", 403),
    ];
    for (model, status) in cases {
        let body = chat(model).to_string();
        let headers = [("x-api-key", "narrow")];
        let answer = rig.send("POST", "/v1/chat/completions", &headers, body).await;
        assert_eq!(answer.status, status, "{model}: {}", answer.text());
    }
    // Of several candidates the forbidden ones are left out; the second of this alias is Google's.
    let body = chat("fast").to_string();
    let answer = rig.send("POST", "/v1/chat/completions", &[("x-api-key", "narrow")], body).await;
    assert_eq!((answer.status, &answer.json()["model"]), (200, &json!("openai/gpt-5.4")));
    // The list of models shows what the key may use, and nothing else.
    let list = rig.send("GET", "/v1/models", &[("x-api-key", "narrow")], "").await.json();
    let text = list.to_string();
    assert!(text.contains("openai/gpt-5.4") && !text.contains("claude"), "{text}");
    let none = rig.send("GET", "/v1/models", &[("x-api-key", "no-provider")], "").await.json();
    assert_eq!(none["data"], json!([]));
    // A provider's own API is closed to a key that is limited to models.
    let raw = rig.send("POST", "/openai/v1/files", &[("x-api-key", "narrow")], "{}").await;
    assert_eq!(raw.status, 403, "{}", raw.text());
}

const MORE_PROVIDERS: &str = r#"
[providers.xai]
format = "openai"
base_url = "http://{MOCK}/xai/v1"
keys = [{ env = "CANARY_PROVIDER_KEY" }]
aliases = ["grok"]
[providers.openrouter]
format = "openai"
base_url = "http://{MOCK}/router/v1"
keys = [{ env = "CANARY_PROVIDER_KEY" }]
[providers.healthy]
format = "openai"
base_url = "http://{MOCK}/v1"
"#;

/// Sends a chat request; its status, the model in the answer, and path and model at the provider.
async fn route(rig: &Rig, body: &Value) -> (u16, String, String, String) {
    let answer = rig.post("/v1/chat/completions", body).await;
    if answer.status != 200 {
        return (answer.status, answer.text(), String::new(), String::new());
    }
    let last = rig.last().await;
    let sent: Value = serde_json::from_str(last["body"].as_str().unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (answer.status, text(&answer.json()["model"]), text(&last["path"]), text(&sent["model"]))
}

/// A rig with more providers, which are put in force by a reload.
async fn rig_with_more_providers() -> Rig {
    let rig = Rig::start().await;
    let more = MORE_PROVIDERS.replace("{MOCK}", &rig.mock.to_string());
    let config = std::fs::read_to_string(rig.config_path()).unwrap();
    std::fs::write(rig.config_path(), format!("{config}{more}")).unwrap();
    let reloaded = rig.admin("POST", "/api/v1/config/reload").await;
    assert_eq!(reloaded.status, 200, "{}", reloaded.text());
    rig
}

#[tokio::test]
async fn names_lead_where_they_should() {
    let rig = rig_with_more_providers().await;
    let (chat, xai, router) =
        ("/v1/chat/completions", "/xai/v1/chat/completions", "/router/v1/chat/completions");
    let anthropic = "/v1/messages";
    // What the client writes; model in the answer, path and model at the provider.
    let cases = [
        ("openai/gpt-5.4", "openai/gpt-5.4", chat, "gpt-5.4"),
        ("OPENAI/gpt-5.4", "openai/gpt-5.4", chat, "gpt-5.4"),
        ("gpt-5.4", "gpt-5.4", chat, "gpt-5.4"),
        ("some-new-model", "some-new-model", chat, "some-new-model"),
        ("openai/some-new-model", "openai/some-new-model", chat, "some-new-model"),
        ("openai/GPT-5.4", "openai/GPT-5.4", chat, "GPT-5.4"),
        ("xai/grok-4", "xai/grok-4", xai, "grok-4"),
        ("x-ai/grok-4", "xai/grok-4", xai, "grok-4"),
        ("X-AI/grok-4", "xai/grok-4", xai, "grok-4"),
        ("grok/grok-4", "xai/grok-4", xai, "grok-4"),
        ("openai/org/model:tag", "openai/org/model:tag", chat, "org/model:tag"),
        (
            "openrouter/anthropic/claude-x",
            "openrouter/anthropic/claude-x",
            router,
            "anthropic/claude-x",
        ),
        (
            "anthropic/claude-sonnet-4.5",
            "anthropic/claude-sonnet-4.5",
            anthropic,
            "claude-sonnet-4-5",
        ),
        ("anthropic/claude-other", "anthropic/claude-other", anthropic, "claude-other"),
        ("fast", "openai/gpt-5.4", chat, "gpt-5.4"),
    ];
    for (name, shown, path, sent) in cases {
        let body = json!({ "model": name, "messages": [{ "role": "user", "content": "hi" }] });
        let found = route(&rig, &body).await;
        let wanted = (200, shown.to_owned(), path.to_owned(), sent.to_owned());
        assert_eq!(found, wanted, "{name}");
    }
}

#[tokio::test]
async fn gemini_is_reached_by_path_and_lists_are_tried_in_order() {
    let rig = rig_with_more_providers().await;
    let turns = json!([{ "role": "user", "content": "hi" }]);
    for name in ["google/gemini-2.5-flash", "gemini/gemini-2.5-flash"] {
        let answer =
            rig.post("/v1/chat/completions", &json!({ "model": name, "messages": turns })).await;
        assert_eq!(
            (answer.status, &answer.json()["model"]),
            (200, &json!("google/gemini-2.5-flash"))
        );
        assert_eq!(rig.last().await["path"], "/v1beta/models/gemini-2.5-flash:generateContent");
    }
    // No model: the first of the list, else the configured default.
    let cases = [
        (json!({ "messages": turns }), "openai/gpt-5.4", "gpt-5.4"),
        (json!({ "model": null, "messages": turns }), "openai/gpt-5.4", "gpt-5.4"),
        (json!({ "models": ["xai/a", "openai/b"], "messages": turns }), "xai/a", "a"),
        (json!({ "model": "openai/c", "models": ["xai/a"], "messages": turns }), "openai/c", "c"),
        (json!({ "models": ["nobody/a", "openai/b"], "messages": turns }), "openai/b", "b"),
    ];
    for (body, shown, sent) in cases {
        let (status, model, _, at_provider) = route(&rig, &body).await;
        assert_eq!((status, model.as_str(), at_provider.as_str()), (200, shown, sent), "{body}");
    }
    // The provider of the first one refuses: the second one is asked.
    let script = json!([{ "match": { "model": "down" }, "reply": { "status": 503 } }]);
    let put =
        request(rig.mock, Http::One, ("PUT", "/__script"), &[], script.to_string().into()).await;
    assert_eq!(put.status, 204, "{}", put.text());
    let body = json!({ "models": ["xai/down", "openai/up"], "messages": turns });
    let (status, model, _, sent) = route(&rig, &body).await;
    assert_eq!((status, model.as_str(), sent.as_str()), (200, "openai/up", "up"));
    let journal = rig.journal().await;
    let models: Vec<&str> = journal.iter().filter_map(|entry| entry["model"].as_str()).collect();
    assert_eq!(models[models.len() - 2..], ["down", "up"]);
}

#[tokio::test]
async fn native_endpoints_take_bare_names_for_their_own_vendor() {
    let rig = Rig::start().await;
    let turns = json!([{ "role": "user", "content": "hi" }]);
    let contents = json!({ "contents": [{ "role": "user", "parts": [{ "text": "hi" }] }] });
    let message = |model: &str| json!({ "model": model, "max_tokens": 9, "messages": turns });
    let cases = [
        ("/v1/messages", message("claude-sonnet-4-5"), "anthropic", "claude-sonnet-4-5"),
        ("/v1/messages", message("anthropic/claude-sonnet-4.5"), "anthropic", "claude-sonnet-4-5"),
        (
            "/v1beta/models/gemini-2.5-flash:generateContent",
            contents.clone(),
            "google",
            "gemini-2.5-flash",
        ),
        ("/v1beta/models/gemini-9:generateContent", contents.clone(), "google", "gemini-9"),
        ("/v1beta/models/google/gemini-9:generateContent", contents.clone(), "google", "gemini-9"),
        (
            "/v1beta/models/google%2Fgemini-9:generateContent",
            contents.clone(),
            "google",
            "gemini-9",
        ),
    ];
    for (path, body, format, model) in cases {
        let answer = rig.post(path, &body).await;
        assert_eq!(answer.status, 200, "{path} {body}: {}", answer.text());
        let journal = rig.journal().await;
        let last = journal.last().unwrap();
        assert_eq!((&last["format"], &last["model"]), (&json!(format), &json!(model)), "{path}");
    }
    // A prefixed name leads to another vendor, in whatever format the client speaks.
    for (path, body) in [
        ("/v1/messages", message("openai/gpt-5.4")),
        ("/v1beta/models/openai%2Fgpt-5.4:generateContent", contents),
    ] {
        let answer = rig.post(path, &body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let journal = rig.journal().await;
        let last = journal.last().unwrap();
        assert_eq!((&last["format"], &last["model"]), (&json!("openai"), &json!("gpt-5.4")));
    }
}

#[tokio::test]
async fn reserved_paths_win_over_providers() {
    let rig = rig_with_more_providers().await;
    let config = std::fs::read_to_string(rig.config_path()).unwrap();
    for name in ["v1", "v1beta", "api", "metrics", "healthz", "admin", "readyz"] {
        let taken = config.replace("[providers.healthy]", &format!("[providers.{name}]"));
        std::fs::write(rig.config_path(), taken).unwrap();
        let refused = rig.admin("POST", "/api/v1/config/reload").await;
        assert_eq!(refused.status, 422, "{name}: {}", refused.text());
    }
    for path in ["/metrics/v1/chat/completions", "/v1/healthy", "/api/healthy/x"] {
        let answer = rig.post(path, &json!({})).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
    }
    for path in ["/metrics", "/readyz", "/admin", "/api/v1/config"] {
        assert_eq!(rig.get(path).await.status, 404, "{path}");
    }
    let answer = rig
        .post(
            "/healthy/chat/completions",
            &json!({
                "model": "any", "messages": [{ "role": "user", "content": "hi" }]
            }),
        )
        .await;
    // The provider has no key, so the mock refuses; what matters is that it was asked.
    assert_eq!(answer.status, 401, "{}", answer.text());
    assert_eq!(rig.last().await["path"], "/v1/chat/completions");
}
