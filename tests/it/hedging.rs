//! Hedged requests: a second endpoint is asked when the first is silent for longer than usual. One
//! answer comes, both calls are recorded, and nobody is asked twice without need.
//!
//! The judge of what was asked is the mock's journal.

use super::ledger::Ledger;
use super::rig::{Answer, Connection, Http, Plan, Rig, request};
use super::spender::{self, MANAGER, Spender};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Answers after which it is known how long the first endpoint usually takes.
const USUAL: usize = 24;
/// Requests that come at once where only a share is hedged.
const SLOW: usize = 50;
/// Prices of the endpoints in pico-USD: of a token of the prompt, and of the answer.
const PRICES: [(&str, i128, i128); 3] = [
    ("first", 1_000_000, 2_000_000),
    ("second", 3_000_000, 5_000_000),
    ("third", 7_000_000, 11_000_000),
];

/// Three providers of one model, which is hedged under one of its names; `fast` is the alias of two
/// models that every rig has. `more` is added to each provider.
fn config(more: &str) -> String {
    let provider = |(name, _, _): &(&str, i128, i128)| {
        format!(
            "[providers.{name}]\nformat = \"openai\"\nbase_url = \"http://MOCK_ADDRESS/v1\"\n\
             keys = [{{ insecure_literal = \"sk-{name}\" }}]\n{more}\n"
        )
    };
    let endpoint = |(name, prompt, completion): &(&str, i128, i128)| {
        let [prompt, completion] = [prompt, completion].map(|pico| pico / 1_000_000);
        format!(
            "{{ provider = \"{name}\", upstream_model = \"m-{name}\", \
             price = {{ prompt = \"{prompt}\", completion = \"{completion}\" }} }}"
        )
    };
    let endpoints: Vec<String> = PRICES.iter().map(endpoint).collect();
    let (all, one) = (endpoints.join(", "), &endpoints[0]);
    let models = [("team/m", &all), ("plain/m", &all), ("one/m", one)].map(|(model, endpoints)| {
        format!("[models.\"{model}\"]\nmax_completion_tokens = 1000\nendpoints = [{endpoints}]\n")
    });
    let hedges = ["team/m", "one/m", "fast"].map(|name| {
        format!("[routing.hedge.\"{name}\"]\nmin_silence_ms = 150\nmax_percent = 100\n")
    });
    let providers: String = PRICES.iter().map(provider).collect();
    [providers, models.concat(), hedges.concat()].concat()
}

/// What each of the endpoints does from now on.
async fn script(rig: &Rig, replies: &[(&str, Value)]) {
    let rules: Vec<Value> = replies
        .iter()
        .map(|(name, reply)| {
            let mut reply = reply.clone();
            reply["text"] = json!(format!("from {name}"));
            reply["tokens"] = json!({ "prompt": 100, "completion": 10 });
            json!({ "match": { "model": format!("m-{name}") }, "reply": reply })
        })
        .collect();
    let body = json!(rules).to_string().into();
    let answer = request(rig.mock, Http::One, ("PUT", "/__script"), &[], body).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
}

fn body(model: &str, stream: bool) -> Value {
    json!({
        "model": model, "stream": stream, "max_tokens": 100,
        "messages": [{ "role": "user", "content": "hello" }],
        "provider": { "order": ["first", "second", "third"] },
    })
}

async fn ask(rig: &Rig, model: &str, stream: bool) -> (Answer, Duration) {
    let started = Instant::now();
    let answer = rig.post("/v1/chat/completions", &body(model, stream)).await;
    (answer, started.elapsed())
}

/// A gateway that knows how long the first endpoint usually takes, and whose journal is empty.
async fn used_rig(more: &str, model: &str, stream: bool) -> Rig {
    let rig =
        Rig::with(Plan { more: &format!("{MANAGER}{}", config(more)), ..Plan::default() }).await;
    script(&rig, &[("first", json!({})), ("second", json!({})), ("third", json!({}))]).await;
    for _ in 0..USUAL {
        let (answer, _) = ask(&rig, model, stream).await;
        assert_eq!((answer.status, answer.header("x-arouter-provider")), (200, "first"));
    }
    forget(&rig).await;
    rig
}

async fn forget(rig: &Rig) {
    request(rig.mock, Http::One, ("DELETE", "/__journal"), &[], "".into()).await;
}

/// The endpoints that were asked, as the mock says, once it says so of this many.
async fn asked(rig: &Rig, count: usize) -> Vec<Value> {
    let started = Instant::now();
    loop {
        let journal = rig.journal().await;
        if journal.len() >= count || started.elapsed() > Duration::from_secs(8) {
            assert_eq!(journal.len(), count, "{journal:?}");
            return journal;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn hedges(rig: &Rig, provider: &str, result: &str) -> f64 {
    let series = format!("arouter_hedges_total{{provider=\"{provider}\",result=\"{result}\"}}");
    rig.metric(&series).await
}

/// The record of a request, and that of its second call.
async fn records(rig: &Rig, answer: &Answer) -> (Value, Value) {
    let id = answer.header("x-generation-id");
    let own = rig.generation(id).await;
    let other = rig.generation(&format!("{id}-hedge")).await;
    (own["data"].clone(), other["data"].clone())
}

/// What 100 tokens of the prompt and 10 of the answer cost at an endpoint, in USD.
#[expect(clippy::cast_precision_loss, reason = "amounts of a few micro-USD")]
fn cost(name: &str) -> f64 {
    let (_, prompt, completion) = PRICES.into_iter().find(|price| price.0 == name).unwrap();
    (100 * prompt + 10 * completion) as f64 / 1e12
}

fn assert_cost(record: &Value, expected: f64) {
    let cost = record["total_cost"].as_f64().unwrap();
    assert!((cost - expected).abs() < 1e-12, "{cost} and not {expected}: {record}");
}

#[tokio::test]
async fn the_second_answers_for_a_silent_first() {
    for (cancel, stream, silence) in [
        (true, true, json!({ "delay_ms": 3_000 })),
        (true, true, json!({ "first_token_delay_ms": 3_000 })),
        (true, false, json!({ "delay_ms": 3_000 })),
        (false, true, json!({ "delay_ms": 1_500 })),
        (false, true, json!({ "first_token_delay_ms": 1_500 })),
        (false, false, json!({ "delay_ms": 1_500 })),
    ] {
        let case = format!("honours_cancel {cancel}, stream {stream}, {silence}");
        let rig = used_rig(&format!("honours_cancel = {cancel}"), "team/m", stream).await;
        script(&rig, &[("first", silence), ("second", json!({}))]).await;
        let (answer, took) = ask(&rig, "team/m", stream).await;
        let text = answer.text();
        assert_eq!(answer.status, 200, "{case}: {text}");
        assert!(text.contains("second") && !text.contains("first"), "{case}: {text}");
        assert_eq!(text.matches("\"assistant\"").count(), 1, "{case}: {text}");
        assert!((150..1_400).contains(&took.as_millis()), "{case}: {took:?}");
        let told = (answer.header("x-arouter-provider"), answer.header("x-arouter-attempts"));
        assert_eq!(told, ("second", "2"), "{case}");

        let (own, other) = records(&rig, &answer).await;
        assert_eq!(
            (&own["provider_name"], &own["outcome"]),
            (&json!("second"), &json!("complete"))
        );
        assert_cost(&own, cost("second"));
        assert_eq!(
            (&other["provider_name"], &other["outcome"]),
            (&json!("first"), &json!("cancelled"))
        );
        // Who stops when the connection closes bills nothing for an answer that did not begin.
        assert_cost(&other, if cancel { 0.0 } else { cost("first") });
        let journal = asked(&rig, 2).await;
        let first = journal.iter().find(|entry| entry["model"] == "m-first").unwrap();
        assert_eq!(first["client_closed"], cancel, "{case}: {first}");
        assert_eq!(first["finished"], !cancel, "{case}: {first}");
        assert!((hedges(&rig, "second", "won").await - 1.0).abs() < 0.1, "{case}");
    }
}

#[tokio::test]
async fn the_first_may_still_be_faster() {
    for stream in [true, false] {
        let rig = used_rig("", "team/m", stream).await;
        let (late, later) = (json!({ "delay_ms": 500 }), json!({ "delay_ms": 4_000 }));
        script(&rig, &[("first", late), ("second", later)]).await;
        let (answer, took) = ask(&rig, "team/m", stream).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-arouter-provider"), "first");
        assert!((500..2_000).contains(&took.as_millis()), "{took:?}");
        let (own, other) = records(&rig, &answer).await;
        assert_eq!(own["provider_name"], "first");
        assert_cost(&own, cost("first"));
        assert_eq!(
            (&other["provider_name"], &other["outcome"]),
            (&json!("second"), &json!("cancelled"))
        );
        assert_cost(&other, 0.0);
        asked(&rig, 2).await;
        assert!((hedges(&rig, "second", "lost").await - 1.0).abs() < 0.1);
    }
}

#[tokio::test]
async fn nobody_else_is_asked_without_need() {
    // Nothing is known of the endpoint yet.
    let rig = Rig::with(Plan { more: &config(""), ..Plan::default() }).await;
    script(&rig, &[("first", json!({ "delay_ms": 600 })), ("second", json!({}))]).await;
    for _ in 0..3 {
        let (answer, _) = ask(&rig, "team/m", true).await;
        assert_eq!(answer.header("x-arouter-provider"), "first");
    }
    asked(&rig, 3).await;
    // It answers in time; the name is not hedged; it has one endpoint.
    let rig = used_rig("", "team/m", true).await;
    script(&rig, &[("first", json!({ "delay_ms": 20 })), ("second", json!({}))]).await;
    assert_eq!(ask(&rig, "team/m", true).await.0.header("x-arouter-provider"), "first");
    script(&rig, &[("first", json!({ "delay_ms": 600 })), ("second", json!({}))]).await;
    for model in ["plain/m", "one/m"] {
        let (answer, took) = ask(&rig, model, true).await;
        assert_eq!(answer.header("x-arouter-provider"), "first", "{model}");
        assert!(took >= Duration::from_millis(600), "{model}: {took:?}");
    }
    asked(&rig, 3).await;
}

/// The other model is in another format, too.
#[tokio::test]
async fn an_alias_goes_to_its_other_model() {
    for stream in [true, false] {
        let rig = Rig::with(Plan { more: &config(""), ..Plan::default() }).await;
        let body = json!({
            "model": "fast:nitro", "stream": stream,
            "messages": [{ "role": "user", "content": "hello" }],
        });
        for _ in 0..USUAL {
            let answer = rig.post("/v1/chat/completions", &body).await;
            assert_eq!(answer.header("x-arouter-provider"), "openai", "{}", answer.text());
        }
        let silent = json!([{ "match": { "model": "gpt-*" }, "reply": { "delay_ms": 3_000 } }]);
        request(rig.mock, Http::One, ("PUT", "/__script"), &[], silent.to_string().into()).await;
        let answer = rig.post("/v1/chat/completions", &body).await;
        assert_eq!(answer.header("x-arouter-provider"), "google", "{}", answer.text());
        let (own, other) = records(&rig, &answer).await;
        let models = (&own["model"], &other["model"]);
        assert_eq!(models, (&json!("google/gemini-2.5-flash"), &json!("openai/gpt-5.4")));
    }
}

#[tokio::test]
async fn only_a_share_of_the_requests_is_asked_twice() {
    let some = config("").replace("max_percent = 100", "max_percent = 10");
    let rig = Rig::with(Plan { more: &some, ..Plan::default() }).await;
    script(&rig, &[("first", json!({})), ("second", json!({}))]).await;
    for _ in 0..USUAL {
        ask(&rig, "team/m", true).await;
    }
    forget(&rig).await;
    let late = json!({ "delay_ms": 600 });
    script(&rig, &[("first", late.clone()), ("second", late)]).await;
    let all = futures::future::join_all((0..SLOW).map(|_| ask(&rig, "team/m", true))).await;
    assert!(all.iter().all(|(answer, _)| answer.status == 200));
    let journal = rig.journal().await;
    let second = journal.iter().filter(|entry| entry["model"] == "m-second").count();
    assert!((1..=(USUAL + SLOW) / 10).contains(&second), "{second} of {}", journal.len());
}

#[tokio::test]
async fn whoever_fails_the_other_one_answers() {
    let slow = |reply: Value| {
        let mut reply = reply;
        reply["delay_ms"] = json!(500);
        reply
    };
    for stream in [true, false] {
        // The first fails after the second was asked, and the other way round.
        let rig = used_rig("", "team/m", stream).await;
        let replies = [("first", slow(json!({ "status": 500 }))), ("second", slow(json!({})))];
        script(&rig, &replies).await;
        let (answer, _) = ask(&rig, "team/m", stream).await;
        assert_eq!(answer.header("x-arouter-provider"), "second", "{}", answer.text());
        let (own, other) = records(&rig, &answer).await;
        assert_eq!(own["outcome"], "complete");
        assert_eq!(
            (&other["provider_name"], &other["outcome"]),
            (&json!("first"), &json!("failed"))
        );
        assert_cost(&other, 0.0);
        assert!((hedges(&rig, "second", "rescued").await - 1.0).abs() < 0.1);

        let replies = [("first", slow(json!({}))), ("second", json!({ "status": 500 }))];
        script(&rig, &replies).await;
        let (answer, _) = ask(&rig, "team/m", stream).await;
        assert_eq!(answer.header("x-arouter-provider"), "first", "{}", answer.text());
        assert_cost(&records(&rig, &answer).await.0, cost("first"));

        // Both fail: the third is next, and neither is asked again.
        forget(&rig).await;
        let broken = slow(json!({ "status": 500 }));
        script(&rig, &[("first", broken.clone()), ("second", broken), ("third", json!({}))]).await;
        let (answer, _) = ask(&rig, "team/m", stream).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let told = (answer.header("x-arouter-provider"), answer.header("x-arouter-attempts"));
        assert_eq!(told, ("third", "3"));
        let (own, _) = records(&rig, &answer).await;
        assert_cost(&own, cost("third"));
        asked(&rig, 3).await;
    }
}

#[tokio::test]
async fn a_caller_who_leaves_ends_both() {
    let rig = used_rig("", "team/m", true).await;
    let silent = json!({ "delay_ms": 20_000 });
    script(&rig, &[("first", silent.clone()), ("second", silent)]).await;
    let leaving = async {
        let mut connection = Connection::open(rig.gateway, Http::One).await;
        let body = body("team/m", true).to_string();
        connection.authorized("POST", "/v1/chat/completions", body).await
    };
    assert!(tokio::time::timeout(Duration::from_millis(700), leaving).await.is_err());
    let journal = asked(&rig, 2).await;
    assert!(journal.iter().all(|entry| entry["client_closed"] == true), "{journal:?}");
    assert!((hedges(&rig, "second", "cancelled").await - 1.0).abs() < 0.1);
    let log = rig.log();
    let line = log.lines().rfind(|line| line.contains("\"status\":499")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let id = line["generation_id"].as_str().unwrap();
    for id in [id.to_owned(), format!("{id}-hedge")] {
        let record = rig.generation(&id).await;
        assert_eq!(record["data"]["outcome"], "cancelled", "{record}");
        assert_cost(&record["data"], 0.0);
    }
}

/// The process ends while both calls are under way: each is known to have been sent.
#[tokio::test]
async fn a_crash_loses_neither_call() {
    let mut rig = used_rig("", "team/m", true).await;
    let silent = json!({ "delay_ms": 20_000 });
    script(&rig, &[("first", silent.clone()), ("second", silent)]).await;
    let gateway = rig.gateway;
    let waiting = tokio::spawn(async move {
        let mut connection = Connection::open(gateway, Http::One).await;
        let body = body("team/m", true).to_string();
        connection.authorized("POST", "/v1/chat/completions", body).await
    });
    let started = Instant::now();
    while Ledger::read(&rig).await.open < 2 {
        assert!(started.elapsed() < Duration::from_secs(10), "{}", rig.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    waiting.abort();
    rig.crash_and_restart().await;
    let ledger = Ledger::with_rows(&rig, USUAL + 2, Duration::from_secs(10)).await;
    ledger.assert_conserved();
    let abandoned = ledger.rows.iter().filter(|row| row.outcome == "abandoned");
    let mut found: Vec<_> =
        abandoned.map(|row| (&*row.operation, &*row.provider, row.cost_pico_usd > 0)).collect();
    found.sort_unstable();
    assert_eq!(found, [("chat", "first", true), ("hedge", "second", true)]);
}

/// A strict key has money for one call.
#[tokio::test]
async fn a_second_call_needs_money_of_its_own() {
    let rig = used_rig("", "team/m", true).await;
    script(&rig, &[("first", json!({ "delay_ms": 600 })), ("second", json!({}))]).await;
    let body = body("team/m", true).to_string();
    let dearest = 7_000_000 * (i128::try_from(body.len()).unwrap() + 2_048) + 11_000_000 * 100;
    for (limit, answers, spent) in [(dearest, "first", "first"), (2 * dearest, "second", "second")]
    {
        let settings = json!({ "limit": spender::usd(limit), "budget_mode": "strict" });
        let key = Spender::make(&rig, settings).await;
        let answer = key.chat(&rig, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-arouter-provider"), answers, "{limit}");
        let (_, prompt, completion) = PRICES.into_iter().find(|one| one.0 == spent).unwrap();
        key.wait_for_spent(&rig, 100 * prompt + 10 * completion).await;
    }
}
