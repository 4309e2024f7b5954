//! What the gateway's own reading of JSON and of streams costs, against serde_json doing the same.
//!
//! `cargo bench --bench json`; a few seconds, one core. The competitors take turns, so that the
//! ratios hold on a busy machine. The payloads are those of the overhead benchmark. Every piece of
//! work is checked once before it is timed.

#![expect(clippy::print_stdout, reason = "the table is the result")]

#[expect(dead_code, reason = "most of it is for the overhead benchmark")]
#[path = "overhead/payload.rs"]
mod payload;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arouter::formats::openai_chat::dialect::OPENAI;
use arouter::formats::passthrough::{RequestEdit, rewrite_request};
use arouter::formats::translator::Translator;
use arouter::formats::{AnswerLabel, ApiFormat, Framing};
use arouter::json::Head;
use bytes::Bytes;
use payload::{Shape, Stream};
use serde_json::Value;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Whatever ends a run.
type Failure = Box<dyn std::error::Error>;

/// Length of one measurement, and how many there are of each.
const SLICE: Duration = Duration::from_millis(40);
const ROUNDS: usize = 9;
/// What the gateway calls the model.
const SHOWN_MODEL: &str = "bench/bench-model";

/// A piece of work: the gateway's way and serde_json's, and how many units one call does.
struct Work<'w> {
    title: &'w str,
    units: usize,
    ours: &'w dyn Fn() -> Result<usize, Failure>,
    serde: &'w dyn Fn() -> Result<usize, Failure>,
}

fn main() -> Result<(), Failure> {
    println!("{:48}{:>12}{:>12}{:>8}", "", "ours, ns", "serde, ns", "ratio");
    for (name, shape) in [("1 KB", Shape::Chat1), ("1 MB", Shape::Body)] {
        requests(name, shape)?;
    }
    let openai = payload::openai_stream();
    let anthropic = payload::anthropic_stream();
    let same = || relayed(ApiFormat::OpenAiChat, &openai);
    let other = || relayed(ApiFormat::Anthropic, &anthropic);
    report(&Work {
        title: "event of a stream, same format: tap",
        units: payload::EVENTS,
        ours: &same,
        serde: &|| reserialised(&openai),
    })?;
    report(&Work {
        title: "event of a stream, Anthropic to OpenAI",
        units: payload::EVENTS,
        ours: &other,
        serde: &|| reserialised(&anthropic),
    })
}

fn requests(name: &str, shape: Shape) -> Result<(), Failure> {
    let body = Bytes::from(payload::openai_body(shape, 0, SHOWN_MODEL));
    report(&Work {
        title: &format!("{name} request: head scan / parse to a tree"),
        units: 1,
        ours: &|| Ok(Head::scan(&body)?.members().len()),
        serde: &|| {
            Ok(serde_json::from_slice::<Value>(&body)?.as_object().map_or(0, serde_json::Map::len))
        },
    })?;
    report(&Work {
        title: &format!("{name} request: scan and splice / parse and write"),
        units: 1,
        ours: &|| {
            let head = Head::scan(&body)?;
            let edit = RequestEdit { model: payload::MODEL, stream: false, dialect: &OPENAI };
            Ok(rewrite_request(ApiFormat::OpenAiChat, &body, &head, edit).body.len)
        },
        serde: &|| {
            let mut tree: Value = serde_json::from_slice(&body)?;
            *tree.pointer_mut("/model").ok_or("no model")? = payload::MODEL.into();
            Ok(serde_json::to_vec(&tree)?.len())
        },
    })
}

/// A stream through the gateway's translator, event by event.
fn relayed(upstream: ApiFormat, stream: &Stream) -> Result<usize, Failure> {
    let label = AnswerLabel {
        id: Arc::from("gen-1767225600-0123456789abcdefghij"),
        model: Some(Arc::from(SHOWN_MODEL)),
        provider: Arc::from("Bench"),
        created_s: 1_767_225_600,
        include_usage: true,
        exclude_reasoning: false,
        shape: arouter::formats::Shape::Maker,
        charges: None,
    };
    let mut translator = Translator::new(upstream, ApiFormat::OpenAiChat, Framing::Sse, label)
        .map_err(|error| error.to_string())?;
    let mut sent = 0;
    for event in stream.opening.iter().chain(&stream.events).chain(&stream.closing) {
        let pushed = translator.push(Bytes::copy_from_slice(event.as_bytes()));
        sent += pushed.map_err(|fault| format!("{fault:?}"))?.len();
    }
    if translator.observed().ended { Ok(sent) } else { Err("the stream has no end".into()) }
}

/// A stream whose every event is parsed to a tree and written again.
fn reserialised(stream: &Stream) -> Result<usize, Failure> {
    let mut sent = 0;
    for event in stream.opening.iter().chain(&stream.events).chain(&stream.closing) {
        let event = Bytes::copy_from_slice(event.as_bytes());
        let data = memchr::memmem::find(&event, b"data: ").ok_or("no data")? + 6;
        let data = event.get(data..).unwrap_or_default();
        sent += match serde_json::from_slice::<Value>(data) {
            Ok(tree) => serde_json::to_vec(&tree)?.len(),
            Err(_) => data.len(),
        };
    }
    Ok(sent)
}

/// Measures both ways in turns and prints the medians.
fn report(work: &Work<'_>) -> Result<(), Failure> {
    for way in [work.ours, work.serde] {
        if way()? == 0 {
            return Err(format!("{}: nothing was done", work.title).into());
        }
    }
    let (mut ours, mut serde) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(nanoseconds(work.ours)? / to_f64(work.units));
        serde.push(nanoseconds(work.serde)? / to_f64(work.units));
    }
    let (ours, serde) = (median(ours), median(serde));
    println!("{:48}{ours:>12.0}{serde:>12.0}{:>8.2}", work.title, ours / serde);
    Ok(())
}

/// Time of one call.
fn nanoseconds(way: &dyn Fn() -> Result<usize, Failure>) -> Result<f64, Failure> {
    let started = Instant::now();
    let mut calls = 0;
    while started.elapsed() < SLICE {
        for _ in 0..4 {
            black_box(way()?);
            calls += 1;
        }
    }
    Ok(started.elapsed().as_secs_f64() * 1e9 / to_f64(calls))
}

fn to_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::NAN, f64::from)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
