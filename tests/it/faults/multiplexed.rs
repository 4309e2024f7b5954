//! Providers over HTTP/2 that break its rules or stand still: u36. What a refusal or the end of a
//! connection means for a request is shown in `http2` and `goaway`.

use super::script::{Expect, TIMES, judge};
use super::words::Talk;
use crate::asks::{Ask, Client};
use crate::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, read, write,
};
use crate::rig::{Http, Plan, Rig};
use serde_json::json;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const BAD: Expect = Expect::Status(502);
const LATE: Expect = Expect::Status(504);

/// Kind, flags, stream and payload.
type Frame = (u8, u8, u32, Vec<u8>);

struct Case {
    name: &'static str,
    /// Settings of the peer.
    settings: &'static [u8],
    /// What it sends when it has the whole request on this stream.
    frames: fn(u32, Talk) -> Vec<Frame>,
    whole: Expect,
    stream: Expect,
}

const fn case(
    name: &'static str,
    frames: fn(u32, Talk) -> Vec<Frame>,
    [whole, stream]: [Expect; 2],
) -> Case {
    Case { name, settings: &[], frames, whole, stream }
}

/// A case in which the settings alone keep everything from going on.
const fn stuck(name: &'static str, settings: &'static [u8]) -> Case {
    // The first request may be on its way before the settings come.
    Case { name, settings, frames: answer, whole: Expect::Nothing, stream: LATE }
}

/// `:status: 200` and nothing else.
const OK: [u8; 1] = [0x88];
const ANY_ERROR: [u8; 4] = [0, 0, 0, 2];

fn header(id: u32) -> Frame {
    (HEADERS, END_HEADERS, id, OK.to_vec())
}

fn first(id: u32, talk: Talk) -> Vec<Frame> {
    vec![header(id), (DATA, 0, id, [talk.opening(), talk.one()].concat().into_bytes())]
}

fn answer(id: u32, talk: Talk) -> Vec<Frame> {
    vec![header(id), (DATA, END_STREAM, id, talk.all().into_bytes())]
}

/// The first word and then this frame.
fn then(id: u32, talk: Talk, frame: Frame) -> Vec<Frame> {
    let mut frames = first(id, talk);
    frames.push(frame);
    frames
}

const BREAKS: [Expect; 2] = [BAD, Expect::Broken];

const CASES: &[Case] = &[
    case("an answer", answer, [Expect::Fine; 2]),
    case(
        "trailers",
        |id, talk| {
            let all = talk.all().into_bytes();
            // `x: y`, as a literal that is not remembered.
            let trailer = vec![0, 1, b'x', 1, b'y'];
            vec![header(id), (DATA, 0, id, all), (HEADERS, END_HEADERS | END_STREAM, id, trailer)]
        },
        [Expect::Fine; 2],
    ),
    case(
        "trailers only",
        |id, _| vec![(HEADERS, END_HEADERS | END_STREAM, id, OK.to_vec())],
        [BAD; 2],
    ),
    case(
        "no status",
        |id, _| vec![(HEADERS, END_HEADERS, id, vec![0, 1, b'x', 1, b'y'])],
        [BAD; 2],
    ),
    case(
        "a header that is no HPACK",
        |id, _| vec![(HEADERS, END_HEADERS, id, vec![0xff; 40])],
        [BAD; 2],
    ),
    case(
        "a header that never ends",
        |id, _| {
            let more = (0..2000).map(|_| {
                (CONTINUATION, 0, id, [0, 1, b'x', 100].into_iter().chain([b'y'; 100]).collect())
            });
            [(HEADERS, 0, id, OK.to_vec())].into_iter().chain(more).collect()
        },
        [BAD; 2],
    ),
    case("silence", |_, _| Vec::new(), [LATE; 2]),
    case("silence after the header", |id, _| vec![header(id)], [LATE; 2]),
    case("silence after a word", first, [LATE, Expect::Broken]),
    case(
        "a frame that is too large",
        |id, t| then(id, t, (DATA, 0, id, vec![b' '; 100_000])),
        BREAKS,
    ),
    case("data of nobody's stream", |id, t| then(id, t, (DATA, 0, id + 10, vec![b' '])), BREAKS),
    case(
        "a header of stream 0",
        |id, t| then(id, t, (HEADERS, END_HEADERS, 0, OK.to_vec())),
        BREAKS,
    ),
    case(
        "a window beyond every number",
        |id, t| then(id, t, (WINDOW_UPDATE, 0, 0, vec![0x7f, 255, 255, 255])),
        BREAKS,
    ),
    case("a window of nothing", |id, t| then(id, t, (WINDOW_UPDATE, 0, 0, vec![0; 4])), BREAKS),
    case(
        "a reset after a word",
        |id, t| then(id, t, (RST_STREAM, 0, id, vec![0, 0, 0, 8])),
        BREAKS,
    ),
    case(
        "a refusal after a word",
        |id, t| then(id, t, (RST_STREAM, 0, id, vec![0, 0, 0, 7])),
        BREAKS,
    ),
    case(
        "the connection's end after a word",
        |id, t| then(id, t, (GOAWAY, 0, 0, [id.to_be_bytes(), ANY_ERROR].concat())),
        [LATE, Expect::Broken],
    ),
    case(
        "a reset before the header",
        |id, _| vec![(RST_STREAM, 0, id, ANY_ERROR.to_vec())],
        [BAD; 2],
    ),
    case("an end too soon", |id, t| then(id, t, (DATA, END_STREAM, id, Vec::new())), BREAKS),
    case("HTTP/1 in its place", |_, _| Vec::new(), [BAD; 2]),
    stuck("no window", &[0, 4, 0, 0, 0, 0]),
    stuck("no streams", &[0, 3, 0, 0, 0, 0]),
];

async fn start(case: &'static Case) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // That the gateway closes a connection is no mistake.
            tokio::spawn(async move { serve(stream, case).await.ok() });
        }
    });
    address
}

async fn serve(mut stream: TcpStream, case: &Case) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.read_exact(&mut [0; 24]).await?;
    if case.name == "HTTP/1 in its place" {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nPOISON").await?;
        return Ok(());
    }
    write(&mut stream, (SETTINGS, 0, 0), case.settings).await?;
    let mut body = Vec::new();
    loop {
        let (kind, flags, id, payload) = read(&mut stream).await?;
        if kind != DATA {
            continue;
        }
        body.extend(payload);
        if flags & END_STREAM == 0 {
            continue;
        }
        let request = format!("POST /chat/completions x\r\n\r\n{}", String::from_utf8_lossy(&body));
        body.clear();
        for (kind, flags, id, payload) in (case.frames)(id, Talk::of(&request)) {
            write(&mut stream, (kind, flags, id), &payload).await?;
            tokio::time::sleep(Duration::from_millis(if kind == DATA { 20 } else { 0 })).await;
        }
    }
}

#[tokio::test]
async fn rules_of_http2_that_a_provider_breaks() {
    let mut more = String::new();
    for (number, case) in CASES.iter().enumerate() {
        let address = start(case).await;
        write!(
            more,
            "[providers.p{number}]\nformat = \"openai\"\nbase_url = \"http://{address}/v1\"\n\
             http2 = \"always\"\n{TIMES}\n"
        )
        .unwrap();
    }
    let rig = Rig::with(Plan { more: &more, ..Plan::default() }).await;
    let all = CASES.iter().enumerate().flat_map(|(number, case)| {
        [(false, case.whole), (true, case.stream)].map(|(stream, expect)| {
            let model: &'static str = format!("p{number}/m-{stream}").leak();
            (case, Ask::of(Client::OpenAi, model), stream, expect)
        })
    });
    let mut wrong = Vec::new();
    for (case, ask, stream, expect) in all {
        let started = Instant::now();
        let mut call = if stream {
            ask.stream(&rig, Http::One, &json!({})).await
        } else {
            ask.whole(&rig, Http::One, &json!({})).await
        };
        let text = call.text().await;
        let judged = judge(expect, (ask, stream), (call.status, &text));
        let late = started.elapsed() > Duration::from_millis(3500);
        if judged.is_err() || late {
            wrong.push(format!(
                "{}, stream {stream}: {:?}: {judged:?}",
                case.name,
                started.elapsed()
            ));
        }
    }
    assert!(wrong.is_empty(), "{} mistakes:\n{}", wrong.len(), wrong.join("\n"));
    rig.assert_alive().await;
}
