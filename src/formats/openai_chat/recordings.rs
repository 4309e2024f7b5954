//! Recorded answers of every provider of this format: read, written for a client and read again,
//! they say the same.

use super::response::{decode, encode};
use super::stream::{Decoder, Encoder};
use crate::chat::event::{AudioPiece, Event};
use crate::chat::{Part, Response, Usage};
use crate::formats::gemini::recordings::{Recording, load};
use crate::formats::{AnswerLabel, StreamDecoder as _, StreamEncoder as _};
use crate::sse;
use bytes::BytesMut;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

fn answers() -> Vec<Recording> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/wire/corpus");
    let Ok(folders) = std::fs::read_dir(corpus) else { return Vec::new() };
    let names = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap());
    let chat = names.filter(|name| name.ends_with("-chat") && !name.contains("native"));
    chat.flat_map(|name| load(&name)).filter(|answer| answer.status == 200).collect()
}

fn label() -> AnswerLabel {
    AnswerLabel {
        id: Arc::from("gen-1"),
        model: None,
        provider: Arc::from("Acme"),
        created_s: 7,
        include_usage: true,
        exclude_reasoning: false,
        shape: crate::formats::Shape::Maker,
        charges: None,
    }
}

/// Counts that were not stated are written as zero.
fn counted(usage: &Usage) -> Vec<u64> {
    let counts = [
        usage.prompt,
        usage.completion,
        usage.cached,
        Some(usage.cache_write()),
        usage.reasoning,
        usage.audio_prompt,
        usage.audio_completion,
        usage.web_searches,
    ];
    counts.map(Option::unwrap_or_default).to_vec()
}

fn meaning(mut response: Response<'_>) -> String {
    let usage = counted(&response.usage);
    response.usage = Usage::default();
    response.id = None;
    // Groq's word for the usual tier is no word of OpenAI's.
    let tier = response.service_tier.as_deref().map(super::response::tier_word);
    response.service_tier = tier.map(Cow::Borrowed);
    response.model.get_or_insert_default();
    for choice in &mut response.choices {
        let mut parts: Vec<Part<'_>> = Vec::new();
        for mut part in std::mem::take(&mut choice.parts) {
            if let Part::Reasoning(piece) = &mut part {
                piece.format.get_or_insert(Cow::Borrowed("unknown"));
            }
            match (parts.last_mut(), &part) {
                (Some(Part::Text { text: before, .. }), Part::Text { text, .. }) => {
                    before.to_mut().push_str(text);
                }
                _ => parts.push(part),
            }
        }
        // Mistral mixes them; the message has one place for each.
        parts.sort_by_key(|part| !matches!(part, Part::Reasoning(_)));
        choice.parts = parts;
        choice.native_finish.get_or_insert(Cow::Borrowed(choice.finish.as_str()));
    }
    format!("{usage:?} {response:#?}")
}

#[test]
fn whole_answers_mean_the_same_after_writing_and_reading() {
    let mut seen = 0;
    for answer in answers() {
        let Ok(response) = decode(answer.body.as_bytes()) else { continue };
        if response.choices.is_empty() {
            continue;
        }
        let written = encode(&response, &label());
        let again = meaning(decode(&written).unwrap());
        let before = meaning(response);
        let differ = again.lines().zip(before.lines()).find(|(after, before)| after != before);
        assert_eq!(differ, None, "{}", answer.id);
        assert_eq!(again.len(), before.len(), "{}", answer.id);
        seen += 1;
    }
    println!("{seen} answers");
}

/// What a stream says in all.
#[derive(Debug, Default, PartialEq)]
struct Said {
    choices: BTreeMap<u32, Choice>,
    tier: Option<String>,
    usage: Vec<u64>,
    ended: bool,
}

#[derive(Debug, Default, PartialEq)]
struct Choice {
    text: String,
    refusal: String,
    reasoning: String,
    signatures: String,
    calls: BTreeMap<u32, (String, String, bool, String, bool)>,
    media: String,
    audio: [String; 3],
    logprobs: String,
    citations: String,
    finish: String,
}

impl Said {
    fn hear(&mut self, event: &Event<'_>, usage: &mut Usage) {
        match event {
            Event::ServiceTier(tier) => {
                self.tier = Some(super::response::tier_word(tier).to_owned());
            }
            Event::Usage(later) => usage.merge(later),
            Event::End => self.ended = true,
            Event::Text { choice, .. }
            | Event::Refusal { choice, .. }
            | Event::Reasoning { choice, .. }
            | Event::ReasoningSignature { choice, .. }
            | Event::ToolCallStart { choice, .. }
            | Event::ToolCallArguments { choice, .. }
            | Event::ToolCallEnd { choice, .. }
            | Event::Image { choice, .. }
            | Event::Audio { choice, .. }
            | Event::Logprobs { choice, .. }
            | Event::Citations { choice, .. }
            | Event::Finish { choice, .. } => self.choices.entry(*choice).or_default().hear(event),
            Event::Start { .. } | Event::Ping | Event::Error(_) => {}
        }
    }
}

impl Choice {
    fn hear(&mut self, event: &Event<'_>) {
        assert!(self.finish.is_empty(), "{event:?} after the finish");
        match event {
            Event::Text { text, .. } => self.text += text,
            Event::Refusal { text, .. } => self.refusal += text,
            Event::Reasoning { text, .. } => self.reasoning += text,
            Event::ReasoningSignature { data, encrypted, format, id, .. } => {
                writeln!(self.signatures, "{data} {encrypted} {format} {id:?}").unwrap();
            }
            Event::ToolCallStart { call, id, name, custom, .. } => {
                let started = (id.to_string(), name.to_string(), *custom, String::new(), false);
                assert_eq!(self.calls.insert(*call, started), None);
            }
            Event::ToolCallArguments { call, json, .. } => {
                self.calls.get_mut(call).unwrap().3 += json;
            }
            Event::ToolCallEnd { call, .. } => {
                let call = self.calls.get_mut(call).unwrap();
                assert!(!std::mem::replace(&mut call.4, true), "ended once");
                if call.3.is_empty() && !call.2 {
                    call.3 += "{}";
                }
            }
            Event::Image { mime, data, .. } => write!(self.media, "{mime} {data}").unwrap(),
            Event::Audio { audio, .. } => self.sound(audio),
            Event::Logprobs { json, .. } => self.logprobs += json.get(),
            Event::Citations { citations, .. } => {
                write!(self.citations, "{citations:?}").unwrap();
            }
            Event::Finish { reason, native, .. } => {
                assert!(self.calls.values().all(|call| call.4), "calls end first");
                // A word that was never said is written as the gateway's own.
                let native = native.as_deref().unwrap_or(reason.as_str());
                self.finish = format!("{reason:?} {native}");
            }
            _ => {}
        }
    }

    fn sound(&mut self, piece: &AudioPiece<'_>) {
        for (whole, more) in self.audio.iter_mut().zip([&piece.id, &piece.data, &piece.transcript])
        {
            *whole += more.as_deref().unwrap_or_default();
        }
    }
}

/// Reads a stream; gives what it said and, if it ended well, the stream a client gets.
fn relay(body: &str) -> Option<(Said, String)> {
    let (mut decoder, mut encoder) = (Decoder::new(), Encoder::new(label()));
    let (mut said, mut usage, mut out) = (Said::default(), Usage::default(), BytesMut::new());
    let mut frames = sse::Frames::new();
    frames.push(body.to_owned().into());
    let mut sink = |event: Event<'_>| {
        said.hear(&event, &mut usage);
        encoder.event(&event, &mut out);
    };
    while let Some(frame) = frames.next().unwrap() {
        let Some(event) = sse::parse(&frame) else { continue };
        decoder.event(event.name.as_deref(), &event.data, &mut sink).ok()?;
    }
    if let Some(frame) = frames.finish() {
        let event = sse::parse(&frame)?;
        decoder.event(event.name.as_deref(), &event.data, &mut sink).ok()?;
    }
    decoder.finish(&mut sink).ok()?;
    encoder.finish(&mut out);
    said.usage = counted(&usage);
    Some((said, String::from_utf8(out.to_vec()).unwrap()))
}

#[test]
fn streams_mean_the_same_after_writing_and_reading() {
    let mut seen = 0;
    for answer in answers().iter().filter(|answer| answer.body.contains("data:")) {
        let Some((before, written)) = relay(&answer.body) else { continue };
        let (after, _) = relay(&written).unwrap();
        assert_eq!(after, before, "{}", answer.id);
        assert!(after.ended, "{}", answer.id);
        assert_eq!(written.matches("[DONE]").count(), 1);
        seen += 1;
    }
    println!("{seen} streams");
}
