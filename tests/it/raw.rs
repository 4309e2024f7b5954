//! `/{provider}/{path}`: a provider's own API, byte for byte, under the provider's credential.

use super::peer::{Peer, Say, by_hand, until_closed};
use super::rig::{Http, KEY, PROVIDER_KEY, Plan, Rig};
use super::wire::{Body, Call, Raw, chunked, sized};
use bytes::Bytes;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const BOTH: [Http; 2] = [Http::One, Http::Two];
const MIB: usize = 1024 * 1024;

async fn rig_before(address: std::net::SocketAddr, up: Http) -> Rig {
    let provider = if up == Http::Two { "http2 = \"always\"" } else { "" };
    let plan = Plan { server: "h2c = true", provider, upstream: Some(address), ..Plan::default() };
    Rig::with(plan).await
}

async fn call(rig: &Rig, version: Http, request: (&str, &str), body: Body) -> Call {
    let auth = format!("Bearer {KEY}");
    Call::send(rig.gateway, version, request, &[("authorization", &auth)], body).await
}

#[tokio::test]
async fn every_method_query_and_body_passes() {
    for up in BOTH {
        let answer = Say::ok("text/x-odd", "the \u{e9} answer").status(207).header("x-kept", "1");
        let peer = Peer::saying(answer).await;
        let rig = rig_before(peer.address, up).await;
        for version in BOTH {
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "PURGE"] {
                let path = format!("/openai/v1/files/a%20b;c?x=1&key={KEY}&y=%2F+z&x=2&keys=k");
                let text = if matches!(method, "GET" | "HEAD") { "" } else { "\0odd\u{fffd} body" };
                let mut call = call(&rig, version, (method, &path), sized(text)).await;
                let case = format!("{method} {version:?} {up:?}");
                assert_eq!(call.status, 207, "{case}");
                assert_eq!(call.header("content-type"), "text/x-odd", "{case}");
                assert_eq!(call.header("x-kept"), "1", "{case}");
                let expected = if method == "HEAD" { "" } else { "the \u{e9} answer" };
                assert_eq!(call.text().await, expected, "{case}");
                let got = peer.last();
                assert_eq!(got.method, method);
                assert_eq!(got.target, "/v1/files/a%20b;c?x=1&y=%2F+z&x=2&keys=k");
                assert_eq!(got.body, text, "{case}");
                assert_eq!(got.headers["authorization"], format!("Bearer {PROVIDER_KEY}"));
                assert_eq!(got.version == http::Version::HTTP_2, up == Http::Two);
            }
        }
        for method in ["TRACE", "CONNECT"] {
            let mut raw = Raw::connect(rig.gateway).await;
            let target = if method == "TRACE" { "/openai/v1/x" } else { "gateway:80" };
            let head =
                format!("{method} {target} HTTP/1.1\r\nhost: gateway\r\nx-api-key: {KEY}\r\n\r\n");
            raw.write(head).await;
            assert_eq!(raw.answer().await.status, 405, "{method}");
        }
        assert_eq!(peer.got().len(), 16);
    }
}

#[tokio::test]
async fn private_fields_stay_on_their_side() {
    for up in BOTH {
        let answer = Say::json("{}")
            .header("set-cookie", "a=b")
            .header("server", "secret/1")
            .header("openai-organization", "org")
            .header("x-ratelimit-limit-requests", "9")
            .header("x-echo", format!("key {PROVIDER_KEY}!"))
            .header("x-public", "yes");
        let peer = Peer::saying(answer).await;
        let rig = rig_before(peer.address, up).await;
        let kept = [
            ("user-agent", "client/1"),
            ("accept", "text/x"),
            ("content-type", "application/x-odd"),
            ("anthropic-beta", "b"),
            ("x-custom", "1"),
            ("range", "bytes=0-1"),
        ];
        let private = [
            ("cookie", "s=1"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-proto", "http"),
            ("forwarded", "for=1"),
            ("via", "1.1 x"),
            ("x-real-ip", "1"),
            ("proxy-authorization", "Basic x"),
            ("x-goog-api-key", KEY),
            ("x-title", "App"),
            ("http-referer", "http://app"),
            ("x-request-id", "mine"),
            ("idempotency-key", "once"),
        ];
        for version in BOTH {
            let mut headers = vec![("x-api-key", KEY)];
            headers.extend(kept.iter().chain(&private));
            let request = ("POST", "/openai/v1/x");
            let call = Call::send(rig.gateway, version, request, &headers, sized("x")).await;
            assert_eq!(call.status, 200);
            assert_eq!(call.header("x-public"), "yes");
            assert_eq!(call.header("x-request-id"), "mine");
            for name in [
                "set-cookie",
                "server",
                "openai-organization",
                "x-ratelimit-limit-requests",
                "x-echo",
            ] {
                assert!(call.headers.get(name).is_none(), "{name}: {:?}", call.headers);
            }
            let got = peer.last().headers;
            for (name, value) in kept {
                assert_eq!(got[name], value, "{name}");
            }
            for (name, _) in private {
                assert!(!got.contains_key(name), "{name} {up:?} {version:?}");
            }
            assert!(!got.contains_key("x-api-key"));
            let host = got.get("host").map(|host| host.to_str().unwrap().to_owned());
            assert_eq!(host.unwrap_or(peer.last().authority), peer.address.to_string());
        }
    }
}

/// Bytes that count up, so that none can be lost or moved unseen.
fn counting(size: usize) -> Bytes {
    let mut bytes = Vec::with_capacity(size + 8);
    for count in 0_u64.. {
        if bytes.len() >= size {
            break;
        }
        bytes.extend_from_slice(&count.to_le_bytes());
    }
    bytes.truncate(size);
    bytes.into()
}

/// The most memory the gateway ever held, in bytes.
fn peak_memory(rig: &Rig) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", rig.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[tokio::test]
async fn uploads_are_streamed_and_never_held() {
    let large = counting(30 * MIB);
    for up in BOTH {
        let peer = Peer::saying(Say::json("{}")).await;
        let rig = rig_before(peer.address, up).await;
        let before = peak_memory(&rig);
        for version in BOTH {
            for body in [sized(large.clone()), chunked(large.clone(), 50_000)] {
                let mut call = call(&rig, version, ("PUT", "/openai/v1/files"), body).await;
                let text = call.text().await;
                assert_eq!(call.status, 200, "{version:?} {up:?}: {text}");
                assert!(peer.last().body == large, "{version:?} {up:?}: not what was sent");
            }
        }
        let growth = peak_memory(&rig) - before;
        assert!(growth < 20 * MIB, "{} MiB over {up:?}", growth / MIB);
    }
}

#[tokio::test]
async fn a_provider_that_reads_slowly_slows_the_client_down() {
    let address = by_hand(|mut stream, _| async move {
        let mut buffer = vec![0; 256 * 1024];
        let mut read = 0;
        while read < 31 * MIB {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(count) => read += count,
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok").await.unwrap();
    })
    .await;
    let rig = rig_before(address, Http::One).await;
    let before = peak_memory(&rig);
    for version in BOTH {
        let body = sized(counting(31 * MIB));
        let mut call = call(&rig, version, ("POST", "/openai/v1/files"), body).await;
        assert_eq!(call.text().await, "ok");
    }
    let growth = peak_memory(&rig) - before;
    assert!(growth < 20 * MIB, "{} MiB", growth / MIB);
}

#[tokio::test]
async fn events_pass_at_once_and_are_counted() {
    for provider in ["", "http2 = \"always\""] {
        let rig = Rig::with(Plan { server: "h2c = true", provider, ..Plan::default() }).await;
        for version in BOTH {
            let prompt = "[[mock {\"events\":5,\"event_delay_ms\":150,\"tokens\":{\"prompt\":21,\"completion\":7}}]]";
            let body = json!({
                "model": "gpt-5.4", "stream": true, "stream_options": { "include_usage": true },
                "messages": [{ "role": "user", "content": prompt }],
            });
            let body = sized(body.to_string());
            let path = ("POST", "/openai/v1/chat/completions");
            let mut call = call(&rig, version, path, body).await;
            let (mut times, mut text) = (Vec::new(), String::new());
            while let Some((after, piece)) = call.next().await.unwrap() {
                let piece = String::from_utf8_lossy(&piece).into_owned();
                if ["one", "two", "three", "four", "five"].iter().any(|word| piece.contains(word)) {
                    times.push(after);
                }
                text.push_str(&piece);
            }
            assert_eq!(times.len(), 5, "{text}");
            let spread = *times.last().unwrap() - times[0];
            assert!(spread > Duration::from_millis(500), "{times:?}");
            assert!(text.contains("\"id\":\"chatcmpl-"), "the provider's own id: {text}");
            assert!(text.ends_with("data: [DONE]\n\n"));
            let record = rig.generation(call.header("x-generation-id")).await;
            assert_eq!(record["data"]["native_tokens_prompt"], 21, "{record}");
            assert_eq!(record["data"]["native_tokens_completion"], 7, "{record}");
        }
    }
}

#[tokio::test]
async fn errors_pass_with_the_providers_key_masked() {
    let body = format!("{{\"error\":{{\"message\":\"bad key {PROVIDER_KEY}, {PROVIDER_KEY}!\"}}}}");
    for status in [400, 401, 429, 500, 503] {
        let answer = Say::json(body.clone()).status(status).header("retry-after", "7");
        let peer = Peer::saying(answer).await;
        for version in BOTH {
            // A limit that names a wait is kept to: each call has a gateway that knows of none.
            let rig = rig_before(peer.address, Http::One).await;
            let mut call = call(&rig, version, ("POST", "/openai/v1/x"), sized("{}")).await;
            assert_eq!(call.status, status);
            assert_eq!(call.header("retry-after"), "7");
            let expected = body.replace(PROVIDER_KEY, &"*".repeat(PROVIDER_KEY.len()));
            assert_eq!(call.text().await, expected);
            assert!(!rig.log().contains(PROVIDER_KEY));
        }
        if status == 400 {
            let dead = rig_before(super::rig::free_address(), Http::One).await;
            let call = call(&dead, Http::One, ("GET", "/openai/v1/x"), sized("")).await;
            assert_eq!(call.status, 502);
        }
    }
}

#[tokio::test]
async fn a_redirect_is_shown_only_within_the_provider() {
    let peer = Peer::with(|got| {
        let to = got.target.trim_start_matches("/v1/to?");
        let to = to.replace("SELF", got.headers["host"].to_str().unwrap());
        Say::json("").status(302).header("location", to)
    })
    .await;
    let rig = rig_before(peer.address, Http::One).await;
    let own = peer.address.to_string();
    for (to, shown) in [
        ("relative", true),
        ("/absolute/path?x=1", true),
        ("http://SELF/x", true),
        ("http://evil.example/x", false),
        ("//evil.example/x", false),
        ("http://127.0.0.1:1/", false),
    ] {
        let path = format!("/openai/v1/to?{to}");
        let call = call(&rig, Http::One, ("GET", &path), sized("")).await;
        let location = call.header("location").to_owned();
        assert_eq!(call.status, 302, "{to}");
        assert_eq!(!location.is_empty(), shown, "{to} ({own}): {location}");
    }
}

const HANDSHAKE: &str = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn get(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {KEY}\r\n{fields}\r\n")
}

#[tokio::test]
async fn websocket_frames_pass() {
    let rig = Rig::start().await;
    let mut raw = Raw::connect(rig.gateway).await;
    raw.write(get("/openai/v1/ws-echo", HANDSHAKE)).await;
    let answer = raw.answer().await;
    assert_eq!(answer.status, 101, "{}", answer.head);
    let head = answer.head.to_ascii_lowercase();
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    for text in ["Hi", "again"] {
        let mask = [1, 2, 3, 4];
        let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap()];
        frame.extend(mask);
        frame.extend(text.bytes().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        raw.write(frame).await;
        let echoed = raw.read(2 + text.len()).await;
        assert_eq!(&echoed[2..], text.as_bytes());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    raw.write([0x88, 0x80, 0, 0, 0, 0]).await;
    assert_eq!(raw.read(2).await, [0x88, 0]);
    assert!(raw.is_closed_within(Duration::from_secs(2)).await);
}

#[tokio::test]
async fn no_other_upgrade_passes() {
    let peer = Peer::saying(Say::json("{}")).await;
    let rig = rig_before(peer.address, Http::One).await;
    let h2c = "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n";
    let both = "connection: Upgrade\r\nupgrade: websocket, h2c\r\n";
    let twice = "connection: Upgrade\r\nupgrade: websocket\r\nupgrade: h2c\r\n";
    let post = format!(
        "POST /openai/v1/x HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {KEY}\r\ncontent-length: 0\r\n{HANDSHAKE}\r\n"
    );
    let requests = [
        get("/openai/v1/x", h2c),
        get("/openai/v1/x", both),
        get("/openai/v1/x", twice),
        get("/v1/models", HANDSHAKE),
        get("/healthz", HANDSHAKE),
        post,
    ];
    for request in requests {
        let mut raw = Raw::connect(rig.gateway).await;
        raw.write(&request).await;
        assert_eq!(raw.answer().await.status, 400, "{request}");
        assert!(raw.is_closed_within(Duration::from_secs(1)).await, "{request}");
    }
    assert!(peer.got().is_empty());
}

#[tokio::test]
async fn no_path_leads_out_of_the_provider() {
    let peer = Peer::saying(Say::json("{}")).await;
    let rig = rig_before(peer.address, Http::One).await;
    let paths = [
        "/openai/../x",
        "/openai/v1/../../x",
        "/openai/./x",
        "/openai/v1/..",
        "/openai/%2e%2e/x",
        "/openai/%2E./x",
        "/openai/v1/%2e%2e%2fx",
        "/openai/a%2fb",
        "/openai/a%5cb",
        "/openai/a\\b",
        "/openai/..\\x",
        "/openai//x",
        "//openai/x",
        "/openai/a%00b",
        "/openai/a%0d%0ab",
        "/openai/%252e%252e/x",
        "/openai/%",
        "/openai/%zz",
        "/openai/..%3b/x/..",
        "/openai",
        "/openai/",
        "/nobody/x",
        "/metrics/x",
        "/admin/x",
        "/v1/x",
        "/api/x",
        "/v1beta/x",
        "/",
        "/%6fpenai/../x",
        "/openai@evil.example/x",
        "/.openai/x",
    ];
    for path in paths {
        let mut raw = Raw::connect(rig.gateway).await;
        raw.write(get(path, "")).await;
        let status = raw.answer().await.status;
        assert!(matches!(status, 400 | 404), "{path}: {status}");
    }
    for target in ["http://evil.example/openai/v1/x", "evil.example:80", "*"] {
        let mut raw = Raw::connect(rig.gateway).await;
        raw.write(get(target, "")).await;
        let status = raw.answer().await.status;
        assert!(matches!(status, 400 | 404), "{target}: {status}");
    }
    assert!(peer.got().is_empty(), "{:?}", peer.got());
    let call = call(&rig, Http::One, ("GET", "/openai/v1/x"), sized("")).await;
    assert_eq!(call.status, 200, "the plain path passes");
}

#[tokio::test]
async fn the_go_ahead_is_given_on_raw_calls_too() {
    let peer = Peer::saying(Say::json("{}")).await;
    let rig = rig_before(peer.address, Http::One).await;
    let mut raw = Raw::connect(rig.gateway).await;
    for _ in 0..2 {
        let head = format!(
            "PUT /openai/v1/files HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {KEY}\r\n\
             expect: 100-continue\r\ncontent-length: 5\r\n\r\n"
        );
        let started = Instant::now();
        raw.write(head).await;
        assert_eq!(raw.answer().await.status, 100);
        assert!(started.elapsed() < Duration::from_millis(500));
        raw.write("hello").await;
        let answer = raw.answer().await;
        assert_eq!(answer.status, 200, "{}", answer.head);
        assert_eq!(peer.last().body, "hello");
    }
}

#[tokio::test]
async fn a_refused_raw_upload_is_answered() {
    let peer = Peer::saying(Say::json("{}")).await;
    let rig = rig_before(peer.address, Http::One).await;
    for version in BOTH {
        let headers = [("authorization", "Bearer lr_live_wrong")];
        let body = sized(counting(5 * MIB));
        let request = ("PUT", "/openai/v1/files");
        let mut call = Call::send(rig.gateway, version, request, &headers, body).await;
        assert_eq!(call.status, 401, "{version:?}");
        assert!(call.text().await.contains("error"));
    }
    assert!(peer.got().is_empty());
}

#[tokio::test]
async fn leaving_a_raw_call_reaches_the_provider() {
    let (closed, mut seen) = tokio::sync::mpsc::channel(4);
    let address = by_hand(move |mut stream, _| {
        let closed = closed.clone();
        async move {
            super::peer::read_request(&mut stream).await.unwrap();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: one\n\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            closed.send(until_closed(&mut stream).await).await.unwrap();
        }
    })
    .await;
    let rig = rig_before(address, Http::One).await;
    for version in BOTH {
        let mut call = call(&rig, version, ("GET", "/openai/v1/x"), sized("")).await;
        call.read_until("one").await;
        let left = Instant::now();
        call.leave();
        seen.recv().await.unwrap().expect("never closed");
        assert!(left.elapsed() < Duration::from_millis(500), "{:?}", left.elapsed());
    }
}
