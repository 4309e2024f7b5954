//! Writes what the gateway makes of the recordings to `target/corpus-out`, one file per client
//! format, for the vendors' own SDKs to read; `tests/sdk/python/test_corpus.py` feeds it to them.
//!
//! A line holds the body as a client gets it and what the judge reads in it.

use crate::answers::{CLIENTS, is_whole_answer, label};
use crate::assemble::assemble;
use crate::compare::read;
use crate::json::Json;
use crate::reading::{Answer, Finish};
use crate::recordings::{self, Recording};
use crate::report::name;
use crate::streams;
use arouter::formats::ApiFormat;
use bytes::Bytes;
use std::fmt::Write;

#[test]
fn what_clients_get_is_written_for_their_sdks() {
    let folder = concat!(env!("CARGO_TARGET_TMPDIR"), "/../corpus-out");
    std::fs::create_dir_all(folder).unwrap();
    for to in CLIENTS.into_iter().filter(|to| *to != ApiFormat::Completions) {
        let mut lines = String::new();
        for recording in recordings::all().iter().filter(|recording| recording.broken.is_none()) {
            lines.extend(whole(recording, to));
            lines.extend(streamed(recording, to));
        }
        std::fs::write(format!("{folder}/{}.jsonl", name(to)), lines).unwrap();
    }
}

fn whole(recording: &Recording, to: ApiFormat) -> Option<String> {
    if !is_whole_answer(recording) || recording.format == to {
        return None;
    }
    let body = Bytes::from(recording.body.clone());
    let answer = arouter::formats::answer::relay(recording.format, to, body, &label(None)).ok()?;
    let body = String::from_utf8(answer.body.to_vec()).ok()?;
    let read = read(to, &Json::parse(&body)?);
    Some(line(recording, "whole", &body, &read))
}

fn streamed(recording: &Recording, to: ApiFormat) -> Option<String> {
    let stream = streams::stream_of(recording)?;
    if recording.format == to {
        return None;
    }
    let translator = streams::translator(recording.format, to, &stream).ok()?;
    let relayed = streams::relay(translator, [stream.bytes]);
    if relayed.fault.is_some() {
        return None;
    }
    let read = read(to, &assemble(to, &relayed.bytes).ok()?.whole?);
    let body = String::from_utf8(relayed.bytes).ok()?;
    Some(line(recording, "stream", &body, &read))
}

fn line(recording: &Recording, kind: &str, body: &str, read: &Answer) -> String {
    let mut line = Json::Null;
    line.set("id", recording.id.as_str().into());
    line.set("kind", kind.into());
    line.set("body", body.into());
    let first = read.choices.first();
    line.set("text", first.map(|choice| choice.text.as_str()).unwrap_or_default().into());
    line.set("refusal", first.map(|choice| choice.refusal.as_str()).unwrap_or_default().into());
    line.set("reasoning", first.map(|choice| choice.reasoning.as_str()).unwrap_or_default().into());
    let finish = first.map_or(Finish::Missing, |choice| choice.finish);
    line.set("finish", format!("{finish:?}").as_str().into());
    line.set("calls", Json::List(Vec::new()));
    for call in first.into_iter().flat_map(|choice| &choice.calls) {
        let mut written = Json::Null;
        written.set("name", call.name.as_str().into());
        written.set("arguments", call.arguments.value.clone());
        written.set("torn", Json::Bool(call.arguments.torn));
        line.push("calls", written);
    }
    for key in ["prompt", "completion"] {
        let count = read.usage.get(key).copied().unwrap_or(0);
        line.set(key, Json::Number(count.to_string()));
    }
    let mut text = String::new();
    writeln!(text, "{line}").unwrap();
    text
}
