//! A WebSocket that repeats every message, by hand: enough of RFC 6455 to test that an upgrade
//! passes through the gateway.
//!
//! Called by `handle` for `…/ws-echo`. Invariant: frames longer than the bound end the connection.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt as _};

use super::body::{MockBody, plain};

const PAYLOAD_BYTES_MAX: u64 = 1 << 20;
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const OPCODE_CLOSE: u8 = 8;
const OPCODE_PING: u8 = 9;
const OPCODE_PONG: u8 = 10;

/// Answers the handshake; the echo runs until the client leaves.
pub(super) fn upgrade(mut request: Request<Incoming>) -> Response<MockBody> {
    let accept = request.headers().get(SEC_WEBSOCKET_KEY).map(|key| accept(key.as_bytes()));
    let accept = accept.and_then(|accept| HeaderValue::from_str(&accept).ok());
    let Some(accept) = accept else {
        let mut response = Response::new(plain("not a WebSocket handshake\n"));
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return response;
    };
    let upgraded = hyper::upgrade::on(&mut request);
    spawn_echo(async move {
        let upgraded = upgraded.await.map_err(io::Error::other)?;
        echo(TokioIo::new(upgraded)).await
    });
    let mut response = Response::new(plain(""));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    response
}

#[expect(clippy::disallowed_methods, reason = "a test server has no shutdown to drain into")]
fn spawn_echo(echo: impl Future<Output = io::Result<()>> + Send + 'static) {
    tokio::spawn(async move {
        if let Err(error) = echo.await {
            tracing::debug!(%error, "mock websocket ended");
        }
    });
}

/// Repeats frames until a close frame or the end of the stream.
async fn echo(mut io: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    loop {
        let head = io.read_u8().await?;
        let payload = read_payload(&mut io).await?;
        let opcode = head & 0x0f;
        let answered = if opcode == OPCODE_PING { head & 0xf0 | OPCODE_PONG } else { head };
        if opcode != OPCODE_PONG {
            io.write_all(&frame(answered, &payload)).await?;
        }
        if opcode == OPCODE_CLOSE {
            return io.shutdown().await;
        }
    }
}

/// The length, mask and payload behind the first byte of a frame.
async fn read_payload(io: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let second = io.read_u8().await?;
    let length = match second & 0x7f {
        126 => u64::from(io.read_u16().await?),
        127 => io.read_u64().await?,
        short => u64::from(short),
    };
    if length > PAYLOAD_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "frame too long"));
    }
    let mut mask = [0; 4];
    if second & 0x80 != 0 {
        io.read_exact(&mut mask).await?;
    }
    let mut payload = Vec::new();
    AsyncReadExt::take(io, length).read_to_end(&mut payload).await?;
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    Ok(payload)
}

/// An unmasked frame.
fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![head];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short), _) if short < 126 => frame.push(short),
        (_, Ok(medium)) => {
            frame.push(126);
            frame.extend(medium.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

/// The value of `Sec-WebSocket-Accept` for a key.
fn accept(key: &[u8]) -> String {
    STANDARD.encode(sha1(&[key, GUID.as_bytes()].concat()))
}

/// SHA-1 (FIPS 180-4). RFC 6455 demands it; it protects nothing here.
fn sha1(message: &[u8]) -> [u8; 20] {
    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(64) - 8, 0);
    padded.extend((message.len() as u64 * 8).to_be_bytes());
    for block in padded.chunks_exact(64) {
        sha1_block(&mut state, block);
    }
    let mut digest = [0; 20];
    for (out, word) in digest.chunks_exact_mut(4).zip(state) {
        out.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

#[expect(clippy::many_single_char_names, reason = "the names of the standard")]
fn sha1_block(state: &mut [u32; 5], block: &[u8]) {
    let (words, _) = block.as_chunks::<4>();
    let mut schedule: Vec<u32> = words.iter().map(|word| u32::from_be_bytes(*word)).collect();
    for at in 16..80_usize {
        let past = |back: usize| schedule.get(at - back).copied().unwrap_or_default();
        let word = (past(3) ^ past(8) ^ past(14) ^ past(16)).rotate_left(1);
        schedule.push(word);
    }
    let [mut a, mut b, mut c, mut d, mut e] = *state;
    for (round, word) in schedule.into_iter().enumerate() {
        let (mixed, constant) = match round {
            0..20 => ((b & c) | (!b & d), 0x5a82_7999),
            20..40 => (b ^ c ^ d, 0x6ed9_eba1),
            40..60 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
            _ => (b ^ c ^ d, 0xca62_c1d6_u32),
        };
        let sum = a.rotate_left(5).wrapping_add(mixed).wrapping_add(e);
        let next = sum.wrapping_add(constant).wrapping_add(word);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
    }
    for (word, add) in state.iter_mut().zip([a, b, c, d, e]) {
        *word = word.wrapping_add(add);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_is_the_example_of_the_rfc() {
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[tokio::test]
    async fn masked_text_comes_back_plain_and_ping_becomes_pong() {
        let (mut client, server) = tokio::io::duplex(1024);
        let echo = echo(server);
        let talk = async {
            let masked: Vec<u8> =
                b"Hi".iter().zip([1, 2]).map(|(byte, mask)| byte ^ mask).collect();
            client
                .write_all(&[&[0x81, 0x82, 1, 2, 3, 4], masked.as_slice()].concat())
                .await
                .unwrap();
            let mut answer = [0; 4];
            client.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"\x81\x02Hi");
            client.write_all(&[0x89, 0x80, 0, 0, 0, 0, 0x88, 0x80, 0, 0, 0, 0]).await.unwrap();
            client.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, [0x8a, 0, 0x88, 0]);
        };
        let (ended, ()) = tokio::join!(echo, talk);
        ended.unwrap();
    }
}
