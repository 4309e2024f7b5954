//! HTTP/2 with prior knowledge, keep-alive and the WebSocket upgrade.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::rig::{OPENAI, Rig, openai_body};

type Sender = http2::SendRequest<Full<Bytes>>;

#[expect(clippy::disallowed_methods, reason = "the connection ends with its sender")]
async fn connect(rig: &Rig) -> Sender {
    let stream = TcpStream::connect(rig.address).await.unwrap();
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn request(directive: &Value) -> hyper::Request<Full<Bytes>> {
    hyper::Request::post("http://mock/v1/chat/completions")
        .header("authorization", "Bearer k")
        .body(Full::from(openai_body(directive, true).to_string()))
        .unwrap()
}

#[tokio::test]
async fn http2_streams_side_by_side() {
    let rig = Rig::start().await;
    let mut sender = connect(&rig).await;
    let slow = sender.send_request(request(&json!({"events": 3, "event_delay_ms": 20})));
    let quick = sender.clone().send_request(request(&json!({"events": 2})));
    let (slow, quick) = (slow.await.unwrap(), quick.await.unwrap());
    assert_eq!(slow.version(), hyper::Version::HTTP_2);
    for response in [slow, quick] {
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(body.ends_with(b"data: [DONE]\n\n"));
    }
    assert!(rig.entries(2).await.iter().all(|entry| entry.finished));
}

#[tokio::test]
async fn http2_cancel_and_break_reach_the_journal() {
    let rig = Rig::start().await;
    let mut sender = connect(&rig).await;
    let response = sender.send_request(request(&json!({"fault": {"stall_after": 1}}))).await;
    let mut body = response.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert!(rig.entry().await.client_closed);
    let response = sender.send_request(request(&json!({"fault": {"reset_after": 1}}))).await;
    let ended = response.unwrap().into_body().collect().await;
    assert!(ended.is_err());
    assert_eq!(rig.entries(2).await[1].fault, Some("reset"));
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let rig = Rig::start().await;
    let body = openai_body(&json!({"text": "done"}), false).to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: m\r\n{OPENAI}content-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    for _ in 0..3 {
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let mut seen = String::new();
        while !seen.ends_with("}\n") {
            let mut buffer = [0; 4096];
            let size = stream.read(&mut buffer).await.unwrap();
            assert!(size > 0);
            seen.push_str(std::str::from_utf8(&buffer[..size]).unwrap());
        }
    }
    let ids: std::collections::HashSet<_> =
        rig.entries(3).await.into_iter().map(|e| e.id).collect();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn websocket_frames_come_back() {
    let rig = Rig::start().await;
    let headers = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let mut stream = rig.open("GET", "/v1/ws-echo", headers, "").await;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    stream.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'H', b'i']).await.unwrap();
    let mut frame = [0; 4];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(&frame, b"\x81\x02Hi");
}
