//! What operators do to a running gateway: reload it, break its configuration, rotate keys, watch
//! it, end it.

use crate::load::Load;
use crate::rig::{Connection, Http, KEY, Plan, Rig, free_address, raw};
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

fn chat(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] })
}

/// A chat request whose stream takes about this long.
fn slow_stream(events: usize, event_delay_ms: u64) -> Value {
    let reply =
        json!({ "events": events, "event_delay_ms": event_delay_ms, "text": "a b c d e f g h" });
    let content = format!("[[mock {reply}]]");
    json!({ "model": "gpt-5.4", "stream": true, "messages": [{ "role": "user", "content": content }] })
}

fn config_of(rig: &Rig) -> String {
    fs::read_to_string(rig.config_path()).unwrap()
}

/// The configuration with an alias more.
fn with_alias(rig: &Rig, name: &str) -> String {
    let changed = config_of(rig)
        .replace("[aliases]\n", &format!("[aliases]\n{name} = [\"openai/m-{name}\"]\n"));
    assert!(changed.contains(name));
    changed
}

async fn wait_for_alias(rig: &Rig, name: &str) {
    let started = Instant::now();
    while rig.post("/v1/chat/completions", &chat(name)).await.json()["model"]
        != json!(format!("openai/m-{name}"))
    {
        assert!(
            started.elapsed() < Duration::from_secs(8),
            "{name} is not in force\n{}",
            rig.log()
        );
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

async fn readiness(rig: &Rig) -> Value {
    rig.admin("GET", "/readyz?verbose").await.json()
}

fn success_and_failure(metrics: &str) -> (f64, f64) {
    let of = |result: &str| {
        let series = format!("arouter_config_reloads_total{{result=\"{result}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok()).unwrap()
    };
    (of("success"), of("failure"))
}

#[tokio::test]
async fn every_trigger_reloads() {
    let rig = Rig::start().await;
    fs::write(rig.config_path(), with_alias(&rig, "bywrite")).unwrap();
    wait_for_alias(&rig, "bywrite").await;

    let beside = rig.folder.path().join("arouter.toml.new");
    fs::write(&beside, with_alias(&rig, "byrename")).unwrap();
    fs::rename(&beside, rig.config_path()).unwrap();
    wait_for_alias(&rig, "byrename").await;

    let before = success_and_failure(&rig.metrics().await).0;
    rig.signal("HUP");
    let started = Instant::now();
    while success_and_failure(&rig.metrics().await).0 < before + 0.5 {
        assert!(started.elapsed() < Duration::from_secs(3));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    fs::write(rig.config_path(), with_alias(&rig, "bycall")).unwrap();
    let answer = rig.admin("POST", "/api/v1/config/reload").await;
    assert_eq!((answer.status, &answer.json()["error"]), (200, &Value::Null), "{}", answer.text());
    wait_for_alias(&rig, "bycall").await;
    assert_eq!(readiness(&rig).await["config"]["hash"], answer.json()["hash"]);

    fs::write(rig.config_path(), with_alias(&rig, "bycommand")).unwrap();
    let output = rig.command(&["reload", "--config", "arouter.toml"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    wait_for_alias(&rig, "bycommand").await;
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_is_reported() {
    let rig = Rig::start().await;
    let good = config_of(&rig);
    let hash = readiness(&rig).await["config"]["hash"].clone();
    for (bad, place) in [
        (good.replace("version = 1\n", "version = 1\nbogus = 2\n"), "arouter.toml:2:"),
        (format!("{good}\n[unclosed"), "arouter.toml:"),
        (good.replace("format = \"gemini\"", "format = \"gemni\""), "arouter.toml:"),
        (String::new(), "arouter.toml"),
        (good.replace("CANARY_PROVIDER_KEY", "A B"), "arouter.toml:"),
    ] {
        fs::write(rig.config_path(), &bad).unwrap();
        let (_, failures) = success_and_failure(&rig.metrics().await);
        let answer = rig.admin("POST", "/api/v1/config/reload").await;
        if answer.status == 200 && bad.is_empty() {
            continue;
        }
        assert_eq!(answer.status, 422, "{place}: {}", answer.text());
        let state = readiness(&rig).await;
        let error = state["config"]["error"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains(place), "{place}: {error}");
        assert_eq!((&state["config"]["hash"], &state["ready"]), (&hash, &json!(true)));
        assert!(success_and_failure(&rig.metrics().await).1 > failures);
        rig.assert_alive().await;
    }
    fs::write(rig.config_path(), &good).unwrap();
    assert_eq!(rig.admin("POST", "/api/v1/config/reload").await.status, 200);
    assert_eq!(readiness(&rig).await["config"]["error"], Value::Null);
}

#[tokio::test]
async fn a_hundred_reloads_under_load_fail_no_request() {
    let rig = Rig::start().await;
    let good = config_of(&rig);
    let load = Load::start(rig.gateway, 4);
    let hash_of = |answer: &crate::rig::Answer| answer.json()["hash"].clone();
    let mut in_force = readiness(&rig).await["config"]["hash"].clone();
    for round in 0..50 {
        let more = format!("[aliases]\nround{round} = [\"openai/m\"]\n");
        fs::write(rig.config_path(), good.replace("[aliases]\n", &more)).unwrap();
        let answer = rig.admin("POST", "/api/v1/config/reload").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_ne!(hash_of(&answer), in_force);
        in_force = hash_of(&answer);
        let cut = good.len() * (round + 1) / 60;
        let bad = format!("{}\n= nonsense [", &good[..cut]);
        fs::write(rig.config_path(), bad).unwrap();
        let answer = rig.admin("POST", "/api/v1/config/reload").await;
        assert_eq!((answer.status, hash_of(&answer)), (422, in_force.clone()));
    }
    let (served, failed) = load.stop().await;
    assert!(served > 50, "{served}");
    assert!(failed.is_empty(), "{served} served, failed: {failed:?}");
    let (success, failure) = success_and_failure(&rig.metrics().await);
    assert!(success >= 50.0 && failure >= 50.0, "{success} {failure}");
}

#[tokio::test]
async fn a_request_in_flight_keeps_its_configuration() {
    let rig = Rig::start().await;
    let gateway = rig.gateway;
    let running = tokio::spawn(async move {
        let mut connection = Connection::open(gateway, Http::One).await;
        let body = slow_stream(8, 150).to_string();
        connection.authorized("POST", "/v1/chat/completions", body).await
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let elsewhere = config_of(&rig)
        .replace(&format!("http://{}/v1", rig.mock), &format!("http://{}/v1", free_address()))
        .replace("prompt = \"2.5\"", "prompt = \"5000\"");
    fs::write(rig.config_path(), elsewhere).unwrap();
    assert_eq!(rig.admin("POST", "/api/v1/config/reload").await.status, 200);
    assert_eq!(rig.post("/v1/chat/completions", &chat("gpt-5.4")).await.status, 502);
    let answer = running.await.unwrap();
    assert!(answer.text().ends_with("data: [DONE]\n\n"), "{}", answer.text());
    let record = rig.generation(answer.header("x-generation-id")).await;
    assert!(record["data"]["total_cost"].as_f64().unwrap() < 0.001, "{record}");
}

#[tokio::test]
async fn what_needs_a_restart_is_reported() {
    let rig = Rig::start().await;
    let changed = config_of(&rig).replace("threads = 1", "threads = 2\nh2c = true");
    fs::write(rig.config_path(), changed).unwrap();
    let answer = rig.admin("POST", "/api/v1/config/reload").await;
    assert_eq!(answer.json()["pending_restart"], json!(["server.threads", "server.h2c"]));
    let state = readiness(&rig).await;
    assert_eq!(state["config"]["pending_restart"], json!(["server.threads", "server.h2c"]));
}

#[tokio::test]
async fn provider_keys_are_rotated_without_a_restart() {
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::start().await;
    let secret = rig.folder.path().join("provider.key");
    let put = |text: &str| {
        fs::write(&secret, text).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    };
    put("sk-first-key-1111\n");
    let by_file =
        config_of(&rig).replace("{ env = \"CANARY_PROVIDER_KEY\" }", "{ file = \"provider.key\" }");
    fs::write(rig.config_path(), by_file).unwrap();
    assert_eq!(rig.admin("POST", "/api/v1/config/reload").await.status, 200);
    rig.post("/v1/chat/completions", &chat("gpt-5.4")).await;
    assert_eq!(rig.journal().await.last().unwrap()["key_suffix"], "1111");
    // Without any trigger: the file is watched like the configuration.
    put("sk-second-key-2222\n");
    let started = Instant::now();
    loop {
        rig.post("/v1/chat/completions", &chat("gpt-5.4")).await;
        if rig.journal().await.last().unwrap()["key_suffix"] == "2222" {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(8), "the new key is not used");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    fs::remove_file(&secret).unwrap();
    rig.signal("HUP");
    tokio::time::sleep(Duration::from_millis(300)).await;
    rig.assert_alive().await;
}

#[tokio::test]
async fn commands_say_by_their_exit_code_how_it_went() {
    let mut rig = Rig::start().await;
    let code = async |rig: &Rig, arguments: &[&str]| rig.command(arguments).await.status.code();
    assert_eq!(code(&rig, &["check", "-c", "arouter.toml"]).await, Some(0));
    assert_eq!(code(&rig, &["health", "-c", "arouter.toml"]).await, Some(0));
    let admin = rig.admin.to_string();
    assert_eq!(code(&rig, &["health", "--admin", &admin]).await, Some(0));
    assert_eq!(code(&rig, &["bogus"]).await, Some(2));
    let good = config_of(&rig);
    fs::write(rig.config_path(), good.replace("version = 1\n", "version = 1\nbogus = 2\n"))
        .unwrap();
    let checked = rig.command(&["check", "-c", "arouter.toml"]).await;
    assert_eq!(checked.status.code(), Some(78));
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(said.contains("arouter.toml:2:1"), "{said}");
    let reloaded = rig.command(&["reload", "--admin", &admin]).await;
    assert_eq!(reloaded.status.code(), Some(1), "{reloaded:?}");
    assert_eq!(code(&rig, &["run", "-c", "arouter.toml"]).await, Some(78));
    fs::write(rig.config_path(), good).unwrap();
    // The port is taken: a sentence and a failure, no panic.
    let second = rig.command(&["run", "-c", "arouter.toml"]).await;
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("cannot listen on"), "{second:?}");
    rig.signal("TERM");
    assert!(rig.wait_for_exit(Duration::from_secs(5)).await.success());
    assert_eq!(code(&rig, &["health", "-c", "arouter.toml"]).await, Some(1));
}

#[tokio::test]
async fn a_running_stream_is_drained_and_then_it_ends_at_once() {
    let mut rig = Rig::with(Plan { server: "drain_timeout_s = 300", ..Plan::default() }).await;
    let gateway = rig.gateway;
    let running = tokio::spawn(async move {
        let mut connection = Connection::open(gateway, Http::One).await;
        let body = slow_stream(8, 200).to_string();
        connection.authorized("POST", "/v1/chat/completions", body).await
    });
    tokio::time::sleep(Duration::from_millis(400)).await;
    let mut kept = Connection::open(gateway, Http::One).await;
    assert_eq!(kept.authorized("GET", "/v1/models", "").await.status, 200);
    rig.signal("TERM");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(tokio::net::TcpStream::connect(gateway).await.is_err(), "still accepting");
    let answer = running.await.unwrap();
    assert!(answer.text().ends_with("data: [DONE]\n\n"), "{}", answer.text());
    let ended = Instant::now();
    let status = rig.wait_for_exit(Duration::from_secs(5)).await;
    assert!(status.success(), "{status:?}");
    assert!(ended.elapsed() < Duration::from_secs(2), "{:?}", ended.elapsed());
    let log = rig.log();
    assert!(log.contains("\"drained\""), "the end of the log is missing:\n{log}");
    let id = answer.header("x-request-id");
    assert!(log.lines().any(|line| line.contains(id)), "no access line of the last request");
}

#[tokio::test]
async fn an_idle_gateway_ends_at_once() {
    for signal in ["TERM", "INT"] {
        let mut rig = Rig::start().await;
        rig.assert_alive().await;
        let started = Instant::now();
        rig.signal(signal);
        rig.wait_for_exit(Duration::from_secs(5)).await;
        assert!(started.elapsed() < Duration::from_secs(2), "{signal}: {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn stored_keys_work_and_stop_while_it_runs() {
    let rig = Rig::start().await;
    let created =
        rig.command(&["keys", "create", "--json", "--name", "fresh", "-c", "arouter.toml"]).await;
    assert_eq!(created.status.code(), Some(0), "{created:?}");
    let created: Value = serde_json::from_slice(&created.stdout).unwrap();
    let key = created["key"].as_str().unwrap_or_else(|| panic!("{created}")).to_owned();
    let status = async |wanted: u16| {
        let started = Instant::now();
        while rig.send("GET", "/v1/models", &[("x-api-key", key.as_str())], "").await.status
            != wanted
        {
            assert!(started.elapsed() < Duration::from_secs(2), "not {wanted}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    status(200).await;
    let disabled = rig.command(&["keys", "disable", "fresh", "-c", "arouter.toml"]).await;
    assert_eq!(disabled.status.code(), Some(0), "{disabled:?}");
    status(401).await;
    assert!(!rig.log().contains(&key));
    let other = raw(
        rig.gateway,
        format!("GET /v1/models?key={KEY} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .as_bytes(),
        Duration::from_secs(1),
    )
    .await;
    assert!(other.0.starts_with(b"HTTP/1.1 200"));
}
