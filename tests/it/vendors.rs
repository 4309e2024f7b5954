//! Providers that differ in address, authorisation or signing: Azure, Vertex AI, Bedrock, and those
//! that are known by name. The mock provider checks versions, tokens and signatures as they do.

use crate::asks::told;
use crate::rig::{Answer, PROVIDER_KEY, Plan, Rig};
use serde_json::{Value, json};
use std::time::Duration;

/// A service account whose key is for tests only.
const ACCOUNT: &str = include_str!("../../src/providers/google_token/test_account.json");
/// The secret that the mock knows, and that nobody may see.
const AWS_SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// A gateway with these providers besides the usual ones.
async fn rig(providers: &str) -> Rig {
    Rig::with(Plan { more: providers, ..Plan::default() }).await
}

fn turn(content: &str) -> Value {
    json!([{ "role": "user", "content": content }])
}

fn said() -> Value {
    turn(&told(&json!({ "text": "well said", "tokens": { "prompt": 11, "completion": 7 } })))
}

/// A chat of an OpenAI client.
async fn chat(rig: &Rig, model: &str, stream: bool) -> Answer {
    let body = json!({ "model": model, "stream": stream, "messages": said() });
    rig.post("/v1/chat/completions", &body).await
}

/// A message of an Anthropic client.
async fn message(rig: &Rig, model: &str, stream: bool) -> Answer {
    let body = json!({ "model": model, "stream": stream, "max_tokens": 9, "messages": said() });
    rig.post("/v1/messages", &body).await
}

/// Asserts that an answer is whole, streamed or not, in the words of the client's format.
fn assert_answered(answer: &Answer, stream: bool, what: &str) {
    let text = answer.text();
    assert_eq!(answer.status, 200, "{what}: {text}");
    let (kind, end) = match (stream, text.contains("message_stop")) {
        (true, false) => ("text/event-stream", "data: [DONE]"),
        (true, true) => ("text/event-stream", "message_stop"),
        (false, _) => ("application/json", "well said"),
    };
    assert!(answer.header("content-type").starts_with(kind), "{what}: {:?}", answer.headers);
    assert!(text.contains("said") && text.contains(end), "{what}: {text}");
}

fn header(last: &Value, name: &str) -> Option<String> {
    let pairs = last["headers"].as_array().unwrap();
    let found = pairs.iter().find(|pair| pair[0] == name);
    found.map(|pair| pair[1].as_str().unwrap().to_owned())
}

async fn authorization(rig: &Rig) -> String {
    header(&rig.last().await, "authorization").unwrap()
}

/// The tokens that were counted for an answer, from the gateway's own record.
async fn assert_counted(rig: &Rig, answer: &Answer, what: &str) {
    let record = rig.generation(answer.header("x-generation-id")).await;
    let counts = (&record["data"]["tokens_prompt"], &record["data"]["tokens_completion"]);
    assert_eq!(counts, (&json!(11), &json!(7)), "{what}: {record}");
}

#[tokio::test]
async fn azure_has_deployments_and_a_header_of_its_own() {
    let key = r#"keys = [{ env = "CANARY_PROVIDER_KEY" }]"#;
    let rig = rig(&format!(
        r#"
[providers.dated]
kind = "azure"
base_url = "http://MOCK_ADDRESS/openai"
api_version = "2024-10-21"
{key}
[providers.unversioned]
kind = "azure"
base_url = "http://MOCK_ADDRESS"
{key}
[providers.azure-responses]
kind = "azure"
format = "responses"
base_url = "http://MOCK_ADDRESS/openai/v1"
{key}
"#
    ))
    .await;
    let cases = [
        ("dated/my-gpt", "/openai/deployments/my-gpt/chat/completions", "api-version=2024-10-21"),
        ("unversioned/my-gpt", "/openai/v1/chat/completions", ""),
    ];
    for (model, path, query) in cases {
        for stream in [false, true] {
            let answer = chat(&rig, model, stream).await;
            assert_answered(&answer, stream, model);
            assert_counted(&rig, &answer, model).await;
            let last = rig.last().await;
            assert_eq!(last["path"], path);
            assert_eq!(last["query"].as_str().unwrap_or_default(), query, "{model}");
            assert_eq!(header(&last, "api-key").as_deref(), Some(PROVIDER_KEY));
            assert_eq!(header(&last, "authorization"), None);
        }
    }
    let body = json!({ "model": "azure-responses/my-gpt", "input": said() });
    rig.post("/v1/responses", &body).await;
    let last = rig.last().await;
    assert_eq!(last["path"], "/openai/v1/responses");
    assert_eq!(header(&last, "api-key").as_deref(), Some(PROVIDER_KEY));
}

/// Vertex with a service account whose tokens come from the mock, as `query` says.
fn vertex(query: &str) -> String {
    let token_uri = format!("http://MOCK_ADDRESS/token{query}");
    let account = ACCOUNT.replace("http://127.0.0.1:1/token", &token_uri);
    format!(
        "[providers.vertex]\nkind = \"vertex\"\nregion = \"europe-west4\"\n\
         base_url = \"http://MOCK_ADDRESS\"\ncredentials = {{ insecure_literal = '''{account}''' }}\n"
    )
}

#[tokio::test]
async fn vertex_speaks_the_format_of_each_models_maker() {
    let rig = rig(&vertex("")).await;
    let parent = "/v1/projects/test-project/locations/europe-west4/publishers";
    for stream in [false, true] {
        let answer = chat(&rig, "vertex/gemini-2.5-flash", stream).await;
        assert_answered(&answer, stream, "gemini");
        assert_counted(&rig, &answer, "gemini").await;
        let method = if stream { "streamGenerateContent" } else { "generateContent" };
        let path = format!("{parent}/google/models/gemini-2.5-flash:{method}");
        assert_eq!(rig.last().await["path"], path);

        let model = "vertex/claude-sonnet-4@20250514";
        let method = if stream { "streamRawPredict" } else { "rawPredict" };
        let path = format!("{parent}/anthropic/models/claude-sonnet-4@20250514:{method}");
        for answer in [chat(&rig, model, stream).await, message(&rig, model, stream).await] {
            assert_answered(&answer, stream, "claude");
            assert_counted(&rig, &answer, "claude").await;
            assert_eq!(rig.last().await["path"], path);
        }
    }
    let first = authorization(&rig).await;
    chat(&rig, "vertex/gemini-2.5-flash", false).await;
    assert_eq!(authorization(&rig).await, first, "one token serves many requests");
}

#[tokio::test]
async fn a_token_of_vertex_is_renewed_before_it_expires() {
    let rig = rig(&vertex("?expires_in=2")).await;
    assert_answered(&chat(&rig, "vertex/gemini-2.5-flash", false).await, false, "first");
    let first = authorization(&rig).await;
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let answer = chat(&rig, "vertex/gemini-2.5-flash", false).await;
    assert_answered(&answer, false, "second");
    assert_ne!(authorization(&rig).await, first);
    let refused = rig.journal().await.iter().filter(|entry| entry["status"] == 401).count();
    assert_eq!(refused, 0, "no request went out with an old token");
}

#[tokio::test]
async fn a_token_that_vertex_refuses_is_replaced_at_once() {
    let rig = rig(&vertex("?valid_s=1")).await;
    assert_answered(&chat(&rig, "vertex/gemini-2.5-flash", false).await, false, "first");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let answer = chat(&rig, "vertex/gemini-2.5-flash", true).await;
    assert_answered(&answer, true, "second");
    let statuses: Vec<Value> =
        rig.journal().await.iter().map(|entry| entry["status"].clone()).collect();
    assert_eq!(statuses, [json!(200), json!(401), json!(200)]);
    assert!(!rig.log().contains("ya29."), "{}", rig.log());
}

#[tokio::test]
async fn a_service_account_that_is_refused_leaves_the_other_providers_alone() {
    let rig = rig(&vertex("-away")).await;
    for _ in 0..2 {
        let answer = chat(&rig, "vertex/gemini-2.5-flash", false).await;
        assert_eq!(answer.status, 502, "{}", answer.text());
        assert!(answer.text().contains("token service"), "{}", answer.text());
    }
    assert_answered(&chat(&rig, "openai/gpt-5.4", false).await, false, "another");
    let log = rig.log();
    for secret in ["BEGIN PRIVATE KEY", "test-key-1", "grant_type", "eyJ"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

/// Bedrock with the access key that the mock knows, or another secret.
fn bedrock(secret: &str) -> String {
    let account = format!(
        "region = \"eu-central-1\"\nbase_url = \"http://MOCK_ADDRESS\"\n\
         access_key_id = {{ insecure_literal = \"AKIDEXAMPLE\" }}\n\
         secret_access_key = {{ insecure_literal = \"{secret}\" }}\n"
    );
    format!(
        "[providers.bedrock]\nformat = \"bedrock\"\n{account}\
         session_token = {{ insecure_literal = \"session+token/canary==\" }}\n\
         [providers.claude]\nkind = \"bedrock\"\nformat = \"anthropic\"\n{account}\
         [providers.bedrock-key]\nkind = \"bedrock\"\nregion = \"eu-central-1\"\n\
         base_url = \"http://MOCK_ADDRESS\"\nkeys = [{{ env = \"CANARY_PROVIDER_KEY\" }}]\n"
    )
}

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-20250514-v1:0";

#[tokio::test]
async fn requests_to_bedrock_are_signed_and_its_binary_streams_are_read() {
    let rig = rig(&bedrock(AWS_SECRET)).await;
    let escaped = CLAUDE.replace(':', "%3A");
    for stream in [false, true] {
        let converse = if stream { "converse-stream" } else { "converse" };
        let invoke = if stream { "invoke-with-response-stream" } else { "invoke" };
        for (provider, action) in [("bedrock", converse), ("claude", invoke)] {
            let model = format!("{provider}/{CLAUDE}");
            for answer in [chat(&rig, &model, stream).await, message(&rig, &model, stream).await] {
                assert_answered(&answer, stream, &model);
                assert_counted(&rig, &answer, &model).await;
                let last = rig.last().await;
                assert_eq!(last["path"], format!("/model/{escaped}/{action}"));
                let sent = header(&last, "authorization").unwrap();
                assert!(sent.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{sent}");
                let token = header(&last, "x-amz-security-token");
                assert_eq!(token.is_some(), provider == "bedrock");
            }
        }
        let answer = chat(&rig, &format!("bedrock-key/{CLAUDE}"), stream).await;
        assert_answered(&answer, stream, "an API key");
        assert_eq!(authorization(&rig).await, format!("Bearer {PROVIDER_KEY}"));
    }
    let content = told(&json!({ "error": "invalid_request" }));
    let body = json!({ "model": format!("claude/{CLAUDE}"), "messages": turn(&content) });
    let answer = rig.post("/v1/chat/completions", &body).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("The request is not valid."), "{}", answer.text());
}

#[tokio::test]
async fn what_bedrock_refuses_is_told_without_secrets() {
    let rig = rig(&bedrock("another-secret-canary")).await;
    let answer = chat(&rig, &format!("bedrock/{CLAUDE}"), false).await;
    assert_eq!(answer.status, 502, "{}", answer.text());
    let content = told(&json!({ "error": "rate_limit", "fault": "echo_secrets" }));
    let body = json!({ "model": format!("bedrock-key/{CLAUDE}"), "messages": turn(&content) });
    let limited = rig.post("/v1/chat/completions", &body).await;
    assert_eq!(limited.status, 429, "{}", limited.text());
    for text in [answer.text(), limited.text(), rig.log()] {
        for secret in ["another-secret-canary", "session+token", PROVIDER_KEY] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

#[tokio::test]
async fn a_break_in_a_binary_stream_is_told_to_the_client() {
    let rig = rig(&bedrock(AWS_SECRET)).await;
    for fault in
        [json!({ "error_after": 1 }), json!({ "close_after": 1 }), json!({ "end_after": 1 })]
    {
        for provider in ["bedrock", "claude"] {
            let content = told(&json!({ "events": 5, "fault": fault }));
            let model = format!("{provider}/{CLAUDE}");
            let body = json!({ "model": model, "stream": true, "messages": turn(&content) });
            let text = rig.post("/v1/chat/completions", &body).await.text();
            assert!(text.contains("\"error\""), "{provider} {fault}: {text}");
            assert!(!text.contains(r#""finish_reason":"stop""#), "{provider} {fault}: {text}");
        }
    }
}

#[tokio::test]
async fn the_own_api_of_a_cloud_takes_a_token_but_cannot_be_signed_for() {
    let rig = rig(&[vertex(""), bedrock(AWS_SECRET)].concat()).await;
    let contents = json!({ "contents": [{ "role": "user", "parts": [{ "text": "hi" }] }] });
    let path =
        "/vertex/v1/projects/p/locations/l/publishers/google/models/gemini-x:generateContent";
    let answer = rig.post(path, &contents).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = rig.post("/bedrock/model/m/converse", &json!({})).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("signed"), "{}", answer.text());
}

#[tokio::test]
async fn a_provider_known_by_name_needs_next_to_nothing() {
    let rig = rig("[providers.deepseek]\nbase_url = \"http://MOCK_ADDRESS/v1\"\n").await;
    let answer = chat(&rig, "deepseek/deepseek-chat", false).await;
    assert_answered(&answer, false, "deepseek");
    assert_eq!(authorization(&rig).await, format!("Bearer {PROVIDER_KEY}"));
    let shown = rig.command(&["config", "show", "--effective"]).await;
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("dialect = \"deepseek\""), "{shown}");
    assert!(shown.contains("DEEPSEEK_API_KEY") && !shown.contains(PROVIDER_KEY), "{shown}");
}
