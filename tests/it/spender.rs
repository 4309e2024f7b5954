//! A key with limits, made over the API: what is asked with it, and what it is said to have spent.

use crate::rig::{Answer, Connection, Http, Rig};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Tables of a configuration with the management key that all of this needs.
pub const MANAGER: &str = r#"
[keys.manager]
secret = { insecure_literal = "lr_mgmt_spender_0123456789abcdef0123456789abcdef" }
kind = "management"
"#;
const MANAGER_KEY: &str = "lr_mgmt_spender_0123456789abcdef0123456789abcdef";

/// The model that is asked, at 2.5 and 10 USD for a million tokens.
pub const MODEL: &str = "openai/gpt-5.4";
pub const PROMPT_PICO_USD: i128 = 2_500_000;
pub const COMPLETION_PICO_USD: i128 = 10_000_000;
/// What an answer of `ask` costs: 1000 and 100 tokens.
pub const COST: i128 = 1_000 * PROMPT_PICO_USD + 100 * COMPLETION_PICO_USD;

/// Connections of clients that ask in parallel.
const CLIENTS: usize = 64;

/// Calls with the management key.
pub async fn manage(rig: &Rig, method: &str, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    rig.send(method, path, &[("x-api-key", MANAGER_KEY)], body).await
}

/// An amount in the text of an answer, in pico-USD.
pub fn pico(text: &str, name: &str) -> i128 {
    let (_, rest) = text.split_once(&format!("\"{name}\":")).unwrap_or_else(|| panic!("{text}"));
    let number = rest.split([',', '}']).next().unwrap();
    let (sign, digits) = number.strip_prefix('-').map_or((1, number), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    sign * format!("{whole}{fraction:0<12}").parse::<i128>().unwrap()
}

/// An amount as the API takes it.
pub fn usd(pico_usd: i128) -> String {
    format!("{}.{:012}", pico_usd / 1_000_000_000_000, pico_usd % 1_000_000_000_000)
}

/// A chat request that costs [`COST`] once it is answered; `reply` tells what else the provider
/// does.
pub fn ask(stream: bool, reply: &Value) -> String {
    ask_of(MODEL, stream, reply)
}

/// The same of another model.
pub fn ask_of(model: &str, stream: bool, reply: &Value) -> String {
    let mut told = json!({ "tokens": { "prompt": 1_000, "completion": 100 } });
    told.as_object_mut().unwrap().extend(reply.as_object().unwrap().clone());
    let content = format!("[[mock {told}]]");
    let messages = json!([{ "role": "user", "content": content }]);
    json!({ "model": model, "max_tokens": 100, "stream": stream, "messages": messages }).to_string()
}

/// What a strict key holds for such a request.
pub fn strict_hold(body: &str) -> i128 {
    (i128::try_from(body.len()).unwrap() + 2_048) * PROMPT_PICO_USD + 100 * COMPLETION_PICO_USD
}

/// A key and its secret.
pub struct Spender {
    pub hash: String,
    pub secret: String,
}

impl Spender {
    /// Makes a key with these settings.
    pub async fn make(rig: &Rig, mut settings: Value) -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        settings["name"] = json!(format!("spender {}", MADE.fetch_add(1, Ordering::Relaxed)));
        let answer = manage(rig, "POST", "/api/v1/keys", &settings).await;
        assert_eq!(answer.status, 201, "{settings}: {}", answer.text());
        let made = answer.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self { hash: text(&made["data"]["hash"]), secret: text(&made["key"]) }
    }

    /// Changes its settings.
    pub async fn change(&self, rig: &Rig, settings: Value) {
        let path = format!("/api/v1/keys/{}", self.hash);
        let answer = manage(rig, "PATCH", &path, &settings).await;
        assert_eq!(answer.status, 200, "{settings}: {}", answer.text());
    }

    /// Posts a body.
    pub async fn post(&self, rig: &Rig, path: &str, body: &str) -> Answer {
        let headers = [("x-api-key", self.secret.as_str()), ("content-type", "application/json")];
        rig.send("POST", path, &headers, body.to_owned()).await
    }

    /// Asks for a chat answer.
    pub async fn chat(&self, rig: &Rig, body: &str) -> Answer {
        self.post(rig, "/api/v1/chat/completions", body).await
    }

    /// Asks for the same so many times over 64 connections at once.
    pub async fn chat_at_once(&self, rig: &Rig, count: usize, body: &str) -> Vec<Answer> {
        let left = Arc::new(AtomicUsize::new(count));
        let clients = (0..CLIENTS.min(count)).map(|_| {
            let (left, gateway) = (Arc::clone(&left), rig.gateway);
            let (secret, body) = (self.secret.clone(), body.to_owned());
            tokio::spawn(async move {
                let mut connection = Connection::open(gateway, Http::One).await;
                let mut answers = Vec::new();
                let take = |left: usize| left.checked_sub(1);
                while left.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_ok() {
                    let headers = [("x-api-key", secret.as_str())];
                    let target = ("POST", "/api/v1/chat/completions");
                    answers.push(connection.send(target, &headers, body.clone().into()).await);
                }
                answers
            })
        });
        let answers = futures::future::join_all(clients).await;
        let answers: Vec<Answer> = answers.into_iter().flat_map(Result::unwrap).collect();
        assert_eq!(answers.len(), count);
        answers
    }

    /// The record of one of its requests, waited for.
    pub async fn record(&self, rig: &Rig, id: &str) -> String {
        let (started, path) = (Instant::now(), format!("/api/v1/generation?id={id}"));
        loop {
            let answer = rig.send("GET", &path, &[("x-api-key", &self.secret)], "").await;
            if answer.status == 200 {
                return answer.text();
            }
            assert!(started.elapsed() < Duration::from_secs(10), "{}", answer.text());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the API says that it spent, of its own money.
    pub async fn spent(&self, rig: &Rig) -> i128 {
        pico(&self.shown(rig).await, "usage")
    }

    /// How the API shows it.
    pub async fn shown(&self, rig: &Rig) -> String {
        let path = format!("/api/v1/keys/{}", self.hash);
        manage(rig, "GET", &path, &Value::Null).await.text()
    }

    /// Waits until the API says that it spent this.
    pub async fn wait_for_spent(&self, rig: &Rig, expected: i128) {
        let started = Instant::now();
        while self.spent(rig).await != expected {
            let shown = self.shown(rig).await;
            assert!(started.elapsed() < Duration::from_secs(10), "{expected}: {shown}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}

/// What is left on the account.
pub async fn balance(rig: &Rig) -> i128 {
    pico(&manage(rig, "GET", "/api/v1/balance", &Value::Null).await.text(), "balance")
}

/// Why a request was refused.
pub fn reason(answer: &Answer) -> String {
    answer.json()["error"]["metadata"]["reason"].as_str().unwrap_or_default().to_owned()
}
