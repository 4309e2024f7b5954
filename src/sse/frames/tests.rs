//! Tests of `frames`: the events of a stream do not depend on how it is chunked, against a naive
//! reading of the specification; what is released when; what is copied; limits and cost.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::*;
use crate::sse::parse;
use proptest::prelude::*;
use serde_json::Value;

type Events = Vec<(Option<String>, Vec<u8>)>;

/// The events of a whole stream, line by line as the specification words it.
fn reference(stream: &[u8]) -> Events {
    let stream = stream.strip_prefix(BYTE_ORDER_MARK).unwrap_or(stream);
    let mut unified = vec![];
    let mut previous = 0;
    for &byte in stream {
        if byte != b'\n' || previous != b'\r' {
            unified.push(if byte == b'\r' { b'\n' } else { byte });
        }
        previous = byte;
    }
    let mut events = vec![];
    let (mut name, mut data): (Vec<u8>, Option<Vec<u8>>) = (vec![], None);
    let mut lines: Vec<&[u8]> = unified.split(|&b| b == b'\n').collect();
    let unterminated = lines.pop();
    assert!(unterminated.is_some());
    for line in lines {
        if line.is_empty() {
            let name = Some(String::from_utf8_lossy(&std::mem::take(&mut name)).into_owned());
            if let Some(data) = data.take() {
                events.push((name.filter(|n| !n.is_empty()), data));
            }
            continue;
        }
        let colon = line.iter().position(|&b| b == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"event" => name = value.to_vec(),
            b"data" => match &mut data {
                Some(data) => data.extend([b"\n", value].concat()),
                None => data = Some(value.to_vec()),
            },
            _ => {}
        }
    }
    events
}

#[derive(Clone, Copy)]
enum Take {
    Each,
    Complete,
}

/// What comes out of the stream pushed in `chunks`: the events, and all bytes with the tail.
fn run<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, take: Take) -> (Events, Vec<u8>) {
    let mut frames = Frames::new();
    let (mut events, mut bytes) = (vec![], vec![]);
    let mut read = |frame: &[u8]| {
        bytes.extend_from_slice(frame);
        if let Some(event) = parse(frame) {
            events.push((event.name.map(Into::into), event.data.into_owned()));
        }
    };
    for chunk in chunks {
        frames.push(Bytes::copy_from_slice(chunk));
        match take {
            Take::Each => {
                while let Some(frame) = frames.next().unwrap() {
                    read(&frame);
                }
            }
            Take::Complete => {
                let complete = frames.take_complete().unwrap();
                assert_eq!(frames.take_complete(), Ok(None), "one call takes all");
                let mut again = Frames::new();
                again.push(complete.unwrap_or_default());
                while let Some(frame) = again.next().unwrap() {
                    read(&frame);
                }
                assert_eq!(again.finish(), None, "only whole events are taken");
            }
        }
    }
    if let Some(tail) = frames.finish() {
        bytes.extend_from_slice(&tail);
    }
    (events, bytes)
}

fn check<'a>(stream: &[u8], expected: &Events, chunks: impl Iterator<Item = &'a [u8]> + Clone) {
    for (take, chunks) in [(Take::Each, chunks.clone()), (Take::Complete, chunks)] {
        let (events, bytes) = run(chunks, take);
        assert_eq!(&events, expected, "{:?}", String::from_utf8_lossy(stream));
        let expected_bytes = stream.strip_prefix(BYTE_ORDER_MARK).unwrap_or(stream);
        assert_eq!(bytes, expected_bytes, "bytes of {:?}", String::from_utf8_lossy(stream));
    }
}

/// Unsplit, at every pair of offsets if short, at every single one otherwise, and bytewise.
fn check_splits(stream: &[u8]) {
    let expected = reference(stream);
    check(stream, &expected, [stream].into_iter());
    check(stream, &expected, stream.chunks(1));
    for first in 0..=stream.len() {
        let (a, rest) = stream.split_at(first);
        check(stream, &expected, [a, rest].into_iter());
        for second in (0..=rest.len()).take(if stream.len() < 120 { usize::MAX } else { 0 }) {
            let (b, c) = rest.split_at(second);
            check(stream, &expected, [a, b, c].into_iter());
        }
    }
}

const FIXTURES: &[&str] = &[
    "data: a\n\ndata: b\n\n",
    ": note\n\nevent: x\ndata: a\ndata: b\n\n\ndata: c\n\n",
    "\u{FEFF}data: a\n\ndata: b\n\n",
    "\n\n\ndata: a\n\n\n\nevent: y\n\ndata:b\n\ndata: [DONE]\n\n",
    "data: a\n\nretry: 1\nid: 2\n\nfoo: bar\ndata: ü\u{2028}\u{0}\n\ndata: tail",
    "data: a\n\ndata: tail\n",
    "\u{FEFF}\n\ndata: a\n\n",
];

#[test]
fn every_split_of_every_line_ending_gives_the_same_events() {
    for fixture in FIXTURES {
        for ending in ["\n", "\r\n", "\r"] {
            check_splits(fixture.replace('\n', ending).as_bytes());
        }
    }
    for mixed in
        ["data: a\r\n\rdata: b\n\rdata: c\r\n\n", "data: a\r\rdata: b\n\r\ndata: c\r\n\r\n\n\r"]
    {
        check_splits(mixed.as_bytes());
    }
    assert_eq!(
        reference(b"event: x\r\ndata: a\rdata: b\n\r\n"),
        [(Some("x".into()), b"a\nb".to_vec())]
    );
}

#[test]
fn recorded_streams_give_the_same_events_at_every_split() {
    let corpus = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/wire/corpus"));
    let Ok(folders) = corpus.read_dir() else { return };
    let mut checked = 0;
    for folder in folders.filter_map(Result::ok).filter(|entry| entry.path().is_dir()) {
        let files = folder.path().read_dir().unwrap().filter_map(Result::ok);
        let moderate = files.filter(|file| file.metadata().unwrap().len() < 12_000);
        let mut streams = moderate.filter_map(|file| event_stream(&file.path()));
        if let Some(body) = streams.find(|body| (200..2_500).contains(&body.len())) {
            assert!(!reference(body.as_bytes()).is_empty(), "{}", folder.path().display());
            check_splits(body.as_bytes());
            checked += 1;
        }
    }
    assert!(checked >= 12, "only {checked} recorded streams found");
}

fn event_stream(path: &Path) -> Option<String> {
    let recording: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let response = recording.get("response")?;
    let is_stream = response.get("headers")?.to_string().contains("text/event-stream");
    is_stream.then(|| response.get("body")?.as_str().map(str::to_owned)).flatten()
}

proptest! {
    #[test]
    fn random_streams_in_random_chunks(
        lines in prop::collection::vec(
            (prop::sample::select(vec!["", "", "data: x", "data:y", "data", "event: e", ": c", "id: 1"]),
             prop::sample::select(vec!["\n", "\r\n", "\r"])), 0..24),
        mark in any::<bool>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut stream = if mark { BYTE_ORDER_MARK.to_vec() } else { vec![] };
        for (line, ending) in &lines {
            stream.extend([line.as_bytes(), ending.as_bytes()].concat());
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let chunks = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]);
        check(&stream, &reference(&stream), chunks);
    }
}

#[test]
fn an_event_is_released_with_its_last_byte() {
    for stream in
        ["data: a\n\n", "data: a\r\n\r\n", "data: a\r\r", "data: a\r\n\n", "\u{FEFF}data: a\n\n"]
    {
        let mut frames = Frames::new();
        let (begin, last) = stream.as_bytes().split_at(stream.len() - 1);
        frames.push(Bytes::copy_from_slice(begin));
        let early = frames.next().unwrap();
        // The CR of a final CR LF already ends the event.
        assert_eq!(early.is_some(), stream.ends_with("\r\n"), "{stream:?}");
        frames.push(Bytes::copy_from_slice(last));
        let frame = frames.next().unwrap().unwrap();
        assert_eq!(parse(&early.unwrap_or(frame)).unwrap().data, &b"a"[..], "{stream:?}");
        assert_eq!(frames.finish(), None);
    }
}

#[test]
fn only_events_that_span_chunks_are_copied() {
    let chunk = Bytes::from_static(b"data: a\n\ndata: b\n\ndata: c");
    let within = |frame: &Bytes| chunk.as_ptr_range().contains(&frame.as_ptr());
    let mut frames = Frames::new();
    frames.push(chunk.clone());
    for expected in ["data: a\n\n", "data: b\n\n"] {
        let frame = frames.next().unwrap().unwrap();
        assert_eq!(frame, expected);
        assert!(within(&frame));
    }
    assert_eq!(frames.next(), Ok(None));
    frames.push(Bytes::from_static(b"c\n\n"));
    assert_eq!(frames.next().unwrap().unwrap(), "data: cc\n\n");

    let mut frames = Frames::new();
    frames.push(chunk.clone());
    let complete = frames.take_complete().unwrap().unwrap();
    assert_eq!(complete, "data: a\n\ndata: b\n\n");
    assert!(within(&complete));
    assert_eq!(frames.finish().unwrap(), "data: c");
    assert_eq!(frames.finish(), None);
}

#[test]
fn events_are_limited_exactly() {
    let event = |size: usize| format!("data: {}\n\n", "x".repeat(size - 8)).into_bytes();
    let good = event(MAX_EVENT_BYTES);
    let bad = event(MAX_EVENT_BYTES + 1);
    for size in [1 << 16, usize::MAX] {
        let mut frames = Frames::new();
        good.chunks(size.min(good.len())).for_each(|c| frames.push(Bytes::copy_from_slice(c)));
        assert_eq!(frames.next().unwrap().unwrap().len(), MAX_EVENT_BYTES);

        let unterminated = [&bad[..bad.len() - 1], b"x"].concat();
        let followed = [&bad[..], b"data: b\n\n"].concat();
        for rest in [&bad, &unterminated, &followed] {
            let bytes = [b"data: a\n\n", rest.as_slice()].concat();
            let mut frames = Frames::new();
            bytes
                .chunks(size.min(bytes.len()))
                .for_each(|c| frames.push(Bytes::copy_from_slice(c)));
            assert_eq!(frames.take_complete().unwrap().unwrap(), "data: a\n\n");
            for _ in 0..2 {
                assert_eq!(frames.take_complete(), Err(EventTooLarge));
                assert_eq!(frames.next(), Err(EventTooLarge));
            }
        }
    }
}

#[test]
fn single_bytes_of_a_giant_event_cost_linear_time() {
    let stream = format!("data: {}\r\n\r\n", "x".repeat(2 << 20));
    let started = Instant::now();
    let mut frames = Frames::new();
    let mut released = 0;
    for byte in Bytes::from(stream.clone()).chunks(1) {
        frames.push(Bytes::copy_from_slice(byte));
        released += frames.next().unwrap().map_or(0, |frame| frame.len());
    }
    assert_eq!(released, stream.len());
    // Scanning again with every byte would take hours.
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
