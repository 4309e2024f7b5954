//! The cost told in an answer is the cost that is recorded, to the last digit: on every route of
//! OpenAI's shape, whole and streamed, whoever provides.

use crate::rig::{Answer, Plan, Rig};
use serde_json::{Value, json};

/// Models of every provider at prices that need all digits, and a fee per request.
const MODELS: &str = r#"
[models."openai/odd"]
endpoints = [{ provider = "openai", price = { prompt = "0.123457", completion = "1.000001", cache_read = "0.012347", request = "0.000000000007" } }]
[models."responses/odd"]
endpoints = [{ provider = "responses", price = { prompt = "0.123457", completion = "1.000001", cache_read = "0.012347", request = "0.000000000007" } }]
[models."anthropic/odd"]
endpoints = [{ provider = "anthropic", price = { prompt = "3.000001", completion = "15.000007", cache_read = "0.300001" } }]
[models."google/odd"]
endpoints = [{ provider = "google", price = { prompt = "0.300001", completion = "2.500003" } }]
"#;

const PROVIDERS: [&str; 4] = ["openai", "responses", "anthropic", "google"];

/// A route of OpenAI's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Chat,
    Completions,
    Responses,
}

impl Route {
    const ALL: [Self; 3] = [Self::Chat, Self::Completions, Self::Responses];

    async fn ask(self, rig: &Rig, model: &str, stream: bool, reply: &Value) -> Answer {
        let text = format!("[[mock {reply}]]");
        let (path, body) = match self {
            Self::Chat => (
                "/v1/chat/completions",
                json!({
                    "model": model, "stream": stream, "max_tokens": 4000,
                    "stream_options": { "include_usage": true },
                    "messages": [{ "role": "user", "content": text }],
                }),
            ),
            Self::Completions => (
                "/v1/completions",
                json!({
                    "model": model, "stream": stream, "max_tokens": 4000, "prompt": text,
                    "stream_options": { "include_usage": true },
                }),
            ),
            Self::Responses => {
                ("/v1/responses", json!({ "model": model, "stream": stream, "input": text }))
            }
        };
        rig.post(path, &body).await
    }

    /// Whether the provider's bytes pass.
    fn is_own_format(self, provider: &str) -> bool {
        matches!((self, provider), (Self::Chat, "openai") | (Self::Responses, "responses"))
    }

    /// Names of the costs of the two sides, and of their tokens.
    fn words(self) -> [&'static str; 4] {
        match self {
            Self::Chat | Self::Completions => [
                "upstream_inference_prompt_cost",
                "upstream_inference_completions_cost",
                "prompt_tokens",
                "completion_tokens",
            ],
            Self::Responses => [
                "upstream_inference_input_cost",
                "upstream_inference_output_cost",
                "input_tokens",
                "output_tokens",
            ],
        }
    }
}

/// A value as it is written, the last one of this name.
fn last<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.rsplit_once(&format!("\"{name}\":"))?;
    rest.split([',', '}']).next().map(str::trim)
}

async fn record(rig: &Rig, answer: &Answer) -> String {
    let id = answer.header("x-generation-id");
    rig.generation(id).await;
    rig.get(&format!("/api/v1/generation?id={id}")).await.text()
}

/// The answer and its record say the same.
fn check(what: &str, words: [&str; 4], answer: &str, record: &str) {
    let [prompt_cost, completion_cost, prompt, completion] = words;
    for (told, recorded) in [
        ("cost", "total_cost"),
        (prompt_cost, "upstream_inference_prompt_cost"),
        (completion_cost, "upstream_inference_completions_cost"),
        (prompt, "prompt_tokens"),
        (completion, "completion_tokens"),
    ] {
        let (told, found) = (last(answer, told), last(record, recorded));
        assert!(told.is_some() && told == found, "{what}: {told:?} {found:?}\n{answer}\n{record}");
    }
    assert_eq!(last(answer, "is_byok"), Some("false"), "{what}: {answer}");
    assert_eq!(last(answer, "upstream_inference_cost"), Some("null"), "{what}: {answer}");
}

#[tokio::test]
async fn the_cost_in_an_answer_is_the_cost_of_its_record() {
    let rig = Rig::with(Plan { more: MODELS, ..Plan::default() }).await;
    let replies = [
        json!({}),
        json!({ "tokens": { "prompt": 1_234_567, "completion": 76_543, "cached": 640 } }),
        json!({ "tokens": { "prompt": 31, "completion": 57, "reasoning": 20 } }),
        json!({ "usage_zero": true }),
    ];
    let mut answers = Vec::new();
    for route in Route::ALL {
        for provider in PROVIDERS {
            let model = format!("{provider}/odd");
            for (reply, stream) in replies.iter().flat_map(|reply| [(reply, false), (reply, true)])
            {
                let what = format!("{route:?} at {provider}, {reply}, stream {stream}");
                let answer = route.ask(&rig, &model, stream, reply).await;
                assert_eq!(answer.status, 200, "{what}: {}", answer.text());
                let has_fee = ["openai", "responses"].contains(&provider);
                let costs_nothing = reply["usage_zero"] == true && !has_fee;
                answers.push((what, route, answer, costs_nothing));
            }
        }
    }
    for (what, route, answer, costs_nothing) in answers {
        let record = record(&rig, &answer).await;
        check(&what, route.words(), &answer.text(), &record);
        let is_zero = last(&record, "total_cost") == Some("0");
        assert_eq!(is_zero, costs_nothing, "{what}: {record}");
    }
}

/// What the provider does not count is estimated: the answer tells the recorded estimate, or, if
/// it passes as it is and has no usage, nothing.
#[tokio::test]
async fn an_estimate_is_told_as_it_is_recorded() {
    let rig = Rig::with(Plan { more: MODELS, ..Plan::default() }).await;
    let reply = json!({ "omit_usage": true, "text": "x".repeat(403) });
    for route in Route::ALL {
        for provider in PROVIDERS {
            for stream in [false, true] {
                let what = format!("{route:?} at {provider}, stream {stream}");
                let answer = route.ask(&rig, &format!("{provider}/odd"), stream, &reply).await;
                let text = answer.text();
                let record = record(&rig, &answer).await;
                assert_eq!(last(&record, "usage_estimated"), Some("true"), "{what}: {record}");
                assert_ne!(last(&record, "total_cost"), Some("0"), "{what}: {record}");
                if route.is_own_format(provider) {
                    assert!(!text.contains("\"cost\""), "{what}: {text}");
                } else {
                    check(&what, route.words(), &text, &record);
                }
            }
        }
    }
}

/// An answer without a token is free if the provider withheld it, and costs its prompt if the
/// caller allowed none.
#[tokio::test]
async fn an_empty_answer_tells_whether_it_is_insured() {
    let rig = Rig::with(Plan { more: MODELS, ..Plan::default() }).await;
    for (finish, is_free) in [("length", false), ("content_filter", true)] {
        let reply = json!({
            "text": "", "finish": finish, "tokens": { "prompt": 1001, "completion": 0 },
        });
        for route in [Route::Chat, Route::Completions, Route::Responses] {
            for stream in [false, true] {
                let what = format!("{route:?}, {finish}, stream {stream}");
                let answer = route.ask(&rig, "openai/odd", stream, &reply).await;
                assert_eq!(answer.status, 200, "{what}: {}", answer.text());
                let record = record(&rig, &answer).await;
                check(&what, route.words(), &answer.text(), &record);
                // 1001 × 0.123457 / 10⁶ and the fee.
                let expected = if is_free { "0" } else { "0.000123580464" };
                assert_eq!(last(&record, "total_cost"), Some(expected), "{what}: {record}");
            }
        }
    }
}

#[tokio::test]
async fn embeddings_tell_their_cost() {
    let rig = Rig::with(Plan { more: MODELS, ..Plan::default() }).await;
    for provider in ["openai", "google"] {
        for encoding in ["float", "base64"] {
            let what = format!("{provider}, {encoding}");
            let body = json!({
                "model": format!("{provider}/odd"), "input": ["one two", "three"],
                "encoding_format": encoding,
            });
            let answer = rig.post("/v1/embeddings", &body).await;
            assert_eq!(answer.status, 200, "{what}: {}", answer.text());
            let record = record(&rig, &answer).await;
            let text = answer.text();
            assert_eq!(last(&text, "cost"), last(&record, "total_cost"), "{what}: {text} {record}");
            assert_ne!(last(&text, "cost"), Some("0"), "{what}: {text}");
            let told = &answer.json()["usage"]["prompt_tokens"];
            let kept = &serde_json::from_str::<Value>(&record).unwrap()["usage"]["prompt_tokens"];
            assert_eq!(told, kept, "{what}");
        }
    }
}

#[tokio::test]
async fn a_provider_that_the_caller_pays_itself_is_named() {
    let more = MODELS;
    let rig = Rig::with(Plan { more, provider: "byok = true", ..Plan::default() }).await;
    for provider in PROVIDERS {
        for stream in [false, true] {
            let model = format!("{provider}/odd");
            let text = Route::Chat.ask(&rig, &model, stream, &json!({})).await.text();
            assert_eq!(last(&text, "is_byok"), Some("true"), "{text}");
            let cost = last(&text, "cost").filter(|cost| *cost != "0");
            assert!(cost.is_some() && last(&text, "upstream_inference_cost") == cost, "{text}");
        }
    }
}

/// Without a known price nothing is charged, which is told too; the vendors' own formats stay as
/// they are.
#[tokio::test]
async fn unknown_prices_are_zero_and_native_answers_say_nothing() {
    let rig = Rig::with(Plan { more: MODELS, ..Plan::default() }).await;
    for stream in [false, true] {
        let answer = Route::Chat.ask(&rig, "openai/unpriced", stream, &json!({})).await;
        assert_eq!(last(&answer.text(), "cost"), Some("0"), "{}", answer.text());
        for (path, model) in [
            ("/v1/messages", "anthropic/odd"),
            ("/v1/messages", "openai/odd"),
            ("/v1beta/models/google%2Fodd", ""),
        ] {
            let text = "hello";
            let answer = if model.is_empty() {
                let body = json!({ "contents": [{ "role": "user", "parts": [{ "text": text }] }] });
                let call = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
                rig.post(&format!("{path}:{call}"), &body).await
            } else {
                let body = json!({
                    "model": model, "max_tokens": 100, "stream": stream,
                    "messages": [{ "role": "user", "content": text }],
                });
                rig.post(path, &body).await
            };
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            assert!(!answer.text().contains("cost"), "{path}: {}", answer.text());
        }
    }
}
