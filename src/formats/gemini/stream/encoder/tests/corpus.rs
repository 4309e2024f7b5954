//! Recorded streams on their way to a Gemini client.

use super::*;
use crate::formats::gemini::recordings::{self, Recording};
use crate::formats::{ApiFormat, StreamFault, stream_decoder};
use std::collections::BTreeMap;

/// What a stream says, in neutral terms.
#[derive(Debug, Default, PartialEq)]
struct Told {
    choices: BTreeMap<u32, Choice>,
    usage: Usage,
    tier: Option<String>,
    ended: bool,
}

#[derive(Debug, Default, PartialEq)]
struct Choice {
    text: String,
    refusal: String,
    reasoning: String,
    signatures: Vec<(String, Option<String>)>,
    calls: Vec<(String, String, Value)>,
    media: Vec<String>,
    citations: Vec<(String, u64, u64)>,
    logprobs: Vec<String>,
    finish: Option<FinishReason>,
}

impl Told {
    fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Text { choice, text } => self.at(*choice).text.push_str(text),
            Event::Refusal { choice, text } => self.at(*choice).refusal.push_str(text),
            Event::Reasoning { choice, text, .. } => self.at(*choice).reasoning.push_str(text),
            Event::ReasoningSignature { choice, data, id, .. } => {
                self.at(*choice)
                    .signatures
                    .push((data.to_string(), id.as_ref().map(ToString::to_string)));
            }
            Event::ToolCallStart { choice, id, name, .. } => {
                self.at(*choice).calls.push((id.to_string(), name.to_string(), json!("")));
            }
            Event::ToolCallArguments { choice, call, json } => {
                let arguments = &mut self.at(*choice).calls[*call as usize].2;
                *arguments = json!(arguments.as_str().unwrap().to_owned() + json);
            }
            Event::Image { choice, mime, data } => {
                self.at(*choice).media.push(format!("{mime}{data}"));
            }
            Event::Audio { choice, audio } => self.at(*choice).media.push(format!("{audio:?}")),
            Event::Logprobs { choice, json } => {
                self.at(*choice).logprobs.push(json.get().to_owned());
            }
            Event::Citations { choice, citations } => {
                let cited = citations.iter().map(|one| (one.url.to_string(), one.start, one.end));
                self.at(*choice).citations.extend(cited);
            }
            Event::Finish { choice, reason, .. } => {
                self.at(*choice).finish.get_or_insert(*reason);
            }
            Event::Usage(usage) => self.usage.merge(usage),
            Event::ServiceTier(tier) => self.tier = Some(tier.to_string()),
            Event::End => self.ended = true,
            _ => {}
        }
    }

    fn at(&mut self, index: u32) -> &mut Choice {
        self.choices.entry(index).or_default()
    }

    /// Without what cannot be the same: searches are counted by queries that nobody kept.
    fn comparable(mut self) -> Self {
        self.usage.web_searches = None;
        for choice in self.choices.values_mut() {
            for (_, _, arguments) in &mut choice.calls {
                let text = arguments.as_str().unwrap();
                *arguments = serde_json::from_str(if text.is_empty() { "{}" } else { text })
                    .unwrap_or_else(|_| json!({"__raw_arguments": text}));
            }
            choice.citations.dedup();
        }
        self
    }
}

/// Reads the events into an encoder, and what that writes back into neutral terms.
fn through(
    decoder: &mut dyn StreamDecoder,
    events: &[(Option<String>, String)],
    framing: Framing,
) -> Result<(Told, Told), StreamFault> {
    let mut before = Told::default();
    let mut encoder = Encoder::new(label(false), framing);
    let mut out = BytesMut::new();
    let mut sink = |event: Event<'_>| {
        before.take(&event);
        encoder.event(&event, &mut out);
    };
    for (name, data) in events {
        decoder.event(name.as_deref(), data.as_bytes(), &mut sink)?;
    }
    decoder.finish(&mut sink)?;
    encoder.finish(&mut out);
    let mut after = Told::default();
    let mut again = Decoder::default();
    for value in values(framing, &out) {
        again.event(None, value.to_string().as_bytes(), &mut |event| after.take(&event))?;
    }
    again.finish(&mut |event| after.take(&event))?;
    Ok((before.comparable(), after.comparable()))
}

fn frames(recording: &Recording) -> Vec<(Option<String>, String)> {
    let mut frames = Frames::new();
    frames.push(recording.body.clone().into_bytes().into());
    let mut whole = Vec::new();
    while let Some(frame) = frames.next().unwrap() {
        whole.push(frame);
    }
    whole.extend(frames.finish());
    let events = whole.iter().filter_map(|frame| sse::parse(frame));
    let owned = events.map(|event| {
        let data = String::from_utf8(event.data.to_vec()).unwrap();
        (event.name.map(Into::into), data)
    });
    owned.collect()
}

#[test]
fn recorded_gemini_streams_come_back_the_same() {
    let mut streams = 0;
    for recording in recordings::answers().iter().filter(|recording| recording.status == 200) {
        let events: Vec<_> = recording.events().into_iter().map(|event| (None, event)).collect();
        for framing in [Framing::Sse, Framing::JsonArray] {
            let Ok((before, after)) = through(&mut Decoder::default(), &events, framing) else {
                // Recordings of streams that broke off.
                continue;
            };
            assert_eq!(before, after, "{}", recording.id);
            streams += 1;
        }
    }
    assert!(others().is_empty() || streams > 400, "{streams}");
}

/// Folders of recordings that other decoders read.
fn others() -> Vec<(String, ApiFormat)> {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/wire/corpus");
    let Ok(entries) = std::fs::read_dir(corpus) else { return Vec::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let known = |name: String| match name.rsplit_once('-') {
        Some((provider, "chat")) if !provider.ends_with("native") => {
            Some((name, ApiFormat::OpenAiChat))
        }
        Some((_, "messages")) => Some((name, ApiFormat::Anthropic)),
        _ => None,
    };
    names.filter_map(known).collect()
}

#[test]
fn recorded_streams_of_others_are_well_formed() {
    let mut streams = 0;
    for (folder, format) in others() {
        let recorded = recordings::load(&folder);
        for recording in
            recorded.iter().filter(|one| one.status == 200 && one.body.contains("data:"))
        {
            if serde_json::from_str::<Value>(&recording.body).is_ok() {
                continue;
            }
            let events = frames(recording);
            for framing in [Framing::Sse, Framing::JsonArray] {
                let mut decoder = stream_decoder(format).unwrap();
                let (before, after) = match through(decoder.as_mut(), &events, framing) {
                    Ok(told) => told,
                    Err(StreamFault::Upstream(_) | StreamFault::Truncated) => continue,
                    Err(fault) => panic!("{}: {fault}", recording.id),
                };
                same(&before, &after, &recording.id);
                streams += 1;
            }
        }
    }
    assert!(others().is_empty() || streams > 500, "{streams}");
}

/// What has to survive in Gemini's format.
fn same(before: &Told, after: &Told, id: &str) {
    assert!(after.ended, "{id}");
    assert_eq!(before.usage.total(), after.usage.total(), "{id}");
    assert_eq!(before.usage.reasoning.unwrap_or(0), after.usage.reasoning.unwrap_or(0), "{id}");
    for (index, said) in &before.choices {
        let read = &after.choices[index];
        let joined = |choice: &Choice| choice.text.clone() + &choice.refusal;
        assert_eq!(joined(said), joined(read), "{id}");
        assert_eq!(said.reasoning, read.reasoning, "{id}");
        assert_eq!(said.calls, read.calls, "{id}");
        assert_eq!(said.signatures.len(), read.signatures.len(), "{id}");
        assert_eq!(said.citations, read.citations, "{id}");
        // Gemini has one word for a proper end, with calls or without.
        // Where no end was told the answer counts as done.
        let proper = |finish: Option<FinishReason>, called: bool| match finish
            .or(Some(FinishReason::Stop))
        {
            Some(FinishReason::Stop | FinishReason::ToolCalls) if called => {
                Some(FinishReason::ToolCalls)
            }
            Some(FinishReason::ToolCalls) => Some(FinishReason::Stop),
            other => other,
        };
        let called = !said.calls.is_empty();
        assert_eq!(proper(said.finish, called), proper(read.finish, called), "{id}");
    }
}
