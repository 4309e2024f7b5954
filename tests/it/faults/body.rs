//! Providers whose answer breaks after its header: u09 to u16 and u25. What was relayed stays, and
//! one error event ends the stream; a whole answer that is not whole is none.

use super::script::{Case, Expect, Stage, Step, both, say, streamed};
use super::words::{LAST_CHUNK, Talk, chunk};

const BAD: Expect = Expect::Status(502);
const LATE: Expect = Expect::Status(504);

/// A case in which a whole answer has a status, and a stream breaks after its first word.
const fn begun(name: &'static str, script: fn(Talk) -> Vec<Step>, whole: Expect) -> Case {
    Case { name, script, whole, stream: Expect::Broken }
}

/// The first word in a chunk, then these bytes.
fn then(talk: Talk, bytes: &str, end: Step) -> Vec<Step> {
    vec![say(talk.begun()), Step::Wait(50), say(bytes), end]
}

const SILENT: &[Case] = &[
    both("u09 silence after the header", |talk| vec![say(talk.chunked()), Step::Hold], LATE),
    both(
        "u09 silence after a length",
        |t| vec![say(t.head("content-length: 500\r\n")), Step::Hold],
        LATE,
    ),
    streamed("u09 silence after the opening", opened, LATE),
    streamed("u09 comments and no event", commenting, LATE),
    begun("u10 silence after a word", |talk| vec![say(talk.begun()), Step::Hold], LATE),
    begun("u10 silence within an event", |t| then(t, &chunk("data: {\"id"), Step::Hold), LATE),
    begun("u10 silence within a chunk", |t| then(t, "50\r\ndata: {\"id\":", Step::Hold), LATE),
    begun("u10 silence within a chunk's size", |talk| then(talk, "5", Step::Hold), LATE),
];

fn opened(talk: Talk) -> Vec<Step> {
    // Gemini's streams have no opening.
    vec![say([talk.chunked(), chunk(&talk.opening())].concat()), Step::Hold]
}

fn commenting(talk: Talk) -> Vec<Step> {
    let mut steps = vec![say(talk.chunked())];
    for _ in 0..40 {
        steps.extend([say(chunk(": still there\n\n")), Step::Wait(50)]);
    }
    steps.push(Step::Hold);
    steps
}

#[tokio::test]
async fn silence_after_the_header() {
    Stage::of(SILENT).await.play().await;
}

const CUT: &[Case] = &[
    both("u11 a close after the header", |talk| vec![say(talk.chunked()), Step::End], BAD),
    both("u11 a reset after the header", |talk| vec![say(talk.chunked()), Step::Reset], BAD),
    begun("u11 a reset between chunks", |talk| vec![say(talk.begun()), Step::Reset], BAD),
    begun("u11 a close between chunks", |talk| then(talk, "", Step::End), BAD),
    begun("u11 a close within a chunk", |t| then(t, "50\r\ndata: {\"id", Step::End), BAD),
    begun("u11 a reset within a chunk", |t| then(t, "50\r\ndata: {\"id", Step::Reset), BAD),
    begun("u11 a close within a chunk's size", |talk| then(talk, "5", Step::End), BAD),
    begun("u11 a close within the last chunk", |talk| then(talk, "0\r", Step::End), BAD),
    begun("u11 a last chunk too soon", |talk| then(talk, LAST_CHUNK, Step::End), BAD),
    begun("u12 a reset where the close is the end", |talk| closing(talk, Step::Reset), BAD),
    begun("u13 a close without the end mark", |talk| closing(talk, Step::End), BAD),
    both(
        "u13 a close after the end mark",
        |t| vec![say(t.head("")), say(t.all()), Step::End],
        Expect::Fine,
    ),
    streamed(
        "u13 a reset after the end mark",
        |t| vec![say(t.head("")), say(t.all()), Step::Reset],
        Expect::Fine,
    ),
];

/// An answer that ends with the connection, in its middle.
fn closing(talk: Talk, end: Step) -> Vec<Step> {
    vec![say([talk.head(""), talk.opening(), talk.one()].concat()), Step::Wait(50), end]
}

#[tokio::test]
async fn bodies_that_are_cut() {
    Stage::of(CUT).await.play().await;
}

const FRAMED: &[Case] = &[
    begun("u14 a length that is too large", |talk| lengths(talk, &["500"], Step::End), BAD),
    both("u14 two lengths that differ", |t| measured(t, &["5", "500"]), BAD),
    both("u14 a list of lengths that differ", |t| measured(t, &["5, 500"]), BAD),
    both("u14 a negative length", |talk| measured(talk, &["-1"]), BAD),
    both("u14 a length in hex", |talk| measured(talk, &["0x50"]), BAD),
    both("u14 a length that is no number", |talk| measured(talk, &["many"]), BAD),
    both("u14 a length beyond every number", |t| measured(t, &["99999999999999999999999"]), BAD),
    Case {
        name: "u14 a length that is too small",
        script: short,
        whole: BAD,
        stream: Expect::Broken,
    },
    both("u14 an answer behind the answer", poisoned, Expect::Fine),
    both("u14 an answer behind the last chunk", poisoned_chunks, Expect::Fine),
    both("u15 a length and chunks", both_framings, Expect::Fine),
    begun("u16 a size that is no number", |talk| then(talk, "zz\r\n", Step::Hold), BAD),
    begun(
        "u16 a size beyond every number",
        |t| then(t, "fffffffffffffffffff\r\nx", Step::Hold),
        BAD,
    ),
    begun(
        "u16 a size that wraps to zero",
        |t| then(t, "10000000000000000\r\n\r\n", Step::Hold),
        BAD,
    ),
    begun("u16 a negative size", |talk| then(talk, "-5\r\nabcde\r\n", Step::Hold), BAD),
    begun("u16 a size in hex notation", |talk| then(talk, "0x5\r\nabcde\r\n", Step::Hold), BAD),
    begun("u16 no size", |talk| then(talk, "\r\n\r\n", Step::Hold), BAD),
    begun("u16 a size that ends with LF", |talk| then(talk, "5\nabcde\r\n", Step::Hold), BAD),
    begun("u16 a chunk longer than its size", |t| then(t, "2\r\nabcdefgh\r\n", Step::Hold), BAD),
];

/// The first word below these lengths.
fn lengths(talk: Talk, lengths: &[&str], end: Step) -> Vec<Step> {
    let fields: String =
        lengths.iter().map(|text| ["content-length: ", text, "\r\n"].concat()).collect();
    let part = [talk.head(&fields), talk.opening(), talk.one()].concat();
    vec![say(part), Step::Wait(50), end]
}

/// The whole answer below these lengths.
fn measured(talk: Talk, lengths: &[&str]) -> Vec<Step> {
    let fields: String =
        lengths.iter().map(|text| ["content-length: ", text, "\r\n"].concat()).collect();
    vec![say([talk.head(&fields), talk.all()].concat()), Step::Wait(100), Step::End]
}

fn short(talk: Talk) -> Vec<Step> {
    let part = talk.opening().len() + talk.one().len();
    let fields = format!("content-length: {part}\r\n");
    vec![say([talk.head(&fields), talk.all()].concat()), Step::Wait(100)]
}

/// What no request may get.
const POISON: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 6\r\n\r\nPOISON";

fn poisoned(talk: Talk) -> Vec<Step> {
    vec![say([&talk.sized(&talk.all()), POISON].concat()), Step::Wait(100)]
}

fn poisoned_chunks(talk: Talk) -> Vec<Step> {
    let body = [&talk.chunked(), &chunk(&talk.all()), LAST_CHUNK, POISON].concat();
    vec![say(body), Step::Wait(100)]
}

fn both_framings(talk: Talk) -> Vec<Step> {
    let head = talk.head("content-length: 5\r\ntransfer-encoding: chunked\r\n");
    vec![say([&head, &chunk(&talk.all()), LAST_CHUNK].concat()), Step::Wait(100)]
}

#[tokio::test]
async fn lengths_and_chunks_that_do_not_fit() {
    let stage = Stage::of(FRAMED).await;
    stage.play().await;
    let doubtful = [
        "u14 an answer behind the answer",
        "u14 a length that is too small",
        "u15 a length and chunks",
    ];
    for name in doubtful {
        let (count, followed) = stage.followed(name);
        assert!(count >= 10, "{name}: {count}");
        assert!(followed.is_empty(), "{name}: used again: {followed:?}");
    }
}
