//! What the gateway says about itself: metrics with exact values and bounded labels, one access
//! line per request, request ids.

use crate::rig::{KEY, Plan, Rig};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// The samples of a text exposition by series, after checking its form line by line.
fn parse(text: &str) -> HashMap<String, f64> {
    assert!(text.ends_with('\n'));
    let mut types: HashMap<&str, &str> = HashMap::new();
    let mut helped = HashSet::new();
    let mut samples = HashMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(types.insert(name, kind).is_none(), "typed twice: {line}");
            assert!(helped.contains(name), "type before help: {line}");
            continue;
        }
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(!help.is_empty() && helped.insert(name), "{line}");
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        let name = check_series(series);
        let family = family(name, &types);
        let kind = types.get(family).unwrap_or_else(|| panic!("no type: {line}"));
        let total = name.ends_with("_total");
        assert_eq!(*kind == "counter", total, "only counters are totals: {line}");
        assert!(*kind == "gauge" || value >= 0.0, "{line}");
        assert!(samples.insert(series.to_owned(), value).is_none(), "twice: {line}");
    }
    samples
}

fn family<'t>(name: &'t str, types: &HashMap<&'t str, &str>) -> &'t str {
    let suffixes = ["_bucket", "_sum", "_count"];
    let stem = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
    stem.filter(|stem| types.get(stem) == Some(&"histogram")).unwrap_or(name)
}

/// Checks `name{label="value",…}` and returns the name.
fn check_series(series: &str) -> &str {
    let is_name = |text: &str| {
        !text.is_empty()
            && !text.starts_with(|c: char| c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let (name, labels) = series.split_once('{').map_or((series, None), |(name, rest)| {
        (name, Some(rest.strip_suffix('}').unwrap_or_else(|| panic!("{series}"))))
    });
    assert!(is_name(name), "{series}");
    assert!(name.starts_with("arouter_") || name.starts_with("process_"), "{series}");
    for label in labels.into_iter().flat_map(|labels| labels.split("\",")) {
        let (label, value) = label.split_once("=\"").unwrap_or_else(|| panic!("{series}"));
        assert!(is_name(label) && !value.contains('\n'), "{series}");
    }
    name
}

fn chat(model: &str, stream: bool, reply: &Value) -> Value {
    let content = format!("[[mock {reply}]]");
    json!({ "model": model, "stream": stream, "messages": [{ "role": "user", "content": content }] })
}

/// The metrics once nothing runs any more.
async fn settled(rig: &Rig) -> HashMap<String, f64> {
    let started = Instant::now();
    loop {
        let samples = parse(&rig.metrics().await);
        if samples["arouter_requests_in_flight"] < 0.5 {
            return samples;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "requests seem to run forever");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn counters_are_exact() {
    let rig = Rig::start().await;
    let path = "/v1/chat/completions";
    let tokens =
        json!({ "tokens": { "prompt": 100, "completion": 10, "cached": 40, "reasoning": 3 } });
    for stream in [false, true, false] {
        assert_eq!(rig.post(path, &chat("openai/gpt-5.4", stream, &tokens)).await.status, 200);
    }
    let other = json!({ "tokens": { "prompt": 7, "completion": 2 } });
    assert_eq!(rig.post(path, &chat("openai/unlisted", true, &other)).await.status, 200);
    assert_eq!(
        rig.post(path, &chat("gpt-5.4", false, &json!({ "status": 400 }))).await.status,
        400
    );
    assert_eq!(rig.post(path, &json!({ "messages": [] })).await.status, 400);
    assert_eq!(rig.send("POST", path, &[], "{}").await.status, 401);
    assert_eq!(rig.send("POST", path, &[("x-api-key", "wrong")], "{}").await.status, 401);
    assert_eq!(rig.get("/v1/models").await.status, 200);
    let samples = settled(&rig).await;
    let of = |series: &str| samples.get(series).copied().unwrap_or(0.0);
    let requests = |operation: &str, provider: &str, model: &str, class: &str| {
        of(&format!(
            "arouter_requests_total{{model=\"{model}\",operation=\"{operation}\",provider=\"{provider}\",status_class=\"{class}\"}}"
        ))
    };
    let expected = [
        (requests("chat", "openai", "openai/gpt-5.4", "2xx"), 3.0),
        (requests("chat", "openai", "openai/gpt-5.4", "4xx"), 1.0),
        (requests("chat", "openai", "other", "2xx"), 1.0),
        (requests("chat", "none", "other", "4xx"), 3.0),
        (requests("models", "none", "other", "2xx"), 1.0),
        (of("arouter_upstream_attempts_total{outcome=\"ok\",provider=\"openai\"}"), 4.0),
        (of("arouter_tokens_total{type=\"prompt\"}"), 307.0),
        (of("arouter_tokens_total{type=\"completion\"}"), 32.0),
        (of("arouter_tokens_total{type=\"cached\"}"), 120.0),
        (of("arouter_tokens_total{type=\"reasoning\"}"), 9.0),
        (of("arouter_auth_failures_total{reason=\"missing\"}"), 1.0),
        (of("arouter_auth_failures_total{reason=\"invalid\"}"), 1.0),
        (of("arouter_zero_cost_requests_total"), 1.0),
        (of("arouter_usage_events_dropped_total"), 0.0),
        (of("arouter_client_cancelled_total"), 0.0),
        (of("arouter_time_to_first_token_seconds_count"), 2.0),
        (of("arouter_config_reloads_total{result=\"success\"}"), 0.0),
        // (60 × 2.5 + 40 × 0.25 + 10 × 10) per million, three times.
        (of("arouter_cost_usd_total"), 0.000_78),
    ];
    for (at, (found, wanted)) in expected.iter().enumerate() {
        assert!((found - wanted).abs() < 1e-9, "number {at}: {found}, not {wanted}\n{samples:#?}");
    }
    assert_eq!(rig.get("/metrics").await.status, 404, "on the data port");
}

#[tokio::test]
async fn labels_are_bounded() {
    let rig = Rig::start().await;
    let series = async || settled(&rig).await.len();
    let path = "/v1/chat/completions";
    let warm = async |name: &str| {
        rig.post(path, &chat(name, false, &json!({}))).await;
        rig.post(&format!("/openai/{}/x", name.replace('/', "-")), &json!({})).await;
        rig.post(&format!("/{}/v1/x", name.replace('/', "-")), &json!({})).await;
    };
    for name in ["openai/a", "nobody/a", "anthropic/a", "google/a", "a"] {
        warm(name).await;
    }
    let before = series().await;
    let prefixes = ["openai/", "nobody/", "anthropic/", "google/", ""];
    let mut connection = crate::rig::Connection::open(rig.gateway, crate::rig::Http::One).await;
    for number in 0..1000 {
        let name = format!("{}random-{number}", prefixes[number % prefixes.len()]);
        let body = chat(&name, false, &json!({})).to_string();
        let auth = format!("Bearer {KEY}");
        let title = format!("title {number}");
        let headers = [("authorization", auth.as_str()), ("x-title", title.as_str())];
        connection.send(("POST", path), &headers, body.into()).await;
    }
    let after = series().await;
    assert!(after <= before + 5, "{before} series became {after}");
    assert!(!rig.metrics().await.contains("random"));
}

/// The access line with this request id.
async fn access_line(rig: &Rig, request_id: &str) -> Value {
    let started = Instant::now();
    loop {
        let log = rig.log();
        let mut lines = log.lines().filter(|line| line.contains("\"access\""));
        if let Some(line) = lines.find(|line| line.contains(request_id)) {
            return serde_json::from_str(line).unwrap();
        }
        assert!(started.elapsed() < Duration::from_secs(3), "no line for {request_id}\n{log}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn every_request_has_an_id_and_one_line() {
    let rig = Rig::with(Plan { more: "[log]\nlevel = \"info\"", ..Plan::default() }).await;
    let tokens = json!({ "tokens": { "prompt": 11, "completion": 4 } });
    let answer = rig.post("/v1/chat/completions", &chat("gpt-5.4", true, &tokens)).await;
    let id = answer.header("x-request-id");
    let line = access_line(&rig, id).await;
    let expected = [
        ("method", json!("POST")),
        ("path", json!("/v1/chat/completions")),
        ("operation", json!("chat")),
        ("status", json!(200)),
        ("key", json!("test")),
        ("model", json!("openai/gpt-5.4")),
        ("provider", json!("openai")),
        ("attempts", json!(1)),
        ("prompt_tokens", json!(11)),
        ("completion_tokens", json!(4)),
        ("generation_id", json!(answer.header("x-generation-id"))),
    ];
    for (name, value) in expected {
        assert_eq!(line[name], value, "{name}: {line}");
    }
    assert!(line["latency_ms"].is_u64(), "{line}");
    for (path, status, error) in
        [("/v1/nowhere", 404, "not_found"), ("/openai/../x", 400, "invalid_request")]
    {
        let answer = rig.post(path, &json!({})).await;
        let line = access_line(&rig, answer.header("x-request-id")).await;
        assert_eq!((&line["status"], &line["error"]), (&json!(status), &json!(error)), "{line}");
    }
    let log = rig.log();
    assert_eq!(log.lines().filter(|line| line.contains(id)).count(), 1, "{log}");
}

#[tokio::test]
async fn request_ids_are_taken_over_if_they_are_fit() {
    let rig = Rig::start().await;
    let auth = format!("Bearer {KEY}");
    let long = "x".repeat(129);
    for (given, kept) in [
        ("abc-123", true),
        ("x".repeat(128).as_str(), true),
        (long.as_str(), false),
        ("with space", false),
        ("", false),
        ("caf\u{e9}", false),
    ] {
        let headers = [("authorization", auth.as_str()), ("x-request-id", given)];
        let answer = rig.send("GET", "/v1/models", &headers, "").await;
        let id = answer.header("x-request-id");
        assert_eq!(id == given, kept, "{given:?} {id:?}");
        assert!(!id.is_empty());
    }
    let ids: HashSet<String> = [rig.get("/v1/models").await, rig.get("/v1/models").await]
        .iter()
        .map(|answer| answer.header("x-request-id").to_owned())
        .collect();
    assert_eq!(ids.len(), 2);
}
