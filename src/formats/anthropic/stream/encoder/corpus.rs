//! Recorded streams of every provider format, written for an Anthropic client and read back.
//!
//! The recordings are read from the folder beside the project when it is there.

use super::super::tests::{Heard, events as split, hear};
use super::tests::{checked, label};
use super::*;
use crate::formats::anthropic::CALL_SIGNATURE_FORMAT;
use crate::formats::carried::Carried;
use crate::formats::gemini::array::{ArrayFrames, Piece as Element};
use crate::formats::{ApiFormat, StreamFault, stream_decoder};
use crate::sse::{self, Frames};
use bytes::Bytes;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/wire/corpus");

/// Bodies of well answered streams by name.
fn streams(fits: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(CORPUS).into_iter().flatten().flatten() {
        if !fits(&folder.file_name().to_string_lossy()) || !folder.path().is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(Path::new(&folder.path())).unwrap().flatten() {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let recording: Value = serde_json::from_str(&text).unwrap();
            let response = &recording["response"];
            let body = response["body"].as_str().filter(|_| response["status"] == 200);
            let Some(body) = body.filter(|body| !body.trim_start().starts_with('{')) else {
                continue;
            };
            found.push((recording["id"].as_str().unwrap().to_owned(), body.to_owned()));
        }
    }
    found
}

/// What a stream says, as far as this format can tell it.
#[derive(Debug, Default, PartialEq)]
struct Told {
    text: String,
    reasoning: String,
    /// Signatures and encrypted reasoning, with maker.
    signatures: Vec<(String, String)>,
    calls: Vec<(String, String, Value)>,
    urls: Vec<String>,
    finish: Option<&'static str>,
    counts: [u64; 6],
}

#[derive(Default)]
struct Listener {
    told: Told,
    refusal: String,
    arguments: BTreeMap<u32, (String, String, String)>,
    usage: Usage,
    finish: Option<FinishReason>,
}

impl Listener {
    fn hear(&mut self, event: &Event<'_>) {
        if event.choice().is_some_and(|choice| choice != 0) {
            return;
        }
        match event {
            Event::Text { text, .. } => self.told.text.push_str(text),
            Event::Audio { audio, .. } => {
                self.told.text.push_str(audio.transcript.as_deref().unwrap_or_default());
            }
            Event::Refusal { text, .. } => self.refusal.push_str(text),
            Event::Reasoning { text, .. } => self.told.reasoning.push_str(text),
            Event::ReasoningSignature { data, format, .. } => {
                self.told.signatures.push(((*format).to_owned(), data.to_string()));
            }
            Event::ToolCallStart { call, id, name, .. } => {
                self.arguments.insert(*call, (id.to_string(), name.to_string(), String::new()));
            }
            Event::ToolCallArguments { call, json, .. } => {
                self.arguments.get_mut(call).unwrap().2.push_str(json);
            }
            Event::Citations { citations, .. } => {
                self.told.urls.extend(citations.iter().map(|source| source.url.to_string()));
            }
            Event::Finish { reason, .. } => self.finish = self.finish.or(Some(*reason)),
            Event::Usage(later) => self.usage.merge(later),
            _ => {}
        }
    }

    fn told(mut self) -> Told {
        for (id, name, json) in self.arguments.into_values() {
            let cut = serde_json::from_str::<Value>(&json).is_err() && json.starts_with('{');
            let input = if cut {
                Value::String(json)
            } else {
                serde_json::from_str(input::object(&json, false).get()).unwrap()
            };
            self.told.calls.push((id, name, input));
        }
        let refused = !self.refusal.is_empty();
        self.told.finish = Some(match self.finish.unwrap_or(FinishReason::Stop) {
            FinishReason::Length => "length",
            FinishReason::ContentFilter => "content_filter",
            _ if !self.told.calls.is_empty() => "tool_calls",
            _ if refused => "content_filter",
            _ => "stop",
        });
        if self.finish != Some(FinishReason::ContentFilter) {
            self.told.text.push_str(&self.refusal);
        }
        self.told.counts = counts(&self.usage);
        if self.told.text.is_empty() {
            self.told.urls.clear();
        }
        self.told
    }
}

fn counts(usage: &Usage) -> [u64; 6] {
    let cached = usage.cached.unwrap_or(0);
    [
        usage.prompt.unwrap_or(0).max(cached),
        usage.completion.unwrap_or(0),
        cached,
        usage.cache_write(),
        usage.reasoning.unwrap_or(0),
        usage.web_searches.unwrap_or(0),
    ]
}

fn reread(heard: Heard) -> Told {
    let signatures = heard.signatures.into_iter().chain(heard.encrypted);
    let unpacked = |text: String| match Carried::unpack(&text) {
        Some(carried) => (carried.format, carried.data),
        None => ("anthropic-claude-v1".to_owned(), text),
    };
    let mut usage = heard.usage;
    usage.cache_write_5m = Some(heard.cache_write);
    Told {
        text: heard.text,
        reasoning: heard.reasoning,
        signatures: signatures.map(unpacked).collect(),
        calls: heard
            .calls
            .into_iter()
            .map(|(id, name, input)| {
                (id, name, if input == "" { Value::Object(serde_json::Map::new()) } else { input })
            })
            .collect(),
        urls: heard.urls,
        finish: heard.finish,
        counts: counts(&usage),
    }
}

/// Feeds a recorded body event by event, as the translator does.
fn relay(format: ApiFormat, body: &str) -> (Result<(), StreamFault>, Listener, Vec<u8>) {
    let mut decoder = stream_decoder(format).unwrap();
    let mut encoder = Encoder::new(label(), Framing::Sse);
    let mut listener = Listener::default();
    let mut out = BytesMut::new();
    let mut feed = |name: Option<&str>, data: &[u8], out: &mut BytesMut| {
        let fed = decoder.event(name, data, &mut |event| {
            listener.hear(&event);
            encoder.event(&event, out);
        });
        encoder.settle(out);
        fed
    };
    let mut ending = Ok(());
    if body.trim_start().starts_with('[') {
        let mut frames = ArrayFrames::default();
        frames.push(Bytes::copy_from_slice(body.as_bytes()));
        while let Ok(Some(piece)) = frames.next() {
            if let Element::Element(element) = piece {
                ending = ending.and_then(|()| feed(None, &element, &mut out));
            }
        }
    } else {
        let mut frames = Frames::new();
        frames.push(Bytes::copy_from_slice(body.as_bytes()));
        let tail = |frames: &mut Frames| frames.next().unwrap().or_else(|| frames.finish());
        while let Some(frame) = tail(&mut frames) {
            if let Some(event) = sse::parse(&frame) {
                ending = ending.and_then(|()| feed(event.name.as_deref(), &event.data, &mut out));
            }
        }
    }
    let ended = ending.and_then(|()| {
        decoder.finish(&mut |event| {
            listener.hear(&event);
            encoder.event(&event, &mut out);
        })
    });
    encoder.finish(&mut out);
    (ended, listener, out.to_vec())
}

fn check(format: ApiFormat, fits: impl Fn(&str) -> bool, least: usize) {
    let streams = streams(fits);
    let mut seen = 0;
    for (name, body) in &streams {
        let (ended, listener, out) = relay(format, body);
        if ended.is_err() {
            continue;
        }
        seen += 1;
        checked(&out);
        let (heard, fault) = hear(&split(std::str::from_utf8(&out).unwrap()));
        assert!(fault.is_none(), "{name}");
        let mut expected = listener.told();
        let mut told = reread(heard);
        expected.signatures.sort();
        told.signatures.sort();
        assert_eq!(told, expected, "{name}");
    }
    assert!(streams.is_empty() || seen > least, "{seen} of {}", streams.len());
}

#[test]
fn anthropic_streams_stay_what_they_are() {
    let folders = ["anthropic-messages", "vertex-messages", "local-messages"];
    check(ApiFormat::Anthropic, |folder| folders.contains(&folder), 60);
}

#[test]
fn openai_streams_are_told_in_blocks() {
    let foreign = ["cohere-native-chat", "ollama-native-chat"];
    let chat = |folder: &str| folder.ends_with("-chat") && !foreign.contains(&folder);
    check(ApiFormat::OpenAiChat, chat, 200);
}

#[test]
fn gemini_streams_are_told_in_blocks() {
    check(ApiFormat::Gemini, |folder| folder.ends_with("-generate"), 50);
    assert_eq!(CALL_SIGNATURE_FORMAT, crate::formats::gemini::REASONING_FORMAT);
}
