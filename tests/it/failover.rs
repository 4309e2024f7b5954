//! Every way to fail before the first content, at one key, at a whole provider and at a whole
//! model: the next one answers, the caller sees nothing of it but in the metadata it asked for,
//! and only the attempt that answered is paid.

use super::rig::{Answer, Http, KEY, Plan, Rig, free_address, request};
use futures::StreamExt;
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Short limits; the opening events of a stream are released after two seconds.
const TIMES: &str = "timeouts = { connect_ms = 1500, first_byte_ms = 1500, first_token_ms = 1500, \
idle_ms = 1500, total_ms = 30000 }";

/// Where the failing providers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the mock, which fails as told.
    Mock,
    /// At a port that nobody listens on.
    ClosedPort,
    /// At a name that has no address.
    NoSuchHost,
    /// At the mock, which does not speak TLS.
    NotTls,
}

/// A way to fail.
#[derive(Debug, Clone)]
struct Class {
    reply: Value,
    place: Place,
    format: &'static str,
    error: &'static str,
    /// Whether another key of the same provider is asked.
    is_the_keys: bool,
    modes: &'static [bool],
}

const BOTH: &[bool] = &[false, true];
const STREAM: &[bool] = &[true];
const WHOLE: &[bool] = &[false];

fn class(error: &'static str, reply: Value) -> Class {
    let (place, format) = (Place::Mock, "openai");
    Class { reply, place, format, error, is_the_keys: false, modes: BOTH }
}

fn classes() -> Vec<Class> {
    let gone = "provider_unavailable";
    let keys = [
        (gone, json!({ "status": 401 })),
        (gone, json!({ "error": "payment_required" })),
        (gone, json!({ "status": 403 })),
        ("rate_limit_exceeded", json!({ "status": 429, "retry_after": 7 })),
        (gone, json!({ "error": "quota" })),
    ];
    let both = [
        (gone, json!({ "fault": "reset_before_header" })),
        (gone, json!({ "fault": "close_before_header" })),
        (gone, json!({ "fault": "garbage" })),
        (gone, json!({ "status": 500 })),
        (gone, json!({ "status": 502 })),
        ("provider_overloaded", json!({ "status": 503 })),
        ("provider_overloaded", json!({ "status": 529 })),
        ("timeout", json!({ "status": 504 })),
        ("timeout", json!({ "status": 408 })),
        (gone, json!({ "status": 302, "headers": { "location": "http://127.0.0.1:1/" } })),
        (gone, json!({ "status": 204 })),
        (gone, json!({ "raw_body": "<html>oops</html>" })),
        (gone, json!({ "raw_body": "" })),
        (gone, json!({ "raw_body": "not JSON", "content_type": "application/json" })),
        (
            gone,
            json!({ "raw_body": "{\"error\":{\"message\":\"no\"}}", "content_type": "application/json" }),
        ),
        ("timeout", json!({ "delay_ms": 20_000 })),
    ];
    let streams = ["reset_after", "close_after", "end_after", "stall_after", "error_after"];
    let streams = streams.iter().flat_map(|fault| {
        let error = match *fault {
            "stall_after" => "timeout",
            "error_after" => "provider_overloaded",
            _ => gone,
        };
        [json!(0), json!("start")].map(|at| class(error, json!({ "fault": { *fault: at } })))
    });
    let wholes = ["right_length", "wrong_length"]
        .map(|cut| class(gone, json!({ "fault": { "truncate_json": cut } })));
    let mut all: Vec<Class> = both.map(|(error, reply)| class(error, reply)).into();
    all.extend(keys.map(|(error, reply)| Class { is_the_keys: true, ..class(error, reply) }));
    all.extend(streams.map(|class| Class { modes: STREAM, ..class }));
    all.extend(wholes.map(|class| Class { modes: WHOLE, ..class }));
    for place in [Place::ClosedPort, Place::NoSuchHost, Place::NotTls] {
        all.push(Class { place, ..class(gone, json!({})) });
    }
    for format in ["anthropic", "gemini", "responses"] {
        let overloaded = class("provider_overloaded", json!({ "status": 503 }));
        all.push(Class { format, ..overloaded });
        let in_stream = class("provider_overloaded", json!({ "fault": { "error_after": 0 } }));
        all.push(Class { format, modes: STREAM, ..in_stream });
        let cut = class(gone, json!({ "fault": { "truncate_json": "right_length" } }));
        all.push(Class { format, modes: WHOLE, ..cut });
    }
    all
}

/// How far the failure reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Key,
    Provider,
    Model,
}

/// A failure, how it is met, and what is made for it in the configuration.
#[derive(Debug, Clone)]
struct Case {
    class: Class,
    reach: Reach,
    stream: bool,
    id: String,
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for class in classes() {
        for reach in [Reach::Key, Reach::Provider, Reach::Model] {
            if reach == Reach::Key && !class.is_the_keys {
                continue;
            }
            for stream in class.modes {
                let id = format!("{:03}", all.len());
                all.push(Case { class: class.clone(), reach, stream: *stream, id });
            }
        }
    }
    all
}

impl Case {
    /// Two providers of one model and one of another; the last and only the last is fine.
    fn config(&self, mock: &str) -> String {
        let Self { class, id, .. } = self;
        let root = match class.place {
            Place::Mock => format!("http://{mock}"),
            Place::ClosedPort => format!("http://{}", free_address()),
            Place::NoSuchHost => "https://no-such-host.invalid".to_owned(),
            Place::NotTls => format!("https://{mock}"),
        };
        let path = if matches!(class.format, "openai" | "responses") { "/v1" } else { "" };
        let mut text = String::new();
        let failing = (class.format, format!("{root}{path}"));
        let fine = ("openai", format!("http://{mock}/v1"));
        for (name, (format, base)) in [("a", &failing), ("b", &failing), ("c", &fine)] {
            write!(
                text,
                "[providers.p{id}{name}]\nformat = \"{format}\"\nbase_url = \"{base}\"\n\
                 keys = [{{ insecure_literal = \"sk-{id}-1111\" }}, {{ insecure_literal = \"sk-{id}-2222\" }}]\n\
                 {TIMES}\n"
            )
            .unwrap();
        }
        let endpoint = |name: &str| {
            format!(
                "{{ provider = \"p{id}{name}\", upstream_model = \"m{id}{name}\", \
                 price = {{ prompt = \"1\", completion = \"2\" }} }}"
            )
        };
        let first = match self.reach {
            // The last of the models is then not needed, but there.
            Reach::Key => endpoint("a"),
            Reach::Provider => format!("{}, {}", endpoint("a"), endpoint("c")),
            Reach::Model => format!("{}, {}", endpoint("a"), endpoint("b")),
        };
        write!(
            text,
            "[models.\"x{id}/m\"]\nendpoints = [{first}]\nmax_completion_tokens = 1000\n\
             [models.\"y{id}/m\"]\nendpoints = [{}]\n",
            endpoint("c")
        )
        .unwrap();
        text
    }

    fn rules(&self) -> Vec<Value> {
        let reply = &self.class.reply;
        let failing = |name: &str| json!({ "model": format!("m{}{name}", self.id) });
        match self.reach {
            Reach::Key => {
                let first = json!({ "model": format!("m{}a", self.id), "nth": [1] });
                vec![json!({ "match": first, "reply": reply })]
            }
            Reach::Provider => vec![json!({ "match": failing("a"), "reply": reply })],
            Reach::Model => {
                ["a", "b"].map(|name| json!({ "match": failing(name), "reply": reply })).into()
            }
        }
    }

    /// Attempts that fail. A provider is asked with each of its keys where it is a key's failure.
    fn failures(&self) -> usize {
        match (self.reach, self.class.is_the_keys) {
            (Reach::Key, _) | (Reach::Provider, false) => 1,
            (Reach::Provider, true) | (Reach::Model, false) => 2,
            (Reach::Model, true) => 4,
        }
    }

    fn answers(&self) -> String {
        format!("{}{}", self.id, if self.reach == Reach::Key { "a" } else { "c" })
    }

    async fn ask(&self, rig: &Rig) -> Answer {
        let models = match self.reach {
            Reach::Model => vec![format!("x{}/m", self.id), format!("y{}/m", self.id)],
            _ => vec![format!("x{}/m", self.id)],
        };
        let order = ["a", "b", "c"].map(|name| format!("p{}{name}", self.id));
        let body = json!({
            "models": models, "stream": self.stream,
            // Prices that are alike would be drawn for.
            "provider": { "order": order },
            "messages": [{ "role": "user", "content": "to be rescued" }],
        });
        ask(rig, &body).await
    }

    async fn check(&self, rig: &Rig) {
        let case = format!("{self:?}");
        let answer = self.ask(rig).await;
        let text = answer.text();
        assert_eq!(answer.status, 200, "{case}: {text}");
        assert_eq!(text.matches("saved").count(), 1, "{case}: {text}");
        assert!(!text.contains("\"error\""), "{case}: {text}");
        let told = if self.stream {
            assert!(text.ends_with("data: [DONE]\n\n"), "{case}: {text}");
            assert_eq!(text.matches("\"role\":\"assistant\"").count(), 1, "{case}: {text}");
            last_chunk(&text)
        } else {
            answer.json()
        };
        self.check_metadata(&told["openrouter_metadata"], &case);
        let attempts = (self.failures() + 1).to_string();
        assert_eq!(answer.header("x-arouter-attempts"), attempts, "{case}");
        assert_eq!(answer.header("x-arouter-provider"), format!("p{}", self.answers()), "{case}");
        self.check_record(rig, answer.header("x-generation-id"), &case).await;
    }

    fn check_metadata(&self, metadata: &Value, case: &str) {
        let attempts = metadata["attempts"].as_array().unwrap_or_else(|| panic!("{metadata}"));
        assert_eq!(attempts.len(), self.failures() + 1, "{case}: {metadata}");
        let (last, failed) = attempts.split_last().unwrap();
        assert_eq!(last["status"], 200, "{case}: {metadata}");
        assert!(failed.iter().all(|one| one["status"].as_u64() > Some(400)), "{metadata}");
        assert!(failed.iter().all(|one| one["status"] != 401), "{case}: {metadata}");
        assert_eq!(metadata["attempt"].as_u64(), u64::try_from(attempts.len()).ok());
        let several = self.reach == Reach::Model;
        assert_eq!(metadata["strategy"], if several { "fallback" } else { "direct" }, "{metadata}");
        let available = metadata["endpoints"]["available"].as_array().unwrap();
        let selected: Vec<&Value> =
            available.iter().filter(|endpoint| endpoint["selected"] == true).collect();
        assert_eq!(selected.len(), 1, "{case}: {metadata}");
        assert_eq!(selected[0]["provider"], last["provider"], "{case}: {metadata}");
    }

    /// The mock's journal is the judge of what is paid.
    async fn check_record(&self, rig: &Rig, id: &str, case: &str) {
        let record = rig.generation(id).await;
        let data = &record["data"];
        let told = data["provider_responses"].as_array().unwrap();
        assert_eq!(told.len(), self.failures() + 1, "{case}: {record}");
        let errors = told.iter().filter(|one| one["error"] == self.class.error).count();
        assert_eq!(errors, self.failures(), "{case}: {record}");
        let answering = format!("m{}", self.answers());
        let paid: Vec<Value> = rig
            .journal()
            .await
            .into_iter()
            .filter(|entry| {
                entry["model"] == *answering && entry["status"] == 200 && entry["finished"] == true
            })
            .collect();
        assert_eq!(paid.len(), 1, "{case}: {paid:?}");
        let count = |name: &str| paid[0][name].as_u64().unwrap();
        let (prompt, completion) = (count("prompt_tokens"), count("completion_tokens"));
        assert_eq!(data["native_tokens_prompt"], prompt, "{case}: {record}");
        assert_eq!(data["native_tokens_completion"], completion, "{case}: {record}");
        #[expect(clippy::cast_precision_loss, reason = "a few tokens")]
        let cost = (prompt + 2 * completion) as f64 / 1e6;
        let told = data["total_cost"].as_f64().unwrap();
        assert!((told - cost).abs() < 1e-12, "{case}: {told} instead of {cost}");
    }
}

/// The chunk before `[DONE]`.
fn last_chunk(text: &str) -> Value {
    let events: Vec<&str> = text.split("\n\n").filter(|event| !event.is_empty()).collect();
    let last = events[events.len() - 2];
    serde_json::from_str(last.strip_prefix("data: ").unwrap()).unwrap()
}

async fn ask(rig: &Rig, body: &Value) -> Answer {
    let auth = format!("Bearer {KEY}");
    let headers = [
        ("authorization", auth.as_str()),
        ("content-type", "application/json"),
        ("x-openrouter-metadata", "enabled"),
    ];
    rig.send("POST", "/v1/chat/completions", &headers, body.to_string()).await
}

async fn script(rig: &Rig, rules: &[Value]) {
    let body = json!(rules).to_string().into();
    let answer = request(rig.mock, Http::One, ("PUT", "/__script"), &[], body).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
}

#[tokio::test]
async fn whatever_fails_the_next_one_answers() {
    let cases = cases();
    assert!(cases.len() > 120, "{}", cases.len());
    let more: String = cases.iter().map(|case| case.config("MOCK_ADDRESS")).collect();
    let rig = Rig::with(Plan { more: &more, ..Plan::default() }).await;
    let mut rules: Vec<Value> = cases.iter().flat_map(Case::rules).collect();
    rules.push(json!({ "reply": { "text": "saved" } }));
    script(&rig, &rules).await;
    let all = cases.iter().map(|case| case.check(&rig));
    futures::stream::iter(all).buffer_unordered(12).collect::<()>().await;
    // A provider's refused key was asked once by each request that met it, and never by another.
    let journal = rig.journal().await;
    for case in cases.iter().filter(|case| case.reach == Reach::Key) {
        let model = format!("m{}a", case.id);
        let calls: Vec<&Value> = journal.iter().filter(|entry| entry["model"] == *model).collect();
        assert_eq!(calls.len(), 2, "{case:?}");
        assert_ne!(calls[0]["key_suffix"], calls[1]["key_suffix"], "{case:?}");
    }
}

/// Three providers of one model and one of another, all told apart by the name they know it by.
fn four(more: &str) -> String {
    let providers: Vec<String> = ["one", "two", "three", "four"]
        .iter()
        .map(|name| {
            format!(
                "[providers.{name}]\nformat = \"openai\"\nbase_url = \"http://MOCK_ADDRESS/v1\"\n\
                 keys = [{{ insecure_literal = \"sk-{name}\" }}]\n{TIMES}\n"
            )
        })
        .collect();
    let endpoint =
        |name: &str| format!("{{ provider = \"{name}\", upstream_model = \"m-{name}\" }}");
    let several = ["one", "two", "three"].map(endpoint).join(", ");
    format!(
        "{}[models.\"x/m\"]\nendpoints = [{several}]\n\
         [models.\"y/m\"]\nendpoints = [{}]\n{more}\n",
        providers.concat(),
        endpoint("four")
    )
}

/// Names of the models that were asked since the start.
async fn asked(rig: &Rig) -> Vec<String> {
    let name = |entry: &Value| entry["model"].as_str().unwrap().to_owned();
    rig.journal().await.iter().map(name).collect()
}

fn body(models: &[&str]) -> Value {
    json!({ "models": models, "messages": [{ "role": "user", "content": "hello" }] })
}

#[tokio::test]
async fn what_a_model_refuses_goes_to_the_next_model_and_not_to_its_other_providers() {
    for error in ["context_length", "content_filter"] {
        let rig = Rig::with(Plan { more: &four(""), ..Plan::default() }).await;
        let refuses = json!({ "match": { "model": "m-one" }, "reply": { "error": error } });
        script(&rig, &[refuses]).await;
        let alone = ask(&rig, &body(&["x/m"])).await;
        assert_eq!(alone.status, 400, "{}", alone.text());
        assert_eq!(asked(&rig).await, ["m-one"], "{error}");
        let several = ask(&rig, &body(&["x/m", "y/m"])).await;
        assert_eq!(several.status, 200, "{}", several.text());
        assert_eq!(asked(&rig).await, ["m-one", "m-one", "m-four"], "{error}");
    }
}

#[tokio::test]
async fn each_switch_keeps_its_refusals_with_the_caller() {
    let off = "[routing]\nfallback_on_context_length = false";
    let rig = Rig::with(Plan { more: &four(off), ..Plan::default() }).await;
    for (error, status) in [("context_length", 400), ("content_filter", 200)] {
        let refuses = json!({ "match": { "model": "m-one" }, "reply": { "error": error } });
        script(&rig, &[refuses]).await;
        let answer = ask(&rig, &body(&["x/m", "y/m"])).await;
        assert_eq!(answer.status, status, "{error}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_mistake_of_the_caller_is_told_at_once() {
    let rig = Rig::with(Plan { more: &four(""), ..Plan::default() }).await;
    for (status, reply) in [
        (400, json!({ "error": "invalid_request" })),
        (404, json!({ "error": "not_found" })),
        (413, json!({ "error": "too_large" })),
        (422, json!({ "status": 422 })),
    ] {
        let before = asked(&rig).await.len();
        script(&rig, &[json!({ "reply": reply })]).await;
        let answer = ask(&rig, &body(&["x/m", "y/m"])).await;
        assert_eq!(answer.status, status, "{reply}: {}", answer.text());
        assert_eq!(asked(&rig).await.len(), before + 1, "{reply}");
    }
}

#[tokio::test]
async fn no_more_attempts_are_made_than_allowed() {
    let more = four("[routing]\nmax_attempts = 2");
    let rig = Rig::with(Plan { more: &more, ..Plan::default() }).await;
    script(&rig, &[json!({ "reply": { "status": 500 } })]).await;
    let answer = ask(&rig, &body(&["x/m", "y/m"])).await;
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert_eq!(asked(&rig).await, ["m-one", "m-two"]);
    assert_eq!(answer.header("x-arouter-attempts"), "2");
    let metadata = &answer.json()["openrouter_metadata"];
    assert_eq!(metadata["attempts"].as_array().unwrap().len(), 2, "{metadata}");
    let line = "one:provider_unavailable two:provider_unavailable";
    let started = Instant::now();
    while !rig.log().contains(line) {
        assert!(started.elapsed() < Duration::from_secs(5), "{}", rig.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn all_limited_is_a_limit_with_the_smallest_wait() {
    let rig = Rig::with(Plan { more: &four(""), ..Plan::default() }).await;
    let limited = |model: &str, wait_s: u64| json!({ "match": { "model": model }, "reply": { "status": 429, "retry_after": wait_s } });
    script(&rig, &[limited("m-one", 30), limited("m-two", 9), limited("m-three", 20)]).await;
    let answer = ask(&rig, &body(&["x/m"])).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, "9"), "{}", answer.text());
    let calls = asked(&rig).await.len();

    // Nobody is asked again before that, and the answer comes at once.
    let started = Instant::now();
    let answer = ask(&rig, &body(&["x/m"])).await;
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    assert_eq!(answer.status, 429, "{}", answer.text());
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=9).contains(&wait), "{wait}");
    assert_eq!(asked(&rig).await.len(), calls);
    assert_eq!(answer.header("x-arouter-attempts"), "");
}

#[tokio::test]
async fn an_endpoint_that_fails_too_often_is_refused_at_once() {
    let more = four("[routing.breaker]\nconsecutive_failures = 3\nopen_s = 20");
    let rig = Rig::with(Plan { more: &more, ..Plan::default() }).await;
    script(&rig, &[json!({ "match": { "model": "m-four" }, "reply": { "status": 500 } })]).await;
    for _ in 0..3 {
        assert_eq!(ask(&rig, &body(&["y/m"])).await.status, 502);
    }
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let started = Instant::now();
        let mut asked = body(&[]);
        asked["model"] = json!("y/m");
        asked["max_tokens"] = json!(10);
        let answer = rig.post(path, &asked).await;
        assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
        let status = if path == "/v1/messages" { 529 } else { 503 };
        assert_eq!(answer.status, status, "{}", answer.text());
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((15..=21).contains(&wait), "{wait}");
        assert!(answer.text().contains("overloaded"), "{}", answer.text());
    }
    assert_eq!(asked(&rig).await.len(), 3, "nobody is asked");
    // Another model of the same request is asked without an attempt at this one.
    let answer = ask(&rig, &body(&["y/m", "x/m"])).await;
    assert_eq!((answer.status, answer.header("x-arouter-attempts")), (200, "1"));
    assert_eq!(asked(&rig).await.last().unwrap(), "m-one");
}
