//! The five limits of a provider's time: each has its own words, its own metric, and its own
//! consequence.

use super::rig::{Http, Plan, Rig, request};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::{TcpSocket, TcpStream};

/// An address that answers no attempt to connect: its queue is full and nobody accepts.
struct BlackHole {
    address: SocketAddr,
    _listener: tokio::net::TcpListener,
    _queued: Vec<TcpStream>,
}

impl BlackHole {
    async fn open() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        let brief = Duration::from_millis(200);
        while let Ok(connected) = tokio::time::timeout(brief, TcpStream::connect(address)).await {
            queued.push(connected.unwrap());
            assert!(queued.len() < 100, "the queue is never full");
        }
        Self { address, _listener: listener, _queued: queued }
    }
}

/// A limit, how it is missed, and what follows.
struct Missed {
    limit: &'static str,
    text: &'static str,
    stream: bool,
    reply: Value,
    /// Settings of the provider; every limit but this one is far away.
    timeouts: &'static str,
    /// Whether another provider answers in its place.
    rescued: bool,
}

fn all() -> Vec<Missed> {
    let connect = |stream| Missed {
        limit: "connect",
        text: "the provider could not be reached in time",
        stream,
        reply: json!({}),
        timeouts: "connect_ms = 500",
        rescued: true,
    };
    let first_byte = |stream| Missed {
        limit: "first_byte",
        text: "the provider did not answer in time",
        stream,
        reply: json!({ "delay_ms": 20_000 }),
        timeouts: "first_byte_ms = 500",
        rescued: true,
    };
    let total = |stream, reply| Missed {
        limit: "total",
        text: "the answer took too long",
        stream,
        reply,
        timeouts: "total_ms = 700",
        rescued: false,
    };
    let stalled = json!({ "text_repeat": 2000, "fault": { "stall_after": 1 } });
    vec![
        connect(false),
        connect(true),
        first_byte(false),
        first_byte(true),
        Missed {
            limit: "first_token",
            text: "the provider sent no content in time",
            stream: true,
            reply: json!({ "fault": { "stall_after": "start" } }),
            timeouts: "first_token_ms = 500",
            rescued: true,
        },
        Missed {
            limit: "idle",
            text: "the provider stopped sending",
            stream: false,
            reply: stalled.clone(),
            timeouts: "idle_ms = 500",
            rescued: true,
        },
        total(false, stalled),
        // For a whole answer there is no limit of the first byte but this one, if none is set.
        total(false, json!({ "delay_ms": 20_000 })),
        total(true, json!({ "fault": { "stall_after": "start" } })),
    ]
}

fn config(missed: &[Missed], black_hole: SocketAddr) -> String {
    let mut text = String::new();
    for (index, one) in missed.iter().enumerate() {
        let address =
            if one.limit == "connect" { black_hole.to_string() } else { "MOCK_ADDRESS".to_owned() };
        text += &format!(
            "[providers.late{index}]\nformat = \"openai\"\nbase_url = \"http://{address}/v1\"\n\
             keys = [{{ insecure_literal = \"sk-{index}\" }}]\ntimeouts = {{ {} }}\n\
             [models.\"alone{index}/m\"]\n\
             endpoints = [{{ provider = \"late{index}\", upstream_model = \"late{index}\" }}]\n\
             [models.\"two{index}/m\"]\n\
             endpoints = [{{ provider = \"late{index}\", upstream_model = \"late{index}\" }}, \
             {{ provider = \"openai\", upstream_model = \"fine\" }}]\n",
            one.timeouts
        );
    }
    text
}

fn ask(model: &str, stream: bool) -> Value {
    json!({ "model": model, "stream": stream, "messages": [{ "role": "user", "content": "x" }] })
}

async fn script(rig: &Rig, rules: &[Value]) {
    let body = json!(rules).to_string().into();
    let answer = request(rig.mock, Http::One, ("PUT", "/__script"), &[], body).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
}

#[tokio::test]
async fn each_limit_has_its_own_words_and_consequence() {
    let black_hole = BlackHole::open().await;
    let missed = all();
    let more = config(&missed, black_hole.address);
    let rig = Rig::with(Plan { more: &more, ..Plan::default() }).await;
    let rules: Vec<Value> = missed
        .iter()
        .enumerate()
        .map(|(index, one)| {
            json!({ "match": { "model": format!("late{index}") }, "reply": one.reply })
        })
        .collect();
    script(&rig, &rules).await;
    let path = "/v1/chat/completions";
    let rig = &rig;
    let checks = missed.iter().enumerate().map(|(index, one)| async move {
        let case = format!("{} {}", one.limit, one.stream);
        let started = Instant::now();
        let answer = rig.post(path, &ask(&format!("alone{index}/m"), one.stream)).await;
        assert_eq!(answer.status, 504, "{case}: {}", answer.text());
        let error = &answer.json()["error"];
        assert_eq!(error["message"], one.text, "{case}");
        assert_eq!(error["metadata"]["time_limit"], one.limit, "{case}: {error}");
        assert!(started.elapsed() < Duration::from_secs(10), "{case}: {:?}", started.elapsed());

        let answer = rig.post(path, &ask(&format!("two{index}/m"), one.stream)).await;
        assert_eq!(answer.status, if one.rescued { 200 } else { 504 }, "{case}");
        let attempts = if one.rescued { "2" } else { "1" };
        assert_eq!(answer.header("x-arouter-attempts"), attempts, "{case}");
        let samples = rig.metrics().await;
        let line = format!(
            "arouter_upstream_timeouts_total{{limit=\"{}\",provider=\"late{index}\"}} 2",
            one.limit
        );
        assert!(samples.contains(&line), "{case}: {samples}");
    });
    futures::future::join_all(checks).await;
}

#[tokio::test]
async fn silence_between_two_events_ends_a_stream_that_is_under_way() {
    let provider = "timeouts = { idle_ms = 500 }";
    let rig = Rig::with(Plan { provider, ..Plan::default() }).await;
    let stalls = json!({ "events": 4, "fault": { "stall_after": 2 } });
    script(&rig, &[json!({ "match": { "model": "gpt-5.4" }, "reply": stalls })]).await;
    let answer = rig.post("/v1/chat/completions", &ask("fast", true)).await;
    let text = answer.text();
    assert_eq!(answer.status, 200, "{text}");
    assert!(text.contains("the provider stopped sending"), "{text}");
    assert!(text.contains("\"finish_reason\":\"error\""), "{text}");
    let samples = rig.metrics().await;
    let line = "arouter_upstream_timeouts_total{limit=\"idle\",provider=\"openai\"} 1";
    assert!(samples.contains(line), "{samples}");
    assert_eq!(rig.journal().await.len(), 1, "nobody else was asked");
}

#[tokio::test]
async fn the_total_covers_all_attempts_together() {
    let late = "first_byte_ms = 600, total_ms = 1000";
    let provider = |name: &str| {
        format!(
            "[providers.{name}]\nformat = \"openai\"\nbase_url = \"http://MOCK_ADDRESS/v1\"\n\
             keys = [{{ insecure_literal = \"sk-{name}\" }}]\ntimeouts = {{ {late} }}\n"
        )
    };
    let names = ["one", "two", "three"];
    let providers: String = names.map(provider).concat();
    let endpoints = names.map(|name| format!("{{ provider = \"{name}\" }}")).join(", ");
    let more = format!("{providers}[models.\"x/m\"]\nendpoints = [{endpoints}]\n");
    let rig = Rig::with(Plan { more: &more, ..Plan::default() }).await;
    script(&rig, &[json!({ "reply": { "delay_ms": 20_000 } })]).await;
    for stream in [false, true] {
        let started = Instant::now();
        let answer = rig.post("/v1/chat/completions", &ask("x/m", stream)).await;
        let took = started.elapsed();
        assert_eq!(answer.status, 504, "{}", answer.text());
        assert_eq!(answer.json()["error"]["metadata"]["time_limit"], "total");
        assert_eq!(answer.header("x-arouter-attempts"), "2");
        assert!(took >= Duration::from_millis(950) && took < Duration::from_secs(4), "{took:?}");
    }
}
