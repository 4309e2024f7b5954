//! Streams as clients get them: read back by the decoder, and as the official clients do.

use super::*;
use crate::formats::openai_responses::accumulate::accumulate;
use crate::formats::openai_responses::corpus::label;
use crate::formats::openai_responses::heard::Heard;
use crate::formats::openai_responses::recordings::{self, Recording};
use crate::formats::openai_responses::{response, stream::Decoder};
use crate::formats::{ApiFormat, StreamDecoder, StreamFault, translator::Translator};
use bytes::Bytes;

/// The events of a client's stream.
fn data_of(sent: &str) -> Vec<String> {
    sent.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
}

fn answers() -> impl Iterator<Item = Recording> {
    recordings::all().into_iter().filter(|recording| recording.status == 200)
}

#[test]
fn what_was_decoded_and_written_is_heard_again() {
    for recording in answers().filter(Recording::is_stream) {
        let mut decoder = Decoder::default();
        let mut encoder = Encoder::new(label(), Framing::Sse);
        let mut out = BytesMut::new();
        let mut events = Vec::new();
        let fed = recording.events().iter().try_for_each(|event| {
            events.push(event.clone());
            decoder.event(None, event.as_bytes(), &mut |event| encoder.event(&event, &mut out))
        });
        if fed.is_err() {
            continue;
        }
        encoder.finish(&mut out);
        let sent = String::from_utf8(out.to_vec()).unwrap();
        let last = accumulate(&recording.id, &sent).to_string();
        let heard = Heard::stream(&events).unwrap().without_searches();
        let again = Heard::stream(&data_of(&sent)).unwrap();
        assert_eq!(unpacked(again), heard, "{}", recording.id);
        let whole = Heard::whole(&response::decode(last.as_bytes()).unwrap());
        assert_eq!(unpacked(whole), heard, "{}", recording.id);
    }
}

/// With the signatures as their makers wrote them.
fn unpacked(mut heard: Heard) -> Heard {
    for signature in &mut heard.signatures {
        if let Some(carried) = crate::formats::carried::Carried::unpack(signature) {
            *signature = carried.data;
        }
    }
    heard
}

#[test]
fn streams_of_other_formats_become_well_formed_ones() {
    let folders = [
        (ApiFormat::Anthropic, "anthropic-messages", "event: message_start"),
        (ApiFormat::Gemini, "google-generate", "data: {"),
        (ApiFormat::Gemini, "vertex-generate", "data: {"),
        (ApiFormat::OpenAiChat, "openai-chat", "data: {"),
        (ApiFormat::OpenAiChat, "openrouter-chat", "data: {"),
        (ApiFormat::OpenAiChat, "mistral-chat", "data: {"),
        (ApiFormat::OpenAiChat, "groq-chat", "data: {"),
        (ApiFormat::OpenAiChat, "deepseek-chat", "data: {"),
    ];
    let mut count = 0;
    for (format, folder, start) in folders {
        for recording in recordings::load(folder) {
            if recording.status != 200 || !recording.body.starts_with(start) {
                continue;
            }
            let sent = match relay(format, &recording.body, usize::MAX) {
                Ok(sent) => sent,
                Err((sent, _)) => {
                    assert!(!sent.contains("response.completed"), "{}", recording.id);
                    continue;
                }
            };
            accumulate(&recording.id, &sent);
            Heard::stream(&data_of(&sent)).unwrap();
            // Gemini's calls get a random id.
            if format != ApiFormat::Gemini && recording.body.len() < 20_000 {
                assert_eq!(relay(format, &recording.body, 7).unwrap(), sent, "{}", recording.id);
            }
            count += 1;
        }
    }
    assert!(count == 0 || count > 250, "{count} streams");
}

/// What a client gets of a provider's stream that comes in pieces of so many bytes.
fn relay(format: ApiFormat, body: &str, size: usize) -> Result<String, (String, StreamFault)> {
    let client = ApiFormat::OpenAiResponses;
    let mut relay = Translator::new(format, client, Framing::Sse, label()).unwrap();
    let mut sent = Vec::new();
    let mut run = || {
        for chunk in body.as_bytes().chunks(size.min(body.len().max(1))) {
            sent.extend_from_slice(&relay.push(Bytes::copy_from_slice(chunk))?);
        }
        sent.extend_from_slice(&relay.finish()?);
        Ok(())
    };
    let outcome = run();
    sent.extend_from_slice(&relay.take_output());
    let sent = String::from_utf8(sent).unwrap();
    match outcome {
        Ok(()) => Ok(sent),
        Err(fault) => Err((sent, fault)),
    }
}
