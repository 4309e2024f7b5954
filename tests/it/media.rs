//! Files that a request names by address, for a provider that only takes bytes.
//!
//! The gateway, a file server and the mock are real; what the provider got is the judge.

use crate::peer::{Peer, Say};
use crate::rig::{Plan, Rig};
use serde_json::{Value, json};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0000-not-a-picture-but-named-like-one";
/// The same in base64.
const PNG_BASE64: &str = "iVBORw0KGgowMDAwLW5vdC1hLXBpY3R1cmUtYnV0LW5hbWVkLWxpa2Utb25l";
const LISTED: &str = "[media]\nallowed_hosts = [\"127.0.0.1\"]\nprivate_network = true\nmax_bytes = 4096\ntimeout_s = 1\n";

fn asking(urls: &[String]) -> Value {
    let mut content = vec![json!({"type": "text", "text": "what is it?"})];
    content.extend(urls.iter().map(|url| json!({"type": "image_url", "image_url": {"url": url}})));
    let messages = [json!({"role": "user", "content": content})];
    json!({"model": "google/gemini-2.5-flash", "messages": messages})
}

fn moved(location: &str) -> Say {
    Say::json("").status(302).header("location", location)
}

async fn files() -> Peer {
    Peer::with(|got| match got.target.as_str() {
        "/a.png" => Say::ok("image/png", PNG),
        "/moved" => moved("/a.png"),
        "/loop" => moved("/loop"),
        "/inside" => moved("http://127.0.0.2/a.png"),
        "/large" => Say::ok("image/png", vec![7; 5000]),
        "/type" => Say::ok("text/html; charset=utf-8", PNG),
        _ => Say::json("").status(404),
    })
    .await
}

#[tokio::test]
async fn bytes_stand_where_an_address_stood() {
    let files = files().await;
    let rig = Rig::with(Plan { more: LISTED, ..Plan::default() }).await;
    let url = |path: &str| format!("http://{}{path}", files.address);
    let answer = rig.post("/v1/chat/completions", &asking(&[url("/a.png"), url("/moved")])).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = rig.last().await["body"].as_str().unwrap().to_owned();
    assert_eq!(sent.matches(PNG_BASE64).count(), 2, "{sent}");
    assert!(!sent.contains(&files.address.to_string()));
    let seen = files.last();
    assert!(seen.headers.iter().all(|(name, _)| name != "authorization" && name != "cookie"));
}

#[tokio::test]
async fn one_address_is_fetched_once() {
    let files = files().await;
    let rig = Rig::with(Plan { more: LISTED, ..Plan::default() }).await;
    let url = format!("http://{}/a.png", files.address);
    let answer = rig.post("/v1/chat/completions", &asking(&[url.clone(), url])).await;
    assert_eq!(answer.status, 200);
    assert_eq!(files.got().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_fetched_is_the_callers_error() {
    let files = files().await;
    let rig = Rig::with(Plan { more: LISTED, ..Plan::default() }).await;
    for path in ["/none", "/loop", "/inside", "/large", "/type"] {
        let url = format!("http://{}{path}", files.address);
        let answer = rig.post("/v1/chat/completions", &asking(&[url])).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text());
        let error = answer.json()["error"].clone();
        assert_eq!(
            (&error["param"], &error["code"]),
            (&json!("messages"), &json!("image_download_failed"))
        );
        assert!(!answer.text().contains("127.0.0."), "{}", answer.text());
    }
    assert!(rig.journal().await.is_empty(), "the provider was asked");
}

#[tokio::test]
async fn a_silent_host_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rig = Rig::with(Plan { more: LISTED, ..Plan::default() }).await;
    let url = format!("http://{}/a.png", silent.local_addr().unwrap());
    let answer = rig.post("/v1/chat/completions", &asking(&[url])).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("in time"), "{}", answer.text());
}

#[tokio::test]
async fn private_addresses_are_never_asked_unless_they_are_listed() {
    let files = files().await;
    let switched_off = "[media]\nfetch = false\n";
    for more in ["", switched_off] {
        let rig = Rig::with(Plan { more, ..Plan::default() }).await;
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
            let url = format!("http://{host}:{}/a.png", files.address.port());
            let answer = rig.post("/v1/chat/completions", &asking(&[url])).await;
            assert_eq!(answer.status, 400, "{host}: {}", answer.text());
        }
    }
    assert!(files.got().is_empty(), "a private host was asked");
}
