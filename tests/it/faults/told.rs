//! Providers that answer in proper HTTP and say the wrong thing: u17 to u20 and u25.

use super::script::{Case, Expect, Stage, Step, both, say, streamed};
use super::words::{
    BAD_KEY, BAD_REQUEST, FAILED, LAST_CHUNK, LIMITED, OVERLOADED, Talk, Told, chunk,
};

const BAD: Expect = Expect::Status(502);

/// A body with this status and media type.
fn page(status: u16, media_type: &str, body: &str) -> Vec<Step> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\n\r\n"
    );
    vec![say([&head, body].concat())]
}

fn html(status: u16) -> Vec<Step> {
    page(status, "text/html", "<html><h1>POISON</h1></html>")
}

fn json(body: &str) -> Vec<Step> {
    page(200, "application/json", body)
}

const NO_ANSWERS: &[Case] = &[
    both("u17 a page", |_| html(200), BAD),
    both("u17 nothing", |_| page(200, "application/json", ""), BAD),
    both("u17 nothing in events", |_| page(200, "text/event-stream", ""), BAD),
    both("u17 null", |_| json("null"), BAD),
    both("u17 a list", |_| json("[]"), BAD),
    both("u17 an empty object", |_| json("{}"), BAD),
    both("u17 a word", |_| json("\"POISON\""), BAD),
    both("u17 half an object", |_| json("{\"id\":\"POISON\",\"choices\":["), BAD),
    both("u17 bytes that are no text", |_| json("\0\u{1}\u{2}POISON"), BAD),
    both("u17 a deep nest", |_| json(&"[".repeat(100_000)), BAD),
    both("u18 a page with 500", |_| html(500), BAD),
    both("u18 a page with 502", |_| html(502), BAD),
    both("u18 a page with 503", |_| html(503), Expect::Status(503)),
    both("u18 a page with 504", |_| html(504), Expect::Status(504)),
    both("u18 a page with 520", |_| html(520), BAD),
    both("u18 a page with 521", |_| html(521), BAD),
    both("u18 a page with 522", |_| html(522), BAD),
    both("u18 a page with 523", |_| html(523), BAD),
    both("u18 a page with 524", |_| html(524), Expect::Status(504)),
    both("u18 a page with 525", |_| html(525), BAD),
    both("u18 a page with 526", |_| html(526), BAD),
    both("u18 a page with 530", |_| html(530), BAD),
    both("u18 nothing with 500", |_| page(500, "text/plain", ""), BAD),
    both("u28 a page with 529", |_| html(529), Expect::Status(503)),
];

#[tokio::test]
async fn what_is_no_answer() {
    Stage::of(NO_ANSWERS).await.play().await;
}

/// An error below status 200.
fn disguised(talk: Talk, told: Told) -> Vec<Step> {
    vec![say(talk.sized(&talk.error(told)))]
}

const ERRORS: &[Case] = &[
    both("u19 overload as an answer", |t| disguised(t, OVERLOADED), Expect::Status(503)),
    both("u19 a fault as an answer", |talk| disguised(talk, FAILED), BAD),
    both("u19 a limit as an answer", |talk| disguised(talk, LIMITED), Expect::Status(429)),
    both("u19 a refusal as an answer", |t| disguised(t, BAD_REQUEST), Expect::Status(400)),
    streamed("u20 an error before the first word", opened_error, Expect::Status(503)),
    streamed("u20 an error after a word", begun_error, Expect::Broken),
    streamed("u20 an error after a word, and more", talkative_error, Expect::Broken),
    streamed("u20 an error of another format", foreign_error, Expect::Broken),
];

fn opened_error(talk: Talk) -> Vec<Step> {
    let events = [talk.opening(), talk.error(OVERLOADED)].concat();
    vec![say([&talk.chunked(), &chunk(&events), LAST_CHUNK].concat())]
}

fn begun_error(talk: Talk) -> Vec<Step> {
    vec![say([&talk.begun(), &chunk(&talk.error(OVERLOADED)), LAST_CHUNK].concat())]
}

fn talkative_error(talk: Talk) -> Vec<Step> {
    let more = [talk.error(OVERLOADED), talk.rest()].concat();
    vec![say([&talk.begun(), &chunk(&more), LAST_CHUNK].concat())]
}

fn foreign_error(talk: Talk) -> Vec<Step> {
    let error = "event: error\ndata: {\"error\":{\"message\":\"POISON\",\"code\":500}}\n\n";
    vec![say([&talk.begun(), &chunk(error), LAST_CHUNK].concat())]
}

#[tokio::test]
async fn errors_where_an_answer_should_be() {
    Stage::of(ERRORS).await.play().await;
}

const KEYS: &[Case] =
    &[both("u19 a bad key as an answer", |talk| disguised(talk, BAD_KEY), Expect::KeyRefused)];

#[tokio::test]
async fn a_refused_key_where_an_answer_should_be() {
    Stage::of(KEYS).await.play().await;
}
