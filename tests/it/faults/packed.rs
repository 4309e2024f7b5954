//! Providers whose answers come compressed although nobody asked for it: u21. They are read like
//! any other, and what cannot be read is no answer.

use super::script::{Case, Expect, Stage, Step, both, say, streamed};
use super::words::{LAST_CHUNK, LIMITED, OVERLOADED, Talk};
use crate::peer::{Got, OPENAI_ANSWER, Peer, Say};
use crate::rig::{Answer, Plan, Rig};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use serde_json::json;
use std::io::Write;
use std::sync::LazyLock;

const BAD: Expect = Expect::Status(502);
const LATE: Expect = Expect::Status(504);

/// Compresses text in parts: what each of them becomes, and the end.
type Pack = fn(&[&str]) -> Vec<Vec<u8>>;

/// Puts the parts into an encoder, so that each can be read as soon as it came.
macro_rules! packed {
    ($parts:expr, $encoder:expr, $end:expr) => {{
        let mut encoder = $encoder;
        let mut packed = Vec::new();
        let mut before = 0;
        for part in $parts {
            encoder.write_all(part.as_bytes()).unwrap();
            encoder.flush().unwrap();
            packed.push(encoder.get_ref()[before..].to_vec());
            before = encoder.get_ref().len();
        }
        packed.push($end(encoder)[before..].to_vec());
        packed
    }};
}

fn gzip(parts: &[&str]) -> Vec<Vec<u8>> {
    let end = |encoder: GzEncoder<Vec<u8>>| encoder.finish().unwrap();
    packed!(parts, GzEncoder::new(Vec::new(), Compression::best()), end)
}

fn deflate(parts: &[&str]) -> Vec<Vec<u8>> {
    let end = |encoder: ZlibEncoder<Vec<u8>>| encoder.finish().unwrap();
    packed!(parts, ZlibEncoder::new(Vec::new(), Compression::best()), end)
}

fn bare_deflate(parts: &[&str]) -> Vec<Vec<u8>> {
    let end = |encoder: DeflateEncoder<Vec<u8>>| encoder.finish().unwrap();
    packed!(parts, DeflateEncoder::new(Vec::new(), Compression::best()), end)
}

fn br(parts: &[&str]) -> Vec<Vec<u8>> {
    let end = brotli::CompressorWriter::into_inner;
    packed!(parts, brotli::CompressorWriter::new(Vec::new(), 4096, 5, 20), end)
}

fn zstd(parts: &[&str]) -> Vec<Vec<u8>> {
    let end = |encoder: zstd::stream::write::Encoder<'_, Vec<u8>>| encoder.finish().unwrap();
    packed!(parts, zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap(), end)
}

const CODINGS: [(&str, Pack); 4] =
    [("gzip", gzip), ("deflate", deflate), ("br", br), ("zstd", zstd)];

/// A body of known length, in what is said to be this coding.
fn sized(talk: Talk, coding: &str, body: &[u8]) -> Vec<Step> {
    let fields = format!("content-encoding: {coding}\r\ncontent-length: {}\r\n", body.len());
    vec![say([talk.head(&fields).as_bytes(), body].concat())]
}

/// All of it at once.
fn whole(talk: Talk, coding: &str, pack: Pack) -> Vec<Step> {
    sized(talk, coding, &pack(&[&talk.all()]).concat())
}

fn chunk(bytes: &[u8]) -> Step {
    say([format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat())
}

/// The header and the first word, which can be read.
fn begun(talk: Talk, coding: &str, pack: Pack) -> Vec<Step> {
    let head = talk.head(&format!("content-encoding: {coding}\r\ntransfer-encoding: chunked\r\n"));
    let packed = pack(&[&[talk.opening(), talk.one()].concat()]);
    vec![say(head), chunk(&packed[0]), Step::Wait(50)]
}

/// The same, and then something else.
fn then(talk: Talk, (coding, pack): (&str, Pack), steps: Vec<Step>) -> Vec<Step> {
    [begun(talk, coding, pack), steps].concat()
}

/// Each part in a chunk of its own, the smallest in bytes.
fn chunked(talk: Talk, coding: &str, pack: Pack) -> Vec<Step> {
    let head = talk.head(&format!("content-encoding: {coding}\r\ntransfer-encoding: chunked\r\n"));
    let packed = pack(&[&talk.opening(), &talk.one(), &talk.rest()]);
    let (first, rest) = packed.split_first().unwrap();
    let bytes = first.chunks(1).chain(rest.iter().map(Vec::as_slice));
    let chunks = bytes.filter(|bytes| !bytes.is_empty()).map(chunk);
    [say(head)].into_iter().chain(chunks).chain([say(LAST_CHUNK)]).collect()
}

const READ: &[Case] = &[
    both("u21 a body in gzip", |talk| whole(talk, "gzip", gzip), Expect::Fine),
    both("u21 a body in x-gzip", |talk| whole(talk, "X-GZip", gzip), Expect::Fine),
    both("u21 a body in deflate", |talk| whole(talk, "deflate", deflate), Expect::Fine),
    both("u21 a body in bare deflate", |t| whole(t, "deflate", bare_deflate), Expect::Fine),
    both("u21 a body in br", |talk| whole(talk, "br", br), Expect::Fine),
    both("u21 a body in zstd", |talk| whole(talk, "zstd", zstd), Expect::Fine),
    both("u21 chunks in gzip", |talk| chunked(talk, "gzip", gzip), Expect::Fine),
    both("u21 chunks in deflate", |talk| chunked(talk, "deflate", deflate), Expect::Fine),
    both("u21 chunks in br", |talk| chunked(talk, "br", br), Expect::Fine),
    both("u21 chunks in zstd", |talk| chunked(talk, "zstd", zstd), Expect::Fine),
    both("u21 nothing", |t| sized(t, "identity", t.all().as_bytes()), Expect::Fine),
    streamed("u21 an error in gzip before the first word", opened_error, Expect::Status(503)),
];

fn opened_error(talk: Talk) -> Vec<Step> {
    let events = [talk.opening(), talk.error(OVERLOADED)].concat();
    sized(talk, "gzip", &gzip(&[&events]).concat())
}

#[tokio::test]
async fn what_is_compressed_is_read() {
    Stage::of(READ).await.play().await;
}

/// A case in which a whole answer has a status, and a stream breaks after its first word: that it
/// is shown says too that nothing is held up.
const fn broken(name: &'static str, script: fn(Talk) -> Vec<Step>, whole: Expect) -> Case {
    Case { name, script, whole, stream: Expect::Broken }
}

const UNREAD: &[Case] = &[
    both("u21 no gzip", |talk| sized(talk, "gzip", talk.all().as_bytes()), BAD),
    both("u21 no deflate", |talk| sized(talk, "deflate", talk.all().as_bytes()), BAD),
    both("u21 no br", |talk| sized(talk, "br", talk.all().as_bytes()), BAD),
    both("u21 no zstd", |talk| sized(talk, "zstd", talk.all().as_bytes()), BAD),
    both("u21 gzip by another name", |talk| whole(talk, "zstd", gzip), BAD),
    both("u21 two codings", |talk| whole(talk, "gzip, br", gzip), BAD),
    both("u21 an unknown coding", |talk| sized(talk, "lzma", talk.all().as_bytes()), BAD),
    both("u21 an error in an unknown coding", |t| refused(t, "lzma"), Expect::Status(400)),
    both("u21 an error that is no gzip", |t| refused(t, "gzip"), Expect::Status(400)),
    both("u21 a bomb", bomb, BAD),
    Case {
        name: "u21 the end of gzip is missing",
        script: |talk| {
            let body = gzip(&[&talk.all()]).concat();
            sized(talk, "gzip", &body[..body.len() - 4])
        },
        whole: BAD,
        // The answer is over before the body is.
        stream: Expect::Fine,
    },
    broken("u21 silence in gzip", |t| then(t, ("gzip", gzip), vec![Step::Hold]), LATE),
    broken("u21 silence in br", |t| then(t, ("br", br), vec![Step::Hold]), LATE),
    broken("u21 silence in zstd", |t| then(t, ("zstd", zstd), vec![Step::Hold]), LATE),
    broken("u21 half of gzip", |t| then(t, ("gzip", gzip), vec![say(LAST_CHUNK)]), BAD),
    broken("u21 half of br", |t| then(t, ("br", br), vec![say(LAST_CHUNK)]), BAD),
    broken("u21 half of zstd", |t| then(t, ("zstd", zstd), vec![say(LAST_CHUNK)]), BAD),
    broken("u21 rubbish in gzip", |t| then(t, ("gzip", gzip), rubbish()), BAD),
    broken("u21 rubbish in deflate", |t| then(t, ("deflate", deflate), rubbish()), BAD),
    broken("u21 rubbish in br", |t| then(t, ("br", br), rubbish()), BAD),
    broken("u21 rubbish in zstd", |t| then(t, ("zstd", zstd), rubbish()), BAD),
];

/// An error whose words cannot be read.
fn refused(talk: Talk, coding: &str) -> Vec<Step> {
    let body = talk.error(LIMITED);
    let length = body.len();
    vec![say(format!(
        "HTTP/1.1 400 X\r\ncontent-type: application/json\r\ncontent-encoding: {coding}\r\n\
         content-length: {length}\r\n\r\n{body}"
    ))]
}

fn rubbish() -> Vec<Step> {
    vec![chunk(&[0xff; 64]), say(LAST_CHUNK)]
}

/// Blank lines, which may stand before every answer, and of which there are too many.
static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| zstd(&[&"\n".repeat(16 << 20)]).concat());

fn bomb(talk: Talk) -> Vec<Step> {
    let answer = zstd(&[&talk.all()]).concat();
    sized(talk, "zstd", &[BOMB.as_slice(), &answer].concat())
}

#[tokio::test]
async fn what_cannot_be_inflated_is_no_answer() {
    Stage::of(UNREAD).await.play().await;
}

/// What a provider says in this coding when it is asked for a model.
fn spoken((coding, pack): (&'static str, Pack), got: &Got) -> Say {
    let asked: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
    let error = |text| json!({ "error": { "message": text, "type": text, "code": text } });
    let (status, body) = match asked["model"].as_str().unwrap() {
        "limited" => (429, error("rate_limit_exceeded").to_string()),
        "refused" => (400, error("context_length_exceeded").to_string()),
        _ if asked["stream"] == true => {
            let talk = Talk::of("POST /v1/chat/completions HTTP/1.1\r\n\r\n\"stream\":true");
            let body = pack(&[&talk.all()]).concat();
            return Say::events(body).header("content-encoding", coding);
        }
        _ => (200, OPENAI_ANSWER.to_owned()),
    };
    Say::json(pack(&[&body]).concat()).status(status).header("content-encoding", coding)
}

async fn ask(rig: &Rig, model: &str, stream: bool) -> Answer {
    let messages = json!([{ "role": "user", "content": "hi" }]);
    let body = json!({ "model": model, "messages": messages, "stream": stream });
    rig.post("/v1/chat/completions", &body).await
}

#[tokio::test]
async fn what_was_compressed_is_metered_and_its_errors_are_understood() {
    for (coding, pack) in CODINGS {
        let peer = Peer::with(move |got| spoken((coding, pack), got)).await;
        let rig = Rig::with(Plan { upstream: Some(peer.address), ..Plan::default() }).await;
        for (stream, written) in [(false, 1), (true, 2)] {
            let answer = ask(&rig, "openai/gpt-5.4", stream).await;
            let case = format!("{coding}, stream {stream}: {}", answer.text());
            assert_eq!(answer.status, 200, "{case}");
            assert_eq!(answer.header("content-encoding"), "", "{case}");
            let record = rig.generation(answer.header("x-generation-id")).await;
            let data = &record["data"];
            assert_eq!(data["native_tokens_prompt"], 3, "{case}: {record}");
            assert_eq!(data["native_tokens_completion"], written, "{case}: {record}");
        }
        let refused = ask(&rig, "openai/refused", false).await;
        assert_eq!(refused.status, 400, "{coding}: {}", refused.text());
        let code = &refused.json()["error"]["code"];
        assert_eq!(*code, "context_length_exceeded", "{coding}: {}", refused.text());
        let limited = ask(&rig, "openai/limited", false).await;
        assert_eq!(limited.status, 429, "{coding}: {}", limited.text());
        assert!(limited.text().contains("rate_limit_exceeded"), "{coding}: {}", limited.text());
    }
}
